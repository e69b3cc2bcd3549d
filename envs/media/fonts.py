"""Fonts with Chinese characters: those of the system, or one that ``MUSEGYM_FONT`` names; loaded on first need."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

logger = logging.getLogger(__name__)

VARIABLE = "MUSEGYM_FONT"
NAMES = (
    r"ukai|wenkai-(regular|medium)|wenkaitc|kaiti|simkai|kaiu|cwtexkai|[bg]kai00mp",  # written with a brush
    r"notoserif(cjk|[st]c)|sourcehanserif|uming|songti|simsun|mingliu|[bg]s[mn]i?00lp|cwtexming",  # printed
    r"notosans(cjk|[sth]c)|sourcehansans|wqy|zenhei|microhei|pingfang|msyh|msjh|stheiti|hiragino|droidsansfallback",
)
"""Names of files in lower case without marks, as patterns; the first kind looks best."""
PACKAGES = ("pylopdf_fonts_zh_tw", "pylopdf_fonts_zh_cn")
"""Python packages that carry such fonts (Noto Serif and Sans)."""
SUFFIXES = {".ttf", ".ttc", ".otf", ".otc"}


def _candidates() -> Iterator[Path]:
    """Yields the files of fonts that may have Chinese characters, the best looking first."""
    if own := os.environ.get(VARIABLE):
        yield Path(own).expanduser()
    from matplotlib.font_manager import findSystemFonts

    found = [Path(path) for path in findSystemFonts()]
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            found += (path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    for names in NAMES:
        matching = {path for path in found if re.search(names, re.sub(r"[ _]", "", path.stem.lower()))}
        yield from sorted(matching, key=lambda path: ("mono" in path.stem.lower(), path.name, path))
    yield _dejavu()  # has pinyin


@functools.cache
def _glyphs(path: Path) -> frozenset[int]:
    """Returns the code points that a font has, none where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError, ValueError) as error:
        logger.warning("cannot read the font %s (%s)", path.name, error)
        return frozenset()


@functools.cache
def _files() -> tuple[Path, ...]:
    return tuple(dict.fromkeys(_candidates()))


@functools.cache
def font_file(character: str) -> Path | None:
    """Returns the file of the best looking font that has a character; None where there is none."""
    return next((path for path in _files() if ord(character) in _glyphs(path)), None)


def font(character: str, size: int) -> FreeTypeFont | None:
    """Returns that font in a size in pixels; None where there is none."""
    path = font_file(character)
    return None if path is None else _loaded(path, size)


@functools.lru_cache(maxsize=64)
def latin(size: int) -> FreeTypeFont:
    """Returns a font with the letters of pinyin and their marks, the DejaVu Sans of matplotlib, in a size."""
    return _loaded(_dejavu(), size)


def _dejavu() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size)
