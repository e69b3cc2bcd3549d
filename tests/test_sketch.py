"""Line drawings: SVG files read and put on a grid, drawn by a pen, shown, measured, written and read again."""

import itertools

import numpy as np
import pytest
from PIL import Image
from real_works import present

from musegym.benchmarks.domains import sketch as domain
from musegym.envs.checks import check_task
from musegym.envs.corpora import drawings as corpus
from musegym.envs.corpora import sources
from musegym.envs.corpora.drawings import END, HORIZON, LIFT, POINTS, SIDE, decode, encode, fitted, kinship, simplified
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.corpora.vectors import PIECES, Vectors, read_svg, strokes_of
from musegym.envs.media.linemeasures import crossings, curvature, directions, thinned
from musegym.envs.media.pen import Lines, line_ink
from musegym.envs.media.sketches import FIRST, LAST, REDDEST, Sketch
from musegym.envs.media.strokes import to_svg
from musegym.envs.sketch import MARGIN, NONE, PIXELS, REACH, STEP, STROKES, SketchTask
from musegym.envs.task import SPLITS
from musegym.play.builder import Builder
from musegym.play.session import play

pytestmark = pytest.mark.usefixtures("own_cache")

GRID = (0.0, 0.0, float(SIDE), float(SIDE))


def svg(*paths, box='viewBox="0 0 28 28"', inside=""):
    drawn = "".join(f'<path d="{path}"/>' for path in paths)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{inside}{drawn}</svg>'.encode()


def random_strokes(rng, most=6):
    """Strokes between random points, no two of which in a row are the same."""
    strokes = []
    for _ in range(rng.integers(1, most + 1)):
        points = rng.integers(POINTS, size=(rng.integers(1, 5), 2))
        strokes.append(points[np.append(True, (points[1:] != points[:-1]).any(1))])
    return strokes


def picture_of(strokes):
    """The ink of strokes by its definition, uint8 [28, 28]."""
    cells = np.stack(np.mgrid[:SIDE, :SIDE], -1).reshape(-1, 2).astype(float)
    ink = np.zeros(PIXELS)
    for stroke in strokes:
        places = stroke + float(MARGIN)
        for start, end in zip([places[0], *places[:-1]], places, strict=True):
            ink = np.maximum(ink, line_ink(start, end[None], cells, REACH)[0])
    return np.rint(255 * ink).astype(np.uint8).reshape(SIDE, SIDE)


def write(folder, num, seed=0):
    """SVG files of random strokes, as the task writes them; returns the strokes of each."""
    rng, drawn = np.random.default_rng(seed), []
    folder.mkdir()
    for number in range(num):
        drawn.append(random_strokes(rng, most=(3, 8, 11, 14, 18)[number % 5]))
        (folder / f"{number:03}.svg").write_text(to_svg([stroke + 1.0 for stroke in drawn[-1]], (SIDE, SIDE), 1.4))
    return drawn


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "own", 40)
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return SketchTask(corpus=str(folder))


def build(task, rows):
    """The state after rows of actions, as long as the longest."""
    state = task.initial(np.zeros(len(rows), np.uint64), np.zeros((len(rows), 1), np.int64))
    for step in range(max(map(len, rows))):
        state, _ = task.step(state, np.array([row[step] if step < len(row) else 0 for row in rows]))
    return state


class TestVectors:
    @pytest.mark.parametrize(
        ("path", "corners"),
        [
            ("M1,2L3,4", [[(1, 2), (3, 4)]]),
            ("M1 2 3 4 5 6", [[(1, 2), (3, 4), (5, 6)]]),
            ("m1-2 3.5.5l1,1", [[(1, -2), (4.5, -1.5), (5.5, -0.5)]]),
            ("M1,1H4V5h-1v-1", [[(1, 1), (4, 1), (4, 5), (3, 5), (3, 4)]]),
            ("M1,1L2,2M5,5m1,1l1,0", [[(1, 1), (2, 2)], [(6, 6), (7, 6)]]),
            ("M0,0L2,0L2,2z l0,5", [[(0, 0), (2, 0), (2, 2), (0, 0)], [(0, 0), (0, 5)]]),
            ("M1e1,0l-1E0,0", [[(10, 0), (9, 0)]]),
            ("M3,3", []),
            ("", []),
        ],
    )
    def test_lines(self, path, corners):
        assert [stroke.tolist() for stroke in strokes_of(path)] == [[list(map(float, c)) for c in s] for s in corners]

    def test_curves_are_bezier_curves(self):
        """Places on them by de Casteljau's algorithm; S and T mirror the control point before."""
        rng = np.random.default_rng(0)
        for given, controls in (
            ("M{0}C{1} {2} {3}", [0, 1, 2, 3]),
            ("M{0}Q{1} {2}", [0, 1, 2]),
        ):
            points = rng.integers(-9, 9, (4, 2)).astype(float)
            (stroke,) = strokes_of(given.format(*(f"{x},{y}" for x, y in points)))
            assert len(stroke) == 1 + PIECES
            for place, share in zip(stroke, np.linspace(0, 1, 1 + PIECES), strict=True):
                level = points[controls]
                while len(level) > 1:
                    level = (1 - share) * level[:-1] + share * level[1:]
                np.testing.assert_allclose(place, level[0], atol=1e-9)
        smooth, whole = (strokes_of(path)[0] for path in ("M0,0c1,2 3,4 5,4s3,3 4,1", "M0,0C1,2 3,4 5,4C7,4 8,7 9,5"))
        np.testing.assert_allclose(smooth, whole)
        smooth, whole = (strokes_of(path)[0] for path in ("M0,0q1,2 3,0t3,0", "M0,0Q1,2 3,0Q5,-2 6,0"))
        np.testing.assert_allclose(smooth, whole)
        alone, first = (strokes_of(path)[0] for path in ("M1,1S3,4 5,4", "M1,1C1,1 3,4 5,4"))
        np.testing.assert_allclose(alone, first)

    def test_elements_and_boxes(self):
        inside = (
            '<defs><path d="M0 0L9 9"/></defs><g><polyline points="1,2 3,4 5,6"/>'
            '<line x1="1" y1="2" x2="3" y2="4"/></g>'
            '<polygon points="0,0 4,0 4,4"/><text transform="scale(2)">no stroke</text><rect width="9" height="9"/>'
        )
        drawn = read_svg(svg("M7,7L8,8", box='width="40px" height="20"', inside=inside))
        assert drawn.box == (0, 0, 40, 20)
        assert [stroke.tolist() for stroke in drawn.strokes] == [
            [[1, 2], [3, 4], [5, 6]],
            [[1, 2], [3, 4]],
            [[0, 0], [4, 0], [4, 4], [0, 0]],
            [[7, 7], [8, 8]],
        ]
        assert read_svg(svg(box='viewBox="-1 -2 30 40"')).box == (-1, -2, 30, 40)
        assert read_svg(svg(box='width="100%" viewBox="0 0 0 4"')).box is None

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"no XML", "no XML that can be read"),
            (b"<html/>", "no SVG: its outermost element is 'html'"),
            (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "entities"),
            (svg("M0,0A1,1 0 0 0 3,3"), "arcs: convert"),
            (svg("M0,0L1"), "command 'L' lacks numbers"),
            (svg("M0,0B1,1"), "command 'B' is unknown"),
            (svg("M0,0L1,1%"), "cannot be read"),
            (svg("3,3"), "unknown"),
            (svg(inside='<g transform="scale(2)"><path d="M0 0L1 1"/></g>'), "transform: apply it"),
        ],
    )
    def test_what_is_not_read_is_said(self, data, said):
        with pytest.raises(ValueError, match=said) as error:
            read_svg(data)
        assert "\n" not in str(error.value)


class TestGrid:
    def test_decisions_and_strokes_are_inverse(self):
        rng = np.random.default_rng(0)
        for _ in range(50):
            strokes = random_strokes(rng)
            actions = encode(strokes)
            assert len(actions) == sum(2 * len(stroke) + 1 for stroke in strokes)
            again = decode(np.pad(actions, (0, 5)))
            assert [stroke.tolist() for stroke in again] == [stroke.tolist() for stroke in strokes]
        assert [stroke.tolist() for stroke in decode([3, 4, 5])] == [[[3, 4]]]
        assert decode([3]) == decode([]) == []

    def test_drawings_on_the_grid_stay_as_they_are(self):
        rng = np.random.default_rng(1)
        for _ in range(20):
            strokes = random_strokes(rng)
            drawn = read_svg(to_svg([stroke + 1.0 for stroke in strokes], (SIDE, SIDE), 1.4).encode())
            assert [s.tolist() for s in fitted(drawn, 2.0)] == [s.tolist() for s in strokes]

    def test_boxes_keep_their_shape_and_drawings_without_one_fill_the_paper(self):
        line = Vectors([np.array([[0.0, 0.0], [200.0, 84.0]])], (0, 0, 200, 84))
        assert fitted(line, 0.5)[0].tolist() == [[7, 0], [18, 25]]
        assert fitted(line._replace(box=(-200, -200, 600, 484)), 0.5)[0].tolist() == [[11, 8], [14, 17]]
        assert fitted(line._replace(box=None), 0.5)[0].tolist() == [[7, 0], [18, 25]]
        dot = Vectors([np.array([[5.0, 5.0], [5.0, 5.0]])], None)
        assert fitted(dot, 0.5)[0].shape == (1, 2)

    def test_lines_are_near_the_stroke(self):
        share = np.linspace(0, 1, 200)
        wave = np.stack([20 * share, 5 * np.sin(7 * share)], 1)
        for tolerance in (0.1, 0.5, 2.0):
            kept = simplified(wave, tolerance)
            assert kept[0] == 0
            assert kept[-1] == 199
            for first, last in itertools.pairwise(kept):
                path = wave[first] + share[:, None] * (wave[last] - wave[first])
                away = np.linalg.norm(wave[first : last + 1, None] - path, axis=-1).min(1)
                assert away.max() <= tolerance + 0.06
        assert len(simplified(wave, 0.1)) > len(simplified(wave, 0.5)) > 2

    def test_near_copies_are_kin(self):
        rng = np.random.default_rng(2)
        drawn = [random_strokes(rng, most=8) for _ in range(12)]
        moved = [np.clip(stroke + np.array([0, 1]), 0, POINTS - 1) for stroke in drawn[3]]
        changed = [*drawn[5][:-1], drawn[5][-1][::-1]]
        kin = kinship([*drawn, moved, changed])
        assert kin[:12] == list(range(12))
        assert kin[13] == 5, "a stroke the other way leaves the same ink"
        still = corpus.likeness(*(corpus.trace(strokes)[None] for strokes in (drawn[3], moved)))
        assert (kin[12] == 3) == (still[0, 0] >= corpus.ALIKE)


class TestPen:
    def test_lines_against_their_definition(self):
        rng, pen = np.random.default_rng(0), Lines(SIDE, MARGIN, REACH)
        canvas, ends = np.zeros((40, PIXELS), np.uint8), rng.integers(POINTS, size=(40, 2, 2))
        ends[0, 1] = ends[0, 0]
        start, end = ((ends[:, side] + MARGIN) @ [SIDE, 1] for side in (0, 1))
        pen.draw(canvas, np.arange(40), start, end)
        for row, pair in zip(canvas, ends, strict=True):
            assert np.abs(row.reshape(SIDE, SIDE).astype(int) - picture_of([pair])).max() <= 1
        again = canvas.copy()
        pen.draw(again, np.arange(40), end, start)
        assert (again == canvas).all(), "a line is the same from its other end"
        pen.draw(again, np.array([7, 3]), start[[8, 9]], end[[8, 9]])
        assert (again[7] == np.maximum(canvas[7], canvas[8])).all()
        assert (again[3] == np.maximum(canvas[3], canvas[9])).all()
        assert (np.delete(again, (3, 7), 0) == np.delete(canvas, (3, 7), 0)).all()

    def test_decisions(self, task):
        strokes = [np.array([[2, 3], [2, 20], [9, 9]]), np.array([[24, 25]])]
        state = build(task, [encode(strokes).tolist()])
        assert state.done.all()
        assert np.abs(task.content(state)[0].astype(int) - picture_of(strokes)).max() <= 1
        assert state.sheet[0, STROKES] == 2
        before = task.observe(state)
        state, _ = task.step(state, np.array([4]))
        assert (task.observe(state) == before).all()

    def test_features_and_view(self, task):
        names = [feature.name for feature in task.features]
        rows = [[], [4], [4, 7], [4, 7, 9], [4, 7, 9, 1], [4, 7, LIFT], [4, 7, LIFT, 2]]
        expected = {
            "phase": [0, 1, 2, 3, 2, 0, 1],
            "pen_row": [NONE, NONE, 4, 4, 9, 4, 4],
            "pen_column": [NONE, NONE, 7, 7, 1, 7, 7],
            "row": [NONE, 4, NONE, 9, NONE, NONE, 2],
            "strokes": [0, 0, 1, 1, 1, 1, 1],
            "step": [0, 1, 2, 3, 4, 3, 4],
        }
        for number, row in enumerate(rows):
            state = build(task, [row])
            values = dict(zip(names, task.feature_values(state)[0].tolist(), strict=True))
            assert values == {name: known[number] for name, known in expected.items()}
            ends = task.action_mask(state)[0, POINTS:]
            assert ends.tolist() == 2 * [values["phase"] == 2]
            assert task.action_mask(state)[0, :POINTS].all()
        state = build(task, [[0, 0, 3, 25, END]])
        seen, canvas = task.view(state)[0].reshape(13, 13), task.content(state)[0]
        for row, column in np.ndindex(13, 13):
            at = slice(1 + 2 * row, 3 + 2 * row), slice(1 + 2 * column, 3 + 2 * column)
            assert seen[row, column] == canvas[at].max()

    def test_drawings_end_at_the_horizon(self, task):
        state = build(task, [[1, 2] * (HORIZON // 2)])
        assert state.done.all()
        assert state.sheet[0, STEP] == HORIZON

    @pytest.mark.parametrize(
        ("kwargs", "said"),
        [
            ({"data": "kanji"}, "choose one of kanjivg"),
            ({"data": "kanjivg", "corpus": "x"}, "not both"),
            ({"corpus": "/nowhere/at/all"}, "no folder or file"),
            ({"style": "many"}, "strokes: 1-5, 6-8"),
        ],
    )
    def test_wrong_arguments(self, kwargs, said):
        with pytest.raises(ValueError, match=said) as error:
            SketchTask(**kwargs)
        assert "\n" not in str(error.value)


class TestTask:
    def test_contract(self, task):
        check_task(task)

    def test_nothing_is_read_before_the_first_episode(self, monkeypatch):
        monkeypatch.setattr(sources, "_places", lambda source: [])
        task = SketchTask(style="9-11")
        assert [task.action_name(action) for action in (7, LIFT, END)] == ["row or column 7", "lift", "end"]
        with pytest.raises(CorpusMissingError, match="musegym data get kanjivg"):
            task.works("train")

    def test_own_files_are_read_as_they_were_drawn(self, task, tmp_path):
        drawn = write(tmp_path / "same", 40)
        known = {picture_of(strokes).tobytes(): strokes for strokes in drawn if len(encode(strokes)) <= HORIZON}
        report = task.corpus_report()
        works = [task.works(split) for split in SPLITS]
        assert (report.files, report.read) == (40, 40)
        assert report.total + sum(report.left_out.values()) == 40
        found = [strokes for own in works for strokes in map(decode, own.actions)]
        assert report.total > 20
        for own in works:
            for content, actions, style in zip(own.contents, own.actions, own.conditions[:, 0], strict=True):
                strokes = decode(actions)
                assert np.abs(content.astype(int) - picture_of(strokes)).max() <= 1
                bounds = task.conditions[0].values[style].replace("up", "99").split("-")
                assert int(bounds[0]) <= len(strokes) <= int(bounds[1])
        written = {str([s.tolist() for s in strokes]) for strokes in known.values()}
        assert {str([s.tolist() for s in strokes]) for strokes in found} <= written

    def test_long_drawings_are_simplified_and_the_longest_left_out(self, tmp_path):
        folder = tmp_path / "own"
        write(folder, 12)
        wave = " ".join(f"{x / 10:.2f},{14 + 1.2 * np.sin(x / 4):.2f}" for x in range(20, 260))
        lines = [f"M{x},{y}h.9v.9h-.9v-.9" for x in range(1, 26, 2) for y in range(1, 26, 2)]
        (folder / "wave.svg").write_bytes(svg(f"M{wave}", f"M{wave}"))
        (folder / "dots.svg").write_bytes(svg(*lines))
        (folder / "none.svg").write_bytes(svg())
        (folder / "odd.svg").write_text("no XML")
        report = SketchTask(corpus=str(folder)).corpus_report()
        assert report.left_out["more than 96 decisions"] >= 1
        assert dict(report.skipped)["none.svg"] == "has no path, polyline, polygon or line"
        assert "no XML" in dict(report.skipped)["odd.svg"]
        assert report.files == 16

    def test_exports_are_read_again(self, task, tmp_path):
        for split in SPLITS:
            works = task.works(split)
            for row, actions in enumerate(works.actions):
                (tmp_path / "out").mkdir(exist_ok=True)
                path = tmp_path / "out" / f"{split}-{row}.svg"
                path.write_text(task.svg(decode(actions)))
                drawn = fitted(read_svg(path.read_bytes()), 0.5)
                assert (encode(drawn) == actions[: len(encode(drawn))]).all()
        content = works.contents[-1]
        written = task.export(content, tmp_path / "work", works.conditions[-1], actions[: len(encode(drawn))])
        assert [path.suffix for path in written] == [".png", ".npz", ".svg", ".gif"]
        with Image.open(written[-1]) as image:
            assert image.size == (312, 312)
            assert image.n_frames == len(drawn)
        assert [path.suffix for path in task.export(content, tmp_path / "only")] == [".png", ".npz"]

    def test_too_few_drawings(self, tmp_path):
        write(tmp_path / "own", 2)
        with pytest.raises(ValueError, match="too few to be split") as error:
            SketchTask(corpus=str(tmp_path / "own")).works("train")
        assert "\n" not in str(error.value)


class TestMedium:
    medium = Sketch()

    def lines(self, *strokes):
        return picture_of([np.array(stroke) for stroke in strokes])

    def test_lines_ends_and_junctions(self):
        line = self.lines([(5, 3), (5, 22)])
        tee = self.lines([(5, 3), (5, 22)], [(5, 12), (20, 12)])
        cross = self.lines([(12, 3), (12, 22)], [(3, 12), (22, 12)])
        box = self.lines([(5, 5), (5, 20), (20, 20), (20, 5), (5, 5)])
        expected = {"ends": (2, 3, 4, 0), "junctions": (0, 1, 1, 0), "holes": (0, 0, 0, 1), "components": (1, 1, 1, 1)}
        measured = [self.medium.metrics(picture[None]) for picture in (line, tee, cross, box)]
        for name, values in expected.items():
            assert tuple(found[name] for found in measured) == values, name
        assert measured[0]["length"] == pytest.approx(20, abs=2)
        assert measured[0]["width"] == pytest.approx(1, abs=0.3)
        assert measured[0]["horizontal"] > 0.75
        assert measured[3]["horizontal"] == pytest.approx(measured[3]["vertical"], abs=0.02)

    def test_thinning_keeps_what_is_thin(self):
        line = np.zeros((1, 9, 9), bool)
        line[0, 4, 1:8] = True
        assert (thinned(line) == line).all()
        thick = np.zeros((2, 12, 16), bool)
        thick[0, 4:7, 2:14] = True
        thin = thinned(thick)
        assert thin[0].sum(0).max() == 1
        assert 8 <= thin[0].sum() <= 12
        assert not thin[1].any()
        assert crossings(line)[0, 4].tolist()[1:8] == [1, 2, 2, 2, 2, 2, 1]

    def test_small_circles_bend_more(self):
        rows, columns = np.mgrid[:64, :64] - 31.5
        for radius in (8.0, 16.0):
            disc = np.clip((radius - np.hypot(rows, columns)) / 4 + 0.5, 0, 1)[None]
            assert curvature(disc) == pytest.approx(1 / radius, rel=0.1)
        stripe = np.repeat(np.clip((columns + 5) / 4, 0, 1)[:, :], 1, 0)[None]
        assert curvature(stripe) == pytest.approx(0, abs=1e-6)
        assert curvature(np.zeros((1, 8, 8))) == 0

    @pytest.mark.parametrize("turn", range(8))
    def test_directions_of_lines(self, turn):
        angle = np.pi * turn / 8
        rows, columns = np.mgrid[:33, :33] - 16.0
        away = np.abs(columns * np.sin(angle) - rows * np.cos(angle))
        found = directions(np.clip(3 - away, 0, 1)[None])
        assert found.argmax() == turn
        assert found[[turn - 1, turn, (turn + 1) % 8]].sum() > 0.95 * found.sum()

    def test_metrics_hold_of_anything(self, task):
        empty = task.medium.metrics(np.zeros((2, SIDE, SIDE), np.uint8))
        full = task.medium.metrics(np.full((2, SIDE, SIDE), 255, np.uint8))
        assert all(np.isfinite(list(found.values())).all() for found in (empty, full))
        own = task.medium.metrics(task.corpus("train"))
        assert own["direction_distance"] == pytest.approx(0, abs=1e-6)

    def test_strokes_are_shown_in_their_order(self, task):
        state = build(task, [encode([np.array([[3, 3], [3, 22]]), np.array([[20, 3], [20, 22]])]).tolist()])
        (frame,) = task.render(state)
        factor = 10
        spots = [frame[16 + factor * row + 5, 16 + factor * 12] for row in (4, 21)]
        assert np.abs(spots[0] - FIRST).max() < 5
        assert np.abs(spots[1] - FIRST - (LAST - FIRST) / REDDEST).max() < 5
        strokes = [np.array([[row, 3], [row, 22]]) for row in range(4, 26)]
        (many,) = task.render(build(task, [encode(strokes[::2]).tolist()]))
        assert (np.diff(many[16 + 10 * np.arange(5, 26, 4) + 5, 136, 0].astype(int)) > 0).all()
        assert self.medium.colours(20)[REDDEST:] == 8 * ["#c43a1e"]
        plain = task.medium.render(task.content(state)[0])
        assert plain.shape == frame.shape == (312, 312, 3)
        assert len({tuple(plain[16 + factor * row + 5, 16 + factor * 12]) for row in (4, 21)}) == 1

    def test_a_sheet_shows_all(self, task):
        contents = task.corpus("train")[:5]
        sheet = self.medium.sheet(contents, columns=3, scale=2)
        assert sheet.shape == (2 * 2 * 31, 3 * 2 * 31, 3)
        dark = (sheet.sum(2) < 300).reshape(2, 62, 3, 62).sum((1, 3)).ravel()
        assert (dark[:5] > 0).all()
        assert dark[5] == 0
        assert self.medium.population(contents).shape == (2 * 3 * 31, 3 * 3 * 31, 3)

    def test_text(self, task):
        assert task.describe(build(task, [[3, 3, 3, 22, END]]))[0].count("@") > 20


class TestPlay:
    def test_clicks_draw_lift_and_end(self, task):
        at = lambda row, column: (16 + 10 * (column + 1) + 5, 16 + 10 * (row + 1) + 5)  # noqa: E731
        one = Builder(task, np.random.default_rng(0))
        assert one.aim(at(3, 4), False)
        before = one.picture
        assert one.aim(at(3, 9), False)
        assert (one.picture != before).any(), "the same row, and another column"
        one.press("return")
        one.aim(at(12, 9), False)
        one.press("return")
        one.aim(at(20, 1), True)
        one.press("return")
        assert one.work.actions.tolist() == [3, 9, 12, 9, LIFT, 20, 1]
        one.press("u")
        assert one.work.actions.tolist() == [3, 9, 12, 9]
        one.press("ctrl y")
        assert one.count == 7
        assert not one.aim((3, 100), False)
        assert one.aim((300, 305), False), "the tick"
        one.press("return")
        assert one.done
        assert one.work.actions.tolist()[-1] == END
        assert [stroke.tolist() for stroke in decode(one.work.actions)] == [[[3, 9], [12, 9]], [[20, 1]]]

    def test_the_tick_is_shown_where_it_ends_a_drawing(self, task):
        corner = (slice(296, None), slice(290, None))
        begun, open_ = (task.render(build(task, [row]))[0] for row in ([3], [3, 4]))
        assert (begun[corner] == begun[300, 3]).all()
        assert (open_[corner] != begun[corner]).any()
        state = build(task, [[3]])
        assert task.action_at(state, 300, 305) is None
        assert task.action_at(state, 16 + 105, 16 + 15) == (9,)

    def test_in_the_window(self, dummy, script, task):
        def click(x, y):
            return "MOUSEBUTTONDOWN", {"pos": (2 * x, 2 * y), "button": 1}

        script(click(60, 60), click(250, 60), click(300, 305), "q")
        (drawing,) = play("musegym/Sketch-v0", seed=0, task=task, max_seconds=20)
        assert drawing[4, 6:22].min() > 200


class TestDomain:
    def test_measures(self, task, monkeypatch):
        monkeypatch.setattr(domain, "NUM", 20)
        found = domain.references(task)
        assert set(found["real"]) == set(found["random"]) == {"num", "nearest", *domain.KEYS}
        train = task.corpus("train")
        assert domain.measure_drawings(task, train)["nearest"] == pytest.approx(1, abs=1e-5)
        assert found["real"]["nearest"] < 0.95
        shifted = np.roll(train, 1, 2)
        assert found["real"]["nearest"] < domain.measure_drawings(task, shifted)["nearest"] < 1


@pytest.fixture(scope="module")
def real():
    return present(SketchTask())


class TestKanji:
    def test_most_characters_are_drawn(self, real):
        report = real.corpus_report()
        assert report.files == 6703
        assert report.total > 0.8 * report.files
        held_out = [report.works[split] / report.total for split in SPLITS[1:]]
        assert all(0.09 < share < 0.12 for share in held_out)

    def test_near_copies_share_a_split(self, real):
        works = [real.works(split) for split in SPLITS]
        traces = [np.stack([corpus.trace(decode(row)) for row in own.actions[:400]]) for own in works]
        for held_out in traces[1:]:
            assert corpus.likeness(held_out, traces[0]).max() < corpus.ALIKE

    def test_the_strokes_are_those_of_a_pen(self, real):
        """Real drawings are mostly of horizontal and vertical lines, and every one ends with its last stroke."""
        works = real.works("validation")
        lengths = (works.actions > 0).cumsum(1).argmax(1)
        assert (works.actions[np.arange(len(works)), lengths] == END).all()
        found = real.medium.metrics(works.contents)
        assert found["horizontal"] + found["vertical"] > 0.4
        assert found["components"] < 6
