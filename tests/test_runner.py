"""The queue: it skips, resumes, shares, survives; and the content of a result file."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from rich.console import Console

from musegym.benchmarks import measures
from musegym.benchmarks.metrics.stats import unpacked
from musegym.benchmarks.report.layout import cells, markdown
from musegym.benchmarks.report.results import figures_of
from musegym.benchmarks.runner import state, worker
from musegym.benchmarks.runner.job import Job, jobs_of
from musegym.benchmarks.runner.queue import Queue
from musegym.benchmarks.tables.rows import RANDOM, Row, Table, unjudged
from musegym.envs.registry import make_task

toys.register()
TABLE = Table(
    name="toy",
    env_id="toy/Word-v0",
    rows=(
        Row(name="a", meaning="", seeds=(0, 1), taught=False),
        Row(name="b", meaning="", seeds=(0,), taught=False),
    ),
)
WORKER = """
import fcntl, json, pathlib, sys, time
_, folder, seconds, job = sys.argv
job = json.loads(job)
table, row = job["table"], job["row"]["name"]
name = f"{row}-s{job['seed']}"
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


def jobs(folder: Path, *only: str) -> list[Job]:
    return jobs_of(TABLE, only, folder / "results", folder / "runs")


def job_of(folder: Path, row: Row, table: str = "toy", seed: int = 0, seconds: float | None = None) -> Job:
    """The job of a row, with a folder for its runs."""
    (folder / "runs" / table).mkdir(parents=True, exist_ok=True)
    asked = row.seconds if seconds is None else seconds
    where = {"results": folder / "results", "runs": folder / "runs"}
    return Job(table=table, row=row, seed=seed, seconds=asked, **where)


def queue(folder: Path, *only: str, seconds: float = 0.0) -> Queue:
    script = folder / "worker.py"
    script.write_text(WORKER)
    console = Console(file=io.StringIO(), width=200)
    return Queue(jobs(folder, *only), console, (sys.executable, str(script), str(folder), str(seconds)))


def states(of: Queue) -> dict[str, str]:
    return {entry.job.name: entry.state for entry in of.entries}


def test_first_seeds_of_all_rows_come_first(tmp_path: Path) -> None:
    assert [job.name for job in jobs(tmp_path)] == ["a-s0", "b-s0", "a-s1"]
    assert [job.name for job in jobs(tmp_path, "b")] == ["b-s0"]
    assert [job.name for job in jobs_of(TABLE, ("a",), tmp_path, tmp_path, seeds=1)] == ["a-s0"]
    assert [job.seconds for job in jobs_of(TABLE, ("b",), tmp_path, tmp_path, 2.5)] == [2.5]


def test_a_job_survives_json(tmp_path: Path) -> None:
    row = Row(name="x", meaning="m", params={"schedule": [1.0, 0.0]}, env={"a": 1}, sweep=(0.5, 1.0), seeds=(3,))
    job = job_of(tmp_path, dataclasses.replace(row, env_id="toy/Word-v0"), seed=3)
    assert Job.from_json(job.to_json()) == job


def test_queue_runs_skips_and_names_what_failed(tmp_path: Path) -> None:
    first = queue(tmp_path)
    assert first.work(2) == 1
    assert states(first) == {"a-s0": "done", "b-s0": "failed", "a-s1": "done"}
    failed = next(entry for entry in first.entries if entry.state == "failed")
    assert failed.note.startswith("b never works")
    written = {e.job.result: e.job.result.stat().st_mtime_ns for e in first.entries if e.state == "done"}
    second = queue(tmp_path)
    assert second.work(1) == 1
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in written.items())
    assert (tmp_path / "runs" / "toy" / "b-s0.log").read_text().count("b never works") == 2


def test_a_result_with_less_than_its_core_is_partial_and_done_again(tmp_path: Path) -> None:
    mine = queue(tmp_path, "a")
    script = tmp_path / "worker.py"
    script.write_text(WORKER.replace('"seconds": 1.0', '"partial": True, "cpu_seconds": 1.0, "seconds": 600.0'))
    assert mine.work(2) == 0
    assert states(mine) == {"a-s0": "partial", "a-s1": "partial"}
    assert states(queue(tmp_path, "a")) == {"a-s0": "waiting", "a-s1": "waiting"}


def test_queue_leaves_to_others_what_they_hold(tmp_path: Path) -> None:
    mine = queue(tmp_path, "a")
    with state.locked(mine.entries[0].job.run) as first, state.locked(mine.entries[0].job.run) as again:
        assert first
        assert not again
        assert mine.work(2) == 0
    assert states(mine) == {"a-s0": "elsewhere", "a-s1": "done"}
    with state.locked(mine.entries[0].job.run) as free:
        assert free


def test_runs_whose_names_differ_after_a_dot_have_files_of_their_own(tmp_path: Path) -> None:
    with state.locked(tmp_path / "decay0.01-s0") as one, state.locked(tmp_path / "decay0.1-s0") as other:
        assert one
        assert other
    assert state.sibling(tmp_path / "decay0.1-s0", ".log") == tmp_path / "decay0.1-s0.log"


def test_queue_that_is_stopped_stops_its_workers_and_goes_on_later(tmp_path: Path) -> None:
    mine = queue(tmp_path, "a", seconds=30)

    def terminate_this_process_once_a_worker_runs() -> None:
        while mine.entries[0].state != "running":
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate_this_process_once_a_worker_runs, daemon=True).start()
    assert mine.work(1) == -signal.SIGTERM
    assert states(mine) == {"a-s0": "stopped", "a-s1": "waiting"}
    assert not any(entry.job.result.exists() for entry in mine.entries)
    later = queue(tmp_path, "a")
    assert later.work(2) == 0
    assert states(later) == {"a-s0": "done", "a-s1": "done"}


def test_worker_killed_without_warning_goes_on_where_it_was(tmp_path: Path) -> None:
    mine = queue(tmp_path, "b", "a", seconds=5)
    mine._advance(1)
    entry = mine.entries[0]
    progress = tmp_path / "runs" / "toy" / "a-s0.progress"
    deadline = time.monotonic() + 120
    while not progress.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert entry.process is not None
    entry.process.kill()
    entry.process.wait()
    mine._advance(0)
    assert entry.state == "failed"
    later = queue(tmp_path, "a")
    later.work(2)
    assert json.loads(entry.job.result.read_text())["from"] >= 1


WORKER_WHOSE_TRAINING_SLEEPS = """
import sys
from musegym.benchmarks.runner import worker
sys.executable = sys.argv.pop(1)
sys.exit(worker.main(sys.argv[1:]))
"""


def test_training_that_outlives_its_worker_keeps_the_run(tmp_path: Path) -> None:
    sleeper, note = tmp_path / "sleeper", tmp_path / "pid"
    sleeper.write_text(f"#!/bin/sh\necho $$ > '{note}'\nexec sleep 60\n")
    sleeper.chmod(0o755)
    job = job_of(tmp_path, Row(name="ours", meaning="", env_id="musegym/Melody-v0"), "melody")
    process = subprocess.Popen([sys.executable, "-c", WORKER_WHOSE_TRAINING_SLEEPS, str(sleeper), job.to_json()])
    deadline = time.monotonic() + 60
    while not (note.exists() and note.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    orphan = int(note.read_text())
    folder = job.run
    try:
        with state.locked(folder) as lock:
            assert lock is None
        assert worker.main([job.to_json()]) == state.ELSEWHERE
    finally:
        os.kill(orphan, signal.SIGKILL)
    free = False
    while not free and time.monotonic() < deadline:
        time.sleep(0.05)
        with state.locked(folder) as lock:
            free = lock is not None
    assert free


def test_damaged_result_is_a_clear_error(tmp_path: Path) -> None:
    path = jobs(tmp_path)[0].result
    path.parent.mkdir(parents=True)
    path.write_text('{"evaluation"')
    with pytest.raises(ValueError, match="delete it and run again"):
        queue(tmp_path)


def test_list_shows_every_run_and_starts_none(tmp_path: Path, call: Any) -> None:
    code, out, _ = call("bench", "melody", "--list", "--results", tmp_path, "--runs", tmp_path / "runs")
    assert code == 0
    assert "ours-s0" in out
    assert not (tmp_path / "runs").exists()


def test_train_command_says_everything() -> None:
    row = Row(
        name="x",
        meaning="",
        params={"schedule": [1.0, 0.0], "alpha": 0.5},
        env={"style": "6/8 minor"},
        num_envs=8,
        env_id="none",
    )
    command = worker.train_command(Job(table="t", row=row, seed=3, seconds=600.0, results=Path(), runs=Path("runs")))
    assert " ".join(command) == (
        "musegym train none --seconds 600 --clock processor --seed 3 --out runs/t/x-s3 --num-envs 8 "
        "--param schedule=[1.0, 0.0] --param alpha=0.5 --set style=6/8 minor"
    )


def test_history_survives_a_torn_line_and_is_thinned(tmp_path: Path) -> None:
    lines = [{"seconds": i} for i in range(1000)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"seco')
    found = worker.history(tmp_path)
    assert found == lines
    thin = worker.thinned(found, 50)
    assert len(thin) == 50
    assert (thin[0], thin[-1]) == (lines[0], lines[-1])
    assert worker.history(tmp_path / "none") == []


@pytest.mark.usefixtures("quick")
def test_random_row_ends_in_a_result_file(tmp_path: Path) -> None:
    job = job_of(tmp_path, dataclasses.replace(RANDOM, env_id="toy/Word-v0"))
    result = job.result
    worker.work(job)
    found = json.loads(result.read_text())
    assert state.finished(result, taught=True)
    wanted = {"command", "commit", "dirty", "seconds", "cpu_seconds", "cores", "cpu", "seed", "history", "partial"}
    assert wanted <= found.keys()
    assert found["partial"] is False
    figures = found["evaluation"]
    task = make_task("toy/Word-v0")
    assert figures["validity"] == figures["validity_real"] == 1.0
    assert figures["judged"] == len(task.corpus("test")) == len(unpacked(found["judged"]["real"], figures["judged"]))
    assert "random" in markdown(cells([found]))
    # Measured numbers stay, and missing ones are added.
    del found["taught"]
    result.write_text(json.dumps(found))
    assert state.finished(result)
    assert not state.finished(result, taught=True)
    worker.work(job)
    again = json.loads(result.read_text())
    assert again["time"] == found["time"]
    assert len(unpacked(again["taught"]["fake"], figures["judged"])) == again["taught"]["works_a_side"]
    assert f"{again['taught']['accuracy']:.3f}" in markdown(cells([again]))


@pytest.mark.usefixtures("quick")
def test_own_measures_stand_beside_the_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def measure(sampler: Any, split: Any, seed: int) -> dict[str, Any]:
        asked.append((dict(sampler.task.kwargs()), split, seed))
        return {"sure": 0.25, "frechet": 7.0, "lost": np.inf, "classes": [0.5, 0.5], "real": {"sure": 0.75}}

    monkeypatch.setattr(toys.WordTask, "benchmark", "test_runner:DOMAIN")
    monkeypatch.setitem(sys.modules, "test_runner", types.SimpleNamespace(DOMAIN=measures.Domain(measure)))
    row = unjudged(RANDOM, env_id="toy/Word-v0", env={"double": True}, split="validation")
    job = job_of(tmp_path, row, seed=3)
    result = job.result
    worker.work(job)
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
    assert state.finished(result, measured=True)
    first = found.pop("own")
    result.write_text(json.dumps(found))
    assert state.finished(result)
    assert not state.finished(result, measured=True)
    assert not job.finished
    worker.work(job)
    assert job.finished
    again = json.loads(result.read_text())
    assert again["own"] == first
    assert again["time"] == found["time"]
    worker.work(job)
    assert len(asked) == 2


@pytest.mark.usefixtures("quick")
def test_rows_of_sb3_are_trained_in_their_own_environment(tmp_path: Path) -> None:
    row = Row(
        name="ppo", meaning="", method="PPO", env_id="toy/Word-v0", env={"double": True}, num_envs=4,
        params={"n_steps": 4, "batch_size": 16, "policy_kwargs": {"net_arch": [8]}},
    )  # fmt: skip
    job = job_of(tmp_path, row, seconds=0.1)
    sampler, _ = worker.trained(job)
    assert sampler.task.kwargs() == {"double": True}
    assert (job.run / "policy.pt").exists()


def test_list_of_the_standard_table_of_somebodys_task(tmp_path: Path, call: Any) -> None:
    code, out, err = call("bench", "toy_ids:toy/Word-v0", "--list", "--seeds", 1, "--results", tmp_path)
    assert (code, err) == (0, "")
    assert all(f"{row}-s0" in out for row in ("ours", "mle", "ppo", "random"))
    assert "-s1" not in out


@pytest.mark.slow
def test_the_standard_table_of_somebodys_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    where = ("--results", tmp_path / "results")
    asked = ("--runs", tmp_path / "runs", "--seeds", 1, "--seconds", 2)
    code, _, err = call("bench", "toy_ids:toy/Word-v0", *where, *asked)
    assert (code, err) == (0, "")
    code, text, _ = call("report", "toy/Word-v0", *where)
    assert code == 0
    names = [line.split(" | ")[0].removeprefix("| ").removesuffix(" (partial)") for line in text.splitlines()[2:]]
    assert names == ["ours", "mle", "ppo", "random", "real works"]
    assert call("report", "toy_ids:toy/Word-v0", *where, "--html", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "<tr><td>random</td><td>1</td>" in page
    assert "toy-Word-v0: toy_ids:toy/Word-v0" in page


@pytest.mark.slow
def test_training_that_was_killed_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(tmp_path, Row(name="x", meaning="", num_envs=8, env_id="toy_ids:toy/Word-v0"), seconds=12.0)
    command, folder = worker.train_command(job), job.run
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
    worker.train(job)
    assert (folder / "model.zip").exists()
    assert worker.seconds_trained(folder, worker.history(folder)) >= 12


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_trained_row_ends_in_a_result_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    row = Row(
        name="mle", meaning="", params={"schedule": [1.0, 0.0]}, num_envs=8, seconds=4.0, sweep=(0.5, 1.0),
        env_id="toy_ids:toy/Word-v0",
    )  # fmt: skip
    job = job_of(tmp_path, row)
    result = job.result
    worker.work(job)
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
    text = markdown(cells([found, {**found, "row": "other"}], against="other"))
    assert text.count("0.000 [0.000, 0.000]") == 2
    assert {"c2st minus other", "c2st_taught minus other"} <= {cell.strip() for cell in text.splitlines()[0].split("|")}


def test_a_partial_result_is_finished_only_where_no_more_was_asked(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"evaluation": {}, "partial": True, "seconds": 60.0, "cpu_seconds": 58.0}))
    assert state.finished(path)
    assert state.finished(path, 61.0)
    assert not state.finished(path, 600.0)
    path.write_text(json.dumps({"evaluation": {}, "partial": True, "seconds": 600.0, "cpu_seconds": 400.0}))
    assert not state.finished(path, 600.0)  # it had two thirds of a core
