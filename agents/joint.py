"""Updates of the agent: one step on the joint objective over fresh, replayed and real episodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..discriminators.objectives import generator_loss
from ..envs.task import Array, Ints
from .episodes import Episodes
from .networks import RecurrentQ
from .objective import policy_and_value_loss, q_errors
from .phases import PhasedAlgorithm
from .rewards import Rewards


class JointAlgorithm(PhasedAlgorithm):
    """The part of ``AdversarialDQN`` that learns from a round; its arguments are documented there."""

    temperature: float
    n_steps: int
    demonstrations: int
    worth: Rewards
    fresh: Episodes
    """What every row built in this round."""
    policy_rate: float
    """Multiplies the learning rate of the rounds."""
    teach: Callable[[Array], None] | None
    """Lets D learn from contents: set by ``DiscriminatorCallback``."""

    @property
    def q_net(self) -> RecurrentQ:
        """The Q-network."""
        return self.policy.q_net

    @property
    def minibatches(self) -> int:
        """How many batches the fresh episodes of a round make."""
        return max(1, round(self.env.num_envs / self.config.minibatch))

    @property
    def bootstraps(self) -> bool:
        """Whether targets end in a value, and not at the end of the episode."""
        return self.n_steps < self.task.horizon

    def train(self, gradient_steps: int, batch_size: int = 0) -> None:
        """Takes steps on the joint objective over fresh, replayed and real episodes.

        Before each, D learns from its fresh contents, and then scores all of them.

        Args:
            gradient_steps: how often the fresh episodes are gone through.
            batch_size: unused: ``minibatch``, ``replayed`` and ``demonstrations`` make a batch.
        """
        del batch_size
        if self.config.target_update_interval is None:
            self._update_target(self.config.target_share)
        for _ in range(gradient_steps):
            for rows in np.array_split(self.rng.permutation(len(self.fresh)), self.minibatches):
                fresh = self.fresh.take(rows)
                if self.teach is not None:
                    self.teach(fresh.contents)
                self._update(fresh)

    def _update(self, fresh: Episodes) -> None:
        """Takes a step on fresh episodes, and on replayed and real ones beside them."""
        rewards = self.rewards(fresh.contents, fresh.conditions)
        parts, worth = [fresh], [rewards if self.config.relabel else fresh.rewards]
        if self.config.replayed:
            parts.append(past := self.episodes.sample(self.config.replayed, self.rng))
            worth.append(self.rewards(past.contents, past.conditions) if self.config.relabel else past.rewards)
        own, real = sum(map(len, parts)), None
        if self.demonstrations:
            parts.append(real := self.real.sample(self.demonstrations, self.rng))
            worth.append(self.rewards(real.contents, real.conditions))
        episodes = Episodes.join(parts)
        self.q_net.train()  # cuDNN's recurrent networks have no gradient in evaluation mode
        # Without dropout: its noise in log pi, summed over an episode, would drown the reward.
        self.q_net.dropout.eval()
        errors, taken, values, live = self._errors(episodes, np.concatenate(worth), len(fresh))
        loss = self.config.consistency * policy_and_value_loss(errors, taken, values, live, own, self.bootstraps)
        if self.config.cross_entropy and real is not None:
            self.q_net.dropout.train()
            imitated, _, decisions = real.evaluate(self.q_net, self.device, values=False)
            loss = loss - self.config.cross_entropy * imitated.sum() / decisions.sum()
            self.logger.record_mean("train/cross_entropy", -imitated.sum().item() / len(real))
        left = max(0.0, self._current_progress_remaining)  # the last round ends past the last step
        factor = self.schedule.factor(left, self._n_updates)
        self._step(self.policy.optimizer, loss, factor * self.policy_rate * self.lr_schedule(left))
        self._n_updates += 1
        if self.config.target_update_interval is not None and self._n_updates % self.config.target_update_interval == 0:
            self._update_target(self.config.target_share)
        dqn_loss = float(errors.square().sum() / live.sum())
        gan_loss = generator_loss(rewards - self.worth.rules_at_end(fresh.contents))
        paid = float((rewards + fresh.paid.sum(1)).mean())
        self.logger.record_mean("rollout/ep_rew_mean", paid)
        for name, value in {
            "dqn_loss": dqn_loss,
            "gan_loss": gan_loss,
            "joint_objective": dqn_loss + gan_loss,
            "entropy": -taken[: len(fresh)].sum(1).mean().item(),
            "value": values[: len(fresh), 0].mean().item() * self.temperature,
        }.items():
            self.logger.record_mean(f"train/{name}", value)

    def _errors(
        self, episodes: Episodes, rewards: NDArray[np.float32], fresh: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns ``q_errors`` of N episodes, log pi of their decisions, V, all [N, L], and which are no padding.

        The first episodes, ``fresh`` in number, are of this round.
        """
        taken, values, live = episodes.evaluate(self.q_net, self.device)
        now, said = taken.detach(), values.detach()
        target_taken, target_values = self._target(episodes, now, said, fresh)
        worth = torch.from_numpy(self.worth.by_decision(episodes, rewards)).to(self.device)
        if self.config.prior_weight:
            assert self.policy.prior is not None
            with torch.no_grad():
                worth += self.config.prior_weight * episodes.evaluate(self.policy.prior, self.device, values=False)[0]
        worth /= self.temperature
        errors = q_errors(
            now, target_taken, said, target_values, worth, live, self.n_steps, self.config.alpha, self.config.gamma
        )
        return errors, taken, values, live

    @torch.no_grad()
    def _target(
        self, episodes: Episodes, taken: torch.Tensor, values: torch.Tensor, fresh: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns what the target network says: log pi' of decisions, and V' where targets end in it, both [N, L].

        What is known is not computed again: where the network has just been copied it says what the network says
        (``taken``, ``values``), and of fresh episodes it said it when it built them.
        """
        network, L = self.policy.q_net_target, taken.shape[1]
        if self.config.target_update_interval == 1 and self.config.target_share == 1 and not self.config.hard:
            return taken, values
        if self.config.target_update_interval is not None or self.config.target_share < 1 or self.bootstraps:
            target_taken, worth, _ = episodes.evaluate(network, self.device, self.bootstraps, self.config.hard)
            return target_taken, worth
        built = torch.from_numpy(episodes.log_probs[:fresh, :L]).to(self.device)
        if fresh == len(episodes):
            return built, torch.zeros_like(values)
        others, _, _ = episodes.take(slice(fresh, None)).evaluate(network, self.device, values=False)
        return torch.cat([built, F.pad(others, (0, L - others.shape[1]))]), torch.zeros_like(values)

    def rewards(self, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns what contents [N, ...] are worth now, at their end: see ``Rewards.at_end``."""
        return self.worth.at_end(self.discriminator, contents, conditions)

    @torch.no_grad()
    def _update_target(self, share: float = 1.0) -> None:
        for target, own in zip(self.policy.q_net_target.parameters(), self.q_net.parameters(), strict=True):
            target.lerp_(own, share)  # by 1 exactly a copy
