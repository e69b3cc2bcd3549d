"""Sessions in the play window: watching an agent build, or building by hand; with sound where a medium has it."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.registry import make_task
from ..envs.task import Array, Task
from ..errors import UsageError
from .builder import Builder
from .canvas import paintable
from .easel import Easel
from .inspector import Inspector
from .painting import Painting, Workbench, paint
from .panel import PATIENCE, Panel, joined
from .stage import Event, Stage
from .works import Agent, Saver, Scorer, Work

INSPECTED = 30.0  # seconds that the decisions of a work are shown, about
PAUSE = 3.0  # seconds between a finished work and the agent's next one
HELP_BUILD = "arrows, 1-9  choose    enter  take    space  any    u  undo    g  agent    s  save    n  new    q  quit"
HELP_POINT = (
    "click  draw    shift click  move    1-9  choose    space  any    u  undo    g  agent    s  save    q  quit"
)
HELP_TYPE = (
    "type    enter  new line    arrows  choose    tab  take    ctrl g  agent    "
    "ctrl s  save    ctrl n  new    esc  quit"
)
HELP_TYPED = "backspace  undo    ctrl s  save    ctrl n  new    esc  quit"
HELP_DONE = "r  once more    u  undo    s  save    n  new    q  quit"
HELP_WATCH = "r  once more    s  save    n  new    q  quit"
HELP_INSPECT = "space  stop, go on    left, right  step    a  save as GIF    s  save    n  new    q  quit"
HELP_EDIT = "e  edit    s  save    n  new    q  quit"


def play(
    env_id: str,
    model: Any = None,
    *,
    seed: int | None = None,
    speed: float = 1.0,
    max_seconds: float | None = None,
    folder: Path = Path(),
    task: Task[Any] | None = None,
    discriminator: Any = None,
    build: bool = False,
    inspect: bool = False,
) -> list[Array]:
    """Opens a window and plays until it is closed.

    Works that are grids of cells, or that are painted with tools, are made by mouse, all others action by action.

    Args:
        env_id: environment id; not needed with a model.
        model: the agent to watch; None to build by hand.
        seed: seed of starts and of the agent's actions; a fresh one where None.
        speed: speed of watching, relative to the music's own tempo, or to eight actions a second without sound.
        max_seconds: time after which the window closes.
        folder: folder of saved works.
        task: the task; by default that of the model, or that of ``env_id``.
        discriminator: scores finished works; by default the one that ships for the task.
        build: True to build by hand although there is a model, which then completes works.
        inspect: True to watch the agent's decisions beside its works; where no model is given, those of the one that
            ships for ``env_id``.

    Returns:
        The finished works; of painted ones those that were saved, filled in by the agent or set in every cell.

    Raises:
        RunError: there is no display.
        ValueError: ``speed`` is not positive.
    """
    if not speed > 0:
        raise ValueError(f"speed must be positive, not {speed}")
    task = task or getattr(model, "task", None) or make_task(env_id)
    name = env_id.rpartition("/")[2] or type(task).__name__
    by_hand = not inspect and (model is None or build)
    stage = Stage(f"musegym - {name}", max_seconds, typing=by_hand and type(task).typed is not Task.typed)
    try:
        rng = np.random.default_rng(seed)
        saver, scorer = Saver(task, folder, name), Scorer(task, discriminator)
        agent = Agent(task, env_id, model, rng)
        if inspect:
            return _inspect(stage, agent, speed, saver, scorer)
        painting: Workbench | None = None
        if paintable(task) or task.tools:
            painting = (Easel if task.tools else Painting)(task, rng, saver, scorer, agent)
        if not by_hand:
            return _watch(stage, task, agent, speed, saver, scorer, painting)
        if painting is not None:
            return paint(stage, painting)
        return _build(stage, task, rng, saver, scorer, agent)
    finally:
        stage.close()


def save_inspection(env_id: str, model: Any, path: Path, *, seed: int | None = None, discriminator: Any = None) -> Path:
    """Writes the decisions of one of an agent's works as an animation, a GIF, without a window; returns its path.

    Args:
        env_id: environment id.
        model: the agent.
        path: of the file.
        seed: of the agent's actions; a fresh one where None.
        discriminator: gives its opinion; by default the one that ships for the task.

    Raises:
        OSError: the file cannot be written.
    """
    rng = np.random.default_rng(seed)
    agent = Agent(model.task, env_id, model, rng)
    inspection = agent.inspect(agent.work(), Scorer(model.task, discriminator).discriminator)
    return Inspector(inspection).save(path)[0]


def _build(
    stage: Stage, task: Task[Any], rng: np.random.Generator, saver: Saver, scorer: Scorer, agent: Agent
) -> list[Array]:
    work, finished, message, changed = Builder(task, rng), list[Array](), "", True
    points = type(task).action_at is not Task.action_at

    def show(news: str) -> None:
        done, count = work.done, f"choice {work.count + 1} of at most {task.horizon}"
        line = joined("finished", scorer(work.work)) if done else count
        chips = [] if done else [work.caption(index) for index in work.shown]
        if work.types:
            help_ = HELP_TYPED if done else HELP_TYPE
        else:
            help_ = HELP_DONE if done else HELP_POINT if points else HELP_BUILD
        stage.show(work.picture, Panel((joined(line, news), help_), chips, (), work.chosen - work.shown.start))

    while stage.open:
        if changed:
            show(message)
        changed = False
        for event in stage.events():
            was_done, count, marked = work.done, work.count, work.marked
            key = _as_key(event, work)
            if event.name != "hover":
                message = ""
            if key == "s":
                message, changed = saver.save(work.work), True
            elif key == "g" and not work.done:
                show(PATIENCE)
                message, changed = _complete(work, agent), True
            elif key == "r" and work.done:
                _sound(stage, task, work.work)
            elif event.sign:
                changed |= work.type(event.sign)
            else:
                changed |= work.press(key) or work.marked != marked
            if work.done and not was_done:
                finished.append(work.work.content)
                _sound(stage, task, work.work)
            elif work.count > count:
                _sound(stage, task, work.work, since=count)
            elif work.count == count and work.marked != marked and event.is_key:
                _sound(stage, task, work.preview, since=work.count)
    return finished


def _as_key(event: Event, work: Builder) -> str:
    """Returns the key that an event stands for, "" for none; marks the choice under the pointer."""
    if event.is_key and work.types:  # letters are typed
        return {"tab": "return"}.get(event.name, event.name.removeprefix("ctrl "))
    if event.is_key:
        return event.name
    if event.name in {"wheel up", "wheel down"}:
        return event.name.removeprefix("wheel ")
    if event.choice is not None:
        return str(event.choice + 1) if event.name == "press" else ""
    shift = event.shift or event.name == "pick"
    aimed = event.spot is not None and event.name in {"hover", "press", "pick"} and work.aim(event.spot, shift)
    return "return" if aimed and event.name != "hover" else ""


def _complete(work: Builder, agent: Agent) -> str:
    """Lets the agent take the actions that are left; returns what prevents it, or nothing."""
    begun = work.work
    assert begun.actions is not None
    try:
        whole = agent.work(begun.actions, begun.condition)
    except (UsageError, ValueError) as error:
        return str(error)
    assert whole.actions is not None
    work.take(whole.actions[work.count :])
    return ""


def _watch(
    stage: Stage,
    task: Task[Any],
    agent: Agent,
    speed: float,
    saver: Saver,
    scorer: Scorer,
    painting: Workbench | None,
) -> list[Array]:
    finished = list[Array]()
    help_ = HELP_WATCH if painting is None else HELP_EDIT
    while stage.open:
        work, message, key = agent.work(), "", ""
        due = time.monotonic()
        for (step, seconds), picture in zip(_steps(stage, task, work), _pictures(task, work), strict=True):
            due += seconds / speed  # an absolute time: drawing must not slow down the tempo
            stage.show(picture, Panel((f"choice {step}", help_)))
            key = next(iter(stage.wait(due - time.monotonic())), key)
            if key in {"n", "s", "r", "e"} or not stage.open:
                break
        else:
            finished.append(work.content)
        played, line = False, joined("finished", scorer(work))
        while stage.open and key != "n":
            if key == "e" and painting is not None:
                painting.open(work)
                finished += paint(stage, painting)
                break
            if key == "s":
                message = saver.save(work)
            panel = Panel((joined(line, message), help_))
            stage.show(task.medium.render(work.content, work.condition), panel)
            if key == "r" or not played:
                played = True
                seconds = _sound(stage, task, work)
            key = next(iter(_linger(stage, task, work, panel, seconds + PAUSE / speed)), "n")  # no key: the next work
    return finished


def _inspect(stage: Stage, agent: Agent, speed: float, saver: Saver, scorer: Scorer) -> list[Array]:
    """Shows the decisions of one work after the other; they stop and go, forwards and back."""
    finished = list[Array]()
    while stage.open:
        work = agent.work()
        shown, message, step, going = Inspector(agent.inspect(work, scorer.discriminator)), "", 0, True
        last = len(shown) - 1
        each = min(max(INSPECTED / last, 1 / 8), 1.0) / speed
        while stage.open:
            stage.show(shown.picture(step), Panel((joined("going" if going else "stopped", message), HELP_INSPECT)))
            keys = stage.wait(PAUSE / speed if step == last else each) if going else stage.wait(math.inf)
            key = next(iter(keys), "")
            if key == "n" or (not key and step == last):
                break
            message = ""
            if key == "s":
                message, going = saver.save(work), False
            elif key == "a":
                stage.show(shown.picture(step), Panel((PATIENCE, HELP_INSPECT)))
                message, going = saver.write(shown.save), False
            elif key == "space":
                going = not going
            elif key in {"left", "right"}:
                step, going = min(max(step + (1 if key == "right" else -1), 0), last), False
            elif key == "r":
                step, going = 0, True
            elif not key:
                step += 1
        finished.append(work.content)
    return finished


def _linger(stage: Stage, task: Task[Any], work: Work, panel: Panel, seconds: float) -> list[str]:
    """Waits as ``Stage.wait`` does, while a work that moves is played; returns the keys."""
    moments = task.medium.moments(work.content, work.condition)
    until = time.monotonic() + seconds
    for picture, each in itertools.cycle(moments):
        stage.show(picture, panel)
        keys = stage.wait(min(each, until - time.monotonic()))
        if keys or not stage.open or time.monotonic() >= until:
            return keys
    return stage.wait(seconds)


def _steps(stage: Stage, task: Task[Any], work: Work) -> Iterator[tuple[int, float]]:
    """Yields the number of every action of a work and the seconds to show it; plays the sound that it completes."""
    assert work.actions is not None
    for step in range(1, len(work.actions) + 1):
        seconds = 1 / 8
        sound = task.medium.sound(work.content, work.condition, step - 1, step)
        if sound is not None:
            seconds = max(sound.seconds - 0.06, 0.06)
            if sound.seconds:
                stage.sound(sound)
        yield step, seconds


def _sound(stage: Stage, task: Task[Any], work: Work, since: int = 0) -> float:
    """Plays the sound of the actions from ``since`` on, if the medium has sound; returns its seconds."""
    sound = task.medium.sound(work.content, work.condition, since)
    if sound is None:
        return 0.0
    stage.sound(sound, fresh=True)
    return float(sound.seconds)


def _pictures(task: Task[Any], work: Work) -> Iterator[NDArray[np.uint8]]:
    """Yields the picture of a work after each of the actions int [L] that built it."""
    assert work.actions is not None
    state = task.initial(np.zeros(1, np.uint64), work.condition[None] if task.conditions else None)
    for action in work.actions:
        state, _ = task.step(state, action[None])
        yield task.render(state)[0]
