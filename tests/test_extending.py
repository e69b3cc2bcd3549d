"""Domains written from docs/extending.md alone: the page's own, and one of every other form of content."""

import dataclasses
import itertools
import re
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, generate, make_sb3_env
from musegym.envs import Feature, Frames, Grid, Image, State, Task, Volume, Works, make_task
from musegym.envs.media.plain import Plain

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"


def test_the_page_is_short_and_holds_the_example():
    page = PAGE.read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 90
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert code == (ROOT / "examples" / "names_task.py").read_text(encoding="utf-8")


def test_the_example_keeps_the_contract(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    sys.modules.pop("names_task", None)
    task = make_task("names_task:my/Name-v0")
    musegym.check_task(task)
    train, test = ({*map(task.medium.describe, task.works(split).contents)} for split in ("train", "test"))
    assert len(train) > 4000
    assert not train & test


@dataclasses.dataclass
class Cells(State):
    cells: np.ndarray  # int64 [B, T], 1 + what was chosen, 0 for those to come
    step: np.ndarray  # int64 [B]


class CellByCell(Task[Cells]):
    """Contents of any form, written cell by cell: of a few colours, in stripes that a work has throughout."""

    def __init__(self):
        self.horizon, self.num_actions = int(np.prod(self.layout.shape)), self.layout.sizes[0]
        self.features = (Feature("step", self.horizon + 1),)
        self.observation_space = gym.spaces.MultiDiscrete([1 + self.num_actions] * self.horizon + [1 + self.horizon])
        self.medium = Plain(self.layout)

    def initial(self, draws, condition=None):
        return Cells(np.zeros((len(draws), self.horizon), np.int64), np.zeros(len(draws), np.int64))

    def advance(self, state, actions):
        state.cells[np.arange(len(state)), state.step] = 1 + actions
        state.step += 1
        return state, state.step == self.horizon

    def observe(self, state):
        return np.column_stack([state.cells, state.step])

    def feature_values(self, state):
        return state.step[:, None].copy()

    def content(self, state):
        cells = np.maximum(state.cells - 1, 0).astype(self.layout.dtype)
        return cells.reshape(len(state), *self.layout.shape)

    def demonstrations(self, contents, conditions=None):
        return contents.reshape(len(contents), self.horizon).astype(np.int64)

    def works(self, split):
        rng = np.random.default_rng(("train", "validation", "test").index(split))
        first = rng.integers(self.num_actions, size=(500, 1))
        return Works(self.striped(first, rng).reshape(500, *self.layout.shape).astype(self.layout.dtype))

    def striped(self, first, rng):
        """Returns cells int [N, T]: each is the one before, or with a chance of 1 in 8 the next colour."""
        return (first + np.cumsum(rng.random((len(first), self.horizon)) < 1 / 8, 1)) % self.num_actions


class ColourGrid(CellByCell):
    layout = Grid((4, 4), (4,), "int8")


class Voxels(CellByCell):
    layout = Volume((3, 3, 3), (3,), "int8")


class Clip(CellByCell):
    layout = Frames((3, 3, 3), (4,), "uint8", cells=True)


@dataclasses.dataclass
class Sheet(State):
    canvas: np.ndarray  # uint8 [B, 6, 6]
    step: np.ndarray  # int64 [B]


class Squares(Task[Sheet]):
    """A canvas on which each decision fills a square of 2 x 2; real works have one in each row and column.

    How they are built is not told. Squares are filled in any order, and the policy sees the canvas as it stands.
    """

    horizon, num_actions = 3, 9
    layout = Image((6, 6))
    view_shape = (6, 6, 1)
    one_to_one = False
    observation_space = gym.spaces.Box(0, 255, (37,), np.float32)
    medium = Plain(layout)

    def initial(self, draws, condition=None):
        return Sheet(np.zeros((len(draws), 6, 6), np.uint8), np.zeros(len(draws), np.int64))

    def advance(self, state, actions):
        squares = state.canvas.reshape(-1, 3, 2, 3, 2)
        squares[np.arange(len(state)), actions // 3, :, actions % 3] = 255
        state.step += 1
        return state, state.step == self.horizon

    def observe(self, state):
        return np.column_stack([state.canvas.reshape(-1, 36), state.step]).astype(np.float32)

    def view(self, state):
        return state.canvas[..., None].copy()

    def content(self, state):
        return state.canvas.copy()

    def works(self, split):
        one_each = np.eye(3)[list(itertools.permutations(range(3)))].repeat(2, 1).repeat(2, 2)
        return Works((255 * one_each).astype(np.uint8).repeat(50, 0))


DOMAINS = {"Grid": ColourGrid, "Volume": Voxels, "Frames": Clip, "View": Squares}


@pytest.fixture(autouse=True, scope="module")
def registered():
    for name, task in DOMAINS.items():
        musegym.register(f"toy/{name}-v0", f"{__name__}:{task.__name__}")


@pytest.mark.parametrize("name", DOMAINS)
def test_domains_keep_the_contract(name):
    musegym.check_task(f"toy/{name}-v0")


class Stop(BaseCallback):
    """Ends training after a number of updates."""

    def __init__(self, updates):
        super().__init__()
        self.updates = updates

    def _on_step(self):
        return self.model._n_updates < self.updates


def changes(contents):
    """Returns the share of cells that differ from the one before, in order of writing."""
    cells = contents.reshape(len(contents), -1)
    return float((cells[:, 1:] != cells[:, :-1]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Grid", "Volume", "Frames"])
def test_cells_are_learned_from_the_discriminator_alone(name):
    """Without imitation: real cells change 1 time in 8, a policy's at first nearly always."""
    model = AdversarialDQN(
        "auto",
        make_sb3_env(f"toy/{name}-v0", 256, seed=0, discriminator="none"),
        seed=0,
        warm_start=0,
        cross_entropy=0.0,
    )
    before = changes(generate(model, 500))
    model.learn(10**9, callback=[DiscriminatorCallback(), Stop(100)])
    after = changes(generate(model, 500, seed=1))
    real = changes(make_task(f"toy/{name}-v0").corpus("test"))
    assert before > 0.5
    assert abs(after - real) < 0.5 * (before - real), (before, after, real)


@pytest.mark.slow
def test_a_canvas_is_learned_without_demonstrations():
    """A random policy draws one of the six works 36 times in 729."""
    env = make_sb3_env("toy/View-v0", 256, seed=0, discriminator="none")
    model = AdversarialDQN("auto", env, seed=0, alpha=0.8)  # more diverse than the data, which keeps D from chasing it
    model.learn(10**9, callback=[DiscriminatorCallback(), Stop(120)])
    real = {work.tobytes() for work in make_task("toy/View-v0").corpus("train")}
    drawn = [content.tobytes() for content in generate(model, 500, seed=1)]
    assert np.mean([content in real for content in drawn]) > 0.3
    assert len(real & set(drawn)) >= 4
