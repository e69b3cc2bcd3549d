"""Syllables of English by spelling, letter by letter: an estimate that needs no dictionary and can wait for more.

Groups of vowels are syllables, and silent endings are none: "-e" after a consonant ("made", but not "able"), "-ed" but
not after t and d ("loved"), "-es" but not after a hissing sound ("makes").
"""

from __future__ import annotations

import functools

TAILS = ("none", "vowel", "consonant", "dental", "hiss", "liquid", "e", "dental e", "hiss e", "silent")
"""States of a word, by its last letters.

No vowel yet; a vowel that sounds; a consonant; t or d; a hissing one; l after a consonant; a silent e after
one of the first three; a silent "-ed" or "-es".
"""
NONE, VOWEL, CONSONANT, DENTAL, HISS, LIQUID, E, DENTAL_E, HISS_E, SILENT = range(len(TAILS))
_VOWELS = frozenset("aeiouy")
_SILENT_E = {CONSONANT: E, DENTAL: DENTAL_E, HISS: HISS_E}


@functools.cache
def step(tail: int, sign: str) -> tuple[int, int]:
    """Returns the state after one more character, and how many syllables it adds.

    A silent ending that turns out to be none, since the word goes on, adds the syllable then.
    """
    sign = sign.lower()
    if sign == "'":
        return tail, 0
    if not sign.isalpha():
        return NONE, 0
    late = 0
    if tail in (E, DENTAL_E, HISS_E):
        if (sign == "d" and tail != DENTAL_E) or (sign == "s" and tail != HISS_E):
            return SILENT, 0
        tail, late = VOWEL, 1
    elif tail == SILENT:
        tail, late = CONSONANT, 1
    if sign in _VOWELS:
        if tail == VOWEL:
            return VOWEL, late
        return (_SILENT_E[tail], late) if sign == "e" and tail in _SILENT_E else (VOWEL, late + 1)
    if tail == NONE:
        return NONE, 0
    if sign == "l" and tail != VOWEL:
        return LIQUID, late
    return DENTAL if sign in "dt" else HISS if sign in "scxzgh" else CONSONANT, late


def read(text: str, tail: int = NONE) -> tuple[int, int]:
    """Returns the state after a text, and its syllables."""
    total = 0
    for sign in text:
        tail, added = step(tail, sign)
        total += added
    return tail, total


def syllables(text: str) -> int:
    """Returns about how many syllables a text has; a word has one at least."""
    return read(text)[1]
