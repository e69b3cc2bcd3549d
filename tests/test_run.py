"""The queue: it skips, resumes, shares, survives; and what a result file holds."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from rich.console import Console

from musegym.benchmarks import RESULTS, features, judges, own, run, work
from musegym.benchmarks.baselines import RandomPolicy
from musegym.benchmarks.provenance import provenance
from musegym.benchmarks.report import figures_of, folder_of, markdown
from musegym.benchmarks.report import main as report
from musegym.benchmarks.stats import unpacked
from musegym.benchmarks.suite import evaluate, matched_rows
from musegym.benchmarks.tables import TABLES, Row, Table
from musegym.envs.registry import make_task

TABLE = Table(
    name="toy",
    env_id="none",
    rows=(
        Row(name="a", says="", seeds=(0, 1), taught=False),
        Row(name="b", says="", seeds=(0,), taught=False),
    ),
)
WORKER = """
import fcntl, json, pathlib, sys, time
_, table, row, seed, folder, seconds = sys.argv
name = f"{row}-s{seed}"
lock = open(pathlib.Path(folder, "runs", table, name + ".lock"), "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(75)
progress = pathlib.Path(folder, "runs", table, name + ".progress")
done = int(progress.read_text()) if progress.exists() else 0
print("from", done, flush=True)
for step in range(done, 10):
    time.sleep(float(seconds) / 10)
    progress.write_text(str(step + 1))
if row == "b":
    sys.exit("b never works")
result = pathlib.Path(folder, "results", table, name + ".json")
result.parent.mkdir(parents=True, exist_ok=True)
partial = result.with_suffix(".partial")
partial.write_text(json.dumps({"evaluation": {"c2st": 0.6}, "seconds": 1.0, "from": done}))
partial.replace(result)
"""


def jobs(folder: Path, *only: str) -> list[run.Job]:
    return run.jobs_of(TABLE, only, folder / "results", folder / "runs")


def queue(folder: Path, *only: str, seconds: float = 0.0) -> run.Queue:
    script = folder / "worker.py"
    script.write_text(WORKER)
    console = Console(file=io.StringIO(), width=200)
    return run.Queue(TABLE, jobs(folder, *only), [str(folder), str(seconds)], console, (sys.executable, str(script)))


def states(of: run.Queue) -> dict[str, str]:
    return {job.name: job.state for job in of.jobs}


def test_first_seeds_of_all_rows_come_first(tmp_path: Path) -> None:
    assert [job.name for job in jobs(tmp_path)] == ["a-s0", "b-s0", "a-s1"]
    assert [job.name for job in jobs(tmp_path, "b")] == ["b-s0"]
    assert [job.name for job in run.jobs_of(TABLE, ("a",), tmp_path, tmp_path, seeds=1)] == ["a-s0"]
    with pytest.raises(ValueError, match="no row 'c'; it has: a, b"):
        jobs(tmp_path, "c")


def test_queue_runs_skips_and_names_what_failed(tmp_path: Path) -> None:
    first = queue(tmp_path)
    assert first.work(2) == 1
    assert states(first) == {"a-s0": "done", "b-s0": "failed", "a-s1": "done"}
    failed = next(job for job in first.jobs if job.state == "failed")
    assert failed.note.startswith("b never works")
    written = {job.result: job.result.stat().st_mtime_ns for job in first.jobs if job.state == "done"}
    second = queue(tmp_path)
    assert second.work(1) == 1
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in written.items())
    assert (tmp_path / "runs" / "toy" / "b-s0.log").read_text().count("b never works") == 2


def test_queue_leaves_to_others_what_they_hold(tmp_path: Path) -> None:
    mine = queue(tmp_path, "a")
    with run.locked(mine.jobs[0].run) as first, run.locked(mine.jobs[0].run) as again:
        assert first
        assert not again
        assert mine.work(2) == 0
    assert states(mine) == {"a-s0": "elsewhere", "a-s1": "done"}
    with run.locked(mine.jobs[0].run) as free:
        assert free


def test_runs_whose_names_differ_after_a_dot_have_files_of_their_own(tmp_path: Path) -> None:
    with run.locked(tmp_path / "decay0.01-s0") as one, run.locked(tmp_path / "decay0.1-s0") as other:
        assert one
        assert other
    assert run.beside(tmp_path / "decay0.1-s0", ".log") == tmp_path / "decay0.1-s0.log"


def test_queue_that_is_stopped_stops_its_workers_and_goes_on_later(tmp_path: Path) -> None:
    mine = queue(tmp_path, "a", seconds=30)

    def terminate_this_process_once_a_worker_runs() -> None:
        while mine.jobs[0].state != "running":
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate_this_process_once_a_worker_runs, daemon=True).start()
    assert mine.work(1) == -signal.SIGTERM
    assert states(mine) == {"a-s0": "stopped", "a-s1": "waiting"}
    assert not any(job.result.exists() for job in mine.jobs)
    later = queue(tmp_path, "a")
    assert later.work(2) == 0
    assert states(later) == {"a-s0": "done", "a-s1": "done"}


def test_worker_killed_without_warning_goes_on_where_it_was(tmp_path: Path) -> None:
    mine = queue(tmp_path, "b", "a", seconds=5)
    mine._advance(1)
    job = mine.jobs[0]
    progress = tmp_path / "runs" / "toy" / "a-s0.progress"
    deadline = time.monotonic() + 120
    while not progress.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert job.process is not None
    job.process.kill()
    job.process.wait()
    mine._advance(0)
    assert job.state == "failed"
    later = queue(tmp_path, "a")
    later.work(2)
    assert json.loads(job.result.read_text())["from"] >= 1


WORKER_WHOSE_TRAINING_SLEEPS = """
import sys
from musegym.benchmarks import work
sys.executable = sys.argv.pop(1)
sys.exit(work.main())
"""


def test_training_that_outlives_its_worker_keeps_the_run(tmp_path: Path) -> None:
    sleeper, note = tmp_path / "sleeper", tmp_path / "pid"
    sleeper.write_text(f"#!/bin/sh\necho $$ > '{note}'\nexec sleep 60\n")
    sleeper.chmod(0o755)
    arguments = ["melody", "ours", "0", "--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    worker = subprocess.Popen([sys.executable, "-c", WORKER_WHOSE_TRAINING_SLEEPS, str(sleeper), *arguments])
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    orphan = int(note.read_text())
    folder = tmp_path / "runs" / "melody" / "ours-s0"
    try:
        with run.locked(folder) as lock:
            assert lock is None
        assert work.main(arguments) == run.ELSEWHERE
    finally:
        os.kill(orphan, signal.SIGKILL)
    free = False
    while not free and time.monotonic() < deadline:
        time.sleep(0.05)
        with run.locked(folder) as lock:
            free = lock is not None
    assert free


def test_damaged_result_is_a_clear_error(tmp_path: Path) -> None:
    path = jobs(tmp_path)[0].result
    path.parent.mkdir(parents=True)
    path.write_text('{"evaluation"')
    with pytest.raises(ValueError, match="delete it and run again"):
        queue(tmp_path)


@pytest.mark.parametrize("arguments", [["melody", "--jobs", "0"], ["melody", "--only", "none-such"]])
def test_bad_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(arguments) == 2
    assert capsys.readouterr().err.startswith("musegym bench: ")


def test_list_shows_every_run_and_starts_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["melody", "--list", "--results", str(tmp_path), "--runs", str(tmp_path / "runs")]) == 0
    assert "ours-s0" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_train_command_says_everything() -> None:
    row = Row(name="x", says="", params={"schedule": [1.0, 0.0], "alpha": 0.5}, env={"style": "6/8 minor"}, num_envs=8)
    command = work.train_command(TABLE, row, 3, 600.0, Path("runs/x"))
    assert " ".join(command) == (
        "musegym train none --seconds 600 --seed 3 --out runs/x --num-envs 8 "
        "--param schedule=[1.0, 0.0] --param alpha=0.5 --set style=6/8 minor"
    )


def test_history_survives_a_torn_line_and_is_thinned(tmp_path: Path) -> None:
    lines = [{"seconds": i} for i in range(1000)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"seco')
    found = work.history(tmp_path)
    assert found == lines
    thin = work.thinned(found, 50)
    assert len(thin) == 50
    assert (thin[0], thin[-1]) == (lines[0], lines[-1])
    assert work.history(tmp_path / "none") == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Judges and features in no time."""
    monkeypatch.setattr(judges, "EPOCHS", 1)
    monkeypatch.setattr(judges, "TAUGHT_EPOCHS", 1)
    net = features.FeatureNet
    monkeypatch.setattr(features, "FeatureNet", lambda train, kind, folder: net(train, kind, folder=folder, updates=5))
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    toys.register()


def test_random_row_ends_in_a_result_file(quick: None, tmp_path: Path) -> None:
    table = Table(name="toy", env_id="toy/Word-v0", rows=(Row(name="random", says="", method="random", seconds=0.0),))
    folder = tmp_path / "runs" / "toy" / "random-s0"
    folder.parent.mkdir(parents=True)
    result = tmp_path / "results" / "toy" / "random-s0.json"
    work.work(table, table.rows[0], 0, result, folder, 0.0)
    found = json.loads(result.read_text())
    assert run.finished(result, taught=True)
    wanted = {"command", "commit", "dirty", "seconds", "cpu_seconds", "cores", "cpu", "seed", "history", "partial"}
    assert wanted <= found.keys()
    assert found["partial"] is False
    figures = found["evaluation"]
    task = make_task(table.env_id)
    assert figures["validity"] == figures["validity_real"] == 1.0
    assert figures["judged"] == len(task.corpus("test")) == len(unpacked(found["judged"]["real"], figures["judged"]))
    assert "random" in markdown([found])
    # What was measured stays, and what is missing is added.
    del found["taught"]
    result.write_text(json.dumps(found))
    assert run.finished(result)
    assert not run.finished(result, taught=True)
    work.work(table, table.rows[0], 0, result, folder, 0.0)
    again = json.loads(result.read_text())
    assert again["time"] == found["time"]
    assert len(unpacked(again["taught"]["fake"], figures["judged"])) == again["taught"]["works_a_side"]
    assert f"{again['taught']['accuracy']:.3f}" in markdown([again])


def test_own_measures_stand_beside_the_evaluation(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def measure(sampler: Any, split: Any, seed: int) -> dict[str, Any]:
        asked.append((dict(sampler.task.kwargs()), split, seed))
        return {"sure": 0.25, "frechet": 7.0, "lost": np.inf, "classes": [0.5, 0.5], "real": {"sure": 0.75}}

    monkeypatch.setitem(own.MEASURES, "toy/Word-v0", measure)
    row = Row(
        name="random", says="", method="random", seconds=0.0, env_id="toy/Word-v0", env={"double": True},
        split="validation", judge_seeds=0, taught=False,
    )  # fmt: skip
    table = Table(name="toy", env_id="musegym/Melody-v0", rows=(row,))
    result, folder = tmp_path / "results" / "random-s3.json", tmp_path / "runs" / "random-s3"
    folder.parent.mkdir()
    work.work(table, row, 3, result, folder, 0.0)
    found = json.loads(result.read_text())
    assert asked == [({"double": True}, "validation", 3)]
    assert (found["env_id"], found["env"]) == ("toy/Word-v0", {"double": True})
    assert found["own"]["sure"] == 0.25
    assert found["own"]["lost"] is None
    assert found["own"]["notes"] == ["lost: not a finite number (inf)"]
    assert found["judged"] is None
    assert found["evaluation"]["c2st"] is None
    assert found["evaluation"]["frechet_floor"] > 0
    figures = figures_of(found)
    assert figures["frechet"] == 7
    assert figures["evaluation.frechet"] == found["evaluation"]["frechet"]
    assert "classes" not in figures
    # A result without them is kept, and they are added.
    assert run.finished(result, own=True)
    first = found.pop("own")
    result.write_text(json.dumps(found))
    assert run.finished(result)
    assert not run.finished(result, own=True)
    assert all(job.own for job in run.jobs_of(table, (), tmp_path, tmp_path))
    work.work(table, row, 3, result, folder, 0.0)
    again = json.loads(result.read_text())
    assert again["own"] == first
    assert again["time"] == found["time"]
    work.work(table, row, 3, result, folder, 0.0)
    assert len(asked) == 2
    # A table may do without.
    del again["own"]
    result.write_text(json.dumps(again))
    work.work(Table(name="toy", rows=(row,), own=False), row, 3, result, folder, 0.0)
    assert len(asked) == 2


def test_rows_of_sb3_are_trained_in_their_own_environment(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row(
        name="ppo", says="", method="sb3", algorithm="PPO", env_id="toy/Word-v0", env={"double": True}, num_envs=4,
        params={"n_steps": 4, "batch_size": 16, "policy_kwargs": {"net_arch": [8]}},
    )  # fmt: skip
    table = Table(name="toy", env_id="musegym/Melody-v0", rows=(row,))
    sampler, _ = work.trained(table, row, 0, tmp_path / "ppo-s0", 0.1)
    assert sampler.task.kwargs() == {"double": True}
    assert (tmp_path / "ppo-s0" / "policy.pt").exists()


def test_evaluation_has_the_promised_keys_and_honest_gaps(quick: None) -> None:
    task = make_task("toy/Word-v0")

    class Odd(RandomPolicy):
        def log_prob(self, contents: Any) -> Any:
            return np.full(len(contents), -np.inf)

    found = evaluate(Odd(task), num=30, judge=False)
    keys = "frechet frechet_floor precision recall density coverage unique novel longest_copy validity metrics"
    assert set(keys.split()) <= found.keys()
    assert {"unique_real", "novel_real", "longest_copy_real", "validity_real", "metrics_real"} <= found.keys()
    name = "nll_test" if task.one_to_one else "nll_test_bound"
    assert found["c2st"] is None
    assert found[name] is None
    assert any(note.startswith(name) for note in found["notes"])
    json.dumps(found, allow_nan=False)


def test_generated_works_follow_the_conditions_of_the_test_works(quick: None) -> None:
    task = make_task("toy/Word-v0")
    asked: list[Any] = []

    class Spy(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            asked.append(condition)
            return super().sample(condition, num, seed)

    real = task.corpus("test")
    evaluate(Spy(task), num=len(real) + 3, judge=False)
    wanted = task.condition(real)
    assert np.array_equal(asked[0], np.concatenate([wanted, wanted[:3]]))

    class Stubborn(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            return super().sample(None if condition is None else condition[::-1], num, seed)

    with pytest.raises(ValueError, match="conditions that were asked for"):
        evaluate(Stubborn(task), num=5, judge=False)


def test_random_policy_sums_to_one_over_all_contents(quick: None) -> None:
    task = make_task("toy/Word-v0")
    policy = RandomPolicy(task)
    short = np.zeros((4000, 1), np.int64)
    contents = policy.sample(short, 4000, 0)
    distinct = np.unique(contents, axis=0)
    p = np.exp(policy.log_prob(distinct))
    assert p.sum() == pytest.approx(1.0, abs=0.02)
    frequent = distinct[p.argmax()]
    share = (contents == frequent).all(1).mean()
    assert share == pytest.approx(p.max(), abs=4 * np.sqrt(p.max() / 4000))


def test_matched_rows_share_conditions(quick: None) -> None:
    task = make_task("toy/Word-v0")

    class Split(type(task)):  # type: ignore[misc]
        def corpus(self, split: Any) -> Any:
            works = super().corpus("train")
            return works if split == "train" else works[::3]

        def groups(self, split: Any) -> Any:
            return np.arange(len(self.corpus(split))) // 2

    split = Split()
    rows = matched_rows(split, "test")
    same = (split.condition(split.corpus("train")[rows]) == split.condition(split.corpus("test"))).all(1)
    assert same.mean() > 0.8
    assert len(set(rows)) == len(rows)
    pairs = set(zip(split.groups("train")[rows], split.groups("test"), strict=True))
    assert len(pairs) == len({group for group, _ in pairs}), "a training group stands for one group of the split"
    assert not np.array_equal(rows, matched_rows(split, "test", seed=1))


def test_report_prints_or_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "table": "toy", "env_id": "toy/<Word>-v0", "row": "ours", "seconds": 600.0, "partial": False,
        "evaluation": {"c2st": 0.58, "frechet_floor": 1.5},
    }  # fmt: skip
    (tmp_path / "ours-s0.json").write_text(json.dumps(found))
    assert report([str(tmp_path)]) == 0
    assert "| ours | 1 | 600 | 0.580 |" in capsys.readouterr().out
    file = tmp_path / "page.html"
    assert report([str(tmp_path), "--html", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    text = file.read_text()
    assert "<tr><td>ours</td><td>1</td><td>600</td><td>0.580</td></tr>" in text
    assert "<tr><td>real works</td><td></td><td></td><td>0.500</td></tr>" in text
    assert "&lt;Word&gt;" in text
    (tmp_path / "empty").mkdir()
    for wrong in (
        ["no-such"],
        [str(tmp_path / "empty")],
        [str(tmp_path), "--against", "theirs"],
        [str(tmp_path), "--columns", "c2st,beauty"],
    ):
        assert report(wrong) == 2
    assert report([str(tmp_path), "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 5


def test_report_shows_own_measures_and_the_works_they_are_read_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(row: str, seed: int, density: str, nll: float, floor: float) -> None:
        found = {
            "table": "toy", "env_id": "musegym/Density-v0", "env": {"density": density}, "row": row, "seed": seed,
            "seconds": 600.0, "partial": False, "evaluation": {"split": "test", "density": 0.5, "nll_test": 20.0},
            "own": {
                "nll": nll, "mmd": 0.00012, "nll_test": 0.6, "metrics": {"spread": 2.0},
                "real": {"nll": floor, "mmd": 0.0},
            },
        }  # fmt: skip
        (tmp_path / f"{row}-s{seed}.json").write_text(json.dumps(found))

    result("moons", 0, "moons", 20.25, 19.7)
    result("moons", 1, "moons", 20.75, 19.7)
    result("circles", 0, "circles", 21.0, 20.5)
    assert report([str(tmp_path), "--columns", "nll", "mmd,spread"]) == 0
    head, _, circles, moons, *real = capsys.readouterr().out.splitlines()
    assert head == "| method | seeds | seconds | nll | mmd | spread |"
    assert circles == "| circles | 1 | 600 | 21.000 | 0.00012 | 2.000 |"
    assert moons == "| moons | 2 | 600 | 20.500 [20.250, 20.750] | 0.00012 | 2.000 |"
    assert real == [
        "| real works: musegym/Density-v0 density=circles test |  |  | 20.500 | 0.00000 |  |",
        "| real works: musegym/Density-v0 density=moons test |  |  | 19.700 | 0.00000 |  |",
    ]
    # Where all are read beside the same figures, one line says so.
    assert report([str(tmp_path), "--columns", "mmd"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| real works |  |  | 0.00000 |"
    # The environment's own figure goes by the name that both have, in its own units.
    assert report([str(tmp_path), "--columns", "nll_test,evaluation.nll_test"]) == 0
    assert capsys.readouterr().out.splitlines()[3] == "| moons | 2 | 600 | 0.600 | 20.000 |"


def test_rows_of_other_works_are_not_compared() -> None:
    def row(name: str, env: dict[str, Any]) -> dict[str, Any]:
        judged = {"real": "ff" * 2, "fake": "f0" * 2}
        return {
            "row": name, "seed": 0, "seconds": 1.0, "partial": False, "env_id": "toy/Word-v0", "env": env,
            "evaluation": {"split": "test", "c2st": 0.5, "judged": 12}, "judged": judged,
        }  # fmt: skip

    toys.register()
    found = [row("a", {}), row("b", {}), row("c", {"double": True})]
    found[1]["judged"] = {"real": "0000", "fake": "f0f0"}
    _, _, *lines = (line.split("|") for line in markdown(found, against="b").splitlines())
    assert lines[0][-2].strip() == "0.500 [0.500, 0.500]"
    assert lines[1][-2].strip() == lines[2][-2].strip() == ""


def test_report_knows_tables_before_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "melody").mkdir()
    (tmp_path / "mine").mkdir()
    assert folder_of("melody") == RESULTS / "melody"
    assert folder_of("mine") == Path("mine")
    assert report(["no-such"]) == 2
    assert capsys.readouterr().err == (
        f"musegym report: no-such is neither a table ({', '.join(TABLES)}) nor a folder of result files\n"
    )


def test_report_needs_no_queue() -> None:
    """Windows has no fcntl, which the queue's locks need."""
    code = "import sys, musegym.benchmarks.report; sys.exit('musegym.benchmarks.run' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paired_differences_stand_in_the_table() -> None:
    def row(name: str, c2st: float, seed: int) -> dict[str, Any]:
        return {
            "row": name, "seed": seed, "seconds": 600.0, "partial": seed == 1, "seconds_asked": 600.0,
            "evaluation": {"c2st": c2st, "frechet": 2.0, "nll_test": 50.0, "longest_copy": None},
        }  # fmt: skip

    text = markdown([row("ours", 0.58, 0), row("ours", 0.60, 1), row("mle", 0.61, 0)])
    ours, mle = text.splitlines()[2:4]
    assert "0.590" in ours
    assert "partial" in ours
    assert "0.610" in mle
    assert "partial" not in mle


@pytest.mark.slow
def test_training_that_was_killed_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(name="toy", env_id="toy_ids:toy/Word-v0", rows=())
    folder = tmp_path / "run"
    command = work.train_command(table, Row(name="x", says="", num_envs=8), 0, 12.0, folder)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    full = [sys.executable, "-m", "musegym", *command[1:], "--checkpoint-every", "1"]
    process = subprocess.Popen(full, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (folder / "checkpoint" / "run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    spent = json.loads((folder / "checkpoint" / "run.json").read_text())["seconds"]
    assert 0 < spent < 12
    # A run whose folder is not empty cannot begin anew: if this succeeds, it went on.
    work.train(command, folder, 12.0)
    assert (folder / "model.zip").exists()
    assert work.seconds_trained(folder, work.history(folder)) >= 12


@pytest.mark.slow
def test_trained_row_ends_in_a_result_file(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    row = Row(name="mle", says="", params={"schedule": [1.0, 0.0]}, num_envs=8, seconds=4.0, sweep=(0.5, 1.0))
    table = Table(name="toy", env_id="toy_ids:toy/Word-v0", rows=(row,))
    folder, result = tmp_path / "runs" / "toy" / "mle-s0", tmp_path / "results" / "toy" / "mle-s0.json"
    folder.parent.mkdir(parents=True)
    work.work(table, row, 0, result, folder, 4.0)
    found = json.loads(result.read_text())
    assert found["command"][:5] == ["musegym", "train", "toy_ids:toy/Word-v0", "--seconds", "4"]
    assert found["partial"] is False
    assert found["attempts"] == 1
    assert 1 < found["cpu_seconds"] < 60
    assert found["temperature"] in row.sweep
    assert [tried["temperature"] for tried in found["sweep_on_validation"]] == [0.5, 1.0]
    figures = found["evaluation"]
    assert 0 < figures["nll_test"] < 50
    assert len(unpacked(found["judged"]["fake"], figures["judged"])) == figures["judged"]
    text = markdown([found, {**found, "row": "other"}], against="other")
    assert text.count("0.000 [0.000, 0.000]") == 2
    assert {"c2st minus other", "c2st_taught minus other"} <= {cell.strip() for cell in text.splitlines()[0].split("|")}


def test_a_partial_result_is_finished_only_where_no_more_was_asked(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"evaluation": {}, "partial": True, "seconds": 60.0, "cpu_seconds": 58.0}))
    assert run.finished(path)
    assert run.finished(path, 61.0)
    assert not run.finished(path, 600.0)
    path.write_text(json.dumps({"evaluation": {}, "partial": True, "seconds": 600.0, "cpu_seconds": 400.0}))
    assert not run.finished(path, 600.0)  # it had two thirds of a core


def test_processors_of_one_name_are_told_apart() -> None:
    info = Path("/proc/cpuinfo")
    named = info.exists() and "model name" in info.read_text()
    assert ("(family " in provenance()["cpu"]) == named
