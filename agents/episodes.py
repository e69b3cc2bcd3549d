"""Whole episodes as arrays: built by a policy, or traced from real works."""

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
"""Steps that a network evaluates at a time, and the fewest episodes of them: more steps do not fit into a core's cache
and take half as long again; fewer rows cost more than padding."""


@dataclasses.dataclass
class Episodes:
    """N episodes from an empty to a finished content: the data of learning.

    Attributes:
        actions: int16 [N, T], padded with 0.
        lengths: int64 [N], decisions of each episode.
        masks: uint8 [N, T, ceil(A / 8)], legal actions as packed bits.
        features: int16 [N, T, K], see ``Task.feature_values``.
        conditions: int16 [N, C].
        contents: [N, ...], finished; plans where the task decodes them.
        rewards: float32 [N], rewards at the time of building; 0 where they were not computed.
        log_probs: float32 [N, T], log pi(a_t | s_t) of the policy that built them; 0 for real works and after the end.
        views: uint8 [N, T, *view_shape], before each decision; [N, T, 0] where the task has none.
        paid: float32 [N, T], rewards of the environment's wrappers, that is all but D's and the rules' terms.
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
        """Evaluates whole episodes by a network, in a few parts of similar lengths, which saves padding.

        Args:
            network: the network.
            device: its device.
            values: False leaves out the values: they are zeros.
            best: True returns max_a Q(s_t, a)/tau instead of V(s_t).

        Returns:
            log_probs: log pi(a_t | s_t), float [N, L], where L is the longest episode's length; 0 after the end.
            values: V(s_t) in units of tau, float [N, L]; 0 after the end.
            mask: True for steps that are not padding, bool [N, L].
        """
        T = int(self.lengths.max())
        order = np.argsort(self.lengths, kind="stable")
        fitting = max(LEAST_ROWS, PART_STEPS // T) if device.type == "cpu" else len(self)
        parts = np.array_split(order, max(1, len(self) // fitting))
        evaluated = [self._evaluate(rows, network, device, T, values, best) for rows in parts]
        back = torch.from_numpy(np.argsort(order)).to(device)
        log_probs, state_values = (torch.cat(tensors)[back] for tensors in zip(*evaluated, strict=True))
        mask = torch.arange(T, device=device) < torch.from_numpy(self.lengths).to(device)[:, None]
        return log_probs * mask, state_values * mask, mask

    def log_policy(self, network: RecurrentQ, device: torch.device) -> torch.Tensor:
        """Returns log pi of all actions at every step, float [N, L, A]."""
        return network.decide(self._inputs(np.arange(len(self)), network, device)[1])[0]

    def steps(self, network: RecurrentQ, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns log pi of all actions at every step, float [N, L, A], and V(s_t) in units of tau, float [N, L]."""
        log_policy, values = network(self._inputs(np.arange(len(self)), network, device)[1])[0]
        return log_policy, values

    def _evaluate(
        self, rows: Array, network: RecurrentQ, device: torch.device, length: int, values: bool, best: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluates some episodes; pads the results with zeros to a length."""
        actions, inputs = self._inputs(rows, network, device)
        if values:
            steps, _ = network(inputs)
            log_policy = steps.log_policy
            state_values = steps.values + log_policy.amax(-1) if best else steps.values
        else:
            log_policy, _ = network.decide(inputs)
            state_values = log_policy.new_zeros(actions.shape)
        log_probs, padding = log_policy.gather(-1, actions[..., None])[..., 0], (0, length - actions.shape[1])
        return F.pad(log_probs, padding), F.pad(state_values, padding)

    def _inputs(self, rows: Array, network: RecurrentQ, device: torch.device) -> tuple[torch.Tensor, Inputs]:
        """Returns the actions int64 [n, T] of some rows and the network's inputs; T is their largest length."""
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
    """The inputs of the next decisions of n rows, besides their past actions.

    Attributes:
        mask: bool [n, A], legal actions.
        features: int [n, K].
        view: uint8 [n, *view_shape]; [n, 0] where the task has none.
    """

    mask: Bools
    features: Ints
    view: NDArray[np.uint8]

    @classmethod
    def of(cls, task: Task[Any], state: Any) -> Self:
        """Returns the inputs of the next decisions in n states of a task."""
        view = task.view(state)
        no_view = np.zeros((len(state), 0), np.uint8)
        return cls(task.action_mask(state), task.feature_values(state), no_view if view is None else view)

    def tensors(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns features, mask and view as arguments of ``Stepper``."""
        features = torch.from_numpy(self.features.astype(np.int64)).to(device)
        return features, torch.from_numpy(self.mask).to(device), torch.from_numpy(self.view).to(device)


class Recorder:
    """Steps a task and records the episodes.

    Args:
        task: the domain.
        state: the starts of N episodes.
    """

    def __init__(self, task: Task[Any], state: Any) -> None:
        self.task, self.state = task, state
        n = len(state)
        self.rows = np.arange(n)
        """Indices of the episodes, among the N, that are still stepped: those of ``state``, ``done`` and ``t``."""
        self.done = np.zeros(n, np.bool_)
        self.t = np.zeros(n, np.int64)
        """Steps since each episode began."""
        self._whole = state

        def zeros(dtype: type[Any], *shape: int) -> Array:
            return np.zeros((n, task.horizon, *shape), dtype)

        self._episodes = Episodes(
            actions=zeros(np.int16),
            lengths=np.zeros(n, np.int64),
            masks=zeros(np.uint8, -(-task.num_actions // 8)),
            features=zeros(np.int16, len(task.features)),
            conditions=task.condition(state).astype(np.int16),
            contents=np.zeros(n),  # known at the end
            rewards=np.zeros(n, np.float32),
            log_probs=zeros(np.float32),
            views=zeros(np.uint8, *(task.view_shape or (0,))),
            paid=zeros(np.float32),
        )
        self.conditions = self._episodes.conditions
        """Conditions of the N episodes, int16 [N, C]."""

    def look(self) -> Look:
        """Returns the inputs of the next decisions."""
        look, at, episodes = Look.of(self.task, self.state), (self.rows, self.t), self._episodes
        episodes.masks[at], episodes.features[at] = np.packbits(look.mask, axis=-1), look.features
        episodes.views[at] = look.view
        return look

    def act(self, actions: Ints, log_probs: NDArray[np.float32] | None = None) -> None:
        """Steps every unfinished row by actions int [n], whose log pi(a|s) is float32 [n], if a policy chose them."""
        self._episodes.actions[self.rows, self.t] = np.where(self.done, 0, actions)
        if log_probs is not None:
            self._episodes.log_probs[self.rows, self.t] = np.where(self.done, 0, log_probs)
        self._episodes.lengths[self.rows] += ~self.done
        self.state, done = self.task.step(self.state, actions)
        self.done = np.array(done)
        self.t += 1

    def pay(self, rewards: NDArray[np.float32]) -> None:
        """Adds rewards [n] to those of the last decisions."""
        self._episodes.paid[self.rows, self.t - 1] += rewards

    def drop(self) -> NDArray[np.intp]:
        """Stops stepping the finished episodes; returns the indices, among ``rows``, of those that are left."""
        left = np.flatnonzero(~self.done)
        self._gather()
        self.rows, self.done, self.t = self.rows[left], self.done[left], self.t[left]
        self.state = self.state.take(left)
        return left

    def restart(self, rows: Ints, state: Any) -> None:
        """Begins new episodes in rows int64 [k] from the given states; requires that none was dropped."""
        self.state.put(rows, state)
        for field in dataclasses.fields(Episodes):
            getattr(self._episodes, field.name)[rows] = 0
        self.t[rows], self.done[rows] = 0, False
        self.conditions[rows] = self.task.condition(state)

    def _gather(self) -> None:
        """Puts the states of the rows that are still stepped among those of the others."""
        if len(self.rows) == len(self._episodes):
            self._whole = self.state
        else:
            self._whole.put(self.rows, self.state)

    def episodes(self, rows: Ints | None = None) -> Episodes:
        """Returns the episodes of all rows, at their end, or copies of those of some rows int64 [k]."""
        self._gather()
        if rows is None:  # views are large, and not copied here
            return dataclasses.replace(self._episodes, contents=self.task.content(self._whole))
        return dataclasses.replace(self._episodes.take(rows), contents=self.task.content(self._whole.take(rows)))


def trace(task: Task[Any], contents: Array, conditions: Ints | None = None, actions: Ints | None = None) -> Episodes:
    """Returns the episodes that build real contents.

    Args:
        task: the domain.
        contents: [N, ...].
        conditions: int [N, C]; None where the task has none.
        actions: int [N, T] that build the contents; those of ``task.demonstrations`` where None.

    Raises:
        ValueError: a content cannot be built, or not by these actions, or conditions are missing.
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
    for decided in actions.T:
        if not (recorder.look().mask[np.arange(N), decided] | recorder.done).all():
            raise ValueError(f"decision {recorder.t[0]} of a work is illegal")
        recorder.act(decided)
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
    """Builds contents by the Boltzmann policy, one decision at a time with O(1) recurrent memory.

    Args:
        network: the policy; evaluated without dropout.
        task: the domain.
        state: the starts of N episodes.
        generator: source of all randomness, on the network's device.
        temperature: factor of the policy's temperature; 0 takes the most probable action.
        prefix: int [P], the first decisions of every episode; illegal ones are replaced as by the task, -1 leaves a
            decision to the policy.
        on_step: called after each step with the recorder and the decisions, int64 [n], of its ``rows``.

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
        if prefix is not None and step < len(prefix) and prefix[step] >= 0:
            chosen = task.legalise(recorder.state, np.full(len(recorder.rows), prefix[step]))
            last = torch.from_numpy(chosen.astype(np.int64)).to(device)
        else:
            last = draw(log_policy, temperature, generator)
            chosen = last.cpu().numpy()
        recorder.act(chosen, log_policy.gather(1, last[:, None])[:, 0].cpu().numpy())
        if on_step is not None:
            on_step(recorder, chosen)
        step += 1
        if 0 < (~recorder.done).sum() <= len(recorder.rows) / 2:  # finished rows cost as much as others
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
    # 1 - uniform is in (0, 1], so that an action of probability 0 is never drawn.
    return (total < (1 - uniform) * total[:, -1:]).sum(-1)
