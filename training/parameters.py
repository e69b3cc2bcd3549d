"""Hyperparameters, as ``--param NAME=VALUE`` gives them, and the untrained agent and discriminator they define."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.utils import get_device

from ..agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from ..agents.config import DQNConfig
from ..agents.networks import RecurrentQ
from ..discriminators import Architecture, DiscriminatorTrainer, make_trainer
from ..discriminators import Settings as Learning
from ..errors import UsageError
from . import arguments
from .arguments import Argument
from .folder import Settings

DISCRIMINATOR = "discriminator."
"""Prefix of the hyperparameters of the discriminator and of its training."""
# The command line or the task sets these.
_NOT_OFFERED = {"discriminator", "task", "seed"}
_MACHINE = ("device", "precision")
_TASK = {"kind", "shape", "sizes", "condition_sizes", "categorical"}
_NETWORK = ("hidden", "embedding", "dropout", "sight")


@functools.cache
def hyperparameters() -> dict[str, Argument]:
    """Returns the hyperparameters of the agent, then those of the discriminator and of its training."""
    found = arguments.of(DQNConfig, _NOT_OFFERED)
    found |= {name: argument for name, argument in arguments.of(AdversarialDQN).items() if name in _MACHINE}
    for owner in (DiscriminatorTrainer, Architecture, Learning):
        for name, argument in arguments.of(owner, _NOT_OFFERED | _TASK).items():
            found[DISCRIMINATOR + name] = argument
    return found


def defaults() -> dict[str, Any]:
    """Returns the default value of every hyperparameter."""
    return {name: argument.default for name, argument in hyperparameters().items()}


def read(texts: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values, plain data, of hyperparameters given as text.

    Raises:
        UsageError: a name is unknown, or a value is of another type.
    """
    try:
        values = arguments.read(texts, hyperparameters(), "--param")
    except ValueError as error:
        raise UsageError(str(error)) from None
    check(values)
    return values


def check(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns valid hyperparameters with lists as tuples.

    Raises:
        UsageError: a name is unknown, or a value is of another type.
    """
    network = {name: argument for name, argument in arguments.of(RecurrentQ).items() if name in _NETWORK}
    try:
        values = arguments.check(params, hyperparameters(), "--param")
        arguments.check(values.get("policy_kwargs") or {}, network, "--param policy_kwargs:", "the network")
    except ValueError as error:
        raise UsageError(str(error)) from None
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def build(settings: Settings) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Builds an untrained agent with its environment, and the callback that trains its discriminator.

    Raises:
        UsageError: hyperparameters or environment arguments are invalid.
    """
    given = check(settings.params)
    names = [name for name in given if name.startswith(DISCRIMINATOR)]
    options = {name.removeprefix(DISCRIMINATOR): given.pop(name) for name in names}
    try:
        env = make_sb3_env(settings.id, settings.num_envs, settings.seed, discriminator="none", **settings.env_kwargs)
        device = device_of(given)
        model = AdversarialDQN("auto", env, seed=settings.seed, **given)
        trainer = make_trainer(model.task, seed=settings.seed, device=device, **options)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: torch raises it for invalid networks
        raise UsageError(f"--param or --set: {error}") from None
    return model, DiscriminatorCallback(trainer)


def device_of(params: dict[str, Any]) -> str:
    """Returns the name of the torch device that hyperparameters ask for.

    Raises:
        UsageError: torch does not find it on this machine.
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
