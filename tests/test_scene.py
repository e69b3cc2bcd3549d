"""Scene-v0: maps of Doom read and cut, pictures of heights, building, rules, pictures, pages, meshes, measures."""

import json
import re
import struct

import numpy as np
import pytest
from PIL import Image
from real_works import present

from musegym.benchmarks.measures import domain_of
from musegym.envs import SPLITS, check_task
from musegym.envs.corpora import scenes, wads
from musegym.envs.corpora.placing import turned
from musegym.envs.grids import NEIGHBOURS
from musegym.envs.media import isometric, meshes, walks
from musegym.envs.scene import SceneTask, read_cell
from musegym.play.canvas import box_of, paintable
from musegym.play.painting import Painting
from musegym.play.stage import Event
from musegym.training.works import export_all

pytestmark = pytest.mark.usefixtures("own_cache")

SIDE, LEVELS = 16, scenes.LEVELS


@pytest.fixture(scope="module")
def real():
    """A task whose data are on this machine."""
    return present(SceneTask())


def scene(seed):
    """A scene of a few terraces with pillars, uint8 [16, 16]."""
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.integers(0, 5, (SIDE, 1)), 0) + np.sort(rng.integers(0, 3, (1, SIDE)), 1)
    levels[rng.random(levels.shape) < 0.15] = -1
    return scenes.values_of(levels, rng.integers(0, len(scenes.MATERIALS), (SIDE, SIDE)))


@pytest.fixture
def folder(tmp_path):
    medium = SceneTask().medium
    for number in range(12):
        medium.export(scene(number), tmp_path / f"{number}.x")
    return tmp_path


# ---- data


def test_sizes_are_known_without_data(monkeypatch):
    monkeypatch.setattr(scenes.sources, "find", lambda name: pytest.fail("reads the data"))
    for data, count in (("freedoom", 2), ("freedm", 1)):
        task = SceneTask(data)
        assert (task.horizon, task.num_actions, len(task.conditions)) == (256, 49, count)
        state = task.initial(np.zeros(2, np.uint64), np.zeros((2, count), np.int64))
        assert task.observe(state).shape == (2, 258 + count)


def test_scenes_of_the_data(real):
    counts = [len(real.works(split)) for split in SPLITS]
    assert sum(counts) > 10_000
    assert all(0.05 < count / sum(counts) < 0.2 for count in counts[1:])
    assert min(len(set(real.works(split).groups.tolist())) for split in SPLITS) >= 5
    train = real.works("train")
    assert len(np.unique(train.conditions, axis=0)) > 20
    assert set(np.unique(train.conditions[:, 1])) == set(range(len(scenes.MATERIALS)))
    known = {content.tobytes() for content in train.contents}
    assert len(known) == len(train)
    held_out = np.concatenate([real.corpus(split) for split in SPLITS[1:]])
    assert not known & {turned(each, turn).tobytes() for each in held_out for turn in (0, 1, 6)}
    levels = scenes.levels_of(held_out)
    assert (levels >= 0).mean((1, 2)).min() >= scenes.OPEN
    assert walks.largest(levels).min() >= scenes.TOGETHER
    grounds = [scenes.ground_of(content) for content in train.contents[::50]]
    assert (train.conditions[::50, 1] == grounds).all()


def test_real_scenes_keep_rules(real):
    kept = real.rules(real.corpus("validation")[::4])
    assert 0.4 < kept[:, 0].mean() < 0.95, "walkable"
    assert kept[:, 1].mean() > 0.7, "connected"


# ---- maps


def lump(kind, rows):
    return b"".join(struct.pack(kind, *row) for row in rows)


def wad(tmp_path):
    """A map of two rooms, 64 units wide each, and a door between them: a WAD file."""
    points = [(0, 0), (0, 64), (64, 64), (64, 0), (80, 64), (80, 0), (144, 64), (144, 0)]
    edges = [(0, 1, 0), (1, 2, 0), (3, 0, 0), (2, 4, 1), (5, 3, 1), (4, 6, 2), (6, 7, 2), (7, 5, 2)]
    sides = [(0, 0, b"-", b"-", b"-", sector) for _, _, sector in edges]
    lines = [(a, b, 1, 0, 0, number, 0xFFFF) for number, (a, b, _) in enumerate(edges)]
    for a, b, right, left in ((2, 3, 0, 1), (5, 4, 2, 1)):  # a player who opens the door is on the right
        lines.append((a, b, 4, 1, 0, len(sides), len(sides) + 1))
        sides += [(0, 0, b"-", b"-", b"-", right), (0, 0, b"-", b"-", b"-", left)]
    sectors = [
        (0, 128, b"GREEN", b"-", 200, 0, 0),
        (0, 0, b"GREY", b"-", 200, 0, 0),
        (24, 128, b"NUKAGE1", b"-", 90, 0, 0),
    ]
    parts = [
        ("MAP01", b""),
        ("LINEDEFS", lump("<7H", lines)),
        ("SIDEDEFS", lump("<hh8s8s8sH", sides)),
        ("VERTEXES", lump("<hh", points)),
        ("SECTORS", lump("<hh8s8shhh", sectors)),
        ("PLAYPAL", bytes([40, 90, 30, *[100] * 765])),
        ("F_START", b""),
        ("GREEN", bytes(64 * 64)),
        ("GREY", bytes([1]) * 64 * 64),
        ("F_END", b""),
    ]
    body, directory, at = b"", b"", 12
    for name, data in parts:
        directory += struct.pack("<ii8s", at, len(data), name.encode())
        body += data
        at += len(data)
    path = tmp_path / "own.wad"
    path.write_bytes(struct.pack("<4sii", b"PWAD", len(parts), at) + body + directory)
    return path


def test_maps_are_sampled_at_the_middles_of_squares(tmp_path):
    (found,), colours = wads.read_maps(wad(tmp_path), 16)
    assert (found.name, found.flat.shape) == ("MAP01", (5, 10))
    names = np.array([*found.flats, ""])[found.flat]
    assert (names[:4] == ["GREEN"] * 4 + ["GREY"] + ["NUKAGE1"] * 4 + [""]).all(), "the door is open"
    assert (names[4] == "").all(), "outside"
    assert (found.floor[:4, 5:9] == 24).all()
    assert (found.floor[:4, :5] == 0).all()
    assert colours["GREEN"].tolist() == [40, 90, 30]
    materials = [scenes._material(name, colours.get(name)) for name in ("GREEN", "GREY", "NUKAGE1", "UNKNOWN")]
    assert materials == [scenes.GRASS, scenes.STONE, scenes.SLIME, scenes.STONE]


def test_a_ceiling_too_low_is_solid(tmp_path):
    path = wad(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<hh", 24, 128), struct.pack("<hh", 24, 79)))
    (found,), _ = wads.read_maps(path, 16)
    assert (found.flat[:4, 5:] == -1).all()
    assert (found.flat[:4, :5] >= 0).all()


@pytest.mark.parametrize("data", [b"", b"IWAD", b"no map of any game", struct.pack("<4sii", b"IWAD", 9, 12)])
def test_damaged_maps_are_errors(tmp_path, data):
    (tmp_path / "own.wad").write_bytes(data)
    with pytest.raises(ValueError, match=r"own\.wad is damaged|no WAD"):
        wads.read_maps(tmp_path / "own.wad", 32)


def test_squares_of_maps_are_chosen():
    units = np.zeros((6, SIDE, SIDE), np.int64)
    units[0, :, 8:] = scenes.SOLID  # half open, flat
    units[1, :, :14] = scenes.SOLID
    units[2, 0, 0] = 24 * LEVELS
    units[3, 4:] += 24
    units[3, 8:] += 40  # 64 units above the lowest: 2.67 levels
    units[4, :, 8:], units[4, :, 4] = 240, 48
    units[5, :, 8:], units[5, 0, 0] = 72, 24
    levels, reasons = scenes._walkable(units, walks.largest)
    assert reasons[:4] == ["nearly flat", "mostly solid", "higher than 8 levels", ""]
    assert levels[3, [0, 5, 12], 0].tolist() == [0, 1, 3]
    assert reasons[4] == "higher than 8 levels"
    assert reasons[5] == ""


def test_near_copies_of_earlier_splits_are_found():
    contents = np.stack([scene(seed) for seed in range(4)])
    contents[2] = turned(contents[0], 5)
    contents[2, 0] = 1
    assert scenes.near_copies(contents, np.array([0, 0, 1, 2], np.uint8)).tolist() == [False, False, True, False]


# ---- pictures of your own


def test_exported_pictures_read_back(folder):
    task = SceneTask(corpus=str(folder))
    check_task(task)
    report = task.corpus_report()
    assert (report.files, report.read, report.total, dict(report.left_out)) == (12, 12, 12, {})
    assert [condition.name for condition in task.conditions] == ["ground"]
    found = {content.tobytes() for split in SPLITS for content in task.corpus(split)}
    assert found == {scene(number).tobytes() for number in range(12)}


def test_generated_folders_read_back(folder, tmp_path):
    task = SceneTask(corpus=str(folder))
    contents = np.concatenate([task.corpus(split) for split in SPLITS])
    export_all(task, contents, tmp_path / "out", "Scene-v0-12")
    again = SceneTask(corpus=str(tmp_path / "out"))
    assert {each.tobytes() for split in SPLITS for each in again.corpus(split)} == {each.tobytes() for each in contents}


def test_large_pictures_are_cut_and_subfolders_are_styles(tmp_path):
    for number, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png")):
        heights = np.random.default_rng(number).integers(0, 256, (24, 32)).astype(np.uint8)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(heights).save(tmp_path / name)
    task = SceneTask(corpus=str(tmp_path), style="b")
    assert task.conditions[0].values == ("a", "b")
    assert task.corpus_report().total == 4 * 2 * 3
    train = task.corpus("train")
    assert set(np.unique(train)) == set(range(1 + LEVELS)), "solid, and stone of eight levels"
    assert (task.condition(task.initial(np.arange(5, dtype=np.uint64)))[:, 0] == 1).all()


def test_mistakes_are_named(folder, tmp_path):
    Image.new("RGB", (16, 16), (200, 10, 10)).save(folder / "red.png")
    Image.new("L", (15, 16)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (8, 8)).save(folder / "materials" / "0.png")
    skipped = dict(SceneTask(corpus=str(folder)).corpus_report().skipped)
    assert skipped["red.png"] == "it has colours, and heights are shades of grey"
    assert "smaller than a scene" in skipped["small.png"]
    assert "no PNG" in skipped["broken.png"]
    assert skipped["0.png"] == "materials/0.png is of another size"
    with pytest.raises(ValueError, match="data or corpus, not both"):
        SceneTask("freedm", str(folder))
    with pytest.raises(ValueError, match="no scenes are called 'quake'"):
        SceneTask("quake")
    (tmp_path / "few").mkdir()
    with pytest.raises(ValueError, match=r"there is no \.png file"):
        SceneTask(corpus=str(tmp_path / "few")).works("train")
    with pytest.raises(ValueError, match=r"scenes are .* of 0 .. 48"):
        SceneTask().demonstrations(np.full((1, 16, 16), 49))


# ---- building


def test_features_are_levels_and_materials_of_neighbours(folder):
    task = SceneTask(corpus=str(folder))
    content = scene(3)
    state, row, column = task.initial(np.zeros(1, np.uint64)), 5, 9
    for action in task.demonstrations(content[None])[0, : row * SIDE + column]:
        state, _ = task.step(state, action[None])
    seen = dict(zip((feature.name for feature in task.features), task.feature_values(state)[0].tolist(), strict=True))
    assert (seen["row"], seen["column"]) == (row, column)
    for name, (down, across) in NEIGHBOURS.items():
        value = int(content[row + down, column + across])
        assert seen[f"{name}_level"] == (2 + (value - 1) % LEVELS if value else 1)
        assert seen[f"{name}_material"] == (1 + (value - 1) // LEVELS if value else 0)
    assert (task.feature_values(task.restore(task.observe(state))) == task.feature_values(state)).all()


def test_frontier_counts_parts_as_a_flood_does():
    contents = np.stack([scene(seed) for seed in range(30)])
    levels = scenes.levels_of(contents)
    task = SceneTask()
    state = task.initial(np.zeros(30, np.uint64), np.zeros((30, 2), np.int64))
    for action in contents.reshape(30, -1).T:
        state, _ = task.step(state, action.astype(np.int64))
    frontier = state.frontier(read_cell)
    labels = walks.parts(levels)
    total = [len(set(each[each > 0].tolist())) for each in labels]
    assert (frontier.cut_off + frontier.parts() == total).all()
    last = [len(set(each[-1][each[-1] > 0].tolist())) for each in labels]
    assert (frontier.parts() == last).all()


def test_parts_are_joined_by_steps_of_one_level():
    levels = np.full((1, 4, 4), -1)
    levels[0, 0] = (0, 1, 2, 4)
    levels[0, 3, 3] = 4
    labels = walks.parts(levels)[0]
    assert labels[0, 0] == labels[0, 1] == labels[0, 2] > 0
    assert len({int(labels[0, 0]), int(labels[0, 3]), int(labels[3, 3])}) == 3
    assert walks.largest(levels).tolist() == [3 / 5]
    assert not walks.walkable(levels)[0], "five of 16 cells are open"
    assert walks.largest(np.full((1, 4, 4), -1)).tolist() == [0]


def test_rules_judge_walks():
    task = SceneTask()
    flat, cliff, closed = (np.zeros((SIDE, SIDE), np.int64) for _ in range(3))
    cliff[:, 8:] = 2
    closed[1:] = -1
    contents = scenes.values_of(np.stack([flat, cliff, closed]), np.zeros((3, SIDE, SIDE), np.int64))
    assert task.rules(contents).tolist() == [[1, 1], [0, 0.5], [0, 1]]
    measured = walks.walk_measures(scenes.levels_of(contents[:2]))
    assert (measured["walkable"], measured["connected"], measured["open"], measured["heights"]) == (0.5, 0.75, 1, 1.5)
    assert (measured["cliffs"], measured["steps"]) == (16 / 960, 0)


# ---- media


def test_text_shows_levels_and_materials():
    content = np.zeros((SIDE, SIDE), np.uint8)
    content[0, :3] = scenes.values_of(np.array([0, 7, 3]), np.array([scenes.STONE, scenes.LAVA, scenes.WATER]))
    lines = SceneTask().medium.describe(content).split("\n")
    assert lines[0] == "073#############  .^~#############"
    assert lines[15] == f"{'#' * 16}  {'#' * 16}"


def test_pictures_and_the_cells_behind_their_pixels():
    task = SceneTask()
    assert paintable(task)
    empty = np.zeros((SIDE, SIDE), np.uint8)
    cells = task.medium.cells(empty)
    assert set(np.unique(cells)) == {-1, *range(256)}
    assert (np.bincount(cells[cells >= 0]) == 256).all()
    raised = empty.copy()
    raised[8, 8] = 1 + 7
    picture, moved = task.medium.render(raised), task.medium.cells(raised)
    assert picture.shape == task.medium.render(empty).shape == (*cells.shape, 3)
    before, after = box_of(cells, 8 * SIDE + 8), box_of(moved, 8 * SIDE + 8)
    assert after[1] == before[1] - isometric.BASE - 7 * isometric.RISE
    assert (picture != task.medium.render(empty)).any()
    part = task.medium.render(scene(0), upto=100)
    assert (part == isometric.NEXT).all(-1).any()
    assert not (task.medium.render(scene(0)) == isometric.NEXT).all(-1).any()


def test_materials_and_heights_are_seen():
    task = SceneTask()
    pictures = {task.medium.render(np.full((SIDE, SIDE), value, np.uint8)).tobytes() for value in range(49)}
    assert len(pictures) == 49
    assert [task.action_name(value) for value in (0, 1, 48)] == ["solid", "stone 0", "lava 7"]


def test_faces_look_away_from_the_solid():
    levels = np.array([[0, 2], [-1, 1]])
    mesh = meshes.mesh_of(levels, np.zeros((2, 2), np.int64), [(200, 200, 200), (90, 90, 90)])
    first, second = mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 1]
    normals, middles = np.cross(first, second), mesh.corners.mean(1)
    floors = normals[:, 1] > 0.5
    assert floors.sum() == 3
    assert not (normals[:, 1] < -0.5).any()
    assert sorted(middles[floors][:, 1].tolist()) == [0, 0.75, 1.5]
    walls = ~floors & (mesh.corners[:, :, 1].max(1) == 2 * meshes.RISE + meshes.HEADROOM)
    towards = {tuple(np.sign(np.round(normal, 3)).astype(int).tolist()) for normal in normals[walls]}
    assert towards == {(0, 0, -1), (1, 0, 0)}, "from the solid cell at the lower left to its open neighbours"
    edge = ~floors & (mesh.corners[:, :, 1].min(1) == meshes.BASE)
    assert (np.sign(normals[edge]) * np.sign(middles[edge] - (0, middles[edge][:, 1:2].mean(), 0)) >= 0)[
        :, [0, 2]
    ].all()


def test_exports_of_a_scene(tmp_path):
    trimesh = pytest.importorskip("trimesh", reason='GLB files take trimesh: pip install "musegym[scene]"')
    written = SceneTask().medium.export(scene(1), tmp_path / "own.npz")
    names = {path.relative_to(tmp_path).as_posix() for path in written}
    assert names == {"own.glb", "own.html", "own.png", "own.txt", "materials/own.png", "view/own.png"}
    levels = scenes.levels_of(scene(1))
    loaded = trimesh.load(tmp_path / "own.glb", force="mesh")
    assert np.allclose(loaded.extents[[0, 2]], np.ptp(np.argwhere(levels >= 0), axis=0)[::-1] + 1)
    assert loaded.visual.vertex_colors.shape[1] == 4
    floors = loaded.face_normals[:, 1] > 0.9
    assert loaded.area_faces[floors].sum() == pytest.approx((levels >= 0).sum(), rel=1e-4)


def test_pages_hold_all_they_need(tmp_path):
    SceneTask().medium.export(scene(2), tmp_path / "a<b.x")
    page = (tmp_path / "a<b.html").read_text(encoding="utf-8")
    assert "a&lt;b" in page
    assert not re.findall(r"(?:src|href)=|https?://|import\(|fetch\(", page), "no network"
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page)[1])
    levels = scenes.levels_of(scene(2))
    assert data["levels"] == levels.tolist()
    assert len(data["corners"]) == len(data["colours"])
    assert len(data["corners"]) % 12 == 0
    part = np.array(data["part"], bool)
    assert part.sum() == round(walks.largest(levels[None])[0] * (levels >= 0).sum())


def test_without_trimesh_a_line_says_what_to_install(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    written = SceneTask().medium.export(scene(1), tmp_path / "own.x")
    assert not [path for path in written if path.suffix == ".glb"]
    assert 'pip install "musegym[scene]"' in caplog.text


def test_measures_of_the_medium(folder):
    medium = SceneTask(corpus=str(folder)).medium
    contents = np.stack([scene(0), scene(0), scene(1), scene(2)])
    found = medium.metrics(contents)
    assert found["distinct"] == 0.75
    assert found["tpkldiv"] > 0
    with pytest.raises(ValueError, match="there are none"):
        medium.metrics(contents[:0])
    with pytest.raises(ValueError, match="2 axes"):
        medium.render(contents)
    with pytest.raises(ValueError, match="from 0 to 48"):
        medium.describe(np.full((16, 16), 49))


def test_own_measures_of_the_benchmark(folder):
    domain = domain_of("musegym/Scene-v0")
    found = domain.references(SceneTask(corpus=str(folder)), "validation")
    assert {column.key for column in domain.columns} <= set(found["real"])
    assert set(found) == {"real", "floor", "random"}
    assert found["floor"]["nearest"] == 1
    assert found["real"]["ground_met"] == 1
    assert found["random"]["connected"] < found["real"]["connected"]


# ---- play


def test_blocks_are_placed_by_mouse(folder):
    painting = Painting(SceneTask(corpus=str(folder)), np.random.default_rng(0), None, None, None)
    canvas, spot = painting.canvas, None

    def click(value, up=0):
        canvas.brush = value
        for name in ("press", "lift"):
            painting.handle(Event(name, spot=(spot[0], spot[1] - up)))

    cells = SceneTask().medium.cells(canvas.content)
    left, top, _, _ = box_of(cells, 8 * SIDE + 8)
    spot = (left + 15, top + 8)
    click(8)
    assert canvas.content[8, 8] == 8, "stone at level 7"
    assert np.count_nonzero(canvas.content) == 1
    click(3, up=isometric.BASE + 7 * isometric.RISE)
    assert canvas.content[8, 8] == 3, "the top of the block is where it is seen"
    assert np.count_nonzero(canvas.content) == 1
