"""Discriminators of every layout: what they tell, gradients for generators, and an encoder for a new layout."""

import dataclasses
import types
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import torch
import toys
from test_discriminators import roused
from torch import nn
from torch.nn import functional as F

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env
from musegym.discriminators import Discriminator, make_discriminator
from musegym.discriminators.layers import Augmentation, Network
from musegym.discriminators.networks import ENCODERS
from musegym.envs import Frames, Grid, Image, Layout, Sequence, Volume, Works

torch.set_num_threads(1)  # a second thread is slower for networks this small
LAYOUTS = {
    "rows": Sequence((6, 2), (4, 5)),
    "tokens": Sequence((6,), (5,)),
    "few cells": Grid((4, 4), (5,)),
    "cells": Grid((9, 10), (5,)),
    "few voxels": Volume((3, 4, 5), (5,)),
    "voxels": Volume((3, 9, 6), (5,)),
    "grey": Image((9, 10)),
    "colours": Image((6, 5, 3), (16,)),
    "grey frames": Frames((3, 8, 6)),
    "coloured frames": Frames((4, 6, 5, 3)),
    "few frames of cells": Frames((2, 4, 5), (5,), "int8", cells=True),
    "frames of cells": Frames((3, 6, 5), (5,), "int8", cells=True),
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
CONDITIONS = (2, 3)


def task(layout, condition_sizes=()):
    """As much of a task as discriminators need."""
    works = Works(draw(layout, 8), conditions(8, condition_sizes))
    return types.SimpleNamespace(
        layout=layout, condition_sizes=condition_sizes, works=lambda split: works, stream=lambda num, rng: None
    )


def draw(layout, n, seed=0, low=0.0, high=1.0):
    """Random contents [n, ...] with values from a part of what each column or cell may be."""
    tops = np.broadcast_to(np.array(layout.sizes), layout.shape)
    shares = np.random.default_rng(seed).uniform(low, high, (n, *layout.shape))
    return (shares * tops).astype(layout.dtype)


def conditions(n, sizes, seed=0):
    return np.random.default_rng(seed).integers(0, np.array(sizes, int), (n, len(sizes)))


def floats(layout, contents):
    """Returns contents as a generator would make them: pixels from 0 to 1, shares of each value."""
    whole = torch.from_numpy(contents.astype(np.int64))
    if not layout.categorical:
        return (whole / (layout.sizes[0] - 1)).float()
    if layout.kind == "sequence":
        columns = whole.reshape(len(whole), layout.shape[0], len(layout.sizes))
        hot = [F.one_hot(columns[..., i], size) for i, size in enumerate(layout.sizes)]
        return torch.cat(hot, -1).float()
    return F.one_hot(whole, layout.sizes[0]).float()


@every_layout
class TestEveryLayout:
    def test_tells_two_populations_apart(self, layout):
        d = make_discriminator(task(layout), hidden=16, learning_rate=5e-3)
        for step in range(40):
            d.update(draw(layout, 32, step, 0.5), draw(layout, 32, 1000 + step, 0.0, 0.5))
        real, fake = d.logits(draw(layout, 100, 77, 0.5)), d.logits(draw(layout, 100, 78, 0.0, 0.5))
        assert ((real > 0).mean() + (fake < 0).mean()) / 2 > 0.95

    def test_sees_every_entry(self, layout):
        d, content = roused(make_discriminator(task(layout), hidden=16)), draw(layout, 1, 3, 0.3, 0.6)
        variants = content.repeat(1 + content.size, 0)
        tops = np.broadcast_to(np.array(layout.sizes), layout.shape).reshape(-1)
        for entry in range(content.size):
            variants[1 + entry].reshape(-1)[entry] = tops[entry] - 1
        logits = d.logits(variants)
        assert (logits[1:] != logits[0]).all()

    @pytest.mark.parametrize("sizes", [(), CONDITIONS], ids=["free", "conditions"])
    def test_scores_floats_as_it_scores_numbers(self, layout, sizes):
        d = roused(make_discriminator(task(layout, sizes), hidden=16))
        contents, given = draw(layout, 10), conditions(10, sizes)
        score = d.score(floats(layout, contents), torch.from_numpy(given) if sizes else None)
        np.testing.assert_allclose(score.detach().numpy(), d.logits(contents, given), atol=2e-5)
        assert score.std() > 1e-4, "they differ, so that the comparison can fail"

    def test_gradients_reach_whoever_made_the_contents(self, layout):
        d = roused(make_discriminator(task(layout), hidden=16))
        made = floats(layout, draw(layout, 4)).requires_grad_()
        score = d.score(made)
        score[:2].sum().backward()
        assert made.grad.isfinite().all()
        assert made.grad[:2].flatten(1).any(1).all()
        assert not made.grad[2:].any(), "of a content only"
        with torch.no_grad():  # up the gradient it looks more real
            step = 1e-3 / made.grad.abs().max()
            assert (d.score(made + step * made.grad)[:2] > score[:2]).all()

    def test_learns_where_a_condition_is_all_that_tells(self, layout):
        d = make_discriminator(task(layout, (2,)), hidden=16, learning_rate=5e-3)

        def part(condition, seed):
            low = condition[:, 0].astype(bool)
            contents = draw(layout, len(low), seed, 0.5)
            contents[low] = draw(layout, int(low.sum()), seed + 1, 0.0, 0.5)
            return contents

        for step in range(80):
            given = conditions(64, (2,), step)
            contents = part(given, step)
            d.update(contents, contents, given, 1 - given)
        given = conditions(200, (2,), 999)
        contents = part(given, 999)
        right = (d.logits(contents, given) > 0).mean() + (d.logits(contents, 1 - given) < 0).mean()
        assert right / 2 > 0.9

    def test_is_saved_and_loaded(self, layout, tmp_path):
        d = roused(make_discriminator(task(layout, CONDITIONS), hidden=16))
        contents, given = draw(layout, 5), conditions(5, CONDITIONS)
        loaded = Discriminator.load(d.save(tmp_path / "d.zip"))
        np.testing.assert_array_equal(loaded.logits(contents, given), d.logits(contents, given))


@pytest.mark.parametrize("name", ["voxels", "few voxels", "coloured frames", "frames of cells"])
def test_spectral_norm_bounds_layers_of_volumes_and_frames(name):
    layout = LAYOUTS[name]
    d = make_discriminator(task(layout), hidden=8, spectral_norm=True, learning_rate=1e-4)
    for step in range(60):  # the power iteration takes one step an update
        d.update(draw(layout, 8, step), draw(layout, 8, 100 + step))
    layers = [layer for layer in d.network.trunk.modules() if isinstance(layer, nn.Linear | nn.Conv3d)]
    assert layers
    assert all(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) < 1.1 for layer in layers)


def test_all_frames_of_a_content_are_augmented_alike():
    augmentation = Augmentation(1.0).train()
    augmentation.generator = torch.Generator().manual_seed(0)
    still = torch.rand(5, 2, 1, 6, 6, generator=torch.Generator().manual_seed(1)).expand(5, 2, 4, 6, 6)
    changed = augmentation(still)
    assert changed.shape == still.shape
    assert torch.equal(changed, changed[:, :, :1].expand_as(changed)), "what stands still goes on standing still"
    assert all(not torch.allclose(*pair) for pair in zip(changed, still, strict=True))


class TestScore:
    @pytest.mark.parametrize(
        ("contents", "given", "problem"),
        [
            (torch.zeros(3, 9, 10, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.int64), "contents of floats"),
            (torch.zeros(3, 9, 10), None, r"int64 \[3, 2\], not \[3, 0\]"),
            (torch.zeros(3, 9, 10), torch.zeros(2, 2, dtype=torch.int64), r"int64 \[3, 2\], not \[2, 2\]"),
        ],
    )
    def test_mistakes(self, contents, given, problem):
        d = make_discriminator(task(LAYOUTS["grey"], CONDITIONS), hidden=8)
        with pytest.raises(ValueError, match=problem) as error:
            d.score(contents, given)
        assert "\n" not in str(error.value)

    def test_mixtures_lie_between(self):
        """Half a cell of one thing and half of another is no cell, and yet has a score."""
        layout = LAYOUTS["few cells"]
        d = make_discriminator(task(layout), hidden=16)
        one, other = (floats(layout, draw(layout, 1, seed)) for seed in (0, 1))
        scores = [d.score(torch.lerp(one, other, share)).item() for share in np.linspace(0, 1, 101)]
        assert np.abs(np.diff(scores)).max() < 0.2 * np.ptp(scores), "it moves little by little"


@dataclasses.dataclass(frozen=True)
class Ring(Layout):
    """Links (N,) around a ring: the same wherever one begins to read."""

    kind: ClassVar[str] = "ring"
    axes: ClassVar[tuple[int, ...]] = (1,)


class Links(NamedTuple):
    values: torch.Tensor


class RingNetwork(Network[Links]):
    """Looks at each pair of neighbours around the ring."""

    def __init__(self, architecture):
        super().__init__()
        self.table = nn.Embedding(architecture.sizes[0], architecture.embedding)
        self.widen = nn.Linear(2 * architecture.embedding, architecture.hidden)
        self.last = nn.Linear(architecture.hidden, 1)

    def embed(self, contents, conditions):
        return Links(self.table(contents))

    def score(self, embedded):
        pairs = torch.cat([embedded.values, embedded.values.roll(1, 1)], -1)
        return self.last(F.relu(self.widen(pairs)).mean(1))[:, 0]


class RingTask(toys.BitsTask):
    layout = Ring((4,), (2,), "int8")


class TestNewLayout:
    """An encoder for a new layout is one line."""

    def test_without_an_encoder_there_is_one_line(self):
        with pytest.raises(ValueError, match="no network reads a 'ring'; there are sequence, grid") as error:
            make_discriminator(RingTask())
        assert "\n" not in str(error.value)

    def test_with_one_it_is_read_like_any_other(self, monkeypatch, tmp_path):
        monkeypatch.setitem(ENCODERS, "ring", RingNetwork)
        d = make_discriminator(RingTask(), hidden=16, embedding=8, learning_rate=5e-3, r1=0.1, r1_every=1)
        turned = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], np.int8)
        np.testing.assert_allclose(d.logits(turned), d.logits(turned)[0], rtol=1e-5)
        other = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], np.int8)
        for _ in range(40):
            stats = d.update(turned, other)
        assert stats["r1"] > 0
        assert d.logits(turned).min() > 0 > d.logits(other).max()
        loaded = Discriminator.load(d.save(tmp_path / "d.zip"))
        np.testing.assert_array_equal(loaded.logits(turned), d.logits(turned))

    def test_the_agent_learns_under_it(self, monkeypatch):
        monkeypatch.setitem(ENCODERS, "ring", RingNetwork)
        musegym.register("toy/Ring-v0", "test_layouts:RingTask")
        env = make_sb3_env("toy/Ring-v0", 8, seed=0, discriminator="none")
        network = {"hidden": 8, "embedding": 4}
        model = AdversarialDQN("auto", env, seed=0, warm_start=0, lead=0, demonstrations=8, policy_kwargs=network)
        model.learn(64, callback=DiscriminatorCallback(hidden=8, batch_size=8))
        assert model._n_updates == 2
        assert type(model.discriminator.network) is RingNetwork
        assert model.discriminator.updates > 0
