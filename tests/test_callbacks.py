"""The same callback trains D beside any SB3 algorithm, in any of SB3's environments."""

import copy
import logging
import multiprocessing

import gymnasium as gym
import numpy as np
import pytest
import torch
import toys
from sb3_contrib import ARS, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import (
    CallbackList,
    CheckpointCallback,
    EvalCallback,
    EveryNTimesteps,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor, VecNormalize

from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.discriminators import (
    Discriminator,
    DiscriminatorTrainer,
    co_trained,
    load_trainer,
    make_discriminator,
    make_trainer,
)

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
WORD, MELODY = "toy/Word-v0", "musegym/Melody-v0"
D = {"hidden": 8, "embedding": 4}
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
    state = finished(env.venv.task)
    contents, conditions = env.venv.task.content(state), env.venv.task.condition(state)
    before = env.venv.rewards.finish(state, None).terms["discriminator"]  # discriminator="none"
    algorithm("PPO", env).learn(600, callback=callback_of(trainer))
    after = env.venv.rewards.finish(state, None).terms["discriminator"]
    assert not before.any()
    np.testing.assert_allclose(after, np.clip(trainer.discriminator.logits(contents, conditions), -10, 10), rtol=1e-5)
    assert after.std() > 0


def finished(task):
    """Returns the states of finished training works."""
    works = task.works("train")
    actions = task.demonstrations(works.contents, works.conditions)
    state = task.initial(np.zeros(len(works), np.uint64), works.conditions)
    for t in range(task.horizon):
        state, _ = task.step(state, actions[:, t])
    return state


def callback_of(trainer, **options):
    return DiscriminatorCallback(trainer, **{"every": 16, **options})


def test_hands_over_works_as_they_are_finished():
    class Watching(DiscriminatorTrainer):
        def observe(self, contents, conditions=None):
            seen.append((contents.copy(), conditions.copy()))
            return super().observe(contents, conditions)

    seen = []
    env = environment("native")
    trainer = Watching(make_discriminator(env.venv.task, **D), env.venv.task, batch_size=8)
    algorithm("PPO", env).learn(300, callback=callback_of(trainer, every=10))
    assert seen
    assert all(10 <= len(contents) < 10 + env.num_envs for contents, _ in seen)
    contents, conditions = map(np.concatenate, zip(*seen, strict=True))
    assert len(np.unique(conditions)) == 2
    built = env.venv.task.demonstrations(contents, conditions)
    assert len(built) == len(contents), "finished ones: each can be built under its condition"


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


# Among the callbacks and wrappers of Stable-Baselines3


def ppo(env=None, **options):
    env = environment("native") if env is None else env
    return PPO("MlpPolicy", env, seed=0, device="cpu", **{**PPO_OPTIONS, **options})


def evaluation(env, folder=None, **options):
    return EvalCallback(
        env, best_model_save_path=folder, **{"eval_freq": 8, "n_eval_episodes": 2, "verbose": 0, **options}
    )


def same_state(one, other):
    """Returns whether two state dicts are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_state(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_state, one, other))
    return one == other or (one != one and other != other)  # NaN


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_keeps_d_beside_checkpoints(tmp_path, first):
    co, keep = callback(save_path=tmp_path), CheckpointCallback(20, str(tmp_path))
    ppo().learn(64 * 4, callback=CallbackList([co, keep] if first else [CallbackList([keep]), co]))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"{kind}_{steps}_steps.zip" for kind in ("rl_model", "discriminator") for steps in (80, 160, 240)
    } | {"discriminator.zip"}
    task = make_sb3_env(WORD, 1).venv.task
    assert same_state(load_trainer(tmp_path / "discriminator.zip", task).state_dict(), co.trainer.state_dict())
    counts = [
        load_trainer(tmp_path / f"discriminator_{n}_steps.zip", task).discriminator.updates for n in (80, 160, 240)
    ]
    assert 0 < counts[0] < counts[1] < counts[2] <= co.trainer.discriminator.updates


def test_checkpoints_are_counted_as_they_count(tmp_path):
    keep = CheckpointCallback(20, str(tmp_path))
    model = ppo()
    model.learn(64, callback=keep)  # 16 calls
    model.learn(64, callback=[callback(save_path=tmp_path), keep], reset_num_timesteps=False)
    numbers = [
        {path.name.split("_")[-2] for path in tmp_path.glob(f"{kind}_*")} for kind in ("rl_model", "discriminator")
    ]
    assert numbers[0] == numbers[1] == {"80"}


@pytest.mark.parametrize("name", ["run/d.zip", "run"])
def test_a_loaded_model_goes_on_with_its_d(tmp_path, caplog, name):
    path = tmp_path / name
    co = callback(save_path=path)
    model = ppo()
    model.learn(128, callback=co)
    model.save(tmp_path / "model")
    loaded = PPO.load(tmp_path / "model", environment("native"))
    again = DiscriminatorCallback(load=str(path).removesuffix(".zip"), every=10**6)
    loaded.learn(64, callback=again)
    assert not caplog.records
    assert same_state(again.trainer.state_dict(), co.trainer.state_dict())
    assert loaded.get_env().get_attr("discriminator")[0] is again.trainer.discriminator
    further = DiscriminatorCallback(load=path, every=16)
    loaded.learn(192, callback=further)
    assert further.trainer.discriminator.updates > co.trainer.discriminator.updates


def test_goes_on_with_a_discriminator_alone(tmp_path):
    task = make_sb3_env(WORD, 1).venv.task
    d = make_discriminator(task, seed=3, **D)
    co = DiscriminatorCallback(load=d.save(tmp_path / "D.zip"), every=10**6)
    ppo().learn(64, callback=co)
    works = task.works("validation")
    np.testing.assert_array_equal(
        co.trainer.discriminator.logits(works.contents, works.conditions), d.logits(works.contents, works.conditions)
    )


@pytest.mark.parametrize("how", ["loaded", "loaded DQN", "the same", "a new one", "with its agent"])
def test_says_where_d_begins_anew(tmp_path, caplog, how):
    if how == "with its agent":
        small = {"policy_kwargs": {"hidden": 8, "embedding": 4}, "warm_start": 0, "lead": 0, "demonstrations": 8}
        model = AdversarialDQN("auto", environment("native"), seed=0, **small)
    else:
        model = algorithm("DQN" if "DQN" in how else "PPO", environment("native"))
    co = callback()
    model.learn(64, callback=co)
    if "loaded" in how:
        model.save(tmp_path / "model")
        model = type(model).load(tmp_path / "model", environment("native"))
    assert not caplog.records
    model.learn(64, callback=co if how == "the same" else callback())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (how in ("loaded", "loaded DQN", "a new one"))
    assert all("is a new one" in line and "load=PATH" in line and "\n" not in line for line in said)
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
@pytest.mark.parametrize("place", ["beside", "in a list", "in an event"])
@pytest.mark.parametrize("kind", ["native", "sb3", "monitored"])
def test_evaluations_score_with_the_d_that_trains(kind, place):
    env = environment("sb3" if kind == "sb3" else "native", n=2)
    scoring = evaluation(
        VecMonitor(DummyVecEnv([lambda: gym.make(WORD, discriminator="none")])) if kind == "monitored" else env
    )
    scoring.eval_freq = 60
    co = callback()
    nested = {
        "beside": [scoring],
        "in a list": [CallbackList([scoring])],
        "in an event": [EveryNTimesteps(64, scoring)],
    }
    ppo().learn(256, callback=[co, *nested[place]])
    assert all(d is co.trainer.discriminator for d in scoring.eval_env.get_attr("discriminator"))
    if place != "in an event":
        assert np.isfinite(scoring.last_mean_reward)
        assert scoring.last_mean_reward != 0, "D scores"


def test_evaluations_keep_a_frozen_d_that_they_name(tmp_path):
    path = make_discriminator(make_sb3_env(WORD, 1).venv.task, seed=1, **D).save(tmp_path / "D.zip")
    scoring = evaluation(make_sb3_env(WORD, 2, seed=1, discriminator=str(path)))
    co = callback()
    ppo().learn(64, callback=[scoring, co])
    scorer = scoring.eval_env.get_attr("discriminator")[0]
    assert isinstance(scorer, Discriminator)
    assert scorer is not co.trainer.discriminator


class Elsewhere(SubprocVecEnv):
    """Rows in other processes, as far as anybody asks; any message to them would be lost."""

    def __init__(self, env):
        self.inside = env
        super(SubprocVecEnv, self).__init__(env.num_envs, env.observation_space, env.action_space)

    def get_attr(self, attr_name, indices=None):
        return self.inside.get_attr(attr_name, indices)

    def env_method(self, method_name, *args, indices=None, **kwargs):
        raise BrokenPipeError

    def reset(self):
        return self.inside.reset()

    def step_async(self, actions):
        self.inside.step_async(actions)

    def step_wait(self):
        return self.inside.step_wait()

    def env_is_wrapped(self, wrapper_class, indices=None):
        return self.inside.env_is_wrapped(wrapper_class, indices)


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
def test_other_processes_are_refused_here():
    with pytest.raises(RuntimeError, match="trained in is a SubprocVecEnv") as caught:
        ppo(VecNormalize(Elsewhere(environment("sb3")), norm_obs=False)).learn(64, callback=callback())
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="EvalCallback's environment is a SubprocVecEnv"):
        ppo().learn(64, callback=[evaluation(Elsewhere(environment("sb3"))), callback()])


def test_a_live_d_is_sent_to_no_process():
    d = make_discriminator(make_sb3_env(WORD, 1).venv.task, seed=1, **D)
    here, there = multiprocessing.Pipe()
    with pytest.raises(RuntimeError, match="other processes cannot share a live discriminator") as caught:
        here.send(("env_method", ("set_discriminator", (d,), {})))  # as SubprocVecEnv and AsyncVectorEnv do
    assert "\n" not in str(caught.value)
    assert not there.poll(), "nothing was sent"
    assert copy.deepcopy(d).updates == d.updates, "copies in this process are nobody's business"


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
def test_other_processes_may_score_with_a_frozen_d(tmp_path):
    path = make_discriminator(make_sb3_env(WORD, 1).venv.task, seed=1, **D).save(tmp_path / "D.zip")
    scoring = evaluation(Elsewhere(make_sb3_env(WORD, 2, seed=1, discriminator=str(path))))
    ppo().learn(64, callback=[scoring, callback()])
    assert np.isfinite(scoring.last_mean_reward)


@pytest.mark.filterwarnings("ignore:Training and eval env are not of the same type")
@pytest.mark.parametrize("algorithm", [PPO, DQN])
def test_environments_of_others_are_refused_in_one_line(algorithm):
    with pytest.raises(TypeError, match="make_sb3_env") as caught:
        algorithm("MlpPolicy", "CartPole-v1", device="cpu").learn(64, callback=DiscriminatorCallback())
    assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="make_sb3_env"):
        ppo().learn(64, callback=[callback(), evaluation(DummyVecEnv([lambda: gym.make("CartPole-v1")]))])


@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor` wrapper")
@pytest.mark.parametrize(
    "wrap",
    [
        VecMonitor,
        lambda env: VecNormalize(env, norm_obs=False),
        lambda env: VecNormalize(VecMonitor(env), norm_obs=True),
    ],
)
@pytest.mark.parametrize("kind", ["native", "sb3"])
def test_trains_d_under_wrappers(kind, wrap):
    env, co = environment(kind), callback()
    ppo(wrap(env)).learn(400, callback=co)
    assert co.trainer.discriminator.updates >= 5
    assert all(d is co.trainer.discriminator for d in env.get_attr("discriminator"))


@pytest.mark.parametrize("algorithm", [A2C, MaskablePPO, RecurrentPPO])
def test_trains_d_beside_other_algorithms(algorithm):
    policy = "MlpLstmPolicy" if algorithm is RecurrentPPO else "MlpPolicy"
    options = {"n_steps": 16} if algorithm is A2C else {"n_steps": 16, "batch_size": 64, "n_epochs": 1}
    co = callback()
    algorithm(policy, environment("native"), seed=0, device="cpu", **options).learn(256, callback=co)
    assert co.trainer.discriminator.updates >= 3


@pytest.mark.parametrize("name", ["PPO", "DQN"])
def test_callbacks_of_stable_baselines3_work_beside_it(name, tmp_path):
    model = algorithm(name, environment("native"))
    model.learn(10_000, callback=[callback(), StopTrainingOnMaxEpisodes(10)])
    assert model.num_timesteps < 1000
    scoring = evaluation(environment("native", n=2), str(tmp_path))
    model.learn(64, callback=[callback(), scoring])
    best = type(model).load(tmp_path / "best_model.zip")
    assert best.observation_space == model.observation_space


def test_files_that_are_not_a_discriminator_of_this_task(tmp_path):
    with pytest.raises(TypeError, match="load=PATH brings"):
        DiscriminatorCallback(load="d.zip", hidden=3)
    with pytest.raises(FileNotFoundError, match="no discriminator at"):
        ppo().learn(64, callback=DiscriminatorCallback(load=tmp_path / "none.zip"))
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK nothing")
    other = make_trainer(make_sb3_env("toy/Bits-v0", 1).venv.task, hidden=8).save(tmp_path / "other.zip")
    alone = make_discriminator(make_sb3_env("toy/Bits-v0", 1).venv.task, hidden=8).save(tmp_path / "alone.zip")
    model = ppo()
    model.save(tmp_path / "model.zip")
    for path, problem in (
        (damaged, "not a usable discriminator"),
        (tmp_path / "model.zip", "not a usable discriminator"),
        (other, "other contents than those of WordTask"),
        (alone, "other contents than those of WordTask"),
    ):
        with pytest.raises(ValueError, match=problem) as caught:
            model.learn(64, callback=DiscriminatorCallback(load=path))
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_algorithms_without_infos_are_refused_by_name():
    with pytest.raises(RuntimeError, match="ARS shows callbacks no infos"):
        ARS("LinearPolicy", environment("native"), n_delta=1).learn(8, callback=callback())
    env = make_vec_env(lambda: co_trained(gym.make(WORD), every=2, **D), 1)
    ARS("LinearPolicy", env, n_delta=1).learn(8)


@pytest.mark.parametrize("limit", [None, 1])
def test_says_where_no_work_was_finished(limit, caplog):
    with caplog.at_level(logging.WARNING):
        algorithm("PPO", make_sb3_env(WORD, 4, seed=0, max_episode_steps=limit)).learn(64, callback=callback())
    assert ("no work was finished" in caplog.text) == (limit is not None)
