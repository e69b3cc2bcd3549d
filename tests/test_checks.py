"""The contract suite passes on every registered task, and names what a broken one breaks."""

import itertools
import json

import gymnasium as gym
import numpy as np
import pytest
import toys
from grids import TowerTask
from real_works import present

from musegym.envs import SPLITS, Condition, Feature, Grid, Sequence, Works, ids, make_task
from musegym.envs.checks import check_splits, check_task
from musegym.envs.media.plain import Plain
from musegym.envs.registry import BUILT_IN, task_class

toys.register()


@pytest.mark.parametrize("env_id", ids())
def test_registered_tasks_keep_the_contract(env_id):
    task = present(make_task(env_id))
    check_task(env_id)
    if task.horizon < 100:  # longer works have many decisions, and take long
        check_task(env_id, seed=1)


DATA = [
    pytest.param(env_id, data, marks=[pytest.mark.slow] if number else [])
    for env_id, _ in BUILT_IN
    for number, data in enumerate(task_class(env_id)[0].data_names or ("",))
]
"""Every task with every source of works; those that are not the default are tried with the slow tests."""


@pytest.mark.parametrize(("env_id", "data"), DATA)
def test_held_out_works_are_no_near_copies(env_id, data):
    kwargs = {} if data in ("", *task_class(env_id)[0].data_names[:1]) else {"data": data}
    task = present(make_task(env_id, **kwargs))
    check_splits(task)
    works = [task.works(split) for split in SPLITS]
    if any(len(own) > len(set(own.groups.tolist())) for own in works):  # else each work is its own, by number
        for one, other in itertools.combinations(works, 2):
            assert not set(one.groups) & set(other.groups), "related works are in one split"


class Mixed(toys.WordTask):
    """300 words of twelve letters, four variants of each: their splits go by the word, or by chance."""

    split_by_word = True

    def __init__(self):
        super().__init__()
        self.layout = Sequence((12,), (27,), "int8")

    def works(self, split):
        rng = np.random.default_rng(0)
        words = rng.integers(1, 27, (300, 1, 12)).repeat(4, 1)
        own = np.arange(4)  # each variant changes a letter of its own
        words[:, own, own] = 1 + words[:, own, own] % 26
        groups = np.arange(300).repeat(4)
        part = groups % 10 if self.split_by_word else rng.integers(10, size=1200)
        rows = np.flatnonzero({"train": part < 8, "validation": part == 8, "test": part == 9}[split])
        return Works(words.reshape(-1, 12).astype(np.int8)[rows], groups=groups[rows])


def test_a_split_of_related_works_is_noticed():
    task = Mixed()
    check_splits(task)
    task.split_by_word = False
    with pytest.raises(AssertionError, match=r"works\('validation'\) are no nearer to training works than unrelated"):
        check_splits(task)


def test_copies_in_a_held_out_split_are_noticed():
    task = Mixed()
    works = {split: task.works(split) for split in SPLITS}
    works["test"] = Works(np.concatenate([works["test"].contents, works["train"].contents[:5]]))
    task.works = works.get
    with pytest.raises(AssertionError, match=r"works\('test'\) are no copies of training works"):
        check_splits(task)


class NoRestore(toys.WordTask):
    """Observations tell the word alone, from which the state cannot be told."""

    def observe(self, state):
        return super().observe(state)[:, :-1]

    def __init__(self, double=False):
        super().__init__(double)
        self.observation_space = gym.spaces.Box(0, toys.END + 1, (2 + toys.LONGEST,), np.int8)

    restore = toys.Task.restore


class PlainWords(toys.WordTask):
    """Words by the default of ``legalise``, without features and rules."""

    features = rule_names = ()
    legalise, feature_values, rules = toys.Task.legalise, toys.Task.feature_values, toys.Task.rules


class SkipsByItself(toys.WordTask):
    skips_finished = True

    def advance(self, state, actions):
        going = np.flatnonzero(~state.done)
        part, ended = super().advance(state.take(going), actions[going])
        state.put(going, part)
        done = state.done.copy()
        done[going] = ended
        return state, done


class Recorded(toys.BlindTask):
    """Four bits, each painted on or erased in any order: known with the actions that built them, and only so."""

    num_actions = 8
    has_demonstrations = True
    demonstrations = toys.Task.demonstrations
    features = (Feature("step", 5),)
    view_shape = (2, 2, 1)

    def advance(self, state, actions):
        state.content[np.arange(len(state)), actions % 4] = actions < 4
        state.step += 1
        return state, state.step == 4

    def view(self, state):
        return state.content.reshape(-1, 2, 2, 1).astype(np.uint8)

    def works(self, split):
        contents = np.array([[1, 1, 0, 0], [0, 1, 1, 0]], np.int8)
        return Works(contents, actions=np.array([[1, 0, 7, 6], [2, 1, 1, 4]]))


@pytest.mark.parametrize("task", [toys.WordTask(double=True), NoRestore(), PlainWords(), SkipsByItself(), Recorded()])
def test_what_may_be_left_out(task):
    check_task(task)
    check_task(task, seed=1)


class ForgetsCondition(toys.WordTask):
    def initial(self, draws, condition=None):
        return super().initial(draws)


class ChangesCondition(toys.WordTask):
    def condition(self, state):
        return (super().condition(state) + state.length[:, None]) % 2


class FloatConditions(toys.WordTask):
    def condition(self, state):
        return super().condition(state).astype(float)


class OtherData(toys.WordTask):
    data_names, data_name = ("tunes",), "mario"


class FlatConditions(toys.WordTask):
    def condition(self, state):
        return state.kind.copy()


class UnknownConditions(toys.WordTask):
    conditions = (Condition("size", ("short",)),)


class SpacedValues(toys.WordTask):
    conditions = (Condition("size", ("short", "rather long")),)


class NamelessValue(toys.WordTask):
    conditions = (Condition("size", ("", "long")),)


class EqualValues(toys.WordTask):
    conditions = (Condition("size", ("long", "long")),)


class NoValues(toys.WordTask):
    conditions = (Condition("size", ()),)


class EqualConditions(toys.WordTask):
    conditions = 2 * toys.WordTask.conditions


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
        return state.letters


class NeverEnds(toys.WordTask):
    def advance(self, state, actions):
        state, done = super().advance(state, actions)
        return state, done & False


class WritesOn(SkipsByItself):
    def advance(self, state, actions):
        state.letters[state.done, 1] = 1 + actions[state.done] % toys.END
        return super().advance(state, actions)


class Resumes(SkipsByItself):
    def advance(self, state, actions):
        before = state.done
        state, done = super().advance(state, actions)
        return state, done & ~before


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
    def step_rules(self, contents, conditions=None):
        return 2.0 * np.stack([contents == 1, (contents == 1) | (contents == 5)], -1)


class PaysAnyRule(toys.WordTask):
    def step_rules(self, contents, conditions=None):
        return (contents == 1).astype(float)


class PaysLate(toys.WordTask):
    def step_rules(self, contents, conditions=None):
        return self.rules(contents)[:, None] * (np.arange(toys.LONGEST) == toys.LONGEST - 1)[:, None]


class OneRule(toys.WordTask):
    def rules(self, contents, conditions=None):
        return super().rules(contents)[:, :1]


class SummedRules(toys.WordTask):
    def rules(self, contents, conditions=None):
        return super().rules(contents).sum(1)


class EndlessRules(toys.WordTask):
    def rules(self, contents, conditions=None):
        return super().rules(contents) / np.float32(0)


class EqualRules(toys.WordTask):
    rule_names = ("vowels", "vowels")


class SmallFeature(toys.WordTask):
    features = (Feature("length", 3),)


class NegativeFeature(toys.WordTask):
    def feature_values(self, state):
        return super().feature_values(state) - 1


class FloatFeature(toys.WordTask):
    def feature_values(self, state):
        return super().feature_values(state) / 2


class MoreFeatures(toys.WordTask):
    def feature_values(self, state):
        return super().feature_values(state).repeat(2, 1)


class EqualFeatures(MoreFeatures):
    features = 2 * toys.WordTask.features


class EmptyFeature(toys.WordTask):
    features = (Feature("length", 0),)


class FloatView(Recorded):
    def view(self, state):
        return super().view(state) / 2


class FlatView(Recorded):
    def view(self, state):
        return super().view(state)[..., 0]


class HandsOutItsView(Recorded):
    def view(self, state):
        return state.content.view(np.uint8).reshape(-1, 2, 2, 1)


class UndeclaredView(Recorded):
    view_shape = ()


class WrongSpace(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.observation_space = gym.spaces.Box(0, 1, self.observation_space.shape, np.int8)


class SmallObservations(toys.WordTask):
    def __init__(self, double=False):
        super().__init__(double)
        self.observation_space = gym.spaces.MultiDiscrete([toys.END + 2] * (3 + toys.LONGEST), dtype=np.int8)


class LongLayout(toys.WordTask):
    layout = Sequence((1 + toys.LONGEST,), (toys.END + 1,), "int8")


class NarrowLayout(toys.WordTask):
    layout = Sequence((toys.LONGEST,), (3,), "int8")


class SmallLayout(toys.WordTask):
    layout = Sequence((toys.LONGEST,), (toys.END + 1,), "uint8")


class AnotherLayout(toys.WordTask):
    layout = Grid((2, toys.LONGEST), (toys.END + 1,), "int8")


class NoLayout(toys.WordTask):
    layout = gym.spaces.Box(0, toys.END, (toys.LONGEST,), np.int8)


class DemonstratesBackwards(toys.WordTask):
    def demonstrations(self, contents, conditions=None):
        return super().demonstrations(contents, conditions)[:, ::-1]


class RecordsOthers(Recorded):
    def works(self, split):
        works = super().works(split)
        return Works(works.contents, actions=works.actions[::-1])


class RecordsHalf(Recorded):
    def works(self, split):
        works = super().works(split)
        return Works(works.contents, actions=works.actions[:, :2])


class TwoWays(toys.WordTask):
    """END stands for nothing where a letter stood twice in a row: two ways to one word."""

    num_actions = toys.END + 2

    def action_mask(self, state):
        return np.concatenate([super().action_mask(state), super().action_mask(state)[:, :1]], 1)

    def advance(self, state, actions):
        return super().advance(state, np.where(actions == toys.END + 1, 0, actions))

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


class RestoresUnfinished(toys.WordTask):
    def restore(self, observations):
        state = super().restore(observations)
        state.done[:] = False
        return state


class StreamsTooFew(toys.BitsTask):
    def stream(self, num, rng):
        return self.corpus("train")[: num // 2]


class StreamsFromNowhere(toys.BitsTask):
    def stream(self, num, rng):
        return np.random.default_rng().choice(self.corpus("train"), num)


class StreamsWords(toys.WordTask):
    def stream(self, num, rng):
        return rng.choice(self.corpus("train"), num)


class AugmentsOutside(toys.WordTask):
    def augmented(self, works):
        return Works(works.contents + 9, works.conditions)


class NoTestWorks(toys.WordTask):
    def works(self, split):
        return super().works(split).take(slice(0 if split == "test" else None))


class FewGroups(toys.WordTask):
    def works(self, split):
        works = super().works(split)
        return Works(works.contents, works.conditions, works.groups[1:])


class NoConditionsOfWorks(toys.WordTask):
    def works(self, split):
        return Works(super().works(split).contents)


class WrongConditionsOfWorks(toys.WordTask):
    def works(self, split):
        works = super().works(split)
        return Works(works.contents, works.conditions + 1)


class LongWorks(toys.BlindTask):
    def works(self, split):
        return Works(np.ones((2, 5), np.int8))


class DecodesOutside(toys.BlindTask):
    def decode(self, plans, noise=None):
        return plans + np.int8(1)


class NumbersActions(toys.WordTask):
    def action_name(self, action):
        return action


class OddPictures(toys.WordMedium):
    def render(self, content, condition=None, upto=None):
        return super().render(content, condition, upto)[: None if upto is None else 4]


class GreyPictures(toys.WordMedium):
    def render(self, content, condition=None, upto=None):
        return super().render(content, condition, upto)[..., 0]


class FewCells(Plain):
    def cells(self, content):
        return super().cells(content)[:-1]


class OneCell(Plain):
    def cells(self, content):
        return 0 * super().cells(content)


class TurnedCells(Plain):
    def cells(self, content):
        return super().cells(content)[::-1, ::-1]


class NumbersValues(Plain):
    def value_name(self, value):
        return value


def tower_with(medium):
    task = TowerTask()
    task.medium = medium(task.layout)
    return task


class WritesNothing(toys.WordMedium):
    def export(self, content, path, condition=None):
        return [path.with_suffix(".txt")]


class WritesElsewhere(toys.WordMedium):
    def export(self, content, path, condition=None):
        return super().export(content, path.with_name("other"))


class SaysNothing(toys.WordMedium):
    def describe(self, content, condition=None):
        return ""


class CaptionsNumbers(toys.WordMedium):
    def caption(self, content, condition=None):
        return 3


class MeasuresNothing(toys.WordMedium):
    def metrics(self, contents, conditions=None):
        return {"nothing": float("nan")}


class NeedsNoCondition(toys.WordTask):
    """Saves words without their condition."""

    def export(self, content, path, condition=None, actions=None):
        return super().export(content, path, None, actions)


def with_medium(medium):
    task = toys.WordTask()
    task.medium = medium
    return task


@pytest.mark.parametrize(
    ("task", "promise"),
    [
        (ForgetsCondition(), "condition they were started under"),
        (ChangesCondition(), "conditions stay as they are"),
        (FloatConditions(), "conditions are integers"),
        (FlatConditions(), r"condition has shape \[B, 1\]"),
        (UnknownConditions(), "conditions are below their sizes"),
        (SpacedValues(), "values of conditions have no spaces, not 'rather long'"),
        (NamelessValue(), "values of conditions have no spaces, not ''"),
        (EqualValues(), "parse_style reads size=long"),
        (NoValues(), "the condition size has values"),
        (EqualConditions(), "conditions have names of their own"),
        (MixesRows(), "do not depend on their neighbours"),
        (DrawsFromNowhere(), "equal draws and actions give equal episodes"),
        (EmptiesMasks(), "every row has a legal action"),
        (HandsOutItsState(), "content returns arrays that later steps leave alone"),
        (NeverEnds(), "finished after at most horizon = 6"),
        (WritesOn(), "finished rows ignore actions"),
        (Resumes(), "finished rows stay finished|finished after at most horizon"),
        (LegalisesElsewhere(), "legalise returns legal actions|legalise leaves legal actions alone"),
        (TakesSomethingElse(), "step takes what legalise returns"),
        (SmallFeature(), "feature_values stay below the features' sizes"),
        (NegativeFeature(), "feature_values are integers from 0"),
        (FloatFeature(), "feature_values are integers from 0"),
        (MoreFeatures(), "feature_values has shape"),
        (EqualFeatures(), "features have names of their own"),
        (EmptyFeature(), "sizes of features are positive"),
        (FloatView(), "view is uint8"),
        (FlatView(), r"view has shape \[B, \*\(2, 2, 1\)\]"),
        (HandsOutItsView(), "view returns arrays that later steps leave alone"),
        (OtherData(), "data_names has data_name, 'mario'"),
        (UndeclaredView(), r"view is None where view_shape is \(\)"),
        (OneRule(), r"rules are finite, float \[B, len\(rule_names\)\]"),
        (SummedRules(), r"rules are finite, float \[B, len\(rule_names\)\]"),
        (EndlessRules(), "rules are finite"),
        (EqualRules(), "rules have names of their own"),
        (PaysTwice(), "step_rules add up to rules"),
        (PaysAnyRule(), r"step_rules has shape \[B, T, len\(rule_names\)\]"),
        (PaysLate(), "step_rules are 0 after the end"),
        (WrongSpace(), "observation_space contains"),
        (SmallObservations(), "observation_space is a MultiDiscrete of int64"),
        (LongLayout(), "content_space contains"),
        (NarrowLayout(), "content_space contains"),
        (SmallLayout(), "content_space contains"),
        (AnotherLayout(), "content_space contains"),
        (NoLayout(), "layout is a Layout"),
        (DecodesOutside(), "content_space contains"),
        (DemonstratesBackwards(), "demonstrations"),
        (RecordsOthers(), "demonstrations rebuild train works"),
        (RecordsHalf(), r"demonstrations have shape \[N, T\]"),
        (TwoWays(), "one_to_one"),
        (ClaimsNoDemonstrations(), "demonstrations raises ValueError where has_demonstrations is False"),
        (OneToOneOfWhat(), "one_to_one needs demonstrations"),
        (WideFrames(), "pictures of one work have one size"),
        (ForgetsArguments(double=True), "kwargs rebuild the task"),
        (RestoresHalf(), "restored from observations goes on"),
        (RestoresUnfinished(), "restore tells which rows are done"),
        (StreamsTooFew(), "as many works as were asked for"),
        (StreamsFromNowhere(), "from no other"),
        (StreamsWords(), "stream is of tasks without conditions"),
        (AugmentsOutside(), "content_space contains augmented works"),
        (NoTestWorks(), r"works\('test'\) is not empty"),
        (FewGroups(), r"groups of works\('train'\) have one entry for each work"),
        (NoConditionsOfWorks(), r"conditions of works\('train'\) have shape"),
        (WrongConditionsOfWorks(), r"conditions of works\('train'\) are below their sizes"),
        (LongWorks(), "content_space contains train works"),
        (NumbersActions(), "action_name gives text"),
        (NeedsNoCondition(), r"export writes the condition to \.npz"),
        (with_medium(OddPictures()), "pictures of one work have one size"),
        (with_medium(GreyPictures()), r"render gives uint8 \[H, W, 3\]"),
        (tower_with(FewCells), "cells has a number for each pixel"),
        (tower_with(OneCell), "cells shows every cell"),
        (tower_with(TurnedCells), "another value of a cell changes its pixels"),
        (tower_with(NumbersValues), "value_name gives text"),
        (with_medium(WritesNothing()), "export writes work.txt"),
        (with_medium(WritesElsewhere()), "export names its files after the path"),
        (with_medium(SaysNothing()), "describe says something"),
        (with_medium(CaptionsNumbers()), "caption gives text"),
        (with_medium(MeasuresNothing()), "metrics are finite"),
        (with_medium(None), "medium is a Medium"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")  # of EndlessRules
def test_broken_tasks_are_named(task, promise):
    with pytest.raises(AssertionError, match=promise):
        check_task(task)


@pytest.mark.parametrize("missing", ["condition", "feature_values", "rules"])
def test_what_is_declared_must_be_written(missing):
    forgetful = type("Forgetful", (toys.WordTask,), {missing: getattr(toys.Task, missing)})
    with pytest.raises(NotImplementedError, match=rf"Forgetful has .*: write its {missing}\("):
        check_task(forgetful())


def test_kwargs_must_survive_json():
    class Tuples(toys.WordTask):
        def kwargs(self):
            return {"double": (True,)}

    with pytest.raises(AssertionError, match="kwargs survive JSON"):
        check_task(Tuples())
    assert json.loads(json.dumps(toys.WordTask().kwargs())) == {"double": False}
