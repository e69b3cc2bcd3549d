"""Environments under Stable-Baselines3 and sb3-contrib, as their documentation has it."""

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
import toys
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    VecVideoRecorder,
)

from musegym.agents import DiscriminatorCallback, make_sb3_env
from musegym.envs import ids

torch.set_num_threads(1)
toys.register()
ON_POLICY = {"n_steps": 4, "batch_size": 4, "n_epochs": 1}
OFF_POLICY = {"buffer_size": 64, "learning_starts": 4, "batch_size": 4}
ALGORITHMS = {
    PPO: ON_POLICY,
    A2C: {"n_steps": 4},
    DQN: OFF_POLICY,
    MaskablePPO: ON_POLICY,
    QRDQN: OFF_POLICY,
    RecurrentPPO: ON_POLICY,
}
ORACLE = "musegym/Oracle-v0"
"""Its observations are vectors of a hundred thousand: networks are built only, the largest in the slow tests."""
MELODY = "musegym/Melody-v0"


def make(env_id=MELODY, n=3, **kwargs):
    return make_sb3_env(env_id, n, **{"seed": 0, "discriminator": "none", **kwargs})


def pairs():
    for env_id in ids():
        for algorithm in ALGORITHMS:
            large = env_id == ORACLE and algorithm in (QRDQN, RecurrentPPO)
            marks = [pytest.mark.slow] if large else []
            yield pytest.param(env_id, algorithm, id=f"{env_id}-{algorithm.__name__}", marks=marks)


@pytest.mark.parametrize(("env_id", "algorithm"), list(pairs()))
def test_any_algorithm_with_its_default_policy(env_id, algorithm):
    policy = "MlpLstmPolicy" if algorithm is RecurrentPPO else "MlpPolicy"
    model = algorithm(policy, make(env_id, 2), device="cpu", **ALGORITHMS[algorithm])
    if env_id != ORACLE:
        model.learn(16)
        assert model.num_timesteps == 16


@pytest.mark.parametrize("env_id", ids())
def test_spaces_are_int64_and_add_up_to_python_integers(env_id):
    for env in (gym.make(env_id, discriminator="none"), gym.make_vec(env_id, num_envs=2, discriminator="none")):
        space = getattr(env, "single_observation_space", env.observation_space)
        observations, _ = env.reset(seed=0)
        assert observations.dtype == space.dtype
        assert space == env.unwrapped.task.observation_space
        if isinstance(space, gym.spaces.MultiDiscrete):
            assert space.nvec.dtype == space.dtype == np.int64
            assert type(sum(space.nvec)) is int  # torch takes no other as the size of a layer
            assert sum(space.nvec) == space.nvec.sum(dtype=np.int64)
            assert type(space.nvec + 1) is np.ndarray
        if isinstance(env, gym.vector.VectorEnv):
            assert type(env.observation_space.high) is np.ndarray
        for copied in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):  # noqa: S301
            assert copied == space
            assert isinstance(sum(getattr(copied, "nvec", [0])), int)
            assert copied.contains(copied.sample())


@pytest.mark.parametrize("env_id", ids())
def test_stable_baselines3_finds_nothing_to_warn_of(env_id):
    check_env(gym.make(env_id, discriminator="none", render_mode="rgb_array"))


def test_masks_of_each_row():
    env = make("toy/Word-v0", 4)
    env.set_options([{"condition": [row % 2]} for row in range(4)])
    env.reset()
    env.step(np.arange(4))
    masks = env.venv.action_masks()
    assert (masks[0] != masks).any(), "rows differ"
    np.testing.assert_array_equal(np.stack(env.env_method("action_masks")), masks)
    np.testing.assert_array_equal(np.stack(env.env_method("action_masks", indices=[2, 0])), masks[[2, 0]])
    np.testing.assert_array_equal(np.stack(VecCheckNan(env).env_method("action_masks")), masks)


def test_conditions_from_set_options_hold_for_one_reset():
    env = make(n=3)
    env.set_options({"condition": [1, 1, 0, 1]})
    np.testing.assert_array_equal(env.reset()[:, -4:], [[1, 1, 0, 1]] * 3)
    assert [info["action_mask"].tolist() for info in env.reset_infos] == env.venv.action_masks().astype(int).tolist()
    plain = make(n=3)
    plain.reset()
    np.testing.assert_array_equal(env.reset(), plain.reset())


def test_conditions_of_some_rows_leave_the_others_as_they_were():
    env, plain = make(n=3), make(n=3)
    env.set_options([{}, {"condition": [4, 2, 1, 0]}, {}])
    starts, expected = env.reset(), plain.reset()
    np.testing.assert_array_equal(starts[1, -4:], [4, 2, 1, 0])
    np.testing.assert_array_equal(starts[[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"condition": [9, 0, 0, 0]}, "below"), ([{}], "3 of them"), ([{"condition": [0]}, {}, {}], "below")],
)
def test_options_that_cannot_be(options, problem):
    env = make(n=3)
    env.set_options(options)
    with pytest.raises(ValueError, match=problem):
        env.reset()


def test_pictures_one_of_each_row():
    env = make(n=3, render_mode="rgb_array")
    env.reset()
    env.step(env.venv.action_masks().argmax(1) + np.arange(3))
    images = env.get_images()
    assert len(images) == 3
    for image, frame in zip(images, env.venv.render(), strict=True):
        np.testing.assert_array_equal(image, frame)
    height, width, _ = images[0].shape
    assert env.render().shape == (2 * height, 2 * width, 3)
    assert env.metadata == {"render_modes": ["human", "rgb_array"], "render_fps": env.venv.metadata["render_fps"]}
    with pytest.warns(UserWarning, match="'rgb_array'"):
        assert make(n=2).get_images() == [None, None]


def test_a_video_of_all_rows(tmp_path, videos):
    env = VecVideoRecorder(make(n=4, render_mode="rgb_array"), str(tmp_path), lambda step: step == 0, video_length=3)
    env.reset()
    for _ in range(5):
        env.step(np.zeros(4, int))
    env.close()
    ((frames, fps, path),) = videos
    assert len(frames) == 4
    assert fps == env.unwrapped.metadata["render_fps"] > 0
    assert path.startswith(str(tmp_path))


def test_wrappers_of_vectors():
    steps = 12  # as long as an episode of Digit-v0 at most
    for wrap in (VecCheckNan, VecNormalize, lambda env: VecFrameStack(env, 2)):
        env = wrap(make("musegym/Digit-v0"))
        env.reset()
        ended = [info for _ in range(steps) for info in env.step(np.zeros(3, int))[3] if "content" in info]
        assert all({"terminal_observation", "episode"} <= info.keys() for info in ended)
        assert env.get_attr("task")[0].horizon == steps


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor` wrapper")
def test_monitors_agree():
    env, plain = VecMonitor(make("toy/Word-v0", rule_weight=1.0)), make("toy/Word-v0", rule_weight=1.0)
    assert plain.env_is_wrapped(Monitor) == [True] * 3
    assert plain.env_is_wrapped(gym.wrappers.TimeLimit, indices=[1]) == [False]
    env.reset()
    plain.reset()
    ended = 0
    for step in range(20):
        actions = np.full(3, step % 3)
        for one, other in zip(env.step(actions)[3], plain.step(actions)[3], strict=True):
            assert ("episode" in one) == ("episode" in other)
            if "episode" in one:
                assert one["episode"]["r"] == pytest.approx(other["episode"]["r"])
                assert one["episode"]["l"] == other["episode"]["l"]
                ended += 1
    assert ended > 5


def test_works_that_are_cut_off():
    env = make("toy/Bits-v0", 2, max_episode_steps=3)
    env.reset()
    for _ in range(2):
        dones, infos = env.step(np.ones(2, int))[2:]
        assert not dones.any()
    observations, rewards, dones, infos = env.step(np.ones(2, int))
    assert dones.all()
    assert not rewards.any()
    for info in infos:
        assert info["TimeLimit.truncated"]
        assert "content" not in info
        assert info["episode"]["l"] == 3
        assert info["terminal_observation"][-1] == 3
    assert (observations[:, -1] == 0).all()
    exact = make("toy/Bits-v0", 2, max_episode_steps=4)
    exact.reset()
    for _ in range(4):
        infos = exact.step(np.ones(2, int))[3]
    assert not infos[0]["TimeLimit.truncated"], "finished in time"
    assert infos[0]["content"].all()


def test_attributes_that_rows_share():
    env = make(n=3)
    env.set_attr("note", 7)
    assert env.get_attr("note") == [7, 7, 7]
    assert env.get_attr("note", indices=1) == [7]
    assert env.has_attr("task")
    assert not env.has_attr("no_such_thing")
    for indices in (0, [0, 1]):
        with pytest.raises(ValueError, match="set note for all of them"):
            env.set_attr("note", 8, indices=indices)
    env.set_attr("note", 9, indices=[2, 1, 0])
    assert env.get_attr("note") == [9, 9, 9]


def test_arguments_are_kept_in_plain_data(tmp_path):
    env = make(MELODY, corpus=tmp_path, rule_weight=np.float32(0.5))
    assert json.loads(json.dumps(env.env_kwargs)) == env.env_kwargs
    assert env.env_kwargs["corpus"] == str(tmp_path)
    assert env.env_kwargs["rule_weight"] == 0.5


def test_masks_of_scalar_environments():
    model = MaskablePPO("MlpPolicy", gym.make("toy/Word-v0", discriminator="none"), device="cpu", **ON_POLICY)
    model.learn(16)
    masks = model.get_env().env_method("action_masks")
    np.testing.assert_array_equal(masks[0], model.get_env().envs[0].unwrapped.action_masks())


def test_evaluations_with_masks_score_with_the_d_that_trains():
    scoring = MaskableEvalCallback(make("toy/Word-v0", 2), eval_freq=8, n_eval_episodes=2, verbose=0)
    co = DiscriminatorCallback(hidden=8, embedding=4)
    model = MaskablePPO("MlpPolicy", make("toy/Word-v0", 2), device="cpu", **ON_POLICY)
    model.learn(32, callback=[scoring, co])
    assert scoring.eval_env.get_attr("discriminator")[0] is co.trainer.discriminator


@pytest.mark.parametrize("given", [{"autoreset_mode": "NextStep"}, {"vectorization_mode": "sync"}, {"wrappers": []}])
def test_what_is_not_to_be_chosen_is_told_by_name(given):
    with pytest.raises(TypeError, match=f"make_sb3_env chooses {next(iter(given))} itself") as caught:
        make(**given)
    assert "\n" not in str(caught.value)


def test_seeds_are_of_the_next_reset_only():
    env, other = make(n=3, seed=5), make(n=3, seed=6)
    first = env.reset()
    assert env.seed(5) == [5, 6, 7]
    other.seed(5)
    np.testing.assert_array_equal(env.reset(), first)
    np.testing.assert_array_equal(other.reset(), first)
    assert any((env.reset() != first).any() for _ in range(5))


def test_evaluate_policy_takes_the_environment_as_it_is():
    model = PPO("MlpPolicy", make("toy/Word-v0", 2), device="cpu", **ON_POLICY)
    returns, lengths = evaluate_policy(
        model, make("toy/Word-v0", 2, rule_weight=1.0), n_eval_episodes=6, return_episode_rewards=True
    )
    assert len(returns) == 6
    assert all(2 <= length <= toys.LONGEST for length in lengths)
