"""Toy tasks that policies see: canvases with and without known strokes, bits as pictures, plans that are decoded."""

import dataclasses

import gymnasium as gym
import numpy as np
from toys import BitsTask

import musegym
from musegym.envs import Feature, Image, State, Task, Works
from musegym.envs.media.plain import Plain


@dataclasses.dataclass
class CanvasState(State):
    canvas: np.ndarray  # uint8 [B, side, side, 3]
    strokes: np.ndarray  # int64 [B, T], 1 + cell; 0 for those to come


class CanvasTask(Task[CanvasState]):
    """Strokes, each of which lights one cell, in red, green and blue by turns. Its state is not told by observations.

    Real works are strokes along a diagonal; ``drawn``: with the actions that made them, which pictures do not tell.
    """

    one_to_one = False

    def __init__(self, side: int = 4, horizon: int = 3, drawn: bool = True):
        self.side, self.horizon, self.drawn = side, horizon, drawn
        self.num_actions = side * side
        self.layout = Image((side, side, 3))
        self.view_shape = (side, side, 3)
        self.features = (Feature("stroke", horizon + 1),)
        self.observation_space = gym.spaces.Box(0, self.num_actions, (horizon,), np.int64)
        self.medium = Plain(self.layout)

    @property
    def has_demonstrations(self):
        return self.drawn

    def initial(self, draws, condition=None):
        B = len(draws)
        return CanvasState(np.zeros((B, *self.view_shape), np.uint8), np.zeros((B, self.horizon), np.int64))

    def advance(self, state, actions):
        rows, step = np.arange(len(actions)), (state.strokes > 0).sum(1)
        state.canvas[rows, actions // self.side, actions % self.side, step % 3] = 255
        state.strokes[rows, step] = actions + 1
        return state, step + 1 == self.horizon

    def observe(self, state):
        return state.strokes.copy()

    def feature_values(self, state):
        return (state.strokes > 0).sum(1, keepdims=True)

    def view(self, state):
        return state.canvas.copy()

    def content(self, state):
        return state.canvas.copy()

    def works(self, split):
        seed = ("train", "validation", "test").index(split)
        actions = (self.side + 1) * np.random.default_rng(seed).integers(self.side, size=(40, self.horizon))
        state = self.initial(np.zeros(len(actions), np.uint64))
        for stroke in actions.T:
            state, _ = self.step(state, stroke)
        return Works(state.canvas, actions=actions if self.drawn else None)

    def kwargs(self):
        return {"side": self.side, "horizon": self.horizon, "drawn": self.drawn}


class SeenTask(BitsTask):
    """Four bits that the policy sees as a picture of a given shape."""

    def __init__(self, shape: tuple[int, ...] = (2, 2, 1)):
        super().__init__()
        self.view_shape = tuple(shape)

    def view(self, state):
        return 255 * state.content.astype(np.uint8).reshape(-1, *self.view_shape)

    def kwargs(self):
        return {"shape": list(self.view_shape)}


class PlannedTask(BitsTask):
    """Four bits, which a network would turn into a picture: a bit is a light quarter, and noise makes it grainy."""

    layout = Image((4, 4))
    noise_size = 16
    has_demonstrations = False
    one_to_one = False

    def __init__(self):
        super().__init__()
        self.medium = Plain(self.layout)

    def decode(self, plans, noise=None):
        quarters = 60.0 + 100 * plans.reshape(-1, 2, 2).repeat(2, 1).repeat(2, 2)
        return np.clip(quarters + 15 * noise.reshape(-1, 4, 4), 0, 255).astype(np.uint8)

    def demonstrations(self, contents, conditions=None):
        return Task.demonstrations(self, contents, conditions)

    def works(self, split):
        rng = np.random.default_rng(("train", "validation", "test").index(split))
        plans = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.int8)[rng.integers(2, size=60)]
        return Works(self.decoded(plans, rng))


class RulesTask(PlannedTask):
    """Pictures under a rule that reads them, and not their plans."""

    rule_names = ("light",)

    def rules(self, contents, conditions=None):
        return (contents.reshape(len(contents), -1).mean(1, keepdims=True) / 255).astype(np.float32)


def register():
    """Registers the toys; again and again does no harm."""
    for name in ("Canvas", "Seen", "Planned", "Rules"):
        musegym.register(f"toy/{name}-v0", f"canvases:{name}Task")
