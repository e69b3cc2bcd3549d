"""Reports: figures, columns and layouts of result files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
from test_cli import refused

from musegym.benchmarks.report.layout import cells, markdown
from musegym.benchmarks.report.results import columns_of


def test_report_prints_or_writes_a_page(tmp_path: Path, call: Any) -> None:
    found = {
        "table": "toy", "env_id": "toy/<Word>-v0", "row": "ours", "seconds": 600.0, "partial": False,
        "evaluation": {"c2st": 0.58, "frechet_floor": 1.5},
    }  # fmt: skip
    (tmp_path / "ours-s0.json").write_text(json.dumps(found))
    code, out, _ = call("report", tmp_path)
    assert code == 0
    assert "| method | seeds | seconds | c2st ↓ |" in out
    assert "| ours | 1 | 600 | 0.580 |" in out
    file = tmp_path / "page.html"
    assert call("report", tmp_path, "--html", file) == (0, f"{file}\n", "")
    text = file.read_text()
    assert "<tr><td>ours</td><td>1</td><td>600</td><td>0.580</td></tr>" in text
    assert "<tr><td>real works</td><td></td><td></td><td>0.500</td></tr>" in text
    assert "&lt;Word&gt;" in text
    (tmp_path / "empty").mkdir()
    refused(call("report", "no-such"), "no-such")
    refused(call("report", tmp_path / "empty"), "no results")
    refused(call("report", tmp_path, "--against", "theirs"), "theirs")
    refused(call("report", tmp_path, "--columns", "c2st,beauty"), "beauty")
    refused(call("report", tmp_path, "--html", tmp_path / "no" / "page.html"), "page.html")


def test_report_shows_own_measures_and_the_works_they_are_read_beside(
    tmp_path: Path,
    call: Any,
) -> None:
    def shown(*columns: str) -> list[str]:
        code, out, _ = call("report", tmp_path, *(word for name in columns for word in ("--columns", name)))
        assert code == 0
        return list(out.splitlines())

    def result(row: str, seed: int, density: str, nll: float, floor: float) -> None:
        found = {
            "table": "toy", "env_id": "musegym/Density-v0", "env": {"density": density}, "row": row, "seed": seed,
            "seconds": 600.0, "partial": False, "evaluation": {"split": "test", "density": 0.5, "nll_test": 20.0},
            "own": {
                "nll": nll, "mmd": 0.00012, "nll_test": 0.6, "metrics": {"spread": 2.0},
                "real": {"nll": floor, "mmd": 0.0},
            },
        }  # fmt: skip
        (tmp_path / f"{row}-s{seed}.json").write_text(json.dumps(found))

    result("moons", 0, "moons", 20.25, 19.7)
    result("moons", 1, "moons", 20.75, 19.7)
    result("circles", 0, "circles", 21.0, 20.5)
    head, _, circles, moons, *real = shown("nll", "mmd,spread")
    assert head == "| method | seeds | seconds | nll ↓ | mmd ↓ | spread |"
    assert circles == "| circles | 1 | 600 | 21.000 | 0.00012 | 2.000 |"
    assert moons == "| moons | 2 | 600 | 20.500 [20.250, 20.750] | 0.00012 | 2.000 |"
    assert real == [
        "| real works: musegym/Density-v0 density=circles test |  |  | 20.500 | 0.00000 |  |",
        "| real works: musegym/Density-v0 density=moons test |  |  | 19.700 | 0.00000 |  |",
    ]
    # Where all are read beside the same figures, one line says so.
    assert shown("mmd")[-1] == "| real works |  |  | 0.00000 |"
    # The domain's own figure goes by the name that both have.
    assert shown("nll_test,evaluation.nll_test")[3] == "| moons | 2 | 600 | 0.60 | 20.000 |"


def test_each_condition_has_a_column(tmp_path: Path, call: Any) -> None:
    found = {
        "table": "toy", "env_id": "toy/Word-v0", "row": "ours", "seconds": 60.0, "partial": False,
        "evaluation": {"unique": 0.5, "control_size": 0.75, "control_size_real": 0.875, "reward_vowels": 2.0},
    }  # fmt: skip
    (tmp_path / "ours-s0.json").write_text(json.dumps(found))
    head, _, ours, real = call("report", tmp_path)[1].splitlines()
    assert head == "| method | seeds | seconds | unique ↑ | control_size ↑ |"
    assert ours == "| ours | 1 | 60 | 0.500 | 0.750 |"
    assert real == "| real works |  |  |  | 0.875 |"
    assert call("report", tmp_path, "--columns", "reward_vowels")[1].splitlines()[2] == "| ours | 1 | 60 | 2.000 |"


def test_columns_of_a_domain_come_first_and_replace_general_ones() -> None:
    columns = columns_of([{"env_id": "musegym/Oracle-v0"}])
    assert next(iter(columns)) == "nll_oracle"
    assert columns["nll_test"].digits == 3  # nats per token, not per content
    assert list(columns).count("nll_test") == 1
    assert columns_of([{"env_id": "gone/Task-v0"}])["nll_test"].digits == 2


def test_rows_of_other_works_are_not_compared() -> None:
    def row(name: str, env: dict[str, Any]) -> dict[str, Any]:
        judged = {"real": "ff" * 2, "fake": "f0" * 2}
        return {
            "row": name, "seed": 0, "seconds": 1.0, "partial": False, "env_id": "toy/Word-v0", "env": env,
            "evaluation": {"split": "test", "c2st": 0.5, "judged": 12}, "judged": judged,
        }  # fmt: skip

    toys.register()
    found = [row("a", {}), row("b", {}), row("c", {"double": True})]
    found[1]["judged"] = {"real": "0000", "fake": "f0f0"}
    _, _, *lines = (line.split("|") for line in markdown(cells(found, against="b")).splitlines())
    assert lines[0][-2].strip() == "0.500 [0.500, 0.500]"
    assert lines[1][-2].strip() == lines[2][-2].strip() == ""


def test_report_knows_tables_before_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    found = {"env_id": "x", "seconds": 1.0, "partial": False, "evaluation": {"c2st": 0.5}}
    for folder, row in (("all/melody", "a"), ("melody", "b"), ("mine", "c"), ("all/gone-Task-v0", "d")):
        (tmp_path / folder).mkdir(parents=True)
        result = found | {"table": folder, "row": row}
        (tmp_path / folder / "x-s0.json").write_text(json.dumps(result))
    monkeypatch.chdir(tmp_path)
    assert "| a |" in call("report", "melody", "--results", "all")[1]
    assert "| c |" in call("report", "mine", "--results", "all")[1]
    assert "| d |" in call("report", "gone/Task-v0", "--results", "all")[1]
    refused(call("report", "no-such"), "no suite (standard), no table (melody, ")


def test_report_needs_no_queue() -> None:
    """Windows has no fcntl, which the queue's locks need."""
    code = "import sys, musegym.benchmarks.report.sections; sys.exit('musegym.benchmarks.runner.state' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paired_differences_stand_in_the_table() -> None:
    def row(name: str, c2st: float, seed: int) -> dict[str, Any]:
        return {
            "row": name, "seed": seed, "seconds": 600.0, "partial": seed == 1, "seconds_asked": 600.0,
            "evaluation": {"c2st": c2st, "frechet": 2.0, "nll_test": 50.0, "longest_copy": None},
        }  # fmt: skip

    text = markdown(cells([row("mle", 0.61, 0), row("ours", 0.58, 0), row("ours", 0.60, 1)], ["ours", "mle"]))
    ours, mle = text.splitlines()[2:4]
    assert "0.590" in ours
    assert "partial" in ours
    assert "0.610" in mle
    assert "partial" not in mle
