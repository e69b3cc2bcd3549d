"""Small paintings: strokes, the pictures that are read, how they are shown, measured, written and read again."""

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from real_works import present

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import paint as domain
from musegym.envs.checks import check_task
from musegym.envs.corpora import sources
from musegym.envs.corpora.emoji import GROUPS, read_paintings
from musegym.envs.corpora.figures import box_of, colours_in
from musegym.envs.corpora.masters import PAINTERS, assembled, read_board, read_masters, trimmed
from musegym.envs.corpora.paintings import ALIKE, COLLECTIONS, COLOURS, nearest_distances
from musegym.envs.corpora.palettes import colours, palette_of
from musegym.envs.corpora.portraits import GROUND, bust, read_portraits
from musegym.envs.corpora.qtresources import read_resources
from musegym.envs.corpora.splitting import split, split_figures
from musegym.envs.corpora.thumbnails import laid_on, shrunk
from musegym.envs.media import colourmeasures
from musegym.envs.media.brushes import BRUSHES, FULL, Strokes, cover, repainted
from musegym.envs.media.painting import FRAME, GAP, SCALE, Painting, enlarged
from musegym.envs.paint import PLACES, PaintTask
from musegym.envs.task import SPLITS

pytestmark = pytest.mark.usefixtures("own_cache")

PALETTE = colours("101010 7a2020 2050a0 40a040 e0b050 f0f0e0")


def flags(num, seed=0, side=40):
    """Pictures uint8 [num, side, side, 3] of two colours of the palette: a ground with a box on it."""
    rng = np.random.default_rng(seed)
    pictures = np.empty((num, side, side, 3), np.uint8)
    for picture in pictures:
        ground, box = PALETTE[rng.permutation(len(PALETTE))[:2]]
        top, left, high, wide = rng.integers(side // 8, side // 2, 4)
        picture[:] = ground
        picture[top : top + high, left : left + wide] = box
    return pictures


def save(picture, path, **given):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **given)


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures of their own subjects in two folders."""
    for number, picture in enumerate(flags(30)):
        name = f"own/{('boats', 'old houses')[number % 2]}/{chr(97 + number % 26)}{'x' * (number // 26)}"
        save(picture, tmp_path / f"{name}.png")
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return PaintTask(corpus=str(folder), strokes=3)


def played(task, actions):
    """The state after actions int [B, L]."""
    state = task.initial(np.arange(len(actions), dtype=np.uint64))
    for step in np.asarray(actions).T:
        state, _ = task.step(state, step)
    return state


class TestStrokes:
    def test_a_dot_covers_a_disc_with_a_soft_edge(self):
        share = cover(BRUSHES[3], np.array([[15.5, 15.5]]), 32)[0]
        rows, columns = np.indices((32, 32))
        away = np.hypot(rows - 15.5, columns - 15.5)
        assert (share[away < 3.5] == 1).all()
        assert (share[away > 4.5] == 0).all()
        assert share == pytest.approx(share.T)
        edge = (away > 3.5) & (away < 4.5)
        assert share[edge] == pytest.approx(4.5 - away[edge])

    def test_lines_run_their_way(self):
        names = {brush.name: brush for brush in BRUSHES}
        middle = np.array([[15.5, 15.5]])
        level, upright, falling, rising = (
            cover(names[f"{way} line"], middle, 32)[0] for way in ("level", "upright", "falling", "rising")
        )
        assert level.any(1).sum() < 4 < level.any(0).sum()
        assert (level == upright.T).all()
        assert falling[12, 12] > 0.5 > falling[12, 19]
        assert (falling == rising[::-1]).all()

    def test_areas_grow_with_scale(self):
        for brush in BRUSHES:
            small, large = (cover(brush, np.array([[15.5, 15.5]]), 32, scale).sum() for scale in (1, 4))
            assert large / 16 == pytest.approx(small, rel=0.1, abs=3)

    def test_strokes_are_laid_as_they_are_drawn(self):
        """In windows and on all canvases at once, as one by one in whole pictures."""
        rng = np.random.default_rng(0)
        strokes, B = Strokes(BRUSHES, PLACES, PALETTE, 32), 600
        canvas = rng.integers(0, 256, (B, 3072), np.uint8)
        before = canvas.reshape(B, 32, 32, 3).astype(int)
        brush, place, colour = (rng.integers(n, size=B) for n in (len(BRUSHES), len(PLACES), len(PALETTE)))
        rows = np.flatnonzero(rng.random(B) < 0.8)
        strokes.lay(canvas, rows, colour[rows], brush[rows], place[rows])
        after = canvas.reshape(B, 32, 32, 3)
        for row in range(B):
            share = np.rint(FULL * cover(BRUSHES[brush[row]], PLACES[place[row]][None], 32)[0]).astype(int)
            wanted = before[row] + ((PALETTE[colour[row]] - before[row]) * share[..., None] >> 7)
            assert (after[row] == (wanted if row in rows else before[row])).all(), (row, BRUSHES[brush[row]].name)

    def test_a_larger_canvas_shows_the_same_painting(self):
        strokes = [(PALETTE[4], BRUSHES[5], PLACES[112]), (PALETTE[0], BRUSHES[-1], PLACES[40])]
        small, large = (repainted(PALETTE[2], strokes, 32, scale) for scale in (1, 8))
        assert [len(pictures) for pictures in (small, large)] == [3, 3]
        means = large[-1].reshape(32, 8, 32, 8, 3).mean((1, 3))
        assert np.abs(means - small[-1]).mean() < 2


class TestTask:
    def test_contract(self, task):
        check_task(task)
        check_task(task, seed=1)

    def test_ground_then_colour_brush_and_place(self, task):
        state = played(task, [[2]])
        assert (task.content(state) == PALETTE[2]).all()
        assert task.action_mask(state).sum(1).tolist() == [len(PALETTE)]
        state, _ = task.step(state, np.array([5]))
        assert task.action_mask(state)[0].nonzero()[0].tolist() == list(range(len(BRUSHES)))
        state, _ = task.step(state, np.array([3]))
        assert task.action_mask(state).all()
        before = task.content(state)[0]
        state, _ = task.step(state, np.array([112]))
        changed = (task.content(state)[0] != before).any(-1)
        assert changed.sum() == (cover(BRUSHES[3], PLACES[112:113], 32)[0] * FULL >= 0.5).sum()
        assert (task.content(state)[0, 15:17, 15:17] == PALETTE[5]).all()
        assert task.feature_values(state).tolist() == [[1, 1, 6, 4, 8, 8]]

    def test_an_episode_ends_after_its_strokes(self, task):
        state = played(task, [9 * [0]])
        assert not state.done.any()
        state, done = task.step(state, np.array([0]))
        assert done.all()
        assert task.horizon == 10
        assert (task.content(state) == PALETTE[0]).all(), "strokes in a colour that is there change nothing"

    def test_rows_of_different_age_are_painted_alike(self, task):
        """Unfinished rows at every choice, and finished ones, in one batch."""
        rng = np.random.default_rng(3)
        actions = rng.integers(225, size=(11, task.horizon))
        alone = [played(task, actions[row : row + 1, :row]) for row in range(11)]
        together = task.initial(np.arange(11, dtype=np.uint64))
        for row, state in enumerate(alone):
            together.put(np.array([row]), state)
        following, _ = task.step(together.take(np.arange(11)), actions[:, 0])
        for row, state in enumerate(alone):
            state, _ = task.step(state, actions[row : row + 1, 0])
            assert (task.observe(following)[row, :-1] == task.observe(state)[0, :-1]).all()

    def test_illegal_choices_are_replaced(self, task):
        state = task.initial(np.zeros(1, np.uint64))
        assert task.legalise(state, np.array([len(PALETTE) + 2])).tolist() == [2]
        mask = task.action_mask(state)
        assert mask[0, task.legalise(state, np.arange(225).repeat(1)[:1])].all()

    def test_a_policy_sees_means_of_four_pixels(self, task):
        rng = np.random.default_rng(5)
        state = played(task, rng.integers(225, size=(4, 7)))
        means = task.content(state).reshape(4, 16, 2, 16, 2, 3).mean((2, 4))
        assert np.abs(task.view(state) - means).max() <= 0.5

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"data": "rembrandt"}, "no paintings are called 'rembrandt'"),
            ({"data": "openmoji", "corpus": "."}, "give data or corpus, not both"),
            ({"strokes": 0}, "strokes must be a whole number from 1 to 80"),
            ({"strokes": 2.5}, "strokes must be a whole number from 1 to 80"),
            ({"style": "cubism"}, "style 'cubism' is unknown"),
        ],
    )
    def test_wrong_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            PaintTask(**arguments)

    def test_names_of_actions(self):
        task = PaintTask()
        assert task.action_name(0) == "#000000 or point or 0,0"
        assert task.action_name(224) == "14,14"


class TestPictures:
    def test_large_pictures_become_means_and_small_ones_keep_their_pixels(self):
        rng = np.random.default_rng(0)
        small = np.concatenate([rng.integers(0, 256, (16, 16, 3)), np.full((16, 16, 1), 255)], -1).astype(np.uint8)
        assert (shrunk(small) == small.repeat(2, 0).repeat(2, 1)).all()
        assert (shrunk(small.repeat(2, 0).repeat(2, 1)) == small.repeat(2, 0).repeat(2, 1)).all()
        blocks = rng.integers(0, 256, (64, 64, 4), np.uint8)
        wide = np.concatenate([blocks[:, :7], blocks, blocks[:, :7]], 1)
        means = blocks.reshape(32, 2, 32, 2, 4).mean((1, 3))
        assert np.abs(shrunk(wide) - means).max() <= 0.5

    def test_transparency_shows_the_ground(self):
        picture = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [200, 0, 0, 128]]], np.uint8)
        assert laid_on(picture, (0, 100, 0)).tolist() == [
            [[200, 0, 0, 255], [0, 100, 0, 255], [100, 50, 0, 255]],
        ]

    def test_emoji_are_read_by_group(self, tmp_path):
        pytest.importorskip("resvg_py", reason="draws vector pictures: pip install resvg_py")
        box = '<rect x="18" y="18" width="36" height="36"/>'
        svg = f'<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg">{box}</svg>'
        for name in ("1F34E", "1F600", "1F468-1F3FD-200D-1F373", "1F469-200D-1F373", "1F550", "1F551", "0023-20E3"):
            (tmp_path / f"{name}.svg").write_text(svg)
        (tmp_path / "1F469-200D-2764-FE0F-200D-1F468.svg").write_text(svg)
        found = read_paintings(tmp_path)
        assert [(figure.kin, figure.style) for figure in found.figures] == [
            ("1F34E", ("food",)),
            ("1F9D1-1F373", ("person",)),
            ("1F9D1-1F373", ("person",)),
            ("clock", ("object",)),
            ("clock", ("object",)),
            ("1F600", ("face",)),
        ]
        assert found.left_out == {"a sign, a flag or a logo": 1, "several people": 1}
        pixels = found.figures[0].pixels
        assert pixels.shape == (32, 32, 4)
        assert pixels[16, 16].tolist() == [0, 0, 0, 255]
        assert pixels[0, 0].tolist() == [255, 255, 255, 255]

    def test_groups_are_apart(self):
        assert (GROUPS[0x1F600], GROUPS[0x1F98A], GROUPS[0x1F344], GROUPS[0x1F355]) == (
            "face",
            "animal",
            "plant",
            "food",
        )
        assert not {0x1F1E9, 0x2764, 0x1F519} & set(GROUPS)

    def test_portraits_are_cut_to_head_and_shoulders(self, tmp_path):
        figure = np.zeros((400, 300, 4), np.uint8)
        figure[80:140, 120:180] = [220, 180, 150, 255]  # a head
        figure[140:400, 90:210] = [30, 60, 30, 255]  # a body
        figure[10:390, 230:236] = [90, 90, 90, 255]  # a spear, higher than the head
        save(figure, tmp_path / "elves/archer+female.png")
        save(figure, tmp_path / "elves/archer.png")
        save(np.zeros((9, 9, 4), np.uint8), tmp_path / "elves/none.png")
        save(figure, tmp_path / "heroes/other.png")
        found = read_portraits(tmp_path)
        assert [(figure.kin, figure.style) for figure in found.figures] == 2 * [("elves/archer", ("elves",))]
        assert found.left_out == {"empty": 1, "of no race": 1}
        seen = found.figures[0].pixels[..., :3]
        assert seen[0, 0].tolist() == list(GROUND)
        rows = np.flatnonzero((seen == (220, 180, 150)).all(-1).any(1))
        columns = np.flatnonzero((seen == (220, 180, 150)).all(-1).any(0))
        assert rows[0] <= 4
        assert abs(columns.mean() - 15.5) < 2
        top, bottom, left, right = bust(figure, box_of(figure))
        assert 80 - 40 < top < 80 < bottom < 400
        assert left < 120 < 180 < right

    def test_near_copies_are_found(self):
        pictures = flags(6, side=32)
        near = pictures[2:3].astype(int) + 3
        assert nearest_distances(np.minimum(near, 255).astype(np.uint8), pictures)[0] <= 3
        assert nearest_distances(pictures[:1], pictures[1:])[0] > ALIKE
        rng = np.random.default_rng(0)
        some, others = (np.cumsum(rng.integers(0, 9, (num, 32, 32, 3)), 2, dtype=np.uint8) for num in (5, 90))
        every = np.abs(some[:, None].astype(int) - others).mean((2, 3, 4)).min(1)
        assert nearest_distances(some, others) == pytest.approx(every)


def archive(files, compressed=(), version=3, flag=1):
    """A small archive of Qt's resources, laid out as its compiler does."""
    root = {}
    for path, content in files.items():
        *folders, name = path.split("/")
        place = root
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = content
    contents, names, tree, free, waiting = b"", b"", b"", 1, [("root", root)]
    while waiting:
        name, item = waiting.pop(0)
        if isinstance(item, dict):
            tree += struct.pack(">IHII", len(names), 2, len(item), free)
            free += len(item)
            waiting += item.items()
        else:
            packed = struct.pack(">I", len(item)) + zlib.compress(item) if name in compressed else item
            tree += struct.pack(">IHHHI", len(names), flag * (name in compressed), 0, 0, len(contents))
            contents += struct.pack(">I", len(packed)) + packed
        tree += bytes(8 * (version > 1))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    begin = 24 if version > 2 else 20
    places = (begin + len(contents) + len(names), begin, begin + len(contents))
    return struct.pack(">4s4I", b"qres", version, *places) + bytes(begin - 20) + contents + names + tree


def webp(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", lossless=True, exact=True)
    return file.getvalue()


def board(title, *items):
    listed = ",\n".join("{" + ", ".join(f'"{key}" : "{value}"' for key, value in item.items()) + "}" for item in items)
    return (
        f'QtObject {{\n property string instruction: qsTr("{title}")\n property var levels: [\n{listed}\n]\n}}'.encode()
    )


class TestMasters:
    TITLE = "Katsushika Hokusa, A made-up wave - 1830"

    @pytest.fixture
    def picture(self):
        blocks = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
        return np.concatenate([blocks, np.full_like(blocks[..., :1], 255)], -1).repeat(8, 0).repeat(8, 1)

    @pytest.fixture
    def puzzle(self, picture):
        """A picture of 240 x 160 pixels in four pieces on a table of 300 x 200, its corner at 30, 20."""
        items = [{"pixmapfile": "image/bg.svg", "type": "SHAPE_BACKGROUND_IMAGE", "width": 300, "height": 200}]
        files = dict[str, bytes]()
        for top, bottom, left, right in ((0, 90, 0, 100), (0, 90, 100, 240), (90, 160, 0, 100), (90, 160, 100, 240)):
            name = f"image/{top}-{left}.webp"
            files[f"puzzles/resource/{name}"] = webp(picture[top:bottom, left:right])
            x, y = (30 + (left + right) / 2) / 300, (20 + (top + bottom) / 2) / 200
            items.append({"pixmapfile": name, "x": f"{x:.4f}", "y": f"{y:.4f}"})
        return {**files, "puzzles/resource/board/board1.qml": board(self.TITLE, *items)}

    @pytest.fixture
    def folder(self, tmp_path, puzzle, picture):
        ground = {"pixmapfile": "image/dürer.webp", "type": "SHAPE_BACKGROUND_IMAGE"}
        others = {
            "d/resource/image/dürer.webp": webp(picture[:, ::-1]),
            "d/resource/board/board2.qml": board("Albrecht Dürer, A lion - 1494", ground),
            "d/resource/board/board3.qml": board("A castle by the sea, Scotland", ground),
        }
        plain = np.full((64, 64, 4), 200, np.uint8)
        (tmp_path / "paintings.rcc").write_bytes(archive(puzzle, ("board1.qml", "0-0.webp")))
        (tmp_path / "details.rcc").write_bytes(archive(others, version=2))
        shapes = {"b/image/dürer.webp": webp(plain), "b/board/board1.qml": board("Renoir, A wall", ground)}
        (tmp_path / "babyshapes.rcc").write_bytes(archive(shapes, version=1))
        return tmp_path

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_archives_are_read_whole(self, version):
        files = {"a/b/one.txt": b"one", "a/two.txt": 99 * b"two", "a/\u6ce2/three": b"", "four": b"4"}
        assert read_resources(archive(files, ("two.txt", "three"), version)) == files

    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            (lambda data: b"PK" + data, "it does not begin as one"),
            (lambda data: data[:10], "it does not begin as one"),
            (lambda data: data[:4] + struct.pack(">I", 7) + data[8:], "of version 7, where 1 to 3 are known"),
            (lambda data: data[:-30], "it is cut short"),
            (lambda data: data.replace(zlib.compress(b"two")[:4], b"xxxx"), "its entries are damaged"),
            (lambda data: data.replace(struct.pack(">II", 3, 1), struct.pack(">II", 3, 0)), "one is in two folders"),
        ],
    )
    def test_damaged_archives_say_so(self, damage, reason):
        whole = archive({"one.txt": b"one", "two.txt": b"two", "three": b"3"}, ("two.txt",))
        assert len(read_resources(whole)) == 3
        with pytest.raises(ValueError, match=reason):
            read_resources(damage(whole))
        with pytest.raises(ValueError, match=r"two\.txt is compressed with Zstandard, which is not read"):
            read_resources(archive({"two.txt": b"two"}, ("two.txt",), flag=4))

    def test_pieces_are_put_together(self, puzzle, picture):
        text = puzzle["puzzles/resource/board/board1.qml"].decode()
        found = assembled(read_board(text), puzzle, "puzzles/resource")
        assert found.shape == (200, 300, 4)
        assert (found[20:180, 30:270] == picture).all()
        assert np.count_nonzero(found[..., 3]) == 240 * 160
        inner = trimmed(found, self.TITLE)
        assert (inner == picture[8:152, 12:228]).all(), "a twentieth of each side is cut off"

    def test_seams_show_the_nearest_pixel_and_missing_pieces_are_refused(self, picture):
        seam = picture.copy()
        seam[80, :, 3] = 0
        found, above, below = trimmed(seam, "seam"), picture[79, 12:228], picture[81, 12:228]
        assert (found[..., 3] == 255).all()
        assert ((found[72] == above).all(-1) | (found[72] == below).all(-1)).all()
        seam[40:60, 40:90, 3] = 0
        with pytest.raises(ValueError, match="pieces of 'seam' are missing"):
            trimmed(seam, "seam")

    def test_patches_of_every_scale_with_the_painter_as_style(self, folder):
        found = read_masters(folder)
        kins = {figure.kin: figure.style for figure in found.figures}
        assert kins == {"hokusai/A made-up wave - 1830": ("hokusai",), "duerer/A lion - 1494": ("duerer",)}
        assert (found.files, found.read) == (4, 2)
        assert found.left_out["no painting"] == 1
        assert found.left_out["nearly one colour"] == 1 + 9 + 16
        own = [figure for figure in found.figures if figure.style == ("hokusai",)]
        assert {figure.pixels.shape for figure in own} == {(32, 32, 4)}
        scales = [figure.name.split()[-2] for figure in own]
        assert {scale: scales.count(scale) for scale in scales} == {"1/1": 3, "1/2": 3 * 5, "1/4": 4 * 6}

    def test_a_damaged_archive_is_named_with_the_command_that_brings_it_anew(self, folder):
        whole = (folder / "paintings.rcc").read_bytes()
        (folder / "paintings.rcc").write_bytes(whole[:-9])
        with pytest.raises(
            ValueError, match=r"cannot read \S*paintings\.rcc \(.*\): get it anew with: musegym data"
        ) as no:
            read_masters(folder)
        assert "\n" not in str(no.value)
        lacking = {"p/board/board1.qml": board(self.TITLE, {"pixmapfile": "a.webp", "type": "SHAPE_BACKGROUND_IMAGE"})}
        (folder / "paintings.rcc").write_bytes(archive(lacking))
        with pytest.raises(ValueError, match=r"p/a\.webp is missing"):
            read_masters(folder)

    def test_every_painter_that_has_one_work_is_learned(self):
        """And so is every other one: the works of a painter that are held out leave some."""
        kins = [f"{style}/{number}" for style in PAINTERS.values() for number in range(1 + 4 * (style > "m"))]
        parts = split(kins, [(kin.partition("/")[0],) for kin in kins], None, COLLECTIONS["masters"].held_out)
        learned = {kin.partition("/")[0] for kin, part in zip(kins, parts, strict=True) if part == 0}
        assert learned == set(PAINTERS.values())
        assert set(parts) == {0, 1, 2}


class TestFolder:
    def test_pictures_are_read_with_their_folders_as_styles(self, task):
        works = [task.works(name) for name in SPLITS]
        assert sum(map(len, works)) == task.corpus_report().total <= 30
        assert task.conditions[0].values == ("boats", "old-houses")
        assert task.medium.palette.tolist() == PALETTE.tolist()
        assert works[0].contents.shape[1:] == (32, 32, 3)
        asked = PaintTask(corpus=task.kwargs()["corpus"], style="boats")
        assert asked.condition(asked.initial(np.arange(5, dtype=np.uint64))).tolist() == 5 * [[0]]

    def test_written_paintings_are_read_again(self, tmp_path):
        pictures = flags(20, seed=3, side=32)
        for number, picture in enumerate(pictures):
            Painting(lambda: PALETTE).export(picture, tmp_path / f"works/a{chr(97 + number)}")
        again = PaintTask(corpus=str(tmp_path / "works"))
        found = {bytes(picture) for name in SPLITS for picture in again.corpus(name)}
        assert {bytes(picture) for picture in pictures} & found

    def test_photographs_and_broken_files(self, folder, caplog):
        rng = np.random.default_rng(0)
        photograph = rng.integers(0, 256, (90, 120, 3), np.uint8)
        save(photograph, folder / "boats/photograph.jpg", quality=95)
        save(photograph[:80], folder / "boats/painted.webp")
        (folder / "boats/zz.png").write_bytes(b"no picture")
        task = PaintTask(corpus=str(folder))
        report = task.corpus_report()
        assert report.skipped == (("boats/zz.png", "no PNG or JPEG or WEBP: it does not begin as one"),)
        assert report.read == 32
        with caplog.at_level(logging.WARNING):
            task.corpus("train")
        assert "an agent soon knows fewer than 100 by heart" in caplog.text
        assert len(task.medium.palette) <= COLOURS

    def test_a_folder_without_pictures(self, tmp_path):
        with pytest.raises(ValueError, match=r"there is no \.png, \.jpg, \.jpeg, \.webp file in"):
            PaintTask(corpus=str(tmp_path)).corpus("train")
        with pytest.raises(ValueError, match="there is no folder or file"):
            PaintTask(corpus=str(tmp_path / "none"))


class TestMedium:
    medium = Painting(lambda: PALETTE, places=PLACES)

    def test_the_painting_is_shown_large_in_its_frame(self):
        content = np.full((32, 32, 3), PALETTE[4], np.uint8)
        shown = self.medium.render(content)
        edge = GAP + FRAME
        inside = shown[edge : edge + 32 * SCALE, edge : edge + 32 * SCALE]
        assert (inside == PALETTE[4]).all()
        assert (self.medium.render(content, upto=0)[edge : edge + 256, edge : edge + 256] == 255).all()
        for colour in PALETTE:
            assert (shown[:, edge + 32 * SCALE + FRAME :] == colour).all(-1).sum() > 20, "every colour is on the board"

    def test_clicks_find_places(self, task):
        state = played(task, [[0, 1, 2]])
        edge = GAP + FRAME
        for place in (0, 7, 112, 224):
            row, column = ((PLACES[place] + 0.5) * SCALE + edge).astype(int)
            assert task.action_at(state, int(column) + 3, int(row) - 3) == place
        assert task.action_at(state, 3, 3) is None
        assert task.action_at(state, edge + 32 * SCALE + 20, 100) is None
        assert task.action_at(played(task, [[0, 1]]), 100, 100) is None, "a brush is chosen next"

    def test_the_stroke_just_laid_is_outlined(self, task):
        states = [played(task, [actions]) for actions in ([1, 0, 3, 112], [1, 0, 3])]
        laid, held = (task.render(state)[0] for state in states)
        assert (laid != held).any()
        plain = task.medium.render(task.content(states[0])[0])
        assert (laid[:292, :292] != plain[:292, :292]).any()

    def test_enlarging_keeps_flat_parts_and_means(self):
        picture = flags(1, side=32)[0]
        large = enlarged(picture, 4)
        assert large.shape == (128, 128, 3)
        assert large.mean() == pytest.approx(picture.mean(), abs=2)
        assert (np.rint(enlarged(np.full((8, 8, 3), 77, np.uint8), 3)) == 77).all()

    def test_sheets(self):
        assert self.medium.sheet(flags(5, side=32), columns=3, scale=2).shape == (2 * 72, 3 * 72, 3)
        assert self.medium.population(flags(9, side=32)).shape == (3 * 72, 3 * 72, 3)

    def test_text(self):
        content = np.full((32, 32, 3), 255, np.uint8)
        assert self.medium.describe(content) == "(white)"
        content[3, 4] = 0
        assert self.medium.describe(content).split("\n")[3] == 8 * " " + "@@"

    def test_files(self, task, tmp_path):
        actions = np.array([2, 4, 5, 112, 0, 3, 40, 1, 2, 3])
        content = task.content(played(task, actions[None]))[0]
        written = task.export(content, tmp_path / "one", np.array([1]), actions)
        assert sorted(path.relative_to(tmp_path).as_posix() for path in written) == [
            *("large/one.gif", "large/one.png", "one.npz", "one.png")
        ]
        with Image.open(tmp_path / "one.png") as image:
            assert (np.array(image) == content).all()
        with Image.open(tmp_path / "large/one.gif") as image:
            assert image.n_frames == 4
        with Image.open(tmp_path / "large/one.png") as image:
            assert image.size == (320, 320)
        assert len(task.export(content, tmp_path / "two")) == 3

    def test_other_contents_are_refused(self):
        for contents in (np.zeros((0, 32, 32, 3), np.uint8), np.zeros((1, 32, 32, 3)), np.zeros((32, 32, 3), np.uint8)):
            with pytest.raises(ValueError, match=r"paintings are non-empty, uint8 \[N, H, W, 3\]"):
                self.medium.metrics(contents)


class TestMeasures:
    def test_greys_have_no_colour_and_colours_have_some(self):
        grey = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)[..., :1].repeat(3, -1)
        assert colourmeasures.colourfulness(grey)[0] == 0
        half = np.zeros((1, 2, 2, 3), np.uint8)
        half[0, 0] = [255, 0, 0]
        half[0, 1] = [0, 0, 255]
        red_green, yellow_blue = np.array([255, 0.0]), np.array([127.5, -255.0])
        spread = np.hypot(red_green.std(), yellow_blue.std())
        centre = np.hypot(red_green.mean(), yellow_blue.mean())
        assert colourmeasures.colourfulness(half)[0] == pytest.approx(spread + 0.3 * centre)

    def test_edges_are_where_black_meets_white(self):
        picture = np.zeros((1, 8, 8, 3), np.uint8)
        picture[:, :, 4:] = 255
        assert colourmeasures.edge_density(picture)[0] == 2 / 6
        assert colourmeasures.edge_density(picture // 3)[0] == 0

    def test_slopes_of_noise_and_of_its_sums(self):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (40, 32, 32, 1), np.uint8).repeat(3, -1)
        assert abs(colourmeasures.spectrum_slope(noise).mean()) < 0.2
        axis = np.fft.fftfreq(32, 1 / 32)
        frequency = np.maximum(np.hypot(axis[:, None], axis), 1)
        smooth = np.fft.ifft2(np.fft.fft2(noise[..., 0] - 127.5) / frequency).real
        smooth = np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)[..., None].repeat(3, -1)
        assert colourmeasures.spectrum_slope(smooth).mean() == pytest.approx(-2, abs=0.3)
        assert np.isnan(colourmeasures.spectrum_slope(np.zeros((1, 32, 32, 3), np.uint8))).all()

    def test_real_pictures_diverge_from_themselves_by_nothing(self):
        real = flags(20, side=32)
        own = Painting(lambda: PALETTE, lambda: real).metrics(real)
        assert own["palette_kl"] == pytest.approx(0, abs=1e-9)
        assert own["colours"] == 2
        other = Painting(lambda: PALETTE, lambda: real).metrics(np.full_like(real, PALETTE[0]))
        assert other["palette_kl"] > 1
        assert other["pixel_distance"] == other["spectrum_slope"] == 0
        assert other["symmetry"] == 1


def test_benchmark(folder, monkeypatch):
    from musegym.benchmarks.metrics import features

    net = features.FeatureNet
    monkeypatch.setattr(features, "FeatureNet", lambda train, layout, folder: net(train, layout, updates=5))
    monkeypatch.setattr(domain, "NUM", 12)
    task = PaintTask(corpus=str(folder), strokes=2)
    found = domain.measure(RandomPolicy(task), "test")
    assert set(found["references"]) == {"real", "random", "mean", "average_colours"}
    assert {column.key for column in domain.DOMAIN.columns} <= set(found)
    assert found["share_of_random"] == pytest.approx(1)
    assert found["references"]["average_colours"]["edge_density"] == 0
    assert found["references"]["mean"]["pixel_distance"] == pytest.approx(0, abs=1e-3)
    assert found["references"]["real"]["nearest"] > 0


@pytest.mark.parametrize("data", COLLECTIONS)
class TestRealPictures:
    @pytest.fixture
    def real(self, data):
        return present(PaintTask(data))

    def test_no_held_out_picture_is_a_copy(self, real):
        works = [real.works(name) for name in SPLITS]
        assert len(works[0]) > 150
        assert all(len(own) >= 20 for own in works)
        for part in (1, 2):
            before = np.concatenate([own.contents for own in works[:part]])
            assert nearest_distances(works[part].contents[:40], before).min() > ALIKE

    def test_every_style_is_learned(self, real):
        for column, condition in enumerate(real.conditions):
            assert set(real.works("train").conditions[:, column]) == set(range(len(condition.values)))

    @pytest.mark.slow
    def test_the_palette_is_that_of_the_train_split(self, real, data):
        known = COLLECTIONS[data]
        (place,) = sources.find(data).glob(known.folder)
        figures = known.read(place).figures
        train = colours_in(figures, split_figures(figures, known.most, known.held_out) == 0)
        assert palette_of(train, COLOURS).tolist() == colours(known.palette).tolist()
