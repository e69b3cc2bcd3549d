"""An SB3 algorithm as one file that is read without executing anything of it."""

from __future__ import annotations

import abc
import dataclasses
import json
import logging
from typing import Any, Self

import numpy as np
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import get_device
from stable_baselines3.common.vec_env import VecEnv

from ..discriminators import DiscriminatorTrainer
from ..envs.task import Task
from . import files
from .adversary import Adversary
from .config import DQNConfig, changed
from .controller import Adjustment, Controller
from .demonstrations import Demonstrations
from .episodes import Episodes
from .learner import Learner
from .policies import BoltzmannPolicy
from .precision import choose
from .replay import EpisodeBuffer
from .sb3 import TaskVecEnv, make_sb3_env, wrappers_of

COUNTS = ("num_timesteps", "_episode_num", "_n_updates", "_rounds", "warm_updates", "lead_rounds")


LOG = logging.getLogger(__name__)


class WrongArgumentError(ValueError):
    """A model was to be loaded with an environment or arguments that do not fit; the file is not to blame."""


def described(env: VecEnv) -> dict[str, Any]:
    """Returns the arguments of ``make_sb3_env`` that make an environment again, without its wrappers.

    Raises:
        ValueError: it was not made from a registered id.
    """
    made = env.unwrapped
    if isinstance(made, TaskVecEnv):
        return {"env_id": made.env_id, "num_envs": made.num_envs, **made.env_kwargs}
    spec = made.get_attr("spec")[0]
    if spec is None:
        raise ValueError("only agents whose environment was made from an id can be saved: make_sb3_env(id, ...)")
    kwargs = {name: value for name, value in spec.kwargs.items() if name not in ("task", "render_mode")}
    return {"env_id": spec.id, "num_envs": made.num_envs, **kwargs}


def _refuse_another_task(model: SavedAlgorithm, weights: dict[str, torch.Tensor], env_id: str) -> None:
    """Raises ``WrongArgumentError`` where weights are not of the policy that a model's environment asks for."""
    shapes = {name: value.shape for name, value in model.policy.q_net.state_dict().items()}
    if shapes != {name: value.shape for name, value in weights.items()}:
        raise WrongArgumentError(
            f"the environment builds contents of {type(model.task).__name__}, and the model learned on {env_id}: "
            f"load it without env, or with one of make_sb3_env({env_id!r}, ...)"
        )


class SavedAlgorithm(OffPolicyAlgorithm):
    """The part of ``AdversarialDQN`` that writes and reads files; it only names what it needs of the rest."""

    config: DQNConfig
    env: VecEnv
    policy: BoltzmannPolicy
    task: Task[Any]
    learner: Learner
    replay: EpisodeBuffer
    real: Demonstrations
    rng: np.random.Generator
    generator: torch.Generator
    adversary: Adversary
    controller: Controller | None

    @abc.abstractmethod
    def _apply(self, adjustment: Adjustment) -> None:
        """Makes the adjustments of the controller."""

    def save(  # type: ignore[override]  # no pickle: there is nothing to exclude or include
        self, path: files.Target, training: bool = True, half: bool = False
    ) -> None:
        """Writes one file: JSON and tensors.

        Args:
            path: replaced as a whole, or not at all; ``.zip`` is added where it has no suffix. Or an open file.
            training: keeps everything that learning on depends on (optimisers, replay, D and its trainer, random
                states), so that a loaded agent goes on exactly as this one would. A frozen D that was handed to the
                constructor is not kept: pass it to ``load`` again.
            half: stores the policy in 16 bits, for shipping; leaves ``training`` out.
        """
        config = {
            "env": described(self.env),
            "wrappers": wrappers_of(self.env),
            "arguments": dataclasses.asdict(self.config)
            | {"learning_rate": self.lr_schedule(self._current_progress_remaining)},
        }
        weights = {name: value.half() if half else value for name, value in self.policy.q_net.state_dict().items()}
        tensors: dict[str, Any] = {"policy": weights}
        if training and not half:
            tensors["training"] = self._training_state()
            trainer = self.adversary.trainer
            if trainer is not None:
                tensors["trainer"] = trainer.state_dict()
            if self.controller is not None:
                unhurried = {} if trainer is None else self.adversary.backup.weights
                weights = {"best_weights": self.learner.best.weights, "unhurried": unhurried}
                tensors["controller"] = self.controller.state_dict() | weights
        files.write(path, config, tensors)

    @classmethod
    def load(  # type: ignore[override]
        cls,
        path: files.Target,
        env: GymEnv | None = None,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        **changes: Any,
    ) -> Self:
        """Reads what ``save`` wrote; the environment is made anew from its id, without wrappers.

        Args:
            path: the file, with or without its ``.zip``, or an open one.
            env: another environment of the same task, such as one under wrappers.
            device: where to.
            precision: of learning on, there; see ``AdversarialDQN``.
            **changes: constructor arguments to change, such as ``tensorboard_log``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or doctored, the environment does not fit, or the device cannot learn in the
                precision.
        """
        choose(precision, get_device(device))  # for whose mistakes the file is not to blame
        config, tensors = files.read(path)
        given = env
        try:
            if "task" in config["env"]:
                raise ValueError("it sets 'task', which no saved model does")
            if env is None:
                if wrappers := config.get("wrappers"):
                    names = ", ".join(map(str, wrappers))
                    LOG.warning("this model learned under %s, which its file does not hold: pass load(env=...)", names)
                env = make_sb3_env(seed=config["arguments"]["seed"], **config["env"])
            saved = changed(DQNConfig(), config["arguments"])
            try:
                model = cls("auto", env, **{"config": saved, "device": device, "precision": precision, **changes})
            except (TypeError, ValueError) as error:
                if given is None and not changes:
                    raise
                raise WrongArgumentError(f"the model cannot be loaded with these arguments: {error}") from error
            weights = {name: value.float() for name, value in tensors["policy"].items()}
            if not all(value.isfinite().all() for value in weights.values()):
                raise ValueError("its weights are not finite")
            if model.config.relative_to_prior and any(name.startswith("prior.") for name in weights):
                model.policy.freeze_prior(relative=True)
            if given is not None:
                _refuse_another_task(model, weights, config["env"]["env_id"])
            model.policy.q_net.load_state_dict(weights)
            model.policy.q_net_target.load_state_dict(weights)
            if "trainer" in tensors:
                trainer = DiscriminatorTrainer.from_state_dict(tensors["trainer"], model.task, str(device))
                model.adversary.take(trainer)
            if "training" in tensors:
                model._load_training_state(tensors["training"])
            if "controller" in tensors and model.controller is not None:
                model._load_controller_state(model.controller, tensors["controller"])
        except WrongArgumentError:
            raise
        except files.UNREADABLE as error:
            raise files.unusable(path, error) from error
        return model

    def _load_controller_state(self, controller: Controller, state: dict[str, Any]) -> None:
        """Continues from a controller's state and the weights beside it.

        Raises:
            ValueError: they are of other networks, or no numbers that a controller comes to.
        """
        self.learner.best.load(state["best_weights"])
        controller.load_state_dict(state)
        if self.adversary.trainer is not None:
            self.adversary.backup.load(state["unhurried"])
            self._apply(controller.adjustment())

    def _training_state(self) -> dict[str, Any]:
        return self.learner.state_dict() | {
            "episodes": self.replay.state_dict(),
            "waiting": [batch.state_dict() for batch in self.real.waiting],
            "rng": json.dumps(self.rng.bit_generator.state),
            "generator": self.generator.get_state(),
            "predictions": self.policy.generator.get_state(),
            "counts": {name: getattr(self, name) for name in COUNTS},
        }

    def _load_training_state(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state)
        self.replay.load_state_dict(state["episodes"])
        self.real.waiting = [Episodes.from_state_dict(batch) for batch in state["waiting"]]
        self.rng.bit_generator.state = json.loads(state["rng"])
        if state["generator"].shape == self.generator.get_state().shape:  # another kind of device draws otherwise
            self.generator.set_state(state["generator"])
        self.policy.generator.set_state(state["predictions"])
        for name in COUNTS:
            setattr(self, name, type(getattr(self, name))(state["counts"][name]))
