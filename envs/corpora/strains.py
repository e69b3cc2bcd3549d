"""Strains: the units of eight measures or so that players of folk tunes repeat, and how they are split by work."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS
from .notation import REST, SECOND_ENDING, STRUCTURAL, TICKS_PER_WHOLE, Bar, Tune

SHARES = (0.8, 0.1, 0.1)
GRAM = 14  # intervals from note to note that two tunes share only if they are related; why 14: docs/corpora.md
BEATS = 11  # the same from beat to beat, for one tune with other ornaments
WIDEST = 0.005  # of the components go to train whatever the draw: one tune family shall not fill a tenth of a test part
ALIKE = 20  # strains of a kind, on average, from which parts are made alike in kind
MIN_MEASURES = 2


@dataclass(frozen=True)
class Strain:
    """One strain of a tune.

    Attributes:
        tune: Number of its tune, equal for all strains of one tune.
        name: The tune's title.
        source: Its file, relative to the corpus, ``#``, and its number there.
        metre: (numerator, denominator).
        tonic: Pitch class of the tonic, 0 (C) to 11.
        mode: ``"major"``, ``"minor"``, ``"dorian"``, ``"mixolydian"``, ``"lydian"``, ``"phrygian"`` or ``"locrian"``.
        upbeat: Ticks before the first downbeat (24 to the quarter note), 0 if it begins on one.
        notes: [N, 2] MIDI pitch (-1 for a rest) and duration in ticks; no two rests follow each other.
    """

    tune: int
    name: str
    source: str
    metre: tuple[int, int]
    tonic: int
    mode: str
    upbeat: int
    notes: NDArray[np.int32]


def cut(tunes: Iterable[Tune]) -> tuple[list[Strain], Counter[str]]:
    """Returns the strains of all tunes, and the number of parts left out, by reason.

    A strain is the music between two structural bar lines (``||``, ``|:``, ``:|``, ``::``, ``|]``, either end of the
    tune), its first ending included, later endings left out. It is left out if its metre or key changes, if an inner
    measure has not the metre's length, if a duration misses the tick grid, or if it is shorter than two measures.
    """
    strains: list[Strain] = []
    left_out: Counter[str] = Counter()
    for index, tune in enumerate(tunes):
        if tune.problem:
            left_out[f"tune: {tune.problem}"] += 1
            continue
        for bars in _strain_bars(tune.bars, left_out):
            begin, end = bars[0].start, bars[-1].start + bars[-1].length
            first, last = np.searchsorted(tune.notes[:, 0], (begin, end))
            notes = _merge_rests(tune.notes[first:last, :0:-1])  # columns pitch, duration
            if reason := _reason(bars, notes):
                left_out[f"strain: {reason}"] += 1
                continue
            upbeat = bars[0].length if bars[0].length < _measure(bars[0]) else 0
            source = f"{tune.source}#{tune.number}"
            strains.append(Strain(index, tune.name, source, *bars[0][2:5], upbeat, notes))
    return strains, left_out


def _strain_bars(bars: Sequence[Bar], left_out: Counter[str]) -> Iterator[list[Bar]]:
    """Yields the bars of each strain, without second and later endings."""
    strain: list[Bar] = []
    ending = False  # inside a second or later ending
    for bar, after in zip(bars, (*bars[1:], None), strict=True):
        if bar.left == SECOND_ENDING:
            if strain:
                yield strain
            strain, ending = [], True
            left_out["second or later ending"] += 1
        if not ending:
            strain.append(bar)
        if bar.right == STRUCTURAL:
            # An upbeat in front of a repeat sign, as in d|:efg, belongs to what it leads to.
            lone = len(strain) == 1 and bar.length < _measure(bar) and bar.exact
            if not (lone and after and after.left == STRUCTURAL and after.length == _measure(bar)):
                if strain:
                    yield strain
                strain = []
            ending = False
    if strain:
        yield strain


def _measure(bar: Bar) -> int:
    """Returns the nominal length of a measure, ticks; 0 where the metre is free or off the grid."""
    numerator, denominator = bar.metre
    return TICKS_PER_WHOLE * numerator // denominator if denominator and TICKS_PER_WHOLE % denominator == 0 else 0


def _reason(bars: Sequence[Bar], notes: NDArray[np.int32]) -> str:
    """Returns why a strain is left out, ``""`` if it is not."""
    full = _measure(bars[0])
    lengths = [bar.length for bar in bars]
    reasons = {
        "metre changes": len({bar.metre for bar in bars}) > 1,
        "key changes": len({bar[3:5] for bar in bars}) > 1,
        "free metre": not full,
        "no key": bars[0].tonic < 0,
        "off the tick grid": not all(bar.exact for bar in bars),
        "measure too long": max(lengths) > full,
        "inner measure too short": min(lengths[1:-1], default=full) < full,
        f"shorter than {MIN_MEASURES} measures": sum(lengths) < MIN_MEASURES * full,
        "no notes": not (notes[:, 0] != REST).any(),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _merge_rests(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns [N, 2] pitch and duration with neighbouring rests made one, but where a new one begins."""
    pitches = np.maximum(notes[:, 0], REST)
    starts = np.flatnonzero(np.r_[True, (notes[1:, 0] != REST) | (pitches[:-1] != REST)][: len(notes)])
    if len(starts) == len(notes):
        return np.stack([pitches, notes[:, 1]], axis=1)
    return np.stack([pitches[starts], np.add.reduceat(notes[:, 1], starts)], axis=1).astype(np.int32)


def components(strains: Sequence[Strain], gram: int = GRAM, beats: int = BEATS) -> NDArray[np.int64]:
    """Groups strains whose tunes are related.

    Two tunes are related if they share ``gram`` successive intervals from note to note, whatever the rhythm and key,
    or ``beats`` successive intervals from beat to beat, whatever the ornaments; and so is what a chain of such links
    joins.

    Returns:
        [S] the number of each strain's component: the smallest tune number in it.
    """
    parent = {strain.tune: strain.tune for strain in strains}

    def root(tune: int) -> int:
        while parent[tune] != tune:
            parent[tune] = tune = parent[parent[tune]]
        return tune

    seen: dict[tuple[str, bytes], int] = {}
    for strain in strains:
        own = root(strain.tune)
        for link in chain(
            _grams("note", strain.notes[strain.notes[:, 0] != REST, 0], gram), _grams("beat", _on_beats(strain), beats)
        ):
            other = root(seen.setdefault(link, own))
            if other != own:
                own, higher = sorted((own, other))
                parent[higher] = own
    return np.array([root(strain.tune) for strain in strains], np.int64)


def _grams(kind: str, pitches: NDArray[np.int32], length: int) -> Iterator[tuple[str, bytes]]:
    """Yields every run of so many intervals; of a shorter strain all of it, so that its exact copies stay together."""
    steps = np.clip(np.diff(pitches), -128, 127).astype(np.int8).tobytes()
    for first in range(max(len(steps) - length, 0) + 1):
        yield kind, steps[first : first + length]


def _on_beats(strain: Strain) -> NDArray[np.int32]:
    """Returns the pitch that sounds on each beat, [beats]; 0 for a rest."""
    numerator, denominator = strain.metre
    beat = TICKS_PER_WHOLE // denominator * (3 if numerator % 3 == 0 and denominator == 8 else 1)
    ends = np.cumsum(strain.notes[:, 1])
    times = np.arange(strain.upbeat % beat, ends[-1], beat)
    sounding: NDArray[np.int32] = strain.notes[np.searchsorted(ends, times, side="right"), 0]
    return np.maximum(sounding, 0)


def split(strains: Sequence[Strain], gram: int = GRAM, beats: int = BEATS) -> list[str]:
    """Returns train, validation or test for each strain, in shares of 80, 10 and 10%; related tunes stay together.

    Components are dealt in an order drawn by a hash of their first source, each to the part that is furthest behind
    its share of such strains (of the same collection and metre, so that the parts are alike); the very largest go to
    train. ``docs/corpora.md`` has the figures behind ``gram`` and ``beats``.
    """
    return deal(
        components(strains, gram, beats).tolist(), [_kind(strain) for strain in strains], [s.source for s in strains]
    )


def deal(
    component: Sequence[int], kinds_of: Sequence[Hashable], sources: Sequence[str], widest: float = WIDEST
) -> list[str]:
    """Returns train, validation or test for each of some parts, in shares of 80, 10 and 10%.

    Args:
        component: of each part; those of one stay together.
        kinds_of: kind of each part: the splits are alike in kinds where there are enough parts.
        sources: of each part; a hash of a component's first one draws the order of dealing.
        widest: share of the components, the largest, that go to train whatever the draw.
    """
    if ALIKE * len(set(kinds_of)) > len(kinds_of):  # too few of a kind to be dealt by kind
        kinds_of = [None] * len(kinds_of)
    kinds = {kind: i for i, kind in enumerate(dict.fromkeys(kinds_of))}
    members: dict[int, NDArray[np.int64]] = {}
    first: dict[int, str] = {}
    for source, kind, name in zip(sources, kinds_of, component, strict=True):
        first.setdefault(name, source)
        members.setdefault(name, np.zeros(len(kinds), np.int64))[kinds[kind]] += 1
    order = sorted(members, key=lambda name: (hashlib.sha256(first[name].encode()).digest(), name))
    sizes = {name: int(counts.sum()) for name, counts in members.items()}
    wide = np.quantile(list(sizes.values()), 1 - widest, method="higher")
    filled = np.zeros((len(SPLITS), len(kinds)))
    place: dict[int, int] = {}
    for name in sorted(order, key=lambda name: sizes[name] <= wide):
        behind = (filled @ members[name]) / np.array(SHARES)
        place[name] = 0 if sizes[name] > wide else int(behind.argmin())
        filled[place[name]] += members[name]
    return [SPLITS[place[name]] for name in component]


def _kind(strain: Strain) -> tuple[str, tuple[int, int]]:
    """Returns collection (the folder, if there is one) and metre."""
    collection, _, rest = strain.source.partition("/")
    return collection if rest else "", strain.metre
