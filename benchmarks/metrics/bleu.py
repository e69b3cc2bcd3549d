"""Self-BLEU: how much the sequences of a population share n-grams with one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...envs.task import Bools, Floats, Ints

EPSILON = 0.1
"""Count of matches that stands for none."""
SAMPLE = 500
"""As in Texygen: self-BLEU rises with the number of references, so populations must have one size to compare."""


def self_bleu(
    tokens: Ints, orders: Sequence[int] = (2, 3, 4, 5), *, sample: int = SAMPLE, seed: int = 0
) -> dict[str, float]:
    """Self-BLEU (Zhu et al. 2018, "Texygen"): the mean BLEU of each sequence with all others as references.

    1 where all are alike, near 0 where they share nothing: **high means little diversity**. BLEU-n (Papineni et al.
    2002) is the geometric mean of the modified precisions of 1- to n-grams, times exp(1 - r / c) for a sequence of c
    tokens that is shorter than the r tokens of the reference nearest in length. A precision with no match at all
    counts 0.1 matches (method 1 of Chen & Cherry 2014, as Texygen has it); without a matching token BLEU is 0.

    Texygen takes the first 500 sequences; here ``sample`` of them are drawn, without replacement.

    Args:
        tokens: int [N, L], 0 = padding at the end.
        orders: each n of BLEU-n.
        sample: how many sequences are compared; all where there are fewer.
        seed: of the draw.

    Returns:
        ``self_bleu_n`` of each n.

    Raises:
        ValueError: fewer than two sequences.
    """
    if len(tokens) < 2:
        raise ValueError("self-BLEU compares at least two sequences")
    tokens = np.asarray(tokens)[np.random.default_rng(seed).permutation(len(tokens))[:sample]]
    brevity = _brevity((tokens > 0).sum(1))
    logs, any_match = np.zeros(len(tokens)), np.zeros(len(tokens), np.bool_)
    result: dict[str, float] = {}
    for n, (grams, present) in zip(range(1, max(orders) + 1), _grams(tokens), strict=False):
        matches = _matches(grams, present)
        any_match |= (n == 1) & (matches > 0)
        logs += np.log(np.where(matches > 0, matches, EPSILON) / np.maximum(present.sum(1), 1))
        if n in orders:
            result[f"self_bleu_{n}"] = float((any_match * brevity * np.exp(logs / n)).mean())
    return result


def _brevity(lengths: Ints) -> Floats:
    """Returns the brevity penalty of each sequence, float64 [N]; the shorter of two equally near references counts."""
    apart = 2 * np.abs(lengths[:, None] - lengths) + (lengths > lengths[:, None])
    np.fill_diagonal(apart, np.iinfo(apart.dtype).max)
    nearest = lengths[apart.argmin(1)]
    penalty: Floats = np.where(lengths < nearest, np.exp(1 - nearest / np.maximum(lengths, 1)), 1.0)
    return penalty


def _grams(tokens: Ints) -> Iterator[tuple[Ints, Bools]]:
    """Yields for n = 1, 2, ...: numbers of the n-grams at each place, mask of places that have one, [N, L]."""
    mask = tokens > 0
    codes: Ints = np.unique(tokens, return_inverse=True)[1].reshape(tokens.shape)
    grams, present = codes, mask
    while True:
        yield grams, present
        # Numbers stay below N L, so that products of two do not overflow.
        pairs = grams[:, :-1] * (codes.max() + 1) + codes[:, codes.shape[1] - grams.shape[1] + 1 :]
        present = present[:, :-1] & mask[:, mask.shape[1] - pairs.shape[1] :]
        grams = np.unique(pairs, return_inverse=True)[1].reshape(pairs.shape)


def _matches(grams: Ints, present: Bools) -> Ints:
    """Returns int64 [N], the matches of each row's n-grams [N, L], each clipped at its largest count in other rows.

    The largest count of an n-gram in other rows is that over all rows; for the row that has it, the second largest.
    """
    N = len(grams)
    rows = np.broadcast_to(np.arange(N)[:, None], grams.shape)[present]
    keys, counts = np.unique(grams[present] * N + rows, return_counts=True)
    gram, row = keys // N, keys % N
    order = np.lexsort((-counts, gram))
    gram, row, counts = gram[order], row[order], counts[order]
    begins = np.diff(gram, prepend=-1) != 0
    first = np.flatnonzero(begins)
    best = counts[first][np.cumsum(begins) - 1]
    best[first] = np.append(counts, 0)[first + 1] * (np.append(gram, -1)[first + 1] == gram[first])
    matches = np.zeros(N, np.int64)
    np.add.at(matches, row, np.minimum(counts, best))
    return matches
