"""Judges that never trained an agent: the classifier two-sample test.

C2ST (Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests"): train a fresh classifier to tell real
works from generated ones; its accuracy on held-out works is 0.5 where it cannot. How it is done here:

* As many generated as real works, in five folds by *groups* (whole tunes). Seed k judges fold k with classifiers that
  saw the other four, so that every work is judged exactly once.
* An eighth of the other four folds, again by groups, chooses the epoch (lowest loss) **and the judge** (recurrent,
  convolutional, or, of planes, the mean of the logits of both; lowest loss). The worse judge for the agent therefore
  counts, but it is chosen on works that do not enter the accuracy: a maximum of noisy test accuracies would stand above
  0.5 with nothing to see.
* Generated work i belongs with real work i (it was made under its condition): both fall in the same fold, so that no
  fold has more works of a condition on one side, which would push the accuracy *below* 0.5.
* Judges see the conditions of works as constant columns or channels (``networks.prepare``), and how surprising each
  cell or row is beside its surroundings as further ones (``surprise``).
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs.task import Bools, Ints, Layout, Works
from ..metrics.stats import mean_by_group
from .networks import ARCHITECTURES, is_sequence, lengths, prepare, with_surprise

logger = logging.getLogger(__name__)
FOLDS = 5
INNER = 8
EPOCHS, PATIENCE, BATCH, RATE, DECAY = 20, 6, 64, 2e-3, 0.01
TAUGHT_EPOCHS, TAUGHT_PATIENCE = 6, 2
"""Epochs of judges of sequences that learn from the train split, which has ten times as many works."""
TAUGHT_PLANE_EPOCHS, TAUGHT_PLANE_PATIENCE = 10, 4
"""The same of judges of planes, whose rate falls to 0 over their epochs."""
PLANE_RATE, WARM_UP = 3e-3, 0.05
"""Learning rate of judges of planes, and the share of the updates over which it rises."""
BOTH = "both"
"""Name of the mean of the logits of all architectures, as another judge of planes."""


@dataclasses.dataclass(frozen=True)
class C2ST:
    """Results of the judges. ``correct_*`` are bool [n], per work, for paired bootstraps over groups."""

    accuracy: float
    """Mean over seeds of the chosen architecture's accuracy on its held-out fold; 0.5 is indistinguishable."""
    per_seed: tuple[float, ...]
    chosen: tuple[str, ...]
    by_architecture: dict[str, float]
    """Mean held-out accuracy of each judge, chosen or not: for information."""
    correct_real: Bools
    correct_fake: Bools
    judged: Bools
    """Mask of the pairs that were judged, bool [n]: all of them with five seeds."""

    def interval(self, groups: Ints, seed: int, confidence: float = 0.95) -> list[float]:
        """Returns the interval of the accuracy, of 95% by default, by a bootstrap over groups int [n]."""
        right = (self.correct_real.astype(float) + self.correct_fake) / 2
        found = mean_by_group(right[self.judged], groups[self.judged], np.random.default_rng(seed), confidence)
        return [found.low, found.high]

    def summary(self) -> dict[str, Any]:
        """Returns the numbers and names for a result file."""
        return {
            "accuracy": self.accuracy,
            "per_seed": list(self.per_seed),
            "chosen": list(self.chosen),
            "by_architecture": self.by_architecture,
            "works_a_side": len(self.correct_real),
        }


Rater = Callable[[Works, Ints], Tensor]
"""From works and their groups int [N] to surprise (``surprise.Surprise``), nats float32 [N, *axes, C]."""


def c2st(
    real: Works,
    fake: Works,
    layout: Layout,
    *,
    rater: Rater | None = None,
    seeds: int = FOLDS,
    seed: int = 0,
    enough: float = 0.0,
) -> C2ST:
    """Judges generated against real works.

    Args:
        real: n real works that trained no agent.
        fake: n generated works, number i made under the condition of real work i; their groups do not count.
        layout: of the contents.
        rater: rates what judges read beside the works; generated work i in the group of real work i.
        seeds: judge seeds, at most five; fewer judge only as many fifths of the works.
        seed: draws folds and the judges' weights; a result is a function of the arguments.
        enough: as in ``fit``.

    Raises:
        ValueError: too few works or groups to split, or contents of different shapes or numbers.
    """
    n, groups = len(real), real.groups
    if real.contents.shape != fake.contents.shape:
        raise ValueError(
            f"judge as many contents of one shape: real {real.contents.shape}, generated {fake.contents.shape}"
        )
    if not 1 <= seeds <= FOLDS:
        raise ValueError(f"judge with 1 to {FOLDS} seeds, one per fold; got {seeds}")
    if len(np.unique(groups)) < 2 * FOLDS:
        raise ValueError(f"a two-sample test needs at least {2 * FOLDS} groups; pass more works")

    rng = np.random.default_rng([seed, 2017])
    fold = folds(groups, FOLDS, rng)
    x, y = _together(layout, rater, (real, fake))
    right = np.zeros(2 * n, bool)
    accuracies, chosen = [], []
    for k in range(seeds):
        logger.info("judge %d of %d, of %d works", k + 1, seeds, 2 * n)
        held_out, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        part = folds(groups[rest], INNER, rng)
        sides = rest[part != 0], rest[part == 0], held_out
        train, valid, test = (np.concatenate([side, n + side]) for side in sides)
        name, right[test], found = _judged(
            *(x, y, train, valid, test, test < n),
            seed=1000 * seed + k, epochs=EPOCHS, patience=PATIENCE, enough=enough,
        )  # fmt: skip
        accuracies.append(found)
        chosen.append(name)
    per_seed = tuple(found[name] for found, name in zip(accuracies, chosen, strict=True))
    return C2ST(
        accuracy=float(np.mean(per_seed)),
        per_seed=per_seed,
        chosen=tuple(chosen),
        by_architecture={name: float(np.mean([found[name] for found in accuracies])) for name in accuracies[0]},
        correct_real=right[:n],
        correct_fake=right[n:],
        judged=fold < seeds,
    )


def c2st_taught(
    train: tuple[Works, Works],
    test: tuple[Works, Works],
    layout: Layout,
    *,
    rater: Rater | None = None,
    seed: int = 0,
    enough: float = 0.0,
) -> C2ST:
    """Judges held-out works with the same judges, trained on the train split, which has ten times as many works.

    They detect far more than judges that learn from held-out works alone, but no copying: to a judge that learned that
    training works are real, copies of them are real. Read the result together with ``longest_copy``.

    Args:
        train: training works and as many generated under the same conditions, pair by pair; an eighth of the former's
            groups chooses epoch and architecture.
        test: held-out works and as many generated.
        layout: of the contents.
        rater: as in ``c2st``.
        seed: draws the eighth and the judges' weights.
        enough: as in ``fit``.

    Raises:
        ValueError: there are not as many generated as real works.
    """
    (n, given), (m, asked) = ([len(works) for works in pair] for pair in (train, test))
    if given != n or asked != m:
        raise ValueError(f"as many generated as real works are judged, not {given} with {n}, {asked} with {m}")
    x, y = _together(layout, rater, train, test)
    part = np.tile(folds(train[0].groups, INNER, np.random.default_rng([seed, 2017])), 2)
    epochs, patience = TAUGHT_PLANE_EPOCHS, TAUGHT_PLANE_PATIENCE
    if is_sequence(x):
        epochs, patience = TAUGHT_EPOCHS, TAUGHT_PATIENCE
    chosen, right, by_name = _judged(
        *(x, y, np.flatnonzero(part != 0), np.flatnonzero(part == 0)),
        *(2 * n + np.arange(2 * m), np.arange(2 * m) < m),
        seed=seed, epochs=epochs, patience=patience, enough=enough,
    )  # fmt: skip
    best = by_name[chosen]
    return C2ST(best, (best,), (chosen,), by_name, right[:m], right[m:], np.ones(m, bool))


def _together(layout: Layout, rater: Rater | None, *pairs: tuple[Works, Works]) -> tuple[Tensor, Tensor]:
    """Returns pairs of real and generated works in the form that judges read, and labels: 1 for real."""
    parts = [works for pair in pairs for works in pair]
    contents = np.concatenate([works.contents for works in parts])
    conditions = np.concatenate([works.conditions for works in parts])
    x = prepare(contents, layout, conditions)
    if rater is not None:
        groups = np.concatenate([real.groups for real, _ in pairs for _ in range(2)])
        x = with_surprise(x, rater(Works(contents, conditions), groups))
    y = torch.cat([torch.full((len(works),), 1.0 - i) for pair in pairs for i, works in enumerate(pair)])
    return x, y


def _judged(
    x: Tensor, y: Tensor, train: Ints, valid: Ints, test: Ints, is_real: Bools, **recipe: Any
) -> tuple[str, Bools, dict[str, float]]:
    """Trains a judge of each architecture; the mean of their logits is one more judge of planes.

    Returns:
        The name of the judge with the lowest validation loss; whether it is right about each work, bool [n]; the
        accuracy of each judge by name.
    """
    nets, losses = {}, {}
    for name in ARCHITECTURES:
        nets[name], losses[name] = fit(name, x, y, train, valid, **recipe)
    logits = {name: predict(net, x[test]) for name, net in nets.items()}
    if len(nets) > 1 and not is_sequence(x):
        on_valid = torch.stack([predict(net, x[valid]) for net in nets.values()]).mean(0)
        losses[BOTH] = float(F.binary_cross_entropy_with_logits(on_valid, y[valid]))
        logits[BOTH] = torch.stack(list(logits.values())).mean(0)
    right = {name: (found > 0).numpy() == is_real for name, found in logits.items()}
    chosen = min(losses, key=lambda name: losses[name])
    return chosen, right[chosen], {name: balanced_accuracy(each, is_real) for name, each in right.items()}


def folds(groups: Ints, parts: int, rng: np.random.Generator) -> Ints:
    """Deals whole groups into ``parts`` of nearly equal numbers of works; returns the part of each work, int [n].

    Groups come in random order, larger ones first, each to the part that has fewest works so far.
    """
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    filled = np.zeros(parts, np.int64)
    part_of_group = np.zeros(len(counts), np.int64)
    labels = rng.permutation(parts)
    for group in order:
        part = int(filled.argmin())
        filled[part] += counts[group]
        part_of_group[group] = labels[part]
    return part_of_group[index]


def balanced_accuracy(right: Bools, is_real: Bools) -> float:
    """Mean of the accuracies on real and on generated works: 0.5 for any constant judge, for all sizes of folds."""
    return float((right[is_real].mean() + right[~is_real].mean()) / 2)


def fit(
    architecture: str,
    x: Tensor,
    y: Tensor,
    train: Ints,
    valid: Ints,
    *,
    seed: int,
    epochs: int,
    patience: int,
    enough: float = 0.0,
) -> tuple[nn.Module, float]:
    """Trains one judge (AdamW, early stopping); returns it with its lowest validation loss.

    Judges of planes learn at a rate that falls with a cosine. Torch's global generator is seeded for initialisation and
    dropout and put back afterwards.

    Args:
        architecture: a name of ``ARCHITECTURES``.
        x: works, as ``prepare`` returns them.
        y: labels float32, 1 for real.
        train: rows to learn from, int [n].
        valid: rows that choose the epoch, int [m].
        seed: draws weights, dropout and the order of works.
        epochs: at most.
        patience: epochs without a lower validation loss after which training ends.
        enough: validation loss, nats per work, at which training ends.
    """
    rng, sequence = np.random.default_rng([seed, 7]), is_sequence(x)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ARCHITECTURES[architecture][sequence](x)
        optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
        best, best_loss, since, updates = copy.deepcopy(net.state_dict()), np.inf, 0, 0
        for epoch in range(epochs):
            logger.info("%s judge, epoch %d of at most %d", architecture, epoch + 1, epochs)
            net.train()
            cut = batches(x, train, rng)
            for batch in cut:
                if not sequence:
                    optimiser.param_groups[0]["lr"] = _plane_rate(updates, epochs * len(cut))
                loss = F.binary_cross_entropy_with_logits(net(trimmed(x[batch])), y[batch])
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimiser.step()
                updates += 1
            held_out = float(F.binary_cross_entropy_with_logits(predict(net, x[valid]), y[valid]))
            since += 1
            if held_out < best_loss:
                best, best_loss, since = copy.deepcopy(net.state_dict()), held_out, 0
            if since >= patience or best_loss < enough:
                break
    net.load_state_dict(best)
    return net.eval(), best_loss


def _plane_rate(done: int, updates: int) -> float:
    """Returns the learning rate of an update: a short rise, then half a period of a cosine."""
    return PLANE_RATE * min(1.0, (done + 1) / (WARM_UP * updates)) * (1 + math.cos(math.pi * done / updates)) / 2


def batches(x: Tensor, rows: Ints, rng: np.random.Generator) -> list[Ints]:
    """Shuffles ``rows`` into batches; sequences of like length go together, so that little padding is computed."""
    rows = rng.permutation(rows)
    if is_sequence(x):
        length = lengths(x[rows]).numpy()
        chunk = np.arange(len(rows)) // (BATCH * 8)
        rows = rows[np.lexsort((length, chunk))]
    cut = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    return [cut[i] for i in rng.permutation(len(cut))]


def trimmed(x: Tensor, spare: int = 0) -> Tensor:
    """Cuts off the rows that are padding in the whole batch of sequences, but for ``spare`` of them."""
    return x[:, : int(lengths(x).max()) + spare] if is_sequence(x) else x


@torch.no_grad()
def predict(net: nn.Module, x: Tensor, chunk: int = 512) -> Tensor:
    """Returns logits float32 [N], high for real, in evaluation mode."""
    net.eval()
    return torch.cat([net(x[i : i + chunk]) for i in range(0, len(x), chunk)])
