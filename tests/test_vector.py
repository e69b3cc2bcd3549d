"""The vector environment is Gymnasium's SyncVectorEnv of scalar ones, only faster: every array and key."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
import toys
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from musegym.agents import make_sb3_env
from musegym.envs import ids
from musegym.envs.window import GUTTER

toys.register()
MODES = ("NextStep", "SameStep", "Disabled")
ROWS = 5


class SumOfContent:
    """A discriminator whose logits are exact in any batch."""

    def __init__(self):
        self.batches = []

    def logits(self, contents, conditions=None):
        self.batches.append(len(contents))
        return contents.reshape(len(contents), -1).sum(1).astype(np.float32) / 8 - len(conditions[0])


def pair(env_id, mode, **kwargs):
    native = gym.make_vec(env_id, num_envs=ROWS, autoreset_mode=mode, discriminator="none", **kwargs)
    looped = SyncVectorEnv([lambda: gym.make(env_id, discriminator="none", **kwargs)] * ROWS, autoreset_mode=mode)
    for env in (native, *(env.unwrapped for env in looped.envs)):
        env.set_discriminator(SumOfContent())
    return native, looped


def assert_same(left, right, where="result"):
    assert type(left) is type(right), where
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same(left[key], right[key], f"{where}[{key!r}]")
    elif isinstance(left, tuple):
        assert len(left) == len(right), where
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_same(one, other, f"{where}[{place}]")
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype, where
        assert left.shape == right.shape, where
        if left.dtype == object:
            for row, (one, other) in enumerate(zip(left, right, strict=True)):
                assert_same(one, other, f"{where}[{row}]")
        else:
            np.testing.assert_array_equal(left, right, where)
    else:
        assert left == right, where


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", ids())
@pytest.mark.parametrize("legal", [True, False], ids=["legal", "any"])
@pytest.mark.parametrize("limit", [None, 3])
def test_native_and_looped_environments_agree(env_id, mode, legal, limit):
    native, looped = pair(env_id, mode, rule_weight=0.5, **({"max_episode_steps": limit} if limit else {}))
    assert native.metadata["autoreset_mode"] is AutoresetMode(mode)
    assert native.single_observation_space == looped.single_observation_space
    assert native.observation_space == looped.observation_space
    assert native.action_space == looped.action_space
    rng = np.random.default_rng(0)
    result = native.reset(seed=7)
    assert_same(result, looped.reset(seed=7), "reset")
    ends = illegal = 0
    expected = 0.0  # illegal actions among random ones
    rules, told = native.unwrapped.task.rule_names, set()
    for step in range(20 if limit else 150):
        masks = result[-1]["action_mask"] if legal else np.ones((ROWS, native.unwrapped.task.num_actions))
        actions = (rng.random(masks.shape) * masks).argmax(1)
        if mode == "Disabled" and step and (result[2] | result[3]).any():
            ended = result[2] | result[3]
            result = native.reset(options={"reset_mask": ended})
            assert_same(result, looped.reset(options={"reset_mask": ended.copy()}), f"reset {step}")
            np.testing.assert_array_equal(result[1]["_action_mask"], ended)
            actions = np.array([mask.argmax() for mask in native.action_masks()])
        expected += (~native.action_masks()).mean(1).sum()
        result = native.step(actions)
        assert_same(result, looped.step(actions), f"step {step}")
        told |= result[4].keys() | result[4].get("final_info", {}).keys()
        ends += (result[2] | result[3]).sum()
        for info in (result[4], result[4].get("final_info", {})):
            illegal += info.get("illegal_action", np.zeros(1)).sum()
    assert ends > 2 * ROWS or (native.unwrapped.task.horizon > 15 and not limit)
    assert illegal == 0 if legal else illegal > 0 or expected < 20
    assert ("rules" in told) == bool(rules and "content" in told), "told by name where they are paid"
    native.close()
    looped.close()


def test_episode_lengths_differ_between_rows():
    env = gym.make_vec("toy/Word-v0", num_envs=8, discriminator="none")
    env.reset(seed=0)
    ended_at = np.full(8, -1)
    for step in range(6):
        terminated = env.step(np.arange(8) % 2 + 2 * (step % 2))[2]
        ended_at[terminated & (ended_at < 0)] = step
    assert set(ended_at) == {2, 5}


def test_contents_that_finish_together_are_scored_in_one_call():
    env = gym.make_vec("toy/Bits-v0", num_envs=6, discriminator="none")
    discriminator = SumOfContent()
    env.set_discriminator(discriminator)
    env.reset(seed=0)
    for _ in range(9):
        env.step(np.ones(6, int))
    assert discriminator.batches == [6, 6]


def test_finished_rows_wait_when_autoreset_is_disabled():
    env = gym.make_vec("toy/Word-v0", num_envs=2, discriminator="none", rule_weight=1.0, autoreset_mode="Disabled")
    env.reset(seed=0, options={"condition": [[0], [1]]})
    env.step(np.array([0, 0]))
    observations, rewards, terminated, _, info = env.step(np.array([toys.END, 1]))
    assert terminated.tolist() == [True, False]
    assert rewards.tolist() == [2.0, 0.0], "an a and a vowel"
    assert info["condition"][0].tolist() == [0]
    assert info["_condition"].tolist() == [True, False]
    np.testing.assert_array_equal(info["_content"], [True, False])
    later, rewards, terminated, _, info = env.step(np.array([3, 2]))
    np.testing.assert_array_equal(later[0], observations[0])
    assert rewards.tolist() == [0.0, 0.0]
    assert terminated.tolist() == [True, False]
    assert "content" not in info


def test_conditions_for_all_rows_and_for_each():
    env = gym.make_vec("toy/Word-v0", num_envs=3, discriminator="none")
    observations, _ = env.reset(seed=0, options={"condition": [1]})
    assert observations[:, 0].tolist() == [1, 1, 1]
    observations, _ = env.reset(options={"condition": [[1], [0], [1]]})
    assert observations[:, 0].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="below"):
        env.reset(options={"condition": [[1], [0]]})


@pytest.mark.parametrize("mode", MODES)
def test_conditions_are_told_at_the_start_and_at_the_end(mode):
    env = gym.make_vec("toy/Word-v0", num_envs=ROWS, discriminator="none", autoreset_mode=mode)
    _, info = env.reset(seed=0)
    conditions = info["condition"][:, 0].copy()
    assert info["_condition"].all()
    assert set(conditions) == {0, 1}
    rng = np.random.default_rng(0)
    waiting, starts = np.zeros(ROWS, bool), 0
    for _ in range(60):
        observations, _, ended, _, info = env.step(rng.integers(0, toys.END + 1, ROWS))
        told, final = info.get("_condition", np.zeros(ROWS, bool)), info.get("final_info", info)
        if ended.any() and mode != "Disabled":
            assert final["condition"][ended, 0].tolist() == conditions[ended].tolist()
        if mode == "NextStep":
            assert told.tolist() == (waiting | ended).tolist(), "rows that have ended, rows that begin"
            conditions[waiting] = info["condition"][waiting, 0] if waiting.any() else 0
            starts += waiting.sum()
            waiting = ended
        elif mode == "SameStep":
            assert told.tolist() == ended.tolist()
            conditions[ended] = info["condition"][ended, 0] if ended.any() else 0
            starts += ended.sum()
        elif ended.any():
            assert info["condition"][ended, 0].tolist() == conditions[ended].tolist()
            _, info = env.reset(options={"reset_mask": ended})
            assert info["_condition"].tolist() == ended.tolist()
            conditions[ended] = info["condition"][ended, 0]
            starts += ended.sum()
            observations = env.unwrapped.task.observe(env.unwrapped._state)
        assert observations[:, 0].tolist() == conditions.tolist()
    assert starts > 2 * ROWS


def test_stable_baselines3_is_told_conditions():
    env = make_sb3_env("toy/Word-v0", ROWS, seed=0, discriminator="none", rule_weight={"vowels": 1.0})
    observations = env.reset()
    rng, ends = np.random.default_rng(0), 0
    for _ in range(40):
        for row, (observation, info) in enumerate(zip(observations, env.reset_infos, strict=True)):
            assert info.keys() == {"action_mask", "condition"}
            assert info["condition"].tolist() == [observation[0]], f"row {row} was started under it"
        before = observations
        observations, rewards, dones, infos = env.step(rng.integers(0, toys.END + 1, ROWS))
        for row in np.flatnonzero(dones):
            assert infos[row]["condition"].tolist() == [before[row, 0]]
            assert infos[row]["rules"]["vowels"] == rewards[row]
            assert infos[row]["rules"].keys() == {"letters_a", "vowels"}
        ends += dones.sum()
    assert ends > 2 * ROWS


def test_results_are_not_touched_by_later_steps():
    env = gym.make_vec("toy/Word-v0", num_envs=4, discriminator="none")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(20):
        result = env.step(rng.integers(0, toys.END + 1, 4))
        arrays = [*result[:4], *result[4].values()]
        kept.append((arrays, [array.copy() for array in arrays]))
    for arrays, copies in kept:
        for array, copied in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copied)


def test_the_mask_handed_out_is_not_the_one_that_judges():
    env = gym.make_vec("toy/Word-v0", num_envs=1, discriminator="none")
    _, info = env.reset(seed=0)
    info["action_mask"][:] = 1
    env.action_masks()[:] = True
    assert env.step(np.array([toys.END]))[4]["illegal_action"].all()


def test_seeds_by_list_and_streams_that_go_on():
    one, other = (gym.make_vec("toy/Word-v0", num_envs=16, discriminator="none") for _ in range(2))
    first, _ = one.reset(seed=3)
    np.testing.assert_array_equal(first, other.reset(seed=list(range(3, 19)))[0])
    assert one.unwrapped.np_random_seed == tuple(range(3, 19))
    again = [one.reset()[0] for _ in range(100)]  # more than one block of draws
    np.testing.assert_array_equal(again, [other.reset()[0] for _ in range(100)])
    assert any((start != first).any() for start in again)


@pytest.mark.parametrize(
    ("actions", "problem"),
    [
        (np.zeros(3, int), r"\[2\]"),
        (np.zeros(2), "float64"),
        (np.array([0, 9]), "0..8"),
        (np.array([-1, 0]), "0..8"),
    ],
)
def test_actions_outside_the_space_are_refused(actions, problem):
    env = gym.make_vec("toy/Word-v0", num_envs=2, discriminator="none")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=problem):
        env.step(actions)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'NextStep', 'SameStep', 'Disabled'"):
        gym.make_vec("toy/Word-v0", autoreset_mode="never")
    for num_envs in (0, "4", 2.0, True):
        with pytest.raises(ValueError, match="num_envs must be an integer of at least 1"):
            gym.make_vec("toy/Word-v0", num_envs=num_envs)
    with pytest.raises(TypeError, match="WordTask does not take doubled; it takes: double"):
        gym.make_vec("toy/Word-v0", doubled=True)
    env = gym.make_vec("toy/Word-v0", num_envs=2, discriminator="none")
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(2, int))
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": np.zeros(2, bool)})
    with pytest.raises(ValueError, match="2 seeds, not 3"):
        env.reset(seed=[1, 2, 3])
    for seed in (1.5, "12"):
        with pytest.raises(ValueError, match="seed must be an integer, 2 of them or None"):
            env.reset(seed=seed)


def test_an_overview_of_at_most_64_rows():
    env = gym.make_vec("toy/Bits-v0", num_envs=100, render_mode="rgb_array", discriminator="none").unwrapped
    with pytest.raises(gym.error.ResetNeeded, match="overview"):
        env.overview()
    env.reset(seed=0)
    side = 8 * (2 + GUTTER) + GUTTER  # 64 frames of 2 x 2
    assert env.overview().shape == (side, side, 3)
    env.step(np.ones(100, int))
    picture = env.overview()
    assert picture.dtype == np.uint8
    assert (picture == 0).all(-1).sum() == 64  # one bit in every tile
    env.close()
    env.close()


@pytest.mark.parametrize("env_id", ids())
def test_render_gives_one_frame_or_text_of_each_row(env_id):
    env = gym.make_vec(env_id, num_envs=3, render_mode="rgb_array", discriminator="none")
    env.reset(seed=0)
    actions = np.array([mask.argmax() for mask in env.unwrapped.action_masks()])
    actions[0] = np.flatnonzero(env.unwrapped.action_masks()[0])[-1]
    for _ in range(2):
        env.step(actions)
    frames = env.render()
    alone = env.unwrapped.task.render(env.unwrapped._state)
    assert isinstance(frames, tuple)
    assert len(frames) == 3
    for frame, own in zip(frames, alone, strict=True):
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        np.testing.assert_array_equal(frame, own)
    assert env.unwrapped.overview().ndim == 3
    texts = gym.make_vec(env_id, num_envs=3, render_mode="ansi", discriminator="none")
    texts.reset(seed=0)
    assert [type(text) for text in texts.render()] == [str] * 3


def test_vector_spec_survives_json_and_pickle():
    env = gym.make_vec("toy/Word-v0", num_envs=3, autoreset_mode="SameStep", discriminator="none", double=True)
    from_json = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    for spec in (from_json, pickle.loads(pickle.dumps(env.spec))):  # noqa: S301
        rebuilt = gym.make_vec(spec)
        assert rebuilt.num_envs == 3
        assert rebuilt.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert rebuilt.unwrapped.task.double
