"""Painting stroke by stroke in the play window: the easel by itself, then events of the mouse in SDL's dummy window."""

import numpy as np
import pytest
from PIL import Image
from test_paint import flags

from musegym.envs.media.painting import FRAME, GAP, SCALE
from musegym.envs.paint import PaintTask
from musegym.errors import UsageError
from musegym.play.easel import Easel
from musegym.play.session import play
from musegym.play.stage import Event, Stage
from musegym.play.works import Agent, Saver, Scorer

COLOURS = 6


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    for number, picture in enumerate(flags(20)):
        (tmp_path / "own").mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / f"own/{chr(97 + number)}.png")
    return PaintTask(corpus=str(tmp_path / "own"), strokes=4)


@pytest.fixture
def easel(task, tmp_path):
    rng = np.random.default_rng(0)
    return Easel(task, rng, Saver(task, tmp_path, "Paint-v0"), Scorer(task), Agent(task, "", None, rng))


def spot(row, column):
    """A pixel of the picture over row and column of the canvas."""
    return (GAP + FRAME + SCALE * column + 4, GAP + FRAME + SCALE * row + 4)


def act(easel, *events):
    for event in events:
        easel.handle(event if isinstance(event, Event) else Event(event))


def pick(choice):
    return Event("press", None, choice)


def test_the_first_colour_is_the_ground_and_the_next_ones_are_held(easel):
    act(easel, Event("press", spot(10, 10)), "lift")
    assert easel.actions == [], "there is no ground yet"
    act(easel, pick(4))
    assert easel.actions == [4]
    act(easel, pick(2), pick(COLOURS + 3))
    assert easel.actions == [4]
    assert easel.held == [2, 3]
    act(easel, Event("press", spot(15, 15)), "lift")
    assert easel.actions == [4, 2, 3, 112]
    assert (easel.work.content[15, 15] == easel._task.medium.palette[2]).all()


def test_a_drag_paints_once_at_each_place(easel):
    act(easel, pick(1), Event("press", spot(15, 11)))
    act(easel, *(Event("drag", spot(15, column)) for column in (11, 12, 13, 14, 15)), "lift")
    places = easel.actions[3::3]
    assert len(places) == len(set(places)) == 3
    act(easel, Event("drag", spot(20, 20)))
    assert len(easel.actions) == 10, "the button is up"


def test_undo_takes_strokes_back_and_redo_makes_them_again(easel):
    act(easel, pick(1), Event("press", spot(8, 8)), "lift", Event("press", spot(20, 20)), "lift")
    whole = easel.actions.copy()
    act(easel, "u")
    assert easel.actions == whole[:4]
    act(easel, "ctrl z", "ctrl z", "ctrl z")
    assert easel.actions == []
    act(easel, "ctrl y", "ctrl y", "ctrl y")
    assert easel.actions == whole
    act(easel, "u", Event("press", spot(2, 2)), "ctrl y")
    assert len(easel.actions) == len(whole)
    assert easel.actions != whole, "another stroke takes its place"


def test_wheel_and_keys_change_tools(easel):
    act(easel, pick(1))
    before = easel.held.copy()
    act(easel, "wheel down", "right", "down", "up")
    assert easel.held == [before[0] + 1, before[1] + 1]
    act(easel, "3")
    assert easel.held[0] == 2


def test_the_stroke_under_the_pointer_is_seen_and_not_laid(easel):
    act(easel, pick(1))
    assert easel.handle(Event("hover", spot(15, 15)))
    assert easel._ghost is not None
    assert easel.actions == [1]
    assert easel.handle(Event("hover", (1, 1)))
    assert easel._ghost is None


def test_strokes_by_chance_finish_a_work(easel, task):
    act(easel, *(2 + task.strokes) * ["space"])
    assert easel.done
    assert len(easel.actions) == task.horizon
    state = task.initial(np.zeros(1, np.uint64))
    for action in easel.actions:
        state, _ = task.step(state, np.array([action]))
    assert (task.content(state)[0] == easel.work.content).all()
    act(easel, "n")
    assert len(easel.finished) == 1
    assert not easel.actions


def test_the_agent_paints_on(easel, task, monkeypatch):
    act(easel, pick(1), Event("press", spot(8, 8)), "lift")
    begun = easel.actions.copy()

    def completed(prefix, condition):
        assert prefix.tolist() == begun
        return easel.work._replace(actions=np.array([*begun, *(task.horizon - 4) * [0]]))

    monkeypatch.setattr(easel._agent, "work", completed)
    act(easel, "g")
    assert easel.done
    assert easel.actions[:4] == begun
    monkeypatch.setattr(easel._agent, "work", lambda *_: (_ for _ in ()).throw(UsageError("no agent ships")))
    act(easel, "n", pick(0), "g")
    assert easel._message == "no agent ships"


def button(x, y, kind="MOUSEBUTTONDOWN"):
    return kind, {"pos": (x, y), "button": 1}


def test_a_person_paints_in_the_window(dummy, script, task, tmp_path):
    shown = task.medium.render(np.zeros((32, 32, 3), np.uint8))
    factor = round(640 / max(shown.shape[:2]))
    x, y = (factor * value for value in spot(15, 15))
    seen = script(
        button(30, factor * shown.shape[0] + 20),
        button(x, y),
        button(x, y, "MOUSEBUTTONUP"),
        "h",
        "h",
        "r",
        *(4 * ["space"]),
        "s",
        "q",
    )
    folder = tmp_path / "saved"
    (work,) = play("musegym/Paint-v0", seed=0, folder=folder, task=task, max_seconds=20)
    assert work.shape == (32, 32, 3)
    assert any("finished" in text for text, _ in seen)
    assert (seen[0][1][x, y] != seen[2][1][x, y]).any()
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".png", ".npz"}


def test_a_watched_work_is_painted_on(dummy, script, easel, task):
    actions = np.array([1, 2, 3, 112, *(task.horizon - 4) * [0]])
    easel.open(easel.work._replace(actions=actions))
    assert easel.done
    assert easel.of_agent
    act(easel, "u")
    assert not easel.done
    stage = Stage("easel", 5)
    easel.show(stage)
    stage.close()
