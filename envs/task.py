"""The contract of a domain: what can be built, one decision at a time, for a batch of rows at once.

A *content* is a finished work (a melody, a drawing). Building it is an episode of at most
``horizon`` discrete decisions. Everything here is batched numpy: ``B`` rows are built in parallel,
and a single environment is a batch of one, so that the dynamics of a domain are written once.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Array = NDArray[Any]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclasses.dataclass
class State:
    """Where each of B rows stands. Subclasses add arrays, all of which have the rows as first axis."""

    def __len__(self) -> int:
        return len(getattr(self, dataclasses.fields(self)[0].name))

    def take(self, rows: Array) -> Self:
        """Returns a copy of the given rows (indices or boolean mask)."""
        return type(self)(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def put(self, rows: Array, other: Self) -> None:
        """Overwrites the given rows with those of ``other``, in order."""
        for field in dataclasses.fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)


S = TypeVar("S", bound=State)


@dataclasses.dataclass(frozen=True)
class CorpusReport:
    """Report on a corpus: how much was read, and why the rest was not.

    Attributes:
        files: How many files were found; 0 where works come from no files.
        read: How many of them gave something.
        works: How many works each split has.
        left_out: How many parts of what was read became no work, by reason.
        skipped: (name, reason) of the files that gave nothing; names are relative to the corpus.
    """

    works: Mapping[Split, int]
    files: int = 0
    read: int = 0
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> int:
        """The works of all splits."""
        return sum(self.works.values())

    def summary(self) -> str:
        """Says it in one line."""
        said = ", ".join(f"{count:,} {split}" for split, count in self.works.items())
        said = f"{self.total:,} works ({said})"
        if self.files:
            said += f" from {self.read:,} of {self.files:,} file{'s' * (self.files != 1)}"
        if self.left_out:
            count = sum(self.left_out.values())
            said += f"; {count:,} part{'s' * (count != 1)} left out"
        return said


class Medium(abc.ABC):
    """How one kind of content is shown, heard, written to files and measured; shared by domains."""

    kind: Literal["sequence", "grid", "image"]
    """Picks the encoders of discriminators and judges."""

    @abc.abstractmethod
    def render(self, content: Array, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a content as uint8 [H, W, 3]; ``upto`` shows only what its first ``upto`` decisions built.

        Where contents do not tell in which order they were built, 0 shows an empty work, any other number all of it.
        """

    def population(self, contents: Array) -> NDArray[np.uint8] | None:
        """Draws contents [N, ...] in one picture uint8 [H, W, 3]; None, the default, where each is to have its own."""
        return None

    @abc.abstractmethod
    def describe(self, content: Array) -> str:
        """Renders a content as text, for terminals and logs."""

    @abc.abstractmethod
    def export(self, content: Array, path: Path) -> list[Path]:
        """Writes a content to files named after ``path`` (its suffix is replaced); returns what was written."""

    @abc.abstractmethod
    def metrics(self, contents: Array) -> dict[str, float]:
        """Measures a population of contents [N, ...]; every key is documented with its source."""


class Task(abc.ABC, Generic[S]):
    """The batched dynamics and data of one domain; B rows, T = ``horizon`` decisions, A = ``num_actions``.

    Rows are independent: what happens to one never depends on its neighbours. What ``observe``,
    ``action_mask`` and ``content`` return is fresh: later steps leave it alone.
    """

    horizon: int
    num_actions: int
    content_space: gym.Space[Any]
    observation_space: gym.Space[Any]
    """One flat Box, or one flat MultiDiscrete of int64: others add its sizes up, and smaller integers overflow."""
    condition_space: gym.spaces.MultiDiscrete | None = None
    """Style, key, metre ...: seen by policy and discriminator alike; None where there is none."""
    one_to_one: bool = True
    """Whether each content has exactly one building sequence, so that log-probabilities are exact."""
    medium: Medium
    clock_sizes: tuple[int, ...]
    """Upper bounds (exclusive) of the columns of ``clock``."""
    data_hint: str = ""
    """What must be installed for ``corpus`` to work, for ``musegym list``."""
    has_demonstrations: ClassVar[bool] = True
    """Whether it is known how real works were built; else agents learn from finished works alone."""
    benchmark: ClassVar[str] = ""
    """Module of the domain's own measures and tables, such as ``"mypackage.benchmark"``: ``benchmarks.measures``."""
    sighted: ClassVar[bool] = False
    """Whether policies that remember their decisions see observations as well: on a canvas, what decisions made of it
    is hard to tell from them."""

    @abc.abstractmethod
    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> S:
        """Returns B empty works.

        Args:
            draws: uint64 [B], one uniform draw per row: all the randomness of a start.
            condition: int [B, C] to start from; drawn as in the training works where None.
        """

    @abc.abstractmethod
    def step(self, state: S, actions: Ints) -> tuple[S, Bools]:
        """Applies actions int [B]; returns the new state and whether each row is finished, bool [B].

        An illegal action is replaced by ``legalise``; a row that was already finished stays as it
        is. The state handed in may be reused in place: keep ``state.take(...)`` for later use.
        """

    def action_mask(self, state: S) -> Bools:
        """Returns the legal actions, bool [B, A]; at least one per row, finished rows included. By default all are."""
        return np.ones((len(state), self.num_actions), np.bool_)

    def legalise(self, state: S, actions: Ints) -> Ints:
        """Returns the actions [B] that ``step`` would really take: illegal ones replaced as documented.

        By default the actions: a task with an ``action_mask`` of its own has a ``legalise`` of its own.
        """
        return actions

    @abc.abstractmethod
    def observe(self, state: S) -> Array:
        """Returns flat, Markov observations [B, ...]: the work so far, the step, the condition."""

    @abc.abstractmethod
    def restore(self, observations: Array) -> S:
        """Inverts ``observe``: returns the states that look like observations [B, ...]."""

    @abc.abstractmethod
    def clock(self, state: S) -> Ints:
        """Returns int [B, K]: where in the work the next decision falls (step, beat, cell ...).

        Small integers below ``clock_sizes`` that a recurrent policy embeds beside its last action;
        functions of the state alone. The simplest clock is the step.
        """

    @abc.abstractmethod
    def content(self, state: S) -> Array:
        """Returns the works as they stand, [B, ...]; elements of ``content_space`` once finished."""

    @abc.abstractmethod
    def condition(self, contents: Array) -> Ints:
        """Returns the conditions int [N, C] of works; C = 0 where ``condition_space`` is None."""

    @abc.abstractmethod
    def demonstrations(self, contents: Array) -> Ints:
        """Inverts building: int [N, T] actions, padded with 0, that build the contents.

        Raises:
            ValueError: a content cannot be built, or the task has no demonstrations.
        """

    @abc.abstractmethod
    def corpus(self, split: Split) -> Array:
        """Returns the real works of a split, [N, ...]; where there are demonstrations, every one can be built."""

    def corpus_report(self) -> CorpusReport:
        """Returns what was read of the corpus, and why the rest was not.

        It differs from ``corpus`` in that a corpus without works, or with too few to be split, has a report as well.
        By default it counts the works: a task that reads files says more.
        """
        return CorpusReport({split: len(self.corpus(split)) for split in SPLITS})

    def stream(self, num: int, rng: np.random.Generator) -> Array | None:
        """Returns ``num`` fresh real works [num, ...], where works are drawn from a known distribution.

        They are distributed as those of ``corpus`` and independent of every split: training on them cannot
        memorise. None where the corpus is all there is, which is the default.
        """
        return None

    def groups(self, split: Split) -> Ints:
        """Returns int [N], equal for works of ``corpus(split)`` that are related (parts of one tune).

        Judges and bootstraps resample groups, never single works. By default each work is its own.
        """
        return np.arange(len(self.corpus(split)))

    def rules(self, contents: Array) -> Floats:
        """Returns the rule reward float [N] of finished works; 0 where the domain has no rules."""
        return np.zeros(len(contents), np.float32)

    def step_rules(self, contents: Array) -> Floats | None:
        """Returns which decision the rule reward of finished works is due to, float [N, T]; in sum it is ``rules``.

        Zeros follow the end. None, the default, where rules are of whole works.
        """
        return None

    def render(self, state: S) -> list[NDArray[np.uint8]]:
        """Draws the works as they stand, B pictures uint8 [H, W, 3] of one size.

        Tasks add what contents do not hold: where a pen is, what is in hand.
        """
        return [self.medium.render(content) for content in self.content(state)]

    def overview(self, state: S) -> NDArray[np.uint8] | None:
        """Draws all works as they stand, as ``Medium.population`` draws finished ones."""
        return None

    def export(self, content: Array, path: Path, actions: Ints | None = None) -> list[Path]:
        """Writes a content to files named after ``path``, as ``Medium.export``; returns what was written.

        Tasks add what contents do not hold where the ``actions`` int [L] that built it are known.
        """
        return self.medium.export(content, path)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task: plain data only."""
        return {}

    def __reduce__(self) -> tuple[functools.partial[Self], tuple[()]]:
        # A task is what its arguments make of it: corpora and tables are rebuilt, not sent.
        return functools.partial(type(self), **self.kwargs()), ()
