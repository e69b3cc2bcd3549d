"""A plain GAN of pictures: the decoder of a content generator of the same size, from noise, without plans or policy."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...agents.generators.architecture import GeneratorArchitecture
from ...agents.generators.generator import as_bytes
from ...agents.generators.networks import GeneratorNetwork
from ...discriminators import make_trainer
from ...envs.task import Array, Ints, Task
from ..metrics.features import feature_net, frechet
from ..tables.rows import Row

LATENT = 64
BATCH = 64
REPORT_EVERY, VALIDATE_EVERY = 10.0, 60.0
"""Seconds between lines of ``metrics.jsonl``, and between measurements on validation works."""
ROWS = 500
"""Pictures computed at a time."""


class NoiseDecoder(nn.Module):
    """Noise and conditions to pictures: a linear layer to a grid of vectors, then the decoder of a content generator.

    Args:
        architecture: sizes of the decoder.
        condition_sizes: K numbers of values, each condition enters as a one-hot vector.
    """

    def __init__(self, architecture: GeneratorArchitecture, condition_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes, self.architecture = condition_sizes, architecture
        self.network = GeneratorNetwork(architecture)
        del self.network.encoder  # a GAN has none
        self.first = nn.Linear(LATENT + sum(condition_sizes), architecture.width * architecture.grid**2)

    def forward(self, latent: Tensor, noise: Tensor, conditions: Tensor) -> Tensor:
        """Returns pictures float [N, *shape] from 0 to 1.

        Args:
            latent: float [N, LATENT], standard normal.
            noise: float [N, noise_size], as in ``GeneratorNetwork.decode``.
            conditions: int64 [N, K].
        """
        styles = [F.one_hot(conditions[:, k], size).float() for k, size in enumerate(self.sizes)]
        n = self.architecture.grid
        vectors = self.first(torch.cat([latent, *styles], 1)).reshape(len(latent), -1, n, n)
        return self.network.decode(vectors, noise)


class GanSampler:
    """A sampler of a plain GAN.

    Args:
        task: of pictures, uint8, that has a content generator.
        seed: of the first weights.
    """

    def __init__(self, task: Task[Any], seed: int = 0) -> None:
        self.task = task
        architecture = task.generator.architecture  # as large as that of plans
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.decoder = NoiseDecoder(architecture, tuple(task.condition_sizes))

    def draw(self, conditions: Ints, generator: torch.Generator) -> Tensor:
        """Returns pictures float [N, *shape] under conditions int [N, K], with gradients."""
        N, sizes = len(conditions), self.decoder.architecture
        latent, noise = (torch.randn(N, size, generator=generator) for size in (LATENT, sizes.noise_size))
        made: Tensor = self.decoder(latent, noise, torch.from_numpy(np.asarray(conditions, np.int64)))
        return made

    @torch.no_grad()
    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` pictures, uint8."""
        if condition is None:
            known = self.task.works("train").conditions
            condition = known[np.random.default_rng(seed).integers(len(known), size=num)]
        generator = torch.Generator().manual_seed(seed)
        parts = [as_bytes(self.draw(condition[at : at + ROWS], generator)) for at in range(0, num, ROWS)]
        return np.concatenate(parts)


def train_gan(row: Row, seconds: float, seed: int, out: Path, task: Task[Any]) -> GanSampler:
    """Trains a plain GAN for some processor time, or loads what it trained before.

    Both sides take a step in turn: D on real pictures and the present G's, G by the non-saturating loss (Goodfellow et
    al. 2014, section 3). The weights kept are those of the least Frechet distance from validation works, measured once
    a minute: by the features that the general suite measures with, which favours this baseline.

    Args:
        row: ``params``: ``rate`` of G; others are options of the discriminator, such as ``r1``, ``learning_rate``.
        seconds: of training, making D included.
        seed: of both networks, of noise, and of the choice of works.
        out: folder for ``metrics.jsonl`` and ``gan.pt`` (weights only). A run without the latter starts anew.
        task: of pictures.
    """
    made, weights, lines = GanSampler(task, seed), out / "gan.pt", out / "metrics.jsonl"
    if weights.exists():
        made.decoder.load_state_dict(torch.load(weights, weights_only=True))
        return made
    out.mkdir(parents=True, exist_ok=True)
    lines.unlink(missing_ok=True)
    options, known, validation = dict(row.params), task.works("train"), task.works("validation")
    net = feature_net(known.contents, task.layout)  # its own training is no training of the GAN
    target = net(validation.contents)
    begun = reported = measured = time.process_time()
    optimizer = torch.optim.Adam(made.decoder.parameters(), options.pop("rate"), betas=(0.5, 0.99))
    trainer = make_trainer(task, seed, past=0, batch_size=BATCH, **options)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    steps, best, kept = 0, math.inf, dict[str, Tensor]()
    while not kept or time.process_time() - begun < seconds:
        conditions = known.conditions[rng.integers(len(known.conditions), size=BATCH)]
        pictures = made.draw(conditions, generator)
        trainer.observe(as_bytes(pictures.detach()), conditions)
        loss = F.softplus(-trainer.discriminator.score(pictures, torch.from_numpy(conditions.astype(np.int64)))).mean()
        parameters = list(made.decoder.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):  # not D's
            parameter.grad = gradient
        optimizer.step()
        steps += 1
        now = time.process_time()
        if now - measured >= VALIDATE_EVERY or now - begun >= seconds:
            measured = now
            distance = frechet(target, net(made.sample(validation.conditions, len(target), seed)))
            if distance < best:
                best, kept = distance, {name: value.clone() for name, value in made.decoder.state_dict().items()}
        if now - reported >= REPORT_EVERY or now - begun >= seconds:
            reported = now
            line = {"seconds": round(now - begun, 3), "steps": steps, "train/generator_loss": loss.item()}
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line | ({"validation/frechet": best} if kept else {})) + "\n")
    made.decoder.load_state_dict(kept)
    torch.save(kept, out / "gan.pt.partial")
    (out / "gan.pt.partial").replace(weights)
    return made
