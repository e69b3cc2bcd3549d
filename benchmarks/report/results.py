"""Result files, and the figures in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from ...envs.registry import make_task
from ..measures import Column, domain_of
from ..metrics.stats import Interval, paired_difference, unpacked

GENERAL = (
    Column("c2st", lower_is_better=True),
    Column("c2st_taught", lower_is_better=True),
    Column("frechet", digits=2, lower_is_better=True),
    Column("nll_test", digits=2, lower_is_better=True),
    Column("nll_test_bound", digits=2, lower_is_better=True),
    Column("precision", digits=2, lower_is_better=False),
    Column("recall", digits=2, lower_is_better=False),
    Column("density", lower_is_better=False),
    Column("coverage", lower_is_better=False),
    Column("unique", lower_is_better=False),
    Column("novel", lower_is_better=False),
    Column("longest_copy", digits=2),
)
"""Columns of the general suite, in the order of reports."""
OTHERS = (Column("cpu_seconds", digits=0, lower_is_better=True),)
"""Columns that are shown on request only."""
JUDGES: dict[Literal["judged", "taught"], str] = {"judged": "c2st", "taught": "c2st_taught"}
"""Keys of results that hold judgements of single works, and their columns."""
Result = dict[str, Any]
NEEDED = {"evaluation": dict, "row": str, "table": str, "env_id": str, "seconds": (int, float)}
"""Keys of a result file that a report needs, and their types."""


def load(folder: Path, needed: Mapping[str, Any] = MappingProxyType({"evaluation": dict})) -> list[Result]:
    """Reads all result files of a folder.

    Args:
        folder: where they are.
        needed: keys that each must hold, and their types; files without an evaluation are left out.

    Raises:
        ValueError: there are none, or one is damaged.
    """
    results = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(result, dict):
                raise ValueError(f"it holds no object but {type(result).__name__}")
            wrong = [key for key, kind in needed.items() if not isinstance(result.get(key), kind)]
            if "evaluation" in result and wrong:
                raise ValueError(f"it has no {' or '.join(wrong)} of the right type")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no result file ({error}): delete it and run again") from None
        if "evaluation" in result:
            results.append(result)
    if not results:
        raise ValueError(f"{folder} holds no results; `musegym bench` writes them")
    return results


def columns_of(results: Sequence[Result]) -> dict[str, Column]:
    """Returns the columns of results by key: those of their domains first, then the general suite's, then conditions'.

    A domain's column takes the place of a general one with the same key. Domains that cannot be imported have none.
    """
    found: dict[str, Column] = {}
    for env_id in dict.fromkeys(str(result.get("env_id")) for result in results):
        try:
            columns = domain_of(env_id).columns
        except (gym.error.Error, ImportError):
            continue
        found |= {column.key: column for column in columns if column.key not in found}
    names = {name for result in results for name in result.get("evaluation", {})}
    control = (name for name in sorted(names) if name.startswith("control_") and not name.endswith("_real"))
    general = (*GENERAL, *(Column(name, lower_is_better=False) for name in control))
    return found | {column.key: column for column in general if column.key not in found}


def figures_of(result: Result) -> Mapping[str, Any]:
    """Returns the numbers of a result by name: the general suite's, the domain's, and the medium's metrics.

    Where the domain's measure and the general suite share a name, the figure is the domain's, and that of the suite is
    called ``evaluation.NAME``.
    """
    measured, taught = result.get("own", {}), result.get("taught", {})
    metrics = {**result["evaluation"].get("metrics", {}), **measured.get("metrics", {})}
    other = {"c2st_taught": taught.get("accuracy"), "cpu_seconds": result.get("cpu_seconds")}
    return _numbers({**metrics, **_apart(result["evaluation"], measured), **measured, **other})


def figures_of_real(result: Result) -> Mapping[str, Any]:
    """Returns the figures of real held-out works by the same names; those of a perfect model where works have none."""
    figures: dict[str, Any] = result["evaluation"]
    known = {name.removesuffix("_real"): value for name, value in figures.items() if name.endswith("_real")}
    known |= known.pop("metrics", {})
    known |= {"c2st": 0.5, "c2st_taught": 0.5, "frechet": figures.get("frechet_floor")}
    measured = result.get("own", {})
    return _numbers({**_apart(known, measured), **measured.get("real", {})})


def _apart(general: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """Renames figures of the general suite whose names the domain's measure has too."""
    return {f"evaluation.{name}" if name in measured else name: value for name, value in general.items()}


def _numbers(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Keeps numbers, and None in the place of numbers that could not be measured."""
    return {name: value for name, value in figures.items() if value is None or isinstance(value, int | float)}


def remark(results: Sequence[Result], key: str) -> str:
    """Returns the text that takes the place of a figure, such as the reason for which judges are not used; "" else."""
    for result in results:
        judged = {"c2st": result["evaluation"].get("c2st"), "c2st_taught": result.get("taught", {}).get("accuracy")}
        if isinstance(text := judged.get(key), str):
            return text
    return ""


def place(result: Result) -> tuple[str, ...]:
    """Returns the works that a result was measured against: environment, its arguments, split."""
    env = (f"{name}={value}" for name, value in result.get("env", {}).items())
    return (str(result.get("env_id")), *env, str(result["evaluation"].get("split")))


def difference(
    ours: Sequence[Result], theirs: Sequence[Result], judges: Literal["judged", "taught"] = "judged"
) -> Interval:
    """C2ST of one row minus another's on the same works, with a paired bootstrap over groups (tunes).

    The share of right judgements about real work i and its generated partner is first averaged over seeds of each row.

    Args:
        ours: the results of one row, a seed each.
        theirs: those of the other.
        judges: "judged" for judges that learned from held-out works, "taught" for those of the train split.

    Raises:
        ValueError: a row was not judged, or on different works.
    """

    def right(results: Sequence[Result]) -> NDArray[np.float64]:
        rows = []
        for result in results:
            judgements = result.get(judges)
            if not judgements or "real" not in judgements:
                raise ValueError(f"{result['row']} has no judgements to compare")
            n = int(result["evaluation"]["judged"])
            rows.append((unpacked(judgements["real"], n) * 1.0 + unpacked(judgements["fake"], n)) / 2)
        mean: NDArray[np.float64] = np.mean(rows, 0)
        return mean

    first = ours[0]
    groups = make_task(first["env_id"], **first.get("env", {})).works(first["evaluation"]["split"]).groups
    return paired_difference(right(ours), right(theirs), groups, np.random.default_rng(0))
