"""Algorithms of Stable-Baselines3, trained against the same discriminator."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy

from ...agents import DiscriminatorCallback, make_sb3_env
from ...envs.registry import make_task
from ...envs.task import Array, Bools, Ints, State, Task
from .random_policy import rollout

REPORT_EVERY = 10.0
"""Seconds between lines of ``metrics.jsonl``."""
SB3_STEPS = 1_000_000_000
"""Never reached: the clock ends a run. SB3's schedules are shares of it."""


class SB3Sampler:
    """A trained algorithm of Stable-Baselines3 as a sampler of contents; it has no exact log-probabilities.

    PPO draws from its distribution; DQN takes the best decision, or with its last exploration rate any one.
    The environment replaces illegal decisions, as it did in training.
    """

    def __init__(self, model: BaseAlgorithm, task: Task[Any]) -> None:
        self.model, self.task = model, task

    @torch.no_grad()
    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` contents, under the conditions int [num, C] where the task has any."""
        rng, policy = np.random.default_rng(seed), self.model.policy
        policy.set_training_mode(False)

        def act(state: State, mask: Bools) -> Ints:
            obs, _ = policy.obs_to_tensor(self.task.observe(state))
            if isinstance(policy, ActorCriticPolicy):
                logits = policy.get_distribution(obs).distribution.logits.double().cpu().numpy()  # type: ignore[union-attr]
                best: Ints = (logits + rng.gumbel(size=logits.shape)).argmax(1)
                return best
            assert isinstance(self.model, DQN)
            best = self.model.q_net(obs).argmax(1).cpu().numpy()
            explores = rng.random(len(best)) < self.model.exploration_rate
            return np.where(explores, rng.integers(mask.shape[1], size=len(best)), best)

        return rollout(self.task, condition, num, rng, act)


class _Clock(BaseCallback):
    """Ends learning when the time is up and reports on the way."""

    def __init__(self, begun: float, seconds: float, file: Path) -> None:
        super().__init__()
        self.begun, self.seconds, self.file = begun, seconds, file
        self.reported = begun
        self.over = False

    def _on_step(self) -> bool:
        now = time.monotonic()
        self.over = now - self.begun >= self.seconds
        if self.over or now - self.reported >= REPORT_EVERY:
            self.reported = now
            rewards = [episode["r"] for episode in self.model.ep_info_buffer or ()]
            line = {"seconds": round(now - self.begun, 3), "steps": self.num_timesteps}
            line |= {"rollout/ep_rew_mean": float(np.mean(rewards))} if rewards else {}
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return not self.over


def train_sb3(
    algorithm: Literal["DQN", "PPO"],
    env_id: str,
    seconds: float,
    seed: int,
    out: Path,
    *,
    num_envs: int = 64,
    params: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
) -> SB3Sampler:
    """Trains an algorithm of SB3 beside a discriminator for a wall-clock time, or loads what an earlier call trained.

    Args:
        algorithm: with SB3's defaults, but for ``params``.
        env_id: a registered id.
        seconds: of training; making the environment is included.
        seed: of environment, algorithm and discriminator.
        out: folder for ``metrics.jsonl`` and ``policy.pt`` (weights only). A run without the latter starts anew.
        num_envs: rows of the environment.
        params: keyword arguments of the algorithm.
        env: keyword arguments of the environment.
    """
    begun = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    venv = make_sb3_env(env_id, num_envs=num_envs, seed=seed, **(env or {}))
    made = {"DQN": DQN, "PPO": PPO}[algorithm]
    model: BaseAlgorithm = made("MlpPolicy", venv, seed=seed, device="cpu", **(params or {}))
    weights = out / "policy.pt"
    if weights.exists():
        saved = torch.load(weights, weights_only=True)
        model.policy.load_state_dict(saved["policy"])
        if isinstance(model, DQN):
            model.exploration_rate = saved["exploration_rate"]
    else:
        lines = out / "metrics.jsonl"
        lines.unlink(missing_ok=True)
        clock = _Clock(begun, seconds, lines)
        model.learn(SB3_STEPS, callback=[DiscriminatorCallback(), clock])
        if not clock.over:
            raise RuntimeError(f"{algorithm} took {SB3_STEPS:,} steps before its time was up: SB3_STEPS must be larger")
        rate = model.exploration_rate if isinstance(model, DQN) else 0.0
        torch.save({"policy": model.policy.state_dict(), "exploration_rate": rate}, out / "policy.pt.partial")
        (out / "policy.pt.partial").replace(weights)
    venv.close()
    return SB3Sampler(model, make_task(env_id, **(env or {})))
