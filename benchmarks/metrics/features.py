"""Measuring features: a small network trained once on the train split by a fixed recipe, and the Frechet distance.

The recipe (``VERSION``) is part of the measure: 2,000 updates of AdamW with a falling rate on batches of 64, seed 0.
Sequences: a GRU of 64 units predicts the columns of the next row from the rows so far; the features of a work are its
hidden states, averaged. Other layouts: a convolutional autoencoder; the features are its bottleneck of 64. Conditions
are not read. Features are standardised over the train split, so that distances do not depend on the scale of units.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy import linalg
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs.corpora.cache import cache_folder, load_arrays, save_arrays
from ...envs.task import Array, Floats, Layout
from ..judges.c2st import batches, trimmed
from ..judges.networks import CONVOLUTIONS, WIDTH, Cells, RowEmbedding, is_sequence, pool, prepare, sizes

VERSION = 2
UPDATES, RATE = 2000, 2e-3
logger = logging.getLogger(__name__)


class NextRow(nn.Module):
    """Sequences: int64 [B, L, C] -> features [B, 64]; trained to predict each next row."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.sizes = sizes(x)
        self.embed = RowEmbedding(self.sizes, x.shape[1], ends=False)  # positions from the end would reveal the rest
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, sum(self.sizes))

    def features(self, x: Tensor) -> Tensor:
        """Returns float32 [B, 64]."""
        rows, valid = self.embed(x)
        h, _ = self.rnn(rows)
        return pool(h, valid)[:, :WIDTH]  # the mean

    def loss(self, x: Tensor) -> Tensor:
        """Returns the cross-entropy of the next row, summed over columns, nats per row."""
        rows, valid = self.embed(x)
        h, _ = self.rnn(rows[:, :-1])
        total = torch.zeros(())
        for column, logits in enumerate(self.head(h).split(list(self.sizes), -1)):
            loss = F.cross_entropy(logits.flatten(0, 1), x[:, 1:, column].flatten(), reduction="none")
            # The first padding row counts, since ending is part of a work.
            total = total + (loss.view(len(x), -1) * valid[:, :-1]).sum() / valid[:, :-1].sum()
        return total


class Bottleneck(nn.Module):
    """Cells int64 [B, *axes, C] or pixels float32 [B, C, *axes] -> features [B, 64]; learns to rebuild its input."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.cells = Cells(x)
        self.values = 0 if x.is_floating_point() else max(sizes(x))
        convolution, columns = CONVOLUTIONS[x.ndim - 2], x.shape[-1] * self.values or x.shape[1]
        back: Callable[..., nn.Module] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[x.ndim - 2]
        self.down = nn.Sequential(
            convolution(self.cells.out, 32, 3, stride=2, padding=1), nn.ReLU(),
            convolution(32, 48, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.axes = self.cells(x[:1]).shape[2:]
        self.small = (48, *((axis + 3) // 4 for axis in self.axes))
        flat = int(np.prod(self.small))
        self.neck, self.widen = nn.Linear(flat, WIDTH), nn.Linear(WIDTH, flat)
        self.up = nn.Sequential(
            back(48, 32, 4, stride=2, padding=1), nn.ReLU(), back(32, columns, 4, stride=2, padding=1)
        )

    def features(self, x: Tensor) -> Tensor:
        """Returns float32 [B, 64]."""
        out: Tensor = self.neck(self.down(self.cells(x)).flatten(1))
        return out

    def loss(self, x: Tensor) -> Tensor:
        """Returns the cross-entropy of a cell, or the squared error of a pixel."""
        h = F.relu(self.widen(self.features(x))).view(-1, *self.small)
        built = self.up(h)[(..., *map(slice, self.axes))]
        if not self.values:
            return F.mse_loss(built, x)
        return F.cross_entropy(built.unflatten(1, (self.values, -1)), x.movedim(-1, 1))


class FeatureNet:
    """Features for one data set; the network is trained on first use, then read from the cache folder.

    Args:
        train: the train split [N, ...].
        layout: of the contents.
        folder: where the weights are kept; None trains afresh and keeps nothing.
        updates: of the recipe; others than the default are for tests.
    """

    def __init__(self, train: Array, layout: Layout, *, folder: Path | None = None, updates: int = UPDATES) -> None:
        self.layout = layout
        x = prepare(train, layout)
        self.fingerprint = fingerprint(f"{VERSION} {layout.kind} {updates} {x.dtype} {tuple(x.shape)}", x.numpy())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net: NextRow | Bottleneck = NextRow(x) if is_sequence(x) else Bottleneck(x)
            path = None if folder is None else folder / f"features-{self.fingerprint}.npz"
            train_once(self.net, path, lambda: self._train(x, updates))
        self.net.eval()
        raw = self._raw(x)
        self.mean, self.scale = raw.mean(0), raw.std(0) + 1e-6

    def __call__(self, contents: Array) -> Floats:
        """Returns the standardised features of contents [N, ...]: float64 [N, 64]."""
        out: Floats = (self._raw(prepare(contents, self.layout)) - self.mean) / self.scale
        return out

    @torch.no_grad()
    def _raw(self, x: Tensor) -> Floats:
        return torch.cat([self.net.features(part) for part in torch.split(x, 512)]).numpy().astype(np.float64)

    def _train(self, x: Tensor, updates: int) -> None:
        rng = np.random.default_rng(0)
        optimiser = torch.optim.AdamW(self.net.parameters(), RATE, weight_decay=0.01)
        done = 0
        while done < updates:
            for rows in batches(x, np.arange(len(x)), rng)[: updates - done]:
                for group in optimiser.param_groups:
                    group["lr"] = RATE * (1 - done / updates)
                loss = self.net.loss(trimmed(x[rows], spare=1))
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                optimiser.step()
                done += 1


def fingerprint(recipe: str, *arrays: Array) -> str:
    """Returns 16 hexadecimal digits that identify a network's recipe and training data."""
    digest = hashlib.sha256(recipe.encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def train_once(net: nn.Module, path: Path | None, train: Callable[[], None]) -> None:
    """Loads the weights of a network from a file; where that is missing or damaged, trains the network and writes it.

    Args:
        net: a network as its training begins.
        path: the file; None trains and keeps nothing.
        train: trains the network.
    """
    if path is not None:
        shapes = {name: (value.numpy().dtype, tuple(value.shape)) for name, value in net.state_dict().items()}
        try:
            weights = load_arrays(path, shapes)
        except FileNotFoundError:
            pass
        except ValueError as error:
            logger.warning("training anew, since the kept weights %s are damaged: %s", path, error)
        else:
            net.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
            return
    logger.info("training a network to measure with; it is kept for the next time")
    train()
    if path is not None:
        save_arrays(path, {name: value.numpy() for name, value in net.state_dict().items()})


def feature_net(train: Array, layout: Layout) -> FeatureNet:
    """Returns the features for a train split, cached in musegym's cache folder."""
    return FeatureNet(train, layout, folder=cache_folder())


def frechet(x: Floats, y: Floats) -> float:
    """Frechet distance of Gaussians fitted to two sets of points: x [N, D], y [M, D].

    ``|mu_x - mu_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2))`` (Heusel et al. 2017, "GANs Trained by a Two Time-Scale
    Update Rule"), with covariances over N - 1. Biased upward by about D^2 / N: compare at equal N, and with a floor.

    Raises:
        ValueError: fewer than two points a side, or features that are not finite.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if min(len(x), len(y)) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a Frechet distance needs two or more points a side, all of them finite")
    cx, cy = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    # The trace of (C_x C_y)^(1/2) equals that of (A C_y A)^(1/2) with A = C_x^(1/2): symmetric, hence stable.
    values, vectors = linalg.eigh(cx)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(linalg.eigvalsh(root @ cy @ root), 0, None)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx) + np.trace(cy) - 2 * cross)
