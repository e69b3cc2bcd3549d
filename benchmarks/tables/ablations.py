"""Ablations of our agent: the effect of each part, of the controller, and how often a run collapses."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .rows import TEN, Plain, Table

DEFAULTS: Mapping[str, Any] = {
    "alpha": 1.0,
    "cross_entropy": 1.0,
    "replayed": 0,
    "schedule": [None, 0.05],
    "controller": True,
    "discriminator.r1": 0.0,
    "discriminator.dropout": 0.2,
    "discriminator.spectral_norm": False,
    "discriminator.augmentation": 0.0,
    "discriminator.learning_rate": 1e-3,
}
"""Defaults of ``musegym train`` that ablations change; a test compares them."""
OF_GRIDS: Mapping[str, Any] = {"discriminator.dropout": 0.0}
OF_IMAGES: Mapping[str, Any] = {"discriminator.r1": 0.05, "discriminator.augmentation": 1.0}
"""Other defaults of the discriminators of small grids and of images; a test compares them."""
RATE: float = DEFAULTS["discriminator.learning_rate"]
REPLAYED = 256
"""Past episodes in a batch, in rows that have some."""
Cheap = functools.partial(Plain, split="validation")
"""A row that chooses a setting on validation works, without judges."""
Variation = tuple[str, str, dict[str, Any]]
"""Name, meaning, hyperparameters."""


def ablations(base: Mapping[str, Any], kind: Mapping[str, Any], demonstrations: bool = True) -> list[Variation]:
    """Returns ``base`` and its variations, each of which changes one thing.

    Changes that equal ``base`` are left out: regularisers of D and the cross-entropy are varied both ways.

    Args:
        base: hyperparameters that differ from the defaults.
        kind: defaults of the task's kind of contents.
        demonstrations: whether the task has any.
    """
    settings = {**DEFAULTS, **kind, **base}
    changes: list[Variation] = [
        ("alpha0", "no Munchausen term", {"alpha": 0.0}),
        ("alpha1", "the whole Munchausen term", {"alpha": 1.0}),
        ("temperature3", "a higher temperature of policy and reward", {"temperature": 3.0}),
        ("n-steps1", "targets one decision ahead: a soft DQN", {"n_steps": 1}),
        ("replayed", "past episodes in each batch", {"replayed": REPLAYED}),
        ("stale", "past episodes that keep the reward they once had", {"replayed": REPLAYED, "relabel": False}),
        ("gail", "the reward -log(1 - D), as in GAIL", {"reward_form": "gail"}),
        ("bounded", "a bounded reward", {"reward_form": "bounded"}),
        ("r1-0", "no gradient penalty of D", {"discriminator.r1": 0.0}),
        ("r1-1", "a gradient penalty of D", {"discriminator.r1": 1.0}),
        ("spectral-norm", "spectral normalisation of D", {"discriminator.spectral_norm": True}),
        ("dropout0", "no dropout in D", {"discriminator.dropout": 0.0}),
        ("dropout0.2", "dropout in D", {"discriminator.dropout": 0.2}),
        ("no-augmentation", "D sees pictures as they are", {"discriminator.augmentation": 0.0}),
        ("no-past", "D sees no past fakes", {"discriminator.past_share": 0.0}),
        ("no-lead", "D learns no earlier than the policy", {"schedule": [settings["schedule"][0], 0.0]}),
        ("frozen", "D learns no more after its lead", {"co_training": False}),
        ("no-controller", "rates and temperature stay as they were given", {"controller": False}),
    ]
    if demonstrations:
        changes += [
            ("no-demonstrations", "no real episodes in the batch", {"demonstrations": 0}),
            ("demonstrations256", "as many real episodes as fresh ones", {"demonstrations": 256}),
            ("cross-entropy0", "no cross-entropy of the real episodes", {"cross_entropy": 0.0}),
            ("cross-entropy1", "the cross-entropy of the real episodes, added to L_DQN", {"cross_entropy": 1.0}),
        ]
    rows = [("ours", "the setting that the other rows depart from", dict(base))]
    for name, meaning, change in changes:
        if any(key not in settings or settings[key] != value for key, value in change.items()):
            rows.append((name, meaning, {**base, **change}))
    return rows


def ablation_table(
    name: str,
    env_id: str,
    base: Mapping[str, Any] = MappingProxyType({}),
    kind: Mapping[str, Any] = MappingProxyType({}),
    *,
    demonstrations: bool = True,
    seconds: float = 300.0,
    **row: Any,
) -> Table:
    """Returns the table ``NAME-ablations``: a row for each of ``ablations(base, kind, demonstrations)``.

    Args:
        name: of the domain.
        env_id: its environment.
        base: as in ``ablations``.
        kind: as in ``ablations``.
        demonstrations: as in ``ablations``.
        seconds: of training each row.
        row: further fields of every ``Row``.
    """
    variations = ablations(base, kind, demonstrations)
    rows = (Cheap(name=name, meaning=text, params=params, seconds=seconds, **row) for name, text, params in variations)
    return Table(name=f"{name}-ablations", env_id=env_id, rows=tuple(rows))


def controller_table(
    name: str,
    env_id: str,
    base: Mapping[str, Any] = MappingProxyType({}),
    *,
    env: Mapping[str, Any] = MappingProxyType({}),
    seconds: float = 300.0,
) -> Table:
    """Returns a domain's rows of the table ``controller``: three learning rates of D, with and without it.

    Args:
        name: first part of the rows' names.
        env_id: the environment.
        base: hyperparameters that differ from the defaults.
        env: arguments of the environment.
        seconds: of training each row.
    """
    rows = tuple(
        Cheap(
            name=f"{name}-{rate}-{'on' if controller else 'off'}",
            meaning=f"{meaning}, {'with' if controller else 'without'} the controller",
            env=env,
            params={**base, "controller": controller, "discriminator.learning_rate": times * RATE},
            seconds=seconds,
        )
        for rate, meaning, times in (
            ("d1", "D's learning rate as it ships", 1.0),
            ("d10", "ten times D's learning rate", 10.0),
            ("d0.1", "a tenth of D's learning rate", 0.1),
        )
        for controller in (True, False)
    )
    return Table(name="controller", env_id=env_id, rows=rows)


def collapse_table(name: str, env_id: str, env: Mapping[str, Any] = MappingProxyType({})) -> Table:
    """Returns a domain's row of the table ``collapse``: ten seeds of two minutes each."""
    row = Cheap(name=name, meaning="whether ten seeds of ten hold", env=env, seconds=120.0, seeds=TEN)
    return Table(name="collapse", env_id=env_id, rows=(row,))
