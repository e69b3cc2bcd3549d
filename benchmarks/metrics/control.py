"""Controllability: whether works have the conditions that were asked for, as a classifier of real works sees it.

Accuracy of the class that was asked for, by a classifier that real training works taught: the attribute accuracy of
conditional generators (Shen et al. 2017, "Style Transfer from Non-Parallel Text by Cross-Alignment"), and the mirror
image of the classification accuracy score (Ravuri & Vinyals 2019, "Classification Accuracy Score for Conditional
Generative Models"), whose classifier learns from generated works and is tested on real ones.

The classifier is ridge regression to one-hot targets (Hoerl & Kennard 1970) on the measuring features of works: linear,
in closed form. It is right about real works only so often, hence the figure of real test works beside each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...envs.task import Condition, Floats, Ints

RIDGE = 1.0
"""Penalty of squared weights; features are standardised."""
Labelled = tuple[Floats, Ints]
"""Features float [N, D] of works, and the conditions int [N, C] that they have or were asked to have."""


def control(conditions: Sequence[Condition], train: Labelled, asked: Labelled, real: Labelled) -> dict[str, float]:
    """Measures the share of works to which the classifier gives the value that was asked for.

    Args:
        conditions: those of the task.
        train: real works that the classifiers learn from.
        asked: generated works, under the conditions that were asked for.
        real: real test works.

    Returns:
        For each condition ``control_NAME`` of generated and ``control_NAME_real`` of real works, 0 to 1.
    """
    x, penalty = _with_ones(train[0]), RIDGE * np.eye(train[0].shape[1] + 1)
    penalty[-1, -1] = 0  # no pull of the intercept
    found = {}
    for column, condition in enumerate(conditions):
        targets = np.eye(len(condition.values))[train[1][:, column]]
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ targets)
        for suffix, (features, wanted) in (("", asked), ("_real", real)):
            named = (_with_ones(features) @ weights).argmax(1)
            found[f"control_{condition.name}{suffix}"] = float((named == wanted[:, column]).mean())
    return found


def _with_ones(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((len(features), 1))], 1)
