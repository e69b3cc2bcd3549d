"""How much of a drawing's distance to real digits is due to the pen of ``musegym/Digit-v0``?

Real pictures are drawn again by a search that has as many decisions as an agent and, unlike an agent, sees the
pictures. The distance of these drawings to real pictures, measured like an agent's, is due to the pen. It is no bound:
the search minimises the error over pixels, not the measure.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, NamedTuple, cast

import numpy as np
import typer
from numpy.typing import NDArray

from ...envs.digit import DigitTask
from ...envs.task import Array
from ...training.loading import env_task, read_corpus
from ..domains.digit import ID, measure_drawings
from ..recorded import HeldOutSplit, JsonFile, run, write_result

BEAM = 8
"""Partial drawings that are kept for each number of decisions."""


class Partial(NamedTuple):
    """A partial drawing."""

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
    blank = Partial(float((target**2).sum()), len(lines) // 2, np.zeros_like(target))
    best, after = blank, [[blank], *([] for _ in range(strokes))]  # by number of decisions
    for made in range(strokes):
        for partial in after[made]:
            for start in range(len(lines)):
                decisions = made + 1 + (start != partial.pen)
                if decisions <= strokes:
                    after[decisions].extend(_lines_from(lines[start], partial.ink, target, beam))
        after[made + 1] = _different(after[made + 1])[:beam]
        best = min(best, *after[made + 1], key=lambda partial: partial.error)
    return best.ink


def _lines_from(
    lines: NDArray[np.float32], ink: NDArray[np.float32], target: NDArray[np.float32], num: int
) -> Iterator[Partial]:
    """Yields a drawing with each of the ``num`` best of ``lines`` [P, pixels], which begin at one point."""
    inked = np.maximum(ink, lines)
    errors = ((inked - target) ** 2).sum(1)
    for end in np.argsort(errors)[:num].tolist():
        yield Partial(float(errors[end]), end, inked[end])


def _different(drawings: list[Partial]) -> list[Partial]:
    """Returns drawings, best first; of those with equal error and pen position one."""
    return sorted(
        {(round(partial.error, 4), partial.pen): partial for partial in drawings}.values(), key=lambda b: b[:2]
    )


def main(
    context: typer.Context,
    side: Annotated[int, typer.Option(help="Pixels of the canvas.")] = 14,
    strokes: Annotated[int, typer.Option(help="Decisions of a drawing.")] = 12,
    split: HeldOutSplit = "test",
    num: Annotated[int, typer.Option(min=2, help="Works that are drawn again.")] = 500,
    json_file: JsonFile = None,
) -> None:
    """Draws training pictures again, and measures the drawings and the pictures."""
    task = cast("DigitTask", env_task(ID, {"side": side, "strokes": strokes}))
    works = read_corpus(task)
    works = works[np.random.default_rng(0).permutation(len(works))[:num]]
    drawn = redraw(task, works)
    found = {
        "task": dict(task.kwargs()),
        "split": split,
        "redrawn": measure_drawings(task, drawn, split=split),
        "the same pictures": measure_drawings(task, works, split=split),
        "mean squared error": float(np.mean((drawn / 255 - works / 255) ** 2)),
        "unique": len(np.unique(drawn, axis=0)) / len(drawn),
    }
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
