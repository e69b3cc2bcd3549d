"""The Gymnasium environment of any task: a batch of one."""

from __future__ import annotations

import operator
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .environment import FPS, RENDER_MODES, TaskEnvironment, check_condition
from .rewards import total
from .task import Array, Bools
from .window import Window


class TaskEnv(TaskEnvironment, gym.Env[Array, np.int64]):
    """Builds one content of a task, one decision at a time.

    ## Action Space
    ``Discrete(A)``. Legal actions stand in ``info["action_mask"]`` and ``action_masks()``. An illegal
    action is replaced by a legal one, as ``task.legalise`` documents, and flagged by ``info["illegal_action"]``.

    ## Observation Space
    The array that ``task.observe`` returns: the work so far, the step, the condition.

    ## Rewards
    0 until the content is finished, then its score: see `musegym.envs.rewards.RewardSettings`. Its two terms,
    ``"discriminator"`` and ``"rules"``, stand in ``info["reward_terms"]``, and the reward of each rule, before weights,
    in ``info["rules"]`` where rules have a weight.

    ## Starting State
    An empty work under a condition drawn as in the training works, or under
    ``reset(options={"condition": [...]})``. Where there are conditions, ``info["condition"]`` holds it.

    ## Episode End
    Terminated when the content is finished, which ``info["content"]`` then holds, with its condition in
    ``info["condition"]`` and, where a network decodes it, its plan in ``info["plan"]``.
    Truncation is left to time limits: ``gym.make(..., max_episode_steps=...)``.

    ## Arguments
    Plain data only, so that specs survive JSON and pickle.

    Args:
        task: ``"package.module:TaskClass"``.
        render_mode: None, ``"human"`` (a window), ``"rgb_array"`` or ``"ansi"`` (text).
        discriminator: None for a fresh, seeded default one; ``"none"``, ``"pretrained"`` or a path.
        rule_weight: weight of the task's rules, or of some of them by name.
        **kwargs: the task's own arguments, such as ``corpus`` (the user's own works) and ``style``.

    ## Version History
    * v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": FPS}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        *,
        task: str,
        render_mode: str | None = None,
        discriminator: str | None = None,
        rule_weight: float | dict[str, float] = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(task, render_mode, discriminator, rule_weight, kwargs)
        self.observation_space = self._flat_space
        self.action_space = gym.spaces.Discrete(self.task.num_actions)
        self._ended = False
        self._legal: Bools  # [1, A]
        self._window = Window(type(self.task).__name__, FPS)

    def action_masks(self) -> Bools:
        """Returns the legal actions, bool [A]."""
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before action_masks()")
        legal: Bools = self._legal[0].copy()
        return legal

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Starts an empty work.

        Args:
            seed: of all later starts; without it, the stream of starts goes on.
            options: ``{"condition": [...]}`` starts under that condition.

        Returns:
            The observation, and ``info`` with ``action_mask``, int8 [A].
        """
        super().reset(seed=seed)
        condition = check_condition(self.task, options, 1)
        self._state = self.task.initial(self._draw(), condition)
        self._ended = False
        self._legal = self.task.action_mask(self._state)
        if self.render_mode == "human":
            self.render()
        info: dict[str, Any] = {"action_mask": self._legal[0].astype(np.int8)}
        if self.task.conditions:
            info["condition"] = self.task.condition(self._state)[0]
        return self.task.observe(self._state)[0], info

    def step(self, action: np.int64) -> tuple[Array, SupportsFloat, bool, bool, dict[str, Any]]:
        """Takes one decision.

        Returns:
            Observation, reward, terminated, truncated (never) and ``info`` with ``action_mask``,
            ``illegal_action`` (only where True) and, at the end, ``content``, ``condition`` and ``reward_terms``.
        """
        if self._state is None or self._ended:
            raise gym.error.ResetNeeded("call reset() before step(): there is no unfinished work")
        index = operator.index(action)
        if not 0 <= index < self.task.num_actions:
            raise ValueError(f"action {index} is not in 0..{self.task.num_actions - 1}")
        illegal = not self._legal[0, index]
        self._state, done = self.task.step(self._state, np.array([index]))
        self._legal = self.task.action_mask(self._state)
        info: dict[str, Any] = {"action_mask": self._legal[0].astype(np.int8)}
        if illegal:
            info["illegal_action"] = True
        reward = 0.0
        self._ended = bool(done[0])
        if self._ended:
            finished = self.rewards.finish(self._state, self._draw)
            terms = {name: float(values[0]) for name, values in finished.terms.items()}
            reward = total(terms)
            info |= {name: values[0] for name, values in finished.arrays.items()} | {"reward_terms": terms}
            if finished.rules:
                info["rules"] = {name: float(values[0]) for name, values in finished.rules.items()}
        if self.render_mode == "human":
            self.render()
        return self.task.observe(self._state)[0], reward, self._ended, False, info

    def _draw(self) -> NDArray[np.uint64]:
        return np.array([self.np_random.bit_generator.random_raw()], np.uint64)

    def render(self) -> Any:
        """Shows the work so far.

        Returns:
            uint8 [H, W, 3] in ``rgb_array`` mode, text in ``ansi`` mode, None in ``human`` mode.
        """
        if self.render_mode is None:
            gym.logger.warn("render() shows nothing without a render_mode, which gym.make(..., render_mode=...) sets")
            return None
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before render()")
        if self.render_mode == "ansi":
            return self.task.describe(self._state)[0]
        frame = self.task.render(self._state)[0]
        if self.render_mode == "rgb_array":
            return frame
        self._window.show(frame)
        return None

    def close(self) -> None:
        """Closes the window, if there is one."""
        self._window.close()
