"""Works in the play window: what saves them, scores them and completes them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..envs.task import Array, Ints, Task
from ..errors import UsageError

if TYPE_CHECKING:
    from ..agents.inspection import Inspection


class Work(NamedTuple):
    """A work, finished or not, its condition int [C], and the actions int [L] that built it; None where unknown."""

    content: Array
    condition: Ints
    actions: Ints | None


class Saver:
    """Saves works under the first free names in a folder."""

    def __init__(self, task: Task[Any], folder: Path, name: str) -> None:
        self._task, self._folder, self._name = task, folder, name

    def save(self, work: Work) -> str:
        """Exports a work; returns a line with the names of its files."""
        return self.write(lambda path: self._task.export(work.content, path, work.condition, work.actions))

    def write(self, files: Callable[[Path], list[Path]]) -> str:
        """Writes files, named after a path without suffix; returns a line with their names."""
        number = 1
        while list(self._folder.glob(f"{self._name}-{number}.*")):
            number += 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            paths = files(self._folder / f"{self._name}-{number}")
        except OSError as error:
            return f"not saved: {error.strerror}"
        names = (path.relative_to(self._folder) if path.is_relative_to(self._folder) else path for path in paths)
        return "saved " + ", ".join(name.as_posix() for name in names)


class Scorer:
    """Describes the score of works by a discriminator.

    Args:
        task: the task of the works.
        discriminator: by default the one that ships for the task and reads its works; without one there are no scores.
    """

    def __init__(self, task: Task[Any], discriminator: Any = None) -> None:
        self._task, self._given = task, discriminator

    def __call__(self, work: Work) -> str:
        """Returns the discriminator's opinion in words, the logit high for real; empty without a discriminator."""
        if self.discriminator is None:
            return ""
        logit = float(self.discriminator.logits(work.content[None], work.condition[None])[0])
        return f"looks real: {50 * (1 + math.tanh(logit / 2)):.0f}% (logit {logit:+.1f})"

    @functools.cached_property
    def discriminator(self) -> Any:
        """The discriminator; None where there is none."""
        if self._given is not None:
            return self._given
        from ..discriminators import pretrained

        try:
            return pretrained(self._task)
        except ValueError:  # no discriminator ships for the task
            return None


class Agent:
    """Completes works that a person began.

    Args:
        task: the task of the works.
        env_id: its id, whose shipped policy acts where no model is given; loaded when first needed.
        model: the policy.
        rng: draws the seed of each work.
    """

    def __init__(self, task: Task[Any], env_id: str, model: Any, rng: np.random.Generator) -> None:
        self._task, self._id, self._given, self._rng = task, env_id, model, rng

    def work(self, prefix: Ints | None = None, condition: Ints | None = None) -> Work:
        """Returns a finished work.

        Args:
            prefix: int [P], first actions of the work; -1 leaves one to the agent.
            condition: int [C]; None draws that of a training work.

        Raises:
            UsageError: no model was given, and none ships for the id.
        """
        from ..agents import generate_episodes

        seed = int(self._rng.integers(2**31))
        works = generate_episodes(self._model, 1, seed=seed, prefix=prefix, condition=condition)
        contents = self._task.decoded(works.contents, self._rng)
        return Work(contents[0], works.conditions[0], works.decisions()[0].astype(np.int64))

    def inspect(self, work: Work, discriminator: Any) -> Inspection:
        """Returns the agent's view of a work that it built, with a discriminator's opinion where there is one."""
        from ..agents.inspection import inspect

        return inspect(self._model, work.content, work.condition, work.actions, discriminator)

    @functools.cached_property
    def _model(self) -> Any:
        if self._given is not None:
            return self._given
        from ..training.loading import load_model

        model = load_model(None, self._id, self._task.data_name)
        ships, ours = model.task, self._task
        if (ships.layout, ships.conditions, ships.data_name) != (ours.layout, ours.conditions, ours.data_name):
            raise UsageError(f"the agent that ships for {self._id} builds other works: play a RUN with --build")
        return model
