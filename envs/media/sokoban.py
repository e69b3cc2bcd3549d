"""Rules and measures of levels of Sokoban."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .warehouse import NODES, closed, solutions


def level_rules(contents: NDArray[Any], alphabet: str, nodes: int = NODES) -> NDArray[np.bool_]:
    """Returns which levels [N, H, W] keep which rule, bool [N, 4].

    One player; boxes, and as many goals; a player who cannot leave; a solution found by ``warehouse.solve`` within
    ``nodes`` positions.
    """
    symbols = np.array(list(alphabet))
    players, boxes, goals = (_count(symbols[contents], kind) for kind in ("@+", "$*", ".*+"))
    shut = [closed(["".join(row) for row in level]) for level in symbols[contents]]
    solved = [end.solved for end in solutions(contents, alphabet, nodes)]
    return np.stack(
        [players == 1, (boxes > 0) & (boxes == goals), np.array(shut, np.bool_), np.array(solved, np.bool_)], 1
    )


def sokoban_measures(contents: NDArray[Any], alphabet: str) -> dict[str, float]:
    """Measures a population [N, H, W] of levels.

    ``valid``: share with one player, boxes and as many goals, and walls all around. ``solvable``: share that
    ``warehouse.solve`` solves; ``given_up``: share on which its limit ended the search, which may have solutions.
    ``pushes`` and ``pushes_low``: mean and tenth percentile of pushes of the solutions found, which are not the
    shortest. ``boxes``: mean number of boxes. ``size``: mean number of covered cells. ``openness``: share of them that
    are no wall. (Solvability and the length of solutions judge generated levels since Taylor & Parberry 2011,
    "Procedural generation of Sokoban levels".)
    """
    symbols = np.array(list(alphabet))[contents]
    rules = level_rules(contents, alphabet)
    ends = solutions(contents, alphabet)
    pushes = [end.pushes for end in ends if end.solved] or [0]
    covered = (symbols != " ").sum((1, 2))
    free = covered - (symbols == "#").sum((1, 2))
    return {
        "valid": float(rules[:, :3].all(1).mean()),
        "solvable": float(np.mean([end.solved for end in ends])),
        "given_up": float(np.mean([end.given_up for end in ends])),
        "pushes": float(np.mean(pushes)),
        "pushes_low": float(np.percentile(pushes, 10)),
        "boxes": float(_count(symbols, "$*").mean()),
        "size": float(covered.mean()),
        "openness": float((free / np.maximum(covered, 1)).mean()),
    }


def _count(symbols: NDArray[np.str_], kind: str) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.isin(symbols, list(kind)).sum((1, 2))
    return counts
