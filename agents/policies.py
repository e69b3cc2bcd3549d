"""The Boltzmann policy of the Q-network as a Stable-Baselines3 policy."""

from __future__ import annotations

import copy
from typing import Any, Self

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.common.utils import get_device

from ..envs.task import Array, Task
from . import checkpoint as files
from .episodes import Look, draw
from .networks import Inputs, RecurrentQ
from .sb3 import id_of, make_sb3_env, task_of

Remembered = tuple[NDArray[Any], ...]


class BoltzmannPolicy(BasePolicy):
    """pi(a|s) = softmax(Q(s, .)/tau) over legal actions, with its target network.

    ``predict`` is recurrent: pass the returned state on, and ``episode_start`` where an episode begins.

    Args:
        observation_space: of the task.
        action_space: of the task.
        lr_schedule: unused, as the algorithm has the optimisers; part of SB3's signature.
        task: the domain; restores its states from observations.
        seed: of the draws of ``predict``.
        **network: arguments of ``RecurrentQ``: hidden, embedding, dropout, sight.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Schedule,
        *,
        task: Task[Any],
        seed: int = 0,
        **network: Any,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.task = task
        self.network_kwargs = network
        sizes = task.feature_sizes, task.condition_sizes
        self.q_net = RecurrentQ(task.num_actions, *sizes, view_shape=task.view_shape, **network)
        self.q_net_target = copy.deepcopy(self.q_net).eval().requires_grad_(False)
        self.prior: RecurrentQ | None = None
        """The policy at the end of the warm start, where learning needs it."""
        self.generator = torch.Generator().manual_seed(seed)

    def freeze_prior(self, relative: bool) -> None:
        """Keeps the present policy as the prior; ``relative`` adds later learning to the prior's logits."""
        self.q_net_target.load_state_dict(self.q_net.state_dict())
        self.prior = copy.deepcopy(self.q_net_target)
        self.prior.dropout.turn_off()  # ``add_to`` makes it a part of a network in training
        if relative:
            self.q_net.add_to(self.prior)
            self.q_net_target.add_to(self.prior)

    def save(self, path: files.Target) -> None:
        """Writes one file: JSON and tensors, replaced as a whole or not at all; ``.zip`` is added to a bare name.

        Raises:
            ValueError: the task is not registered, so that a file could not name it.
        """
        config = {"env": {"env_id": id_of(self.task), **self.task.kwargs()}, "network": self.network_kwargs}
        files.write(path, config, {"policy_alone": self.state_dict()})

    @classmethod
    def load(cls, path: files.Target, device: torch.device | str = "auto") -> Self:
        """Reads a file of ``save``; executes none of it.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, doctored or something else, or its task is not registered.
        """
        config, tensors = files.read(path)
        if "policy_alone" not in tensors:
            raise ValueError(f"{path} is a whole model, not a policy alone: read it with AdversarialDQN.load")
        try:
            if "task" in config["env"]:
                raise ValueError("it sets 'task', which no saved policy does")
            env, weights = make_sb3_env(num_envs=1, discriminator="none", **config["env"]), tensors["policy_alone"]
            spaces = env.observation_space, env.action_space
            policy = cls(*spaces, lambda _: 0.0, task=task_of(env), **config["network"])
            if any(name.startswith("prior.") for name in weights):
                policy.freeze_prior(relative=any(name.startswith("q_net.prior.") for name in weights))
            policy.load_state_dict(weights)
        except files.UNREADABLE as error:
            raise files.unusable(path, error) from error
        return policy.to(get_device(device))

    def predict(
        self,
        observation: Array | dict[str, Array],
        state: Remembered | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: Array | None = None,
    ) -> tuple[NDArray[Any], Remembered | None]:
        """Chooses actions.

        Args:
            observation: [n, ...], or one without the first axis.
            state: the memory that the last call returned; None at the start.
            episode_start: bool [n], rows that begin an episode, whose memory is reset.
            deterministic: the most probable action instead of a draw.
            action_masks: legal actions [n, A]; the task's own where None.

        Returns:
            Actions [n] (or one), and the memory: LSTM state [n, H], [n, H] and the actions [n, 1].
        """
        observations = np.asarray(observation)
        single = observations.ndim == len(self.observation_space.shape or ())
        if single:
            observations = observations[None]
        n, hidden = len(observations), self.q_net.memory_size
        if state is None:
            state = (*(np.zeros((n, hidden), np.float32) for _ in range(2)), np.full((n, 1), self.q_net.num_actions))
        h, c, last = (array.copy() for array in state)
        if episode_start is not None:
            begins = np.asarray(episode_start, bool).reshape(n)
            h[begins], c[begins], last[begins] = 0.0, 0.0, self.q_net.num_actions
        restored = self.task.restore(observations)
        training, device, look = self.q_net.training, self.device, Look.of(self.task, restored)
        if action_masks is not None:
            look = look._replace(mask=np.asarray(action_masks, bool).reshape(n, -1))
        features, mask, view = look.tensors(device)
        self.q_net.eval()
        with torch.no_grad():
            inputs = Inputs(
                torch.from_numpy(last.astype(np.int64)).to(device),
                features[:, None],
                torch.from_numpy(self.task.condition(restored).astype(np.int64)).to(device),
                mask[:, None],
                view[:, None],
            )
            log_policy, memory = self.q_net.decide(
                inputs, (torch.from_numpy(h).to(device)[None], torch.from_numpy(c).to(device)[None])
            )
        self.q_net.train(training)
        temperature = 0.0 if deterministic else 1.0
        actions = draw(log_policy[:, 0].cpu(), temperature, self.generator).numpy()
        new_state = (*(array[0].cpu().numpy() for array in memory), actions[:, None])
        return (actions[0] if single else actions), new_state

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        assert isinstance(observation, torch.Tensor)
        actions, _ = self.predict(observation.cpu().numpy(), deterministic=deterministic)
        return torch.from_numpy(actions)

    def forward(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        """Chooses actions at the start of episodes: without memory, later steps need ``predict``."""
        return self._predict(observation, deterministic)
