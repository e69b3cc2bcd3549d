"""Dungeon-v0: vaults and levels read, turned, split; building, rules, the search for solutions, pictures, measures."""

import random

import numpy as np
import pytest
from real_works import present
from scipy import ndimage

from musegym.benchmarks.measures import domain_of
from musegym.benchmarks.studies.sokoban import replayed
from musegym.envs import SPLITS, check_task
from musegym.envs.corpora import placing, rooms, sokoban, sources, vaults
from musegym.envs.dungeon import DungeonTask
from musegym.envs.grids import MIRRORS, NEIGHBOURS
from musegym.envs.media import dungeonart, dungeons, warehouse
from musegym.envs.media.frontier import Frontier
from musegym.envs.media.sokoban import level_rules, sokoban_measures
from musegym.training.works import export_all

pytestmark = pytest.mark.usefixtures("own_cache")

CRAWL, SOKOBAN = ("".join(rooms.COLLECTIONS[data].names) for data in ("crawl", "sokoban"))


@pytest.fixture(scope="module", params=rooms.COLLECTIONS)
def real(request):
    """A task whose data are on this machine."""
    return present(DungeonTask(request.param))


def room(seed, height=9, width=12):
    """A room as text: walls around, a door, and things here and there."""
    rng = np.random.default_rng(seed)
    rows = np.full((height, width), ".")
    rows[[0, -1]] = rows[:, [0, -1]] = "#"
    rows[0, rng.integers(1, width - 1)] = "+"
    inner = rows[1:-1, 1:-1]
    inner[rng.random(inner.shape) < 0.3] = "#"
    inner[rng.random(inner.shape) < 0.1] = "$"
    return "\n".join("".join(row) for row in rows) + "\n"


def content(text, alphabet=CRAWL):
    """A map of text as a square of tiles."""
    rows = text.strip("\n").split("\n")
    width = max(map(len, rows))
    padded = [[row.ljust(width) for row in rows]]
    return placing.centred(rooms.encode(padded, alphabet)[0])


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(room(number), encoding="utf-8")
    return tmp_path


EASY = "#####\n#@$.#\n#####"
CORNER = "######\n#$   #\n# @ .#\n######"


# ---- data


def test_sizes_are_known_without_data(monkeypatch):
    monkeypatch.setattr(rooms.sources, "find", lambda name: pytest.fail("reads the data"))
    for data, alphabet in (("crawl", CRAWL), ("sokoban", SOKOBAN)):
        task = DungeonTask(data)
        assert (task.horizon, task.num_actions, task.alphabet) == (256, len(alphabet), alphabet)
        assert len(task.conditions) == 1
        state = task.initial(np.zeros(2, np.uint64), np.zeros((2, 1), np.int64))
        assert task.observe(state).shape == (2, 259)


def test_rooms_of_the_data(real):
    counts = [len(real.works(split)) for split in SPLITS]
    assert sum(counts) > 4_500
    assert all(0.07 < count / sum(counts) < 0.13 for count in counts[1:])
    assert min(len(set(real.works(split).groups.tolist())) for split in SPLITS) > 50
    train = real.works("train")
    assert set(np.unique(train.contents)) == set(range(real.num_actions))
    assert len(np.unique(train.conditions)) == len(real.conditions[0].values)
    known = {content.tobytes() for content in train.contents}
    assert len(known) == len(train)
    held_out = np.concatenate([real.corpus(split) for split in SPLITS[1:]])
    turned = {
        placing.centred(placing.turned(placing.cropped(each), turn)).tobytes()
        for each in held_out
        for turn in (0, 3, 4)
    }
    assert not known & turned


def test_real_rooms_keep_rules(real):
    kept = real.rules(real.corpus("validation")[::24])
    if real.data_name == "crawl":
        assert kept[:, 0].mean() > 0.75, "connected"
        assert kept[:, 1].mean() > 0.75, "doors"
    else:
        assert kept[:, :3].all()
        assert 0.0 < kept[:, 3].mean() < 0.8, "the limit ends the others"


def test_packaged_solutions_are_not_denied(real):
    if real.data_name != "sokoban":
        pytest.skip("levels of Sokoban alone have solutions")
    found = sources.find("sokoban") / "usr/share/games/cavepacker/maps"
    levels, _, _ = sokoban.read_levels(found, 16)
    for level in levels[::60]:
        letters = sokoban.moves((found / level.name).with_suffix(".sol").read_text())
        assert replayed(level.rows, letters), level.name
        end = warehouse.solve(list(level.rows), 100)
        assert end.solved or end.given_up, level.name


# ---- vaults

DES = """
default-depth: D:1
{{
function walls(e)
  e.subst("a = x")
  e.kfeat('Q = altar_xom')
end
}}
NAME:  first_room_1
TAGS:  no_rotate {tags}
SUBST: ? = w, ! : W
NSUBST: 1 = 2:G / *:.
KFEAT: H = iron_grate
KMONS: Z = orc
KITEM: i = any book
: walls(_G)
CLEAR: c
MAP
aaaaaaa
a.1?1.a
a.1!1.+
aHZ.iQa@
aaaaaaacc
ENDMAP

NAME: far_too_large
MAP
{large}
ENDMAP
"""


@pytest.fixture
def dat(tmp_path):
    """A folder as the game's, of one room and what is left out."""
    (tmp_path / "des/branches").mkdir(parents=True)
    text = DES.replace("{tags}", "").replace("{large}", "x" * 17)
    (tmp_path / "des/branches/elf.des").write_text(text)
    (tmp_path / "des/test.des").write_text("NAME: no\nMAP\nx\nENDMAP\n")
    (tmp_path / "des/branches/orc.des").write_text("NAME: program\n: paint(_G)\nNAME: plain\nMAP\n....\nENDMAP\n")
    return tmp_path


def test_commands_change_glyphs(dat):
    (found,), left_out, files = vaults.read_vaults(dat, 16)
    assert (found.name, found.branch, files) == ("branches/elf.des: first_room_1", "elf", 3)
    rows = found.rows
    assert rows[0] == "#######  "
    assert rows[3] == "#%M.$_#@ "
    assert rows[4] == "#######  "
    assert rows[1][3] == "~"
    assert rows[2][3] == ","
    assert rows[2][6] == "+"
    assert sum(row.count("S") for row in rows) == 2, "two statues of four cells"
    assert sorted(left_out) == [
        "a test, or a piece of a larger map",
        "drawn by a program",
        "larger than 16 x 16",
        "little more than floor or rock",
    ]
    assert found.turns == (0, 4, 6, 2), "no quarter turn"


def test_shuffle_exchanges_blocks():
    for seed in range(8):
        cells = list("abcd")
        vaults._shuffle(cells, "ab / cd", random.Random(seed))
        assert "".join(cells) in ("abcd", "cdab")


def test_draws_are_those_of_the_name(dat):
    assert vaults.read_vaults(dat, 16)[0] == vaults.read_vaults(dat, 16)[0]


# ---- maps


def test_turns_are_the_eight_positions():
    tiles = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
    positions = {placing.turned(tiles, turn).tobytes() + bytes(placing.turned(tiles, turn).shape) for turn in range(8)}
    assert len(positions) == 8
    square = placing.centred(tiles)
    assert (placing.cropped(square) == tiles).all()
    assert np.argwhere(square)[0].tolist() == [7, 6]
    positions = (placing.canonical(placing.turned(square, turn)) for turn in range(8))
    assert len({placing.known_by(each) for each in positions}) == 1


def test_near_copies_are_kin_in_any_position():
    rng = np.random.default_rng(0)
    maps = [rng.integers(1, 9, (10, 8), np.uint8) for _ in range(4)]
    near = placing.turned(maps[0], 5).copy()
    near[:2] = 3
    found = placing.kins([*maps, near, rng.integers(1, 9, (5, 5), np.uint8)], 2, 0.6, ["a", "b", "c", "b", "d", "e"])
    assert found[0] == found[4]
    assert found[1] == found[3], "one name"
    assert len(set(found.tolist())) == 4


def test_levels_of_sokoban_are_enclosed():
    assert sokoban.enclose(["  ####", "###  #", "#@$. #", "######"]) == ("  ####", "###--#", "#@$.-#", "######")
    assert sokoban.enclose(["#_ #"]) == ("#  #",), "open above and below"
    assert sokoban.moves("2l(ur)3(dL)r") == "llurdLdLdLr"
    assert sokoban.moves("2(r2(ul))12d") == "rululrulul" + 12 * "d"


def test_files_of_maps(folder):
    (folder / "two.txt").write_text(room(50) + "\n" + room(51))
    (folder / "large.txt").write_text(room(52, 17))
    (folder / "note.txt").write_text("x\n")
    (folder / "binary.txt").write_bytes(bytes(range(256)))
    (folder / "again.txt").write_text("\n".join(line[::-1] for line in room(3).split("\n")))
    task = DungeonTask(corpus=str(folder))
    assert (task.alphabet, task.rule_names) == (CRAWL, ("connected", "doors"))
    report = task.corpus_report()
    assert report.total == 14
    assert report.left_out == {"larger than 16 x 16": 1, "equal to another, turned or mirrored": 1}
    assert [name for name, _ in report.skipped] == ["binary.txt", "note.txt"]
    check_task(task)


def test_levels_of_your_own_have_the_rules_of_sokoban(tmp_path):
    for number in range(6):
        floor = " " * number
        level = f"######{'#' * number}\n#@ {floor}$.#\n#   {floor} #\n######{'#' * number}\n"
        (tmp_path / f"{number}.sok").write_text(f"; {number}\n\n{level}Author: nobody\n")
    task = DungeonTask(corpus=str(tmp_path))
    assert task.rule_names == ("one_player", "balanced", "closed", "solvable")
    works = np.concatenate([task.corpus(split) for split in SPLITS])
    assert len(works) == 6
    assert task.rules(works).all()
    names = [feature.name for feature in task.features]
    state = task.initial(np.zeros(6, np.uint64))
    for actions in task.demonstrations(works).T:
        state, _ = task.step(state, actions)
    values = dict(zip(names, task.feature_values(state).T.tolist(), strict=True))
    assert values["players"] == 6 * [1]
    assert values["balance"] == 6 * [6]
    assert values["parts"] == values["last_chance"] == 6 * [0]
    assert values["cut_off"] == 6 * [1]


def test_other_symbols_have_no_rules(folder):
    for path in folder.glob("*.txt"):
        path.write_text(path.read_text().replace("$", "\u2625"))
    task = DungeonTask(corpus=str(folder))
    assert task.rule_names == ()
    assert task.alphabet == " #+.\u2625"
    check_task(task)


def test_generated_folders_read_back(folder, tmp_path):
    task, out = DungeonTask(corpus=str(folder)), tmp_path / "out"
    contents = np.concatenate([task.corpus(split) for split in SPLITS])
    export_all(task, contents, out, "Dungeon-v0-12")
    again = DungeonTask(corpus=str(out))
    assert {each.tobytes() for split in SPLITS for each in again.corpus(split)} == {each.tobytes() for each in contents}


def test_subfolders_are_styles(tmp_path):
    for number in range(16):
        path = tmp_path / ("caves", "old halls")[number % 2] / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(room(number))
    task = DungeonTask(corpus=str(tmp_path), style="old-halls")
    assert task.conditions[0].values == ("caves", "old-halls")
    assert task.condition(task.initial(np.arange(5, dtype=np.uint64))).tolist() == 5 * [[1]]


def test_mistakes_are_named(folder, tmp_path):
    with pytest.raises(ValueError, match="no rooms are called 'zork'; choose one of crawl, sokoban"):
        DungeonTask("zork")
    with pytest.raises(ValueError, match="give data or corpus, not both"):
        DungeonTask("crawl", str(folder))
    (tmp_path / "few").mkdir()
    (tmp_path / "few/a.txt").write_text(room(1))
    with pytest.raises(ValueError, match=r"few holds 1 maps, of 1 unrelated map, too few to be split"):
        DungeonTask(corpus=str(tmp_path / "few")).corpus("train")
    with pytest.raises(ValueError, match=r"rooms are .* of 0 .. 15"):
        DungeonTask().demonstrations(np.full((1, 16, 16), 16))


# ---- building


def test_features_are_neighbours_and_mirror_images(folder):
    task = DungeonTask(corpus=str(folder))
    work = np.random.default_rng(0).integers(16, size=(16, 16))
    names = [feature.name for feature in task.features]
    padded = np.pad(work + 1, 2)
    state = task.initial(np.zeros(1, np.uint64))
    for step, action in enumerate(task.demonstrations(work[None])[0]):
        row, column = divmod(step, 16)
        values = dict(zip(names, task.feature_values(state)[0].tolist(), strict=True))
        assert (values["row"], values["column"]) == (row, column)
        for name, (down, across) in NEIGHBOURS.items():
            assert values[name] == padded[row + 2 + down, column + 2 + across]
        opposite = ((row, 15 - column), (row, 14 - column), (15 - row, column), (14 - row, column))
        for name, place in zip(MIRRORS, opposite, strict=True):
            built = min(place) >= 0 and 16 * place[0] + place[1] < step
            assert values[name] == (work[place] + 1 if built else 0)
        state, _ = task.step(state, np.array([action]))
    again = task.restore(task.observe(state))
    assert (task.feature_values(again) == task.feature_values(state)).all()
    assert again.done.all()


@pytest.mark.parametrize("diagonal", [True, False])
def test_frontier_counts_parts_as_a_flood_does(diagonal):
    maps = np.random.default_rng(0).random((60, 16, 16)) < np.linspace(0.1, 0.9, 60)[:, None, None]
    frontier, flat = Frontier.empty(60, 16), maps.reshape(60, -1)
    for step in range(256):
        due, before = frontier.last_chance(diagonal), frontier.cut_off.copy()
        frontier.read(np.arange(60), flat[:, step], diagonal)
        assert (frontier.cut_off - before == np.where(flat[:, step], 0, due)).all()
    structure = np.ones((3, 3)) if diagonal else None
    assert (frontier.cut_off + frontier.parts()).tolist() == [ndimage.label(each, structure)[1] for each in maps]


# ---- rules


def test_connected_rooms():
    whole = "#####\n#...#\n#.#.#\n#...+\n#####"
    corner = "#####\n#.###\n##..#\n#####"
    apart = "#####\n#.#.#\n#####"
    water = "#####\n#.~.#\n#####"
    found = dungeons.connected(np.stack([content(text) for text in (whole, corner, apart, water, "###\n###")]), CRAWL)
    assert found.tolist() == [True, True, False, False, False]


def test_doors_lead_somewhere():
    ways = content("###+###\n#.....#\n#+#####\n#.#+++#\n#######")
    every, leading = dungeons.doors(ways[None], CRAWL)
    assert (every[0], leading[0]) == (5, 3), "out, between rooms, and among doors"
    assert dungeons.symmetry(content("#####\n#.+.#\n#####")[None])[0] == 1
    assert dungeons.symmetry(content("####\n#.+#\n####")[None])[0] == 1, "top and bottom"


@pytest.mark.parametrize(
    ("text", "solved", "pushes"),
    [
        (EASY, True, 1),
        (CORNER, False, 0),
        ("######\n#@ $.#\n# .  #\n######", False, 0),  # boxes and goals
        ("#####\n#@$. \n#####", False, 0),  # open
        ("#######\n#@ $ .#\n# .$  #\n#     #\n#######", True, 3),
        ("####\n#@*#\n####", True, 0),
        ("######\n#.@$ #\n######", False, 0),  # the box cannot be passed
    ],
)
def test_solutions(text, solved, pushes):
    level = content(text.replace(" ", "-") if "# " in text else text, SOKOBAN)
    (end,) = warehouse.solutions(level[None], SOKOBAN)
    assert (end.solved, end.pushes, end.given_up) == (solved, pushes, False)


def test_a_limit_ends_the_search():
    hard = "########\n#--.---#\n#-$--$.#\n#@-#---#\n#-$--.-#\n########"
    assert warehouse.solve(hard.split("\n"), 1).given_up
    assert warehouse.solve(hard.split("\n")).solved


def test_rules_and_measures_of_sokoban():
    texts = (EASY, CORNER.replace(" ", "-"), "####\n#@.#\n####", "#@$.#")
    levels = np.stack([content(text, SOKOBAN) for text in texts])
    assert level_rules(levels, SOKOBAN).tolist() == [
        [True, True, True, True],
        [True, True, True, False],
        [True, False, True, False],
        [True, True, False, False],
    ]
    found = sokoban_measures(levels, SOKOBAN)
    assert (found["valid"], found["solvable"], found["given_up"], found["pushes_low"]) == (0.5, 0.25, 0, 1)


# ---- pictures and measures


@pytest.mark.parametrize(
    ("theme", "names"), [(dungeonart.dungeon, vaults.NAMES), (dungeonart.warehouse, sokoban.NAMES)]
)
def test_every_tile_has_a_picture_and_a_name(theme, names):
    found, alphabet = theme(names), "".join(names)
    assert set(found.tiles) == set(found.names) == set(alphabet[1:])
    assert len({tile.tobytes() for tile in found.tiles.values()}) == len(alphabet) - 1
    assert all(tile.shape == (16, 16, 4) and (tile[..., 3] == 255).all() for tile in found.tiles.values())
    assert found.empty == "outside"


def test_pictures_show_fronts_shadows_and_what_is_to_come():
    task = DungeonTask()
    work = content("###\n###\n...\n...")
    picture = task.medium.render(work)
    assert picture.shape == (512, 512, 3)
    cells = task.medium.cells(work)
    tile = {row: picture[cells == row * 16 + 7].reshape(32, 32, 3) for row in range(6, 10)}
    assert (tile[6] != tile[7]).any(), "walls are seen from above, and from the front above the floor"
    assert tile[8][:8].mean() < tile[9][:8].mean(), "and throw a shadow"
    np.testing.assert_array_equal(tile[8][16:], tile[9][16:])
    part = task.medium.render(work, upto=16 * 8)
    assert len(np.unique(part[cells >= 16 * 8 + 1], axis=0)) == 2, "a grid"
    assert task.medium.describe(work).split("\n")[7] == "      ###       "


def test_own_measures_of_the_benchmark(folder):
    domain = domain_of("musegym/Dungeon-v0")
    found = domain.references(DungeonTask(corpus=str(folder)), "train", 0)
    keys = {column.key for column in domain.columns} - {"solvable", "given_up", "pushes_low"}
    assert keys <= set(found["real"])
    assert found["real"]["nearest"] == 1
    assert found["random"]["tpkldiv"] > found["real"]["tpkldiv"]
    assert found["random"]["symmetry"] < found["real"]["symmetry"]
