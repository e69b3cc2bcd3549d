"""One benchmark run in a separate process: train or resume training, evaluate, write one JSON file.

``runner.queue`` starts it with a job as JSON, the one argument.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ...agents import AdversarialDQN
from ...envs.registry import make_task
from ...training.files import write_atomically
from ..baselines.gan import train_gan
from ..baselines.random_policy import RandomPolicy
from ..baselines.sb3 import train_sb3
from ..judges.taught import judge
from ..measures import domain_of
from ..metrics.stats import packed
from ..provenance import provenance
from ..samplers import AgentSampler, Sampler
from ..suite import clean, measure, sweep_temperature
from .job import Job
from .state import ELSEWHERE, finished, history, locked, seconds_trained, short, sibling, spent, thinned


def train_command(job: Job) -> list[str]:
    """Returns the command line that trains a job from the start."""
    row = job.row
    command = ["musegym", "train", row.env_id, "--seconds", f"{job.seconds:g}", "--clock", "processor"]
    command += ["--seed", str(job.seed), "--out", str(job.run)]
    if row.num_envs is not None:
        command += ["--num-envs", str(row.num_envs)]
    for flag, pairs in (("--param", row.params), ("--set", row.env)):
        for name, value in pairs.items():
            command += [flag, f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return command


def train(job: Job, lock: IO[str] | None = None) -> None:
    """Starts or resumes a run of ``musegym train``; SIGTERM is passed on to it, so that it saves its state.

    Args:
        job: its ``seconds`` are the sum over all attempts.
        lock: the run's locked file; training shares it, since it continues alone where this process is killed.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    resume = ["train", job.row.env_id, "--out", str(job.run), "--seconds", f"{job.seconds:g}", "--resume"]
    arguments = resume if (job.run / "config.json").exists() else train_command(job)[1:]
    shared = () if lock is None else (lock.fileno(),)
    process = subprocess.Popen([sys.executable, "-m", "musegym", *arguments], pass_fds=shared)

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if code:
        raise RuntimeError(f"training ended with exit code {code}")


def work(job: Job, lock: IO[str] | None = None) -> None:
    """Does the parts of a job that are missing, and writes its result.

    The general suite comes first, then the domain's measure, then the taught judges; each is saved once it is measured.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    row, path = job.row, job.result
    kept = finished(path, job.seconds) and (
        row.method == "random" or job.run.exists()
    )  # otherwise its model is missing
    sampler, command = trained(job, lock)
    if kept:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    else:
        result = {
            "table": job.table,
            "row": row.name,
            "says": row.meaning,
            "env_id": row.env_id,
            "env": dict(row.env),
            "method": row.method,
            "command": [part.replace(str(job.run), f"runs/{job.table}/{job.name}") for part in command],
            "seed": job.seed,
            "seconds_asked": row.seconds,
        }
    if row.sweep:
        assert isinstance(sampler, AgentSampler)
        if "temperature" not in result:
            chosen = sweep_temperature(sampler.model, row.sweep, seeds=row.judge_seeds, seed=job.seed)
            result["temperature"], result["sweep_on_validation"] = chosen
        sampler.temperature = result["temperature"]
    if "evaluation" not in result:
        evaluation, judged = measure(sampler, split=row.split, seeds=row.judge_seeds, seed=job.seed)
        lines = history(job.run)
        result |= {
            "seconds": seconds_trained(job.run, lines),
            "steps": lines[-1].get("steps") if lines else 0,
            **spent(job.run),
            **provenance(),
            "evaluation": evaluation,
            "judged": judged and {"real": packed(judged.correct_real), "fake": packed(judged.correct_fake)},
            "history": thinned(lines),
        }
        result["partial"] = row.method != "random" and short(result, row.seconds)
        _write(path, result)
    domain_measure = domain_of(row.env_id).measure
    if domain_measure is not None and "own" not in result:
        notes: list[str] = []
        figures = clean(domain_measure(sampler, row.split, job.seed), notes)
        result["own"] = figures | {"notes": notes, "commit": provenance()["commit"]}
        _write(path, result)
    if row.taught and "taught" not in result:
        result["taught"] = judge(sampler, row.split, job.seed) | {"commit": provenance()["commit"]}
        _write(path, result)


def trained(job: Job, lock: IO[str] | None = None) -> tuple[Sampler, list[str]]:
    """Starts or resumes the training of a job; returns the sampler, and the command that trains it from the start.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    row, before = job.row, spent(job.run)
    before["cpu_seconds"] -= _cpu_seconds()  # earlier CPU time of this process is not training
    if row.method == "train":
        try:
            train(job, lock)
        finally:
            _note(job.run, before)
        return AgentSampler(AdversarialDQN.load(str(job.run / "model.zip"))), train_command(job)
    command = ["musegym", "bench", job.table, "--only", row.name]
    if row.method == "random":
        return RandomPolicy(make_task(row.env_id, **row.env)), command
    learned: Sampler
    if row.method == "GAN":
        learned = train_gan(row, job.seconds, job.seed, job.run, make_task(row.env_id, **row.env))
    else:
        learned = train_sb3(row, job.seconds, job.seed, job.run)
    _note(job.run, before)
    return learned, command


def _write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(result, indent=1, allow_nan=False) + "\n")


def _note(run: Path, before: dict[str, float]) -> None:
    """Adds this attempt's CPU time so far, children included, to the run's record."""
    record = {"attempts": before["attempts"] + 1, "cpu_seconds": round(before["cpu_seconds"] + _cpu_seconds(), 1)}
    write_atomically(sibling(run, ".json"), json.dumps(record) + "\n")


def _cpu_seconds() -> float:
    """Returns the CPU time of this process and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def main(arguments: Sequence[str]) -> int:
    """Does the job; returns 0 where its result exists, 1 after a failure, 75 where another process does it."""
    job = Job.from_json(arguments[0])
    with locked(job.run) as lock:
        if lock is None:
            return ELSEWHERE
        if not job.finished:
            try:
                work(job, lock)
            except (RuntimeError, ValueError, OSError) as error:
                print(f"{job.name}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
