"""The controller: what it reads of D, what it does about it, and that it can be saved and turned off."""

import dataclasses
import io
import logging
import math

import numpy as np
import pytest
import torch
import toys
from rich.console import Console

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, dqn, make_sb3_env
from musegym.agents.controller import (
    HURRIES,
    JUDGE_EVERY,
    RATES,
    READ_EVERY,
    SLOPES,
    TRIAL,
    TRIALS,
    TRIED,
    UNTRIED,
    Controller,
    Snapshot,
    energy_distance,
)
from musegym.discriminators import Reading, more_loss, read
from musegym.discriminators.calibration import calibrate
from musegym.training.reporting import ConsoleLog, Stopwatch

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
WORD, BITS = "toy/Word-v0", "toy/Bits-v0"
NETWORK = {"hidden": 16, "embedding": 8, "dropout": 0.0}
D = {"hidden": 8, "embedding": 4, "batch_size": 8, "past": 40}
STEADY = Reading(
    gap=0.5, gap_error=0.1, spread=0.7, slope=1.0, slope_error=0.1, held_out_loss=1.2, overfitting=0.0, train_gap=0.5
)


def change(**fields):
    fields = {"train_gap": fields.get("gap", STEADY.gap)} | fields
    return Reading(**{**vars(STEADY), **fields})


def agent(env_id=WORD, **options):
    env = make_sb3_env(env_id, 6, seed=0, discriminator="none", **options.pop("env", {}))
    small = {"policy_kwargs": NETWORK, "demonstrations": 8, "buffer_size": 30, "batch_size": 8, "seed": 0}
    small |= {"warm_start": 0, "lead": 0}
    return AdversarialDQN("auto", env, **{**small, **options})


def trained(**options):
    """An agent that has a D, and a controller that has not acted yet."""
    model = agent(**options)
    model.learn(1, callback=DiscriminatorCallback(**D))
    model.controller = Controller(by_distance=not model.real)
    return model


def never(*args):
    raise AssertionError("this is not due")


def snapshot(**fields):
    """A round of ten updates, of which nothing but a steady reading can be had."""
    nothing = {"rehearse": never, "score": None, "known": None, "log_probs": None}
    return Snapshot(**{"updates": READ_EVERY, "learning": True, "read": lambda: STEADY, **nothing, **fields})


def shown(model, **fields):
    """Takes the agent through a round that looks like this to its controller."""
    model._apply(model.controller.step(snapshot(rehearse=None, **fields)))


def judged(model, score):
    """Takes the agent through a round in which its policy has this score."""
    model.controller.updates = 0  # the first is always judged
    shown(model, updates=1, score=lambda: score)


def applied(model):
    model._apply(model.controller.adjustment())


def moved(model):
    """Makes the policy a far too sure one."""
    with torch.no_grad():
        for value in model.q_net.parameters():
            value.mul_(20.0)


class TestReading:
    """Known answers: Gaussian logits of one variance, of which a = gap / variance is the truth."""

    def logits(self, gap, deviation, n=20_000, seed=0):
        rng = np.random.default_rng(seed)
        return rng.normal(gap, deviation, n), rng.normal(0, deviation, n)

    @pytest.mark.parametrize(("gap", "deviation"), [(1.0, 1.0), (0.3, 0.1), (0.2, 1.0), (2.0, 1.5)])
    def test_slope_of_gaussian_logits(self, gap, deviation):
        real, fake = self.logits(gap, deviation)
        slope, error = calibrate(real, fake)
        assert slope == pytest.approx(gap / deviation**2, abs=4 * error)
        assert error < 0.1 * gap / deviation**2 + 0.02

    def test_more_loss_of_logits_that_say_more(self):
        real, fake = np.array([0.0, 0.0]), np.array([0.0, 0.0, 0.0])
        loss, error = more_loss((real, fake), (real + 1, fake - 2))
        assert loss == pytest.approx(np.log1p(np.exp(-1)) + np.log1p(np.exp(-2)) - 2 * np.log(2))
        assert error == pytest.approx(0, abs=1e-12)
        assert more_loss((real + 1, fake - 2), (real, fake))[0] == pytest.approx(-loss)

    def test_error_of_more_loss(self):
        rng = np.random.default_rng(0)
        pairs = [[rng.normal(0, 1, n) for n in (100, 400)] for _ in range(400)]
        found = np.array([more_loss(pairs[i], pairs[i + 1]) for i in range(0, 400, 2)])
        assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)

    def test_the_error_is_that_of_repetitions(self):
        found = np.array([calibrate(*self.logits(0.5, 0.7, 256, seed)) for seed in range(200)])
        assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.15)

    def test_slope_ignores_a_shift_and_follows_a_scale(self):
        real, fake = self.logits(0.5, 0.8, 500)
        slope = calibrate(real, fake)[0]
        assert calibrate(real + 3, fake + 3)[0] == pytest.approx(slope, rel=1e-6)
        assert calibrate(real / 10, fake / 10)[0] == pytest.approx(10 * slope, rel=1e-6)

    def test_unequal_numbers_count_alike(self):
        real, fake = self.logits(0.5, 0.8)
        assert calibrate(real, fake[:4000])[0] == pytest.approx(calibrate(real, fake)[0], rel=0.1)

    def test_classes_apart_and_constant_logits_stay_finite(self):
        apart = calibrate(np.linspace(1, 2, 100), np.linspace(-2, -1, 100))
        assert np.isfinite(apart).all()
        assert apart[0] > 5
        assert np.isfinite(calibrate(np.zeros(9), np.zeros(9))[0])
        assert calibrate(np.zeros(9), np.zeros(9))[0] == 0

    def test_figures(self):
        seen = read(np.full(4, 3.0), np.array([0.0, 2.0]), np.array([-1.0, 1.0]))
        assert (seen.gap, seen.spread) == (1.0, 1.0)
        assert seen.gap_error == pytest.approx(1.0)
        expected = np.log1p(np.exp([-0.0, -2.0])).mean() + np.log1p(np.exp([-1.0, 1.0])).mean()
        assert seen.held_out_loss == pytest.approx(expected)
        assert seen.overfitting == pytest.approx((3 - 1) / (3 - 0))

    def test_energy_distance(self):
        rng = np.random.default_rng(0)
        x = rng.integers(0, 9, (2, 256, 5))
        apart = np.linalg.norm((x[0][:, None] - x[0]) / 8, axis=-1).mean()
        assert 0 < energy_distance(*x) < 3 * apart * 2 / 256, "noise, for one distribution"
        assert energy_distance(x[0], x[1] // 2) > 10 * energy_distance(*x)
        assert energy_distance(x[0], x[0]) == pytest.approx(0, abs=1e-6)
        assert energy_distance(np.array([[0], [0]]), np.array([[5], [5]])) == pytest.approx(2.0)


class TestRules:
    def test_a_steady_d_is_left_alone(self):
        controller = Controller()
        for _ in range(30):
            controller.act(STEADY)
        now = controller.adjustment()
        assert (now.d_rate, now.policy_rate, now.temperature) == (1, 1, 1)
        assert now.d_weights is now.policy_weights is None

    @pytest.mark.parametrize(
        ("seen", "limit"),
        [
            (change(slope=0.1, slope_error=0.1), RATES[0]),
            (change(slope=0.1, slope_error=0.1, gap=0.0), RATES[0]),
            (change(slope=0.1, slope_error=0.3), 1.0),
            (change(slope=0.1, slope_error=0.1, spread=0.3), 1.0),
            (change(gap=0.15), UNTRIED),
            (change(gap=-0.5, slope=-2.0), UNTRIED),
            (change(gap=0.15, train_gap=0.5), 1.0),
            (change(gap=-0.5, slope=-2.0, spread=0.3, train_gap=0.5), 1.0),
        ],
        ids=[
            "says too much",
            "too much comes before nothing",
            "not sure",
            "not loud",
            "sees nothing",
            "the wrong way round",
            "sees nothing but training works",
            "the wrong way round but for training works",
        ],
    )
    def test_rate_of_d(self, seen, limit):
        model = trained()
        controller, first = model.controller, None
        for _ in range(HURRIES - 1):
            controller.act(seen)
            first = first or controller.d_rate
        assert controller.d_rate == limit
        assert np.sign(first - 1) == np.sign(limit - 1)
        applied(model)
        d = model.trainer.discriminator
        assert [group["lr"] for group in d.optimizer.param_groups] == [pytest.approx(d.settings.learning_rate * limit)]

    def test_a_d_that_knew_is_hurried_only_while_the_policy_is_not_at_its_best(self):
        controller = Controller()
        controller.act(change(gap=0.45))
        for scores, rate in (((10.0, 10.05), 1.0), ((10.2,), 1.5)):
            for score in scores:
                controller.judge(score)
            controller.act(change(gap=0.1))
            assert controller.d_rate == rate

    @pytest.mark.parametrize(("fields", "rate"), [({}, 1.5), ({"overfitting": 0.6}, 1.0), ({"gap": 2.0}, 1.0)])
    def test_a_d_that_does_not_see_a_sharp_policy_is_hurried_unless_it_memorises(self, fields, rate):
        controller = Controller()
        controller.act(change(**fields))
        controller.soften(np.full(2, 9.0), 10.0)
        controller.act(change(**fields))
        assert controller.d_rate == rate

    def test_a_gap_that_grows_is_overpowering_and_one_that_falls_is_not(self):
        controller = Controller()
        for gap in np.linspace(6, 1.2, 40):
            controller.act(change(gap=gap))
        assert controller.d_rate == 1
        for gap in np.linspace(1.2, 3.9, 40):  # works that no policy could make look like this too
            controller.act(change(gap=gap))
        assert controller.d_rate == 1
        for gap in np.linspace(3.9, 8, 40):
            controller.act(change(gap=gap))
        assert controller.d_rate < 0.5

    def test_a_frozen_d_keeps_its_rate(self):
        controller = Controller()
        controller.act(change(slope=0.0), learning=False)
        assert controller.d_rate == 1

    @pytest.mark.parametrize(("slope", "trust"), [(5.0, 5.0), (50.0, SLOPES[1]), (0.25, 0.25), (-3.0, SLOPES[0])])
    def test_trust_is_the_slope(self, slope, trust):
        model = trained(temperature=0.3)
        works = model.task.works("train").take(slice(5))
        before = model.reward_function.at_end(model.discriminator, works.contents, works.conditions)
        for _ in range(60):
            shown(model, read=lambda: change(slope=slope, slope_error=1.0))
        after = model.reward_function.at_end(model.discriminator, works.contents, works.conditions)
        assert after == pytest.approx(trust * before, rel=1e-3)
        assert model.temperature == 0.3

    def test_rules_are_worth_the_same_whatever_the_slope(self):
        model = trained(env={"rule_weight": 2.0})
        for _ in range(60):
            shown(model, read=lambda: change(slope=8.0, slope_error=1.0))
        works = model.task.works("train").take(slice(5))
        both = model.reward_function.at_end(model.discriminator, works.contents, works.conditions)
        judged = dataclasses.replace(
            model.reward_function, settings=dataclasses.replace(model.reward_function.settings, rule_weight=0.0)
        )
        alone = judged.at_end(model.discriminator, works.contents, works.conditions)
        rules = model.task.rules(works.contents, works.conditions).sum(1)
        assert both - alone == pytest.approx(2.0 * rules, abs=1e-5)

    @pytest.mark.parametrize("options", [{"reward_form": "bounded"}, {"alpha": 0.98}])
    def test_logits_are_taken_as_they_are_elsewhere(self, options):
        model = trained(**options)
        for _ in range(60):
            shown(model, read=lambda: change(slope=8.0))
        assert model.controller.slope == pytest.approx(8)
        assert model.reward_function.settings.trust == 1

    @pytest.mark.parametrize(
        ("gains", "rates"),
        [
            ([0.5, 0.5, 0.5], [1, 3, 9]),
            ([0.5, -0.5, 0.5, 0.5], [1, 1, 1, 3]),
            ([0.5, 0.0, 0.5], [1, 1, 1]),
            ([-0.5, -0.5], [1, 1]),
        ],
        ids=["better", "better again", "not surely", "worse"],
    )
    def test_the_rate_trebles_after_two_trials_in_favour(self, gains, rates):
        controller, tried = Controller(), []

        def rehearse(times, updates):
            tried.append(times)
            slow = np.linspace(-1, 1, 20), np.linspace(-1, 1, 10)
            return slow, (slow[0] + gains[len(tried) - 1], slow[1])

        for i, rate in enumerate(rates):
            before = controller.d_rate
            assert controller.step(snapshot(updates=TRIALS[1], rehearse=rehearse)).d_rate == rate
            assert tried[i:] == [(before, TRIED * before)]

    def test_trials_become_rare_where_they_say_no(self):
        controller, asked = Controller(), []

        def rehearse(times, updates):
            asked.append(controller.updates)
            return ((np.zeros(4), np.zeros(4)),) * 2

        for _ in range(10, 2000, READ_EVERY):
            controller.step(snapshot(rehearse=rehearse))
        assert asked == [50, 150, 350, 750, 1150, 1550, 1950]

    def test_a_d_that_a_trial_breaks_is_as_it_was(self, monkeypatch):
        model = trained()
        controller, d = model.controller, model.trainer.discriminator
        weights = {name: value.clone() for name, value in d.network.state_dict().items()}
        update, calls = d.update, []

        def broken(*args):
            calls.append(d.optimizer.param_groups[0]["lr"] / d.settings.learning_rate)
            if calls[-1] > 2:
                raise FloatingPointError("the discriminator's loss is nan")
            return update(*args)

        monkeypatch.setattr(d, "update", broken)
        controller.step(snapshot(updates=TRIALS[0], rehearse=model._snapshot().rehearse))
        assert calls == [pytest.approx(1)] * TRIAL + [pytest.approx(TRIED)]
        assert (controller.d_rate, controller.better, controller.pause) == (1, False, 2 * TRIALS[0])
        assert all(torch.equal(value, weights[name]) for name, value in d.network.state_dict().items())
        assert d.optimizer.param_groups[0]["lr"] == d.settings.learning_rate

    def test_a_trial_in_earnest(self):
        """An agent that is far from the data, and a D that hardly learns: the one three times as fast knows more."""
        model = trained()
        controller, d = model.controller, model.trainer.discriminator
        controller.d_rate = RATES[0]
        weights = {name: value.clone() for name, value in d.network.state_dict().items()}
        for _ in range(2):
            controller.step(snapshot(updates=TRIALS[1], rehearse=model._snapshot().rehearse))
        assert controller.d_rate == TRIED * RATES[0]
        assert controller.latest["faster_loss"] < 0
        assert all(torch.equal(value, weights[name]) for name, value in d.network.state_dict().items())

    def test_haste_that_has_not_helped_is_taken_back(self, caplog):
        model = trained()
        network = model.trainer.discriminator.network
        before = {name: value.clone() for name, value in network.state_dict().items()}
        blind = change(gap=0.0)
        shown(model, read=lambda: blind)
        with torch.no_grad():
            for value in network.parameters():
                value.zero_()
        with caplog.at_level(logging.INFO, "musegym.controller"):
            for _ in range(2 * HURRIES):
                shown(model, read=lambda: blind)
        assert model.controller.d_rate == 1
        assert not model.adversary.backup.weights, "its copy is let go"
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert caplog.messages[-1].endswith("higher rates have not helped, its earlier weights are restored")

    def test_haste_goes_on_where_it_has_helped(self):
        controller = Controller()
        for _ in range(HURRIES // 2):
            controller.act(change(gap=0.0))
        controller.act(STEADY)
        for _ in range(2 * HURRIES):
            controller.act(change(gap=0.0))
        assert controller.d_rate == UNTRIED

    def test_sharp_policies_are_softened_and_let_go(self):
        controller = Controller()
        for _ in range(3):
            controller.soften(np.array([8.9, 9.1]), 10.0)
        assert controller.adjustment().temperature == pytest.approx(1.5**3)
        for _ in range(9):
            controller.soften(np.array([9.8, 10.0]), 10.0)
        assert controller.caution == 1
        controller.soften(np.array([5.0, 13.0]), 10.0)
        assert controller.caution == 1, "not sure"

    @pytest.mark.parametrize(("known", "softer"), [(None, True), (10.0, True), (9.0, False)])
    def test_a_policy_that_knows_training_works_by_heart_is_not_sharp(self, known, softer):
        controller = Controller()
        seen = snapshot(
            score=lambda: 10.0,
            known=None if known is None else lambda: known,
            log_probs=np.full((9, 2), -4.5, np.float32),
        )
        controller.step(seen)
        assert (controller.caution > 1) == softer

    def test_goes_back_to_the_best_policy(self):
        model = trained()
        judged(model, 10.0)
        best = {name: value.clone() for name, value in model.q_net.state_dict().items()}
        moved(model)
        judged(model, 10.2)  # within the tolerance
        judged(model, 11.0)
        judged(model, 10.2)
        judged(model, 11.0)
        assert model.policy_rate == 1, "not twice in a row"
        judged(model, 11.0)
        assert model.policy_rate == 0.5
        for network in (model.q_net, model.policy.q_net_target):
            assert all(torch.equal(value, best[name]) for name, value in network.state_dict().items())

    @pytest.mark.parametrize(("by_distance", "tolerated"), [(False, 10.1), (True, 29.0)])
    def test_orders_for_the_policy(self, by_distance, tolerated):
        controller = Controller(by_distance)
        scores = (10.0, 9.9, 10.0, tolerated, 99.0, 99.0)
        assert [controller.judge(score) for score in scores] == ["keep", "keep", None, None, None, "restore"]
        assert not controller.ends_with_best(tolerated)
        assert controller.ends_with_best(99.0)

    def test_this_rounds_targets_are_of_the_policy_that_it_went_back_to(self):
        model = trained()
        fresh = model.fresh

        @torch.no_grad()
        def says():
            model.q_net.dropout.eval()
            return fresh.evaluate(model.q_net, model.device, values=False)[0].numpy()

        judged(model, 10.0)
        best = says()
        moved(model)
        assert np.abs(says() - best).max() > 0.01
        fresh.log_probs[:, : best.shape[1]] = says()  # as if it had built them
        for _ in range(2):
            judged(model, 11.0)
        assert np.array_equal(model.fresh.log_probs[:, : best.shape[1]], best)

    def test_keeps_the_best_policy_at_the_end(self):
        model = trained()
        judged(model, model._score(model.fresh.contents))
        held_out = model.real.held_out
        before = model.learner.log_prob(held_out)
        model.keep_best()
        moved(model)
        assert model._score(model.fresh.contents) > 1.03 * model.controller.best
        model.keep_best()
        assert np.array_equal(model.learner.log_prob(held_out), before)

    def test_keeps_the_best_where_works_have_no_demonstrations(self, tmp_path):
        musegym.register("toy/Blind-v0", "toys:BlindTask")
        model = agent("toy/Blind-v0", demonstrations=0)
        model.learn(1, callback=DiscriminatorCallback(**D))
        assert model.controller.by_distance
        model.controller.best = 1e-9  # whatever it does is worse
        model.save(tmp_path / "model.zip")
        again = AdversarialDQN.load(tmp_path / "model.zip")
        moved(again)
        again.keep_best()  # though it has built nothing since it was loaded
        best = again.learner.best.weights
        assert all(torch.equal(value, best[name]) for name, value in again.q_net.state_dict().items())

    def test_says_what_it_does(self, caplog):
        controller = Controller()
        with caplog.at_level(logging.INFO, "musegym.controller"):
            controller.act(STEADY)
            assert not caplog.messages
            controller.act(change(slope=0.1, slope_error=0.01))
            controller.soften(np.ones(2), 10.0)
        assert [message.split(":")[0] for message in caplog.messages] == [
            "learning rate of the discriminator x1.00 -> x0.70",
            "temperature x1.50",
        ]

    def test_is_heard_on_the_console_of_a_run(self):
        controller, told = Controller(), io.StringIO()
        with ConsoleLog("musegym.controller", Console(file=told), Stopwatch(12.3)):
            controller.act(change(slope=0.1, slope_error=0.01))
        controller.act(change(slope=0.1, slope_error=0.01))
        assert told.getvalue() == (
            "12 s  controller: learning rate of the discriminator x1.00 -> x0.70: "
            "its scores of held-out works are mostly noise (slope 0.10)\n"
        )


class TestWhen:
    def test_measures_what_is_due_and_nothing_else(self):
        """Readings and scores cost passes through the networks."""
        controller, taken = Controller(), []

        def read():
            taken.append(("read", controller.updates))
            return STEADY

        def score():
            taken.append(("score", controller.updates))
            return 10.0

        for _ in range(2 * JUDGE_EVERY):
            controller.step(snapshot(updates=1, read=read, rehearse=None, score=score))
        readings = [("read", updates) for updates in range(READ_EVERY, 2 * JUDGE_EVERY + 1, READ_EVERY)]
        assert sorted(taken) == [*readings, *(("score", updates) for updates in (1, JUDGE_EVERY, 2 * JUDGE_EVERY))]

    def test_no_trial_on_too_few_contents(self):
        model = trained()
        assert model._snapshot().rehearse is not None
        model.fresh, model.made = model.fresh.take(slice(0, 3)), model.made[:3]
        assert model._snapshot().rehearse is None

    def test_entropy_is_of_whole_episodes(self):
        controller = Controller()
        log_probs = np.array([[-3.0, -1.0, 0.0], [-1.0, -1.0, -2.1]], np.float32)
        assert controller.step(snapshot(log_probs=log_probs, score=lambda: 10.0)).temperature == 1.5
        assert controller.step(snapshot(updates=JUDGE_EVERY, log_probs=log_probs, rehearse=None, score=lambda: 4.0))
        assert controller.caution == 1

    def learned(self, rounds, **options):
        model = agent(BITS, **options)
        model.learn(6 * 4 * rounds, callback=DiscriminatorCallback(**D))
        return model

    def test_reads_and_judges_by_updates(self):
        controller = self.learned(READ_EVERY).controller
        assert controller.updates == READ_EVERY
        assert math.isfinite(controller.gap)
        assert math.isfinite(controller.best), "judged before the policy moves"
        assert set(controller.latest) == {"gap", "slope", "held_out_loss", "overfitting", "spread", "score"}
        assert math.isnan(self.learned(READ_EVERY - 1).controller.gap)

    def test_not_while_d_leads(self):
        assert self.learned(READ_EVERY, lead=3).controller.updates == READ_EVERY - 3

    def test_counts_every_pass(self):
        assert self.learned(3, gradient_steps=2).controller.updates == 6

    def test_nothing_is_said_of_too_few_works(self, monkeypatch):
        monkeypatch.setattr(dqn, "LEAST_HELD_OUT", 10**6)
        assert self.learned(READ_EVERY).controller.updates == 0

    def test_learning_in_pieces_goes_back_to_nothing(self):
        model = self.learned(2)
        model.controller.best = 1e-9  # whatever it does is worse
        model.learn(6 * 4 * 2, callback=DiscriminatorCallback(**D), reset_num_timesteps=False)
        best = model.learner.best.weights
        assert not all(torch.equal(value, best[name]) for name, value in model.q_net.state_dict().items())

    def test_off(self):
        model = self.learned(READ_EVERY, controller=False)
        assert model.controller is None

    def test_without_d(self):
        model = self.learned(2 * READ_EVERY, discriminator_weight=0.0)
        assert model.controller.updates == 0

    @pytest.mark.parametrize(
        "options",
        [{"alpha": 0.9}, {"gamma": 0.9}, {"prior_weight": 1.0}, {"env": {"rule_weight": 1.0}}],
    )
    def test_no_judgement_of_who_aims_elsewhere(self, options):
        elsewhere = trained(**options)
        assert not elsewhere.aims_at_data
        assert elsewhere._snapshot().score is None
        assert agent().aims_at_data
        assert agent(reward_form="gail").aims_at_data

    def test_off_is_as_without_until_it_acts(self):
        on, off = self.learned(READ_EVERY - 1), self.learned(READ_EVERY - 1, controller=False)
        assert all(torch.equal(a, b) for a, b in zip(on.q_net.parameters(), off.q_net.parameters(), strict=True))


class TestFiles:
    def test_goes_on_as_if_nothing_had_happened(self, tmp_path):
        rounds, rows = JUDGE_EVERY, 6 * 4
        halfway = agent(BITS)
        halfway.learn(rows * rounds, callback=DiscriminatorCallback(**D))
        halfway.controller.d_rate, halfway.controller.policy_rate, halfway.controller.caution = 0.7, 0.5, 1.25
        weights = halfway.trainer.discriminator.network.state_dict()
        halfway.controller.hurries = 1
        halfway.controller.tried_at, halfway.controller.pause, halfway.controller.better = 7, 2 * TRIALS[0], True
        halfway.adversary.backup.load({name: value + 1 for name, value in weights.items()})
        applied(halfway)
        halfway.save(tmp_path / "model.zip")
        again = AdversarialDQN.load(tmp_path / "model.zip")
        ds = [m.trainer.discriminator for m in (halfway, again)]
        rate = 0.7 * ds[0].settings.learning_rate
        assert [d.optimizer.param_groups[0]["lr"] for d in ds] == [pytest.approx(rate)] * 2
        assert (again.policy_rate, again.temperature) == (0.5, 1.25)
        assert again.reward_function.settings.trust == halfway.reward_function.settings.trust != 1
        for model in (halfway, again):
            model.learn(rows * (rounds + 7), callback=DiscriminatorCallback(**D), reset_num_timesteps=False)
        assert again.controller.updates >= 2 * rounds
        states = [model.controller.state_dict() for model in (halfway, again)]
        for kept in (
            [model.learner.best.weights for model in (halfway, again)],
            [model.adversary.backup.weights for model in (halfway, again)],
        ):
            assert kept[0].keys() == kept[1].keys() != set()
            assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
        assert states[0] == states[1]
        for first, second in (
            (halfway.q_net, again.q_net),
            (halfway.trainer.discriminator.network, again.trainer.discriminator.network),
        ):
            assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))

    def test_turned_off_stays_off(self, tmp_path):
        agent(controller=False).save(tmp_path / "model.zip")
        assert AdversarialDQN.load(tmp_path / "model.zip").controller is None

    @pytest.mark.parametrize(
        "bad",
        [
            {"d_rate": math.nan},
            {"policy_rate": 0.0},
            {"slope": -1.0},
            {"unhurried": {"x": torch.zeros(3)}},
        ],
    )
    def test_doctored_states_are_refused(self, bad):
        model, weights = trained(), {"unhurried": {}}
        with pytest.raises(ValueError, match="controller"):
            model._load_controller(model.controller, model.controller.state_dict() | weights | bad)
