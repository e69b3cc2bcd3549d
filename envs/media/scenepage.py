"""Scenes as one HTML page that turns a scene and walks through it, without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .meshes import RISE, Mesh
from .walks import parts


def save_page(
    mesh: Mesh,
    levels: NDArray[np.int64],
    materials: NDArray[np.int64],
    liquids: Sequence[int],
    path: Path,
    title: str,
) -> None:
    """Writes the page.

    Args:
        mesh: of the scene.
        levels: int [H, W], -1 for solid cells.
        materials: int [H, W].
        liquids: materials that a walk does not begin in.
        path: of the file.
        title: of the page.
    """
    labels = parts(levels[None])[0]
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    data = {
        "levels": levels.tolist(),
        "liquid": (np.isin(materials, liquids) & (levels >= 0)).astype(int).tolist(),
        "part": ((labels == sizes.argmax()) & (labels > 0)).astype(int).tolist(),
        "rise": RISE,
        "middle": float(np.mean(levels[levels >= 0])) if (levels >= 0).any() else 0.0,
        "corners": np.round(mesh.corners.astype(np.float64), 3).ravel().tolist(),
        "colours": mesh.colours.ravel().tolist(),
    }
    page = resources.files(__package__).joinpath("scenepage.html").read_text(encoding="utf-8")
    text = json.dumps(data, separators=(",", ":"))
    path.write_text(page.replace("__DATA__", text).replace("__TITLE__", html.escape(title)), encoding="utf-8")
