"""Surprise: predictions do not see what they predict, nor works that they learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from musegym.benchmarks.judges.c2st import c2st
from musegym.benchmarks.judges.matching import halves
from musegym.benchmarks.judges.networks import EDGES, is_sequence, prepare, with_surprise
from musegym.benchmarks.judges.surprise import AroundCell, AroundRow, Surprise
from musegym.envs import Frames, Grid, Image, Layout, Sequence, Volume, Works

LAYOUTS: dict[str, Layout] = {
    "sequence": Sequence((8, 3), (3, 4, 5)),
    "grid": Grid((6, 7), (3,)),
    "volume": Volume((4, 5, 3), (3,)),
    "colours": Image((5, 6, 3)),
    "palette": Frames((4, 5, 3), (3,), cells=True),
}


def random_works(name: str, n: int, seed: int = 0) -> Works:
    """Contents without padding, under one condition of two values."""
    layout, rng = LAYOUTS[name], np.random.default_rng(seed)
    low = 1 if name == "sequence" else 0
    contents = rng.integers(low, layout.sizes[0], (n, *layout.shape)).astype(layout.dtype)
    return Works(contents, rng.integers(2, size=(n, 1)), np.arange(n) // 2)


def stripes(n: int, seed: int) -> Works:
    """Rows of one value each, int8 [n, 8, 8]: all but a wrong cell follow from the cells beside them."""
    rng = np.random.default_rng(seed)
    return Works(np.tile(rng.integers(4, size=(n, 8, 1)), (1, 1, 8)).astype(np.int8))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_prediction_does_not_see_what_it_predicts(name: str) -> None:
    torch.manual_seed(0)
    works = random_works(name, 5)
    x = prepare(works.contents, LAYOUTS[name], works.conditions)
    pixels, columns = x.is_floating_point(), x.shape[1 if x.is_floating_point() else -1] - 1
    net = (AroundRow if is_sequence(x) else AroundCell)(x, columns * (4,)).eval()
    before = net(x)
    place = tuple(side // 2 for side in (x.shape[2:] if pixels else x.shape[1:-1]))
    for column in range(columns):
        changed = x.clone()
        changed[(slice(None), column, *place) if pixels else (slice(None), *place, column)] += 1.0 if pixels else 1
        moved = (net(changed) - before).abs().amax(0).unflatten(-1, (columns, 4)).amax(-1)  # [*axes, columns]
        assert float(moved[(*place, column)].detach()) < 1e-6
        assert float(moved.max().detach()) > 1e-4, "other predictions see it"


@pytest.mark.parametrize("name", LAYOUTS)
def test_works_are_rated_by_the_network_that_did_not_learn_from_them(name: str) -> None:
    works = random_works(name, 24)
    half, state = halves(works.groups), torch.get_rng_state()
    assert 0 < half.mean() < 1
    rater = Surprise(works, LAYOUTS[name], updates=3)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is put back"
    other = Works(works.contents.copy(), works.conditions, works.groups)
    rng = np.random.default_rng(1)
    other.contents[half == 1] = rng.permuted(other.contents[half == 1], axis=0)
    again = Surprise(other, LAYOUTS[name], updates=3)(works, works.groups)
    rated = rater(works, works.groups)
    assert rated.shape[0] == 24
    assert bool((rated > 0).all())
    torch.testing.assert_close(again[half == 1], rated[half == 1], msg="learned from half 0, which is the same")
    assert not torch.allclose(again[half == 0], rated[half == 0])


def test_networks_are_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    works = random_works("grid", 24)
    first = Surprise(works, LAYOUTS["grid"], folder=tmp_path, updates=3)(works, works.groups)
    assert len(list(tmp_path.glob("surprise-*.npz"))) == 2
    monkeypatch.setattr(Surprise, "_train", lambda *_: pytest.fail("they are kept"))
    kept = Surprise(works, LAYOUTS["grid"], folder=tmp_path, updates=3)(works, works.groups)
    assert torch.equal(first, kept)


def test_a_wrong_cell_is_surprising() -> None:
    layout = Grid((8, 8), (4,), "int8")
    rater, works = Surprise(stripes(300, 0), layout, updates=120), stripes(50, 1)
    works.contents[:, 3, 4] = (works.contents[:, 3, 4] + 1) % 4
    nats = rater(works, works.groups)[..., 0].median(0)[0]  # [8, 8]
    assert int(nats.argmax()) == 3 * 8 + 4
    assert float(nats[3, 4]) > 1.5 + float(nats[6, 4])


def test_judges_read_classes_of_cells_and_nats_of_pixels() -> None:
    x = torch.tensor([[[1, 2], [0, 3], [0, 0]]])
    nats = torch.tensor([[[0.0, 100.0], [0.3, 1.2], [5.0, 5.0]]])
    found = with_surprise(x, nats)
    assert found[0, :, :2].tolist() == x[0].tolist()
    assert found[0, :, 2:].tolist() == [[1, 1 + len(EDGES)], [5, 8], [0, 0]], "padding stays padding"
    pixels = with_surprise(torch.zeros(1, 1, 2, 2), torch.tensor([[[[4.0], [0.0]], [[8.0], [2.0]]]]))
    assert pixels[0, 1].tolist() == [[1.0, 0.0], [2.0, 0.5]]


def test_judges_ask_for_pairs_in_the_groups_of_real_works() -> None:
    real, fake, asked = stripes(60, 0), stripes(60, 1), []

    def rater(works: Works, groups: np.ndarray) -> torch.Tensor:
        asked.append((works, groups))
        return torch.cat([torch.zeros(60, 8, 8, 1), torch.full((60, 8, 8, 1), 3.2)])

    grouped = Works(real.contents, groups=np.arange(60) // 2)
    found = c2st(grouped, fake, Grid((8, 8), (4,), "int8"), rater=rater, seeds=1)
    assert found.accuracy == 1.0, "surprise tells them"
    ((works, groups),) = asked
    assert np.array_equal(works.contents, np.concatenate([real.contents, fake.contents]))
    assert np.array_equal(groups, np.tile(grouped.groups, 2))
