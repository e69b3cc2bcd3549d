"""Controllability: a classifier of real works says whether works are what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
import toys

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.metrics.control import control
from musegym.benchmarks.metrics.features import FeatureNet
from musegym.envs import Condition

CONDITIONS = (Condition("side", ("left", "right")), Condition("height", ("low", "middle", "high")))


def points(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features float [n, 3] and conditions int [n, 2]: the first feature tells the side, the others the height."""
    conditions = np.stack([rng.integers(2, size=n), rng.integers(3, size=n)], 1)
    corner = np.eye(3)[conditions[:, 1]][:, :2]
    features = np.concatenate([4.0 * conditions[:, :1], 4 * corner], 1)
    return features + 7 + 0.3 * rng.normal(size=(n, 3)), conditions


def test_asked_conditions_that_are_kept_and_shuffled() -> None:
    rng = np.random.default_rng(0)
    train, real, (features, kept) = points(600, rng), points(300, rng), points(400, rng)
    found = control(CONDITIONS, train, (features, kept), real)
    assert found.keys() == {"control_side", "control_side_real", "control_height", "control_height_real"}
    assert min(found.values()) > 0.98
    mixed = np.stack([kept[:, 0], rng.permutation(kept[:, 1])], 1)
    shuffled = control(CONDITIONS, train, (features, mixed), real)
    assert shuffled["control_side"] == found["control_side"], "each condition by itself"
    assert shuffled["control_height"] == pytest.approx(1 / 3, abs=0.08)
    assert shuffled["control_height_real"] == found["control_height_real"]
    ignored = control(CONDITIONS, train, (features[:100].repeat(4, 0), kept), real)
    assert ignored["control_side"] == pytest.approx(1 / 2, abs=0.1)


def test_classifiers_learn_from_training_works_alone() -> None:
    rng = np.random.default_rng(0)
    train, real, asked = points(600, rng), points(300, rng), points(400, rng)
    turned = (train[0], np.stack([1 - train[1][:, 0], train[1][:, 1]], 1))
    found = control(CONDITIONS, turned, asked, real)
    assert found["control_side"] == found["control_side_real"] == 0
    assert found["control_height"] > 0.98


def test_a_value_that_no_training_work_has_is_never_named() -> None:
    rng = np.random.default_rng(0)
    (features, conditions), real, asked = points(600, rng), points(300, rng), points(400, rng)
    some = conditions[:, 1] < 2
    found = control(CONDITIONS, (features[some], conditions[some]), asked, real)
    low_or_middle = (asked[1][:, 1] < 2).mean()
    assert found["control_height"] == pytest.approx(low_or_middle, abs=0.02), "only those are ever named rightly"
    assert found["control_side"] > 0.98


def test_a_toy_that_does_as_asked_and_one_that_does_not() -> None:
    task = toys.WordTask()
    asked = np.arange(300)[:, None] % 2
    real, made = (RandomPolicy(task).sample(asked, 300, seed) for seed in (1, 2))
    net = FeatureNet(real, task.layout, updates=100)
    taught = net(real), asked
    assert control(task.conditions, taught, (net(made), asked), taught)["control_size"] > 0.9, "long words are longer"
    mixed = np.random.default_rng(0).permutation(made)
    found = control(task.conditions, taught, (net(mixed), asked), taught)
    assert found["control_size"] == pytest.approx(0.5, abs=0.12)
    assert found["control_size_real"] > 0.9
