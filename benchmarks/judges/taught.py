"""Judges that learned from the whole train split.

Judges of held-out works alone learn from few works, and so miss rare or subtle differences. Here they learn from every
training work and as many generated ones (``c2st.c2st_taught``), and judge the held-out works and as many generated
ones. This takes one to three minutes of a core: ``musegym evaluate`` does it where there are few held-out works, or
where the other judges fail their test, and ``musegym bench`` always.
"""

from __future__ import annotations

import time
from typing import Any

from ...envs.task import Split
from ..metrics.stats import packed
from ..samplers import Sampler, generated
from .c2st import c2st_taught
from .self_test import taught_judges
from .surprise import surprise


def judge(sampler: Sampler, split: Split, seed: int = 0) -> dict[str, Any]:
    """Judges a sampler with judges that learned from the train split.

    Args:
        sampler: generates as many works as the train split holds, and as many as the held-out one.
        split: the held-out works.
        seed: of sampling and judging.

    Returns:
        Plain data: ``accuracy`` with its 95% ``interval`` over groups, ``chosen`` and ``by_architecture``,
        ``learned_from`` and ``works_a_side`` (numbers of works), ``cpu_seconds``; ``real`` and ``fake``, whether the
        judges were right about each work (``stats.packed``), for paired comparisons. ``judge_catches``,
        ``judge_changed`` and ``judge_real_vs_real`` are the judges' own test (``self_test``); where they fail it,
        ``accuracy`` is the reason, a text, and nothing else is measured.
    """
    task = sampler.task
    tested = taught_judges(task, split)
    if not tested.passed:
        return {"accuracy": tested.verdict} | tested.summary()
    train, real = task.works("train"), task.works(split)
    begun = time.process_time()
    fakes = generated(sampler, train, len(train), seed), generated(sampler, real, len(real), seed + 1)
    found = c2st_taught((train, fakes[0]), (real, fakes[1]), task.layout, rater=surprise(task), seed=seed)
    return {
        "accuracy": found.accuracy,
        **tested.summary(),
        "interval": found.interval(real.groups, seed),
        "chosen": found.chosen[0],
        "by_architecture": found.by_architecture,
        "learned_from": len(train),
        "works_a_side": len(real),
        "cpu_seconds": round(time.process_time() - begun, 1),
        "real": packed(found.correct_real),
        "fake": packed(found.correct_fake),
    }
