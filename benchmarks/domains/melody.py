"""Tables of ``musegym/Melody-v0``, which has no measure besides the general suite."""

from __future__ import annotations

from ..measures import Domain
from ..tables.ablations import ablation_table, collapse_table, controller_table
from ..tables.rows import DECAYS, DROPOUTS, MLE, TEMPERATURES, Row, Table

ID = "musegym/Melody-v0"

MELODY = Table(
    name="melody",
    env_id=ID,
    rows=(
        Row(name="ours", meaning="the recipe as it ships"),
        Row(
            name="mle",
            meaning="maximum likelihood; dropout and weight decay (table melody-mle), temperature by validation",
            params={**MLE, "weight_decay": 0.3},
            sweep=TEMPERATURES,
        ),
    ),
)
MLE_CHOICES = Table(
    name="melody-mle",
    env_id=ID,
    rows=tuple(
        Row(
            name=f"dropout{dropout}-decay{decay}",
            meaning="chooses dropout and weight decay of the row mle by validation NLL",
            params={**MLE, "policy_kwargs": {"dropout": dropout}, "weight_decay": decay},
            seeds=(0,),
            split="validation",
            judge_seeds=1,
            taught=False,
        )
        for dropout in DROPOUTS
        for decay in DECAYS
    ),
)
TABLES = (
    MELODY,
    MLE_CHOICES,
    ablation_table("melody", ID, judge_seeds=2),
    controller_table("melody", ID),
    collapse_table("melody", ID),
)
DOMAIN = Domain(tables=TABLES)
