"""The discriminator as an agent uses it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import torch

from ..discriminators import Discriminator, DiscriminatorTrainer, Reading, read
from ..envs.task import Array, Floats, Ints
from .backup import Backup

READ = 256
"""Contents of the agent, at most, in a reading of D."""


class Adversary:
    """A discriminator D that scores contents: live, frozen or none.

    D is live from ``attach`` to ``freeze``: its trainer then trains it on the contents that it observes. A frozen D
    scores, and does not learn.

    Args:
        discriminator: a frozen D.

    Attributes:
        discriminator: D, or None.
        trainer: trains D; saved and loaded with the agent; None where D was never live.
        lead: factor of D's number of updates while it leads; 0 unless D is live.
        backup: the weights of D before the controller raised the rate of a D that had learned nothing.
        seconds: spent on D's training and scores so far.
    """

    def __init__(self, discriminator: Discriminator | None = None) -> None:
        self.discriminator = discriminator
        self.trainer: DiscriminatorTrainer | None = None
        self.lead, self.seconds = 0, 0.0
        self.backup = Backup("earlier weights of D", torch.nn.Identity())

    def attach(self, trainer: DiscriminatorTrainer, lead: int = 0) -> None:
        """Sets D by its trainer; D is live where ``lead`` is above 0."""
        if trainer is not self.trainer:
            self.backup = Backup("earlier weights of D", trainer.discriminator.network)
        self.trainer, self.discriminator, self.lead = trainer, trainer.discriminator, lead

    def freeze(self) -> None:
        """Freezes D until the next ``attach``."""
        self.lead = 0

    @property
    def live(self) -> bool:
        """True while D learns from the contents that it observes."""
        return self.lead > 0

    def logits(self, contents: Array, conditions: Array | None = None) -> Floats:
        """Returns logit D of finished contents [N, ...], high for real, float32 [N].

        Raises:
            RuntimeError: there is no D.
        """
        if self.discriminator is None:
            raise RuntimeError("there is no discriminator to score contents: hand one over first")
        with self._timed():
            return self.discriminator.logits(contents, conditions)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begun

    # The following need a trainer.

    @property
    def _trained(self) -> DiscriminatorTrainer:
        if self.trainer is None:
            raise RuntimeError(
                "this discriminator has no trainer: learn(callback=DiscriminatorCallback(...)) brings one"
            )
        return self.trainer

    def observe(self, contents: Array, conditions: Ints) -> dict[str, float]:
        """Trains D on contents [N, ...] of the present policy; returns the trainer's statistics."""
        with self._timed():
            return self._trained.observe(contents, conditions)

    def set_rate(self, times: float) -> None:
        """Sets D's learning rate, as a multiple of that of its settings."""
        self._trained.discriminator.set_rate(times)

    @property
    def held_out(self) -> Array:
        """The validation contents that D is measured on, [M, ...]."""
        return self._trained.measured[1][0]

    @property
    def learning(self) -> bool:
        """False where the trainer never changes D."""
        return not self._trained.frozen

    def reading(self, contents: Array, conditions: Ints) -> Reading:
        """Measures D on train and validation contents, and on contents [N, ...] of the present policy."""
        train, held_out = self._trained.measured
        sets = (train, held_out, (contents[:READ], conditions[:READ]))
        return read(*(self.logits(*works) for works in sets))

    def rehearse(
        self, contents: Array, conditions: Ints, times: Sequence[float], updates: int
    ) -> Sequence[tuple[Array, Array]]:
        """Tries D's training at several rates, and undoes it: see ``DiscriminatorTrainer.rehearse``."""
        with self._timed():
            return self._trained.rehearse(contents[: 2 * READ], times, updates, conditions[: 2 * READ])
