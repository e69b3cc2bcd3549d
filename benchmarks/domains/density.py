"""Measures and tables of ``musegym/Density-v0``: how a model compares with EB-GFN.

The measures are those of Zhang et al. 2022, "Generative Flow Networks for Discrete Probabilistic Modeling", as in their
code:

* ``nll``: mean negative log-likelihood, nats, of 10 x 1,000 fresh points. A uniform model has 32 ln 2 = 22.18.
* ``mmd``: squared maximum mean discrepancy to fresh points, 4,000 on either side, mean of 10 draws. The estimator is
  theirs; the numbers of points and draws, which their code does not state, are those of later work with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...envs.corpora.densities import DENSITIES, Density
from ...envs.registry import make_task
from ...envs.task import Array, Split, Task, Works
from ..measures import Column, Domain
from ..metrics.stats import Interval
from ..tables.ablations import OF_GRIDS, ablation_table, collapse_table, controller_table
from ..tables.rows import MLE, Plain, Table

ID = "musegym/Density-v0"
UNIFORM = 32 * math.log(2)
"""Nats per point of a uniform model."""
BATCHES, BATCH = 10, 1000
DRAWS, POINTS = 10, 4000
BANDWIDTH = 0.1


def mmd(x: Array, y: Array, bandwidth: float = BANDWIDTH, block: int = 1000) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy under the exponential Hamming kernel.

    ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)`` (Gretton et al. 2012, equation
    3) with ``k(a, b) = exp(-bandwidth * H(a, b))``, H the number of bits that differ; ``exp_hamming_mmd`` of EB-GFN. It
    scatters around 0 where the distributions are equal, so it may be negative.

    Args:
        x: bits [N, ...], two works or more.
        y: bits [M, ...], likewise.
        bandwidth: of the kernel.
        block: rows of kernel values in memory at a time.

    Raises:
        ValueError: there are fewer than two works on one side.
    """
    # With bits as -1 and 1, an inner product is the number of bits minus 2 H.
    signs = [2 * np.asarray(bits).reshape(len(bits), -1).astype(np.float32) - 1 for bits in (x, y)]
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"a discrepancy needs two works on either side; got {n} and {m}")
    same = [(_kernel_sum(z, z, bandwidth, block) - len(z)) / (len(z) * (len(z) - 1)) for z in signs]
    return same[0] + same[1] - 2 * _kernel_sum(signs[0], signs[1], bandwidth, block) / (n * m)


def _kernel_sum(x: Array, y: Array, bandwidth: float, block: int) -> float:
    bits, total = x.shape[1], 0.0
    for begin in range(0, len(x), block):
        products = x[begin : begin + block] @ y.T  # exact: small whole numbers
        total += float(np.exp((bandwidth / 2) * (products - bits)).sum(dtype=np.float64))
    return total


def mmd_interval(task: Task[Any], draws: int = DRAWS, num: int = POINTS, seed: int = 0) -> Interval:
    """Returns ``mmd`` between two samples of fresh real works: mean, minimum and maximum of ``draws`` pairs."""
    rng = np.random.default_rng([seed, 5])
    values = [mmd(fresh(task, num, rng), fresh(task, num, rng)) for _ in range(draws)]
    return Interval(float(np.mean(values)), min(values), max(values))


def nll(model: Any, batches: int = BATCHES, num: int = BATCH, seed: int = 0) -> Interval:
    """Mean negative log-likelihood of fresh real works, nats per work, and two standard errors to either side.

    Args:
        model: has ``task`` and ``log_prob(contents, conditions, actions)``, nats.
        batches: number of batches; the standard error is that of the mean of their means.
        num: works in each.
        seed: of the works.
    """
    from ..suite import nll as mean_nll

    rng = np.random.default_rng([seed, 6])
    means = [mean_nll(model, Works(fresh(model.task, num, rng))) for _ in range(batches)]
    mean, error = float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(batches)
    return Interval(mean, mean - 2 * error, mean + 2 * error)


def fresh(task: Task[Any], num: int, rng: np.random.Generator) -> Array:
    """Draws real works.

    Raises:
        ValueError: the task has no stream of them.
    """
    works = task.stream(num, rng)
    if works is None:
        raise ValueError(f"{type(task).__name__} has no stream of fresh works")
    return works


def entropy(density: Density, log2_points: int | None = None, width: float | None = None) -> float:
    """Entropy of a density's quantised points, nats: the lowest NLL of any model, by numerical integration.

    The differential entropy ``-sum_c p_c ln(p_c / width^2)`` over square cells c, plus ``2 ln(steps per unit)``: a step
    is 0.0002 wide, within which the densities hardly change. ``p`` is a histogram of the points before noise, made of a
    Sobol sequence, convolved with the noise, which is many cells wide. Right to 0.002.

    Args:
        density: one of ``DENSITIES``.
        log2_points: two to this power points are drawn; 22, or 24 where there is no noise that smooths the histogram.
        width: of the cells; 0.01, or 0.025 where there is no noise.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.stats import qmc

    log2_points = log2_points or (22 if density.noise else 24)
    width = width or (0.01 if density.noise else 0.025)
    half = math.ceil(2**15 / density.scale / width)
    counts = np.zeros(4 * half * half)
    sequence = qmc.Sobol(density.uniforms, scramble=False)
    chunk = min(log2_points, 18)
    for _ in range(2 ** (log2_points - chunk)):
        column, row = (np.floor(density.shape(sequence.random(2**chunk)) / width).astype(np.int64) + half).T
        counts += np.bincount(row * 2 * half + column, minlength=len(counts))
    grid = counts.reshape(2 * half, 2 * half) / 2**log2_points
    if density.noise:
        grid = gaussian_filter(grid, density.noise / width, mode="constant", truncate=6)
    mass = grid[grid > 0]
    return float(-(mass * np.log(mass / width**2)).sum()) + 2 * math.log(density.scale)


def reference(name: str, seed: int = 0) -> dict[str, Any]:
    """Returns the scores of a perfect model on a density: ``nll``, and mean, minimum and maximum of ``mmd``."""
    real = mmd_interval(make_task(ID, density=name), seed=seed)
    density = DENSITIES[name]
    return {
        "density": name,
        "reach": density.reach,
        "scale": round(density.scale, 3),
        "nll": round(entropy(density), 3),
        "nll_uniform": round(UNIFORM, 3),
        "mmd_real": [real.estimate, real.low, real.high],
    }


def references(task: Task[Any], split: Split, seed: int) -> dict[str, Any]:
    """Returns ``reference`` of every density; the density of the task and the split do not matter."""
    del task, split
    return {name: reference(name, seed) for name in DENSITIES}


def measure(sampler: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the scores of a sampler; ``real`` has those of a perfect model, ``perfect`` all its figures.

    Args:
        sampler: a ``Sampler``; without ``log_prob`` its ``nll`` is None.
        split: not used, since real works are fresh ones.
        seed: of all samples.
    """
    del split
    task, rng = sampler.task, np.random.default_rng([seed, 7])
    likelihood = nll(sampler, seed=seed) if hasattr(sampler, "log_prob") else None
    contents = [sampler.sample(None, POINTS, seed + draw) for draw in range(DRAWS)]
    discrepancies = [mmd(drawn, fresh(task, POINTS, rng)) for drawn in contents]
    perfect = reference(task.kwargs()["density"], seed)
    return {
        "nll": likelihood and likelihood.estimate,
        "nll_interval": likelihood and [likelihood.low, likelihood.high],
        "mmd": float(np.mean(discrepancies)),
        "mmd_draws": discrepancies,
        "metrics": task.medium.metrics(np.concatenate(contents)),
        "perfect": perfect,
        "real": {"nll": perfect["nll"], "mmd": perfect["mmd_real"][0]},
    }


OURS = {"schedule": [0.0, 0.02], "cross_entropy": 0.0, "alpha": 0.98, "temperature": 3.0}
"""No warm start and no cross-entropy: D is the only reward. A high temperature lowers the noise of D, and a little
entropy in the objective keeps bits random that D cannot judge: ``docs/algorithm.md``."""
ABLATED = {**OURS, "alpha": 0.95, "temperature": 1.0}
"""Settings that the table ``density-ablations`` varies; it led to temperature and alpha of ``OURS``."""
LIKELIHOOD = {**MLE, "policy_kwargs": {"dropout": 0.0}}
"""Maximum likelihood of fresh points, which need no dropout."""

# No judges here: the truth is known.
DENSITY = Table(
    name="density",
    env_id=ID,
    rows=(
        *(
            Plain(name=f"ours-{density}", meaning="ours from scratch", params=OURS, env={"density": density})
            for density in DENSITIES
        ),
        *(
            Plain(
                name=f"mle-{density}", meaning="maximum likelihood alone", params=LIKELIHOOD, env={"density": density}
            )
            for density in DENSITIES
        ),
        Plain(
            name="minute-8gaussians",
            meaning="ours, in a minute",
            params=OURS,
            env={"density": "8gaussians"},
            seconds=60.0,
        ),
    ),
)
TABLES = (
    DENSITY,
    ablation_table("density", ID, ABLATED, OF_GRIDS, env={"density": "2spirals"}, seconds=180.0),
    # Below alpha = 1 the controller takes D's logits as they are.
    controller_table("density", ID, {**OURS, "alpha": 1.0}, env={"density": "8gaussians"}, seconds=180.0),
    *(collapse_table(f"density-{density}", ID, {"density": density}) for density in DENSITIES),
)
DOMAIN = Domain(
    measure, references, (Column("nll", lower_is_better=True), Column("mmd", digits=5, lower_is_better=True)), TABLES
)
