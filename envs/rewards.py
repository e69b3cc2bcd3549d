"""What a finished content is worth: the clipped logit of a discriminator and the task's own rules.

Discriminators are named by string and imported on first need, so that environments load no torch.
"""

from __future__ import annotations

import functools
import importlib
import logging
import multiprocessing
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .task import Array, Floats, Task

CLIP = 10.0
"""Bound of a reward's logit, in nats: one certain discriminator must not drown every other signal."""

_MODULE = "musegym.discriminators"
_logger = logging.getLogger(__name__)


@runtime_checkable
class Scorer(Protocol):
    """What rewards need of a discriminator."""

    def logits(self, contents: Array, conditions: Array | None = None) -> Floats:
        """Returns float [N], high for real."""


class Rewards:
    """Scores finished contents of one task, for both of its environments.

    The reward of a content x with condition c is ``clip(logit D(x, c), -CLIP, CLIP) + rule_weight * rules(x)``.

    Args:
        task: whose contents.
        discriminator: None for a fresh, seeded default one, ``"none"`` for rules only, ``"pretrained"``
            for the one that ships with the package, or the path of a saved one.
        rule_weight: weight of ``task.rules``.

    Raises:
        TypeError: ``discriminator`` is neither None nor a string.
        FileNotFoundError: there is no such file.
    """

    def __init__(self, task: Task[Any], discriminator: str | None, rule_weight: float) -> None:
        if discriminator is not None and not isinstance(discriminator, str):
            raise TypeError(
                "discriminator must be None, 'none', 'pretrained' or a path as a string; "
                f"hand over a live {type(discriminator).__name__} with env.unwrapped.set_discriminator(d)"
            )
        if discriminator not in (None, "none", "pretrained") and not Path(discriminator).is_file():
            raise FileNotFoundError(
                f"no discriminator at {discriminator!r}: give 'none', 'pretrained' or the path of a saved one"
            )
        self._task = task
        self._named = discriminator
        self.rule_weight = float(rule_weight)
        self._live: Scorer | None = None

    @property
    def discriminator(self) -> Scorer | None:
        """The discriminator that scores, built or loaded now if it was not yet; None for ``"none"``."""
        if self._live is None and self._named != "none":
            self._live = _resolve(self._task, self._named)
        return self._live

    @discriminator.setter
    def discriminator(self, discriminator: Scorer) -> None:
        if not isinstance(discriminator, Scorer):
            raise TypeError(
                f"a discriminator has logits(contents, conditions), a {type(discriminator).__name__} has not"
            )
        # Workers of AsyncVectorEnv and SubprocVecEnv are daemons; a training run in a process of its own is none.
        if multiprocessing.current_process().daemon:
            raise RuntimeError(
                "environments in other processes cannot share a live discriminator: its copies would never be trained; "
                "use gym.make_vec(...) or DummyVecEnv, or discriminator='PATH' for a frozen one"
            )
        self._live = discriminator

    def __call__(self, contents: Array) -> NDArray[np.float64]:
        """Scores finished contents [N, ...] in one call; returns float64 [N]."""
        rewards = np.zeros(len(contents))  # [N]
        discriminator = self.discriminator
        if discriminator is not None:
            logits = discriminator.logits(contents, self._task.condition(contents))
            if np.isnan(logits).any():
                raise FloatingPointError(
                    "the discriminator's logits are NaN: its training has diverged; "
                    "lower its learning rate, or go back to an earlier checkpoint"
                )
            rewards += np.clip(logits, -CLIP, CLIP)
        if self.rule_weight:
            rewards += self.rule_weight * self._task.rules(contents)
        return rewards

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A copy in this process shares the discriminator, so that it goes on learning.
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        if self._live is not None:
            raise TypeError(
                "an environment that holds a live discriminator cannot be sent to other processes: its copies would "
                "never be trained; pass discriminator='PATH' of a saved one instead"
            )
        return self.__dict__.copy()


def _resolve(task: Task[Any], named: str | None) -> Scorer:
    module = importlib.import_module(_MODULE)
    if named is None:
        _warn_untrained(type(task).__name__)
        scorer = module.make_discriminator(task, seed=0)
    elif named == "pretrained":
        scorer = module.pretrained(task)
    else:
        scorer = module.Discriminator.load(named)
    if not isinstance(scorer, Scorer):
        raise TypeError(f"{_MODULE} gave a {type(scorer).__name__}, which has no logits(contents, conditions)")
    return scorer


@functools.cache
def _warn_untrained(name: str) -> None:
    _logger.warning(
        "%s: rewards come from an untrained discriminator and mean little until something trains it "
        "(DiscriminatorCallback, co_trained), or pass discriminator='pretrained' or 'none'",
        name,
    )
