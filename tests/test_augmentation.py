"""Augmentation of cells: shifts and hidden cells against those found one by one; adaptation to overfitting."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from musegym.discriminators import Architecture, Discriminator, DiscriminatorTrainer
from musegym.discriminators import trainer as trainer_module
from musegym.discriminators.layers import CellAugmentation
from musegym.discriminators.trainer import ADAPT_EVERY, FIRST, MEMORISED, STEP
from musegym.envs import Grid, Works

SIDES = (16, 24)
CELLS = torch.arange(1, 1 + SIDES[0] * SIDES[1]).view(1, *SIDES).repeat(64, 1, 1)  # every cell has a value of its own


def augmented(share=1.0, largest=1.0, cells=CELLS, sides=SIDES, train=True):
    layer = CellAugmentation(largest).train(train)
    layer.generator, layer.share = torch.Generator().manual_seed(0), share
    return layer(cells, sides)


def shifts(cells, shown):
    """Returns the shift of each content, found by the places of its cells that are shown; int [N, 2]."""
    found = []
    for content, visible in zip(cells, shown, strict=True):
        rows, columns = torch.nonzero(visible, as_tuple=True)
        moved = {
            (int(row - (content[row, column] - 1) // SIDES[1]), int(column - (content[row, column] - 1) % SIDES[1]))
            for row, column in zip(rows, columns, strict=True)
        }
        assert len(moved) == 1, "all cells of a content move together"
        found.append(moved.pop())
    return np.array(found)


def test_nothing_changes_out_of_training_or_without_strength():
    for cells, shown in (augmented(train=False), augmented(largest=0.0), augmented(share=0.0)):
        assert cells is CELLS
        assert shown is None


def test_contents_move_as_a_whole_by_an_eighth_of_each_side_at_most():
    found = shifts(*augmented())
    for axis, side in enumerate(SIDES):
        assert np.abs(found[:, axis]).max() == round(side / 8)
        assert len(set(found[:, axis])) == 1 + 2 * round(side / 8)
    assert (np.abs(shifts(*augmented(share=0.1))) == 0).all()


def test_more_is_hidden_at_a_higher_strength():
    hidden = [1 - float(augmented(share)[1].float().mean()) for share in (0.1, 0.5, 1.0)]
    assert hidden == sorted(hidden)
    assert 0.02 < hidden[0] < 0.1
    assert 0.4 < hidden[2] < 0.75


def test_vectors_and_volumes_are_moved_alike():
    whole, shown = augmented(cells=CELLS[..., None].expand(-1, -1, -1, 3), sides=SIDES)
    assert (whole == augmented()[0][..., None]).all()
    assert shown.shape == CELLS.shape
    volume = torch.zeros(2, 5, 6, 7, dtype=torch.long)
    assert augmented(cells=volume, sides=(5, 6, 7))[1].shape == volume.shape


class Noise:
    """A task of few works of random cells, which can only be known by heart."""

    layout, condition_sizes = Grid((9, 9), (4,)), ()

    def works(self, split):
        cells = np.random.default_rng(len(split)).integers(4, size=(24, 9, 9))
        return Works(cells)

    def stream(self, num, rng):
        return None


def trainer(**options):
    d = Discriminator(Architecture("grid", (9, 9), (4,), hidden=16, embedding=8, augmentation=1.0, dropout=0.0))
    return DiscriminatorTrainer(d, Noise(), batch_size=24, **options)


def train(made, updates):
    rng, shares = np.random.default_rng(0), []
    for _ in range(updates):
        made.observe(rng.integers(4, size=(24, 9, 9)))
        shares.append(made.discriminator.augmentation)
    return shares


@pytest.mark.parametrize(("overfitting", "step"), [(MEMORISED - 0.1, -STEP), (MEMORISED + 0.1, STEP)])
def test_augmentation_rises_where_works_are_known_by_heart(overfitting, step, monkeypatch):
    made = trainer()
    assert made.discriminator.augmentation == FIRST
    made.discriminator.set_augmentation(0.5)
    monkeypatch.setattr(trainer_module, "read", lambda *sets: SimpleNamespace(overfitting=overfitting))
    shares = train(made, 2 * ADAPT_EVERY)
    assert shares[ADAPT_EVERY - 2] == 0.5
    assert shares[ADAPT_EVERY - 1] == pytest.approx(0.5 + step)
    assert shares[-1] == pytest.approx(0.5 + 2 * step)
    assert made.stats["augmentation"] == made.discriminator.augmentation
    assert 0 <= train(made, 10 * ADAPT_EVERY)[-1] <= 1


def test_works_without_form_are_known_by_heart():
    made = trainer()
    made.discriminator.set_augmentation(0.0)
    assert max(train(made, 15 * ADAPT_EVERY)) > 2 * STEP


def test_a_fixed_augmentation_stays_at_its_largest():
    assert set(train(trainer(adaptive=False), 2 * ADAPT_EVERY)) == {1.0}


def test_augmentation_continues_as_saved():
    made = trainer()
    made.discriminator.set_augmentation(0.3)
    again = trainer()
    again.load_state_dict(made.state_dict())
    assert again.discriminator.augmentation == 0.3
    train(made, 3)
    train(again, 3)
    for ours, theirs in zip(
        made.discriminator.network.parameters(), again.discriminator.network.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
