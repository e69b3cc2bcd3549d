"""Measuring features: a small network trained once on the train split by a fixed recipe, and distances in its space.

The recipe (``VERSION``) is part of the measure: 2,000 updates of AdamW with a falling rate on batches of 64, seed 0.
Sequences: a GRU of 64 units predicts the columns of the next row from the rows so far; the features of a work are its
hidden states, averaged. Grids and images: a convolutional autoencoder; the features are its bottleneck of 64. Features
are standardised over the train split, so that distances do not depend on the scale of a network's units.
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
from ...envs.task import Array, Floats
from ..judges.c2st import batches, trimmed
from ..judges.networks import WIDTH, Cells, Kind, RowEmbedding, prepare, sizes

VERSION = 1
UPDATES, RATE = 2000, 2e-3
logger = logging.getLogger(__name__)


class NextRow(nn.Module):
    """Sequences: int64 [B, L, C] -> features [B, 64]; trained to predict each next row."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.sizes = sizes(x)
        self.embed = RowEmbedding(self.sizes, x.shape[1], ends=False)  # the end must not tell how much is to come
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, sum(self.sizes))

    def features(self, x: Tensor) -> Tensor:
        """Returns float32 [B, 64]."""
        rows, valid = self.embed(x)
        h, _ = self.rnn(rows)
        weight = valid[..., None].float()
        mean: Tensor = (h * weight).sum(1) / weight.sum(1)
        return mean

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
    """Grids int64 [B, H, W] or images float32 [B, C, H, W] -> features [B, 64]; trained to give its input back."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.cells = Cells(x)
        self.grid = x.ndim == 3
        height, width = x.shape[-2:]
        self.down = nn.Sequential(
            nn.Conv2d(self.cells.out, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.small = (48, (height + 3) // 4, (width + 3) // 4)
        flat = int(np.prod(self.small))
        self.neck, self.widen = nn.Linear(flat, WIDTH), nn.Linear(WIDTH, flat)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(48, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(32, int(x.max()) + 1 if self.grid else x.shape[1], 4, stride=2, padding=1),
        )  # fmt: skip

    def features(self, x: Tensor) -> Tensor:
        """Returns float32 [B, 64]."""
        out: Tensor = self.neck(self.down(self.cells(x)))
        return out

    def loss(self, x: Tensor) -> Tensor:
        """Returns the cross-entropy (grids) or squared error (images) of a cell."""
        h = F.relu(self.widen(self.features(x))).view(-1, *self.small)
        built = self.up(h)[..., : x.shape[-2], : x.shape[-1]]
        return F.cross_entropy(built, x) if self.grid else F.mse_loss(built, x)


class FeatureNet:
    """The features of one data set: trained on first use, then read from the cache folder.

    Args:
        train: the train split [N, ...].
        kind: the medium's kind.
        folder: where the weights are kept; None trains afresh and keeps nothing.
        updates: of the recipe; others than the default are for tests.
    """

    def __init__(self, train: Array, kind: Kind, *, folder: Path | None = None, updates: int = UPDATES) -> None:
        self.kind = kind
        x = prepare(train, kind)
        self.fingerprint = fingerprint(f"{VERSION} {kind} {updates} {x.dtype} {tuple(x.shape)}", x.numpy())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net: NextRow | Bottleneck = NextRow(x) if kind == "sequence" else Bottleneck(x)
            path = None if folder is None else folder / f"features-{self.fingerprint}.npz"
            train_once(self.net, path, lambda: self._train(x, updates))
        self.net.eval()
        raw = self._raw(x)
        self.mean, self.scale = raw.mean(0), raw.std(0) + 1e-6

    def __call__(self, contents: Array) -> Floats:
        """Returns the standardised features of contents [N, ...]: float64 [N, 64]."""
        out: Floats = (self._raw(prepare(contents, self.kind)) - self.mean) / self.scale
        return out

    @torch.no_grad()
    def _raw(self, x: Tensor) -> Floats:
        return torch.cat([self.net.features(part) for part in torch.split(x, 512)]).numpy().astype(np.float64)

    def _train(self, x: Tensor, updates: int) -> None:
        rng = np.random.default_rng(0)
        optimiser = torch.optim.AdamW(self.net.parameters(), RATE, weight_decay=0.01)
        done = 0
        while done < updates:
            for rows in batches(x, np.arange(len(x)), self.kind, rng)[: updates - done]:
                for group in optimiser.param_groups:
                    group["lr"] = RATE * (1 - done / updates)
                loss = self.net.loss(trimmed(x[rows], self.kind, spare=1))
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                optimiser.step()
                done += 1


def fingerprint(recipe: str, *arrays: Array) -> str:
    """Returns 16 hexadecimal digits that tell a network's recipe and training data from others."""
    digest = hashlib.sha256(recipe.encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def train_once(net: nn.Module, path: Path | None, train: Callable[[], None]) -> None:
    """Gives a network the weights that a file keeps; where there is none, or it is damaged, trains it and keeps them.

    Args:
        net: a network of float32 as its training begins.
        path: the file; None trains and keeps nothing.
        train: trains the network.
    """
    if path is not None:
        shapes = {name: (np.float32, tuple(value.shape)) for name, value in net.state_dict().items()}
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


def feature_net(train: Array, kind: Kind) -> FeatureNet:
    """Returns the features for a train split, cached in musegym's cache folder."""
    return FeatureNet(train, kind, folder=cache_folder())


def frechet(x: Floats, y: Floats) -> float:
    """Frechet distance of two point clouds taken as Gaussians: x [N, D], y [M, D].

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
