"""The reward of a finished content: the clipped logit of a discriminator, and the task's own rules.

Environments, agents and callbacks all take it from here. Discriminators are named by string and imported on first
need, so that environments load no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import logging
import math
import multiprocessing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .task import Array, Floats, Task

CLIP = 10.0
"""Bound of a reward's logit, in nats: one certain discriminator must not drown every other signal."""

REWARD_FORMS: dict[str, Callable[[Floats], Floats]] = {
    "log_ratio": lambda logits: logits,
    "gail": lambda logits: np.logaddexp(0.0, logits),
    "bounded": lambda logits: np.tanh(logits / 2),
}
"""Rewards of logits, by name.

``log D - log(1 - D)``, at D's optimum the log density ratio (as in AIRL, Fu et al. 2018); ``-log(1 - D)``, always
positive, so that it rewards long episodes (as in much code of GAIL, Ho & Ermon 2016); ``2 D - 1``, which no content can
move far.
"""

T = TypeVar("T", float, NDArray[np.float64])
_MODULE = "musegym.discriminators"
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RewardSettings:
    """How the logit of a discriminator D and the rules of a task add up to the reward r(x) of a content x.

    ``r(x) = discriminator_weight * trust * form(clip(logit D(x), -CLIP, CLIP)) + rule_weight * rules(x)``

    Attributes:
        rule_weight: of the task's rules.
        form: a name of ``REWARD_FORMS``.
        trust: what makes D's reward a log ratio; 1 unless an agent's controller measured otherwise.
        discriminator_weight: at 0 D is not asked.

    Raises:
        ValueError: a number is not finite, or the form is unknown.
    """

    rule_weight: float = 0.0
    form: str = "log_ratio"
    trust: float = 1.0
    discriminator_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rule_weight", "trust", "discriminator_weight"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, not {getattr(self, name)}")
        if self.form not in REWARD_FORMS:
            raise ValueError(f"reward_form must be auto or one of {', '.join(REWARD_FORMS)}, not {self.form!r}")

    def of_logits(self, logits: Floats) -> NDArray[np.float64]:
        """Returns the discriminator's part, float64 [N], of logits [N].

        Raises:
            FloatingPointError: a logit is NaN.
        """
        if np.isnan(logits).any():
            raise FloatingPointError(
                "the discriminator's logits are NaN: its training has diverged; "
                "lower its learning_rate, or go back to an earlier checkpoint"
            )
        rewards = REWARD_FORMS[self.form](np.clip(logits, -CLIP, CLIP).astype(np.float64))
        return (self.discriminator_weight * self.trust * rewards).astype(np.float64, copy=False)

    def of_rules(self, rules: Floats) -> NDArray[np.float64]:
        """Returns the rules' part of rule rewards of any shape, float64.

        Raises:
            FloatingPointError: a rule reward is NaN or infinite.
        """
        if not np.isfinite(rules).all():
            raise FloatingPointError("the task's rules gave a reward that is NaN or infinite: mend task.rules")
        return self.rule_weight * rules.astype(np.float64)


@runtime_checkable
class Scorer(Protocol):
    """What rewards need of a discriminator."""

    def logits(self, contents: Array, conditions: Array | None = None) -> Floats:
        """Returns float [N], high for real."""


class Rewards:
    """Scores finished contents of one task, for both of its environments, as ``RewardSettings`` says.

    Args:
        task: whose contents.
        discriminator: None for a fresh, seeded default one, ``"none"`` for rules only, ``"pretrained"``
            for the one that ships with the package, or the path of a saved one.
        rule_weight: weight of ``task.rules``.

    Raises:
        TypeError: ``discriminator`` is neither None nor a string, or ``rule_weight`` is no number.
        ValueError: ``rule_weight`` is not finite.
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
        if isinstance(rule_weight, bool) or not isinstance(rule_weight, int | float | np.number):
            raise TypeError(f"rule_weight must be a number, not {rule_weight!r}")
        self._task = task
        self.named = discriminator
        self._settings = RewardSettings(float(rule_weight))
        self._live: Scorer | None = None

    @property
    def settings(self) -> RewardSettings:
        """How logits and rules add up."""
        return self._settings

    @settings.setter
    def settings(self, settings: RewardSettings) -> None:
        self._settings = settings

    @property
    def discriminator(self) -> Scorer | None:
        """The discriminator that scores, built or loaded now if it was not yet; None for ``"none"``."""
        if self._live is None and self.named != "none":
            self._live = _resolve(self._task, self.named)
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

    def terms(self, contents: Array) -> dict[str, NDArray[np.float64]]:
        """Returns the parts of the reward of finished contents [N, ...], each float64 [N].

        They are ``"discriminator"`` and ``"rules"``, and ``total`` adds them up.
        """
        settings, nothing = self._settings, np.zeros(len(contents))
        terms = {"discriminator": nothing, "rules": nothing}
        if settings.discriminator_weight and (discriminator := self.discriminator) is not None:
            logits = discriminator.logits(contents, self._task.condition(contents))
            terms["discriminator"] = settings.of_logits(logits)
        if settings.rule_weight:
            terms["rules"] = settings.of_rules(self._task.rules(contents))
        return terms

    def __call__(self, contents: Array) -> NDArray[np.float64]:
        """Returns the rewards of finished contents [N, ...], float64 [N]."""
        return total(self.terms(contents))

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


def total(terms: Mapping[str, T]) -> T:
    """Returns the reward that its terms make; always added in one order, so that it can be taken apart exactly."""
    return terms["discriminator"] + terms["rules"]


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
