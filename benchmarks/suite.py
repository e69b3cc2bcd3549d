"""The general suite: all measures of a model in one dictionary, the keys of ``musegym evaluate --json``.

Generated work i is made under the condition of test work i. A judge can then not win by counting conditions (how many
tunes are in 6/8), which is no property of the model; and the two sides of every fold and every distance hold the same
conditions.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Split, Task
from .judges.c2st import C2ST, FOLDS, c2st
from .metrics import population as metrics
from .metrics.features import FeatureNet, feature_net, frechet
from .metrics.stats import mean_by_group
from .samplers import AgentSampler, Sampler, generated

logger = logging.getLogger(__name__)
MAX_NLL_TRAIN = 5000
FLOOR_DRAWS = 4


def evaluate(model: Any, num: int = 1000, split: Split = "test", seeds: int = FOLDS, seed: int = 0) -> dict[str, Any]:
    """Measures a model against a held-out split; see ``docs/measuring.md`` for every key.

    Args:
        model: a ``Sampler``, an ``AdversarialDQN``, or any model of Stable-Baselines3 that has a musegym environment;
            likelihoods are measured where it has ``log_prob``.
        num: works generated for shares and run lengths. Judges, Frechet distance and neighbourhoods always take as many
            as the split holds.
        split: "test" for figures to publish, "validation" while choosing anything.
        seeds: of the classifier two-sample test, which takes minutes: at most five; fewer judge fewer works, 0 none.
        seed: of sampling and judging.

    Returns:
        A dictionary that JSON can hold. A number that cannot be measured is None, with a reason in ``notes``.
    """
    return measure(model, num, split, seeds, seed)[0]


def measure(
    model: Any, num: int = 1000, split: Split = "test", seeds: int = FOLDS, seed: int = 0
) -> tuple[dict[str, Any], C2ST | None]:
    """As ``evaluate``, with the judgements of each work, for paired comparisons."""
    sampler: Sampler = model if isinstance(model, Sampler) else AgentSampler(model)
    task = sampler.task
    real, train = task.corpus(split), task.corpus("train")
    n = len(real)
    logger.info("generating %d works", max(num, n))
    contents = generated(sampler, real, max(num, n), seed)
    notes: list[str] = []
    result: dict[str, Any] = {"split": split, "num": num, "judged": n, "seed": seed}
    logger.info("likelihoods")
    result |= likelihoods(sampler, task, real, train, seed, notes)
    measured, found = _compared(task, contents[:n], contents[:num], np.arange(n), split, seeds, seed, notes)
    result = clean(result | measured, notes)
    result["notes"] = notes
    return result, found


def evaluate_works(
    task: Task[Any], contents: Array, split: Split = "test", seeds: int = FOLDS, seed: int = 0
) -> dict[str, Any]:
    """Measures finished works of any origin against a held-out split: the keys of ``evaluate``, but for likelihoods.

    They were not made under the conditions of the split's works, so that judges may tell them by their conditions.

    Args:
        task: whose works they are.
        contents: [N, ...], elements of ``task.content_space``.
        split: as in ``evaluate``.
        seeds: as in ``evaluate``.
        seed: of judging, and of the choice where there are more works on one side: judges, Frechet distance and
            neighbourhoods take as many of both.

    Raises:
        ValueError: the works are of another kind, or too few.
    """
    contents, real = check_works(task, contents), task.corpus(split)
    rng = np.random.default_rng([seed, 4])
    n = min(len(real), len(contents))
    rows = np.sort(rng.permutation(len(real))[:n])
    notes: list[str] = []
    if task.condition_space is not None:
        notes.append("c2st, frechet: works have their own conditions, not those of the works they are compared with")
    result: dict[str, Any] = {"split": split, "num": len(contents), "judged": n, "seed": seed}
    chosen = contents[rng.permutation(len(contents))[:n]]
    measured, _ = _compared(task, chosen, contents, rows, split, seeds, seed, notes)
    result = clean(result | measured, notes)
    result["notes"] = notes
    return result


def check_works(task: Task[Any], contents: Array) -> Array:
    """Returns works [N, ...] in the dtype of the task's own.

    Raises:
        ValueError: they are not integers, of another shape, or not contents of the task.
    """
    given, own = np.asarray(contents), task.corpus("train")
    shape = ", ".join(map(str, own.shape[1:]))
    if given.shape[1:] != own.shape[1:] or not len(given) or given.dtype.kind not in "iub":
        raise ValueError(f"works of this task are integers [N, {shape}], not {given.dtype} {list(given.shape)}")
    works = given.astype(own.dtype)
    wrong = (works != given).reshape(len(given), -1).any(1)  # the cast changes values that do not fit
    wrong[~wrong] = [not task.content_space.contains(work) for work in works[~wrong]]
    if wrong.any():
        raise ValueError(
            f"{wrong.sum()} of {len(given)} works are no contents of this task (first: number {wrong.argmax()}): "
            f"a number is out of its range in {task.content_space}".replace("\n", "")
        )
    return works


def _compared(
    task: Task[Any],
    chosen: Array,
    population: Array,
    rows: Ints,
    split: Split,
    seeds: int,
    seed: int,
    notes: list[str],
) -> tuple[dict[str, Any], C2ST | None]:
    """Measures works alone.

    Args:
        task: whose works they are.
        chosen: [n, ...], compared with real works: number i with row ``rows[i]`` of the split.
        population: [N, ...], for shares and run lengths.
        rows: int [n].
        split: as in ``evaluate``.
        seeds: as in ``evaluate``.
        seed: as in ``evaluate``.
        notes: gets a line for each number that cannot be had.
    """
    every, train, groups = task.corpus(split), task.corpus("train"), task.groups(split)[rows]
    real, found = every[rows], None
    own = task.medium.metrics(population)  # first: it raises where works are unusable, and judges take long
    result: dict[str, Any] = {"c2st": None}
    if seeds:
        found = c2st(real, chosen, groups, kind=task.medium.kind, seeds=min(seeds, FOLDS), seed=seed)
        result["c2st"] = found.accuracy
        right = (found.correct_real.astype(float) + found.correct_fake) / 2
        interval = mean_by_group(right[found.judged], groups[found.judged], np.random.default_rng(seed))
        result["c2st_interval"] = [interval.low, interval.high]
        result["c2st_detail"] = found.summary()

    logger.info("distances of %d works", len(rows))
    floors = [train[matched_rows(task, split, draw)[rows]] for draw in range(FLOOR_DRAWS)]
    result |= distances(feature_net(train, task.medium.kind), real, chosen, floors)
    logger.info("copies and shares among %d works", len(population))
    result["unique"], result["unique_real"] = metrics.unique(population), metrics.unique(every)
    result["novel"], result["novel_real"] = metrics.novel(population, train), metrics.novel(every, train)
    known = tokens(task, train)
    result["longest_copy"] = float(metrics.longest_runs(tokens(task, population), known).mean())
    result["longest_copy_real"] = float(metrics.longest_runs(tokens(task, every), known).mean())
    result["validity"] = result["validity_real"] = None
    if task.has_demonstrations:
        result["validity"], result["validity_real"] = metrics.validity(task, population), metrics.validity(task, every)
    else:
        notes.append("validity: the task has no demonstrations")
    result["metrics"], result["metrics_real"] = own, task.medium.metrics(every)
    return result, found


def likelihoods(
    model: Any, task: Task[Any], real: Array, train: Array, seed: int, notes: list[str]
) -> dict[str, float | None]:
    """Mean negative log-likelihoods in nats per content; a bound on the test ones where building orders differ."""
    name = "nll_test" if task.one_to_one else "nll_test_bound"
    if not (task.has_demonstrations and hasattr(model, "log_prob")):
        missing = "this model has no log-probabilities" if task.has_demonstrations else "the task has no demonstrations"
        notes.append(f"{name}, nll_train: {missing}")
        return {name: None, "nll_train": None}
    rows = np.random.default_rng(seed).permutation(len(train))[:MAX_NLL_TRAIN]
    return {name: nll(model, real), "nll_train": nll(model, train[rows])}


def nll(model: Any, contents: Array, chunk: int = 512) -> float:
    """Mean negative log-likelihood of contents, nats per content."""
    parts = [np.asarray(model.log_prob(contents[i : i + chunk]), np.float64) for i in range(0, len(contents), chunk)]
    return -float(np.concatenate(parts).mean())


def distances(net: FeatureNet, real: Array, fake: Array, floors: Sequence[Array]) -> dict[str, float]:
    """Frechet distance, its floor (mean over draws of as many training works, ``matched_rows``), neighbourhoods."""
    x, y = net(real), net(fake)
    found = {"frechet": frechet(x, y), "frechet_floor": float(np.mean([frechet(x, net(floor)) for floor in floors]))}
    return found | metrics.precision_recall(x, y) | metrics.density_coverage(x, y)


def matched_rows(task: Task[Any], split: Split, seed: int = 0) -> Ints:
    """Returns rows of the train split that stand for a perfect model, int [N], to measure floors with.

    Row i has the condition of work i of ``split``, and no training tune (group) stands for two tunes of the split, so
    that both sides of a judge can be cut along the split's tunes. Within a tune, works of the training tune that
    already stands for it come first. Where a condition is used up, any unused work of a free tune takes the place.

    Raises:
        ValueError: the train split has too few works or groups.
    """
    train, real = task.corpus("train"), task.corpus(split)
    return matched_groups(task.condition(real), task.groups(split), task.condition(train), task.groups("train"), seed)


def matched_groups(condition: Ints, groups: Ints, candidates: Ints, owners: Ints, seed: int) -> Ints:
    """Returns which candidates stand for which works, int [N]; see ``matched_rows``.

    Args:
        condition: int [N, C], of the works.
        groups: int [N], of the works.
        candidates: int [M, C], their conditions.
        owners: int [M], their groups.
        seed: of the choice.

    Raises:
        ValueError: there are too few candidates.
    """
    rng = np.random.default_rng([seed, 3])
    wanted, conditions = np.array(metrics.keys(condition)), np.array(metrics.keys(candidates))
    owner_of = np.full(int(owners.max()) + 1, -1, np.int64)  # a candidate's group -> the group it stands for
    free = np.ones(len(owners), bool)
    rows = np.full(len(groups), -1, np.int64)
    by_condition = {key: np.flatnonzero(conditions == key) for key in np.unique(wanted)}
    everything = np.arange(len(owners))
    for group in rng.permutation(np.unique(groups)):
        for i in np.flatnonzero(groups == group):
            for pool in (by_condition[wanted[i]], everything):
                pool = pool[free[pool]]
                for choice in (pool[owner_of[owners[pool]] == group], pool[owner_of[owners[pool]] < 0]):
                    if rows[i] < 0 and len(choice):
                        rows[i] = rng.choice(choice)
            if rows[i] < 0:
                raise ValueError(f"{len(owners)} works are too few, or too related, to stand for {len(groups)}")
            free[rows[i]], owner_of[owners[rows[i]]] = False, group
    return rows


def tokens(task: Task[Any], contents: Array) -> Ints:
    """Returns the tokens in which copying is counted, int [N, L] with 0 = padding.

    A task may define ``tokens(contents)`` (melodies: one per note, of pitch and duration); rows of the content count
    otherwise.
    """
    own = getattr(task, "tokens", None)
    return metrics.row_tokens(contents) if own is None else np.asarray(own(contents))


def sweep_temperature(
    model: Any, temperatures: Sequence[float] = (0.8, 0.9, 0.95, 1.0, 1.05), *, seeds: int = FOLDS, seed: int = 0
) -> tuple[float, list[dict[str, float]]]:
    """Chooses a sampling temperature on the validation split: lowest C2ST, then Frechet distance.

    Returns:
        The temperature, and for each one tried its ``temperature``, ``c2st`` and ``frechet``.
    """
    task: Task[Any] = model.task
    real, train, groups = task.corpus("validation"), task.corpus("train"), task.groups("validation")
    net = feature_net(train, task.medium.kind)
    tried = []
    for temperature in temperatures:
        fake = generated(AgentSampler(model, temperature), real, len(real), seed)
        found = c2st(real, fake, groups, kind=task.medium.kind, seeds=seeds, seed=seed)
        distance = frechet(net(real), net(fake))
        tried.append({"temperature": temperature, "c2st": found.accuracy, "frechet": distance})
        logger.info("temperature %.2f: C2ST %.3f, Frechet %.2f on validation", temperature, found.accuracy, distance)
    return min(tried, key=lambda row: (row["c2st"], row["frechet"]))["temperature"], tried


def clean(value: Any, notes: list[str], where: str = "") -> Any:
    """Returns a result plain and finite, as JSON can hold it: numbers that are not become None, with a note."""
    if isinstance(value, dict):
        return {str(key): clean(item, notes, f"{where}.{key}" if where else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, notes, where) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        notes.append(f"{where}: not a finite number ({value})")
        return None
    return value
