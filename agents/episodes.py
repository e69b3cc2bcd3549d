"""Whole episodes as arrays: played, traced from real works, and replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ..envs.task import Array, Bools, Ints, Task
from .networks import FORBIDDEN, Inputs, RecurrentQ, Stepper

PART_STEPS, LEAST_ROWS = 2400, 16
"""Steps that pass through a network at a time, of at least so many episodes: more do not fit into a core's cache, and
take half as long again; fewer rows waste more than padding does."""


@dataclasses.dataclass
class Episodes:
    """N episodes from an empty to a finished content; all that learning needs, observations only where they are seen.

    Attributes:
        actions: int16 [N, T], padded with 0.
        lengths: int64 [N], decisions until the content was finished.
        masks: uint8 [N, T, ceil(A / 8)], legal actions as packed bits.
        clocks: int16 [N, T, K], see ``Task.clock``.
        conditions: int16 [N, C].
        contents: [N, ...], finished.
        rewards: float32 [N], what they were worth when they were built; 0 where nobody asked.
        log_probs: float32 [N, T], log pi(a_t | s_t) of the policy that built them; 0 where none did, and after the end.
        seen: float16 [N, T, O], observations before each decision; O = 0 where policies see none.
        paid: float32 [N, T], what their environment paid for each decision beside D's and the rules' terms.
    """

    actions: NDArray[np.int16]
    lengths: NDArray[np.int64]
    masks: NDArray[np.uint8]
    clocks: NDArray[np.int16]
    conditions: NDArray[np.int16]
    contents: Array
    rewards: NDArray[np.float32]
    log_probs: NDArray[np.float32]
    seen: NDArray[np.float16]
    paid: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lengths)

    def decisions(self) -> list[NDArray[np.int16]]:
        """Returns the actions of each episode, int16 [L]."""
        return [actions[:length] for actions, length in zip(self.actions, self.lengths, strict=True)]

    def take(self, rows: Array | slice) -> Self:
        """Returns the given rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Returns the rows of all parts, in order."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in dataclasses.fields(cls)))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Returns the arrays as tensors."""
        return {field.name: torch.from_numpy(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_state_dict(cls, state: dict[str, torch.Tensor]) -> Self:
        """Inverts ``state_dict``.

        Raises:
            ValueError: it is of a version whose episodes held less.
        """
        missing = [field.name for field in dataclasses.fields(cls) if field.name not in state]
        if missing:
            raise ValueError(f"its episodes have no {missing[0]}: another version of musegym wrote them")
        return cls(*(state[field.name].numpy() for field in dataclasses.fields(cls)))

    def evaluate(
        self, network: RecurrentQ, device: torch.device, values: bool = True, best: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Passes whole episodes through a network at once; in a few parts of like lengths, which spares padding.

        Args:
            network: what evaluates them.
            device: where.
            values: whether values are wanted; they are zeros where not.
            best: max_a Q(s_t, a)/tau is wanted instead of V(s_t).

        Returns:
            log pi(a_t | s_t) float [N, L], V(s_t) in units of tau float [N, L], both 0 after the end, and which steps
            are not padding, bool [N, L]; L is the longest episode's length.
        """
        T = int(self.lengths.max())
        order = np.argsort(self.lengths, kind="stable")
        fitting = max(LEAST_ROWS, PART_STEPS // T) if device.type == "cpu" else len(self)
        parts = np.array_split(order, max(1, len(self) // fitting))
        passed = [self._pass_through(rows, network, device, T, values, best) for rows in parts]
        back = torch.from_numpy(np.argsort(order)).to(device)
        taken, worth = (torch.cat(tensors)[back] for tensors in zip(*passed, strict=True))
        live = torch.arange(T, device=device) < torch.from_numpy(self.lengths).to(device)[:, None]
        return taken * live, worth * live, live

    def log_policy(self, network: RecurrentQ, device: torch.device) -> torch.Tensor:
        """Returns log pi of all actions on the way, float [N, L, A]."""
        _, given = self._inputs(np.arange(len(self)), network, device)
        return network.decide(given.last, given.clock, given.condition, given.mask, seen=given.seen)[0]

    def _pass_through(
        self, rows: Array, network: RecurrentQ, device: torch.device, length: int, values: bool, best: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluates the steps of some episodes, and fills up to a length with zeros."""
        actions, given = self._inputs(rows, network, device)
        missing = length - actions.shape[1]
        if not values:
            log_policy, _ = network.decide(given.last, given.clock, given.condition, given.mask, seen=given.seen)
            worth = log_policy.new_zeros(actions.shape)
        else:
            steps, _ = network(given.last, given.clock, given.condition, given.mask, seen=given.seen)
            log_policy, worth = steps.log_policy, steps.best if best else steps.values
        taken = log_policy.gather(-1, actions[..., None])[..., 0]
        return F.pad(taken, (0, missing)), F.pad(worth, (0, missing))

    def _inputs(self, rows: Array, network: RecurrentQ, device: torch.device) -> tuple[torch.Tensor, Inputs]:
        """Returns the actions int64 [n, T] of some rows, and what the network reads: T is their longest."""
        T = int(self.lengths[rows].max())
        actions = torch.from_numpy(self.actions[rows, :T].astype(np.int64)).to(device)
        masks = np.unpackbits(self.masks[rows, :T], axis=-1, count=network.num_actions).view(np.bool_)
        return actions, Inputs(
            torch.cat([torch.full_like(actions[:, :1], network.num_actions), actions[:, :-1]], 1),
            torch.from_numpy(self.clocks[rows, :T].astype(np.int64)).to(device),
            torch.from_numpy(self.conditions[rows].astype(np.int64)).to(device),
            torch.from_numpy(masks).to(device),
            _floats(self.seen[rows, :T], device),
        )


class Recorder:
    """Takes down episodes while a task is stepped.

    Args:
        task: the domain.
        state: the starts of N episodes.
    """

    def __init__(self, task: Task[Any], state: Any) -> None:
        self.task, self.state = task, state
        n = len(state)
        self.rows = np.arange(n)
        """Indices of the episodes, among the N, that ``state``, ``done`` and ``t`` are of."""
        self.done = np.zeros(n, np.bool_)
        self.t = np.zeros(n, np.int64)
        """Steps since each episode began."""
        self._whole = state
        self._actions = np.zeros((n, task.horizon), np.int16)
        self._lengths = np.zeros(n, np.int64)
        self._masks = np.zeros((n, task.horizon, -(-task.num_actions // 8)), np.uint8)
        self._clocks = np.zeros((n, task.horizon, len(task.clock_sizes)), np.int16)
        self._log_probs = np.zeros((n, task.horizon), np.float32)
        self._seen = np.zeros((n, task.horizon, width_seen(task)), np.float16)
        self._paid = np.zeros((n, task.horizon), np.float32)
        self.conditions = task.condition(task.content(state)).astype(np.int16)
        """Of the N episodes, int16 [N, C]."""

    def look(self) -> tuple[Bools, Ints, NDArray[np.float16]]:
        """Returns what the next decision depends on beside the past: mask [n, A], clock [n, K], what is seen [n, O]."""
        mask, clock = self.task.action_mask(self.state), self.task.clock(self.state)
        self._masks[self.rows, self.t] = np.packbits(mask, axis=-1)
        self._clocks[self.rows, self.t] = clock
        if self._seen.shape[2]:
            self._seen[self.rows, self.t] = see(self.task.observe(self.state))
        return mask, clock, self._seen[self.rows, self.t]

    def act(self, actions: Ints, log_probs: NDArray[np.float32] | None = None) -> None:
        """Takes a decision in every unfinished row, of which a policy says log pi(a|s)."""
        self._actions[self.rows, self.t] = np.where(self.done, 0, actions)
        if log_probs is not None:
            self._log_probs[self.rows, self.t] = np.where(self.done, 0, log_probs)
        self._lengths[self.rows] += ~self.done
        self.state, done = self.task.step(self.state, actions)
        self.done = np.array(done)
        self.t += 1

    def pay(self, rewards: NDArray[np.float32]) -> None:
        """Adds rewards [n] to the decisions just taken."""
        self._paid[self.rows, self.t - 1] += rewards

    def drop(self) -> NDArray[np.intp]:
        """Steps finished episodes no further; returns which of the ``rows`` are left."""
        left = np.flatnonzero(~self.done)
        self._gather()
        self.rows, self.state, self.done = self.rows[left], self.state.take(left), self.done[left]
        self.t = self.t[left]
        return left

    def restart(self, rows: Ints, state: Any) -> None:
        """Begins new episodes in some rows, int64 [k], from the given states, where none was dropped."""
        self.state.put(rows, state)
        for array in (self._actions, self._masks, self._clocks, self._log_probs, self._seen, self._paid):
            array[rows] = 0
        self._lengths[rows] = self.t[rows] = 0
        self.done[rows] = False
        self.conditions[rows] = self.task.condition(self.task.content(state))

    def _gather(self) -> None:
        """Puts the state of the rows that are still stepped among those of the others."""
        if len(self.rows) == len(self._lengths):
            self._whole = self.state
        else:
            self._whole.put(self.rows, self.state)

    def episodes(self, rows: Ints | None = None) -> Episodes:
        """Returns copies of what was taken down, of all rows or of some, int64 [k]."""
        self._gather()
        rows = np.arange(len(self._lengths)) if rows is None else rows
        contents = self.task.content(self._whole.take(rows))
        return Episodes(
            self._actions[rows],
            self._lengths[rows],
            self._masks[rows],
            self._clocks[rows],
            self.conditions[rows],
            contents,
            np.zeros(len(rows), np.float32),
            self._log_probs[rows],
            self._seen[rows],
            self._paid[rows],
        )


def width_seen(task: Task[Any]) -> int:
    """Returns how many numbers of an observation policies see: O."""
    return int(np.prod(task.observation_space.shape or ())) if task.sighted else 0


def see(observations: Array) -> NDArray[np.float16]:
    """Returns observations [B, ...] as policies see them, [B, O]: coarser, since many are kept."""
    return observations.reshape(len(observations), -1).astype(np.float16)


def _floats(seen: NDArray[np.float16], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(seen.astype(np.float32)).to(device)


def trace(task: Task[Any], contents: Array) -> Episodes:
    """Returns the episodes that build real contents [N, ...].

    Raises:
        ValueError: a content cannot be built.
    """
    actions = task.demonstrations(contents)
    recorder = Recorder(task, task.initial(np.zeros(len(contents), np.uint64), task.condition(contents)))
    while not recorder.done.all():
        recorder.look()
        recorder.act(actions[recorder.rows, recorder.t])
    return recorder.episodes()


@torch.no_grad()
def play(
    network: RecurrentQ,
    task: Task[Any],
    state: Any,
    generator: torch.Generator,
    temperature: float = 1.0,
    prefix: Ints | None = None,
    on_step: Callable[[Recorder, Ints], None] | None = None,
) -> Episodes:
    """Lets the Boltzmann policy build contents, one decision at a time with O(1) recurrent memory.

    Args:
        network: the policy; evaluated without dropout.
        task: the domain.
        state: the starts of N episodes.
        generator: all randomness, drawn on its device.
        temperature: multiplies the policy's own; 0 takes the most probable action.
        prefix: int [P], the first decisions of every episode; illegal ones are replaced as by the task.
        on_step: called after each step with what is taken down and the decisions, int64 [n], of its ``rows``.

    Returns:
        N finished episodes.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    recorder = Recorder(task, state)
    policy = Stepper(network, torch.from_numpy(recorder.conditions.astype(np.int64)).to(device))
    last, step = torch.full((len(state),), network.num_actions, device=device), 0
    while not recorder.done.all():
        mask, clock, seen = recorder.look()
        log_policy = policy(
            last,
            torch.from_numpy(clock.astype(np.int64)).to(device),
            torch.from_numpy(mask).to(device),
            _floats(seen, device),
        )
        if prefix is not None and step < len(prefix):
            chosen = task.legalise(recorder.state, np.full(len(recorder.rows), prefix[step]))
            last = torch.from_numpy(chosen.astype(np.int64)).to(device)
        else:
            last = draw(log_policy, temperature, generator)
            chosen = last.cpu().numpy()
        recorder.act(chosen, log_policy.gather(1, last[:, None])[:, 0].cpu().numpy())
        if on_step is not None:
            on_step(recorder, chosen)
        step += 1
        if 0 < (~recorder.done).sum() <= len(recorder.rows) / 2:  # passing finished rows along is waste
            left = torch.from_numpy(recorder.drop()).to(device)
            last = last[left]
            policy.keep(left)
    network.train(was_training)
    return recorder.episodes()


def draw(log_policy: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """Draws int64 [B] from softmax(log_policy [B, A] / temperature) by inverting its distribution; 0: the mode."""
    if temperature == 0:
        return log_policy.argmax(-1)
    logits = (log_policy / temperature).masked_fill(log_policy < FORBIDDEN / 2, -torch.inf)
    total = logits.softmax(-1).cumsum(-1, dtype=torch.float64)
    uniform = total.new_empty(len(total), 1).uniform_(generator=generator)
    # In (0, 1], so that nothing is drawn whose probability is 0.
    return (total < (1 - uniform) * total[:, -1:]).sum(-1)
