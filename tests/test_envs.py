"""The scalar environment, registration, and what holds for both environments of every registered task."""

import copy
import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import toys
from gymnasium.vector import AsyncVectorEnv

import musegym
from musegym.envs import ids, make_task, registry, rewards

toys.register()


class Constant:
    """A discriminator of one opinion."""

    def __init__(self, logit):
        self.logit = logit

    def logits(self, contents, conditions=None):
        assert conditions.shape == (len(contents), 1)
        return np.full(len(contents), self.logit, np.float32)


def word(condition=0, **kwargs):
    env = gym.make("toy/Word-v0", **{"discriminator": "none", **kwargs})
    env.reset(seed=0, options={"condition": [condition]})
    return env


@pytest.mark.parametrize("env_id", ids())
def test_specs_survive_json_and_pickle(env_id):
    env = gym.make(env_id, discriminator="none", rule_weight=0.5)
    observation, _ = env.reset(seed=4)
    from_json = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    for spec in (from_json, pickle.loads(pickle.dumps(env.spec))):  # noqa: S301
        rebuilt = gym.make(spec)
        np.testing.assert_array_equal(rebuilt.reset(seed=4)[0], observation)


@pytest.mark.parametrize("env_id", ids())
def test_environments_can_be_sent_and_go_on_alike(env_id):
    env = gym.make(env_id, discriminator="none").unwrapped
    env.reset(seed=0)
    twin = pickle.loads(pickle.dumps(env))  # noqa: S301
    for _ in range(100):
        action = int(env.action_masks().argmax())
        one, other = env.step(action), twin.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[2] == other[2]
        if one[2]:
            np.testing.assert_array_equal(env.reset()[0], twin.reset()[0])


def test_an_episode_ends_with_its_content_and_reward():
    env = word(rule_weight=2.0)
    env.unwrapped.set_discriminator(Constant(0.5))
    _, reward, terminated, truncated, info = env.step(0)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info.keys() == {"action_mask"}
    _, reward, terminated, truncated, info = env.step(toys.END)
    assert (reward, terminated, truncated) == (4.5, True, False), "0.5 + 2 (1 a + 1 vowel)"
    assert info.keys() == {"action_mask", "content", "condition", "reward_terms", "rules"}
    assert info["content"].tolist() == [1, 0, 0, 0, 0, 0]
    assert info["condition"].tolist() == [0]
    assert info["reward_terms"] == {"discriminator": 0.5, "rules": 4.0}
    assert info["rules"] == {"letters_a": 1.0, "vowels": 1.0}
    assert env.observation_space.contains(env.reset()[0])


def test_the_condition_is_told_at_the_start_and_at_the_end():
    env = gym.make("toy/Word-v0", discriminator="none")
    for condition in (1, 0):
        observation, info = env.reset(options={"condition": [condition]})
        assert info["condition"].tolist() == [condition] == [observation[0]]
        ended = False
        while not ended:
            assert "condition" in info or info.keys() == {"action_mask"}
            _, _, ended, _, info = env.step(int(info["action_mask"].argmax()))
        assert info["condition"].tolist() == [condition]
        np.testing.assert_array_equal(info["condition"], env.unwrapped.task.condition(env.unwrapped._state)[0])
    seen = [int(env.reset(seed=seed)[1]["condition"][0]) for seed in range(20)]
    assert set(seen) == {0, 1}
    bits = gym.make("toy/Bits-v0", discriminator="none")
    assert "condition" not in bits.reset(seed=0)[1]
    assert "condition" not in [bits.step(1) for _ in range(4)][-1][4]


@pytest.mark.parametrize(("logit", "reward"), [(99.0, 10.0), (-99.0, -10.0), (3.0, 3.0)])
def test_logits_are_clipped(logit, reward):
    env = word()
    env.unwrapped.set_discriminator(Constant(logit))
    env.step(3)
    assert env.step(toys.END)[1] == reward


def test_logits_that_are_no_numbers_are_an_error():
    env = word()
    env.unwrapped.set_discriminator(Constant(np.nan))
    env.step(3)
    with pytest.raises(FloatingPointError, match="diverged"):
        env.step(toys.END)


def test_illegal_actions_are_replaced_and_flagged():
    env = word()
    observation, _, _, _, info = env.step(toys.END)
    assert info["illegal_action"] is True
    assert observation[1] == 1  # the lowest legal letter
    assert info["action_mask"].dtype == np.int8
    assert info["action_mask"].tolist() == [0] + toys.END * [1]
    assert env.unwrapped.action_masks().tolist() == [False] + toys.END * [True]
    assert "illegal_action" not in env.step(1)[4]


def test_steps_need_an_unfinished_work():
    env = gym.make("toy/Word-v0", discriminator="none").unwrapped
    for call in (lambda: env.step(0), env.action_masks):
        with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\)"):
            call()
    env = word()
    env.step(0)
    env.step(toys.END)
    with pytest.raises(gym.error.ResetNeeded, match="no unfinished work"):
        env.step(0)


@pytest.mark.parametrize("action", [-1, toys.END + 1])
def test_actions_outside_the_space_are_refused(action):
    env = word()
    env.step(1)
    with pytest.raises(ValueError, match=r"not in 0\.\.8"):
        env.step(action)


@pytest.mark.parametrize("condition", [[2], [0, 0], [-1], [0.0], "short"])
def test_impossible_conditions_are_refused(condition):
    with pytest.raises(ValueError, match="below"):
        word().reset(options={"condition": condition})


def test_conditions_where_there_are_none():
    with pytest.raises(ValueError, match="BitsTask has no conditions"):
        gym.make("toy/Bits-v0", discriminator="none").reset(options={"condition": [0]})


def test_seeded_starts_repeat_and_unseeded_ones_go_on():
    env = word()
    starts = [env.reset(seed=5)[0].tolist(), *(env.reset()[0].tolist() for _ in range(30))]
    again = [env.reset(seed=5)[0].tolist(), *(env.reset()[0].tolist() for _ in range(30))]
    assert starts == again
    assert len(set(map(tuple, starts))) == 2


def test_rendering(monkeypatch):
    env = word(render_mode="ansi")
    env.step(2)
    assert env.render() == "c"
    env = word(render_mode="rgb_array")
    blank = env.render()
    env.step(2)
    assert env.render().shape == blank.shape
    assert (env.render() != blank).any()
    with pytest.raises(ValueError, match="human, rgb_array, ansi"):
        toys_env(render_mode="svg")


def toys_env(**kwargs):
    from musegym.envs.scalar import TaskEnv

    return TaskEnv(task="toys:WordTask", **kwargs)


def test_a_window_shows_what_is_built(monkeypatch):
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    for env in (word(render_mode="human"), gym.make_vec("toy/Word-v0", 3, render_mode="human", discriminator="none")):
        env.reset(seed=0)
        before = pygame.surfarray.array3d(pygame.display.get_surface())
        env.step(5 if env.unwrapped.action_space.shape == () else np.full(3, 5))
        after = pygame.surfarray.array3d(pygame.display.get_surface())
        assert (before != after).any()
        assert env.render() is None
        env.close()
        env.close()
        assert pygame.display.get_surface() is None


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs xvfb-run: apt install xvfb")
def test_the_window_is_a_real_one():
    code = (
        "import toys, gymnasium as gym, pygame; toys.register();"
        "env = gym.make('toy/Word-v0', discriminator='none', render_mode='human'); env.reset(seed=0); env.step(1);"
        "print(pygame.display.get_driver(), pygame.display.get_caption()[0], pygame.display.get_surface().get_size())"
    )
    env = {key: value for key, value in os.environ.items() if key != "SDL_VIDEODRIVER"}
    command = ["xvfb-run", "-a", sys.executable, "-c", code]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**env, "PYTHONPATH": str(Path(toys.__file__).parent)}
    ).stdout
    assert told.splitlines()[-1] == f"x11 WordTask {(8 * toys.LONGEST, 8)}"


@pytest.mark.usefixtures("no_display")
def test_no_display_is_one_clear_line():
    with pytest.raises(RuntimeError, match=r"no display .*rgb_array") as caught:
        word(render_mode="human")
    assert "\n" not in str(caught.value)


def test_the_default_discriminator_is_built_on_need_and_says_so_once(caplog):
    rewards._warn_untrained.cache_clear()
    with caplog.at_level(logging.INFO, logger="musegym"):
        scores = []
        for _ in range(2):
            env = word(discriminator=None)
            env.step(0)
            assert len(caplog.records) == min(len(scores), 1)
            scores.append(env.step(toys.END)[1])
    assert scores[0] == scores[1]
    assert [record.getMessage().count("untrained") for record in caplog.records] == [1]


def test_no_discriminator_and_bad_ones():
    assert word().unwrapped.discriminator is None
    with pytest.raises(TypeError, match="set_discriminator"):
        gym.make("toy/Word-v0", discriminator=Constant(0.0))
    with pytest.raises(FileNotFoundError, match="'pretraind'"):
        gym.make("toy/Word-v0", discriminator="pretraind")
    with pytest.raises(TypeError, match="logits"):
        word().unwrapped.set_discriminator(object())


@pytest.mark.filterwarnings("ignore::UserWarning")  # Gymnasium's way to pass a worker's traceback on
def test_a_live_discriminator_stays_in_its_process():
    live = Constant(1.0)
    env = word().unwrapped
    env.set_discriminator(live)
    assert copy.deepcopy(env).discriminator is live
    with pytest.raises(TypeError, match="other processes"):
        pickle.dumps(env)
    workers = AsyncVectorEnv([lambda: toys_env(discriminator="none")] * 2, context="fork")
    with pytest.raises(RuntimeError, match="other processes cannot share"):
        workers.call("set_discriminator", live)
    workers.close(terminate=True)


def test_registration():
    before = gym.registry["toy/Word-v0"]
    toys.register()
    assert gym.registry["toy/Word-v0"] is before
    assert ids()[: len(registry.BUILT_IN)] == tuple(env_id for env_id, _ in registry.BUILT_IN)
    with pytest.raises(ValueError, match=r"package\.module:TaskClass"):
        musegym.register("toy/Bad-v0", "toys.WordTask")
    with pytest.raises(TypeError, match="string"):
        musegym.register("toy/Bad-v0", toys.WordTask)
    with pytest.raises(TypeError, match="plain data"):
        musegym.register("toy/Bad-v0", "toys:WordTask", double=np.True_)
    assert "toy/Bad-v0" not in gym.registry


def test_registered_arguments_reach_the_task():
    musegym.register("toy/Double-v0", "toys:WordTask", double=True, rule_weight=3.0)
    try:
        assert gym.make("toy/Double-v0").unwrapped.task.double
        assert make_task("toy/Double-v0").double
        assert not make_task("toy/Double-v0", double=False).double
    finally:
        del gym.registry["toy/Double-v0"]


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (gym.error.NameNotFound, lambda: make_task("toy/Wort-v0")),
        (gym.error.NamespaceNotFound, lambda: make_task("nobody/Word-v0")),
        (gym.error.Error, lambda: make_task("CartPole-v1")),
        (TypeError, lambda: make_task("toy/Word-v0", colour="red")),
        (TypeError, lambda: gym.make("toy/Word-v0", corpus="folder")),
        (TypeError, lambda: registry.load_task("toys:WORDS", {})),
    ],
)
def test_mistakes_are_one_line(error, make):
    with pytest.raises(error) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_import_is_light_and_ids_work_through_the_module():
    code = (
        "import sys, musegym, gymnasium as gym;"
        "heavy = {'torch', 'pygame', 'stable_baselines3', 'music21', 'musegym.envs.melody'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "print(gym.make('musegym:musegym/Melody-v0', discriminator='none').spec.to_json())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(told)["kwargs"]["task"] == "musegym.envs.melody:MelodyTask"
