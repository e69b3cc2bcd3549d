"""Fixtures that several test files share."""

import sys
import types
from pathlib import Path

import pytest
import torch


@pytest.fixture(params=["nonsense", None])
def no_display(request, monkeypatch):
    """A machine without a display, or whose named driver does not exist."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    if request.param:
        monkeypatch.setenv("SDL_VIDEODRIVER", request.param)
    elif not sys.platform.startswith("linux"):
        pytest.skip("only on Linux a missing DISPLAY means that there is no display")


@pytest.fixture(autouse=True)
def as_torch_was():
    """Takes back what commands that a test or a fixture calls in this process choose for torch."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def videos(monkeypatch):
    """Videos as they would be written, (frames, frames per second, path) each: a film library is not needed."""
    written = []

    class ImageSequenceClip:
        def __init__(self, frames, fps):
            self.frames, self.fps = list(frames), fps

        def write_videofile(self, path, **_):
            written.append((self.frames, self.fps, path))

    names = ["moviepy", "moviepy.video", "moviepy.video.io", "moviepy.video.io.ImageSequenceClip"]
    for name in names:
        module = types.ModuleType(name)
        module.__path__ = []
        module.ImageSequenceClip = ImageSequenceClip
        monkeypatch.setitem(sys.modules, name, module)
    return written


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Judges and features in no time, and the toys."""
    import toys

    from musegym.benchmarks.judges import c2st, self_test, surprise
    from musegym.benchmarks.metrics import features

    monkeypatch.setattr(c2st, "EPOCHS", 1)
    monkeypatch.setattr(c2st, "TAUGHT_EPOCHS", 1)
    monkeypatch.setattr(c2st, "TAUGHT_PLANE_EPOCHS", 1)
    passed = self_test.SelfTest(catches=1.0, changed=0.1, real_vs_real=0.5, low=0.4, high=0.6, cpu_seconds=0.0)
    monkeypatch.setattr(self_test, "_cached", lambda *_: passed)
    net = features.FeatureNet
    monkeypatch.setattr(
        features, "FeatureNet", lambda train, layout, folder: net(train, layout, folder=folder, updates=5)
    )
    rater = surprise.Surprise
    monkeypatch.setattr(
        surprise, "Surprise", lambda train, layout, folder: rater(train, layout, folder=folder, updates=5)
    )
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    toys.register()


@pytest.fixture
def own_cache(monkeypatch, tmp_path, request):
    """A cache of the test's own; tests of ``real`` works share one, since some take half a minute to read."""
    if "real" not in request.fixturenames:
        monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def results_of_this_tree(monkeypatch):
    """Lets reports read the results of this working tree, also where an installed copy of musegym is tested."""
    monkeypatch.setattr("musegym.benchmarks.commands.RESULTS", Path(__file__).parents[1] / "benchmarks" / "results")


@pytest.fixture
def call(capsys):
    """Runs a command in this process; returns its exit code, stdout and stderr."""
    from musegym.cli import main

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        capture = capsys.readouterr()
        return int(exit_.value.code or 0), capture.out, capture.err

    return run


@pytest.fixture
def dummy(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")


@pytest.fixture
def script(monkeypatch):
    """Returns a function that posts events, each after the window showed something; returns the pictures.

    An event is the name of a key, which is pressed and released, or a kind of pygame's with its attributes.
    """

    def act(*events):
        import pygame

        from musegym.play.stage import Stage

        left, show, seen = list(events), Stage.show, []

        def show_and_act(stage, picture, panel, *rest):
            show(stage, picture, panel, *rest)
            seen.append((panel.lines[0], pygame.surfarray.array3d(pygame.display.get_surface())))
            if left:
                event = left.pop(0)
                pressed = [(kind, {"key": event}) for kind in ("KEYDOWN", "KEYUP")]
                for kind, given in pressed if isinstance(event, str) else [event]:
                    if "key" in given:
                        given = given | {"key": pygame.key.key_code(given["key"])}
                    pygame.event.post(pygame.event.Event(getattr(pygame, kind), **given))

        monkeypatch.setattr(Stage, "show", show_and_act)
        return seen

    return act
