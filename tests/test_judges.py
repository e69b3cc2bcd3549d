"""The judges: they see what is there and nothing that is not, and never see a group on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from musegym.benchmarks.judges import c2st as judges
from musegym.benchmarks.judges.c2st import balanced_accuracy, c2st, c2st_taught, folds
from musegym.benchmarks.judges.networks import judge_network, lengths, self_likeness


def phrases(n: int, rng: np.random.Generator, stay: float = 0.8, repeats: float = 0.0) -> np.ndarray:
    """Melody-like contents int16 [n, 1 + 12, 4]: steps up or down that keep their direction with probability ``stay``.

    A share ``repeats`` of them says its first six notes again.
    """
    pitch, step = np.zeros((n, 12), int), np.ones(n, int)
    pitch[:, 0] = rng.integers(10, size=n)
    for t in range(1, 12):
        step = np.where(rng.random(n) < stay, step, -step)
        pitch[:, t] = (pitch[:, t - 1] + step) % 10
    again = rng.random(n) < repeats
    pitch[again, 6:] = pitch[again, :6]
    contents = np.zeros((n, 13, 4), np.int16)
    contents[:, 0, 0] = rng.integers(3, size=n)
    contents[:, 1:, 0] = np.arange(12) // 3
    contents[:, 1:, 2] = pitch + 1
    contents[:, 1:, 3] = 1 + (np.arange(12) % 2)
    ends = rng.integers(8, 13, size=n)
    contents[:, 1:][np.arange(12) >= ends[:, None]] = 0
    return contents


def test_folds_keep_groups_whole_and_sizes_even() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(60, size=700)
    part = folds(groups, 5, rng)
    assert all(len(set(part[groups == group])) == 1 for group in np.unique(groups))
    assert np.ptp(np.bincount(part, minlength=5)) <= 3
    assert not np.array_equal(part, folds(groups, 5, np.random.default_rng(1)))


def test_a_constant_judge_is_right_half_the_time_whatever_the_sizes() -> None:
    is_real = np.arange(100) < 70
    assert balanced_accuracy(is_real, is_real) == 0.5
    assert balanced_accuracy(np.ones(100, bool), is_real) == 1.0


def test_lengths_and_likeness_by_hand() -> None:
    x = torch.tensor([[[1, 5], [2, 5], [1, 6], [0, 0]]])
    assert lengths(x).tolist() == [3]
    valid = torch.tensor([[True, True, True, False]])
    like = self_likeness(x, valid, lags=2)[0]  # [C, L, lags]
    assert like[0].tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]  # row 2 says again what row 0 said, 2 before
    assert like[1].tolist() == [[0, 0], [1, 0], [0, 0], [0, 0]]


def test_no_group_is_on_both_sides_of_a_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(120) // 3
    both = np.tile(groups, 2)
    fit, predict = judges.fit, judges.predict
    last: list[np.ndarray] = []

    def spy_fit(*args: Any, **kwargs: Any) -> Any:
        train, valid = args[4], args[5]
        assert not set(both[train]) & set(both[valid])
        last[:] = [train, valid]
        return fit(*args, **kwargs)

    monkeypatch.setattr(judges, "EPOCHS", 1)
    monkeypatch.setattr(judges, "ARCHITECTURES", ("convolutional",))
    monkeypatch.setattr(judges, "fit", spy_fit)
    real, fake = phrases(120, rng), phrases(120, rng)
    real[:, 0, 1], fake[:, 0, 1] = np.arange(120), 120 + np.arange(120)  # tells works apart
    tested: list[np.ndarray] = []

    def spy_predict(net: Any, part: torch.Tensor, chunk: int = 512) -> torch.Tensor:
        rows = part[:, 0, 1].numpy()
        if not np.array_equal(rows, last[1]):
            assert not set(both[rows]) & (set(both[last[0]]) | set(both[last[1]]))
            tested.append(rows)
        return predict(net, part, chunk)

    monkeypatch.setattr(judges, "predict", spy_predict)
    assert c2st(real, fake, groups).judged.all()
    assert sorted(np.concatenate(tested)) == list(range(240)), "every work is judged exactly once"


def test_obvious_fakes_are_found_and_results_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "EPOCHS", 5)
    rng = np.random.default_rng(0)
    real, fake = phrases(150, rng, 0.9), phrases(150, rng, 0.1)
    groups = np.arange(150) // 2
    state = torch.get_rng_state()
    found = c2st(real, fake, groups, seeds=1)
    assert found.accuracy > 0.85
    assert torch.equal(torch.get_rng_state(), state), "the global generator is put back"
    again = c2st(real, fake, groups, seeds=1)
    assert again.summary() == found.summary()
    assert np.array_equal(again.correct_fake, found.correct_fake)
    assert found.judged.sum() == pytest.approx(30, abs=2)
    assert found.per_seed[0] == pytest.approx(
        (found.correct_real[found.judged].mean() + found.correct_fake[found.judged].mean()) / 2
    )


@pytest.mark.slow
def test_repetition_is_seen_by_the_convolutional_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "ARCHITECTURES", ("convolutional",))
    rng = np.random.default_rng(0)
    real, fake = phrases(400, rng, 0.5, repeats=0.9), phrases(400, rng, 0.5)
    found = c2st(real, fake, np.arange(400), seeds=1)
    assert found.accuracy > 0.7


def test_the_worse_judge_is_chosen_without_looking_at_the_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    real, fake = phrases(100, rng, 0.9), phrases(100, rng, 0.1)

    def fit(name: str, kind: Any, x: Any, y: torch.Tensor, train: Any, valid: Any, **how: Any) -> Any:
        return (name, y), {"recurrent": 0.6, "convolutional": 0.7}[name]

    def predict(net: Any, x: torch.Tensor, chunk: int = 512) -> torch.Tensor:
        return torch.zeros(len(x)) + (1.0 if net[0] == "recurrent" else 0.0)  # recurrent calls all of them real

    monkeypatch.setattr(judges, "fit", fit)
    monkeypatch.setattr(judges, "predict", predict)
    found = c2st(real, fake, np.arange(100))
    assert found.chosen == ("recurrent",) * 5
    assert found.correct_real.all()
    assert not found.correct_fake.any()


@pytest.mark.parametrize("kind", ["grid", "image"])
def test_planes_are_judged_too(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "EPOCHS", 6)
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 3, (100, 8, 9)), rng.integers(0, 3, (100, 8, 9))
    real[:, 4] = 2  # a floor
    if kind == "image":
        real, fake = ((x * 100).astype(np.uint8)[..., None].repeat(3, -1) for x in (real, fake))
    assert c2st(real, fake, np.arange(100), kind=kind, seeds=1).accuracy > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fake": np.zeros((60, 5, 4), int)}, "one shape"),
        ({"seeds": 6}, "1 to 5 seeds"),
        ({"groups": np.zeros(60, int)}, "groups"),
    ],
)
def test_bad_input_is_a_clear_error(arguments: dict[str, Any], message: str) -> None:
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"real": phrases(60, rng), "fake": phrases(60, rng), "groups": np.arange(60)}
    with pytest.raises(ValueError, match=message):
        c2st(**{**given, **arguments})
    with pytest.raises(ValueError, match="no judge architecture 'oracle'"):
        judge_network("oracle", "sequence", torch.zeros(2, 3, 1, dtype=torch.int64))


@pytest.mark.slow
def test_the_floor_is_a_half() -> None:
    """Two samples of one source: 0.5 within three standard errors of 2 x 1,500 works; a maximum over judges is not."""
    rng = np.random.default_rng(5)
    found = c2st(phrases(1500, rng), phrases(1500, rng), np.arange(1500))
    assert found.accuracy == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(3000))


@pytest.mark.slow
def test_a_slight_difference_is_seen() -> None:
    rng = np.random.default_rng(6)
    found = c2st(phrases(1500, rng, 0.7), phrases(1500, rng, 0.6), np.arange(1500))
    assert found.accuracy > 0.57


@pytest.mark.slow
def test_taught_judges_see_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    train, test, groups = phrases(600, rng), phrases(300, rng), np.arange(600) // 2
    same = c2st_taught((train, phrases(600, rng)), groups, (test, phrases(300, rng)))
    assert abs(same.accuracy - 0.5) < 0.06
    other = c2st_taught((train, phrases(600, rng, stay=0.5)), groups, (test, phrases(300, rng, stay=0.5)))
    assert other.accuracy > 0.7
    assert other.accuracy == pytest.approx((other.correct_real.mean() + other.correct_fake.mean()) / 2)
    with pytest.raises(ValueError, match="as many generated"):
        c2st_taught((train, train[:5]), groups, (test, test))
