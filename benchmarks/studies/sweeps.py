"""Does a row lie below maximum likelihood's curve? Sweeps of an oracle's table, compared with one another.

Reads the table's results. For each temperature it prints how many pairs of a seed of the row and a seed of the baseline
have the row's point ``below`` the baseline's whole curve, ``dominated`` by it or ``beyond`` its ends
(``curves.verdict``), and the point's ``excess``: how much higher its NLL_test is than the curve's where NLL_oracle is
the same, nats per token.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import typer

from ...errors import UsageError
from .. import RESULTS
from ..metrics.curves import XY, verdict
from ..recorded import JsonFile, Results, read_results, run, write_result
from ..report.layout import markdown
from ..report.results import Result

VERDICTS = ("below", "dominated", "beyond")


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
    """Compares each seed of a row with each of another: a line for each pair and temperature.

    Raises:
        UsageError: one of the rows has no results with a sweep.
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
        raise UsageError(f"there are no sweeps of {row}")
    return found


def table(pairs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns the pairs of each temperature as cells, with a head."""
    lines = [["temperature", *VERDICTS, "excess: mean [least, most]"]]
    for temperature in sorted({pair["temperature"] for pair in pairs}):
        group = [pair for pair in pairs if pair["temperature"] == temperature]
        verdicts = Counter(pair["verdict"] for pair in group)
        over = [pair["excess"] for pair in group if pair["excess"] is not None]
        figures = f"{np.mean(over):+.4f} [{min(over):+.4f}, {max(over):+.4f}]" if over else "-"
        lines.append([f"{temperature:g}", *(str(verdicts[name]) for name in VERDICTS), figures])
    return lines


def main(
    context: typer.Context,
    results: Results = RESULTS / "oracle-small",
    row: Annotated[str, typer.Option(help="Row of the points.")] = "ours",
    against: Annotated[str, typer.Option(help="Row of the curves.")] = "mle",
    json_file: JsonFile = None,
) -> None:
    """Prints how the points of each temperature lie to the curves."""
    pairs = compare(read_results(results), row, against)
    print(markdown(table(pairs)), end="")
    write_result(context, json_file, {"pairs": pairs})


if __name__ == "__main__":
    sys.exit(run(main))
