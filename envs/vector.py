"""The native Gymnasium vector environment of any task: the same dynamics as `TaskEnv`, n rows at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .draws import Draws
from .environment import FPS, RENDER_MODES, TaskEnvironment, check_condition
from .rewards import Finished, total
from .task import Array, Bools, Ints, State
from .window import Window, tile

TILES = 64
"""Rows that an overview shows at most."""


class TaskVectorEnv(TaskEnvironment, gym.vector.VectorEnv[Array, Array, Array]):
    """Builds n contents of a task at once.

    Row i of ``reset(seed=s)`` goes through exactly what a `TaskEnv` goes through after ``reset(seed=s + i)``,
    and ``info`` holds what Gymnasium's ``SyncVectorEnv`` of such environments would, in all three autoreset
    modes. Spaces, rewards and episodes are described there.

    With autoreset disabled, rows that have ended ignore actions, stay terminated or truncated and earn nothing more
    until ``reset(options={"reset_mask": ...})`` starts them again.

    Args:
        num_envs: n.
        task: ``"package.module:TaskClass"``.
        render_mode: None, ``"human"`` (a window that shows ``overview()``), ``"rgb_array"`` or ``"ansi"`` (text).
        autoreset_mode: ``"NextStep"``, ``"SameStep"`` or ``"Disabled"``, or Gymnasium's ``AutoresetMode``.
        max_episode_steps: decisions after which an unfinished work is cut off, as by Gymnasium's ``TimeLimit``; None or
            -1 for no limit.
        discriminator: None for a fresh, seeded default one; ``"none"``, ``"pretrained"`` or a path.
        rule_weight: weight of the task's rules, or of some of them by name.
        **kwargs: the task's own arguments, such as ``corpus`` (the user's own works) and ``style``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        discriminator: str | None = None,
        rule_weight: float | dict[str, float] = 0.0,
        **kwargs: Any,
    ) -> None:
        if not isinstance(num_envs, int | np.integer) or isinstance(num_envs, bool) or num_envs < 1:
            raise ValueError(f"num_envs must be an integer of at least 1, not {num_envs!r}")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            modes = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise ValueError(f"autoreset_mode must be one of {modes}, not {autoreset_mode!r}") from error
        self.num_envs = num_envs
        self.max_episode_steps = check_limit(max_episode_steps)
        self.metadata = {"render_modes": list(RENDER_MODES), "render_fps": FPS, "autoreset_mode": self.autoreset_mode}
        super().__init__(task, render_mode, discriminator, rule_weight, kwargs)
        self.single_observation_space = self._flat_space
        self.single_action_space = gym.spaces.Discrete(self.task.num_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._draws = Draws(num_envs)
        self._waiting: Ints = np.zeros(0, np.int64)  # rows that have ended and are not yet started again
        self._steps = np.zeros(num_envs, np.int64)  # decisions of each row, where they are limited
        self._ends = np.zeros((2, num_envs), np.bool_)  # terminated and truncated, as the last step returned them
        self._window = Window(f"{type(self.task).__name__} x {num_envs}", FPS)

    @property
    def np_random_seed(self) -> Any:
        """The seeds of the rows, in order; None for a row that never had one."""
        return tuple(self._draws.seeds)

    def action_masks(self) -> Bools:
        """Returns the legal actions, bool [n, A]."""
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before action_masks()")
        return self.task.action_mask(self._state)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Starts empty works.

        Args:
            seed: row i is seeded ``seed + i``, or ``seed[i]``; without it, the streams of starts go on.
            options: ``"condition"``, int [C] or [n, C], to start under; ``"reset_mask"``, bool [n], for the
                rows to start (all others stay as they are, and have no entry in ``info``).

        Returns:
            Observations [n, ...], and ``info`` with ``action_mask``, int8 [n, A].
        """
        n = self.num_envs
        condition = check_condition(self.task, options, n)  # [n, C]
        mask = None if options is None else options.get("reset_mask")
        if mask is None:
            rows = np.arange(n)
        else:
            if not (isinstance(mask, np.ndarray) and mask.shape == (n,) and mask.dtype == np.bool_ and mask.any()):
                raise ValueError(f"options['reset_mask'] must be a bool array [{n}] with at least one True")
            rows = np.flatnonzero(mask)
            if self._state is None and len(rows) < n:
                raise gym.error.ResetNeeded("the first reset() starts all rows: leave options['reset_mask'] out")
        self._draws.seed(seed, rows)
        fresh = self.task.initial(self._draws.take(rows), None if condition is None else condition[rows])
        if self._state is None or len(rows) == n:
            self._state = fresh
        else:
            self._state.put(rows, fresh)
        self._waiting = np.setdiff1d(self._waiting, rows)
        self._steps[rows] = 0
        info: dict[str, Any] = {}
        _add_rows(info, "action_mask", self.task.action_mask(fresh).view(np.int8), rows, _present(rows, n))
        self._add_conditions(info, fresh, rows)
        if self.render_mode == "human":
            self.render()
        return self.task.observe(self._state), info

    def step(
        self, actions: Array
    ) -> tuple[Array, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Takes one decision in every row, int [n].

        Returns:
            Observations, rewards, terminations, truncations (by ``max_episode_steps``) and ``info``, each with n rows.
        """
        state = self._state
        if state is None:
            raise gym.error.ResetNeeded("call reset() before step()")
        n, waiting = self.num_envs, self._waiting
        disabled = self.autoreset_mode is AutoresetMode.DISABLED
        chosen = self._checked(actions)  # [n]
        effective = self.task.legalise(state, chosen)  # [n]
        legal = effective == chosen  # [n]; the mask in info is the caller's to change
        before = state.take(waiting) if disabled and self.max_episode_steps and len(waiting) else None
        state, done = self.task.step_legal(state, effective)
        self._state = state
        info: dict[str, Any] = {}
        done = np.array(done)  # a copy: it goes to the caller
        if len(waiting):
            legal[waiting] = True
            done[waiting] = False
            if self.autoreset_mode is AutoresetMode.NEXT_STEP:
                self._begin(waiting, info)
            elif before is not None:
                state.put(waiting, before)  # works that were cut off would be written on
        finished = ended = np.flatnonzero(done)
        truncated = np.zeros(n, np.bool_)
        if self.max_episode_steps:
            self._steps += 1
            self._steps[waiting] = 0
            truncated = self._steps >= self.max_episode_steps
            ended = np.flatnonzero(done | truncated)
        rewards = np.zeros(n)
        if len(ended):
            same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
            work: dict[str, Any] = {} if same_step else info
            final = state.take(ended)
            if len(finished):
                works = self.rewards.finish(
                    final if ended is finished else state.take(finished), functools.partial(self._draws.take, finished)
                )
                rewards[finished] = total(works.terms)
                _add_works(work, works, finished, n)
            if same_step:
                self._add_final(info, final, work, legal, ended)
                self._begin(ended, info)
                self._steps[ended] = 0
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            self._waiting = ended
        elif disabled:
            done[waiting], truncated[waiting] = self._ends[:, waiting]
            self._ends = np.stack([done, truncated])
            self._waiting = np.concatenate([waiting, ended])
        _add(info, "action_mask", self.task.action_mask(state).view(np.int8))
        if not legal.all():
            _add(info, "illegal_action", ~legal, ~legal)
        if self.render_mode == "human":
            self.render()
        return self.task.observe(state), rewards, done, truncated, info

    def _checked(self, actions: Array) -> Ints:
        """Returns a copy of the actions as int64 [n]."""
        given = np.asarray(actions)
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            raise ValueError(f"actions must be integers [{self.num_envs}], not {given.dtype} {list(given.shape)}")
        checked = given.astype(np.int64)
        # As unsigned numbers, negative ones are large: one pass checks both bounds.
        if checked.view(np.uint64).max() >= self.task.num_actions:
            raise ValueError(f"actions must be in 0..{self.task.num_actions - 1}")
        return checked

    def _add_final(self, info: dict[str, Any], final: State, work: dict[str, Any], legal: Bools, rows: Ints) -> None:
        """Adds how rows ended, with the ``work`` of finished ones, before they start again.

        ``legal`` [n] is then of the other rows only.
        """
        n = self.num_envs
        observations = np.full(n, None, dtype=object)
        for row, observation in zip(rows, self.task.observe(final), strict=True):
            observations[row] = observation
        last: dict[str, Any] = {}
        ended = _present(rows, n)
        _add_rows(last, "action_mask", self.task.action_mask(final).view(np.int8), rows, ended)
        illegal = rows[~legal[rows]]
        if len(illegal):
            _add_rows(last, "illegal_action", np.ones(len(illegal), np.bool_), illegal, _present(illegal, n))
            legal[rows] = True
        last |= work
        _add(info, "final_obs", observations, ended)
        _add(info, "final_info", last, ended.copy())

    def _begin(self, rows: Ints, info: dict[str, Any]) -> None:
        """Starts rows [k] again."""
        assert self._state is not None
        fresh = self.task.initial(self._draws.take(rows))
        self._state.put(rows, fresh)
        self._add_conditions(info, fresh, rows)

    def _add_conditions(self, info: dict[str, Any], fresh: State, rows: Ints) -> None:
        """Adds the conditions that ``rows`` [k] have begun under."""
        if self.task.conditions:
            _add_rows(info, "condition", self.task.condition(fresh), rows, _present(rows, self.num_envs))

    def render(self) -> tuple[Any, ...] | None:
        """Shows the works so far, each by itself, as Gymnasium's vector wrappers want them.

        Returns:
            n pictures uint8 [H, W, 3] in ``rgb_array`` mode, n texts in ``ansi`` mode, None in ``human`` mode, whose
            window shows ``overview()``.
        """
        if self.render_mode is None:
            gym.logger.warn("render() shows nothing without a render_mode, which make_vec(..., render_mode=...) sets")
            return None
        state = self._shown()
        if self.render_mode == "ansi":
            return tuple(self.task.describe(state))
        if self.render_mode == "rgb_array":
            return tuple(self.task.render(state))
        self._window.show(self.overview())
        return None

    def overview(self) -> NDArray[np.uint8]:
        """Returns one picture uint8 [H, W, 3] of the works so far: the first `TILES` side by side, or all points."""
        state = self._shown()
        picture = self.task.overview(state)
        rows = np.arange(min(self.num_envs, TILES))
        return tile(self.task.render(state.take(rows))) if picture is None else picture

    def _shown(self) -> State:
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before render() and overview()")
        return self._state

    def close_extras(self, **_: Any) -> None:
        """Closes the window, if there is one."""
        self._window.close()


def check_limit(steps: int | None) -> int | None:
    """Returns the limit of an episode's decisions, None where there is none.

    Raises:
        ValueError: it is no number of decisions.
    """
    if steps is None or steps == -1:
        return None
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"max_episode_steps must be an integer of at least 1, or -1 for no limit, not {steps!r}")
    return int(steps)


def _add(info: dict[str, Any], key: str, value: Any, present: Bools | None = None) -> None:
    """Adds a value of all rows, or of those in ``present`` [n], the way Gymnasium's vector environments do."""
    info[key] = value
    info[f"_{key}"] = np.ones(len(value), np.bool_) if present is None else present


def _present(rows: Ints, n: int) -> Bools:
    """Returns bool [n], True for ``rows`` [k]."""
    present = np.zeros(n, np.bool_)
    present[rows] = True
    return present


def _add_works(info: dict[str, Any], works: Finished, rows: Ints, n: int) -> None:
    """Adds the finished works of ``rows`` [k] of n, and their rewards."""
    present = _present(rows, n)
    for name, values in works.arrays.items():
        _add_rows(info, name, values, rows, present)
    for name, parts in (("reward_terms", works.terms), ("rules", works.rules)):
        if parts:
            apart: dict[str, Any] = {}
            for part, values in parts.items():
                _add_rows(apart, part, values, rows, present)
            _add(info, name, apart, present.copy())


def _add_rows(info: dict[str, Any], key: str, values: Array, rows: Ints, present: Bools) -> None:
    """Adds the ``values`` [k, ...] of ``rows`` [k], where ``present`` [n] is True, to those of rows added before.

    The other rows hold zeros.
    """
    if key in info:
        info[f"_{key}"] |= present
    else:
        _add(info, key, np.zeros((len(present), *values.shape[1:]), values.dtype), present.copy())
    info[key][rows] = values
