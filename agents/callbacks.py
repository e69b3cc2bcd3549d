"""A callback that trains a discriminator together with any Stable-Baselines3 algorithm."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from ..discriminators import DiscriminatorTrainer, load_trainer, make_trainer
from ..envs.rewards import RewardSettings
from ..envs.task import Array, Task
from .generators import ContentGenerator, GeneratorSettings, GeneratorTrainer
from .sb3 import task_of

LATEST = "discriminator.zip"
"""Name of the latest file in a folder of saved discriminators."""
_logger = logging.getLogger(__name__)


@runtime_checkable
class TakesDiscriminator(Protocol):
    """An algorithm that scores contents by D, and trains D on them, without a callback."""

    @property
    def trainer(self) -> DiscriminatorTrainer | None:
        """The trainer of D in earlier calls of ``learn``; None before the first."""

    @property
    def reward_settings(self) -> RewardSettings:
        """Weights and form of the reward's terms at present."""

    def set_discriminator(self, trainer: DiscriminatorTrainer, lead: int) -> None:
        """Sets a live D by its trainer; ``lead`` is the factor of its number of updates while it leads."""


class DiscriminatorCallback(BaseCallback):
    """Trains D to tell real contents from those of the rollouts, and makes D the reward of the environment.

    The callback works with every SB3 algorithm whose environment comes from ``make_sb3_env`` (or is a vector of musegym
    environments in this process), under any wrappers. Environment, callback, algorithm and checkpoint share one D. The
    environments of ``EvalCallback``s in the same list share it too, unless they name a frozen one.

    Stable-Baselines3's files hold no D. To continue with it, save both and load both::

        PPO("MlpPolicy", env).learn(n, callback=[DiscriminatorCallback(save_path="run"), CheckpointCallback(m, "run")])
        PPO.load("run/rl_model_1000_steps.zip", env).learn(
            n, callback=DiscriminatorCallback(load="run/discriminator_1000_steps.zip")
        )

    Args:
        trainer: trains D; None makes one with a default D.
        every: number of contents that D learns from at a time; ``AdversarialDQN`` chooses this itself.
        lead: factor of D's number of updates while it leads in ``AdversarialDQN``.
        save_path: a folder for D and its trainer. ``discriminator_N_steps.zip`` is written whenever a
            ``CheckpointCallback`` in the same list saves the model, ``discriminator.zip`` then and at the end. Or one
            file, ``NAME.zip``. A content generator that this callback teaches lies beside each, as
            ``...-generator.zip``.
        load: D to continue with: a file of ``save_path``, with or without its ``.zip``; a folder, for its latest file;
            or a file of ``Discriminator.save``.
        reconstruction: updates by which a new content generator, where the task has one, learns to rebuild real works
            before training begins. ``AdversarialDQN`` teaches it by settings of its own.
        generator_weight: weight of D's score in the generator's loss on works of the rollouts; 0 freezes it; None:
            0.3 for pictures in grey, 0.1 in colour. ``AdversarialDQN`` has a setting of this name instead.
        verbose: as in SB3.
        **options: options of the default trainer (``updates_per_observe``, ``past``, ``frozen`` ...) and of its D
            (``hidden``, ``dropout``, ``r1``, ``learning_rate`` ...). An ``AdversarialDQN`` that learned before keeps
            its trainer.
    """

    def __init__(
        self,
        trainer: DiscriminatorTrainer | None = None,
        *,
        every: int = 64,
        lead: int = 8,
        save_path: str | Path | None = None,
        load: str | Path | None = None,
        reconstruction: int = 3_000,
        generator_weight: float | None = None,
        verbose: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(verbose)
        if trainer is not None and options:
            raise TypeError(f"give options {sorted(options)} to the trainer's own constructor, or no trainer")
        if load is not None and (trainer is not None or options):
            raise TypeError("load=PATH brings a trainer and its options along: give no others")
        if every < 1 or lead < 1:
            raise ValueError(f"every and lead must be at least 1, not {every} and {lead}")
        self._given, self._options, self._load = trainer, options, load
        self._save_path = None if save_path is None else Path(save_path)
        # With the number of calls of each before the first one of this callback.
        self._checkpoints: list[tuple[CheckpointCallback, int]] = []
        self._evaluating: list[VecEnv] = []
        self.every, self.lead = every, lead
        self._waiting: list[tuple[Array, Array, Array]] = []
        self._reconstruction, self._generator_weight = reconstruction, generator_weight
        self.generator_trainer: GeneratorTrainer | None = None
        """Trains the task's content generator; None where it has none, or the algorithm teaches it."""
        self._works = 0  # number that were finished

    @property
    def _agent(self) -> TakesDiscriminator | None:
        return self.model if isinstance(self.model, TakesDiscriminator) else None

    @property
    def trainer(self) -> DiscriminatorTrainer:
        """The trainer of D.

        Raises:
            RuntimeError: ``learn`` has not begun.
        """
        if self._given is None:
            raise RuntimeError("the callback makes its trainer when learn() begins")
        return self._given

    def _on_training_start(self) -> None:
        agent = self._agent
        _refuse_processes(self.training_env, "the environment that is trained in")
        task = task_of(self.training_env)
        if self._given is None:
            self._given = self._found(task, None if agent is None else agent.trainer)
        self.training_env.env_method("set_discriminator", self.trainer.discriminator)
        if task.generator is not None:  # one for all rows
            self.training_env.env_method("set_generator", task.generator)
        if agent is not None:
            agent.set_discriminator(self.trainer, self.lead)
        elif task.generator is not None and self.generator_trainer is None:
            task.generator.to(str(self.model.device))
            settings = GeneratorSettings.of(task.generator.architecture.channels, weight=self._generator_weight)
            self.generator_trainer = GeneratorTrainer(
                task.generator, functools.partial(task.works, "train"), settings, self.model.seed or 0
            )
            self._rebuild(self.generator_trainer)
        every, self._evaluating = self.locals.get("callback", self), []
        for callback in _within(every):
            if isinstance(callback, EvalCallback):
                self._hand_over(callback.eval_env)
        self._share_reward()
        if self._save_path is not None:
            self._file(LATEST).parent.mkdir(parents=True, exist_ok=True)
            listed = [callback for callback in _listed(every) if isinstance(callback, CheckpointCallback)]
            self._checkpoints = [(callback, callback.n_calls - self.n_calls) for callback in listed]

    def _found(self, task: Task[Any], trainer: DiscriminatorTrainer | None) -> DiscriminatorTrainer:
        """Returns the trainer of ``load``, that of the agent, or else a new one."""
        device = str(self.model.device)
        if self._load is not None:
            path = Path(self._load)
            bare = path.with_name(f"{path.name}.zip")
            path = bare if bare.is_file() and not path.exists() else path
            path = path / LATEST if path.is_dir() else path
            if task.generator is not None and (beside := _generator_beside(path)).is_file():
                self.training_env.env_method("set_generator", ContentGenerator.load(beside))
            return load_trainer(path, task, self.model.seed or 0, device)
        if trainer is not None:
            return trainer
        if self.model.num_timesteps or self.model._n_updates:
            _logger.warning(
                "this %s has learned before, but its discriminator is a new one; to continue with the old one: "
                "DiscriminatorCallback(load=PATH), with the PATH of DiscriminatorCallback(save_path=PATH)",
                type(self.model).__name__,
            )
        return make_trainer(task, **{"seed": self.model.seed or 0, "device": device, **self._options})

    def _rebuild(self, generator_trainer: GeneratorTrainer) -> None:
        """Teaches a new generator to rebuild real works, and D to tell them."""
        for _ in range(0 if generator_trainer.given else self._reconstruction):
            losses, made, conditions = generator_trainer.rebuild(self.trainer.discriminator)
            if "generator_loss" in losses:
                self.trainer.observe(made, conditions)
            for name, value in losses.items():
                self.logger.record(f"generator/{name}", value)

    def _hand_over(self, env: VecEnv) -> None:
        """Shares D with an environment for evaluation, unless it names a frozen one."""
        task_of(env)
        if env.get_attr("named_discriminator")[0] in (None, "none"):
            _refuse_processes(env, "EvalCallback's environment")
            env.env_method("set_discriminator", self.trainer.discriminator)
            self._evaluating.append(env)
        generator = task_of(self.training_env).generator
        if generator is not None and task_of(env).kwargs().get("generator") is None:
            env.env_method("set_generator", generator)

    def _share_reward(self) -> None:
        """Copies the reward settings, which the agent's controller may change, to environments for evaluation."""
        agent = self._agent
        for env in self._evaluating:
            trained = self.training_env.get_attr("unwrapped")[0].rewards.settings
            env.env_method("set_reward", trained if agent is None else agent.reward_settings)

    def _file(self, name: str) -> Path:
        assert self._save_path is not None
        return self._save_path if self._save_path.suffix == ".zip" else self._save_path / name

    def _save(self, name: str) -> None:
        """Writes D with its trainer, and the content generator that this callback teaches beside it."""
        path = self._file(name)
        self.trainer.save(path)
        if self.generator_trainer is not None:
            self.generator_trainer.generator.save(_generator_beside(path))

    def _on_step(self) -> bool:
        if self._agent is None:
            if "infos" not in self.locals:
                raise RuntimeError(
                    f"{type(self.model).__name__} shows callbacks no infos, which hold the finished works: let the "
                    "environment train D, by co_trained(gym.make(id)) of musegym.discriminators"
                )
            nothing = np.zeros(0, np.int64)
            infos = [info for info in self.locals["infos"] if "content" in info]
            found = [(info["content"], info.get("condition", nothing), info.get("plan", nothing)) for info in infos]
            self._waiting += found
            self._works += len(found)
            if len(self._waiting) >= self.every:
                self._observe()
        if any((self.n_calls + more) % checkpoint.save_freq == 0 for checkpoint, more in self._checkpoints):
            self._save(LATEST)
            self._save(f"discriminator_{self.num_timesteps}_steps.zip")
        return True

    def _on_training_end(self) -> None:
        unused = not self._works and self._agent is None
        if unused and self.n_calls >= task_of(self.training_env).horizon:
            _logger.warning(
                "no work was finished, so that the discriminator has learned nothing: is there a time limit below the "
                "task's, or a wrapper that drops info['content']?"
            )
        if self._save_path is not None:
            self._save(LATEST)

    def _on_rollout_end(self) -> None:
        self._share_reward()

    def _observe(self) -> None:
        contents, conditions, plans = map(np.stack, zip(*self._waiting, strict=True))
        self._waiting = []
        stats = self.trainer.observe(contents, conditions)
        for name, value in stats.items():
            self.logger.record(f"discriminator/{name}", value)
        if self.generator_trainer is not None and self._generator_weight != 0:
            judge = self.trainer.discriminator
            for name, value in self.generator_trainer.learn(plans, conditions, judge).items():
                self.logger.record(f"generator/{name}", value)


def _generator_beside(path: Path) -> Path:
    """Returns the file of the content generator that belongs to a file of D."""
    return path.with_name(f"{path.stem}-generator.zip")


def _within(callback: Any, seen: set[int] | None = None) -> Iterator[BaseCallback]:
    """Yields a callback and all callbacks in its attributes, each once."""
    seen = set() if seen is None else seen
    if not isinstance(callback, BaseCallback) or id(callback) in seen:
        return
    seen.add(id(callback))
    yield callback
    for value in vars(callback).values():
        for held in value if isinstance(value, list) else [value]:
            yield from _within(held, seen)


def _listed(callback: BaseCallback) -> Iterator[BaseCallback]:
    """Yields the callbacks that are called at every step."""
    if isinstance(callback, CallbackList):
        for one in callback.callbacks:
            yield from _listed(one)
    else:
        yield callback


def _refuse_processes(env: VecEnv, which: str) -> None:
    """Raises ``RuntimeError`` for environments in other processes, where the error itself could not be read."""
    if isinstance(env.unwrapped, SubprocVecEnv):
        raise RuntimeError(
            f"{which} is a SubprocVecEnv, whose processes cannot share a live discriminator: its copies would never be "
            "trained; use make_sb3_env(...) or DummyVecEnv, or discriminator='PATH' for a frozen one"
        )
