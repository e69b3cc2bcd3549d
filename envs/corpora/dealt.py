"""Phrases of pieces as works, each in the split of its piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Works
from .files import printable
from .usable import UsableWorks, problem, warning
from .voices import SUFFIXES


class Phrases(Protocol):
    """Phrases that were read from files of music."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The split of each: "train", "validation" or "test"."""

    @property
    def left_out(self) -> Counter[str]:
        """Numbers of phrases left out, by reason."""

    @property
    def files(self) -> int:
        """Number of files found."""

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(name, reason) of the files that gave nothing."""


def phrases_as_works(
    found: Phrases,
    contents: NDArray[np.uint8],
    conditions: NDArray[np.int64],
    keys: Sequence[Hashable],
    groups: Sequence[int],
    unit: str,
    corpus: str | None,
) -> UsableWorks:
    """Returns phrases as works by split; of those with equal keys the first counts.

    Args:
        found: what was read.
        contents: uint8 [N, ...] of the phrases.
        conditions: int64 [N, C].
        keys: of the phrases, N.
        groups: of the phrases, N: equal for those that are related, all of which are in one split.
        unit: names a group in messages, in the singular.
        corpus: names a user's own files; None for packaged ones, of which nobody is warned.
    """
    first: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    left_out, related = Counter(found.left_out), np.array(groups, np.int64)
    if repeats := len(keys) - len(first):
        left_out["phrase: equal to another"] += repeats
    rows = {split: [row for row in first.values() if found.labels[row] == split] for split in SPLITS}
    report = CorpusReport(
        {split: len(own) for split, own in rows.items()},
        found.files,
        found.files - len(found.skipped),
        dict(left_out.most_common()),
        found.skipped,
    )
    name = printable(corpus or "the corpus")
    why = problem(report, "phrases", name, len(set(related.tolist())), unit, SUFFIXES)
    works = {split: Works(contents[own], conditions[own], related[own]) for split, own in rows.items()}
    return UsableWorks(works, report, why, warning(report, name) if corpus else "")
