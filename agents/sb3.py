"""Native Gymnasium vector environments as Stable-Baselines3 ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import ProgressBarCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from ..envs.task import Task
from ..envs.vector import TaskVectorEnv

WATCHING = ("OrderEnforcing", "PassiveEnvChecker", "Monitor", "VecMonitor")
"""Wrappers that change no observation, action or reward."""
PER_ROW = ("action_masks", "render")
"""Methods of the environment whose results have an entry for each row."""


class TaskVecEnv(VecEnv):
    """A ``TaskVectorEnv`` under the interface of Stable-Baselines3, without a process or a copy per row.

    Rows start again by themselves; the last step's ``info`` holds ``content``, ``condition``, ``reward_terms`` and
    ``rules`` (of a finished work, not one cut off), ``terminal_observation`` and ``episode`` (return and length, as of
    SB3's Monitor).

    Args:
        env_id: a registered id.
        num_envs: n.
        seed: row i is seeded ``seed + i``.
        **kwargs: arguments of the environment.
    """

    def __init__(self, env_id: str, num_envs: int = 64, seed: int | None = None, **kwargs: Any) -> None:
        chosen = {"autoreset_mode", "vectorization_mode", "vector_kwargs", "wrappers"} & set(kwargs)
        if chosen:
            raise TypeError(
                f"make_sb3_env chooses {min(chosen)} itself, as Stable-Baselines3 needs it: leave it out; for rows "
                "under wrappers of Gymnasium use stable_baselines3's make_vec_env"
            )
        spec = gym.registry.get(env_id.rpartition(":")[2])
        foreign = TypeError(f"{env_id} is not a musegym environment: use stable_baselines3's make_vec_env for it")
        if spec is not None and "task" not in spec.kwargs:  # which would not take these arguments
            raise foreign
        made = gym.make_vec(env_id, num_envs=num_envs, autoreset_mode="SameStep", **kwargs)
        if not isinstance(made.unwrapped, TaskVectorEnv):
            raise foreign
        self.venv: TaskVectorEnv = made.unwrapped
        assert self.venv.spec is not None
        plain = {**self.venv.spec.kwargs, **self.venv.task.kwargs()}  # in which a corpus is found from any folder
        self.env_id, self.env_kwargs = env_id, {name: plain[name] for name in kwargs}
        super().__init__(num_envs, self.venv.single_observation_space, self.venv.single_action_space)
        self.metadata["render_fps"] = self.venv.metadata["render_fps"]
        self.seed(seed)
        self._actions: NDArray[Any] = np.zeros(num_envs, np.int64)
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, np.int64)

    def reset(self) -> VecEnvObs:
        """Starts all rows, under the conditions that ``set_options`` gave; returns observations [n, ...]."""
        seeds, n = list(self._seeds), self.num_envs
        if len(self._options) != n:
            raise ValueError(f"set_options takes one dict, or {n} of them, one for each row, not {len(self._options)}")
        conditions = [options.get("condition") for options in self._options]
        given = np.array([condition is not None for condition in conditions])  # [n]
        begun = []
        if not given.all():
            observations, info = self.venv.reset(seed=seeds)
            begun.append(info)
        if given.any():
            some = conditions[int(given.argmax())]
            filled = [some if condition is None else condition for condition in conditions]
            only = {} if given.all() else {"reset_mask": given}
            observations, info = self.venv.reset(seed=seeds, options={"condition": filled, **only})
            begun.append(info)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0.0, 0
        self.reset_infos = [{"action_mask": mask} for mask in self.venv.action_masks().astype(np.int8)]
        for info in begun:
            for row in np.flatnonzero(info.get("_condition", ())):
                self.reset_infos[row]["condition"] = info["condition"][row]
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keeps the actions [n] for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Returns observations, rewards, dones and a list of infos."""
        observations, rewards, terminated, truncated, info = self.venv.step(self._actions)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{"action_mask": mask} for mask in info["action_mask"]]
        for where in (info, info.get("final_info", {})):
            for row in np.flatnonzero(where.get("_illegal_action", ())):
                infos[row]["illegal_action"] = True
        for row in np.flatnonzero(dones):
            infos[row] |= {
                "terminal_observation": info["final_obs"][row],
                "episode": {"r": float(self._returns[row]), "l": int(self._lengths[row])},
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
            }
            begun = [name for name in ("action_mask", "condition") if name in info]
            self.reset_infos[row] = {name: info[name][row] for name in begun}
        final = info.get("final_info", {})
        for row in np.flatnonzero(terminated):
            infos[row] |= {name: final[name][row] for name in ("content", "condition", "plan") if name in final}
            for name in ("reward_terms", "rules"):
                if name in final:
                    parts = final[name].items()
                    infos[row][name] = {part: float(values[row]) for part, values in parts if part[0] != "_"}
        self._returns[dones], self._lengths[dones] = 0.0, 0
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        """Closes the environment."""
        self.venv.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns an attribute of the environment, once per row."""
        return [getattr(self.venv, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Sets an attribute of the environment.

        Raises:
            ValueError: some rows are left out, which all share one environment.
        """
        if len(set(self._get_indices(indices))) < self.num_envs:
            raise ValueError(f"rows share one environment: set {attr_name} for all of them, without indices")
        setattr(self.venv, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Calls a method of the environment once; returns for each row the result, or its entry in it (``PER_ROW``)."""
        result = getattr(self.venv, method_name)(*args, **kwargs)
        by_row = method_name in PER_ROW and result is not None
        return [result[row] if by_row else result for row in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Returns False for every row; True for SB3's Monitor, whose statistics ``step_wait`` provides."""
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Returns one picture of each row, None where the render mode is not ``"rgb_array"``."""
        if self.render_mode != "rgb_array":
            warnings.warn(f"there are no pictures in render mode {self.render_mode}: use 'rgb_array'", stacklevel=2)
            return [None] * self.num_envs
        return list(self.env_method("render"))


def make_sb3_env(env_id: str, num_envs: int = 64, seed: int | None = None, **kwargs: Any) -> TaskVecEnv:
    """Makes a Stable-Baselines3 environment of n rows.

    Args:
        env_id: a registered id.
        num_envs: n.
        seed: row i is seeded ``seed + i``.
        **kwargs: arguments of the environment, such as ``discriminator``, ``rule_weight``, ``corpus``.
    """
    return TaskVecEnv(env_id, num_envs, seed, **kwargs)


def task_of(env: VecEnv) -> Task[Any]:
    """Returns the task of an SB3 environment.

    Raises:
        TypeError: it is no musegym environment.
    """
    try:
        task = env.get_attr("task")[0]
    except AttributeError:
        task = None
    if not isinstance(task, Task):
        raise TypeError("this environment builds no contents of musegym: make one with make_sb3_env(id, ...)")
    return task


def id_of(task: Task[Any]) -> str:
    """Returns the first id that a task is registered under.

    Raises:
        ValueError: there is none, so that a file could not name the task.
    """
    named = f"{type(task).__module__}:{type(task).__qualname__}"
    for env_id, spec in gym.registry.items():
        if spec.kwargs.get("task") == named:
            return env_id
    raise ValueError(f"{named} is not registered, and a file could not name it: musegym.register it")


def wrappers_of(env: VecEnv) -> list[str]:
    """Returns the class names of an environment's wrappers, outermost first, without ``WATCHING``."""
    names = list[str]()
    while isinstance(env, VecEnvWrapper):
        names.append(type(env).__name__)
        env = env.venv
    row: Any = env.envs[0] if isinstance(env, DummyVecEnv) else getattr(env, "venv", None)
    while isinstance(row, gym.Wrapper | gym.vector.VectorWrapper):
        names.append(type(row).__name__)
        row = row.env
    return [name for name in names if name not in WATCHING]


class DecisionBar(ProgressBarCallback):
    """SB3's progress bar by ``num_timesteps``: a callback's step may stand for any number of decisions."""

    def _on_step(self) -> bool:
        learned_before = self.model._total_timesteps - self.pbar.total
        self.pbar.update(min(self.model.num_timesteps - learned_before, self.pbar.total) - self.pbar.n)
        return True
