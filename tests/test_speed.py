"""The measurement of speed measures; what it is to come to stands in benchmarks/results/speed.json."""

import json
from types import SimpleNamespace

import pytest
import toys
from typer.testing import CliRunner

from musegym.benchmarks import learning_speed, speed

toys.register()


def test_rates_of_both_contestants_and_where_they_were_measured():
    result = speed.environment_speed("toy/Word-v0", rows=(1, 8), repeats=2, seconds=0.01)
    assert json.loads(json.dumps(result)) == result
    assert set(result["vector"]) == {"1", "8"}
    for rates in (result["scalar"], *result["vector"].values()):
        assert set(rates) == {"steps_per_second", "reference_steps_per_second", "ratio"}
        assert all(rate > 0 for rate in rates.values())
    assert result["scoring"]["contents_per_second"] > 0
    assert result["cores"] >= 1
    assert result["seconds"] > 0


def test_a_rate_counts_what_was_done(monkeypatch):
    seconds = iter([100.0, 101.0, 102.0, 105.0])
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    assert speed._rate(lambda: 10, 3.0) == pytest.approx(2 * 10 / 5)
    seconds = iter([100.0, 100.5, 101.0])
    assert speed._rate(lambda: 10, 0.0) == pytest.approx(10), "once at least"


def test_command_line_writes_a_file(tmp_path, monkeypatch):
    import typer

    monkeypatch.setattr(speed, "ROWS", (1,))
    app = typer.Typer()
    app.command()(speed.main)
    out = tmp_path / "results" / "speed.json"
    told = CliRunner().invoke(app, ["toy/Bits-v0", "--out", str(out), "--repeats", "1", "--seconds", "0.01"])
    assert told.exit_code == 0, told.output
    assert json.loads(out.read_text())["id"] == "toy/Bits-v0"


def test_learning_beside_sb3():
    result = learning_speed.learning_speed("toy/Bits-v0", repeats=1, seconds=0.05)
    assert json.loads(json.dumps(result)) == result
    assert result["ratio"] == pytest.approx(
        result["ours"]["steps_per_second"] / result["sb3_dqn"]["steps_per_second"], rel=1e-6
    )
    assert result["ratio"] > 0
