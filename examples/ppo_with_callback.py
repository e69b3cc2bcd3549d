"""Stable-Baselines3's PPO learns melodies from a discriminator that learns beside it."""

import argparse

from stable_baselines3 import PPO

from musegym.agents import DiscriminatorCallback, make_sb3_env


def main(steps: int = 20_000, num_envs: int = 64) -> None:
    """Trains for so many decisions."""
    env = make_sb3_env("musegym/Melody-v0", num_envs=num_envs, seed=0, discriminator="none")
    model = PPO("MlpPolicy", env, n_steps=128, batch_size=256, seed=0, device="cpu")
    callback = DiscriminatorCallback(every=num_envs)
    model.learn(steps, callback=callback)
    for name, value in sorted(callback.trainer.stats.items()):
        print(f"{name:24} {value:8.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--num-envs", type=int, default=64)
    main(**vars(parser.parse_args()))
