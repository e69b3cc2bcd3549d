"""Works of which some decisions are drawn again: fakes whose flaws are known, to test judges with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.task import Array, Bools, Ints, Task, Works

SHARE = 0.1
TRIES = 8


def redrawn(task: Task[Any], works: Works, train: Works, seed: int = 0, share: float = SHARE) -> Works:
    """Replaces a share of the decisions of works by others.

    A decision is drawn from the marginal distribution of its position over training works, given that it differs from
    the work's own. The share is of the decisions that can differ, and at least one: where no training work decides
    otherwise at a position, such as a corner that is always empty, the decision stays and another takes its turn.

    Where the task has demonstrations, works are built again by ``task.step``, hence legal: illegal decisions are not
    drawn, and own decisions that have become illegal are repaired and count. A work of which too few decisions differ
    is drawn again, a few times. Otherwise decisions are places of the content: cells, pixels or rows.

    Args:
        task: whose works they are.
        works: N works.
        train: the works of whose positions the marginals are.
        seed: of the choice.
        share: of the decisions of each work, 0 to 1.

    Returns:
        N works of the same conditions and groups; with ``actions`` where the task has demonstrations.
    """
    rng = np.random.default_rng([seed, 13])
    if not task.has_demonstrations:
        contents = _cells(task, works.contents, train.contents, rng, share)
        return Works(contents, works.conditions, works.groups)
    contents, actions = works.contents.copy(), actions_of(task, works).copy()
    counts, rows = _counts(task, train), np.arange(len(works))
    for _ in range(TRIES):
        part = works.take(rows)
        contents[rows], actions[rows], short = _rebuilt(task, part, counts, rng, share)
        rows = rows[short | (contents[rows] == part.contents).reshape(len(rows), -1).all(1)]
        if not len(rows):
            break
    return Works(contents, works.conditions, works.groups, actions)


def share_changed(task: Task[Any], works: Works, others: Works) -> float:
    """Returns the share of the decisions of works that differ in others, number by number; the mean over works.

    Decisions that only one of the two has differ. Without demonstrations decisions are places of the content.
    """
    if not task.has_demonstrations:
        return float((_places(task, works.contents) != _places(task, others.contents)).any(-1).mean())
    own, their = actions_of(task, works), actions_of(task, others)
    steps, ends = np.arange(own.shape[1]), _lengths(task, works, own)
    beyond, after = steps >= ends[:, None], steps >= _lengths(task, others, their)[:, None]
    differ = (beyond != after) | (~beyond & (own != their))
    return float((differ.sum(1) / ends).mean())


def actions_of(task: Task[Any], works: Works) -> Ints:
    """Returns the decisions int [N, T] that build works, padded with 0."""
    return task.demonstrations(works.contents, works.conditions) if works.actions is None else works.actions


def _counts(task: Task[Any], train: Works) -> Ints:
    """Returns how many training works take each decision at each step, int [T, A]."""
    actions = actions_of(task, train)
    rows, steps = np.nonzero(np.arange(actions.shape[1]) < _lengths(task, train, actions)[:, None])
    counts = np.zeros((actions.shape[1], task.num_actions), np.int64)
    np.add.at(counts, (steps, actions[rows, steps]), 1)
    return counts


def _rebuilt(
    task: Task[Any], works: Works, counts: Ints, rng: np.random.Generator, share: float
) -> tuple[Array, Ints, Bools]:
    """Builds works with a share of their decisions replaced.

    Each step chooses as selection sampling does (Knuth, The Art of Computer Programming 2, algorithm S): of the works
    that still have ``left`` places for ``wanted`` replacements, wanted / left. A place where no legal decision differs
    passes its turn on.

    Returns:
        Contents [N, ...], actions int [N, T], and which works have too few replacements, bool [N].
    """
    own = actions_of(task, works)
    steps, lengths = np.arange(own.shape[1]), _lengths(task, works, own)
    can = (counts.sum(1) > counts[steps, own]) & (steps < lengths[:, None])  # [N, T]
    left = can.sum(1)
    wanted = np.minimum(np.maximum(np.rint(share * left).astype(np.int64), 1), left)
    actions = np.zeros_like(own)
    state = task.initial(rng.integers(2**63, size=len(works), dtype=np.uint64), works.conditions)
    for t in steps:
        if state.done.all():
            break
        going = ~state.done
        chosen = going & can[:, t] & (rng.random(len(own)) * left < wanted)
        # A work that has become longer by what was drawn goes on with drawn decisions.
        rows = np.flatnonzero(chosen | (going & (t >= lengths)))
        drawn = own[:, t].copy()
        weights = counts[t] * task.action_mask(state.take(rows))  # [rows, A]
        weights[np.arange(len(rows)), drawn[rows]] *= ~chosen[rows]
        ends = weights.cumsum(1)
        possible = ends[:, -1] > 0
        picks = (ends > rng.integers(np.maximum(ends[:, -1:], 1))).argmax(1)
        drawn[rows[possible]] = picks[possible]
        drawn = task.legalise(state, drawn)
        actions[going, t] = drawn[going]
        wanted -= going & (t < lengths) & (drawn != own[:, t])
        left -= can[:, t]
        state, _ = task.step(state, drawn)
    return task.decoded(task.content(state), rng), actions, wanted > 0


def _lengths(task: Task[Any], works: Works, actions: Ints) -> Ints:
    """Returns the number of decisions of each work, int [N]."""
    state = task.initial(np.zeros(len(works), np.uint64), works.conditions)
    lengths = np.full(len(works), actions.shape[1])
    before = np.zeros(len(works), np.bool_)
    for t in range(actions.shape[1]):
        state, done = task.step(state, actions[:, t])
        lengths[done & ~before] = t + 1
        before = done
        if done.all():
            break
    return lengths


def _places(task: Task[Any], contents: Array) -> Array:
    """Returns contents [N, ...] as places with their columns or channels, [N, P, C]."""
    return contents.reshape(len(contents), int(np.prod(task.layout.sides)), -1)


def _cells(task: Task[Any], contents: Array, train: Array, rng: np.random.Generator, share: float) -> Array:
    """Replaces places of contents [N, ...], with all their columns or channels."""
    flat, known = _places(task, contents).copy(), _places(task, train)
    K, P = known.shape[:2]
    can = (known != known[0]).any((0, 2)) | (flat != known[0]).any(2)  # [N, P]
    rows, places = np.nonzero(_drawn(can, rng, share))
    # One number for each place and value: sorted, the training works of a place are a block of K, those that have
    # the same value are neighbours, and the others are drawn by their rank.
    values = np.concatenate([known.reshape(K * P, -1), flat[rows, places]])
    codes = _codes(values)
    codes += (codes.max() + 1) * np.concatenate([np.tile(np.arange(P), K), places])
    order = codes[: K * P].argsort(kind="stable")
    first, last = (np.searchsorted(codes[: K * P], codes[K * P :], side, sorter=order) for side in ("left", "right"))
    picks = places * K + rng.integers(K - (last - first))
    picks += np.where(picks >= first, last - first, 0)
    flat[rows, places] = values[order[picks]]
    return flat.reshape(contents.shape)


def _codes(values: Array) -> Ints:
    """Returns equal numbers for equal rows of values [N, C], int [N]."""
    if values.shape[1] == 1:
        return values[:, 0].astype(np.int64)
    codes: Ints = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
    return codes


def _drawn(can: Bools, rng: np.random.Generator, share: float) -> Bools:
    """Returns the places to draw again, bool [N, P]: a share of those of each work that can differ, at least one."""
    order = np.where(can, rng.random(can.shape), np.inf)
    drawn: Bools = can & (order.argsort(1).argsort(1) < np.maximum(np.rint(share * can.sum(1)), 1)[:, None])
    return drawn
