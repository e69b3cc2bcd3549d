"""Pictures of your own: PNG files in a folder, of any size."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .figures import SIZE, Figure, Figures, box_of, fitted, stem
from .files import Found, read_files
from .palettes import OPAQUE
from .subfolders import conditions_of, folder_of

if TYPE_CHECKING:
    from PIL import Image

LARGEST_SIDE = 4096  # pixels
FEW_KINS = 10  # where names of files tell fewer figures apart, each file is its own


def read_images(found: Found) -> Figures:
    """Returns the figures of PNG files.

    A picture of 16 x 16 pixels is taken as it is, a larger one is cut out and reduced; it needs transparency around its
    figure. Where all files are indexed with one palette whose first entry is transparent, as ``Sprite.export`` writes
    them, that is the palette.
    """
    palettes = set[bytes | None]()
    left_out = Counter[str]()

    def read(data: bytes, name: str) -> list[tuple[str, NDArray[np.uint8]]]:
        pixels, palette = read_png(data)
        palettes.add(palette)
        return [(name, pixels)]

    items, skipped = read_files(found, read)
    styled = bool(conditions_of(found))
    kins = kins_of([name for name, _ in items])
    figures = list[Figure]()
    for (name, pixels), kin in zip(items, kins, strict=True):
        box = box_of(pixels)
        if box is None:
            left_out["empty"] += 1
            continue
        if pixels.shape[:2] == (SIZE, SIZE):
            square = pixels
        elif (pixels[..., 3] >= OPAQUE).all():
            left_out["without transparency: no figure can be cut out"] += 1
            continue
        else:
            square = fitted(pixels, box)
        figures.append(Figure(name, kin, (folder_of(name),) if styled else (), square))
    shared = palettes.pop() if len(palettes) == 1 else None
    palette = None if shared is None else np.frombuffer(shared, np.uint8).reshape(-1, 3)
    return Figures(figures, len(found.files) + len(found.skipped), dict(left_out), skipped, palette)


def kins_of(names: Sequence[str]) -> list[str]:
    """Returns the kin of each file: those whose names begin alike, as "cat-1.png" and "cat-2.png" do, are of one.

    Where that tells few apart, each file is its own.
    """
    kins = [f"{name.rpartition('/')[0]}/{stem(name.rpartition('/')[2])}" for name in names]
    return kins if len(set(kins)) >= FEW_KINS else list(names)


@contextlib.contextmanager
def opened(data: bytes, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Opens a picture of one of some formats, by their names in Pillow.

    Raises:
        ValueError: It is none, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    kinds, large = " or ".join(formats), f"more than {LARGEST_SIDE} pixels wide or high: make it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # larger ones are refused here
            image = Image.open(io.BytesIO(data), formats=formats)
        with image:
            if max(image.size) > LARGEST_SIDE:
                raise ValueError(large)
            yield image
    except Image.DecompressionBombError:
        raise ValueError(large) from None
    except UnidentifiedImageError:
        raise ValueError(f"no {kinds}: it does not begin as one") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"no {kinds} that can be read ({error})") from error


def read_png(data: bytes) -> tuple[NDArray[np.uint8], bytes | None]:
    """Returns a picture uint8 [H, W, 4], and its palette without the transparent first entry; None where it has none.

    Raises:
        ValueError: It is no PNG, or too large.
    """
    with opened(data, ("PNG",)) as image:
        palette = None
        if image.mode == "P" and image.info.get("transparency") in (0, b"\0"):
            palette = bytes(image.palette.getdata()[1])[3:] if image.palette else None
        return np.array(image.convert("RGBA")), palette
