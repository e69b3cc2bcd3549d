"""Makes the files that ship with the package from a finished run.

The runs behind ``pretrained/``, where seed is 2 for Melody and 0 for all others::

    musegym train musegym/NAME-v0 --seconds 600 --seed SEED --out RUN
    python -m musegym.benchmarks.studies.ship RUN

All but Melody's and Level's counted their seconds with ``--clock processor``. Those of Verse and Chorale are the rows
``ours-rules`` of their tables: with ``--set 'rule_weight={"ten_syllables": 4, "dictionary": 40}'`` and
``--set 'rule_weight={"parallels": 200}'``. Poem's vocabulary is large; its network is smaller, with
``--param 'policy_kwargs={"hidden": 64, "embedding": 32}'``. Those of Atelier are the rows ``ours`` and ``openmoji`` of
its table, of 1,200 seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ...agents import AdversarialDQN, generate_episodes
from ...agents.episodes import Episodes
from ...discriminators import make_trainer
from ...discriminators.discriminator import PRETRAINED
from ...errors import RunError, UsageError
from ...training.folder import AGENT, Run
from ..recorded import run

LADDER = (1.0, 1.0, 1.3, 1.8, 3.0, 1e6)
"""Sampling temperatures of the fakes, up to random decisions."""
UPDATES = 1_500
LIMIT = 1_000_000
"""Bytes: a file that ships must not be larger."""


def main(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = PRETRAINED,
) -> None:
    """Writes the policy of a run, a discriminator and its content generator, if any, in 16 bits, for use alone.

    A discriminator that was trained beside a good agent no longer knows bad works, and would hardly prefer that agent's
    to random ones. The one that ships is trained anew, against the agent at temperatures from 1 to infinity, so
    that it is a reward for beginners too.
    """
    checkpoint = Run(folder).latest()
    if checkpoint is None:
        raise UsageError(f"{folder} holds no checkpoint: train first, with musegym train ... --out {folder}")
    model = AdversarialDQN.load(checkpoint / AGENT)
    trainer = make_trainer(model.task, past=0, updates_per_observe=50)
    discriminator = trainer.discriminator
    while discriminator.updates < UPDATES:
        seed = discriminator.updates
        fakes = Episodes.join([generate_episodes(model, 128, seed, temperature) for temperature in LADDER])
        trainer.observe(model.task.decoded(fakes.contents, np.random.default_rng(seed)), fakes.conditions)
        print(f"{discriminator.updates} updates: {trainer.stats}")
    task = model.task
    name = type(task).__name__.removesuffix("Task")
    if task.data_name and task.data_name != task.data_names[0]:
        name += f"-{task.data_name}"
    policy, judge = out / f"{name}.zip", out / f"{name}-D.zip"
    model.save(policy, half=True)
    discriminator.save(judge, half=True)
    written = [policy, judge]
    if task.generator is not None:
        written.append(task.generator.save(out / f"{task.data_name}-G.zip", half=True))
    for path in written:
        size = path.stat().st_size
        if size > LIMIT:
            raise RunError(f"{path} has {size} bytes; at most {LIMIT} may ship: train a smaller network")
        print(f"{path}: {size} bytes")


if __name__ == "__main__":
    sys.exit(run(main))
