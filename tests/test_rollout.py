"""AdversarialDQN steps the environment that it is given, wrappers and all."""

import io
import logging

import gymnasium as gym
import numpy as np
import pytest
import torch
import toys
from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, EvalCallback, StopTrainingOnMaxEpisodes
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecFrameStack, VecMonitor, VecNormalize

from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.agents.episodes import trace
from musegym.agents.rollout import EnvRollout, is_bare
from musegym.envs.rewards import RewardSettings, total

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
WORD, BITS = "toy/Word-v0", "toy/Bits-v0"
D = {"hidden": 8, "embedding": 4, "batch_size": 8, "past": 40}


def agent(env, **options):
    small = {"policy_kwargs": {"hidden": 8, "embedding": 4}, "minibatch": 8, "seed": 0, "warm_start": 0, "lead": 0}
    return AdversarialDQN("auto", env, **{**small, **options})


def native(env_id=WORD, n=6, **options):
    return make_sb3_env(env_id, n, seed=0, discriminator="none", **options)


def learn(model, steps=120, *more):
    return model.learn(steps, callback=[DiscriminatorCallback(**D), *more])


class Wrapper(VecEnvWrapper):
    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


class Bonus(Wrapper):
    """Pays for every step."""

    def __init__(self, venv, bonus=0.25):
        super().__init__(venv)
        self.bonus = bonus

    def step_wait(self):
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards + np.float32(self.bonus), dones, infos


class Counts(Wrapper):
    """Counts its steps."""

    steps = 0

    def step_wait(self):
        self.steps += 1
        return self.venv.step_wait()


class Stuck(Wrapper):
    """Takes other decisions than it is asked for."""

    def step_async(self, actions):
        self.venv.step_async(np.zeros_like(actions))


class Silent(Wrapper):
    """Does not say what was built."""

    def step_wait(self):
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards, dones, [{} for _ in infos]


class Shifted(Wrapper):
    """Shows other observations."""

    def reset(self):
        return self.venv.reset() + 1


class PaysTwo(gym.RewardWrapper):
    """A scalar wrapper that pays at each step."""

    def reward(self, reward):
        return float(reward) + 2.0


class Steps(BaseCallback):
    """Keeps what callbacks see at every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        names = ("actions", "new_obs", "rewards", "dones", "infos")
        self.seen.append({name: self.locals[name] for name in names} | {"timesteps": self.model.num_timesteps})
        return True


def wrapped(kind):
    return {
        "bare": native,
        "monitor": lambda: VecMonitor(native()),
        "wrapper": lambda: Wrapper(native()),
        "sb3": lambda: make_vec_env(WORD, 6, seed=0, env_kwargs={"discriminator": "none"}),
    }[kind]()


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")
@pytest.mark.parametrize("kind", ["bare", "monitor", "wrapper", "sb3"])
class TestWhatCallbacksSee:
    def test_every_step_of_every_row(self, kind):
        model, steps = agent(wrapped(kind)), Steps()
        learn(model, 120, steps)
        n, task = 6, model.task
        assert model._n_updates > 0
        for seen in steps.seen:
            assert len(seen["infos"]) == n
            assert seen["rewards"].shape == seen["dones"].shape == seen["actions"].shape == (n,)
            assert seen["new_obs"].shape == (n, *task.observation_space.shape)
        ended = [(step, row) for step in steps.seen for row in np.flatnonzero(step["dones"])]
        assert len(ended) >= model._episode_num > 0
        for step, row in ended:
            info = step["infos"][row]
            work = info["content"][None], info["condition"][None]
            assert len(task.demonstrations(*work)) == 1, "finished: it can be built"
            assert info["episode"]["l"] == trace(task, *work).lengths[0]
            assert set(info["reward_terms"]) == {"discriminator", "rules"}
            assert info["terminal_observation"].shape == task.observation_space.shape
        assert all("content" not in step["infos"][row] for step in steps.seen for row in np.flatnonzero(~step["dones"]))
        assert model.num_timesteps == steps.seen[-1]["timesteps"]
        assert len(model.ep_info_buffer) > 0

    def test_the_works_of_a_round_are_in_the_order_of_its_episodes(self, kind):
        model = agent(wrapped(kind))
        learn(model)
        assert len(set(map(bytes, model.made))) > 1
        assert np.array_equal(model.made, model.fresh.contents)

    def test_stops_where_a_callback_says_so(self, kind):
        model = agent(wrapped(kind))
        learn(model, 100_000, StopTrainingOnMaxEpisodes(2))
        assert model.num_timesteps < 1_000

    def test_nothing_is_pays_extra(self, kind):
        model = agent(wrapped(kind))
        learn(model)
        assert not model.fresh.paid.any()
        assert not model.pays_extra


@pytest.mark.parametrize("rule_weight", [0.0, 1.5])
@pytest.mark.parametrize(("env_id", "n"), [(WORD, 6), (BITS, 4)])
def test_what_wrappers_pay_is_part_of_the_reward_once(env_id, n, rule_weight):
    model = agent(Bonus(native(env_id, n, rule_weight=rule_weight)), demonstrations=0)
    learn(model, 60)
    fresh = model.fresh
    live = np.arange(fresh.paid.shape[1]) < fresh.lengths[:, None]
    np.testing.assert_allclose(fresh.paid, 0.25 * live, atol=1e-6)
    ends = model.rewards(fresh.contents, fresh.conditions)
    total = model.reward_function.by_decision(fresh, ends).sum(1)
    logits = np.clip(model.discriminator.logits(fresh.contents, fresh.conditions), -10, 10)
    works = model.task.works("train")
    rules, usual = (
        rule_weight * model.task.rules(part.contents, part.conditions).sum(1) for part in (fresh, works)
    )  # real works are fewer than are rated
    trust = model.reward_function.settings.trust
    np.testing.assert_allclose(total, 0.25 * fresh.lengths + trust * logits + rules - usual.mean(), atol=1e-4)
    assert model.pays_extra
    assert not model.aims_at_data


def test_rules_of_real_works_are_rated_once(monkeypatch):
    rewards = agent(native(WORD, 6, rule_weight=1.5)).reward_function
    usual = rewards.usual
    assert usual != 0
    monkeypatch.setattr(type(rewards.task), "rules", lambda *_: pytest.fail("rated again"))
    again = rewards.trusting(2.0)
    assert again.settings.trust == 2
    assert again.usual == usual


def test_scalar_wrappers_count():
    env = make_vec_env(WORD, 3, seed=0, wrapper_class=PaysTwo, env_kwargs={"discriminator": "none"})
    model = agent(env, demonstrations=0)
    learn(model, 40)
    assert (model.fresh.paid[:, 0] == 2).all()


def test_episodes_go_on_from_one_round_to_the_next():
    """Every episode that begins is learned from: none of the short ones twice, none of the long ones left out."""
    model, steps, rounds = agent(Wrapper(native())), Steps(), []

    class Rounds(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            rounds.extend(map(bytes, self.model.fresh.contents))

    learn(model, 300, steps, Rounds())
    ended = [step["infos"][row]["content"] for step in steps.seen for row in np.flatnonzero(step["dones"])]
    assert rounds == list(map(bytes, ended))
    lengths = np.array([np.count_nonzero(content) for content in ended])
    assert len(set(lengths)) > 1
    decisions = sum(len(step["dones"]) for step in steps.seen)
    assert decisions == model.num_timesteps


def test_what_was_built_is_what_the_policy_says_of_it():
    model = agent(Wrapper(native(n=16)))
    learn(model, 200)
    stepped = EnvRollout(model.env, model.task, model.env.reset())
    fresh = stepped.collect(model.q_net, model.generator, 40, lambda *_: True)
    assert len(fresh) >= 40
    expected = model.learner.log_prob(fresh)
    np.testing.assert_allclose(fresh.log_probs.sum(1), expected, atol=1e-4)
    again = stepped.collect(model.q_net, model.generator, 40, lambda *_: True)
    np.testing.assert_allclose(again.log_probs.sum(1), model.learner.log_prob(again), atol=1e-4)


def test_learns_what_a_wrapper_pays_for():
    class LikesA(Wrapper):
        def step_wait(self):
            observations, rewards, dones, infos = self.venv.step_wait()
            for row in np.flatnonzero(dones):
                rewards[row] += (infos[row]["content"] == 1).sum()
            return observations, rewards, dones, infos

    def letters(model):
        return (model.fresh.contents == 1).sum(1).mean()

    model = agent(LikesA(native(n=32)), demonstrations=0, discriminator_weight=0, learning_rate=1e-2, minibatch=16)
    model.learn(100)
    before = letters(model)
    model.learn(5_000)
    assert letters(model) > before + 0.3


class TestRefuses:
    @pytest.mark.parametrize(
        ("env", "words"),
        [
            (lambda: Stuck(native(n=16)), "Stuck changes decisions"),
            (lambda: Silent(native()), "Silent changes decisions"),
            (lambda: Shifted(native()), "Shifted changes the observations"),
            (lambda: VecFrameStack(native(BITS), 2), "VecFrameStack changes the observations"),
            (lambda: VecNormalize(native(BITS), norm_reward=False), "VecNormalize changes the observations"),
            (lambda: Bonus(native()), "Bonus pays additional rewards"),
            (lambda: make_vec_env(WORD, 2, wrapper_class=PaysTwo, env_kwargs={"discriminator": "none"}), "PaysTwo"),
            (
                lambda: DummyVecEnv([lambda: gym.make(BITS, discriminator="none", max_episode_steps=2)]),
                "TimeLimit ends every episode",
            ),
            (
                lambda: make_sb3_env(BITS, 4, seed=0, discriminator="none", max_episode_steps=2),
                "max_episode_steps ends every episode",
            ),
        ],
    )
    def test_by_name(self, env, words):
        with pytest.raises(ValueError, match=words) as error:
            learn(agent(env()), 400)
        assert "\n" not in str(error.value)

    def test_rewards_rescaled(self):
        with pytest.raises(ValueError, match="norm_reward=False"):
            agent(VecNormalize(native(BITS), norm_obs=False))

    def test_rewards_that_are_no_numbers(self):
        with pytest.raises(FloatingPointError, match="Bonus"):
            learn(agent(Bonus(native(), np.nan), demonstrations=0))


class TestOneReward:
    def test_the_environment_rewards_as_the_agent_does(self):
        env = native()
        model = agent(env, reward_form="bounded")
        learn(model)
        settings = env.venv.rewards.settings
        assert settings == model.reward_function.settings
        fresh = model.fresh
        state = model.task.initial(np.zeros(len(fresh), np.uint64), fresh.conditions)
        for t in range(model.task.horizon):
            state, _ = model.task.step(state, fresh.actions[:, t].astype(np.int64))
        rewards = total(env.venv.rewards.finish(state, None).terms)
        np.testing.assert_allclose(rewards, model.rewards(fresh.contents, fresh.conditions), rtol=1e-4, atol=1e-5)

    def test_evaluations_are_rewarded_as_the_agent_is(self):
        env = native(n=2)
        model = agent(native(rule_weight=0.5), reward_form="gail")
        learn(model, 200, EvalCallback(env, eval_freq=10, n_eval_episodes=2, verbose=0))
        assert env.venv.rewards.settings == model.reward_function.settings
        assert env.venv.rewards.settings.form == "gail"

    def test_the_environment_asks_no_discriminator_while_it_is_stepped(self):
        model, asked = agent(Wrapper(native())), []

        class Looker(BaseCallback):
            def _on_step(self):
                settings = self.training_env.get_attr("rewards")[0].settings
                asked.append(settings.discriminator_weight)
                return True

        learn(model, 60, Looker())
        assert set(asked) == {0.0}
        assert model.env.get_attr("rewards")[0].settings.discriminator_weight == 1

    def test_it_does_so_again_after_an_error(self):
        env = Stuck(native(n=16))
        with pytest.raises(ValueError, match="Stuck"):
            learn(agent(env), 400)
        assert env.get_attr("rewards")[0].settings.discriminator_weight == 1

    @pytest.mark.parametrize("name", ["rule_weight", "trust", "discriminator_weight"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_are_finite(self, name, value):
        with pytest.raises(ValueError, match=name):
            RewardSettings(**{name: value})


class TestDefaults:
    def test_constructor_and_command_line_learn_alike(self):
        from musegym.training.folder import Settings
        from musegym.training.parameters import build

        for env_id in (WORD, "musegym/Digit-v0"):
            kwargs = {} if env_id == WORD else {"data": "sklearn"}
            asked = Settings(id=env_id, seconds=None, steps=5, seed=0, num_envs=4, env_kwargs=kwargs, params={})
            built, _ = build(asked)
            made = AdversarialDQN("auto", native(env_id, 4, **kwargs), seed=0)
            assert built.config == made.config
            assert built.schedule == made.schedule

    def test_without_demonstrations_there_is_no_warm_start(self):
        assert AdversarialDQN("auto", native("musegym/Digit-v0", 2, data="sklearn")).schedule.warm_start == 0
        assert AdversarialDQN("auto", native()).schedule.warm_start is None

    @pytest.mark.parametrize(("steps", "rounds"), [(1, 1), (100_000, 10)])
    def test_the_lead_takes_its_share_of_the_steps_at_most(self, steps, rounds):
        model = agent(native(), lead=None)

        class Stopper(BaseCallback):
            def _on_step(self):
                return self.model._n_updates < 1

        learn(model, steps, Stopper())
        assert model.lead_rounds == rounds

    def test_an_id_stands_for_an_environment(self):
        assert AdversarialDQN("auto", WORD).env.num_envs == 1024


class TestFiles:
    def test_a_path_may_leave_out_its_suffix(self, tmp_path):
        model = agent(native())
        model.save(str(tmp_path / "best_model"))
        assert [path.name for path in tmp_path.iterdir()] == ["best_model.zip"]
        assert AdversarialDQN.load(tmp_path / "best_model").config == model.config

    def test_an_open_file(self):
        model, file = agent(native()), io.BytesIO()
        learn(model)
        model.save(file)
        file.seek(0)
        again = AdversarialDQN.load(file)
        real = model.task.works("train")
        works = real.contents, real.conditions
        np.testing.assert_array_equal(again.log_prob(*works), model.log_prob(*works))
        with pytest.raises(ValueError, match="the open file is not a usable model"):
            AdversarialDQN.load(io.BytesIO(b"rubbish"))

    def test_checkpoints_of_sb3s_own_vectors(self, tmp_path):
        model = agent(make_vec_env(WORD, 2, seed=0, env_kwargs={"discriminator": "none", "rule_weight": 0.5}))
        learn(model, 40, CheckpointCallback(save_freq=5, save_path=str(tmp_path)))
        kept = sorted(tmp_path.glob("*.zip"))
        assert kept
        again = AdversarialDQN.load(kept[0])
        assert (again.rule_weight, again.n_envs) == (0.5, 2)

    def test_the_wrong_environment_is_blamed_and_not_the_file(self, tmp_path):
        agent(native()).save(tmp_path / "model")
        with pytest.raises(ValueError, match=r"a model of toy/Word-v0 cannot .* this environment .* BitsTask") as error:
            AdversarialDQN.load(tmp_path / "model", env=native(BITS))
        assert "restore the file" not in str(error.value)

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ({"env": gym.make("CartPole-v1")}, "builds no contents of musegym"),
            ({"custom_objects": {}}, "custom_objects"),
            ({"gamma": 2.0}, "gamma must be at least 0"),
            ({"env": VecNormalize(native(), norm_obs=False)}, "rescales rewards"),
        ],
    )
    def test_wrong_arguments_are_blamed_and_not_the_file(self, tmp_path, arguments, why):
        agent(native()).save(tmp_path / "model")
        with pytest.raises(ValueError, match=why) as error:
            AdversarialDQN.load(tmp_path / "model", **arguments)
        assert "restore the file" not in str(error.value)

    def test_wrappers_are_missed(self, tmp_path, caplog):
        agent(Wrapper(native())).save(tmp_path / "model")
        with caplog.at_level(logging.WARNING):
            AdversarialDQN.load(tmp_path / "model")
        assert "Wrapper" in caplog.text
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            again = AdversarialDQN.load(tmp_path / "model", env=Wrapper(native()))
        assert not caplog.records
        learn(again)

    def test_of_two_environments_the_later_is_stepped(self):
        first, second = Counts(native()), Counts(native())
        model = learn(agent(first))
        model.set_env(second)
        before = first.steps
        model.learn(60, callback=DiscriminatorCallback(**D), reset_num_timesteps=False)
        assert (first.steps, second.steps > 0) == (before, True)
        model.set_env(native())
        before = second.steps
        model.learn(60, callback=DiscriminatorCallback(**D), reset_num_timesteps=False)
        assert second.steps == before

    @pytest.mark.parametrize(
        ("env", "why"),
        [
            (lambda: native(BITS), r"BitsTask\(.*those of WordTask\(double=False\)"),
            (lambda: native(double=True), r"WordTask\(double=True\), and the model those of WordTask\(double=False\)"),
            (lambda: VecNormalize(native(), norm_obs=False), "rescales rewards"),
        ],
    )
    def test_environments_that_cannot_take_its_place(self, env, why):
        model = agent(native())
        before = model.get_env()
        with pytest.raises(ValueError, match=why):
            model.set_env(env())
        assert model.get_env() is before


def test_bare_is_what_pays_nothing_else():
    assert is_bare(native())
    assert not is_bare(make_sb3_env(WORD, 2, max_episode_steps=9))
    assert not is_bare(Wrapper(native()))
    assert not is_bare(make_vec_env(WORD, 1, env_kwargs={"discriminator": "none"}))
