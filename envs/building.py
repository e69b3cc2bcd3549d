"""Parts that domains share: tables of legal actions, and refusals of works that no actions build."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .task import Array, Bools, Ints, Task


def effective_actions(legal: Bools) -> NDArray[np.intp]:
    """Returns what ``Task.legalise`` makes of each action, as a table for tasks with few kinds of masks.

    Args:
        legal: bool [kinds, A]; where a kind has no legal actions, its row is 0.

    Returns:
        intp [kinds, A]: ``a`` where it is legal, else the ``a mod k``-th of the ``k`` legal ones.
    """
    numbers = np.arange(legal.shape[1])
    order = np.argsort(~legal, axis=1, kind="stable")  # legal actions first
    wrapped = np.take_along_axis(order, numbers % np.maximum(legal.sum(1, keepdims=True), 1), 1)
    return np.where(legal, numbers, wrapped)


def refuse(wrong: Bools, works: str, built: str = "built") -> None:
    """Refuses contents that ``Task.demonstrations`` cannot give actions for.

    Args:
        wrong: bool [N], which of the contents.
        works: names them in the message.
        built: says in the message how such works are made.

    Raises:
        ValueError: some are wrong.
    """
    if wrong.any():
        raise ValueError(f"{wrong.sum()} of {len(wrong)} {works} cannot be {built} (first: row {wrong.argmax()})")


def not_built(task: Task[Any], contents: Array, actions: Ints, conditions: Ints) -> Bools:
    """Returns which contents [N, ...] actions int [N, T] do not build and finish, bool [N]: see ``refuse``."""
    state = task.initial(np.zeros(len(contents), np.uint64), conditions)
    done = state.done
    for chosen in actions.T:
        state, done = task.step(state, chosen)
    wrong: Bools = (task.content(state) != contents).any(tuple(range(1, contents.ndim))) | ~done
    return wrong
