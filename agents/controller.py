"""Keeps D and the policy in step: from readings on validation data, says how rates and temperature are to change."""

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
"""The numbers of a controller that later rounds depend on."""

Weights = Literal["keep", "restore"] | None
"""An order for a network: keep a copy of its weights, take back the copy, or neither."""
Rehearsal = Callable[[Sequence[float], int], Sequence[tuple[Array, Array]]]
"""``DiscriminatorTrainer.rehearse`` on the round's contents: takes rates and a number of updates."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A round as the controller sees it, before D learns from it. Measurements are calls, made only when due.

    Attributes:
        updates: of the policy, in this round.
        learning: True where D learns.
        read: measures D.
        rehearse: tries D at several rates and leaves it as it was; None where the round has too few contents.
        score: measures how bad the policy is: held-out negative log-likelihood in nats, else a distance. None where
            the agent does not aim at the data.
        log_probs: log pi of the round's decisions, float32 [N, T], 0 after the end; None where the score is a distance.
    """

    updates: int
    learning: bool
    read: Callable[[], Reading]
    rehearse: Rehearsal | None
    score: Callable[[], float] | None
    log_probs: NDArray[np.float32] | None


@dataclasses.dataclass(frozen=True)
class Adjustment:
    """The agent as it is to be in this round.

    Attributes:
        d_rate: multiplies the learning rate of D's settings.
        policy_rate: multiplies the learning rate of the policy's schedule.
        temperature: multiplies the temperature of the agent's settings.
        trust: the slope by which D's logits are log density ratios.
        d_weights: the order for D's weights.
        policy_weights: the order for the policy's, of which the copy is the best policy so far.
        numbers: the latest measurements by name, to be logged.
    """

    d_rate: float
    policy_rate: float
    temperature: float
    trust: float
    d_weights: Weights
    policy_weights: Weights
    numbers: dict[str, float]


class Controller:
    """Adapts D's learning rate, the policy's, the trust in D and the temperature, by what held-out works say.

    It holds numbers alone: ``AdversarialDQN.adapt`` shows it each round and does what it says. The rules:

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
    * *the best policy*: where the score (``Snapshot.score``) is clearly worse than the best twice in a row (a
      likelihood by 3%, a distance three times as large), the best weights come back and the policy's rate is halved;
      at the end the best are kept likewise.

    The last two need the data to be what the agent aims at: ``alpha`` and ``gamma`` 1, no rules, no prior,
    no environment that pays more than D and the rules.
    The rate of a frozen D stays as it is.

    Args:
        by_distance: the score is a distance of samples, and no likelihood.
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
        """True where the last trial was in favour of a faster D."""
        self.best = math.inf
        self.latest: dict[str, float] = {}

    def step(self, snapshot: Snapshot) -> Adjustment:
        """Measures what is due and returns what is to change, before D learns from the round's contents."""
        before, self.updates = self.updates, self.updates + snapshot.updates
        d_weights: Weights = None
        policy_weights: Weights = None
        if self.updates // READ_EVERY > before // READ_EVERY:
            d_weights = self.act(snapshot.read(), snapshot.learning, snapshot.rehearse)
        judged = not before or self.updates // JUDGE_EVERY > before // JUDGE_EVERY
        if judged and snapshot.score is not None:
            score = snapshot.score()
            if snapshot.log_probs is not None:
                self.soften(-snapshot.log_probs.sum(1, dtype=np.float64), score)
            policy_weights = self.judge(score)
        return self.adjustment(d_weights, policy_weights)

    def adjustment(self, d_weights: Weights = None, policy_weights: Weights = None) -> Adjustment:
        """Returns the agent as it is to be by now, with orders for weights."""
        rates = self.d_rate, self.policy_rate
        return Adjustment(*rates, self.caution, self.slope, d_weights, policy_weights, dict(self.latest))

    def act(self, seen: Reading, learning: bool = True, rehearse: Rehearsal | None = None) -> Weights:
        """Follows the rules about D; returns the order for its weights."""
        order: Weights = None
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
                order = self._hurry(f"it tells nothing apart (gap {seen.gap:.3f} +- {seen.gap_error:.3f})")
            elif self.sharp and self.gap < UNSEEN and self.overfitting < MEMORISES:
                self._rate(FASTER, f"it does not see how sharp the policy is (gap {seen.gap:.3f})")
            elif rehearse is not None and self.updates >= self.tried_at + self.pause:
                self._try_faster(rehearse)
        self.latest |= {
            "gap": seen.gap,
            "slope": seen.slope,
            "held_out_loss": seen.held_out_loss,
            "overfitting": seen.overfitting,
            "spread": seen.spread,
        }
        return order

    def _hurry(self, why: str) -> Weights:
        """Hurries a D that tells nothing apart; one that never has only for so long, since too fast a D dies."""
        order: Weights = None
        if not self.knows:
            self.hurries += 1
            if self.hurries == 1:
                order = "keep"
            if self.hurries == HURRIES:
                order = "restore"
                self._rate(1 / self.d_rate, "haste has not helped, it is what it was before")
        if self.knows or self.hurries < HURRIES:
            self._rate(FASTER, why)
        return order

    def _try_faster(self, rehearse: Rehearsal) -> None:
        """Makes D faster where a faster one would know more; asks ever more rarely where not."""
        try:
            loss, error = more_loss(*rehearse((self.d_rate, TRIED * self.d_rate), TRIAL))
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

    def _is_worse(self, score: float, by: float = WORSE) -> bool:
        return score > self.best + by * (NOISIER if self.by_distance else 1) * abs(self.best)

    def judge(self, score: float) -> Weights:
        """Keeps the best policy; goes back to it from one that is worse twice in a row.

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
            self._say_back(score, f"; the policy's rate x{self.policy_rate:.3g}")
            order = "restore"
        return order

    def ends_with_best(self, score: float) -> bool:
        """Returns True where a run whose last policy has this score is to end with the best one."""
        worse = self._is_worse(score)
        if worse:
            self._say_back(score, "")
        return worse

    def _say_back(self, score: float, also: str) -> None:
        LOG.info("back to the best policy: %.4g on validation data, it was %.4g%s", score, self.best, also)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later calls depend on: plain data."""
        return {name: getattr(self, name) for name in NUMBERS} | {"latest": dict(self.latest)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``.

        Raises:
            ValueError: it has no numbers that a controller comes to.
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
