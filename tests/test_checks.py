"""The contract suite passes on every registered task, and names what a broken one breaks."""

import json

import gymnasium as gym
import numpy as np
import pytest
import toys

from musegym.envs import ids, make_task
from musegym.envs.checks import check_task
from musegym.envs.corpora.packages import CorpusMissingError

toys.register()


@pytest.mark.parametrize("env_id", ids())
def test_registered_tasks_keep_the_contract(env_id):
    try:
        make_task(env_id).corpus("train")
    except CorpusMissingError as error:
        pytest.skip(str(error))  # says what to install
    check_task(env_id)
    check_task(env_id, seed=1)


def test_a_task_object_is_as_good_as_an_id():
    check_task(toys.WordTask(double=True))


class ForgetsCondition(toys.WordTask):
    def initial(self, draws, condition=None):
        return super().initial(draws)


class MixesRows(toys.WordTask):
    def initial(self, draws, condition=None):
        return super().initial(np.roll(draws, 1), condition)


class DrawsFromNowhere(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.rng = np.random.default_rng(0)

    def initial(self, draws, condition=None):
        return super().initial(self.rng.integers(0, 2, len(draws)).astype(np.uint64), condition)


class EmptiesMasks(toys.WordTask):
    def action_mask(self, state):
        return super().action_mask(state) & ~state.done[:, None]


class HandsOutItsState(toys.WordTask):
    def content(self, state):
        return state.content


class NeverEnds(toys.WordTask):
    def step(self, state, actions):
        state, done = super().step(state, actions)
        return state, done & False


class WritesOn(toys.WordTask):
    def step(self, state, actions):
        state.content[state.done, 1] = 1 + actions[state.done] % toys.END
        return super().step(state, actions)


class LegalisesElsewhere(toys.WordTask):
    def legalise(self, state, actions):
        return np.zeros_like(actions)


class TakesSomethingElse(toys.WordTask):
    def step(self, state, actions):
        mask = self.action_mask(state)
        illegal = ~mask[np.arange(len(actions)), actions]
        highest = self.num_actions - 1 - mask[:, ::-1].argmax(1)
        return super().step(state, np.where(illegal & ~state.done, highest, actions))


class PaysTwice(toys.WordTask):
    def step_rules(self, contents):
        return 2.0 * (contents[:, 1:] == 1)


class SmallClock(toys.WordTask):
    clock_sizes = (3,)


class WrongSpace(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.observation_space = gym.spaces.Box(0, 1, self.observation_space.shape, np.int8)


class SmallObservations(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.observation_space = gym.spaces.MultiDiscrete([toys.END + 2] * (3 + toys.LONGEST), dtype=np.int8)


class OverflowingContents(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.content_space = gym.spaces.MultiDiscrete([2] + [100] * toys.LONGEST, dtype=np.int8)


class WrongContentSpace(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.content_space = gym.spaces.MultiBinary(1 + toys.LONGEST)


class DemonstratesBackwards(toys.WordTask):
    def demonstrations(self, contents):
        return super().demonstrations(contents)[:, ::-1]


class TwoWays(toys.WordTask):
    """END stands for nothing where a letter stood twice in a row: two ways to one word."""

    num_actions = toys.END + 2

    def action_mask(self, state):
        return np.concatenate([super().action_mask(state), super().action_mask(state)[:, :1]], 1)

    def step(self, state, actions):
        return super().step(state, np.where(actions == toys.END + 1, 0, actions))

    def legalise(self, state, actions):
        mask = self.action_mask(state)
        return np.where(mask[np.arange(len(actions)), actions], actions, mask.argmax(1))


class ClaimsNoDemonstrations(toys.WordTask):
    has_demonstrations = False
    one_to_one = False


class OneToOneOfWhat(toys.WordTask):
    has_demonstrations = False


class WideFrames(toys.WordTask):
    def render(self, state):
        return [np.zeros((8, 1, 3), np.uint8)] * len(state)


class ForgetsArguments(toys.WordTask):
    def kwargs(self):
        return {}


class RestoresHalf(toys.WordTask):
    def restore(self, observations):
        state = super().restore(observations)
        state.last[:] = 0
        return state


class StreamsTooFew(toys.WordTask):
    def stream(self, num, rng):
        return self.corpus("train")[: num // 2]


class StreamsFromNowhere(toys.WordTask):
    def stream(self, num, rng):
        return np.random.default_rng().choice(self.corpus("train"), num)


class OddPictures(toys.WordMedium):
    def render(self, content, upto=None):
        return super().render(content, upto)[: None if upto is None else 4]


class WritesNothing(toys.WordMedium):
    def export(self, content, path):
        return []


def with_medium(medium):
    task = toys.WordTask()
    task.medium = medium
    return task


@pytest.mark.parametrize(
    ("task", "promise"),
    [
        (ForgetsCondition(), "condition they were started under"),
        (MixesRows(), "do not depend on their neighbours"),
        (DrawsFromNowhere(), "equal draws and actions give equal episodes"),
        (EmptiesMasks(), "every row has a legal action"),
        (HandsOutItsState(), "content returns arrays that later steps leave alone"),
        (NeverEnds(), "finished after at most horizon = 6"),
        (WritesOn(), "finished rows ignore actions"),
        (LegalisesElsewhere(), "legalise returns legal actions|legalise leaves legal actions alone"),
        (TakesSomethingElse(), "step takes what legalise returns"),
        (SmallClock(), "clock stays below clock_sizes"),
        (PaysTwice(), "step_rules add up to rules"),
        (WrongSpace(), "observation_space contains"),
        (SmallObservations(), "observation_space is a MultiDiscrete of int64"),
        (OverflowingContents(), "sizes of content_space add up to at most the largest int8"),
        (WrongContentSpace(), "content_space contains"),
        (DemonstratesBackwards(), "demonstrations"),
        (TwoWays(), "one_to_one"),
        (ClaimsNoDemonstrations(), "demonstrations raises ValueError where has_demonstrations is False"),
        (OneToOneOfWhat(), "one_to_one needs demonstrations"),
        (WideFrames(), "pictures of one work have one size"),
        (ForgetsArguments(double=True), "kwargs rebuild the task"),
        (RestoresHalf(), "restored from observations goes on"),
        (StreamsTooFew(), "as many works as were asked for"),
        (StreamsFromNowhere(), "from no other"),
        (with_medium(OddPictures()), "pictures of one work have one size"),
        (with_medium(WritesNothing()), "export writes something"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_broken_tasks_are_named(task, promise):
    with pytest.raises(AssertionError, match=promise):
        check_task(task)


def test_kwargs_must_survive_json():
    class Tuples(toys.WordTask):
        def kwargs(self):
            return {"double": (True,)}

    with pytest.raises(AssertionError, match="kwargs survive JSON"):
        check_task(Tuples())
    assert json.loads(json.dumps(toys.WordTask().kwargs())) == {"double": False}
