"""Levels of games as grids of tiles: found, read, cut into screens, split.

See ``docs/environments/level.md``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Split, Works
from .files import decode as decode_text
from .files import find as find_files
from .files import printable, read_files
from .sources import find

ROWS, COLUMNS = 14, 16  # of a screen
HELD_OUT = 0.1  # share of validation, and of test
GAP = 16  # columns between two splits of one level: a screen
CHAPTER = 730  # columns of which each split gets a stretch: splits of a long level are alike
RELATED = 180  # first columns of screens of the train split that are one group; neighbouring groups share a few columns
SEED = b"musegym levels 1"
SUFFIXES = (".txt",)
MOST_TILES = 64
AIR = "-. "  # of a user's levels: the first of these that they have

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
        works: of each split, contents uint8 [N, 14, 16]; groups are levels, or stretches of one.
        report: counts of the corpus.
        places: of each screen its level, first row and first column, int [N, 3], by split.
    """

    alphabet: str
    works: Mapping[Split, Works]
    report: CorpusReport
    places: Mapping[Split, NDArray[np.int64]]


def read_mario(folder: Path) -> list[list[str]]:
    """Returns the one long level of mario-gpt, its rows from the top; what the solver's path covers is air.

    Args:
        folder: holds ``mario_gpt/level.py``, which is read as text.

    Raises:
        ValueError: the file holds no such level.
    """
    file = folder / "mario_gpt" / "level.py"
    found = MARIO.search(file.read_text(encoding="utf-8"))
    rows = found[1].strip("\n").replace(PATH, ALPHABETS["mario"][0]).split("\n") if found else []
    if len(rows) != ROWS or len({len(row) for row in rows}) != 1:
        raise ValueError(f"{file} holds no level of {ROWS} rows: fetch the data anew")
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
        raise ValueError(f"{folder} holds no levels of KGoldrunner: fetch the data anew")
    return found


def encode(levels: Sequence[Sequence[str]], alphabet: str) -> list[Tiles]:
    """Returns levels as tiles uint8 [H, W]: indices of an alphabet that holds all their symbols."""
    codes = np.zeros(max(map(ord, alphabet)) + 1, np.uint8)
    codes[[ord(symbol) for symbol in alphabet]] = np.arange(len(alphabet))
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
    """Cuts levels into screens: whole levels go to one split where there are three or more, else stretches of each.

    Returns:
        The pieces, and how many levels were too small.
    """
    fit = [level for level in levels if len(level) >= ROWS and level.shape[1] >= COLUMNS]
    whole = len(fit) >= len(SPLITS)
    if not whole:
        fit = [level for level in fit if level.shape[1] >= SMALLEST]
    labels = _labels(fit) if whole else []
    pieces = list[Piece]()
    for index, level in enumerate(fit):
        parts = [(labels[index], 0, level.shape[1])] if whole else stretches(level.shape[1])
        for split, left, right in parts:
            found, places = screens(level, left, right, row_step, column_step)
            within = (places[:, 1] - left) // RELATED if split == "train" and not whole else 0 * places[:, 1]
            first = pieces[-1].groups.max() + 1 if pieces else 0
            places = np.column_stack([np.full(len(places), index), places])
            pieces.append(Piece(split, found, first + within, places))
    return pieces, len(levels) - len(fit)


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


def assemble(pieces: Sequence[Piece], alphabet: str, report: CorpusReport) -> Levels:
    """Returns the screens of pieces by split; equal ones count once, in train before validation before test."""
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
    left_out = {**report.left_out, **({"screen: repeated": repeats} if repeats else {})}
    counts = {split: len(works[split]) for split in SPLITS}
    return Levels(alphabet, works, dataclasses.replace(report, works=counts, left_out=left_out), places)


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

    A file is one level: a line a row, a symbol a tile. Short lines are filled up with air.

    Raises:
        ValueError: there are no such files, or too few screens to be split.
    """
    found = find_files(corpus, SUFFIXES)
    texts, skipped = read_files(found, _read_text)
    shown = printable(str(corpus))
    if not texts:
        raise ValueError(f"no {', '.join(SUFFIXES)} file in {shown} holds a level of {ROWS} rows and {COLUMNS} columns")
    symbols = set().union(*(set(row) for rows in texts for row in rows))
    alphabet = _ordered(symbols)
    if len(alphabet) > MOST_TILES:
        raise ValueError(f"{shown} has {len(alphabet)} symbols: levels of at most {MOST_TILES} can be learnt")
    pieces, small = cut(encode(texts, alphabet))
    left_out = {"level: too narrow to be split": small} if small else {}
    count = len(found.files) + len(found.skipped)
    report = CorpusReport({}, count, len(texts), left_out, skipped)
    levels = assemble(pieces, alphabet, report)
    if not all(levels.report.works.values()):
        raise ValueError(
            f"{shown} holds {levels.report.total} screens, too few to be split: give three levels or more, or one of "
            f"at least {SMALLEST} columns"
        )
    return levels


def _ordered(symbols: set[str]) -> str:
    """Returns an alphabet: air first, then the others."""
    air = next((symbol for symbol in AIR if symbol in symbols), "")
    return air + "".join(sorted(symbols - {air}))


def _read_text(data: bytes, _name: str) -> list[list[str]]:
    text = decode_text(data).replace("\r", "").rstrip("\n")
    rows = text.split("\n")
    width = max(map(len, rows))
    if len(rows) < ROWS or width < COLUMNS:
        raise ValueError(f"{len(rows)} rows of {width} columns, smaller than a screen of {ROWS} x {COLUMNS}")
    air = next((symbol for symbol in AIR if symbol in text), " ")
    return [[row.ljust(width, air) for row in rows]]
