"""The folder of a run."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toys
from PIL import Image

from musegym.envs import make_task
from musegym.errors import UsageError
from musegym.training.files import write_atomically
from musegym.training.folder import Run, Settings
from musegym.training.reporting import Stopwatch
from musegym.training.works import export_all

toys.register()
SETTINGS = Settings(
    id="toy/Word-v0", seconds=None, steps=100, seed=3, num_envs=4, env_kwargs={"double": True}, params={"n_steps": 1}
)


class KilledError(Exception):
    pass


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path / "run")
    run.create(SETTINGS)
    return run


def test_the_clock_of_the_processor_counts_work_and_no_waiting():
    wall, processor = Stopwatch(5.0), Stopwatch(5.0, "processor")
    time.sleep(0.05)
    assert wall.seconds() >= 5.05 > processor.seconds()
    while processor.seconds() < 5.01:
        pass
    assert wall.seconds() >= 5.06 - 1e-6


def saver(text: str):
    def save(folder: Path) -> None:
        (folder / "deep").mkdir()
        for name in ("a", "b", "deep/c"):
            (folder / name).write_text(text)

    return save


def read(folder: Path | None) -> str:
    assert folder is not None
    texts = {(folder / name).read_text() for name in ("a", "b", "deep/c")}
    assert len(texts) == 1, "a mixture of two checkpoints"
    return texts.pop()


def test_settings_come_back(run):
    assert Run(run.folder).settings() == SETTINGS
    with pytest.raises(UsageError, match="not empty"):
        run.create(SETTINGS)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock on Windows")
def test_the_lock_goes_with_its_process(run):
    code = (
        "import pathlib, sys\nfrom musegym.training.folder import Run\n"
        "with Run(pathlib.Path(sys.argv[1])).locked():\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, run.folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another process trains"), run.locked():
            pass
        holder.kill()
    with run.locked():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock on Windows")
def test_of_two_fresh_runs_in_one_folder_one_is_refused(tmp_path):
    first, second = (Run(tmp_path / "new") for _ in range(2))
    second.refuse_if_taken()  # both have looked before either made the folder
    with first.locked():
        with pytest.raises(UsageError, match="another process trains"), second.locked():
            pass
        first.create(SETTINGS)
    with second.locked(), pytest.raises(UsageError, match="not empty"):
        second.create(SETTINGS)


def test_settings_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UsageError, match=f"cannot write to {tmp_path}: "):
        Run(tmp_path).write_settings(SETTINGS)


def test_a_lock_alone_does_not_take_a_folder(tmp_path):
    run = Run(tmp_path / "new")
    with run.locked():
        run.create(SETTINGS)
    assert run.settings() == SETTINGS


def test_a_checkpoint_survives_a_kill_at_any_moment(run, monkeypatch):
    """Saving is stopped before each of its steps on files, in turn; then it goes on with the next save."""
    steps = {"count": 0, "until": -1}

    def step(function):
        def wrapper(*args, **kwargs):
            if steps["count"] == steps["until"]:
                raise KilledError
            steps["count"] += 1
            return function(*args, **kwargs)

        return wrapper

    run.save_checkpoint(saver("0"), 0.0)
    assert run.latest() == run.folder / "checkpoint"
    for owner, name in ((Path, "rename"), (Path, "mkdir"), (Path, "write_text"), (shutil, "rmtree"), (os, "fsync")):
        monkeypatch.setattr(owner, name, step(getattr(owner, name)))
    saved, kills, until = "0", 0, 0
    while True:
        steps["count"], steps["until"] = 0, until
        try:
            run.save_checkpoint(saver(str(until + 1)), 1.0)
        except KilledError:
            kills += 1
            left = read(run.latest())
            assert left in {saved, str(until + 1)}
            saved = left
        else:
            assert read(run.latest()) == str(until + 1)
            break
        until += 1
    assert kills > 12
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoint", "config.json"]


def test_between_the_two_renames_the_older_one_counts(run):
    run.save_checkpoint(saver("1"), 1.0)
    (run.folder / "checkpoint").rename(run.folder / "checkpoint.old")
    assert read(run.latest()) == "1"
    run.save_checkpoint(saver("2"), 2.0)
    assert read(run.latest()) == "2"


def test_rewind_drops_the_metrics_after_the_checkpoint(run):
    run.report(1.0, 10, {"loss": 0.5})
    run.save_checkpoint(saver("1"), 1.5)
    run.report(2.0, 20, {"loss": 0.4})
    assert run.rewind(run.latest(), SETTINGS) == 1.5
    (line,) = (json.loads(line) for line in run.metrics.read_text().splitlines())
    assert (line["seconds"], line["steps"], line["loss"]) == (1.0, 10, 0.5)


def test_metrics_are_json_whatever_the_numbers_are(run):
    run.report(1.0, 10, {"a": float("nan"), "b": float("inf"), "c": 1.0})
    line = json.loads(run.metrics.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert (line["a"], line["b"], line["c"]) == (None, None, 1.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": 1}', '{"seconds": null, "metrics_bytes": 0}'])
def test_a_damaged_checkpoint_is_a_clear_error(run, text):
    run.save_checkpoint(saver("1"), 1.0)
    (run.folder / "checkpoint" / "run.json").write_text(text)
    with pytest.raises(UsageError, match="damaged"):
        run.rewind(run.latest(), SETTINGS)


def test_without_checkpoint_there_is_none(run):
    assert run.latest() is None


def test_atomic_writes_leave_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomically(path, "old")

    def fsync(descriptor):
        raise KilledError

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KilledError):
        write_atomically(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]
    assert path.read_text() == "old"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes on Windows")
def test_links_pipes_and_devices_are_not_replaced(tmp_path):
    """A program of the administrator's that replaced /dev/stdout would break the machine."""
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    os.mkfifo(pipe)
    for text in ("one", "two"):
        write_atomically(link, text)
        assert (link.is_symlink(), target.read_text()) == (True, text)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        write_atomically(pipe, text)
        assert (pipe.is_fifo(), os.read(reader, 9)) == (True, text.encode())
        os.close(reader)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(folder, "text")


def test_export_all_passes_on_how_works_were_built(tmp_path):
    task, actions = make_task("musegym/Digit-v0", strokes=3), np.array([[0, 1, 2], [3, 81, 5]])
    starts = task.initial(np.zeros(2, np.uint64))
    for action in actions.T:
        starts, _ = task.step(starts, action)
    export_all(task, task.content(starts), tmp_path, "pen", None, list(actions))
    for i, row in enumerate(actions):
        assert (tmp_path / f"pen-{i:03d}.svg").read_text() == task.svg(row)


def test_points_are_exported_on_one_plane(tmp_path):
    task = make_task("musegym/Density-v0")
    points = task.corpus("test")[:20]
    export_all(task, points, tmp_path, "points")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "points.png")), task.medium.population(points))


def test_export_all(tmp_path):
    task = make_task("toy/Word-v0")
    works = task.works("train").take(slice(5))
    contents, actions = works.contents, [np.array([1, 2])] * 5
    paths = export_all(task, contents, tmp_path / "a" / "b", "word", works.conditions, actions)
    assert all(path.exists() for path in paths)
    assert len({path.name for path in paths}) == len(paths) == 12
    with np.load(tmp_path / "a" / "b" / "word-004.npz") as saved:
        assert np.array_equal(saved["content"], contents[4])
        assert np.array_equal(saved["condition"], works.conditions[4])
        assert np.array_equal(saved["actions"], [1, 2])
    text = (tmp_path / "a" / "b" / "word.txt").read_text()
    assert all(task.medium.describe(content) in text for content in contents)
    assert np.asarray(Image.open(tmp_path / "a" / "b" / "word.png")).std() > 0
