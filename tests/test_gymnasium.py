"""Environments under Gymnasium's own tools: checker, wrappers, specs, time limits, copies."""

import copy
import json
import pathlib
import pickle
import sys
import types

import gymnasium as gym
import numpy as np
import pytest
import toys
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers
from PIL import Image

import musegym
from musegym.envs import ids
from musegym.envs.registry import make_task

toys.register()
MODES = [mode.value for mode in AutoresetMode]


def scalar(env_id="toy/Word-v0", **kwargs):
    return gym.make(env_id, discriminator="none", **kwargs)


def vector(env_id="toy/Word-v0", n=4, **kwargs):
    return gym.make_vec(env_id, num_envs=n, discriminator="none", **kwargs)


def roll(env, steps=20):
    env.action_space.seed(0)
    env.reset(seed=0)
    results = []
    for _ in range(steps):
        results.append(env.step(env.action_space.sample()))
        if np.ndim(results[-1][2]) == 0 and (results[-1][2] or results[-1][3]):
            env.reset()
    return results


@pytest.mark.parametrize("env_id", ids())
def test_the_checker_finds_nothing_to_warn_of(env_id, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    check_env(scalar(env_id, render_mode="rgb_array").unwrapped)


# Vector wrappers


@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
@pytest.mark.parametrize("env_id", ["toy/Word-v0", "musegym/Density-v0", "musegym/RLTuner-v0"])
def test_videos_of_vectors(env_id, mode, tmp_path, videos):
    env = vector(env_id, render_mode="rgb_array", autoreset_mode=mode)
    height, width, _ = scalar_frame(env_id).shape
    env = wrappers.RecordVideo(env, str(tmp_path / "new"), step_trigger=lambda step: step == 0, video_length=3)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.ones(4, int))
    env.close()
    ((frames, fps, _),) = videos
    assert len(frames) == 4
    assert fps == env.metadata["render_fps"]
    assert {frame.shape for frame in frames} == {(2 * height, 2 * width, 3)}, "four rows"
    assert (frames[0] != frames[-1]).any()


def scalar_frame(env_id):
    env = scalar(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    return env.render()


@pytest.mark.parametrize("env_id", ["musegym/Density-v0", "musegym/RLTuner-v0"])
def test_a_window_of_gymnasiums_shows_each_row(env_id, monkeypatch):
    import pygame

    def resize(picture, size):  # what OpenCV is needed for
        return np.asarray(Image.fromarray(picture).resize(size))

    opencv = types.ModuleType("cv2")
    opencv.resize = resize
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = wrappers.HumanRendering(vector(env_id, render_mode="rgb_array"))
    env.reset(seed=0)
    env.step(np.array([0, 1, 0, 1]))
    shown = pygame.surfarray.array3d(pygame.display.get_surface())
    assert shown.shape[:2] == scalar_frame(env_id).shape[1::-1]
    assert shown.std() > 0
    env.close()  # which ends pygame
    assert scalar_frame(env_id).std() > 0


def test_a_window_of_vectors_shows_the_overview(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    env = vector("toy/Bits-v0", render_mode="human")
    env.reset(seed=0)
    env.step(np.ones(4, int))
    assert env.render() is None
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)
    np.testing.assert_array_equal(shown, env.unwrapped.overview())
    env.close()


@pytest.mark.parametrize("mode", MODES)
def test_statistics_of_vectors(mode):
    env = wrappers.RecordEpisodeStatistics(vector(rule_weight=1.0, autoreset_mode=mode))
    env.reset(seed=0)
    for step in range(30):
        terminated = env.step(np.full(4, step % 3))[2]
        if mode == "Disabled" and terminated.any():
            env.reset(options={"reset_mask": terminated})
    lengths = np.array(env.length_queue)
    assert len(lengths) > 4
    assert set(lengths) <= set(range(2, toys.LONGEST + 1))
    assert set(env.return_queue) <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0}


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_infos_as_a_list(mode):
    env = wrappers.DictInfoToList(vector(autoreset_mode=mode))
    infos = [info for *_, infos in roll(env) for info in infos]
    ended = [info.get("final_info", info) for info in infos if "content" in info.get("final_info", info)]
    assert len(ended) > 4
    assert all(env.unwrapped.task.content_space.contains(np.asarray(info["content"])) for info in ended)


@pytest.mark.parametrize(
    "wrap",
    [
        wrappers.NormalizeObservation,
        wrappers.NormalizeReward,
        wrappers.FlattenObservation,
        lambda env: wrappers.ClipReward(env, -1, 1),
    ],
)
@pytest.mark.parametrize("env_id", ["musegym/Digit-v0", "musegym/Melody-v0"])
def test_wrappers_leave_contents_alone(env_id, wrap):
    wrapped, plain = roll(wrap(vector(env_id)), 80), roll(vector(env_id), 80)
    ended = 0
    for one, other in zip(wrapped, plain, strict=True):
        assert ("content" in one[-1]) == ("content" in other[-1])
        if "content" in one[-1]:
            np.testing.assert_array_equal(one[-1]["content"], other[-1]["content"])
            ended += 1
    assert ended


# Arguments and specs


@pytest.mark.parametrize("mode", [*MODES, *AutoresetMode])
def test_autoreset_modes_as_gymnasium_has_them(mode):
    env = vector(autoreset_mode=mode)
    assert env.metadata["autoreset_mode"] is AutoresetMode(mode)
    sync = vector(vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    assert sync.metadata["autoreset_mode"] is AutoresetMode(mode)
    again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
    assert again.metadata["autoreset_mode"] is AutoresetMode(mode)
    assert again.num_envs == 4


@pytest.mark.parametrize("env_id", ids())
@pytest.mark.parametrize("limit", [None, 4])
def test_specs_survive_json_and_pickle(env_id, limit):
    kwargs = {} if limit is None else {"max_episode_steps": limit}
    for env, make in ((scalar(env_id, **kwargs), gym.make), (vector(env_id, **kwargs), gym.make_vec)):
        expected = roll(env, 10)
        from_json = EnvSpec.from_json(env.spec.to_json())
        assert json.loads(from_json.to_json()) == json.loads(env.spec.to_json())
        for spec in (env.spec, from_json, pickle.loads(pickle.dumps(env.spec)), copy.deepcopy(env.spec)):  # noqa: S301
            for one, other in zip(roll(make(spec), 10), expected, strict=True):
                np.testing.assert_array_equal(one[0], other[0])
                assert np.array_equal(one[3], other[3]), "cut off alike"


def test_paths_and_numbers_of_numpy_survive_json(tmp_path):
    for make in (gym.make, gym.make_vec):
        env = make("musegym/Melody-v0", discriminator="none", corpus=tmp_path, rule_weight=np.float32(0.5))
        spec = EnvSpec.from_json(env.spec.to_json())
        assert spec.kwargs["corpus"] == str(tmp_path)
        assert spec.kwargs["rule_weight"] == 0.5
        assert isinstance(tmp_path, pathlib.Path)


def test_wrappers_in_a_spec():
    env = gym.wrappers.ClipReward(scalar(max_episode_steps=3), 0.0, 1.0)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, gym.wrappers.ClipReward)
    again.reset(seed=0)
    for step in range(3):
        truncated = again.step(step)[3]
    assert truncated


# Time limits


def test_time_limits_count_decisions_of_each_row():
    env = vector("toy/Word-v0", 3, max_episode_steps=5, rule_weight=1.0)
    env.reset(seed=0, options={"condition": [1]})
    for letter in (1, 2, 3, 4):
        assert not env.step(np.full(3, letter))[3].any()
    _, rewards, terminated, truncated, info = env.step(np.array([toys.END, 3, 3]))
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [True, True, True], "as Gymnasium's TimeLimit, on the last decision that it allows"
    assert info["_content"].tolist() == [True, False, False]
    assert not rewards[1:].any()
    env.step(np.array([1, 1, 1]))  # all start again
    for step in range(2):
        assert not env.step(np.array([1 + step] * 3))[3].any()


def test_rows_that_were_cut_off_wait_when_autoreset_is_disabled():
    env = vector("toy/Bits-v0", 2, max_episode_steps=2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env.step(np.array([1, 1]))
    cut = env.step(np.array([1, 1]))
    later = env.step(np.array([1, 1]))
    for result in (cut, later):
        assert result[2].tolist() == [False, False]
        assert result[3].tolist() == [True, True]
    np.testing.assert_array_equal(cut[0], later[0])
    env.reset(options={"reset_mask": np.array([True, False])})
    observations, _, _, truncated, _ = env.step(np.array([1, 1]))
    assert truncated.tolist() == [False, True]
    assert observations[:, -1].tolist() == [1, 2]


@pytest.mark.parametrize("limit", [0, -2, 2.5, True, "5"])
def test_limits_that_are_none(limit):
    with pytest.raises(ValueError, match="max_episode_steps must be an integer"):
        vector(max_episode_steps=limit)


def test_no_limit_is_said_as_gymnasium_does():
    env = vector("toy/Bits-v0", 2, max_episode_steps=-1)
    assert [bool(result[2].any()) for result in roll(env, 4)] == [False, False, False, True]
    assert not any(result[3].any() for result in roll(env, 8))


def test_registered_limits_hold_in_both_environments():
    musegym.register("toy/Short-v0", "toys:WordTask", double=True, max_episode_steps=2)
    try:
        before = gym.registry["toy/Short-v0"]
        musegym.register("toy/Short-v0", "toys:WordTask", double=True, max_episode_steps=2)
        assert gym.registry["toy/Short-v0"] is before
        assert make_task("toy/Short-v0").double
        assert [bool(np.all(result[3])) for result in roll(scalar("toy/Short-v0"), 2)] == [False, True]
        assert [bool(result[3].any()) for result in roll(vector("toy/Short-v0"), 2)] == [False, True]
    finally:
        del gym.registry["toy/Short-v0"]


# Copies


@pytest.mark.parametrize("env_id", ids())
@pytest.mark.parametrize("make", [scalar, vector])
def test_copies_go_on_as_the_original(env_id, make):
    env = make(env_id)
    roll(env, 3)
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):  # noqa: S301
        again = copy.deepcopy(env)
        for _ in range(8):
            action = again.unwrapped.action_masks().argmax(-1)
            one, other = twin.step(action), again.step(action)
            np.testing.assert_array_equal(one[0], other[0])
            if np.ndim(one[2]) == 0 and one[2]:
                break


# Spaces


def test_spaces_are_like_any_other():
    space = scalar("musegym/RLTuner-v0").observation_space
    observation, _ = scalar("musegym/RLTuner-v0").reset(seed=0)
    assert space.contains(space.sample(mask=tuple(np.ones(n, np.int8) for n in space.nvec)))
    assert gym.spaces.flatten(space, observation).sum() == len(observation)
    np.testing.assert_array_equal(gym.spaces.unflatten(space, gym.spaces.flatten(space, observation)), observation)
    assert space.from_jsonable(space.to_jsonable([observation]))[0].dtype == np.int64
    assert isinstance(space[0], gym.spaces.Discrete)
    batch = gym.vector.utils.batch_space(space, 3)
    assert type(batch.high) is np.ndarray
    assert batch.dtype == np.int64
    env = gym.wrappers.FlattenObservation(scalar("musegym/RLTuner-v0"))
    assert env.reset(seed=0)[0].shape == (sum(space.nvec),)
