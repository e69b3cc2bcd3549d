"""The learner of an agent: gradient steps on its networks, by their optimisers, on batches of episodes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from .backup import Backup
from .config import DQNConfig
from .episodes import Episodes
from .objective import policy_and_value_loss, q_errors
from .policies import BoltzmannPolicy
from .precision import bfloat16

VALUE_RATE = 1.5
"""Learning rate of V over the policy's."""
EVALUATED = 512
"""Episodes that the network evaluates at a time without gradients."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """The episodes of one update.

    Attributes:
        fresh: episodes of this round.
        replayed: episodes of past rounds, if any.
        real: episodes of real works, if any.
    """

    fresh: Episodes
    replayed: Episodes | None = None
    real: Episodes | None = None

    @property
    def parts(self) -> list[Episodes]:
        """The fresh, replayed and real episodes, in this order, without those that are None."""
        return [part for part in (self.fresh, self.replayed, self.real) if part is not None]

    @property
    def built(self) -> list[Episodes]:
        """The episodes that the agent built itself, fresh and replayed."""
        return self.parts if self.real is None else self.parts[:-1]

    @functools.cached_property
    def episodes(self) -> Episodes:
        """All episodes, in the order of ``parts``."""
        return Episodes.join(self.parts)

    @property
    def num_built(self) -> int:
        """Number of episodes that the agent built itself; they come first."""
        return sum(map(len, self.built))


class Learner:
    """Takes gradient steps on the Q-network of a policy, and moves its target network.

    Args:
        policy: the networks: Q-network, target network and, after the warm start, the prior.
        config: settings of the agent.
        horizon: T, decisions of the longest episode.
    """

    def __init__(self, policy: BoltzmannPolicy, config: DQNConfig, horizon: int) -> None:
        self.policy, self.config = policy, config
        self.n_steps = horizon if config.n_steps is None else min(config.n_steps, horizon)
        """Decisions between a Q-value and its target."""
        self.bootstraps = self.n_steps < horizon
        """True where targets end in a value, and not at the end of the episode."""
        network, decay = policy.q_net, config.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": [weight for name, weight in network.named_parameters() if not name.startswith("value.")]},
            {"params": list(network.value.parameters()), "times": VALUE_RATE},
        ]
        # The low first beta suits an objective that moves; see docs/algorithm.md.
        self.optimizer = torch.optim.AdamW(groups, config.learning_rate, betas=(0.5, 0.99), weight_decay=decay)
        """Optimiser of joint training."""
        rate = config.warm_start_learning_rate
        self.imitator = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.99), weight_decay=decay)
        """Optimiser of the warm start."""
        self.best = Backup("best weights", network, policy.q_net_target)
        """Weights of the best policy so far, as validation judges in the warm start, and the controller after it."""

    @property
    def _device(self) -> torch.device:
        return self.policy.device

    # Learning

    def imitate(self, batch: Episodes, rate: float) -> dict[str, float]:
        """Takes a step of maximum likelihood on real episodes.

        Args:
            batch: N real episodes.
            rate: learning rate.

        Returns:
            cross_entropy: in nats per episode.

        Raises:
            FloatingPointError: the loss is not finite; the weights are left as they are.
        """
        self.policy.q_net.train()
        log_probs, _, mask = batch.evaluate(self.policy.q_net, self._device, values=False)
        self._step(self.imitator, -log_probs.sum() / mask.sum(), rate)
        return {"cross_entropy": -log_probs.sum().item() / len(batch)}

    def update(
        self, batch: Batch, rewards: NDArray[np.float32], rate: float, temperature: float = 1.0
    ) -> dict[str, float]:
        """Takes a step on the joint objective: L_DQN plus the weighted cross-entropy of the real episodes.

        Args:
            batch: N episodes, the longest of L decisions.
            rewards: reward of every decision, float32 [N, L], 0 after the end.
            rate: learning rate of the policy; V learns at ``VALUE_RATE`` times this rate.
            temperature: tau.

        Returns:
            dqn_loss: mean squared error of Q per decision.
            entropy: estimated on the fresh episodes, in nats per episode.
            value: mean V at the start of the fresh episodes, in units of the reward.
            cross_entropy: in nats per real episode; only where it has a weight.

        Raises:
            FloatingPointError: the loss is not finite; the weights are left as they are.
        """
        network, config = self.policy.q_net, self.config
        network.train()  # cuDNN's recurrent networks have no gradient in evaluation mode
        # Without dropout: its noise in log pi, summed over an episode, would drown the reward.
        network.dropout.eval()
        log_probs, values, mask = batch.episodes.evaluate(network, self._device)
        scaled = torch.from_numpy(rewards).to(self._device)
        if config.prior_weight:
            assert self.policy.prior is not None
            with torch.no_grad():
                prior, _, _ = batch.episodes.evaluate(self.policy.prior, self._device, values=False)
            scaled = scaled + config.prior_weight * prior
        detached = log_probs.detach(), values.detach()
        target_log_probs, target_values = self._target(batch, *detached)
        errors = q_errors(
            detached[0], target_log_probs, detached[1], target_values, scaled / temperature, mask, self.n_steps,
            config.alpha, config.gamma,
        )  # fmt: skip
        loss = config.consistency * policy_and_value_loss(
            errors, log_probs, values, mask, batch.num_built, self.bootstraps
        )
        metrics = {}
        if config.cross_entropy and batch.real is not None:
            network.dropout.train()
            imitated, _, real_mask = batch.real.evaluate(network, self._device, values=False)
            loss = loss - config.cross_entropy * imitated.sum() / real_mask.sum()
            metrics["cross_entropy"] = -imitated.sum().item() / len(batch.real)
        self._step(self.optimizer, loss, rate)
        num_fresh = len(batch.fresh)
        return metrics | {
            "dqn_loss": float(errors.square().sum() / mask.sum()),
            "entropy": -log_probs[:num_fresh].sum(1).mean().item(),
            "value": values[:num_fresh, 0].mean().item() * temperature,
        }

    def _step(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float) -> None:
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the agent's loss is {loss.item()}: lower its learning_rate, or raise temperature"
            )
        optimizer.zero_grad()
        with bfloat16(self._device.type, enabled=False):
            loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("times", 1)
            torch.nn.utils.clip_grad_norm_(group["params"], self.config.max_grad_norm)
        optimizer.step()

    @torch.no_grad()
    def _target(self, batch: Batch, log_probs: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the target network's log pi' of decisions, and its V' where targets end in values, both [N, L].

        Known outputs are not computed again. Those of a target network that is a copy equal those of the network
        (``log_probs``, ``values``), and fresh episodes hold the log_probs of the policy that built them.
        """
        network, config, (_, L) = self.policy.q_net_target, self.config, log_probs.shape
        if config.target_update_interval == 1 and config.target_share == 1 and not config.hard:
            return log_probs, values
        if config.target_update_interval is not None or config.target_share < 1 or self.bootstraps:
            target, target_values, _ = batch.episodes.evaluate(network, self._device, self.bootstraps, config.hard)
            return target, target_values
        built = torch.from_numpy(batch.fresh.log_probs[:, :L]).to(self._device)
        if len(batch.parts) == 1:
            return built, torch.zeros_like(values)
        others, _, _ = Episodes.join(batch.parts[1:]).evaluate(network, self._device, values=False)
        return torch.cat([built, F.pad(others, (0, L - others.shape[1]))]), torch.zeros_like(values)

    @torch.no_grad()
    def sync_target(self, share: float = 1.0) -> None:
        """Moves the target network by a share towards the network (Polyak averaging); 1 copies exactly."""
        pairs = zip(self.policy.q_net_target.parameters(), self.policy.q_net.parameters(), strict=True)
        for target, source in pairs:
            target.lerp_(source, share)

    # Evaluating

    @torch.no_grad()
    def log_prob(self, episodes: Episodes) -> NDArray[np.float64]:
        """Returns log pi of N whole episodes, float64 [N], in nats."""
        self.policy.q_net.eval()
        parts = []
        for start in range(0, len(episodes), EVALUATED):
            part = episodes.take(slice(start, start + EVALUATED))
            log_probs, _, _ = part.evaluate(self.policy.q_net, self._device, values=False)
            parts.append(log_probs.double().sum(1).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros(0)

    @torch.no_grad()
    def relabelled(self, episodes: Episodes) -> Episodes:
        """Returns the episodes with log_probs of the present policy."""
        self.policy.q_net.dropout.eval()
        log_probs, _, _ = episodes.evaluate(self.policy.q_net, self._device, values=False)
        whole = np.zeros_like(episodes.log_probs)
        whole[:, : log_probs.shape[1]] = log_probs.cpu().numpy()
        return dataclasses.replace(episodes, log_probs=whole)

    # Files

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later updates depend on, except the Q-network."""
        prior = self.policy.prior
        separate = {} if prior is None or self.policy.q_net.prior is prior else {"prior": prior.state_dict()}
        return separate | {
            "target": self.policy.q_net_target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "imitator": self.imitator.state_dict(),
            "best": self.best.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``."""
        if "prior" in state:
            self.policy.freeze_prior(relative=False)
            assert self.policy.prior is not None
            self.policy.prior.load_state_dict(state["prior"])
        self.policy.q_net_target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.imitator.load_state_dict(state["imitator"])
        self.best.load(state["best"])
