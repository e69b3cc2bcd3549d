"""The general suite of measures."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import toys

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.judges.matching import matched_rows
from musegym.benchmarks.samplers import AgentSampler
from musegym.benchmarks.suite import check_works, evaluate, evaluate_works
from musegym.envs import Task, Works
from musegym.envs.registry import make_task

toys.register()


@pytest.mark.usefixtures("quick")
def test_evaluation_has_the_promised_keys_and_honest_gaps() -> None:
    task = make_task("toy/Word-v0")

    class Odd(RandomPolicy):
        def log_prob(self, contents: Any, conditions: Any = None, actions: Any = None) -> Any:
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

    real = task.works("test")
    evaluate(Spy(task), num=len(real) + 3, seeds=0)
    assert np.array_equal(asked[0], np.concatenate([real.conditions, real.conditions[:3]]))

    class Short(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            return super().sample(condition, num, seed)[1:]

    with pytest.raises(ValueError, match=r"returned contents \(\d+, 6\)"):
        evaluate(Short(task), num=5, seeds=0)


@pytest.mark.usefixtures("quick")
def test_likelihoods_are_of_works_under_their_conditions_as_they_were_built(monkeypatch: pytest.MonkeyPatch) -> None:
    class Known(toys.WordTask):
        """Words whose works bring their actions."""

        has_demonstrations = True
        demonstrations = Task.demonstrations

        def works(self, split: Any) -> Works:
            works = super().works(split)
            actions = toys.WordTask.demonstrations(self, works.contents, works.conditions)
            return dataclasses.replace(works, actions=actions)

    task = Known()
    found = evaluate(RandomPolicy(task), num=12, seeds=0)
    expected = toys.WordTask()
    policy, real = RandomPolicy(expected), expected.works("test")
    assert found["nll_test"] == pytest.approx(-policy.log_prob(real.contents, real.conditions).mean())
    other = RandomPolicy(expected).log_prob(real.contents, real.conditions)
    assert len(np.unique(other)) > 2
    assert found["validity"] is found["validity_real"] is None
    assert any(note.startswith("validity") for note in found["notes"])
    with pytest.raises(ValueError, match="has conditions"):
        policy.log_prob(real.contents)


@pytest.mark.usefixtures("quick")
def test_agents_are_measured_as_they_say_themselves() -> None:
    env = make_sb3_env("toy/Word-v0", 2, seed=0, discriminator="none")
    model = AdversarialDQN("auto", env, policy_kwargs={"hidden": 8, "embedding": 4}, seed=0)
    real = model.task.works("test")
    expected = -model.log_prob(real.contents, real.conditions).mean()
    for measured in (model, AgentSampler(model, temperature=0.5)):
        found = evaluate(measured, num=20, seeds=0)
        assert found["nll_test"] == pytest.approx(expected)
        assert 0 <= found["control_size"] <= 1
        assert found["validity"] == 1


@pytest.mark.usefixtures("quick")
def test_rules_are_reported_one_by_one() -> None:
    task = make_task("toy/Word-v0")
    found = evaluate(RandomPolicy(task), num=30, seeds=0)
    real = task.works("test")
    wanted = task.rules(real.contents, real.conditions).mean(0)
    assert [found[f"reward_{name}_real"] for name in task.rule_names] == pytest.approx(list(wanted))
    assert 0 < found["reward_letters_a"] < found["reward_vowels"] < 6


@pytest.mark.usefixtures("quick")
def test_works_are_measured_under_their_own_conditions() -> None:
    task = make_task("toy/Word-v0")
    real = task.works("test")
    kept = evaluate_works(task, real.contents, real.conditions, seeds=0)
    turned = evaluate_works(task, real.contents, 1 - real.conditions, seeds=0)
    assert kept["control_size"] == kept["control_size_real"] == pytest.approx(1 - turned["control_size"])
    assert kept["validity"] == 1
    assert turned["validity"] == 0, "no short word is a long one"
    with pytest.raises(ValueError, match=r"have conditions: pass those too, integers \[N, 1\] \(size\)") as caught:
        evaluate_works(task, real.contents, seeds=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [[[0], [2]], [[0], [-1]], [[0]], [0, 1], [[0.0], [1.0]], [[0, 1], [1, 0]]])
def test_conditions_that_are_not_the_tasks(wrong: Any) -> None:
    task = make_task("toy/Word-v0")
    works = task.corpus("train")[:2]
    with pytest.raises(ValueError, match=r"conditions of these 2 works are integers \[N, 1\] \(size\)") as caught:
        check_works(task, works, np.array(wrong))
    assert "\n" not in str(caught.value)
    contents, conditions = check_works(task, works, np.array([[0], [1]], np.uint8))
    assert (contents.dtype, conditions.dtype) == (np.int8, np.int64)


def test_matched_rows_share_conditions() -> None:
    task = make_task("toy/Word-v0")
    works = task.works("train")
    train = dataclasses.replace(works, groups=np.arange(len(works)) // 2)
    real = works.take(slice(None, None, 3))
    real = dataclasses.replace(real, groups=np.arange(len(real)) // 2)
    rows = matched_rows(real, train)
    same = (train.conditions[rows] == real.conditions).all(1)
    assert same.mean() > 0.8
    assert len(set(rows)) == len(rows)
    pairs = set(zip(train.groups[rows], real.groups, strict=True))
    assert len(pairs) == len({group for group, _ in pairs}), "a training group stands for one group of the split"
    assert not np.array_equal(rows, matched_rows(real, train, seed=1))
    with pytest.raises(ValueError, match="too few"):
        matched_rows(train, real)
