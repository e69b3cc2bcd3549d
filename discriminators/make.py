"""Discriminators and their training made to measure: what a task's contents need, and what each kind does well with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from . import files
from .architecture import DENSE_CELLS, Architecture
from .discriminator import Discriminator, TaskLike
from .objectives import Settings
from .trainer import DiscriminatorTrainer

DEFAULTS: dict[str, dict[str, Any]] = {
    # A pen cannot make what a scanner saw: D must not judge by edges, or all it says of drawings is how much ink they
    # have. R1 at every update, or it overpowers whoever learns from pictures alone.
    "image": {"augmentation": 1.0, "noise": 0.1, "r1": 0.05, "r1_every": 1},
    "grid": {"hidden": 256, "embedding": 16},
}
"""By kind of contents, where they differ from those of ``Architecture`` and ``Settings``."""
OF_TOKENS: dict[str, Any] = {"recurrent": 64, "dropout": 0.0, "learning_rate": 3e-3, "weight_decay": 0.3}
"""Likewise of sequences of one column. What it can tell: ``docs/studies/oracle.md``."""
TRAINING: dict[str, dict[str, Any]] = {
    # An update of the dense network costs a tenth of one of the others.
    "grid": {"batch_size": 256, "updates_per_observe": 2.0},
}
"""Likewise of ``DiscriminatorTrainer``."""


def make_discriminator(task: TaskLike, seed: int = 0, device: str = "cpu", **options: Any) -> Discriminator:
    """Builds an untrained discriminator for a task's contents.

    Args:
        task: A task; its contents are of a MultiDiscrete space, or, grids and images, of a Box of integers from 0.
        seed: Of initial weights, dropout and noise.
        device: A torch device, or "auto".
        **options: Fields of ``Architecture`` (such as hidden, dropout) and of ``Settings`` (such as r1), over those of
            ``DEFAULTS`` and ``OF_TOKENS``. Small grids have no dropout by default: their contents come from a law, not
            a small corpus.
    """
    shaping, learning = ({field.name for field in dataclasses.fields(cls)} for cls in (Architecture, Settings))
    unknown = set(options) - shaping - learning
    if unknown:
        raise ValueError(f"discriminators have no options {sorted(unknown)}; there are {sorted(shaping | learning)}")
    kind = task.medium.kind
    shape, sizes = _layout(task.content_space, kind)
    conditions = np.zeros(0, int) if task.condition_space is None else np.asarray(task.condition_space.nvec)
    K, header = len(conditions), False
    if 0 < K <= int(np.prod(shape[1:])):
        some = task.corpus("train")[:1000]
        header = np.array_equal(some.reshape(len(some), shape[0], -1)[:, 0, :K], task.condition(some))
    defaults = dict(DEFAULTS.get(kind, {}))
    if kind == "grid" and int(np.prod(shape)) <= DENSE_CELLS:
        defaults["dropout"] = 0.0
    if kind == "sequence" and len(sizes) == 1:
        defaults |= OF_TOKENS
    options = defaults | options
    architecture = Architecture(
        kind=kind,
        shape=shape,
        sizes=sizes,
        condition_sizes=tuple(map(int, conditions)),
        conditions_in_header=header,
        **{name: options[name] for name in shaping & set(options)},
    )
    settings = Settings(**{name: options[name] for name in learning & set(options)})
    return Discriminator(architecture, settings, seed=seed, device=device)


def make_trainer(task: TaskLike, seed: int = 0, device: str = "cpu", **options: Any) -> DiscriminatorTrainer:
    """Builds an untrained discriminator for a task's contents, and what trains it.

    Args:
        task: as in ``make_discriminator``.
        seed: of initial weights, dropout, noise and the choice of contents.
        device: as in ``make_discriminator``.
        **options: keyword arguments of ``DiscriminatorTrainer``, over those of ``TRAINING``; others go to
            ``make_discriminator``.
    """
    names = DiscriminatorTrainer.option_names()
    training = {name: value for name, value in options.items() if name in names}
    others = {name: value for name, value in options.items() if name not in names}
    discriminator = make_discriminator(task, seed=seed, device=device, **others)
    given = {"seed": seed, **TRAINING.get(task.medium.kind, {}), **training}
    return DiscriminatorTrainer(discriminator, task, **given)


def load_trainer(path: str | Path, task: TaskLike, seed: int = 0, device: str = "cpu") -> DiscriminatorTrainer:
    """Reads what ``DiscriminatorTrainer.save`` wrote, which goes on as the saved one would.

    Args:
        path: such a file, or one of ``Discriminator.save``, which gets a new trainer.
        task: as in ``make_discriminator``.
        seed: of a new trainer's choice of contents.
        device: as in ``make_discriminator``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, doctored or something else, or of another task.
    """
    path = Path(path)
    state = files.read_trainer(path)
    if state is None:
        discriminator = Discriminator.load(path, seed=seed, device=device)
        _require_contents(path, discriminator.architecture, task)
        return DiscriminatorTrainer(discriminator, task, seed=seed, **TRAINING.get(task.medium.kind, {}))
    try:
        architecture = files.made(Architecture, state["discriminator"]["architecture"])
    except files.UNREADABLE as error:
        raise files.unusable(path, error) from error
    _require_contents(path, architecture, task)
    try:
        return DiscriminatorTrainer.from_state_dict(state, task, device)
    except files.UNREADABLE as error:
        raise files.unusable(path, error) from error


def _require_contents(path: Path, architecture: Architecture, task: TaskLike) -> None:
    if (architecture.shape, architecture.sizes) != _layout(task.content_space, task.medium.kind):
        raise ValueError(f"{path} judges other contents than those of {type(task).__name__}: give one of this task")


def _layout(space: gym.Space[Any], kind: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns shape and sizes, as ``Architecture`` has them, of the contents of a space."""
    if isinstance(space, gym.spaces.MultiDiscrete):
        nvec = np.asarray(space.nvec)
        columns = nvec.shape[-1] if kind == "sequence" and nvec.ndim == 2 else 1
        return tuple(map(int, nvec.shape)), tuple(map(int, nvec.reshape(-1, columns).max(0)))
    if kind == "sequence":
        raise ValueError(f"discriminators score sequences of a MultiDiscrete space, not of {space}")
    if not isinstance(space, gym.spaces.Box) or space.dtype is None or space.dtype.kind not in "iu" or space.low.min():
        raise ValueError(
            f"discriminators score {kind}s of a MultiDiscrete space or of a Box of integers from 0: {space}"
        )
    return tuple(map(int, space.shape)), (int(space.high.max()) + 1,)
