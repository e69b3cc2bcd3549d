"""Works of which some decisions are drawn again: fakes whose flaws are known, to test judges with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.task import Array, Ints, Task, Works

SHARE = 0.1
TRIES = 8


def redrawn(task: Task[Any], works: Works, train: Works, seed: int = 0, share: float = SHARE) -> Works:
    """Draws a share of the decisions of works again, each from the marginal distribution of its position.

    Where the task has demonstrations, they are decisions (at least one of a work): number t becomes that of a random
    training work, and the works are built again by ``task.step``, hence legal. Otherwise they are places of the
    content: cells, pixels or rows. A work that comes out as it was is drawn again, a few times: it would be no fake.

    Args:
        task: whose works they are.
        works: N works.
        train: the works of whose positions the marginals are.
        seed: of the choice.
        share: of the decisions of each work, 0 to 1.

    Returns:
        N works of the same conditions and groups.
    """
    rng = np.random.default_rng([seed, 13])
    contents, rows = works.contents.copy(), np.arange(len(works))
    for _ in range(TRIES):
        part = works.take(rows)
        if task.has_demonstrations:
            contents[rows] = _rebuilt(task, part, train, rng, share)
        else:
            contents[rows] = _cells(task, part.contents, train.contents, rng, share)
        rows = rows[(contents[rows] == part.contents).reshape(len(rows), -1).all(1)]
        if not len(rows):
            break
    return Works(contents, works.conditions, works.groups)


def _rebuilt(task: Task[Any], works: Works, train: Works, rng: np.random.Generator, share: float) -> Array:
    own, others = actions_of(task, works), actions_of(task, train)
    wanted = _lengths(task, works, own)
    again = _drawn(wanted, own.shape[1], rng, share)  # [N, T]
    state = task.initial(rng.integers(2**63, size=len(works), dtype=np.uint64), works.conditions)
    lengths = _lengths(task, train, others)
    done = np.zeros(len(works), np.bool_)
    for t in range(own.shape[1]):
        lasting = np.flatnonzero(lengths > t)
        there = others[lasting if len(lasting) else slice(None), t]
        drawn = there[rng.integers(len(there), size=len(own))]
        # A work that has become longer by what was drawn goes on with drawn decisions.
        state, done = task.step(state, np.where(again[:, t] | (t >= wanted), drawn, own[:, t]))
        if done.all():
            break
    return task.decoded(task.content(state), rng)


def actions_of(task: Task[Any], works: Works) -> Ints:
    """Returns the decisions int [N, T] that build works, padded with 0."""
    return task.demonstrations(works.contents, works.conditions) if works.actions is None else works.actions


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


def _cells(task: Task[Any], contents: Array, train: Array, rng: np.random.Generator, share: float) -> Array:
    """Draws places of contents [N, ...] again, with all their columns or channels."""
    sides = task.layout.sides
    places = int(np.prod(sides))
    flat, known = (works.reshape(len(works), places, -1).copy() for works in (contents, train))
    rows, columns = np.nonzero(_drawn(np.full(len(flat), places), places, rng, share))
    flat[rows, columns] = known[rng.integers(len(known), size=len(rows)), columns]
    return flat.reshape(contents.shape)


def _drawn(lengths: Ints, longest: int, rng: np.random.Generator, share: float) -> Array:
    """Returns the decisions to draw again, bool [N, longest]: a share of each work's, at least one."""
    order = rng.random((len(lengths), longest))
    order[np.arange(longest) >= lengths[:, None]] = np.inf
    rank = order.argsort(1).argsort(1)
    drawn: Array = rank < np.maximum(np.rint(share * lengths), 1)[:, None]
    return drawn
