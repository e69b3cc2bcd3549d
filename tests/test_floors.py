"""Judges where the answer is known: the works of each case, and the command."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import toys

from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import floors
from musegym.envs import make_task

toys.register()


class Judge:
    """Stands in for ``c2st``: keeps the works that it was asked about."""

    def __call__(self, real, fake, groups, **_):
        self.real, self.fake, self.groups = real, fake, groups
        return SimpleNamespace(accuracy=0.625, summary=lambda: {"accuracy": 0.625})


def works(contents):
    return {content.tobytes() for content in contents}


def test_each_case_has_its_works(monkeypatch):
    judge, task = Judge(), make_task("musegym/Melody-v0")
    monkeypatch.setattr(floors, "c2st", judge)
    train, test = task.corpus("train"), task.corpus("test")
    floors.floor(task, 0)
    assert np.array_equal(judge.real, test)
    assert len(judge.fake) == len(test)
    assert works(judge.fake) <= works(train)
    floors.one_source(task, 0)
    tunes = task.groups("train")
    held_out = np.isin(tunes, judge.groups)
    assert len(np.unique(judge.groups)) == len(np.unique(task.groups("test")))
    assert np.array_equal(judge.real, train[held_out])
    assert works(judge.fake) <= works(train[~held_out])
    floors.chance(task, 0)
    assert np.array_equal(judge.real, test)
    assert np.array_equal(task.condition(judge.fake), task.condition(test))
    assert not works(judge.fake) & works(train)


def test_the_command_prints_and_writes(tmp_path, monkeypatch, capsys):
    judge = Judge()
    monkeypatch.setattr(floors, "c2st", judge)
    monkeypatch.setattr(floors, "feature_net", lambda train, kind: lambda contents: contents)
    monkeypatch.setattr(floors, "frechet", lambda x, y: float(len(x) == len(y)))
    file = tmp_path / "judges.json"
    assert run(floors.main, ["musegym/Melody-v0", "--seeds", "2", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert [(row["what"], row["seed"]) for row in found["runs"]] == [
        ("one source", 0), ("one source", 1), ("floor", 0), ("floor", 1), ("random", 0),
    ]  # fmt: skip
    assert [row["frechet"] for row in found["runs"] if row["what"] == "floor"] == [1, 1]
    assert found["means"] == {"one source": 0.625, "floor": 0.625, "random": 0.625}
    assert len(capsys.readouterr().out.splitlines()) == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(["toy/Word-v0"], "too few, or too related"), (["no/Such-v0"], "no/Such-v0"), (["--seeds", "0"], "--seeds")],
)
def test_mistakes_are_one_line(wrong, message, monkeypatch, capsys):
    monkeypatch.setattr(floors, "feature_net", lambda train, kind: None)
    assert run(floors.main, wrong) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
