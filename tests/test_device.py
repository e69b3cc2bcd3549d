"""An agent and its discriminator on each device that torch finds, and a model taken from one to another."""

import numpy as np
import pytest
import torch
import toys

from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.agents.generation import generate_episodes

toys.register()
GPU = pytest.param(
    "cuda",
    marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device: run it where one is"),
)
NETWORK = {"hidden": 16, "embedding": 8}
D = {"hidden": 8, "embedding": 4, "batch_size": 8}


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("env_id", ["toy/Word-v0", "toy/Bits-v0"])
def test_learns_on_a_device_and_is_taken_to_the_cpu(env_id, device, tmp_path):
    env = make_sb3_env(env_id, 16, seed=0, discriminator="none")
    model = AdversarialDQN(
        "auto", env, demonstrations=8, replayed=4, warm_start=3, lead=1, policy_kwargs=NETWORK, seed=0, device=device
    )
    before = [weight.clone() for weight in model.q_net.parameters()]
    model.learn(400, callback=DiscriminatorCallback(**D))
    assert {weight.device.type for weight in model.q_net.parameters()} == {device}
    assert {weight.device.type for weight in model.discriminator.network.parameters()} == {device}
    assert any(not torch.equal(old, new) for old, new in zip(before, model.q_net.parameters(), strict=True))
    works = generate_episodes(model, 12)
    model.save(tmp_path / "model.zip")
    taken = AdversarialDQN.load(tmp_path / "model.zip")
    assert taken.device.type == "cpu"
    built = works.contents, works.conditions
    np.testing.assert_allclose(taken.log_prob(*built), model.log_prob(*built), atol=1e-4)
    np.testing.assert_allclose(taken.discriminator.logits(*built), model.discriminator.logits(*built), atol=1e-4)
