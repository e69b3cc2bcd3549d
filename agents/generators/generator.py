"""A content generator: plans to pictures and back, in a file of its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...discriminators import files
from .architecture import GeneratorArchitecture
from .networks import GeneratorNetwork

FORMAT = "musegym generator 1"
LIMIT = 200_000_000
"""Largest size of a file's weights, in bytes."""
ROWS = 16
"""Pictures computed at a time, always as many: a picture then does not depend on the number of the others."""

Array = NDArray[Any]


class ContentGenerator:
    """Maps plans, int [N, n, n], to pictures, uint8 [N, side, side(, channels)], and pictures to plans.

    Args:
        architecture: sizes of the networks.
        seed: of their first weights. Torch's global generator is left as it was.
        device: a torch device.

    Attributes:
        updates: of its training so far; 0 for one that never learned.
    """

    def __init__(self, architecture: GeneratorArchitecture, seed: int = 0, device: str = "cpu") -> None:
        self.architecture, self.device, self.updates = architecture, torch.device(device), 0
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = GeneratorNetwork(architecture).to(self.device).eval()

    @property
    def noise_size(self) -> int:
        """Numbers of noise that a picture takes."""
        return self.architecture.noise_size

    @property
    def grid(self) -> int:
        """Rows and columns of a plan."""
        return self.architecture.grid

    @property
    def codes(self) -> int:
        """Values of a decision."""
        return self.architecture.codes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        return self.architecture.shape

    def to(self, device: str) -> None:
        """Moves the networks to a torch device."""
        self.device = torch.device(device)
        self.network.to(self.device)

    def pictures(self, plans: Array, noise: Array | None = None) -> NDArray[np.uint8]:
        """Returns the pictures of plans int [N, n, n], uint8 [N, *shape].

        Args:
            plans: codes from 0 to K - 1.
            noise: float32 [N, noise_size], standard normal; None for none, that is for the middle of them.

        Raises:
            ValueError: the plans are of another shape, or their codes out of range.
        """
        plans, n = np.asarray(plans), self.grid
        if plans.shape[1:] != (n, n) or plans.dtype.kind not in "iu":
            raise ValueError(f"plans must be integers [N, {n}, {n}], not {plans.dtype} {list(plans.shape)}")
        if plans.size and not 0 <= plans.min() <= plans.max() < self.codes:
            raise ValueError(f"codes of a plan must be from 0 to {self.codes - 1}")
        if noise is None:
            noise = np.zeros((len(plans), self.noise_size), np.float32)
        made = np.empty((len(plans), *self.shape), np.uint8)
        for rows, tensors in self._parts(plans.astype(np.int64), noise.astype(np.float32)):
            drawn = self.network.decode(self.network.codebook.embed(tensors[0]), tensors[1])
            made[rows] = as_bytes(drawn)[: len(made[rows])]
        return made

    def plans(self, contents: Array) -> NDArray[np.int64]:
        """Returns the plans of pictures uint8 [N, *shape], int64 [N, n, n]."""
        plans = np.empty((len(contents), self.grid, self.grid), np.int64)
        for rows, (vectors,) in self._encoded(contents):
            plans[rows] = self.network.codebook(vectors).plan.cpu().numpy()[: len(plans[rows])]
        return plans

    def features(self, contents: Array) -> NDArray[np.float32]:
        """Returns the encoder's vectors of pictures uint8 [N, *shape], each of length 1, float32 [N, n * n * width]."""
        found = np.empty((len(contents), self.grid**2 * self.architecture.width), np.float32)
        for rows, (vectors,) in self._encoded(contents):
            unit = torch.nn.functional.normalize(vectors, dim=1).reshape(len(vectors), -1)
            found[rows] = unit.cpu().numpy()[: len(found[rows])]
        return found

    @torch.no_grad()
    def _encoded(self, contents: Array) -> list[tuple[slice, tuple[Tensor, ...]]]:
        """Returns the encoder's vectors of pictures, in parts."""
        contents = np.asarray(contents)
        if contents.shape[1:] != self.shape or contents.dtype != np.uint8:
            raise ValueError(
                f"pictures must be uint8 [N, {', '.join(map(str, self.shape))}], not {contents.dtype} "
                f"{list(contents.shape)}"
            )
        return [
            (rows, (self.network.encode(as_shades(tensors[0])),)) for rows, tensors in self._parts(np.array(contents))
        ]

    def _parts(self, *arrays: Array) -> Any:
        """Yields slices of rows with ``ROWS`` rows of each array as tensors, the last ones repeated where some lack."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            for start in range(0, len(arrays[0]), ROWS):
                rows = slice(start, start + ROWS)
                indices = np.minimum(np.arange(start, start + ROWS), len(arrays[0]) - 1)
                yield rows, tuple(torch.from_numpy(array[indices]).to(self.device) for array in arrays)

    def state_dict(self) -> dict[str, Any]:
        """Returns sizes, weights and the number of updates, copied."""
        weights = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return {"architecture": plain(self.architecture), "weights": weights, "updates": self.updates}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any], device: str = "cpu") -> ContentGenerator:
        """Inverts ``state_dict``.

        Raises:
            ValueError: sizes are out of range, or weights do not fit them or are not finite.
        """
        sizes = dict(state["architecture"])
        made = cls(GeneratorArchitecture(**sizes | {"shape": tuple(int(side) for side in sizes["shape"])}), 0, device)
        known, weights = made.network.state_dict(), state["weights"]
        if {name: value.shape for name, value in weights.items()} != {name: each.shape for name, each in known.items()}:
            raise ValueError("its weights are not those of its sizes")
        if not all(value.isfinite().all() for value in weights.values()):
            raise ValueError("its weights are not finite")
        made.network.load_state_dict({name: value.float() for name, value in weights.items()})
        made.updates = int(state["updates"])
        return made

    def save(self, path: str | Path, half: bool = False) -> Path:
        """Writes one file for ``load``.

        Args:
            path: the file, replaced as a whole or not at all.
            half: stores weights in 16 bits, for shipping.
        """
        state = self.state_dict()
        kind = torch.float16 if half else torch.float32
        config = {"format": FORMAT, "architecture": state["architecture"], "updates": self.updates}
        weights = {name: value.to("cpu", kind) for name, value in state["weights"].items()}
        files.write(Path(path), config, {"weights": weights})
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> ContentGenerator:
        """Reads a file of ``save``, or a model that holds a generator, without executing any of it.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, doctored or something else.
        """
        try:
            of_model = files.read_part(Path(path), "generator", LIMIT)
            if of_model is not None:
                return cls.from_state_dict(of_model, device)
            config, tensors = files.read(Path(path), {FORMAT: LIMIT})
            return cls.from_state_dict({**config, "weights": tensors["weights"]}, device)
        except files.UNREADABLE as error:
            remedy = "give the model.zip of a model that has a generator, or save one with ContentGenerator.save"
            raise files.unusable(Path(path), error, "generator", "ContentGenerator.save", remedy) from error


def plain(architecture: GeneratorArchitecture) -> dict[str, Any]:
    """Returns sizes as plain data, equal to that of their JSON."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(architecture)))
    return values


def as_shades(pictures: Tensor) -> Tensor:
    """Returns pictures of bytes as floats from 0 to 1."""
    return pictures.float() / 255


def as_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """Returns pictures of floats from 0 to 1 as uint8."""
    rounded: NDArray[np.uint8] = (pictures * 255).round().to(torch.uint8).cpu().numpy()
    return rounded
