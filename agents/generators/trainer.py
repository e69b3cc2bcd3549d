"""Training of a content generator: by reconstruction of real works, and by a discriminator's score of an agent's."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..backup import Backup
from .generator import ContentGenerator, as_bytes, as_shades

Array = NDArray[Any]


class Judge(Protocol):
    """The part of a discriminator that trains a generator."""

    def score(self, contents: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Returns logits [N], high for real, with gradients with respect to contents float [N, ...]."""


class Real(Protocol):
    """Real works."""

    @property
    def contents(self) -> Array:
        """Real pictures uint8 [N, *shape]."""

    @property
    def conditions(self) -> Array:
        """Their conditions int [N, C]."""


@dataclasses.dataclass(frozen=True)
class GeneratorSettings:
    """Losses and rates of a generator's training.

    Attributes:
        rebuilding_rate: learning rate of Adam for encoder and decoder, while they learn to rebuild real works.
        learning_rate: that of the decoder beside an agent.
        betas: of Adam.
        batch_size: real works of an update of rebuilding.
        fresh: works of the agent in an update beside it, at most.
        held: real works of such an update, whose reconstruction is held: a plan keeps its meaning.
        likeness: weight of the mean difference of pixels (L1) from the real work.
        commitment: weight of the distance of the encoder's vectors from their codes.
        realism: weight of the GAN loss while rebuilding; it begins after ``alone`` updates.
        weight: of the GAN loss beside an agent.
        alone: updates of rebuilding without a discriminator.
    """

    rebuilding_rate: float = 1e-3
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.99)
    batch_size: int = 64
    fresh: int = 64
    held: int = 32
    likeness: float = 10.0
    commitment: float = 0.25
    realism: float = 0.3
    weight: float = 0.3
    alone: int = 300

    @classmethod
    def of(cls, channels: int, realism: float | None = None, weight: float | None = None) -> Self:
        """Returns the settings for pictures in grey or in colour.

        In colour the GAN loss has little weight: more of it made flat colours grainy, as was seen by eye.

        Args:
            channels: of a picture.
            realism: as above; None for 0.3 in grey, 0 in colour.
            weight: as above; None for 0.3 in grey, 0.1 in colour.
        """
        grey = channels == 1
        chosen = (0.3, 0.3) if grey else (0.0, 0.1)
        given = zip((realism, weight), chosen, strict=True)
        realism, weight = (usual if asked is None else asked for asked, usual in given)
        return cls(realism=realism, weight=weight)


class GeneratorTrainer:
    """Trains a content generator G, with its encoder E.

    ``rebuild`` teaches both to rebuild real works x: it minimises

        likeness |G(E(x)) - x| + commitment |E(x) - code|^2 + realism softplus(-D(G(E(x))))

    (van den Oord et al. 2017, equation 3, with moving averages for the codebook; the GAN loss as in Esser et al. 2021).
    ``learn`` teaches G alone, on plans p of an agent and noise z, by the non-saturating GAN loss (Goodfellow et al.
    2014, section 3), with the reconstruction held:

        weight softplus(-D(G(p, z))) + likeness |G(E(x)) - x|

    Args:
        generator: G.
        works: returns real works; called when training begins.
        settings: losses and rates.
        seed: of the choice of works and of noise.

    Attributes:
        given: True where G had learned before: it is not taught to rebuild.
        rebuilt: updates of ``rebuild``.
        best: weights of G that an agent's best policy was measured with.
    """

    def __init__(
        self,
        generator: ContentGenerator,
        works: Callable[[], Real],
        settings: GeneratorSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.generator, self._works, self.settings = generator, works, settings or GeneratorSettings()
        self.best = Backup("best generator", generator.network)
        self.given, self.rebuilt = generator.updates > 0, 0
        network, s = generator.network, self.settings
        self._both = [*network.encoder.parameters(), *self._decoding()]
        self._rebuilding = torch.optim.Adam(self._both, s.rebuilding_rate, betas=s.betas)
        self._learning = torch.optim.Adam(self._decoding(), s.learning_rate, betas=s.betas)
        self.rng = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)
        self._known: Real | None = None

    def _decoding(self) -> list[torch.nn.Parameter]:
        return [*self.generator.network.enter.parameters(), *self.generator.network.decoder.parameters()]

    def rebuild(self, judge: Judge | None) -> tuple[dict[str, float], Array, Array]:
        """Takes a step of rebuilding on real works.

        Args:
            judge: D; None leaves the GAN loss out.

        Returns:
            Losses by name; the pictures that were rebuilt, uint8 [N, *shape], and their conditions int [N, C].

        Raises:
            FloatingPointError: the loss is not finite.
        """
        s, network = self.settings, self.generator.network
        real, conditions = self._real(s.batch_size)
        encoded = network.encode(real)
        quantised = network.codebook(encoded)
        made = network.decode(quantised.vectors, self._noise(len(real)))
        likeness = F.l1_loss(made, real)
        loss = s.likeness * likeness + s.commitment * quantised.commitment
        losses = {"reconstruction": likeness.item(), "commitment": quantised.commitment.item()}
        if judge is not None and s.realism and self.rebuilt >= s.alone:
            realism = F.softplus(-judge.score(made, conditions)).mean()
            loss = loss + s.realism * realism
            losses["generator_loss"] = realism.item()
        self._step(loss, self._both, self._rebuilding)
        network.codebook.learn(encoded, quantised.plan, self._generator)
        self.rebuilt += 1
        losses["codes_in_use"] = float((network.codebook.count > 1).float().mean())
        return losses, as_bytes(made.detach()), conditions.cpu().numpy()

    def learn(self, plans: Array, conditions: Array, judge: Judge, rate: float = 1.0) -> dict[str, float]:
        """Takes a step of G on an agent's plans int [N, n, n].

        Args:
            plans: that the agent built, in any order; the first ``fresh`` of them are used.
            conditions: of the plans, int [N, C].
            judge: D.
            rate: factor of the learning rate.

        Returns:
            Losses by name.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        s, network, device = self.settings, self.generator.network, self.generator.device
        plans, conditions = plans[: s.fresh], conditions[: s.fresh]
        codes = network.codebook.embed(torch.from_numpy(plans.astype(np.int64)).to(device))
        made = network.decode(codes, self._noise(len(plans)))
        given = torch.from_numpy(np.asarray(conditions).astype(np.int64)).to(device)
        gan_loss = F.softplus(-judge.score(made, given)).mean()
        real, _ = self._real(s.held)
        with torch.no_grad():
            vectors = network.codebook(network.encode(real)).vectors
        likeness = F.l1_loss(network.decode(vectors, self._noise(len(real))), real)
        for group in self._learning.param_groups:
            group["lr"] = rate * s.learning_rate
        self._step(s.weight * gan_loss + s.likeness * likeness, self._decoding(), self._learning)
        return {"generator_loss": gan_loss.item(), "reconstruction": likeness.item()}

    def _step(self, loss: Tensor, parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the generator's loss is {loss.item()} at update {self.generator.updates}")
        # Not backward(): the discriminator's own gradients stay as they are.
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        optimizer.step()
        self.generator.updates += 1

    def _real(self, num: int) -> tuple[Tensor, Tensor]:
        if self._known is None:
            self._known = self._works()
        known, device = self._known, self.generator.device
        rows = self.rng.integers(len(known.contents), size=num)
        shades = as_shades(torch.from_numpy(known.contents[rows]).to(device))
        return shades, torch.from_numpy(known.conditions[rows].astype(np.int64)).to(device)

    def _noise(self, num: int) -> Tensor:
        return torch.randn(num, self.generator.noise_size, generator=self._generator).to(self.generator.device)

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later training depends on, the generator's weights apart, as plain data, tensors."""
        return {
            "given": self.given,
            "rebuilt": self.rebuilt,
            "rng": json.dumps(self.rng.bit_generator.state),
            "noise": self._generator.get_state(),
            "rebuilding": copy.deepcopy(self._rebuilding.state_dict()),
            "learning": copy.deepcopy(self._learning.state_dict()),
            "best": self.best.weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``; the generator has its weights already."""
        self.given, self.rebuilt = bool(state["given"]), int(state["rebuilt"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self._generator.set_state(state["noise"])
        self._rebuilding.load_state_dict(state["rebuilding"])
        self._learning.load_state_dict(state["learning"])
        self.best.load(state.get("best", {}))  # files of earlier commits have none
