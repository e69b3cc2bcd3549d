"""Measures of pictures by plan, of a generator whose figures are known: a code is the shade of a quarter."""

from __future__ import annotations

import numpy as np
import pytest

from musegym.benchmarks.domains import atelier
from musegym.benchmarks.metrics import features
from musegym.envs import SPLITS, Works, make_task
from musegym.envs.corpora import pictureworks
from musegym.envs.corpora.usable import UsableWorks
from musegym.envs.task import CorpusReport

SHADES = 16 * np.arange(8)
N = 400


class Quarters:
    """A picture of 16 x 16 has four quarters; noise above 0 makes all of them lighter by 4."""

    shape, grid, codes, noise_size, updates = (16, 16), 2, 256, 1, 1

    def pictures(self, plans: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        lighter = 0 if noise is None else 4 * (noise[:, :, None] > 0)
        return np.minimum(plans + lighter, 255).repeat(8, 1).repeat(8, 2).astype(np.uint8)

    def plans(self, contents: np.ndarray) -> np.ndarray:
        return contents[:, ::8, ::8].astype(np.int64) // 16 * 16


class Repeats:
    """A sampler of real pictures of a split."""

    def __init__(self, task, split):
        self.task, self.split = task, split

    def sample(self, condition, num, seed):
        return self.task.corpus(self.split)[:num]


@pytest.fixture
def task(monkeypatch):
    def works(seed: int) -> Works:
        plans = np.random.default_rng(seed).choice(SHADES, (N, 2, 2))
        return Works(Quarters().pictures(plans), np.zeros((N, 0), np.int64))

    usable = UsableWorks(
        {split: works(seed) for seed, split in enumerate(SPLITS)}, CorpusReport(dict.fromkeys(SPLITS, N)), "", ""
    )
    monkeypatch.setitem(
        pictureworks.SOURCES, "mnist", pictureworks.Source(16, 1, (), lambda: usable, pictureworks._greys)
    )
    quarters = Quarters()
    monkeypatch.setattr(
        features, "feature_net", lambda known, layout: lambda seen: quarters.plans(seen).reshape(-1, 4) / SHADES.std()
    )
    made = make_task(atelier.ID)
    made.set_generator(quarters)
    return made


def test_plans_and_changes_have_known_figures(task):
    found = atelier.measure(Repeats(task, "test"), "test")
    assert found["num"] == N
    assert found["codes_in_use"] == len(SHADES) / 256
    assert found["by_noise"] == pytest.approx(2.0, abs=0.5), "half of the pictures change by 4"
    other = np.abs(np.arange(256) - SHADES[:, None]).sum() / (255 * len(SHADES))
    assert found["by_decision"] == pytest.approx(other / 4, rel=0.2), "one quarter changes"
    assert found["rebuilt"] == pytest.approx(0.0, abs=1e-6), "features of shades alone"
    assert 0.001 < found["training_plans"] < 0.1
    assert found["random_plans"] > 4 * (127.5 - SHADES.mean()) ** 2 / SHADES.var() * 0.8, "they are lighter"


@pytest.mark.parametrize(("split", "copied"), [("train", (0.85, 1.0)), ("test", (0.5, 0.5))])
def test_copies_are_nearer_to_training_pictures_than_held_out_ones(task, split, copied):
    found = atelier.measure(Repeats(task, split), "test")
    assert copied[0] <= found["copied"] <= copied[1]
    assert (found["nearest"] == 0) == (split == "train")
    assert found["real"]["copied"] == 0.5
    assert found["random"]["copied"] < 0.1
    assert found["random"]["nearest"] > found["real"]["nearest"]
