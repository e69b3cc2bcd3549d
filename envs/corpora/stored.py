"""Works of a corpus and its counts as arrays of a cache file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..task import SPLITS, Condition, CorpusReport, Split, Works
from .cache import Arrays, Layout
from .usable import UsableWorks, problem, warning


def layout(
    shape: tuple[int, ...], conditions: Sequence[Condition], name: str = "contents", dtype: DTypeLike = np.uint8
) -> Layout:
    """Returns the layout of the arrays that ``usable_works`` takes, for contents of a shape: see ``cache.cached``."""
    return {
        name: (dtype, (None, *shape)),
        "conditions": (np.uint8, (None, len(conditions))),
        "groups": (np.int32, (None,)),
        "parts": (np.uint8, (None,)),
        "report": (np.uint8, (None,)),
    }


def numbered(styles: Sequence[Sequence[str]], conditions: Sequence[Condition]) -> NDArray[np.uint8]:
    """Returns the values of C conditions as numbers, uint8 [N, C]."""
    values = [
        [condition.values.index(value) for condition, value in zip(conditions, style, strict=True)] for style in styles
    ]
    return np.array(values, np.uint8).reshape(len(styles), len(conditions))


def report(
    num_files: int, read: int, left_out: Mapping[str, int], skipped: Sequence[tuple[str, str]]
) -> NDArray[np.uint8]:
    """Returns the counts of a corpus, all but those of its works, as an array; see ``CorpusReport``."""
    known = {
        "files": num_files,
        "read": read,
        "left_out": dict(Counter(left_out).most_common()),
        "skipped": list(skipped),
    }
    return np.frombuffer(json.dumps(known).encode(), np.uint8)


def usable_works(
    arrays: Arrays, kind: str, named: str, suffixes: Sequence[str], own: bool, unit: str, name: str = "contents"
) -> UsableWorks:
    """Returns the works of arrays, by split.

    Args:
        arrays: contents [N, ...], conditions [N, C], groups [N], parts [N] as indices of ``SPLITS``, and the report.
        kind: names the works.
        named: names the corpus.
        suffixes: of the files that are read.
        own: True for a user's corpus, about which there may be a warning.
        unit: names what is in one split, in the singular.
        name: of the array of contents.

    Raises:
        ValueError: the arrays are of unequal lengths.
    """
    if len({len(arrays[each]) for each in (name, "conditions", "groups", "parts")}) != 1:
        raise ValueError("its arrays are of unequal lengths")
    works = dict[Split, Works]()
    for part, split in enumerate(SPLITS):
        rows = arrays["parts"] == part
        works[split] = Works(
            arrays[name][rows],
            arrays["conditions"][rows].astype(np.int64),
            arrays["groups"][rows].astype(np.int64),
        )
    known = json.loads(arrays["report"].tobytes())
    counts = {split: len(own) for split, own in works.items()}
    skipped = tuple((file, reason) for file, reason in known["skipped"])
    found = CorpusReport(counts, known["files"], known["read"], known["left_out"], skipped)
    why = problem(found, kind, named, len(np.unique(arrays["groups"])), unit, suffixes)
    return UsableWorks(works, found, why, warning(found, named) if own else "")
