"""Sessions in the play window: watching an agent build, or building by hand; with sound where a medium has it."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..envs.registry import make_task
from ..envs.task import Array, Ints, Task
from .stage import CHIPS, FRAME_SECONDS, Stage

PAUSE = 3.0  # seconds between a finished work and the agent's next one
HELP_BUILD = "arrows, 1-9  choose    enter  take    space  take any    backspace  undo    s  save    n  new    q  quit"
HELP_DONE = "r  once more    s  save    n  new    q  quit"


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
        env_id: environment id; not needed with a model.
        model: the agent to watch; None to build by hand.
        seed: seed of starts and of the agent's actions; a fresh one where None.
        speed: speed of watching, relative to the music's own tempo, or to eight actions a second without sound.
        max_seconds: time after which the window closes.
        folder: folder of saved works.
        task: the task; by default that of the model, or that of ``env_id``.
        discriminator: scores finished works; by default the one that ships for the task.

    Returns:
        The finished works.

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
        scorer = Scorer(task, discriminator)
        if model is None:
            return _build(stage, task, rng, saver, scorer)
        return _watch(stage, task, model, rng, speed, saver, scorer)
    finally:
        stage.close()


class Work(NamedTuple):
    """A work, finished or not, its condition int [C], and the actions int [L] that built it."""

    content: Array
    condition: Ints
    actions: Ints


class Saver:
    """Saves works under the first free names in a folder."""

    def __init__(self, task: Task[Any], folder: Path, name: str) -> None:
        self._task, self._folder, self._name = task, folder, name

    def save(self, work: Work) -> str:
        """Exports a work; returns a line with the names of its files."""
        number = 1
        while list(self._folder.glob(f"{self._name}-{number}.*")):
            number += 1
        try:
            path = self._folder / f"{self._name}-{number}"
            paths = self._task.export(work.content, path, work.condition, work.actions)
        except OSError as error:
            return f"not saved: {error.strerror}"
        return "saved " + ", ".join(path.name for path in paths)


class Scorer:
    """Describes the score of finished works by a discriminator.

    Args:
        task: the task of the works.
        discriminator: by default the one that ships for the task; without one there are no scores.
    """

    def __init__(self, task: Task[Any], discriminator: Any = None) -> None:
        self._task, self._given = task, discriminator

    def __call__(self, work: Work) -> str:
        """Returns a phrase with the logit (high for real) to follow "finished"; empty without a discriminator."""
        if self._discriminator is None:
            return ""
        logit = float(self._discriminator.logits(work.content[None], work.condition[None])[0])
        return f"   ·   D takes it for {'real' if logit > 0 else 'made'} ({logit:+.1f})"

    @functools.cached_property
    def _discriminator(self) -> Any:
        if self._given is not None:
            return self._given
        from ..discriminators import pretrained

        try:
            return pretrained(self._task)
        except ValueError:  # no discriminator ships for the task
            return None


class Builder:
    """A work built by hand: its state, the legal actions, the marked one, and the past states for undoing.

    Args:
        task: the task.
        rng: draws the start and random actions.
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
        self._update()

    @property
    def count(self) -> int:
        """Number of actions taken."""
        return len(self._past)

    @property
    def work(self) -> Work:
        """The work so far."""
        actions = np.array([action for _, action in self._past], np.int64)
        return Work(self._contents(self._state)[0], self.task.condition(self._state)[0], actions)

    @property
    def preview(self) -> Work:
        """The work after the marked action."""
        return self.work if self.done else self.work._replace(content=self._previews[self.chosen])

    def _contents(self, state: Any) -> Array:
        return self.task.decoded(self.task.content(state), np.random.default_rng(0))

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3] of the work after the marked action."""
        if self.done:
            return self.task.medium.render(self.work.content, self.work.condition)
        return self.task.render(self._after.take(np.array([self.chosen])))[0]

    def caption(self, index: int) -> str:
        """Returns the name of a legal action by its index in ``legal``."""
        caption = self.task.medium.caption(self._previews[index], self.work.condition)
        return caption or self.task.action_name(int(self.legal[index]))

    def press(self, key: str) -> bool:
        """Applies a key; returns whether the work or the marked action changed."""
        before = (self.count, self.chosen)
        if key == "n":
            self.new()
            return True
        if key == "backspace" and self._past:
            self._state, self.done = self._past.pop()[0], False
            self._update()
        elif self.done:
            return False
        elif key in {"up", "right", "down", "left", "page up", "page down"}:
            step = {"up": 1, "right": 1, "down": -1, "left": -1, "page up": 5, "page down": -5}[key]
            self.chosen = min(max(self.chosen + step, 0), len(self.legal) - 1)
        elif key.isdigit() and 0 < int(key) <= len(self.shown):
            self.chosen = self.shown[int(key) - 1]
        elif key in {"return", "space"}:
            self._step(int(self._rng.integers(len(self.legal))) if key == "space" else self.chosen)
        return before != (self.count, self.chosen)

    @property
    def shown(self) -> range:
        """Indices of the legal actions around the marked one, at most one for each chip."""
        first = min(max(self.chosen - CHIPS // 2, 0), max(len(self.legal) - CHIPS, 0))
        return range(first, min(first + CHIPS, len(self.legal)))

    def _step(self, index: int) -> None:
        action = int(self.legal[index])
        self._past.append((self._state.take(np.zeros(1, np.int64)), action))
        self._state, done = self.task.step(self._state, np.array([action]))
        self.done = bool(done[0])
        self._update()

    def _update(self) -> None:
        """Computes the legal actions and the state after each; marks the last action taken that is legal again."""
        self.legal = np.flatnonzero(self.task.action_mask(self._state)[0])
        copies = self._state.take(np.zeros(len(self.legal), np.int64))
        self._after = self.task.step(copies, self.legal)[0]
        self._previews = self._contents(self._after)
        again = (
            int(np.flatnonzero(self.legal == action)[0]) for _, action in reversed(self._past) if action in self.legal
        )
        self.chosen = next(again, len(self.legal) // 2)


def _build(stage: Stage, task: Task[Any], rng: np.random.Generator, saver: Saver, scorer: Scorer) -> list[Array]:
    work, finished, message, changed = Builder(task, rng), list[Array](), "", True
    while stage.open:
        if changed:
            done = work.done
            line = f"finished{scorer(work.work)}" if done else f"choice {work.count + 1} of at most {task.horizon}"
            lines = _line(line, message), HELP_DONE if done else HELP_BUILD
            chips = [] if done else [work.caption(index) for index in work.shown]
            stage.show(work.picture, lines, chips, work.chosen - work.shown.start)
        changed = False
        for key in stage.wait(FRAME_SECONDS):
            was_done, count, message = work.done, work.count, ""
            if key == "s":
                message, changed = saver.save(work.work), True
            elif key == "r" and work.done:
                _sound(stage, task, work.work)
            elif work.press(key):
                changed = True
                if work.done and not was_done:
                    finished.append(work.work.content)
                    _sound(stage, task, work.work)
                elif work.count > count:
                    _sound(stage, task, work.work, since=count)
                elif work.count == count:
                    _sound(stage, task, work.preview, since=work.count)
    return finished


def _watch(
    stage: Stage, task: Task[Any], model: Any, rng: np.random.Generator, speed: float, saver: Saver, scorer: Scorer
) -> list[Array]:
    finished = list[Array]()
    while stage.open:
        work, message, key = _generate(task, model, rng), "", ""
        due = time.monotonic()
        for (step, seconds), picture in zip(_steps(stage, task, work), _pictures(task, work), strict=True):
            due += seconds / speed  # an absolute time: drawing must not slow down the tempo
            stage.show(picture, (f"choice {step}", HELP_DONE), [])
            key = next(iter(stage.wait(due - time.monotonic())), key)
            if key in {"n", "s", "r"} or not stage.open:
                break
        else:
            finished.append(work.content)
        played, line = False, f"finished{scorer(work)}"
        while stage.open and key != "n":
            if key == "s":
                message = saver.save(work)
            stage.show(task.medium.render(work.content, work.condition), (_line(line, message), HELP_DONE), [])
            if key == "r" or not played:
                played = True
                seconds = _sound(stage, task, work)
            key = next(iter(stage.wait(seconds + PAUSE / speed)), "n")  # no key: the next work
    return finished


def _line(*parts: str) -> str:
    return "   ·   ".join(filter(None, parts))


def _steps(stage: Stage, task: Task[Any], work: Work) -> Iterator[tuple[int, float]]:
    """Yields the number of every action of a work and the seconds to show it; plays the sound that it completes."""
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
    state = task.initial(np.zeros(1, np.uint64), work.condition[None] if task.conditions else None)
    for action in work.actions:
        state, _ = task.step(state, action[None])
        yield task.render(state)[0]


def _generate(task: Task[Any], model: Any, rng: np.random.Generator) -> Work:
    """Returns a work of the agent."""
    from ..agents import generate_episodes

    works = generate_episodes(model, 1, seed=int(rng.integers(2**31)))
    contents = task.decoded(works.contents, rng)
    return Work(contents[0], works.conditions[0], works.decisions()[0].astype(np.int64))
