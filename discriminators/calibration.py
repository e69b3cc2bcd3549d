"""How far a discriminator's logits can be believed: on held-out real contents against an agent's latest."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

LOGIT_RANGE = 10.0
"""Standard deviation of the slope's prior, per standard deviation of the logits: finite where classes are apart."""
NEWTON_STEPS = 25


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a D says of contents that it has not learned from.

    Attributes:
        gap: mean logit of held-out real contents minus that of the agent's.
        gap_error: its standard error.
        spread: standard deviation of the logits of the agent's contents.
        slope: a of the logistic regression that tells the two apart by a * logit + b: below 1 where logits say too
            much, above 1 where they say too little.
        slope_error: its standard error.
        held_out_loss: the logistic loss on both, in nats; 2 log 2 = 1.386 knows nothing.
        overfitting: r_v = (train - held-out) / (train - agent's), of mean logits (StyleGAN2-ADA, Karras et al. 2020,
            equation 1): 0 where D does not know its training contents by heart, 1 where it knows nothing else.
    """

    gap: float
    gap_error: float
    spread: float
    slope: float
    slope_error: float
    held_out_loss: float
    overfitting: float


def read(train: NDArray[np.floating], held_out: NDArray[np.floating], fresh: NDArray[np.floating]) -> Reading:
    """Reads logits [M], [N], [K] of training, of held-out and of the agent's latest contents."""
    train, held_out, fresh = (logits.astype(np.float64) for logits in (train, held_out, fresh))
    gap, known = held_out.mean() - fresh.mean(), train.mean() - fresh.mean()
    error = np.sqrt(held_out.var() / len(held_out) + fresh.var() / len(fresh))
    slope, slope_error = calibrate(held_out, fresh)
    loss = sum(losses.mean() for losses in _losses(held_out, fresh))
    # Where D tells nothing apart, the share of it that is memory is no number: at most 1 is said.
    overfitting = np.clip((known - gap) / max(known, 1e-9), -1, 1) if known > 2 * error else 0.0
    return Reading(*map(float, (gap, error, fresh.std(), slope, slope_error, loss, overfitting)))


def more_loss(
    one: tuple[NDArray[np.floating], NDArray[np.floating]], other: tuple[NDArray[np.floating], NDArray[np.floating]]
) -> tuple[float, float]:
    """Returns by how much more logistic loss, in nats, the other D has on the same contents, and its standard error.

    Args:
        one: logits [N] of real contents and [M] of fakes; ``other`` likewise, in the same order.
        other: see ``one``.
    """
    more = [b - a for a, b in zip(_losses(*one), _losses(*other), strict=True)]
    return float(sum(x.mean() for x in more)), float(np.sqrt(sum(x.var() / len(x) for x in more)))


def calibrate(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[float, float]:
    """Returns the slope a, and its standard error, by which logits [N] and [M] are to be multiplied to be believed.

    Maximises E_real[log sigmoid(a l + b)] + E_fake[log(1 - sigmoid(a l + b))] over a and b (Platt 1999; of networks Guo
    et al. 2017; of a GAN's D Turner et al. 2019), each of the two counting half. At the optimum a l + b is the best
    affine estimate of log p_real - log p_fake. For logits that are Gaussian in both classes with one variance,
    a = gap / variance. b is what an agent does not learn from, so D's drift has no part in it.
    """
    logits = np.concatenate([real, fake]).astype(np.float64)
    scale = max(float(logits.std()), 1e-9)
    x = np.stack([(logits - logits.mean()) / scale, np.ones(len(logits))], 1)  # [N + M, 2]
    is_real = np.arange(len(logits)) < len(real)
    weight = np.where(is_real, len(logits) / (2 * max(1, len(real))), len(logits) / (2 * max(1, len(fake))))
    prior = np.diag([LOGIT_RANGE**-2, 1e-9])
    w = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (weight * (p - is_real)) + prior @ w
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + prior
        step = np.linalg.solve(curvature, gradient)
        w -= step / max(1.0, float(np.abs(step).max()))  # undamped, Newton's method leaves separable classes for good
    error = np.sqrt(np.linalg.inv(curvature)[0, 0])
    return float(w[0] / scale), float(error / scale)


def _losses(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the logistic loss of each of the logits [N] of real contents and [M] of fakes."""
    return np.logaddexp(0, -real.astype(np.float64)), np.logaddexp(0, fake.astype(np.float64))
