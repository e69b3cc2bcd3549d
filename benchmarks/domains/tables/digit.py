"""Tables of ``musegym/Digit-v0``. No judges: they would tell the pen from the scanner and not the digit."""

from __future__ import annotations

from ...tables.ablations import OF_IMAGES, ablation_table, collapse_table, controller_table
from ...tables.rows import DQN, PPO, RANDOM, Plain, Table, unjudged

ID = "musegym/Digit-v0"
ABLATED = {"reward_form": "log_ratio"}
"""Settings that the table ``digit-ablations`` departs from; it led to the reward form that pictures have now."""

DIGIT = Table(
    name="digit",
    env_id=ID,
    rows=(
        Plain(name="ours", meaning="ours"),
        Plain(name="ours-30", meaning="ours, for half an hour", seconds=1800.0),
        Plain(
            name="classes",
            meaning="ours for half an hour, with the digit to draw as a condition",
            env={"classes": True},
            seconds=1800.0,
        ),
        unjudged(RANDOM),
        unjudged(PPO),
        unjudged(DQN, params={**DQN.params, "buffer_size": 200_000}),  # a million canvases would take 1.6 GB
    ),
)
FULL_SIZE = Table(
    name="digit-28",
    env_id=ID,
    rows=(
        Plain(
            name="ours",
            meaning="ours for an hour, at the full size of MNIST",
            env={"side": 28},
            seconds=3600.0,
            seeds=(0,),
        ),
    ),
)
TABLES = (
    DIGIT,
    FULL_SIZE,
    ablation_table("digit", ID, ABLATED, OF_IMAGES, demonstrations=False),
    controller_table("digit", ID, ABLATED),
    collapse_table("digit", ID),
)
