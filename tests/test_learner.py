"""The learner and the backup of weights, without an environment."""

import gymnasium as gym
import numpy as np
import pytest
import torch
import toys

from musegym.agents.backup import Backup
from musegym.agents.config import DQNConfig
from musegym.agents.episodes import trace
from musegym.agents.learner import Batch, Learner
from musegym.agents.policies import BoltzmannPolicy

TASK = toys.WordTask()
NETWORK = {"hidden": 16, "embedding": 8, "dropout": 0.0}


def learner(**settings):
    torch.manual_seed(0)
    spaces = TASK.observation_space, gym.spaces.Discrete(TASK.num_actions)
    policy = BoltzmannPolicy(*spaces, lambda _: 0.0, task=TASK, **NETWORK)
    return Learner(policy, DQNConfig(**settings), TASK.horizon)


def works(num):
    real = TASK.works("train").take(slice(num))
    return trace(TASK, real.contents, real.conditions)


def rewards_at_end(episodes, ends):
    rewards = np.zeros((len(episodes), int(episodes.lengths.max())), np.float32)
    rewards[np.arange(len(episodes)), episodes.lengths - 1] = ends
    return rewards


def test_imitation_raises_the_likelihood():
    one, real = learner(), works(8)
    before = one.log_prob(real).mean()
    metrics = one.imitate(real, 0.01)
    assert metrics["cross_entropy"] == pytest.approx(-before, rel=1e-4), "measured before the step"
    assert one.log_prob(real).mean() > before


def test_an_update_raises_the_probability_of_what_was_rewarded():
    one, built = learner(cross_entropy=0.0), works(8)
    built.log_probs[:] = one.relabelled(built).log_probs
    ends = np.where(np.arange(8) < 4, 3.0, -3.0)
    before = one.log_prob(built)
    metrics = one.update(Batch(built), rewards_at_end(built, ends), 0.01)
    assert "cross_entropy" not in metrics
    assert metrics["entropy"] == pytest.approx(-before.mean(), rel=1e-4)
    gained = one.log_prob(built) - before
    assert gained[:4].mean() > 0 > gained[4:].mean()


def test_the_temperature_divides_rewards():
    built = works(8)
    ends = np.linspace(-1, 1, 8)
    losses = [
        learner().update(Batch(built), rewards_at_end(built, scale * ends), 0.0, temperature)["dqn_loss"]
        for scale, temperature in ((1.0, 1.0), (4.0, 4.0), (4.0, 1.0))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[2] > 1.1 * losses[0]


@pytest.mark.parametrize(("share", "left"), [(1.0, 0.0), (0.25, 0.75)])
def test_the_target_moves_by_a_share(share, left):
    one = learner()
    pairs = list(zip(one.policy.q_net.parameters(), one.policy.q_net_target.parameters(), strict=True))
    with torch.no_grad():
        for source, _ in pairs:
            source.add_(1.0)
    one.sync_target(share)
    for source, target in pairs:
        torch.testing.assert_close(source - target, torch.full_like(source, left))


def test_relabelled_episodes_have_the_policys_log_probs():
    one, real = learner(), works(5)
    again = one.relabelled(real)
    np.testing.assert_allclose(again.log_probs.sum(1), one.log_prob(real), rtol=1e-5)
    assert not real.log_probs.any(), "the given ones stay as they are"


def test_a_loss_that_is_not_finite_changes_nothing():
    one, built = learner(), works(4)
    before = one.log_prob(built)
    with pytest.raises(FloatingPointError, match="learning_rate"):
        one.update(Batch(built), rewards_at_end(built, np.nan), 0.1)
    assert np.array_equal(one.log_prob(built), before)


def test_parts_of_a_batch():
    a, b, c = works(3), works(4), works(2)
    batch = Batch(a, b, c)
    assert (len(batch.episodes), batch.num_built) == (9, 7)
    assert np.array_equal(batch.episodes.actions[3:7], b.actions)
    assert Batch(a, real=c).built == Batch(a).parts == [a]


class TestBackup:
    def test_gives_weights_back(self):
        network, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        backup, before = Backup("best", network, other), network.weight.detach().clone()
        backup.keep()
        with torch.no_grad():
            network.weight.mul_(2)
        assert torch.equal(backup.weights["weight"], before), "a copy"
        backup.restore()
        assert torch.equal(network.weight, before)
        assert torch.equal(other.weight, before)
        backup.clear()
        assert not backup.weights

    @pytest.mark.parametrize(
        ("weights", "words"),
        [
            ({"x": torch.zeros(3)}, "best are of another network"),
            ({"weight": torch.full((2, 3), torch.nan), "bias": torch.zeros(2)}, "best are not finite"),
        ],
    )
    def test_refuses(self, weights, words):
        backup = Backup("best", torch.nn.Linear(3, 2))
        with pytest.raises(ValueError, match=words):
            backup.load(weights)
        assert not backup.weights
