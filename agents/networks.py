"""The Q-network: a recurrent network that reads one decision per step, with an explicit policy."""

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
    """The outputs of the network for every step of B episodes.

    Attributes:
        log_policy: float [B, T, A], log of the Boltzmann policy, ``FORBIDDEN`` for illegal actions.
        values: float [B, T], soft values in units of tau: V(s) = logsumexp Q(s, .)/tau, where
            Q(s, a)/tau = V(s) + log pi(a|s).
    """

    log_policy: Tensor
    values: Tensor


class Inputs(NamedTuple):
    """The inputs of the network for T steps of B episodes.

    Attributes:
        last: int64 [B, T], the action before each step; A at the start.
        features: int64 [B, T, K], see ``Task.feature_values``.
        condition: int64 [B, C].
        mask: bool [B, T, A], legal actions.
        view: uint8 [B, T, *view_shape]; of any shape, or None, where the network reads no views.
    """

    last: Tensor
    features: Tensor
    condition: Tensor
    mask: Tensor
    view: Tensor | None = None


class Dropout(nn.Module):
    """Dropout that draws from the agent's generator, never from torch's global one.

    One mask for a whole episode (Gal & Ghahramani 2016), which also saves most of the random draws.
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
    wreck a policy learned by maximum likelihood (after Wang et al. 2016, in soft form). V reads the features
    of the policy's layers, which its gradient does not reach. Q is in units of the temperature tau, by which
    rewards are divided.

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
        learns_in: dtype of products within the LSTM while gradients are computed. Everything else, and all products
            without gradients, are of float32, in any ``torch.autocast`` of the caller.
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
        sizes = (num_actions + 1, *feature_sizes, *condition_sizes)  # action A: there is none before the first step
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

    def embed(self, inputs: Inputs) -> Tensor:
        """Returns the inputs of the LSTM, float [B, T, E]: sums of embeddings, and of encoded views where there are."""
        (B, T), view = inputs.last.shape, inputs.view
        entries = torch.cat([inputs.last[..., None], inputs.features], -1)
        entries = entries + self.starts[: entries.shape[2]]
        x = F.embedding_bag(entries.view(B * T, -1), self.table, mode="sum").view(B, T, -1)
        if inputs.condition.shape[1]:
            x = x + self.embed_condition(inputs.condition)[:, None]
        if self.sight is None:
            return x
        assert view is not None
        shown: Tensor = self.sight(view.flatten(0, 1))
        return x + shown.view(B, T, -1)

    def embed_condition(self, condition: Tensor) -> Tensor:
        """Returns the sums of the embeddings of conditions int64 [B, C], C > 0; float [B, E]."""
        starts = self.starts[len(self.starts) - condition.shape[1] :]
        return F.embedding_bag(condition + starts, self.table, mode="sum")

    def forward(self, inputs: Inputs, memory: Memory | None = None) -> tuple[Steps, Memory]:
        """Evaluates steps of B episodes.

        Args:
            inputs: of the steps.
            memory: of the steps before; None at the start of the episodes.

        Returns:
            The steps, and the memory for the steps after them.
        """
        with bfloat16(inputs.last.device.type, enabled=False):
            log_policy, h, memory = self._read(inputs, memory)
            return Steps(log_policy, self.value(h.detach())[..., 0]), memory

    def decide(self, inputs: Inputs, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Returns log pi [B, T, A] alone, and the memory, as ``forward`` does."""
        with bfloat16(inputs.last.device.type, enabled=False):
            log_policy, _, memory = self._read(inputs, memory)
            return log_policy, memory

    def _read(self, inputs: Inputs, memory: Memory | None) -> tuple[Tensor, Tensor, Memory]:
        """Returns log pi [B, T, A], the features of each step [B, T, H + E], and the memory."""
        state, prior_state = memory, None
        if memory is not None and self.prior is not None:
            (h, h_prior), (c, c_prior) = (part.chunk(2, -1) for part in memory)
            state, prior_state = (h.contiguous(), c.contiguous()), (h_prior.contiguous(), c_prior.contiguous())
        x = self.embed(inputs)
        in_16_bits = self.learns_in == torch.bfloat16 and torch.is_grad_enabled()
        with bfloat16(x.device.type, enabled=in_16_bits):
            h, (last_h, last_c) = self.rnn(self.dropout(x), state)
        h, memory = h.float(), (last_h.float(), last_c.float())
        h = torch.cat([self.dropout(h), x], -1)
        logits = self.advantages(h)
        if self.prior is not None:
            with torch.no_grad():
                log_prior, prior_state = self.prior.decide(inputs, prior_state)
            logits = logits + log_prior
            memory = (torch.cat([memory[0], prior_state[0]], -1), torch.cat([memory[1], prior_state[1]], -1))
        return F.log_softmax(logits.masked_fill(~inputs.mask, FORBIDDEN), -1), h, memory


def tanh(x: Tensor) -> Tensor:
    """Returns the hyperbolic tangent as 2 sigmoid(2x) - 1: on a CPU torch takes a tenth of the time for it."""
    return (2 * x).sigmoid_().mul_(2).sub_(1)


class Stepper:
    """The policy of a network for B episodes step by step, without gradients or dropout, with the LSTM's state.

    The result is that of ``RecurrentQ.decide``. The LSTM's input weights are multiplied into the table of embeddings,
    so that a step looks up sums instead of multiplying, and the condition's part of the sums is computed once.

    Args:
        network: the network; after changes of its weights call ``refresh``.
        condition: int64 [B, C].
    """

    def __init__(self, network: RecurrentQ, condition: Tensor) -> None:
        self.network, self._condition = network, condition
        self._prior = None if network.prior is None else Stepper(network.prior, condition)
        self._h = self._c = network.table.new_zeros(len(condition), network.rnn.hidden_size)
        self.refresh()

    def refresh(self) -> None:
        """Reads the network's present weights; the LSTM's state stays."""
        network = self.network
        # By torch's names and in torch's order.
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
        """Begins new episodes in rows int64 [k], under conditions int64 [k, C]."""
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
            given = network.embed_condition(condition)
        with bfloat16(given.device.type, enabled=False):
            return given, given @ self._inward + self._bias

    def keep(self, rows: Tensor) -> None:
        """Drops all but the given rows, int64 [n]."""
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
            view: uint8 [B, *view_shape], where the network reads it.
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
