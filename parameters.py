"""From ``--param NAME=VALUE`` to an agent and its discriminator."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from stable_baselines3.common.utils import get_device

from .agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from .discriminators import Architecture, DiscriminatorTrainer, make_trainer
from .discriminators import Settings as Learning
from .runs import Settings, UsageError

DISCRIMINATOR = "discriminator."
"""Begins the names that are the discriminator's, or its training's."""
# Arguments that the command line or the task sets; D is where the agent is.
_NOT_OFFERED = {
    "policy",
    "env",
    "discriminator",
    "task",
    "seed",
    "verbose",
    "tensorboard_log",
    "_init_setup_model",
}
_OF_THE_TASK = {"kind", "shape", "sizes", "condition_sizes", "conditions_in_header"}


def defaults() -> dict[str, Any]:
    """Returns the names that ``--param`` takes, with the values they have where nothing is said."""
    own = _arguments(AdversarialDQN)
    return own | {DISCRIMINATOR + name: value for name, value in (_of_trainer() | _of_discriminator()).items()}


def check(params: dict[str, Any]) -> dict[str, Any]:
    """Returns parameters with lists as tuples.

    Raises:
        UsageError: a name is unknown, or a value has another type than its default.
    """
    known = defaults()
    result = {}
    for name, value in params.items():
        if name not in known:
            raise UsageError(f"--param {name}: there is no such hyperparameter; there are: {', '.join(known)}")
        default = known[name]
        value = tuple(value) if isinstance(value, list) else value
        if not _fits(value, default):
            raise UsageError(f"--param {name}={value}: give a value like its default, {default}")
        result[name] = value
    return result


def build(settings: Settings) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Makes an untrained agent with its environment, and what trains its discriminator.

    Raises:
        UsageError: hyperparameters or environment arguments are impossible.
    """
    given = check(settings.params)
    theirs = {
        name.removeprefix(DISCRIMINATOR): given.pop(name) for name in list(given) if name.startswith(DISCRIMINATOR)
    }
    try:
        env = make_sb3_env(settings.id, settings.num_envs, settings.seed, discriminator="none", **settings.env_kwargs)
        device = device_of(given)
        model = AdversarialDQN("auto", env, seed=settings.seed, **given)
        trainer = make_trainer(model.task, seed=settings.seed, device=device, **theirs)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--param or --set: {error}") from None
    return model, DiscriminatorCallback(trainer)


def device_of(params: dict[str, Any]) -> str:
    """Returns the device that parameters name.

    Raises:
        UsageError: this machine's torch does not have it.
    """
    asked = str(params.get("device", "cpu"))
    try:
        found = get_device(asked)
    except RuntimeError:
        found = None
    if found is None or asked not in ("auto", found.type, str(found)):
        raise UsageError(
            f"--param device={asked}: torch finds no such device here; give cpu, or auto to use what there is"
        )
    return str(found)


def _arguments(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name not in _NOT_OFFERED}


def _of_trainer() -> dict[str, Any]:
    return _arguments(DiscriminatorTrainer)


def _of_discriminator() -> dict[str, Any]:
    fields = (*dataclasses.fields(Architecture), *dataclasses.fields(Learning))
    return {field.name: field.default for field in fields if field.name not in _OF_THE_TASK}


def _fits(value: Any, default: Any) -> bool:
    """Whether a value has the type of a default; where that is None, whether it is no text."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and len(value) == len(default) and all(map(_fits, value, default))
    if default is None:
        return not isinstance(value, str | bool | tuple)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
