"""Phases and learning rates against values computed by hand."""

import dataclasses

import pytest

from musegym.agents.config import DQNConfig
from musegym.agents.schedule import COOLING, LEAD, RAMP, Phase, Progress, Schedule

START = Progress(spent=None, steps=0, total_steps=1000, warm_updates=0, lead_rounds=0, updates=0)


def schedule(demonstrated=True, **settings):
    return Schedule.of(DQNConfig(**settings), demonstrated)


def at(**fields):
    return dataclasses.replace(START, **fields)


@pytest.mark.parametrize(
    ("settings", "progress", "phase"),
    [
        ({"warm_start": 3}, {"warm_updates": 2}, Phase.WARM_START),
        ({"warm_start": 3}, {"warm_updates": 3}, Phase.LEAD),
        ({"warm_start": 0, "lead": 2}, {"lead_rounds": 1}, Phase.LEAD),
        ({"warm_start": 0, "lead": 2}, {"lead_rounds": 2}, Phase.JOINT),
        ({"warm_start": 0, "lead": 0}, {}, Phase.JOINT),
        ({"warm_start": 0}, {"lead_rounds": LEAD - 1}, Phase.LEAD),
        ({"warm_start": 0}, {"lead_rounds": LEAD}, Phase.JOINT),
        # One round of the lead at least, whatever share of the steps it is.
        ({"warm_start": 0, "schedule": (0.0, 0.1)}, {"steps": 100}, Phase.LEAD),
        ({"warm_start": 0, "schedule": (0.0, 0.1)}, {"steps": 99, "lead_rounds": 1}, Phase.LEAD),
        ({"warm_start": 0, "schedule": (0.0, 0.1)}, {"steps": 100, "lead_rounds": 1}, Phase.JOINT),
        ({"warm_start": 0, "discriminator_weight": 0.0}, {}, Phase.JOINT),
        # Time is the budget: counts mean nothing.
        ({"warm_start": 0, "schedule": (0.5, 0.25)}, {"spent": 0.49}, Phase.WARM_START),
        ({"warm_start": 9, "schedule": (0.5, 0.25)}, {"spent": 0.5}, Phase.LEAD),
        ({"lead": 9, "schedule": (0.5, 0.25)}, {"spent": 0.75}, Phase.JOINT),
    ],
)
def test_phases(settings, progress, phase):
    assert schedule(**settings).phase(at(**progress)) is phase


def test_without_demonstrations_nothing_is_imitated():
    without = schedule(demonstrated=False)
    assert without.phase(START) is without.phase(at(spent=0.01)) is Phase.LEAD
    assert without.warm_start == 0 < schedule().warm_start
    with pytest.raises(ValueError, match="leave warm_start at 0"):
        schedule(demonstrated=False, warm_start=1)


def test_rate_of_the_warm_start():
    by_steps = schedule(warm_start=200, warm_start_learning_rate=0.1)
    assert by_steps.imitation_rate(START) == pytest.approx(0.1 / RAMP)
    assert by_steps.imitation_rate(at(warm_updates=150)) == pytest.approx(0.1 / 4)
    by_time = schedule(warm_start_learning_rate=0.1, schedule=(0.5, 0.1))
    assert by_time.imitation_rate(at(spent=0.125, warm_updates=RAMP)) == pytest.approx(0.075)
    assert by_time.imitation_rate(at(spent=0.6, warm_updates=RAMP)) == 0, "the last update may end past its share"


def test_rate_of_joint_training():
    joint = schedule()
    assert joint.factor(1.0, 0) == pytest.approx(1 / RAMP)
    assert joint.factor(COOLING, RAMP) == 1
    assert joint.factor(COOLING / 3, RAMP) == pytest.approx(1 / 3)
    assert joint.factor(-0.1, RAMP) == 0, "the last round ends past the last step"


def test_what_remains():
    assert schedule().remaining(at(steps=250)) == 0.75
    by_time = schedule(schedule=(0.25, 0.25))
    assert by_time.remaining(at(spent=0.5)) == 1
    assert by_time.remaining(at(spent=0.75)) == 0.5
