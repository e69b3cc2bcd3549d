"""Learning beside a prior, from rules as they fall due, with a maximum: what RL Tuner's variants need of the agent."""

import numpy as np
import pytest
import torch
import toys
from probes import CPU, EveryBitsTask, Fixed, log_sums, q_learning
from stable_baselines3.common.callbacks import BaseCallback
from test_probes import agent, everything, learn, slow

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, generate, make_sb3_env

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
RULED = "probe/Ruled-v0"
PSI = {"alpha": 0.0, "n_steps": 1, "prior_weight": 1.0}
VARIANTS = {"psi": PSI, "g": {**PSI, "relative_to_prior": True}}
DUE = np.random.default_rng(3).uniform(-1, 1, (4, 2, 2))
"""Rewards of the rules for a bit, by its place, the bit before and itself."""


class RuledBitsTask(EveryBitsTask):
    """Four bits under rules, each of which speaks of a bit and the one before."""

    rule_names = ("pairs", "nothing")

    def step_rules(self, contents, conditions=None):
        before = np.concatenate([np.zeros_like(contents[:, :1]), contents[:, :-1]], 1)
        due = DUE[np.arange(4), before, contents]
        return np.stack([due, np.zeros_like(due)], 2)

    def rules(self, contents, conditions=None):
        return self.step_rules(contents).sum(1)


def beside_a_prior(env_id="probe/Bits-v0", **options) -> AdversarialDQN:
    """Returns an agent whose policy, which will be the prior, is not uniform."""
    musegym.register(RULED, "test_variants:RuledBitsTask")
    model = agent(env_id, **options)
    model.q_net.advantages.weight.data *= 6
    return model


def discounted_policy(every, gains, gamma):
    """Returns log pi(a_t|s_t) of all paths, float64 [N, T], that is optimal for gains [N, T] and entropy (tau = 1).

    U(s) = log sum_a exp(gain(s, a) + gamma U(s')), by backward induction.
    """
    values, log_policy = np.zeros(len(gains)), np.zeros(gains.shape)
    for t in reversed(range(gains.shape[1])):
        q, states = gains[:, t] + gamma * values, every.states(t)
        one_each = np.unique(every.states(t + 1), return_index=True)[1]
        values = log_sums(q[one_each], states[one_each])[states]
        log_policy[:, t] = q - values
    return log_policy


class TestPrior:
    @pytest.mark.parametrize(("variant", "n_steps"), slow(("g", 1), ("psi", 1), ("g", None), ("psi", None)))
    def test_settles_at_the_prior_times_the_exponential_of_the_reward(self, variant, n_steps):
        every = everything()
        rewards = np.random.default_rng(4).uniform(-1, 1, 16)
        options = {**VARIANTS[variant], "n_steps": n_steps}
        model = beside_a_prior(discriminator=Fixed(every, rewards), discriminator_weight=1.5, **options)
        prior = every.log_prob(model)
        expected = every.normalised(prior + 1.5 * rewards)
        assert every.distance(prior, np.full(16, np.log(1 / 16))) > 0.1, "the prior prefers something"
        assert every.distance(prior, expected) > 0.1, "and the reward something else"
        learn(model, 300)
        assert every.distance(every.log_prob(model), expected) < 0.02
        values, _ = every.evaluate(model)
        assert values[0, 0] == pytest.approx(np.log(np.exp(prior + 1.5 * rewards).sum()), abs=0.05)
        kept = every.paths.evaluate(model.policy.prior, CPU)[0].sum(1)
        np.testing.assert_allclose(kept, prior[every.builds], atol=1e-5, err_msg="the prior stays")

    def test_additions_to_the_prior_begin_at_zero(self):
        model = beside_a_prior(**VARIANTS["g"], discriminator_weight=0.0)
        before = everything().log_prob(model)
        model.policy.freeze_prior(relative=True)
        np.testing.assert_allclose(everything().log_prob(model), before, atol=1e-5)

    def test_is_the_policy_at_the_end_of_the_warm_start(self):
        model = agent(warm_start=15, rows=4, **PSI, discriminator_weight=0.0)
        seen = {}

        class Looker(BaseCallback):
            def _on_step(self):
                if model._n_updates == 0:
                    seen.update({name: value.clone() for name, value in model.q_net.state_dict().items()})
                return True

        model.learn(64, callback=Looker())
        assert model._n_updates > 1
        for name, value in model.policy.prior.state_dict().items():
            assert torch.equal(value, seen[name])
        assert not torch.equal(seen["table"], model.q_net.table)


class TestDenseRules:
    @pytest.mark.parametrize("gamma", [0.5, *slow((1.0,))])
    def test_settle_where_the_discounted_rules_say(self, gamma):
        every = everything(RuledBitsTask)
        model = beside_a_prior(
            RULED, task={"rule_weight": 1.5}, **PSI, gamma=gamma, dense_rules=True, discriminator_weight=0.0
        )
        _, prior = every.evaluate(model)
        due = model.task.step_rules(every.paths.contents)[..., 0]
        expected = discounted_policy(every, prior + 1.5 * due, gamma).sum(1)
        other = discounted_policy(every, prior + 1.5 * due, 1.5 - gamma).sum(1)
        assert every.distance(expected, other) > 0.05, "the discount tells"
        if gamma == 1:
            whole = every.normalised(prior.sum(1) + 1.5 * model.task.rules(every.contents)[:, 0])
            np.testing.assert_allclose(expected, whole, atol=1e-5)
        learn(model, 300)
        assert every.distance(every.log_prob(model), expected) < 0.02

    @pytest.mark.parametrize(("named", "times"), [(None, 2), ("pairs", 2), ("nothing", 0)])
    def test_are_paid_when_they_fall_due(self, named, times):
        weight = 2.0 if named is None else {named: 2.0}
        model = beside_a_prior(RULED, task={"rule_weight": weight}, dense_rules=True, discriminator_weight=0.5)
        every = everything(RuledBitsTask)
        model.discriminator = Fixed(every, np.linspace(-2, 2, 16))
        ends = model.rewards(every.contents, None)
        np.testing.assert_allclose(ends, np.linspace(-1, 1, 16), rtol=1e-6, err_msg="no rules at the end")
        found = model.reward_function.by_decision(every.paths, ends)
        expected = times * model.task.step_rules(every.contents)[..., 0]
        expected[:, -1] += ends
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_need_a_task_that_says_when(self):
        with pytest.raises(ValueError, match="dense_rules") as error:
            agent(dense_rules=True)
        assert "\n" not in str(error.value)


class TestHardTargets:
    def test_are_those_of_q_learning(self):
        every = everything()
        rewards = np.random.default_rng(5).uniform(-1, 1, 16)
        options = {"n_steps": 1, "alpha": 0.0, "hard": True, "rows": 20, "demonstrations": 40}
        model = learn(agent(discriminator=Fixed(every, rewards), **options), 300)
        values, taken = every.evaluate(model)
        q, best = q_learning(every, rewards)
        np.testing.assert_allclose(values + taken, q, atol=0.1)
        assert (values[:, 0] > best[:, 0] + 0.1).all(), "while V is the soft value of the same Q"


def test_target_moves_by_its_share():
    options = {**PSI, "gradient_steps": 1, "discriminator_weight": 0.0}
    model = agent(target_update_interval=1, target_share=0.25, rows=4, **options)
    learn(model, 1)
    before = {name: value.clone() for name, value in model.policy.q_net_target.named_parameters()}
    model._current_progress_remaining = 1.0  # rates are zero at the end
    model.train(1)
    moved = 0.0
    for name, own in model.q_net.named_parameters():
        target = model.policy.q_net_target.get_parameter(name)
        torch.testing.assert_close(target, 0.75 * before[name] + 0.25 * own)
        moved += float((target - before[name]).detach().abs().sum())
    assert moved > 0


def test_without_a_discriminator():
    env = make_sb3_env("toy/Word-v0", 32, seed=0, discriminator="none", rule_weight=1.0)
    network = {"hidden": 16, "embedding": 8, "dropout": 0.0}
    options = {"demonstrations": 0, "policy_kwargs": network, "gradient_steps": 2, "seed": 0, "warm_start": 0}
    model = AdversarialDQN("auto", env, 1e-2, discriminator_weight=0, **options)
    before = model.task.rules(generate(model, 200)).sum(1).mean()
    callback = DiscriminatorCallback(hidden=8, embedding=4)
    model.learn(5_000, callback=callback)
    after = model.task.rules(generate(model, 200)).sum(1).mean()
    assert after > before + 0.6, "the toy's rules are worth two points for every a, one for every e"
    assert callback.trainer.discriminator.updates == 0, "nobody asks D"


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 1.5}, {"gamma": -0.1}, {"target_share": 0.0}, {"target_share": 2.0}, {"prior_weight": -1.0},
        {"discriminator_weight": -1.0}, {"hard": True}, {"hard": True, "n_steps": 1, "alpha": 0.5},
    ],
)  # fmt: skip
def test_impossible_hyperparameters(options):
    with pytest.raises(ValueError, match=next(iter(options))) as error:
        agent(**options)
    assert "\n" not in str(error.value)


class TestFiles:
    @pytest.mark.parametrize("variant", VARIANTS)
    def test_go_on_as_if_nothing_had_happened(self, variant, tmp_path):
        def fresh():
            options = {"policy_kwargs": {"hidden": 8, "embedding": 4, "dropout": 0.2}, "warm_start": 5}
            env = make_sb3_env("toy/Word-v0", 4, seed=0, discriminator="none", rule_weight=0.5)
            return AdversarialDQN("auto", env, 1e-3, seed=0, discriminator_weight=0, **VARIANTS[variant], **options)

        path, whole = tmp_path / "model.zip", fresh()

        class Saver(BaseCallback):
            def _on_step(self):
                return True

            def _on_rollout_start(self):
                if whole._n_updates == 2 and not path.exists():
                    whole.save(path)

        whole.learn(150, callback=Saver())
        again = AdversarialDQN.load(path)
        assert 0 < again.num_timesteps < whole.num_timesteps
        again.learn(150 - again.num_timesteps, reset_num_timesteps=False)
        for name, value in whole.q_net.state_dict().items():
            assert torch.equal(value, again.q_net.state_dict()[name])
        for name, value in whole.policy.prior.state_dict().items():
            assert torch.equal(value, again.policy.prior.state_dict()[name])

    def test_policies_beside_a_prior_bring_it(self, tmp_path):
        env = make_sb3_env("toy/Word-v0", 4, seed=0, discriminator="none", rule_weight=0.5)
        model = AdversarialDQN("auto", env, 1e-2, seed=0, discriminator_weight=0, **VARIANTS["g"], warm_start=5)
        model.learn(100)
        real = model.task.works("train")
        works = real.contents, real.conditions
        model.save(tmp_path / "policy.zip", training=False)
        model.save(tmp_path / "half.zip", half=True)
        policy, half = (AdversarialDQN.load(tmp_path / name) for name in ("policy.zip", "half.zip"))
        np.testing.assert_array_equal(policy.log_prob(*works), model.log_prob(*works))
        np.testing.assert_allclose(half.log_prob(*works), model.log_prob(*works), atol=0.05)
        np.testing.assert_array_equal(generate(policy, 9), generate(model, 9))
        observations, state, start = env.reset(), None, np.ones(4, bool)
        contents = []
        for _ in range(15):
            actions, state = policy.predict(observations, state, start, deterministic=True)
            observations, _, start, infos = env.step(actions)
            contents += [bytes(info["content"]) for info in infos if "content" in info]
        greedy = {bytes(generate(policy, 1, temperature=0, condition=np.array([c]))[0]) for c in (0, 1)}
        assert set(contents) == greedy, "step by step as all at once"
