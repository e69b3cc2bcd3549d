"""Whether a row lies below maximum likelihood's curve: sweeps of an oracle's table, held against one another.

``python -m musegym.benchmarks.sweeps [FOLDER] --json FILE`` reads the table's results. For each temperature it prints
how many pairs of a seed of the row and a seed of the baseline say that the row's point is ``below`` the baseline's
whole curve, ``dominated`` by it or ``beyond`` its ends (``curves.verdict``), and the point's ``excess``: how much
higher its NLL_test is than the curve's where NLL_oracle is the same, nats per token.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from . import RESULTS
from .curves import XY, verdict
from .files import answer, shown, writable, write_result
from .report.results import Result, load


def excess(point: XY, curve: Sequence[XY]) -> float | None:
    """Returns how much higher NLL_test is than a curve's where NLL_oracle is the same; None past the curve's ends.

    Args:
        point: (NLL_test, NLL_oracle).
        curve: at least one such point; neighbours by NLL_oracle are joined by straight lines.
    """
    nll_test, nll_oracle = np.array(sorted(curve, key=lambda knot: knot[1])).T
    if not nll_oracle[0] <= point[1] <= nll_oracle[-1]:
        return None
    return float(point[0] - np.interp(point[1], nll_oracle, nll_test))


def compare(results: Sequence[Result], row: str, against: str) -> list[dict[str, Any]]:
    """Holds each seed of a row against each of another: a line for each pair and temperature.

    Raises:
        ValueError: one of the rows has no results with a sweep.
    """
    points, curves = _sweeps(results, row), _sweeps(results, against)
    return [
        {
            "temperature": temperature,
            "seed": seed,
            "against": other,
            "verdict": verdict(point, list(curve.values())),
            "excess": excess(point, list(curve.values())),
        }
        for seed, sweep in points.items()
        for temperature, point in sweep.items()
        for other, curve in curves.items()
    ]


def _sweeps(results: Sequence[Result], row: str) -> dict[int, dict[float, XY]]:
    """Returns by seed and temperature (NLL_test, NLL_oracle)."""
    found = {
        result["seed"]: {
            point["temperature"]: (point["nll_test"], point["nll_oracle"]) for point in result["own"]["sweep"]
        }
        for result in results
        if result["row"] == row and "sweep" in result.get("own", {})
    }
    if not found:
        raise ValueError(f"there are no sweeps of {row}")
    return found


def markdown(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table by temperature."""
    lines = ["| temperature | below | dominated | beyond | excess: mean [least, most] |", "|---:|---:|---:|---:|---|"]
    for temperature in sorted({pair["temperature"] for pair in pairs}):
        of = [pair for pair in pairs if pair["temperature"] == temperature]
        said, over = (
            Counter(pair["verdict"] for pair in of),
            [pair["excess"] for pair in of if pair["excess"] is not None],
        )
        figures = f"{np.mean(over):+.4f} [{min(over):+.4f}, {max(over):+.4f}]" if over else "-"
        counts = " | ".join(str(said[name]) for name in ("below", "dominated", "beyond"))
        lines.append(f"| {temperature:g} | {counts} | {figures} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what each temperature's points are to the curves; exit code 2 where results are missing."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.sweeps")
    parser.add_argument("folder", type=Path, nargs="?", default=RESULTS / "oracle-small", help="of a table's results")
    parser.add_argument("--row", default="ours", help="whose points")
    parser.add_argument("--against", default="mle", help="whose curves")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    writable(given.json)
    try:
        pairs = compare(load(given.folder), given.row, given.against)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    print(markdown(pairs))
    options = ["--row", given.row, "--against", given.against]
    write_result(given.json, "sweeps", [shown(given.folder), *options], {"pairs": pairs})


if __name__ == "__main__":
    sys.exit(main())
