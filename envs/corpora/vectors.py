"""Strokes of vector pictures: the paths of SVG files as corners of lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

Line = NDArray[np.float64]
"""Corners of a stroke, float64 [K, 2]: x to the right and y down, in units of the file."""

PIECES = 16  # straight ones to a curve
STROKES = {"path", "polyline", "polygon", "line"}
UNSEEN = {"defs", "clipPath", "mask", "marker", "pattern", "symbol"}
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TOKEN = re.compile(rf"[A-Za-z]|{NUMBER.pattern}")
TAKES = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "z": 0}
"""Numbers that follow a command of a path."""


class Vectors(NamedTuple):
    """A vector picture.

    Attributes:
        strokes: in the order of the file.
        box: left, top, width and height of what the file shows; None where it does not say.
    """

    strokes: list[Line]
    box: tuple[float, float, float, float] | None


def read_svg(data: bytes) -> Vectors:
    """Returns the strokes of an SVG file: those of ``path``, ``polyline``, ``polygon`` and ``line``.

    Raises:
        ValueError: it is no SVG, or has parts that are not read: transforms, arcs, entities.
    """
    if b"<!ENTITY" in data.replace(b"\0", b""):  # a few of them can stand for gigabytes
        raise ValueError("has entities of its own, which are not read")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # not well-formed; an unknown encoding
        raise ValueError(f"no XML that can be read ({error})") from None
    if _name(root) != "svg":
        raise ValueError(f"no SVG: its outermost element is {_name(root)!r}")
    return Vectors(list(_strokes(root)), _box(root))


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _box(root: ElementTree.Element) -> tuple[float, float, float, float] | None:
    """Returns the view box, or one of the width and height; None where there are none above 0."""
    numbers = [float(found) for found in NUMBER.findall(root.get("viewBox", ""))]
    if len(numbers) != 4:
        sides = [re.fullmatch(rf"\s*({NUMBER.pattern})(?:px)?\s*", root.get(name, "")) for name in ("width", "height")]
        numbers = [0.0, 0.0, *(float(side[1]) for side in sides if side)]
    if len(numbers) != 4 or min(numbers[2:]) <= 0:
        return None
    left, top, width, height = numbers
    return left, top, width, height


def _strokes(element: ElementTree.Element, moved: bool = False) -> Iterator[Line]:
    """Yields the strokes of an element and of those within it, ``moved`` where one around them has a transform."""
    if _name(element) in UNSEEN:
        return
    moved = moved or bool(element.get("transform", "").strip())
    if (name := _name(element)) in STROKES:
        if moved:
            raise ValueError("has strokes under a transform: apply it to their coordinates first")
        if name == "path":
            yield from strokes_of(element.get("d", ""))
        elif name == "line":
            numbers = [float(element.get(key, "0") or 0) for key in ("x1", "y1", "x2", "y2")]
            yield np.array(numbers).reshape(2, 2)
        else:
            numbers = [float(found) for found in NUMBER.findall(element.get("points", ""))]
            corners = np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2)
            if len(corners):
                yield np.concatenate([corners, corners[:1]]) if name == "polygon" else corners
    for inner in element:
        yield from _strokes(inner, moved)


def strokes_of(path: str) -> list[Line]:
    """Returns the strokes of a path's data (SVG 1.1, section 8.3): a stroke ends where the pen moves on.

    A curve becomes ``PIECES`` straight lines between places on it.

    Raises:
        ValueError: there is an arc, or something else that is no command.
    """
    tokens = TOKEN.findall(path)
    if re.sub(r"[\s,]", "", path) != re.sub(r"[\s,]", "", "".join(tokens)):
        raise ValueError("has a path that cannot be read")
    strokes, corners = list[Line](), list[Line]()
    pen, start, control = np.zeros(2), np.zeros(2), None
    at, command = 0, ""
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
        kind = command.lower()
        if kind == "a":
            raise ValueError("has arcs: convert them to curves first")
        if kind not in TAKES or (kind == "z" and at < len(tokens) and not tokens[at].isalpha()):
            raise ValueError(f"has a path whose command {command!r} is unknown")
        given = tokens[at : at + TAKES[kind]]
        if len(given) < TAKES[kind] or any(token.isalpha() for token in given):
            raise ValueError(f"has a path whose command {command!r} lacks numbers")
        at += TAKES[kind]
        numbers = np.array(given, np.float64)
        origin = pen if command.islower() else np.zeros(2)
        if kind == "m":
            strokes += _finished(corners)
            pen = start = numbers + origin
            corners, control = [pen[None]], None
            command = "l" if command == "m" else "L"  # further numbers are lines
            continue
        if not corners:  # after a closed stroke, or where none was begun
            corners = [pen[None]]
        if kind == "z":
            strokes += _finished([*corners, start[None]])
            pen, corners, control = start, [], None
        elif kind in "hv":
            axis = "hv".index(kind)
            pen = pen.copy()
            pen[axis] = numbers[0] + origin[axis]
            corners.append(pen[None])
            control = None
        else:
            places = numbers.reshape(-1, 2) + origin
            mirrored = pen if control is None or control[0] not in (kind, _LIKE[kind]) else 2 * pen - control[1]
            if kind in "st":
                places = np.concatenate([mirrored[None], places])
            control = (kind, places[-2]) if len(places) > 1 else None
            corners.append(np.concatenate([pen[None], places]) if len(places) > 1 else places)
            pen = places[-1]
    return [*strokes, *_finished(corners)]


_LIKE = {"c": "s", "s": "c", "q": "t", "t": "q", "l": "l"}
"""The command whose control point is mirrored after a command."""


def _finished(parts: list[Line]) -> list[Line]:
    """Returns the corners of a stroke in one array; none of a pen that only moved.

    Args:
        parts: ends of lines, [1, 2], and curves by their control points, start included, [3, 2] or [4, 2].
    """
    if len(parts) < 2:
        return []
    curves = [_cubic(part) for part in parts if len(part) > 1]
    if curves:
        places = iter(SHARES @ np.stack(curves))  # [curves, PIECES, 2]
        parts = [next(places) if len(part) > 1 else part for part in parts]
    return [np.concatenate(parts)]


def _cubic(controls: Line) -> Line:
    """Returns the four control points of a curve: a quadratic one of three is a cubic one too."""
    if len(controls) == 4:
        return controls
    start, middle, end = controls
    return np.stack([start, (start + 2 * middle) / 3, (end + 2 * middle) / 3, end])


def _shares() -> NDArray[np.float64]:
    """Returns the shares of control points in places on a cubic Bezier curve, its start left out, [PIECES, 4]."""
    t = np.linspace(0, 1, PIECES + 1)[1:]
    return np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)


SHARES = _shares()
