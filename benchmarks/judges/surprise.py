"""Surprise: minus the log-likelihood of each cell or row of a work, given all that surrounds it.

A small network, fitted once to the train split, predicts each value from its surroundings without itself. Judges read
``-log p(value | surroundings)``, nats, beside the values: a single wrong cell stands out, although a classifier that
learns from few works cannot know how rare it is. The products over cells are pseudo-likelihoods (Besag 1975,
"Statistical analysis of non-lattice data").

A network finds works that it learned from likelier than others. There are therefore two, each fitted to half of the
groups; a training work is rated by the one that did not learn from it, and a generated work by the one that rates the
real work it is paired with. Both share nothing with agents and discriminators.
"""

from __future__ import annotations

import copy
import functools
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs.corpora.cache import cache_folder
from ...envs.task import Ints, Layout, Task, Works
from ..metrics.features import fingerprint, train_once
from .c2st import folds, trimmed
from .matching import halves
from .networks import CONVOLUTIONS, NORMS, WIDTH, Plane, RowEmbedding, is_sequence, lengths, looked_up, prepare, sizes

logger = logging.getLogger(__name__)
VERSION = 1
"""Version of the recipe; another one trains all networks anew."""
UPDATES, BATCH, RATE, DECAY = 400, 64, 4e-3, 0.1
CHECKS, INNER = 8, 10
"""Looks at held-out groups, of which there are one in ten."""
SHADES = 8
"""Classes of pixels that are predicted."""
MOST_VALID, CHUNK = 300, 256
WINDOWS = {2: 5, 3: 3}
"""Cells along each axis that a prediction of a cell reads, by number of axes."""


class AroundCell(nn.Module):
    """Predicts cells or pixels from those around them: int64 [B, *axes, C] or float32 [B, C, *axes] -> logits.

    One convolution whose middle weight is zero, then layers that look at one place only.
    """

    def __init__(self, x: Tensor, predicted: tuple[int, ...], dropout: float = 0.2) -> None:
        super().__init__()
        self.plane, n = Plane(x), x.ndim - 2
        side = WINDOWS[n]
        convolution, norm, width = CONVOLUTIONS[n], NORMS[n], WIDTH
        self.around = convolution(self.plane.out, width, side, padding=side // 2)
        self.around.register_forward_pre_hook(_without_middle)
        self.then = nn.Sequential(
            norm(width), nn.ReLU(), convolution(width, WIDTH, 1), norm(WIDTH), nn.ReLU(), nn.Dropout(dropout),
            convolution(WIDTH, sum(predicted), 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Returns float32 [B, *axes, sum of predicted values]."""
        logits: Tensor = self.then(self.around(self.plane(x)))
        return logits.movedim(1, -1)


def _without_middle(convolution: nn.Module, _: object) -> None:
    """Sets the middle weight of a convolution to zero."""
    weight: Tensor = convolution.get_parameter("weight")
    with torch.no_grad():
        places = weight.flatten(2)
        places[:, :, places.shape[2] // 2] = 0.0


class AroundRow(nn.Module):
    """Predicts the columns of each row from the rows before and after it and its other columns.

    int64 [B, L, C] -> logits. A GRU reads the rows before, another one those after from the last one backwards.
    """

    def __init__(self, x: Tensor, predicted: tuple[int, ...], dropout: float = 0.2) -> None:
        super().__init__()
        self.embed, each, columns = RowEmbedding(sizes(x), x.shape[1]), 16, x.shape[2]
        self.before, self.after = (nn.GRU(WIDTH, WIDTH, batch_first=True) for _ in range(2))
        self.tables = nn.ModuleList(nn.Embedding(size, each) for size in sizes(x))
        self.beside = nn.ModuleList(nn.Linear(2 * WIDTH + (columns - 1) * each, WIDTH) for _ in predicted)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in predicted)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Returns float32 [B, L, sum of predicted values]."""
        rows, _ = self.embed(x)
        rows = self.drop(rows)
        back = (lengths(x)[:, None] - 1 - torch.arange(x.shape[1])).clamp(min=0)[..., None].expand_as(rows)  # [B, L, D]
        before, after = self.before(rows)[0], self.after(rows.gather(1, back))[0].gather(1, back)
        near = torch.cat([F.pad(before[:, :-1], (0, 0, 1, 0)), F.pad(after[:, 1:], (0, 0, 0, 1))], -1)
        columns, found = looked_up(x, self.tables), []
        for i, (beside, head) in enumerate(zip(self.beside, self.heads, strict=True)):
            h = beside(torch.cat([near, *columns[:i], *columns[i + 1 :]], -1))
            found.append(head(self.drop(F.relu(h))))
        return torch.cat(found, -1)


class Surprise:
    """Rates the cells or rows of works; the networks are trained on first use, then read from the cache folder.

    Args:
        train: the train split.
        layout: of the contents.
        folder: where the weights are kept; None trains afresh and keeps nothing.
        updates: of the recipe; others than the default are for tests.
    """

    def __init__(self, train: Works, layout: Layout, *, folder: Path | None = None, updates: int = UPDATES) -> None:
        self.layout = layout
        x, half = prepare(train.contents, layout, train.conditions), halves(train.groups)
        pixels, hidden = x.is_floating_point(), train.conditions.shape[1]
        self.columns = x.shape[1 if pixels else -1] - hidden
        self.predicted = self.columns * (SHADES,) if pixels else sizes(x)[: self.columns]
        recipe = f"{VERSION} {layout.kind} {updates} {x.dtype} {tuple(x.shape)}"
        name = fingerprint(recipe, x.numpy(), train.groups)
        self.nets = []
        with torch.random.fork_rng(devices=[]):
            for part in (0, 1):
                torch.manual_seed(part)
                rows = np.flatnonzero(half != part)
                rows = rows if len(rows) else np.arange(len(x))
                net = (AroundRow if is_sequence(x) else AroundCell)(x, self.predicted)
                path = None if folder is None else folder / f"surprise-{name}-{part}.npz"
                train_once(net, path, functools.partial(self._train, net, x, rows, train.groups[rows], updates))
                self.nets.append(net.eval())

    @torch.no_grad()
    def __call__(self, works: Works, groups: Ints) -> Tensor:
        """Returns nats per value, float32 [N, *axes, C], 0 where a sequence is padding.

        Args:
            works: N works.
            groups: int [N]; works are rated by the network that did not learn from their half of the groups.
        """
        x, half = prepare(works.contents, self.layout, works.conditions), halves(groups)
        parts = [(net, np.flatnonzero(half == part)) for part, net in enumerate(self.nets)]
        found = torch.zeros(self._targets(x).shape)
        for net, rows in parts:
            for first in range(0, len(rows), CHUNK):
                some = rows[first : first + CHUNK]
                found[some] = self._nats(net, x[some])
        return found

    def _targets(self, x: Tensor) -> Tensor:
        """Returns the classes to predict, int64 [B, *axes, C]; values that no training work has count as the last."""
        if x.is_floating_point():
            return (x[:, : self.columns] * (SHADES - 1)).round().long().movedim(1, -1)
        return torch.minimum(x[..., : self.columns], torch.tensor(self.predicted) - 1)

    def _nats(self, net: nn.Module, x: Tensor) -> Tensor:
        logits, wanted = net(x).split(list(self.predicted), -1), self._targets(x).unbind(-1)
        pairs = zip(logits, wanted, strict=True)
        nats = torch.stack([F.cross_entropy(p.movedim(-1, 1), v, reduction="none") for p, v in pairs], -1)
        if is_sequence(x):
            nats = nats * (torch.arange(x.shape[1]) < lengths(x)[:, None])[..., None]
        return nats

    def _loss(self, net: nn.Module, x: Tensor) -> Tensor:
        """Returns nats per cell or row that is no padding."""
        nats = self._nats(net, x)
        return nats.sum() / (lengths(x).sum() if is_sequence(x) else nats[..., 0].numel())

    def _train(self, net: nn.Module, x: Tensor, rows: Ints, groups: Ints, updates: int) -> None:
        """Learns with AdamW at a rate that rises and falls; keeps the best weights by a tenth of the groups."""
        rng = np.random.default_rng(5)
        part = folds(groups, INNER, rng)
        train, valid = rows[part != 0], rows[part == 0][:MOST_VALID]
        train, valid = (train, valid) if len(train) and len(valid) else (rows, rows[:MOST_VALID])
        optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
        best, best_loss, every = copy.deepcopy(net.state_dict()), np.inf, max(updates // CHECKS, 1)
        for update in range(updates):
            net.train()
            rise, fall = min(1.0, (update + 1) / (0.1 * updates)), (1 + math.cos(math.pi * update / updates)) / 2
            optimiser.param_groups[0]["lr"] = RATE * rise * fall
            loss = self._loss(net, trimmed(x[rng.choice(train, BATCH)]))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            if (update + 1) % every == 0:
                net.eval()
                with torch.no_grad():
                    held_out = float(self._loss(net, x[valid]))
                logger.debug("update %d: %.3f nats, %.3f held out", update + 1, float(loss.detach()), held_out)
                if held_out < best_loss:
                    best, best_loss = copy.deepcopy(net.state_dict()), held_out
        net.load_state_dict(best)


def surprise(task: Task[Any]) -> Surprise:
    """Returns the surprise of a task's works, cached in musegym's cache folder."""
    return Surprise(task.works("train"), task.layout, folder=cache_folder())
