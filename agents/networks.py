"""The Q-network: a recurrent network that reads one decision per step and whose policy is explicit."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Memory = tuple[Tensor, Tensor]
FORBIDDEN = -1e9


class Steps(NamedTuple):
    """What the network says of every step of a batch of episodes.

    Attributes:
        log_policy: float [B, T, A], log of the Boltzmann policy, ``FORBIDDEN`` for illegal actions.
        values: float [B, T], soft values in units of tau: V(s) = logsumexp Q(s, .)/tau.
    """

    log_policy: Tensor
    values: Tensor

    @property
    def q_values(self) -> Tensor:
        """Q(s, a)/tau = V(s) + log pi(a|s), [B, T, A]."""
        return self.values[..., None] + self.log_policy


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) that draws from a generator of the agent's, never from torch's global one."""

    generator: torch.Generator | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.keep = 1 - rate

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes entries of ``x`` with probability ``1 - keep`` while training, and scales up the others."""
        if not self.training or self.keep == 1:
            return x
        return x * torch.empty_like(x).bernoulli_(self.keep, generator=self.generator).div_(self.keep)


class RecurrentQ(nn.Module):
    """An LSTM over decisions with a dueling head: Q(s, a)/tau = V(s) + log softmax(advantages)(a).

    The Boltzmann policy softmax(Q/tau) is then the softmax of the advantages, and V is exactly the
    soft value logsumexp(Q/tau), so that maximum likelihood leaves V alone and value learning cannot
    wreck a policy learned by maximum likelihood (after Wang et al. 2016, in soft form). Q is kept in
    units of the temperature tau: the reward is divided by it, and nothing else needs to know it.

    Args:
        num_actions: A.
        clock_sizes: upper bounds of the clock columns, see ``Task.clock``.
        condition_sizes: upper bounds of the condition columns.
        hidden: units of the LSTM.
        embedding: width of the input.
        dropout: applied to inputs and outputs of the LSTM while training.
    """

    def __init__(
        self,
        num_actions: int,
        clock_sizes: tuple[int, ...],
        condition_sizes: tuple[int, ...],
        hidden: int = 192,
        embedding: int = 96,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.action = nn.Embedding(num_actions + 1, embedding)  # the last one stands for "nothing yet"
        self.clock = nn.ModuleList(nn.Embedding(size, embedding) for size in clock_sizes)
        self.condition = nn.ModuleList(nn.Embedding(size, embedding) for size in condition_sizes)
        self.rnn = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = Dropout(dropout)
        self.advantages = nn.Linear(hidden + embedding, num_actions)
        self.value = nn.Linear(hidden + embedding, 1)
        for table in (self.action, *self.clock, *self.condition):
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.3)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def embed(self, last: Tensor, clock: Tensor, condition: Tensor) -> Tensor:
        """Returns inputs [B, T, E] of last actions [B, T] (A: none), clocks [B, T, K], conditions [B, C]."""
        x: Tensor = self.action(last)
        for k, table in enumerate(self.clock):
            x = x + table(clock[..., k])
        style = torch.zeros_like(x[:, :1])
        for c, table in enumerate(self.condition):
            style = style + table(condition[:, c])[:, None]
        return x + style

    def forward(
        self, last: Tensor, clock: Tensor, condition: Tensor, mask: Tensor, memory: Memory | None = None
    ) -> tuple[Steps, Memory]:
        """Evaluates steps of B episodes.

        Args:
            last: int64 [B, T], the action before each step; A at the start.
            clock: int64 [B, T, K].
            condition: int64 [B, C].
            mask: bool [B, T, A], legal actions.
            memory: of the steps before; None at the start of the episodes.

        Returns:
            The steps, and the memory to go on with.
        """
        x = self.dropout(self.embed(last, clock, condition))
        h, memory = self.rnn(x, memory)
        h = torch.cat([self.dropout(h), x], -1)
        log_policy = F.log_softmax(self.advantages(h).masked_fill(~mask, FORBIDDEN), -1)
        return Steps(log_policy, self.value(h)[..., 0]), memory
