"""Sizes of a content generator: plain data, which its file keeps."""

from __future__ import annotations

import dataclasses

SIDES = (16, 128)
"""Smallest and largest side of a picture."""
LARGEST = {"codes": 4096, "width": 256, "hidden": 512, "noise": 64, "fine": 128}
"""Largest sizes; a file that asks for more is refused."""


@dataclasses.dataclass(frozen=True)
class GeneratorArchitecture:
    """Sizes of the networks of a content generator.

    Attributes:
        shape: of a picture, (side, side) in grey or (side, side, channels).
        codes: K, entries of the codebook; a decision of a plan is one of them.
        width: of an entry.
        hidden: channels of the networks within.
        noise: numbers of noise for each place of a plan.
        fine: channels of a last convolution over whole pixels, without which neighbouring pixels come from different
            weights: lines of two pixels' period may show. 0 leaves it out.

    Raises:
        ValueError: a size is out of its range, or the picture is no square.
    """

    shape: tuple[int, ...]
    codes: int = 256
    width: int = 16
    hidden: int = 64
    noise: int = 8
    fine: int = 0

    def __post_init__(self) -> None:
        least, most = SIDES
        square = len(self.shape) in (2, 3) and self.shape[0] == self.shape[1] and self.channels in (1, 3)
        if not square or not least <= self.side <= most or self.side % 4:
            raise ValueError(
                f"a generator's pictures are squares in grey or three colours, of sides {least} to {most} that 4 "
                f"divides, not {self.shape}"
            )
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if type(value) is not int or not (0 if name in ("noise", "fine") else 1) <= value <= largest:
                raise ValueError(f"a generator's {name} must be a whole number up to {largest}, not {value!r}")

    @property
    def side(self) -> int:
        """Rows and columns of a picture."""
        return self.shape[0]

    @property
    def channels(self) -> int:
        """Channels of a picture: 1 in grey."""
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def grid(self) -> int:
        """Rows and columns of a plan: a place stands for about 8 x 8 pixels."""
        return -(-self.side // 8)

    @property
    def noise_size(self) -> int:
        """Numbers of noise for a picture."""
        return self.noise * self.grid**2
