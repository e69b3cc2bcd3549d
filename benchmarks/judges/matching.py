"""Training works that stand for a perfect model: floors of judges and distances."""

from __future__ import annotations

import numpy as np

from ...envs.task import Ints, Works
from ..metrics.population import keys


def halves(groups: Ints) -> Ints:
    """Returns the half that each group int [N] belongs to, 0 or 1: pseudo-random, the same in every set of works."""
    mixed = np.asarray(groups).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # the golden ratio times 2^64
    return ((mixed >> np.uint64(40)) & np.uint64(1)).astype(np.int64)


def matched_rows(real: Works, train: Works, seed: int = 0, halved: bool = False) -> Ints:
    """Returns rows of training works that stand for a perfect model, int [N], to measure floors with.

    Row i has the condition of real work i, and no training tune (group) stands for two real tunes, so that both sides
    of a judge can be split by the real tunes. Within a real tune, works of the training tune that already stands for it
    are preferred. Where no work of a condition is left, any unused work of a free tune takes its place.

    Args:
        real: N held-out works.
        train: the works to choose from.
        seed: of the choice.
        halved: works of a pair are of groups of the same half, so that the same network rates both (``surprise``).

    Raises:
        ValueError: there are too few training works or groups.
    """
    if halved:
        rows = np.full(len(real), -1, np.int64)
        for half in np.unique(halves(real.groups)):
            wanted, given = (np.flatnonzero(halves(works.groups) == half) for works in (real, train))
            rows[wanted] = given[matched_rows(real.take(wanted), train.take(given), seed)]
        return rows
    few = f"{len(train)} works are too few, or too related, to stand for {len(real)}"
    if not len(train):
        raise ValueError(few)
    rng, owners = np.random.default_rng([seed, 3]), train.groups
    asked, conditions = np.array(keys(real.conditions)), np.array(keys(train.conditions))
    owner_of = np.full(int(owners.max()) + 1, -1, np.int64)  # a training group -> the group it stands for
    free = np.ones(len(owners), bool)
    rows = np.full(len(real), -1, np.int64)
    by_condition = {key: np.flatnonzero(conditions == key) for key in np.unique(asked)}
    everything = np.arange(len(owners))
    for group in rng.permutation(np.unique(real.groups)):
        for i in np.flatnonzero(real.groups == group):
            for pool in (by_condition[asked[i]], everything):
                pool = pool[free[pool]]
                for choice in (pool[owner_of[owners[pool]] == group], pool[owner_of[owners[pool]] < 0]):
                    if rows[i] < 0 and len(choice):
                        rows[i] = rng.choice(choice)
            if rows[i] < 0:
                raise ValueError(few)
            free[rows[i]], owner_of[owners[rows[i]]] = False, group
    return rows
