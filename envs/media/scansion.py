"""Lines of English verse as rules and measures see them: syllables, stress, words, rhyme.

Sources:

- Halle, Keyser (1966), Chaucer and the study of prosody: in iambic verse, stressed syllables of words of several
  syllables stand in even places.
- Kiparsky (1977), The rhythmic structure of English verse: words of one syllable are free; a line may begin with its
  stress ("inversion").
- Hopkins, Kiela (2017), Automatically generating rhythmic verse with neural networks: metre and rhyme of generated
  verse, by the CMU Pronouncing Dictionary.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .pronunciation import Sounds, is_vowel, pronunciations

SYLLABLES = 10
WORD = re.compile(r"'?[^\W\d_]+(?:'[^\W\d_]+)*'?")
MOST = 4  # ways to say a word that are tried


class Line(NamedTuple):
    """Measures of a line.

    Attributes:
        words: number of its words.
        known: number of those that the dictionary has.
        ten: True where its words can be said in exactly ten syllables.
        stress: share of the main stresses of words of several syllables that stand in even places, or open the line,
            in the best way to say ten syllables; 1 where there are no such words, 0 where ``ten`` is False.
    """

    words: int
    known: int
    ten: bool
    stress: float


class Scansion:
    """Measures lines of verse.

    Args:
        guess: returns about how many syllables a word has that the dictionary does not know.
    """

    def __init__(self, guess: Callable[[str], int]) -> None:
        self._guess = guess
        self.line = functools.lru_cache(maxsize=1 << 16)(self._line)
        """Returns the ``Line`` of a line's text."""
        self.rhyming = functools.lru_cache(maxsize=1 << 16)(self._rhyming)
        """Returns whether two words rhyme; a word does not rhyme with itself."""

    def _line(self, text: str) -> Line:
        words = words_of(text)
        ways = [self._ways(word) for word in words]
        known = sum(bool(spoken(word)) for word in words)
        best: dict[int, tuple[int, int]] = {0: (0, 0)}  # syllables so far: stresses in their places, and out of them
        for patterns in ways:
            found = dict[int, tuple[int, int]]()
            for place, (right, wrong) in best.items():
                for pattern in patterns:
                    end = place + len(pattern)
                    if end > SYLLABLES:
                        continue
                    fits, fails = _placed(pattern, place)
                    way = (right + fits, wrong + fails)
                    if end not in found or (-way[1], way[0]) > (-found[end][1], found[end][0]):
                        found[end] = way
            best = found
        if not words or SYLLABLES not in best:
            return Line(len(words), known, ten=False, stress=0.0)
        right, wrong = best[SYLLABLES]
        return Line(len(words), known, ten=True, stress=right / (right + wrong) if right + wrong else 1.0)

    def _ways(self, word: str) -> list[str]:
        """Returns the stresses of the ways to say a word, a sign for each syllable: "1", "0", "x" where it is free."""
        sounds = spoken(word)
        if not sounds:
            return ["x" * self._guess(word)]
        return list(dict.fromkeys(_stresses(each) for each in sounds[: 2 * MOST]))

    def _rhyming(self, first: str, second: str) -> bool:
        if first == second:
            return False
        ours, theirs = (set(_rhymes(word)) for word in (first, second))
        return bool(ours & theirs)

    def rhymed(self, lines: Sequence[str]) -> list[bool]:
        """Returns for each line whether its last word rhymes with that of another line.

        Words rhyme where they are alike from the last stressed vowel on. The last syllable of a longer word may rhyme
        with a stressed one ("thee", "eternity"): the metre stresses it.
        """
        last = [(words_of(line) or [""])[-1] for line in lines]
        return [any(self.rhyming(word, other) for other in last) for word in last]


def words_of(text: str) -> list[str]:
    """Returns the words of a line in small letters; those that a hyphen joins are two."""
    return WORD.findall(text.lower())


@functools.lru_cache(maxsize=1 << 16)
def spoken(word: str) -> tuple[Sounds, ...]:
    """Returns the ways to say a word; a quotation mark at either end may be taken for an apostrophe."""
    return pronunciations(word) or pronunciations(word.strip("'"))


def _stresses(sounds: Sounds) -> str:
    pattern = "".join(sound[-1] for sound in sounds if is_vowel(sound))
    return "x" * len(pattern) if len(pattern) == 1 else pattern.replace("2", "x").replace("0", "x")


def _placed(pattern: str, place: int) -> tuple[int, int]:
    """Returns how many stresses of a word that begins after ``place`` syllables stand well, and how many do not."""
    stressed = [place + number for number, sign in enumerate(pattern) if sign == "1"]
    right = sum(where % 2 == 1 or where == 0 for where in stressed)
    return right, len(stressed) - right


def _rhymes(word: str) -> Iterator[tuple[str, ...]]:
    """Yields the endings of a word that rhyme with equal ones: their sounds without stress."""
    for sounds in spoken(word):
        vowels = [place for place, sound in enumerate(sounds) if is_vowel(sound)]
        if not vowels:
            continue
        stressed = [place for place in vowels if sounds[place][-1] != "0"] or vowels[-1:]
        yield _plain(sounds[stressed[-1] :])
        if len(vowels) > 2 and stressed[-1] < vowels[-2]:  # three syllables: the metre stresses the last one
            yield _plain(sounds[vowels[-1] :])


def _plain(sounds: Sounds) -> tuple[str, ...]:
    return tuple(sound.rstrip("012") for sound in sounds)
