"""Tables that take our agent apart: what each piece is worth, what keeps D in check, how often a run collapses."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ..envs.corpora.densities import DENSITIES
from .rows import (
    COLLAPSE,
    DENSITY,
    DENSITY_ABLATED,
    DIGIT_ABLATED,
    MELODY,
    TEN,
    Plain,
    Table,
)

DEFAULTS: Mapping[str, Any] = {
    "alpha": 1.0,
    "cross_entropy": 1.0,
    "replayed": 0,
    "schedule": [0.4, 0.05],
    "controller": True,
    "discriminator.r1": 0.0,
    "discriminator.dropout": 0.2,
    "discriminator.spectral_norm": False,
    "discriminator.augmentation": 0.0,
    "discriminator.learning_rate": 1e-3,
}
"""Of ``musegym train``, as far as ablations depart from them; a test compares."""
OF_GRIDS: Mapping[str, Any] = {"discriminator.dropout": 0.0}
OF_IMAGES: Mapping[str, Any] = {"discriminator.r1": 0.05, "discriminator.augmentation": 1.0}
"""Likewise of the discriminators of small grids and of images, where those have others; a test compares."""
RATE: float = DEFAULTS["discriminator.learning_rate"]
REPLAYED = 256
"""Past episodes in a batch, in rows that have some."""
Cheap = functools.partial(Plain, split="validation")
"""A row that chooses a setting by what is measured without judges."""
Variation = tuple[str, str, dict[str, Any]]
"""Name, meaning, hyperparameters."""


def ablations(base: Mapping[str, Any], kind: Mapping[str, Any], demonstrations: bool = True) -> list[Variation]:
    """Returns ``base`` and its variations, each of which changes one thing.

    What changes nothing is left out: regularisers of D and the cross-entropy are varied both ways, and ``base`` is one
    of them.

    Args:
        base: hyperparameters that differ from the defaults.
        kind: those that differ by default for the task's kind of contents.
        demonstrations: whether the task has any.
    """
    now = {**DEFAULTS, **kind, **base}
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
        ("no-lead", "D learns no earlier than the policy", {"schedule": [now["schedule"][0], 0.0]}),
        ("frozen", "D learns no more after its lead", {"co_training": False}),
        ("no-controller", "rates and temperature stay as they were given", {"controller": False}),
    ]
    if demonstrations:
        changes += [
            ("no-demonstrations", "no real episodes in the batch", {"demonstrations": 0}),
            ("demonstrations256", "as many real episodes as fresh ones", {"demonstrations": 256}),
            ("cross-entropy0", "no cross-entropy of the real episodes", {"cross_entropy": 0.0}),
            ("cross-entropy1", "the cross-entropy of the real episodes beside L_DQN", {"cross_entropy": 1.0}),
        ]
    rows = [("ours", "what the other rows depart from", dict(base))]
    for name, says, change in changes:
        if any(key not in now or now[key] != value for key, value in change.items()):
            rows.append((name, says, {**base, **change}))
    return rows


DENSITY_ABLATIONS = Table(
    name="density-ablations",
    env_id="musegym/Density-v0",
    rows=tuple(
        Cheap(name=name, says=says, params=params, env={"density": "2spirals"}, seconds=180.0)
        for name, says, params in ablations(DENSITY_ABLATED, OF_GRIDS)
    ),
)

DIGIT_ABLATIONS = Table(
    name="digit-ablations",
    env_id="musegym/Digit-v0",
    rows=tuple(
        Cheap(name=name, says=says, params=params, seconds=300.0)
        for name, says, params in ablations(DIGIT_ABLATED, OF_IMAGES, demonstrations=False)
    ),
)

MELODY_ABLATIONS = Table(
    name="melody-ablations",
    env_id="musegym/Melody-v0",
    rows=tuple(
        Cheap(name=name, says=says, params=params, seconds=300.0, judge_seeds=2)
        for name, says, params in ablations(MELODY, {})
    ),
)

Place = tuple[str, str, dict[str, Any], Mapping[str, Any], float]
"""Name, environment, its arguments, our settings there, seconds."""
PLACES: tuple[Place, ...] = (
    # Below alpha = 1 the controller takes D's logits as they are.
    ("density", "musegym/Density-v0", {"density": "8gaussians"}, {**DENSITY, "alpha": 1.0}, 180.0),
    ("digit", "musegym/Digit-v0", {}, DIGIT_ABLATED, 300.0),
    ("melody", "musegym/Melody-v0", {}, MELODY, 300.0),
)

COLLAPSES = Table(
    name="collapse",
    rows=tuple(
        Cheap(
            name=name,
            says="whether ten seeds of ten hold",
            env_id=env_id,
            env=env,
            params=COLLAPSE,
            seconds=120.0,
            seeds=TEN,
        )
        for name, env_id, env in (
            *((f"density-{density}", "musegym/Density-v0", {"density": density}) for density in DENSITIES),
            *((place, env_id, dict[str, Any]()) for place, env_id, *_ in PLACES[1:]),
        )
    ),
)

CONTROLLED = Table(
    name="controller",
    rows=tuple(
        Cheap(
            name=f"{place}-{rate}-{'on' if controller else 'off'}",
            says=f"{says}, {'with' if controller else 'without'} the controller",
            env_id=env_id,
            env=env,
            params={**base, "controller": controller, "discriminator.learning_rate": times * RATE},
            seconds=seconds,
        )
        for place, env_id, env, base, seconds in PLACES
        for rate, says, times in (
            ("d1", "D's learning rate as it ships", 1.0),
            ("d10", "ten times D's learning rate", 10.0),
            ("d0.1", "a tenth of D's learning rate", 0.1),
        )
        for controller in (True, False)
    ),
)

ABLATIONS = (DENSITY_ABLATIONS, DIGIT_ABLATIONS, MELODY_ABLATIONS, CONTROLLED, COLLAPSES)
