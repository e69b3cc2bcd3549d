"""The judges: they see what is there and nothing that is not, and never see a group on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from musegym.benchmarks.judges import c2st as judges
from musegym.benchmarks.judges.c2st import balanced_accuracy, c2st, c2st_taught, folds
from musegym.benchmarks.judges.networks import ARCHITECTURES, AXES, lengths, prepare, self_likeness
from musegym.envs import Frames, Grid, Image, Layout, Sequence, Volume, Works

NOTES = Sequence((12, 4), (4, 1, 11, 3), "int16")
LAYOUTS: dict[str, Layout] = {
    "sequence": Sequence((8, 3), (3, 3, 3)),
    "tokens": Sequence((8,), (3,)),
    "grid": Grid((8, 9), (3,)),
    "volume": Volume((8, 5, 6), (3,)),
    "grey": Image((8, 9)),
    "colours": Image((8, 9, 3)),
    "frames": Frames((8, 5, 6, 3)),
    "palette": Frames((8, 5, 6), (3,), cells=True),
}


def alone(name: str) -> dict[str, Any]:
    """One architecture of judges."""
    return {name: ARCHITECTURES[name]}


def phrases(n: int, rng: np.random.Generator, stay: float = 0.8, repeats: float = 0.0, groups: Any = None) -> Works:
    """Melody-like contents int16 [n, 12, 4]: steps up or down that keep their direction with probability ``stay``.

    A share ``repeats`` of them says its first six notes again.
    """
    pitch, step = np.zeros((n, 12), int), np.ones(n, int)
    pitch[:, 0] = rng.integers(10, size=n)
    for t in range(1, 12):
        step = np.where(rng.random(n) < stay, step, -step)
        pitch[:, t] = (pitch[:, t - 1] + step) % 10
    again = rng.random(n) < repeats
    pitch[again, 6:] = pitch[again, :6]
    contents = np.zeros((n, 12, 4), np.int16)
    contents[..., 0] = np.arange(12) // 3
    contents[..., 2] = pitch + 1
    contents[..., 3] = 1 + (np.arange(12) % 2)
    ends = rng.integers(8, 13, size=n)
    contents[np.arange(12) >= ends[:, None]] = 0
    return Works(contents, rng.integers(3, size=(n, 1)), np.arange(n) if groups is None else groups)


def plane(name: str, n: int, rng: np.random.Generator, floor: bool = False) -> Works:
    """Random contents of a layout; with a floor, the fifth line is of the largest value throughout."""
    layout = LAYOUTS[name]
    contents = rng.integers(0, layout.sizes[0], (n, *layout.shape)).astype(layout.dtype)
    if floor:
        contents[:, 4] = layout.sizes[0] - 1
    return Works(contents, np.arange(2 * n).reshape(n, 2) % 4)


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
        train, valid = args[3], args[4]
        assert not set(both[train]) & set(both[valid])
        last[:] = [train, valid]
        return fit(*args, **kwargs)

    monkeypatch.setattr(judges, "EPOCHS", 1)
    monkeypatch.setattr(judges, "ARCHITECTURES", alone("convolutional"))
    monkeypatch.setattr(judges, "fit", spy_fit)
    real, fake = phrases(120, rng, groups=groups), phrases(120, rng)
    real.contents[:, 0, 1], fake.contents[:, 0, 1] = np.arange(120), 120 + np.arange(120)  # tells works apart
    tested: list[np.ndarray] = []

    def spy_predict(net: Any, part: torch.Tensor, chunk: int = 512) -> torch.Tensor:
        rows = part[:, 0, 1].numpy()
        if not np.array_equal(rows, last[1]):
            assert not set(both[rows]) & (set(both[last[0]]) | set(both[last[1]]))
            tested.append(rows)
        return predict(net, part, chunk)

    monkeypatch.setattr(judges, "predict", spy_predict)
    assert c2st(real, fake, NOTES).judged.all()
    assert sorted(np.concatenate(tested)) == list(range(240)), "every work is judged exactly once"
    assert all(sorted(rows[rows < 120]) == sorted(rows[rows >= 120] - 120) for rows in tested), "pairs are together"


def test_obvious_fakes_are_found_and_results_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "EPOCHS", 8)
    rng = np.random.default_rng(0)
    real, fake = phrases(150, rng, 0.9, groups=np.arange(150) // 2), phrases(150, rng, 0.1)
    state = torch.get_rng_state()
    found = c2st(real, fake, NOTES, seeds=1)
    assert found.accuracy > 0.85
    assert torch.equal(torch.get_rng_state(), state), "the global generator is put back"
    again = c2st(real, fake, NOTES, seeds=1)
    assert again.summary() == found.summary()
    assert np.array_equal(again.correct_fake, found.correct_fake)
    assert found.judged.sum() == pytest.approx(30, abs=2)
    assert found.per_seed[0] == pytest.approx(
        (found.correct_real[found.judged].mean() + found.correct_fake[found.judged].mean()) / 2
    )


@pytest.mark.slow
def test_repetition_is_seen_by_the_convolutional_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "ARCHITECTURES", alone("convolutional"))
    rng = np.random.default_rng(0)
    real, fake = phrases(400, rng, 0.5, repeats=0.9), phrases(400, rng, 0.5)
    assert c2st(real, fake, NOTES, seeds=1).accuracy > 0.7


def test_the_worse_judge_is_chosen_without_looking_at_the_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    real, fake = phrases(100, rng, 0.9), phrases(100, rng, 0.1)

    def fit(name: str, x: Any, y: torch.Tensor, train: Any, valid: Any, **how: Any) -> Any:
        return (name, y), {"recurrent": 0.6, "convolutional": 0.7}[name]

    def predict(net: Any, x: torch.Tensor, chunk: int = 512) -> torch.Tensor:
        return torch.zeros(len(x)) + (1.0 if net[0] == "recurrent" else 0.0)  # recurrent calls all of them real

    monkeypatch.setattr(judges, "fit", fit)
    monkeypatch.setattr(judges, "predict", predict)
    found = c2st(real, fake, NOTES)
    assert found.chosen == ("recurrent",) * 5
    assert found.correct_real.all()
    assert not found.correct_fake.any()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_layout_is_read(name: str, architecture: str) -> None:
    works = plane(name, 6, np.random.default_rng(0))
    with_conditions = prepare(works.contents, LAYOUTS[name], works.conditions)
    for x in (with_conditions, prepare(works.contents, LAYOUTS[name])):
        net = ARCHITECTURES[architecture][x.ndim == 3](x).eval()
        logits = net(x)
        assert logits.shape == (6,)
        assert torch.unique(logits).numel() > 1
        torch.testing.assert_close(net(x[:1]), logits[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["volume", "grid", "colours", "frames", "palette"])
def test_planes_are_judged_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "EPOCHS", 9)
    rng = np.random.default_rng(0)
    assert c2st(plane(name, 100, rng, floor=True), plane(name, 100, rng), LAYOUTS[name], seeds=1).accuracy > 0.8


def test_conditions_stand_beside_what_is_not_padding() -> None:
    contents = np.array([[[1, 0], [0, 0], [2, 1], [0, 0]], [[0, 0], [0, 0], [0, 0], [0, 0]]])
    layout, conditions = Sequence((4, 2), (3, 2)), np.array([[0, 3], [2, 1]])
    x = prepare(contents, layout, conditions)
    assert x[0].tolist() == [[1, 0, 1, 4], [0, 0, 1, 4], [2, 1, 1, 4], [0, 0, 0, 0]]
    assert lengths(x).tolist() == lengths(prepare(contents, layout)).tolist() == [3, 1]
    assert prepare(contents, layout).tolist() == contents.tolist()


def test_conditions_of_cells_and_pixels_are_everywhere() -> None:
    works = plane("volume", 3, np.random.default_rng(0))
    x = prepare(works.contents, LAYOUTS["volume"], works.conditions)
    assert x.shape == (3, 8, 5, 6, 3)
    assert np.array_equal(x[..., 0], works.contents)
    assert (x[..., 1:].numpy() == 1 + works.conditions[:, None, None, None]).all()
    works = plane("colours", 4, np.random.default_rng(0))
    x = prepare(works.contents, LAYOUTS["colours"], works.conditions)
    assert (x.dtype, x.shape) == (torch.float32, (4, 5, 8, 9))
    np.testing.assert_allclose(x[:, :3], works.contents.transpose(0, 3, 1, 2) / 255, rtol=1e-6)
    np.testing.assert_allclose(x[:, 3, 0, 0], [1 / 3, 1, 1 / 3, 1])  # 0, 2, 0, 2, counted from 1
    np.testing.assert_allclose(x[:, 4, 7, 8], [0.5, 1, 0.5, 1])


@pytest.mark.parametrize("name", ["tokens", "grid", "grey"])
def test_judges_see_conditions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "EPOCHS", 12)
    monkeypatch.setattr(judges, "ARCHITECTURES", alone("convolutional"))
    rng = np.random.default_rng(0)
    kept, layout = plane(name, 200, rng), LAYOUTS[name]
    works = Works(kept.contents, (np.arange(200) % 2)[:, None])
    works.contents[works.conditions[:, 0] == 1] = layout.sizes[0] - 1  # a work tells its condition
    others = Works(works.contents, works.conditions[::-1])
    assert c2st(works, others, layout, seeds=1).accuracy > 0.9
    without = Works(works.contents)
    assert c2st(without, without, layout, seeds=1).accuracy < 0.75


def test_a_line_makes_a_new_layout_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Score(Grid):
        kind = "score"

    layout, works = Score((8, 9), (3,)), plane("grid", 60, np.random.default_rng(0))
    with pytest.raises(ValueError, match="judges do not know the layout 'score'"):
        c2st(works, works, layout, seeds=1)
    monkeypatch.setattr(judges, "EPOCHS", 1)
    monkeypatch.setitem(AXES, "score", 2)
    assert 0 <= c2st(works, works, layout, seeds=1).accuracy <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fake": Works(np.zeros((60, 5, 4), int))}, "one shape"),
        ({"fake": Works(np.zeros((59, 12, 4), int))}, "as many contents"),
        ({"seeds": 6}, "1 to 5 seeds"),
        ({"real": Works(np.zeros((60, 12, 4), int), groups=np.zeros(60, int))}, "groups"),
    ],
)
def test_bad_input_is_a_clear_error(arguments: dict[str, Any], message: str) -> None:
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"real": phrases(60, rng), "fake": phrases(60, rng), "layout": NOTES}
    with pytest.raises(ValueError, match=message):
        c2st(**{**given, **arguments})


@pytest.mark.slow
def test_the_floor_is_a_half() -> None:
    """Two samples of one source: 0.5 within three standard errors of 2 x 1,500 works; a maximum over judges is not."""
    rng = np.random.default_rng(5)
    found = c2st(phrases(1500, rng), phrases(1500, rng), NOTES)
    assert found.accuracy == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(3000))


@pytest.mark.slow
def test_a_slight_difference_is_seen() -> None:
    rng = np.random.default_rng(6)
    assert c2st(phrases(1500, rng, 0.7), phrases(1500, rng, 0.6), NOTES).accuracy > 0.57


@pytest.mark.slow
def test_taught_judges_see_what_is_there_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    train, test = phrases(600, rng, groups=np.arange(600) // 2), phrases(300, rng)
    same = c2st_taught((train, phrases(600, rng)), (test, phrases(300, rng)), NOTES)
    assert abs(same.accuracy - 0.5) < 0.06
    other = c2st_taught((train, phrases(600, rng, stay=0.5)), (test, phrases(300, rng, stay=0.5)), NOTES)
    assert other.accuracy > 0.7
    assert other.accuracy == pytest.approx((other.correct_real.mean() + other.correct_fake.mean()) / 2)
    with pytest.raises(ValueError, match="as many generated"):
        c2st_taught((train, train.take(slice(5))), (test, test), NOTES)
