"""Sequences of a synthetic oracle: the one domain in which the true likelihood of every work is known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import refuse
from .corpora.oracle import Oracle, load_sequences
from .media.tokens import Tokens
from .task import Array, Bools, Feature, Ints, Sequence, Split, State, Task, Works

LIMITS = {"vocabulary": (2, 30_000), "length": (1, 1_024), "oracle_seed": (0, 2**31 - 1)}


@dataclasses.dataclass
class Line(State):
    """B sequences being written.

    Attributes:
        sheet: int16 [B, L + 1], what is observed: 1 + token for each choice made (0 for those to come), and the
            number of choices made.
    """

    sheet: NDArray[np.int16]


class OracleTask(Task[Line]):
    """Sequences of a random LSTM, after the synthetic experiment of SeqGAN (Yu et al. 2017).

    ### Description
    Twenty tokens are written one by one. Real works are samples of an LSTM with random weights, which can then say
    how likely a written sequence is: see ``docs/environments/oracle.md`` and ``musegym.benchmarks.domains.oracle``.

    ### Action Space
    ``Discrete(5000)``: the next token. All are legal, always.

    ### Observation Space
    ``MultiDiscrete``, 21 numbers: 1 + token for each of 20 choices (0 for those to come), and the number of choices
    made.

    ### Rewards
    0 until the sequence is finished, then the discriminator's score of it. No rule reward.

    ### Starting State
    An empty sequence.

    ### Episode End
    After 20 choices.

    ### Arguments
    ``vocabulary``: number of tokens, 5000; ``vocabulary=50`` is the *small oracle*. ``length``: tokens of a sequence,
    20. ``oracle_seed``: which oracle, 2017; figures of one do not carry over to another.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.oracle"
    medium: Tokens

    def __init__(self, vocabulary: int = 5000, length: int = 20, oracle_seed: int = 2017) -> None:
        self._kwargs = {"vocabulary": vocabulary, "length": length, "oracle_seed": oracle_seed}
        for name, value in self._kwargs.items():
            low, high = LIMITS[name]
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        self.vocabulary, self.oracle_seed = vocabulary, oracle_seed
        self.horizon, self.num_actions = length, vocabulary
        self.features = (Feature("step", length + 1),)
        self.layout = Sequence((length,), (1 + vocabulary,))
        self.observation_space = gym.spaces.MultiDiscrete(np.array(length * [1 + vocabulary] + [1 + length]))
        self.medium = Tokens(vocabulary)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return dict(self._kwargs)

    @functools.cached_property
    def oracle(self) -> Oracle:
        """The LSTM that the real works were drawn from."""
        return Oracle(self.vocabulary, self.oracle_seed)

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Line:
        """Returns empty sequences; there is nothing to draw."""
        return Line(np.zeros((len(draws), self.horizon + 1), np.int16))

    def advance(self, state: Line, actions: Ints) -> tuple[Line, Bools]:
        """Appends a token to every sequence."""
        step = state.sheet[:, self.horizon]
        state.sheet[np.arange(len(step)), step] = 1 + actions
        step += 1
        return state, step == self.horizon

    def observe(self, state: Line) -> NDArray[np.int64]:
        """Returns int64 [B, L + 1]."""
        return state.sheet.astype(np.int64)

    def restore(self, observations: Array) -> Line:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.int16)
        return Line(sheet, done=sheet[:, self.horizon] == self.horizon)

    def feature_values(self, state: Line) -> Ints:
        """Returns int16 [B, 1]: the number of choices made."""
        return state.sheet[:, self.horizon :].copy()

    def content(self, state: Line) -> NDArray[np.int16]:
        """Returns int16 [B, L]: 1 + token, 0 where there is none yet."""
        return state.sheet[:, : self.horizon].copy()

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the choices int16 [N, T] that write the sequences: their tokens."""
        contents = np.asarray(contents)
        if contents.shape[1:] != (self.horizon,):
            raise ValueError(f"sequences are [N, {self.horizon}], not {list(contents.shape)}")
        refuse(np.any((contents < 1) | (contents > self.vocabulary), axis=1), "sequences", "written")
        return (contents - 1).astype(np.int16)

    def contents(self, actions: Ints) -> NDArray[np.int16]:
        """Returns the sequences int16 [N, L] that choices int [N, L] write; inverts ``demonstrations``."""
        return actions.astype(np.int16) + np.int16(1)

    def works(self, split: Split) -> Works:
        """Returns the works of a split, int16 [N, L]."""
        return Works(self.contents(load_sequences(self.vocabulary, self.horizon, self.oracle_seed, split)))

    def tokens(self, contents: Array) -> Ints:
        """Returns int [N, L], 1 + token, 0 for none: the units in which copies are counted."""
        return self.medium.read(contents)
