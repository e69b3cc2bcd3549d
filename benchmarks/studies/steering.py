"""Do works that are steered keep what they were asked to, without copying, and does the encoder find works again?

Of a run whose task has a content generator, with held-out pictures:

* ``like``: works that share half of a picture's decisions. ``nearer``: mean share of free samples under the same
  condition that are further from the picture, by the features of the general suite; ``nearer_any``: of free samples
  under any; ``closer_than_rebuilt``: share that are nearer to the picture, pixel by pixel, than G's own reconstruction
  of it is: 0 where none copies.
* ``edit``: pictures whose lower half was drawn anew. ``kept``: share of the pixels further away than one place of the
  plan that are unchanged; ``auc``: share of pairs in which D finds a real picture more real than an edited one, and
  ``auc_free`` than a free one; ``seen_better``: their difference in points.
* ``retrieval``: a picture's upper half, the rest that of the median, among 1,000 whole pictures. ``rank_1``,
  ``rank_10``: share found first, or among the first ten, by the encoder of the half that is seen; ``by_pixels``: share
  found first by the mean squared difference of the pixels that are seen, which is exact and needs no encoder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ...agents import AdversarialDQN, edit, generate, like
from ...agents.steering import vectors
from ...envs.task import Array, Floats, Works
from ...errors import UsageError
from ...training.loading import discriminator_of, load_model, read_corpus
from ..metrics.features import feature_net
from ..metrics.stats import share_above
from ..recorded import HeldOutSplit, JsonFile, Seed, published_path, run, write_result

GIVEN, EACH, FREE = 60, 10, 100
"""Pictures given, works like each, free samples for each."""
EDITED, GALLERY = 500, 1000


def likeness(model: AdversarialDQN, works: Works, seed: int) -> dict[str, float]:
    """Measures works like given ones."""
    task = model.task
    net = feature_net(task.corpus("train"), task.layout)
    anything = net(generate(model, 1000, seed=seed))
    nearer, nearer_any, copies = list[float](), list[float](), list[float]()
    for number in range(len(works)):
        content, condition = works.contents[number], works.conditions[number]
        made = like(model, content, EACH, 0.5, condition, seed + number).contents
        free = generate(model, FREE, seed=seed + number, condition=condition)
        (place,) = net(content[None])
        distances = np.linalg.norm(net(made) - place, axis=1)
        nearer.append(share_above(np.linalg.norm(net(free) - place, axis=1), distances))
        nearer_any.append(share_above(np.linalg.norm(anything - place, axis=1), distances))
        rebuilt = task.decoded(task.generator.plans(content[None]), np.random.default_rng(seed))
        copies.append(float((_unlike(made, content) < _unlike(rebuilt, content)).mean()))
    return {
        "nearer": float(np.mean(nearer)),
        "nearer_any": float(np.mean(nearer_any)),
        "closer_than_rebuilt": float(np.mean(copies)),
    }


def _unlike(pictures: Array, content: Array) -> Floats:
    """Returns the mean difference of bytes of pictures from one, float [N]."""
    unlike: Floats = np.abs(pictures.astype(np.int64) - content).reshape(len(pictures), -1).mean(1)
    return unlike


def edited(model: AdversarialDQN, discriminator: Any, works: Works, seed: int) -> dict[str, float]:
    """Measures pictures whose lower half was drawn anew, by D."""
    task = model.task
    height, side = task.layout.shape[0], task.generator.grid
    region = np.zeros(task.layout.shape[:2], np.bool_)
    region[height // 2 :] = True
    far = slice(0, (side // 2 - 1) * height // side)  # rows further away than one place of the plan
    made = np.concatenate(
        [
            edit(model, content, region, 1, condition, seed + number).contents
            for number, (content, condition) in enumerate(zip(works.contents, works.conditions, strict=True))
        ]
    )
    condition = works.conditions if task.conditions else None
    free = generate(model, len(works), seed=seed, condition=condition)
    real, new, own = (discriminator.logits(each, works.conditions) for each in (works.contents, made, free))
    auc, auc_free = share_above(real, new), share_above(real, own)
    return {
        "kept": float((made[:, far] == works.contents[:, far]).mean()),
        "changed": float((made[:, height // 2 :] != works.contents[:, height // 2 :]).mean()),
        "auc": auc,
        "auc_free": auc_free,
        "seen_better": 100 * (auc - auc_free),
    }


def retrieval(model: AdversarialDQN, gallery: Array) -> dict[str, float]:
    """Finds pictures by their upper half."""
    height = gallery.shape[1]
    region = np.zeros(gallery.shape[1:3], np.bool_)
    region[: height // 2] = True
    halves = gallery.copy()
    halves[:, height // 2 :] = np.median(gallery, 0)[height // 2 :]
    cosines = vectors(model, halves, region) @ vectors(model, gallery, region).T  # [N, N]
    own = np.diagonal(cosines)
    ranks = (cosines > own[:, None]).sum(1) + ((cosines == own[:, None]).sum(1) - 1)
    seen = gallery[:, : height // 2].reshape(len(gallery), -1).astype(np.float64)
    unlike = (seen**2).sum(1) - 2 * seen @ seen.T
    exact = float((unlike.argmin(1) == np.arange(len(seen))).mean())
    return {"rank_1": float((ranks == 0).mean()), "rank_10": float((ranks < 10).mean()), "by_pixels": exact}


def main(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    split: HeldOutSplit = "test",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Measures works like others, edited works, and retrieval."""
    model = load_model(folder, None)
    read_corpus(model.task)
    discriminator = discriminator_of(folder)
    if model.task.generator is None or discriminator is None:
        raise UsageError(f"{folder} has no content generator, or no discriminator: give the folder of a run that has")
    held_out, rng = model.task.works(split), np.random.default_rng(seed)
    rows = rng.permutation(len(held_out))
    gallery = np.concatenate([model.task.works(name).contents for name in (split, "validation", "train")])
    gallery = np.unique(gallery[:GALLERY], axis=0)
    found: dict[str, Any] = {
        "run": published_path(folder),
        "like": likeness(model, held_out.take(rows[:GIVEN]), seed),
        "edit": edited(model, discriminator, held_out.take(rows[:EDITED]), seed),
        "retrieval": {"of": len(gallery)} | retrieval(model, gallery),
    }
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
