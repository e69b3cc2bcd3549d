"""The contract of a domain: works that are built one decision at a time, in a batch of rows at once.

A *content* is a finished work (a melody, a drawing). Building it is an episode of at most ``horizon`` discrete
decisions. Everything here is batched numpy: ``B`` rows are built in parallel, and a single environment is a batch of
one, so that the dynamics of a domain are written once.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, final

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Array = NDArray[Any]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Form of one content: discriminators, judges and measuring features choose their encoder by it.

    Attributes:
        shape: of one content.
        sizes: number of values, from 0, of each column of a sequence; of every cell or pixel of other layouts.
        dtype: of contents, a name of numpy's.

    Raises:
        ValueError: shape and sizes do not fit each other.
    """

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    dtype: str = "int16"

    kind: ClassVar[str]
    """Name by which encoders are registered."""
    axes: ClassVar[tuple[int, ...]]
    """Numbers of axes that a content may have."""

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}({self.shape}, {self.sizes})"
        if len(self.shape) not in self.axes or min(self.shape) < 1 or min(self.sizes, default=0) < 1:
            raise ValueError(f"{name} takes {' or '.join(map(str, self.axes))} axes, and positive lengths and sizes")
        columns = self.shape[1] if isinstance(self, Sequence) and len(self.shape) == 2 else 1
        if len(self.sizes) != columns:
            raise ValueError(f"{name} takes {columns} sizes, not {len(self.sizes)}")
        if max(self.sizes) - 1 > np.iinfo(self.dtype).max:
            raise ValueError(f"{self.dtype} does not hold the values of sizes {self.sizes}")

    @property
    def categorical(self) -> bool:
        """True where values name things, such as tiles; False where they are shades of one thing."""
        return True

    @property
    def sides(self) -> tuple[int, ...]:
        """The shape without columns or channels."""
        return self.shape[: self.axes[0]]

    @property
    def space(self) -> gym.spaces.Box:
        """The space of finished contents."""
        high = np.broadcast_to(np.array(self.sizes) - 1, self.shape)
        return gym.spaces.Box(
            np.zeros(self.shape, self.dtype), high.astype(self.dtype), dtype=np.dtype(self.dtype).type
        )

    def checked(self, contents: Array, works: str) -> Array:
        """Returns contents [N, *shape] as they are.

        Args:
            contents: as ``demonstrations`` takes them.
            works: names them in the message.

        Raises:
            ValueError: they have another shape, or values beyond ``sizes``.
        """
        contents, last = np.asarray(contents), np.array(self.sizes) - 1
        if contents.shape[1:] != self.shape or (contents.size and (contents.min() < 0 or (contents > last).any())):
            shape, values = ", ".join(map(str, self.shape)), ", ".join(f"0 .. {value}" for value in last)
            raise ValueError(f"{works} are [N, {shape}] of {values}, not {list(contents.shape)}")
        return contents


@dataclasses.dataclass(frozen=True)
class Sequence(Layout):
    """Rows (L, C) of C columns each, or numbers (L,). Trailing rows of zeros are padding."""

    kind: ClassVar[str] = "sequence"
    axes: ClassVar[tuple[int, ...]] = (1, 2)


@dataclasses.dataclass(frozen=True)
class Grid(Layout):
    """Cells (H, W), each of which is one thing: a tile, a colour of a palette, a bit."""

    kind: ClassVar[str] = "grid"
    axes: ClassVar[tuple[int, ...]] = (2,)


@dataclasses.dataclass(frozen=True)
class Volume(Layout):
    """Cells (D, H, W), each of which is one thing: voxels, layers of a scene."""

    kind: ClassVar[str] = "volume"
    axes: ClassVar[tuple[int, ...]] = (3,)


@dataclasses.dataclass(frozen=True)
class Image(Layout):
    """Pixels (H, W) or (H, W, channels) whose values are shades, 0 for none."""

    sizes: tuple[int, ...] = (256,)
    dtype: str = "uint8"

    kind: ClassVar[str] = "image"
    axes: ClassVar[tuple[int, ...]] = (2, 3)

    @property
    def categorical(self) -> bool:
        """False: pixels are shades."""
        return False


@dataclasses.dataclass(frozen=True)
class Frames(Layout):
    """Pictures (T, H, W) or (T, H, W, channels), one after the other.

    Attributes:
        cells: True where a value is one thing, such as a colour of a palette; False where it is a shade.
    """

    sizes: tuple[int, ...] = (256,)
    dtype: str = "uint8"
    cells: bool = False

    kind: ClassVar[str] = "frames"
    axes: ClassVar[tuple[int, ...]] = (3, 4)

    @property
    def categorical(self) -> bool:
        """True where values are cells."""
        return self.cells


@dataclasses.dataclass(frozen=True)
class Condition:
    """A style, key, metre ... of a work, given before it is built: an input of policy and discriminator alike.

    Attributes:
        name: of the condition.
        values: their names, without spaces; a condition is the index of one.
    """

    name: str
    values: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Feature:
    """A small whole number that a policy embeds: the step, the bar, a neighbouring cell.

    Attributes:
        name: of the feature.
        size: its values are 0 .. size - 1.
    """

    name: str
    size: int


@dataclasses.dataclass(frozen=True)
class Tool:
    """A choice that a person who builds by hand keeps until she makes another: a colour, a brush.

    Attributes:
        name: of the tool.
        values: names of its values; action a chooses value a.
        pictures: of its values, uint8 [h, w, 3] each.
    """

    name: str
    values: tuple[str, ...]
    pictures: tuple[NDArray[np.uint8], ...]


@dataclasses.dataclass(frozen=True)
class Works:
    """Real works of one split.

    Attributes:
        contents: [N, ...].
        conditions: int [N, C]; without conditions [N, 0], the default.
        groups: int [N], equal for works that are related (parts of one tune): judges and bootstraps resample groups,
            never single works. By default each work is its own.
        actions: int [N, T], padded with 0, that built the works; None where they are not known.
    """

    contents: Array
    conditions: Ints = dataclasses.field(default_factory=lambda: np.zeros((0, 0), np.int64))
    groups: Ints = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    actions: Ints | None = None

    def __post_init__(self) -> None:
        N = len(self.contents)
        if not len(self.conditions) and N:
            object.__setattr__(self, "conditions", np.zeros((N, 0), np.int64))
        if not len(self.groups) and N:
            object.__setattr__(self, "groups", np.arange(N))

    def __len__(self) -> int:
        return len(self.contents)

    def take(self, rows: Array | slice) -> Works:
        """Returns some of the works."""
        actions = None if self.actions is None else self.actions[rows]
        return Works(self.contents[rows], self.conditions[rows], self.groups[rows], actions)


@dataclasses.dataclass
class State:
    """The state of B works being built. Subclasses add arrays, all of which have the rows as first axis.

    Attributes:
        done: bool [B], which rows are finished; kept by ``Task.step``. All False by default.
    """

    done: Bools = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_), kw_only=True)

    def __post_init__(self) -> None:
        last = next(reversed(vars(self).values()))
        if len(self.done) != len(last):
            self.done = np.zeros(len(last), np.bool_)

    def __len__(self) -> int:
        return len(self.done)

    def take(self, rows: Array) -> Self:
        """Returns a copy of the given rows (indices or boolean mask)."""
        copied = object.__new__(type(self))  # an environment takes rows at every step
        places = np.asarray(rows)
        if places.dtype == np.bool_:
            places = np.flatnonzero(places)
        # Copying whole rows by take() is several times faster than indexing.
        copied.__dict__.update({name: values.take(places, axis=0) for name, values in vars(self).items()})
        return copied

    def put(self, rows: Array, other: Self) -> None:
        """Overwrites the given rows with those of ``other``, in order."""
        for name, values in vars(self).items():
            values[rows] = vars(other)[name]


S = TypeVar("S", bound=State)


@dataclasses.dataclass(frozen=True)
class CorpusReport:
    """Counts of a corpus: files and works, and the reasons for leaving parts out.

    Attributes:
        files: Number of files found; 0 where works come from no files.
        read: Number of files that gave something.
        works: Number of works of each split.
        left_out: Number of parts that became no work, by reason.
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
        """Returns the report in one line."""
        counts = ", ".join(f"{count:,} {split}" for split, count in self.works.items())
        line = f"{self.total:,} works ({counts})"
        if self.files:
            line += f" from {self.read:,} of {self.files:,} file{'s' * (self.files != 1)}"
        if self.left_out:
            count = sum(self.left_out.values())
            line += f"; {count:,} part{'s' * (count != 1)} left out"
        return line


class Medium(abc.ABC):
    """Shows, plays, exports and measures one kind of content; shared by domains.

    Every method takes the condition of a content as well, int [C], since some media show or write it, such as a metre;
    None where it is not known.
    """

    @abc.abstractmethod
    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a content as uint8 [H, W, 3]; ``upto`` shows only what its first ``upto`` decisions built.

        Of contents that do not contain the order in which they were built, ``upto=0`` shows an empty work, any other
        number all of it.
        """

    @abc.abstractmethod
    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Renders a content as text, for terminals and logs."""

    @abc.abstractmethod
    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes a content to files named after ``path`` (its suffix is replaced); returns their paths."""

    @abc.abstractmethod
    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population of contents [N, ...]; every key is documented with its source."""

    def population(self, contents: Array) -> NDArray[np.uint8] | None:
        """Draws contents [N, ...] in one picture uint8 [H, W, 3]; None, the default, where each needs its own."""
        return None

    def cells(self, content: Array) -> Ints | None:
        """Maps the pixels of ``render``'s picture to the cells of a grid, int [H, W]: row-major index, -1 for none.

        None, the default, where contents are not shown cell by cell. The play window lets a person paint cells.
        """
        return None

    def moments(self, content: Array, condition: Ints | None = None) -> list[tuple[NDArray[np.uint8], float]]:
        """Returns the pictures of a work that moves, as large as ``render``'s, and the seconds that each is shown.

        They are shown over and over. [], the default, for works that stand still.
        """
        return []

    def value_name(self, value: int) -> str:
        """Names the value of a cell, such as a tile or a colour; its number by default."""
        return str(value)

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the part that the last decision wrote; "" by default."""
        return ""

    def sound(self, content: Array, condition: Ints | None = None, since: int = 0, upto: int | None = None) -> Any:
        """Returns the ``media.audio.Sound`` of decisions ``since`` to ``upto``; None, the default, for silence."""
        return None


class Task(abc.ABC, Generic[S]):
    """The batched dynamics and data of one domain; B rows, T = ``horizon`` decisions, A = ``num_actions``.

    Rows are independent. ``observe``, ``action_mask``, ``feature_values``, ``view`` and ``content`` return
    new arrays: later steps do not change them.

    A domain writes ``initial``, ``advance``, ``observe``, ``content`` and ``works``; all other methods have a default.
    """

    horizon: int
    num_actions: int
    layout: Layout
    """Form of contents."""
    observation_space: gym.Space[Any]
    """One flat Box, or one flat MultiDiscrete of int64: others add its sizes up, and smaller integers overflow."""
    medium: Medium
    conditions: tuple[Condition, ...] = ()
    """Conditions of works: style, key, metre ..."""
    features: tuple[Feature, ...] = ()
    """Names and sizes of the columns of ``feature_values``."""
    view_shape: tuple[int, ...] = ()
    """Shape (..., channels) of one row of ``view``; () where it returns None."""
    rule_names: tuple[str, ...] = ()
    one_to_one: bool = True
    """True where each content has exactly one building sequence, so that log-probabilities are exact."""
    noise_size: int = 0
    """Numbers of Gaussian noise that ``decode`` takes for each content."""
    data_name: str = ""
    """Source of ``works``, a name of ``envs.corpora.sources``; "" where they are from elsewhere: files, a formula."""
    data_names: ClassVar[tuple[str, ...]] = ()
    """Every source that the class can read, the default first."""
    benchmark: ClassVar[str] = ""
    """Module of the domain's own measures and tables, such as ``"mypackage.benchmark"``: ``benchmarks.measures``."""
    skips_finished: ClassVar[bool] = False
    """True where ``advance`` itself leaves finished rows as they are: ``step`` then spares a copy."""

    # Every domain writes these.

    @abc.abstractmethod
    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> S:
        """Returns B empty works.

        Args:
            draws: uint64 [B], one uniform draw per row: all the randomness of a start.
            condition: int [B, C] to start from; None for those of random training works, ``draw_conditions(draws)``.
        """

    @abc.abstractmethod
    def advance(self, state: S, actions: Ints) -> tuple[S, Bools]:
        """Applies legal actions int [B] to unfinished rows; returns the state and which rows are finished after them.

        The argument may be changed in place. ``step`` calls this; where ``skips_finished`` is True, with
        finished rows among the others.
        """

    @abc.abstractmethod
    def observe(self, state: S) -> Array:
        """Returns flat, Markov observations [B, ...]: the work so far, the step, the condition."""

    @abc.abstractmethod
    def content(self, state: S) -> Array:
        """Returns the works as they stand [B, ...], conditions apart; elements of ``content_space`` once finished.

        A task with its own ``decode`` returns plans here.
        """

    @abc.abstractmethod
    def works(self, split: Split) -> Works:
        """Returns the real works of a split; where there are demonstrations, each work can be built."""

    # A domain may write these.

    def action_mask(self, state: S) -> Bools:
        """Returns the legal actions, bool [B, A]; at least one per row, finished rows included. By default all are."""
        return np.ones((len(state), self.num_actions), np.bool_)

    def legalise(self, state: S, actions: Ints) -> Ints:
        """Returns actions [B] with illegal ones replaced: ``a`` by the ``a mod k``-th of the ``k`` legal ones."""
        if type(self).action_mask is Task.action_mask:
            return actions
        mask, rows = self.action_mask(state), np.arange(len(actions))
        illegal = np.flatnonzero(~mask[rows, actions])
        if len(illegal):
            ranks = actions[illegal] % mask[illegal].sum(1)
            actions = np.array(actions)
            actions[illegal] = (mask[illegal].cumsum(1) > ranks[:, None]).argmax(1)
        return actions

    def condition(self, state: S) -> Ints:
        """Returns the conditions int [B, C] of the works; a domain with conditions must write it."""
        if self.conditions:
            raise NotImplementedError(f"{type(self).__name__} has conditions: write its condition(state)")
        return np.zeros((len(state), 0), np.int64)

    def feature_values(self, state: S) -> Ints:
        """Returns int [B, K], one column for each of ``features``: functions of the state alone."""
        if self.features:
            raise NotImplementedError(f"{type(self).__name__} has features: write its feature_values(state)")
        return np.zeros((len(state), 0), np.int64)

    def view(self, state: S) -> NDArray[np.uint8] | None:
        """Returns the visual input of policies, uint8 [B, *view_shape]: a canvas, a picture.

        Channels are last. None, the default, where past actions and features are input enough.
        """
        return None

    def restore(self, observations: Array) -> S:
        """Inverts ``observe``: returns the states that look like observations [B, ...]; may be left out.

        ``AdversarialDQN`` needs it for ``predict`` and for environments under wrappers.

        Raises:
            NotImplementedError: the domain does not write it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot tell its state from observations: write its restore(observations), or use "
            "generate(model, num) and an environment without wrappers"
        )

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Inverts building: int [N, T] actions, padded with 0, that build contents under conditions int [N, C].

        Raises:
            ValueError: a content cannot be built, or the task has no demonstrations, which is the default.
        """
        raise ValueError(f"{type(self).__name__} has no demonstrations: learn from finished works alone")

    @property
    def has_demonstrations(self) -> bool:
        """True where real works have known actions: by default where ``demonstrations`` is written.

        A task whose ``works`` come with their actions sets ``has_demonstrations = True``.
        """
        return type(self).demonstrations is not Task.demonstrations

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the rule rewards float [N, R] of finished works, one column for each of ``rule_names``."""
        if self.rule_names:
            raise NotImplementedError(f"{type(self).__name__} has rules: write its rules(contents, conditions)")
        return np.zeros((len(contents), 0), np.float32)

    def step_rules(self, contents: Array, conditions: Ints | None = None) -> Floats | None:
        """Returns the rule rewards of each decision, float [N, T, R]; summed over T they are ``rules``.

        Zeros follow the end. None, the default, where rules judge whole works only.
        """
        return None

    def decode(self, plans: Array, noise: Floats | None = None) -> Array:
        """Returns the contents of plans [N, ...]: by default the plans themselves.

        Args:
            plans: as ``content`` returns them of finished works.
            noise: float32 [N, noise_size], standard normal; None where ``noise_size`` is 0.
        """
        return plans

    @property
    def generator(self) -> Any:
        """The network that decodes plans, which training teaches; None, the default, where there is none."""
        return None

    def set_generator(self, generator: Any) -> None:
        """Lets a live generator decode plans from now on.

        Raises:
            ValueError: the task has none; that is the default.
        """
        raise ValueError(f"{type(self).__name__} builds its works itself: it takes no generator")

    def stream(self, num: int, rng: np.random.Generator) -> Array | None:
        """Returns ``num`` fresh real works [num, ...], where works without conditions come from a known distribution.

        They are distributed as those of ``works`` and independent of every split: an agent cannot memorise them.
        None, the default, where there is no such distribution.
        """
        return None

    def augmented(self, works: Works) -> Works | None:
        """Returns works like the given real ones, each changed a little, which a policy imitates beside them.

        Data augmentation for imitation alone: no discriminator and no measure takes them for real. None, the default,
        where there are none.
        """
        return None

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus, and the reasons for leaving parts out.

        A corpus without works, or with too few to be split, has a report as well. The default counts works only.
        """
        return CorpusReport({split: len(self.works(split)) for split in SPLITS})

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task: plain data only."""
        return {}

    def action_name(self, action: int) -> str:
        """Names an action for display; its number by default."""
        return str(action)

    def first_choice(self, state: S) -> int | None:
        """Returns the action of row 0 that the play window marks first, near those that a person would take.

        None, the default, for the latest action that is legal again.
        """
        return None

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Choices that come before each place in a picture, in their order; () by default.

        In the play window a person then paints with them: a click makes all of them, and takes ``action_at``.
        """
        return ()

    def asks(self, state: S) -> int:
        """Returns the number of the tool that the next action of row 0 chooses, ``len(tools)`` where it is a place.

        A choice that the same question follows stands by itself: the colour of a ground, say.
        """
        return len(self.tools)

    def action_at(self, state: S, x: int, y: int, shift: bool = False) -> int | tuple[int, ...] | None:
        """Returns the action of row 0 that a click at pixel (x, y) of ``render``'s picture stands for.

        A tuple of actions is taken one after the other. None, the default, where a click stands for no action.

        Args:
            state: the works; the first one is shown.
            x: column of the pixel.
            y: row of the pixel.
            shift: True while a shift key is held, for a second action at the same place.
        """
        return None

    def kept(self, content: Array, touched: Bools, condition: Ints) -> Ints:
        """Returns first actions int [P] that build the cells that a person painted; an agent takes the others.

        The play window asks where actions do not write one cell each.

        Args:
            content: [*shape], as it is painted.
            touched: bool [*shape], True for painted cells; some are.
            condition: int [C].

        Raises:
            ValueError: no actions do; that is the default.
        """
        raise ValueError("the agent cannot keep cells of this task; start a new work with n")

    def typed(self, state: S, sign: str) -> Ints | None:
        """Returns the actions int [L] that build row 0's work with one more character at its end, from the start.

        None, the default, where no action writes characters, or this one does not fit. A domain that writes it is
        played by typing.

        Args:
            state: the works; the first one is continued.
            sign: a character; a line feed for the return key, a backspace to take the last character away.
        """
        return None

    def render(self, state: S) -> list[NDArray[np.uint8]]:
        """Draws the works as they stand, B pictures uint8 [H, W, 3] of one size.

        Tasks add parts of the state that contents do not have, such as the position of a pen.
        """
        return [self.medium.render(*work) for work in self._so_far(state)]

    def describe(self, state: S) -> list[str]:
        """Renders the works as they stand as text."""
        return [self.medium.describe(*work) for work in self._so_far(state)]

    def overview(self, state: S) -> NDArray[np.uint8] | None:
        """Draws all works as they stand, as ``Medium.population`` draws finished ones."""
        return None

    def read_file(self, path: Path) -> Array | None:
        """Reads a work from a file of its medium, such as a picture; None, the default, where the task reads none.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no such work.
        """
        return None

    def export(
        self, content: Array, path: Path, condition: Ints | None = None, actions: Ints | None = None
    ) -> list[Path]:
        """Writes a content to files named after ``path``; returns their paths.

        The medium's files, and an ``.npz`` of arrays ``content``, ``condition`` int [C] and ``actions`` int [L]
        (empty where unknown). Tasks may add files made from the actions.
        """
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        written = self.medium.export(content, path, condition)
        nothing = np.zeros(0, np.int64)
        arrays = Path(path).with_suffix(".npz")
        np.savez_compressed(
            arrays,
            content=content,
            condition=nothing if condition is None else condition,
            actions=nothing if actions is None else actions,
        )
        return [*written, arrays]

    # These follow.

    @final
    def step(self, state: S, actions: Ints) -> tuple[S, Bools]:
        """Takes actions int [B]; returns the new state and whether each row is finished, bool [B].

        An illegal action is replaced by ``legalise``; a row that was already finished stays as it is. The argument
        may be changed in place: keep ``state.take(...)`` for later use.
        """
        return self.step_legal(state, self.legalise(state, actions))

    @final
    def step_legal(self, state: S, actions: Ints) -> tuple[S, Bools]:
        """Takes actions int [B] that ``legalise`` has returned of this state; all else is as in ``step``."""
        done = state.done
        if self.skips_finished or not done.any():
            state, ended = self.advance(state, actions)
        elif done.all():
            return state, done.copy()
        else:
            rows = np.flatnonzero(~done)
            part, finished = self.advance(state.take(rows), actions[rows])
            state.put(rows, part)
            ended = done.copy()
            ended[rows] = finished
        state.done = ended.copy()
        return state, ended

    @final
    def decoded(self, plans: Array, rng: np.random.Generator) -> Array:
        """Returns the contents of plans [N, ...], with noise from a generator where ``decode`` takes any."""
        size = self.noise_size
        return self.decode(plans, rng.standard_normal((len(plans), size), np.float32) if size else None)

    def _so_far(self, state: S) -> Iterator[tuple[Array, Ints]]:
        """Yields content and condition of each row, decoded without noise."""
        noise = np.zeros((len(state), self.noise_size), np.float32) if self.noise_size else None
        return zip(self.decode(self.content(state), noise), self.condition(state), strict=True)

    @property
    def content_space(self) -> gym.spaces.Box:
        """The space of finished contents."""
        return self.layout.space

    @property
    def condition_sizes(self) -> tuple[int, ...]:
        """Number of values of each condition."""
        return tuple(len(condition.values) for condition in self.conditions)

    @property
    def feature_sizes(self) -> tuple[int, ...]:
        """Number of values of each feature."""
        return tuple(feature.size for feature in self.features)

    @final
    def corpus(self, split: Split) -> Array:
        """Returns the contents of the real works of a split, [N, ...]."""
        return self.works(split).contents

    def draw_conditions(self, draws: NDArray[np.uint64], fixed: Ints | None = None) -> Ints:
        """Returns the conditions int [B, C] of random training works.

        Args:
            draws: uint64 [B], uniform.
            fixed: int [C], values that replace drawn ones; -1 leaves a value open: see ``parse_style``.
        """
        known = self._training_conditions
        drawn = known.take((draws % np.uint64(len(known))).astype(np.intp), axis=0)
        return drawn if fixed is None or (fixed < 0).all() else np.where(fixed >= 0, fixed, drawn)

    @functools.cached_property
    def _training_conditions(self) -> Ints:
        return self.works("train").conditions

    def __reduce__(self) -> tuple[functools.partial[Self], tuple[()]]:
        # A task is what its arguments make of it: corpora and tables are rebuilt, not sent.
        return functools.partial(type(self), **self.kwargs()), ()


def parse_style(style: str | None, conditions: tuple[Condition, ...]) -> NDArray[np.int64]:
    """Returns the condition int [C] that the words of a style fix, -1 where they leave it open.

    A word is a value of a condition (``"6/8 minor"``), or ``name=value`` where a value belongs to several.

    Raises:
        ValueError: a word is unknown or a value of several conditions, or two fix one condition differently.
    """
    words: dict[str, list[tuple[int, int]]] = {}
    for column, condition in enumerate(conditions):
        for index, value in enumerate(condition.values):
            words.setdefault(value, []).append((column, index))
            words[f"{condition.name}={value}"] = [(column, index)]
    fixed = np.full(len(conditions), -1, np.int64)
    for word in (style or "").split():
        if word not in words:
            known = "; ".join(f"{condition.name}: {', '.join(condition.values)}" for condition in conditions)
            raise ValueError(f"style {word!r} is unknown; use words of: {known or 'none, for there are no styles'}")
        column, index = words[word][0]
        if len(words[word]) > 1:
            raise ValueError(f"style {word!r} is a value of several conditions: write {conditions[column].name}={word}")
        if fixed[column] not in (-1, index):
            raise ValueError(f"style {style!r} names two values of {conditions[column].name}: leave one out")
        fixed[column] = index
    return fixed
