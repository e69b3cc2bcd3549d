"""Phases and learning rates against values computed by hand."""

import dataclasses

import pytest

from musegym.agents.config import LONGEST, DQNConfig
from musegym.agents.schedule import (
    CHECKS,
    COOLING,
    DECAY,
    EARLIEST,
    LEAD,
    LONGEST_UPDATES,
    RAMP,
    WINDOW,
    Phase,
    Plateau,
    Progress,
    Schedule,
)

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
    assert without.warm_start == 0
    assert schedule().phase(START) is Phase.WARM_START
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


def measured(nll, turns=True):
    """Returns the plateau after measurements of ``nll(position)`` wherever one is due, and where they were."""
    plateau, positions = Plateau(), []
    for position in (k / (10 * CHECKS) for k in range(10 * CHECKS)):
        if plateau.due(position) and not plateau.over:
            plateau.measure(position, nll(position), turns)
            positions.append(position)
    return plateau, positions


def test_measurements_are_evenly_spaced():
    plateau, positions = measured(lambda position: 100 - 50 * position)
    assert positions == pytest.approx([k / CHECKS for k in range(1, CHECKS)])
    assert not plateau.over
    plateau.measure(1.0, 50.0, turns=True)
    assert plateau.over


def test_a_warm_start_of_known_length_never_turns():
    plateau, _ = measured(lambda position: 100.0, turns=False)
    assert plateau.turned is None
    assert plateau.end == 1
    assert not plateau.over


def test_a_likelihood_that_improves_keeps_the_warm_start_until_its_longest():
    plateau, _ = measured(lambda position: 100 - 50 * position)
    assert plateau.turned == pytest.approx(1 / (1 + DECAY))
    assert plateau.end == pytest.approx(1)


def test_a_likelihood_that_stays_turns_the_rate_at_the_earliest():
    plateau, _ = measured(lambda position: 100.0)
    assert plateau.turned == pytest.approx(max(EARLIEST, 2 * WINDOW / CHECKS), abs=1 / CHECKS)
    assert plateau.end == pytest.approx((1 + DECAY) * plateau.turned)


def test_the_rate_turns_soon_after_the_likelihood_stops_improving():
    plateau, _ = measured(lambda position: 100 - 50 * min(position, 0.4))
    assert 0.4 < plateau.turned <= 0.4 + (2 * WINDOW + 1) / CHECKS


def test_validation_ends_the_warm_start():
    by_time, by_steps = schedule(warm_start_learning_rate=0.1, schedule=(None, 0.1)), schedule()
    assert by_time.ends_by_validation(at(spent=0.1))
    assert by_steps.ends_by_validation(START)
    assert not schedule(warm_start=9).ends_by_validation(START)
    assert not schedule(schedule=(0.5, 0.1)).ends_by_validation(at(spent=0.1))
    for made, unit in ((by_time, LONGEST), (by_steps, LONGEST_UPDATES)):
        field = "spent" if made is by_time else "warm_updates"
        made.plateau.turned = 0.4
        end = (1 + DECAY) * 0.4
        assert made.phase(at(**{field: 0.99 * end * unit})) is Phase.WARM_START
        made.plateau.measured.append(1.0)
        assert made.phase(at(**{field: 1.01 * end * unit})) is Phase.WARM_START, "until it is measured at its end"
        made.plateau.measure(1.01 * end, 1.0, turns=True)
        assert made.phase(at(**{field: 1.01 * end * unit})) is Phase.LEAD
    end *= LONGEST
    assert by_time.phase(at(spent=end + 0.11)) is Phase.JOINT
    assert by_time.remaining(at(spent=end + 0.1)) == pytest.approx(1)
    rates = [by_time.imitation_rate(at(spent=LONGEST * at_, warm_updates=RAMP)) for at_ in (0.1, 0.4, 0.45, 0.5, 0.51)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0, 0])


def test_a_plateau_continues_as_saved():
    plateau, other = measured(lambda position: 100 - 50 * min(position, 0.4))[0], Plateau()
    other.load_state_dict(plateau.state_dict())
    assert other.state_dict() == plateau.state_dict()
    assert other.factor(0.5) == plateau.factor(0.5)
