"""The play window: watch an agent build, or build by hand; with sound where there is sound."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..envs.media.audio import Sound
from ..envs.registry import make_task
from ..envs.task import Array, Ints, Task
from ..training.works import export
from .stage import CHIPS, FRAME_SECONDS, Stage

PAUSE = 3.0  # seconds that a finished work stays before the agent starts the next one
HELP_BUILD = "arrows, 1-9  choose    enter  take    space  take any    backspace  undo    s  save    n  new    q  quit"
HELP_DONE = "r  once more    s  save    n  new    q  quit"


@runtime_checkable
class Audible(Protocol):
    """A medium that can be heard."""

    def sound(self, content: Array, since: int = 0, upto: int | None = None) -> Sound:
        """Returns what the decisions ``since`` to ``upto`` completed."""


@runtime_checkable
class Captioned(Protocol):
    """A medium that can name the last decision."""

    def caption(self, content: Array) -> str:
        """Returns a word for the last decision that wrote a content."""


@runtime_checkable
class Naming(Protocol):
    """A task that can name its decisions."""

    def action_name(self, action: int) -> str:
        """Returns a word or two for a decision."""


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
) -> list[Array]:
    """Opens a window and plays until it is closed.

    Args:
        env_id: what to build; not needed with a model.
        model: the agent to watch; without one, a person builds.
        seed: of starts and of the agent's draws; fresh where None.
        speed: of watching, relative to the music's own tempo (to eight decisions a second where there is no sound).
        max_seconds: closes the window after so long.
        folder: where saved works go.
        task: the task, where it is not that of the model or the one that ``env_id`` gives by default.
        discriminator: says how real finished works look; the one that ships for the task where None.

    Returns:
        The works that were finished.

    Raises:
        RunError: there is no display.
        ValueError: ``speed`` is not positive.
    """
    if not speed > 0:
        raise ValueError(f"speed must be positive, not {speed}")
    task = task or getattr(model, "task", None) or make_task(env_id)
    name = env_id.rpartition("/")[2] or type(task).__name__
    stage = Stage(f"musegym - {name}", max_seconds)
    try:
        rng = np.random.default_rng(seed)
        saver = Saver(task, folder, name)
        judge = Judge(task, discriminator)
        if model is None:
            return _build(stage, task, rng, saver, judge)
        return _watch(stage, task, model, rng, speed, saver, judge)
    finally:
        stage.close()


class Saver:
    """Writes works to the first free names in a folder."""

    def __init__(self, task: Task[Any], folder: Path, name: str) -> None:
        self._task, self._folder, self._name = task, folder, name

    def save(self, content: Array, actions: Ints) -> str:
        """Exports a work that the actions int [L] built; returns a line that says where it is."""
        number = 1
        while list(self._folder.glob(f"{self._name}-{number}.*")):
            number += 1
        try:
            paths = export(self._task, content, self._folder / f"{self._name}-{number}", actions)
        except OSError as error:
            return f"not saved: {error.strerror}"
        return "saved " + ", ".join(path.name for path in paths)


class Judge:
    """Says how real a discriminator takes finished works of a task to be.

    Args:
        task: whose works.
        discriminator: the one that ships for the task where None; where none ships nothing is said.
    """

    def __init__(self, task: Task[Any], discriminator: Any = None) -> None:
        self._task, self._given = task, discriminator

    def __call__(self, content: Array) -> str:
        """Returns a phrase that follows "finished"."""
        if self._discriminator is None:
            return ""
        contents = content[None]
        logit = float(self._discriminator.logits(contents, self._task.condition(contents))[0])
        return f"   ·   D takes it for {'real' if logit > 0 else 'made'} ({logit:+.1f})"

    @functools.cached_property
    def _discriminator(self) -> Any:
        if self._given is not None:
            return self._given
        from ..discriminators import pretrained

        try:
            return pretrained(self._task)
        except ValueError:  # none ships
            return None


class Desk:
    """A work that a person builds: which choices are legal, which one is marked, what came before.

    Args:
        task: what is built.
        rng: draws the start and the choices made at random.
    """

    def __init__(self, task: Task[Any], rng: np.random.Generator) -> None:
        self.task, self._rng = task, rng
        self.done = False
        self.chosen = 0
        self.new()

    def new(self) -> None:
        """Starts a work."""
        self._state = self.task.initial(self._rng.integers(2**63, size=1, dtype=np.uint64))
        self._past = list[tuple[Any, int]]()
        self.done = False
        self._look()

    @property
    def count(self) -> int:
        """Decisions made."""
        return len(self._past)

    @property
    def actions(self) -> Ints:
        """The decisions made, int [count]."""
        return np.array([action for _, action in self._past], np.int64)

    @property
    def content(self) -> Array:
        """The work as it stands."""
        return np.asarray(self.task.content(self._state)[0])

    @property
    def preview(self) -> Array:
        """The work as it would stand after the marked choice."""
        return self.content if self.done else np.asarray(self._previews[self.chosen])

    @property
    def picture(self) -> NDArray[np.uint8]:
        """What the task shows of the work as it would stand after the marked choice."""
        state, row = (self._state, 0) if self.done else (self._after, self.chosen)
        return self.task.render(state.take(np.array([row])))[0]

    def caption(self, index: int) -> str:
        """Names a legal choice."""
        if isinstance(self.task, Naming):
            return self.task.action_name(int(self.legal[index]))
        if isinstance(self.task.medium, Captioned):
            return self.task.medium.caption(self._previews[index])
        return str(self.legal[index])

    def press(self, key: str) -> bool:
        """Does what a key stands for; returns whether the work or the marked choice changed."""
        before = (self.count, self.chosen)
        if key == "n":
            self.new()
            return True
        if key == "backspace" and self._past:
            self._state, self.done = self._past.pop()[0], False
            self._look()
        elif self.done:
            return False
        elif key in {"up", "right", "down", "left", "page up", "page down"}:
            step = {"up": 1, "right": 1, "down": -1, "left": -1, "page up": 5, "page down": -5}[key]
            self.chosen = min(max(self.chosen + step, 0), len(self.legal) - 1)
        elif key.isdigit() and 0 < int(key) <= len(self.shown):
            self.chosen = self.shown[int(key) - 1]
        elif key in {"return", "space"}:
            self._take(int(self._rng.integers(len(self.legal))) if key == "space" else self.chosen)
        return before != (self.count, self.chosen)

    @property
    def shown(self) -> range:
        """The legal choices around the marked one, as many as there are chips."""
        first = min(max(self.chosen - CHIPS // 2, 0), max(len(self.legal) - CHIPS, 0))
        return range(first, min(first + CHIPS, len(self.legal)))

    def _take(self, index: int) -> None:
        action = int(self.legal[index])
        self._past.append((self._state.take(np.zeros(1, np.int64)), action))
        self._state, done = self.task.step(self._state, np.array([action]))
        self.done = bool(done[0])
        self._look()

    def _look(self) -> None:
        """Finds the legal choices, what each would give, and marks the last one taken that is legal again."""
        self.legal = np.flatnonzero(self.task.action_mask(self._state)[0])
        copies = self._state.take(np.zeros(len(self.legal), np.int64))
        self._after = self.task.step(copies, self.legal)[0]
        self._previews = self.task.content(self._after)
        again = (
            int(np.flatnonzero(self.legal == action)[0]) for _, action in reversed(self._past) if action in self.legal
        )
        self.chosen = next(again, len(self.legal) // 2)


def _build(stage: Stage, task: Task[Any], rng: np.random.Generator, saver: Saver, judge: Judge) -> list[Array]:
    desk, finished, said, changed = Desk(task, rng), list[Array](), "", True
    while stage.open:
        if changed:
            head = (
                f"finished{judge(desk.content)}" if desk.done else f"choice {desk.count + 1} of at most {task.horizon}"
            )
            head += f"   ·   {said}" if said else ""
            chips = [] if desk.done else [desk.caption(index) for index in desk.shown]
            stage.show(
                desk.picture, (head, HELP_DONE if desk.done else HELP_BUILD), chips, desk.chosen - desk.shown.start
            )
        changed = False
        for key in stage.wait(FRAME_SECONDS):
            was_done, count, said = desk.done, desk.count, ""
            if key == "s":
                said, changed = saver.save(desk.content, desk.actions), True
            elif key == "r" and desk.done:
                _sound(stage, task, desk.content)
            elif desk.press(key):
                changed = True
                if desk.done and not was_done:
                    finished.append(desk.content)
                    _sound(stage, task, desk.content)
                elif desk.count > count:
                    _sound(stage, task, desk.content, since=count)
                elif desk.count == count:
                    _sound(stage, task, desk.preview, since=desk.count)
    return finished


def _watch(
    stage: Stage, task: Task[Any], model: Any, rng: np.random.Generator, speed: float, saver: Saver, judge: Judge
) -> list[Array]:
    finished = list[Array]()
    while stage.open:
        (content, actions), said, key = _imagine(model, rng), "", ""
        due = time.monotonic()
        pictures = _pictures(task, content, actions)
        for (step, seconds), picture in zip(_steps(stage, task, content, len(actions)), pictures, strict=True):
            due += seconds / speed  # drawing takes time too, and the tempo must not suffer
            stage.show(picture, (f"choice {step}", HELP_DONE), [])
            key = next(iter(stage.wait(due - time.monotonic())), key)
            if key in {"n", "s", "r"} or not stage.open:
                break
        else:
            finished.append(content)
        heard, ended = False, f"finished{judge(content)}"
        while stage.open and key != "n":
            if key == "s":
                said = saver.save(content, actions)
            stage.show(task.medium.render(content), (f"{ended}   ·   {said}" if said else ended, HELP_DONE), [])
            if key == "r" or not heard:
                heard = True
                lasting = _sound(stage, task, content)
            keys = stage.wait(lasting + PAUSE / speed)
            key = next(iter(keys), "n")  # nobody wanted anything: the next one
    return finished


def _steps(stage: Stage, task: Task[Any], content: Array, decisions: int) -> Iterator[tuple[int, float]]:
    """Yields every decision that builds a work and the seconds to show it, and sounds what it completes."""
    for step in range(1, decisions + 1):
        seconds = 1 / 8
        if isinstance(task.medium, Audible):
            sound = task.medium.sound(content, step - 1, step)
            seconds = max(sound.seconds - 0.06, 0.06)
            if sound.seconds:
                stage.sound(sound)
        yield step, seconds


def _sound(stage: Stage, task: Task[Any], content: Array, since: int = 0) -> float:
    """Sounds what decisions from ``since`` on wrote, if it can be heard; returns the seconds it takes."""
    if not isinstance(task.medium, Audible):
        return 0.0
    sound = task.medium.sound(content, since)
    stage.sound(sound, fresh=True)
    return sound.seconds


def _pictures(task: Task[Any], content: Array, actions: Ints) -> Iterator[NDArray[np.uint8]]:
    """Yields what a work looks like after each of the actions int [L] that built it."""
    if task.has_demonstrations:  # a content tells how it was built
        yield from (task.medium.render(content, step) for step in range(1, len(actions) + 1))
        return
    condition = None if task.condition_space is None else task.condition(content[None])
    state = task.initial(np.zeros(1, np.uint64), condition)
    for action in actions:
        state, _ = task.step(state, action[None])
        yield task.render(state)[0]


def _imagine(model: Any, rng: np.random.Generator) -> tuple[Array, Ints]:
    """Returns a work of the agent's and the actions int [L] that built it."""
    from ..agents import generate_episodes

    works = generate_episodes(model, 1, seed=int(rng.integers(2**31)))
    return works.contents[0], works.decisions()[0].astype(np.int64)
