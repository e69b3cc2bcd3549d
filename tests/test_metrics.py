"""Measures against cases small enough to work out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import toys

from musegym.benchmarks.metrics import population as metrics
from musegym.benchmarks.metrics.features import FeatureNet, frechet
from musegym.envs import Frames, Grid, Image, Layout, Sequence, Volume, Works

LAYOUTS: dict[str, Layout] = {
    "sequence": Sequence((12, 1), (9,)),
    "tokens": Sequence((12,), (9,)),
    "grid": Grid((12, 10), (9,)),
    "image": Image((12, 10)),
    "volume": Volume((12, 6, 5), (9,)),
    "frames": Frames((12, 6, 5, 3)),
    "palette": Frames((12, 6, 5), (9,), cells=True),
}


def line(*points: float) -> np.ndarray:
    return np.array(points, np.float64)[:, None]


def test_distances_and_nearest_by_hand() -> None:
    x = line(0, 1, 3)
    assert np.allclose(metrics.distances(x, line(2)), [[2], [1], [1]])
    assert np.allclose(metrics.nearest(x, 1), [1, 1, 2])
    assert np.allclose(metrics.nearest(x, 2), [3, 2, 3])


def test_coinciding_points_are_at_distance_zero() -> None:
    x = np.random.default_rng(0).normal(size=(50, 64)) + 100
    assert (np.diag(metrics.distances(x, x)) == 0).all()


def test_nearest_needs_enough_points() -> None:
    with pytest.raises(ValueError, match="nearest neighbours"):
        metrics.nearest(line(0, 1), 2)


def test_precision_recall_by_hand() -> None:
    # Real balls with k = 1: [-1, 1], [0, 2], [8, 12], [10, 14]; generated 0.5 and 9 lie inside, 5 does not.
    # Generated balls, radii 4.5 (to 5), 4 (to 9), 4 (to 5): [-4, 5], [1, 9], [5, 13]; of the real points 0, 1, 10, 12
    # all lie inside one.
    found = metrics.precision_recall(line(0, 1, 10, 12), line(0.5, 5, 9), k=1)
    assert found == pytest.approx({"precision": 2 / 3, "recall": 1.0})
    collapsed = metrics.precision_recall(line(0, 1, 10, 12), line(0.5, 0.6, 0.7), k=1)
    assert collapsed == pytest.approx({"precision": 1.0, "recall": 0.0})


def test_density_coverage_by_hand() -> None:
    # 0.5 lies in two real balls, 9 in one, 5 in none: density (2 + 1 + 0) / 3 / k; three of four balls hold one.
    found = metrics.density_coverage(line(0, 1, 10, 12), line(0.5, 5, 9), k=1)
    assert found == pytest.approx({"density": 1.0, "coverage": 0.75})


def test_unique_and_novel() -> None:
    contents = np.array([[[1, 2]], [[1, 2]], [[3, 4]], [[5, 6]]], np.int16)
    assert metrics.unique(contents) == 0.75
    assert metrics.novel(contents, np.array([[[1, 2]], [[9, 9]]], np.int64)) == 0.5


def test_longest_runs_by_hand() -> None:
    train = np.array([[1, 2, 3, 4, 0], [7, 8, 9, 0, 0]])
    mine = np.array([
        [2, 3, 4, 5, 0],  # 2 3 4
        [4, 7, 8, 0, 0],  # 7 8: runs cross from no work into the next
        [5, 6, 5, 6, 5],  # nothing
        [1, 2, 3, 4, 0],  # all of it
        [3, 2, 1, 9, 0],  # single tokens only
        [0, 0, 0, 0, 0],  # padding belongs to no run
    ])  # fmt: skip
    assert metrics.longest_runs(mine, train).tolist() == [3, 2, 0, 4, 1, 0]


def brute_run(a: np.ndarray, train: np.ndarray) -> int:
    best = 0
    for b in train:
        table = np.zeros((len(a) + 1, len(b) + 1), int)
        for i in range(len(a)):
            for j in range(len(b)):
                if a[i] == b[j] != 0:
                    table[i + 1, j + 1] = table[i, j] + 1
        best = max(best, int(table.max()))
    return best


def test_longest_runs_agree_with_dynamic_programming() -> None:
    rng = np.random.default_rng(0)
    train, mine = rng.integers(0, 4, (40, 12)), rng.integers(0, 4, (30, 15))
    assert metrics.longest_runs(mine, train).tolist() == [brute_run(row, train) for row in mine]


def test_longest_runs_of_copies_are_whole() -> None:
    rng = np.random.default_rng(0)
    train = rng.integers(1, 30, (2_000, 40))
    mine = train[rng.integers(len(train), size=200)].copy()
    assert (metrics.longest_runs(mine, train) == 40).all()


def test_row_tokens_tell_rows_apart_and_spot_padding() -> None:
    contents = np.array([[[1, 2], [2, 1], [0, 0]], [[1, 2], [3, 0], [1, 2]]], np.int16)
    tokens = metrics.row_tokens(contents)
    assert tokens.shape == (2, 3)
    assert tokens[0, 2] == 0
    assert (tokens[1] > 0).all()
    assert tokens[0, 0] == tokens[1, 0] == tokens[1, 2] != tokens[0, 1]


class CountTask(toys.BitsTask):
    """Four decisions, 1 ends early and counts 4; of contents with a 9 there is no demonstration, of others a wrong one.

    Decisions are written down as they are taken; building ends at the first 1.
    """

    def advance(self, state: Any, actions: np.ndarray) -> Any:
        state, done = super().advance(state, actions)
        return state, done | (actions == 1)

    def demonstrations(self, contents: np.ndarray, conditions: Any = None) -> np.ndarray:
        if (contents == 9).any():
            raise ValueError("9 cannot be built")
        return (contents > 0).astype(np.int64)


def test_validity_halves_the_batch_around_what_cannot_be_built() -> None:
    good, late, wrong, never = [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [9, 0, 0, 0]
    works = Works(np.array([good, late, never, good, wrong, never, late], np.int8))
    task = CountTask()
    assert metrics.valid(task, works).tolist() == [True, True, False, True, False, False, True]
    assert metrics.validity(task, works) == pytest.approx(4 / 7)
    assert metrics.valid(task, works.take(slice(0))).tolist() == []


def test_validity_is_of_works_under_their_conditions() -> None:
    task = toys.WordTask()
    works = task.works("train")
    assert metrics.validity(task, works) == 1
    assert metrics.validity(task, Works(works.contents, 1 - works.conditions)) == 0


def test_frechet_in_closed_form() -> None:
    # Diagonal covariances: |mu|^2 + sum (s_x - s_y)^2. Points at +-s sqrt((n-1)/n) have exactly those moments.
    def cloud(mean: list[float], deviation: list[float]) -> np.ndarray:
        signs = np.array([[a, b] for a in (-1, 1) for b in (-1, 1)], float)
        return np.array(mean) + signs * np.array(deviation) * np.sqrt(3 / 4)

    x, y = cloud([0, 0], [1, 2]), cloud([3, 4], [2, 5])
    assert frechet(x, y) == pytest.approx(25 + 1 + 9)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_of_correlated_gaussians_is_that_of_scipy() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 1
    cx, cy = np.cov(x.T), np.cov(y.T)
    textbook = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx + cy - 2 * sqrtm(cx @ cy).real)
    assert frechet(x, y) == pytest.approx(textbook, rel=1e-6)
    flat = np.concatenate([x, np.zeros((300, 1))], 1)  # a feature that never moves: singular covariance
    assert frechet(flat, np.concatenate([y, np.zeros((200, 1))], 1)) == pytest.approx(textbook, rel=1e-5)


def test_frechet_refuses_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        frechet(np.array([[np.nan], [1.0]]), np.zeros((2, 1)))


def chains(n: int, rng: np.random.Generator, stay: float) -> np.ndarray:
    """Walks over 8 values that keep their step with probability ``stay``: int [n, 12, 1]."""
    values, step = np.zeros((n, 12), int), np.ones(n, int)
    values[:, 0] = rng.integers(8, size=n)
    for t in range(1, 12):
        step = np.where(rng.random(n) < stay, step, -step)
        values[:, t] = (values[:, t - 1] + step) % 8
    return values[..., None] + 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_features_see_a_difference_and_are_cached(name: str, tmp_path: Any, caplog: Any) -> None:
    rng, layout = np.random.default_rng(0), LAYOUTS[name]
    train, same, other = (chains(200, rng, stay).reshape(-1, 12, 1) for stay in (0.9, 0.9, 0.5))
    per_step = int(np.prod(layout.shape[1:]))
    shade = 1 if layout.categorical else 28
    train, same, other = (
        (shade * x.repeat(per_step, 2)).reshape(-1, *layout.shape).astype(layout.dtype) for x in (train, same, other)
    )
    net = FeatureNet(train, layout, folder=tmp_path, updates=25)
    assert net(train).shape == (200, 64)
    assert abs(net(train).mean()) < 1e-3
    assert frechet(net(other), net(train)) > 1.5 * frechet(net(same), net(train))

    (path,) = tmp_path.glob("features-*.npz")
    before = path.stat().st_mtime_ns
    again = FeatureNet(train, layout, folder=tmp_path, updates=25)
    assert np.array_equal(again(same), net(same))
    assert path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:1000])
    healed = FeatureNet(train, layout, folder=tmp_path, updates=25)
    assert np.array_equal(healed(same), net(same))
    assert "training anew" in caplog.text
    FeatureNet(train[:100], layout, folder=tmp_path, updates=5)
    assert len(list(tmp_path.glob("features-*.npz"))) == 2, "other data, other file"
