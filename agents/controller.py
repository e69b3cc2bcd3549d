"""Keeps D and the policy in step: reads both on validation data and adapts rates and temperature."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..discriminators import Reading, more_loss, read
from ..envs.task import Array
from .episodes import play

if TYPE_CHECKING:
    from .dqn import AdversarialDQN

LOG = logging.getLogger("musegym.controller")
READ_EVERY, JUDGE_EVERY = 10, 50
"""Updates between readings of D and between judgements of the policy, which cost more."""
READ, LEAST_HELD_OUT = 256, 2
"""Contents of the agent that a reading takes, and held-out works without which there is no standard error."""
SLOWER, FASTER = 0.7, 1.5
"""What a rate is multiplied by: ten times too large is mended in 7 readings, too small in 6."""
RATES = (1 / 16, 16.0)
"""Bounds of D's rate, of the one it began with. That of the policy only falls."""
BELIEVED, LOUD = 0.5, 0.5
"""Slope below which D's logits say more than twice what they should, and their deviation from which that matters."""
SURE, KNOWS = 2.0, 4.0
"""Standard errors that count as seen, and from which D has shown that it can tell the two apart at all."""
OVERPOWERING, GROWTH = 4.0, 1.5
"""Nats by which D tells the policy apart, and times the smallest gap there was, from which it overpowers it."""
UNSEEN = 1.0
"""Nats below which D may have overlooked that the policy is too sharp."""
MEMORY = 0.8
"""Share of the last smoothed value in the next one: five readings' worth."""
SLOPES = (0.1, 10.0)
"""Beyond them a slope is not believed."""
TRIED, TRIAL, TRIALS = 3.0, 8, (50, 400)
"""Times D's rate in a trial of a faster one, its updates, and the fewest and most updates between two trials."""
HURRIES = 40
"""Readings after which a D that was hurried, and still tells nothing apart, goes back to what it was before."""
SHARP = 0.05
"""Share of the held-out negative log-likelihood by which entropy may fall below it."""
MEMORISES = 0.1
"""Share of what D tells apart that is memory, from which it is not hurried."""
CAUTIONS = (1.0, 8.0)
"""Bounds of what multiplies the temperature of a policy that is too sharp."""
BEHIND = 0.01
"""Share of the best likelihood by which a policy is no longer near it: there is something for D to see."""
WORSE, PATIENCE = 0.03, 2
"""Share of the best likelihood by which a policy may be worse, and judgements in a row after which it is not kept."""
NOISIER = 66
"""Times as much where the score is a distance, of samples."""

NUMBERS = (
    *("d_rate", "policy_rate", "caution", "slope", "gap", "smallest_gap", "overfitting"),
    *("updates", "worse", "best", "knows", "behind", "sharp", "hurries", "tried_at", "pause", "better"),
)
"""What of a controller later rounds depend on, beside the best weights."""


class Controller:
    """Adapts D's learning rate, the policy's, the trust in D and the temperature, by what held-out works say.

    ``DiscriminatorCallback`` calls ``before_d`` each round, before D sees the round's contents. The rules:

    * *trust*: the reward is D's logit times its slope a (``calibration.calibrate``), and so a log density ratio
      whatever penalties make of the logits. Only where rewards are log ratios and alpha is 1.
    * *D's rate rises* where the smoothed gap is surely below 0: the policy went where D was wrong, and D lags behind.
    * *D's rate falls* where a + 2 errors < 1/2 and the logits of fresh contents deviate by more than 1/2 (they are
      mostly noise, and loud: unseen works do not bear them out), or where the gap is above 4, above 1.5 times the
      smallest there was, and growing (D runs away from the policy).
    * *D's rate rises*, else, where the gap is below 2 errors though it never was above 4, or though the policy is not
      near its best (where it is there is nothing to see), or where the policy is too sharp and D neither sees that nor
      memorises. Where 400 updates of haste have not made D tell anything apart, it becomes what it was before.
    * *D's rate trebles*, else, where in two trials in a row a D three times as fast would after eight updates surely
      have a lower held-out loss. The pause between trials doubles with each that it would not.
    * *sharpness*: the temperature rises where entropy is surely a twentieth below held-out negative log-likelihood.
    * *the best policy*: where the score (``score``) is clearly worse than the best twice in a row (a likelihood by 3%,
      a distance three times as large), the best weights come back and the policy's rate is halved; at the end the
      best are kept likewise.

    The last two need the data to be what the agent aims at: ``alpha`` and ``gamma`` 1, no rules, no prior,
    no environment that pays more than D and the rules.
    Nothing is done without a D, before the rounds, nor to the rate of a D that is frozen.

    Args:
        model: whose ``temperature`` and ``policy_rate`` it sets, and whose trainer's D.
    """

    def __init__(self, model: AdversarialDQN) -> None:
        self.model = model
        self.given_temperature = model.temperature
        self.d_rate = self.policy_rate = self.caution = self.slope = 1.0
        self.gap = math.nan
        self.smallest_gap = math.inf
        self.updates = self.worse = self.hurries = 0
        self.knows = self.behind = self.sharp = False
        self.overfitting = 0.0
        self.tried_at, self.pause = 0, TRIALS[0]
        self.better = False
        """Whether the last trial was in favour of a faster D."""
        self.best = math.inf
        self.best_weights: dict[str, torch.Tensor] = {}
        self.unhurried: dict[str, torch.Tensor] = {}
        """D's weights before it was hurried for telling nothing apart."""
        self.latest: dict[str, float] = {}

    @property
    def aims_at_data(self) -> bool:
        """Whether the agent's fixed point is the distribution of the data.

        Nothing moves where the reward is the same for all that is drawn; in each form it rises with D's logit.
        """
        m = self.model
        beside = m.rule_weight or m.paid_beside or m.config.prior_weight or m.config.relative_to_prior
        return m.config.alpha == m.config.gamma == 1 and not beside

    def before_d(self) -> None:
        """Reads and acts, when it is time to; to be called before D learns from the round's contents."""
        model = self.model
        if model.trainer is None or not model.worth.settings.discriminator_weight or model.leading:
            return
        if len(model.trainer.measured[1]) < LEAST_HELD_OUT:
            return
        before, self.updates = self.updates, self.updates + model.minibatches * model.config.gradient_steps
        if self.updates // READ_EVERY > before // READ_EVERY:
            self.act(self.reading(), model.trainer.learning and model.config.co_training)
        if (not before or self.updates // JUDGE_EVERY > before // JUDGE_EVERY) and self.aims_at_data:
            score = self.score(model.fresh.contents)
            if model.real:
                self.soften(-model.fresh.log_probs.sum(1, dtype=np.float64), score)
            self.judge(score)
        self.apply()
        now = {"d_rate": self.d_rate, "policy_rate": self.policy_rate}
        now |= {"temperature": model.temperature, "trust": model.worth.settings.trust}
        for name, value in (now | self.latest).items():
            model.logger.record(f"controller/{name}", value)

    def reading(self) -> Reading:
        """Reads D as it is."""
        trainer = self.model.trainer
        assert trainer is not None
        task, (train, held_out) = self.model.task, trainer.measured
        fresh = self.model.fresh.contents[:READ]
        logits = (trainer.discriminator.logits(x, task.condition(x)) for x in (train, held_out, fresh))
        return read(*logits)

    def act(self, seen: Reading, learning: bool = True) -> None:
        """Follows the rules about D."""
        slope = min(max(seen.slope, SLOPES[0]), SLOPES[1])
        if math.isnan(self.gap):  # the first reading
            self.slope, self.gap = slope, seen.gap
        grows = seen.gap > self.gap
        self.slope += (1 - MEMORY) * (slope - self.slope)
        self.gap += (1 - MEMORY) * (seen.gap - self.gap)
        self.overfitting += (1 - MEMORY) * (seen.overfitting - self.overfitting)
        self.smallest_gap = min(self.smallest_gap, self.gap)
        self.knows = self.knows or seen.gap > KNOWS * seen.gap_error
        if learning:
            # Of the smoothed gap: one reading in forty is below that by chance, and nothing takes the haste back.
            if self.gap < -SURE * seen.gap_error:
                self._rate(FASTER, f"the policy has outrun it (gap {self.gap:.3f} +- {seen.gap_error:.3f})")
            elif seen.spread > LOUD and seen.slope + SURE * seen.slope_error < BELIEVED:
                self._rate(SLOWER, f"its logits say too much of unseen works (slope {seen.slope:.2f})")
            elif grows and self.gap > max(OVERPOWERING, GROWTH * self.smallest_gap):
                self._rate(SLOWER, f"it overpowers the policy (gap {self.gap:.2f}, it was {self.smallest_gap:.2f})")
            elif seen.gap < SURE * seen.gap_error and (self.behind or not self.knows):
                self._hurry(f"it tells nothing apart (gap {seen.gap:.3f} +- {seen.gap_error:.3f})")
            elif self.sharp and self.gap < UNSEEN and self.overfitting < MEMORISES:
                self._rate(FASTER, f"it does not see how sharp the policy is (gap {seen.gap:.3f})")
            elif self.updates >= self.tried_at + self.pause and len(self.model.fresh.contents) >= 2 * LEAST_HELD_OUT:
                self._try_faster()
        self.latest |= {
            "gap": seen.gap,
            "slope": seen.slope,
            "held_out_loss": seen.held_out_loss,
            "overfitting": seen.overfitting,
            "spread": seen.spread,
        }

    def _hurry(self, why: str) -> None:
        """Hurries a D that tells nothing apart; one that never has only for so long, since too fast a D dies."""
        assert self.model.trainer is not None
        network = self.model.trainer.discriminator.network
        if not self.knows:
            self.hurries += 1
            if self.hurries == 1:
                self.unhurried = {name: value.detach().clone() for name, value in network.state_dict().items()}
            if self.hurries == HURRIES:
                network.load_state_dict(self.unhurried)
                self.unhurried = {}
                self._rate(1 / self.d_rate, "haste has not helped, it is what it was before")
        if self.knows or self.hurries < HURRIES:
            self._rate(FASTER, why)

    def _try_faster(self) -> None:
        """Makes D faster where a faster one would know more; asks ever more rarely where not."""
        trainer = self.model.trainer
        assert trainer is not None
        rates = self.d_rate, TRIED * self.d_rate
        try:
            loss, error = more_loss(*trainer.rehearse(self.model.fresh.contents[: 2 * READ], rates, TRIAL))
            self.latest["faster_loss"] = loss
        except FloatingPointError:  # that fast it would break
            loss, error = math.inf, 0.0
        before, self.better = self.better, loss < -SURE * error
        self.tried_at = self.updates
        self.pause = TRIALS[0] if self.better else min(2 * self.pause, TRIALS[1])
        if before and self.better:
            self._rate(TRIED, f"a faster one would know more (loss {loss:.3f} +- {error:.3f})")

    def _rate(self, times: float, why: str) -> None:
        rate = min(max(self.d_rate * times, RATES[0]), RATES[1])
        if rate != self.d_rate:
            LOG.info("D's rate x%.2f -> x%.2f: %s", self.d_rate, rate, why)
        self.d_rate = rate

    def soften(self, surprises: Array, nll: float) -> None:
        """Notes whether the policy is too sharp for held-out works; raises the temperature of one that surely is.

        Args:
            surprises: -log pi of its own episodes [N], whose mean is its entropy.
            nll: mean -log pi of held-out works.
        """
        entropy, error = float(surprises.mean()), float(surprises.std()) / math.sqrt(len(surprises))
        self.sharp = entropy < (1 - SHARP) * nll
        surely = entropy + SURE * error < (1 - SHARP) * nll
        caution = min(max(self.caution * (FASTER if surely else 1 / FASTER), CAUTIONS[0]), CAUTIONS[1])
        if surely and caution != self.caution:
            LOG.info("temperature x%.2f: entropy %.2f is below held-out NLL %.2f", caution, entropy, nll)
        self.caution = caution

    def score(self, contents: Array) -> float:
        """Returns how bad the policy is: held-out negative log-likelihood in nats where that is known, else a distance.

        The distance is the energy distance (Szekely & Rizzo 2013) between contents of the policy [N, ...] and held-out
        ones.
        """
        model = self.model
        if model.real:
            return -float(model._log_prob(model.real.held_out).mean())
        assert model.trainer is not None
        return energy_distance(model.trainer.measured[1], contents[:READ])

    def _is_worse(self, score: float, by: float = WORSE) -> bool:
        return score > self.best + by * (1 if self.model.real else NOISIER) * abs(self.best)

    def judge(self, score: float) -> None:
        """Keeps the best policy; goes back to it from one that is worse twice in a row."""
        self.latest["score"] = score
        if score < self.best:
            self.best, self.worse = score, 0
            self.best_weights = {name: value.detach().clone() for name, value in self.model.q_net.state_dict().items()}
        self.behind = self._is_worse(score, BEHIND)
        self.worse = self.worse + 1 if self._is_worse(score) else 0
        if self.worse >= PATIENCE:
            self.worse, self.policy_rate = 0, self.policy_rate / 2
            self._back(score, f"; the policy's rate x{self.policy_rate:.3g}")
            self._adopt()

    def keep_best(self) -> None:
        """Leaves the model with its best policy, where the one that it has is clearly worse: for the end of a run."""
        if self.best_weights and self.aims_at_data:
            model = self.model
            starts = model.task.initial(np.random.default_rng(0).integers(2**64, size=READ, dtype=np.uint64))
            drawn = play(model.q_net, model.task, starts, torch.Generator(model.device).manual_seed(0))
            score = self.score(drawn.contents)
            if self._is_worse(score):
                self._back(score, "")

    def _back(self, score: float, also: str) -> None:
        LOG.info("back to the best policy: %.4g on validation data, it was %.4g%s", score, self.best, also)
        for network in (self.model.q_net, self.model.policy.q_net_target):
            network.load_state_dict(self.best_weights)

    @torch.no_grad()
    def _adopt(self) -> None:
        """Makes this round's episodes, which another policy built, say what the present one thinks of them.

        Else a target network that is taken to have built them (``AdversarialDQN._target``) would be that other policy,
        and the round would lead back to it.
        """
        model = self.model
        model.q_net.dropout.eval()
        taken, _, _ = model.fresh.evaluate(model.q_net, model.device, values=False)
        model.fresh.log_probs[:, : taken.shape[1]] = taken.cpu().numpy()

    def apply(self) -> None:
        """Sets what is controlled."""
        model = self.model
        # Below alpha = 1 the temperature says how diverse the policy is to be, and louder logits are noise: docs.
        settings = model.worth.settings
        if settings.form == "log_ratio" and model.config.alpha == 1:
            model.worth = dataclasses.replace(model.worth, settings=dataclasses.replace(settings, trust=self.slope))
        model.temperature = self.given_temperature * self.caution
        model.policy_rate = self.policy_rate
        assert model.trainer is not None
        model.trainer.discriminator.set_rate(self.d_rate)

    # What later rounds depend on.

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later calls depend on: plain data and tensors."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        weights = {"best_weights": dict(self.best_weights), "unhurried": dict(self.unhurried)}
        return numbers | weights | {"latest": dict(self.latest)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``.

        Raises:
            ValueError: it is of another policy, or no numbers that a controller comes to.
        """
        networks: dict[str, torch.nn.Module] = {"best_weights": self.model.q_net}
        if self.model.trainer is not None:
            networks["unhurried"] = self.model.trainer.discriminator.network
        for name, network in networks.items():
            shapes = {key: value.shape for key, value in state[name].items()}
            if shapes and shapes != {key: value.shape for key, value in network.state_dict().items()}:
                raise ValueError(f"its controller's {name} are of another network")
            if not all(value.isfinite().all() for value in state[name].values()):
                raise ValueError(f"its controller's {name} are not finite")
            setattr(self, name, {key: value.to(self.model.device) for key, value in state[name].items()})
        for name in NUMBERS:
            setattr(self, name, type(getattr(self, name))(state[name]))
        if not all(0 < value < math.inf for value in (self.d_rate, self.policy_rate, self.caution, self.slope)):
            raise ValueError("its controller's rates are not above 0")
        self.latest = {name: float(value) for name, value in state["latest"].items()}
        if self.model.trainer is not None:
            self.apply()


def energy_distance(a: Array, b: Array) -> float:
    """Returns 2 E|X - Y| - E|X - X'| - E|Y - Y'| of contents [N, ...] and [M, ...] of integers, never below 0.

    |.| is the Euclidean distance of the contents laid flat, in units of the largest entry. Expectations are over all
    pairs, of a content with itself too: for one distribution it is then about E|X - X'| (1/N + 1/M) and not 0, and a
    share of the best distance never less than noise.
    """
    top = max(1, int(max(a.max(), b.max())))
    x, y = (torch.from_numpy(z.reshape(len(z), -1).astype(np.float32) / top) for z in (a, b))
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())
