"""Vaults of Dungeon Crawl Stone Soup (GPL-2+): rooms that the game builds into its dungeons, read from .des files.

A vault is a map of glyphs and commands that change them, some of them at random. They are carried out here as the game
does it, with draws seeded by the vault's name, and glyphs become tiles. Commands are documented in the game's
``docs/develop/levels/syntax.txt``. Of Lua code only commands with literal texts are carried out, in both branches of
conditions.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

NAMES = {
    " ": "outside",
    "#": "wall",
    ".": "floor",
    "+": "door",
    "%": "window",
    ",": "shallow water",
    "~": "deep water",
    "&": "lava",
    "T": "tree",
    "S": "statue",
    "_": "altar",
    ">": "stairs",
    "@": "entrance",
    "^": "trap",
    "$": "treasure",
    "M": "monster",
}
"""Symbols of tiles. A tile is an index of them."""

GLYPHS = {
    **dict.fromkeys("xXcvba", "#"),
    **dict.fromkeys("mno", "%"),
    **dict.fromkeys("+=", "+"),
    **dict.fromkeys("GIS", "S"),
    **dict.fromkeys("TUVY", "S"),  # fountains
    **dict.fromkeys("_BC", "_"),
    **dict.fromkeys("{}()[]<>", ">"),
    **dict.fromkeys("^~", "^"),
    **dict.fromkeys("$%*|", "$"),
    **dict.fromkeys("089", "M"),  # 1 to 7 are those of MONS
    "W": ",",
    "w": "~",
    "l": "&",
    "t": "T",
    "@": "@",
    " ": " ",
}
"""Tiles of the game's glyphs; all others are floor."""

FEATURES = (
    (r"iron_grate|clear|glass", "%"),
    (r"shallow|mud", ","),
    (r"water|sea", "~"),
    (r"lava", "&"),
    (r"tree|mangrove", "T"),
    (r"door|gate(?!way)", "+"),
    (r"wall|crystal$|rock$", "#"),
    (r"statue|idol|fountain|pillar|column", "S"),
    (r"altar", "_"),
    (r"trap|web|net$|shaft", "^"),
    (r"stairs|hatch|enter_|exit|portal|shop|transporter|gateway|return|abyss", ">"),
)
"""Patterns of the names of features in KFEAT, and their tiles."""
PLANTS = re.compile(r"^\W*(?:w:\d+ )?(?:nothing|\w* ?(?:plant|bush|fungus|toadstool|mold))\b")
"""Inhabitants that leave a floor as it is."""

COMMANDS = ("SUBST", "NSUBST", "SHUFFLE", "CLEAR", "KFEAT", "KMONS", "KITEM", "MONS", "ITEM")
_COMMAND = re.compile(rf"^\s*({'|'.join(COMMANDS)}):\s*(.*)$")
_CALL = re.compile(
    rf"\b(?:e\.)?({'|'.join(COMMANDS).lower()})\s*\(\s*(?:\"([^\"\n]*)\"|'([^'\n]*)')\s*\)|\b(\w+)\s*\(\s*(?:_G|e)\b"
)
_FUNCTION = re.compile(r"(?ms)^(?:local )?function (\w+)\s*\([^)]*\)(.*?)^end\b")
_MAP = re.compile(r"(?ms)^MAP[^\S\n]*\n(.*?)^ENDMAP")
DEEPEST = 4  # calls of functions within functions


BRANCHES = (
    *("abyss", "altar", "arrival", "branches", "desolation", "elf", "float", "gauntlet", "lair", "mini_features"),
    *("mini_monsters", "orc", "pan", "polyominoes", "portals", "serial", "shoals", "shops", "spider", "sprint"),
    *("swamp", "temple", "vaults", "variable"),
)
"""Styles: names of files and, for files of few vaults, of their folders."""
PARTS = re.compile(r"^(test|sprint/linesprint|variable/(the_grid|winding_woodlands)|branches/geh_lava)")
"""Files whose vaults are no rooms: tests, and pieces of larger maps that give their blanks another meaning."""
FEWEST_CELLS, FEWEST_BUILT, FEWEST_WALKED = 36, 8, 12
"""Cells of a room, those of them that are no plain floor, and those to walk on, at least."""
WALKED = ".+,>@^$M_"


class Vault(NamedTuple):
    """A vault as the game could build it.

    Attributes:
        name: file and name, such as "branches/elf.des: elf_arrival_001".
        branch: one of ``BRANCHES``.
        turns: the ways in which the game may turn and mirror it: numbers of ``placing.turned``.
        rows: symbols of ``NAMES``, rows of equal length.
    """

    name: str
    branch: str
    turns: tuple[int, ...]
    rows: tuple[str, ...]


def read_vaults(folder: Path, largest: int) -> tuple[list[Vault], Counter[str], int]:
    """Returns the vaults in the order of their files, the number left out by reason, and the number of files.

    Args:
        folder: the game's ``dat``, which holds ``des/**/*.des`` and ``dlua/*.lua``.
        largest: rows and columns of a vault, at most.
    """
    files = {path: path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("des/**/*.des"))}
    lua = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("dlua/*.lua"))]
    functions = {found[1]: found[2] for text in (*lua, *files.values()) for found in _FUNCTION.finditer(text)}
    vaults, left_out = list[Vault](), Counter[str]()
    for path, text in files.items():
        own = functions | {found[1]: found[2] for found in _FUNCTION.finditer(text)}
        for part in re.split(r"(?m)^NAME:", text)[1:]:
            name = f"{path.relative_to(folder / 'des').as_posix()}: {part.split(maxsplit=1)[0]}"
            drawn = _MAP.search(part)
            glyphs = [row.rstrip() for row in drawn[1].split("\n")] if drawn else []
            while glyphs and not glyphs[-1]:
                glyphs.pop()
            head = re.sub(r"\\\n\s*", "", part[: drawn.start()]) if drawn else ""
            if PARTS.match(name):
                left_out["a test, or a piece of a larger map"] += 1
            elif not glyphs:
                left_out["drawn by a program"] += 1
            elif max(len(glyphs), *map(len, glyphs)) > largest:
                left_out[f"larger than {largest} x {largest}"] += 1
            elif re.search(r"(?m)^\s*:?\s*SUBVAULT|subvault\(", head):
                left_out["put together from others"] += 1
            else:
                rows = _built(name, glyphs, list(_commands(head, own)))
                if _is_room("".join(rows)):
                    vaults.append(Vault(name, _branch(name), _turns(head), rows))
                else:
                    left_out["little more than floor or rock"] += 1
    return vaults, left_out, len(files)


def _is_room(tiles: str) -> bool:
    covered = len(tiles) - tiles.count(" ")
    walked = sum(tiles.count(symbol) for symbol in WALKED)
    return covered >= FEWEST_CELLS and covered - tiles.count(".") >= FEWEST_BUILT and walked >= FEWEST_WALKED


def _branch(name: str) -> str:
    folder, _, file = name.partition(".des")[0].partition("/")
    known = (word for word in (file, file.partition("_")[0], folder) if word in BRANCHES)
    return next(known, "variable")


def _turns(head: str) -> tuple[int, ...]:
    """Returns the turns that a vault's tags allow."""
    tags = set(" ".join(re.findall(r"(?m)^TAGS:(.*)$", head)).split())
    across, down, quarter = ("no_" + name not in tags for name in ("hmirror", "vmirror", "rotate"))
    allowed = {4: across, 6: down, 2: across and down} | dict.fromkeys((1, 3, 5, 7), across and down and quarter)
    return (0, *(turn for turn, may in allowed.items() if may))


def _commands(head: str, functions: Mapping[str, str], depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yields (command, its text) of a vault in order, those of the functions that it calls included."""
    for line in head.split("\n"):
        if found := _COMMAND.match(line):
            yield found[1], found[2]
            continue
        for call in _CALL.finditer(line):
            if call[1]:
                yield call[1].upper(), call[2] or call[3] or ""
            elif call[4] in functions and depth < DEEPEST:
                yield from _commands(functions[call[4]], functions, depth + 1)


def _built(name: str, glyphs: Sequence[str], commands: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Returns the symbols of a vault's tiles after its commands."""
    rng = random.Random(name)
    width = max(map(len, glyphs))
    cells = list("".join(row.ljust(width) for row in glyphs))
    features, inhabited, monsters, items = dict[str, str](), dict[str, str](), list[str](), 0
    for command, text in commands:
        if command in CHANGES:
            CHANGES[command](cells, text, rng)
        elif command == "MONS":
            monsters += text.split(",")
        elif command == "ITEM":
            items += len(text.split(","))
        else:
            keys, _, value = _split(text)
            symbol = "" if PLANTS.match(value) else "M" if command == "KMONS" else "$"
            for key in keys:
                if command == "KFEAT":
                    features[key] = _feature(value, rng)
                elif symbol:
                    inhabited[key] = symbol
    inhabited |= {str(1 + index): "M" for index, monster in enumerate(monsters) if not PLANTS.match(monster)}
    inhabited |= {chr(ord("d") + index): "$" for index in range(items)}

    def tile(glyph: str) -> str:
        ground = features.get(glyph) or GLYPHS.get(glyph, ".")
        return inhabited.get(glyph, ".") if ground == "." else ground

    tiles = "".join(map(tile, cells))
    return tuple(tiles[start : start + width] for start in range(0, len(tiles), width))


def _split(text: str) -> tuple[str, str, str]:
    """Returns what is left and right of the first ``=`` or ``:`` that is not the first character, and which it is."""
    text = text.strip()
    place = next((place for place, letter in enumerate(text) if place and letter in "=:"), len(text))
    return text[:place].strip(), text[place : place + 1], text[place + 1 :].strip()


def _choices(text: str) -> tuple[list[str], list[int]]:
    """Returns the glyphs of ``.:20 xc:5`` and their weights, 10 where none is given."""
    found = re.findall(r"(\S)(?::(\d+))?", text)
    return [glyph for glyph, _ in found], [int(weight or 10) for _, weight in found]


def _draw(text: str, rng: random.Random, default: str) -> str:
    glyphs, weights = _choices(text)
    return rng.choices(glyphs, weights)[0] if sum(weights) else default


def _substitute(cells: list[str], text: str, rng: random.Random) -> None:
    """Carries SUBST out: ``=`` draws for each cell, ``:`` once for all."""
    for each in text.split(","):
        keys, sign, value = _split(each)
        once = _draw(value, rng, ".")
        for place, glyph in enumerate(cells):
            if glyph in keys and glyph != " ":
                cells[place] = _draw(value, rng, glyph) if sign == "=" else once


def _substitute_some(cells: list[str], text: str, rng: random.Random) -> None:
    """Carries NSUBST out: of the cells with a glyph, drawn ones are changed, so many to each part of the text."""
    for each in text.split(","):
        keys, _, value = _split(each)
        places = [place for place, glyph in enumerate(cells) if glyph in keys and glyph != " "]
        rng.shuffle(places)
        parts = value.split("/")
        for number, part in enumerate(parts):
            known = re.match(r"\s*(\*|\d+)(?:-\d+)?\s*([:=])(.+)$", part)
            count, sign, glyphs = known.groups() if known else ("*" if number + 1 == len(parts) else "1", "=", part)
            taken = len(places) if count == "*" else min(int(count), len(places))
            once = _draw(glyphs, rng, ".")
            for place in places[:taken]:
                cells[place] = _draw(glyphs, rng, cells[place]) if sign == "=" else once
            places = places[taken:]


def _shuffle(cells: list[str], text: str, rng: random.Random) -> None:
    """Carries SHUFFLE out: glyphs, or blocks of them between slashes, change places."""
    for each in text.split(","):
        blocks = ["".join(block.split()) for block in each.split("/")]
        if len(blocks) == 1:
            blocks = list(blocks[0])
        drawn = rng.sample(blocks, len(blocks))
        table = {old: new for before, after in zip(blocks, drawn, strict=True) for old, new in zip(before, after)}  # noqa: B905
        cells[:] = [table.get(glyph, glyph) for glyph in cells]


def _clear(cells: list[str], text: str, _: random.Random) -> None:
    cells[:] = [" " if glyph in text and glyph != " " else glyph for glyph in cells]


CHANGES: Mapping[str, Callable[[list[str], str, random.Random], None]] = {
    "SUBST": _substitute,
    "NSUBST": _substitute_some,
    "SHUFFLE": _shuffle,
    "CLEAR": _clear,
}


def _feature(text: str, rng: random.Random) -> str:
    """Returns the tile of one of a glyph's features, drawn where there are several."""
    parts = [part.strip() for part in text.split("/")]
    weights = [int(found[1]) if (found := re.search(r"\bw:(\d+)", part)) else 10 for part in parts]
    part = re.sub(r"\bw:\d+", "", rng.choices(parts, weights)[0] if sum(weights) else parts[0]).strip()
    if len(part) == 1:
        return GLYPHS.get(part, ".")
    return next((tile for pattern, tile in FEATURES if re.search(pattern, part)), ".")
