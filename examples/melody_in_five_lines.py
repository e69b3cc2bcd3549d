"""Random notes in four bars of a folk tune's metre: the environment without any agent. Writes melody.mid and more."""

from pathlib import Path

import gymnasium as gym

import musegym  # noqa: F401  (registers the environments)

env = gym.make("musegym/Melody-v0", discriminator="none")
_, info = env.reset(seed=0)
while "content" not in info:
    *_, info = env.step(env.action_space.sample(mask=info["action_mask"]))
print(*env.unwrapped.task.export(info["content"], Path("melody.mid"), info["condition"]))
