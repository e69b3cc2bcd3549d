"""Sweeps of an oracle's table against one another: points whose place is known."""

import json

import pytest

from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import sweeps


def result(row, seed, *points):
    sweep = [{"temperature": t, "nll_test": x, "nll_oracle": y} for t, x, y in points]
    return {"table": "oracle-small", "row": row, "seed": seed, "own": {"sweep": sweep}, "evaluation": {}}


RESULTS = [
    result("mle", 0, (1.0, 2.0, 3.0), (0.8, 3.0, 2.0)),
    result("mle", 1, (0.8, 2.6, 2.0), (1.0, 1.6, 3.0)),
    result("ours", 3, (0.8, 2.4, 2.5), (1.0, 1.9, 3.5)),
    {"table": "oracle-small", "row": "ours", "seed": 4},  # not measured yet
]


def test_excess_is_the_distance_to_the_line():
    curve = [(2.0, 3.0), (3.0, 2.0)]
    assert sweeps.excess((2.7, 2.5), curve) == pytest.approx(0.2)
    assert sweeps.excess((2.7, 2.5), curve[::-1]) == pytest.approx(0.2)
    assert sweeps.excess((1.5, 3.0), curve) == pytest.approx(-0.5)
    assert sweeps.excess((1.5, 3.1), curve) is None


def test_every_seed_is_held_against_every_other():
    pairs = sweeps.compare(RESULTS, "ours", "mle")
    assert [(pair["temperature"], pair["seed"], pair["against"], pair["verdict"]) for pair in pairs] == [
        (0.8, 3, 0, "below"),
        (0.8, 3, 1, "dominated"),
        (1.0, 3, 0, "beyond"),
        (1.0, 3, 1, "dominated"),
    ]
    assert [pair["excess"] for pair in pairs[:2]] == pytest.approx([-0.1, 0.3])


def test_command(tmp_path, capsys):
    for i, found in enumerate(RESULTS):
        (tmp_path / f"{i}.json").write_text(json.dumps(found))
    file = tmp_path / "out" / "sweeps.json"
    assert run(sweeps.main, [str(tmp_path), "--json", str(file)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[2] == "| 0.8 | 1 | 1 | 0 | +0.1000 [-0.1000, +0.3000] |"
    assert table[3] == "| 1 | 0 | 1 | 1 | - |"
    assert len(json.loads(file.read_text())["pairs"]) == 4
    assert run(sweeps.main, [str(tmp_path), "--row", "nobody"]) == 2
    assert "no sweeps of nobody" in capsys.readouterr().err
