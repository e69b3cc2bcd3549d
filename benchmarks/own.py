"""What environments measure beside the general suite: ``MEASURES``, by id.

Such a measure returns figures that JSON can hold; those of real works, or of a perfect model, stand under the same
names in its ``real``. The modules behind them are imported when they are needed, so that the queue and the report stay
light.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, cast

from ..envs.registry import make_task
from ..envs.task import Split
from .domains.tables import density as density_tables
from .domains.tables import digit as digit_tables
from .domains.tables import oracle as oracle_tables
from .domains.tables import rl_tuner as rl_tuner_tables
from .measures import Column, Domain
from .samplers import AgentSampler, Sampler

if TYPE_CHECKING:
    from ..envs.digit import DigitTask
    from ..envs.oracle import OracleTask

SWEPT = 2000
"""Sequences of the oracle's task at each temperature, as in ``oracle-truth.json``: their NLL is right to 0.012."""


def of_density(sampler: Sampler, split: Split, seed: int) -> dict[str, Any]:
    """Returns ``density.measure``; real works are fresh ones, of no split."""
    from . import density

    del split
    found = density.measure(sampler, seed)
    perfect = found["perfect"]
    return {**found, "real": {"nll": perfect["nll"], "mmd": perfect["mmd_real"][0]}}


def of_digit(sampler: Sampler, split: Split, seed: int) -> dict[str, Any]:
    """Returns ``digit.judge``, ``rarest_class`` (the least of ``classes``: 0.1 where all are drawn alike), references.

    Frechet distances of real works are the floors: those of as many training pictures.
    """
    from . import digit

    found = digit.judge(sampler, split, seed=seed)
    beside = digit_references(tuple(sorted(sampler.task.kwargs().items())), split)
    distances = ("frechet", "frechet_dense")
    real = {**beside["real"], **{name: beside["floor"][name] for name in distances}}
    for figures in (found, real):
        figures["rarest_class"] = min(figures["classes"])
    chance = {f"{name}_random": beside["random"][name] for name in (*distances, "sure")}
    return {**found, **chance, "references": beside, "real": real}


@functools.cache
def digit_references(task_kwargs: tuple[tuple[str, Any], ...], split: Split) -> dict[str, Any]:
    """Returns ``digit.references`` of a task."""
    from . import digit

    return digit.references(cast("DigitTask", make_task(digit.ENV_ID, **dict(task_kwargs))), split)


def of_oracle(sampler: Sampler, split: Split, seed: int) -> dict[str, Any]:
    """Returns NLL both ways, self-BLEU and, of an agent, its ``sweep`` over temperatures; nats per token."""
    from . import oracle
    from .bleu import self_bleu

    task = cast("OracleTask", sampler.task)
    contents = sampler.sample(None, oracle.SAMPLES, seed)
    found = {"nll_oracle": oracle.nll_oracle(task, contents), **self_bleu(task.tokens(contents))}
    if hasattr(sampler, "log_prob"):
        found["nll_test"] = oracle.nll_test(sampler, task, split)
    real = dict(oracle.references(task, num=SWEPT, seed=seed, split=split)["real"])
    bleu = real.pop("self_bleu")
    result: dict[str, Any] = {**found, "real": {**real, **bleu}}
    if isinstance(sampler, AgentSampler):
        points = oracle.sweep(oracle.Agent(sampler.model), task, num=SWEPT, seed=seed, split=split)
        result["sweep"] = [dataclasses.asdict(point) for point in points]
    return result


def of_rl_tuner(sampler: Sampler, split: Split, seed: int) -> dict[str, Any]:
    """Returns ``rl_tuner.table_one``."""
    from . import rl_tuner

    found: dict[str, Any] = dict(rl_tuner.table_one(sampler.sample(None, rl_tuner.NUM, seed)))
    return {**found, "real": rl_tuner.table_one(sampler.task.corpus(split))}


DENSITY = Domain(
    of_density,
    (Column("nll", lower_is_better=True), Column("mmd", digits=5, lower_is_better=True)),
    tables=density_tables.TABLES,
)
DIGIT = Domain(
    of_digit,
    (
        Column("sure", lower_is_better=False),
        Column("as_asked", lower_is_better=False),
        Column("rarest_class", lower_is_better=False),
    ),
    tables=digit_tables.TABLES,
)
ORACLE = Domain(
    of_oracle,
    (Column("nll_oracle", lower_is_better=True), Column("self_bleu_4"), Column("nll_test", lower_is_better=True)),
    tables=oracle_tables.TABLES,
)
RL_TUNER = Domain(
    of_rl_tuner,
    (Column("rules_kept", lower_is_better=False), Column("rule_reward", lower_is_better=False)),
    rl_tuner_tables.TABLES,
)
