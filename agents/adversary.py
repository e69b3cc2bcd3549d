"""The discriminator as an agent uses it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..discriminators import Discriminator, DiscriminatorTrainer, Reading, read
from ..envs.task import Array, Floats
from .backup import Backup

READ = 256
"""Contents of the agent, at most, in a reading of D."""


class Adversary:
    """A discriminator D that scores contents: live, frozen or none.

    D is live from ``take`` to ``rest``: then it learns by a trainer from the contents that it observes. A frozen one
    only scores. Nothing scores where there is none.

    Args:
        discriminator: a frozen D.

    Attributes:
        discriminator: D.
        trainer: trains D; saved and loaded with the agent, and None where D was never live.
        lead: how many times as many updates D takes while it leads; 0 unless it is live.
        backup: the weights that D had before the controller hurried it, if it did.
    """

    def __init__(self, discriminator: Discriminator | None = None) -> None:
        self.discriminator = discriminator
        self.trainer: DiscriminatorTrainer | None = None
        self.lead = 0
        self.backup = Backup("unhurried", torch.nn.Identity())

    def take(self, trainer: DiscriminatorTrainer, lead: int = 0) -> None:
        """Takes D with its trainer; it is live where it may lead."""
        if trainer is not self.trainer:
            self.backup = Backup("unhurried", trainer.discriminator.network)
        self.trainer, self.discriminator, self.lead = trainer, trainer.discriminator, lead

    def rest(self) -> None:
        """Freezes D until it is taken again."""
        self.lead = 0

    @property
    def live(self) -> bool:
        """True while D learns from what it observes."""
        return self.lead > 0

    def logits(self, contents: Array, conditions: Array | None = None) -> Floats:
        """Returns logit D of finished contents [N, ...], high for real, float32 [N].

        Raises:
            RuntimeError: there is no D.
        """
        if self.discriminator is None:
            raise RuntimeError("there is no discriminator to score contents: hand one over first")
        return self.discriminator.logits(contents, conditions)

    # The following need a trainer.

    @property
    def _trained(self) -> DiscriminatorTrainer:
        if self.trainer is None:
            raise RuntimeError(
                "this discriminator has no trainer: learn(callback=DiscriminatorCallback(...)) brings one"
            )
        return self.trainer

    def observe(self, contents: Array) -> dict[str, float]:
        """Lets D learn from contents [N, ...] of the present policy; returns its statistics."""
        return self._trained.observe(contents)

    def set_rate(self, times: float) -> None:
        """Makes D's learning rate so many times that of its settings."""
        self._trained.discriminator.set_rate(times)

    @property
    def held_out(self) -> Array:
        """The validation contents that D is measured on, [M, ...]."""
        return self._trained.measured[1]

    @property
    def learning(self) -> bool:
        """False where the trainer leaves D as it is."""
        return self._trained.learning

    def reading(self, contents: Array) -> Reading:
        """Measures D on real contents, seen and held out, against contents [N, ...] of the present policy."""
        trainer = self._trained
        train, held_out = trainer.measured
        sets = (train, held_out, contents[:READ])
        return read(*(trainer.discriminator.logits(x, trainer.task.condition(x)) for x in sets))

    def rehearse(self, contents: Array, times: Sequence[float], updates: int) -> Sequence[tuple[Array, Array]]:
        """Tries D at several rates and leaves it as it was: see ``DiscriminatorTrainer.rehearse``."""
        return self._trained.rehearse(contents[: 2 * READ], times, updates)
