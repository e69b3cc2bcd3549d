"""Scenes of floors: drawn, as text, exported as pictures, GLB and a page to walk through, measured as populations."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .isometric import ROCK, Blocks, blocks, draw
from .meshes import mesh_of, save_glb
from .patterns import Patterns, divergence, patterns
from .pictures import Colour, save_png
from .scenepage import save_page
from .walks import walk_measures

SIGNS = '.:"~%^'
"""Materials in text, in their order."""
SOLID = "#"
SHINING = ("slime", "lava")
LIQUID = ("water", "slime", "lava")
WINDOWS = (2, 3)  # cells of a side of patterns

logger = logging.getLogger(__name__)


class Scenery(Medium):
    """Scenes as arrays [H, W] of values: 0 for solid cells, else ``1 + levels * material + level``.

    Args:
        materials: colours by name.
        levels: number of levels.
        beside: names of the folders of pictures of materials and of views.
        reference: returns the real contents that patterns are compared with; called when first needed.
    """

    def __init__(
        self,
        materials: Mapping[str, Colour],
        levels: int,
        beside: tuple[str, str],
        reference: Callable[[], Array] | None = None,
    ) -> None:
        self._names, self._colours = tuple(materials), (*materials.values(), ROCK)
        self._levels, self._beside, self._reference = levels, beside, reference

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a scene from a corner above; cells that are not built yet are an empty grid, the next one framed."""
        return self._drawn(content, upto)[0]

    def cells(self, content: Array) -> Ints | None:
        """Maps the pixels of ``render``'s picture to cells, int [h, w]: the block that is seen, -1 for none."""
        return self._drawn(content, None)[1]

    def value_name(self, value: int) -> str:
        """Returns "solid", or a material and a level."""
        material, level = divmod(value - 1, self._levels)
        return f"{self._names[material]} {level}" if value else "solid"

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Returns a line for each row: the level of each cell as a digit, then its material; # for solid cells.

        Signs of materials are ``.:"~%^``: stone, earth, grass, water, slime, lava.
        """
        levels, materials = self._read(content, 2)
        rows = list[str]()
        for heights, kinds in zip(levels, materials, strict=True):
            digits = "".join(SOLID if level < 0 else str(level) for level in heights)
            signs = "".join(SOLID if level < 0 else SIGNS[kind] for level, kind in zip(heights, kinds, strict=True))
            rows.append(f"{digits}  {signs}")
        return "\n".join(rows)

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt; .png (heights) and materials/.png, which ``corpus=`` reads again; view/.png, .glb and .html.

        The .html file turns the scene and walks through it, in a browser or a headset, without a network. Without
        ``trimesh`` there is no .glb: a line in the log says so.
        """
        levels, materials = self._read(content, 2)
        text = self.describe(content)
        txt, heights, html, glb = (Path(path).with_suffix(end) for end in (".txt", ".png", ".html", ".glb"))
        kinds, view = (heights.parent / folder / heights.name for folder in self._beside)
        for folder in (kinds.parent, view.parent):
            folder.mkdir(parents=True, exist_ok=True)
        txt.write_text(text + "\n", encoding="utf-8", newline="\n")
        save_png(np.rint((levels + 1) * 255 / self._levels).astype(np.uint8), heights)
        coloured = np.where(levels[..., None] < 0, 0, np.array(self._colours, np.uint8)[materials])
        save_png(coloured.astype(np.uint8), kinds)
        save_png(self.render(content), view)
        mesh = mesh_of(levels, materials, self._colours, self._numbers(SHINING))
        written = [txt, heights, kinds, view, html]
        save_page(mesh, levels, materials, self._numbers(LIQUID), html, Path(path).stem)
        if not len(mesh.corners):  # all is solid
            return written
        try:
            save_glb(mesh, glb)
        except ModuleNotFoundError as error:
            logger.warning("%s", error)
            return written
        return [*written, glb]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W].

        ``walkable``, ``connected``, ``open``, ``heights``, ``steps``, ``cliffs``: ``walks.walk_measures``.
        ``distinct``: share of different scenes. ``tpkldiv``: Kullback-Leibler divergence of the patterns of 2 x 2 and
        3 x 3 cells from those of real scenes, the mean of both directions and sizes (Lucas & Volz 2019, "Tile Pattern
        KL-Divergence for Analysing and Evolving Game Levels", arXiv:1905.05077), nats; it falls as N grows: compare
        populations of one size.

        Raises:
            ValueError: there are no scenes, or they have another shape or unknown values.
        """
        levels, _ = self._read(contents, 3)
        if not len(levels):
            raise ValueError("metrics need scenes: there are none")
        result = walk_measures(levels)
        result["distinct"] = len(np.unique(contents.reshape(len(contents), -1), axis=0)) / len(contents)
        if self._reference is not None:
            found = [patterns(contents.astype(np.int64), side) for side in WINDOWS]
            both = [
                divergence(real, ours) + divergence(ours, real) for real, ours in zip(self._real, found, strict=True)
            ]
            result["tpkldiv"] = float(np.mean(both)) / 2
        return result

    @functools.cached_property
    def _real(self) -> list[Patterns]:
        assert self._reference is not None
        return [patterns(self._reference().astype(np.int64), side) for side in WINDOWS]

    def _drawn(self, content: Array, upto: int | None) -> tuple[NDArray[np.uint8], Ints]:
        levels, materials = self._read(content, 2)
        built = levels.size if upto is None else min(upto, levels.size)
        scene: Blocks = blocks(levels, materials, len(self._names))
        return draw(scene, self._colours, self._levels, built, self._numbers(SHINING))

    def _numbers(self, names: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(self._names.index(name) for name in names)

    def _read(self, contents: Array, ndim: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns levels, -1 for solid cells, and materials, 0 for these; raises ValueError for what is no scene."""
        contents = np.asarray(contents)
        if contents.ndim != ndim:
            raise ValueError(f"scenes have {ndim} axes here, not {list(contents.shape)}")
        most = self._levels * len(self._names)
        if contents.size and not 0 <= contents.min() <= contents.max() <= most:
            raise ValueError(f"values of cells are numbers from 0 to {most}")
        values = contents.astype(np.int64) - 1
        return np.where(values < 0, -1, values % self._levels), np.maximum(values, 0) // self._levels
