"""Painting in the play window: the canvas by itself, then events of the mouse in SDL's dummy window."""

import numpy as np
import pytest
from grids import COLUMNS, NAMES, ROOF, ROWS, SKY, STONE, TowerTask
from toys import BitsTask

from musegym.agents.episodes import trace
from musegym.envs.checks import check_task
from musegym.envs.density import DensityTask
from musegym.envs.digit import DigitTask
from musegym.envs.media.plain import Plain
from musegym.envs.task import Image
from musegym.errors import UsageError
from musegym.play.builder import Builder
from musegym.play.canvas import Canvas, box_of, building_order, line, paintable, swatches
from musegym.play.painting import Painting
from musegym.play.panel import CELL, Panel
from musegym.play.session import play
from musegym.play.stage import Event, Stage
from musegym.play.works import Agent, Saver, Scorer, Work

SIDE = 64  # pixels of a cell of the toy's picture


def canvas(seed=0):
    return Canvas(TowerTask(), np.random.default_rng(seed))


def at(row, column):
    """A pixel of the picture in a cell."""
    return (SIDE * column + 30, SIDE * row + 30)


def cell(row, column):
    return row * COLUMNS + column


def test_the_toy_keeps_the_contract():
    check_task(TowerTask())


def test_grids_shown_cell_by_cell_can_be_painted():
    assert paintable(TowerTask())
    assert not paintable(BitsTask())
    assert not paintable(DigitTask())
    assert not paintable(DensityTask()), "a grid of bits that is shown as a point"
    assert Plain(Image((4, 4))).cells(np.zeros((4, 4), np.uint8)) is None


def test_cells_are_where_the_picture_shows_them():
    task = TowerTask()
    cells = task.medium.cells(np.zeros((ROWS, COLUMNS), np.int8))
    empty = task.medium.render(np.zeros((ROWS, COLUMNS), np.int8))
    assert cells.shape == empty.shape[:2]
    for index in (0, 7, 19):
        content = np.zeros(ROWS * COLUMNS, np.int8)
        content[index] = ROOF
        changed = (task.medium.render(content.reshape(ROWS, COLUMNS)) != empty).any(-1)
        assert ((cells == index) == changed).all()
        left, top, width, height = box_of(cells, index)
        assert changed[top : top + height, left : left + width].all()
        assert changed.sum() == width * height


def test_swatches_show_each_value():
    pictures = swatches(TowerTask(), np.zeros(1, np.int64))
    assert [picture.shape for picture in pictures] == 3 * [(SIDE, SIDE, 3)]
    assert len({tuple(picture[0, 0]) for picture in pictures}) == 3


def test_the_building_order_is_found_by_building():
    order = building_order(TowerTask())
    assert order[:5].tolist() == [cell(3, 0), cell(2, 0), cell(1, 0), cell(0, 0), cell(3, 1)]
    assert sorted(order) == list(range(ROWS * COLUMNS))
    assert building_order(DensityTask()).tolist() == list(range(32))
    assert building_order(DigitTask(strokes=2)) is None


def test_cells_are_painted_in_any_order_and_built():
    one = canvas()
    one.brush = STONE
    assert one.paint(np.array([cell(2, 4)]))
    assert one.paint(np.array([cell(3, 4)]))
    work = one.work()
    state = one.task.initial(np.zeros(1, np.uint64), work.condition[None])
    for action in work.actions:
        state, done = one.task.step(state, action[None])
    assert done.all()
    assert (one.task.content(state)[0] == work.content).all()
    assert work.content.sum() == 2


def test_a_content_that_no_actions_build_is_no_work():
    one = canvas()
    one.brush = ROOF
    one.paint(np.array([cell(0, 0)]))
    with pytest.raises(ValueError, match="a roof needs stone"):
        one.work()


def test_a_stroke_is_undone_and_redone_at_once():
    one = canvas()
    for cells in ([5], [6], [7]):
        assert one.paint(np.array(cells))
    one.begin()
    one.paint(np.array([8]))
    whole = one.content
    assert one.undo()
    assert one.content.ravel()[4:9].tolist() == [0, 1, 1, 1, 0]
    assert one.undo()
    assert not one.content.any()
    assert not one.undo()
    assert one.redo()
    assert one.redo()
    assert (one.content == whole).all()
    assert not one.redo()
    one.undo()
    one.paint(np.array([0]))
    assert not one.redo(), "another change takes its place"


def test_painting_what_is_there_is_no_change():
    one = canvas()
    assert one.paint(np.array([3]))
    one.begin()
    assert not one.paint(np.array([3]))
    one.undo()
    assert not one.undo()


def test_the_next_cell_is_the_first_free_one_in_building_order():
    one = canvas()
    assert one.next_cell == cell(3, 0)
    one.paint(np.array([cell(2, 0)]))
    assert one.next_cell == cell(3, 0)
    assert one.place()
    assert one.next_cell == cell(1, 0), "the one between was painted"
    one.undo()
    assert one.next_cell == cell(3, 0)


def test_any_value_is_a_legal_one():
    for seed in range(8):
        one = canvas(seed)
        while one.next_cell is not None:
            assert one.place(anything=True)
        assert one.full
        assert len(one.work().actions) == one.task.horizon
        assert not one.place(anything=True)


def test_the_brush_is_picked_and_turned():
    one = canvas()
    one.paint(np.array([4]))
    one.turn(-1)
    assert one.brush == SKY
    one.turn(-1)
    assert one.brush == ROOF
    one.pick(4)
    assert one.brush == STONE


def test_lines_leave_no_gap():
    columns, rows = line((2, 3), (9, -1))
    assert (columns[0], rows[0], columns[-1], rows[-1]) == (2, 3, 9, -1)
    assert np.abs(np.diff(columns)).max() == 1
    assert np.abs(np.diff(rows)).max() <= 1
    assert [each.tolist() for each in line((4, 4), (4, 4))] == [[4, 4], [4, 4]]


# --- with an agent and a discriminator ---------------------------------------------------------------------------


class Half:
    """Takes stone for real."""

    def logits(self, contents, conditions):
        return np.where((contents == STONE).any((1, 2)), 1.0, -1.0)


class Roofer(Agent):
    """Builds stone wherever it is left alone; notes what it was given."""

    def __init__(self):
        self.given = []

    def work(self, prefix=None, condition=None):
        self.given.append((prefix, condition))
        task = TowerTask()
        state = task.initial(np.zeros(1, np.uint64), None if condition is None else condition[None])
        for action in np.where(prefix < 0, STONE, prefix) if prefix is not None else np.full(task.horizon, STONE):
            state, _ = task.step(state, np.array([action]))
        return Work(task.content(state)[0], task.condition(state)[0], np.zeros(0, np.int64))


@pytest.fixture
def easel(tmp_path):
    task = TowerTask()
    scorer = Scorer(task, Half())
    return Painting(task, np.random.default_rng(0), Saver(task, tmp_path, "Tower"), scorer, Roofer())


class Watched(Stage):
    """Keeps what it was to show."""

    def __init__(self):
        self.shown = []

    def show(self, picture, panel, marks=(), help_=()):
        self.shown.append((picture, panel, marks, help_))


def news(easel):
    stage = Watched()
    easel.show(stage)
    return stage.shown[0][1].lines[0]


def test_the_mouse_paints_strokes_without_gaps(easel):
    easel.handle(Event("press", at(3, 0)))
    easel.handle(Event("drag", at(3, 4)))
    easel.handle(Event("lift"))
    easel.handle(Event("drag", at(0, 0)))
    assert easel.canvas.content.tolist() == [5 * [SKY]] * 3 + [5 * [STONE]]
    easel.handle(Event("ctrl z"))
    assert not easel.canvas.content.any()


def test_a_stroke_that_leaves_the_picture_goes_on_where_it_comes_back(easel):
    easel.handle(Event("press", at(3, 0)))
    easel.handle(Event("drag", None))
    easel.handle(Event("drag", at(3, 4)))
    assert easel.canvas.content[3].tolist() == [STONE, SKY, SKY, SKY, STONE]


def test_values_are_chosen_by_palette_wheel_keys_and_from_the_picture(easel):
    easel.handle(Event("press", choice=ROOF))
    assert easel.canvas.brush == ROOF
    easel.handle(Event("wheel up"))
    assert easel.canvas.brush == STONE
    easel.handle(Event("wheel down"))
    easel.handle(Event("right"))
    assert easel.canvas.brush == SKY
    easel.handle(Event("2"))
    assert easel.canvas.brush == STONE
    easel.handle(Event("9"))
    assert easel.canvas.brush == STONE
    easel.handle(Event("pick", at(0, 0)))
    assert easel.canvas.brush == SKY
    easel.handle(Event("pick", None))
    assert not easel.canvas.content.any()


def test_the_window_names_what_is_under_the_pointer_and_frames_it(easel):
    assert news(easel).startswith("paints stone   ·   ")
    assert easel.handle(Event("hover", at(1, 2)))
    assert not easel.handle(Event("hover", at(1, 2)))
    assert news(easel).startswith("row 2, column 3: sky")
    easel.handle(Event("press", at(1, 2)))
    assert news(easel).startswith("row 2, column 3: stone")
    easel.handle(Event("lift", at(1, 2)))
    stage = Watched()
    easel.show(stage)
    boxes = [box for box, _ in stage.shown[0][2]]
    assert boxes == [(0, 3 * SIDE, SIDE, SIDE), (2 * SIDE, SIDE, SIDE, SIDE)], "the next cell, and the one pointed at"
    assert easel.handle(Event("hover", None, choice=ROOF))
    assert news(easel).startswith("roof")


def test_what_cannot_be_built_is_said_and_saved_without_actions(easel, tmp_path):
    easel.handle(Event("3"))
    easel.handle(Event("press", at(0, 0)))
    assert "cannot be built: a roof needs stone" in news(easel)
    easel.handle(Event("s"))
    assert "saved Tower-1.txt, Tower-1.png, Tower-1.npz; it cannot be built" in news(easel)
    with np.load(tmp_path / "Tower-1.npz") as saved:
        assert saved["content"][0, 0] == ROOF
        assert not len(saved["actions"])
    easel.handle(Event("u"))
    easel.handle(Event("s"))
    with np.load(tmp_path / "Tower-2.npz") as saved:
        assert len(saved["actions"]) == ROWS * COLUMNS


class Nested(Plain):
    """Writes files in folders too, as sprites are."""

    def export(self, content, path, condition=None):
        large = path.parent / "large" / path.with_suffix(".png").name
        large.parent.mkdir(exist_ok=True)
        large.touch()
        return [*super().export(content, path, condition), large]


def test_saved_files_are_named_with_their_folders(tmp_path):
    task = TowerTask()
    task.medium = Nested(task.layout, NAMES)
    message = Saver(task, tmp_path, "Tower").save(canvas().work())
    assert message == "saved Tower-1.txt, Tower-1.png, large/Tower-1.png, Tower-1.npz"


def test_what_cannot_be_built_is_said_until_it_can(easel):
    easel.handle(Event("3"))
    easel.handle(Event("press", at(1, 1)))
    easel.handle(Event("drag", at(1, 3)))
    for event in (Event("lift"), Event("hover", at(0, 0)), Event("wheel up"), Event("d"), Event("d"), Event("s")):
        easel.handle(event)
        assert ("saved" if event.name == "s" else "cannot be built: a roof needs stone") in news(easel), event
    easel.handle(Event("pick", at(3, 0)))
    assert "cannot be built: a roof needs stone" in news(easel)
    easel.handle(Event("u"))
    assert "cannot be built" not in news(easel)
    easel.handle(Event("ctrl y"))
    assert "cannot be built" in news(easel)
    easel.handle(Event("n"))
    assert "cannot be built" not in news(easel)


def test_the_opinion_stands_after_each_change_once_asked_for(easel):
    assert "looks real" not in news(easel)
    easel.handle(Event("d"))
    assert "looks real: 27% (logit -1.0)" in news(easel)
    easel.handle(Event("press", at(3, 0)))
    easel.handle(Event("lift"))
    assert "looks real: 73% (logit +1.0)" in news(easel)
    easel.handle(Event("u"))
    assert "looks real: 27%" in news(easel)
    easel.handle(Event("d"))
    assert "looks real" not in news(easel)


def test_rule_rewards_stand_after_each_change(easel):
    easel.handle(Event("press", at(3, 0)))
    easel.handle(Event("drag", at(1, 0)))
    easel.handle(Event("lift"))
    assert "tall 3" in news(easel)
    easel.handle(Event("u"))
    assert "tall 0" in news(easel)


def test_without_a_discriminator_the_window_says_so(tmp_path):
    task, rng = TowerTask(), np.random.default_rng(0)
    agent = Agent(task, "toy/Unknown-v0", None, rng)
    easel = Painting(task, rng, Saver(task, tmp_path, "Tower"), Scorer(task), agent)
    easel.handle(Event("d"))
    assert "no discriminator ships for this id" in news(easel)
    easel.handle(Event("g"))
    assert "no environment is called toy/Unknown-v0" in news(easel)


def test_the_agent_fills_in_what_the_person_did_not_set(easel):
    easel.handle(Event("1"))
    easel.handle(Event("press", at(2, 1)))
    easel.handle(Event("lift"))
    style = easel.canvas.condition
    easel.handle(Event("g"))
    ((prefix, condition),) = easel._agent.given
    assert (condition == style).all()
    assert prefix.tolist() == [-1, -1, -1, -1, -1, SKY] + 14 * [-1], "column by column, from the ground up"
    expected = np.full((ROWS, COLUMNS), STONE)
    expected[2, 1] = SKY
    assert (easel.canvas.content == expected).all()
    easel.handle(Event("g"))
    assert easel._agent.given[1][0].tolist() == prefix.tolist(), "its own cells stay free"
    easel.handle(Event("u"))
    easel.handle(Event("u"))
    assert not easel.canvas.content.any()


def test_an_untouched_canvas_is_left_to_the_agent_altogether(easel):
    easel.handle(Event("g"))
    assert (easel._agent.given[0][0] == -1).all()
    assert (easel.canvas.content == STONE).all()


def test_another_style_is_another_condition(easel):
    styles = set()
    for _ in range(20):
        easel.handle(Event("c"))
        styles.add(int(easel.canvas.condition[0]))
        assert TowerTask.conditions[0].values[easel.canvas.condition[0]] in news(easel)
    assert styles == {0, 1}


def test_help_is_laid_over_the_picture(easel):
    stage = Watched()
    for _ in range(3):
        easel.show(stage)
        easel.handle(Event("h"))
    assert [len(help_) > 0 for *_, help_ in stage.shown] == [False, True, False]


# --- in a window that nobody sees --------------------------------------------------------------------------------


def button(x, y, number=1, kind="MOUSEBUTTONDOWN"):
    return kind, {"pos": (x, y), "button": number}


def key(name, **given):
    return "KEYDOWN", {"key": name, **given}


def test_a_person_paints_in_the_window(dummy, script, tmp_path):
    """The picture of 320 x 256 pixels is shown at twice its size: cells of 128 pixels, the palette below."""
    import pygame

    second = (12 + CELL + 10, 4 * 128 + 20)
    seen = script(
        button(*second),
        button(300, 500),
        ("MOUSEMOTION", {"pos": (600, 500), "buttons": (1, 0, 0), "rel": (300, 0)}),
        button(600, 500, kind="MOUSEBUTTONUP"),
        ("MOUSEMOTION", {"pos": (10, 10), "buttons": (0, 0, 0), "rel": (0, 0)}),
        key("z", mod=pygame.KMOD_LCTRL),
        key("y", mod=pygame.KMOD_LCTRL),
        button(10, 10, 3),
        ("MOUSEWHEEL", {"x": 0, "y": -1}),
        key("s"),
        key("q"),
    )
    (work,) = play("toy/Tower-v0", seed=0, folder=tmp_path, task=TowerTask(), max_seconds=20)
    assert work.tolist() == [5 * [SKY]] * 3 + [[SKY, SKY, STONE, STONE, STONE]]
    assert "row 1, column 1: sky" in seen[5][0]
    assert any("saved Tower-v0-1.txt" in text for text, _ in seen)
    whole, undone = seen[5][1], seen[6][1]
    assert (whole[300, 450] != undone[300, 450]).any()
    assert {path.suffix for path in tmp_path.iterdir()} == {".txt", ".png", ".npz"}


def test_a_work_of_the_agent_is_edited_and_left_again(dummy, script, monkeypatch):
    task = TowerTask()
    contents = task.corpus("train")[:1]
    episode = trace(task, contents, np.zeros((1, 1), np.int64))
    monkeypatch.setattr("musegym.agents.generate_episodes", lambda *_, **__: episode)
    script(key("e"), button(10, 10), button(10, 10, kind="MOUSEBUTTONUP"), key("g"), key("w"), key("q"))
    works = play("toy/Tower-v0", object(), seed=0, task=task, max_seconds=20)
    assert len(works) == 1, "what the agent filled in"
    assert (works[0] == contents[0]).all()


def test_a_model_builds_only_where_it_is_asked_to(dummy, script, monkeypatch):
    episode = trace(BitsTask(), np.array([[1, 0, 1, 1]], np.int8))
    given = []
    monkeypatch.setattr(
        "musegym.agents.generate_episodes", lambda *_, prefix, condition, **__: given.append(prefix) or episode
    )
    script(key("return"), key("g"), key("q"))
    works = play("toy/Bits-v0", object(), seed=0, task=BitsTask(), build=True, max_seconds=20)
    assert [work.tolist() for work in works] == [[1, 0, 1, 1]]
    assert [prefix.tolist() for prefix in given] == [[1]]


def test_the_command_line_hands_over_the_environment(call, monkeypatch):
    given = []
    monkeypatch.setattr("musegym.play.session.play", lambda *_, **arguments: given.append(arguments))
    code, _, err = call("play", "musegym/Density-v0", "--set", "density=moons", "--build")
    assert (code, err) == (0, "")
    assert given[0]["task"].kwargs() == {"density": "moons"}
    assert given[0]["build"]
    call("play", "musegym/Density-v0")
    assert given[1]["task"].kwargs() == {"density": "2spirals"}
    assert not given[1]["build"]


def test_a_pen_goes_where_the_pointer_is(dummy, script):
    task = DigitTask(strokes=2)
    frame = task.render(task.initial(np.zeros(1, np.uint64)))[0]
    script(button(2 * 24, 2 * 24), button(2 * 24, 2 * 250, 3), key("q"))
    (drawing,) = play("musegym/Digit-v0", seed=0, task=task, max_seconds=20)
    assert frame.shape == (288, 288, 3)
    assert drawing[1, 1] > 200, "a line from the middle to the upper left"
    assert not drawing[8:].any(), "and a move to the lower left"


def test_clicks_on_paper_are_its_nearest_points():
    task = DigitTask()
    state = task.initial(np.zeros(1, np.uint64))
    for point, (row, column) in enumerate(task.paper.places.tolist()):
        x, y = (round(4 + 20 * (place + 0.5)) for place in (column, row))
        assert task.action_at(state, x, y) == point
        assert task.action_at(state, x, y, shift=True) == 81 + point
    assert task.action_at(state, 1, 100) is None
    assert BitsTask().action_at(None, 3, 3) is None


def test_undone_actions_are_redone_until_another_one_is_taken():
    one = Builder(BitsTask(), np.random.default_rng(0))
    for name in ("2", "return", "1", "return", "u", "u"):
        one.press(name)
    assert one.count == 0
    assert one.press("ctrl y")
    assert one.work.actions.tolist() == [1]
    one.press("ctrl y")
    assert one.work.actions.tolist() == [1, 0]
    assert not one.press("ctrl y")
    one.press("ctrl z")
    one.press("2")
    one.press("return")
    assert not one.press("ctrl y")
    assert one.work.actions.tolist() == [1, 1]


@pytest.mark.parametrize(("count", "width", "rows"), [(3, 640, 1), (14, 640, 1), (15, 640, 2), (40, 320, 7)])
def test_palettes_wrap(count, width, rows):
    import pygame

    pygame.font.init()
    panel = Panel(("a", "b"), swatches=count * [np.full((4, 4, 3), 200, np.uint8)], chosen=count - 1)
    surface, boxes = panel.draw(width)
    assert surface.get_size() == (2 * width, 2 * panel.height(width))
    assert len(boxes) == count
    assert len({top for _, top, _, _ in boxes}) == rows
    assert all(left >= 0 and left + wide <= width for left, _, wide, _ in boxes)
    assert all(top + high <= panel.height(width) - 52 for _, top, _, high in boxes)


def test_an_agent_of_other_works_is_refused(monkeypatch):
    class Model:
        task = BitsTask()

    assert Model.task.layout != TowerTask.layout

    monkeypatch.setattr("musegym.training.loading.load_model", lambda run, pretrained, data: Model())
    agent = Agent(TowerTask(), "toy/Tower-v0", None, np.random.default_rng(0))
    with pytest.raises(UsageError, match="builds other works"):
        agent.work()
