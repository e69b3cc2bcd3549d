"""Members that the scalar and the vector environment of a task share."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from .registry import load_task, plain_spec
from .rewards import Rewards, RewardSettings, Scorer, refuse_in_workers
from .spaces import for_libraries
from .task import State, Task

RENDER_MODES = ("human", "rgb_array", "ansi")
FPS = 12
"""Decisions shown per second: slow enough to follow, fast enough not to bore."""


class TaskEnvironment:
    """A task, its rewards and the works being built.

    Args:
        task: ``"package.module:TaskClass"``.
        render_mode: None or one of `RENDER_MODES`.
        discriminator: see `Rewards`.
        rule_weight: see `Rewards`.
        **kwargs: the task's own arguments; None leaves one to the task's default.

    Raises:
        ValueError: the render mode is unknown, or an argument has no such value.
        TypeError: the task does not take an argument.
    """

    def __init__(
        self, task: str, render_mode: str | None, discriminator: str | None, rule_weight: Any, kwargs: dict[str, Any]
    ) -> None:
        if render_mode not in (None, *RENDER_MODES):
            raise ValueError(f"render_mode must be None or one of {', '.join(RENDER_MODES)}, not {render_mode!r}")
        self.render_mode = render_mode
        self.task: Task[Any] = load_task(task, kwargs)
        self.rewards = Rewards(self.task, discriminator, rule_weight)
        self.spec = None
        self._flat_space = for_libraries(self.task.observation_space)
        self._state: State | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """The registered id and arguments of this environment, in plain data: specs survive JSON."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain_spec(spec)

    @property
    def discriminator(self) -> Scorer | None:
        """The discriminator that scores finished contents, made on first need; None for ``"none"``."""
        return self.rewards.discriminator

    @property
    def named_discriminator(self) -> str | None:
        """The ``discriminator`` argument of this environment, also after `set_discriminator`."""
        return self.rewards.named

    def set_discriminator(self, discriminator: Scorer) -> None:
        """Lets a live discriminator score from now on; it stays shared with its trainer."""
        self.rewards.discriminator = discriminator

    def set_generator(self, generator: Any) -> None:
        """Lets a live content generator decode plans from now on; it stays shared with its trainer."""
        refuse_in_workers("generator")
        self.task.set_generator(generator)

    def set_reward(self, settings: RewardSettings) -> None:
        """Lets rewards be of another form or weight from now on."""
        self.rewards.settings = settings


def check_condition(task: Task[Any], options: dict[str, Any] | None, rows: int) -> NDArray[np.int64] | None:
    """Returns the condition in ``options`` for each row, int [B, C], or None where there is none.

    Raises:
        ValueError: the task has no conditions, or not this one.
    """
    if not options or options.get("condition") is None:
        return None
    if not task.conditions:
        raise ValueError(f"{type(task).__name__} has no conditions, yet options['condition'] was given")
    sizes = task.condition_sizes
    given = np.asarray(options["condition"])
    if (
        given.dtype.kind not in "iu"
        or given.shape not in ((len(sizes),), (rows, len(sizes)))
        or not ((given >= 0) & (given < sizes)).all()
    ):
        raise ValueError(f"options['condition'] must be integers [C] or [{rows}, C] below {list(sizes)}")
    return np.broadcast_to(given, (rows, len(sizes))).astype(np.int64)
