"""Judges taught by the train split, asked about a sampler."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import toys

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.judges import taught
from musegym.benchmarks.metrics.stats import unpacked
from musegym.envs.registry import make_task

toys.register()


@pytest.mark.usefixtures("quick")
def test_judgement_is_plain_and_adds_up() -> None:
    policy, asked = RandomPolicy(make_task("toy/Word-v0")), []

    class Spy(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            asked.append((condition, seed))
            return super().sample(condition, num, seed)

    found = taught.judge(Spy(policy.task), "validation", seed=3)
    json.dumps(found, allow_nan=False)
    train, real = policy.task.works("train"), policy.task.works("validation")
    assert found["works_a_side"] == len(real)
    assert found["learned_from"] == len(train)
    right = [unpacked(found[side], len(real)).mean() for side in ("real", "fake")]
    assert found["accuracy"] == pytest.approx(np.mean(right)) == found["by_architecture"][found["chosen"]]
    low, high = found["interval"]
    assert low <= found["accuracy"] <= high
    (trained, first), (judged, second) = asked
    assert np.array_equal(trained, train.conditions)
    assert np.array_equal(judged, real.conditions)
    assert first != second, "the works that judges learn from are not those that they are asked about"
