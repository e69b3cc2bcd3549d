"""What of the agent moves when: first the policy by maximum likelihood, then D alone, then both."""

from __future__ import annotations

import torch

from .precision import bfloat16
from .saving import SavedAlgorithm
from .schedule import Progress, Schedule


class PhasedAlgorithm(SavedAlgorithm):
    """The part of ``AdversarialDQN`` that knows its phases and takes its gradient steps."""

    schedule: Schedule
    warm_updates: int
    progress: Progress

    def _imitate(self) -> None:
        """Takes a step of maximum likelihood."""
        rate = self.schedule.imitation_rate(self.progress)
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
