"""The Q-network: a recurrent network that reads one decision per step and whose policy is explicit."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .precision import bfloat16
from .views import ViewEncoder

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

    @property
    def best(self) -> Tensor:
        """max_a Q(s, a)/tau, [B, T]."""
        return self.values + self.log_policy.amax(-1)


class Inputs(NamedTuple):
    """What the network reads of B episodes, as ``RecurrentQ.forward`` documents it."""

    last: Tensor
    features: Tensor
    condition: Tensor
    mask: Tensor
    view: Tensor


class Dropout(nn.Module):
    """Dropout that draws from a generator of the agent's, never from torch's global one.

    One mask for a whole episode (Gal & Ghahramani 2016), which also spares most of the drawing.
    """

    generator: torch.Generator | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"dropout must be from 0 up to 1, not {rate}")
        self.keep = 1 - rate

    def draw_from(self, generator: torch.Generator) -> None:
        """Sets the generator of the masks."""
        self.generator = generator

    def turn_off(self) -> None:
        """Keeps every unit from now on."""
        self.keep = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes units of float [B, T, W] with probability ``1 - keep`` while training, and scales up the others."""
        if not self.training or self.keep == 1:
            return x
        mask = x.new_empty(len(x), 1, x.shape[-1]).bernoulli_(self.keep, generator=self.generator)
        return x * mask.div_(self.keep)


class RecurrentQ(nn.Module):
    """An LSTM over decisions with a dueling head: Q(s, a)/tau = V(s) + log softmax(advantages)(a).

    The Boltzmann policy softmax(Q/tau) is then the softmax of the advantages, and V is exactly the
    soft value logsumexp(Q/tau), so that maximum likelihood leaves V alone and value learning cannot
    wreck a policy learned by maximum likelihood (after Wang et al. 2016, in soft form). V reads what the
    policy's layers make of the past and does not shape them. Q is kept in units of the temperature tau:
    the reward is divided by it, and nothing else needs to know it.

    After ``add_to(prior)`` the policy is pi(a|s) proportional to prior(a|s) exp(advantages(a)).

    Args:
        num_actions: A.
        feature_sizes: numbers of values of the features, see ``Task.features``.
        condition_sizes: numbers of values of the conditions.
        hidden: units of the LSTM.
        embedding: width of the input.
        dropout: applied to inputs and outputs of the LSTM while training.
        view_shape: of one view, see ``Task.view``; () where there is none.
        sight: hidden units of the layers that read views.

    Attributes:
        learns_in: dtype of products within the LSTM while gradients are taken; all else is of float32, as are all
            products without gradients, whatever ``torch.autocast`` the caller is in.
    """

    def __init__(
        self,
        num_actions: int,
        feature_sizes: tuple[int, ...],
        condition_sizes: tuple[int, ...],
        hidden: int = 128,
        embedding: int = 64,
        dropout: float = 0.3,
        view_shape: tuple[int, ...] = (),
        sight: int = 128,
    ) -> None:
        super().__init__()
        self.num_actions = num_actions
        self.starts: Tensor
        sizes = (num_actions + 1, *feature_sizes, *condition_sizes)  # the last action stands for "nothing yet"
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.table = nn.Parameter(0.3 * torch.randn(sum(sizes), embedding))
        self.rnn = nn.LSTM(embedding, hidden, batch_first=True)
        self.sight = ViewEncoder(view_shape, embedding, sight) if view_shape else None
        self.dropout = Dropout(dropout)
        self.advantages = nn.Linear(hidden + embedding, num_actions)
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.value = nn.Sequential(nn.Linear(hidden + embedding, hidden), nn.ReLU(), last)
        self.prior: RecurrentQ | None = None
        self.learns_in = torch.float32

    def add_to(self, prior: RecurrentQ) -> None:
        """Makes the advantages additions to the log policy of a frozen network; they begin at zero."""
        self.prior = prior
        nn.init.zeros_(self.advantages.weight)
        nn.init.zeros_(self.advantages.bias)

    def learn_with(self, dtype: torch.dtype, generator: torch.Generator) -> None:
        """Sets the dtype of products within the LSTM while it learns, and the generator that dropout draws from."""
        self.learns_in = dtype
        self.dropout.draw_from(generator)

    @property
    def memory_size(self) -> int:
        """Width of each part of the memory."""
        return int(self.rnn.hidden_size) * (1 if self.prior is None else 2)

    def embed(self, last: Tensor, features: Tensor, condition: Tensor, view: Tensor | None = None) -> Tensor:
        """Returns inputs [B, T, E] of last actions [B, T] (A: none), features [B, T, K], conditions [B, C].

        Where the network sees views uint8 [B, T, *view_shape], what it makes of them is added.
        """
        B, T = last.shape
        entries = torch.cat([last[..., None], features], -1) + self.starts[: 1 + features.shape[2]]
        x = F.embedding_bag(entries.view(B * T, -1), self.table, mode="sum").view(B, T, -1)
        if condition.shape[1]:
            x = x + self._given(condition, self.table)[:, None]
        if self.sight is None:
            return x
        assert view is not None
        shown: Tensor = self.sight(view.flatten(0, 1))
        return x + shown.view(B, T, -1)

    def _given(self, condition: Tensor, table: Tensor) -> Tensor:
        """Returns the sum of a table's rows for conditions [B, C], the same at every step; [B, width]."""
        return F.embedding_bag(condition + self.starts[len(self.starts) - condition.shape[1] :], table, mode="sum")

    def forward(
        self,
        last: Tensor,
        features: Tensor,
        condition: Tensor,
        mask: Tensor,
        memory: Memory | None = None,
        view: Tensor | None = None,
    ) -> tuple[Steps, Memory]:
        """Evaluates steps of B episodes.

        Args:
            last: int64 [B, T], the action before each step; A at the start.
            features: int64 [B, T, K].
            condition: int64 [B, C].
            mask: bool [B, T, A], legal actions.
            memory: of the steps before; None at the start of the episodes.
            view: uint8 [B, T, *view_shape]; None where the network sees none.

        Returns:
            The steps, and the memory to go on with.
        """
        with bfloat16(last.device.type, enabled=False):
            log_policy, h, memory = self._read(last, features, condition, mask, memory, view)
            return Steps(log_policy, self.value(h.detach())[..., 0]), memory

    def decide(
        self,
        last: Tensor,
        features: Tensor,
        condition: Tensor,
        mask: Tensor,
        memory: Memory | None = None,
        view: Tensor | None = None,
    ) -> tuple[Tensor, Memory]:
        """Returns log pi [B, T, A] alone, and the memory to go on with; arguments as of ``forward``."""
        with bfloat16(last.device.type, enabled=False):
            log_policy, _, memory = self._read(last, features, condition, mask, memory, view)
            return log_policy, memory

    def _read(
        self,
        last: Tensor,
        features: Tensor,
        condition: Tensor,
        mask: Tensor,
        memory: Memory | None,
        view: Tensor | None,
    ) -> tuple[Tensor, Tensor, Memory]:
        own, priors = memory, None
        if memory is not None and self.prior is not None:
            (h, h_prior), (c, c_prior) = (part.chunk(2, -1) for part in memory)
            own, priors = (h.contiguous(), c.contiguous()), (h_prior.contiguous(), c_prior.contiguous())
        x = self.embed(last, features, condition, view)
        in_16_bits = self.learns_in == torch.bfloat16 and torch.is_grad_enabled()
        with bfloat16(x.device.type, enabled=in_16_bits):
            h, (last_h, last_c) = self.rnn(self.dropout(x), own)
        h, memory = h.float(), (last_h.float(), last_c.float())
        h = torch.cat([self.dropout(h), x], -1)
        logits = self.advantages(h)
        if self.prior is not None:
            with torch.no_grad():
                log_prior, priors = self.prior.decide(last, features, condition, mask, priors, view)
            logits = logits + log_prior
            memory = (torch.cat([memory[0], priors[0]], -1), torch.cat([memory[1], priors[1]], -1))
        return F.log_softmax(logits.masked_fill(~mask, FORBIDDEN), -1), h, memory


def tanh(x: Tensor) -> Tensor:
    """Returns the hyperbolic tangent as 2 sigmoid(2x) - 1: on a CPU torch takes a tenth of the time for it."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)


class Stepper:
    """A network that decides for B episodes step by step, without gradients or dropout, and remembers.

    It says what ``RecurrentQ.decide`` says. The first layer of the LSTM is folded into the table of inputs, so that a
    step looks its sums up instead of multiplying, and the condition's part of them is found once.

    Args:
        network: whose decisions; ``refresh`` follows changes of its weights.
        condition: int64 [B, C].
    """

    def __init__(self, network: RecurrentQ, condition: Tensor) -> None:
        self.network, self._condition = network, condition
        self._prior = None if network.prior is None else Stepper(network.prior, condition)
        self._h = self._c = network.table.new_zeros(len(condition), network.rnn.hidden_size)
        self.refresh()

    def refresh(self) -> None:
        """Decides by the network's weights as they are now; what is remembered stays."""
        network = self.network
        # As torch names and orders them.
        first, recurrent, *biases = (
            cast("Tensor", getattr(network.rnn, f"{name}_l0"))
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        self._inward, self._recurrent, self._bias = first.t(), recurrent.t(), sum(biases)  # [E, 4 H], [H, 4 H], [4 H]
        with bfloat16(first.device.type, enabled=False):
            self._gates = network.table @ self._inward
        self._given, self._given_gates = self._read_condition(self._condition)
        if self._prior is not None:
            self._prior.refresh()

    def restart(self, rows: Tensor, condition: Tensor) -> None:
        """Forgets some rows, int64 [k], which begin new episodes under conditions int64 [k, C]."""
        self._condition[rows] = condition
        self._given[rows], self._given_gates[rows] = self._read_condition(condition)
        for memory in (self._h, self._c):
            memory[rows] = 0
        if self._prior is not None:
            self._prior.restart(rows, condition)

    def _read_condition(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the condition's part of the inputs, float [k, E], and of the gates, with biases, float [k, 4 H]."""
        network = self.network
        given = network.table.new_zeros(len(condition), network.table.shape[1])
        if condition.shape[1]:
            given = network._given(condition, network.table)
        with bfloat16(given.device.type, enabled=False):
            return given, given @ self._inward + self._bias

    def keep(self, rows: Tensor) -> None:
        """Forgets all but the given rows, int64 [n]."""
        for name in ("_condition", "_given", "_given_gates", "_h", "_c"):
            setattr(self, name, getattr(self, name)[rows])
        if self._prior is not None:
            self._prior.keep(rows)

    def __call__(self, last: Tensor, features: Tensor, mask: Tensor, view: Tensor) -> Tensor:
        """Returns log pi [B, A] of the next decision.

        Args:
            last: int64 [B], the action before; A at the start.
            features: int64 [B, K].
            mask: bool [B, A], legal actions.
            view: uint8 [B, *view_shape], where the network sees it.
        """
        with bfloat16(last.device.type, enabled=False):
            return F.log_softmax(self._logits(last, features, mask, view), -1)

    def _logits(self, last: Tensor, features: Tensor, mask: Tensor, view: Tensor) -> Tensor:
        network = self.network
        entries = torch.cat([last[:, None], features], 1) + network.starts[: 1 + features.shape[1]]
        x = self._given + F.embedding_bag(entries, network.table, mode="sum")
        gates = self._given_gates + F.embedding_bag(entries, self._gates, mode="sum")
        if network.sight is not None:
            shown = network.sight(view)
            x += shown
            gates.addmm_(shown, self._inward)
        i, f, g, o = gates.addmm_(self._h, self._recurrent).chunk(4, 1)
        self._c = f.sigmoid_() * self._c + i.sigmoid_() * tanh(g)
        self._h = o.sigmoid_() * tanh(self._c)
        logits: Tensor = network.advantages(torch.cat([self._h, x], -1))
        if self._prior is not None:
            logits = logits + self._prior(last, features, mask, view)
        return logits.masked_fill(~mask, FORBIDDEN)
