"""Dungeon rooms and Sokoban levels as squares of 16 x 16 tiles: read, turned, split, cached.

See ``docs/environments/dungeon.md``.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from . import files, sokoban, sources, vaults
from .cache import Arrays, cache_folder, cached
from .levels import MOST_TILES, encode, is_overview, is_strange
from .placing import SIDE, TURNS, canonical, centred, cropped, kins, known_by, turned
from .splitting import split
from .stored import layout, numbered, report, usable_works
from .subfolders import conditions_of, folder_of
from .usable import UsableWorks

PARSER_VERSION = 1  # raise it whenever a room or its part may come out differently: older caches are then ignored
SUFFIXES = (".sok", ".txt")
ALIKE = 0.6  # likeness from which on two maps are near copies
HELD_OUT = 0.1  # share of the rooms in validation, and in test
FEW_KINS = 10  # where likeness tells fewer kins apart, each map is its own
SMALLEST = 3  # rows and columns of a user's map
TITLE = re.compile(r"^(?:;.*|[A-Z][A-Za-z -]*:.*)$")
"""Lines of collections of Sokoban levels that belong to no map."""

Tiles = NDArray[np.uint8]


class Room(NamedTuple):
    """A room or level.

    Attributes:
        name: of its file and itself.
        series: equal for rooms of one series, which are in one split.
        style: a value of each condition.
        turns: positions in which it is a work, the first being its own: numbers of ``placing.turned``.
        tiles: uint8 [H, W].
    """

    name: str
    series: str
    style: tuple[str, ...]
    turns: tuple[int, ...]
    tiles: Tiles


class Read(NamedTuple):
    """Rooms of a corpus: the rooms, the number of files, those left out by reason, and files that gave none."""

    rooms: Sequence[Room]
    files: int
    left_out: Counter[str]
    skipped: tuple[tuple[str, str], ...] = ()


class Collection(NamedTuple):
    """Rooms that a source has.

    Attributes:
        names: of tiles by symbol; a tile is an index of them, 0 is outside.
        ground: the symbol of plain floor.
        read: returns the rooms of the source's root.
        conditions: of the rooms.
        positions: in which a room is a work, at most.
    """

    names: dict[str, str]
    ground: str
    read: Callable[[Path], Read]
    conditions: tuple[Condition, ...]
    positions: int


class Rooms(NamedTuple):
    """Rooms of a corpus: symbols of the tiles, and contents uint8 [N, 16, 16]; groups are kins of rooms."""

    alphabet: str
    works: UsableWorks


def _read_crawl(root: Path) -> Read:
    found, left_out, count = vaults.read_vaults(root / "usr/share/crawl/dat", SIDE)
    tiles = encode([vault.rows for vault in found], "".join(vaults.NAMES))
    rooms = [
        Room(vault.name, re.sub(r"_?\d+[a-z]?$", "", vault.name), (vault.branch,), vault.turns, each)
        for vault, each in zip(found, tiles, strict=True)
    ]
    return Read(rooms, count, left_out)


def _read_sokoban(root: Path) -> Read:
    found, left_out, count = sokoban.read_levels(root / "usr/share/games/cavepacker/maps", SIDE)
    tiles = encode([level.rows for level in found], "".join(sokoban.NAMES))
    rooms = [
        Room(level.name, level.name, (level.collection,), tuple(range(TURNS)), each)
        for level, each in zip(found, tiles, strict=True)
    ]
    return Read(rooms, count, left_out)


COLLECTIONS = {
    "crawl": Collection(vaults.NAMES, ".", _read_crawl, (Condition("branch", vaults.BRANCHES),), 4),
    "sokoban": Collection(sokoban.NAMES, "-", _read_sokoban, (Condition("collection", sokoban.COLLECTIONS),), TURNS),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Rooms:
    """Returns the rooms of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine.
        ValueError: It is damaged.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    alphabet = "".join(known.names)

    def build() -> Arrays:
        read = known.read(root)
        if not read.rooms:
            raise ValueError(f"{root} holds no rooms: get them again with {sources.SOURCES[data].command} --force")
        return _build(read, alphabet, known.ground, known.conditions, known.positions)

    cache = cache_folder() / f"rooms-{sources.version(data, root)}-v{PARSER_VERSION}.npz"
    return Rooms(alphabet, cached(cache, layout((SIDE, SIDE), known.conditions), build, _works))


class Folder(NamedTuple):
    """The text maps of a user.

    Attributes:
        alphabet: symbols of the tiles, a blank first.
        data: the collection of ``COLLECTIONS`` that has these tiles; "" where they are others.
        conditions: the folder, where there are several.
        found: the files.
        read: the rooms.
    """

    alphabet: str
    data: str
    conditions: tuple[Condition, ...]
    found: files.Found
    read: Read

    def load(self) -> Rooms:
        """Returns the rooms; ``works.usable`` raises where they are too few."""
        named = files.printable(str(self.found.root))
        ground = COLLECTIONS[self.data].ground if self.data else _commonest(self.read.rooms, self.alphabet)
        build = _build(self.read, self.alphabet, ground, self.conditions, 1)
        return Rooms(self.alphabet, _works(build, named, own=True))


def read_folder(corpus: str) -> Folder:
    """Returns the maps of a user's text files, several to a file where empty lines are between them.

    A line is a row and a symbol a tile; blanks are outside. Where all maps are levels of Sokoban, blanks within walls
    are floor. Files without a map are skipped, and maps larger than 16 x 16 are left out.

    Raises:
        ValueError: There is no such folder.
    """
    found = files.find(Path(corpus), SUFFIXES)
    items, skipped = files.read_files(found, _maps)
    maps = [(name, rows) for name, rows in items if max(len(rows), *map(len, rows)) <= SIDE]
    left_out = Counter({f"larger than {SIDE} x {SIDE}": len(items) - len(maps)} if len(maps) < len(items) else {})
    symbols = {symbol for _, rows in maps for row in rows for symbol in row} | {" "}
    data = ""
    if maps and symbols <= {*sokoban.NAMES, "_"} and all(sokoban.is_level(rows) for _, rows in maps):
        maps, data = [(name, list(sokoban.enclose(rows))) for name, rows in maps], "sokoban"
    elif symbols <= {*vaults.NAMES}:
        data = "crawl"
    alphabet = "".join(COLLECTIONS[data].names) if data else "".join(sorted(symbols))
    if len(alphabet) > MOST_TILES:
        left_out[f"one of a folder of {len(alphabet)} symbols, of which at most {MOST_TILES} can be learnt"] = len(maps)
        maps, alphabet = [], " "
    conditions = conditions_of(found)
    width = [max(map(len, rows)) for _, rows in maps]
    tiles = encode([[row.ljust(w) for row in rows] for (_, rows), w in zip(maps, width, strict=True)], alphabet)
    rooms = [
        Room(name, name, (folder_of(name),) if conditions else (), (0,), each)
        for (name, _), each in zip(maps, tiles, strict=True)
    ]
    read = Read(rooms, len(found.files) + len(found.skipped), left_out, skipped)
    return Folder(alphabet, data, conditions, found, read)


def _maps(data: bytes, name: str) -> list[tuple[str, list[str]]]:
    """Returns the maps of a file; raises ValueError where there are none."""
    lines = files.decode(data).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if strange := next((symbol for line in lines for symbol in line if is_strange(symbol)), ""):
        raise ValueError(f"no map: it holds {strange!a}, which is no symbol")
    if is_overview(lines, name):
        raise ValueError("no map: an overview of works that have files of their own")
    found, rows = list[list[str]](), list[str]()
    for line in [*lines, ""]:
        if line and not TITLE.match(line):
            rows.append(line)
            continue
        if any(row.strip() for row in rows):
            found.append(rows)
        rows = []
    fit = [rows for rows in found if min(len(rows), max(map(len, rows))) >= SMALLEST]
    if not fit:
        raise ValueError(f"no map of at least {SMALLEST} x {SMALLEST} symbols")
    several = len(fit) > 1
    return [(f"{name}: {number}" if several else name, rows) for number, rows in enumerate(fit, 1)]


def _commonest(rooms: Sequence[Room], alphabet: str) -> str:
    """Returns the symbol that most tiles are, the outside left aside."""
    counts = Counter[int]()
    for room in rooms:
        counts.update(room.tiles[room.tiles > 0].tolist())
    return alphabet[counts.most_common(1)[0][0]] if counts else ""


def _build(read: Read, alphabet: str, ground: str, conditions: tuple[Condition, ...], positions: int) -> Arrays:
    """Returns the arrays of a corpus: each different room in several positions, in the split of its kin."""
    different, left_out = dict[bytes, Room](), Counter(read.left_out)
    for room in read.rooms:
        if not room.tiles.any():
            left_out["empty"] += 1
        elif different.setdefault(known_by(canonical(room.tiles)), room) is not room:
            left_out["equal to another, turned or mirrored"] += 1
    rooms = list(different.values())
    related = np.zeros(0, np.int64)
    if rooms:
        tiles = [room.tiles for room in rooms]
        related = kins(tiles, alphabet.find(ground), ALIKE, [room.series for room in rooms])
        if len(np.unique(related)) < FEW_KINS:
            related = np.arange(len(rooms))
    names = [rooms[int(np.argmax(related == kin))].name for kin in related.tolist()]
    parts = split(names, [room.style for room in rooms], share=HELD_OUT)
    contents, sources_of = list[Tiles](), list[int]()
    for index, room in enumerate(rooms):
        for content in _positions(room, positions):
            contents.append(content)
            sources_of.append(index)
    rows = np.array(sources_of, np.int64)
    giving = len({room.name.partition(": ")[0] for room in read.rooms})
    return {
        "contents": np.array(contents, np.uint8).reshape(-1, SIDE, SIDE),
        "conditions": numbered([room.style for room in rooms], conditions)[rows],
        "groups": related[rows].astype(np.int32),
        "parts": parts[rows],
        "report": report(read.files, giving, left_out, read.skipped),
    }


def _positions(room: Room, most: int) -> list[Tiles]:
    """Returns different positions of a room, uint8 [16, 16] each: its own, and others in an order of their own."""
    small = cropped(room.tiles)
    others = sorted(room.turns[1:], key=lambda turn: hashlib.sha256(f"{room.name} {turn}".encode()).digest())
    found = dict[bytes, Tiles]()
    for turn in (0, *others):
        content = centred(turned(small, turn))
        found.setdefault(content.tobytes(), content)
    return list(found.values())[:most]


def _works(arrays: Arrays, named: str = "", own: bool = False) -> UsableWorks:
    return usable_works(arrays, "maps", named, SUFFIXES, own, "unrelated map")
