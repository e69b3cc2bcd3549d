"""How much do rules cost? Curves of the table ``rl-tuner`` over rule weights, compared with one another.

Reads the table's results and prints a line for each point of a method: the share of rules kept and the diversity
(higher is better), the held-out NLL in nats (lower is better), and the other methods whose curves are at least as good
in all three somewhere (``curves.dominated``). Points are means over seeds, joined by straight lines in the order of
their weights. A mixture of the models of two neighbouring weights has rules on the line, NLL on it or below and
diversity on it or above (the one is convex, the other concave in the distribution), so a mixture dominates wherever a
line does.

``coverage`` is the share of a method's points that another's curve dominates (Zitzler & Thiele 1998, "Multiobjective
optimization using evolutionary algorithms", measure C, with lines for the points of the covering front).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import typer

from ...errors import UsageError
from .. import RESULTS
from ..metrics.curves import dominated
from ..recorded import JsonFile, Results, read_results, run, write_result
from ..report.layout import markdown
from ..report.results import Result, figures_of

OBJECTIVES: Mapping[str, int] = {"rules_kept": 1, "nll_test": -1, "diversity": 1}
"""The objectives, and whether more (1) or less (-1) of each is better."""
METHODS: Mapping[str, str] = {
    **dict.fromkeys(("ours", "ours-sum"), "no-rules"),
    **dict.fromkeys(("psi", "q", "g"), "note-rnn"),
}
"""Methods, and the row of each at a weight of 0."""
Point = dict[str, float]


def curves(results: Sequence[Result]) -> dict[str, list[Point]]:
    """Returns each method's points, ``weight`` and the objectives, means over seeds, in the order of weights.

    Raises:
        UsageError: a method has no results.
    """
    found: dict[str, list[Point]] = {}
    for method, origin in METHODS.items():
        weights: dict[float, list[Mapping[str, Any]]] = {}
        for result in results:
            if result["row"] == origin or result["row"].startswith(f"{method}-w"):
                weights.setdefault(result["env"].get("rule_weight", 0.0), []).append(figures_of(result))
        if not weights:
            raise UsageError(f"there are no results of {method}")
        found[method] = [
            {"weight": weight, "seeds": len(group)}
            | {name: float(np.mean([figures[name] for figures in group])) for name in OBJECTIVES}
            for weight, group in sorted(weights.items())
        ]
    return found


def compare(found: Mapping[str, Sequence[Point]]) -> tuple[dict[str, list[list[str]]], dict[str, dict[str, float]]]:
    """Returns the methods that dominate each point of each, and ``coverage[a][b]``: the share of b's points under a.

    A row that two curves begin with counts against neither; points without rules are left out of shares.
    """
    lower = {method: [_lower(point) for point in points] for method, points in found.items()}

    def dominators(method: str, i: int) -> list[str]:
        shared = [other for other in found if not found[method][i]["weight"] and METHODS[other] == METHODS[method]]
        others = [other for other in found if other not in (method, *shared)]
        return [other for other in others if dominated(lower[method][i], lower[other])]

    by = {method: [dominators(method, i) for i in range(len(points))] for method, points in found.items()}
    ruled = {b: [by[b][i] for i, point in enumerate(points) if point["weight"]] for b, points in found.items()}
    coverage = {a: {b: float(np.mean([a in names for names in ruled[b]])) for b in found if b != a} for a in found}
    return by, coverage


def _lower(point: Point) -> tuple[float, ...]:
    """Returns a point's objectives with signs such that lower is better."""
    return tuple(-sign * point[name] for name, sign in OBJECTIVES.items())


def table(found: Mapping[str, Sequence[Point]], by: Mapping[str, Sequence[Sequence[str]]]) -> list[list[str]]:
    """Returns the points as cells, with a head."""
    lines = [["method", "weight", "seeds", *OBJECTIVES, "dominated by"]]
    for method, points in found.items():
        for point, names in zip(points, by[method], strict=True):
            figures = (f"{point[name]:.3f}" for name in OBJECTIVES)
            lines.append([method, f"{point['weight']:g}", str(point["seeds"]), *figures, ", ".join(names) or "-"])
    return lines


def main(context: typer.Context, results: Results = RESULTS / "rl-tuner", json_file: JsonFile = None) -> None:
    """Prints the points of each method, and the share of other methods' points that it covers."""
    found = curves(read_results(results))
    by, coverage = compare(found)
    print(markdown(table(found, by)), end="")
    for method, shares in coverage.items():
        print(f"{method} covers", ", ".join(f"{share:.0%} of {other}" for other, share in shares.items()))
    points = {
        method: [{**point, "dominated_by": names} for point, names in zip(points, by[method], strict=True)]
        for method, points in found.items()
    }
    write_result(context, json_file, {"curves": points, "coverage": coverage})


if __name__ == "__main__":
    sys.exit(run(main))
