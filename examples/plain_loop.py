"""Any loop over a Gymnasium environment trains the discriminator, once the environment is wrapped.

Here a table of how often each action is taken moves towards the episodes that the discriminator likes
(REINFORCE with a running baseline): a poor agent, to show that the loop needs no framework.
"""

import argparse

import gymnasium as gym
import numpy as np

import musegym  # noqa: F401  (registers the environments)
from musegym.discriminators import co_trained


def main(steps: int = 20_000, num_envs: int = 64, rate: float = 0.02) -> None:
    """Trains for so many decisions."""
    env = co_trained(gym.make_vec("musegym/Melody-v0", num_envs=num_envs, autoreset_mode="SameStep"))
    rng = np.random.default_rng(0)
    preferences = np.zeros(env.single_action_space.n)
    counts, baseline = np.zeros((num_envs, len(preferences))), 0.0
    _, info = env.reset(seed=0)
    for _ in range(max(1, steps // num_envs)):
        noise = rng.gumbel(size=counts.shape)
        actions = np.where(info["action_mask"], preferences + noise, -np.inf).argmax(1)
        counts[np.arange(num_envs), actions] += 1
        _, rewards, done, _, info = env.step(actions)
        if done.any():
            taken = counts[done] / counts[done].sum(1, keepdims=True)
            preferences += rate * ((rewards[done] - baseline)[:, None] * (taken - taken.mean(0))).sum(0)
            baseline += 0.1 * (rewards[done].mean() - baseline)
            counts[done] = 0
    for name, value in sorted(env.trainer.stats.items()):
        print(f"{name:24} {value:8.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--num-envs", type=int, default=64)
    main(**vars(parser.parse_args()))
