"""Strains of folk tunes: those that music21 ships, or a folder of your own. See ``docs/corpora.md``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np

from .abc import read_abc
from .abc_fields import MODES
from .cache import cache_folder, load_arrays, save_arrays
from .midi import read_midi
from .notation import Tune
from .packages import CorpusMissingError
from .strains import SPLITS, Strain, components, cut, split

__all__ = ["CorpusMissingError", "Strain", "Strains", "components", "load_strains"]

PARSER_VERSION = 4  # raise it whenever a strain or a label may come out differently: older caches are then ignored
COLLECTIONS = ("oneills1850", "airdsAirs", "ryansMammoth", "miscFolk")
INSTALL = 'pip install "music21==10.5.1"'
SUFFIXES = (".abc", ".mid", ".midi")
MODE_NAMES = tuple(dict.fromkeys(name for name, _ in MODES.values()))
LAYOUT = {"strains": (np.int32, (None, 8)), "notes": (np.int32, (None, 2)), "text": (np.uint8, (None,))}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strains(Sequence[Strain]):
    """All strains of a corpus.

    Attributes:
        items: The strains, tune by tune.
        labels: The part each belongs to: ``"train"``, ``"validation"`` or ``"test"``.
        left_out: What was left out, by reason.
    """

    items: tuple[Strain, ...] = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    left_out: Counter[str]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Strain: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Strain, ...]: ...
    def __getitem__(self, index: int | slice) -> Strain | tuple[Strain, ...]:
        return self.items[index]

    def __iter__(self) -> Iterator[Strain]:
        return iter(self.items)

    def part(self, label: str) -> tuple[Strain, ...]:
        """Returns the strains of one part.

        Raises:
            ValueError: If the label is none of train, validation and test.
        """
        if label not in SPLITS:
            raise ValueError(f"no part {label!r}: choose one of {', '.join(SPLITS)}")
        return tuple(strain for strain, own in zip(self.items, self.labels, strict=True) if own == label)


def load_strains(corpus: str | Path | None = None, essen: bool = False) -> Strains:
    """Returns the strains of a corpus, from the cache where it is there.

    Args:
        corpus: A folder with your own ``.abc``, ``.mid`` and ``.midi`` files, subfolders included. None means the tunes
            that music21 ships: O'Neill's Music of Ireland, Aird's Airs, Ryan's Mammoth Collection and a few others.
        essen: Adds the Essen folk song collection that music21 ships. Its licence allows non-commercial use only.

    Raises:
        CorpusMissingError: If music21 is not installed.
        ValueError: If the folder holds no usable file.
    """
    if corpus is None:
        root, version = _music21()
        names = (*COLLECTIONS, *(("essenFolksong",) if essen else ()))
        files = [file for name in names for file in sorted((root / name).glob("*.abc"))]
        if not files:
            raise CorpusMissingError(f"music21 {version} is installed without its corpus; get it with: {INSTALL}")
        key = f"music21-{version}{'-essen' if essen else ''}"
    else:
        root, files = _folder(corpus)
        stamps = [[str(file.relative_to(root)), (stat := file.stat()).st_size, stat.st_mtime_ns] for file in files]
        key = "folder-" + hashlib.sha256(json.dumps([str(root.resolve()), stamps]).encode()).hexdigest()[:20]
    path = cache_folder() / f"tunes-{key}-v{PARSER_VERSION}.npz"
    try:
        return _load(path)
    except FileNotFoundError:
        pass
    except (ValueError, LookupError, TypeError) as error:
        logger.warning("rebuilding the damaged cache file %s (%s)", path, error)
    strains = _build(root, files)
    _save(path, strains)
    return strains


def _music21() -> tuple[Path, str]:
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusMissingError(f"the folk tunes come with music21, which is not installed; get it with: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "corpus", importlib.metadata.version("music21")


def _folder(corpus: str | Path) -> tuple[Path, list[Path]]:
    root = Path(corpus).expanduser()
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        found = f"it holds no {', '.join(SUFFIXES)} file" if root.is_dir() else "there is no such folder"
        raise ValueError(f"cannot load tunes from {str(root)!r}: {found}")
    return root, files


def _build(root: Path, files: Sequence[Path]) -> Strains:
    tunes: list[Tune] = []
    failed = 0
    for file in files:
        try:
            tunes += _read(file, file.relative_to(root).as_posix())
        except (ValueError, OSError, OverflowError) as error:
            failed += 1
            logger.warning("skipping %s: %s", file, error)
    if failed == len(files):
        raise ValueError(f"cannot load tunes from {str(root)!r}: all {failed} {', '.join(SUFFIXES)} files were skipped")
    strains, left_out = cut(tunes)
    if not strains:
        why = ", ".join(f"{reason} ({count})" for reason, count in left_out.most_common())
        raise ValueError(f"cannot load tunes from {str(root)!r}: every strain was left out: {why}")
    return Strains(tuple(strains), tuple(split(strains)), left_out)


def _read(file: Path, source: str) -> list[Tune]:
    if file.suffix.lower() != ".abc":
        return read_midi(file, source)
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # files older than ABC 2.1 are often Latin-1
        text = raw.decode("latin-1")
    return read_abc(text, source)


def _save(path: Path, strains: Strains) -> None:
    rows = [
        (s.tune, *s.metre, s.tonic, MODE_NAMES.index(s.mode), s.upbeat, SPLITS.index(label), len(s.notes))
        for s, label in zip(strains, strains.labels, strict=True)
    ]
    titles = {strain.tune: (strain.name, strain.source) for strain in strains}
    text = json.dumps({"titles": list(titles.items()), "left_out": strains.left_out})
    arrays = {
        "strains": np.array(rows, np.int32),
        "notes": np.concatenate([strain.notes for strain in strains]),
        "text": np.frombuffer(text.encode(), np.uint8),
    }
    save_arrays(path, arrays)


def _load(path: Path) -> Strains:
    arrays = load_arrays(path, LAYOUT)
    rows = arrays["strains"].tolist()
    counts = arrays["strains"][:, 7]
    ends = np.cumsum(counts)
    if not rows or counts.min() < 1 or ends[-1] != len(arrays["notes"]):
        raise ValueError("the lengths of the strains do not add up")
    meta = json.loads(arrays["text"].tobytes())
    titles: dict[int, list[str]] = dict(meta["titles"])
    notes = np.split(arrays["notes"], ends[:-1])
    items = [
        Strain(tune, titles[tune][0], titles[tune][1], (beats, unit), tonic, MODE_NAMES[mode], upbeat, own)
        for (tune, beats, unit, tonic, mode, upbeat, _, _), own in zip(rows, notes, strict=True)
    ]
    return Strains(tuple(items), tuple(SPLITS[row[6]] for row in rows), Counter(meta["left_out"]))
