"""Phrases cut from pieces of music, whatever they consist of: found, kept with the split of each, joined by piece."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS
from . import sources
from .files import Found, find

SHARED = 2  # phrases from which two pieces are related
P = TypeVar("P")


@dataclass(frozen=True)
class Phrases(Generic[P]):
    """All phrases of a corpus.

    Attributes:
        items: the phrases, piece by piece.
        labels: the split of each: "train", "validation" or "test".
        names: source of each piece.
        left_out: numbers of phrases left out, by reason.
        files: number of files found.
        skipped: (name, reason) of the files that gave nothing.
    """

    items: tuple[P, ...] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    left_out: Counter[str]
    files: int = 0
    skipped: tuple[tuple[str, str], ...] = ()


def find_scores(corpus: str | None, suffixes: Sequence[str], source: str, folder: str = "") -> tuple[Found, str]:
    """Returns the files of a corpus, and a text that differs whenever they do, for the name of its cache.

    Args:
        corpus: a folder of the user's, or one file; None for a source.
        suffixes: of a user's files.
        source: its name.
        folder: in the source's root, to which names of its files are relative.

    Raises:
        CorpusMissingError: the source is not on this machine.
        ValueError: there is no such folder, or no such file of these kinds.
    """
    if corpus is None:
        root = sources.find(source)
        return Found(root / folder, sources.files(source, root), {}), sources.version(source, root)
    found = find(Path(corpus), suffixes)
    return found, f"folder-{found.fingerprint()}"


def joined(family: Sequence[int], shared: Mapping[tuple[int, int], int]) -> list[int]:
    """Returns the family of each piece after those that share ``SHARED`` phrases are joined, named by the lower number.

    Args:
        family: of each piece before.
        shared: number of phrases that two pieces share.
    """
    family = list(family)
    for (first, second), count in sorted(shared.items()):
        if count >= SHARED and family[first] != family[second]:
            lower, higher = sorted((family[first], family[second]))
            family = [lower if own == higher else own for own in family]
    return family


def text_of(phrases: Phrases[P]) -> NDArray[np.uint8]:
    """Returns all but the items as an array of a cache file."""
    meta = {"labels": phrases.labels, "names": phrases.names, "left_out": phrases.left_out}
    text = json.dumps({**meta, "files": phrases.files, "skipped": phrases.skipped})
    return np.frombuffer(text.encode(), np.uint8)


def phrases_of(items: Sequence[P], text: NDArray[np.uint8]) -> Phrases[P]:
    """Returns the phrases with what ``text_of`` returned.

    Raises:
        ValueError: the text is of other phrases.
    """
    meta = json.loads(text.tobytes())
    labels = tuple(str(label) for label in meta["labels"])
    if len(labels) != len(items) or not set(labels) <= set(SPLITS):
        raise ValueError("the splits of the phrases are not known")
    skipped = tuple((str(name), str(reason)) for name, reason in meta["skipped"])
    names = tuple(str(name) for name in meta["names"])
    return Phrases(tuple(items), labels, names, Counter(meta["left_out"]), int(meta["files"]), skipped)
