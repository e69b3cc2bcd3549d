"""AdversarialDQN as an SB3 user meets it."""

import copy
import dataclasses
import io
import json
import pickle
import zipfile

import numpy as np
import probes
import pytest
import torch
import toys
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, checkpoint, generate, make_sb3_env, objective
from musegym.agents.episodes import Episodes
from musegym.agents.generation import generate_episodes
from musegym.agents.learner import VALUE_RATE, Batch
from musegym.discriminators import DiscriminatorTrainer, make_discriminator
from musegym.envs.scalar import TaskEnv

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
musegym.register("toy/AnyOrder-v0", "probes:CellsTask", ordered=False)
WORD, BITS = "toy/Word-v0", "toy/Bits-v0"
NETWORK = {"hidden": 16, "embedding": 8, "dropout": 0.2}
SMALL = {"policy_kwargs": NETWORK, "demonstrations": 8, "replayed": 4, "buffer_size": 30, "batch_size": 8, "seed": 0}
SMALL |= {"warm_start": 0, "lead": 0}
D = {"hidden": 8, "embedding": 4}


def agent(env_id=WORD, num_envs=6, **options):
    env = make_sb3_env(env_id, num_envs, seed=0, discriminator="none")
    return AdversarialDQN("auto", env, **{**SMALL, **options})


def callback(**options):
    return DiscriminatorCallback(**{"batch_size": 8, "past": 40, **D, **options})


def frozen(env_id=WORD, **options):
    task = make_sb3_env(env_id, 1, discriminator="none").venv.task
    untrained = make_discriminator(task, recurrent=0, **D)  # a recurrent one says 0 at first
    return agent(env_id, discriminator=untrained, **options)


class Lines(KVWriter):
    def __init__(self):
        self.lines = []

    def write(self, key_values, key_excluded, step=0):
        self.lines.append(dict(key_values))

    def close(self):
        pass


class Stopper(BaseCallback):
    """Stops the agent as soon as it has taken so many updates."""

    def __init__(self, updates):
        super().__init__()
        self.updates = updates

    def _on_step(self):
        return self.model._n_updates < self.updates


class Phases(BaseCallback):
    """Notes what the agent is doing, and stops it after so many calls."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.stop_after, self.seen = stop_after, []

    def _on_step(self):
        self.seen.append((self.model.warm_updates, self.model.lead_rounds, self.model._n_updates))
        return self.stop_after is None or self.n_calls < self.stop_after


def updates_of(model, monkeypatch):
    """Trains for a round and returns what the learner was given: batches and rewards by decision."""
    given, update = [], model.learner.update
    monkeypatch.setattr(model.learner, "update", lambda *args: given.append(args[:2]) or update(*args))
    model.train(1)
    return given


def weights(model):
    return {name: value.clone() for name, value in model.q_net.state_dict().items()}


def real(model, split="train"):
    """Contents and conditions of real works."""
    works = model.task.works(split)
    return works.contents, works.conditions


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b or (a != a and b != b)


class TestLearn:
    def test_needs_something_that_rewards(self):
        with pytest.raises(ValueError, match="DiscriminatorCallback") as error:
            agent().learn(100)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("steps", [np.nan, np.inf])
    def test_steps_are_finite(self, steps):
        with pytest.raises(ValueError, match="total_timesteps"):
            frozen().learn(steps)

    def test_with_a_frozen_discriminator(self):
        model = frozen()
        before, d = weights(model), copy.deepcopy(model.discriminator.network.state_dict())
        model.learn(100)
        assert not equal(before, weights(model))
        assert equal(dict(d), dict(model.discriminator.network.state_dict()))
        assert model.trainer is None

    def test_one_discriminator_is_shared(self, tmp_path):
        model, co = agent(), callback()
        model.learn(100, callback=co)
        env = model.env.unwrapped
        assert model.trainer is co.trainer
        assert model.trainer.discriminator is model.discriminator is env.venv.discriminator
        assert model.discriminator.updates > 0
        model.save(tmp_path / "model.zip")
        again = AdversarialDQN.load(tmp_path / "model.zip")
        assert again.trainer.discriminator is again.discriminator
        assert equal(again.trainer.state_dict(), model.trainer.state_dict())
        other = callback()
        again.learn(50, callback=other, reset_num_timesteps=False)
        assert other.trainer is again.trainer
        assert again.trainer.discriminator is again.discriminator is again.env.unwrapped.venv.discriminator

    def test_counts_decisions(self):
        model = agent()
        model.learn(60, callback=callback())
        first = model.num_timesteps
        assert first >= 60
        assert model._episode_num % 6 == 0
        model.learn(30, callback=callback(), reset_num_timesteps=False)
        assert first + 30 <= model.num_timesteps < first + 30 + 6 * toys.LONGEST
        model.learn(30, callback=callback())
        assert model.num_timesteps < first

    def test_phases_of_counts(self):
        model, phases = agent(warm_start=15, lead=2), Phases()
        model.learn(200, callback=[callback(), phases])
        assert (model.warm_updates, model.lead_rounds) == (15, 2)
        assert model._n_updates > 0
        assert phases.seen[:2] == [(10, 0, 0), (15, 0, 0)]
        assert phases.seen == sorted(phases.seen), "one phase after the other"
        rounds = [seen for seen in phases.seen[2:] if seen[2] == 0]
        assert {lead for _, lead, _ in rounds} == {0, 1, 2}

    def test_phases_of_a_budget(self):
        model, phases = agent(schedule=(0.3, 0.2)), Phases()
        spent = 0

        class Clock(BaseCallback):
            def _on_rollout_start(self):
                nonlocal spent
                spent += 1

            def _on_step(self):
                return spent < 10

        model.set_budget(lambda: spent / 10)
        model.learn(10**6, callback=[callback(), phases, Clock()])
        assert model.warm_updates == 20, "at 0.1 and 0.2 of the budget, ten each"
        assert model.lead_rounds == 1, "at 0.4; at 0.3 the warm start is measured"
        assert model._n_updates == 5, "from 0.5 on, and not after a callback said stop"

    def test_warm_start_hands_over_the_target(self):
        model = agent(warm_start=15, lead=1)
        model.learn(1, callback=callback())
        assert model._n_updates == 0
        assert equal(dict(model.q_net.state_dict()), dict(model.policy.q_net_target.state_dict()))

    def test_warm_start_learns_the_works(self):
        model = agent(warm_start=150, num_envs=2, policy_kwargs={"hidden": 32, "embedding": 16, "dropout": 0.0})
        before = model.log_prob(*real(model)).mean()
        model.learn(1, callback=callback())
        assert model.log_prob(*real(model)).mean() > before + 2

    @pytest.mark.parametrize(("updates", "fresh"), [(3, True), (4, False)])
    def test_target_moves_when_it_should(self, updates, fresh):
        model = agent(target_update_interval=3)
        model.learn(10**6, callback=[callback(), Stopper(updates)])
        assert model._n_updates == updates
        assert equal(dict(model.q_net.state_dict()), dict(model.policy.q_net_target.state_dict())) == fresh

    def test_rates_never_fall_below_zero(self):
        model = agent()
        model.learn(1, callback=callback())
        assert model.num_timesteps > 1, "the last round ends past the last step"
        assert model._n_updates > 0
        assert all(group["lr"] >= 0 for group in model.learner.optimizer.param_groups)

    @pytest.mark.parametrize(("n_steps", "fitted"), [(None, False), (2, True)])
    def test_values_are_fitted_to_real_episodes_only_where_targets_end_in_them(self, n_steps, fitted, monkeypatch):
        reached = []

        def squares(errors, taken, values, *rest):
            last = model.q_net.value[-1].bias
            rows = (values[0].sum(), values[-1].sum())  # an own episode, a real one
            reached.extend(bool(torch.autograd.grad(row, last, retain_graph=True)[0].any()) for row in rows)
            return squared_errors(errors, taken, values, *rest)

        model = agent(n_steps=n_steps)
        squared_errors = objective.squared_errors
        monkeypatch.setattr(objective, "squared_errors", squares)
        model.learn(10**6, callback=[callback(), Stopper(1)])
        assert reached == [True, fitted]

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("log_ratio", lambda d: np.log(d) - np.log(1 - d)),
            ("gail", lambda d: -np.log(1 - d)),
            ("bounded", lambda d: 2 * d - 1),
        ],
    )
    def test_forms_of_the_reward(self, form, expected):
        model = frozen(reward_form=form)
        works, conditions = real(model)
        d = 1 / (1 + np.exp(-model.discriminator.logits(works, conditions).astype(float)))
        assert np.ptp(d) > 1e-3
        np.testing.assert_allclose(model.rewards(works, conditions), expected(d), rtol=1e-3, atol=1e-5)

    def test_the_form_is_gails_where_there_is_nothing_to_imitate(self):
        assert (
            frozen(reward_form="auto").reward_function.settings.form
            == frozen().reward_function.settings.form
            == "log_ratio"
        )
        drawn = AdversarialDQN("auto", make_sb3_env("musegym/Digit-v0", 2, discriminator="none", data="sklearn"))
        assert drawn.reward_function.settings.form == "gail"

    @pytest.mark.parametrize("relabel", [True, False])
    def test_past_episodes_are_scored_anew_unless_rewards_are_kept(self, relabel, monkeypatch):
        model = agent(relabel=relabel, demonstrations=0, replayed=8)
        model.learn(10**6, callback=[callback(learning_rate=0.1), Stopper(3)])
        ((batch, by_decision),) = updates_of(model, monkeypatch)
        episodes, rewards = batch.replayed, by_decision.sum(1)[6:]  # this round's come first
        now = model.rewards(episodes.contents, episodes.conditions)
        assert np.array_equal(rewards, now) == relabel
        assert np.array_equal(rewards, episodes.rewards) == (not relabel)

    def test_without_replay_nothing_is_kept_or_saved_of_past_episodes(self, tmp_path):
        kept = {}
        for replayed in (0, 8):
            model = agent(replayed=replayed)
            model.learn(10**6, callback=[callback(), Stopper(3)])
            model.save(tmp_path / f"{replayed}.zip")
            kept[replayed] = checkpoint.read(tmp_path / f"{replayed}.zip")[1]["training"]["episodes"]
            assert (len(model.replay) > 0) == (replayed > 0)
        assert kept[0]["episodes"] == {}
        assert len(kept[8]["episodes"]["contents"]) == len(model.replay)

    @pytest.mark.parametrize("replayed", [0, 8])
    def test_rewards_that_are_kept_are_those_of_the_round(self, replayed, monkeypatch):
        model = agent(relabel=False, demonstrations=0, replayed=replayed)
        model.learn(10**6, callback=[callback(learning_rate=0.1), Stopper(2)])
        first = model.rewards(model.fresh.contents, model.fresh.conditions)
        ((batch, by_decision),) = updates_of(model, monkeypatch)
        assert np.ptp(first) > 0
        assert np.array_equal(by_decision.sum(1)[:6], batch.fresh.rewards), "without a replay, too"
        assert np.ptp(batch.fresh.rewards) > 0

    def test_n_steps_beyond_the_end_are_to_the_end(self):
        assert agent(n_steps=2**62).learner.n_steps == agent().learner.n_steps == agent().task.horizon

    def test_a_round_deals_its_episodes_into_batches(self, monkeypatch):
        model = agent(num_envs=20, minibatch=6, gradient_steps=2, demonstrations=2, replayed=3)
        model.learn(10**6, callback=[callback(), Stopper(2)])
        dealt = []
        update = model.learner.update
        monkeypatch.setattr(
            model.learner, "update", lambda batch, *rest: dealt.append(batch.fresh) or update(batch, *rest)
        )
        monkeypatch.setattr(model.adversary, "observe", lambda *works: dealt.append(works) or {})
        model.train(2)
        taught, learned = dealt[0::2], dealt[1::2]
        assert [len(fresh) for fresh in learned] == 2 * [7, 7, 6], "three batches, twice"
        for (contents, conditions), fresh in zip(taught, learned, strict=True):
            assert np.array_equal(contents, fresh.contents), "D learns from what the agent learns from next"
            assert np.array_equal(conditions, fresh.conditions)
        for half in (learned[:3], learned[3:]):
            rows = sorted(map(bytes, Episodes.join(half).actions))
            assert rows == sorted(map(bytes, model.fresh.actions)), "every one of them, once"

    @pytest.mark.parametrize("others", [0, 5])
    def test_what_the_target_network_said_when_it_built_is_not_computed_again(self, others):
        model = agent(num_envs=16, minibatch=4, demonstrations=others, replayed=others)
        model.learn(10**6, callback=[callback(), Stopper(3)])
        stop = Stopper(1)
        stop.init_callback(model)
        model.collect_rollouts(model.env, callback=stop)
        model.learner.sync_target()
        batch = Batch(model.fresh, real=model.real.sample(others, model.rng) if others else None)
        with torch.no_grad():
            log_probs, values, _ = batch.episodes.evaluate(model.policy.q_net_target, model.device)
        for parameter in model.q_net.parameters():
            parameter.data.add_(0.1)  # it moves on, the target network does not
        found, _ = model.learner._target(batch, torch.zeros_like(log_probs), torch.zeros_like(values))
        torch.testing.assert_close(found, log_probs, atol=1e-5, rtol=1e-5)

    def test_values_have_a_rate_and_a_norm_of_their_own(self, monkeypatch):
        clipped = []
        model = agent()
        clip = torch.nn.utils.clip_grad_norm_

        def spy(parameters, norm):
            clipped.append(list(parameters))
            return clip(clipped[-1], norm)

        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
        model.learn(10**6, callback=[callback(), Stopper(2)])
        policy, values = model.learner.optimizer.param_groups
        assert values["lr"] == pytest.approx(VALUE_RATE * policy["lr"])
        everything = [*policy["params"], *values["params"]]
        assert {id(p) for p in everything} == {id(p) for p in model.q_net.parameters()}
        assert len(everything) == len(list(model.q_net.parameters()))
        groups = [set(map(id, group["params"])) for group in (policy, values)]
        assert all(group in [set(map(id, parameters)) for parameters in clipped] for group in groups), "clipped apart"

    def test_same_seed_same_weights(self):
        def learned(seed):
            model = agent(seed=seed, warm_start=10)
            model.learn(100, callback=callback())
            return weights(model)

        first = learned(1)
        assert equal(first, learned(1))
        assert not equal(first, learned(2))

    @pytest.mark.parametrize("env_id", [WORD, BITS])
    @pytest.mark.parametrize(
        "options", [{"n_steps": 1}, {"alpha": 0.0}, {"demonstrations": 0}, {"replayed": 0}, {"gradient_steps": 2}]
    )
    def test_corners(self, env_id, options):
        model = agent(env_id, **options)
        before = weights(model)
        model.learn(40, callback=callback())
        assert not equal(before, weights(model))

    def test_on_sb3s_own_vector_environment(self):
        env = make_vec_env(WORD, 3, seed=0, env_kwargs={"discriminator": "none"})
        model = AdversarialDQN("auto", env, **SMALL)
        co = callback()
        model.learn(40, callback=co)
        shared = [one.unwrapped.discriminator is model.discriminator for one in env.envs]
        assert all(shared)

    def test_rules_count_with_their_weight(self):
        def mean_rules(weight):
            env = make_sb3_env(WORD, 32, seed=0, discriminator="none", rule_weight=weight)
            model = AdversarialDQN("auto", env, **{**SMALL, "demonstrations": 0, "learning_rate": 1e-2})
            model.discriminator = make_discriminator(model.task, **D)
            model.learn(4_000)
            return model.task.rules(generate(model, 200))[:, 0].mean()

        none = mean_rules(0.0)
        assert mean_rules(1.0) > none + 0.3, "the toy's first rule is worth a point for every a"
        assert mean_rules({"letters_a": 1.0}) > none + 0.3, "by its name"

    def test_rules_that_are_not_named_count_nothing(self):
        def pays(weight):
            env = make_sb3_env(WORD, 4, seed=0, discriminator="none", rule_weight=weight)
            model = AdversarialDQN("auto", env, **SMALL, discriminator_weight=0)
            contents, conditions = real(model)
            return model.rewards(contents, conditions), model.task.rules(contents, conditions)

        for weight, columns in (
            ({"vowels": 2.0}, [0, 2]),
            ({"letters_a": -1.0, "vowels": 0.5}, [-1, 0.5]),
            (3, [3, 3]),
        ):
            rewards, rules = pays(weight)
            assert np.ptp(rewards) > 0
            np.testing.assert_allclose(rewards, rules @ columns, rtol=1e-6)

    def test_weights_of_rules_by_name_are_kept_in_files(self, tmp_path):
        env = make_sb3_env(WORD, 4, seed=0, discriminator="none", rule_weight={"vowels": 2.0})
        AdversarialDQN("auto", env, **SMALL).save(tmp_path / "model.zip")
        assert AdversarialDQN.load(tmp_path / "model.zip").rule_weight == {"vowels": 2.0}

    def test_device_and_environment_by_name(self):
        model = AdversarialDQN("auto", WORD, device="cpu", **SMALL)
        model.learn(30, callback=callback())
        assert model.device == torch.device("cpu")

    def test_nan_is_an_error(self):
        model = frozen(demonstrations=0)
        model.discriminator.logits = lambda contents, conditions=None: np.full(len(contents), np.nan, np.float32)
        before = weights(model)
        with pytest.raises(FloatingPointError, match="learning_rate") as error:
            model.learn(50)
        assert "\n" not in str(error.value)
        assert equal(before, weights(model)), "the policy is left as it was"

    @pytest.mark.parametrize(
        "options",
        [
            {"temperature": 0}, {"temperature": float("nan")}, {"alpha": 1.5}, {"alpha": -0.1}, {"n_steps": 0},
            {"buffer_size": 0}, {"demonstrations": -1}, {"replayed": -1}, {"target_update_interval": 0},
            {"batch_size": 0}, {"warm_start": -1}, {"lead": -1}, {"schedule": (0.8, 0.3)}, {"schedule": (-0.1, 0.3)},
            {"gradient_steps": 0}, {"cross_entropy": -1.0}, {"reward_form": "wgan"},
        ],
    )  # fmt: skip
    def test_impossible_hyperparameters(self, options):
        with pytest.raises(ValueError, match=next(iter(options))) as error:
            agent(**options)
        assert "\n" not in str(error.value)

    def test_environments_that_build_nothing(self):
        with pytest.raises(TypeError, match="make_sb3_env"):
            AdversarialDQN("auto", make_vec_env("CartPole-v1", 1))
        with pytest.raises(TypeError, match="make_vec_env"):
            make_sb3_env("CartPole-v1", 1)


class TestSB3:
    def test_is_one_class(self):
        assert AdversarialDQN.__bases__ == (OffPolicyAlgorithm,)

    def test_a_callback_stops_learning(self):
        model, phases = agent(), Phases(stop_after=4)
        model.learn(10**6, callback=CallbackList([callback(), phases]))
        assert model._n_updates == 0, "the round in which it was stopped is the last"
        assert model._episode_num == 6

    def test_a_callback_stops_the_warm_start(self):
        model, phases = agent(warm_start=1000), Phases(stop_after=2)
        model.learn(10**6, callback=[callback(), phases])
        assert (model.warm_updates, model.num_timesteps) == (20, 0)

    def test_checkpoints_and_evaluation(self, tmp_path):
        model = agent()
        test_env = make_sb3_env(WORD, 2, seed=1, discriminator="none")
        evaluation = EvalCallback(test_env, n_eval_episodes=4, eval_freq=5, verbose=0, log_path=str(tmp_path))
        keep = CheckpointCallback(save_freq=5, save_path=str(tmp_path / "kept"))
        model.learn(150, callback=[callback(), evaluation, keep])
        kept = sorted((tmp_path / "kept").glob("*.zip"))
        assert kept
        AdversarialDQN.load(kept[0])
        assert np.load(tmp_path / "evaluations.npz")["ep_lengths"].min() >= 1
        mean, _ = evaluate_policy(model, test_env, n_eval_episodes=4)
        assert test_env.get_attr("discriminator")[0] is model.discriminator
        assert mean != 0, "the D that trains scores"

    def test_logs(self, tmp_path):
        model, lines = agent(warm_start=10, lead=1), Lines()
        model.set_logger(Logger(None, [lines]))
        model.learn(200, callback=callback(), log_interval=1)
        keys = set().union(*lines.lines)
        assert {
            "train/dqn_loss", "train/gan_loss", "train/joint_objective", "train/entropy", "train/cross_entropy",
            "train/n_updates", "validation/nll", "rollout/ep_len_mean", "time/total_timesteps", "time/episodes",
            "discriminator/loss", "discriminator/accuracy", "discriminator/updates",
        } <= keys  # fmt: skip
        last = lines.lines[-1]
        assert last["train/joint_objective"] == pytest.approx(last["train/dqn_loss"] + last["train/gan_loss"])
        assert last["validation/nll"] == pytest.approx(-model.log_prob(*real(model, "validation")).mean())
        assert last["time/total_timesteps"] == model.num_timesteps
        steps = [line["time/total_timesteps"] for line in lines.lines]
        assert steps == sorted(steps)

    def test_tensorboard(self, tmp_path):
        model = agent(tensorboard_log=str(tmp_path))
        model.learn(60, callback=callback(), log_interval=1, tb_log_name="words")
        (events,) = tmp_path.glob("words_1/events.out.tfevents.*")
        assert b"train/joint_objective" in events.read_bytes()

    @pytest.mark.filterwarnings("ignore::tqdm.TqdmExperimentalWarning")
    def test_progress_bar_ends_at_its_total(self, capfd):
        model = agent()
        model.learn(30, callback=callback())
        model.learn(60, callback=callback(), progress_bar=True, reset_num_timesteps=False)
        shown = "".join(capfd.readouterr())
        assert "100%" in shown
        assert "60/60" in shown

    def test_predict_of_one_and_of_many(self):
        model = agent(num_envs=3)
        observations = model.env.reset()
        actions, state = model.predict(observations)
        assert actions.shape == (3,)
        assert [len(array) for array in state] == [3, 3, 3]
        action, _ = model.predict(observations[0])
        assert np.shape(action) == ()
        assert model.action_space.contains(np.int64(action))

    def test_predict_is_recurrent_and_is_the_policy(self):
        """Greedy ``predict`` step by step, through finished episodes, goes the way of ``generate``."""
        model = agent(num_envs=4)
        for parameter in model.q_net.parameters():
            parameter.data *= 4  # so that the past matters
        observations, state, start = model.env.reset(), None, np.ones(4, bool)
        contents = []
        for _ in range(30):
            actions, state = model.predict(observations, state, start, deterministic=True)
            observations, _, start, infos = model.env.step(actions)
            contents += [info["content"] for info in infos if "content" in info]
        both = {bytes(generate(model, 1, temperature=0, condition=np.array([c]))[0]) for c in (0, 1)}
        assert len(contents) > 8
        assert {bytes(content) for content in contents} == both

    def test_predict_samples_legal_actions_from_its_own_generator(self):
        model = agent(num_envs=64)
        observations = model.env.reset()
        mask = np.zeros((64, model.task.num_actions), bool)
        mask[:, [2, 5]] = True
        torch.manual_seed(0)
        before = torch.random.get_rng_state()
        drawn = [model.predict(observations, action_masks=mask)[0] for _ in range(5)]
        assert set(np.unique(drawn)) == {2, 5}
        assert (drawn[0] != drawn[1]).any()
        assert torch.equal(torch.random.get_rng_state(), before)
        assert set(model.predict(observations)[0]) <= set(range(8)), "the shortest word has a letter: END is illegal"
        greedy = [model.predict(observations, deterministic=True)[0] for _ in range(2)]
        assert (greedy[0] == greedy[1]).all()

    def test_predict_leaves_the_given_state_alone(self):
        model = agent(num_envs=2)
        observations = model.env.reset()
        _, state = model.predict(observations)
        kept = copy.deepcopy(state)
        model.predict(observations, state, np.array([True, False]))
        assert all(np.array_equal(a, b) for a, b in zip(state, kept, strict=True))


class TestLogProb:
    def test_of_all_contents_sums_to_one(self):
        model = agent(BITS)
        model.learn(100, callback=callback())
        every = np.array(list(np.ndindex(2, 2, 2, 2)), np.int8)
        assert np.exp(model.log_prob(every)).sum() == pytest.approx(1, abs=1e-5)

    def test_of_all_contents_of_unequal_lengths_sums_to_one(self):
        model = agent(warm_start=20)
        model.learn(1, callback=callback())
        words = [[a] for a in range(8)]
        words += [[a, b] for a in range(8) for b in range(8) if a != b]
        words += [[*word, c] for word in words if len(word) == 2 for c in range(8) if c != word[-1]]
        every = np.zeros((len(words), toys.LONGEST), np.int8)
        for row, letters in zip(every, words, strict=True):
            row[: len(letters)] = np.array(letters) + 1
        log_prob = model.log_prob(every, np.zeros((len(words), 1), int))  # short: one to three letters
        assert np.exp(log_prob).sum() == pytest.approx(1, abs=1e-5)
        assert np.ptp(log_prob) > 2, "not uniform"

    def test_of_what_cannot_be_built(self):
        with pytest.raises(ValueError, match="cannot be built"):
            agent().log_prob(np.full((1, toys.LONGEST), 1, np.int8), np.ones((1, 1), int))

    def test_depends_on_the_conditions_and_needs_them(self):
        model = agent(warm_start=20)
        contents = np.array([[1, 2, 3, 0, 0, 0]], np.int8)  # its three letters end a short word by themselves
        with pytest.raises(ValueError, match="cannot be built"):
            model.log_prob(contents, np.array([[1]]))
        with pytest.raises(ValueError, match=r"pass conditions=int \[N, 1\]"):
            model.log_prob(contents)
        longer = np.array([[1, 2, 3, 4, 0, 0]], np.int8)
        assert model.log_prob(contents, np.array([[0]])) != model.log_prob(longer, np.array([[1]]))

    def test_of_given_actions_is_of_that_order(self):
        """Two orders of painting two cells: each has a probability of its own, and a lower bound of the work's."""
        model = AdversarialDQN("auto", "toy/AnyOrder-v0", **SMALL)
        for weights_of in model.q_net.parameters():
            weights_of.data *= 4  # so that the orders differ
        contents, conditions = np.array([[1, 0, 1, 0]], np.int8), np.array([[0]])
        there, back = (model.log_prob(contents, conditions, np.array([order])) for order in ([0, 2, 0], [2, 0, 0]))
        assert there != back
        assert np.array_equal(there, model.log_prob(contents, conditions)), "its demonstration is the ordered one"
        every = probes.Enumeration(model.task)
        whole = every.log_prob(model)[every.index(contents, conditions)]
        np.testing.assert_allclose(np.logaddexp(there, back), whole, rtol=1e-5)


class TestGenerate:
    def test_seeded(self):
        model = agent()
        first = generate(model, 40, seed=1)
        torch.manual_seed(5)
        assert np.array_equal(first, generate(model, 40, seed=1))
        assert not np.array_equal(first, generate(model, 40, seed=2))
        assert first.shape == (40, toys.LONGEST)

    def test_in_parts(self, monkeypatch):
        monkeypatch.setattr("musegym.agents.generation.ROWS", 7)
        assert generate(agent(), 20).shape == (20, toys.LONGEST)

    def test_condition_of_all_and_of_each(self):
        model = agent()
        assert ((generate(model, 10, condition=np.array([1])) > 0).sum(1) > 3).all(), "long words"
        each = np.arange(10)[:, None] % 2
        built = generate_episodes(model, 10, condition=each)
        assert (built.conditions == each).all()
        assert ((built.contents > 0).sum(1) > 3).tolist() == (each[:, 0] == 1).tolist()
        assert len(np.unique(generate_episodes(model, 50).conditions)) == 2

    def test_prefix(self):
        model = agent()
        contents = generate(model, 20, prefix=np.array([3, 0]), condition=np.array([1]))
        assert (contents[:, :2] == [4, 1]).all()

    @pytest.mark.parametrize(
        "options",
        [
            {"num": 0}, {"temperature": -1.0}, {"condition": np.array([0, 0])}, {"condition": np.array([0.5])},
            {"condition": np.array([2])}, {"condition": np.array([-1])}, {"prefix": np.array([9])},
            {"prefix": np.array([-2])}, {"prefix": np.array([[1]])},
        ],
    )  # fmt: skip
    def test_impossible(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            generate(agent(), **{"num": 3, **options})


class Payload:
    """Touches a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


class TestFiles:
    @pytest.mark.parametrize("steps", [0, 20, 60, 300])
    def test_goes_on_as_if_nothing_had_happened(self, tmp_path, steps):
        """Saved in the warm start, while D leads, and in the rounds."""

        def fresh():
            return agent(warm_start=30, lead=3, learning_rate=1e-3)

        class SaveAt(BaseCallback):
            def _on_step(self):
                return True

            def _on_rollout_start(self):
                warm = self.model.warm_updates == 10 if steps == 0 else self.model.warm_updates == 30
                if warm and self.model.num_timesteps >= steps and not path.exists():
                    self.model.save(path)

        path = tmp_path / "model.zip"
        whole = fresh()
        whole.learn(400, callback=[callback(), SaveAt()])
        again = AdversarialDQN.load(path)
        assert again.num_timesteps < whole.num_timesteps
        assert (again.warm_updates < 30) == (steps == 0)
        assert (again._n_updates > 0) == (steps >= 300)
        again.learn(400 - again.num_timesteps, callback=callback(), reset_num_timesteps=False)
        assert equal(again.state_dict()["training"], whole.state_dict()["training"]), (
            "optimisers, replay and random states too"
        )
        assert equal(weights(again), weights(whole))
        assert equal(again.trainer.state_dict(), whole.trainer.state_dict())
        assert np.array_equal(generate(again, 9), generate(whole, 9))

    def test_without_training_state(self, tmp_path):
        model = agent()
        model.learn(60, callback=callback())
        model.save(tmp_path / "whole.zip")
        model.save(tmp_path / "policy.zip", training=False)
        model.save(tmp_path / "half.zip", half=True)
        sizes = [(tmp_path / name).stat().st_size for name in ("whole.zip", "policy.zip", "half.zip")]
        assert sizes == sorted(sizes, reverse=True)
        policy, half = (AdversarialDQN.load(tmp_path / name) for name in ("policy.zip", "half.zip"))
        assert equal(weights(policy), weights(model))
        assert policy.trainer is None
        assert np.allclose(half.log_prob(*real(model)), model.log_prob(*real(model)), atol=0.05)
        with pytest.raises(ValueError, match="DiscriminatorCallback"):
            policy.learn(10)

    def test_keeps_the_environment_and_the_arguments(self, tmp_path):
        env = make_sb3_env(WORD, 5, seed=3, discriminator="none", rule_weight=0.5, double=True)
        model = AdversarialDQN("auto", env, **SMALL, alpha=0.5, n_steps=2, learning_rate=3e-3, schedule=(0.1, 0.2))
        model.save(tmp_path / "model.zip")
        again = AdversarialDQN.load(tmp_path / "model.zip", temperature=2.0)
        assert again.config == dataclasses.replace(model.config, temperature=2.0)
        assert (again.learner.n_steps, again.temperature) == (2, 2.0)
        assert again.lr_schedule(1.0) == 3e-3
        assert again.rule_weight == 0.5
        assert again.n_envs == 5
        assert again.task.kwargs() == {"double": True}

    def test_replaces_the_old_file_as_a_whole(self, tmp_path, monkeypatch):
        path, model = tmp_path / "model.zip", agent()
        model.save(path)
        before = path.read_bytes()

        def full(*_):
            raise OSError("no space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            model.save(path)
        assert path.read_bytes() == before

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="give the file"):
            AdversarialDQN.load(tmp_path / "none.zip")

    def test_needs_an_environment_that_can_be_made_again(self, tmp_path):
        nameless = DummyVecEnv([lambda: TaskEnv(task="toys:WordTask", discriminator="none")])
        model = AdversarialDQN("auto", nameless, **SMALL)
        with pytest.raises(ValueError, match="make_sb3_env"):
            model.save(tmp_path / "model.zip")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.zip"
    model = agent()
    model.learn(60, callback=callback())
    model.save(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def pack(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def refuse(path):
    with pytest.raises(ValueError, match="is not a usable model") as error:
        AdversarialDQN.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def tensors(data):
    return torch.load(io.BytesIO(data), weights_only=True)


def stored(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


class TestDoctoredFiles:
    def test_the_original_is_fine(self, tmp_path, saved):
        AdversarialDQN.load(pack(tmp_path / "model.zip", saved))

    @pytest.mark.parametrize("member", ["policy.pt", "training.pt", "trainer.pt", "extra.pt"])
    def test_payloads_are_never_executed(self, tmp_path, saved, member):
        touched = tmp_path / "touched"
        for data in (pickle.dumps(Payload(touched)), stored(Payload(touched)), stored({"table": Payload(touched)})):
            refuse(pack(tmp_path / "model.zip", saved | {member: data}))
            assert not touched.exists()
        torch.load(io.BytesIO(stored(Payload(touched))), weights_only=False).close()
        assert touched.exists(), "the payload works where pickles are trusted"

    @pytest.mark.parametrize(
        "change",
        [
            {"env": {"env_id": "toy/Word-v0", "num_envs": 2, "task": "subprocess:Popen"}},
            {"env": {"env_id": "toy/Missing-v0", "num_envs": 2}},
            {"env": {"env_id": "no_such_module:toy/Word-v0", "num_envs": 2}},
            {"env": {"env_id": "CartPole-v1", "num_envs": 2}},
            {"env": {"env_id": BITS, "num_envs": 2}},
            {"env": {"env_id": WORD, "num_envs": -2}},
            {"env": {"env_id": WORD, "num_envs": 2, "wrappers": ["x"]}},
            {"env": []},
            {"arguments": {}},
            {"arguments": {"seed": 0, "schedule": [0, 0], "tensorboard_log": "/"}},
            {"arguments": {"seed": 0, "schedule": [0, 0], "policy_kwargs": {"hidden": -3}}},
            {"arguments": {"seed": 0, "schedule": 7}},
            {"format": "another"},
        ],
        ids=str,
    )
    def test_config(self, tmp_path, saved, change):
        config = json.loads(saved["config.json"]) | change
        refuse(pack(tmp_path / "model.zip", saved | {"config.json": json.dumps(config)}))

    @pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000], ids=lambda text: text[:2])
    def test_json(self, tmp_path, saved, text):
        refuse(pack(tmp_path / "model.zip", saved | {"config.json": text}))

    def test_weights(self, tmp_path, saved):
        good = tensors(saved["policy.pt"])
        name = "advantages.weight"
        for bad in (
            {**good, name: torch.zeros(3, 3)},
            {**good, name: torch.full_like(good[name], torch.nan)},
            {**good, name: "text"},
            {key: value for key, value in good.items() if key != name},
            {**good, "more": torch.zeros(1)},
            [],
            torch.zeros(3),
        ):
            refuse(pack(tmp_path / "model.zip", saved | {"policy.pt": stored(bad)}))
        refuse(pack(tmp_path / "model.zip", {name: data for name, data in saved.items() if name != "policy.pt"}))

    @pytest.mark.parametrize("key", ["target", "optimizer", "imitator", "episodes", "rng", "generator", "counts"])
    def test_training_state(self, tmp_path, saved, key):
        good = tensors(saved["training.pt"])
        for bad in (
            {name: value for name, value in good.items() if name != key}, {**good, key: 3}, {**good, key: {"a": 1}}
        ):  # fmt: skip
            refuse(pack(tmp_path / "model.zip", saved | {"training.pt": stored(bad)}))

    @pytest.mark.parametrize("key", ["options", "discriminator", "past", "rng"])
    def test_trainer_state(self, tmp_path, saved, key):
        good = tensors(saved["trainer.pt"])
        for bad in ({name: value for name, value in good.items() if name != key}, {**good, key: {"a": 1}}):
            refuse(pack(tmp_path / "model.zip", saved | {"trainer.pt": stored(bad)}))

    def test_damaged(self, tmp_path, saved):
        whole = tmp_path / "whole.zip"
        agent().save(whole)
        data = whole.read_bytes()
        path = tmp_path / "model.zip"
        for bad in (b"", b"text", data[: len(data) // 2], data[:-10], pickle.dumps({"a": 1})):
            path.write_bytes(bad)
            refuse(path)
        rng, accepted, said = np.random.default_rng(0), 0, []
        for _ in range(30):
            damaged = bytearray(data)
            for place in rng.integers(len(data), size=20):
                damaged[place] ^= int(rng.integers(1, 256))
            path.write_bytes(bytes(damaged))
            try:
                AdversarialDQN.load(path)
                accepted += 1  # only dates in the directory were hit
            except ValueError as error:
                said.append(str(error))
        assert all("is not a usable model" in message for message in said)
        assert accepted < 10


def test_trainer_of_ones_own():
    model = agent()
    trainer = DiscriminatorTrainer(make_discriminator(model.task, **D), model.task, batch_size=8)
    model.learn(50, callback=DiscriminatorCallback(trainer))
    assert model.trainer is trainer
    assert trainer.discriminator.updates > 0
