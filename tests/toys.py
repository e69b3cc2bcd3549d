"""Small tasks that tests register: unequal episode lengths, illegal actions, with and without conditions."""

import dataclasses
from pathlib import Path

import gymnasium as gym
import numpy as np

import musegym
from musegym.envs import Medium, State, Task

LETTERS = "abcdefgh"
END = len(LETTERS)
LENGTHS = ((1, 3), (4, 6))
"""Shortest and longest word, for conditions 0 (short) and 1 (long)."""
LONGEST = LENGTHS[-1][-1]
WORDS = (
    "a ab ad age bad bag be bed beg cab cad dab dad ebb egg fad fed gab had hag he "
    "abed aged bade bagged beach bead cafe cage chafe cheaha dace deaf decade efface "
    "face facade fade gabe hade head headed"
)


@dataclasses.dataclass
class WordState(State):
    content: np.ndarray  # int8 [B, 1 + LONGEST]: condition, then letters from 1; 0 = nothing
    length: np.ndarray  # int64 [B]
    last: np.ndarray  # int64 [B], 0 = no letter yet
    done: np.ndarray  # bool [B]


class WordMedium(Medium):
    kind = "sequence"

    def render(self, content, upto=None):
        letters = content[1:] if upto is None else content[1 : 1 + upto]
        picture = np.full((8, 8 * LONGEST, 3), 255, np.uint8)
        for place, letter in enumerate(letters):
            picture[:, 8 * place : 8 * place + 7, 0] = 255 - 25 * int(letter)
        return picture

    def describe(self, content):
        return "".join(LETTERS[letter - 1] for letter in content[1:] if letter)

    def export(self, content, path: Path):
        written = path.with_suffix(".txt")
        written.write_text(self.describe(content) + "\n")
        return [written]

    def metrics(self, contents):
        return {"mean_length": float((contents[:, 1:] > 0).sum(1).mean())}


class WordTask(Task[WordState]):
    """Words of letters, no letter twice in a row, ended by END or by their longest length.

    An illegal action is replaced by the lowest legal one.
    """

    horizon = LONGEST
    num_actions = END + 1
    clock_sizes = (LONGEST + 1,)

    def __init__(self, double: bool = False):
        self.double = double  # whether a letter may stand twice in a row
        self.condition_space = gym.spaces.MultiDiscrete([2])
        self.content_space = gym.spaces.MultiDiscrete([2] + [END + 1] * LONGEST)
        self.observation_space = gym.spaces.Box(0, END + 1, (3 + LONGEST,), np.int8)
        self.medium = WordMedium()
        legal = np.ones((2, LONGEST + 1, END + 1, END + 1), bool)  # condition, length, last letter, action
        for condition, (shortest, _) in enumerate(LENGTHS):
            legal[condition, :shortest, :, END] = False
        if not double:
            legal[:, :, np.arange(1, END + 1), np.arange(END)] = False
        self._legal = legal

    def initial(self, draws, condition=None):
        content = np.zeros((len(draws), 1 + LONGEST), np.int8)
        content[:, 0] = draws % np.uint64(2) if condition is None else condition[:, 0]
        zeros = np.zeros(len(draws), np.int64)
        return WordState(content, zeros, zeros.copy(), zeros.astype(bool))

    def step(self, state, actions):
        actions = self.legalise(state, actions)
        writes = np.flatnonzero((actions < END) & ~state.done)
        state.content[writes, 1 + state.length[writes]] = actions[writes] + 1
        state.length[writes] += 1
        state.last[writes] = actions[writes] + 1
        longest = np.array(LENGTHS)[state.content[:, 0], 1]
        state.done |= (actions == END) | (state.length == longest)
        return state, state.done

    def action_mask(self, state):
        return self._legal[state.content[:, 0], state.length, state.last]

    def legalise(self, state, actions):
        mask = self.action_mask(state)
        return np.where(mask[np.arange(len(actions)), actions], actions, mask.argmax(1))

    def observe(self, state):
        return np.concatenate([state.content, state.length[:, None], state.done[:, None]], 1, dtype=np.int8)

    def restore(self, observations):
        content, length, done = (
            observations[:, :-2].copy(),
            observations[:, -2].astype(np.int64),
            observations[:, -1] > 0,
        )
        last = content[np.arange(len(length)), length].astype(np.int64) * (length > 0)
        return WordState(content, length, last, done)

    def clock(self, state):
        return state.length[:, None]

    def content(self, state):
        return state.content.copy()

    def condition(self, contents):
        return contents[:, :1].astype(np.int64)

    def demonstrations(self, contents):
        actions = np.zeros((len(contents), LONGEST), np.int64)
        for row, content in enumerate(contents):
            letters = content[1:][content[1:] > 0]
            shortest, longest = LENGTHS[content[0]]
            if not shortest <= len(letters) <= longest or (not self.double and (letters[1:] == letters[:-1]).any()):
                raise ValueError(f"{self.medium.describe(content)!r} cannot be built")
            actions[row, : len(letters)] = letters - 1
            if len(letters) < longest:
                actions[row, len(letters)] = END
        return actions

    def corpus(self, split):
        words = [word for word in WORDS.split() if len(word) <= LONGEST]
        contents = np.zeros((len(words), 1 + LONGEST), np.int8)
        for row, word in enumerate(words):
            contents[row, 0] = len(word) > LENGTHS[0][1]
            contents[row, 1 : 1 + len(word)] = [LETTERS.index(letter) + 1 for letter in word]
        letters = contents[:, 1:]
        twice = ((letters[:, 1:] == letters[:, :-1]) & (letters[:, 1:] > 0)).any(1)
        contents = contents[~twice | self.double]
        third = np.arange(len(contents)) % 3
        return contents[third == ("train", "validation", "test").index(split)]

    def rules(self, contents):
        return (contents[:, 1:] == 1).sum(1).astype(np.float32)

    def kwargs(self):
        return {"double": self.double}


@dataclasses.dataclass
class BitState(State):
    content: np.ndarray  # int8 [B, 4]
    step: np.ndarray  # int64 [B]


class BitsTask(Task[BitState]):
    """Four free bits: every episode equally long, no illegal action, no condition."""

    horizon = 4
    num_actions = 2
    clock_sizes = (5,)

    def __init__(self):
        self.content_space = gym.spaces.MultiDiscrete([2] * 4)
        self.observation_space = gym.spaces.Box(0, 4, (5,), np.int8)
        self.medium = BitsMedium()

    def initial(self, draws, condition=None):
        return BitState(np.zeros((len(draws), 4), np.int8), np.zeros(len(draws), np.int64))

    def step(self, state, actions):
        rows = np.flatnonzero(state.step < 4)
        state.content[rows, state.step[rows]] = actions[rows]
        state.step[rows] += 1
        return state, state.step == 4

    def observe(self, state):
        return np.concatenate([state.content, state.step[:, None]], 1, dtype=np.int8)

    def restore(self, observations):
        return BitState(observations[:, :4].copy(), observations[:, 4].astype(np.int64))

    def clock(self, state):
        return state.step[:, None]

    def content(self, state):
        return state.content.copy()

    def condition(self, contents):
        return np.zeros((len(contents), 0), np.int64)

    def demonstrations(self, contents):
        return contents.astype(np.int64)

    def corpus(self, split):
        return np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.int8)


class BitsMedium(WordMedium):
    def render(self, content, upto=None):
        bits = content if upto is None else np.where(np.arange(4) < upto, content, 0)
        return np.where(bits.reshape(2, 2, 1) == 1, 0, 255).astype(np.uint8).repeat(3, 2)

    def describe(self, content):
        return "".join(map(str, content))

    def metrics(self, contents):
        return {"ones": float(contents.mean())}


class BlindTask(BitsTask):
    """Four bits that are known as they look, and not as they are built."""

    has_demonstrations = False

    def demonstrations(self, contents):
        raise ValueError("BlindTask has no demonstrations")


class StreamTask(BitsTask):
    """Four bits with new real works whenever they are asked for, none of which the corpus holds."""

    def stream(self, num, rng):
        return np.array([[1, 1, 1, 1], [0, 0, 0, 0]], np.int8)[rng.integers(2, size=num)]


def register():
    """Registers the toys; again and again does no harm."""
    musegym.register("toy/Word-v0", "toys:WordTask")
    musegym.register("toy/Bits-v0", "toys:BitsTask")
    return ("toy/Word-v0", "toy/Bits-v0")
