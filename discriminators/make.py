"""Discriminators and trainers for a task, with defaults by kind of contents."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from . import files
from .architecture import PLANES, Architecture
from .discriminator import Discriminator, TaskLike
from .objectives import Settings
from .trainer import DiscriminatorTrainer

_PICTURES: dict[str, Any] = {"augmentation": 1.0, "noise": 0.1, "r1": 0.05, "r1_every": 1}
# Works of cells are few, too, and D soon knows them by heart: see ``docs/studies/cells.md``.
_CELLS: dict[str, Any] = {"embedding": 16, "augmentation": 1.0, "r1": 0.1}
DEFAULTS: dict[str, dict[str, Any]] = {
    # An agent's pen cannot reproduce the edges of scanned drawings, by which D must not judge: else its reward is the
    # amount of ink. R1 at every update keeps D from overpowering an agent that learns from pictures alone.
    "image": _PICTURES,
    **dict.fromkeys(("frames", "grid", "volume"), _CELLS),
}
"""Defaults by kind of layout, over those of ``Architecture`` and ``Settings``."""
OF_FEW_CELLS: dict[str, Any] = {"hidden": 256, "dropout": 0.0, "augmentation": 0.0, "r1": 0.0}
"""Defaults of dense networks, for few cells: their tasks draw contents from a distribution, not from a small corpus."""
OF_TOKENS: dict[str, Any] = {"recurrent": 64, "dropout": 0.0, "learning_rate": 3e-3, "weight_decay": 0.3}
"""Defaults of sequences of one column. Measured in ``docs/studies/oracle.md``."""
OF_PAIRS: dict[str, Any] = {"hidden": 36, "lags": 16}
"""Defaults of sequences of two columns: a row is one or two decisions, and D must not cost more than these."""
CELLS_TRAINING: dict[str, Any] = {"updates_per_observe": 3.0}
"""Defaults of ``DiscriminatorTrainer`` with convolutions over cells: works differ in details that D learns slowly."""
DENSE_TRAINING: dict[str, Any] = {"batch_size": 256, "updates_per_observe": 2.0}
"""Defaults of ``DiscriminatorTrainer`` with a dense network, whose updates cost a tenth of those of other networks."""


PRODUCTS = 5_000_000
"""Most multiplications for one content by default: an update of D is then cheap beside one of the policy."""
SMALL_SIDE = 8
"""Longest side of planes whose first convolution has no stride by default."""
PLANE_SIZES = ((96, 2), (64, 2), (48, 2), (32, 2), (24, 2), (16, 2), (16, 4))
"""Default ``hidden`` and ``patch`` of larger planes: the first pair within ``PRODUCTS``, or the last."""


def make_discriminator(task: TaskLike, seed: int = 0, device: str = "cpu", **options: Any) -> Discriminator:
    """Builds an untrained discriminator for a task's contents.

    Args:
        task: A task, whose layout chooses the network.
        seed: Seed of initial weights, dropout and noise.
        device: A torch device, or "auto".
        **options: Fields of ``Architecture`` (such as hidden, dropout) and of ``Settings`` (such as r1), over those of
            ``DEFAULTS``, ``OF_FEW_CELLS``, ``OF_TOKENS`` and ``OF_PAIRS``.

    Raises:
        ValueError: an option is unknown or out of its range.
    """
    shaping, learning = ({field.name for field in dataclasses.fields(cls)} for cls in (Architecture, Settings))
    unknown = set(options) - shaping - learning
    if unknown:
        raise ValueError(f"discriminators have no options {sorted(unknown)}; there are {sorted(shaping | learning)}")
    layout = task.layout
    defaults = dict(DEFAULTS.get(layout.kind, {}))
    if layout.kind == "frames" and not layout.categorical:
        defaults |= _PICTURES
    if layout.kind == "sequence":
        defaults |= {1: OF_TOKENS, 2: OF_PAIRS}.get(len(layout.sizes), {})
    made = _architecture(task)
    if made.dense:
        defaults |= OF_FEW_CELLS
    elif made.kind in PLANES:
        defaults |= _plane_sizes(dataclasses.replace(made, embedding=defaults.get("embedding", made.embedding)))
    options = defaults | options
    architecture = dataclasses.replace(made, **{name: options[name] for name in shaping & set(options)})
    settings = Settings(**{name: options[name] for name in learning & set(options)})
    return Discriminator(architecture, settings, seed=seed, device=device)


def make_trainer(task: TaskLike, seed: int = 0, device: str = "cpu", **options: Any) -> DiscriminatorTrainer:
    """Builds an untrained discriminator for a task's contents, and its trainer.

    Args:
        task: as in ``make_discriminator``.
        seed: seed of initial weights, dropout, noise and the choice of contents.
        device: as in ``make_discriminator``.
        **options: keyword arguments of ``DiscriminatorTrainer``, over those of ``DENSE_TRAINING``; others are passed to
            ``make_discriminator``.
    """
    training = {name: options.pop(name) for name in DiscriminatorTrainer.option_names() if name in options}
    discriminator = make_discriminator(task, seed=seed, device=device, **options)
    return DiscriminatorTrainer(discriminator, task, **{"seed": seed, **_training(discriminator), **training})


def load_trainer(path: str | Path, task: TaskLike, seed: int = 0, device: str = "cpu") -> DiscriminatorTrainer:
    """Reads a file of ``DiscriminatorTrainer.save``; the trainer continues as the saved one would.

    Args:
        path: such a file, or one of ``Discriminator.save``, which gets a new trainer.
        task: as in ``make_discriminator``.
        seed: seed of a new trainer's choice of contents.
        device: as in ``make_discriminator``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, doctored or something else, or of another task.
    """
    path = Path(path)
    try:
        config, tensors = files.read(path, files.LIMITS)
        state = tensors.get("trainer")
        architecture = files.made(Architecture, (state["discriminator"] if state else config)["architecture"])
    except files.UNREADABLE as error:
        raise files.unusable(path, error) from error
    expected, names = _architecture(task), ("kind", "shape", "sizes", "condition_sizes")
    if any(getattr(architecture, name) != getattr(expected, name) for name in names):
        raise ValueError(f"{path} judges other contents than those of {type(task).__name__}: give one of this task")
    if state is None:
        discriminator = Discriminator.load(path, seed=seed, device=device)
        return DiscriminatorTrainer(discriminator, task, seed=seed, **_training(discriminator))
    try:
        return DiscriminatorTrainer.from_state_dict(state, task, device)
    except files.UNREADABLE as error:
        raise files.unusable(path, error) from error


def _plane_sizes(architecture: Architecture) -> dict[str, Any]:
    """Returns the default ``hidden`` and ``patch`` of convolutions over a plane or volume."""
    if max(architecture.plane) <= SMALL_SIDE:
        return {}
    for hidden, patch in PLANE_SIZES:
        sized = dataclasses.replace(architecture, hidden=hidden, patch=patch)
        if sum(layer.products for layer in sized.layers) <= PRODUCTS:
            break
    return {"hidden": hidden, "patch": patch}


def _training(discriminator: Discriminator) -> dict[str, Any]:
    a = discriminator.architecture
    if a.dense:
        return DENSE_TRAINING
    return CELLS_TRAINING if a.kind in PLANES and a.categorical else {}


def _architecture(task: TaskLike) -> Architecture:
    """Returns the default architecture for a task's contents."""
    layout = task.layout
    return Architecture(layout.kind, layout.shape, layout.sizes, task.condition_sizes, layout.categorical)
