"""Curves of the table rl-tuner against one another: points whose order is known."""

import json

import pytest

from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import fronts


def result(row, seed, rules_kept, nll_test, diversity, weight=None):
    return {
        "table": "rl-tuner",
        "row": row,
        "seed": seed,
        "env": {} if weight is None else {"rule_weight": weight},
        "own": {"rules_kept": rules_kept, "diversity": diversity},
        "evaluation": {"nll_test": nll_test},
    }


RESULTS = [
    result("no-rules", 0, 0.5, 33.0, 0.6),
    result("ours-w0.1", 0, 0.6, 33.5, 0.7, 0.1),
    result("ours-w0.1", 1, 0.8, 34.5, 0.7, 0.1),
    result("ours-sum-w0.1", 0, 0.6, 35.0, 0.8, 0.1),
    result("note-rnn", 0, 0.5, 32.0, 0.6),
    result("psi-w0.1", 0, 0.6, 33.6, 0.65, 0.1),
    result("q-w0.1", 0, 0.6, 33.4, 0.65, 0.1),
    result("g-w0.1", 0, 0.6, 33.6, 0.67, 0.1),
]


def test_means_over_seeds_in_the_order_of_weights():
    found = fronts.curves(RESULTS[::-1])
    assert found["ours"] == [
        {"weight": 0.0, "seeds": 1, "rules_kept": 0.5, "nll_test": 33.0, "diversity": 0.6},
        {"weight": 0.1, "seeds": 2, "rules_kept": pytest.approx(0.7), "nll_test": 34.0, "diversity": 0.7},
    ]


def test_a_line_between_two_points_dominates():
    by, coverage = fronts.compare(fronts.curves(RESULTS))
    # Half way, ours keeps 0.6 of the rules at 33.5 nats and a diversity of 0.65: as good as psi, not as q or g.
    assert by["psi"] == [[], ["ours", "q", "g"]]
    assert by["q"] == [[], []]
    assert by["g"] == [[], []]
    assert by["ours"] == by["ours-sum"] == [["psi", "q", "g"], []]
    assert coverage["ours"] == {"ours-sum": 0.0, "psi": 1.0, "q": 0.0, "g": 0.0}
    assert coverage["psi"] == {"ours": 0.0, "ours-sum": 0.0, "q": 0.0, "g": 0.0}


def test_command(tmp_path, capsys):
    for i, found in enumerate(RESULTS):
        (tmp_path / f"{i}.json").write_text(json.dumps(found))
    file = tmp_path / "out" / "fronts.json"
    assert run(fronts.main, [str(tmp_path), "--json", str(file)]) == 0
    assert "ours covers 0% of ours-sum, 100% of psi, 0% of q, 0% of g" in capsys.readouterr().out
    written = json.loads(file.read_text())
    assert written["curves"]["psi"][1]["dominated_by"] == ["ours", "q", "g"]
    for i in (4, 5):
        (tmp_path / f"{i}.json").unlink()
    assert run(fronts.main, [str(tmp_path)]) == 2
    assert capsys.readouterr().err == "python -m musegym.benchmarks.studies.fronts: there are no results of psi\n"
