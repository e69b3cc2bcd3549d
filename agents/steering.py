"""Works under constraints: like a given one, between two, varied, or changed in a region; and the nearest real works.

All are samples of the policy's own distribution, given that some decisions are fixed or have few choices. Earlier free
decisions must fit later fixed ones, which a policy that only looks back cannot know; so many works are begun for each
one that is asked for, and those that make the fixed decisions likely are continued (sequential Monte Carlo: Doucet et
al. 2001, "Sequential Monte Carlo methods in practice", chapter 1; of language models: Lew et al. 2023,
arXiv:2306.03081).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..envs.task import Array, Bools, Ints, Task
from .dqn import AdversarialDQN
from .episodes import Look
from .networks import Stepper

PARTICLES = 32
"""Works begun for each that is asked for."""
FEW = 0.5
"""Share of the works of effective weight under which they are drawn anew (Kong et al. 1994)."""
FREE = -1
MISSED = 50.0
"""Nats that a work's weight loses for each fixed decision that it cannot take, or ends before: it is drawn only where
no other is left."""
TIED = 0.5
"""Share of the decisions of ``between`` that one of the two works settles."""


class Steered(NamedTuple):
    """Works that were built under constraints.

    Attributes:
        contents: [N, ...], decoded.
        conditions: int64 [N, C].
        actions: int64 [N, T], padded with 0; the plan where a network decodes it.
        lengths: int64 [N], decisions of each.
    """

    contents: Array
    conditions: NDArray[np.int64]
    actions: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def decisions(self) -> list[NDArray[np.int64]]:
        """Returns the actions of each work, int64 [L]."""
        return [actions[:length] for actions, length in zip(self.actions, self.lengths.tolist(), strict=True)]


@torch.no_grad()
def constrained(
    model: AdversarialDQN, choices: Ints, conditions: Ints, seed: int = 0, particles: int = PARTICLES
) -> Steered:
    """Draws works from a policy's distribution, given that their decisions are among choices.

    Args:
        model: the policy.
        choices: int [N, T, M], the actions that each decision may take, ``FREE`` for none; a decision is free where it
            has none. Choices that are all illegal when it comes to them are dropped.
        conditions: int [N, C].
        seed: of all draws.
        particles: works begun for each.

    Raises:
        ValueError: no work is asked for, or none is begun.
    """
    task, network = model.task, model.q_net
    N, T, _ = choices.shape
    if N < 1:
        raise ValueError(f"num must be at least 1, not {N}")
    if particles < 1:
        raise ValueError(f"particles must be at least 1, not {particles}")
    rng, generator = np.random.default_rng(seed), torch.Generator(model.device).manual_seed(seed)
    groups = np.repeat(np.arange(N), particles)
    given = np.asarray(conditions)[groups].astype(np.int64)
    state = task.initial(rng.integers(2**64, size=len(groups), dtype=np.uint64), given if task.conditions else None)
    was_training = network.training
    network.eval()
    policy = Stepper(network, torch.from_numpy(given).to(model.device))
    last = torch.full((len(groups),), network.num_actions, device=model.device)
    actions, lengths = np.zeros((len(groups), T), np.int64), np.zeros(len(groups), np.int64)
    weights = np.zeros(len(groups))  # logs
    for step in range(T):
        if state.done.all():
            weights -= MISSED * (choices[groups, step:] != FREE).any(2).sum(1)
            break
        log_policy = policy(last, *Look.of(task, state).tensors(model.device)).double()
        asked = choices[groups, step]  # [B, M]
        allowed = _allowed(asked, task.action_mask(state))
        restricted = log_policy.masked_fill(~torch.from_numpy(allowed).to(model.device), -math.inf)
        total = restricted.logsumexp(1)
        going = ~state.done
        met = (np.take_along_axis(allowed, np.maximum(asked, 0), 1) & (asked != FREE)).any(1) & going
        weights += np.where(going, total.cpu().numpy(), 0.0) - MISSED * ((asked != FREE).any(1) & ~met)
        drawn = torch.multinomial((restricted - total[:, None]).exp(), 1, generator=generator)[:, 0]
        actions[:, step] = np.where(going, drawn.cpu().numpy(), 0)
        lengths += going
        state, _ = task.step(state, actions[:, step])
        last = drawn
        rows = _resampled(weights.reshape(N, particles), rng)
        if rows is not None:
            picked = torch.from_numpy(rows).to(model.device)
            state, actions, lengths, last = state.take(rows), actions[rows], lengths[rows], last[picked]
            policy.keep(picked)
            weights = np.zeros(len(groups))
    network.train(was_training)
    chosen = np.array([rng.choice(len(each), p=_normalised(each)) for each in weights.reshape(N, particles)])
    rows = np.arange(N) * particles + chosen
    finished = state.take(rows)
    return Steered(task.decoded(task.content(finished), rng), given[rows], actions[rows], lengths[rows])


def _allowed(choices: Ints, mask: Bools) -> Bools:
    """Returns the actions bool [B, A] that are legal and among choices int [B, M]; all legal ones where none is."""
    among = np.zeros(mask.shape, np.bool_)
    rows, columns = np.nonzero(choices != FREE)
    among[rows, choices[rows, columns]] = True
    among &= mask
    return np.where(among.any(1, keepdims=True), among, mask)


def _normalised(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(logs - logs.max())
    normalised: NDArray[np.float64] = shares / shares.sum()
    return normalised


def _resampled(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64] | None:
    """Returns rows int64 [N * P] drawn by weights float [N, P] (logs), within each N; None while all are even enough.

    Systematic resampling (Kitagawa 1996). All groups are drawn anew where one is uneven.
    """
    N, P = weights.shape
    shares = np.exp(weights - weights.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    if (1 / np.square(shares).sum(1) >= FEW * P).all():
        return None
    places = (rng.random((N, 1)) + np.arange(P)) / P
    picked = (shares.cumsum(1)[:, None, :] < places[:, :, None]).sum(2).clip(max=P - 1)
    rows: NDArray[np.int64] = (np.arange(N)[:, None] * P + picked).ravel()
    return rows


def decisions_of(task: Task[Any], content: Array, condition: Ints, actions: Ints | None = None) -> NDArray[np.int64]:
    """Returns the decisions that build a work, int64 [L].

    Args:
        task: the domain.
        content: one work.
        condition: of the work, int [C].
        actions: int [L'] that built it, where they are known; those of ``task.demonstrations`` where None.

    Raises:
        ValueError: the work is none of the task; the task has no demonstrations, or the decisions do not finish a work.
    """
    conditions = checked(task, content, condition)[None]
    if actions is None:
        actions = task.demonstrations(np.asarray(content)[None], conditions)[0]
    decided = np.asarray(actions)
    known = decided.ndim == 1 and (decided.dtype.kind in "iu" or not len(decided))
    if not known or len(decided) > task.horizon or not ((decided >= 0) & (decided < task.num_actions)).all():
        raise ValueError(
            f"actions must be integers from 0 to {task.num_actions - 1}, at most {task.horizon} of them, "
            f"not {decided.dtype} {list(decided.shape)}"
        )
    decided = decided.astype(np.int64)
    state = task.initial(np.zeros(1, np.uint64), conditions if task.conditions else None)
    for step, action in enumerate(decided.tolist()):
        state, done = task.step(state, np.array([action]))
        if done[0]:
            return decided[: step + 1]
    raise ValueError(f"{len(decided)} decisions do not finish a work of {type(task).__name__}")


def checked(task: Task[Any], content: Array, condition: Ints | None) -> NDArray[np.int64]:
    """Returns the condition of a work, int64 [C], or [] where None is given; checks both.

    Raises:
        ValueError: the work is none of the task's, or the condition is.
    """
    content, layout, sizes = np.asarray(content), task.layout, np.array(task.condition_sizes, np.int64)
    if content.shape != layout.shape or content.dtype.kind not in "iub":
        wanted = f"a work of {type(task).__name__} is integers {list(layout.shape)}"
        raise ValueError(f"{wanted}, not {content.dtype} {list(content.shape)}")
    if ((content < 0) | (content > task.content_space.high)).any():
        raise ValueError(f"this is no work of {type(task).__name__}: a number is not in 0 to {max(layout.sizes) - 1}")
    given = np.asarray([] if condition is None else condition)
    wrong = given.shape != sizes.shape or (len(given) and given.dtype.kind not in "iu")
    if condition is not None and (wrong or ((given < 0) | (given >= sizes)).any()):
        raise ValueError(f"a condition is int [{len(sizes)}] below {sizes.tolist()}, not {given.tolist()}")
    return given.astype(np.int64)


def like(
    model: AdversarialDQN,
    content: Array,
    num: int,
    share: float = 0.5,
    condition: Ints | None = None,
    seed: int = 0,
    actions: Ints | None = None,
) -> Steered:
    """Draws works that keep a share of a given work's decisions: the first ones of a sequence, elsewhere random ones.

    Args:
        model: the policy.
        content: the given work.
        num: number of works.
        share: of the decisions that stay, 0 to 1.
        condition: of the given work, int [C]; that of the real work most like it where None.
        seed: of all draws.
        actions: int [L] that built the given work, where they are known. A network's plan of its own picture need not
            be the one that its encoder tells.

    Raises:
        ValueError: the share or the number is out of range, or the decisions behind the work are not known.
    """
    first = model.task.layout.kind == "sequence"
    return _keeping(model, content, num, share, condition, seed, actions, first=first)


def variations(
    model: AdversarialDQN,
    content: Array,
    num: int,
    share: float = 0.8,
    condition: Ints | None = None,
    seed: int = 0,
    actions: Ints | None = None,
) -> Steered:
    """Draws works that keep a share of a given work's decisions, here and there; arguments are those of ``like``."""
    return _keeping(model, content, num, share, condition, seed, actions, first=False)


def _keeping(
    model: AdversarialDQN,
    content: Array,
    num: int,
    share: float,
    condition: Ints | None,
    seed: int,
    actions: Ints | None,
    *,
    first: bool,
) -> Steered:
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, not {share}")
    given = _condition(model, content, condition)
    decided = decisions_of(model.task, content, given, actions)
    keeps = np.broadcast_to(np.arange(len(decided)) < round(share * len(decided)), (num, len(decided)))
    if not first:
        keeps = np.random.default_rng([seed, 1]).permuted(keeps, axis=1)
    return _drawn(model, np.where(keeps, decided, FREE)[..., None], given, seed)


def _drawn(model: AdversarialDQN, choices: Ints, condition: Ints, seed: int) -> Steered:
    """Draws works whose first decisions have choices int [N, L, M]; later ones are free."""
    N, L, M = choices.shape
    every = np.full((N, model.task.horizon, M), FREE, np.int64)
    every[:, :L] = choices
    return constrained(model, every, np.broadcast_to(condition, (N, len(condition))), seed)


def between(
    model: AdversarialDQN,
    first: Array,
    second: Array,
    num: int,
    conditions: Ints | tuple[Ints | None, Ints | None] | None = None,
    seed: int = 0,
    actions: tuple[Ints | None, Ints | None] | None = None,
) -> Steered:
    """Draws works whose every decision is that of one of two given works, half of them under the condition of each.

    One of the two, drawn at random, settles each of about half of the decisions; in the others the policy chooses among
    both. Alone it would mostly copy the likelier work.

    Args:
        model: the policy.
        first: a work.
        second: another one.
        num: number of works.
        conditions: of the two, int [2, C]; that of the real work most like it where one is None.
        seed: of all draws.
        actions: of the two, where they are known, as in ``like``.

    Raises:
        ValueError: the decisions behind a work are not known.
    """
    rng = np.random.default_rng([seed, 2])
    given, pair = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    for number, content in enumerate((first, second)):
        given.append(_condition(model, content, None if conditions is None else conditions[number]))
        pair.append(decisions_of(model.task, content, given[-1], None if actions is None else actions[number]))
    choices = np.full((num, max(map(len, pair)), 2), FREE, np.int64)
    for column, decided in enumerate(pair):
        choices[:, : len(decided), column] = decided
    tied = rng.random(choices.shape[:2]) < TIED
    alone = rng.integers(2, size=choices.shape[:2])[..., None]
    one = np.take_along_axis(choices, alone, 2)
    choices = np.where(tied[..., None] & (one != FREE), one, choices)
    under = np.stack(given)[np.arange(num) % 2]
    every = np.full((num, model.task.horizon, 2), FREE, np.int64)
    every[:, : choices.shape[1]] = choices
    return constrained(model, every, under, seed)


def _condition(model: AdversarialDQN, content: Array, condition: Ints | None) -> NDArray[np.int64]:
    """Returns the condition of a work, int64 [C]: the given one, or that of the nearest real one."""
    task = model.task
    given = checked(task, content, condition)
    if len(given) or not task.conditions:
        return given
    if task.generator is not None:
        return np.asarray(nearest(model, content, 1).conditions[0], np.int64)
    known = task.works("train")
    same = (known.contents == np.asarray(content)).reshape(len(known), -1).mean(1)
    return np.asarray(known.conditions[int(same.argmax())], np.int64)


def edit(
    model: AdversarialDQN,
    content: Array,
    region: Bools,
    num: int,
    condition: Ints | None = None,
    seed: int = 0,
    actions: Ints | None = None,
) -> Steered:
    """Draws works that differ from a given one in a region alone.

    Decisions that write into the region are drawn by their joint likelihood with those around them. Where a network
    makes the picture, its plan has a place for a square of pixels; those further away than one place from what was
    drawn anew are pasted from the given picture.

    Args:
        model: the policy, of a task whose decisions each write a cell, or a place of a plan.
        content: the given work.
        region: bool, True where it may change; of the content's shape, for pictures in colour [H, W].
        num: number of works.
        condition: int [C], as in ``like``.
        seed: of all draws.
        actions: as in ``like``.

    Raises:
        ValueError: the region is of another shape, or the task's decisions do not belong to places.
    """
    task, content, region = model.task, np.asarray(content), np.asarray(region, np.bool_)
    sides = task.layout.shape[:2] if task.generator is not None else task.layout.shape
    if region.shape != sides or not region.any():
        raise ValueError(f"region must be bool {list(sides)} with at least one True, not {list(region.shape)}")
    given = _condition(model, content, condition)
    decided = decisions_of(task, content, given, actions)
    side = math.isqrt(task.horizon)
    touched = region if task.generator is None else _places(region, side)
    cells = _cells(task, decided, given)
    free = (cells >= 0) & touched.ravel()[cells]
    choices = np.where(free, FREE, decided)[:, None]
    built = _drawn(model, np.broadcast_to(choices, (num, *choices.shape)), given, seed)
    if task.generator is None:
        return built
    near = np.pad(touched, 1)
    grown = np.max([near[row : row + side, column : column + side] for row in range(3) for column in range(3)], 0)
    changes = _pixels(grown, sides)
    shown = changes.reshape(*sides, *[1] * (content.ndim - 2))
    return built._replace(contents=np.where(shown, built.contents, content))


def _cells(task: Task[Any], decided: Ints, condition: Ints) -> NDArray[np.int64]:
    """Returns the cell, counted row by row, that each decision int [L] writes, int64 [L]; -1 for one without a choice.

    The cell is where the work changes with another decision.

    Raises:
        ValueError: a decision changes several cells, or none.
    """
    cells = np.full(len(decided), -1, np.int64)
    state = task.initial(np.zeros(1, np.uint64), condition[None] if task.conditions else None)
    for step, action in enumerate(decided.tolist()):
        others = np.flatnonzero(task.action_mask(state)[0])
        others = others[others != action]
        if len(others):
            pair, _ = task.step(state.take(np.zeros(2, np.intp)), np.array([action, others[0]]))
            one, other = task.content(pair)
            changed = np.flatnonzero(one != other)
            if len(changed) != 1:
                raise ValueError(
                    f"decisions of {type(task).__name__} do not write one cell each: keep a share of them (like)"
                )
            cells[step] = changed[0]
        state, _ = task.step(state, np.array([action]))
    return cells


def _places(region: Bools, side: int) -> Bools:
    """Returns the places of a plan [side, side] whose squares of pixels meet a region [H, W]."""
    rows, columns = (np.arange(length) * side // length for length in region.shape)
    places = np.zeros((side, side), np.bool_)
    at = np.nonzero(region)
    places[rows[at[0]], columns[at[1]]] = True
    return places


def _pixels(places: Bools, shape: tuple[int, ...]) -> Bools:
    """Returns the pixels [H, W] of some places of a plan [n, n]."""
    rows, columns = (np.arange(length) * len(places) // length for length in shape)
    pixels: Bools = places[rows[:, None], columns]
    return pixels


class Nearest(NamedTuple):
    """Real works near a given one, the nearest first.

    Attributes:
        rows: of the corpus, int64 [n].
        contents: [n, ...].
        conditions: int64 [n, C].
        cosines: with the given one, float64 [n], 1 for an equal one.
    """

    rows: NDArray[np.int64]
    contents: Array
    conditions: NDArray[np.int64]
    cosines: NDArray[np.float64]


def nearest(model: AdversarialDQN, content: Array, num: int, region: Bools | None = None) -> Nearest:
    """Returns the training works nearest to a picture, by the vectors of the generator's encoder.

    Args:
        model: an agent whose task has a content generator.
        content: the picture.
        num: number of works.
        region: bool [H, W], the part of the picture that counts; all of it where None.

    Raises:
        ValueError: the task has no content generator.
    """
    known = model.task.works("train")
    cosines = vectors(model, known.contents, region) @ vectors(model, np.asarray(content)[None], region)[0]
    rows = np.argsort(-cosines, kind="stable")[:num]
    return Nearest(rows, known.contents[rows], known.conditions[rows].astype(np.int64), cosines[rows].astype(float))


def vectors(model: AdversarialDQN, contents: Array, region: Bools | None = None) -> NDArray[np.float32]:
    """Returns the vectors of length 1 by which pictures [N, ...] are compared, float32 [N, D]: those of E, joined.

    Args:
        model: an agent whose task has a content generator.
        contents: the pictures.
        region: bool [H, W], the part of the pictures that counts: the places of the plan that lie in it as a whole,
            or, where none does, those that it meets. All of it where None.

    Raises:
        ValueError: the task has no content generator.
    """
    task, generator = model.task, model.task.generator
    if generator is None:
        raise ValueError(f"{type(task).__name__} has no content generator, by whose encoder works could be compared")
    side = generator.grid
    found: NDArray[np.float32] = generator.features(contents).reshape(len(contents), -1, side * side)
    if region is not None:
        asked = np.asarray(region, np.bool_)
        whole = ~_places(~asked, side).ravel()
        found = found[..., whole if whole.any() else _places(asked, side).ravel()]
    found = found.reshape(len(found), -1)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found
