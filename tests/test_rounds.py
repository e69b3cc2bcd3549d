"""Sizes of a round by the horizon, and that explicit ones win."""

import itertools
from types import SimpleNamespace

import pytest
import toys

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.agents.rounds import BY_HORIZON, round_of

toys.register()

SMALL = {"policy_kwargs": {"hidden": 8, "embedding": 4}, "seed": 0}


@pytest.mark.parametrize(("horizon", "rows"), [(1, 1024), (128, 1024), (129, 512), (256, 256), (10_000, 128)])
def test_rows_by_horizon(horizon, rows):
    assert round_of(SimpleNamespace(horizon=horizon)).rows == rows


def test_longer_works_never_make_larger_rounds():
    for (shorter, large), (longer, small) in itertools.pairwise(BY_HORIZON):
        assert shorter < longer
        assert large.rows > small.rows
        assert large.rows / large.minibatch == small.rows / small.minibatch, "as many updates in a round"


def test_an_id_gets_the_rows_of_the_table():
    model = AdversarialDQN("auto", "toy/Word-v0", **SMALL)
    sizes = round_of(model.task)
    assert (model.env.num_envs, model.minibatch) == sizes
    assert model.demonstrations == sizes.minibatch // 4
    assert model.minibatches == sizes.rows // sizes.minibatch


def test_explicit_sizes_win():
    env = make_sb3_env("toy/Word-v0", 12, seed=0, discriminator="none")
    model = AdversarialDQN("auto", env, minibatch=3, demonstrations=5, **SMALL)
    assert (model.env.num_envs, model.minibatches, model.demonstrations) == (12, 4, 5)
