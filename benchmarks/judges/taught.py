"""Judges that learned from the whole train split.

The judges of ``suite.measure`` learn from held-out works, of which there are few, and so miss what is rare or subtle.
Here they learn from every training work and as many generated ones (``judges.c2st_taught``), and are asked about the
held-out works and as many generated ones. It takes a minute or two, so ``musegym evaluate`` leaves it out; the queue's
results have it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ...envs.task import Split
from ..metrics.stats import mean_by_group, packed
from ..samplers import Sampler, generated
from .c2st import c2st_taught


def judge(sampler: Sampler, split: Split, seed: int = 0) -> dict[str, Any]:
    """Judges a sampler by judges that the train split taught.

    Args:
        sampler: generates as many works as the train split holds, and as many as the held-out one.
        split: the held-out works.
        seed: of sampling and judging.

    Returns:
        Figures that JSON can hold: ``accuracy`` with its 95% ``interval`` over groups, ``chosen`` and
        ``by_architecture``, ``learned_from`` and ``works_a_side`` (works), ``cpu_seconds``; and which works the judges
        were right about, ``real`` and ``fake`` (``stats.packed``), for paired comparisons.
    """
    task = sampler.task
    train, real = task.works("train"), task.works(split)
    begun = time.process_time()
    fakes = generated(sampler, train, len(train), seed), generated(sampler, real, len(real), seed + 1)
    found = c2st_taught((train, fakes[0]), (real, fakes[1]), task.layout, seed=seed)
    right = (found.correct_real.astype(float) + found.correct_fake) / 2
    interval = mean_by_group(right, real.groups, np.random.default_rng(seed))
    return {
        "accuracy": found.accuracy,
        "interval": [interval.low, interval.high],
        "chosen": found.chosen[0],
        "by_architecture": found.by_architecture,
        "learned_from": len(train),
        "works_a_side": len(real),
        "cpu_seconds": round(time.process_time() - begun, 1),
        "real": packed(found.correct_real),
        "fake": packed(found.correct_fake),
    }
