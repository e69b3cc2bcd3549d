"""Algorithms of Stable-Baselines3 as rows of a table: for so many seconds, and then loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import toys

from musegym.benchmarks.baselines import sb3
from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.samplers import AgentSampler
from musegym.benchmarks.tables.rows import Row
from musegym.envs.registry import make_task

toys.register()
PARAMS: dict[Literal["DQN", "PPO"], dict[str, Any]] = {
    "PPO": {"n_steps": 4, "batch_size": 16, "policy_kwargs": {"net_arch": [8]}},
    "DQN": {"learning_starts": 8, "buffer_size": 100, "policy_kwargs": {"net_arch": [8]}},
}


def row_of(algorithm: Literal["DQN", "PPO"]) -> Row:
    return Row(name="", meaning="", method=algorithm, env_id="toy/Word-v0", num_envs=4, params=PARAMS[algorithm])


@pytest.mark.parametrize("algorithm", ["PPO", "DQN"])
def test_the_clock_ends_a_run_and_it_is_loaded_afterwards(algorithm: Literal["DQN", "PPO"], tmp_path: Path) -> None:
    def trained() -> AgentSampler:
        return sb3.train_sb3(row_of(algorithm), 0.2, 0, tmp_path / "run")

    first = trained().sample(None, 20, 0)
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["seconds"] >= 0.2
    assert line["steps"] > 0
    weights = (tmp_path / "run" / "policy.pt").read_bytes()
    again = trained()
    assert np.array_equal(again.sample(None, 20, 0), first)
    assert not hasattr(again, "log_prob")
    assert (tmp_path / "run" / "policy.pt").read_bytes() == weights


def test_a_run_that_ends_before_its_time_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3, "SB3_STEPS", 32)
    with pytest.raises(RuntimeError, match="32 steps before its time was up"):
        sb3.train_sb3(row_of("PPO"), 600.0, 0, tmp_path / "run")
    assert not (tmp_path / "run" / "policy.pt").exists()


def test_random_policy_sums_to_one_over_all_contents() -> None:
    task = make_task("toy/Word-v0")
    policy = RandomPolicy(task)
    short = np.zeros((4000, 1), np.int64)
    contents = policy.sample(short, 4000, 0)
    distinct = np.unique(contents, axis=0)
    p = np.exp(policy.log_prob(distinct, short[: len(distinct)]))
    assert p.sum() == pytest.approx(1.0, abs=0.02)
    frequent = distinct[p.argmax()]
    share = (contents == frequent).all(1).mean()
    assert share == pytest.approx(p.max(), abs=4 * np.sqrt(p.max() / 4000))
