"""One training run from the command line: budget, progress, samples, checkpoints, interruptions."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.utils import get_device

from ..agents import AdversarialDQN, DiscriminatorCallback, generate_episodes
from ..agents.precision import choose
from ..errors import RunError, UsageError, because
from . import processor
from .folder import AGENT, Run, Settings
from .parameters import build, device_of
from .reporting import Announcer, Lines, Watch
from .works import export_all

SAMPLES = 4
"""Contents exported at a time while training."""
SHOWN = {
    "validation/nll": "held-out NLL",
    "train/dqn_loss": "DQN loss",
    "train/gan_loss": "GAN loss",
    "discriminator/accuracy": "D accuracy",
}
"""Metrics that the progress line shows, and what it calls them."""
PLAIN_REPORT_EVERY = 10.0
"""Seconds between lines where there is no terminal to draw a bar on."""


class Interrupts:
    """Notes Ctrl-C and SIGTERM instead of dying of them, so that training stops where it can be continued.

    A second signal does what it always does.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


class Stop(Exception):  # noqa: N818  (it is no error)
    """Leaves ``learn`` between two updates, where the state is whole."""


class Keeper(BaseCallback):
    """Watches over a run between updates: progress, samples, checkpoints, and when to stop.

    Args:
        run: where things go.
        settings: the budget.
        watch: the run's clock.
        lines: the latest metrics.
        interrupts: whether somebody wants the run to stop.
        progress: the bar.
        checkpoint_every: seconds between checkpoints.
        report_every: seconds between reports.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        watch: Watch,
        lines: Lines,
        interrupts: Interrupts,
        progress: Progress,
        checkpoint_every: float,
        report_every: float,
    ) -> None:
        super().__init__()
        self._run, self._settings, self._watch, self._lines = run, settings, watch, lines
        self._interrupts, self._progress = interrupts, progress
        self._checkpoint_every, self._report_every = checkpoint_every, report_every
        self._bar = progress.add_task("training", total=1.0, figures="")
        self._last_checkpoint = self._last_report = self._last_line = watch.seconds()
        # Samples at doubling times show early progress and do not fill the disk of a long run.
        self._next_sample = max(4.0, 2 * watch.seconds())

    def _on_rollout_start(self) -> None:
        self._show()
        seconds = self._watch.seconds()
        over = self._settings.seconds is not None and seconds >= self._settings.seconds
        if over or self._interrupts.received is not None:
            raise Stop
        if seconds - self._last_report >= self._report_every:
            self.report()
        if seconds - self._last_checkpoint >= self._checkpoint_every:
            self.save()
        if seconds >= self._next_sample:
            self._next_sample = 2 * seconds
            self.sample()

    def _on_step(self) -> bool:
        self._show()
        return True

    def report(self) -> None:
        """Writes a line of metrics."""
        model = self.model
        assert isinstance(model, AdversarialDQN)
        model.dump_logs()
        self._last_report = self._watch.seconds()

    def save(self) -> None:
        """Writes a checkpoint and the policy as it stands."""
        model = self.model
        assert isinstance(model, AdversarialDQN)
        self._run.save_checkpoint(lambda folder: model.save(folder / AGENT), self._watch.seconds())
        self._run.save_model(lambda path: model.save(path, training=False))
        self._last_checkpoint = self._watch.seconds()

    def sample(self) -> None:
        """Exports a few contents."""
        model = self.model
        assert isinstance(model, AdversarialDQN)
        works = generate_episodes(model, SAMPLES)
        stem = f"{self._watch.seconds():06.0f}s"
        export_all(model.task, works.contents, self._run.samples, stem, works.decisions())

    def done(self) -> float:
        """Returns the part of the budget that is spent, 0 to 1."""
        if self._settings.seconds is not None:
            return min(1.0, self._watch.seconds() / self._settings.seconds)
        assert self._settings.steps is not None
        return min(1.0, self.model.num_timesteps / self._settings.steps)

    def _show(self) -> None:
        known = self._lines.latest
        figures = "  ".join(
            [
                f"{self.model.num_timesteps:,} steps",
                *(f"{name} {known[key]:.4g}" for key, name in SHOWN.items() if key in known),
            ]
        )
        self._progress.update(self._bar, completed=self.done(), figures=figures)
        now = self._watch.seconds()
        if not self._progress.console.is_terminal and now - self._last_line >= PLAIN_REPORT_EVERY:
            self._last_line = now
            self._progress.console.print(f"{now:.0f} s  {figures}", soft_wrap=True)


def train(
    run: Run, settings: Settings, *, resume: bool, checkpoint_every: float, report_every: float, console: Console
) -> int | None:
    """Trains until the budget is spent or somebody interrupts.

    Args:
        run: the run's folder; made unless it is resumed.
        settings: what to do.
        resume: go on from the latest checkpoint, if there is one.
        checkpoint_every: seconds between checkpoints.
        report_every: seconds between reports.
        console: where progress goes.

    Returns:
        None when the budget is spent, the signal's number when interrupted.

    Raises:
        RunError: losses became nan or infinite, or the disk is full.
        UsageError: hyperparameters are impossible, a checkpoint or folder is, or another process trains there.
    """
    processor.settle()
    with Interrupts() as interrupts, contextlib.ExitStack() as lock:
        checkpoint, spent = None, 0.0
        if resume:
            lock.enter_context(run.locked())
            checkpoint = run.latest()
            spent = run.rewind(checkpoint, settings)
        model, discriminator = build(settings) if checkpoint is None else _restore(checkpoint, settings.params, console)
        if resume:
            run.amend(settings)
        else:  # only now: impossible hyperparameters leave no folder behind
            lock.enter_context(run.locked())
            run.create(settings)
        try:
            _learn(run, settings, model, discriminator, spent, interrupts, checkpoint_every, report_every, console)
        except FloatingPointError as error:
            raise RunError(f"training failed: {error}; see --param, and start again with another --out") from None
        except OSError as error:
            where = error.filename or run.folder
            kept = "the last checkpoint is whole; " if run.latest() else ""
            raise RunError(
                f"cannot write {where}: {because(error)}; {kept}go on with: {run.command(settings.id)}"
            ) from (None)
    return interrupts.received


def _learn(
    run: Run,
    settings: Settings,
    model: AdversarialDQN,
    discriminator: DiscriminatorCallback,
    spent: float,
    interrupts: Interrupts,
    checkpoint_every: float,
    report_every: float,
    console: Console,
) -> None:
    """Trains an agent from where it stands until the budget is spent or somebody interrupts."""
    if _over(settings, model, spent):
        model.keep_best()  # who interrupted its last round kept it from doing so
        run.save_model(lambda path: model.save(path, training=False))
        return
    console.print(model.task.corpus_report().summary(), highlight=False, soft_wrap=True)
    watch = Watch(spent)
    lines = Lines(run, watch)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_one_voice())
        logger = Logger(str(run.folder), [TensorBoardOutputFormat(str(run.tensorboard)), lines])
        model.set_logger(stack.enter_context(contextlib.closing(logger)))
        progress = stack.enter_context(_bar(console))
        stack.enter_context(Announcer(watch, progress.console))
        keeper = Keeper(run, settings, watch, lines, interrupts, progress, checkpoint_every, report_every)
        model.budget = None if settings.seconds is None else keeper.done
        steps = sys.maxsize if settings.steps is None else settings.steps
        with contextlib.suppress(Stop):
            model.learn(
                steps - model.num_timesteps,
                callback=[discriminator, keeper],
                log_interval=sys.maxsize,  # the keeper reports, by the clock
                reset_num_timesteps=False,
            )
        if interrupts.received is None:
            model.keep_best()
        keeper.report()
        keeper.save()
        keeper.sample()


@contextlib.contextmanager
def _one_voice() -> Iterator[None]:
    """Keeps TensorBoard's thread from printing what a full disk did to it: the next to write raises the same error."""
    before = threading.excepthook

    def told(what: threading.ExceptHookArgs) -> None:
        if not issubclass(what.exc_type, OSError):
            before(what)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


def _over(settings: Settings, model: AdversarialDQN, spent: float) -> bool:
    """Whether the budget is spent."""
    if settings.steps is not None:
        return bool(model.num_timesteps >= settings.steps)
    return settings.seconds is not None and spent >= settings.seconds


def _restore(
    checkpoint: Path, params: dict[str, Any], console: Console
) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Reads an agent with everything that learning on depends on.

    A run in 16 bits goes on in 32 where the machine cannot learn in them, and says so.
    """
    device, precision = device_of(params), params.get("precision", "auto")
    try:
        choose(precision, get_device(device))
    except ValueError:
        console.print(
            f"precision={precision} does not work on this machine: the run goes on in float32", soft_wrap=True
        )
        precision = "float32"
    try:
        return AdversarialDQN.load(
            checkpoint / AGENT, device=device, precision=precision
        ), DiscriminatorCallback()  # the agent brings its trainer
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot resume: {error}") from None


def _bar(console: Console) -> Progress:
    """Returns a progress bar, or none to be seen where there is no terminal."""
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
