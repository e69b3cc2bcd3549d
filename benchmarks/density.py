"""How a model of ``musegym/Density-v0`` compares with EB-GFN: ``python -m musegym.benchmarks.density [RUN ...]``.

Without runs it prints what a perfect model would score on each density; ``--json FILE`` keeps that. The measures are
those of Zhang et al. 2022, "Generative Flow Networks for Discrete Probabilistic Modeling", as their code has them:

* ``nll``: mean negative log-likelihood, nats, of 10 x 1,000 fresh points. A uniform model has 32 ln 2 = 22.18.
* ``mmd``: squared maximum mean discrepancy to fresh points, 4,000 on either side, mean of 10 draws. The estimator is
  theirs; their code does not say how many points and draws it was given, so these are those of later work with it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import qmc

from ..envs.corpora.densities import DENSITIES, Density
from ..envs.registry import make_task
from ..envs.task import Array, Task
from ..errors import UsageError
from ..training.loading import load_model
from .files import answer, shown, writable, write_result
from .metrics.stats import Interval
from .samplers import AgentSampler, Sampler
from .suite import nll as mean_nll

ENV_ID = "musegym/Density-v0"
UNIFORM = 32 * math.log(2)
"""Nats per point of a model to which all points are alike."""
BATCHES, BATCH = 10, 1000
DRAWS, POINTS = 10, 4000
BANDWIDTH = 0.1


def mmd(x: Array, y: Array, bandwidth: float = BANDWIDTH, block: int = 1000) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy under the exponential Hamming kernel.

    ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)`` (Gretton et al. 2012, equation
    3) with ``k(a, b) = exp(-bandwidth * H(a, b))``, H the number of bits that differ; ``exp_hamming_mmd`` of EB-GFN. It
    scatters around 0 where the distributions are equal, and so may be negative.

    Args:
        x: bits [N, ...], two works or more.
        y: bits [M, ...], likewise.
        bandwidth: of the kernel.
        block: how many rows of kernel values are in memory at a time.
    """
    # Bits as -1 and 1: their inner product is the number of bits less 2 H.
    signs = [2 * np.asarray(z).reshape(len(z), -1).astype(np.float32) - 1 for z in (x, y)]
    for z in signs:
        if len(z) < 2:
            raise ValueError(f"a discrepancy needs two works on either side; got {len(x)} and {len(y)}")
    n, m = len(signs[0]), len(signs[1])
    same = [(_kernel_sum(z, z, bandwidth, block) - len(z)) / (len(z) * (len(z) - 1)) for z in signs]
    return same[0] + same[1] - 2 * _kernel_sum(signs[0], signs[1], bandwidth, block) / (n * m)


def _kernel_sum(x: Array, y: Array, bandwidth: float, block: int) -> float:
    bits, total = x.shape[1], 0.0
    for begin in range(0, len(x), block):
        alike = x[begin : begin + block] @ y.T  # exact: small whole numbers
        total += float(np.exp((bandwidth / 2) * (alike - bits)).sum(dtype=np.float64))
    return total


def mmd_interval(task: Task[Any], draws: int = DRAWS, num: int = POINTS, seed: int = 0) -> Interval:
    """What ``mmd`` says of two samples of fresh real works: mean, least and greatest of ``draws`` pairs."""
    rng = np.random.default_rng([seed, 5])
    found = [mmd(fresh(task, num, rng), fresh(task, num, rng)) for _ in range(draws)]
    return Interval(float(np.mean(found)), min(found), max(found))


def nll(model: Any, batches: int = BATCHES, num: int = BATCH, seed: int = 0) -> Interval:
    """Mean negative log-likelihood of fresh real works, nats per work, and two standard errors to either side.

    Args:
        model: whatever has ``task`` and ``log_prob(contents)``, nats.
        batches: how many are drawn; the standard error is that of the mean of their means.
        num: works in each.
        seed: of the works.
    """
    rng = np.random.default_rng([seed, 6])
    means = [mean_nll(model, fresh(model.task, num, rng)) for _ in range(batches)]
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
    """Entropy of a density's quantised points, nats: the likelihood that no model can beat, by numerical integration.

    The differential entropy ``-sum_c p_c ln(p_c / width^2)`` over square cells c, plus ``2 ln(steps per unit)``: a step
    is 0.0002 wide, within which the densities hardly change. ``p`` is a histogram of the points before noise, made of a
    Sobol sequence, convolved with the noise, which is many cells wide. Right to 0.002.

    Args:
        density: one of ``DENSITIES``.
        log2_points: two to this power points are drawn; 22, or 24 where there is no noise that smooths the histogram.
        width: of the cells; 0.01, or 0.025 where there is no noise.
    """
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
    """Returns what a perfect model would score on a density: ``nll`` and the range of ``mmd``."""
    real = mmd_interval(make_task(ENV_ID, density=name), seed=seed)
    density = DENSITIES[name]
    return {
        "density": name,
        "reach": density.reach,
        "scale": round(density.scale, 3),
        "nll": round(entropy(density), 3),
        "nll_uniform": round(UNIFORM, 3),
        "mmd_real": [real.estimate, real.low, real.high],
    }


def measure(model: Any, seed: int = 0) -> dict[str, Any]:
    """Returns what a model scores, beside what a perfect one would.

    Args:
        model: a ``Sampler`` with ``log_prob``, or an ``AdversarialDQN``, of ``musegym/Density-v0``.
        seed: of all samples.
    """
    sampler: Any = model if isinstance(model, Sampler) else AgentSampler(model)
    task, rng = sampler.task, np.random.default_rng([seed, 7])
    likelihood = nll(sampler, seed=seed)
    contents = [sampler.sample(None, POINTS, seed + draw) for draw in range(DRAWS)]
    found = [mmd(drawn, fresh(task, POINTS, rng)) for drawn in contents]
    return {
        "nll": likelihood.estimate,
        "nll_interval": [likelihood.low, likelihood.high],
        "mmd": float(np.mean(found)),
        "mmd_draws": found,
        "metrics": task.medium.metrics(np.concatenate(contents)),
        "perfect": reference(task.kwargs()["density"], seed),
    }


def figures(runs: Sequence[Path], models: Sequence[Any], seed: int) -> Iterator[dict[str, Any]]:
    """Yields what each run's model scores, or, where there is none, what a perfect one would on each density."""
    if not runs:
        yield from (reference(name, seed) for name in DENSITIES)
    for run, model in zip(runs, models, strict=True):
        yield {"run": shown(run), **measure(model, seed)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per run, or per density where no run is named; exit code 2 where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.density")
    parser.add_argument("runs", type=Path, nargs="*", help="folders of finished runs of musegym/Density-v0")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    models = [load_model(run, None) for run in given.runs]
    for run, model in zip(given.runs, models, strict=True):
        if model.task.kwargs().get("density") not in DENSITIES:
            raise UsageError(f"{run} is no run of {ENV_ID}")
    writable(given.json)
    rows: list[dict[str, Any]] = []
    for row in figures(given.runs, models, given.seed):
        rows.append(row)
        print(json.dumps(row), flush=True)
    said = [*map(shown, given.runs), "--seed", given.seed]
    write_result(given.json, "density", said, {"seed": given.seed, "rows": rows})


if __name__ == "__main__":
    sys.exit(main())
