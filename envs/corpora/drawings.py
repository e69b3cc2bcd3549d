"""Line drawings as decisions of a pen: read, simplified, put on a grid of points, split, cached.

See ``docs/environments/sketch.md``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .splitting import split
from .stored import layout, report, usable_works
from .usable import UsableWorks
from .vectors import Line, Vectors, read_svg

SUFFIXES = (".svg",)
PARSER_VERSION = 1  # raise it whenever a drawing or its part may come out differently: older caches are then ignored
SIDE = 28  # pixels of the canvas
POINTS = 26  # rows and columns that the pen goes to: the middle of every pixel but those at the edge
LIFT, END = POINTS, POINTS + 1
"""Decisions beside the row or column of a point: the pen leaves the paper; the drawing is finished."""
HORIZON = 96  # decisions of a drawing, at most
TOLERANCE = 0.5  # pixels that a line may be from the stroke it stands for, before its ends are rounded
COARSER = (TOLERANCE, 1.0, 2.0)
"""Tolerances of a user's drawings: the first that takes few enough decisions."""
FREE = 1.5  # pixels around the strokes of a file that does not say what it shows
ALIKE = 0.86  # likeness from which on two drawings are near copies, which belong in one split
SECONDS = 20  # that reading KanjiVG takes, about

KANJI_BOX = (4.5, 4.5, 100.0, 100.0)
"""Part of KanjiVG's box of 109 x 109 that becomes the canvas: strokes of nearly all characters lie in it."""
BINS = {"1-5": 5, "6-8": 8, "9-11": 11, "12-14": 14, "15-up": HORIZON}
"""Numbers of strokes, and the largest of each."""
CONDITIONS = (Condition("strokes", tuple(BINS)),)
DATA = ("kanjivg",)
"""Sources of drawings; the first is the default."""

logger = logging.getLogger(__name__)

Stroke = NDArray[np.int64]
"""Row and column, 0 .. ``POINTS`` - 1, of the points of a stroke, int64 [K, 2], K > 0; one alone is a dot."""


class Drawing(NamedTuple):
    """A drawing on the grid of points.

    Attributes:
        name: of its file.
        strokes: in the order of drawing.
    """

    name: str
    strokes: list[Stroke]


class Drawings(NamedTuple):
    """Drawings of a corpus, before they are split.

    Attributes:
        drawings: in the order of their names.
        files: number of files that were looked at.
        read: number of those that could be read.
        left_out: number of drawings that became no work, by reason.
        skipped: (name, reason) of files that could not be read.
    """

    drawings: list[Drawing]
    files: int
    read: int
    left_out: Counter[str]
    skipped: tuple[tuple[str, str], ...] = ()


def encode(strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
    """Returns the decisions that draw strokes: row and column of each point, and ``LIFT`` or ``END`` after each stroke.

    Returns:
        uint8 [2 K + S] of S strokes with K points.
    """
    parts = [np.append(stroke.ravel(), LIFT) for stroke in strokes]
    actions = np.concatenate(parts).astype(np.uint8)
    actions[-1] = END
    return actions


def decode(actions: NDArray[Any]) -> list[Stroke]:
    """Returns the strokes that decisions int [L] draw, as ``encode`` takes them; a row without a column is no point."""
    strokes, numbers = list[Stroke](), list[int]()
    for action in [*np.asarray(actions).tolist(), END]:
        if action < POINTS:
            numbers.append(action)
            continue
        if len(numbers) > 1:
            strokes.append(np.array(numbers[: len(numbers) // 2 * 2], np.int64).reshape(-1, 2))
        numbers = []
        if action == END:
            break
    return strokes


def fitted(drawn: Vectors, tolerance: float, box: tuple[float, float, float, float] | None = None) -> list[Stroke]:
    """Returns the strokes of a vector picture on the grid of points.

    The longer side of a box becomes that of the canvas, its middle the canvas's. Strokes are simplified
    (``simplified``), and the ends of their lines move to the nearest points. Strokes whose corners all are points stay
    as they are.

    Args:
        drawn: the picture, with at least one stroke.
        tolerance: pixels.
        box: left, top, width and height, in units of the picture; by default its own, or one around its strokes.
    """
    box = box or drawn.box or _around(drawn.strokes)
    left, top, width, height = box
    middle, scale = np.array([left + width / 2, top + height / 2]), SIDE / max(width, height)
    strokes = list[Stroke]()
    for stroke in drawn.strokes:
        places = ((stroke - middle) * scale + (POINTS - 1) / 2)[:, ::-1]  # rows and columns, in points
        points = np.clip(np.rint(places), 0, POINTS - 1).astype(np.int64)
        if np.abs(points - places).max() > 1e-6:
            points = points[simplified(places, tolerance)]
        moved = np.append(True, (points[1:] != points[:-1]).any(1))
        strokes.append(points[moved])
    return strokes


def _around(strokes: Sequence[Line]) -> tuple[float, float, float, float]:
    """Returns a square box that leaves room for the pen around strokes."""
    corners = np.concatenate(strokes)
    low, high = corners.min(0), corners.max(0)
    side = max(float((high - low).max()), 1e-9) * SIDE / (SIDE - 2 * FREE)
    left, top = ((low + high - side) / 2).tolist()
    return left, top, side, side


def simplified(corners: Line, tolerance: float) -> NDArray[np.intp]:
    """Returns the indices of those corners [K, 2] of a line whose polygon is within a tolerance of all, ends included.

    The algorithm of Ramer 1972 and Douglas & Peucker 1973, with distances to line segments.
    """
    kept, open_ = {0, len(corners) - 1}, [(0, len(corners) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        way, away = corners[last] - corners[first], corners[first + 1 : last] - corners[first]
        along = away[:, 0] * way[0] + away[:, 1] * way[1]
        share = np.clip(along / max(float(way[0] ** 2 + way[1] ** 2), 1e-12), 0, 1)
        distance = np.square(away - share[:, None] * way).sum(1)
        furthest = int(distance.argmax())
        if distance[furthest] > tolerance**2:
            middle = first + 1 + furthest
            kept.add(middle)
            open_ += [(first, middle), (middle, last)]
    return np.array(sorted(kept), np.intp)


def load_drawings(data: str) -> UsableWorks:
    """Returns the drawings of a source, a name of ``DATA``, from the cache where they are there.

    Contents are decisions uint8 [N, ``HORIZON``], padded with 0; groups are of near copies.

    Raises:
        CorpusMissingError: The source is not on this machine.
    """
    root = sources.find(data)
    cache = cache_folder() / f"drawings-{sources.version(data, root)}-v{PARSER_VERSION}.npz"

    def read() -> Drawings:
        logger.warning("reading the %s: about %d seconds, this once", sources.SOURCES[data].what, SECONDS)
        return read_kanji(sources.files(data, root))

    return _load(cache, read, f"the {sources.SOURCES[data].what}", own=False)


def find_folder(corpus: str) -> files.Found:
    """Returns the SVG files below a folder.

    Raises:
        ValueError: There is no such folder.
    """
    return files.find(Path(corpus), SUFFIXES)


def load_folder(found: files.Found) -> UsableWorks:
    """Returns the drawings of a user's files, as ``load_drawings`` does; ``usable`` raises where they are too few."""
    cache = cache_folder() / f"drawings-{found.fingerprint()}-v{PARSER_VERSION}.npz"
    return _load(cache, lambda: read_folder(found), files.printable(str(found.root)), own=True)


def read_kanji(paths: Sequence[Path]) -> Drawings:
    """Returns the drawings of KanjiVG's files."""
    drawings, left_out = list[Drawing](), Counter[str]()
    for path in paths:
        strokes = fitted(read_svg(path.read_bytes()), TOLERANCE, KANJI_BOX)
        if _length(strokes) > HORIZON:
            left_out[f"more than {HORIZON} decisions"] += 1
        else:
            drawings.append(Drawing(path.stem, strokes))
    return Drawings(drawings, len(paths), len(paths), left_out)


def read_folder(found: files.Found) -> Drawings:
    """Returns the drawings of a user's SVG files; those of many strokes are simplified more."""
    pictures, skipped = files.read_files(found, _read)
    drawings, left_out = list[Drawing](), Counter[str]()
    for name, drawn in pictures:
        tried = (fitted(drawn, tolerance) for tolerance in COARSER)
        strokes = next((strokes for strokes in tried if _length(strokes) <= HORIZON), None)
        if strokes is None:
            left_out[f"more than {HORIZON} decisions"] += 1
        else:
            drawings.append(Drawing(name, strokes))
    return Drawings(drawings, len(found.files) + len(found.skipped), len(pictures), left_out, skipped)


def _read(data: bytes, name: str) -> list[tuple[str, Vectors]]:
    drawn = read_svg(data)
    if not drawn.strokes:
        raise ValueError("has no path, polyline, polygon or line")
    return [(name, drawn)]


def _length(strokes: Sequence[Stroke]) -> int:
    return sum(2 * len(stroke) + 1 for stroke in strokes)


def _load(cache: Path, read: Callable[[], Drawings], named: str, own: bool) -> UsableWorks:
    def works(arrays: Arrays) -> UsableWorks:
        return usable_works(arrays, "drawings", named, SUFFIXES, own, "drawing unlike the others", "actions")

    return cached(cache, layout((HORIZON,), CONDITIONS, "actions"), lambda: _build(read()), works)


def _build(found: Drawings) -> Arrays:
    left_out = Counter(found.left_out)
    different = dict[bytes, Drawing]()
    for drawing in found.drawings:
        if different.setdefault(encode(drawing.strokes).tobytes(), drawing) is not drawing:
            left_out["equal to another"] += 1
    drawings = list(different.values())
    kin = kinship([drawing.strokes for drawing in drawings])
    names = [drawings[first].name for first in kin]
    actions = np.zeros((len(drawings), HORIZON), np.uint8)
    for row, drawing in zip(actions, drawings, strict=True):
        decisions = encode(drawing.strokes)
        row[: len(decisions)] = decisions
    styles = np.searchsorted(list(BINS.values()), [len(drawing.strokes) for drawing in drawings])
    values = [(CONDITIONS[0].values[style],) for style in styles.tolist()]
    return {
        "actions": actions,
        "conditions": styles.astype(np.uint8).reshape(-1, 1),
        "groups": np.array(kin, np.int32),
        "parts": split(names, values),
        "report": report(found.files, found.read, left_out, found.skipped),
    }


def kinship(drawings: Sequence[Sequence[Stroke]]) -> list[int]:
    """Returns the first of the near copies that each drawing is one of, itself for most.

    Near copies are the connected components of drawings whose ``likeness`` is at least ``ALIKE``.
    """
    traces = np.array([trace(strokes) for strokes in drawings])
    kin = list(range(len(traces)))

    def first(row: int) -> int:
        while kin[row] != row:
            row = kin[row]
        return row

    for start in range(0, len(traces), 512):  # bounds memory
        rows, others = np.nonzero(likeness(traces[start : start + 512], traces) >= ALIKE)
        for row, other in zip((rows + start).tolist(), others.tolist(), strict=True):
            if other < row:
                low, high = sorted((first(row), first(other)))
                kin[high] = low
    return [first(row) for row in range(len(kin))]


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the cosines of traces [N, P] and [M, P], float64 [N, M]: 1 for equal ones, 0 for those far apart.

    Entries are whole numbers, and so are their sums: every processor has the same cosines.
    """
    lengths = (np.sqrt(np.square(traces).sum(1, dtype=np.float64)) for traces in (first, second))
    cosines: NDArray[np.float64] = (first @ second.T) / np.outer(*lengths)
    return cosines


def trace(strokes: Sequence[Stroke]) -> NDArray[np.float32]:
    """Returns where strokes pass, blurred: whole numbers from 0 to 16 for each pixel, float32 [``SIDE``^2].

    A pixel counts once, however many strokes cross it; its neighbours get a half and a quarter of it.
    """
    passed = np.zeros((SIDE + 2, SIDE + 2), np.float32)
    starts = np.concatenate([stroke[[0, *range(len(stroke) - 1)]] for stroke in strokes])
    ways = np.concatenate(strokes) - starts
    places = starts[:, None] + np.linspace(0, 1, 2 * POINTS)[:, None] * ways[:, None]  # [lines, places, 2]
    passed[tuple(np.rint(places + 2).astype(np.intp).reshape(-1, 2).T)] = 1
    rows = passed[:-2] + 2 * passed[1:-1] + passed[2:]
    blurred: NDArray[np.float32] = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]).ravel()
    return blurred
