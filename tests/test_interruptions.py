"""Interruptions of the program from outside: signals, full disks, missing homes, closed pipes, folders of runs."""

from __future__ import annotations

import errno
import functools
import io
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toys
from rich.console import Console

from musegym import cli
from musegym.cli import commands, signals
from musegym.discriminators import files
from musegym.envs.corpora import cache
from musegym.errors import UsageError
from musegym.training import folder, reporting
from musegym.training import run as training
from musegym.training.folder import Run
from musegym.training.loading import env_kwargs
from musegym.training.parameters import build

toys.register()
WORD = "toy_ids:toy/Word-v0"
SMALL = ("lead=1", "warm_start=5", 'policy_kwargs={"hidden": 8}', "discriminator.batch_size=8")
PARAMS = [word for given in SMALL for word in ("--param", given)]
posix = pytest.mark.skipif(sys.platform == "win32", reason="sends signals as POSIX has them")


def train(run: Path, *rest: object) -> list[object]:
    return ["train", WORD, "--steps", 60, "--num-envs", 4, "--set", "double=yes", *PARAMS, "--out", run, *rest]


def said(error: str) -> str:
    """The one line in which the program says what went wrong; what training reports comes before."""
    assert "Traceback" not in error
    (line,) = (line for line in error.splitlines() if line.startswith("musegym: "))
    assert error.splitlines()[-1] == line
    return line


# --- signals -----------------------------------------------------------------------------------------------------

KILLER = """
import importlib.abc, os, signal, sys

class Killer(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ["KILL_AT"]:
            os.kill(os.getpid(), int(os.environ["KILL_BY"]))

sys.meta_path.insert(0, Killer())
"""


@posix
@pytest.mark.parametrize(
    ("number", "module", "command"),
    [
        (signal.SIGINT, "gymnasium", ["list"]),
        (signal.SIGTERM, "gymnasium", ["list"]),
        (signal.SIGINT, "typer", ["--help"]),
        (signal.SIGTERM, "musegym.cli.commands", ["generate", "x"]),
        (signal.SIGINT, "torch", ["train", "musegym/Density-v0", "--out", "run"]),
        (signal.SIGTERM, "torch", ["train", "musegym/Density-v0", "--out", "run"]),
        (signal.SIGINT, "musegym.benchmarks.runner.queue", ["bench", "melody", "--list"]),
        (signal.SIGINT, "pygame", ["play", "musegym/Density-v0"]),
    ],
)
def test_a_signal_while_modules_load_is_one_line(tmp_path: Path, number: int, module: str, command: list[str]) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    (tmp_path / "work").mkdir()
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "KILL_AT": module, "KILL_BY": str(int(number))}
    done = subprocess.run(
        [sys.executable, "-m", "musegym", *command], env=env, cwd=tmp_path / "work", capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "musegym: interrupted\n")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process takes signals as the program does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(signals, "received", None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_corpus_is_read(
    program: None, call: Any, tmp_path: Path, monkeypatch: Any, number: int
) -> None:
    monkeypatch.setattr(toys.WordTask, "corpus", lambda self, split: os.kill(os.getpid(), number))
    assert call(*train(tmp_path / "run")) == (128 + number, "", "musegym: interrupted\n")
    assert not (tmp_path / "run").exists()


@posix
def test_what_a_library_makes_of_an_interruption(program: None, call: Any, monkeypatch: Any) -> None:
    def make_task(id: str) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError("numpy was interrupted") from None

    monkeypatch.setattr(commands, "make_task", make_task)
    assert call("list") == (143, "", "musegym: interrupted\n")


@posix
def test_a_second_signal_ends_the_process_at_once(program: None, monkeypatch: Any, capfd: Any) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert codes == [130]
    assert capfd.readouterr().err == "musegym: interrupted\n"


@posix
def test_an_end_is_not_interrupted(program: None) -> None:
    signals.finish()
    os.kill(os.getpid(), signal.SIGINT)
    assert signals.received is None


@posix
def test_signals_that_are_ignored_stay_so(monkeypatch: Any) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        signals.install()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


@pytest.mark.parametrize(
    ("argv", "original", "expected"),
    [
        (["-m"], ["python", "-m", "musegym", "list"], True),
        (["-m"], ["python", "-W", "error", "-m", "musegym"], True),
        (["-m"], ["python", "-mmusegym"], True),
        (["-m"], ["python", "-m", "pytest", "musegym"], False),
        (["-m", "list"], ["python", "-m", "musegym.benchmarks.suite"], False),
        (["/usr/bin/musegym", "list"], ["python", "/usr/bin/musegym", "list"], True),
        (["-c"], ["python", "-c", "import musegym"], False),
        (["train.py"], ["python", "train.py"], False),
        ([""], ["python"], False),
        ([], [], False),
    ],
)
def test_only_the_program_takes_signals(monkeypatch: Any, argv: list[str], original: list[str], expected: bool) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert signals.is_program() == expected


# --- disks -------------------------------------------------------------------------------------------------------


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def after(calls: int, function: Callable[..., Any], fails: Callable[..., Any] = full) -> Callable[..., Any]:
    """A function that has room for so many calls."""
    count = 0

    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        nonlocal count
        count += 1
        return (function if count <= calls else fails)(*arguments, **keywords)

    return wrapper


def half_a_zip(target: Any, members: dict[str, str | bytes], level: int = 6) -> None:
    target.write(b"PK")
    full()


WRITES = {
    # A file is written by two calls: the one that opens it calls itself.
    "the first checkpoint": (files, "write_members", 1),
    "the first model.zip": (files, "write_members", 3),
    "a later checkpoint": (files, "write_members", 5),
    "a later model.zip": (files, "write_members", 7),
    "metrics.jsonl": (Run, "report", 3),
    "samples": (training, "export_all", 0),
    "a checkpoint's run.json": (folder, "_digests", 1),
    "a checkpoint as it is made to last": (folder, "sync", 4),
}


@pytest.mark.parametrize("where", WRITES)
def test_a_full_disk_while_training_leaves_the_last_checkpoint(
    call: Any, tmp_path: Path, monkeypatch: Any, where: str
) -> None:
    owner, name, calls = WRITES[where]
    run = tmp_path / "a run"
    often = ("--checkpoint-every", 0, "--report-every", 0)
    with monkeypatch.context() as patch:
        fails = half_a_zip if name == "write_members" else full
        patch.setattr(owner, name, after(calls, getattr(owner, name), fails))
        code, out, err = call(*train(run, *often))
    assert (code, out) == (1, "")
    line = said(err)
    assert "No space left on device; make room" in line
    again = shlex.split(line.partition("go on with: ")[2])
    assert again == ["musegym", "train", WORD, "--out", str(run), "--resume"]
    left = {path.name for path in run.iterdir()}
    assert not {name for name in left if "tmp" in name or "partial" in name}, "a full disk needs the room"
    assert ("the last checkpoint is whole" in line) == ("checkpoint" in left)
    assert call(*again[1:])[:2] == (0, f"{run}/model.zip\n")


def test_a_full_disk_before_a_run_begins(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "fsync", full)
    code, out, err = call(*train(tmp_path / "run"))
    assert (code, out) == (2, "")
    assert "No space left on device; make room" in said(err)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock"}, "the folder is free for another try"


def test_a_full_disk_in_tensorboards_thread(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    monkeypatch.setattr(RecordWriter, "write", full)
    code, _, err = call(*train(tmp_path / "run", "--report-every", 0))
    assert code == 1
    assert "No space left on device" in said(err)


def test_a_full_disk_while_generating(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(commands, "export_all", full)
    assert call(*train(tmp_path / "run"))[0] == 0
    code, out, err = call("generate", tmp_path / "run", "--out", tmp_path / "new")
    assert (code, out) == (1, "")
    assert "No space left on device; make room" in said(err)


def test_figures_that_no_file_takes_go_to_stdout(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    assert call(*train(tmp_path / "run"))[0] == 0
    monkeypatch.setattr("musegym.benchmarks.suite.evaluate", lambda *_, **__: {"nll_test": 1.5, "notes": []})
    monkeypatch.setattr("musegym.cli.output.write_atomically", full)
    code, out, err = call("evaluate", tmp_path / "run", "--json", tmp_path / "x.json")
    assert code == 1
    assert json.loads(out[out.index("{") :])["nll_test"] == 1.5
    assert "on stdout" in said(err)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full, of Linux")
def test_a_full_disk_under_stdout(monkeypatch: Any, capsys: Any) -> None:
    for command in (["list", "musegym/Density-v0"], ["--version"], ["--help"]):
        with Path("/dev/full").open("w", encoding="utf-8") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            with pytest.raises(SystemExit) as exit_:
                cli.main(command)
        assert exit_.value.code == 1
        assert "No space left on device" in said(capsys.readouterr().err)


@pytest.mark.usefixtures("results_of_this_tree")
def test_a_reader_that_is_gone(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(commands.out, "quiet", False)  # Rich makes a console quiet whose reader is gone
    for command in (["list", "musegym/Density-v0"], ["--version"], ["report", "melody"]):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            with pytest.raises(SystemExit) as exit_:
                cli.main(command)
        assert exit_.value.code in (1, 141)
        assert capsys.readouterr().err == ""


def test_no_stdout_at_all(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["list", "musegym/Density-v0"])
    assert exit_.value.code == 0
    sys.stdout.close()
    assert capsys.readouterr().err == ""


def test_names_that_a_terminal_cannot_show(monkeypatch: Any) -> None:
    with io.TextIOWrapper(io.BytesIO(), "ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as exit_:
            cli.main(["list", "musegym/Density-v0"])
        assert exit_.value.code == 0
        assert b"density" in stream.buffer.getvalue()  # type: ignore[attr-defined]


# --- homes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom no HOME and no passwd entry gives a home."""

    def nobody(*_: object) -> None:
        raise RuntimeError("Could not determine home directory.")

    for name in ("HOME", "XDG_CACHE_HOME", "MUSEGYM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(Path, "expanduser", nobody)


@pytest.mark.parametrize("named", [None, "~nobody/cache"])
def test_a_user_without_a_home_has_no_cache(homeless: None, monkeypatch: Any, caplog: Any, named: str | None) -> None:
    if named:
        monkeypatch.setenv("MUSEGYM_CACHE", named)
    path = cache.cache_folder() / "x.npz"
    cache.save_arrays(path, {})
    assert "cannot cache x.npz" in caplog.text
    assert "set MUSEGYM_CACHE" in caplog.text
    with pytest.raises(FileNotFoundError):
        cache.load_arrays(path, {})


@pytest.mark.parametrize("error", [PermissionError(13, "no"), NotADirectoryError(20, "no"), FileNotFoundError(2, "no")])
def test_a_cache_that_cannot_be_looked_into_is_an_empty_one(tmp_path: Path, monkeypatch: Any, error: OSError) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileNotFoundError):
        cache.load_arrays(tmp_path / "x.npz", {})


def test_a_corpus_in_nobodys_home(call: Any, homeless: None) -> None:
    code, out, err = call("corpus", "musegym/RLTuner-v0", "--set", "corpus=~nobodyknows/tunes")
    assert code in (1, 2)
    assert out == ""
    assert "nobodyknows" in said(err)


# --- runs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    with pytest.raises(SystemExit) as exit_:
        cli.main([str(word) for word in train(run)])
    assert exit_.value.code == 0
    return run


def test_relative_corpora_are_found_from_any_folder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("tunes", "./tunes", "other/../tunes", str(tmp_path / "tunes")):
        assert env_kwargs("musegym/RLTuner-v0", [f"corpus={given}"]) == {"corpus": str(tmp_path / "tunes")}


@posix
def test_the_command_that_goes_on_survives_a_shell(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    run = tmp_path / "it's $HOME; rm *"
    monkeypatch.setattr(training, "build", lambda settings: os.kill(os.getpid(), signal.SIGINT) or build(settings))
    code, _, err = call(*train(run))
    assert code == 130
    echoed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {said(err).partition('go on with: ')[2]}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert echoed.splitlines() == ["musegym", "train", WORD, "--out", str(run), "--resume"]


@pytest.mark.parametrize("given", [("--seed", 0), ("--num-envs", 4), ("--set", "double=True"), ("--param", "lead=1")])
def test_options_that_a_run_has_already_are_no_mistake(call: Any, finished: Path, given: tuple[object, ...]) -> None:
    assert call("train", WORD, "--out", finished, "--resume", *given) == (0, f"{finished}/model.zip\n", "")


def test_a_checkpoint_of_a_run_that_differs_in_its_seed_alone(call: Any, finished: Path, tmp_path: Path) -> None:
    assert call(*train(tmp_path / "other", "--seed", 3))[0] == 0
    shutil.copytree(finished, tmp_path / "run")
    shutil.copytree(tmp_path / "other" / "checkpoint", tmp_path / "run" / "checkpoint", dirs_exist_ok=True)
    code, _, err = call("train", WORD, "--out", tmp_path / "run", "--resume", "--steps", 90)
    assert code == 2
    assert "trained with seed 3" in said(err)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps"] == 60, "refused before anything is made"


def test_another_agent_with_the_same_settings(call: Any, finished: Path, tmp_path: Path) -> None:
    """Only the digest tells: this agent is an earlier one of the same run."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    assert call("train", WORD, "--out", run, "--resume", "--steps", 90)[0] == 0
    shutil.copy(finished / "checkpoint" / "agent.zip", run / "checkpoint" / "agent.zip")
    code, _, err = call("train", WORD, "--out", run, "--resume", "--steps", 120)
    assert code == 2
    assert "not the file that was saved" in said(err)


def test_a_damaged_checkpoint_is_not_passed_over_for_an_older_one(call: Any, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.copytree(run / "checkpoint", run / "checkpoint.old")
    (run / "checkpoint" / "run.json").unlink()
    code, _, err = call("train", WORD, "--out", run, "--resume")
    assert code == 2
    assert "run.json is damaged (it is missing)" in said(err)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    call: Any, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        shutil.copy(finished / name, run / name)
    shutil.copytree(finished / "checkpoint", run / "checkpoint.tmp")
    assert call("train", WORD, "--out", run, "--resume")[0] == 0
    ours, theirs = ((folder / "metrics.jsonl").read_text().splitlines() for folder in (run, finished))
    assert [json.loads(line)["steps"] for line in ours] == [json.loads(line)["steps"] for line in theirs]


def test_a_lock_that_is_a_folder(call: Any, tmp_path: Path) -> None:
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    code, _, err = call(*train(tmp_path / "run"))
    assert code == 2
    assert "cannot write" in said(err)


@pytest.mark.parametrize("name", ["tensorboard", "samples"])
def test_a_file_where_a_run_keeps_a_folder(call: Any, finished: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / name)
    (run / name).write_text("")
    code, _, err = call("train", WORD, "--out", run, "--resume", "--steps", 90)
    assert code == 1
    assert "--resume" in said(err)


def test_a_folder_that_cannot_be_read(call: Any, finished: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(finished))

    monkeypatch.setattr(Path, "exists", refuse)
    code, out, err = call("play", finished)
    assert (code, out) == (1, "")
    assert "Permission denied; choose a place that you may use" in said(err)


def test_too_little_memory(call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def allocate(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(toys.WordTask, "corpus", allocate)
    code, out, err = call(*train(tmp_path / "run"))
    assert (code, out) == (1, "")
    assert "9 TiB" in said(err)


def test_settings_are_checked_where_they_are_made() -> None:
    good: dict[str, Any] = {
        "id": "x",
        "seconds": 1.0,
        "steps": None,
        "seed": 0,
        "num_envs": 1,
        "env_kwargs": {},
        "params": {},
    }
    assert folder.Settings(**good).fixed()["counts"] == "seconds"
    assert folder.Settings(**good, clock="processor").fixed()["counts"] == "processor seconds"
    for name, value in (
        ("seconds", float("nan")),
        ("clock", "sundial"),
        ("seed", True),
        ("params", {"a": float("inf")}),
        ("id", None),
    ):
        with pytest.raises(ValueError, match=name if name != "params" else "JSON compliant"):
            folder.Settings(**{**good, name: value})


# --- signs of life -----------------------------------------------------------------------------------------------


def test_an_evaluation_says_what_it_is_doing(monkeypatch: Any) -> None:
    clock = iter([0.0, 1.0, 2.0, 30.0])
    monkeypatch.setitem(folder.CLOCKS, "wall", lambda: next(clock))
    stream = io.StringIO()
    with reporting.EvaluationStatus(Console(file=stream, width=200)):
        for part in ("generating", "judge 1 [of 5]", "judge 2 [of 5]"):
            logging.getLogger("musegym.benchmarks.suite").info(part)
    logging.getLogger("musegym.benchmarks.suite").info("after it")
    assert stream.getvalue() == "1 s  generating\n30 s  judge 2 [of 5]\n"


def test_run_folders_are_refused_by_their_own_error() -> None:
    with pytest.raises(UsageError, match="not a run"):
        Run(Path("/no/such")).settings()
