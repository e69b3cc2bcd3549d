"""Pieces of words, learnt from text: byte pair encoding of characters (Sennrich et al. 2016, arXiv:1508.07909)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

WORD = re.compile(r"\n| ?[^\W_']*(?:'[^\W_']*)+| ?[^\W_]+| ?[^\w\s]+|\s|_+")
"""Parts of a text that no piece goes beyond: a word, its apostrophes and the space before it; signs; a line end."""


class Subwords:
    """Pieces of text by number: single characters first, then what pairs of earlier ones make, the most frequent first.

    Args:
        pieces: as ``learn`` returns them.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(pieces)
        self._numbers = {piece: number for number, piece in enumerate(self.pieces)}
        self._known = dict[str, tuple[int, ...]]()

    def __len__(self) -> int:
        return len(self.pieces)

    def decode(self, numbers: Iterable[int]) -> str:
        """Returns the text of pieces."""
        return "".join(self.pieces[number] for number in numbers)

    def encode(self, text: str) -> list[int]:
        """Returns the pieces of a text: those pairs are joined first that make the most frequent piece.

        Raises:
            ValueError: the text has a character that is no piece.
        """
        found = list[int]()
        for word in WORD.findall(text):
            if word not in self._known:
                self._known[word] = tuple(self._split(word))
            found += self._known[word]
        return found

    def _split(self, word: str) -> list[int]:
        if unknown := set(word) - self._numbers.keys():
            raise ValueError(f"no piece holds {min(unknown)!a}")
        parts = list(word)
        last = len(self.pieces)
        while len(parts) > 1:
            joined = [self._numbers.get(one + two, last) for one, two in pairwise(parts)]
            best = min(joined)
            if best == last:
                break
            parts = _joined(parts, joined, best, self.pieces[best])
        return [self._numbers[part] for part in parts]


def _joined(parts: Sequence[str], ranks: Sequence[int], rank: int, piece: str) -> list[str]:
    """Returns parts with every pair of a rank joined, from the left."""
    found, place = list[str](), 0
    while place < len(parts):
        if place < len(ranks) and ranks[place] == rank:
            found.append(piece)
            place += 2
        else:
            found.append(parts[place])
            place += 1
    return found


def learn(texts: Iterable[str], size: int, least: int = 2) -> Subwords:
    """Returns the pieces of texts: their characters, in order, and at most ``size`` in all.

    Args:
        texts: to be written in pieces.
        size: number of pieces, at most; characters are pieces even beyond it.
        least: occurrences of a pair that becomes a piece.
    """
    counts = Counter(word for text in texts for word in WORD.findall(text))
    words = [(list(word), count) for word, count in sorted(counts.items())]
    pieces = sorted({character for word, _ in words for character in word})
    pairs, places = Counter[tuple[str, str]](), defaultdict[tuple[str, str], set[int]](set)
    for place, (parts, count) in enumerate(words):
        for pair in pairwise(parts):
            pairs[pair] += count
            places[pair].add(place)
    known = set(pieces)
    while len(pieces) < size and pairs:
        pair = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[pair] < least:
            break
        piece = "".join(pair)
        if piece not in known:  # two pairs may make one piece
            known.add(piece)
            pieces.append(piece)
        for place in sorted(places.pop(pair)):
            parts, count = words[place]
            for old in pairwise(parts):
                pairs[old] -= count
            joined = [int((one, two) != pair) for one, two in pairwise(parts)]
            parts[:] = _joined(list(parts), joined, 0, piece)
            for new in pairwise(parts):
                pairs[new] += count
                places[new].add(place)
        pairs = +pairs
    return Subwords(pieces)
