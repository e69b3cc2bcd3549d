"""The synthetic oracle of SeqGAN: a random LSTM whose samples are the real works, and which knows their likelihood.

Yu, Zhang, Wang, Yu (2017), "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", section on synthetic
data, and the target network of their published code, from which the form below was read (and no line was taken).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Floats, Ints, Split
from .cache import Arrays, cache_folder, cached

VERSION = 1
"""Of everything that works are a function of, beside vocabulary, length and seed."""
WIDTH = 32
"""Of the embedding and of the LSTM."""
START = 0
"""The token that is read before the first one; it is an ordinary token of the vocabulary too."""
SIZES: dict[Split, int] = {"train": 10_000, "validation": 2_000, "test": 2_000}
"""Works of a split. The 10,000 are SeqGAN's; more held-out ones can be drawn at any time."""
ROWS, BLOCK = 100, 64
"""Works computed at a time, whose probabilities stay in a core's cache; tokens whose probabilities are summed first."""


class Oracle:
    """A language model of random weights.

    With x the embedding of the token before, sigma the logistic function and * element by element::

        i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)    (four blocks of W, U and b)
        c <- f * c + i * g                h <- o * tanh(c)           (from h = c = 0)
        p(token) = softmax(h V + d)

    All weights *and biases* are drawn from N(0, 1). Unlike SeqGAN we compute in float64: a token in a million of
    float32 would depend on the machine, and every later one of its sequence with it.

    Args:
        vocabulary: number of tokens.
        seed: of the weights.
    """

    def __init__(self, vocabulary: int = 5000, seed: int = 2017) -> None:
        rng = np.random.default_rng([VERSION, seed, len(SPLITS)])
        self.vocabulary, self.seed = vocabulary, seed
        self.embedding = rng.standard_normal((vocabulary, WIDTH))
        self.kernel = rng.standard_normal((WIDTH, 4 * WIDTH))  # blocks i, f, o, g
        self.recurrent = rng.standard_normal((WIDTH, 4 * WIDTH))
        self.bias = rng.standard_normal(4 * WIDTH)
        self.output = rng.standard_normal((WIDTH, vocabulary))
        self.output_bias = rng.standard_normal(vocabulary)
        self._inputs = self.embedding @ self.kernel + self.bias  # [vocabulary, 4 WIDTH]

    def sample(self, num: int, length: int, rng: np.random.Generator, temperature: float = 1.0) -> NDArray[np.int16]:
        """Draws sequences.

        Args:
            num: N, how many.
            length: L, tokens of each.
            rng: all randomness; sequence i takes the i-th L numbers of it.
            temperature: logits are divided by it; 0 takes the most probable tokens.

        Returns:
            Tokens int16 [N, L].
        """
        tokens, draws = np.zeros((num, length), np.int16), rng.random((num, length))
        for first in range(0, num, ROWS):
            part, uniform = tokens[first : first + ROWS], draws[first : first + ROWS]
            for t, logits in enumerate(self._logits(part)):  # which reads column t only after it was written
                if temperature == 0:
                    part[:, t] = logits.argmax(1)
                    continue
                logits -= logits.max(1, keepdims=True)
                logits /= temperature
                part[:, t] = _invert(np.exp(logits, out=logits), uniform[:, t])
        return tokens

    def log_prob(self, tokens: Ints) -> NDArray[np.float64]:
        """Returns log p of every token given those before it, nats, float64 [N, L], of tokens int [N, L]."""
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or (tokens.size and (tokens.min() < 0 or tokens.max() >= self.vocabulary)):
            raise ValueError(f"tokens are int [N, L] from 0 to {self.vocabulary - 1}")
        nats = np.zeros(tokens.shape)
        for first in range(0, len(tokens), ROWS):
            part = tokens[first : first + ROWS]
            for t, logits in enumerate(self._logits(part)):
                logits -= logits.max(1, keepdims=True)
                chosen = logits[np.arange(len(part)), part[:, t]]
                nats[first : first + ROWS, t] = chosen - np.log(np.exp(logits, out=logits).sum(1))
        return nats

    def log_policy(self, tokens: Ints) -> Floats:
        """Returns log p of every possible token at every place of tokens int [N, L], float64 [N, L, vocabulary]."""
        logits = np.stack(list(self._logits(np.asarray(tokens))), 1)
        logits -= logits.max(2, keepdims=True)
        nats: Floats = logits - np.log(np.exp(logits).sum(2, keepdims=True))
        return nats

    def _logits(self, tokens: Ints) -> Iterator[Floats]:
        """Yields the logits [N, vocabulary] of each next token, given the columns of tokens [N, L] before it."""
        hidden = cell = np.zeros((len(tokens), WIDTH))
        last = np.full(len(tokens), START)
        for t in range(tokens.shape[1]):
            mixed = self._inputs[last] + hidden @ self.recurrent
            gates = 1 / (1 + np.exp(-mixed[:, : 3 * WIDTH]))
            enter, forget, leave = gates[:, :WIDTH], gates[:, WIDTH : 2 * WIDTH], gates[:, 2 * WIDTH :]
            cell = forget * cell + enter * np.tanh(mixed[:, 3 * WIDTH :])
            hidden = leave * np.tanh(cell)
            yield hidden @ self.output + self.output_bias
            last = tokens[:, t]


def _invert(weights: Floats, uniform: Floats) -> Ints:
    """Returns int [N], which of weights [N, V] each uniform number [N] falls on when they are laid end to end.

    Whole blocks are summed first: a cumulative sum over all of V would take as long as everything else.
    """
    starts, rows = np.arange(0, weights.shape[1], BLOCK), np.arange(len(weights))
    blocks = np.add.reduceat(weights, starts, axis=1).cumsum(1)
    left = uniform * blocks[:, -1]
    block = np.minimum((blocks <= left[:, None]).sum(1), len(starts) - 1)
    left -= np.where(block > 0, blocks[rows, block - 1], 0)
    columns = starts[block][:, None] + np.arange(BLOCK)
    inside = columns < weights.shape[1]
    within = np.where(inside, weights[rows[:, None], np.where(inside, columns, 0)], 0).cumsum(1)
    found: Ints = np.minimum(starts[block] + (within <= left[:, None]).sum(1), weights.shape[1] - 1)
    return found


@functools.cache
def load_sequences(vocabulary: int, length: int, seed: int, split: Split) -> NDArray[np.int16]:
    """Returns the works of a split, int16 [N, L]: drawn once (4 s for 10,000 x 20 of 5,000 tokens), then cached.

    Every split has a stream of random numbers of its own.
    """
    path = cache_folder() / f"oracle-v{VERSION}-{vocabulary}x{length}-seed{seed}-{split}.npz"

    def draw() -> Arrays:
        rng = np.random.default_rng([VERSION, seed, SPLITS.index(split)])
        return {"tokens": Oracle(vocabulary, seed).sample(SIZES[split], length, rng)}

    def tokens(arrays: Arrays) -> NDArray[np.int16]:
        if arrays["tokens"].min() < 0 or arrays["tokens"].max() >= vocabulary:
            raise ValueError("numbers outside the vocabulary")
        return arrays["tokens"]

    return cached(path, {"tokens": (np.int16, (SIZES[split], length))}, draw, tokens)
