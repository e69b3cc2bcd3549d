"""Behaviour that every task inherits: steps, legal actions, styles, layouts, works, exports, rules by name."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import toys

import musegym
from musegym.envs import (
    Condition,
    Frames,
    Grid,
    Image,
    Sequence,
    State,
    Task,
    Volume,
    Works,
    check_task,
    parse_style,
)
from musegym.envs.checks import CHECKS
from musegym.envs.rewards import RewardSettings

toys.register()


@dataclasses.dataclass
class Count(State):
    left: np.ndarray  # int64 [B]


class CountTask(Task[Count]):
    """Counts down from 1, 2 or 3 by 1 or 2, never below 0; notes what ``advance`` was given."""

    horizon, num_actions = 3, 3
    layout = Sequence((1,), (4,), "int64")
    skips = False

    def __init__(self):
        self.observation_space = gym.spaces.Box(0, 3, (1,), np.int64)
        self.medium = toys.BitsMedium()
        self.given = []

    def initial(self, draws, condition=None):
        return Count(1 + (draws % np.uint64(3)).astype(np.int64))

    def advance(self, state, actions):
        self.given.append((state.left.tolist(), actions.tolist()))
        state.left -= np.where(state.done, 0, actions) if self.skips else actions
        return state, state.left == 0

    def action_mask(self, state):
        left = np.maximum(state.left, 1)[:, None]  # finished rows have a legal action as well
        return (np.arange(3) > 0) & (np.arange(3) <= left)

    def observe(self, state):
        return state.left[:, None].copy()

    def content(self, state):
        return state.left[:, None].copy()

    def works(self, split):
        return Works(np.zeros((1, 1), np.int64))


class SkippingCountTask(CountTask):
    skips = skips_finished = True


@pytest.mark.parametrize("task", [CountTask(), SkippingCountTask()], ids=["left out", "skipped"])
def test_steps_legalise_and_leave_finished_rows(task):
    state = task.initial(np.arange(4, dtype=np.uint64))
    assert state.left.tolist() == [1, 2, 3, 1]
    assert state.done.tolist() == [False] * 4
    state, done = task.step(state, np.array([1, 2, 0, 0]))
    assert task.given[-1] == ([1, 2, 3, 1], [1, 2, 1, 1]), "0 is illegal: the first legal one"
    assert state.left.tolist() == [0, 0, 2, 0]
    assert done.tolist() == state.done.tolist() == [True, True, False, True]
    done[:] = True
    assert not state.done[2], "what was returned is the caller's"
    state, done = task.step(state, np.array([2, 0, 2, 2]))
    if not task.skips_finished:
        assert task.given[-1] == ([2], [2]), "unfinished rows alone"
    assert state.left.tolist() == [0, 0, 0, 0]
    assert done.all()
    calls = len(task.given)
    state, done = task.step(state, np.array([1, 1, 1, 1]))
    assert state.left.tolist() == [0, 0, 0, 0]
    assert len(task.given) == calls + task.skips_finished
    done[:] = False
    assert state.done.all()


def test_both_kinds_of_task_agree():
    rng = np.random.default_rng(0)
    draws, actions = rng.integers(2**63, size=50, dtype=np.uint64), rng.integers(0, 3, (3, 50))
    one, other = CountTask(), SkippingCountTask()
    left, right = one.initial(draws), other.initial(draws)
    for t in range(3):
        (left, ended), (right, also) = one.step(left, actions[t].copy()), other.step(right, actions[t].copy())
        np.testing.assert_array_equal(ended, also)
        np.testing.assert_array_equal(left.left, right.left)
    assert ended.all()


class MaskedTask(toys.BitsTask):
    """Bits with a mask of every row's own; illegal actions by the default."""

    num_actions = 6

    def action_mask(self, state):
        return np.array([[0, 1, 0, 1, 1, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]], bool)[: len(state)]


def test_an_illegal_action_is_the_a_mod_kth_legal_one():
    task = MaskedTask()
    state = task.initial(np.zeros(3, np.uint64))
    legal = [[1, 3, 4], [0], [4, 5]]
    for action in range(6):
        given = np.full(3, action)
        taken = task.legalise(state, given)
        assert taken.tolist() == [action if action in allowed else allowed[action % len(allowed)] for allowed in legal]
        assert given.tolist() == [action] * 3, "the caller's actions stay as they are"


def test_without_a_mask_every_action_is_legal():
    task = toys.BitsTask()
    state = task.initial(np.zeros(3, np.uint64))
    assert task.action_mask(state).tolist() == [[True, True]] * 3
    assert task.legalise(state, np.array([0, 1, 1])).tolist() == [0, 1, 1]


def test_rows_of_states_keep_whether_they_are_done():
    state = toys.BitState(np.zeros((3, 4), np.int8), np.arange(3), done=np.array([True, False, True]))
    assert len(state) == 3
    assert state.take(np.array([2, 1])).done.tolist() == [True, False]
    state.put(np.array([0]), state.take(np.array([1])))
    assert state.done.tolist() == [False, False, True]
    assert state.step.tolist() == [1, 1, 2]
    assert len(state.take(np.zeros(0, int))) == 0


# Styles and conditions

CONDITIONS = (Condition("metre", ("2/4", "6/8")), Condition("key", ("C", "G")), Condition("ending", ("open", "C")))


@pytest.mark.parametrize(
    ("style", "fixed"),
    [
        (None, [-1, -1, -1]),
        ("", [-1, -1, -1]),
        ("6/8", [1, -1, -1]),
        ("G 2/4", [0, 1, -1]),
        ("ending=C key=C", [-1, 0, 1]),
        ("open open", [-1, -1, 0]),
        (" metre=6/8   open ", [1, -1, 0]),
    ],
)
def test_styles_fix_conditions(style, fixed):
    parsed = parse_style(style, CONDITIONS)
    assert parsed.dtype == np.int64
    assert parsed.tolist() == fixed


@pytest.mark.parametrize(
    ("style", "conditions", "message"),
    [
        ("3/4", CONDITIONS, "style '3/4' is unknown; use words of: metre: 2/4, 6/8; key: C, G; ending: open, C"),
        ("key=open", CONDITIONS, "style 'key=open' is unknown"),
        ("G C", CONDITIONS, "style 'C' is a value of several conditions: write key=C"),
        ("2/4 6/8", CONDITIONS, "style '2/4 6/8' names two values of metre: leave one out"),
        ("7", (), "use words of: none, for there are no styles"),
    ],
)
def test_styles_that_are_none(style, conditions, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_style(style, conditions)
    assert "\n" not in str(caught.value)


def test_conditions_are_drawn_as_in_training_works():
    task = toys.WordTask()
    drawn = task.draw_conditions(np.arange(1000, dtype=np.uint64))
    seen = task.works("train").conditions
    assert drawn[: len(seen)].tolist() == seen.tolist()
    assert task.draw_conditions(np.arange(9, dtype=np.uint64), np.array([1])).tolist() == [[1]] * 9
    assert task.draw_conditions(np.arange(9, dtype=np.uint64), np.array([-1])).tolist() == drawn[:9].tolist()
    assert toys.BitsTask().condition(toys.BitsTask().initial(np.zeros(2, np.uint64))).shape == (2, 0)


# Layouts


@pytest.mark.parametrize(
    ("layout", "space"),
    [
        (Sequence((3,), (5,)), gym.spaces.Box(0, 4, (3,), np.int16)),
        (Sequence((2, 3), (5, 6, 7)), gym.spaces.Box(np.zeros((2, 3)), np.array([[4, 5, 6]] * 2), dtype=np.int16)),
        (Grid((2, 3), (2,), "int8"), gym.spaces.Box(0, 1, (2, 3), np.int8)),
        (Volume((2, 3, 4), (9,), "uint8"), gym.spaces.Box(0, 8, (2, 3, 4), np.uint8)),
        (Image((4, 5)), gym.spaces.Box(0, 255, (4, 5), np.uint8)),
        (Image((4, 5, 3)), gym.spaces.Box(0, 255, (4, 5, 3), np.uint8)),
        (Frames((6, 4, 5)), gym.spaces.Box(0, 255, (6, 4, 5), np.uint8)),
        (Frames((6, 4, 5, 3), cells=True), gym.spaces.Box(0, 255, (6, 4, 5, 3), np.uint8)),
    ],
)
def test_layouts_tell_the_space_of_contents(layout, space):
    assert layout.space == space
    assert layout.space.contains(layout.space.sample())


@pytest.mark.parametrize(
    ("layout", "wrong", "message"),
    [
        (Grid((2, 2), (3,)), [[[0, 1], [2, 3]]], r"maps are \[N, 2, 2\] of 0 .. 2, not \[1, 2, 2\]"),
        (Grid((2, 2), (3,)), [[[0, 1], [2, -1]]], "maps are"),
        (Grid((2, 2), (3,)), [[0, 1]], r"not \[1, 2\]"),
        (Sequence((1, 2), (3, 5)), [[[3, 4]]], r"of 0 .. 2, 0 .. 4"),
    ],
)
def test_layouts_check_contents(layout, wrong, message):
    with pytest.raises(ValueError, match=message):
        layout.checked(wrong, "maps")
    right = np.zeros((0, *layout.shape), np.uint8)
    assert layout.checked(right, "maps") is right
    assert layout.checked([layout.space.high], "maps").shape == (1, *layout.shape)


def test_values_of_layouts_are_things_or_shades():
    things = [Sequence((3,), (5,)), Grid((2, 3), (2,)), Volume((2, 3, 4), (9,)), Frames((6, 4, 5), (4,), cells=True)]
    assert all(layout.categorical for layout in things)
    assert not any(layout.categorical for layout in (Image((4, 5)), Frames((6, 4, 5))))
    assert len({layout.kind for layout in [*things, Image((4, 5))]}) == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequence((3, 2, 2), (5,)), "takes 1 or 2 axes"),
        (lambda: Sequence((0,), (5,)), "takes 1 or 2 axes, and positive lengths"),
        (lambda: Sequence((3,), (0,)), "positive lengths and sizes"),
        (lambda: Sequence((3,), ()), "positive lengths and sizes"),
        (lambda: Sequence((3, 2), (5,)), r"Sequence\(\(3, 2\), \(5,\)\) takes 2 sizes, not 1"),
        (lambda: Sequence((3,), (5, 5)), "takes 1 sizes, not 2"),
        (lambda: Sequence((3,), (300,), "int8"), r"int8 does not hold the values of sizes \(300,\)"),
        (lambda: Grid((3,), (5,)), "takes 2 axes"),
        (lambda: Grid((3, 3), (5, 5, 5)), "takes 1 sizes, not 3"),
        (lambda: Volume((3, 3), (5,)), "takes 3 axes"),
        (lambda: Image((3,)), "takes 2 or 3 axes"),
        (lambda: Image((3, 3), (257,)), "uint8 does not hold"),
        (lambda: Frames((3, 3)), "takes 3 or 4 axes"),
    ],
)
def test_layouts_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


# Works and exports


def test_works_are_their_own_groups_without_conditions():
    works = Works(np.zeros((3, 4), np.int8))
    assert len(works) == 3
    assert works.conditions.shape == (3, 0)
    assert works.groups.tolist() == [0, 1, 2]
    assert works.actions is None
    assert works.take(np.array([2, 0])).groups.tolist() == [2, 0]


def test_works_are_taken_with_all_that_is_known_of_them():
    works = Works(
        np.arange(6).reshape(3, 2), np.array([[0], [1], [0]]), np.array([4, 4, 7]), np.arange(9).reshape(3, 3)
    )
    part = works.take(np.array([True, False, True]))
    assert part.contents.tolist() == [[0, 1], [4, 5]]
    assert part.conditions.tolist() == [[0], [0]]
    assert part.groups.tolist() == [4, 7]
    assert part.actions.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert len(works.take(slice(0))) == 0


@pytest.mark.parametrize("known", [True, False])
def test_exports_hold_content_condition_and_actions(tmp_path, known):
    task = toys.WordTask()
    works = task.works("train").take(slice(1))
    actions = task.demonstrations(works.contents, works.conditions)[0, :2]
    given = (works.conditions[0], actions) if known else ()
    written = task.export(works.contents[0], tmp_path / "new" / "work.any", *given)
    assert [path.name for path in written] == ["work.txt", "work.npz"]
    with np.load(tmp_path / "new" / "work.npz") as saved:
        assert set(saved) == {"content", "condition", "actions"}
        assert saved["content"].dtype == works.contents.dtype
        assert saved["content"].tolist() == works.contents[0].tolist()
        assert saved["condition"].tolist() == (works.conditions[0].tolist() if known else [])
        assert saved["actions"].tolist() == (actions.tolist() if known else [])


def test_defaults_of_media_and_names():
    task = toys.BitsTask()
    content = np.array([1, 0, 0, 1], np.int8)
    assert task.medium.caption(content) == ""
    assert task.medium.sound(content) is None
    assert task.medium.population(content[None]) is None
    assert task.action_name(1) == "1"
    assert task.view(task.initial(np.zeros(1, np.uint64))) is None
    assert task.corpus_report().works == {"train": 2, "validation": 2, "test": 2}
    assert not toys.BlindTask().has_demonstrations


def test_the_contract_suite_is_exported():
    assert musegym.check_task is check_task
    assert len(CHECKS) == 9


# Rules by name


def finished(env):
    env.reset(seed=0, options={"condition": [1]})
    for letter in (0, 4, 0):
        env.step(letter)
    env.step(1)
    return env.step(toys.END)


@pytest.mark.parametrize(
    ("weight", "paid"),
    [(2.0, 10.0), ({"vowels": 2.0}, 6.0), ({"vowels": 0.5, "letters_a": -1}, -0.5), ({"letters_a": 1}, 2.0)],
)
def test_rules_are_paid_by_weight(weight, paid):
    env = gym.make("toy/Word-v0", discriminator="none", rule_weight=weight)
    _, reward, _, _, info = finished(env)
    assert info["content"][:4].tolist() == [1, 5, 1, 2]
    assert info["rules"] == {"letters_a": 2.0, "vowels": 3.0}
    assert reward == paid == info["reward_terms"]["rules"]
    assert gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json())).unwrapped.rewards.settings == (
        RewardSettings(weight)
    )


@pytest.mark.parametrize("weight", [0.0, {}])
def test_rules_that_are_not_paid_are_not_told(weight):
    _, reward, _, _, info = finished(gym.make("toy/Word-v0", discriminator="none", rule_weight=weight))
    assert reward == 0.0
    assert "rules" not in info


@pytest.mark.parametrize(
    ("env_id", "weight", "error", "message"),
    [
        ("toy/Word-v0", {"vowel": 1.0}, ValueError, "no rule is called 'vowel'; there are: letters_a, vowels"),
        ("toy/Bits-v0", {"vowels": 1.0}, ValueError, "no rule is called 'vowels'; there are: none"),
        (
            "toy/Word-v0",
            {"vowels": float("inf")},
            ValueError,
            r"rule_weight\['vowels'\] must be a finite number, not inf",
        ),
        ("toy/Word-v0", float("nan"), ValueError, "rule_weight must be a finite number, not nan"),
        ("toy/Word-v0", {"vowels": "1"}, TypeError, "rule_weight must be a number, or a number for each of some rules"),
        ("toy/Word-v0", "1", TypeError, "rule_weight must be a number"),
        ("toy/Word-v0", True, TypeError, "rule_weight must be a number"),
    ],
)
@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_weights_that_are_none(make, env_id, weight, error, message):
    with pytest.raises(error, match=message) as caught:
        make(env_id, discriminator="none", rule_weight=weight)
    assert "\n" not in str(caught.value)


def test_rules_are_weighed_alike_in_any_batch():
    """Row by row, whatever the number of rows: the environments promise equality, not closeness."""
    rng = np.random.default_rng(0)
    names = [f"rule_{index}" for index in range(11)]
    settings = RewardSettings(dict(zip(names, rng.normal(size=11).tolist(), strict=True)))
    rules = rng.normal(size=(500, 11)).astype(np.float32)
    together = settings.of_rules(rules, names)
    alone = [settings.of_rules(row[None], names)[0] for row in rules]
    assert together.tolist() == alone
    np.testing.assert_allclose(together, rules @ settings.weights(names), rtol=1e-6)
