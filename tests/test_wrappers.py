import gymnasium as gym
import numpy as np
import pytest
import torch
import toys
from gymnasium.vector import SyncVectorEnv
from test_discriminators import same

from musegym.discriminators import (
    CoTrainedEnv,
    CoTrainedVectorEnv,
    DiscriminatorTrainer,
    co_trained,
    make_discriminator,
)

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
ID = "toy/Word-v0"
SMALL = {"hidden": 16, "embedding": 8}


class Listener(DiscriminatorTrainer):
    """Keeps what it is told, besides learning from it."""

    def __init__(self, **options):
        task = toys.WordTask()
        super().__init__(make_discriminator(task, **SMALL), task, batch_size=8, **options)
        self.told, self.conditions = [], []

    def observe(self, contents, conditions=None):
        self.told.append(contents.copy())
        self.conditions.append(conditions.copy())
        return super().observe(contents, conditions)


def play(env, steps, seed=0):
    """Steps at random; returns the contents that were finished, by what each step's info says of every row."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    for _ in range(steps):
        _, _, terminated, _, _ = env.step(rng.integers(9, size=getattr(env, "num_envs", None)))
        if not hasattr(env, "num_envs") and terminated:
            env.reset()


def test_scalar():
    trainer = Listener()
    env = co_trained(gym.make(ID, discriminator="none"), trainer)
    assert isinstance(env, CoTrainedEnv)
    assert env.unwrapped.discriminator is trainer.discriminator is env.trainer.discriminator
    play(env, 300)
    assert {len(contents) for contents in trainer.told} == {8}
    assert trainer.discriminator.updates == len(trainer.told) >= 5  # an update for each batch


def test_scalar_hears_every_content_once_and_in_order():
    trainer, finished = Listener(), []
    env = co_trained(gym.make(ID, discriminator="none"), trainer, every=1)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(100):
        info = env.step(rng.integers(9))[-1]
        if "content" in info:
            finished.append((info["content"], info["condition"]))
            env.reset()
    contents, conditions = map(np.array, zip(*finished, strict=True))
    assert (np.concatenate(trainer.told) == contents).all()
    assert (np.concatenate(trainer.conditions) == conditions).all()
    assert len(np.unique(conditions)) == 2


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("native", [True, False])
def test_vectors_hear_every_content_once(mode, native):
    """Whatever says when works restart and whoever made the vector, the words are those of scalar environments."""
    trainer = Listener()
    if native:
        venv = gym.make_vec(ID, num_envs=5, autoreset_mode=mode, discriminator="none")
    else:
        venv = SyncVectorEnv([lambda: gym.make(ID, discriminator="none")] * 5, autoreset_mode=mode)
    env = co_trained(venv, trainer, every=1)
    assert isinstance(env, CoTrainedVectorEnv)
    env.reset(seed=3)
    rng, ended = np.random.default_rng(0), 0
    for _ in range(60):
        _, _, terminated, _, info = env.step(rng.integers(9, size=5))
        if terminated.any():
            last = info["final_info"] if mode == "SameStep" else info
            assert (trainer.told[-1] == last["content"][terminated]).all()
            assert (trainer.conditions[-1] == last["condition"][terminated]).all()
        ended += terminated.sum()
    told, conditions = np.concatenate(trainer.told), np.concatenate(trainer.conditions)
    assert len(told) == ended > 40
    shortest = np.array([1, 4])[conditions[:, 0]]
    assert ((told > 0).sum(1) >= shortest).all()  # finished ones, not the empty ones of a reset


def test_every_counts_contents():
    trainer = Listener()
    play(co_trained(gym.make_vec(ID, num_envs=5, discriminator="none"), trainer, every=20), 60)
    assert all(20 <= len(contents) < 25 for contents in trainer.told)


def test_disabled_autoreset():
    trainer = Listener()
    env = co_trained(gym.make_vec(ID, num_envs=5, autoreset_mode="Disabled", discriminator="none"), trainer, every=1)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        env.step(rng.integers(9, size=5))
    assert len(np.concatenate(trainer.told)) == 5


def test_rewards_are_those_of_the_discriminator_as_it_is_now():
    env = co_trained(gym.make(ID, discriminator="none"), Listener(), every=4)
    rng, seen = np.random.default_rng(0), []
    env.reset(seed=0)
    for _ in range(200):
        before = env.trainer.discriminator.state_dict()["network"]
        _, reward, terminated, _, info = env.step(rng.integers(9))
        if terminated:
            moved = not same(before, env.trainer.discriminator.state_dict()["network"])
            seen.append(moved)
            if not moved:
                assert reward == pytest.approx(
                    env.trainer.discriminator.logits(*(info[name][None] for name in ("content", "condition")))[0]
                )
            env.reset()
    assert {True, False} == set(seen)


def test_makes_its_own_trainer():
    env = co_trained(gym.make_vec(ID, num_envs=4, discriminator="none"), batch_size=4, past=10, frozen=True)
    before = env.trainer.discriminator.state_dict()
    play(env, 20)
    assert (env.trainer.batch_size, env.trainer.frozen) == (4, True)
    assert env.unwrapped.discriminator is env.trainer.discriminator
    assert same(before, env.trainer.discriminator.state_dict())


def test_makes_a_trainer_for_a_vector_of_scalar_environments():
    env = co_trained(SyncVectorEnv([lambda: gym.make(ID, discriminator="none")] * 2), every=2)
    assert all(scalar.unwrapped.discriminator is env.trainer.discriminator for scalar in env.unwrapped.envs)


def test_a_plain_loop_teaches_the_discriminator():
    """Random letters against real words: the loop knows nothing of discriminators, yet rewards become meaningful."""
    task = toys.WordTask()
    trainer = DiscriminatorTrainer(
        make_discriminator(task, learning_rate=5e-3, **SMALL), task, batch_size=32, updates_per_observe=8
    )
    play(co_trained(gym.make_vec(ID, num_envs=16, discriminator="none"), trainer), 100)
    assert trainer.stats["accuracy"] > 0.8
    real = task.works("train")
    assert trainer.discriminator.logits(real.contents, real.conditions).mean() > 1


def test_environments_of_others():
    with pytest.raises(ValueError, match="needs an environment of musegym"):
        co_trained(gym.make("CartPole-v1"))
    with pytest.raises(ValueError, match="needs an environment of musegym"):
        co_trained(gym.make("CartPole-v1"), Listener())


def test_bad_options():
    env = gym.make(ID, discriminator="none")
    with pytest.raises(ValueError, match=r"either a trainer or the options \['past'\]"):
        co_trained(env, Listener(), past=3)
    with pytest.raises(ValueError, match="at least 1"):
        co_trained(env, Listener(), every=0)
