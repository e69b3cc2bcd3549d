"""The shape of a discriminator's network: plain data, validated before anything is built from it."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple, Self

MAX_WEIGHTS = 20_000_000
PLANES = {"grid": (2,), "volume": (3,), "image": (2, 3), "frames": (3, 4)}
"""Numbers of axes of contents by kind of layout; where there is one more than the fewest, the last is of channels."""
LONGEST_SIDE = 1024
DENSE_CELLS = 64
"""A dense network reads contents of at most this number of cells; convolutions read larger ones."""
SMALLEST = 4
"""Convolutions halve sides that are longer."""
_ONLY = {
    **dict.fromkeys(("lags", "recurrent"), ("sequence",)),
    "noise": ("image", "frames"),
    "augmentation": tuple(PLANES),
}


class Convolution(NamedTuple):
    """A convolution of a network of planes.

    Attributes:
        channels: of its input.
        wider: channels of its output.
        kernels, strides, padding: along each side.
        sides: of its output.
    """

    channels: int
    wider: int
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    sides: tuple[int, ...]

    @classmethod
    def of(
        cls, channels: int, wider: int, sides: tuple[int, ...], kernels: tuple[int, ...], strides: tuple[int, ...]
    ) -> Self:
        """Returns the convolution of an input with the given sides, padded so that the sides divide by the strides."""
        padding = tuple(max(1, stride // 2) for stride in strides)
        after = zip(sides, kernels, strides, padding, strict=True)
        shorter = tuple((side + 2 * pad - kernel) // stride + 1 for side, kernel, stride, pad in after)
        return cls(channels, wider, kernels, strides, padding, shorter)

    @property
    def products(self) -> int:
        """Multiplications for one content."""
        return math.prod(self.sides) * self.weights

    @property
    def weights(self) -> int:
        """Number of weights, biases left out."""
        return math.prod(self.kernels) * self.channels * self.wider


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The shape of a network: plain data, validated, so that it can come from untrusted files.

    Raises:
        ValueError: a number is out of its range, two fields exclude each other, or the network would be too large.
    """

    kind: str
    """Kind of layout: a key of ``networks.ENCODERS``."""
    shape: tuple[int, ...]
    """Shape of one content: (L, C) or (L,) for sequences, (H, W) for grids, (D, H, W) for volumes, (H, W) or
    (H, W, C) for images, (T, H, W) or (T, H, W, C) for frames."""
    sizes: tuple[int, ...]
    """Number of values of each column of a sequence, of every cell, of every pixel."""
    condition_sizes: tuple[int, ...] = ()
    """Number of values of each condition."""
    categorical: bool = True
    """True where values are categories, False where they are shades."""
    hidden: int = 64
    """Channels of the convolutions and of the layers after them; the first one of planes has half."""
    embedding: int = 64
    """Width of the embeddings of a content's values and of its condition."""
    convolutions: int = 3
    """Convolutions of a sequence network, of width 3 and dilation 1, 2, 4 ...; residual layers of a dense network.
    Other networks have as many as it takes to halve the sides down to 4."""
    patch: int = 1
    """Stride of the first convolution of planes along sides longer than 4: 1, 2 or 4; its kernel is twice as long, or
    3 for a stride of 1."""
    lags: int = 24
    """Largest distance in rows at which repetition is looked for. Sequences only."""
    recurrent: int = 0
    """Units of a recurrent network; 0 reads sequences by convolutions. Sequences only."""
    dropout: float = 0.2
    """Share of the units dropped before every layer but the first; in networks of planes, before the last one only."""
    input_dropout: float = 0.0
    """Share of a content's entries that are hidden from the network in training."""
    spectral_norm: bool = False
    """True bounds the largest singular value of linear layers by 1 (Miyato et al. 2018); in networks of planes that of
    all but the last."""
    noise: float = 0.0
    """Standard deviation of the noise added to pixels (0 to 1) in training (Sonderby et al. 2017). Images and frames
    only."""
    augmentation: float = 0.0
    """Strength, 0 to 1, of the random blur, shift and brightness of pictures in training, or of the random shift and
    the hidden box of cells: see ``Augmentation`` and ``CellAugmentation``."""

    def __post_init__(self) -> None:
        for name in ("shape", "sizes", "condition_sizes"):
            values = getattr(self, name)
            if not all(type(value) is int and 0 < value <= 1_000_000 for value in values):
                raise ValueError(f"{name} must be positive integers up to 1,000,000, got {values}")
        if self.patch not in (1, 2, 4) or (self.patch > 1 and (self.kind not in PLANES or self.dense)):
            raise ValueError(f"patch must be 1, 2 or 4, and 1 but for convolutions over planes, got {self.patch!r}")
        limits = {"hidden": (1, 1024), "embedding": (1, 1024), "recurrent": (0, 1024)}
        for name, (low, high) in (limits | {"convolutions": (0, 8), "lags": (1, 256)}).items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, got {value!r}")
        for name in ("dropout", "input_dropout", "noise"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise ValueError(f"{name} must be a number from 0 up to 1, got {value!r}")
        if not isinstance(self.augmentation, int | float) or not 0 <= self.augmentation <= 1:
            raise ValueError(f"augmentation must be a number from 0 to 1, got {self.augmentation!r}")
        if type(self.kind) is not str or type(self.categorical) is not bool:
            raise ValueError("kind must be text, and categorical true or false")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name, kinds in _ONLY.items():
            if self.kind not in kinds and getattr(self, name) != defaults[name]:
                raise ValueError(f"{name} shapes networks of {' and '.join(kinds)} layouts, not of {self.kind!r}")
        weights = self._of_sequence() if self.kind == "sequence" else 0
        if self.kind in PLANES:
            weights = self._of_plane()
        if weights > MAX_WEIGHTS:
            raise ValueError(f"a discriminator of about {weights} weights is refused; {MAX_WEIGHTS} are allowed")

    @property
    def plane(self) -> tuple[int, ...]:
        """Sides of a plane or volume, channels left out."""
        return self.shape[: PLANES[self.kind][0]]

    @property
    def channels(self) -> int:
        """Channels of pixels; 1 of cells."""
        return math.prod(self.shape[len(self.plane) :])

    @property
    def layers(self) -> list[Convolution]:
        """Convolutions of a network of planes that is not dense: they halve sides until they are at most 4."""
        strides = tuple(self.patch if side > SMALLEST else 1 for side in self.plane)
        kernels = tuple(max(3, 2 * stride) for stride in strides)
        channels = self.embedding if self.categorical else self.channels
        layers = [Convolution.of(channels, max(1, self.hidden // 2), self.plane, kernels, strides)]
        while max(layers[-1].sides) > SMALLEST:
            sides = layers[-1].sides
            strides = tuple(2 if side > SMALLEST else 1 for side in sides)
            # An even kernel covers the pixels of an even side equally often.
            kernels = tuple(
                4 if stride == 2 and side % 2 == 0 else 3 for side, stride in zip(sides, strides, strict=True)
            )
            layers.append(Convolution.of(layers[-1].wider, self.hidden, sides, kernels, strides))
        return layers

    @property
    def dense(self) -> bool:
        """True where cells are few enough for a dense network."""
        return self.kind in PLANES and self.categorical and math.prod(self.plane) <= DENSE_CELLS

    def _of_sequence(self) -> int:
        """Validates the fields of a sequence; returns the approximate number of weights of its network."""
        columns = self.shape[1] if len(self.shape) == 2 else 1
        if len(self.shape) not in (1, 2) or len(self.sizes) != columns:
            raise ValueError(f"contents of shape {self.shape} do not fit {len(self.sizes)} column sizes")
        if self.recurrent:
            if self.spectral_norm:
                raise ValueError("recurrent networks have no spectral_norm: leave it at False, or recurrent at 0")
            values = sum(self.sizes)
            tables = self.embedding * (values + sum(self.condition_sizes) + 1) + values * (self.recurrent + 1)
            return tables + 3 * self.recurrent * (self.embedding + self.recurrent + 2)
        tables = self.embedding * (sum(self.sizes) + sum(self.condition_sizes) + 2 * self.shape[0])
        return tables + self.hidden * (self.embedding + self.hidden * (3 * self.convolutions + 2))

    def _of_plane(self) -> int:
        """Validates the fields of a plane or volume; returns the approximate number of weights of its network."""
        if len(self.sizes) != 1 or len(self.shape) not in PLANES[self.kind] or (self.categorical and self.channels > 1):
            raise ValueError(f"contents of shape {self.shape} and sizes {self.sizes} are no {self.kind}")
        if not self.categorical and not 1 < self.sizes[0] <= 256:
            raise ValueError(f"pixels have 2 to 256 values, not {self.sizes[0]}")
        if not 0 < min(self.plane) <= max(self.plane) <= LONGEST_SIDE or self.channels > LONGEST_SIDE:
            raise ValueError(f"sides are of 1 to {LONGEST_SIDE}, not {self.shape}")
        cells, conditions, hidden = math.prod(self.plane), sum(self.condition_sizes), self.hidden
        tables = self.embedding * (self.sizes[0] + cells) if self.categorical else 0
        if self.dense:
            return tables + hidden * (cells * self.embedding + self.convolutions * hidden + 1 + conditions)
        layers = self.layers
        features = layers[-1].wider * math.prod(layers[-1].sides)
        return tables + sum(layer.weights for layer in layers) + features * (1 + conditions)
