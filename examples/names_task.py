"""Names of people, letter by letter: a domain of one's own in one file. Its works: `pip install names`."""

import dataclasses
import zlib
from pathlib import Path

import gymnasium as gym
import names
import numpy as np

import musegym
from musegym.envs import Condition, Sequence, State, Task, Works
from musegym.envs.media.tokens import Tokens

LETTERS, END, LONGEST = "abcdefghijklmnopqrstuvwxyz", 26, 11


@dataclasses.dataclass
class Draft(State):  # B names being written
    letters: np.ndarray  # int8 [B, 11], 1 + letter; 0 for those to come
    length: np.ndarray  # int64 [B]
    kind: np.ndarray  # int64 [B], the condition


class NameTask(Task[Draft]):
    """A first name: a letter a decision, then an end."""

    horizon, num_actions = LONGEST, END + 1  # decisions at most; letters, and the end
    layout = Sequence((LONGEST,), (END + 1,), "int8")  # a content: 11 numbers below 27, of which 0 is padding
    conditions = (Condition("kind", ("female", "male")),)  # given at the start, seen by policy and discriminator
    observation_space = gym.spaces.MultiDiscrete([END + 1] * LONGEST + [LONGEST + 1, 2])
    medium = Tokens(END, symbols=LETTERS)  # how works are shown and written to files

    def initial(self, draws, condition=None):
        kind = self.draw_conditions(draws) if condition is None else condition
        letters, length = np.zeros((len(draws), LONGEST), np.int8), np.zeros(len(draws), np.int64)
        return Draft(letters, length, kind[:, 0].astype(np.int64))

    def advance(self, state, actions):  # legal actions, unfinished rows
        rows = np.flatnonzero(actions != END)
        state.letters[rows, state.length[rows]] = actions[rows] + 1
        state.length[rows] += 1
        return state, (actions == END) | (state.length == LONGEST)

    def action_mask(self, state):  # an end after two letters
        return np.column_stack([np.ones((len(state), END), bool), state.length >= 2])

    def observe(self, state):
        return np.column_stack([state.letters, state.length, state.kind]).astype(np.int64)

    def content(self, state):
        return state.letters.copy()

    def condition(self, state):
        return state.kind[:, None].copy()

    def demonstrations(self, contents, conditions=None):  # the decisions that build them, padded with 0
        ends = np.arange(LONGEST) == (contents > 0).sum(1)[:, None]
        return np.where(ends, END, np.maximum(contents.astype(np.int64) - 1, 0))

    def works(self, split):  # a name is in one split, whoever bears it
        tens = {"train": range(8), "validation": (8,), "test": (9,)}[split]
        files = [Path(names.full_path(f"dist.{kind}.first")).read_text().lower() for kind in ("female", "male")]
        words = [(line.split()[0], kind) for kind, text in enumerate(files) for line in text.splitlines()]
        words = [(word, kind) for word, kind in words if zlib.crc32(word.encode()) % 10 in tens]
        contents = [[1 + LETTERS.find(letter) for letter in word.ljust(LONGEST)] for word, _ in words]
        return Works(np.array(contents, np.int8), np.array([[kind] for _, kind in words]))


musegym.register("my/Name-v0", "names_task:NameTask")
