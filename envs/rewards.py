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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .draws import gaussian
from .task import Array, Floats, State, Task

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
    """Form and weights of the reward r(x) of a content x: the logit of a discriminator D, and the rules of the task.

    ``r(x) = discriminator_weight * trust * form(clip(logit D(x), -CLIP, CLIP)) + sum_i rule_weight_i * rules_i(x)``

    Attributes:
        rule_weight: of every rule of the task, or of some by name: all others then have weight 0.
        form: a name of ``REWARD_FORMS``.
        trust: factor that makes D's reward a log ratio; 1 unless an agent's controller measured otherwise.
        discriminator_weight: of D's reward; at 0 D is not evaluated.

    Raises:
        ValueError: a number is not finite, or the form is unknown.
    """

    rule_weight: float | Mapping[str, float] = 0.0
    form: str = "log_ratio"
    trust: float = 1.0
    discriminator_weight: float = 1.0

    def __post_init__(self) -> None:
        numbers = {"trust": self.trust, "discriminator_weight": self.discriminator_weight, **_named(self.rule_weight)}
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value}")
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

    def of_rules(self, rules: Floats, names: Sequence[str]) -> NDArray[np.float64]:
        """Returns the rules' part, float64 [...], of rule rewards [..., R] whose rules are called ``names``.

        Raises:
            FloatingPointError: a rule reward is NaN or infinite.
            ValueError: a weight is given to a rule that is not among them.
        """
        if not np.isfinite(rules).all():
            raise FloatingPointError("the task's rules gave a reward that is NaN or infinite: mend task.rules")
        rewards = np.zeros(rules.shape[:-1])
        for column, weight in enumerate(self.weights(names)):  # a product of matrices rounds by the number of rows
            rewards += weight * rules[..., column]
        return rewards

    def weights(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Returns the weight of each rule, float64 [R].

        Raises:
            ValueError: a weight is given to a rule that is not among ``names``.
        """
        if not isinstance(self.rule_weight, Mapping):
            return np.full(len(names), float(self.rule_weight))
        unknown = sorted(set(self.rule_weight) - set(names))
        if unknown:
            raise ValueError(f"no rule is called {unknown[0]!r}; there are: {', '.join(names) or 'none'}")
        return np.array([self.rule_weight.get(name, 0.0) for name in names], np.float64)


def _named(rule_weight: float | Mapping[str, float]) -> dict[str, float]:
    if not isinstance(rule_weight, Mapping):
        return {"rule_weight": rule_weight}
    return {f"rule_weight[{name!r}]": value for name, value in rule_weight.items()}


@runtime_checkable
class Scorer(Protocol):
    """The interface that rewards need of a discriminator."""

    def logits(self, contents: Array, conditions: Array | None = None) -> Floats:
        """Returns float [N], high for real."""


class Finished(NamedTuple):
    """N finished works and their rewards, as both environments show them.

    Attributes:
        arrays: ``"content"`` [N, ...]; ``"condition"`` int [N, C] where there are conditions; ``"plan"`` [N, ...] where
            contents are decoded from plans.
        terms: ``"discriminator"`` and ``"rules"``, float64 [N]: ``total`` adds them up.
        rules: float64 [N] by name of rule, before weights; empty where rules are not paid.
    """

    arrays: dict[str, Array]
    terms: dict[str, NDArray[np.float64]]
    rules: dict[str, NDArray[np.float64]]


class Rewards:
    """Scores finished contents of one task, for both of its environments, by ``RewardSettings``.

    Args:
        task: the task that the contents belong to.
        discriminator: None for a fresh, seeded default one, ``"none"`` for rules only, ``"pretrained"``
            for the one that ships with the package, or the path of a saved one.
        rule_weight: weight of ``task.rules``, or of some of them by name.

    Raises:
        TypeError: ``discriminator`` is neither None nor a string, or ``rule_weight`` is no number.
        ValueError: ``rule_weight`` is not finite, or of a rule that the task does not have.
        FileNotFoundError: there is no such file.
    """

    def __init__(self, task: Task[Any], discriminator: str | None, rule_weight: float | Mapping[str, float]) -> None:
        if discriminator is not None and not isinstance(discriminator, str):
            raise TypeError(
                "discriminator must be None, 'none', 'pretrained' or a path as a string; "
                f"hand over a live {type(discriminator).__name__} with env.unwrapped.set_discriminator(d)"
            )
        if discriminator not in (None, "none", "pretrained") and not Path(discriminator).is_file():
            raise FileNotFoundError(
                f"no discriminator at {discriminator!r}: give 'none', 'pretrained' or the path of a saved one"
            )
        weights = _named(rule_weight).values()
        if not all(isinstance(each, int | float | np.number) and not isinstance(each, bool) for each in weights):
            raise TypeError(f"rule_weight must be a number, or a number for each of some rules, not {rule_weight!r}")
        self._task = task
        self.named = discriminator
        self.settings = RewardSettings(dict(rule_weight) if isinstance(rule_weight, Mapping) else float(rule_weight))
        """Form and weights of the reward."""
        self.settings.weights(task.rule_names)
        self._live: Scorer | None = None

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
        refuse_in_workers("discriminator")
        self._live = discriminator

    def finish(self, state: State, draw: Callable[[], NDArray[np.uint64]]) -> Finished:
        """Returns the works of N finished rows with their rewards.

        Args:
            state: of these rows.
            draw: returns uint64 [N], one uniform draw per row; called only where contents are decoded with noise.
        """
        task, settings = self._task, self.settings
        plans, conditions = task.content(state), task.condition(state)
        noise = gaussian(draw(), task.noise_size) if task.noise_size else None
        contents = task.decode(plans, noise)
        arrays = {"content": contents} | ({"condition": conditions} if task.conditions else {})
        if type(task).decode is not Task.decode:
            arrays["plan"] = plans
        terms, by_rule = dict.fromkeys(("discriminator", "rules"), np.zeros(len(contents))), {}
        if settings.discriminator_weight and (discriminator := self.discriminator) is not None:
            terms["discriminator"] = settings.of_logits(discriminator.logits(contents, conditions))
        if settings.rule_weight and task.rule_names:
            rules = task.rules(contents, conditions)
            terms["rules"] = settings.of_rules(rules, task.rule_names)
            by_rule = dict(zip(task.rule_names, rules.astype(np.float64).T, strict=True))
        return Finished(arrays, terms, by_rule)

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


def refuse_in_workers(network: str) -> None:
    """Raises ``RuntimeError`` in processes of vector environments, where a live network would be a copy.

    Workers of AsyncVectorEnv and SubprocVecEnv are daemons; a training run in a process of its own is none.

    Args:
        network: name of the argument that names a frozen one.
    """
    if multiprocessing.current_process().daemon:
        raise RuntimeError(
            f"environments in other processes cannot share a live {network}: its copies would never be trained; "
            f"use gym.make_vec(...) or DummyVecEnv, or {network}='PATH' for a frozen one"
        )


def total(terms: Mapping[str, T]) -> T:
    """Returns the sum of reward terms, always added in one order: callers get exactly the same number."""
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
