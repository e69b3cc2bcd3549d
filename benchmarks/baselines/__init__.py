"""Baselines: a random policy, and algorithms of Stable-Baselines3 with the same discriminator."""
