"""Level-v0: levels as text, splits, building, the judge of playability, pictures, measures."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from real_works import present

from musegym.benchmarks.studies import solver
from musegym.envs import SPLITS, check_splits, check_task, make_task
from musegym.envs.corpora import levels
from musegym.envs.level import LevelTask
from musegym.envs.media import patterns, platformer, tileart
from musegym.envs.media.tiles import Tiles
from musegym.training.works import export_all

MARIO = levels.ALPHABETS["mario"]


@pytest.fixture(scope="module", params=levels.ALPHABETS)
def task(request):
    """A task whose data are on this machine."""
    return present(LevelTask(request.param))


@pytest.fixture
def mario():
    return present(LevelTask())


def level(width, seed=0, height=14):
    """A level as text: ground with gaps, bricks and pipes."""
    rng = np.random.default_rng(seed)
    rows = np.full((height, width), "-")
    rows[-1, rng.random(width) < 0.9] = "X"
    rows[rng.integers(3, height - 4, width // 3), rng.choice(width, width // 3, replace=False)] = "S"
    for column in range(5, width - 2, 20):
        rows[-3, column : column + 2] = list("<>")
        rows[-2, column : column + 2] = list("[]")
    return "\n".join("".join(row) for row in rows) + "\n"


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text(level(40, number), encoding="utf-8")
    return tmp_path


def tiles(*rows):
    """A screen whose last rows are given; the others are air."""
    rows = ["-" * 16] * (14 - len(rows)) + [row.ljust(16, "-") for row in rows]
    return levels.encode([rows], MARIO)[0]


def crossed(*rows):
    return bool(platformer.playable(tiles(*rows)[None], MARIO)[0])


# ---- data


def test_sizes_are_known_without_data(monkeypatch, tmp_path):
    monkeypatch.setattr(levels, "find", lambda name: pytest.fail("reads the data"))
    for data, alphabet in levels.ALPHABETS.items():
        task = LevelTask(data)
        assert (task.horizon, task.num_actions) == (224, len(alphabet))
        assert task.observe(task.initial(np.zeros(2, np.uint64))).nbytes == 2 * 225


def test_screens_of_the_data(task):
    sizes = {split: len(task.works(split)) for split in SPLITS}
    total = sum(sizes.values())
    assert total > 5_500
    for split in SPLITS[1:]:
        assert 0.07 < sizes[split] / total < 0.13
        assert len(np.unique(task.works(split).groups)) >= 10, "a two-sample test needs as many"
    everything = np.concatenate([task.corpus(split) for split in SPLITS]).reshape(total, -1)
    assert len(np.unique(everything, axis=0)) == total, "equal screens count once"
    assert np.unique(everything).tolist() == list(range(task.num_actions))
    check_splits(task)


def test_splits_of_one_level_share_no_column(mario):
    places = levels.load("mario").places
    columns = {split: np.unique(places[split][:, 2:] + np.arange(16)) for split in SPLITS}
    for split, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert np.abs(columns[split][:, None] - columns[other]).min() > levels.GAP
    assert len(mario.works("train")) == len(places["train"])


@pytest.mark.parametrize("width", [levels.SMALLEST, 200, 1000, 7294])
def test_stretches(width):
    found = levels.stretches(width)
    assert [split for split, _, _ in found] == [*SPLITS] * (len(found) // 3)
    assert all(end - begin >= levels.COLUMNS for _, begin, end in found)
    edges = [edge for _, begin, end in found for edge in (begin, end)]
    gaps = [begin - end for end, begin in zip(edges[1::2], edges[2::2], strict=False)]
    assert edges[0] == 0
    assert edges[-1] <= width - levels.GAP
    assert all(gap >= levels.GAP for gap in gaps)


def test_files_of_levels(folder):
    (folder / "note.txt").write_text("too small")
    task = LevelTask(corpus=str(folder))
    assert task.alphabet == "-<>SX[]"
    assert (task.corpus_report().files, task.corpus_report().read) == (6, 5)
    assert task.corpus_report().skipped == (("note.txt", "1 rows of 9 columns, smaller than a screen of 14 x 16"),)
    check_task(task)
    level_of = {split: set(task.works(split).groups.tolist()) for split in SPLITS}
    assert [len(level_of[split]) for split in SPLITS] == [3, 1, 1]
    assert not level_of["train"] & level_of["test"]


def test_one_file_is_split_by_columns(tmp_path):
    (tmp_path / "long.txt").write_text(level(300))
    task = LevelTask(corpus=str(tmp_path / "long.txt"))
    assert all(len(task.works(split)) > 10 for split in SPLITS)
    state = task.initial(np.zeros(2, np.uint64))
    for actions in task.demonstrations(task.corpus("test")[:2]).T:
        state, done = task.step(state, actions)
    assert done.all()
    np.testing.assert_array_equal(task.content(state), task.corpus("test")[:2])


def test_exported_levels_read_back(folder, tmp_path):
    task = LevelTask(corpus=str(folder))
    contents = task.corpus("train")[::30]
    (tmp_path / "out").mkdir()
    for number, content in enumerate(contents):
        task.export(content, tmp_path / "out" / f"{number}.png")
    again = LevelTask(corpus=str(tmp_path / "out"))
    assert again.alphabet == task.alphabet
    read = {content.tobytes() for split in SPLITS for content in again.corpus(split)}
    assert read == {content.tobytes() for content in contents}


def test_levels_with_spaces_and_higher_than_a_screen(tmp_path):
    for number in range(3):
        text = level(20, number, 16).replace("-", " ")
        (tmp_path / f"{number}.txt").write_text("\n".join(line.rstrip() for line in text.split("\n")))
    task = LevelTask(corpus=str(tmp_path))
    assert task.alphabet[0] == " "
    assert sum(len(task.works(split)) for split in SPLITS) == 3 * 3 * 5
    assert task.rule_names == ()


def test_generated_folders_read_back(folder, tmp_path):
    for spaces in (False, True):
        task, out = LevelTask(corpus=str(folder)), tmp_path / f"out-{spaces}"
        if spaces:
            task.medium = Tiles(task.alphabet.replace("-", " "))
        contents = np.concatenate([task.corpus(split)[::30] for split in SPLITS])
        export_all(task, contents, out / "below", "Level-v0-12")
        (out / "below" / "Level-v0-12.txt").rename(out / "below" / "renamed.txt")
        export_all(task, contents[:1], out / "single", "Level-v0-123")  # its heading is as long as its rows
        again = LevelTask(corpus=str(out))
        report = again.corpus_report()
        assert [name for name, _ in report.skipped] == ["below/renamed.txt", "single/Level-v0-123.txt"]
        assert all("overview" in reason or "equal length" in reason for _, reason in report.skipped)
        read = {content.tobytes() for split in SPLITS for content in again.corpus(split)}
        assert read == {content.tobytes() for content in contents}
        assert report.left_out == {"level: equal to another": 1}


POEM = "\n".join(["The level ends where all the ground is gone,", "", "and who would jump there, jumps alone."] * 6)
NO_LEVELS = {
    "prose": (POEM.encode(), "lines are of 0 to 44 symbols"),
    "table": ("\n".join(f"{number},{number**3}" + "," * 16 for number in range(30)).encode(), "lines are of"),
    "python": (b"def f(x):\n    return [x for x in (1, 2)]\n\n\n" * 9, "lines are of"),
    "binary": (bytes(range(256)) * 20, r"it holds '\\x00'"),
    "undecodable": ((b"-" * 20 + b"\x81\n") * 14, r"it holds '\\ufffd'"),
    "alphabet": (
        "\n".join("".join(map(chr, range(33 + 5 * row, 49 + 5 * row))) for row in range(14)).encode(),
        "symbols",
    ),
    "two": (("-" * 20 + "\n").encode() * 14 + b"\n" + ("-" * 20 + "\n").encode() * 14, "lines are of 0 to 20 symbols"),
    "utf16": (b"\xff\xfe" + b"-" * 401, "truncated"),
}


@pytest.mark.parametrize("kind", NO_LEVELS)
def test_files_that_are_no_levels_cost_no_other(folder, kind):
    content, reason = NO_LEVELS[kind]
    before = levels.load_files(folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "other.TXT").write_bytes(content)
    task = LevelTask(corpus=str(folder))
    ((name, found),) = task.corpus_report().skipped
    assert name == "sub/other.TXT"
    assert re.search(reason, found)
    assert task.alphabet == before.alphabet
    assert task.corpus_report().works == before.works.report.works
    alone = LevelTask(corpus=str(folder / "sub"))
    assert (alone.corpus_report().total, alone.corpus_report().skipped) == (0, (("other.TXT", found),))
    with pytest.raises(ValueError, match=r"no screens in .*; left out: other.TXT: "):
        alone.corpus("train")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
def test_levels_of_any_system_are_read(tmp_path, newline, mark):
    text = "\n" + level(120).replace("S", "\u2588") + "\n\n"
    (tmp_path / "a.txt").write_bytes(text.replace("\n", newline).encode(mark))
    task = LevelTask(corpus=str(tmp_path))
    assert task.corpus_report().skipped == ()
    assert task.alphabet == "-<>X[]\u2588"


def test_all_kinds_of_air_are_one_tile(tmp_path):
    for number, airs in enumerate(("-", ".", " ", "-. ")):
        picked = np.random.default_rng(number).choice(list(airs), 14 * 40)
        text = "".join(air if symbol == "-" else symbol for air, symbol in zip(picked, level(39, number), strict=False))
        (tmp_path / f"{number}.txt").write_text(text)
    task = LevelTask(corpus=str(tmp_path))
    assert task.alphabet == "-<>SX[]"
    assert task.corpus_report().read == 4
    (tmp_path / "0.txt").write_text(level(39).replace("-", "."))
    (tmp_path / "3.txt").unlink()
    assert levels.load_files(tmp_path).alphabet == ".<>SX[]", "no - among them"


@pytest.mark.parametrize("widths", [(200, 200, 200), (96, 97, 98), (150, 400), (100,) * 7, (300, 300, 300, 20)])
def test_few_wide_levels_are_cut_by_columns(tmp_path, widths):
    for number, width in enumerate(widths):
        (tmp_path / f"{number}.txt").write_text(level(width, number))
    found = levels.load_files(tmp_path)
    counts = found.works.report.works
    assert counts["train"] > 0.55 * sum(width - 15 for width in widths)
    assert min(counts.values()) > 5
    columns = {
        split: {
            (place[0], column) for place in found.places[split].tolist() for column in range(place[2], place[2] + 16)
        }
        for split in SPLITS
    }
    for split, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not columns[split] & {
            (index, column + step) for index, column in columns[other] for step in (-16, 0, 16)
        }


@pytest.mark.parametrize("widths", [(40, 50, 60), (100,) * 8, (100, 90, 80, 70)])
def test_many_or_narrow_levels_stay_whole(tmp_path, widths):
    for number, width in enumerate(widths):
        (tmp_path / f"{number}.txt").write_text(level(width, number))
    found = levels.load_files(tmp_path)
    assert found.works.report.total == sum(width - 15 for width in widths)
    level_of = [set(found.places[split][:, 0].tolist()) for split in SPLITS]
    assert sum(map(len, level_of)) == len(set().union(*level_of)) == len(widths)


def test_few_works_are_warned_of(tmp_path, caplog):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(level(20, number))
    (tmp_path / "note.txt").write_text("no level")
    task = LevelTask(corpus=str(tmp_path))
    assert not caplog.messages, "the corpus is not learnt from yet"
    task.corpus("train")
    task.corpus("test")
    (message,) = caplog.messages
    assert re.search(r"1 of 4 files were skipped \(note.txt: .*its 15 works are few", message)


SMALL = r".*three different levels or more, or one of at least 96 columns"


@pytest.mark.parametrize(
    ("files", "message", "left_out"),
    [
        ({}, r"there is no \.txt file in ", {}),
        ({"a": "----\n"}, r"no screens in .*a.txt: 1 rows of 4 columns, smaller than a screen of 14 x 16" + SMALL, {}),
        ({"a": level(40), "b": level(40, 1)}, "no screens in" + SMALL, {"level: too narrow to be split": 2}),
        ({"a": level(16)}, "no screens in" + SMALL, {"level: too narrow to be split": 1}),
        (
            dict.fromkeys("abc", level(40)),
            r"left out: level: equal to another \(2\); level: too narrow" + SMALL,
            {"level: equal to another": 2, "level: too narrow to be split": 1},
        ),
        (
            dict(zip("abc", (("-" * width + "\n") * 14 for width in (16, 18, 20)), strict=True)),
            r"holds 1 screens, of 3 levels, too few .*equal to another, which counts once \(8\)" + SMALL,
            {"screen: equal to another, which counts once": 8},
        ),
        (
            {str(part): "\n".join(14 * ["-" + "".join(map(chr, range(256 + part, 296 + part)))]) for part in (0, 40)},
            "one of a folder of 81 symbols, of which at most 64 can be learnt" + SMALL,
            {"level: one of a folder of 81 symbols, of which at most 64 can be learnt": 2},
        ),
    ],
)
def test_unusable_corpora(tmp_path, call, files, message, left_out):
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    task = LevelTask(corpus=str(tmp_path))
    assert task.corpus_report().left_out == left_out
    for split in SPLITS:
        with pytest.raises(ValueError, match=message):
            task.corpus(split)
    command = ("corpus", "musegym/Level-v0", "--set", f"corpus={tmp_path}", "--json", "-")
    code, out, _ = call(*command)
    assert code == (0 if task.corpus_report().total else 1)
    assert json.loads(out)["left_out"] == left_out


def test_unknown_data():
    with pytest.raises(ValueError, match="no levels are called 'zelda'; choose one of mario, lode-runner"):
        LevelTask("zelda")


@pytest.mark.parametrize("data", levels.ALPHABETS)
def test_data_and_corpus_exclude_each_other(folder, data):
    with pytest.raises(ValueError, match="give data or corpus, not both"):
        LevelTask(data, str(folder))
    assert LevelTask().kwargs() == {"data": "mario", "corpus": None}
    for task in (LevelTask(), LevelTask(data), LevelTask(corpus=str(folder))):
        assert LevelTask(**task.kwargs()).kwargs() == task.kwargs()


@pytest.mark.parametrize("wrong", [-1, -13, 13, 255])
def test_contents_of_unknown_tiles(wrong):
    contents = np.zeros((3, 14, 16), np.int64)
    contents[1, 5, 7] = wrong
    with pytest.raises(ValueError, match=r"levels are .* of 0 .. 12"):
        LevelTask().demonstrations(contents)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'X = """---\n--"""',
        b'"""' + b"-" * 300,
        b'"""' + 14 * b"--!--\n" + b'"""',
        b'"""' + 14 * b"-\xff-\n" + b'"""',
    ],
)
def test_damaged_data(tmp_path, text):
    (tmp_path / "mario_gpt").mkdir()
    (tmp_path / "mario_gpt" / "level.py").write_bytes(text)
    with pytest.raises(ValueError, match=r"level.py holds no level of 14 rows: .* musegym data get mario --force"):
        levels.read_mario(tmp_path)
    with pytest.raises(ValueError, match=r"holds no levels of KGoldrunner: .* musegym data get lode-runner --force"):
        levels.read_lode_runner(tmp_path)


def test_one_damaged_level_costs_no_other(tmp_path):
    system = tmp_path / "usr/share/kgoldrunner/system"
    system.mkdir(parents=True)
    good = "X" * 28 + " " * 504 + "M" * 28
    (system / "game_a.txt").write_text(f"// L001\n//  {good}\n// L002\n//  .dwf\n// L003 a name\n//  {good[::-1]}\n")
    found = levels.read_lode_runner(tmp_path)
    assert [(len(rows), rows[0][0], rows[-1][0]) for rows in found] == [(20, "X", "M"), (20, "M", "X")]


# ---- building


def test_halves_of_pipes():
    task = LevelTask()
    content = tiles("-<>--<>---------", "-[]--[]---------", "XXXXXXXXXXXXXXXX")
    actions = task.demonstrations(content[None])
    state = task.initial(np.zeros(1, np.uint64))
    for action in actions.T:
        assert task.action_mask(state)[0, action[0]]
        state, _ = task.step(state, action)
    np.testing.assert_array_equal(task.content(state)[0], content)
    for wrong in ("-->-------------", "-[X-------------"):
        with pytest.raises(ValueError, match="1 of 1 levels cannot be built"):
            task.demonstrations(tiles(wrong)[None])
    task.demonstrations(tiles(">---------------", "]--------------[")[None])  # the edge of a screen cuts pipes


def test_pipes_of_other_forms_are_legal_where_real_levels_have_them(folder):
    (folder / "odd.txt").write_text(level(40, 9).replace("<>", "<-").replace("[]", "[-"))
    task = LevelTask(corpus=str(folder))
    rng = np.random.default_rng(0)
    state = task.initial(np.zeros(4, np.uint64))
    for _ in range(224):
        assert task.action_mask(state).all()
        state, _ = task.step(state, rng.integers(task.num_actions, size=4))


def test_features_are_the_neighbours():
    task = LevelTask()
    rng = np.random.default_rng(0)
    content = rng.integers(len(MARIO) - 6, size=(14, 16))
    state = task.initial(np.zeros(1, np.uint64))
    padded = np.pad(content + 2, ((2, 2), (3, 0)), constant_values=1)
    names = [feature.name for feature in task.features]
    for step, action in enumerate(task.demonstrations(content[None])[0]):
        column, row = divmod(step, 14)
        values = dict(zip(names, task.feature_values(state)[0].tolist(), strict=True))
        assert (values["step"], values["row"], values["column"]) == (step, row, column)
        assert values["left"] == padded[row + 2, column + 2]
        assert values["above"] == padded[row + 1, column + 3]
        assert values["below_left"] == padded[row + 3, column + 2]
        assert values["three_left"] == padded[row + 2, column]
        state, _ = task.step(state, np.array([action]))


# ---- playability


def test_plain_ground_and_jumps():
    assert crossed("XXXXXXXXXXXXXXXX")
    assert crossed("------XXXX------", "XXXXXXXXXXXXXXXX")
    assert crossed("XXXX----XXXXXXXX")
    assert not crossed("XXX-------------"), "too far"
    assert not crossed(), "nothing to stand on"


@pytest.mark.parametrize(("height", "expected"), [(1, True), (4, True), (5, False), (9, False)])
def test_a_wall_is_jumped_up_to_four_tiles(height, expected):
    wall = ["-------XX-------"] * height
    assert crossed(*wall, "XXXXXXXXXXXXXXXX") is expected


def test_a_large_runner_needs_two_rows():
    roof = ["XXXXXXXXXXXXXXXX"] * 9
    start = "--XXXXXXXXXXXXXX"
    assert crossed(*roof, start, "----------------", "----------------", "XXXXXXXXXXXXXXXX")
    assert not crossed(*roof, start, start, "----------------", "XXXXXXXXXXXXXXXX")


def test_bricks_break_from_below():
    low = ["XXXXXXXXXXXXXXXX"] * 3
    room = ["------------X---"] * 3
    assert not crossed(*low, "XXXXXXXXXXXXXXXX", *room, "XXXXXXXXXXXXXXXX")
    roof = "SSSSSSSSSSSSXXXX"
    assert crossed(roof, *room, "XXXXXXXXXXXXXXXX")
    assert not crossed(roof.replace("S", "Q"), *room, "XXXXXXXXXXXXXXXX")


def test_levels_are_judged_alike_alone_and_together():
    rng = np.random.default_rng(0)
    contents = np.where(rng.random((40, 14, 16)) < 0.12, rng.integers(1, 13, (40, 14, 16)), 0)
    contents[:, -1] = 1
    together = platformer.playable(contents, MARIO)
    assert 0 < together.sum() < 40
    alone = [platformer.playable(content[None], MARIO)[0] for content in contents[::10]]
    assert alone == together[::10].tolist()
    np.testing.assert_array_equal(LevelTask().rules(contents)[:, 0], together)
    assert platformer.playable(contents[:0], MARIO).shape == (0,)


def test_most_real_levels_can_be_crossed(mario):
    assert mario.rules(mario.corpus("validation")[::4]).mean() > 0.85


@pytest.mark.slow
def test_the_judge_agrees_with_the_mario_ai_framework(mario):
    if not shutil.which("javac"):
        pytest.skip(
            "a Java development kit, 17 or later, runs the other judge: apt-get install openjdk-17-jdk-headless"
        )
    contents = solver.sample(mario.corpus("validation"), mario.corpus("validation"), 20, np.random.default_rng(0))
    ours = mario.rules(contents)[:, 0] > 0
    theirs = solver.judged(mario, contents, "search")
    assert (ours == theirs).mean() >= 0.9


def test_a_judge_that_fails_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(solver, "find", lambda name: tmp_path)
    failed = subprocess.CompletedProcess([], 1, "", "no such jar")
    monkeypatch.setattr(solver.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="no such jar"):
        solver.judged(LevelTask(), tiles()[None], "search")


# ---- pictures and measures


def test_pictures_show_tiles_and_what_is_to_come():
    task = LevelTask()
    content = tiles("--o-------------", "XXXXXXXXXXXXXXXX")
    picture = task.medium.render(content)
    assert picture.shape == (14 * 32, 16 * 32, 3)
    sky, ground = picture[300, 300], picture[-16, 16]
    assert sky[2] > sky[0]
    assert ground[0] > ground[2]
    part = task.medium.render(content, upto=14)
    np.testing.assert_array_equal(part[:, :32], picture[:, :32])
    assert len(np.unique(part[:, 64:].reshape(-1, 3), axis=0)) == 2, "a grid"
    state = task.initial(np.zeros(1, np.uint64))
    np.testing.assert_array_equal(task.render(state)[0], task.medium.render(content, upto=0))


@pytest.mark.parametrize("name", ["platform", "digging"])
def test_every_symbol_has_a_tile_of_its_own(name):
    theme = tileart.themes()[name]
    alphabet = levels.ALPHABETS["mario" if name == "platform" else "lode-runner"]
    assert set(alphabet[1:]) == set(theme.tiles)
    assert len({tile.tobytes() for tile in theme.tiles.values()}) == len(theme.tiles)
    assert all(tile.shape == (16, 16, 4) and set(np.unique(tile[..., 3])) <= {0, 255} for tile in theme.tiles.values())


def test_unknown_symbols_have_tiles_too():
    medium = Tiles("-#%")
    pictures = [medium.render(np.full((14, 16), number)) for number in range(3)]
    assert len({picture.tobytes() for picture in pictures}) == 3
    np.testing.assert_array_equal(Tiles("-#%").render(np.full((14, 16), 2)), pictures[2])
    assert [medium.value_name(number) for number in range(3)] == ["air", "#", "%"]


def test_tiles_have_names():
    medium = Tiles(MARIO)
    names = [medium.value_name(number) for number in range(len(MARIO))]
    assert names[:3] == ["air", "ground", "brick"]
    assert len(set(names)) == len(MARIO)
    assert not set(names) & set(MARIO)
    digging = Tiles(levels.ALPHABETS["lode-runner"], theme="digging")
    assert [digging.value_name(number) for number in (0, 1, 2)] == ["air", "brick", "concrete"]
    for theme in tileart.themes().values():
        assert theme.names.keys() == theme.tiles.keys()


def test_text(mario):
    content = mario.corpus("validation")[0]
    assert levels.encode([mario.medium.describe(content).split("\n")], MARIO)[0].tolist() == content.tolist()


def test_divergence_of_patterns():
    contents = np.random.default_rng(0).integers(3, size=(50, 14, 16))
    for side in (2, 3, 4):
        found = patterns.patterns(contents, side)
        assert found.counts.sum() == 50 * (15 - side) * (17 - side)
        assert patterns.divergence(found, found) == 0
    different = patterns.patterns(contents, 2)
    assert len(different.hashes) == 81, "of 3^4"
    one, other = patterns.Patterns(np.array([1, 2], np.uint64), np.array([1.0, 3.0])), different
    same = patterns.Patterns(np.array([1, 2], np.uint64), np.array([2.0, 2.0]))
    assert patterns.divergence(one, same) == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5), abs=1e-5)
    assert patterns.divergence(one, other) > 10, "nothing in common"


def test_measures(folder):
    task = LevelTask(corpus=str(folder))
    real = task.medium.metrics(task.corpus("test"))
    noise = np.random.default_rng(0).permuted(task.corpus("test").reshape(-1, 224), axis=1).reshape(-1, 14, 16)
    assert set(real) == {
        *("distinct", "tpkldiv_missing", "tpkldiv_novel", "tpkldiv", "playable", "linearity", "leniency", "density")
    }
    assert task.medium.metrics(noise)["tpkldiv"] > real["tpkldiv"] > 0
    assert task.medium.metrics(task.corpus("train"))["tpkldiv"] == pytest.approx(0, abs=1e-9)
    flat = LevelTask().medium
    flat._reference = None
    measured = flat.metrics(np.stack([tiles("--------E-------", "XXXXXXXX-XXXXXXX")]))
    assert measured == {"distinct": 1.0, "playable": 1.0, "linearity": 1.0, "leniency": -1.5, "density": 15 / 16}
    with pytest.raises(ValueError, match="there are none"):
        flat.metrics(np.zeros((0, 14, 16), int))


def test_own_measures_of_the_benchmark(folder, monkeypatch):
    from musegym.benchmarks.measures import domain_of

    domain = domain_of("musegym/Level-v0")
    task = make_task("musegym/Level-v0", corpus=str(folder))
    found = domain.references(task, "validation", 0)
    assert {column.key for column in domain.columns} <= set(found["real"])
    assert found["random"]["tpkldiv"] > found["floor"]["tpkldiv"]
