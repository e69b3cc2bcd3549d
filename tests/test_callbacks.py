"""The same callback trains D beside any SB3 algorithm, in any of SB3's environments."""

import numpy as np
import pytest
import torch
import toys
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import KVWriter, Logger

from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.discriminators import DiscriminatorTrainer, make_discriminator

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
WORD, MELODY = "toy/Word-v0", "musegym/Melody-v0"
D = {"hidden": 8, "embedding": 4, "attention_layers": 0}
PPO_OPTIONS = {"n_steps": 16, "batch_size": 64, "n_epochs": 1, "policy_kwargs": {"net_arch": [8]}}
DQN_OPTIONS = {"learning_starts": 20, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [8]}}


def callback(**options):
    return DiscriminatorCallback(**{"every": 16, "batch_size": 16, "past": 50, **D, **options})


def algorithm(name, env):
    if name == "PPO":
        return PPO("MlpPolicy", env, seed=0, device="cpu", **PPO_OPTIONS)
    return DQN("MlpPolicy", env, seed=0, device="cpu", **DQN_OPTIONS)


def environment(kind, env_id=WORD, n=4):
    if kind == "native":
        return make_sb3_env(env_id, n, seed=0, discriminator="none")
    return make_vec_env(env_id, n, seed=0, env_kwargs={"discriminator": "none"})


@pytest.mark.parametrize("kind", ["native", "sb3"])
@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_trains_the_discriminator_that_rewards(name, kind):
    env = environment(kind)
    model, co = algorithm(name, env), callback()
    model.learn(400, callback=co)
    d = co.trainer.discriminator
    assert d.updates >= 5
    scorers = env.get_attr("discriminator") if kind == "native" else [e.unwrapped.discriminator for e in env.envs]
    assert all(scorer is d for scorer in scorers)
    returns = [info["r"] for info in model.ep_info_buffer]
    assert len(returns) > 20
    assert np.std(returns) > 0, "D rewards"
    assert "discriminator/loss" in Keys.of(model, co)


class Keys(KVWriter):
    """Collects the names under which things are logged."""

    def __init__(self):
        self.names = set()

    def write(self, key_values, key_excluded, step=0):
        self.names |= set(key_values)

    def close(self):
        pass

    @classmethod
    def of(cls, model, co):
        keys = cls()
        model.set_logger(Logger(None, [keys]))
        model.learn(200, callback=co, reset_num_timesteps=False)
        model.logger.dump()
        return keys.names


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_melodies(name):
    env = environment("native", MELODY, 8)
    co = callback(every=8, batch_size=8)
    algorithm(name, env).learn(640, callback=co)  # a phrase takes 72 steps at most, 576 in 8 rows
    assert co.trainer.discriminator.updates > 0
    assert env.venv.discriminator is co.trainer.discriminator


def test_rewards_change_as_the_discriminator_learns():
    env = environment("native", n=8)
    trainer = DiscriminatorTrainer(make_discriminator(env.venv.task, **D), env.venv.task, batch_size=16)
    contents = env.venv.task.corpus("train")
    before = env.venv.rewards(contents)  # discriminator="none"
    algorithm("PPO", env).learn(600, callback=callback_of(trainer))
    after = env.venv.rewards(contents)
    assert not before.any()
    np.testing.assert_allclose(
        after, np.clip(trainer.discriminator.logits(contents, contents[:, :1]), -10, 10), rtol=1e-5
    )
    assert after.std() > 0


def callback_of(trainer, **options):
    return DiscriminatorCallback(trainer, **{"every": 16, **options})


def test_hands_over_contents_as_they_are_finished():
    class Watching(DiscriminatorTrainer):
        def observe(self, contents):
            seen.append(contents.copy())
            return super().observe(contents)

    seen = []
    env = environment("native")
    trainer = Watching(make_discriminator(env.venv.task, **D), env.venv.task, batch_size=8)
    algorithm("PPO", env).learn(300, callback=callback_of(trainer, every=10))
    assert seen
    assert all(10 <= len(contents) < 10 + env.num_envs for contents in seen)
    every = np.concatenate(seen)
    assert len(env.venv.task.demonstrations(every)) == len(every), "finished ones: each can be built"


def test_lets_the_discriminator_lead():
    model = AdversarialDQN(
        "auto", environment("native"), warm_start=0, lead=3, seed=0, policy_kwargs={"hidden": 8, "embedding": 4}
    )
    co = callback(lead=5, updates_per_observe=1.0)
    model.learn(1, callback=co)
    assert model.lead_rounds == 1
    assert co.trainer.discriminator.updates == 5
    model.learn(10, callback=co)
    assert co.trainer.discriminator.updates % 5 == 0


def test_frozen_stays_as_it_is():
    env = environment("native")
    co = callback(frozen=True)
    algorithm("PPO", env).learn(200, callback=co)
    assert co.trainer.discriminator.updates == 0
    assert env.venv.discriminator is co.trainer.discriminator


@pytest.mark.parametrize("co_training", [True, False])
def test_d_learns_in_its_lead_and_then_beside_the_agent(co_training):
    env = environment("native", n=6)
    model = AdversarialDQN(
        "auto",
        env,
        seed=0,
        warm_start=0,
        lead=2,
        minibatch=3,
        co_training=co_training,
        policy_kwargs={"hidden": 8, "embedding": 4},
    )
    co = callback(lead=4)
    model.learn(2 * 6 * 6, callback=co)
    leading = 2 * 2 * 4  # rounds, batches, updates
    assert model.lead_rounds == 2
    assert model._n_updates > 0
    assert co.trainer.discriminator.updates == leading + (model._n_updates if co_training else 0)


def test_a_callback_of_an_earlier_call_teaches_no_more():
    model = AdversarialDQN(
        "auto", environment("native", n=6), seed=0, warm_start=0, lead=0, policy_kwargs={"hidden": 8, "embedding": 4}
    )
    co = callback()
    model.learn(1, callback=co)
    before = co.trainer.discriminator.updates
    model.learn(1, reset_num_timesteps=False)
    assert before > 0
    assert co.trainer.discriminator.updates == before


def test_options_go_where_they_belong():
    env = environment("native")
    co = callback(updates_per_observe=2.0, hidden=12, r1=0.5)
    algorithm("PPO", env).learn(1, callback=co)
    assert co.trainer.updates_per_observe == 2
    assert co.trainer.discriminator.architecture.hidden == 12
    assert co.trainer.discriminator.settings.r1 == 0.5


def test_mistakes():
    env = environment("native")
    trainer = DiscriminatorTrainer(make_discriminator(env.venv.task, **D), env.venv.task)
    with pytest.raises(TypeError, match="constructor"):
        DiscriminatorCallback(trainer, hidden=3)
    with pytest.raises(ValueError, match="at least 1"):
        DiscriminatorCallback(every=0)
    with pytest.raises(RuntimeError, match="learn"):
        _ = DiscriminatorCallback().trainer
    with pytest.raises(ValueError, match="no options"):
        algorithm("PPO", env).learn(1, callback=DiscriminatorCallback(no_such_option=1))
