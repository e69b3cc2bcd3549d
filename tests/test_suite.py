"""The general suite of measures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.suite import evaluate, matched_rows
from musegym.envs.registry import make_task


@pytest.mark.usefixtures("quick")
def test_evaluation_has_the_promised_keys_and_honest_gaps() -> None:
    task = make_task("toy/Word-v0")

    class Odd(RandomPolicy):
        def log_prob(self, contents: Any) -> Any:
            return np.full(len(contents), -np.inf)

    found = evaluate(Odd(task), num=30, seeds=0)
    keys = "frechet frechet_floor precision recall density coverage unique novel longest_copy validity metrics"
    assert set(keys.split()) <= found.keys()
    assert {"unique_real", "novel_real", "longest_copy_real", "validity_real", "metrics_real"} <= found.keys()
    name = "nll_test" if task.one_to_one else "nll_test_bound"
    assert found["c2st"] is None
    assert found[name] is None
    assert any(note.startswith(name) for note in found["notes"])
    json.dumps(found, allow_nan=False)


@pytest.mark.usefixtures("quick")
def test_generated_works_follow_the_conditions_of_the_test_works() -> None:
    task = make_task("toy/Word-v0")
    asked: list[Any] = []

    class Spy(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            asked.append(condition)
            return super().sample(condition, num, seed)

    real = task.corpus("test")
    evaluate(Spy(task), num=len(real) + 3, seeds=0)
    wanted = task.condition(real)
    assert np.array_equal(asked[0], np.concatenate([wanted, wanted[:3]]))

    class Stubborn(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            return super().sample(None if condition is None else condition[::-1], num, seed)

    with pytest.raises(ValueError, match="conditions that were asked for"):
        evaluate(Stubborn(task), num=5, seeds=0)


@pytest.mark.usefixtures("quick")
def test_matched_rows_share_conditions() -> None:
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
