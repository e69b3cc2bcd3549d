"""Real works of a corpus: counted, and refused where they are too few."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..task import SPLITS, CorpusReport, Split, Works

FEW = 100  # works: an agent soon knows fewer by heart
MENTIONED = 3  # reasons, and names of files, in one line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UsableWorks:
    """The works of a corpus; they can be used where every split has some.

    Attributes:
        works: of each split, related by their tune.
        report: counts of the corpus.
        problem: reason why the works cannot be used, "" where they can.
        warning: warning to log before training with them, "" for none.
    """

    works: Mapping[Split, Works]
    report: CorpusReport
    problem: str
    warning: str

    def usable(self, split: Split) -> Works:
        """Returns the works of a split; the warning is logged the first time.

        Raises:
            ValueError: a split has no works.
        """
        if self.problem:
            raise ValueError(self.problem)
        if self.warning:
            _warn_once(self.warning)
        return self.works[split]


@functools.cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)


def problem(report: CorpusReport, kind: str, corpus: str, number: int, unit: str, suffixes: Sequence[str]) -> str:
    """Returns why a corpus cannot be used, "" if it can.

    Args:
        report: of the corpus.
        kind: names the works.
        corpus: names the corpus.
        number: of units, each of which is in one split.
        unit: names them, in the singular.
        suffixes: of the files that are read.
    """
    if all(report.works.values()):
        return ""
    reasons = [f"{reason} ({count})" for reason, count in report.left_out.items()]
    reasons += [f"{name}: {reason}" for name, reason in report.skipped]
    more = f", and {len(reasons) - MENTIONED} reasons more" if len(reasons) > MENTIONED else ""
    because = f"; left out: {'; '.join(reasons[:MENTIONED])}{more}" if reasons else ""
    if not report.files:
        return f"there is no {', '.join(suffixes)} file in {corpus}"
    if not report.total:
        return f"no {kind} in {corpus}{because}"
    plural = "" if number == 1 else "s"
    return (
        f"{corpus} holds {report.total} {kind}, of {number} {unit}{plural}, too few to be "
        f"split: it takes at least {len(SPLITS)} {unit}s, one each to train, validate and test{because}"
    )


def warning(report: CorpusReport, corpus: str) -> str:
    """Returns a warning about a usable corpus, "" for none."""
    warnings = []
    if report.skipped:
        named = "; ".join(f"{name}: {reason}" for name, reason in report.skipped[:MENTIONED])
        more = f"; and {len(report.skipped) - MENTIONED} more" if len(report.skipped) > MENTIONED else ""
        warnings.append(f"{len(report.skipped)} of {report.files} files were skipped ({named}{more})")
    if report.total < FEW:
        warnings.append(f"its {report.total} works are few: an agent soon knows fewer than {FEW} by heart")
    return f"{corpus}: {', and '.join(warnings)}" if warnings else ""
