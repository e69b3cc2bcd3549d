"""The fields of an ABC header that decide how notes sound: key, metre, unit note length."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MODES = {  # first three letters -> name, and steps along the circle of fifths from the major key of the same tonic
    "": ("major", 0),
    "maj": ("major", 0),
    "ion": ("major", 0),
    "lyd": ("lydian", 1),
    "mix": ("mixolydian", -1),
    "dor": ("dorian", -2),
    "m": ("minor", -3),
    "min": ("minor", -3),
    "aeo": ("minor", -3),
    "phr": ("phrygian", -4),
    "loc": ("locrian", -5),
}
FIFTHS = "FCGDAEB"
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHIFT = {"": 0, "=": 0, "^": 1, "^^": 2, "#": 1, "_": -1, "__": -2, "b": -1}
ACCIDENTALS = str.maketrans("\u266f\u266d", "#b")  # music signs, as word processors write them
MOST_DIGITS, MOST_SLASHES = 6, 8
QUOTED = 40  # characters of a text that a message quotes
CLEF = re.compile(r"\b(?:[a-z]{2,}=\S+|treble|alto|tenor|bass|perc)\S*")


class Key(NamedTuple):
    """A key.

    Attributes:
        tonic: Pitch class, 0 (C) to 11; -1 for none.
        mode: ``"major"``, ``"minor"``, ``"dorian"``, ...; ``"none"`` for none.
        signature: By how many semitones each letter moves; letters that stay are missing.
    """

    tonic: int
    mode: str
    signature: dict[str, int]


NO_KEY = Key(-1, "none", {})


def read_key(text: str) -> Key:
    """Returns the key that a ``K:`` field names.

    Raises:
        ValueError: If it names none.
    """
    text = CLEF.sub("", text.split("%")[0]).strip().translate(ACCIDENTALS)
    if text in ("HP", "Hp"):  # the Highland bagpipe's scale; HP leaves its two sharps unwritten
        return Key(9, "mixolydian", {"F": 1, "C": 1} if text == "Hp" else {})
    if text.lower() in ("", "none"):
        return NO_KEY
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)(.*)", text)
    mode = match[3].lower() if match else ""
    explicit = mode == "exp"  # the signature is exactly the accidentals that follow
    mode = "" if explicit else mode[:3]
    if match is None or mode not in MODES:
        raise ValueError(f"unreadable key {shortened(text)!r}")
    name, steps = MODES[mode]
    letter, accidental = match[1], match[2]
    sharps = FIFTHS.index(letter) - 1 + 7 * SHIFT[accidental] + steps
    signature: dict[str, int] = {}
    if not explicit:
        signature = dict.fromkeys(FIFTHS[: max(sharps, 0)], 1) | dict.fromkeys(FIFTHS[::-1][: max(-sharps, 0)], -1)
    for sign, changed in re.findall(r"(\^\^|\^|__|_|=)([A-Ga-g])", match[4]):
        signature[changed.upper()] = SHIFT[sign]
    return Key((SEMITONES[letter] + SHIFT[accidental]) % 12, name, signature)


def read_metre(text: str) -> tuple[int, int]:
    """Returns the (numerator, denominator) that an ``M:`` field names; (0, 0) means free.

    Raises:
        ValueError: If it is neither a metre nor ``none``.
    """
    text = text.split("%")[0].strip()
    if text in ("C", "c"):
        return 4, 4
    if text in ("C|", "c|"):
        return 2, 2
    if text.lower() in ("", "none") or text.startswith("FREI"):  # German for free, in the Essen collection
        return 0, 0
    match = re.match(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3})*)\s*\)?\s*/\s*(\d{1,3})(?!\d)", text)
    if match is None or not int(match[2]):
        raise ValueError(f"unreadable metre {shortened(text)!r}")
    return sum(int(part) for part in match[1].split("+")), int(match[2])


def read_unit(text: str) -> Fraction:
    """Returns the unit note length of an ``L:`` field, in whole notes.

    Raises:
        ValueError: If it is no fraction.
    """
    match = re.match(r"\s*(\d{1,4})(?:\s*/\s*(\d{1,4}))?\s*(?:$|%)", text)
    if match is None or not int(match[1]) or not int(match[2] or 1):
        raise ValueError(f"unreadable unit note length {shortened(text)!r}")
    return Fraction(int(match[1]), int(match[2] or 1))


def default_unit(metre: tuple[int, int]) -> Fraction:
    """Returns the unit note length without an ``L:`` field, in whole notes: a sixteenth below 3/4, else an eighth."""
    return Fraction(1, 16) if metre[1] and Fraction(*metre) < Fraction(3, 4) else Fraction(1, 8)


def read_length(text: str) -> Fraction:
    """Returns the length of a note in unit notes: ``""``, ``3``, ``/``, ``//``, ``/4`` or ``3/2``.

    Raises:
        ValueError: If one of its numbers has more than six digits, or it has more than eight slashes.
    """
    top, slash, _ = text.partition("/")
    if not slash:
        return Fraction(read_number(top or "1"))
    slashes, bottom = text.count("/"), text.rpartition("/")[2]
    if slashes > MOST_SLASHES:
        raise ValueError(f"a note length with {slashes} slashes")
    return Fraction(read_number(top or "1"), read_number(bottom or "0") or 2**slashes)


def read_number(text: str) -> int:
    """Returns a number of at most six digits.

    Raises:
        ValueError: If it has more.
    """
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def shortened(text: str) -> str:
    """Returns a text cut to a length that a message can quote."""
    text = text.strip()
    return text if len(text) <= QUOTED else text[:QUOTED] + "..."
