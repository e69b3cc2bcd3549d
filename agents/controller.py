"""A controller of D and the policy: adapts learning rates, trust and temperature by measurements on validation data."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..discriminators import Reading, more_loss
from ..envs.task import Array

LOG = logging.getLogger("musegym.controller")
READ_EVERY, JUDGE_EVERY = 10, 50
"""Updates between readings of D and between judgements of the policy, which cost more."""
LEAST_HELD_OUT = 2
"""Fewest held-out works that have a standard error."""
SLOWER, FASTER = 0.7, 1.5
"""Factors of a rate: they correct a rate ten times too large in 7 readings, too small in 6."""
RATES = (1 / 16, 16.0)
"""Bounds of D's rate, as multiples of the first one. The policy's rate only falls."""
UNTRIED = 4.0
"""Largest multiple to which D's rate rises without a trial: a D that is too fast learns nothing at all."""
BELIEVED, LOUD = 0.5, 0.5
"""Slope below which D's logits are more than twice too large, and smallest deviation of the logits that matters."""
SURE, KNOWS = 2.0, 4.0
"""Standard errors of a significant gap, and of one that shows that D is able to tell the two apart."""
OVERPOWERING, GROWTH = 4.0, 1.5
"""Smallest gap, in nats and as a multiple of the smallest one so far, at which D overpowers the policy."""
UNSEEN = 1.0
"""Gap in nats below which D may not have noticed that the policy is too sharp."""
MEMORY = 0.8
"""Share of the last smoothed value in the next one: a mean of about five readings."""
SLOPES = (0.1, 10.0)
"""Bounds that a measured slope is clipped to."""
TRIED, TRIAL, TRIALS = 3.0, 8, (50, 400)
"""Factor of D's rate in a trial of a faster one, updates of a trial, and bounds of the updates between two trials."""
HURRIES = 40
"""Readings after which a D that still tells nothing apart in spite of higher rates is restored."""
SHARP = 0.05
"""Largest shortfall of the entropy, as a share of the held-out negative log-likelihood."""
MEMORISES = 0.1
"""Overfitting (``Reading.overfitting``) above which D's rate is not raised for a sharp policy."""
CAUTIONS = (1.0, 8.0)
"""Bounds of the factor of the temperature of a policy that is too sharp."""
BEHIND = 0.01
"""Shortfall from the best score, as a share of it, from which D should be able to tell the policy apart."""
WORSE, PATIENCE = 0.03, 2
"""Tolerated shortfall from the best score, as a share of it, and judgements in a row beyond it that bring it back."""
NOISIER = 66
"""Factor of these shares where the score is a distance between samples."""

NUMBERS = (
    *("d_rate", "policy_rate", "caution", "slope", "gap", "smallest_gap", "overfitting"),
    *("updates", "worse", "best", "knows", "behind", "sharp", "hurries", "tried_at", "pause", "better"),
)
"""Attributes of a controller that later rounds depend on."""

MEASURED = ("gap", "slope", "held_out_loss", "overfitting", "spread")
"""Numbers of a reading that are logged."""

Weights = Literal["keep", "restore"] | None
"""An order for a network: keep a copy of its weights, restore the copy, or neither."""
Rehearsal = Callable[[Sequence[float], int], Sequence[tuple[Array, Array]]]
"""``DiscriminatorTrainer.rehearse`` on the round's contents; its arguments are rates and a number of updates."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The input of the controller in a round, before D learns from it. Measurements are calls, made only when due.

    Attributes:
        updates: number of updates of the policy in this round.
        learning: True where D learns.
        read: measures D.
        rehearse: tries D at several rates and undoes it; None where the round has too few contents.
        score: measures the policy, lower is better: held-out negative log-likelihood in nats, else a distance. None
            where the agent does not aim at the data.
        known: negative log-likelihood of training works in nats; None where the score is a distance, or works are
            streamed.
        log_probs: log pi of the round's decisions, float32 [N, T], 0 after the end; None where the score is a distance.
    """

    updates: int
    learning: bool
    read: Callable[[], Reading]
    rehearse: Rehearsal | None
    score: Callable[[], float] | None
    known: Callable[[], float] | None
    log_probs: NDArray[np.float32] | None


@dataclasses.dataclass(frozen=True)
class Adjustment:
    """The output of the controller in a round.

    Attributes:
        d_rate: factor of the learning rate of D's settings.
        policy_rate: factor of the learning rate of the policy's schedule.
        temperature: factor of the temperature of the agent's settings.
        trust: factor that makes D's logits log density ratios.
        d_weights: order for D's weights.
        policy_weights: order for the policy's weights, whose copy is the best policy so far.
        numbers: latest measurements by name, for the log.
    """

    d_rate: float
    policy_rate: float
    temperature: float
    trust: float
    d_weights: Weights
    policy_weights: Weights
    numbers: dict[str, float]


class Controller:
    """Adapts D's learning rate, the policy's, the trust in D and the temperature by measurements on held-out works.

    It holds numbers alone: ``AdversarialDQN`` passes each round to ``step`` and applies the adjustment. The gap is the
    difference of D's mean logits between held-out works and the policy's contents. The rules:

    * *Trust*: the reward is D's logit times its slope a (``calibration.calibrate``), and so a log density ratio
      whatever the scale of the logits, which penalties change. Only where rewards are log ratios and alpha is 1.
    * *D's rate rises* where the smoothed gap is significantly below 0, the policy having gone where D was wrong, and
      D does not tell training works from the policy's either: a D that does lacks works, not speed.
    * *D's rate falls* where a + 2 errors < 1/2 and the logits of fresh contents deviate by more than 1/2 (the logits
      are large and mostly noise, as held-out works show), or where the gap is above 4, above 1.5 times the smallest
      gap so far, and growing (D runs away from the policy).
    * *D's rate rises*, else, where the gap is below 2 errors though it never was above 4, or though the policy is not
      near its best (near it, D has nothing to tell apart), or where the policy is too sharp and D neither notices nor
      memorises. D is restored where 400 updates at higher rates have not made it tell anything apart.
      These rises stop at four times the first rate.
    * *D's rate trebles*, else, where two trials in a row of eight updates at three times the rate significantly lower
      the held-out loss. The pause between trials doubles with each trial that does not.
    * *Sharpness*: the temperature rises where entropy is significantly 5% below the negative log-likelihood of works,
      held-out or training ones, whichever is less.
    * *The best policy*: where the score (``Snapshot.score``) is clearly worse than the best twice in a row (a
      likelihood by 3%, a distance three times as large), the best weights are restored and the policy's rate is
      halved. The best weights are restored at the end of a run by the same criterion.

    The last two rules need an agent whose aim is the data: ``alpha`` and ``gamma`` 1, no rules, no prior, no wrapper
    that pays rewards. The rate of a frozen D is constant.

    Args:
        by_distance: True where the score is a distance between samples, False where it is a likelihood.
    """

    def __init__(self, by_distance: bool = False) -> None:
        self.by_distance = by_distance
        self.d_rate = self.policy_rate = self.caution = self.slope = 1.0
        self.gap = math.nan
        self.smallest_gap = math.inf
        self.updates = self.worse = self.hurries = 0
        self.knows = self.behind = self.sharp = False
        self.overfitting = 0.0
        self.tried_at, self.pause = 0, TRIALS[0]
        self.better = False
        """True where the last trial favoured a faster D."""
        self.best = math.inf
        self.latest: dict[str, float] = {}

    def step(self, snapshot: Snapshot) -> Adjustment:
        """Makes the measurements that are due, and returns the adjustment for the round."""
        before, self.updates = self.updates, self.updates + snapshot.updates
        d_weights: Weights = None
        policy_weights: Weights = None
        if self.updates // READ_EVERY > before // READ_EVERY:
            d_weights = self.act(snapshot.read(), snapshot.learning, snapshot.rehearse)
        judged = not before or self.updates // JUDGE_EVERY > before // JUDGE_EVERY
        if judged and snapshot.score is not None:
            score = snapshot.score()
            if snapshot.log_probs is not None:
                nll = score if snapshot.known is None else min(score, snapshot.known())
                self.soften(-snapshot.log_probs.sum(1, dtype=np.float64), nll)
            policy_weights = self.judge(score)
        return self.adjustment(d_weights, policy_weights)

    def adjustment(self, d_weights: Weights = None, policy_weights: Weights = None) -> Adjustment:
        """Returns the adjustment by the present numbers, with orders for weights."""
        numbers = self.latest | {"d_rate": self.d_rate, "policy_rate": self.policy_rate}
        factors = self.d_rate, self.policy_rate, self.caution, self.slope
        return Adjustment(*factors, d_weights, policy_weights, numbers)

    def act(self, reading: Reading, learning: bool = True, rehearse: Rehearsal | None = None) -> Weights:
        """Applies the rules for D to a reading; returns the order for D's weights."""
        order: Weights = None
        slope = min(max(reading.slope, SLOPES[0]), SLOPES[1])
        if math.isnan(self.gap):  # the first reading
            self.slope, self.gap = slope, reading.gap
        grows = reading.gap > self.gap
        self.slope += (1 - MEMORY) * (slope - self.slope)
        self.gap += (1 - MEMORY) * (reading.gap - self.gap)
        self.overfitting += (1 - MEMORY) * (reading.overfitting - self.overfitting)
        self.smallest_gap = min(self.smallest_gap, self.gap)
        self.knows = self.knows or reading.gap > KNOWS * reading.gap_error
        if learning:
            # By the smoothed gap: one reading in forty is below this by chance, and no rule undoes this rise.
            lost = reading.train_gap < SURE * reading.gap_error
            if self.gap < -SURE * reading.gap_error and lost:
                self._rate(FASTER, f"the agent has outrun it (gap {self.gap:.3f} +- {reading.gap_error:.3f})")
            elif reading.spread > LOUD and reading.slope + SURE * reading.slope_error < BELIEVED:
                self._rate(SLOWER, f"its scores of held-out works are mostly noise (slope {reading.slope:.2f})")
            elif grows and self.gap > max(OVERPOWERING, GROWTH * self.smallest_gap):
                self._rate(
                    SLOWER, f"it is too strong for the agent (gap {self.gap:.2f}, it was {self.smallest_gap:.2f})"
                )
            elif reading.gap < SURE * reading.gap_error and lost and (self.behind or not self.knows):
                order = self._hurry(
                    f"it cannot tell real works from the agent's (gap {reading.gap:.3f} +- {reading.gap_error:.3f})"
                )
            elif self.sharp and self.gap < UNSEEN and self.overfitting < MEMORISES:
                self._rate(FASTER, f"it misses that the agent's works vary too little (gap {reading.gap:.3f})")
            elif rehearse is not None and self.updates >= self.tried_at + self.pause:
                self._try_faster(rehearse)
        self.latest |= {name: getattr(reading, name) for name in MEASURED}
        return order

    def _hurry(self, why: str) -> Weights:
        """Raises the rate of a D that tells nothing apart; for a limited time if it never did: too fast a D dies."""
        order: Weights = None
        if not self.knows:
            self.hurries += 1
            if self.hurries == 1:
                order = "keep"
            if self.hurries == HURRIES:
                order = "restore"
                self._rate(1 / self.d_rate, "higher rates have not helped, its earlier weights are restored")
        if self.knows or self.hurries < HURRIES:
            self._rate(FASTER, why)
        return order

    def _try_faster(self, rehearse: Rehearsal) -> None:
        """Raises D's rate where trials favour it, and makes trials rarer where they do not."""
        try:
            loss, error = more_loss(*rehearse((self.d_rate, TRIED * self.d_rate), TRIAL))
            self.latest["faster_loss"] = loss
        except FloatingPointError:  # that fast it would break
            loss, error = math.inf, 0.0
        before, self.better = self.better, loss < -SURE * error
        self.tried_at = self.updates
        self.pause = TRIALS[0] if self.better else min(2 * self.pause, TRIALS[1])
        if before and self.better:
            self._rate(TRIED, f"a faster one would know more (loss {loss:.3f} +- {error:.3f})", tried=True)

    def _rate(self, times: float, why: str, tried: bool = False) -> None:
        most = RATES[1] if tried else max(UNTRIED, self.d_rate)
        rate = min(max(self.d_rate * times, RATES[0]), most)
        if rate != self.d_rate:
            LOG.info("learning rate of the discriminator x%.2f -> x%.2f: %s", self.d_rate, rate, why)
        self.d_rate = rate

    def soften(self, surprises: Array, nll: float) -> None:
        """Decides whether the policy is too sharp, and adapts the factor of its temperature.

        The entropy of a policy that knows training works by heart is below the negative log-likelihood of held-out
        works, but not below that of training works: only a policy that has lost some of them is too sharp.

        Args:
            surprises: -log pi of the policy's episodes [N], whose mean is its entropy in nats.
            nll: mean -log pi of held-out works, or of training works where it is less, in nats.
        """
        entropy, error = float(surprises.mean()), float(surprises.std()) / math.sqrt(len(surprises))
        self.sharp = entropy < (1 - SHARP) * nll
        surely = entropy + SURE * error < (1 - SHARP) * nll
        caution = min(max(self.caution * (FASTER if surely else 1 / FASTER), CAUTIONS[0]), CAUTIONS[1])
        if surely and caution != self.caution:
            LOG.info(
                "temperature x%.2f: the agent's works vary too little (entropy %.2f nats, NLL of real works %.2f)",
                caution,
                entropy,
                nll,
            )
        self.caution = caution

    def _is_worse(self, score: float, by: float = WORSE) -> bool:
        return score > self.best + by * (NOISIER if self.by_distance else 1) * abs(self.best)

    def judge(self, score: float) -> Weights:
        """Orders to keep the best policy, and to restore it where the policy is worse twice in a row.

        Returns:
            The order for the policy's weights.
        """
        order: Weights = None
        self.latest["score"] = score
        if score < self.best:
            self.best, order = score, "keep"
        self.behind = self._is_worse(score, BEHIND)
        self.worse = self.worse + 1 if self._is_worse(score) else 0
        if self.worse >= PATIENCE:
            self.worse, self.policy_rate = 0, self.policy_rate / 2
            self._say_back(score, f"; its learning rate x{self.policy_rate:.3g}")
            order = "restore"
        return order

    def ends_with_best(self, score: float) -> bool:
        """Returns True where a run whose last policy has this score should end with the best one instead."""
        worse = self._is_worse(score)
        if worse:
            self._say_back(score, "")
        return worse

    def _say_back(self, score: float, also: str) -> None:
        LOG.info("back to the best agent so far: %.4g on validation data, it was %.4g%s", score, self.best, also)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later calls depend on: plain data."""
        return {name: getattr(self, name) for name in NUMBERS} | {"latest": dict(self.latest)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``.

        Raises:
            ValueError: a rate is not above 0 or not finite.
        """
        for name in NUMBERS:
            setattr(self, name, type(getattr(self, name))(state[name]))
        if not all(0 < value < math.inf for value in (self.d_rate, self.policy_rate, self.caution, self.slope)):
            raise ValueError("its controller's rates are not above 0")
        self.latest = {name: float(value) for name, value in state["latest"].items()}


def energy_distance(a: Array, b: Array) -> float:
    """Returns 2 E|X - Y| - E|X - X'| - E|Y - Y'| of contents [N, ...] and [M, ...] of integers, never below 0.

    |.| is the Euclidean distance of the contents laid flat, in units of the largest entry. Expectations are over all
    pairs, of a content with itself too: for one distribution it is then about E|X - X'| (1/N + 1/M) and not 0, and a
    share of the best distance never less than noise.
    """
    top = max(1, int(max(a.max(), b.max())))
    x, y = (torch.from_numpy(z.reshape(len(z), -1).astype(np.float32) / top) for z in (a, b))
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())
