"""Statistics against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from musegym.benchmarks.metrics.stats import Interval, mean_by_group, paired_difference, share_above


def test_mean_by_group_of_agreeing_groups_has_no_width() -> None:
    values, groups = np.array([0.0, 1.0, 0.0, 1.0]), np.array([5, 5, 9, 9])
    assert mean_by_group(values, groups, np.random.default_rng(0)) == Interval(0.5, 0.5, 0.5)


def test_mean_by_group_is_as_wide_as_the_number_of_groups_says() -> None:
    # 25 tunes of 40 works that agree within their tune: the standard error is 0.1, that of 25 throws.
    rng = np.random.default_rng(1)
    values = np.repeat(np.arange(25) % 2, 40).astype(float)
    groups = np.repeat(np.arange(25), 40)
    whole = mean_by_group(values, groups, rng)
    alone = mean_by_group(values, np.arange(1000), rng)
    assert whole.high - whole.low == pytest.approx(2 * 1.96 * 0.1, rel=0.15)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * 0.0158, rel=0.15)


def test_paired_difference_sees_what_separate_intervals_hide() -> None:
    rng = np.random.default_rng(2)
    hard = rng.random(400) < 0.5
    a = hard.astype(float)
    b = a.copy()
    b[:40] -= 0.5
    groups = np.arange(400) // 2
    found = paired_difference(a, b, groups, rng)
    assert found.estimate == pytest.approx(0.05)
    assert 0 < found.low < 0.05 < found.high < 0.1
    separate = mean_by_group(a, groups, rng)
    assert separate.high - separate.low > 2 * (found.high - found.low)
    assert paired_difference(a, a, groups, rng) == Interval(0.0, 0.0, 0.0)


def test_paired_difference_weighs_works_not_groups() -> None:
    found = paired_difference(np.array([1, 1, 1, 0]), np.zeros(4), np.array([0, 0, 0, 1]), np.random.default_rng(0))
    assert found.estimate == 0.75


def test_paired_difference_needs_equal_lengths() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference(np.zeros(3), np.zeros(2), np.arange(3), np.random.default_rng(0))


def test_bootstraps_are_functions_of_their_generator() -> None:
    values, groups = np.random.default_rng(3).random(50), np.arange(50) // 5
    one, two = (mean_by_group(values, groups, np.random.default_rng(7)) for _ in range(2))
    assert one == two != mean_by_group(values, groups, np.random.default_rng(8))


def test_share_above_is_that_of_pairs() -> None:
    ones, others = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0])
    pairs = [(one > other) + (one == other) / 2 for one in ones for other in others]
    assert share_above(ones, others) == pytest.approx(np.mean(pairs))
    assert share_above(ones, others) + share_above(others, ones) == pytest.approx(1)
    assert share_above(ones, ones) == 0.5
