"""Strains of folk tunes: those that music21 ships, or a folder of your own. See ``docs/corpora.md``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..task import SPLITS
from . import sources
from .abc import read_abc
from .abc_fields import MODES
from .cache import Arrays, apart, cache_folder, cached
from .files import Found, decode, find, read_files
from .midi import read_midi
from .notation import Tune
from .packages import CorpusMissingError
from .strains import Strain, components, cut, split

__all__ = ["CorpusMissingError", "Strain", "Strains", "components", "load_strains"]

PARSER_VERSION = 11  # raise it whenever a strain or a label may come out differently: older caches are then ignored
COLLECTIONS = ("oneills1850", "airdsAirs", "ryansMammoth", "miscFolk")
SUFFIXES = (".abc", ".mid", ".midi")
MODE_NAMES = tuple(dict.fromkeys(name for name, _ in MODES.values()))
LAYOUT = {"strains": (np.int32, (None, 8)), "notes": (np.int32, (None, 2)), "text": (np.uint8, (None,))}


@dataclass(frozen=True)
class Strains:
    """All strains of a corpus.

    Attributes:
        items: The strains, tune by tune.
        labels: The split of each: ``"train"``, ``"validation"`` or ``"test"``.
        left_out: Numbers of tunes and strains left out, by reason.
        files: Number of files found.
        skipped: (name, reason) of the files that gave nothing.
    """

    items: tuple[Strain, ...] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    left_out: Counter[str]
    files: int = 0
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Strain]:
        return iter(self.items)


def load_strains(corpus: str | Path | None = None, essen: bool = False) -> Strains:
    """Returns the strains of a corpus, from the cache where it is there; there may be none.

    Files that cannot be read, for any reason, are named in ``skipped``; the others are read.

    Args:
        corpus: A folder with your own ``.abc``, ``.mid`` and ``.midi`` files, subfolders included, or one such file.
            None means the tunes that music21 ships: O'Neill's Music of Ireland, Aird's Airs, Ryan's Mammoth Collection
            and a few others.
        essen: Adds the Essen folk song collection that music21 ships. Its licence allows non-commercial use only.

    Raises:
        CorpusMissingError: If the tunes of music21 are not on this machine.
        ValueError: If there is no such folder, or no such file of these kinds.
    """
    if corpus is None:
        place = sources.find("tunes")
        root = place / "music21" / "corpus"
        names = (*COLLECTIONS, *(("essenFolksong",) if essen else ()))
        files = [file for name in names for file in sorted((root / name).glob("*.abc"))]
        found = Found(root, files, {})
        key = f"{sources.version('tunes', place)}{'-essen' if essen else ''}"
    else:
        found = find(Path(corpus), SUFFIXES)
        key = f"folder-{found.fingerprint()}"
    path = cache_folder() / f"tunes-{key}-v{PARSER_VERSION}.npz"
    return cached(path, LAYOUT, lambda: _arrays(_build(found)), _strains)


def _build(found: Found) -> Strains:
    tunes, skipped = read_files(found, _read)
    strains, left_out = cut(tunes)
    labels = split(strains) if strains else []
    return Strains(tuple(strains), tuple(labels), left_out, len(found.files) + len(found.skipped), skipped)


def _read(data: bytes, source: str) -> list[Tune]:
    """Returns the tunes of a file, by its suffix."""
    name = Path(source)
    return read_abc(decode(data), source) if name.suffix.lower() == ".abc" else read_midi(data, name.stem, source)


def _arrays(strains: Strains) -> Arrays:
    rows = [
        (s.tune, *s.metre, s.tonic, MODE_NAMES.index(s.mode), s.upbeat, SPLITS.index(label), len(s.notes))
        for s, label in zip(strains, strains.labels, strict=True)
    ]
    titles = {strain.tune: (strain.name, strain.source) for strain in strains}
    meta = {"left_out": strains.left_out, "files": strains.files, "skipped": strains.skipped}
    text = json.dumps({"titles": list(titles.items()), **meta})
    return {
        "strains": np.array(rows, np.int32).reshape(-1, 8),
        "notes": np.concatenate([np.empty((0, 2), np.int32), *(strain.notes for strain in strains)]),
        "text": np.frombuffer(text.encode(), np.uint8),
    }


def _strains(arrays: Arrays) -> Strains:
    rows = arrays["strains"].tolist()
    notes = apart(arrays["notes"], arrays["strains"][:, 7], "strains")
    meta = json.loads(arrays["text"].tobytes())
    titles: dict[int, list[str]] = dict(meta["titles"])
    items = [
        Strain(tune, titles[tune][0], titles[tune][1], (beats, unit), tonic, MODE_NAMES[mode], upbeat, own)
        for (tune, beats, unit, tonic, mode, upbeat, _, _), own in zip(rows, notes, strict=True)
    ]
    skipped = tuple((str(name), str(reason)) for name, reason in meta["skipped"])
    labels = tuple(SPLITS[row[6]] for row in rows)
    return Strains(tuple(items), labels, Counter(meta["left_out"]), int(meta["files"]), skipped)
