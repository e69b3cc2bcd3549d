"""A toy task of grids: towers of blocks, which a person can paint."""

import dataclasses

import gymnasium as gym
import numpy as np

from musegym.envs import Condition, Grid, State, Task, Works
from musegym.envs.media.plain import Plain

ROWS, COLUMNS = 4, 5
SKY, STONE, ROOF = range(3)
NAMES = ("sky", "stone", "roof")


@dataclasses.dataclass
class TowerState(State):
    blocks: np.ndarray  # int8 [B, 20], column by column, from the ground up
    kind: np.ndarray  # int64 [B], the condition
    step: np.ndarray  # int64 [B]


class TowerTask(Task[TowerState]):
    """Towers of stone, column by column from the ground up; a roof stands on stone only, and under sky."""

    horizon, num_actions = ROWS * COLUMNS, len(NAMES)
    layout = Grid((ROWS, COLUMNS), (len(NAMES),), "int8")
    rule_names = ("tall",)
    conditions = (Condition("place", ("town", "country")),)
    observation_space = gym.spaces.Box(0, ROWS * COLUMNS, (ROWS * COLUMNS + 2,), np.int8)

    def __init__(self):
        self.medium = Plain(self.layout, NAMES)

    def initial(self, draws, condition=None):
        B = len(draws)
        kind = self.draw_conditions(draws)[:, 0] if condition is None else condition[:, 0]
        return TowerState(np.zeros((B, self.horizon), np.int8), kind.astype(np.int64), np.zeros(B, np.int64))

    def advance(self, state, actions):
        state.blocks[np.arange(len(state)), state.step] = actions
        state.step += 1
        return state, state.step == self.horizon

    def action_mask(self, state):
        step = np.minimum(state.step, self.horizon - 1)
        below = np.where(step % ROWS == 0, SKY, state.blocks[np.arange(len(state)), np.maximum(step - 1, 0)])
        mask = np.ones((len(state), self.num_actions), bool)
        mask[:, ROOF] = below == STONE
        mask[:, STONE] = below != ROOF
        return mask

    def observe(self, state):
        return np.column_stack([state.blocks, state.kind, state.step]).astype(np.int8)

    def content(self, state):
        return state.blocks.reshape(-1, COLUMNS, ROWS).transpose(0, 2, 1)[:, ::-1].copy()

    def condition(self, state):
        return state.kind[:, None].copy()

    def demonstrations(self, contents, conditions=None):
        actions = np.asarray(contents)[:, ::-1].transpose(0, 2, 1).reshape(len(contents), -1).astype(np.int64)
        state = self.initial(np.zeros(len(actions), np.uint64), np.zeros((len(actions), 1), np.int64))
        for action in actions.T:
            if not self.action_mask(state)[np.arange(len(actions)), action].all():
                raise ValueError("a roof needs stone below and sky above")
            state, _ = self.step(state, action)
        return actions

    def rules(self, contents, conditions=None):
        return (contents > SKY).any(2).sum(1)[:, None].astype(np.float32)

    def works(self, split):
        heights = np.random.default_rng(("train", "validation", "test").index(split)).integers(ROWS, size=(40, COLUMNS))
        up = np.arange(ROWS - 1, -1, -1)[:, None]  # [rows, 1], from the top row down
        contents = np.where(up < heights[:, None], STONE, np.where((up == heights[:, None]) & (up > 0), ROOF, SKY))
        return Works(contents.astype(np.int8), np.arange(40)[:, None] % 2)
