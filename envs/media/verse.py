"""Passages of verse: a page on which they are written, text, files, measures of populations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Condition, Ints, Medium
from .pictures import save_png
from .scansion import SYLLABLES, Scansion, words_of

LINES = 4


class Page(Medium):
    """Passages as arrays [L]: 1 + the number of each piece of text, 0 for none yet; every line ends with a line end.

    Args:
        pieces: returns the text of each piece; called when first needed.
        guess: returns about how many syllables a text has, by its spelling.
        conditions: of the passages, the last one the number of lines.
    """

    def __init__(
        self, pieces: Callable[[], Sequence[str]], guess: Callable[[str], int], conditions: tuple[Condition, ...]
    ) -> None:
        self._pieces, self._guess, self._conditions = pieces, guess, conditions
        self.scansion = Scansion(guess)

    def text(self, content: Array, upto: int | None = None) -> str:
        """Returns the text of a passage, or of its first ``upto`` pieces.

        Raises:
            ValueError: the content has another shape, or numbers of no piece.
        """
        content, pieces = np.asarray(content), self._pieces()
        if content.ndim != 1:
            raise ValueError(f"a passage is a row of numbers, not {list(content.shape)}")
        if content.size and not 0 <= content.min() <= content.max() <= len(pieces):
            raise ValueError(f"passages hold numbers from 0 to {len(pieces)}")
        return "".join(pieces[number - 1] for number in content[content > 0][:upto].tolist())

    def lines(self, content: Array) -> list[str]:
        """Returns the lines of a passage, without their ends."""
        return self.text(content).splitlines()

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a page: the lines as far as they are written, and beside finished ones the number of their syllables.

        That number is 10 where the words can be said in ten syllables, else an estimate by the spelling.
        """
        from .paper import Sheet, draw

        text = self.text(content, upto)
        lines, ends = text.split("\n"), text.count("\n")
        total = LINES if condition is None else int(condition[-1]) + 1
        notes = [self._count(line) for line in lines[:ends]] + [""] * (len(lines) - ends)
        if ends >= total:
            lines, notes = lines[:ends], notes[:ends]
        return draw(Sheet(self._heading(condition), tuple(lines), max(total, ends), tuple(notes), ends < total))

    def _count(self, line: str) -> str:
        return str(SYLLABLES if self.scansion.line(line).ten else self._guess(line))

    def _heading(self, condition: Ints | None) -> str:
        if condition is None:
            return ""
        values = [each.values[int(index)] for each, index in zip(self._conditions, condition, strict=True)]
        return " ".join(values[:-1]).capitalize()

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Returns the verse."""
        return self.text(content).removesuffix("\n")

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt, which ``corpus=`` reads again, and .png."""
        txt, png = Path(path).with_suffix(".txt"), Path(path).with_suffix(".png")
        txt.parent.mkdir(parents=True, exist_ok=True)
        txt.write_text(self.describe(content) + "\n", encoding="utf-8", newline="\n")
        save_png(self.render(content, condition), png)
        return [txt, png]

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Returns the last word so far."""
        words = words_of(self.text(content))
        return words[-1] if words else ""

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, L], by the CMU Pronouncing Dictionary; sources in ``media.scansion``.

        ``ten_syllables``: share of lines that can be said in exactly ten syllables (Hopkins & Kiela 2017 measure metre
        and rhyme of generated verse by this dictionary).
        ``stress``: of those lines, the mean share of stresses in even places, or at the start (Halle & Keyser 1966,
        Kiparsky 1977): main stresses of words of several syllables.
        ``dictionary``: share of words that the dictionary has, or that its words make with endings of older English.
        ``rhyme``: of passages of two lines or more, the share of lines that rhyme with another.
        ``words_per_line``: mean number of words of a line.
        ``distinct_2``: number of different pairs of words over that of all (Li et al. 2016, "A Diversity-Promoting
        Objective Function"). It falls as N grows: compare populations of one size.
        """
        passages = [self.lines(content) for content in contents]
        lines = [self.scansion.line(line) for passage in passages for line in passage]
        several = [passage for passage in passages if len(passage) > 1]
        rhymed = [rhymes for passage in several for rhymes in self.scansion.rhymed(passage)]
        texts = [words_of(" ".join(passage)) for passage in passages]
        pairs = [pair for words in texts for pair in pairwise(words)]
        words = sum(line.words for line in lines)
        return {
            "ten_syllables": _mean([line.ten for line in lines]),
            "stress": _mean([line.stress for line in lines if line.ten]),
            "dictionary": sum(line.known for line in lines) / max(words, 1),
            "rhyme": _mean(rhymed),
            "words_per_line": words / max(len(lines), 1),
            "distinct_2": len(set(pairs)) / max(len(pairs), 1),
        }

    def rules(self, contents: Array) -> NDArray[np.float32]:
        """Returns for each passage [N, L] the rewards of ``RULES``, float32 [N, 4]."""
        found = np.zeros((len(contents), len(RULES)), np.float32)
        for row, content in enumerate(contents):
            passage = self.lines(content)
            lines = [self.scansion.line(line) for line in passage]
            words = sum(line.words for line in lines)
            found[row] = (
                _mean([line.ten for line in lines]),
                _mean([line.stress for line in lines]),
                sum(line.known for line in lines) / max(words, 1),
                _mean(self.scansion.rhymed(passage)) if len(passage) > 1 else 0.0,
            )
        return found


RULES = ("ten_syllables", "iambic", "dictionary", "rhyme")
"""Rules of verse.

Shares of lines of ten syllables, of stresses in their places (0 for other lines), of words in the dictionary, and of
lines that rhyme with another.
"""


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
