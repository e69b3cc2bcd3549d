"""Baselines: chance, and the algorithms of Stable-Baselines3 with the same discriminator."""
