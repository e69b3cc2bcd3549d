"""Runs that are killed, and go on to the same weights as if nothing had happened."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from musegym.agents import checkpoint

STEPS = 1200
PARAMS = {
    "warm_start": 60, "lead": 3, "batch_size": 16, "demonstrations": 8, "replayed": 8, "buffer_size": 100,
    "policy_kwargs": {"hidden": 16, "embedding": 8, "dropout": 0.1}, "discriminator.batch_size": 16,
}  # fmt: skip
TRAIN = ["train", "toy_ids:toy/Word-v0", "--steps", str(STEPS), "--num-envs", "8", "--seed", "5"]
TRAIN += [word for name, value in PARAMS.items() for word in ("--param", f"{name}={json.dumps(value)}")]
OFTEN = ["--checkpoint-every", "0", "--report-every", "0"]
pytestmark = pytest.mark.slow
# Kills the process inside the n-th call of a function, counted once learning has reached a phase.
KILLER = """
import os, signal, sys
import torch
from musegym import cli
from musegym.training import run as training
from musegym.agents import AdversarialDQN

calls = 0
agents = []
setup = AdversarialDQN._setup_model
AdversarialDQN._setup_model = lambda self: (setup(self), agents.append(self))[0]

def killing(function, phase):
    def wrapper(*arguments, **keywords):
        global calls
        calls += eval(phase, {"agent": agents[-1]})
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    return wrapper

if sys.argv[1] == "warm start":
    torch.nn.utils.clip_grad_norm_ = killing(torch.nn.utils.clip_grad_norm_, "agent.num_timesteps == 0")
elif sys.argv[1] == "episode":
    training.RunCallback._on_step = killing(training.RunCallback._on_step, "agent.num_timesteps > 200")
elif sys.argv[1] == "update":
    torch.nn.utils.clip_grad_norm_ = killing(torch.nn.utils.clip_grad_norm_, "agent._n_updates > 2")
cli.main(sys.argv[3:])
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}


def start(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "musegym", *arguments]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    return out, err


def assert_equal(a, b, where: str = "") -> None:
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_equal(*pair, f"{where}/{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, float):
        assert a == b or (np.isnan(a) and np.isnan(b)), where
    else:
        assert a == b, where


def state(run: Path) -> tuple[dict, dict]:
    return checkpoint.read(run / "checkpoint" / "agent.zip")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[dict, dict]:
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    out, _ = finish(start([*TRAIN, "--out", str(run)]))
    assert out == f"{run}/model.zip\n"
    config, tensors = state(run)
    assert {"policy", "training", "trainer"} <= tensors.keys(), "policy, optimisers and random states, discriminator"
    return config, tensors


def test_the_comparison_can_fail(uninterrupted, tmp_path):
    run = tmp_path / "run"
    finish(start([*TRAIN, "--seed", "6", "--out", str(run)]))
    for key in ("policy", "training", "trainer"):
        with pytest.raises(AssertionError):
            assert_equal(state(run)[1][key], uninterrupted[1][key])


@pytest.mark.parametrize(("moment", "call"), [("warm start", 25), ("episode", 40), ("update", 5)])
def test_killed_runs_resume_to_the_same_weights(uninterrupted, tmp_path, moment, call):
    run = tmp_path / "run"
    command = [sys.executable, "-c", KILLER, moment, str(call), *TRAIN, *OFTEN, "--out", str(run)]
    killed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    reached = state(run)[1]["training"]["counts"]
    phase = {"warm start": "warm_updates", "episode": "num_timesteps", "update": "_n_updates"}[moment]
    assert reached[phase] > 0, "nothing of that phase was kept"
    assert reached["num_timesteps"] < STEPS
    finish(start(["train", TRAIN[1], "--out", str(run), "--resume", *OFTEN]))
    assert_equal(state(run), uninterrupted)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_stop_where_it_can_go_on(uninterrupted, tmp_path, number, code):
    run = tmp_path / "run"
    process = start([*TRAIN, "--report-every", "0", "--out", str(run)])
    until = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    out, err = finish(process, code)
    assert out == ""
    assert "Traceback" not in err
    resume = re.search(r"go on with: musegym (.*)\n$", err)
    assert resume, err
    lines = len((run / "metrics.jsonl").read_text().splitlines())
    finish(start(shlex.split(resume[1])))
    assert_equal(state(run), uninterrupted)
    steps = [json.loads(line)["steps"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) > lines
    assert steps == sorted(steps)


def test_a_finished_run_says_so_and_stays(uninterrupted, tmp_path):
    run = tmp_path / "run"
    finish(start([*TRAIN, "--out", str(run)]))
    before = (run / "metrics.jsonl").read_text()
    out, _ = finish(start(["train", TRAIN[1], "--out", str(run), "--resume"]))
    assert out == f"{run}/model.zip\n"
    assert (run / "metrics.jsonl").read_text() == before
    assert_equal(state(run), uninterrupted)


def test_seconds_resume_for_the_remaining_time(tmp_path):
    run = tmp_path / "run"
    arguments = [*TRAIN, "--out", str(run)]
    at = arguments.index("--steps")
    arguments[at : at + 2] = ["--seconds", "4"]
    process = start([*arguments, *OFTEN])
    while not (run / "checkpoint" / "run.json").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    finish(start(["train", TRAIN[1], "--out", str(run), "--resume"]))
    spent = json.loads((run / "checkpoint" / "run.json").read_text())["seconds"]
    assert 4 <= spent < 8


def test_nan_is_a_failed_run(tmp_path):
    process = start([*TRAIN, "--param", "warm_start_learning_rate=1e30", "--out", str(tmp_path / "run")])
    out, err = finish(process, 1)
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("musegym: training failed: ")
    assert "loss" in err
