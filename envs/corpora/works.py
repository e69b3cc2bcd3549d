"""Works cut from strains: split, counted, and refused where they are too few."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Split, Works
from .files import printable
from .strains import Strain, components, split
from .tunes import SUFFIXES, Strains

FEW = 100  # works: an agent soon knows fewer by heart
MENTIONED = 3  # reasons, and names of files, in one line

logger = logging.getLogger(__name__)


class Cut(NamedTuple):
    """A work as it was cut: its content int16 [...] and its condition int16 [C]."""

    content: NDArray[np.int16]
    condition: NDArray[np.int16]


@dataclass(frozen=True)
class CutWorks:
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


def cut_works(
    strains: Strains, cut: Callable[[Strain], tuple[list[Cut], list[str]]], kind: str, corpus: str
) -> CutWorks:
    """Cuts strains into works and splits them; a work that a tune repeats to the letter counts once.

    The split is that of the strains. Where it leaves a part without works, those strains that give works are split
    anew among themselves.

    Args:
        strains: Of a corpus.
        cut: Returns the works of a strain, and why others were left out.
        kind: Names the works in messages.
        corpus: Names the corpus in messages.
    """
    left_out = Counter(strains.left_out)
    cuts = list[tuple[Strain, str, list[Cut]]]()
    for strain, label in zip(strains, strains.labels, strict=True):
        works, reasons = cut(strain)
        left_out.update(reasons)
        if works:
            cuts.append((strain, label, works))
    if cuts and {label for _, label, _ in cuts} != set(SPLITS):
        labels = split([strain for strain, _, _ in cuts])
        cuts = [(strain, label, works) for (strain, _, works), label in zip(cuts, labels, strict=True)]
    found: dict[str, dict[tuple[int, bytes, bytes], Cut]] = {name: {} for name in SPLITS}
    for strain, label, works in cuts:
        for work in works:
            found[label].setdefault((strain.tune, work.condition.tobytes(), work.content.tobytes()), work)
    if repeats := sum(len(works) for _, _, works in cuts) - sum(map(len, found.values())):
        left_out["repeated within its tune"] = repeats
    report = CorpusReport(
        {name: len(found[name]) for name in SPLITS},
        strains.files,
        strains.files - len(strains.skipped),
        dict(left_out.most_common()),
        strains.skipped,
    )
    problem = _problem(report, [strain for strain, _, _ in cuts], kind, printable(corpus))
    splits = {} if problem else {name: _stacked(found[name]) for name in SPLITS}
    return CutWorks(splits, report, problem, _warning(report, printable(corpus)))


def _stacked(found: dict[tuple[int, bytes, bytes], Cut]) -> Works:
    contents, conditions = (np.stack(arrays) for arrays in zip(*found.values(), strict=True))
    return Works(contents, conditions, np.array([tune for tune, _, _ in found], np.int64))


def _problem(report: CorpusReport, strains: list[Strain], kind: str, corpus: str) -> str:
    """Returns why a corpus cannot be used, "" if it can."""
    if all(report.works.values()):
        return ""
    reasons = [f"{reason} ({count})" for reason, count in report.left_out.items()]
    reasons += [f"{name}: {reason}" for name, reason in report.skipped]
    more = f", and {len(reasons) - MENTIONED} reasons more" if len(reasons) > MENTIONED else ""
    because = f"; left out: {'; '.join(reasons[:MENTIONED])}{more}" if reasons else ""
    if not report.files:
        return f"there is no {', '.join(SUFFIXES)} file in {corpus}"
    if not report.total:
        return f"no {kind} in {corpus}{because}"
    unrelated = len(set(components(strains).tolist()))
    return (
        f"{corpus} holds {report.total} {kind}, of {unrelated} unrelated tune{'s' * (unrelated != 1)}, too few to be "
        f"split: it takes at least {len(SPLITS)} unrelated tunes, one each to train, validate and test{because}"
    )


def _warning(report: CorpusReport, corpus: str) -> str:
    """Returns a warning about a usable corpus, "" for none."""
    warnings = []
    if report.skipped:
        named = "; ".join(f"{name}: {reason}" for name, reason in report.skipped[:MENTIONED])
        more = f"; and {len(report.skipped) - MENTIONED} more" if len(report.skipped) > MENTIONED else ""
        warnings.append(f"{len(report.skipped)} of {report.files} files were skipped ({named}{more})")
    if report.total < FEW:
        warnings.append(f"its {report.total} works are few: an agent soon knows fewer than {FEW} by heart")
    return f"{corpus}: {', and '.join(warnings)}" if warnings else ""
