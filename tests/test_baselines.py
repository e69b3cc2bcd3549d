"""Algorithms of Stable-Baselines3 as rows of a table: for so many seconds, and then loaded."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Literal

import digits_package
import numpy as np
import pytest
import toys

from musegym.benchmarks.baselines import gan, sb3
from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import atelier
from musegym.benchmarks.judges import classifier
from musegym.benchmarks.metrics import features
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


def test_a_taught_generator_is_kept_beside_its_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits_package.write(tmp_path, "mnist")
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    short = functools.partial(sb3.DiscriminatorCallback, reconstruction=2)
    monkeypatch.setattr(sb3, "DiscriminatorCallback", short)
    row = Row(name="", meaning="", method="PPO", env_id="musegym/Atelier-v0", num_envs=4, params=PARAMS["PPO"])
    first = sb3.train_sb3(row, 0.2, 0, tmp_path / "run")
    again = sb3.train_sb3(row, 0.2, 0, tmp_path / "run")
    assert again.task.generator is not first.task.generator
    assert again.task.generator.updates == first.task.generator.updates >= 2
    pictures = first.sample(np.arange(6)[:, None], 6, 0)
    assert np.array_equal(again.sample(np.arange(6)[:, None], 6, 0), pictures)


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


def test_a_plain_gan_learns_is_kept_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits_package.write(tmp_path, "mnist")
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    for module in (gan, features):
        monkeypatch.setattr(module, "feature_net", lambda known, layout: features.FeatureNet(known, layout, updates=2))
    monkeypatch.setattr(classifier, "Classifier", functools.partial(classifier.Classifier, updates=2))
    monkeypatch.setattr(gan, "REPORT_EVERY", 0.0)
    task = make_task("musegym/Atelier-v0")
    row = Row(name="", meaning="", method="GAN", params={"rate": 1e-3, "r1": 0.5})
    begun = gan.GanSampler(task, seed=3)
    made = gan.train_gan(row, 1.0, 3, tmp_path / "run", task)
    conditions = np.arange(20)[:, None] % 10
    pictures = made.sample(conditions, 20, 0)
    assert pictures.dtype == np.uint8
    assert pictures.shape == (20, 28, 28)
    assert np.array_equal(pictures[:7], made.sample(conditions, 20, 0)[:7])
    assert (pictures != begun.sample(conditions, 20, 0)).any(), "it learned"
    assert (pictures != made.sample((conditions + 1) % 10, 20, 0)).any(), "conditions matter"
    assert made.sample(None, 5, 0).shape == (5, 28, 28)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["seconds"] >= 1
    assert lines[-1]["steps"] == len(lines)
    assert lines[-1]["validation/frechet"] > 0
    again = gan.train_gan(row, 1.0, 3, tmp_path / "run", task)
    assert np.array_equal(again.sample(conditions, 20, 0), pictures)
    found = atelier.measure(again, "validation")
    assert "codes_in_use" not in found
    assert 0 <= found["copied"] <= 1
