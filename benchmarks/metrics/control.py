"""Controllability: the share of works that have the requested conditions, by a classifier of real works.

A classifier that learned from real training works names the conditions of generated ones: the attribute accuracy of
conditional generators (Shen et al. 2017, "Style Transfer from Non-Parallel Text by Cross-Alignment"), and the mirror
image of the classification accuracy score (Ravuri & Vinyals 2019, "Classification Accuracy Score for Conditional
Generative Models"), whose classifier learns from generated works and is tested on real ones.

The classifier is ridge regression to one-hot targets (Hoerl & Kennard 1970) on the measuring features of works: linear,
in closed form. It errs about real works too, so the figure of real test works stands beside each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...envs.task import Condition, Floats, Ints

RIDGE = 1.0
"""Penalty of squared weights; features are standardised."""
Labelled = tuple[Floats, Ints]
"""Features float [N, D] of works, and their real or requested conditions int [N, C]."""


def control(conditions: Sequence[Condition], train: Labelled, generated: Labelled, real: Labelled) -> dict[str, float]:
    """Measures the share of works to which the classifier gives the requested value.

    Args:
        conditions: those of the task.
        train: real works that the classifiers learn from.
        generated: generated works with the requested conditions.
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
        for suffix, (features, requested) in (("", generated), ("_real", real)):
            named = (_with_ones(features) @ weights).argmax(1)
            found[f"control_{condition.name}{suffix}"] = float((named == requested[:, column]).mean())
    return found


def _with_ones(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((len(features), 1))], 1)
