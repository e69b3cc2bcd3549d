"""Maps of real works and an agent's: places, neighbours, picture, page."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import toys
from PIL import Image

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.agents.generators import ContentGenerator, GeneratorArchitecture
from musegym.benchmarks import atlas
from musegym.benchmarks.metrics import features

toys.register()
NUM = 12


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> atlas.Atlas:
    """A map of an untrained agent's words."""
    monkeypatch.setattr(atlas, "feature_net", lambda known, layout: features.FeatureNet(known, layout, updates=5))
    model = AdversarialDQN("auto", make_sb3_env("toy/Word-v0", 4, discriminator="none"), seed=0)
    return atlas.lay_out(model, NUM, seed=1)


def test_works_lie_on_a_plane_beside_their_neighbours(words: atlas.Atlas) -> None:
    known = words.task.works("train")
    assert words.num == NUM
    assert words.contents.shape == (2 * NUM, *words.task.layout.shape)
    assert all(any(np.array_equal(work, real) for real in known.contents) for work in words.contents[:NUM])
    assert np.array_equal(words.conditions[:NUM], words.conditions[NUM:])
    assert np.allclose([words.places.min(0), words.places.max(0)], [[0, 0], [1, 1]])
    net = atlas.feature_net(known.contents, words.task.layout)
    made, real = net(words.contents[NUM:]), net(words.contents[:NUM])
    assert np.array_equal(words.nearest, ((made[:, None] - real) ** 2).sum(-1).argmin(1))
    assert "measuring" in words.space


def test_the_page_holds_every_work_and_needs_no_other_file(words: atlas.Atlas, tmp_path: Path) -> None:
    image, text = atlas.save(words, tmp_path / "new", "Words & <more>")
    page = text.read_text(encoding="utf-8")
    assert "Words &amp; &lt;more&gt;" in page
    assert not re.search(r"(src|href)=|https?://", page)
    data = json.loads(re.search(r'application/json">(.*?)</script>', page, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert len(data["places"]) == len(data["names"]) == len(data["sizes"]) == 2 * NUM
    with Image.open(io.BytesIO(base64.b64decode(data["sheet"].partition(",")[2]))) as sheet:
        rows = -(-2 * NUM // data["columns"])
        assert sheet.size == (data["columns"] * data["cell"][0], rows * data["cell"][1])
    with Image.open(image) as picture:
        pixels = np.asarray(picture).astype(int)
    for colour in (atlas.REAL, atlas.OURS):
        assert (np.abs(pixels - colour).sum(-1) < 12).sum() > 2000


def test_neighbourhoods_are_those_of_a_taught_encoder() -> None:
    model = AdversarialDQN("auto", make_sb3_env("musegym/Atelier-v0", 4, discriminator="none"), seed=0)
    taught = ContentGenerator(GeneratorArchitecture(model.task.layout.shape), seed=1)
    taught.updates = 1
    model.task.set_generator(taught)
    found = atlas.lay_out(model, 12, seed=0)
    vectors = taught.features(found.contents)
    assert np.array_equal(found.nearest, (vectors[12:] @ vectors[:12].T).argmax(1))
    assert "encoder" in found.space


def test_too_few_works_are_refused() -> None:
    model = AdversarialDQN("auto", make_sb3_env("toy/Bits-v0", 4, discriminator="none"), seed=0)
    with pytest.raises(ValueError, match="10 works of each kind or more, not 2"):
        atlas.lay_out(model, 50)
