"""The play window: its logic without a window, then in SDL's dummy window, then in a real one under Xvfb."""

import itertools
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_checks import Recorded
from test_decode import PlanTask
from toys import BitsTask, WordTask

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.agents.episodes import Recorder, trace
from musegym.envs.digit import DigitTask
from musegym.envs.melody import MelodyTask
from musegym.errors import RunError
from musegym.play.builder import Builder
from musegym.play.panel import CHIPS, GROUND, MARKED, Panel, _fitted
from musegym.play.session import play
from musegym.play.stage import Stage


class Songs(MelodyTask):
    """Melodies of 2/4 in C major, without reading any corpus."""

    _training_conditions = np.zeros((1, 4), np.int64)


def desk(task, seed=0):
    return Builder(task, np.random.default_rng(seed))


def labels(one):
    return [one.caption(index) for index in one.shown]


def finish(one, limit=100):
    for _ in range(limit):
        if not one.done:
            one.press("space")
    assert one.done


# --- building by hand --------------------------------------------------------------------------------------------


def test_choices_are_the_legal_ones_and_named_by_the_medium():
    one = desk(Songs())
    assert len(one.legal) == 36
    assert one.caption(0) == "rest"
    assert one.caption(6) == "C4"
    assert len(labels(one)) == CHIPS
    one.press("return")
    one.chosen = 0
    assert labels(one)[:3] == ["1/48", "1/32", "1/24"]


def test_choices_without_names_are_numbers():
    assert labels(desk(BitsTask())) == ["0", "1"]


def test_arrows_move_the_mark_and_stop_at_the_ends():
    one = desk(Songs())
    start = one.chosen
    assert one.press("up")
    assert one.chosen == start + 1
    assert one.press("page down")
    assert one.chosen == start - 4
    one.chosen = 0
    assert not one.press("left")
    assert one.chosen == 0
    one.chosen = len(one.legal) - 1
    assert not one.press("right")


def test_numbers_pick_among_the_choices_that_are_shown():
    one = desk(Songs())
    named = labels(one)
    assert one.press("2")
    assert one.caption(one.chosen) == named[1]
    few = desk(BitsTask())
    assert few.press("1")
    assert few.chosen == 0
    assert not few.press("9")


def test_enter_takes_what_was_previewed():
    one = desk(Songs())
    one.press("up")
    expected = one.preview
    assert expected.content[0, 2] > 0
    assert one.press("return")
    assert (one.work.content == expected.content).all()
    assert one.work.condition.tolist() == expected.condition.tolist() == [0, 0, 0, 0]
    assert len(one.work.actions) == 1
    assert one.count == 1


def test_the_pen_is_shown_where_the_marked_choice_takes_it():
    one = desk(DigitTask(strokes=2))
    assert labels(one)[0].startswith("draw")
    first = one.picture
    one.press("up")
    assert (one.picture != first).any()
    finish(one)
    assert (one.picture == one.task.medium.render(one.work.content)).all()


def test_the_last_pitch_is_marked_again():
    one = desk(Songs())
    one.press("1")
    pitch = one.caption(one.chosen)
    one.press("return")
    one.press("return")
    assert one.caption(one.chosen) == pitch


def test_backspace_undoes_one_decision_at_a_time():
    one, before = desk(WordTask(), seed=1), []
    for _ in range(2):
        before.append(one.work.content)
        one.press("return")
    for content in reversed(before):
        assert one.press("backspace")
        assert (one.work.content == content).all()
    assert not one.press("backspace")


@pytest.mark.parametrize("make", [Songs, WordTask, BitsTask])
def test_random_choices_finish_a_work(make):
    one = desk(make())
    finish(one)
    assert one.task.content_space.contains(one.work.content)
    assert (one.preview.content == one.work.content).all()
    assert len(one.work.actions) == one.count
    assert not one.press("space")
    assert one.press("backspace")
    assert not one.done
    one.press("n")
    assert one.count == 0


def test_works_decoded_from_plans_are_built_by_hand():
    one = desk(PlanTask())
    before = one.picture
    one.press("up")
    assert one.preview.content.shape == (2, 2), "the picture, and not the plan"
    finish(one)
    assert one.task.content_space.contains(one.work.content)
    assert (one.picture == one.task.medium.render(one.work.content)).all()
    assert (one.picture != before).any()
    assert one.caption(0) == "0", "media that name nothing leave numbers"


def test_the_seed_decides():
    one, same, other = desk(Songs(), 3), desk(Songs(), 3), desk(Songs(), 4)
    for each in (one, same, other):
        finish(each)
    assert (one.work.content == same.work.content).all()
    assert (one.work.actions == same.work.actions).all()
    assert not np.array_equal(one.work.content, other.work.content)


def test_unknown_keys_change_nothing():
    one = desk(Songs())
    assert not any(one.press(key) for key in ("x", "tab", "", "0"))


# --- in a window that nobody sees --------------------------------------------------------------------------------


def agent(monkeypatch, episode):
    """Makes an episode what any agent does; returns the seeds that it was asked for."""
    seeds = []

    def generate_episodes(model, num, seed, prefix=None, condition=None):
        seeds.append(seed)
        return episode

    monkeypatch.setattr("musegym.agents.generate_episodes", generate_episodes)
    return seeds


def a_song():
    """Two notes, as long as can be."""
    one = desk(Songs())
    while not one.done:
        one.chosen = len(one.legal) - 1
        one.press("return")
    return one.work


def test_a_person_builds_saves_and_quits(dummy, script, tmp_path):
    seen = script(*["space"] * 4, "s", "backspace", "q")
    assert play("musegym/Melody-v0", seed=0, folder=tmp_path, task=Songs(), max_seconds=20) == []
    suffixes = ("mid", "wav", "png", "abc", "npz")
    assert {path.name for path in tmp_path.iterdir()} == {f"Melody-v0-1.{suffix}" for suffix in suffixes}
    heads = [head for head, _ in seen]
    assert heads[4:7] == [
        "choice 5 of at most 72",
        "choice 5 of at most 72   ·   saved " + ", ".join(f"Melody-v0-1.{suffix}" for suffix in suffixes),
        "choice 4 of at most 72",
    ]
    assert all((before != after).any() for (_, before), (_, after) in itertools.pairwise(seen[:4]))


def test_a_person_finishes_works(dummy, script, tmp_path):
    script(*["space"] * 4, "n", *["space"] * 4, "escape")
    works = play("toys/Bits-v0", seed=0, folder=tmp_path, task=BitsTask(), max_seconds=20)
    assert [work.shape for work in works] == [(4,), (4,)]


def test_an_agent_is_watched_and_its_work_saved_twice(dummy, script, tmp_path, monkeypatch):
    content, condition, actions = a_song()
    seeds = agent(monkeypatch, trace(Songs(), content[None], condition[None]))
    notes = int((content[:, 2] > 0).sum())
    seen = script(*["x"] * (2 * notes), "s", "s", "q")
    works = play("musegym/Melody-v0", object(), seed=5, folder=tmp_path, task=Songs(), max_seconds=20)
    assert len(works) == 1
    assert (works[0] == content).all()
    assert len(list(tmp_path.iterdir())) == 10
    with np.load(tmp_path / "Melody-v0-2.npz") as saved:
        assert (saved["content"] == content).all()
        assert saved["condition"].tolist() == condition.tolist()
        assert saved["actions"].tolist() == actions.tolist()
    assert [head for head, _ in seen[: 2 * notes]] == [f"choice {step}" for step in range(1, 2 * notes + 1)]
    again = agent(monkeypatch, trace(Songs(), content[None], condition[None]))
    script("q")
    play("musegym/Melody-v0", object(), seed=5, task=Songs(), max_seconds=20)
    assert again == seeds


def test_works_known_with_their_actions_are_watched_as_they_were_built(dummy, script, monkeypatch):
    task, actions = Recorded(), np.array([3, 0, 7, 4])  # two bits painted, then erased
    agent(monkeypatch, trace(task, np.zeros((1, 4), np.int8), actions=actions[None]))
    pictures = []
    monkeypatch.setattr(Stage, "show", lambda self, picture, *_: pictures.append(picture))
    script(*["x"] * 4, "q")
    (content,) = play("toys/Recorded-v0", object(), task=task, max_seconds=20)
    assert not content.any()
    painted = [int((picture == 0).all(-1).sum()) for picture in pictures[:4]]
    assert painted == [1, 2, 1, 0]


def test_the_pen_of_an_agent_is_seen_at_work_and_its_drawing_saved_as_lines(dummy, script, tmp_path, monkeypatch):
    task, actions = DigitTask(strokes=3), np.array([4, 81 + 36, 44])
    recorder, shown = Recorder(task, task.initial(np.zeros(1, np.uint64))), []
    for action in actions:
        recorder.look()
        recorder.act(action[None])
        shown.append(task.render(recorder.state)[0])
    agent(monkeypatch, recorder.episodes())
    monkeypatch.setattr(Stage, "show", lambda self, picture, *_: pictures.append(picture))
    pictures = []
    script(*["x"] * 3, "s", "q")
    (drawing,) = play("musegym/Digit-v0", object(), folder=tmp_path, task=task, max_seconds=20)
    assert all(np.array_equal(seen, due) for seen, due in zip(pictures[:3], shown, strict=True))
    assert not np.array_equal(pictures[1], task.medium.render(task.content(recorder.state)[0])), "with the pen"
    assert np.array_equal(drawing, task.content(recorder.state)[0])
    assert (tmp_path / "Digit-v0-1.svg").read_text() == task.svg(actions)


def test_an_agents_decisions_are_watched_stopped_and_saved(dummy, script, tmp_path):
    model = AdversarialDQN("auto", make_sb3_env("toy/Bits-v0", 4, discriminator="none"), seed=0)
    seen = script("x", "space", "right", "left", "a", "s", "r", "q")
    tmp_path /= "new"
    works = play("toys/Bits-v0", model, seed=0, folder=tmp_path, inspect=True, max_seconds=20)
    assert [work.shape for work in works] == [(4,)]
    heads = [head for head, _ in seen]
    assert heads[0] == "going"
    assert heads[2:4] == ["stopped", "stopped"]
    assert "stopped   ·   saved Bits-v0-1.gif" in heads
    assert {path.name for path in tmp_path.iterdir()} >= {"Bits-v0-1.gif", "Bits-v0-2.npz"}
    assert (seen[2][1] != seen[3][1]).any(), "a step further on"


class Clock:
    """Stands in for ``time``: looking at it takes a hundredth of a second, waiting as long as it says."""

    seconds = 0.0

    def monotonic(self):
        self.seconds += 0.01
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in ("session", "stage"):
        monkeypatch.setattr(f"musegym.play.{module}.time", clock)
    return clock


def test_a_key_that_is_held_saves_once_and_moves_on_and_on(dummy):
    import pygame

    stage = Stage("held")
    try:
        for name, times in (("s", 1), ("n", 1), ("up", 3), ("backspace", 3)):
            key = pygame.key.key_code(name)
            for _ in range(3):  # as SDL repeats a key: it goes down, and down again, and up in the end
                pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            assert stage.keys() == times * [name]
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            assert stage.keys() == (times > 1) * [name]
            pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key))
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            assert stage.keys() == [name]
    finally:
        stage.close()


def panel_of(chips, chosen=0, lines=("", "")):
    import pygame

    pygame.font.init()
    return pygame.surfarray.array3d(Panel(lines, chips, (), chosen).draw(640)[0])  # [W, H, 3]


def test_sharps_and_flats_are_signs_that_the_font_has():
    assert np.array_equal(panel_of(["C♯4", "E♭4"], lines=("B♭", "F♯")), panel_of(["C#4", "Eb4"], lines=("Bb", "F#")))
    assert not np.array_equal(panel_of(["C♯4"]), panel_of(["C4"]))


@pytest.mark.parametrize("word", ["a", "draw to row 4, column 5", "m" * 60])
def test_nine_chips_fit_however_long_they_are(word):
    picture = panel_of([word] * CHIPS, chosen=CHIPS - 1)
    marked = np.flatnonzero((picture == MARKED).all(-1).any(1))
    assert len(marked) > 8
    assert marked.max() < len(picture) - 20
    assert (picture[-20:, :80] == GROUND).all()


@pytest.mark.parametrize("word", ["saved ", "x", "one-long-word-after-another ", "W" * 80 + " "])
@pytest.mark.parametrize("place", [0, 1])
def test_a_line_that_is_too_long_is_wrapped_and_then_clipped(word, place):
    def drawn(text):
        lines = ["", ""]
        lines[place] = text
        return (panel_of([], lines=lines) != GROUND).any(-1)

    for length in (40, 70, 120, 400, 3000):
        ink = drawn((word * length)[:length].strip())
        assert not ink[-20:].any()
        assert not ink[:, -2:].any(), "cut off by the lower edge"
        assert ink.any()
        top = np.flatnonzero(ink.any(0)).min()
        assert np.flatnonzero(ink.any(0)).max() - top <= 44, "the other line's place"
    assert (drawn("m" * 2000) == drawn("m" * 3000)).all()


def test_wrapped_lines_keep_every_word():
    words = " ".join(f"word{number}" for number in range(20))
    import pygame

    pygame.font.init()
    font, lines = _fitted(words, 40, 1232)
    assert len(lines) == 2
    assert " ".join(lines) == words
    assert max(font.size(line)[0] for line in lines) <= 1232
    assert _fitted("short", 40, 1232)[1] == ["short"]
    _, (_, second) = _fitted(20 * words, 40, 1232)
    assert second.endswith("...")


class Sure:
    def logits(self, contents, conditions):
        return np.full(len(contents), 3.0)


def test_what_ships_as_discriminator_scores_finished_works(dummy, script, monkeypatch):
    import musegym.discriminators

    class Half:
        def logits(self, contents, conditions):
            assert len(contents) == len(conditions) == 1
            return np.array([-1.25])

    seen = script(*["space"] * 4, "q")
    play("toys/Bits-v0", seed=0, task=BitsTask(), max_seconds=20)
    assert seen[-1][0] == "finished", "none ships"
    monkeypatch.setattr(musegym.discriminators, "pretrained", lambda task: Half())
    seen = script(*["space"] * 4, "q")
    play("toys/Bits-v0", seed=0, task=BitsTask(), max_seconds=20)
    assert seen[-1][0] == "finished   ·   looks real: 22% (logit -1.2)"
    seen = script(*["space"] * 4, "q")
    monkeypatch.setattr(Half, "logits", lambda *_: pytest.fail("another was handed over"))
    play("toys/Bits-v0", seed=0, task=BitsTask(), max_seconds=20, discriminator=Sure())
    assert seen[-1][0] == "finished   ·   looks real: 95% (logit +3.0)"


def test_watching_goes_on_by_itself_at_its_speed(dummy, script, monkeypatch, clock):
    seeds = agent(monkeypatch, trace(BitsTask(), np.array([[1, 0, 1, 1]], np.int8)))
    works = play("toys/Bits-v0", object(), seed=0, speed=100, task=BitsTask(), max_seconds=10)
    assert 10 <= clock.seconds < 11
    assert len(works) >= 2
    assert len(set(seeds)) == len(seeds) >= len(works)


def test_max_seconds_closes_the_window(dummy, clock):
    assert play("musegym/Melody-v0", seed=0, task=Songs(), max_seconds=0.3) == []
    assert 0.3 <= clock.seconds < 1


def test_no_sound_device_is_a_line_of_log(dummy, script, monkeypatch, caplog):
    monkeypatch.setenv("SDL_AUDIODRIVER", "nonsense")
    script("space", "space", "up", "q")
    with caplog.at_level(logging.WARNING, "musegym"):
        play("musegym/Melody-v0", seed=0, task=Songs(), max_seconds=20)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["no sound"]


@pytest.mark.usefixtures("no_display")
def test_no_display_is_one_clear_line():
    with pytest.raises(RunError, match=r"no display .* play needs a desktop") as caught:
        play("musegym/Melody-v0", task=Songs())
    assert "\n" not in str(caught.value)


def test_speed_must_be_positive():
    with pytest.raises(ValueError, match="speed must be positive, not 0"):
        play("musegym/Melody-v0", speed=0, task=Songs())


# --- in a real window --------------------------------------------------------------------------------------------

SESSION = """
import pathlib, sys
from musegym.play.stage import Stage
sys.path.insert(0, sys.argv[1])
from test_play import Songs
from musegym.play import play
show = Stage.show
def show_and_tell(stage, *arguments):
    show(stage, *arguments)
    Stage.show = show
    print("shown", flush=True)
Stage.show = show_and_tell
works = play("musegym/Melody-v0", seed=0, folder=pathlib.Path(sys.argv[2]), task=Songs(), max_seconds=40)
import pygame
print(len(works), *(Songs().content_space.contains(work) for work in works))
"""


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs a virtual screen: apt-get install xvfb xdotool",
)
def test_a_real_window_takes_real_keys(tmp_path):
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    try:
        os.close(write)
        display = ":" + os.read(read, 16).decode().strip()
        env = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11", "SDL_AUDIODRIVER": "dummy"}
        arguments = [sys.executable, "-c", SESSION, str(Path(__file__).parent), str(tmp_path)]
        game = subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, text=True)
        pressed = [*["space"] * 72, "s", "q"]
        assert game.stdout.readline() == "shown\n"
        subprocess.run(["xdotool", "key", "--delay", "10", *pressed], env=env, check=True, timeout=30)
        output, _ = game.communicate(timeout=30)
    finally:
        game.kill()
        game.communicate()
        server.terminate()
        server.wait()
        os.close(read)
    assert output.splitlines()[-1] == "1 True"
    assert {path.suffix for path in tmp_path.iterdir()} == {".abc", ".mid", ".npz", ".png", ".wav"}
