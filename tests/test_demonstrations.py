"""Real works as episodes: drawn, streamed, dealt by length, or not there at all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import toys

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.agents.demonstrations import Demonstrations
from musegym.agents.schedule import Phase
from musegym.discriminators import DiscriminatorTrainer, make_discriminator
from musegym.envs import Works
from musegym.training.folder import Settings
from musegym.training.parameters import build

toys.register()
musegym.register("toy/Blind-v0", "toys:BlindTask")
musegym.register("toy/Stream-v0", "toys:StreamTask")
SMALL = {
    "policy_kwargs": {"hidden": 8, "embedding": 4},
    "demonstrations": 8,
    "batch_size": 8,
    "seed": 0,
    "warm_start": 0,
}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_batches_of_like_lengths_hold_what_was_drawn() -> None:
    real = Demonstrations(toys.WordTask())
    batches = [real.like_lengths(6, rng()) for _ in range(4)]
    drawn = real.sample(24, rng())
    assert sorted(drawn.lengths) == sorted(length for batch in batches for length in batch.lengths)
    assert all(batch.lengths.max() <= other.lengths.min() for batch, other in _in_order(batches))


def _in_order(batches):
    batches = sorted(batches, key=lambda batch: (batch.lengths.min(), batch.lengths.max()))
    return itertools.pairwise(batches)


def test_held_out_works_are_of_the_validation_split() -> None:
    task = toys.WordTask()
    held_out = Demonstrations(task).held_out
    assert sorted(map(bytes, held_out.contents)) == sorted(map(bytes, task.corpus("validation")))


def test_streams_replace_the_corpus() -> None:
    task = toys.StreamTask()
    seen = Demonstrations(task).sample(20, rng()).contents
    assert set(seen.sum(1)) == {0, 4}, "streamed works are all ones or all zeros, those of the corpus are neither"
    discriminator = make_discriminator(task, hidden=8)
    shown = []
    update = discriminator.update
    discriminator.update = lambda real, *others: shown.append(real) or update(real, *others)
    DiscriminatorTrainer(discriminator, task, batch_size=4).observe(task.corpus("test"))
    assert {int(total) for total in shown[0].sum(1)} <= {0, 4}


class Backwards(toys.WordTask):
    """Words read backwards are augmented works."""

    def augmented(self, works: Works) -> Works:
        lengths = (works.contents > 0).sum(1)
        turned = [np.pad(word[:n][::-1], (0, len(word) - n)) for word, n in zip(works.contents, lengths, strict=True)]
        return Works(np.array(turned), works.conditions)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 64), (1.0, 256)])
def test_the_warm_start_imitates_augmented_works_too(share: float, expected: int) -> None:
    task, draws = Backwards(), rng()
    train = task.works("train")
    own = set(map(bytes, train.contents))
    others = set(map(bytes, task.augmented(train).contents)) - own
    real = Demonstrations(task, share)
    batches = [real.like_lengths(64, draws) for _ in range(4)]
    words = [word for batch in batches for word in map(bytes, batch.contents)]
    assert set(words) <= own | others
    # Some words are the same backwards, or another word.
    likely = expected * np.mean([word in others for word in map(bytes, task.augmented(train).contents)])
    assert abs(sum(word in others for word in words) - likely) <= 4 * np.sqrt(expected) / 2
    assert {bytes(word) for word in real.sample(256, draws).contents} <= own, "rounds are of real works alone"


class TestWithoutDemonstrations:
    def test_the_agent_learns_from_what_it_builds(self, tmp_path) -> None:
        env = make_sb3_env("toy/Blind-v0", num_envs=8, seed=0, discriminator="none")
        model = AdversarialDQN("auto", env, lead=1, **SMALL)
        model.learn(96, callback=DiscriminatorCallback(hidden=8))
        assert model._n_updates == 2
        assert model.demonstrations == 0
        assert not model.real
        model.dump_logs()
        model.save(tmp_path / "model.zip")
        assert AdversarialDQN.load(tmp_path / "model.zip").num_timesteps == 96

    def test_there_is_nothing_to_imitate(self) -> None:
        with pytest.raises(ValueError, match="task has no demonstrations"):
            AdversarialDQN("auto", "toy/Blind-v0", warm_start=5)

    def test_a_budget_begins_with_the_lead(self) -> None:
        model = AdversarialDQN("auto", "toy/Blind-v0", schedule=(0.4, 0.1), **SMALL)
        model.set_budget(lambda: 0.05)
        assert model.phase is Phase.LEAD
        model.set_budget(lambda: 0.2)
        assert model.phase is Phase.JOINT

    @pytest.mark.parametrize("budget", [{"steps": 50, "seconds": None}, {"steps": None, "seconds": 5.0}])
    def test_the_command_line_leaves_the_warm_start_out(self, budget) -> None:
        params = {"discriminator.hidden": 8}
        model, _ = build(Settings(id="toy/Blind-v0", seed=0, num_envs=2, env_kwargs={}, params=params, **budget))
        assert model.schedule.warm_start == 0
