"""The cost of rules: curves of the table ``rl-tuner`` over rule weights, held against one another.

``python -m musegym.benchmarks.fronts [FOLDER] --json FILE`` reads the table's results and prints a line for each point
of a method: the share of rules kept and the diversity (higher is better), the held-out NLL in nats (lower is), and
which other methods' curves are at least as good in all three somewhere (``curves.dominated``). Points are means over
seeds, joined by straight lines in the order of their weights. Who draws each melody with one weight or, with some
probability, with the next has rules on the line, NLL on it or below and diversity on it or above (the one is convex,
the other concave in the distribution), so that what a line dominates, a sampler dominates.

``coverage`` is the share of a method's points that another's curve dominates (Zitzler & Thiele 1998, "Multiobjective
optimization using evolutionary algorithms", measure C, with lines for the points of the covering front).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from . import RESULTS
from .curves import dominated
from .files import answer, shown, writable, write_result
from .report.results import Result, figures_of, load

OBJECTIVES: Mapping[str, int] = {"rules_kept": 1, "nll_test": -1, "diversity": 1}
"""What a method is to be good in, and whether more (1) or less (-1) of it is better."""
METHODS: Mapping[str, str] = {
    **dict.fromkeys(("ours", "ours-sum"), "no-rules"),
    **dict.fromkeys(("psi", "q", "g"), "note-rnn"),
}
"""Methods, and the row that stands for each at a weight of 0."""
Point = dict[str, float]


def curves(results: Sequence[Result]) -> dict[str, list[Point]]:
    """Returns each method's points, ``weight`` and the objectives, means over seeds, in the order of weights.

    Raises:
        ValueError: a method has no results.
    """
    found: dict[str, list[Point]] = {}
    for method, origin in METHODS.items():
        weights: dict[float, list[Mapping[str, Any]]] = {}
        for result in results:
            if result["row"] == origin or result["row"].startswith(f"{method}-w"):
                weights.setdefault(result["env"].get("rule_weight", 0.0), []).append(figures_of(result))
        if not weights:
            raise ValueError(f"there are no results of {method}")
        found[method] = [
            {"weight": weight, "seeds": len(group)}
            | {name: float(np.mean([figures[name] for figures in group])) for name in OBJECTIVES}
            for weight, group in sorted(weights.items())
        ]
    return found


def compare(found: Mapping[str, Sequence[Point]]) -> tuple[dict[str, list[list[str]]], dict[str, dict[str, float]]]:
    """Returns which methods dominate each point of each, and ``coverage[a][b]``: the share of b's points that a does.

    A row in which two curves begin says nothing of either; points without rules are left out of shares.
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


def markdown(found: Mapping[str, Sequence[Point]], by: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Returns a table of the points."""
    lines = [f"| method | weight | seeds | {' | '.join(OBJECTIVES)} | dominated by |"]
    lines.append("|---|" + "---:|" * (2 + len(OBJECTIVES)) + "---|")
    for method, points in found.items():
        for point, names in zip(points, by[method], strict=True):
            figures = " | ".join(f"{point[name]:.3f}" for name in OBJECTIVES)
            lines.append(
                f"| {method} | {point['weight']:g} | {point['seeds']:g} | {figures} | {', '.join(names) or '-'} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the points and what covers what; exit code 2 where results are missing."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.fronts")
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS / "rl-tuner", help="of the table's results")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    writable(given.json)
    try:
        found = curves(load(given.folder))
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    by, coverage = compare(found)
    print(markdown(found, by))
    for method, shares in coverage.items():
        print(f"{method} covers", ", ".join(f"{share:.0%} of {other}" for other, share in shares.items()))
    points = {
        method: [{**point, "dominated_by": names} for point, names in zip(points, by[method], strict=True)]
        for method, points in found.items()
    }
    write_result(given.json, "fronts", [shown(given.folder)], {"curves": points, "coverage": coverage})


if __name__ == "__main__":
    sys.exit(main())
