"""Real learning on a toy whose distribution is known: what D adds must show."""

import numpy as np
import pytest
import torch
from toys import BitsTask

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.envs import Works

torch.set_num_threads(1)  # a second thread is slower for networks this small
pytestmark = pytest.mark.slow
EVERY = np.array(list(np.ndindex(2, 2, 2, 2)), np.int8)
PROBABILITIES = np.random.default_rng(3).dirichlet(np.full(16, 0.5))
ROUNDS = 400
ROWS = 64


class KnownTask(BitsTask):
    """Four bits whose works are drawn from a known, far from uniform distribution."""

    def works(self, split):
        seed = ("train", "validation", "test").index(split)
        return Works(EVERY[np.random.default_rng(seed).choice(16, 4000, p=PROBABILITIES)])


def learned(frozen: bool, d: dict | None = None, **options) -> np.ndarray:
    """Returns the probabilities that the agent gives to the sixteen works."""
    musegym.register("toy/Known-v0", "test_learning:KnownTask")
    env = make_sb3_env("toy/Known-v0", ROWS, seed=0, discriminator="none")
    settings = {
        "seed": 0, "warm_start": 0, "lead": 0, "cross_entropy": 0.0, "demonstrations": ROWS, "replayed": 0,
        "learning_rate": 3e-3,
        "policy_kwargs": {"hidden": 24, "embedding": 12, "dropout": 0.0}, **options,
    }  # fmt: skip
    model = AdversarialDQN("auto", env, **settings)
    judge = {"batch_size": ROWS, "past": 1000, "hidden": 24, "embedding": 12}
    callback = DiscriminatorCallback(frozen=frozen, **{**judge, "learning_rate": 3e-3, **(d or {})})
    model.learn(4 * ROWS * ROUNDS, callback=callback)
    return np.exp(model.log_prob(EVERY))


def distance(probabilities: np.ndarray) -> float:
    """Returns the total variation from the data."""
    return 0.5 * float(np.abs(probabilities - PROBABILITIES).sum())


def test_reaches_the_distribution_of_the_works_from_scratch():
    uniform = distance(np.full(16, 1 / 16))
    assert uniform > 0.4
    reached = distance(learned(frozen=False))
    stuck = distance(learned(frozen=True))
    print(f"total variation: uniform {uniform:.3f}, co-trained D {reached:.3f}, frozen D {stuck:.3f}")
    assert reached < 0.12, "about what 4,000 works and a D of 24 units leave"
    assert stuck > 0.3


def test_the_controller_mends_a_d_that_learns_too_slowly():
    options = {"d": {"learning_rate": 3e-4}}
    mended, left = (distance(learned(frozen=False, controller=controller, **options)) for controller in (True, False))
    print(f"total variation with a tenth of D's rate: controller {mended:.3f}, none {left:.3f}")
    assert mended < 0.7 * left


def test_a_d_that_learns_too_fast_is_no_obstacle():
    """Ten times D's rate, with the controller; this toy forgives it without one too, digits and points less."""
    reached = distance(learned(frozen=False, d={"learning_rate": 3e-2}))
    print(f"total variation with ten times D's rate: {reached:.3f}")
    assert reached < 0.12, "as at D's own rate"
