"""The study of a domain's own measure: figures of runs, those of references, and mistakes."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import toys
from test_recorded import make_run

from musegym.benchmarks.measures import Domain
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import domain

toys.register()
PROGRAM = f"python -m {domain.__name__}"


@pytest.fixture(autouse=True)
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in an empty folder, with a measure of the toy words."""

    def measure(sampler: Any, split: Any, seed: int) -> dict[str, Any]:
        return {"length": sampler.sample(None, 7, seed).shape[1], "split": split, "seed": seed}

    def references(task: Any, split: Any, seed: int) -> dict[str, Any]:
        return {"real": len(task.corpus(split)), "kwargs": dict(task.kwargs()), "seed": seed}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toys.WordTask, "benchmark", f"{__name__}_measures")
    module = types.SimpleNamespace(DOMAIN=Domain(measure, references))
    monkeypatch.setitem(sys.modules, f"{__name__}_measures", module)


def test_a_line_for_each_run_and_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("first"), "toy/Word-v0", 0)
    make_run(Path("second"), "toy/Word-v0", 1)
    arguments = ["toy/Word-v0", "first", "second", "--split", "test", "--seed", "3"]
    assert run(domain.main, [*arguments, "--json", "new/words.json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    length = toys.WordTask().layout.shape[0]
    assert rows == [{"run": name, "length": length, "split": "test", "seed": 3} for name in ("first", "second")]
    found = json.loads(Path("new/words.json").read_text())
    assert (found["id"], found["rows"]) == ("toy/Word-v0", rows)
    assert found["command"] == f"{PROGRAM} {' '.join(arguments)} --json new/words.json"
    assert "commit" in found


def test_references_where_no_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(domain.main, ["toy/Word-v0", "--set", "double=true"]) == 0
    task = toys.WordTask(double=True)
    expected = {"real": len(task.corpus("validation")), "kwargs": dict(task.kwargs()), "seed": 0}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["toy/Word-v0", "nothing"], "nothing does not exist"),
        (["toy/Bits-v0"], "toy/Bits-v0 has no measure of its own"),
        (["toy/None-v0"], "no environment is called toy/None-v0"),
        (["toy/Word-v0", "--set", "colour=1"], "takes no such argument"),
        (["toy/Word-v0", "words"], "words is a run of toy/Bits-v0"),
        (["toy/Word-v0", "words", "--set", "double=true"], "--set is of the references"),
        (["toy/Word-v0", "--seed", "-1"], "Invalid value for '--seed'"),
        (["toy/Word-v0", "--json", "."], "name a file that can be written"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("words"), "toy/Bits-v0", 0)
    assert run(domain.main, arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{PROGRAM}: ")
    assert message in line
