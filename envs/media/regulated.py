"""Rules of regulated verse (*jueju* and *lüshi*), for poems as grids of characters.

Wang Li (1958), *Hanyu shilü xue* (Prosody of Chinese verse), chapters 1 and 2:

- Rhyme: the even lines rhyme with each other.
- Alternation: in a line, the second, fourth and (of seven) sixth characters are level and oblique in turn.
- Opposition (*dui*): in a couplet, the second characters of both lines are of opposite tone.
- Adhesion (*nian*): the second characters of a couplet's last line and of the next line are of one tone.

The third of the usual rules, that a line does not end on three level tones, and the exceptions that poets allow
themselves are left out. Tones and rhymes are those of today, an approximation: ``envs.corpora.readings``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Bools, Floats, Ints

NAMES = ("length", "rhyme", "alternation", "opposition", "adhesion")
"""Names of the rules."""
LEVEL, OBLIQUE = 1, 2
"""Tone classes, 0 where it is not known."""
BREAK, FIRST = 1, 2
"""Tokens: the end of a line that is not full; a character is ``FIRST`` + its index, 0 is padding."""


class Letters(NamedTuple):
    """The characters of an alphabet.

    Attributes:
        alphabet: the characters.
        pinyin: reading of each, "" where it is not known.
        tones: uint8 [1 + K], ``LEVEL``, ``OBLIQUE`` or 0, by 1 + the index of a character; 0 for none.
        rhymes: uint8 [1 + K], number of its rhyme by 1 + its index; 0 for none.
    """

    alphabet: str
    pinyin: tuple[str, ...]
    tones: NDArray[np.uint8]
    rhymes: NDArray[np.uint8]


def laid_out(contents: Array, lines: int, longest: int) -> NDArray[np.int16]:
    """Returns poems of tokens int [N, T] as a grid int16 [N, lines, longest]: 1 + the index of a character, 0 for none.

    A line ends at a ``BREAK`` or where it is full.

    Raises:
        ValueError: contents have another shape, negative numbers, or more lines.
    """
    contents = np.asarray(contents)
    if contents.ndim != 2 or contents.shape[1] != lines * longest or (contents.size and contents.min() < 0):
        raise ValueError(f"poems are tokens [N, {lines * longest}] from 0, not {list(contents.shape)}")
    grid = np.zeros((len(contents), lines * longest), np.int16)
    line, place = np.zeros((2, len(contents)), np.int64)
    for tokens in contents.T:
        rows = np.flatnonzero((tokens >= FIRST) & (line < lines))
        if ((tokens > 0) & (line >= lines)).any():
            raise ValueError(f"a poem has more than {lines} lines")
        grid[rows, line[rows] * longest + place[rows]] = tokens[rows] - (FIRST - 1)
        place += tokens >= FIRST
        ends = (tokens == BREAK) | (place == longest)
        line += ends
        place[ends] = 0
    return grid.reshape(-1, lines, longest)


def kept(grid: Array, lines: Ints, lengths: Ints, letters: Letters) -> Floats:
    """Returns the shares of places at which each rule of ``NAMES`` holds, float32 [N, 5].

    Args:
        grid: int [N, L, W], as ``laid_out`` returns it.
        lines: int [N], lines of each poem's form; with fewer than four it has but the rule of ``length``.
        lengths: int [N], characters of a line of it; with others than five or seven, too.
        letters: tones and rhymes of the alphabet.

    Returns:
        Of ``length`` the share of lines of the form's length; of ``rhyme`` that of even lines beyond the second that
        rhyme with the second; of ``alternation`` that of lines, of ``opposition`` that of couplets, of ``adhesion``
        that of pairs of neighbouring couplets. A place whose tone or rhyme is not known breaks the rule. Where a form
        does not have a rule, such as one of a single line, the share is 1.
    """
    N, L, W = grid.shape
    there, counts = np.arange(L) < lines[:, None], (grid > 0).sum(2)  # [N, L]
    full = there & (counts == lengths[:, None])
    tones, rhymes = letters.tones[grid], letters.rhymes[grid]  # [N, L, W]
    last = np.take_along_axis(rhymes, np.maximum(counts - 1, 0)[..., None], 2)[..., 0]  # [N, L]
    second = tones[:, :, 1] if W > 1 else np.zeros((N, L), np.uint8)
    later = there & (np.arange(L) % 2 == 1) & (np.arange(L) > 1)
    rhymed = (last == last[:, 1:2]) & (last > 0) if L > 1 else np.zeros((N, L), np.bool_)
    alternates = full.copy()
    for place in range(3, W, 2):
        needed = place + 1 < lengths[:, None]  # the last character of a line is that of the rhyme
        alternates &= ~needed | _differ(tones[:, :, place], tones[:, :, place - 2])
    upper, lower, after = np.arange(0, L - 1, 2), np.arange(1, L, 2)[: L // 2], np.arange(2, L, 2)
    opposed = _differ(second[:, upper], second[:, lower])
    before = after - 1
    adheres = (second[:, before] == second[:, after]) & (second[:, after] > 0)
    found = [
        _share(full, there),
        _share(rhymed, later),
        _share(alternates, there),
        _share(opposed, there[:, lower]),
        _share(adheres, there[:, after]),
    ]
    shares = np.stack(found, 1).astype(np.float32)
    shares[~_regulated(lines, lengths), 1:] = 1
    return shares


def due(
    grid: Array, line: Ints, place: Ints, lines: Ints, lengths: Ints, letters: Letters
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns the tone and the rhyme that the rules ask of next characters, each uint8 [N]; 0 where they ask for none.

    Args:
        grid: int [N, L, W], poems in the making.
        line: int [N], line of the next character.
        place: int [N], its place there.
        lines: int [N], lines of each poem's form.
        lengths: int [N], characters of a line of it.
        letters: tones and rhymes of the alphabet.
    """
    rows, here = np.arange(len(grid)), np.minimum(line, grid.shape[1] - 1)
    above = letters.tones[grid[rows, np.maximum(here - 1, 0), 1]]
    before = letters.tones[grid[rows, here, np.maximum(place - 2, 0)]]
    other = np.where(place == 1, above, before)
    same = (place == 1) & (line % 2 == 0)
    tones = np.where(same | (other == 0), other, LEVEL + OBLIQUE - other)
    regulated = _regulated(lines, lengths) & (line < lines)
    asked = regulated & (place % 2 == 1) & (place < lengths - 1) & ((place > 1) | (line > 0))
    last = np.take_along_axis(grid[:, 1], np.maximum((grid[:, 1] > 0).sum(1) - 1, 0)[:, None], 1)[:, 0]
    rhymed = regulated & (place == lengths - 1) & (line % 2 == 1) & (line > 1)
    return np.where(asked, tones, 0).astype(np.uint8), np.where(rhymed, letters.rhymes[last], 0).astype(np.uint8)


def _regulated(lines: Ints, lengths: Ints) -> Bools:
    """Returns which forms have rules of rhyme and tones: couplets of lines of five or seven characters, two or more."""
    regulated: Bools = (lines >= 4) & (lines % 2 == 0) & np.isin(lengths, (5, 7))
    return regulated


def _differ(first: Array, second: Array) -> Bools:
    """Returns whether tones are level and oblique, or the other way round."""
    differ: Bools = (first != second) & (first > 0) & (second > 0)
    return differ


def _share(held: Bools, places: Bools) -> Floats:
    """Returns the share of places [N, P] that hold, float [N]; 1 where there are none."""
    count = places.sum(1)
    shares: Floats = np.where(count > 0, (held & places).sum(1) / np.maximum(count, 1), 1.0)
    return shares
