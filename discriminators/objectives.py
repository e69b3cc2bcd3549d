"""Losses and penalties of discriminators, each with its equation and source.

Everywhere ``logits`` are high for real contents, D = sigmoid(logit), and losses are in nats.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Settings:
    """Losses, penalties and optimiser of a discriminator.

    Raises:
        ValueError: a number is out of its range.
    """

    learning_rate: float = 1e-3
    """Step size of AdamW."""
    betas: tuple[float, float] = (0.5, 0.99)
    """Adam's decay rates; the first is low, since old gradients are wrong once the agent has changed."""
    weight_decay: float = 1e-3
    """Decoupled weight decay (AdamW: Loshchilov & Hutter 2019)."""
    clip: float = 5.0
    """Bound of the gradient's norm."""
    label_smoothing: float = 0.0
    """Share s by which the target of real contents falls below 1: see ``discriminator_loss``."""
    r1: float = 0.0
    """gamma of the R1 penalty; 0 turns it off."""
    r1_every: int = 4
    """Updates between two penalties, whose weight is multiplied by this number (StyleGAN2: Karras et al. 2020)."""
    r1_rows: int = 64
    """Number of contents in a penalty: second derivatives cost four times an update."""
    r1_on_fake: bool = True
    """True penalises gradients at fakes, too (R1 + R2), which keeps the reward smooth at the agent's contents."""

    def __post_init__(self) -> None:
        numbers = (self.learning_rate, self.weight_decay, self.clip, self.label_smoothing, self.r1, *self.betas)
        names = ("learning_rate", "weight_decay", "clip", "label_smoothing", "r1", "betas")
        values = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        if not all(isinstance(value, int | float) and 0 <= value < 1e6 for value in numbers) or len(self.betas) != 2:
            raise ValueError(f"settings of a discriminator must be numbers from 0 to a million, got {values}")
        if not max(self.betas) < 1 or not self.label_smoothing < 0.5 or not self.learning_rate or not self.clip:
            raise ValueError(f"betas below 1, label_smoothing below 0.5, learning_rate and clip above 0; got {values}")
        if not all(type(value) is int and value > 0 for value in (self.r1_every, self.r1_rows)):
            raise ValueError(
                f"r1_every and r1_rows must be whole numbers from 1, got {self.r1_every!r}, {self.r1_rows!r}"
            )


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Logistic loss ``-E_real[log D] - E_fake[log(1 - D)]`` (Goodfellow et al. 2014, equation 1); 2 log 2 at chance.

    Its optimum is ``logit D = log p_data - log p_fake`` where both are equally frequent. With one-sided
    label smoothing s (Salimans et al. 2016, section 3.4) the target for real is 1 - s, and the optimum becomes
    ``log((1 - s) p_data) - log(p_fake + s p_data)``, bounded by ``log((1 - s) / s)``: no longer the ratio.

    Args:
        real_logits: float [N].
        fake_logits: float [M].
        label_smoothing: s in [0, 0.5).
    """
    real = F.softplus(-real_logits).mean()
    if label_smoothing:
        real = (1 - label_smoothing) * real + label_smoothing * F.softplus(real_logits).mean()
    return real + F.softplus(fake_logits).mean()


def r1_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Returns ``1/2 E ||d logit / d input||^2`` (R1: Mescheder et al. 2018, equation 9, without its gamma).

    Contents are discrete, so the gradient is that at their embeddings, which the networks normalise:
    otherwise larger tables would reduce the penalty without a smoother function.

    Args:
        logits: float [B].
        inputs: Of any shape, with a graph to ``logits``, in which each entry belongs to one content.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return 0.5 * gradient.square().sum() / len(logits)


def generator_loss(fake_rewards: NDArray[np.floating]) -> float:
    """Returns ``-E_fake[r]``, minus the mean of D's rewards r: D's term of the agent's objective.

    For ``r = log D - log(1 - D)`` it estimates KL(fake || data) at the optimal D; 0 at chance.
    """
    return -float(fake_rewards.astype(np.float64).mean())
