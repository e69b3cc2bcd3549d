"""Judges where the answer is known: the works of each case, and the command."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import toys

from musegym.benchmarks.judges.self_test import SelfTest
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import floors
from musegym.envs import make_task

toys.register()


def told_apart(works):
    return {content.tobytes() for content in works.contents}


def test_each_case_has_its_works():
    task = make_task("musegym/Melody-v0")
    train, test = task.works("train"), task.works("test")
    real, fake = floors.floor(task, 0)
    assert np.array_equal(real.contents, test.contents)
    assert len(fake) == len(test)
    assert told_apart(fake) <= told_apart(train)
    assert (fake.conditions == real.conditions).all(1).mean() > 0.9
    real, fake = floors.one_source(task, 0)
    held_out = np.isin(train.groups, real.groups)
    assert len(np.unique(real.groups)) == len(np.unique(test.groups))
    assert np.array_equal(real.contents, train.contents[held_out])
    assert told_apart(fake) <= told_apart(train.take(~held_out))
    real, fake = floors.chance(task, 0)
    assert np.array_equal(real.contents, test.contents)
    assert np.array_equal(fake.conditions, test.conditions)
    assert not told_apart(fake) & told_apart(train)


def test_the_command_prints_and_writes(tmp_path, monkeypatch, capsys):
    asked = []

    def judge(real, fake, layout, rater, seed):
        assert rater is task_rater
        asked.append((len(real) == len(fake), layout, seed))
        return SimpleNamespace(summary=lambda: {"accuracy": 0.625})

    task_rater = object()
    monkeypatch.setattr(floors, "c2st", judge)
    monkeypatch.setattr(floors, "surprise", lambda task: task_rater)
    tested = SelfTest(catches=0.82, changed=0.1, real_vs_real=0.5, low=0.4, high=0.6, cpu_seconds=1.0)
    monkeypatch.setattr(floors, "fresh_judges", lambda task, real: tested)
    monkeypatch.setattr(floors, "taught_judges", lambda task, split: tested)
    monkeypatch.setattr(floors, "feature_net", lambda train, layout: lambda contents: contents)
    monkeypatch.setattr(floors, "frechet", lambda x, y: float(len(x) == len(y)))
    file = tmp_path / "judges.json"
    assert run(floors.main, ["musegym/Melody-v0", "--seeds", "2", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert [(row["what"], row["seed"]) for row in found["runs"][:5]] == [
        ("one source", 0), ("one source", 1), ("floor", 0), ("floor", 1), ("random", 0),
    ]  # fmt: skip
    assert [row["what"] for row in found["runs"][5:]] == ["fresh judges", "taught judges"]
    assert all((row["catches"], row["real_vs_real"]) == (0.82, 0.5) for row in found["runs"][5:])
    assert all(row["changed"] == 0.1 for row in found["runs"][5:])
    assert (found["env_id"], found["env_kwargs"]) == ("musegym/Melody-v0", {})
    assert found["runs"][-1]["verdict"] == "not used: caught only 0.82"
    assert [row["frechet"] for row in found["runs"] if row["what"] == "floor"] == [1, 1]
    assert found["means"] == {"one source": 0.625, "floor": 0.625, "random": 0.625}
    layout = make_task("musegym/Melody-v0").layout
    assert asked == [(True, layout, seed) for seed in (0, 1, 0, 1, 0)]
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_environment_arguments_reach_the_task(monkeypatch, capsys):
    double = []
    monkeypatch.setattr(floors, "feature_net", lambda train, layout: None)
    monkeypatch.setattr(floors, "surprise", lambda task: double.append(task.double))
    for more in ([], ["--set", "double=yes"]):
        assert run(floors.main, ["toy/Word-v0", *more]) == 2  # a corpus too small to be judged
    assert double == [False, True]
    assert "too few" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["toy/Word-v0"], "too few, or too related"),
        (["no/Such-v0"], "no/Such-v0"),
        (["--seeds", "0"], "--seeds"),
        (["toy/Word-v0", "--set", "triple=1"], "double"),
        (["musegym/Sprite-v0", "--set", "data=paintings"], "paintings"),
    ],
)
def test_mistakes_are_one_line(wrong, message, monkeypatch, capsys):
    monkeypatch.setattr(floors, "feature_net", lambda train, layout: None)
    monkeypatch.setattr(floors, "surprise", lambda task: None)
    assert run(floors.main, wrong) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
