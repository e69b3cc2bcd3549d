"""Small tasks that tests register: unequal episode lengths, illegal actions, with and without conditions."""

import dataclasses
from pathlib import Path

import gymnasium as gym
import numpy as np

import musegym
from musegym.envs import Condition, Feature, Medium, Sequence, State, Task, Works

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
    letters: np.ndarray  # int8 [B, LONGEST]: letters from 1; 0 = nothing
    kind: np.ndarray  # int64 [B], the condition
    length: np.ndarray  # int64 [B]
    last: np.ndarray  # int64 [B], 0 = no letter yet


class WordMedium(Medium):
    def render(self, content, condition=None, upto=None):
        letters = content if upto is None else content[:upto]
        picture = np.full((8, 8 * LONGEST, 3), 255, np.uint8)
        for place, letter in enumerate(letters):
            picture[:, 8 * place : 8 * place + 7, 0] = 255 - 25 * int(letter)
        return picture

    def describe(self, content, condition=None):
        return "".join(LETTERS[letter - 1] for letter in content if letter)

    def export(self, content, path: Path, condition=None):
        written = path.with_suffix(".txt")
        written.write_text(self.describe(content) + "\n")
        return [written]

    def metrics(self, contents, conditions=None):
        return {"mean_length": float((contents > 0).sum(1).mean())}


class WordTask(Task[WordState]):
    """Words of letters, no letter twice in a row, ended by END or by their longest length.

    An illegal action is replaced by the lowest legal one.
    """

    horizon = LONGEST
    num_actions = END + 1
    layout = Sequence((LONGEST,), (END + 1,), "int8")
    conditions = (Condition("size", ("short", "long")),)
    features = (Feature("length", LONGEST + 1),)
    rule_names = ("letters_a", "vowels")

    def __init__(self, double: bool = False):
        self.double = double  # whether a letter may stand twice in a row
        self.observation_space = gym.spaces.Box(0, END + 1, (3 + LONGEST,), np.int8)
        self.medium = WordMedium()
        legal = np.ones((2, LONGEST + 1, END + 1, END + 1), bool)  # condition, length, last letter, action
        for condition, (shortest, _) in enumerate(LENGTHS):
            legal[condition, :shortest, :, END] = False
        if not double:
            legal[:, :, np.arange(1, END + 1), np.arange(END)] = False
        self._legal = legal

    def initial(self, draws, condition=None):
        kind = draws % np.uint64(2) if condition is None else condition[:, 0]
        zeros = np.zeros(len(draws), np.int64)
        letters = np.zeros((len(draws), LONGEST), np.int8)
        return WordState(letters, kind.astype(np.int64), zeros, zeros.copy())

    def advance(self, state, actions):
        writes = np.flatnonzero(actions < END)
        state.letters[writes, state.length[writes]] = actions[writes] + 1
        state.length[writes] += 1
        state.last[writes] = actions[writes] + 1
        longest = np.array(LENGTHS)[state.kind, 1]
        return state, (actions == END) | (state.length == longest)

    def action_mask(self, state):
        return self._legal[state.kind, state.length, state.last]

    def legalise(self, state, actions):
        mask = self.action_mask(state)
        return np.where(mask[np.arange(len(actions)), actions], actions, mask.argmax(1))

    def observe(self, state):
        columns = [state.kind[:, None], state.letters, state.length[:, None], state.done[:, None]]
        return np.concatenate(columns, 1, dtype=np.int8)

    def restore(self, observations):
        kind, length = observations[:, 0].astype(np.int64), observations[:, -2].astype(np.int64)
        letters = observations[:, 1:-2].copy()
        last = letters[np.arange(len(length)), np.maximum(length - 1, 0)].astype(np.int64) * (length > 0)
        return WordState(letters, kind, length, last, done=observations[:, -1] > 0)

    def feature_values(self, state):
        return state.length[:, None].copy()

    def content(self, state):
        return state.letters.copy()

    def condition(self, state):
        return state.kind[:, None].copy()

    def demonstrations(self, contents, conditions=None):
        actions = np.zeros((len(contents), LONGEST), np.int64)
        for row, (content, (condition,)) in enumerate(zip(contents, conditions, strict=True)):
            letters = content[content > 0]
            shortest, longest = LENGTHS[condition]
            if not shortest <= len(letters) <= longest or (not self.double and (letters[1:] == letters[:-1]).any()):
                raise ValueError(f"{self.medium.describe(content)!r} cannot be built")
            actions[row, : len(letters)] = letters - 1
            if len(letters) < longest:
                actions[row, len(letters)] = END
        return actions

    def works(self, split):
        words = [word for word in WORDS.split() if len(word) <= LONGEST]
        contents = np.zeros((len(words), LONGEST), np.int8)
        for row, word in enumerate(words):
            contents[row, : len(word)] = [LETTERS.index(letter) + 1 for letter in word]
        twice = ((contents[:, 1:] == contents[:, :-1]) & (contents[:, 1:] > 0)).any(1)
        contents = contents[~twice | self.double]
        contents = contents[np.arange(len(contents)) % 3 == ("train", "validation", "test").index(split)]
        return Works(contents, ((contents > 0).sum(1) > LENGTHS[0][1]).astype(np.int64)[:, None])

    def rules(self, contents, conditions=None):
        return np.stack([(contents == 1).sum(1), ((contents == 1) | (contents == 5)).sum(1)], 1).astype(np.float32)

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
    layout = Sequence((4,), (2,), "int8")
    features = (Feature("step", 5),)

    def __init__(self):
        self.observation_space = gym.spaces.Box(0, 4, (5,), np.int8)
        self.medium = BitsMedium()

    def initial(self, draws, condition=None):
        return BitState(np.zeros((len(draws), 4), np.int8), np.zeros(len(draws), np.int64))

    def advance(self, state, actions):
        state.content[np.arange(len(state)), state.step] = actions
        state.step += 1
        return state, state.step == 4

    def observe(self, state):
        return np.concatenate([state.content, state.step[:, None]], 1, dtype=np.int8)

    def restore(self, observations):
        step = observations[:, 4].astype(np.int64)
        return BitState(observations[:, :4].copy(), step, done=step == 4)

    def feature_values(self, state):
        return state.step[:, None].copy()

    def content(self, state):
        return state.content.copy()

    def demonstrations(self, contents, conditions=None):
        return contents.astype(np.int64)

    def works(self, split):
        return Works(np.array([[1, 1, 0, 0], [0, 0, 1, 1]], np.int8))


class BitsMedium(WordMedium):
    def render(self, content, condition=None, upto=None):
        bits = content if upto is None else np.where(np.arange(4) < upto, content, 0)
        return np.where(bits.reshape(2, 2, 1) == 1, 0, 255).astype(np.uint8).repeat(3, 2)

    def describe(self, content, condition=None):
        return "".join(map(str, content))

    def metrics(self, contents, conditions=None):
        return {"ones": float(contents.mean())}


class BlindTask(BitsTask):
    """Four bits that are known as they look, and not as they are built."""

    has_demonstrations = False
    one_to_one = False

    def demonstrations(self, contents, conditions=None):
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
