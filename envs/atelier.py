"""Pictures by plan: decisions are codes, of which a neural network, the content generator, makes a picture."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.files import absolute
from .corpora.pictureworks import SOURCES, Source, read_folder
from .corpora.usable import UsableWorks
from .media.plates import Plates
from .task import Array, Bools, CorpusReport, Feature, Image, Ints, Split, State, Task, Works, parse_style

CODES = 256
FINE = 16
"""Channels of a fresh generator's last convolution, of pictures in colour: colours differ from pixel to pixel."""
MODULE = "musegym.agents.generators"
"""Imported when a generator is first needed, so that environments load no torch."""
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
SEEN = 512
"""Training pictures whose plans tell what a place most often holds."""
_logger = logging.getLogger(__name__)


@runtime_checkable
class Generator(Protocol):
    """A network that makes pictures of plans, and plans of pictures."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""

    @property
    def grid(self) -> int:
        """n, rows and columns of a plan."""

    @property
    def codes(self) -> int:
        """K, values of a decision."""

    @property
    def noise_size(self) -> int:
        """Numbers of noise that a picture takes."""

    @property
    def updates(self) -> int:
        """Updates of its training so far."""

    def pictures(self, plans: Array, noise: Array | None = None) -> NDArray[np.uint8]:
        """Returns the pictures uint8 [N, *shape] of plans int [N, n, n] and noise float32 [N, noise_size]."""

    def plans(self, contents: Array) -> Ints:
        """Returns the plans int [N, n, n] of pictures uint8 [N, *shape]."""


@dataclasses.dataclass
class Draft(State):
    """B plans in the making.

    Attributes:
        plan: int64 [B, n * n], 1 + code of each place, row by row; 0 for those to come.
        step: int64 [B], decisions made.
        style: int64 [B, C], the conditions.
    """

    plan: NDArray[np.int64]
    step: NDArray[np.int64]
    style: NDArray[np.int64]


class AtelierTask(Task[Draft]):
    """A picture, made by a neural network from a plan of few decisions.

    ### Description
    A plan is a grid of codes, 4 x 4 for pictures of 28 or 32 pixels, written row by row. A content generator, a neural
    network, makes the picture of a finished plan and of noise; its encoder tells the plans of real pictures, which are
    demonstrations. Generator, discriminator and policy learn together (``musegym train``); with a generator that was
    saved, this is an environment like any other. See ``docs/environments/atelier.md``.

    ### Action Space
    ``Discrete(256)``: the code of the next place. All are always legal.

    ### Observation Space
    ``MultiDiscrete``: 1 + the code of each place row by row, 0 for those to come; the number of decisions made; the
    conditions.

    ### Rewards
    0 until the last decision, then the discriminator's score of the picture. No rule reward.

    ### Starting State
    An empty plan; conditions of a random training picture.

    ### Episode End
    After as many decisions as a plan has places. ``info["plan"]`` then holds the plan, ``info["content"]`` the picture.

    ### Arguments
    ``data``: "mnist", the default, "kanjivg" (28 x 28, grey), "openmoji", "wesnoth-portraits", "masters" or
    "wesnoth-units" (32 x 32, in colour). ``corpus``: a folder of your own pictures instead (PNG, JPEG or WebP), in
    colour; ``side``: their size then, 32, 48 or 64. ``generator``: None for a fresh one, which a training run teaches
    first; ``"pretrained"`` for the one that ships for the data (mnist, openmoji); or the path of a saved one, or of
    the ``model.zip`` of a run.
    ``env.unwrapped.set_generator(g)`` hands over a live one.
    ``style``: a word for the condition, such as ``"7"``, ``"food"`` or ``"elves"``.

    ### Version History
    v0: initial version.
    """

    data_names = tuple(SOURCES)
    benchmark = "musegym.benchmarks.domains.atelier"
    one_to_one = False
    num_actions = CODES
    observation_space: gym.spaces.MultiDiscrete

    def __init__(
        self,
        data: str | None = None,
        corpus: str | None = None,
        side: int | None = None,
        generator: str | None = None,
        style: str | None = None,
    ) -> None:
        if generator is not None and not isinstance(generator, str):
            raise TypeError(
                "generator must be None or a path as a string; "
                f"hand over a live {type(generator).__name__} with env.unwrapped.set_generator(g)"
            )
        if generator not in (None, "pretrained") and not Path(generator).is_file():
            what = "is a folder" if Path(generator).is_dir() else "does not exist"
            raise FileNotFoundError(
                f"generator {generator!r} {what}: give a run's model.zip, or the file that ContentGenerator.save wrote"
            )
        self.data_name, self._corpus = choose(data, corpus, SOURCES, "pictures")
        if generator == "pretrained" and not (PRETRAINED / f"{self.data_name}-G.zip").is_file():
            shipped = (
                ", ".join(sorted(file.name.removesuffix("-G.zip") for file in PRETRAINED.glob("*-G.zip"))) or "none"
            )
            raise ValueError(
                f"no generator ships for {self.data_name or 'pictures of your own'}; there are: {shipped}. "
                "Train one with musegym train musegym/Atelier-v0"
            )
        self._style = style
        self.source: Source = read_folder(self._corpus, side) if self._corpus else SOURCES[self.data_name]
        if side not in (None, self.source.side):
            raise ValueError(f"pictures of {self.data_name} have side={self.source.side}, not {side!r}")
        self._named = None if generator is None else generator if generator == "pretrained" else absolute(generator)
        self.conditions = self.source.conditions
        self._fixed = parse_style(style, self.conditions)
        self.layout = Image(self.source.shape)
        self.grid = n = -(-self.source.side // 8)
        self.horizon = n * n
        self.features = (Feature("row", n + 1), Feature("column", n), Feature("above", CODES + 1))
        self.observation_space = gym.spaces.MultiDiscrete(
            [*[CODES + 1] * self.horizon, self.horizon + 1, *self.condition_sizes]
        )
        self.medium: Plates = Plates(
            self.source.channels,
            n,
            self.source.palette,
            lambda: self.corpus("train"),
        )
        self._live: Generator | None = None
        self._handed_over = False

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task; a live generator is not among them."""
        side = self.source.side if self._corpus else None
        arguments = {"data": self.data_name or None, "corpus": self._corpus, "side": side}
        return {**arguments, "generator": self._named, "style": self._style}

    @property
    def generator(self) -> Generator:
        """The network that makes pictures of plans, built or loaded when it is first needed."""
        if self._live is None:
            module = importlib.import_module(MODULE)
            if self._named is None:
                fine = FINE if self.source.channels > 1 else 0
                made = module.ContentGenerator(module.GeneratorArchitecture(self.source.shape, CODES, fine=fine))
            else:
                shipped = PRETRAINED / f"{self.data_name}-G.zip"
                made = module.ContentGenerator.load(shipped if self._named == "pretrained" else self._named)
            self._check(made)
            self._live = made
        return self._live

    def set_generator(self, generator: Any) -> None:
        """Lets a live generator make the pictures from now on; it stays shared with what trains it.

        Raises:
            TypeError: it is no generator.
            ValueError: it makes other pictures, or of other plans.
        """
        self._check(generator)
        self._live, self._handed_over = generator, True

    def _check(self, generator: Any) -> None:
        if not isinstance(generator, Generator):
            raise TypeError(
                f"a generator has pictures(plans) and plans(contents), a {type(generator).__name__} has not"
            )
        theirs, ours = (generator.shape, generator.grid, generator.codes), (self.source.shape, self.grid, CODES)
        if theirs != ours:
            shapes = (f"pictures {shape} of {n} x {n} codes out of {codes}" for shape, n, codes in (theirs, ours))
            raise ValueError("this generator makes {}, not {}".format(*shapes))

    @property
    def noise_size(self) -> int:  # type: ignore[override]  # the generator knows it, and is made when it is needed
        """Numbers of noise that a picture takes."""
        return self.generator.noise_size

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty plans, with the styles of random training pictures where none are given."""
        B = len(draws)
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        return Draft(np.zeros((B, self.horizon), np.int64), np.zeros(B, np.int64), style.astype(np.int64))

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes the code of the next place of every plan."""
        state.plan[np.arange(len(state)), state.step] = actions + 1
        state.step += 1
        return state, state.step == self.horizon

    def observe(self, state: Draft) -> NDArray[np.int64]:
        """Returns int64 [B, n * n + 1 + C]: the codes, the number of decisions, the conditions."""
        return np.column_stack([state.plan, state.step, state.style])

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        observations = np.array(observations).astype(np.int64)
        plan, step = observations[:, : self.horizon].copy(), observations[:, self.horizon].copy()
        return Draft(plan, step, observations[:, self.horizon + 1 :].copy(), done=step == self.horizon)

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, 3]: row and column of the next place, 1 + the code above it, or 0."""
        row, column = np.divmod(state.step, self.grid)
        place = np.clip(state.step - self.grid, 0, self.horizon - 1)
        above = np.where(row > 0, state.plan[np.arange(len(state)), place], 0)
        return np.stack([row, column, above], 1)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns the plans, int16 [B, n, n]; places to come hold the code that is there most often in real works."""
        plan = state.plan - 1
        if (plan < 0).any():
            plan = np.where(plan < 0, self._usual, plan)
        return plan.astype(np.int16).reshape(-1, self.grid, self.grid)

    @property
    def _usual(self) -> NDArray[np.int64]:
        """The code of each place that training pictures have most often, int64 [n * n]."""
        generator = self.generator
        known: tuple[Any, int, NDArray[np.int64]] | None = self.__dict__.get("_known")
        if known is None or known[0] is not generator or known[1] != generator.updates:
            plans = generator.plans(self.corpus("train")[:SEEN]).reshape(-1, self.horizon)
            usual = np.array([np.bincount(codes).argmax() for codes in plans.T])
            known = self.__dict__["_known"] = (generator, generator.updates, usual)
        return known[2]

    def decode(self, plans: Array, noise: Array | None = None) -> NDArray[np.uint8]:
        """Returns the pictures of plans, uint8 [N, *shape]."""
        if not self.generator.updates:
            _warn_untrained()
        return self.generator.pictures(plans, noise)

    def condition(self, state: Draft) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.copy()

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the plans of pictures uint8 [N, *shape] by the generator's encoder, int64 [N, n * n]."""
        return self.generator.plans(contents).reshape(-1, self.horizon)

    def read_file(self, path: Path) -> NDArray[np.uint8]:
        """Reads any picture, PNG, JPEG or WebP: the square in its middle, in the size of this task's."""
        return self.source.read(path)

    def works(self, split: Split) -> Works:
        """Returns the pictures of a split."""
        return self._works.usable(split)

    def augmented(self, works: Works) -> Works:
        """Returns pictures moved by one pixel, up, down, left and right; their edge is repeated."""
        sides = [(1, 1), (1, 1), *[(0, 0)] * (works.contents.ndim - 3)]
        wide, side = np.pad(works.contents, [(0, 0), *sides], "edge"), self.source.side
        moved = [wide[:, y : y + side, x : x + side] for y, x in ((0, 1), (2, 1), (1, 0), (1, 2))]
        return Works(np.concatenate(moved), *(np.concatenate([each] * 4) for each in (works.conditions, works.groups)))

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._works.report

    def render(self, state: Draft) -> list[NDArray[np.uint8]]:
        """Draws the generator's pictures of the plans as they stand, and marks the next place."""
        pictures = self.decode(self.content(state))
        steps = zip(pictures, state.step.tolist(), state.done.tolist(), strict=True)
        return [self.medium.at_work(picture, None if done else step) for picture, step, done in steps]

    def action_name(self, action: int) -> str:
        """Returns "code 17"."""
        return f"code {action}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self)(**self.kwargs())
        # A copy in this process shares the generator, which may be learning.
        copied._live, copied._handed_over = self._live, self._handed_over
        return copied

    def __reduce__(self) -> Any:
        if self._handed_over:
            raise TypeError(
                "a task that holds a live generator cannot be sent to other processes: its copies would never learn; "
                "pass generator='PATH' of a saved one instead"
            )
        return super().__reduce__()

    @functools.cached_property
    def _works(self) -> UsableWorks:
        return self.source.load()


@functools.cache
def _warn_untrained() -> None:
    _logger.warning(
        "AtelierTask: pictures come from an untrained generator and show nothing until a training run teaches it "
        "(musegym train), or pass generator='PATH' of a taught one"
    )
