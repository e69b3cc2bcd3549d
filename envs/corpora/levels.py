"""Levels of games as grids of tiles: found, read, cut into screens, split.

See ``docs/environments/level.md``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Split, Works
from .files import decode as decode_text
from .files import find as find_files
from .files import printable, read_files
from .sources import SOURCES, find
from .usable import UsableWorks, problem, warning

ROWS, COLUMNS = 14, 16  # of a screen
HELD_OUT = 0.1  # share of validation, and of test
GAP = 16  # columns between two splits of one level: a screen
CHAPTER = 730  # columns of which each split gets a stretch: splits of a long level are alike
RELATED = 180  # first columns of screens of the train split that are one group; neighbouring groups share a few columns
MANY = 8  # levels of which each is in one split
COHERENT = 0.35  # least share of symbols like a neighbour where lines are of unequal length
SEED = b"musegym levels 1"
SUFFIXES = (".txt",)
MOST_TILES = 64
AIR = "-. "  # of a user's levels: all are one tile, shown as the first of these that they have

ALPHABETS = {"mario": "-XS?QE<>[]oBb", "lode-runner": " MXHTZNEFR"}
"""Symbols by data: a tile is an index of them, 0 is air."""
MARIO = re.compile(r'"""([^"]*)"""')
PATH = "x"  # the way of the solver that the authors of mario-gpt drew into their levels
GOLDRUNNER = re.compile(r"^// L\d+[^\n]*\n// .([^\n]*)$", re.MULTILINE)  # a letter stands before the tiles
GOLDRUNNER_SHAPE = (20, 28)

Tiles = NDArray[np.uint8]


@dataclass(frozen=True)
class Levels:
    """Screens of a corpus.

    Attributes:
        alphabet: symbols of the tiles.
        works: contents uint8 [N, 14, 16]; groups are levels, or stretches of one.
        places: of each screen its level, first row and first column, int [N, 3], by split.
    """

    alphabet: str
    works: UsableWorks
    places: Mapping[Split, NDArray[np.int64]]


def read_mario(folder: Path) -> list[list[str]]:
    """Returns the one long level of mario-gpt, its rows from the top; what the solver's path covers is air.

    Args:
        folder: holds ``mario_gpt/level.py``, which is read as text.

    Raises:
        ValueError: the file holds no such level.
    """
    file = folder / "mario_gpt" / "level.py"
    found = MARIO.search(file.read_text(encoding="utf-8", errors="replace"))
    rows = found[1].strip("\n").replace(PATH, ALPHABETS["mario"][0]).split("\n") if found else []
    if len(rows) != ROWS or len({len(row) for row in rows}) != 1 or set().union(*rows) - set(ALPHABETS["mario"]):
        raise ValueError(f"{file} holds no level of {ROWS} rows: get it again with {SOURCES['mario'].command} --force")
    return [rows]


def read_lode_runner(folder: Path) -> list[list[str]]:
    """Returns the levels of KGoldrunner, 20 rows of 28 columns each, in the order of files; a damaged one is left out.

    Args:
        folder: holds ``usr/share/kgoldrunner/system/game_*.txt``.

    Raises:
        ValueError: there are none.
    """
    height, width = GOLDRUNNER_SHAPE
    found = list[list[str]]()
    for file in sorted((folder / "usr/share/kgoldrunner/system").glob("game_*.txt")):
        for text in GOLDRUNNER.findall(file.read_text(encoding="utf-8", errors="replace")):
            if len(text) == height * width and not set(text) - set(ALPHABETS["lode-runner"]):
                found.append([text[row : row + width] for row in range(0, height * width, width)])
    if not found:
        again = f"{SOURCES['lode-runner'].command} --force"
        raise ValueError(f"{folder} holds no levels of KGoldrunner: get them again with {again}")
    return found


def encode(levels: Sequence[Sequence[str]], alphabet: str) -> list[Tiles]:
    """Returns levels as tiles uint8 [H, W]: indices of an alphabet that holds all their symbols."""
    codes = np.zeros(max(map(ord, alphabet), default=0) + 1, np.uint8)
    codes[list(map(ord, alphabet))] = np.arange(len(alphabet))
    return [codes[np.array([[ord(symbol) for symbol in row] for row in rows])] for rows in levels]


def stretches(width: int) -> list[tuple[Split, int, int]]:
    """Returns (split, first column, end) of the stretches that a level of so many columns is cut into.

    Every chapter of about 730 columns gives its first columns to train, then a tenth each to validation and test; a
    gap of a screen lies between any two, so that no column, and no neighbouring one, is in two splits.
    """
    chapters = max(1, round(width / CHAPTER))
    found = list[tuple[Split, int, int]]()
    for chapter in range(chapters):
        begin, end = chapter * width // chapters, (chapter + 1) * width // chapters
        held_out = max(COLUMNS, round(HELD_OUT * (end - begin)))
        test = end - GAP - held_out  # the last gap is before the next chapter
        validation = test - GAP - held_out
        found += [
            ("train", begin, validation - GAP),
            ("validation", validation, validation + held_out),
            ("test", test, test + held_out),
        ]
    return found


@dataclass(frozen=True)
class Piece:
    """Screens of one stretch: their split, contents uint8 [N, 14, 16], groups int [N] and places int [N, 3]."""

    split: Split
    contents: Tiles
    groups: NDArray[np.int64]
    places: NDArray[np.int64]


SMALLEST = 3 * COLUMNS + 3 * GAP  # columns of a level that can be cut into stretches


def screens(tiles: Tiles, left: int, right: int, row_step: int, column_step: int) -> tuple[Tiles, NDArray[np.int64]]:
    """Returns all screens between two columns of a level, uint8 [N, 14, 16], and their first row and column [N, 2]."""
    rows = np.arange(0, len(tiles) - ROWS + 1, row_step)
    columns = np.arange(left, right - COLUMNS + 1, column_step)
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    views = np.lib.stride_tricks.sliding_window_view(tiles, (ROWS, COLUMNS))
    return views[places[:, 0], places[:, 1]], places.astype(np.int64)


def cut(levels: Sequence[Tiles], row_step: int = 1, column_step: int = 1) -> tuple[list[Piece], int]:
    """Cuts levels into screens.

    Whole levels go to one split where they are many. Where they are few, or hardly three, wide ones are cut by columns
    and the others train: of three levels that are split whole, one alone would train.

    Returns:
        The pieces, and how many levels were too small.
    """
    fit = [level for level in levels if len(level) >= ROWS and level.shape[1] >= COLUMNS]
    widths = [level.shape[1] for level in fit]
    wide = [width for width in widths if width >= SMALLEST]
    whole = len(fit) >= MANY or (len(fit) >= len(SPLITS) and 2 * sum(wide) <= sum(widths))
    if whole:
        parts: list[list[tuple[Split, int, int]]] = [
            [(label, 0, width)] for label, width in zip(_labels(fit), widths, strict=True)
        ]
    elif wide:
        cuts = iter(side_by_side(wide))
        parts = [next(cuts) if width >= SMALLEST else [("train", 0, width)] for width in widths]
    else:
        return [], len(levels)
    pieces, first = list[Piece](), 0
    for index, level in enumerate(fit):
        for split, left, right in parts[index]:
            found, places = screens(level, left, right, row_step, column_step)
            within = (places[:, 1] - left) // RELATED if split == "train" and not whole else 0 * places[:, 1]
            groups = first + within
            first = groups.max() + 1
            places = np.column_stack([np.full(len(places), index), places])
            pieces.append(Piece(split, found, groups, places))
    return pieces, len(levels) - len(fit)


def side_by_side(widths: Sequence[int]) -> list[list[tuple[Split, int, int]]]:
    """Returns the stretches of each level: those of ``stretches`` of all levels side by side, each in one level alone.

    Few narrow levels may leave a split without a screen so; then each is cut for itself.
    """
    found, begin = list[list[tuple[Split, int, int]]](), 0
    for width in widths:
        within = [
            (split, max(left - begin, 0), min(right - begin, width)) for split, left, right in stretches(sum(widths))
        ]
        found.append([part for part in within if part[2] - part[1] >= COLUMNS])
        begin += width
    if {split for parts in found for split, _, _ in parts} == set(SPLITS):
        return found
    return [stretches(width) for width in widths]


def _labels(levels: Sequence[Tiles]) -> list[Split]:
    """Returns the split of each level, in an order drawn by a seeded hash of their tiles."""
    hashes = [hashlib.sha256(SEED + bytes(level.shape) + level.tobytes()).digest() for level in levels]
    order = sorted(range(len(levels)), key=lambda index: (hashes[index], index))
    each = max(1, round(HELD_OUT * len(levels)))
    labels: list[Split] = ["train"] * len(levels)
    for index in order[:each]:
        labels[index] = "validation"
    for index in order[each : 2 * each]:
        labels[index] = "test"
    return labels


def assemble(pieces: Sequence[Piece], alphabet: str, report: CorpusReport, corpus: str = "", levels: int = 0) -> Levels:
    """Returns the screens of pieces by split; equal ones count once, in train before validation before test.

    Args:
        pieces: as ``cut`` returns them.
        alphabet: symbols of the tiles.
        report: counts of files and levels; those of screens are added.
        corpus: names a user's files in messages; "" for a data set.
        levels: number of the user's levels.
    """
    seen, works, places, repeats = set[bytes](), dict[Split, Works](), dict[Split, NDArray[np.int64]](), 0
    for split in SPLITS:
        own = [piece for piece in pieces if piece.split == split]
        contents = np.concatenate([piece.contents for piece in own] or [np.zeros((0, ROWS, COLUMNS), np.uint8)])
        groups = np.concatenate([piece.groups for piece in own] or [np.zeros(0, np.int64)])
        where = np.concatenate([piece.places for piece in own] or [np.zeros((0, 3), np.int64)])
        kept = list[int]()
        for row, content in enumerate(contents):
            if (key := content.tobytes()) not in seen:
                seen.add(key)
                kept.append(row)
        repeats += len(contents) - len(kept)
        works[split], places[split] = Works(contents[kept], groups=groups[kept]), where[kept]
    left_out = {**report.left_out, **({"screen: equal to another, which counts once": repeats} if repeats else {})}
    counts = {split: len(works[split]) for split in SPLITS}
    report = dataclasses.replace(report, works=counts, left_out=left_out)
    why = problem(report, "screens", corpus, levels, "level", SUFFIXES)
    if why and report.files:
        why += f"; give three different levels or more, or one of at least {SMALLEST} columns"
    return Levels(alphabet, UsableWorks(works, report, why, warning(report, corpus) if corpus else ""), places)


def load(data: str) -> Levels:
    """Returns the screens of a data set.

    Args:
        data: "mario", every column offset of one long level; "lode-runner", every second row and fourth column.

    Raises:
        CorpusMissingError: the data is not there.
        ValueError: it is damaged.
    """
    read, steps = {"mario": (read_mario, (1, 1)), "lode-runner": (read_lode_runner, (2, 4))}[data]
    levels = encode(read(find(data)), ALPHABETS[data])
    return assemble(cut(levels, *steps)[0], ALPHABETS[data], CorpusReport({}, files=1, read=1))


def load_files(corpus: Path) -> Levels:
    """Returns the screens of a user's level text files: every row and column offset.

    A file is one level: a line a row, a symbol a tile; "-", "." and space are one tile, air. Lines are of equal length,
    or have lost the spaces at their ends. Files without a level are skipped. Equal levels count once. Where the screens
    are too few, ``works.usable`` raises.

    Raises:
        ValueError: there is no such folder.
    """
    found = find_files(corpus, SUFFIXES)
    texts, skipped = read_files(found, _read_text)
    shown, left_out = printable(str(corpus)), dict[str, int]()
    symbols = set().union(*(set(row) for rows in texts for row in rows))
    air = next((symbol for symbol in AIR if symbol in symbols), "")
    alphabet = air + "".join(sorted(symbols - set(AIR)))
    one_air = str.maketrans(dict.fromkeys(AIR, air))
    different = {"\n".join(rows).translate(one_air): None for rows in texts}
    levels = [text.split("\n") for text in different]
    if repeated := len(texts) - len(levels):
        left_out["level: equal to another"] = repeated
    if len(alphabet) > MOST_TILES:
        reason = f"level: one of a folder of {len(alphabet)} symbols, of which at most {MOST_TILES} can be learnt"
        left_out[reason], levels = len(levels), []
    pieces, small = cut(encode(levels, alphabet))
    if small:
        left_out["level: too narrow to be split"] = small
    count = len(found.files) + len(found.skipped)
    report = CorpusReport({}, count, len(texts), left_out, skipped)
    return assemble(pieces, alphabet or AIR[0], report, shown, len(levels))


def _read_text(data: bytes, name: str) -> list[list[str]]:
    """Returns the one level of a file, its rows filled up with spaces; raises ValueError where it is none."""
    text = decode_text(data).replace("\r\n", "\n").replace("\r", "\n")
    rows = (text.rstrip("\n") if " " in text else text.strip("\n")).split("\n")  # empty rows of spaces are air
    if strange := next((symbol for row in rows for symbol in row if is_strange(symbol)), ""):
        raise ValueError(f"no level: it holds {strange!a}, which is no symbol")
    if is_overview(rows, name):
        raise ValueError("no level: an overview of works that have files of their own")
    width = max(map(len, rows))
    if len(rows) < ROWS or width < COLUMNS:
        raise ValueError(f"{len(rows)} rows of {width} columns, smaller than a screen of {ROWS} x {COLUMNS}")
    if (count := len(set(text) - {"\n"})) > MOST_TILES:
        raise ValueError(f"no level: it has {count} symbols, and levels have at most {MOST_TILES}")
    if (narrow := min(map(len, rows))) < width and not (" " in text and _coherence(rows) >= COHERENT):
        raise ValueError(f"no level: its lines are of {narrow} to {width} symbols, and rows are of equal length")
    return [[row.ljust(width) for row in rows]]


def is_strange(symbol: str) -> bool:
    """Returns True for what no text holds: control characters, and bytes that could not be decoded."""
    return symbol == "\ufffd" or not symbol.isprintable()


def is_overview(rows: Sequence[str], name: str) -> bool:
    """Returns True for the text of several works under headings, as ``musegym generate`` writes beside their files."""
    stem, dash, number = rows[0].rpartition("-")
    return dash + number == "-000" and (stem == PurePosixPath(name).stem or f"{stem}-001" in rows)


def _coherence(rows: Sequence[str]) -> float:
    """Returns the share of symbols equal to the one on their left or above them: high in levels, low in prose."""
    alike = [
        symbol == row[column - 1 : column] or symbol == above[column : column + 1]
        for above, row in itertools.pairwise(rows)
        for column, symbol in enumerate(row)
    ]
    return sum(alike) / max(1, len(alike))
