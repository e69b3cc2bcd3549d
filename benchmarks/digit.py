"""Whether drawings of ``musegym/Digit-v0`` are digits: ``python -m musegym.benchmarks.digit RUN ... --json FILE``.

A small classifier, trained once on the train split by a fixed recipe, says which digit a drawing is and how sure it is.
It never trained an agent. Without runs, real test digits and a random pen are measured: what figures are read beside.

* ``sure``: share of drawings of which the classifier is at least 90% sure, as in ``docs/digit.md``.
* ``classes``: share of drawings taken for each digit.
* ``as_asked``: share taken for the digit that was asked for, where classes are conditions.
* ``frechet``: Frechet distance (Heusel et al. 2017) to as many real held-out pictures in the classifier's last hidden
  layer; ``floor``: of as many training pictures, ``random``: of a random pen's drawings.
* ``frechet_dense``: likewise in a dense classifier, which weighs where ink is more than how lines run. The two differ
  by far in what a random pen gets.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..envs.corpora.cache import cache_folder
from ..envs.digit import CLASSES, DigitTask
from ..envs.registry import make_task
from ..envs.task import Array, Floats, Ints, Split
from ..errors import UsageError
from ..training.loading import read_corpus
from .baselines.random_policy import RandomPolicy
from .files import answer, models_of, shown, writable, write_result
from .metrics.features import fingerprint, frechet, train_once
from .samplers import AgentSampler, Sampler

ENV_ID = "musegym/Digit-v0"
SURE = 0.9
UPDATES, BATCH, RATE, WIDTH = 1500, 128, 1e-3, 64
VERSION = 1
"""Of the recipe."""
SHIFT = 1
"""Pixels by which training pictures are moved at random: pens do not centre what they draw as scanners do."""
NUM = 1000


class Classifier:
    """A classifier of pictures [N, H, W], trained on a task's train split: the recipe is the yardstick.

    Two convolutions of 32 and 64 channels, each halved by a maximum, and one hidden layer of 64; 1,500 updates of AdamW
    with a falling rate on batches of 128, half of the hidden units dropped, pictures moved by up to one pixel; seed 0.
    ``dense``: hidden layers of 256 and 64 instead, and pictures where they are. ``folder`` keeps its weights.
    """

    def __init__(
        self, pictures: Array, labels: Ints, updates: int = UPDATES, dense: bool = False, folder: Path | None = None
    ) -> None:
        x = torch.from_numpy(np.asarray(pictures)).float()[:, None] / 255
        y = torch.from_numpy(np.asarray(labels, np.int64))
        side = x.shape[-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if dense:
                self.hidden = nn.Sequential(
                    nn.Flatten(), nn.Linear(side**2, 4 * WIDTH), nn.ReLU(), nn.Linear(4 * WIDTH, WIDTH), nn.ReLU()
                )
            else:
                self.hidden = nn.Sequential(
                    nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                    nn.Linear(64 * (side // 4) ** 2, WIDTH), nn.ReLU(),
                )  # fmt: skip
            self.last = nn.Linear(WIDTH, CLASSES)
            path = None
            if folder is not None:
                recipe = f"{VERSION} {updates} {dense} {tuple(x.shape)}"
                path = folder / f"classifier-{fingerprint(recipe, x.numpy(), y.numpy())}.npz"
            shift = 0 if dense else SHIFT
            train_once(nn.ModuleList([self.hidden, self.last]), path, lambda: self._train(x, y, updates, shift))

    def _train(self, x: Tensor, y: Tensor, updates: int, shift: int) -> None:
        rng = np.random.default_rng(0)
        parameters = [*self.hidden.parameters(), *self.last.parameters()]
        optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=0.01)
        for update in range(updates):
            rows = torch.from_numpy(rng.integers(len(x), size=min(BATCH, len(x))))
            down, right = rng.integers(-shift, shift + 1, size=2)
            hidden = self.hidden(torch.roll(x[rows], (int(down), int(right)), (2, 3)))
            loss = F.cross_entropy(self.last(F.dropout(hidden, 0.5)), y[rows])
            optimiser.param_groups[0]["lr"] = RATE * (1 - update / updates)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def __call__(self, pictures: Array) -> tuple[Floats, Floats]:
        """Returns features float64 [N, 64] and probabilities float64 [N, 10] of pictures uint8 [N, H, W]."""
        x = torch.from_numpy(np.asarray(pictures)).float()[:, None] / 255
        hidden: list[Tensor] = [self.hidden(part) for part in x.split(512)]
        features = torch.cat(hidden)
        return features.double().numpy(), self.last(features).double().softmax(-1).numpy()


@functools.cache
def classifier(task_kwargs: tuple[tuple[str, Any], ...], dense: bool = False) -> Classifier:
    """Returns a classifier of a task's pictures; trained when first asked for, in about a minute, and then kept."""
    task = labelled(dict(task_kwargs))
    train = task.corpus("train")
    return Classifier(pictures_of(task, train), task.condition(train)[:, 0], dense=dense, folder=cache_folder())


def labelled(kwargs: dict[str, Any]) -> DigitTask:
    """Returns the task with classes, whose contents say which digit they are."""
    return cast("DigitTask", make_task(ENV_ID, **{**kwargs, "classes": True}))


def pictures_of(task: DigitTask, contents: Array) -> Array:
    """Returns contents without the header that holds their class, uint8 [N, H, W]."""
    return np.asarray(contents)[:, -task.paper.side :]


def measure(task: DigitTask, contents: Array, asked: Ints | None = None, split: Split = "test") -> dict[str, Any]:
    """Measures drawings [N, ...] of a task against as many held-out pictures, or all there are.

    Args:
        task: whose they are.
        contents: the drawings.
        asked: int [N], the digits that were asked for.
        split: of the held-out pictures.
    """
    key = tuple(sorted({**task.kwargs(), "classes": True}.items()))  # one judge for both kinds of contents
    drawn, real = pictures_of(task, contents), pictures_of(task, task.corpus(split))
    n = min(len(drawn), len(real))
    real = real[np.sort(np.random.default_rng(0).permutation(len(real))[:n])]  # they come class by class
    _, p = classifier(key)(drawn)
    named = p.argmax(1)
    found: dict[str, Any] = {
        "num": len(contents),
        "sure": float((p.max(1) >= SURE).mean()),
        "classes": [float(share) for share in np.bincount(named, minlength=CLASSES) / len(named)],
        "frechet": _distance(classifier(key), drawn[:n], real),
        "frechet_dense": _distance(classifier(key, dense=True), drawn[:n], real),
        "pictures_a_side": n,
    }
    if asked is not None:
        found["as_asked"] = float((named == asked).mean())
    return found


def _distance(judge: Classifier, drawn: Array, real: Array) -> float:
    return frechet(judge(drawn)[0], judge(real)[0])


def references(task: DigitTask, split: Split = "test", num: int = NUM) -> dict[str, Any]:
    """What figures are read beside: held-out pictures, training pictures, and a random pen."""
    rng = np.random.default_rng(0)
    with_classes = labelled(dict(task.kwargs()))
    held_out, train = with_classes.corpus(split), task.corpus("train")
    floor = measure(task, train[rng.permutation(len(train))[: len(held_out)]], split=split)
    chance = measure(task, RandomPolicy(task).sample(None, num, 0), split=split)
    real = measure(with_classes, held_out, with_classes.condition(held_out)[:, 0], split)
    return {"real": real, "floor": floor, "random": chance}


def judge(sampler: Sampler, split: Split = "test", num: int = NUM, seed: int = 0) -> dict[str, Any]:
    """Measures ``num`` drawings of a sampler, none picked; under evenly many of each class where classes are asked."""
    task = cast("DigitTask", sampler.task)
    asked = np.arange(num) % CLASSES if task.condition_space is not None else None
    contents = sampler.sample(None if asked is None else asked[:, None], num, seed)
    return measure(task, contents, asked, split)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the references and a line per run; exit code 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.digit")
    parser.add_argument("runs", type=Path, nargs="*", help="folders of runs of one task")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--num", type=int, default=NUM, help="drawings of each run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    split = cast("Split", given.split)
    if given.num < 2 or given.seed < 0:
        raise UsageError("--num must be at least 2 and --seed at least 0")
    models = models_of(given.runs, split)
    wrong = [run for run, model in zip(given.runs, models, strict=True) if not isinstance(model.task, DigitTask)]
    if wrong:
        raise UsageError(f"{wrong[0]} is no run of {ENV_ID}")
    writable(given.json)
    task = cast("DigitTask", models[0].task if models else make_task(ENV_ID))
    read_corpus(task)
    found: dict[str, Any] = {
        "task": dict(task.kwargs()),
        "split": split,
        "references": references(task, split, given.num),
    }
    print(json.dumps(found), flush=True)
    found["runs"] = []
    for run, model in zip(given.runs, models, strict=True):
        found["runs"].append({"run": shown(run), **judge(AgentSampler(model), split, given.num, given.seed)})
        print(json.dumps(found["runs"][-1]), flush=True)
    said = [*map(shown, given.runs), "--split", split, "--num", given.num, "--seed", given.seed]
    write_result(given.json, "digit", said, found)


if __name__ == "__main__":
    sys.exit(main())
