"""Tables of ``musegym/Oracle-v0``. No judges: the truth is known."""

from __future__ import annotations

from typing import Any

from ...tables.rows import DECAYS, DROPOUTS, FIVE, MLE, RANDOM, Plain, Table, unjudged

ID = "musegym/Oracle-v0"
DECAY = {"weight_decay": 0.3}
"""Chosen for maximum likelihood by validation NLL; ours has the same, so that the two differ in no regulariser."""


def oracle(name: str, env: dict[str, Any]) -> Table:
    """Returns the table of one oracle."""
    choices = (
        Plain(
            name=f"mle-dropout{dropout}-decay{decay}",
            meaning="chooses dropout and weight decay of the row mle by validation NLL",
            params={**MLE, "policy_kwargs": {"dropout": dropout}, "weight_decay": decay},
            env=env,
            seeds=(0,),
            split="validation",
        )
        for dropout in DROPOUTS
        for decay in DECAYS
    )
    rows = (
        Plain(name="mle", meaning="maximum likelihood alone", params={**MLE, **DECAY}, env=env, seeds=FIVE),
        Plain(name="ours", meaning="ours", params=DECAY, env=env, seeds=FIVE),
        unjudged(RANDOM, env=env),
        *choices,
    )
    return Table(name=name, env_id=ID, rows=rows)


TABLES = (oracle("oracle-small", {"vocabulary": 50}), oracle("oracle", {}))
