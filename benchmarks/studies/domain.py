"""How do runs, or references, score by the measure of their domain?

``python -m musegym.benchmarks.studies.domain ID [RUN ...] --json FILE`` prints the figures that ``musegym bench`` keeps
under ``own``, without judges and the general suite: a line of JSON for each run, or one of the domain's references
(real works, chance, a perfect model) where no run is given.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...envs.task import Split
from ...errors import UsageError
from ...training.loading import env_kwargs, env_task, known_id, read_corpus
from ..measures import domain_of
from ..recorded import Id, JsonFile, Runs, Seed, load_models, print_row, run, write_result
from ..samplers import AgentSampler


def main(
    context: typer.Context,
    env_id: Id,
    runs: Runs = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Environment argument of the references.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Split of the real works.")] = "validation",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Prints the figures of each run, or those of references."""
    task, domain = env_task(env_id, env_kwargs(env_id, set_)), domain_of(known_id(env_id))
    measure, references = domain.measure, domain.references
    if measure is None or references is None:
        raise UsageError(f"{env_id} has no measure of its own; musegym evaluate has the general ones")
    if runs and set_:
        raise UsageError("--set is of the references; runs have their own environment arguments")
    models = load_models(runs, env_id)
    read_corpus(task)
    rows = [print_row({"run": name, **measure(AgentSampler(model), split, seed)}) for name, model in models]
    rows = rows or [print_row(references(task, split, seed))]
    write_result(context, json_file, {"id": env_id, "split": split, "seed": seed, "rows": rows})


if __name__ == "__main__":
    sys.exit(run(main))
