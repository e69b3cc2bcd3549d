"""Sprites: pictures reduced to 16 x 16 pixels and 16 colours; painted, shown, measured, written and read again."""

import itertools
import logging
import sys

import numpy as np
import pytest
from PIL import Image
from real_works import present

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import sprite as domain
from musegym.envs.checks import check_task
from musegym.envs.corpora import sources
from musegym.envs.corpora.collecting import mirrors
from musegym.envs.corpora.figures import Figure, Figures, box_of, colours_in, fitted, stem
from musegym.envs.corpora.likeness import ALIKE, likeness
from musegym.envs.corpora.openmoji import GROUPS, read_emoji
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.corpora.palettes import colours, nearest, palette_of, reduce
from musegym.envs.corpora.splitting import further, split, split_figures
from musegym.envs.corpora.sprites import COLLECTIONS, load_collection
from musegym.envs.corpora.wesnoth import BLUE, MIRRORED, REFERENCE, direction, read_units, recoloured
from musegym.envs.grids import NEIGHBOURS
from musegym.envs.media.sprites import GROUND, MARGIN, Sprite
from musegym.envs.sprite import OUTSIDE, SpriteTask
from musegym.envs.task import SPLITS

pytestmark = pytest.mark.usefixtures("own_cache")

PALETTE = colours("101010 7a2020 2050a0 40a040 e0b050 f0f0e0")
MIXED = "b7433a9c39b23e989f9ac346"
"""Palette of random pixels."""


def drawn(num, seed=0, size=16, values=6):
    """Sprites uint8 [num, size, size] in one piece, whose edges are covered, of colours 1 .. values."""
    rng = np.random.default_rng(seed)
    sprites = rng.integers(1, values + 1, (num, size, size), np.uint8)
    sprites[:, :4, :4] = sprites[:, -3:, -5:] = 0
    return sprites


def rgba(sprite, palette=PALETTE, scale=1):
    """The picture uint8 [H, W, 4] of a sprite."""
    picture = np.zeros((*sprite.shape, 4), np.uint8)
    picture[sprite > 0, :3] = palette[sprite[sprite > 0] - 1]
    picture[sprite > 0, 3] = 255
    return picture.repeat(scale, 0).repeat(scale, 1)


def save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures of their own figures in two folders, at once, twice and three times their size."""
    for number, sprite in enumerate(drawn(30)):
        name = f"own/{('cats', 'big dogs')[number % 2]}/{chr(97 + number % 26)}{'x' * (number // 26)}"
        save(rgba(sprite, scale=1 + number % 3), tmp_path / f"{name}.png")
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return SpriteTask(corpus=str(folder))


def every(task):
    return np.concatenate([task.corpus(name) for name in SPLITS])


def same_set(first, second):
    return sorted(map(bytes, np.ascontiguousarray(first))) == sorted(map(bytes, np.ascontiguousarray(second)))


class TestPalettes:
    def test_few_colours_stay_from_dark_to_light(self):
        found = palette_of(PALETTE[[3, 5, 1, 1, 0, 2, 4]], 16)
        assert found.tolist() == PALETTE[[0, 1, 2, 3, 4, 5]].tolist()

    def test_flat_colours_stay_as_they_are(self):
        """Two shades of red are merged to the heavier; a thousandth of blends is passed over."""
        rng = np.random.default_rng(0)
        twin = np.array([[120, 30, 36]], np.uint8)
        blends = rng.integers(0, 256, (60, 3), np.uint8)
        pixels = np.concatenate([PALETTE.repeat(10_000, 0), twin.repeat(3_000, 0), blends])
        assert palette_of(pixels, 6).tolist() == PALETTE.tolist()

    def test_mixed_colours_are_the_same_on_every_processor_and_in_any_order(self):
        rng = np.random.default_rng(7)
        pixels = rng.integers(0, 256, (300, 3), np.uint8)
        found = palette_of(pixels, 4)
        assert bytes(found).hex() == MIXED
        assert palette_of(pixels[::-1], 4).tolist() == found.tolist()
        assert len(palette_of(pixels, 16)) == 16

    def test_nearest_is_the_colour_itself(self):
        assert nearest(PALETTE[::-1][None], PALETTE).tolist() == [[5, 4, 3, 2, 1, 0]]

    @pytest.mark.parametrize("scale", [1, 2, 3, 4])
    def test_enlarged_sprites_are_reduced_to_themselves(self, scale):
        sprites = drawn(3)
        pictures = np.stack([rgba(sprite, scale=scale) for sprite in sprites])
        assert (reduce(pictures, PALETTE, scale) == sprites).all()

    def test_squares_are_covered_from_half_on_by_one_of_their_colours(self):
        square = np.zeros((1, 3, 3, 4), np.uint8)
        square[0, 0, :] = [*PALETTE[0], 255]
        square[0, 1, 0] = [*PALETTE[4], 255]
        assert reduce(square, PALETTE, 3).tolist() == [[[0]]]  # four of nine
        square[0, 1, 1] = [*PALETTE[0], 191]  # fainter than opaque
        assert reduce(square, PALETTE, 3).tolist() == [[[0]]]
        square[0, 1, 1, 3] = 192
        assert reduce(square, PALETTE, 3).tolist() == [[[1]]]


class TestFigures:
    def test_a_figure_is_cut_out_and_centred(self):
        picture = np.zeros((90, 70, 4), np.uint8)
        picture[50:82, 10:20] = [*PALETTE[1], 255]
        box = box_of(picture)
        assert box == (50, 82, 10, 20)
        cut = fitted(picture, box)
        assert cut.shape == (32, 32, 4)
        covered = np.argwhere(cut[..., 3] > 0)
        assert covered.min(0).tolist() == [0, 11]
        assert covered.max(0).tolist() == [31, 20]
        assert box_of(np.zeros((4, 4, 4), np.uint8)) is None

    def test_fine_pictures_are_sampled(self):
        sprite = drawn(1)[0]
        picture = rgba(sprite, scale=11)
        cut = fitted(picture, box_of(picture))
        assert cut.shape == (64, 64, 4)
        assert (reduce(cut[None], PALETTE, 4)[0] == sprite).all()

    def test_names_tell_figures_apart(self):
        names = ("archer+female-bow-2.png", "archer.png", "archer_3.png", "archer/archer-se.png")
        assert {stem(name) for name in names} == {"archer"}

    def test_kin_stays_together(self):
        kins = [f"unit{number % 40}" for number in range(400)]
        parts = split(kins)
        assert all(len({part for kin, part in zip(kins, parts, strict=True) if kin == own}) == 1 for own in set(kins))
        assert np.bincount(parts).tolist() == [320, 40, 40]
        assert sorted(split(["a", "b", "c"]).tolist()) == [0, 1, 2]

    def test_further_works_of_a_kin_fill_no_part(self):
        """Half of the kins have ten works, of which two count: a tenth of the kins' works is held out twice."""
        kins = [f"unit{number}" for number in range(100) for _ in range(10 if number % 2 else 2)]
        parts = dict(zip(kins, split(kins, most=2).tolist(), strict=True))
        assert np.bincount(list(parts.values())).tolist() == [80, 10, 10]

    def test_few_pictures_of_a_figure_stay(self):
        """The plainest, and another that the hash of its name draws."""
        names = [f"1F468{tone}-{trade}.svg" for tone in ("", "-1F3FB", "-1F3FC", "-1F3FF") for trade in "123"]
        figures = [Figure(name, name[-5], (), np.zeros((16, 16, 4), np.uint8)) for name in names]
        beyond = further(figures, range(len(names)), 2)
        kept = [name for row, name in enumerate(names) if row not in beyond]
        assert sorted(name[-5] for name in kept) == [*"112233"]
        assert {f"1F468-{trade}.svg" for trade in "123"} < set(kept)
        assert len({name[:-6] for name in kept}) > 2
        assert further(figures, [4, 7, 10], 2) in ([4], [7], [10])
        backwards = further(figures[::-1], range(len(names)), 2)
        assert {names[::-1][row] for row in backwards} == {names[row] for row in beyond}

    def test_training_sprites_are_mirrored_where_that_gives_another(self):
        sprites = drawn(6)
        sprites[2] = sprites[1, :, ::-1]
        sprites[3, :, 8:] = sprites[3, :, 7::-1]
        assert mirrors(sprites, np.array([0, 0, 0, 0, 1, 2], np.uint8)) == [0]

    def test_every_style_is_learned(self):
        kins = [f"unit{number % 40}" for number in range(400)]
        held_out = next(kin for kin, part in zip(kins, split(kins), strict=True) if part)
        parts = split(kins, [("rare" if kin == held_out else "common",) for kin in kins])
        assert {int(part) for kin, part in zip(kins, parts, strict=True) if kin == held_out} == {0}
        assert set(parts.tolist()) == {0, 1, 2}
        assert set(split(["a", "b", "c"], [("x",), ("y",), ("z",)]).tolist()) == {0, 1, 2}  # none is emptied

    def test_likeness_is_the_share_of_equal_pixels(self):
        first, second = drawn(3, 1), drawn(4, 2)
        second[0] = first[1]
        found = likeness(first, second)
        for i, a in enumerate(first):
            for j, b in enumerate(second):
                pairs = [{(place, value) for place, value in enumerate(sprite.ravel()) if value} for sprite in (a, b)]
                assert found[i, j] == pytest.approx(len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1]))
        assert found[1, 0] == 1


class TestUnits:
    def picture(self, side=40, colour=(10, 200, 30)):
        picture = np.zeros((72, 72, 4), np.uint8)
        picture[20 : 20 + side, 10 : 10 + side] = [*colour, 255]
        return picture

    def test_read(self, tmp_path):
        reference = tuple(bytes.fromhex(REFERENCE))
        save(self.picture(colour=reference), tmp_path / "drakes/burner.png")
        save(self.picture(50), tmp_path / "drakes/burner-se-attack-2.png")
        save(self.picture(44), tmp_path / "drakes/burner+female-ne.png")
        save(self.picture(60), tmp_path / "woses/wose.png")
        save(self.picture(), tmp_path / "drakes/burner-die-1.png")
        save(self.picture()[:40], tmp_path / "drakes/small.png")
        save(self.picture(), tmp_path / "dice.png")
        save(np.zeros((72, 72, 4), np.uint8), tmp_path / "drakes/none.png")
        found = read_units(tmp_path)
        assert [(figure.kin, figure.style, len(figure.pixels)) for figure in found.figures] == [
            ("drakes/burner", ("drakes", "ne"), 48),
            ("drakes/burner", ("drakes", "unmarked"), 48),
            ("woses/wose", ("woses", "unmarked"), 64),
        ]
        assert found.figures[1].pixels[24, 24].tolist() == [*BLUE, 255]
        assert found.files == 8
        assert sum(found.left_out.values()) == 5
        assert {reason.split(",")[0] for reason in found.left_out} == {
            *("of no faction", "dying", "not 72 x 72 pixels", "empty", "larger than its unit's other pictures")
        }

    def test_shades_of_the_team_from_dark_to_light(self):
        shades = np.array(
            [[*bytes.fromhex(shade), 255] for shade in ("3F0016", "D6007F", REFERENCE, "FDE9F1")], np.uint8
        )
        shown = recoloured(shades)[:, :3].astype(int)
        assert shown[2].tolist() == list(BLUE)
        assert (np.diff(shown.sum(1)) > 0).all()
        assert (shown[:, 2] > shown[:, 0]).all()
        other = np.array([[1, 2, 3, 4]], np.uint8)
        assert (recoloured(other) == other).all()

    def test_directions_are_words_of_names(self):
        assert [direction(name) for name in ("undead/ghost-n-2.png", "nagas/sentinel.png", "a/b-se-3.png")] == [
            *("n", "unmarked", "se")
        ]


class TestEmoji:
    SVG = (
        '<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg"><rect x="{}" y="9" width="20" height="54"/></svg>'
    )

    def test_read(self, tmp_path):
        pytest.importorskip("resvg_py", reason="draws vector pictures: pip install resvg_py")
        names = (
            "1F415",
            "1F468-1F3FD-200D-1F373",
            "1F469-200D-1F373",
            "1F468",
            "1F469-200D-2764-FE0F-200D-1F468",
            "1F600",
        )
        for number, name in enumerate(names):
            (tmp_path / f"{name}.svg").write_text(self.SVG.format(2 + 3 * number))
        (tmp_path / "1F40D.svg").write_text('<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg"/>')
        found = read_emoji(tmp_path)
        assert [(figure.name.removesuffix(".svg"), figure.kin, figure.style) for figure in found.figures] == [
            ("1F415", "1F415", ("mammal",)),
            ("1F468-1F3FD-200D-1F373", "1F9D1-1F373", ("role",)),
            ("1F468", "1F9D1", ("person",)),
            ("1F469-200D-1F373", "1F9D1-1F373", ("role",)),
        ]
        assert found.left_out == {"several people": 1, "no person or animal": 1, "empty": 1}
        assert found.figures[0].pixels[..., 3].any(1).mean() > 0.75  # of its height

    def test_groups_are_apart(self):
        assert {"person", "mammal", "bird", "fantasy"} < set(GROUPS.values())
        assert GROUPS[0x1F409] == "reptile"  # a dragon
        assert 0x1F600 not in GROUPS

    def test_missing_library_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "resvg_py", None)
        with pytest.raises(CorpusMissingError, match="pip install resvg_py"):
            read_emoji(tmp_path)


class TestCollections:
    def collection(self, monkeypatch, tmp_path, figures, name="openmoji"):
        monkeypatch.setattr(sources, "find", lambda name: tmp_path)
        (tmp_path / "pictures").mkdir()
        known = COLLECTIONS[name]._replace(folder="pictures", read=lambda folder: Figures(figures, len(figures), {}))
        monkeypatch.setitem(COLLECTIONS, name, known)

    def test_the_first_reading_is_announced_and_the_next_ones_are_quiet(self, tmp_path, monkeypatch, caplog):
        pixels = [rgba(sprite) for sprite in drawn(30)]
        groups = itertools.cycle(GROUPS.values())
        figures = [Figure(f"{n}.svg", str(n), (next(groups),), picture) for n, picture in enumerate(pixels)]
        self.collection(monkeypatch, tmp_path, figures)
        with caplog.at_level(logging.WARNING):
            first = load_collection("openmoji")
        assert [record.message.partition(" and ")[0] for record in caplog.records] == [
            "reading the emoji as vector pictures (OpenMoji)"
        ]
        caplog.clear()
        second = load_collection("openmoji")
        assert first.works.report == second.works.report
        assert first.works.report.total > 0
        assert not caplog.records

    def test_training_units_are_mirrored_with_their_directions(self, tmp_path, monkeypatch):
        factions, directions = (condition.values for condition in COLLECTIONS["wesnoth-units"].conditions)
        palette = colours(COLLECTIONS["wesnoth-units"].palette)
        words = itertools.cycle(directions[:5])
        figures = [
            Figure(f"{n}.png", str(n), (factions[0], next(words)), rgba(sprite, palette))
            for n, sprite in enumerate(drawn(60, values=16))
        ]
        self.collection(monkeypatch, tmp_path, figures, "wesnoth-units")
        task = SpriteTask("wesnoth-units")
        train, held_out = task.works("train"), [task.works(name) for name in SPLITS[1:]]
        N = 60 - sum(map(len, held_out))
        assert len(train) == 2 * N
        assert (train.contents[N:] == train.contents[:N, :, ::-1]).all()
        assert (train.groups[N:] == train.groups[:N]).all()
        turned = [(directions[a], directions[b]) for a, b in train.conditions[:, 1].reshape(2, N).T]
        assert {(a, MIRRORED.get(a, a)) for a in directions[:5]} == set(turned)
        assert all(works.conditions[:, 1].max() < 5 for works in held_out)
        assert task.corpus_report().read == 60

    def test_held_out_splits_have_few_pictures_of_a_figure_and_no_mirrored_copy(self, tmp_path, monkeypatch):
        palette, group = colours(COLLECTIONS["openmoji"].palette), next(iter(GROUPS.values()))
        figures = [
            Figure(f"{n:02}-{'0' * tone}.svg", f"{n:02}", (group,), rgba(sprite, palette))
            for n, tones in enumerate(drawn(180, values=16).reshape(30, 6, 16, 16))
            for tone, sprite in enumerate(tones)
        ]
        self.collection(monkeypatch, tmp_path, figures)
        before = load_collection("openmoji").works
        train, validation, test = (before.works[name] for name in SPLITS)
        assert [len(works) for works in (train, validation, test)] == [2 * 6 * 20, 4 * 5, 4 * 5]
        assert before.report.left_out == {"a further picture of a held-out figure": 20}
        place = next(
            row
            for row, figure in enumerate(figures)
            if rgba(test.contents[0], palette).tobytes() == figure.pixels.tobytes()
        )
        figures[place] = figures[place]._replace(pixels=rgba(train.contents[0, :, ::-1], palette))
        monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "another"))
        after = load_collection("openmoji").works
        assert after.report.left_out["nearly equal to one of another split"] == 1


class TestFolder:
    def test_pictures_are_read_at_any_size(self, task):
        assert same_set(every(task), drawn(30))
        assert task.medium.palette.tolist() == PALETTE.tolist()
        counts = task.corpus_report().works
        assert min(counts.values()) >= 2
        assert task.data_name == ""

    def test_folders_are_styles(self, task, folder):
        assert task.conditions[0].values == ("big-dogs", "cats")
        asked = SpriteTask(corpus=str(folder), style="cats")
        assert asked.condition(asked.initial(np.arange(9, dtype=np.uint64))).tolist() == 9 * [[1]]
        works = task.works("train")
        cats = np.stack([sprite for number, sprite in enumerate(drawn(30)) if number % 2 == 0])
        assert all(bytes(content) in map(bytes, cats) for content in works.contents[works.conditions[:, 0] == 1])
        flat = SpriteTask(corpus=str(folder / "cats"))
        assert flat.conditions == ()
        assert len(every(flat)) == 15

    def test_written_sprites_are_read_again(self, tmp_path):
        medium = Sprite(lambda: colours(COLLECTIONS["openmoji"].palette))
        sprites = drawn(20, seed=3, values=16)
        for number, sprite in enumerate(sprites):
            png, large = medium.export(sprite, tmp_path / f"work-{number:03d}.txt")
            assert png.name == large.name == f"work-{number:03d}.png"
        again = SpriteTask(corpus=str(tmp_path))
        assert same_set(every(again), sprites)
        assert (again.medium.palette == medium.palette).all()
        assert again.corpus_report().left_out == {"without transparency: no figure can be cut out": 20}

    def test_what_is_no_picture_is_named(self, folder, caplog):
        (folder / "cats/broken.png").write_bytes(b"no picture")
        save(np.zeros((20, 20, 4), np.uint8), folder / "cats/blank.png")
        save(np.full((20, 20, 3), 99, np.uint8), folder / "cats/photo.png")
        save(rgba(drawn(30)[0]), folder / "cats/zz.png")
        task = SpriteTask(corpus=str(folder))
        report = task.corpus_report()
        assert [name for name, _ in report.skipped] == ["cats/broken.png"]
        assert set(report.left_out) == {"empty", "without transparency: no figure can be cut out", "equal to another"}
        with caplog.at_level(logging.WARNING):
            task.corpus("train")
        assert "its 30 works are few" in caplog.text

    @pytest.mark.parametrize(
        "data", [b"la la", b"GIF89a", b"\xff\xd8\xff\xe0", bytes(99), b"\x89PNG\r\n\x1a\n" + bytes(40)]
    )
    def test_reasons_name_no_object_of_a_library(self, data, folder):
        (folder / "cats/broken.png").write_bytes(data)
        ((name, reason),) = SpriteTask(corpus=str(folder)).corpus_report().skipped
        assert name == "cats/broken.png"
        assert "PNG" in reason
        assert "0x" not in reason
        assert "BytesIO" not in reason

    def test_mistakes_are_one_line(self, tmp_path, folder, monkeypatch):
        with pytest.raises(ValueError, match="no folder or file"):
            SpriteTask(corpus=str(tmp_path / "nothing"))
        (tmp_path / "bare").mkdir()
        with pytest.raises(ValueError, match=r"no \.png file in"):
            SpriteTask(corpus=str(tmp_path / "bare")).corpus("train")
        for number, sprite in enumerate(drawn(2)):
            save(rgba(sprite), tmp_path / f"two/{number}.png")
        with pytest.raises(ValueError, match="holds 2 sprites, of 2 figures, too few"):
            SpriteTask(corpus=str(tmp_path / "two")).corpus("train")
        with pytest.raises(ValueError, match="not both"):
            SpriteTask("openmoji", str(folder))
        with pytest.raises(ValueError, match="choose one of openmoji, wesnoth-units"):
            SpriteTask("emoji")
        with pytest.raises(ValueError, match="style 'cow' is unknown"):
            SpriteTask(style="cow")
        monkeypatch.setattr(sources, "_places", lambda source: [])
        for data in SpriteTask.data_names:
            with pytest.raises(CorpusMissingError, match=f"musegym data get {data}"):
                SpriteTask(data).corpus("train")


class TestPainting:
    def test_contract(self, task):
        check_task(task)

    def test_nothing_is_read_before_the_first_episode(self, monkeypatch):
        monkeypatch.setattr(sources, "_places", lambda source: [])
        task = SpriteTask("wesnoth-units", style="elves-wood se")
        assert (task.horizon, task.num_actions, len(task.conditions)) == (256, 17, 2)
        assert task.action_name(0) == "transparent"
        assert task.action_name(1) == "#" + COLLECTIONS["wesnoth-units"].palette[:6]
        assert task.medium.render(np.zeros((16, 16), np.uint8)).ndim == 3

    def test_pixels_row_by_row(self, task):
        sprite = drawn(1, seed=5)[0]
        state = task.initial(np.zeros(1, np.uint64))
        for step, action in enumerate(task.demonstrations(sprite[None])[0]):
            flat = sprite.ravel()
            assert task.content(state)[0].ravel().tolist() == [*flat[:step], *[0] * (256 - step)]
            row, column = divmod(step, 16)
            values = dict(zip([feature.name for feature in task.features], task.feature_values(state)[0], strict=True))
            assert (values.pop("row"), values.pop("column")) == (row, column)
            for name, (down, across) in NEIGHBOURS.items():
                there = row + down >= 0 and 0 <= column + across < 16
                assert values.pop(name) == (sprite[row + down, column + across] if there else OUTSIDE)
            assert values == {"mirror": sprite[row, 15 - column] if column > 7 else OUTSIDE}
            observed = task.observe(state)[0]
            assert observed[256:258].tolist() == [row, column]
            state, done = task.step(state, np.array([action]))
            assert done[0] == (step == 255)
        assert (task.content(state)[0] == sprite).all()
        assert task.observe(state)[0, 256:258].tolist() == [16, 0]
        assert (task.feature_values(state)[0, 2:] == OUTSIDE).all()

    def test_what_is_no_sprite_cannot_be_built(self, task):
        for contents in (np.full((1, 16, 16), 17), np.full((1, 16, 16), -1), np.zeros((1, 15, 16))):
            with pytest.raises(ValueError, match="sprites are"):
                task.demonstrations(contents)


class TestMedium:
    medium = Sprite(lambda: PALETTE)

    def test_cells_are_where_pixels_are_drawn(self):
        sprite = drawn(1)[0]
        picture, cells = self.medium.render(sprite), self.medium.cells(sprite)
        assert cells.shape == picture.shape[:2]
        for cell in (0, 5, 100, 255):
            shown = np.unique(picture[cells == cell], axis=0)
            value = sprite.ravel()[cell]
            assert (cells == cell).sum() == 256
            assert len(shown) == 1
            assert shown[0].tolist() in ([PALETTE[value - 1].tolist()] if value else GROUND.tolist())
        assert cells[0, 0] == -1

    def test_the_next_pixel_is_framed_and_later_ones_are_dark(self):
        sprite = np.full((16, 16), 6, np.uint8)
        half, cells = self.medium.render(sprite, upto=128), self.medium.cells(sprite)
        assert (half[cells == 127] == PALETTE[5]).all()
        assert half[cells == 128].max() > 200  # the frame
        assert half[cells == 129].max() < 80
        assert (self.medium.render(sprite, upto=256) == self.medium.render(sprite)).all()

    def test_the_real_size_stands_beside(self):
        """At one pixel to one, as in a game."""
        sprite = drawn(1)[0]
        picture = self.medium.render(sprite)
        aside = picture[:, MARGIN + 256 + MARGIN :]
        wanted = np.where((sprite > 0)[..., None], PALETTE[np.maximum(sprite, 1) - 1], GROUND[0])
        windows = np.lib.stride_tricks.sliding_window_view(aside, (16, 16, 3))[:, :, 0]
        assert (windows == wanted).all((2, 3, 4)).sum() == 1

    def test_sheet(self):
        sheet = self.medium.sheet(drawn(5), columns=3, scale=2)
        assert sheet.shape == (2 * 2 * 20, 3 * 2 * 20, 3)
        assert (sheet[40 + 4 : -4, -40:] == GROUND[0]).all()  # the sixth place is empty
        assert self.medium.population(drawn(9)).shape == (240, 240, 3)

    def test_text(self):
        sprite = np.zeros((16, 16), np.uint8)
        sprite[1, 2:5] = 1, 6, 3
        assert self.medium.describe(sprite).split("\n")[:3] == ["", "    @@..OO", ""]
        assert "\x1b" not in self.medium.describe(drawn(1)[0])
        assert self.medium.describe(np.zeros((16, 16), np.uint8)) == "(transparent)"

    def test_names_of_values(self):
        assert [self.medium.value_name(value) for value in (0, 1)] == ["transparent", "#101010"]

    def test_file(self, tmp_path):
        sprite = drawn(1)[0]
        png, large = self.medium.export(sprite, tmp_path / "one")
        with Image.open(png) as image:
            assert image.size == (16, 16)
            assert (np.array(image.convert("RGBA"))[sprite > 0] == rgba(sprite)[sprite > 0]).all()
            assert not np.array(image.convert("RGBA"))[sprite == 0, 3].any()
        with Image.open(large) as image:
            assert (np.array(image) == self.medium.render(sprite)).all()

    def test_metrics_of_known_sprites(self):
        square = np.zeros((1, 16, 16), np.uint8)
        square[0, 4:8, 4:8] = 6
        square[0, 4, 4:8] = square[0, 7, 4:8] = square[0, 4:8, 4] = square[0, 4:8, 7] = 1
        found = self.medium.metrics(square)
        assert found["covered"] == 16 / 256
        assert found["colours"] == 2
        assert found["outline"] == found["symmetry"] == found["pieces"] == found["compactness"] == 1
        assert found["even"] == (12 + 4) / 24
        assert found["pixel_distance"] == 0
        two = square.copy()
        two[0, 4:8, 4:6] = 6
        two[0, 12, 12] = 3
        found = self.medium.metrics(np.concatenate([square, two]))
        assert found["pieces"] == 1.5
        assert found["symmetry"] == 0.5  # of the second none
        assert found["pixel_distance"] == 7 / 256
        empty = self.medium.metrics(np.zeros((2, 16, 16), np.uint8))
        assert set(empty.values()) == {0.0}

    def test_divergence_from_real_sprites(self):
        real = drawn(20)
        medium = Sprite(lambda: PALETTE, lambda: real)
        own = medium.metrics(real)
        assert own["palette_kl"] == pytest.approx(0, abs=1e-9)
        assert own["pattern_kl"] == pytest.approx(0, abs=1e-9)
        dark = real.copy()
        dark[dark == 6] = 1
        other = medium.metrics(dark)
        shares = np.bincount(real[real > 0], minlength=7)[1:] / (real > 0).sum()
        assert other["palette_kl"] > shares[5] * np.log(1e5) > 1
        assert other["pattern_kl"] > other["palette_kl"]

    def test_other_contents_are_refused(self):
        for contents in (np.zeros((0, 16, 16)), np.full((1, 16, 16), 7), np.zeros((16, 16))):
            with pytest.raises(ValueError, match=r"sprites are non-empty, \[N, H, W\] of 0 .. 6"):
                self.medium.metrics(contents)


def test_benchmark(task, monkeypatch):
    monkeypatch.setattr(domain, "NUM", 20)
    found = domain.measure(RandomPolicy(task), "test")
    assert found["references"]["random"]["num"] == found["num"] == 20
    assert {column.key for column in domain.DOMAIN.columns} <= set(found) & set(found["real"])
    assert found["real"]["nearest"] < 1
    copies = domain.measure_sprites(task, task.corpus("train"))
    assert copies["nearest"] == pytest.approx(1)


@pytest.mark.parametrize("data", COLLECTIONS)
class TestRealSprites:
    @pytest.fixture
    def real(self, data):
        return present(SpriteTask(data))

    def test_no_held_out_sprite_is_a_copy(self, real):
        works = [real.works(name) for name in SPLITS]
        assert len(works[0]) > 900
        figures = [len(np.unique(own.groups)) for own in works]
        assert all(0.07 * sum(figures) < number for number in figures)
        for part in (1, 2):
            before = np.concatenate([own.contents for own in works[:part]])
            assert likeness(works[part].contents, np.concatenate([before, before[:, :, ::-1]])).max() < ALIKE

    def test_held_out_splits_have_many_figures(self, real, data):
        most = COLLECTIONS[data].most
        if most is not None:
            for name in SPLITS[1:]:
                counts = np.unique(real.works(name).groups, return_counts=True)[1]
                assert counts.max() <= most
                assert len(counts) > 15

    def test_every_colour_and_style_is_used(self, real):
        works = real.works("train")
        assert set(np.unique(works.contents)) == set(range(17))
        for column, condition in enumerate(real.conditions):
            assert set(works.conditions[:, column]) == set(range(len(condition.values)))
        assert len({bytes(content) for content in every(real)}) == len(every(real))

    @pytest.mark.slow
    def test_the_palette_is_that_of_the_train_split(self, real, data):
        known = COLLECTIONS[data]
        (place,) = sources.find(data).glob(known.folder)
        figures = known.read(place).figures
        assert (
            palette_of(colours_in(figures, split_figures(figures, known.most, known.held_out) == 0), 16).tolist()
            == colours(known.palette).tolist()
        )
