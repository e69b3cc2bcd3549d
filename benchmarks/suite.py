"""The general suite: all measures of a model in one dictionary, the keys of ``musegym evaluate --json``.

Generated work i is made under the condition of test work i. The two sides of every fold and every distance therefore
hold the same conditions, and no judge can tell them by the shares of conditions (how many tunes are in 6/8), which are
no property of the model.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Split, Task, Works
from .judges import taught
from .judges.c2st import C2ST, FOLDS, c2st
from .judges.matching import matched_rows
from .judges.self_test import fresh_judges
from .judges.surprise import surprise
from .metrics import population as metrics
from .metrics.control import control
from .metrics.features import FeatureNet, feature_net, frechet
from .samplers import AgentSampler, Sampler, generated

logger = logging.getLogger(__name__)
MAX_NLL_TRAIN = 5000
FLOOR_DRAWS = 4
SMALL = 1500
"""Held-out works below which judges that learn from them alone are too weak for a headline."""


def evaluate(model: Any, num: int = 1000, split: Split = "test", seeds: int = FOLDS, seed: int = 0) -> dict[str, Any]:
    """Measures a model against a held-out split; see ``docs/measuring.md`` for every key.

    Args:
        model: a ``Sampler``, an ``AdversarialDQN``, or any model of Stable-Baselines3 that has a musegym environment;
            likelihoods are measured where it has ``log_prob(contents, conditions, actions)``.
        num: works generated for shares and run lengths. Judges, Frechet distance and neighbourhoods always take as many
            as the split holds.
        split: "test" for figures to publish, "validation" while choosing anything.
        seeds: of the classifier two-sample test, which takes minutes: at most five; fewer judge fewer works, 0 none.
        seed: of sampling and judging.

    Returns:
        A dictionary that can be written as JSON. A number that cannot be measured is None, with a reason in ``notes``.
    """
    result = measure(model, num, split, seeds, seed)[0]
    if result.get("headline") != "c2st_taught":
        return result
    sampler: Sampler = model if isinstance(model, Sampler) else AgentSampler(model)
    return with_taught(result, taught.judge(sampler, split, seed))


def with_taught(result: dict[str, Any], judged: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an evaluation with the figures of ``taught.judge``, which are the headline from then on."""
    figures = {"c2st_taught": judged["accuracy"], "headline": "c2st_taught"}
    named = {"c2st_taught_interval": "interval"}
    named |= {f"judge_taught_{key}": f"judge_{key}" for key in ("catches", "changed", "real_vs_real")}
    return result | figures | {name: judged[key] for name, key in named.items() if key in judged}


def measure(
    model: Any, num: int = 1000, split: Split = "test", seeds: int = FOLDS, seed: int = 0
) -> tuple[dict[str, Any], C2ST | None]:
    """Measures as ``evaluate`` does; returns the judgements of each work too, for paired comparisons."""
    sampler: Sampler = model if isinstance(model, Sampler) else AgentSampler(model)
    task = sampler.task
    real = task.works(split)
    n = len(real)
    logger.info("generating %d works", max(num, n))
    works = generated(sampler, real, max(num, n), seed)
    notes: list[str] = []
    result: dict[str, Any] = {"split": split, "num": num, "judged": n, "seed": seed}
    logger.info("likelihoods")
    result |= likelihoods(model, task, real, seed, notes)
    pair = works.take(slice(n)), np.arange(n)
    measured, found = _compared(task, *pair, works.take(slice(num)), split, seeds, seed, notes)
    result = clean(result | measured, notes)
    result["notes"] = notes
    return result, found


def evaluate_works(
    task: Task[Any],
    contents: Array,
    conditions: Ints | None = None,
    split: Split = "test",
    seeds: int = FOLDS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures finished works of any origin against a held-out split: the keys of ``evaluate``, but for likelihoods.

    Their conditions are their own, not those of the split's works, so judges may tell them by their conditions.

    Args:
        task: whose works they are.
        contents: [N, ...], elements of ``task.content_space``.
        conditions: int [N, C] that they were made under; None where the task has none.
        split: as in ``evaluate``.
        seeds: as in ``evaluate``.
        seed: of judging, and of the choice where there are more works on one side: judges, Frechet distance and
            neighbourhoods take as many of both.

    Raises:
        ValueError: the works are of another kind, too few, or without their conditions.
    """
    works, held_out = Works(*check_works(task, contents, conditions)), len(task.works(split))
    rng = np.random.default_rng([seed, 4])
    n = min(held_out, len(works))
    rows = np.sort(rng.permutation(held_out)[:n])
    notes: list[str] = []
    if task.conditions:
        notes.append("c2st, frechet: works have their own conditions, not those of the works they are compared with")
    result: dict[str, Any] = {"split": split, "num": len(works), "judged": n, "seed": seed}
    chosen = works.take(rng.permutation(len(works))[:n])
    measured, _ = _compared(task, chosen, rows, works, split, seeds, seed, notes)
    if measured.get("headline") == "c2st_taught":
        notes.append("c2st_taught: finished works are too few to teach judges with; pass the model that makes them")
    result = clean(result | measured, notes)
    result["notes"] = notes
    return result


def check_works(task: Task[Any], contents: Array, conditions: Ints | None = None) -> tuple[Array, Ints]:
    """Returns works [N, ...] in the dtype of the task's own, and their conditions int64 [N, C].

    Raises:
        ValueError: the works are not integers, of another shape, or not contents of the task; they lack conditions, or
            these are not the task's.
    """
    given, layout = np.asarray(contents), task.layout
    if given.shape[1:] != layout.shape or not len(given) or given.dtype.kind not in "iub":
        shape = ", ".join(map(str, layout.shape))
        raise ValueError(f"works of this task are integers [N, {shape}], not {given.dtype} {list(given.shape)}")
    wrong = ((given < 0) | (given > task.content_space.high)).reshape(len(given), -1).any(1)
    if wrong.any():
        raise ValueError(
            f"{wrong.sum()} of {len(given)} works are no contents of this task (first: number {wrong.argmax()}): "
            f"a number is out of its range, 0 to {max(layout.sizes) - 1} at most"
        )
    works, sizes = given.astype(layout.dtype), task.condition_sizes
    if not sizes:
        return works, np.zeros((len(works), 0), np.int64)
    wanted = f"[N, {len(sizes)}] ({', '.join(condition.name for condition in task.conditions)})"
    if conditions is None:
        raise ValueError(f"works of this task have conditions: pass those too, integers {wanted}")
    styles = np.asarray(conditions)
    fits = styles.shape == (len(works), len(sizes)) and styles.dtype.kind in "iu"
    if not fits or (styles < 0).any() or (styles >= sizes).any():
        raise ValueError(
            f"conditions of these {len(works)} works are integers {wanted} from 0 and below {list(sizes)}, "
            f"not {styles.dtype} {list(styles.shape)} up to {styles.max(initial=0)}"
        )
    return works, styles.astype(np.int64)


def _compared(
    task: Task[Any], chosen: Works, rows: Ints, population: Works, split: Split, seeds: int, seed: int, notes: list[str]
) -> tuple[dict[str, Any], C2ST | None]:
    """Measures works by everything but likelihoods.

    Args:
        task: whose works they are.
        chosen: n works, compared with real works: number i with row ``rows[i]`` of the split.
        rows: int [n].
        population: N works, for shares and run lengths.
        split: as in ``evaluate``.
        seeds: as in ``evaluate``.
        seed: as in ``evaluate``.
        notes: gets a line for each number that cannot be measured.
    """
    every, train, found = task.works(split), task.works("train"), None
    real = every.take(rows)
    sides = {"": population, "_real": every}
    # These come first: they raise where works are unusable, and judges take minutes.
    shown = {f"metrics{side}": task.medium.metrics(works.contents, works.conditions) for side, works in sides.items()}
    result: dict[str, Any] = {"c2st": None}
    if seeds:
        tested = fresh_judges(task, every.take(np.arange(len(rows))))
        result |= tested.summary()
        if tested.passed:
            found = c2st(real, chosen, task.layout, rater=surprise(task), seeds=min(seeds, FOLDS), seed=seed)
            result["c2st"] = found.accuracy
            result["c2st_interval"] = found.interval(real.groups, seed)
            result["c2st_detail"] = found.summary()
        else:
            result["c2st"] = tested.verdict
        result["headline"] = "c2st" if tested.passed and len(rows) >= SMALL else "c2st_taught"

    logger.info("distances of %d works", len(rows))
    floors = [train.contents[matched_rows(every, train, draw)[rows]] for draw in range(FLOOR_DRAWS)]
    net = feature_net(train.contents, task.layout)
    result |= distances(net, real.contents, chosen.contents, floors)
    if task.conditions:
        labelled = ((net(works.contents), works.conditions) for works in (train, population, every))
        result |= control(task.conditions, *labelled)
    logger.info("copies and shares among %d works", len(population))
    known = tokens(task, train.contents)
    buildable = task.has_demonstrations and type(task).demonstrations is not Task.demonstrations
    if not buildable:
        notes.append("validity: the task has no demonstrations")
    for side, works in sides.items():
        contents = works.contents
        result[f"unique{side}"] = metrics.unique(contents)
        result[f"novel{side}"] = metrics.novel(contents, train.contents)
        result[f"longest_copy{side}"] = float(metrics.longest_runs(tokens(task, contents), known).mean())
        result[f"validity{side}"] = metrics.validity(task, works) if buildable else None
        rewards = task.rules(contents, works.conditions).mean(0)
        result |= {f"reward_{name}{side}": float(mean) for name, mean in zip(task.rule_names, rewards, strict=True)}
    return result | shown, found


def likelihoods(model: Any, task: Task[Any], real: Works, seed: int, notes: list[str]) -> dict[str, float | None]:
    """Mean negative log-likelihoods in nats per content; a bound on the test ones where building orders differ."""
    name = "nll_test" if task.one_to_one else "nll_test_bound"
    if not (task.has_demonstrations and hasattr(model, "log_prob")):
        missing = "this model has no log-probabilities" if task.has_demonstrations else "the task has no demonstrations"
        notes.append(f"{name}, nll_train: {missing}")
        return {name: None, "nll_train": None}
    train = task.works("train")
    rows = np.random.default_rng(seed).permutation(len(train))[:MAX_NLL_TRAIN]
    return {name: nll(model, real), "nll_train": nll(model, train.take(rows))}


def nll(model: Any, works: Works, chunk: int = 512) -> float:
    """Mean negative log-likelihood of works given their conditions, nats per work."""
    parts = [works.take(slice(first, first + chunk)) for first in range(0, len(works), chunk)]
    log_probs = [np.asarray(model.log_prob(part.contents, part.conditions, part.actions)) for part in parts]
    return -float(np.concatenate(log_probs).mean(dtype=np.float64))


def distances(net: FeatureNet, real: Array, fake: Array, floors: Sequence[Array]) -> dict[str, float]:
    """Frechet distance, its floor (mean over draws of as many training works, ``matched_rows``), neighbourhoods."""
    x, y = net(real), net(fake)
    found = {"frechet": frechet(x, y), "frechet_floor": float(np.mean([frechet(x, net(floor)) for floor in floors]))}
    return found | metrics.precision_recall(x, y) | metrics.density_coverage(x, y)


def tokens(task: Task[Any], contents: Array) -> Ints:
    """Returns the tokens in which copying is counted, int [N, L] with 0 = padding.

    A task may define ``tokens(contents)`` (melodies: one per note, of pitch and duration); otherwise the rows of the
    content are the tokens.
    """
    tokens_of = getattr(task, "tokens", metrics.row_tokens)
    return np.asarray(tokens_of(contents))


def sweep_temperature(
    model: Any, temperatures: Sequence[float] = (0.8, 0.9, 0.95, 1.0, 1.05), *, seeds: int = FOLDS, seed: int = 0
) -> tuple[float, list[dict[str, float | None]]]:
    """Chooses a sampling temperature on the validation split: lowest C2ST, then Frechet distance.

    Where ``seeds`` is 0, or the judges fail their own test (``judges.self_test``), the Frechet distance alone counts.

    Returns:
        The temperature, and for each one tried its ``temperature``, ``c2st`` (None where it does not count) and
        ``frechet``.
    """
    task: Task[Any] = model.task
    real, net = task.works("validation"), feature_net(task.corpus("train"), task.layout)
    judges_count, rater = seeds > 0 and fresh_judges(task, real).passed, surprise(task)
    tried, scores = list[dict[str, float | None]](), list[tuple[float, float]]()
    for temperature in temperatures:
        fake = generated(AgentSampler(model, temperature), real, len(real), seed)
        found = None
        if judges_count:
            found = c2st(real, fake, task.layout, rater=rater, seeds=min(seeds, FOLDS), seed=seed).accuracy
        distance = frechet(net(real.contents), net(fake.contents))
        tried.append({"temperature": temperature, "c2st": found, "frechet": distance})
        scores.append((found or 0.0, distance))
        logger.info("temperature %.2f: C2ST %s, Frechet %.2f on validation", temperature, found, distance)
    return temperatures[scores.index(min(scores))], tried


def clean(value: Any, notes: list[str], where: str = "") -> Any:
    """Returns a result as plain data for JSON; numbers that are not finite become None, with a note."""
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
