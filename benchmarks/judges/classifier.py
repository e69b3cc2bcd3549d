"""A classifier of pictures, trained on real ones by a fixed recipe, which measures tasks whose works have labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs.task import Array, Floats, Ints
from ..metrics.features import fingerprint, train_once

UPDATES, BATCH, LEARNING_RATE, WIDTH = 1500, 128, 1e-3, 64
VERSION = 1
"""Version of the recipe; another one trains all classifiers anew."""
SHIFT = 1
"""Largest random shift of training pictures, pixels: pens do not centre drawings as scanners do."""


class Classifier:
    """A classifier of pictures [N, H, W] into 10 classes, trained on construction.

    Two convolutions of 32 and 64 channels, each halved by a maximum, and one hidden layer of 64; 1,500 updates of AdamW
    with a falling rate on batches of 128, half of the hidden units dropped, pictures moved by up to one pixel; seed 0.

    Args:
        pictures: uint8 [N, H, W].
        labels: int [N], 0 to 9.
        updates: number of updates.
        dense: hidden layers of 256 and 64 instead of convolutions, and pictures not moved.
        folder: keeps the weights, so that a recipe is trained once; None keeps nothing.
    """

    def __init__(
        self, pictures: Array, labels: Ints, updates: int = UPDATES, dense: bool = False, folder: Path | None = None
    ) -> None:
        x = torch.from_numpy(np.asarray(pictures)).float()[:, None] / 255
        y = torch.from_numpy(np.asarray(labels, np.int64))
        side = x.shape[-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if dense:
                self.hidden = nn.Sequential(
                    nn.Flatten(), nn.Linear(side**2, 4 * WIDTH), nn.ReLU(), nn.Linear(4 * WIDTH, WIDTH), nn.ReLU()
                )
            else:
                self.hidden = nn.Sequential(
                    nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                    nn.Linear(64 * (side // 4) ** 2, WIDTH), nn.ReLU(),
                )  # fmt: skip
            self.last = nn.Linear(WIDTH, 10)
            path = None
            if folder is not None:
                recipe = f"{VERSION} {updates} {dense} {tuple(x.shape)}"
                path = folder / f"classifier-{fingerprint(recipe, x.numpy(), y.numpy())}.npz"
            shift = 0 if dense else SHIFT
            train_once(nn.ModuleList([self.hidden, self.last]), path, lambda: self._train(x, y, updates, shift))

    def _train(self, x: Tensor, y: Tensor, updates: int, shift: int) -> None:
        rng = np.random.default_rng(0)
        parameters = [*self.hidden.parameters(), *self.last.parameters()]
        optimiser = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.01)
        for update in range(updates):
            rows = torch.from_numpy(rng.integers(len(x), size=min(BATCH, len(x))))
            down, right = rng.integers(-shift, shift + 1, size=2)
            hidden = self.hidden(torch.roll(x[rows], (int(down), int(right)), (2, 3)))
            loss = F.cross_entropy(self.last(F.dropout(hidden, 0.5)), y[rows])
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 - update / updates)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    @torch.no_grad()
    def __call__(self, pictures: Array) -> tuple[Floats, Floats]:
        """Returns features float64 [N, 64] and probabilities float64 [N, 10] of pictures uint8 [N, H, W]."""
        x = torch.from_numpy(np.asarray(pictures)).float()[:, None] / 255
        hidden: list[Tensor] = [self.hidden(part) for part in x.split(512)]
        features = torch.cat(hidden)
        return features.double().numpy(), self.last(features).double().softmax(-1).numpy()
