"""Mandarin readings of Chinese characters, by pypinyin: pinyin, tone class and rhyme.

The poems of the Tang were written to the sounds of Middle Chinese. Today's Mandarin approximates them: its first and
second tones are the level ones (*ping*), its third and fourth the oblique ones (*ze*), and syllables of the entering
tone, which were oblique, are spread over all four. Rhymes are the fourteen of the *Zhonghua xinyun* (Chinese Poetry
Society 2005); the Tang had some hundred, of which the Pingshui list names 106. Of several readings of a character the
most frequent one counts.
"""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .packages import CorpusMissingError

LEVEL, OBLIQUE = 1, 2
"""Tone classes; 0 where the reading is not known."""
RHYMES = (
    "a ia ua",
    "o e uo",
    "ie ve",
    "ai uai",
    "ei uei",
    "ao iao",
    "ou iou",
    "an ian uan van",
    "en in uen vn",
    "ang iang uang",
    "eng ing ong iong ueng",
    "i er v",
    "-i",
    "u",
)
"""Finals of each rhyme in strict pinyin; "-i" is the vowel of *zi* and *zhi*. A rhyme's number is 1 + its index."""
_RHYME_OF = {final: number for number, finals in enumerate(RHYMES, 1) for final in finals.split()}
_BUZZING = {"z", "c", "s", "zh", "ch", "sh", "r"}
"""Initials whose "i" is the vowel "-i"."""


class Readings(NamedTuple):
    """Readings of characters.

    Attributes:
        pinyin: of each, with a mark for the tone; "" where it is not known.
        tones: uint8 [K], ``LEVEL`` or ``OBLIQUE``, 0 where it is not known.
        rhymes: uint8 [K], 1 .. 14, 0 where it is not known.
    """

    pinyin: tuple[str, ...]
    tones: NDArray[np.uint8]
    rhymes: NDArray[np.uint8]


def read(characters: str) -> Readings:
    """Returns the readings of characters.

    Raises:
        CorpusMissingError: pypinyin is missing.
    """
    if not known():
        raise CorpusMissingError("tones and rhymes of Chinese characters", "pip install pypinyin")
    from pypinyin import Style, pinyin

    def styled(style: Style, strict: bool = True) -> list[str]:
        found = pinyin(list(characters), style=style, strict=strict, errors=lambda _: " ")
        return [options[0].strip() for options in found]

    marked, numbered = styled(Style.TONE), styled(Style.TONE3)
    tones = [{"1": LEVEL, "2": LEVEL, "3": OBLIQUE, "4": OBLIQUE}.get(text[-1:], 0) for text in numbered]
    rhymes = [
        _RHYME_OF.get("-i" if final == "i" and initial in _BUZZING else final.replace("ü", "v"), 0)
        for initial, final in zip(styled(Style.INITIALS), styled(Style.FINALS), strict=True)
    ]
    return Readings(tuple(marked), np.array(tones, np.uint8), np.array(rhymes, np.uint8))


def unread(characters: str) -> Readings:
    """Returns readings that are not known, for works whose rules need none."""
    zeros = np.zeros(len(characters), np.uint8)
    return Readings(("",) * len(characters), zeros, zeros)


def known() -> bool:
    """Returns whether pypinyin is installed."""
    return importlib.util.find_spec("pypinyin") is not None
