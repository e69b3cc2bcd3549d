"""Measures of domains in addition to the general suite, of samplers and of real works."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from unittest import mock

import digits_package
import numpy as np
import pytest
from real_works import present
from stable_baselines3 import PPO

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import atelier, density, digit, oracle, paint, rl_tuner
from musegym.benchmarks.judges import classifier
from musegym.benchmarks.measures import domain_of
from musegym.benchmarks.samplers import AgentSampler
from musegym.envs import SPLITS
from musegym.envs.registry import BUILT_IN, make_task
from musegym.envs.task import Array, Ints, Task


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """As a result file has it."""
    read: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return read


def ppo(env_id: str, **kwargs: Any) -> AgentSampler:
    """An untrained algorithm of Stable-Baselines3, which has no log-probabilities."""
    env = make_sb3_env(env_id, num_envs=2, discriminator="none", **kwargs)
    return AgentSampler(PPO("MlpPolicy", env, n_steps=8, batch_size=16, device="cpu"))


def test_density(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("POINTS", 200), ("DRAWS", 2), ("BATCHES", 2), ("BATCH", 50)):
        monkeypatch.setattr(density, name, value)
    monkeypatch.setattr(density, "entropy", lambda of: of.reach)
    monkeypatch.setattr(density, "mmd_interval", lambda task, seed: density.Interval(0.125, -1.0, 1.0 + seed))
    policy = RandomPolicy(make_task("musegym/Density-v0", density="moons"))
    found = plain(density.measure(policy, "test", 4))
    assert found["nll"] == pytest.approx(density.UNIFORM)
    assert found["mmd"] > 0.01
    assert found["perfect"]["mmd_real"] == [0.125, -1, 5]
    assert found["real"] == {"nll": found["perfect"]["nll"], "mmd": 0.125}
    other = plain(density.measure(ppo("musegym/Density-v0", density="moons"), "test", 4))
    assert (other["nll"], other["nll_interval"]) == (None, None)
    assert other["mmd"] > 0.01


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A stand-in for MNIST, and a classifier of a moment; returns how many pictures each classifier learned from."""
    digits_package.write(tmp_path, "mnist")
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    made: list[int] = []

    def trained(pictures: np.ndarray, labels: np.ndarray, dense: bool, folder: Path) -> classifier.Classifier:
        made.append(len(pictures))
        return taught(pictures, labels, updates=3, dense=dense, folder=folder)

    taught = classifier.Classifier
    monkeypatch.setattr(classifier, "Classifier", trained)
    monkeypatch.setattr(digit, "classifier", functools.cache(digit.classifier.__wrapped__))
    return made


def test_digit(digits: list[int]) -> None:
    for classes in (False, True):
        found = plain(digit.measure(RandomPolicy(make_task("musegym/Digit-v0", classes=classes)), "validation", 0))
        beside = found["references"]
        for name in ("frechet", "frechet_dense"):
            assert found["real"][name] == beside["floor"][name] > 0
            assert found[name] == found[f"{name}_random"] == beside["random"][name] > 0
        assert found["rarest_class"] == min(found["classes"])
        assert found["real"]["rarest_class"] == min(beside["real"]["classes"])
        assert ("as_asked" in found) == classes
        assert "as_asked" in found["real"]
    assert len(digits) == 2, "one classifier of each kind judges drawings with and without classes"


TINY = {"vocabulary": 4, "length": 3, "oracle_seed": 1}


def test_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    env_id = "musegym/Oracle-v0"
    monkeypatch.setattr(oracle, "SAMPLES", 300)
    monkeypatch.setattr(oracle, "SWEPT", 100)
    task = make_task(env_id, **TINY)
    chance = plain(oracle.measure(RandomPolicy(task), "test", 0))
    assert chance["nll_test"] == pytest.approx(np.log(4))
    assert chance["nll_oracle"] > chance["real"]["nll_oracle"] == chance["real"]["nll_test"]
    assert chance["real"].keys() == chance.keys() - {"real"}
    assert "sweep" not in chance
    env = make_sb3_env(env_id, num_envs=2, discriminator="none", **TINY)
    sampler = AgentSampler(AdversarialDQN("auto", env, policy_kwargs={"hidden": 8, "embedding": 4}, seed=0))
    found = plain(oracle.measure(sampler, "test", 0))
    at_one = next(point for point in found["sweep"] if point["temperature"] == 1)
    assert at_one["nll_test"] == pytest.approx(found["nll_test"], abs=1e-4)
    assert [point["temperature"] for point in found["sweep"]] == list(oracle.TEMPERATURES)
    assert plain(oracle.measure(ppo(env_id, **TINY), "test", 0)).keys() == chance.keys() - {"nll_test"}


def test_rl_tuner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rl_tuner, "NUM", 40)
    task = make_task("musegym/RLTuner-v0")
    found = plain(rl_tuner.measure(RandomPolicy(task), "validation", 0))
    real = found["real"]
    assert real == plain(dict(rl_tuner.table_one(task.corpus("validation"))))
    assert found.keys() == real.keys() | {"real"}
    assert found["notes_not_in_key"] > 10 * real["notes_not_in_key"]


TESTED_APART = (atelier.ID, density.ID, digit.ID, oracle.ID, paint.ID, rl_tuner.ID)
"""Domains whose measures teach networks, or are tested above."""


class Stubborn:
    """A sampler that always takes the first legal action, or the last: empty works, full ones, one note forever."""

    def __init__(self, task: Task[Any], last: bool) -> None:
        self.task, self.last = task, last

    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        rng, task = np.random.default_rng(seed), self.task
        state = task.initial(rng.integers(2**63, size=num, dtype=np.uint64), condition)
        while not state.done.all():
            mask = task.action_mask(state)
            actions = mask.shape[1] - 1 - mask[:, ::-1].argmax(1) if self.last else mask.argmax(1)
            state, _ = task.step(state, actions)
        return task.decoded(task.content(state), rng)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "env_id",
    [env_id for env_id, _ in BUILT_IN if domain_of(env_id).measure is not None and env_id not in TESTED_APART],
)
def test_works_that_are_all_alike_are_measured(env_id: str, last: bool) -> None:
    task = present(make_task(env_id))
    every = {split: task.works(split).take(slice(24)) for split in SPLITS}
    measure = domain_of(env_id).measure
    assert measure is not None
    with mock.patch.object(type(task), "works", lambda self, split: every[split]):
        found = plain(measure(Stubborn(task, last), "validation", 0))
    assert found
