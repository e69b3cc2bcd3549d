"""Tests of the judges themselves: a judge whose answers to known questions are wrong is not used.

* *Catches*: real held-out works against the same works with a tenth of their decisions replaced by others, drawn from
  the marginals (``redrawn``). A judge that is strong enough is right about ``LEAST`` of them.
* *Real against real*: training works of some groups against training works of others. A judge that is unbiased, and
  works that are unrelated across groups, give 0.5 within the 99% interval over groups.

Both are cached under a fingerprint of works and recipe.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...envs.corpora.cache import cache_folder, load_arrays, save_arrays
from ...envs.task import Ints, Split, Task, Works
from ..metrics.features import fingerprint
from .c2st import c2st, c2st_taught
from .matching import halves, matched_rows
from .redrawn import redrawn, share_changed
from .surprise import surprise

logger = logging.getLogger(__name__)
VERSION = 5
"""Version of judges and of their test; another one tests them anew."""
LEAST = 0.9
"""Lowest share of redrawn and real works that a judge in use is right about."""
TOLERANCE = 0.02
"""Distance from 0.5 of real against real that is no bias, however narrow the interval."""
FOLDS_TESTED = 2
"""Folds, of five, that judges of held-out works are tested on."""
ENOUGH = 0.12
"""Validation loss at which a judge has shown that it catches redrawn works, nats per work."""
MOST_REAL = 1500
"""Real works a side, at most, that are told from others."""
LEAST_REAL = 100
"""Real works a side, at least."""
TOLD = 0.4
"""Share of the training groups whose works are told from those of the other groups."""


@dataclasses.dataclass(frozen=True)
class SelfTest:
    """Results of the test of a kind of judge."""

    catches: float
    """Accuracy on real against redrawn works; not a number where there are too few works."""
    changed: float
    """Share of the decisions that differ in redrawn works (``redrawn.share_changed``); likewise."""
    real_vs_real: float
    """Accuracy on real against other real works; likewise."""
    low: float
    """Lower end of its 99% interval."""
    high: float
    """Upper end."""
    cpu_seconds: float
    """Spent on the test, when it was made."""

    @property
    def unbiased(self) -> bool:
        """True where real works cannot be told from other real works."""
        return self.low <= 0.5 <= self.high or abs(self.real_vs_real - 0.5) <= TOLERANCE

    @property
    def passed(self) -> bool:
        """True where the judge may be used."""
        return self.catches >= LEAST and self.unbiased

    @property
    def verdict(self) -> str:
        """The reason for which the judge is not used; "" where it is."""
        if self.passed:
            return ""
        if not np.isfinite([self.catches, self.real_vs_real]).all():
            return "not used: too few works to test it"
        if self.catches < LEAST:
            return f"not used: caught only {self.catches:.2f}"
        return f"not used: told real from real at {self.real_vs_real:.2f}"

    def summary(self, name: str = "judge") -> dict[str, float | None]:
        """Returns ``NAME_catches``, ``NAME_changed`` and ``NAME_real_vs_real`` for a result file."""
        figures = {"catches": self.catches, "changed": self.changed, "real_vs_real": self.real_vs_real}
        found = {f"{name}_{key}": value for key, value in figures.items()}
        return {key: value if np.isfinite(value) else None for key, value in found.items()}


def fresh_judges(task: Task[Any], real: Works) -> SelfTest:
    """Tests judges that learn from held-out works, ``c2st``.

    Args:
        task: whose works they are.
        real: held-out works, as many as are judged.
    """
    train = task.works("train")

    def catches() -> list[float]:
        fake = redrawn(task, real, train)
        found = c2st(real, fake, task.layout, rater=surprise(task), seeds=FOLDS_TESTED, enough=ENOUGH)
        return [found.accuracy, share_changed(task, real, fake)]

    return _cached("fresh", task, (train, real), catches)


def taught_judges(task: Task[Any], split: Split) -> SelfTest:
    """Tests judges that learn from the train split, ``c2st_taught``, on the works of a held-out split."""
    train, real = task.works("train"), task.works(split)

    def catches() -> list[float]:
        pairs = [(works, redrawn(task, works, train, seed)) for seed, works in enumerate((train, real))]
        found = c2st_taught(pairs[0], pairs[1], task.layout, rater=surprise(task), enough=ENOUGH)
        return [found.accuracy, share_changed(task, *pairs[1])]

    return _cached("taught", task, (train, real), catches)


def one_source(train: Works, share: float, seed: int) -> tuple[Works, Works]:
    """Returns two sets of training works of different groups, which are drawn at random.

    Works of a pair are of groups of the same half, so that no network rates a work that it learned from
    (``matching.halves``), and of the same condition, so that conditions do not tell the sets apart.

    Args:
        train: the works.
        share: of the groups' works that the first set is drawn from. It has half of them at most, and ``MOST_REAL`` at
            most, so that works of the other groups can stand for them; the second has as many.
        seed: of the choice.

    Raises:
        ValueError: there are too few works or groups.
    """
    rng = np.random.default_rng([seed, 11])
    groups, counts = np.unique(train.groups, return_counts=True)
    drawn: list[Ints] = []
    for half in (0, 1):
        part = rng.permutation(np.flatnonzero(halves(groups) == half))
        works = counts[part].cumsum()
        drawn.append(groups[part[works <= share * counts[part].sum()]])
    first = np.isin(train.groups, np.concatenate(drawn))
    rows = rng.permutation(np.flatnonzero(first))
    most, rest = min(MOST_REAL, -(-len(rows) // 2)), train.take(~first)
    while True:
        real = train.take(np.sort(rows[:most]))
        try:
            other = rest.take(matched_rows(real, rest, seed, halved=True))
            break
        except ValueError:  # a large group stands for one group alone, however small
            if (most := most // 2) < LEAST_REAL:
                raise
    alike = (real.conditions == other.conditions).all(1)
    return real.take(alike), other.take(alike)


def _cached(kind: str, task: Task[Any], works: tuple[Works, Works], catches: Callable[[], list[float]]) -> SelfTest:
    """Returns the result of a test from the cache folder; where it is missing, makes the test and keeps its result."""
    train = works[0]
    arrays = [array for part in works for array in (part.contents, part.conditions, part.groups)]
    recipe = f"{VERSION} {task.layout.kind} {type(task).__name__} {sorted(task.kwargs().items())}"
    real_path, catch_path = (
        cache_folder() / f"judges-{name}-{fingerprint(recipe, *given)}.npz"
        for name, given in (("real", arrays[:3]), (kind, arrays))
    )
    bias = _kept(real_path, 4, lambda: _real_vs_real(train, task))
    caught, changed, spent = _kept(catch_path, 3, lambda: _timed(catches, 2))
    accuracy, low, high, seconds = bias
    return SelfTest(caught, changed, accuracy, low, high, seconds + spent)


def _real_vs_real(train: Works, task: Task[Any]) -> list[float]:
    """Judges real works against other real ones: accuracy and its 99% interval, CPU seconds."""

    def judge() -> list[float]:
        real, other = one_source(train, TOLD, 0)
        found = c2st(real, other, task.layout, rater=surprise(task), seeds=FOLDS_TESTED, seed=1)
        return [found.accuracy, *found.interval(real.groups, 0, 0.99)]

    return _timed(judge, 3)


def _timed(measure: Callable[[], list[float]], num: int) -> list[float]:
    """Returns ``num`` figures and the CPU seconds they took; figures are not numbers where works are too few."""
    begun = time.process_time()
    try:
        found = measure()
    except ValueError as error:
        logger.info("judges cannot be tested: %s", error)
        found = [float("nan")] * num
    return [*found, round(time.process_time() - begun, 1)]


def _kept(path: Path, num: int, measure: Callable[[], list[float]]) -> list[float]:
    """Returns ``num`` figures from a file; where it is missing or damaged, measures them and writes it.

    Figures that are not numbers, of too few works, cost nothing and are measured anew.
    """
    try:
        figures: list[float] = load_arrays(path, {"figures": (np.float64, (num,))})["figures"].tolist()
    except FileNotFoundError:
        pass
    except ValueError as error:
        logger.warning("testing judges anew, since %s is damaged: %s", path, error)
    else:
        if np.isfinite(figures).all():
            return figures
    logger.info("testing the judges; the result is kept for the next time")
    figures = measure()
    save_arrays(path, {"figures": np.array(figures, np.float64)})
    return figures
