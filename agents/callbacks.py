"""Co-training of a discriminator beside any Stable-Baselines3 algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from ..discriminators import DiscriminatorTrainer, make_trainer
from ..envs.task import Array
from .dqn import AdversarialDQN


class DiscriminatorCallback(BaseCallback):
    """Trains D on real contents against those of the rollouts, and lets it reward the environment.

    Works with every SB3 algorithm whose environment comes from ``make_sb3_env`` (or is a vector of musegym
    environments in this process). Environment, callback, algorithm and checkpoint share one D.

    Args:
        trainer: does the training; one with a default D is made where None.
        every: contents that are collected before the trainer sees them; ``AdversarialDQN`` hands over each batch's.
        lead: how many times as many updates D takes while ``AdversarialDQN`` lets it lead.
        verbose: as in SB3.
        **options: of the default trainer (``updates_per_observe``, ``past``, ``frozen`` ...) and of its D
            (``hidden``, ``dropout``, ``r1``, ``learning_rate`` ...); an ``AdversarialDQN`` that learned before keeps
            the trainer it has.
    """

    def __init__(
        self,
        trainer: DiscriminatorTrainer | None = None,
        *,
        every: int = 64,
        lead: int = 8,
        verbose: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(verbose)
        if trainer is not None and options:
            raise TypeError(f"give options {sorted(options)} to the trainer's own constructor, or no trainer")
        if every < 1 or lead < 1:
            raise ValueError(f"every and lead must be at least 1, not {every} and {lead}")
        self._given, self._options = trainer, options
        self.every, self.lead = every, lead
        self._waiting: list[Array] = []

    @property
    def trainer(self) -> DiscriminatorTrainer:
        """What does the training; there once training has begun."""
        if self._given is None:
            raise RuntimeError("the callback makes its trainer when learn() begins")
        return self._given

    def _on_training_start(self) -> None:
        agent = self.model if isinstance(self.model, AdversarialDQN) else None
        if self._given is None:
            self._given = agent.trainer if agent is not None and agent.trainer is not None else self._make()
        self.training_env.env_method("set_discriminator", self.trainer.discriminator)
        if agent is not None:
            agent.trainer, agent.discriminator = self.trainer, self.trainer.discriminator
            agent.teach = self._observe if agent.worth.settings.discriminator_weight and agent.co_training else None

    def _make(self) -> DiscriminatorTrainer:
        task, seed, device = self.training_env.get_attr("task")[0], self.model.seed or 0, str(self.model.device)
        return make_trainer(task, **{"seed": seed, "device": device, **self._options})

    def _on_step(self) -> bool:
        if not isinstance(self.model, AdversarialDQN):
            self._waiting += [info["content"] for info in self.locals["infos"] if "content" in info]
            if len(self._waiting) >= self.every:
                self._observe(np.stack(self._waiting))
                self._waiting = []
        return True

    def _on_rollout_end(self) -> None:
        if isinstance(self.model, AdversarialDQN) and self.model.worth.settings.discriminator_weight:
            if self.model.controller is not None:
                self.model.controller.before_d()
            if self.model.leading:  # afterwards D learns before each update of the agent
                for contents in np.array_split(self.locals["contents"], self.model.minibatches):
                    for _ in range(self.lead):
                        self._observe(contents)

    def _observe(self, contents: Array) -> None:
        stats = self.trainer.observe(contents)
        for name, value in stats.items():
            self.logger.record(f"discriminator/{name}", value)
