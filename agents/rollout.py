"""Rollouts in an environment under wrappers, and on the task itself, with the steps that SB3's callbacks see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from ..envs.rewards import total
from ..envs.task import Array, Ints, Task
from .episodes import Episodes, Recorder, draw
from .networks import RecurrentQ, Stepper
from .rewards import Rewards
from .sb3 import TaskVecEnv, wrappers_of

Locals = dict[str, Any]
"""Names that Stable-Baselines3 documents for callbacks: actions, new_obs, rewards, dones, infos; one entry a row."""


def is_bare(env: VecEnv) -> bool:
    """Returns True for an environment without wrappers and time limit: it pays the terms of D and the rules alone."""
    return type(env) is TaskVecEnv and not wrappers_of(env) and env.venv.max_episode_steps is None


def no_step(env: VecEnv, observations: Any) -> Locals:
    """Returns the local variables for callbacks where no environment is stepped: in the warm start."""
    n = env.num_envs
    seen = {"actions": np.zeros(n, np.int64), "new_obs": observations, "rewards": np.zeros(n, np.float32)}
    return {**seen, "dones": np.zeros(n, np.bool_), "infos": [{} for _ in range(n)]}


class TaskRollout:
    """Translates steps of the task itself into the local variables that callbacks know from environments.

    A row that has finished its content waits for the others: its later entries are no steps.

    Args:
        task: the domain.
        rewards: pays the rules at the end; D scores whole rounds, later.
        num_envs: n.

    Attributes:
        contents: those that are finished, decoded, [n, ...]; 0 elsewhere.
    """

    def __init__(self, task: Task[Any], rewards: Rewards, num_envs: int) -> None:
        self._task, self._rewards = task, rewards
        self.contents = np.zeros((num_envs, *task.content_space.shape), task.content_space.dtype)
        self._ended = np.zeros(num_envs, np.bool_)
        space = task.observation_space
        self._observations = np.zeros((num_envs, *(space.shape or ())), space.dtype)

    def step(self, recorder: Recorder, actions: Ints) -> tuple[int, Locals]:
        """Returns the number of decisions, and the local variables, of a step by actions int64 [k]."""
        n, rows = len(self._ended), recorder.rows
        stepped = ~self._ended[rows]
        ended = recorder.done & stepped
        self._observations[rows] = self._task.observe(recorder.state)
        rewards, dones = np.zeros(n, np.float32), np.zeros(n, np.bool_)
        chosen = np.zeros(n, np.int64)
        chosen[rows] = actions
        infos: list[dict[str, Any]] = [{} for _ in range(n)]
        if ended.any():
            at, finished = np.flatnonzero(ended), rows[ended]
            state = recorder.state.take(at)
            contents, conditions = self._rewards.decoded(self._task.content(state)), self._task.condition(state)
            self.contents[finished] = contents
            rewards[finished] = self._rewards.rules_at_end(contents, conditions)
            dones[finished] = self._ended[finished] = True
            for place, row, content, condition in zip(at, finished, contents, conditions, strict=True):
                reward = float(rewards[row])
                infos[row] = {
                    "content": content,
                    **({"condition": condition} if self._task.conditions else {}),
                    "reward_terms": {"discriminator": 0.0, "rules": reward},
                    "terminal_observation": self._observations[row].copy(),
                    "episode": {"r": reward, "l": int(recorder.t[place])},
                    "TimeLimit.truncated": False,
                }
        seen = {"actions": chosen, "new_obs": self._observations.copy(), "rewards": rewards, "dones": dones}
        return int(stepped.sum()), {**seen, "infos": infos}


class EnvRollout:
    """Steps an environment under any wrappers by the policy, and records the episodes.

    Every row builds one content after the other, and continues in the next round where it is, so that the agent learns
    from each episode once, whatever its length. Rewards beyond the terms of D and the rules are kept
    (``Episodes.paid``). The task is stepped in parallel: it computes the policy's features, and checks that wrappers do
    not change decisions and contents.

    Args:
        env: the environment, after a reset.
        task: its domain.
        observations: the latest observations, [n, ...].

    Raises:
        ValueError: a wrapper changes observations.
    """

    def __init__(self, env: VecEnv, task: Task[Any], observations: Array) -> None:
        self.env, self.task = env, task
        self.observations = observations
        """The latest observations, [n, ...]."""
        self._recorder = Recorder(task, self._states(observations))
        self._policy: Stepper | None = None
        self._last: torch.Tensor

    def _states(self, observations: Array) -> Any:
        space = self.task.observation_space
        if observations.shape[1:] == space.shape and space.contains(observations[0]):
            states = self.task.restore(observations)
            sizes = np.array([*self.task.feature_sizes, *self.task.condition_sizes], int)
            features = np.concatenate([self.task.feature_values(states), self.task.condition(states)], 1)
            known = ((features >= 0) & (features < sizes)).all()
            if known and np.array_equal(self.task.observe(states), observations):
                return states
        raise ValueError(
            f"{self._wrappers()} changes the observations, from which AdversarialDQN reads the task's features: "
            "leave that wrapper out"
        )

    def _wrappers(self) -> str:
        base = self.env.unwrapped
        limited = isinstance(base, TaskVecEnv) and base.venv.max_episode_steps is not None
        return " or ".join([*wrappers_of(self.env), *["max_episode_steps"] * limited]) or type(self.env).__name__

    @torch.no_grad()
    def collect(
        self, network: RecurrentQ, generator: torch.Generator, num: int, on_step: Callable[[int, Locals], bool]
    ) -> Episodes:
        """Steps until a number of episodes have ended.

        Args:
            network: the policy; evaluated without dropout.
            generator: source of all randomness of decisions, on the network's device.
            num: number of episodes.
            on_step: called after each step with the number of decisions and the local variables; False stops.

        Returns:
            The episodes: at least ``num``, or fewer where ``on_step`` stopped.

        Raises:
            ValueError: a wrapper changes observations, decisions or contents, or cuts all episodes short.
            FloatingPointError: the environment paid a reward that is not finite.
        """
        was_training = network.training
        network.eval()
        device = next(network.parameters()).device
        recorder, n = self._recorder, self.env.num_envs
        if self._policy is None:
            self._policy = Stepper(network, torch.from_numpy(recorder.conditions.astype(np.int64)).to(device))
            self._last = torch.full((n,), network.num_actions, device=device)
        policy = self._policy
        policy.refresh()
        parts, ended, idle, going = list[Episodes](), 0, 0, True
        while going and ended < num:
            log_policy = policy(self._last, *recorder.look().tensors(device))
            self._last = draw(log_policy, 1.0, generator)
            actions = self._last.cpu().numpy()
            observations, rewards, dones, infos = self.env.step(actions)
            recorder.act(actions, log_policy.gather(1, self._last[:, None])[:, 0].cpu().numpy())
            finished = self._finished(dones, infos)
            recorder.pay(self._additional(rewards, finished, infos))
            if len(finished):
                parts.append(recorder.episodes(finished))
                ended += len(finished)
            idle = 0 if len(finished) else idle + 1
            if idle > 2 * self.task.horizon:
                raise ValueError(
                    f"{self._wrappers()} ends every episode before its content is finished: give it longer"
                )
            self.observations = np.asarray(observations)
            begun = np.flatnonzero(dones)
            if len(begun):
                recorder.restart(begun, self._states(self.observations[begun]))
                rows, conditions = torch.from_numpy(begun), recorder.conditions[begun].astype(np.int64)
                policy.restart(rows.to(device), torch.from_numpy(conditions).to(device))
                self._last[rows.to(device)] = network.num_actions
            step = {"actions": actions, "new_obs": observations, "rewards": rewards, "dones": dones, "infos": infos}
            going = on_step(n, step)
        network.train(was_training)
        return Episodes.join(parts or [recorder.episodes(np.arange(0))])

    def _finished(self, dones: Array, infos: list[dict[str, Any]]) -> Ints:
        """Returns the rows whose content is finished.

        Raises:
            ValueError: task and environment do not agree about them.
        """
        done = self._recorder.done
        rows: Ints = np.flatnonzero(done)
        contents = self.task.content(self._recorder.state.take(rows))
        for row, content in zip(rows, contents, strict=True):
            info = infos[row]
            if not dones[row] or not np.array_equal(info.get("plan", info.get("content")), content):
                raise ValueError(
                    f"{self._wrappers()} changes decisions, or the finished work in info['content']: "
                    "AdversarialDQN learns from both unchanged, so leave that wrapper out"
                )
        return rows

    def _additional(self, rewards: Array, finished: Ints, infos: list[dict[str, Any]]) -> NDArray[np.float32]:
        """Returns the rewards beyond the terms of D and the rules, float32 [n]."""
        if not np.isfinite(rewards).all():
            raise FloatingPointError(f"the environment paid a reward that is not finite: mend {self._wrappers()}")
        terms = np.zeros(len(rewards), np.float32)
        for row in finished:
            terms[row] = total(infos[row]["reward_terms"])
        return np.asarray(rewards, np.float32) - terms
