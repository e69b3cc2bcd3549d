"""The discriminator as an agent uses it: live, frozen or none."""

import numpy as np
import pytest
import torch
import toys

from musegym.agents.adversary import READ, Adversary
from musegym.discriminators import DiscriminatorTrainer, make_discriminator

TASK = toys.WordTask()
D = {"hidden": 8, "embedding": 4, "recurrent": 0}


def trainer(**options):
    return DiscriminatorTrainer(make_discriminator(TASK, **D), TASK, batch_size=8, **options)


def works(num=12):
    """Contents [num, ...] and their conditions."""
    real = TASK.works("train").take(slice(num))
    return real.contents, real.conditions


def test_none_scores_nothing():
    with pytest.raises(RuntimeError, match="no discriminator"):
        Adversary().logits(*works())
    with pytest.raises(RuntimeError, match="no trainer"):
        Adversary().observe(*works())


def test_a_frozen_one_only_scores():
    d = make_discriminator(TASK, **D)
    frozen = Adversary(d)
    assert not frozen.live
    assert np.array_equal(frozen.logits(*works()), d.logits(*works()))
    with pytest.raises(RuntimeError, match="no trainer"):
        frozen.set_rate(2.0)


def test_is_live_from_attach_to_freeze():
    one, own = Adversary(make_discriminator(TASK, **D)), trainer()
    one.attach(own, lead=3)
    assert (one.live, one.lead) == (True, 3)
    assert one.discriminator is own.discriminator
    one.observe(*works())
    assert own.discriminator.updates == 1
    one.freeze()
    assert not one.live
    assert one.trainer is own, "to be saved"


def test_rates_are_of_those_of_the_settings():
    one, own = Adversary(), trainer()
    one.attach(own, lead=1)
    for times in (0.5, 2.0):
        one.set_rate(times)
        rates = [group["lr"] for group in own.discriminator.optimizer.param_groups]
        assert rates == [pytest.approx(times * own.discriminator.settings.learning_rate)] * len(rates)


def test_weights_are_kept_while_the_trainer_is_the_same():
    one, own = Adversary(), trainer()
    one.attach(own, lead=1)
    one.backup.keep()
    one.attach(own, lead=1)
    assert one.backup.weights
    one.attach(trainer(), lead=1)
    assert not one.backup.weights, "they are of another D"


def test_a_reading_is_of_the_first_contents():
    one = Adversary()
    one.attach(trainer(), lead=1)
    rng = np.random.default_rng(0)
    real = TASK.works("train")
    rows = rng.integers(len(real), size=2 * READ)
    drawn = real.take(rows)
    rows[READ:] = rows[0]
    changed = real.take(rows)
    reading = one.reading(drawn.contents, drawn.conditions)
    assert reading == one.reading(changed.contents, changed.conditions)
    assert reading != one.reading(changed.contents[::-1], changed.conditions[::-1])
    assert reading != one.reading(drawn.contents, 1 - drawn.conditions), "D sees the conditions"


def test_a_rehearsal_leaves_everything_as_it_was():
    one, own = Adversary(), trainer()
    one.attach(own, lead=1)
    before = {name: value.clone() for name, value in own.discriminator.network.state_dict().items()}
    slow, fast = one.rehearse(*works(), (1.0, 10.0), 2)
    assert len(slow[0]) == len(one.held_out)
    assert not np.array_equal(slow[0], fast[0])
    assert all(torch.equal(value, before[name]) for name, value in own.discriminator.network.state_dict().items())
