"""What the pen of ``musegym/Digit-v0`` can do: ``python -m musegym.benchmarks.redrawn [--side 28] --json FILE``.

Real pictures are drawn again by search, with as many decisions as an agent has and with the pictures in sight, which no
agent has. How good such drawings are, measured like an agent's, says how much of an agent's distance to real pictures
is the pen's. It is no bound: the search comes near pixels, and an agent may draw what the measure likes better.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..envs.digit import DigitTask
from ..envs.registry import make_task
from ..envs.task import Array, Split
from ..errors import UsageError
from ..training.loading import read_corpus
from .digit import ENV_ID, measure, pictures_of
from .files import answer, writable, write_result

BEAM = 8
"""Drawings in the making that are kept for each number of decisions."""


class Begun(NamedTuple):
    """A drawing in the making."""

    error: float
    """Sum of squared differences to the picture, of ink from 0 to 1."""
    pen: int
    """The point it is at."""
    ink: NDArray[np.float32]
    """[pixels]."""


def redraw(task: DigitTask, pictures: Array, beam: int = BEAM) -> NDArray[np.uint8]:
    """Draws pictures uint8 [N, side, side] again, by beam search for the least squared error over pixels.

    A line from where the pen is takes one decision, one from elsewhere two. A drawing may need fewer than there are.

    Returns:
        uint8 [N, side, side].
    """
    lines, targets = (np.asarray(ink, np.float32) / np.float32(255) for ink in (task.lines, pictures))
    drawn = [_redraw(lines, task.horizon, target.ravel(), beam) for target in targets]
    return np.rint(255 * np.stack(drawn)).astype(np.uint8).reshape(np.shape(pictures))


def _redraw(lines: NDArray[np.float32], strokes: int, target: NDArray[np.float32], beam: int) -> NDArray[np.float32]:
    blank = Begun(float((target**2).sum()), len(lines) // 2, np.zeros_like(target))
    best, after = blank, [[blank], *([] for _ in range(strokes))]  # by number of decisions
    for made in range(strokes):
        for begun in after[made]:
            for start in range(len(lines)):
                decisions = made + 1 + (start != begun.pen)
                if decisions <= strokes:
                    after[decisions].extend(_lines_from(lines[start], begun.ink, target, beam))
        after[made + 1] = _different(after[made + 1])[:beam]
        best = min(best, *after[made + 1], key=lambda begun: begun.error)
    return best.ink


def _lines_from(
    lines: NDArray[np.float32], ink: NDArray[np.float32], target: NDArray[np.float32], num: int
) -> Iterator[Begun]:
    """The ``num`` best lines of ``lines`` [P, pixels], which begin at one point, on a drawing's ink."""
    inked = np.maximum(ink, lines)
    errors = ((inked - target) ** 2).sum(1)
    for end in np.argsort(errors)[:num].tolist():
        yield Begun(float(errors[end]), end, inked[end])


def _different(drawings: list[Begun]) -> list[Begun]:
    """Best first; of those that err alike and end at one point, one."""
    return sorted({(round(begun.error, 4), begun.pen): begun for begun in drawings}.values(), key=lambda b: b[:2])


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what is measured; exit code 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.redrawn")
    parser.add_argument("--side", type=int, default=14, help="pixels of the canvas")
    parser.add_argument("--strokes", type=int, default=12, help="decisions of a drawing")
    parser.add_argument(
        "--split", choices=("validation", "test"), default="test", help="what drawings are held against"
    )
    parser.add_argument("--num", type=int, default=500, help="training pictures to draw again")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    if given.num < 2:
        raise UsageError("--num must be at least 2")
    try:
        task = cast("DigitTask", make_task(ENV_ID, side=given.side, strokes=given.strokes))
    except ValueError as error:
        raise UsageError(str(error)) from None
    read_corpus(task)
    writable(given.json)
    works = pictures_of(task, task.corpus("train"))
    works = works[np.random.default_rng(0).permutation(len(works))[: given.num]]
    drawn = redraw(task, works)
    split = cast("Split", given.split)
    found = {
        "task": dict(task.kwargs()),
        "split": split,
        "redrawn": measure(task, drawn, split=split),
        "the same pictures": measure(task, works, split=split),
        "mean squared error": float(np.mean((drawn / 255 - works / 255) ** 2)),
        "unique": len(np.unique(drawn, axis=0)) / len(drawn),
    }
    print(json.dumps(found, indent=1))
    said = ["--side", given.side, "--strokes", given.strokes, "--split", split, "--num", given.num]
    write_result(given.json, "redrawn", said, found)


if __name__ == "__main__":
    sys.exit(main())
