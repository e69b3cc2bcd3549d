"""Calibration of a discriminator's logits, on held-out real contents and an agent's latest ones."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

LOGIT_RANGE = 10.0
"""Standard deviation of the prior of the slope, in units of the logits' one: keeps separable classes finite."""
NEWTON_STEPS = 25


@dataclasses.dataclass(frozen=True)
class Reading:
    """Measurements of D on contents that it was not trained on.

    Attributes:
        gap: mean logit of held-out real contents minus that of the agent's.
        gap_error: its standard error.
        spread: standard deviation of the logits of the agent's contents.
        slope: a of the logistic regression of the two classes on a * logit + b: below 1 where logits are too large,
            above 1 where they are too small.
        slope_error: its standard error.
        held_out_loss: the logistic loss on both, in nats; 2 log 2 = 1.386 at chance.
        overfitting: r_v = (train - held-out) / (train - agent's), of mean logits (StyleGAN2-ADA, Karras et al. 2020,
            equation 1): 0 where D generalises, 1 where it only memorises.
        train_gap: mean logit of training contents minus that of the agent's.
    """

    gap: float
    gap_error: float
    spread: float
    slope: float
    slope_error: float
    held_out_loss: float
    overfitting: float
    train_gap: float


def read(train: NDArray[np.floating], held_out: NDArray[np.floating], fresh: NDArray[np.floating]) -> Reading:
    """Returns the measurements of logits [M], [N], [K] of training, held-out and the agent's latest contents."""
    train, held_out, fresh = (logits.astype(np.float64) for logits in (train, held_out, fresh))
    gap, known = held_out.mean() - fresh.mean(), train.mean() - fresh.mean()
    error = np.sqrt(held_out.var() / len(held_out) + fresh.var() / len(fresh))
    slope, slope_error = calibrate(held_out, fresh)
    loss = sum(losses.mean() for losses in _losses(held_out, fresh))
    # Where D cannot tell agent and data apart, the share is undefined: 0, and elsewhere at most 1.
    overfitting = np.clip((known - gap) / max(known, 1e-9), -1, 1) if known > 2 * error else 0.0
    return Reading(*map(float, (gap, error, fresh.std(), slope, slope_error, loss, overfitting, known)))


def more_loss(
    one: tuple[NDArray[np.floating], NDArray[np.floating]], other: tuple[NDArray[np.floating], NDArray[np.floating]]
) -> tuple[float, float]:
    """Returns the logistic loss of another D minus that of one, in nats, on the same contents; and its standard error.

    Args:
        one: logits [N] of real contents and [M] of fakes.
        other: logits of the same contents, in the same order.
    """
    more = [b - a for a, b in zip(_losses(*one), _losses(*other), strict=True)]
    return float(sum(x.mean() for x in more)), float(np.sqrt(sum(x.var() / len(x) for x in more)))


def calibrate(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[float, float]:
    """Returns the slope a that makes a times the logits [N], [M] log density ratios, and its standard error.

    Maximises E_real[log sigmoid(a l + b)] + E_fake[log(1 - sigmoid(a l + b))] over a and b (Platt 1999; of networks Guo
    et al. 2017; of a GAN's D Turner et al. 2019), each of the two counting half. At the optimum a l + b is the best
    affine estimate of log p_real - log p_fake. For logits that are Gaussian in both classes with one variance,
    a = gap / variance. An agent does not learn from b, a constant, so that D's drift does not count.
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
        w -= step / max(1.0, float(np.abs(step).max()))  # undamped, Newton's method diverges on separable classes
    error = np.sqrt(np.linalg.inv(curvature)[0, 0])
    return float(w[0] / scale), float(error / scale)


def _losses(real: NDArray[np.floating], fake: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the logistic loss of each of the logits [N] of real contents and [M] of fakes."""
    return np.logaddexp(0, -real.astype(np.float64)), np.logaddexp(0, fake.astype(np.float64))
