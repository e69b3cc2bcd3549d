"""A map of real works and an agent's: similar ones lie together; as a picture, and as a page to hover over."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..agents import AdversarialDQN, generate_episodes
from ..envs.task import Array, Floats, Ints, Task
from .metrics.features import feature_net

COMPONENTS = 50
"""Principal components that neighbourhoods are of."""
SIDE, EDGE = 1600, 60
"""Pixels of the picture, and of its margin."""
SMALL, LARGE = 56, 150
"""Side of a square thumbnail of the picture, and of the page; others have as many pixels."""
REAL, OURS = (96, 165, 250), (255, 196, 64)
GROUND, TEXT = (17, 19, 28), (232, 234, 243)


@dataclasses.dataclass(frozen=True)
class Atlas:
    """Works on a plane: real ones first, then as many of the agent's.

    Attributes:
        task: of the works.
        contents: [2 N, ...], decoded.
        conditions: int64 [2 N, C].
        places: float64 [2 N, 2], each from 0 to 1.
        nearest: int64 [N]: for each work of the agent the real one, of those shown, whose features are nearest.
        space: name of the features.
    """

    task: Task[Any]
    contents: Array
    conditions: Ints
    places: Floats
    nearest: Ints
    space: str

    @property
    def num(self) -> int:
        """N."""
        return len(self.nearest)


def lay_out(model: AdversarialDQN, num: int, seed: int = 0) -> Atlas:
    """Lays out training works and an agent's on a plane.

    Neighbourhoods are those of the features of the task's content generator, of its encoder that is, or, where it has
    none, of the network that measures works of the task (``metrics.features``); the plane is that of t-SNE (van der
    Maaten & Hinton 2008, "Visualizing data using t-SNE"). Only near works tell by their distance how similar they are.

    Args:
        model: the agent.
        num: works of each kind, at least 10; all training works where there are fewer.
        seed: of the choice and of the agent's actions.

    Raises:
        ValueError: there are too few works.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    task, rng = model.task, np.random.default_rng(seed)
    known = task.works("train")
    real = known.take(np.sort(rng.permutation(len(known))[:num]))
    num = len(real)
    if num < 10:
        raise ValueError(f"a map needs 10 works of each kind or more, not {num}")
    built = generate_episodes(model, num, seed=seed, condition=real.conditions if task.conditions else None)
    contents = np.concatenate([real.contents, task.decoded(built.contents, rng)])
    generator = task.generator
    if generator is not None and generator.updates:
        features, space = generator.features(contents), "the generator's encoder"
    else:
        features, space = feature_net(known.contents, task.layout)(contents), "the measuring network"
    nearest = cKDTree(features[:num]).query(features[num:])[1].astype(np.int64)
    components = min(COMPONENTS, len(features) - 1, features.shape[1])
    reduced = PCA(components, svd_solver="full").fit_transform(features)
    perplexity = min(30.0, (len(features) - 1) / 3)
    plane = TSNE(init="pca", random_state=seed, perplexity=perplexity).fit_transform(reduced).astype(np.float64)
    low, high = plane.min(0), plane.max(0)
    places = (plane - low) / np.maximum(high - low, 1e-9)
    conditions = np.concatenate([real.conditions, built.conditions]).astype(np.int64)
    return Atlas(task, contents, conditions, places, nearest, space)


def thumbnails(atlas: Atlas, side: int) -> list[NDArray[np.uint8]]:
    """Returns pictures of all works, uint8 [h, w, 3], of about side * side pixels each."""
    from PIL import Image

    made = list[NDArray[np.uint8]]()
    for content, condition in zip(atlas.contents, atlas.conditions, strict=True):
        picture = Image.fromarray(atlas.task.medium.render(content, condition))
        scale = side / np.sqrt(picture.width * picture.height)
        size = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
        made.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    return made


def picture(atlas: Atlas) -> NDArray[np.uint8]:
    """Draws the plane, uint8 [H, W, 3]: a dot for each work, and small pictures of as many as there is room for."""
    from PIL import Image, ImageDraw

    from ..envs.media.fonts import latin

    whole = Image.new("RGB", (SIDE, SIDE + EDGE), GROUND)
    draw = ImageDraw.Draw(whole)
    at = np.stack([EDGE + atlas.places[:, 0] * (SIDE - 2 * EDGE), 2 * EDGE + atlas.places[:, 1] * (SIDE - 2 * EDGE)], 1)
    kinds = [REAL] * atlas.num + [OURS] * atlas.num
    small, taken = thumbnails(atlas, SMALL), np.zeros((SIDE + EDGE, SIDE), np.bool_)
    boxes = dict[int, tuple[int, int]]()
    for index in np.random.default_rng(0).permutation(len(at)).tolist():
        (x, y), (height, width, _) = at[index].astype(int), small[index].shape
        top, left = y - height // 2 - 3, x - width // 2 - 3
        room = taken[max(top, 0) : top + height + 6, max(left, 0) : left + width + 6]
        if room.any():
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=kinds[index])
        else:
            room[:] = True
            boxes[index] = (left, top)
    for index, (left, top) in boxes.items():
        height, width, _ = small[index].shape
        draw.rectangle((left, top, left + width + 5, top + height + 5), fill=kinds[index])
        whole.paste(Image.fromarray(small[index]), (left + 3, top + 3))
    x = EDGE // 2
    for kind, label in ((REAL, f"{atlas.num} real works"), (OURS, f"{atlas.num} of the agent")):
        draw.rectangle((x, 22, x + 20, 42), fill=kind)
        draw.text((x + 32, 18), label, fill=TEXT, font=latin(24))
        x += 60 + round(draw.textlength(label, latin(24)))
    draw.text((SIDE - EDGE // 2, 24), f"near in {atlas.space}", fill=TEXT, font=latin(18), anchor="ra")
    return np.asarray(whole)


def page(atlas: Atlas, title: str) -> str:
    """Returns the plane as a page of HTML that needs no other file."""
    from PIL import Image

    pictures = thumbnails(atlas, LARGE)
    height, width = (max(picture.shape[side] for picture in pictures) for side in (0, 1))
    padded = [np.full((height, width, 3), GROUND, np.uint8) for _ in pictures]
    for whole, part in zip(padded, pictures, strict=True):
        whole[: part.shape[0], : part.shape[1]] = part
    columns = max(1, int(np.sqrt(len(padded))))
    padded += [padded[0]] * (-len(padded) % columns)
    sheet = np.concatenate(
        [np.concatenate(padded[at : at + columns], 1) for at in range(0, len(padded), columns)]
    )  # [rows * height, columns * width, 3]
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="WEBP", quality=82)
    names = [
        ", ".join(
            f"{condition.name} {condition.values[value]}"
            for condition, value in zip(atlas.task.conditions, row, strict=True)
        )
        for row in atlas.conditions.tolist()
    ]
    data = {
        "num": atlas.num,
        "places": np.round(atlas.places, 4).tolist(),
        "names": names,
        "sizes": [[part.shape[1], part.shape[0]] for part in pictures],
        "cell": [width, height],
        "columns": columns,
        "nearest": atlas.nearest.tolist(),
        "space": atlas.space,
        "sheet": "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii"),
    }
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    template = resources.files(__package__).joinpath("atlas.html").read_text(encoding="utf-8")
    return template.replace("__TITLE__", html.escape(title)).replace("__DATA__", text)


def save(atlas: Atlas, folder: Path, title: str) -> list[Path]:
    """Writes ``map.png`` and ``map.html`` into a folder; returns their paths."""
    from ..envs.media.pictures import save_png

    folder.mkdir(parents=True, exist_ok=True)
    image, text = folder / "map.png", folder / "map.html"
    save_png(picture(atlas), image)
    text.write_text(page(atlas, title), encoding="utf-8")
    return [image, text]
