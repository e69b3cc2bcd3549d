"""The agent's fixed points on toys small enough to compute them: distributions, values, and a reward that moves.

Nothing but rewards teaches it here: no warm start, no cross-entropy, and no demonstrations unless a test says so.
"""

import functools

import numpy as np
import pytest
import torch
from probes import CellsTask, Enumeration, EveryBitsTask, Exact, Fixed, munchausen_values, q_learning, settled
from stable_baselines3.common.callbacks import BaseCallback
from test_precision import learns_in_16_bits

import musegym
from musegym.agents import AdversarialDQN, generate, learner, make_sb3_env
from musegym.envs.checks import check_task
from musegym.envs.rewards import CLIP

torch.set_num_threads(1)  # a second thread is slower for networks this small
BITS, CELLS = "probe/Bits-v0", "probe/Cells-v0"
SETTINGS = {
    "seed": 0, "warm_start": 0, "lead": 0, "demonstrations": 0, "cross_entropy": 0.0, "weight_decay": 0.0,
    "learning_rate": 1e-2, "precision": "float32",
    "target_update_interval": 2, "gradient_steps": 2, "policy_kwargs": {"hidden": 40, "embedding": 20, "dropout": 0.0},
}  # fmt: skip


def slow(*cases):
    """Returns cases that the fast tests leave out: each takes seconds, and others like it are among them."""
    return [pytest.param(*case, marks=pytest.mark.slow) for case in cases]


@functools.cache
def everything(task_class=EveryBitsTask, **options) -> Enumeration:
    return Enumeration(task_class(**options))


def agent(env_id=BITS, rows=48, task=None, **options) -> AdversarialDQN:
    musegym.register(BITS, "probes:EveryBitsTask")  # not at import: other files test all that is registered there
    musegym.register(CELLS, "probes:CellsTask")
    env = make_sb3_env(env_id, rows, seed=0, discriminator="none", **task or {})
    return AdversarialDQN("auto", env, **{**SETTINGS, **options})


def learn(model: AdversarialDQN, updates: int, callback=None) -> AdversarialDQN:
    """Learns for so many updates; for some more where episodes end before the horizon."""
    rounds = updates // model.gradient_steps
    return model.learn(model.task.horizon * model.n_envs * rounds, callback=callback, log_interval=10**9)


def preferences(every: Enumeration, seed: int) -> np.ndarray:
    """Returns log p_data(x|c) of an uneven distribution over all contents."""
    return every.normalised(1.2 * np.random.default_rng(seed).standard_normal(len(every.contents)))


def matching(every: Enumeration, log_data: np.ndarray, updates: int, env_id=BITS, **options) -> AdversarialDQN:
    """Returns an agent that learned from scratch from an exact discriminator of such data."""
    model = agent(env_id, **options)
    model.discriminator = Exact(every, log_data, model)
    return learn(model, updates)


def rewarded(every: Enumeration, rewards: np.ndarray, updates: int, env_id=BITS, **options) -> AdversarialDQN:
    """Returns an agent that learned from scratch from rewards that stay."""
    return learn(agent(env_id, discriminator=Fixed(every, rewards), **options), updates)


class TestExactDiscriminator:
    @pytest.mark.parametrize(
        ("alpha", "temperature"),
        [
            *((0.5, 1.0), (1.0, 0.5)),
            *slow((0.0, 2.0), (0.9, 4.0), (0.0, 0.5), (0.5, 3.0), (0.9, 1.0), (1.0, 2.0)),
        ],
    )
    def test_settles_at_a_power_of_the_data(self, alpha, temperature):
        every = everything()
        log_data = preferences(every, 0)
        model = matching(every, log_data, 160, alpha=alpha, temperature=temperature)
        power = 1 / (1 + temperature * (1 - alpha))
        expected, reached = every.normalised(power * log_data), every.log_prob(model)
        assert every.distance(reached, expected) < 0.02
        powers = np.linspace(0, 1.5, 151)
        best = powers[np.argmin([every.distance(reached, every.normalised(p * log_data)) for p in powers])]
        assert best == pytest.approx(power, abs=0.05), "no other power describes it better"
        values, _ = every.evaluate(model)
        soft = every.soft_values(log_data - expected, (1 - alpha) * temperature)
        assert temperature * values[0, 0] == pytest.approx(soft[0, 0], abs=0.03)

    @pytest.mark.parametrize("n_steps", slow((1,), (3,)))
    def test_settles_there_with_shorter_paths(self, n_steps):
        every = everything()
        log_data = preferences(every, 1)
        model = matching(every, log_data, 240, n_steps=n_steps, alpha=0.5)
        assert every.distance(every.log_prob(model), settled(every, log_data, 0.5, 1.0)) < 0.02

    @learns_in_16_bits
    def test_settles_there_in_16_bits(self):
        every = everything()
        log_data = preferences(every, 0)
        model = matching(every, log_data, 160, alpha=0.5, precision="bfloat16")
        assert every.distance(every.log_prob(model), settled(every, log_data, 0.5, 1.0)) < 0.03

    def test_settles_there_on_episodes_of_others(self):
        """Fresh, replayed and demonstrated episodes obey the same equations, so none needs importance weights."""
        every = everything()
        log_data = preferences(every, 2)
        model = matching(every, log_data, 160, alpha=0.5, rows=16, replayed=16, demonstrations=16)
        assert every.distance(every.log_prob(model), settled(every, log_data, 0.5, 1.0)) < 0.02


class TestConditionsAndOrders:
    def test_the_toys_keep_the_contract(self):
        for task in (EveryBitsTask(), CellsTask(ordered=True), CellsTask(ordered=False)):
            check_task(task)

    def test_counts_of_paths(self):
        ordered, free = everything(CellsTask), everything(CellsTask, ordered=False)
        assert len(ordered.paths) == len(ordered.contents) == 11 + 15, "up to two of four cells, up to three"
        assert len(free.contents) == 11 + 15
        assert len(free.paths) == (1 + 4 + 12) + (1 + 4 + 12 + 24)
        painted = free.contents.sum(1)
        assert free.orders.tolist() == [[1, 1, 2, 6][k] for k in painted]

    @pytest.mark.parametrize(("alpha", "n_steps"), slow((1.0, None), (0.5, 1)))
    def test_matches_under_every_condition(self, alpha, n_steps):
        every = everything(CellsTask)
        log_data = preferences(every, 4)
        few = every.conditions[:, 0] == 0
        twins = every.index(every.contents[few], 1 - every.conditions[few])
        apart = 0.5 * np.abs(np.exp(log_data[few]) - np.exp(log_data[twins])).sum()
        assert apart > 0.3, "the conditions differ in what they want"
        model = matching(every, log_data, 400, CELLS, alpha=alpha, n_steps=n_steps)
        assert every.distance(every.log_prob(model), settled(every, log_data, alpha, 1.0)) < 0.03

    @pytest.mark.parametrize("alpha", [1.0, *slow((0.0,))])
    def test_contents_match_in_whatever_order_they_are_built(self, alpha):
        every = everything(CellsTask, ordered=False)
        log_data = preferences(every, 5)
        model = matching(every, log_data, 200, CELLS, alpha=alpha, task={"ordered": False})
        reached, expected = every.log_prob(model), settled(every, log_data, alpha, 1.0)
        assert every.distance(reached, expected) < 0.03
        if alpha == 1:
            np.testing.assert_allclose(expected, log_data)
        else:
            assert every.distance(reached, every.normalised(log_data / 2)) > 0.1, "many orders count for a work here"


class Switch(BaseCallback):
    """Changes the data of an exact discriminator after half of the run."""

    def __init__(self, log_data):
        super().__init__()
        self.log_data, self.reached = log_data, None

    def _on_rollout_start(self):
        if self.reached is None and self.model.num_timesteps >= self.model._total_timesteps / 2:
            exact = self.model.discriminator
            self.reached, exact.log_data = exact.every.log_prob(self.model), self.log_data

    def _on_step(self):
        return True


class TestRewardThatMoves:
    def test_is_followed(self):
        every = everything()
        first = preferences(every, 6)
        second = every.normalised(-first)
        assert every.distance(first, second) > 0.4
        model, switch = agent(rows=16, replayed=32), Switch(second)
        model.discriminator = Exact(every, first, model)
        learn(model, 300, callback=switch)
        assert len(model.replay) == 16 * 150, "what was built for the first half's sake is replayed to the end"
        assert every.distance(switch.reached, first) < 0.1
        assert every.distance(every.log_prob(model), second) < 0.03

    def test_replayed_contents_are_worth_what_they_are_worth_now(self, monkeypatch):
        class Noting(Fixed):
            scored = ()

            def logits(self, contents, conditions=None):
                self.scored = (*self.scored, *every.index(contents))
                return super().logits(contents)

        every = everything()
        model = rewarded(every, np.linspace(-2, 2, 16), 10, rows=4, replayed=20, demonstrations=3, temperature=0.5)
        used, q_errors = [], learner.q_errors

        def errors(taken, target_taken, values, target_values, rewards, *rest):
            used.append(rewards.sum(1).numpy())
            return q_errors(taken, target_taken, values, target_values, rewards, *rest)

        monkeypatch.setattr(learner, "q_errors", errors)
        second = np.linspace(3, -3, 16) ** 3
        model.discriminator = Noting(every, second)
        model.train(1)
        scored = np.array(model.discriminator.scored)
        assert len(scored) == 4 + 20 + 3
        assert len(set(scored[4:24])) > 5, "replayed are many works, all of them built under the first rewards"
        worth = np.clip(second, -CLIP, CLIP)[scored] / 0.5
        np.testing.assert_allclose(used[0][4:], worth[4:], rtol=1e-6)
        np.testing.assert_allclose(np.sort(used[0][:4]), np.sort(worth[:4]), rtol=1e-6)  # dealt in another order


class TestValues:
    """Soft values under rewards that stay, against backward induction."""

    @pytest.mark.parametrize(
        ("alpha", "temperature", "n_steps"),
        [(0.5, 1.5, 1), *slow((0.0, 0.7, 3), (0.5, 1.5, None), (0.0, 0.7, 1), (0.5, 1.5, 3), (0.0, 0.7, None))],
    )
    def test_are_those_of_the_soft_bellman_equation(self, alpha, temperature, n_steps):
        every = everything()
        rewards = np.random.default_rng(8).uniform(-1, 1, 16)
        soft = (1 - alpha) * temperature
        expected_values, expected_q = munchausen_values(every, rewards, alpha, temperature)
        # Building is deterministic, and only its end is paid: the induction telescopes.
        np.testing.assert_allclose(expected_values[:, 0], soft * np.log(np.exp(rewards / soft).sum()))
        # Uniform episodes show the rare states too; V is fitted to such of its own where paths go to the end.
        others = {"rows": 32, "replayed": 31} if n_steps is None else {"rows": 20, "demonstrations": 40}
        model = rewarded(every, rewards, 200, n_steps=n_steps, alpha=alpha, temperature=temperature, **others)
        values, taken = every.evaluate(model)
        assert temperature * values[0, 0] == pytest.approx(expected_values[0, 0], abs=0.03)
        for reached, expected in ((values, expected_values), (values + taken, expected_q)):
            errors = np.abs(temperature * reached - expected)
            assert errors.mean() < 0.03, "over all states"
            assert errors.max() < 0.3, "rare states included"
        assert every.distance(every.log_prob(model), every.normalised(rewards / soft)) < 0.02

    @pytest.mark.slow
    def test_with_illegal_decisions_and_unequal_lengths(self):
        every = everything(CellsTask)
        rewards = np.random.default_rng(9).uniform(-1, 1, len(every.contents))
        model = rewarded(every, rewards, 200, CELLS, n_steps=2, alpha=0.0, rows=20, demonstrations=40)
        values, taken = every.evaluate(model)
        expected_values, expected_q = munchausen_values(every, rewards, 0.0, 1.0)
        starts = np.unique(every.paths.conditions, return_index=True)[1]
        np.testing.assert_allclose(values[starts, 0], expected_values[starts, 0], atol=0.05)
        for reached, expected in ((values, expected_values), (values + taken, expected_q)):
            assert np.abs(reached - expected)[every.live].mean() < 0.1, "over all states, the rarest included"


class TestTheCornerOfQLearning:
    # Of 0000 to 1111. The best work begins with 0, but most that do are worth little.
    REWARDS = np.array([0, 0.4, 0.2, 0, 0, 1.2, 0.2, 0, 0.5, 0.7, 0.4, 0.2, 0.6, 0.9, 0.6, 0.4])

    @pytest.mark.slow
    def test_finds_the_best_work_past_a_misleading_first_step(self):
        every = everything()
        rewards = self.REWARDS[every.contents @ [8, 4, 2, 1]]
        ones = every.contents[:, 0] == 1
        assert rewards[ones].mean() > 2 * rewards[~ones].mean(), "1 looks better at first"
        temperature = 0.05
        model = rewarded(every, rewards, 300, n_steps=1, alpha=0.0, temperature=temperature, rows=16, demonstrations=32)
        values, taken = every.evaluate(model)
        q, best = q_learning(every, rewards)
        assert np.array_equal(taken > np.log(0.5), q == best), "the same decision in every state, on the way or not"
        np.testing.assert_allclose(temperature * values, best, atol=0.15)
        (work,) = generate(model, 1, temperature=0.0)
        assert work.tolist() == [0, 1, 0, 1]
