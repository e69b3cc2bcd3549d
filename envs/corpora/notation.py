"""A melody as notated, in the form that every reader of tunes returns.

Time is counted in ticks, 24 to the quarter note: triplets and sixteenths of dotted rhythms are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TICKS_PER_WHOLE = 96
REST = -1  # the pitch of a rest
NEW_REST = -2  # the pitch of a rest that does not prolong the one before it; of tunes only, strains have REST for both
PLAIN, STRUCTURAL, FIRST_ENDING, SECOND_ENDING = range(4)  # kinds of bar line


class Bar(NamedTuple):
    """One measure as written.

    Attributes:
        start: Onset, ticks.
        length: Actual length, ticks.
        metre: Nominal (numerator, denominator); (0, 0) where the music is free.
        tonic: Pitch class of the tonic, 0 (C) to 11; -1 where no key is given.
        mode: ``"major"``, ``"minor"``, ``"dorian"``, ...; ``"none"`` where no key is given.
        left: Kind of the bar line at its left: PLAIN, STRUCTURAL, FIRST_ENDING or SECOND_ENDING (or a later one).
        right: Kind of the bar line at its right: PLAIN or STRUCTURAL.
        exact: True where every onset and duration in it is a whole number of ticks.
    """

    start: int
    length: int
    metre: tuple[int, int]
    tonic: int
    mode: str
    left: int
    right: int
    exact: bool


@dataclass(frozen=True)
class Tune:
    """One tune.

    Attributes:
        name: Its first title.
        source: The file it comes from.
        number: Its reference number in that file.
        notes: [N, 3] onset and duration in ticks, MIDI pitch or REST or NEW_REST. Tied notes are one note, except
            across a structural bar line.
        bars: Its measures in order.
        problem: Reason not to use it, ``""`` where nothing is wrong.
    """

    name: str
    source: str
    number: int
    notes: NDArray[np.int32]
    bars: tuple[Bar, ...]
    problem: str = ""
