"""Co-training: updates of a discriminator on real contents and on those of any agent."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import files
from .architecture import Architecture
from .calibration import read
from .discriminator import Array, Discriminator, TaskLike, Works
from .objectives import Settings

Pair = tuple[Array, Array]
"""Contents [N, ...] and conditions int [N, K]."""
ADAPT_EVERY, FIRST, STEP = 20, 1.0, 0.1
"""Updates between two adaptations of the augmentation of cells, its first share of the largest, and its steps."""
MEMORISED = 0.5
"""Overfitting (``Reading.overfitting``) above which the augmentation rises, and below which it falls."""
MOST_CONTENTS = 1_000_000
"""Largest number of contents in memory, and of updates in one call."""


class DiscriminatorTrainer:
    """Trains one discriminator on a task's real contents against those of an agent, in any framework.

    Callbacks, agents and environments share the ``discriminator`` object, and pass the current policy's contents to
    ``observe``. Half of the fakes of an update are of the current policy and half are past ones, so that the
    discriminator does not forget past weaknesses (a history of fakes: Shrivastava et al. 2017, section 2.3). Real
    contents are of the train split only, or new ones where the task streams them.

    Where works are few, D soon knows them by heart. The augmentation of cells rises while D's overfitting on held-out
    contents is above ``MEMORISED``, and falls while it is below (Karras et al. 2020, StyleGAN2-ADA, section 3).

    Args:
        discriminator: The discriminator.
        task: Source of real contents.
        batch_size: Number of real contents of an update, and of fakes.
        updates_per_observe: Updates for each call of ``observe``; a fraction is carried over to later calls.
        past: Number of the latest contents that are kept as past ones.
        past_share: Share of past contents in an update's fakes, as soon as there are any.
        seed: Seed of the choice of contents.
        frozen: True leaves the discriminator unchanged by ``observe``.
        validate_every: Updates between measurements of ``train_minus_validation``.
        validation_size: Number of contents of each split that are measured, always the same.
        adaptive: True adapts the augmentation of cells, False leaves it at its largest.

    Raises:
        ValueError: a number is out of its range, or the task's train split is empty.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        task: TaskLike,
        *,
        batch_size: int = 64,
        updates_per_observe: float = 1.0,
        past: int = 5000,
        past_share: float = 0.5,
        seed: int = 0,
        frozen: bool = False,
        validate_every: int = 100,
        validation_size: int = 256,
        adaptive: bool = True,
    ) -> None:
        given = locals()
        self._options = {name: given[name] for name in self.option_names()}
        if min(batch_size, validate_every, validation_size) < 1 or not updates_per_observe >= 0 or past < 0:
            raise ValueError(
                "batch_size, validate_every and validation_size are at least 1; updates and past at least 0"
            )
        if not max(batch_size, past, validation_size, updates_per_observe) <= MOST_CONTENTS:
            raise ValueError(f"batch_size, past, validation_size and updates_per_observe are at most {MOST_CONTENTS:,}")
        if not 0 <= past_share < 1:
            raise ValueError(f"past_share must be from 0 up to 1, got {past_share}")
        self.discriminator = discriminator
        self.task = task
        self.batch_size, self.updates_per_observe = batch_size, updates_per_observe
        self.past_share, self.frozen, self.validate_every = past_share, frozen, validate_every
        self.validation_size = validation_size
        self.stats: dict[str, float] = {}
        """The latest of every number: those of ``Discriminator.update``, ``updates`` and ``train_minus_validation``."""
        self._rng = np.random.default_rng(seed)
        real, validation = task.works("train"), task.works("validation")
        self._real, self._real_conditions = real.contents, np.asarray(real.conditions, np.int64)
        if not len(self._real):
            raise ValueError("the task's train split is empty: there is nothing real to learn from")
        fixed = np.random.default_rng(0)

        def sample(works: Works) -> Pair:
            rows = np.sort(fixed.permutation(len(works.contents))[:validation_size])
            return works.contents[rows], works.conditions[rows]

        self.measured = sample(real), sample(validation)
        """The train and the validation contents that are measured, always the same, with their conditions."""
        self._past = np.zeros((past, *self._real.shape[1:]), self._real.dtype)
        self._past_conditions = np.zeros((past, self._real_conditions.shape[1]), np.int64)
        self._past_seen = 0
        self._due = 0.0
        self._adapts = adaptive and discriminator.augmentation is not None and len(validation.contents) > 1
        if self._adapts and not discriminator.updates:
            discriminator.set_augmentation(FIRST)

    def observe(self, contents: Array, conditions: Array | None = None) -> dict[str, float]:
        """Trains the discriminator on finished contents [N, ...] of the current policy, then keeps them as past ones.

        Args:
            contents: [N, ...].
            conditions: int [N, K] of the contents; None where the task has none.

        Returns:
            ``stats``, after the updates that were due; unchanged while frozen.

        Raises:
            ValueError: contents or conditions have another shape than the task's.
        """
        current = self._pair(contents, conditions)
        if not self.frozen and len(current[0]):
            self._due += self.updates_per_observe
            while self._due >= 1:
                self._due -= 1
                self._update(current)
        self._remember(current)
        return dict(self.stats)

    def _pair(self, contents: Array, conditions: Array | None) -> Pair:
        contents, K = np.asarray(contents), self._real_conditions.shape[1]
        if contents.shape[1:] != self._real.shape[1:]:
            raise ValueError(f"contents must have shape [B, {self._real.shape[1:]}], got {contents.shape}")
        conditions = np.zeros((len(contents), 0), np.int64) if conditions is None else np.asarray(conditions)
        if conditions.shape != (len(contents), K):
            raise ValueError(f"conditions must be int [{len(contents)}, {K}], got {list(conditions.shape)}")
        return contents, conditions

    def train_minus_validation(self) -> float:
        """Returns the mean logit of train contents minus that of validation contents: above 0 as D memorises."""
        train, validation = (self.discriminator.logits(*works) for works in self.measured)
        return float(train.mean()) - float(validation.mean()) if len(train) and len(validation) else math.nan

    def rehearse(
        self, contents: Array, times: Sequence[float], updates: int, conditions: Array | None = None
    ) -> list[tuple[Array, Array]]:
        """Evaluates D after some updates at each of several learning rates; leaves everything unchanged.

        All rates get the same batches, of real contents and the first half of ``contents`` [N, ...].

        Args:
            contents: of the current policy, at least 2.
            times: the rates, as multiples of that of D's settings.
            updates: number of updates.
            conditions: int [N, K] of the contents; None where the task has none.

        Returns:
            For each rate D's logits of the measured validation contents [M], and of the second half [N - N // 2].

        Raises:
            ValueError: there are fewer than 2 contents.
            FloatingPointError: a rate is so high that D's loss is no longer finite.
        """
        if len(contents) < 2:
            raise ValueError(f"a rehearsal needs at least 2 contents, got {len(contents)}")
        d, half = self.discriminator, len(contents) // 2
        contents, conditions = self._pair(contents, conditions)
        rates = [group["lr"] for group in d.optimizer.param_groups]
        before, rng, stats = d.state_dict(), self._rng.bit_generator.state, dict(self.stats)
        outcomes = []
        try:
            for rate in times:
                d.load_state_dict(before)
                self._rng.bit_generator.state = rng
                d.set_rate(rate)
                for _ in range(updates):
                    self._update((contents[:half], conditions[:half]))
                outcomes.append((d.logits(*self.measured[1]), d.logits(contents[half:], conditions[half:])))
        finally:
            d.load_state_dict(before)
            self._rng.bit_generator.state = rng
            self.stats = stats
            for group, rate in zip(d.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        return outcomes

    def _update(self, current: Pair) -> None:
        d, n = self.discriminator, self.batch_size
        streamed = self.task.stream(n, self._rng)
        if streamed is None:
            rows = self._pick(len(self._real), n)
            real, real_conditions = self._real[rows], self._real_conditions[rows]
        else:
            real, real_conditions = streamed, np.zeros((n, 0), np.int64)
        kept = min(self._past_seen, len(self._past))
        old = round(self.past_share * n) if kept else 0
        new, past = self._pick(len(current[0]), n - old), self._pick(kept, old)
        fake = np.concatenate((current[0][new], self._past[past]))
        fake_conditions = np.concatenate((current[1][new], self._past_conditions[past]))
        self.stats |= d.update(real, fake, real_conditions, fake_conditions)
        self.stats["updates"] = d.updates
        if self._adapts and d.updates % ADAPT_EVERY == 0:
            self._adapt(current)
        if d.updates % self.validate_every == 0:
            self.stats["train_minus_validation"] = self.train_minus_validation()

    def _adapt(self, current: Pair) -> None:
        """Adapts the augmentation of cells to D's overfitting."""
        d, sets = self.discriminator, (*self.measured, current)
        overfitting = read(
            *(d.logits(*(values[: self.validation_size] for values in pair)) for pair in sets)
        ).overfitting
        assert d.augmentation is not None
        share = d.augmentation + (STEP if overfitting > MEMORISED else -STEP)
        d.set_augmentation(min(max(share, 0.0), 1.0))
        self.stats |= {"overfitting": overfitting, "augmentation": d.augmentation}

    def _pick(self, available: int, n: int) -> Array:
        """Draws n indices, without replacement where there are enough."""
        if n > available:
            return self._rng.integers(available, size=n)
        return self._rng.choice(available, n, replace=False, shuffle=False)

    def _remember(self, current: Pair) -> None:
        if len(self._past):
            contents, conditions = (values[-len(self._past) :] for values in current)
            rows = (self._past_seen + np.arange(len(contents))) % len(self._past)
            self._past[rows], self._past_conditions[rows] = contents, conditions
            self._past_seen += len(contents)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later calls depend on, the discriminator too, as plain data and tensors."""
        return {
            "options": dict(self._options),
            "discriminator": self.discriminator.state_dict(),
            "past": torch.from_numpy(self._past[: self._past_seen].copy()),
            "past_conditions": torch.from_numpy(self._past_conditions[: self._past_seen].copy()),
            "past_seen": self._past_seen,
            "due": self._due,
            "rng": json.dumps(self._rng.bit_generator.state),
            "stats": dict(self.stats),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict`` of a trainer made alike, bit for bit.

        Raises:
            ValueError: it is of another discriminator, or has another number of past contents.
        """
        past, conditions = (state[name].cpu().numpy() for name in ("past", "past_conditions"))
        known = self._past[: state["past_seen"]], self._past_conditions[: state["past_seen"]]
        if (past.shape, conditions.shape) != (known[0].shape, known[1].shape) or past.dtype != self._past.dtype:
            raise ValueError(
                f"this checkpoint keeps {past.shape} past contents; the trainer was made for {self._past.shape}"
            )
        self.discriminator.load_state_dict(state["discriminator"])
        self._past[: len(past)], self._past_conditions[: len(past)] = past, conditions
        self._past_seen, self._due = int(state["past_seen"]), float(state["due"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.stats = dict(state["stats"])

    def save(self, path: str | Path) -> Path:
        """Writes a file for ``load_trainer``: JSON and tensors, replaced as a whole or not at all."""
        files.write(Path(path), {"format": files.TRAINER_FORMAT}, {"trainer": self.state_dict()}, level=1)
        return Path(path)

    @classmethod
    def from_state_dict(cls, state: dict[str, Any], task: TaskLike, device: str = "cpu") -> DiscriminatorTrainer:
        """Returns a trainer with its discriminator, which continue as the saved ones would.

        Raises:
            ValueError: another version of musegym wrote the state, or it does not fit the task.
        """
        d = state["discriminator"]
        architecture, settings = files.made(Architecture, d["architecture"]), files.made(Settings, d["settings"])
        unknown = set(state["options"]) - set(cls.option_names())
        if unknown:
            raise ValueError(f"its trainer has options {sorted(unknown)}: another version of musegym wrote it")
        trainer = cls(Discriminator(architecture, settings, device=device), task, **state["options"])
        trainer.load_state_dict(state)
        return trainer

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Returns the names of the keyword-only arguments."""
        parameters = inspect.signature(cls).parameters.values()
        return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)
