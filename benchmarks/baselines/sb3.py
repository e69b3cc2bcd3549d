"""Algorithms of Stable-Baselines3, trained against the same discriminator."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from ...agents import DiscriminatorCallback, make_sb3_env
from ...agents.generators import ContentGenerator
from ...agents.sb3 import task_of
from ..samplers import AgentSampler
from ..tables.rows import Row

REPORT_EVERY = 10.0
"""Seconds between lines of ``metrics.jsonl``."""
SB3_STEPS = 1_000_000_000
"""Never reached: the clock ends a run. SB3's schedules are shares of it."""


class _Clock(BaseCallback):
    """Ends learning when the time is up and reports on the way."""

    def __init__(self, begun: float, seconds: float, file: Path) -> None:
        super().__init__()
        self.begun, self.seconds, self.file = begun, seconds, file
        self.reported = begun
        self.over = False

    def _on_step(self) -> bool:
        now = time.process_time()
        self.over = now - self.begun >= self.seconds
        if self.over or now - self.reported >= REPORT_EVERY:
            self.reported = now
            rewards = [episode["r"] for episode in self.model.ep_info_buffer or ()]
            line = {"seconds": round(now - self.begun, 3), "steps": self.num_timesteps}
            line |= {"rollout/ep_rew_mean": float(np.mean(rewards))} if rewards else {}
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return not self.over


ROWS = 128
"""Works that algorithms of SB3 build side by side where a row says nothing else."""


def train_sb3(row: Row, seconds: float, seed: int, out: Path) -> AgentSampler:
    """Trains an algorithm of SB3 against a discriminator for some processor time, or loads what it trained before.

    Args:
        row: its ``method`` is the algorithm, with SB3's defaults but for ``params``.
        seconds: of training; making the environment is included.
        seed: of environment, algorithm and discriminator.
        out: folder for ``metrics.jsonl``, ``policy.pt`` (weights only) and, where the task has a content generator,
            ``generator.zip``. A run without a policy starts anew.
    """
    begun = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    venv = make_sb3_env(row.env_id, num_envs=row.num_envs or ROWS, seed=seed, **row.env)
    algorithm = {"DQN": DQN, "PPO": PPO}[row.method]
    model: BaseAlgorithm = algorithm("MlpPolicy", venv, seed=seed, device="cpu", **row.params)
    weights, generator = out / "policy.pt", out / "generator.zip"
    if weights.exists():
        saved = torch.load(weights, weights_only=True)
        model.policy.load_state_dict(saved["policy"])
        if isinstance(model, DQN):
            model.exploration_rate = saved["exploration_rate"]
        if generator.exists():
            venv.env_method("set_generator", ContentGenerator.load(generator))
    else:
        lines = out / "metrics.jsonl"
        lines.unlink(missing_ok=True)
        clock = _Clock(begun, seconds, lines)
        model.learn(SB3_STEPS, callback=[DiscriminatorCallback(), clock])
        if not clock.over:
            raise RuntimeError(
                f"{row.method} took {SB3_STEPS:,} steps before its time was up: SB3_STEPS must be larger"
            )
        if (taught := task_of(venv).generator) is not None:
            taught.save(generator)
        rate = model.exploration_rate if isinstance(model, DQN) else 0.0
        torch.save({"policy": model.policy.state_dict(), "exploration_rate": rate}, out / "policy.pt.partial")
        (out / "policy.pt.partial").replace(weights)
    return AgentSampler(model)
