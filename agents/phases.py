"""What of the agent moves when: first the policy by maximum likelihood, then D alone, then both."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .precision import bfloat16
from .rewards import Rewards
from .saving import SavedAlgorithm

LEAD = 10
"""Most rounds of the lead where nothing says how many."""
RAMP = 50
"""Updates over which a learning rate rises."""


class PhasedAlgorithm(SavedAlgorithm):
    """The part of ``AdversarialDQN`` that knows its phases and takes its gradient steps."""

    warm_start: int
    worth: Rewards
    warm_updates: int
    lead_rounds: int
    budget: Callable[[], float] | None
    """Returns the share of the budget spent, 0..1, where time and not steps ends the run."""

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of the budget for warm start and lead: ``schedule``, but no warm start without demonstrations."""
        return self.config.schedule if self.real else (0.0, self.config.schedule[1])

    def _warming_up(self) -> bool:
        if self.budget is not None:
            return self.budget() < self.shares[0]
        return self.warm_updates < self.warm_start

    @property
    def leading(self) -> bool:
        """True while only D learns; never where no D rewards."""
        if not self.worth.settings.discriminator_weight:
            return False
        if self.budget is not None:
            return self.budget() < sum(self.shares)
        if self.config.lead is not None:
            return self.lead_rounds < self.config.lead
        over = self.lead_rounds > 0 and self.num_timesteps >= self.config.schedule[1] * self._total_timesteps
        return self._n_updates == 0 and self.lead_rounds < LEAD and not over

    def _imitate(self) -> None:
        """Takes a step of maximum likelihood."""
        spent = self.budget() / self.shares[0] if self.budget is not None else self.warm_updates / self.warm_start
        rate = self.config.warm_start_learning_rate * max(0.0, 1 - spent) * min(1.0, (self.warm_updates + 1) / RAMP)
        batch = self.real.like_lengths(self.config.batch_size, self.rng)
        q_net = self.policy.q_net
        q_net.train()
        taken, _, live = batch.evaluate(q_net, self.device, values=False)
        self._step(self.imitator, -taken.sum() / live.sum(), rate)
        self.warm_updates += 1
        self.logger.record_mean("train/cross_entropy", -taken.sum().item() / len(batch))

    def _step(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float) -> None:
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the agent's loss is {loss.item()}: lower its learning_rate, or raise temperature"
            )
        optimizer.zero_grad()
        with bfloat16(self.device.type, enabled=False):
            loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("times", 1)
            torch.nn.utils.clip_grad_norm_(group["params"], self.config.max_grad_norm)
        optimizer.step()
