"""Works cut from strains: split and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Works
from .files import printable
from .strains import Strain, components, split
from .tunes import SUFFIXES, Strains
from .usable import UsableWorks, problem, warning


class Cut(NamedTuple):
    """A work as it was cut: its content int16 [...] and its condition int16 [C]."""

    content: NDArray[np.int16]
    condition: NDArray[np.int16]


def cut_works(
    strains: Strains, cut: Callable[[Strain], tuple[list[Cut], list[str]]], kind: str, corpus: str
) -> UsableWorks:
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
    unrelated = len(set(components([strain for strain, _, _ in cuts]).tolist()))
    why = problem(report, kind, printable(corpus), unrelated, "unrelated tune", SUFFIXES)
    splits = {} if why else {name: _stacked(found[name]) for name in SPLITS}
    return UsableWorks(splits, report, why, warning(report, printable(corpus)))


def _stacked(found: dict[tuple[int, bytes, bytes], Cut]) -> Works:
    contents, conditions = (np.stack(arrays) for arrays in zip(*found.values(), strict=True))
    return Works(contents, conditions, np.array([tune for tune, _, _ in found], np.int64))
