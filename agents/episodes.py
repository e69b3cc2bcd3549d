"""Whole episodes as arrays: played, traced from real works, and replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Self

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
    """N episodes from an empty to a finished content: all that learning needs.

    Attributes:
        actions: int16 [N, T], padded with 0.
        lengths: int64 [N], decisions until the content was finished.
        masks: uint8 [N, T, ceil(A / 8)], legal actions as packed bits.
        features: int16 [N, T, K], see ``Task.feature_values``.
        conditions: int16 [N, C].
        contents: [N, ...], finished; plans where the task decodes them.
        rewards: float32 [N], when they were built; 0 where they were not scored.
        log_probs: float32 [N, T], log pi(a_t | s_t) of the policy that built them; 0 where none did, and after the end.
        views: uint8 [N, T, *view_shape], before each decision; [N, T, 0] where policies see none.
        paid: float32 [N, T], what their environment paid for each decision beside D's and the rules' terms.
    """

    actions: NDArray[np.int16]
    lengths: NDArray[np.int64]
    masks: NDArray[np.uint8]
    features: NDArray[np.int16]
    conditions: NDArray[np.int16]
    contents: Array
    rewards: NDArray[np.float32]
    log_probs: NDArray[np.float32]
    views: NDArray[np.uint8]
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
        """Returns the rows of all parts, in order; not a copy where there is only one."""
        if len(parts) == 1:
            return parts[0]
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
        return network.decide(given.last, given.features, given.condition, given.mask, view=given.view)[0]

    def _pass_through(
        self, rows: Array, network: RecurrentQ, device: torch.device, length: int, values: bool, best: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluates the steps of some episodes, and fills up to a length with zeros."""
        actions, given = self._inputs(rows, network, device)
        missing = length - actions.shape[1]
        if not values:
            log_policy, _ = network.decide(given.last, given.features, given.condition, given.mask, view=given.view)
            worth = log_policy.new_zeros(actions.shape)
        else:
            steps, _ = network(given.last, given.features, given.condition, given.mask, view=given.view)
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
            torch.from_numpy(self.features[rows, :T].astype(np.int64)).to(device),
            torch.from_numpy(self.conditions[rows].astype(np.int64)).to(device),
            torch.from_numpy(masks).to(device),
            torch.from_numpy(self.views[rows, :T]).to(device),
        )


class Look(NamedTuple):
    """What the next decisions of n rows depend on beside the past.

    Attributes:
        mask: bool [n, A], legal actions.
        features: int [n, K].
        view: uint8 [n, *view_shape]; [n, 0] where policies see none.
    """

    mask: Bools
    features: Ints
    view: NDArray[np.uint8]

    def tensors(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns features, mask and view as ``Stepper`` takes them."""
        features = torch.from_numpy(self.features.astype(np.int64)).to(device)
        return features, torch.from_numpy(self.mask).to(device), torch.from_numpy(self.view).to(device)


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
        self._features = np.zeros((n, task.horizon, len(task.features)), np.int16)
        self._log_probs = np.zeros((n, task.horizon), np.float32)
        self._views = np.zeros((n, task.horizon, *(task.view_shape or (0,))), np.uint8)
        self._paid = np.zeros((n, task.horizon), np.float32)
        self.conditions = task.condition(state).astype(np.int16)
        """Of the N episodes, int16 [N, C]."""

    def look(self) -> Look:
        """Returns what the next decision depends on beside the past."""
        mask, features = self.task.action_mask(self.state), self.task.feature_values(self.state)
        self._masks[self.rows, self.t] = np.packbits(mask, axis=-1)
        self._features[self.rows, self.t] = features
        view = self.task.view(self.state)
        if view is None:
            view = np.zeros((len(mask), 0), np.uint8)
        else:
            self._views[self.rows, self.t] = view
        return Look(mask, features, view)

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
        for array in (self._actions, self._masks, self._features, self._log_probs, self._views, self._paid):
            array[rows] = 0
        self._lengths[rows] = self.t[rows] = 0
        self.done[rows] = False
        self.conditions[rows] = self.task.condition(state)

    def _gather(self) -> None:
        """Puts the state of the rows that are still stepped among those of the others."""
        if len(self.rows) == len(self._lengths):
            self._whole = self.state
        else:
            self._whole.put(self.rows, self.state)

    def episodes(self, rows: Ints | None = None) -> Episodes:
        """Returns what was taken down of all rows, at their end, or copies of some, int64 [k]."""
        self._gather()
        n = len(self._lengths)
        # Views are large: what is handed over at the end is not copied.
        some: Any = slice(None) if rows is None else rows
        contents = self.task.content(self._whole if rows is None else self._whole.take(rows))
        return Episodes(
            self._actions[some],
            self._lengths[some],
            self._masks[some],
            self._features[some],
            self.conditions[some],
            contents,
            np.zeros(n if rows is None else len(rows), np.float32),
            self._log_probs[some],
            self._views[some],
            self._paid[some],
        )


def trace(task: Task[Any], contents: Array, conditions: Ints | None = None, actions: Ints | None = None) -> Episodes:
    """Returns the episodes that build real contents.

    Args:
        task: the domain.
        contents: [N, ...].
        conditions: int [N, C]; None where the task has none.
        actions: int [N, T] that build them; those of ``task.demonstrations`` where None.

    Raises:
        ValueError: a content cannot be built, or not by these actions, or there are no conditions.
    """
    N, T, A = len(contents), task.horizon, task.num_actions
    if task.conditions and conditions is None:
        raise ValueError(f"{type(task).__name__} has conditions: pass conditions=int [N, {len(task.conditions)}]")
    if actions is None:
        actions = task.demonstrations(contents, conditions)
    if actions.shape != (N, T) or actions.dtype.kind not in "iu" or ((actions < 0) | (actions >= A)).any():
        raise ValueError(f"actions must be int [{N}, {T}] from 0 to {A - 1}, not {actions.dtype} {actions.shape}")
    given = conditions if task.conditions else None
    recorder = Recorder(task, task.initial(np.zeros(N, np.uint64), given))
    for taken in actions.T:
        if not (recorder.look().mask[np.arange(N), taken] | recorder.done).all():
            raise ValueError(f"decision {recorder.t[0]} of a work is illegal")
        recorder.act(taken)
        if recorder.done.all():
            break
    built = recorder.episodes()
    decodes = type(task).decode is not Task.decode  # its actions build plans
    wrong = ~recorder.done if decodes else ~recorder.done | (built.contents != contents).reshape(N, -1).any(1)
    if wrong.any():
        raise ValueError(f"actions do not build {wrong.sum()} of {N} works (first: row {wrong.argmax()})")
    return built


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
        log_policy = policy(last, *recorder.look().tensors(device))
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
