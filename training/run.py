"""One training run from the command line: budget, progress, samples, checkpoints, interruptions."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.utils import get_device

from ..agents import AdversarialDQN, DiscriminatorCallback, generate_episodes
from ..agents.precision import choose
from ..errors import RunError, UsageError, reason
from . import processor
from .folder import AGENT, Run, Settings
from .parameters import build, device_of
from .reporting import PLAIN_SECONDS, ConsoleLog, MetricsWriter, Stopwatch
from .works import export_all

SAMPLES = 4
"""Works exported at a time while training."""
LABELS = {
    "validation/nll": "held-out NLL",
    "train/dqn_loss": "DQN loss",
    "train/gan_loss": "GAN loss",
    "discriminator/accuracy": "D accuracy",
}
"""Labels of the metrics in the progress line."""


class Interrupts:
    """Records the first Ctrl-C or SIGTERM, so that training stops where it can be resumed.

    A second signal has its usual effect.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._record) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _record(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        self.__exit__()


class Stop(Exception):  # noqa: N818  (it is no error)
    """Ends ``learn`` between two updates, where the state is complete."""


class RunCallback(BaseCallback):
    """Shows progress, exports samples, saves checkpoints and ends training between updates.

    Args:
        agent: the agent that trains.
        run: the run's folder.
        settings: settings with the budget.
        spent: training seconds of earlier parts of the run.
        interrupts: the signals received.
        console: where progress goes.
        checkpoint_every: seconds between checkpoints.
        report_every: seconds between reports.
    """

    def __init__(
        self,
        agent: AdversarialDQN,
        run: Run,
        settings: Settings,
        spent: float,
        interrupts: Interrupts,
        console: Console,
        checkpoint_every: float,
        report_every: float,
    ) -> None:
        super().__init__()
        self.stopwatch = Stopwatch(spent, settings.clock)
        self.metrics = MetricsWriter(run, self.stopwatch)
        columns = (
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._bar = self.progress.add_task("training", total=1.0, text="")
        self.agent, self.run, self.settings, self.interrupts = agent, run, settings, interrupts
        self._checkpoint_every, self._report_every = checkpoint_every, report_every
        self._last_checkpoint = self._last_report = self._last_line = spent
        # Samples at doubling times show early progress and do not fill the disk of a long run.
        self._next_sample = max(4.0, 2 * spent)

    def _on_rollout_start(self) -> None:
        self._show()
        if self.budget_spent() >= 1.0 or self.interrupts.received is not None:
            raise Stop
        seconds = self.stopwatch.seconds()
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
        self.agent.dump_logs()
        self._last_report = self.stopwatch.seconds()

    def save(self) -> None:
        """Writes a checkpoint and the current policy."""
        self.run.save_checkpoint(lambda folder: self.agent.save(folder / AGENT), self.stopwatch.seconds())
        self.save_model()
        self._last_checkpoint = self.stopwatch.seconds()

    def save_model(self) -> None:
        """Writes the current policy."""
        self.run.save_model(lambda path: self.agent.save(path, training=False))

    def sample(self) -> None:
        """Exports a few works."""
        works = generate_episodes(self.agent, SAMPLES)
        stem = f"{self.stopwatch.seconds():06.0f}s"
        contents = self.agent.task.decoded(works.contents, np.random.default_rng(0))
        export_all(self.agent.task, contents, self.run.samples, stem, works.conditions, works.decisions())

    def budget_spent(self) -> float:
        """Returns the share of the budget that is spent, 0 to 1."""
        if self.settings.seconds is not None:
            return min(1.0, self.stopwatch.seconds() / self.settings.seconds)
        assert self.settings.steps is not None
        return min(1.0, self.agent.num_timesteps / self.settings.steps)

    def _show(self) -> None:
        latest = self.metrics.latest
        figures = [f"{label} {latest[key]:.4g}" for key, label in LABELS.items() if key in latest]
        text = "  ".join([f"{self.agent.num_timesteps:,} steps", *figures])
        self.progress.update(self._bar, completed=self.budget_spent(), text=text)
        seconds = self.stopwatch.seconds()
        if not self.progress.console.is_terminal and seconds - self._last_line >= PLAIN_SECONDS:
            self._last_line = seconds
            self.progress.console.print(f"{seconds:.0f} s  {text}", soft_wrap=True)


def train(
    run: Run, settings: Settings, *, resume: bool, checkpoint_every: float, report_every: float, console: Console
) -> int | None:
    """Trains until the budget is spent or a signal arrives.

    Args:
        run: the run's folder; created unless the run is resumed.
        settings: settings of the run.
        resume: continues from the latest checkpoint, if there is one.
        checkpoint_every: seconds between checkpoints.
        report_every: seconds between reports.
        console: where progress goes.

    Returns:
        None when the budget is spent, the signal's number after an interruption.

    Raises:
        RunError: a loss is not finite, or the disk is full.
        UsageError: hyperparameters, checkpoint or folder are unusable, or another process trains in the folder.
    """
    processor.configure_torch()
    with Interrupts() as interrupts, contextlib.ExitStack() as lock:
        checkpoint, spent = None, 0.0
        if resume:
            lock.enter_context(run.locked())
            checkpoint = run.latest()
            spent = run.rewind(checkpoint, settings)
        model, discriminator = build(settings) if checkpoint is None else _restore(checkpoint, settings.params, console)
        if resume:
            run.write_settings(settings)
        else:  # only now: invalid hyperparameters leave no folder behind
            lock.enter_context(run.locked())
            run.create(settings)
        run_callback = RunCallback(model, run, settings, spent, interrupts, console, checkpoint_every, report_every)
        try:
            if run_callback.budget_spent() < 1.0:
                _learn(discriminator, run_callback)
            else:
                model.keep_best()  # an interruption in the last round prevented it
                run_callback.save_model()
        except FloatingPointError as error:
            raise RunError(f"training failed: {error}; see --param, and start again with another --out") from None
        except OSError as error:
            where = error.filename or run.folder
            kept = "the last checkpoint is whole; " if run.latest() else ""
            command = run.command(settings.id)
            raise RunError(f"cannot write {where}: {reason(error)}; {kept}go on with: {command}") from None
    return interrupts.received


def _learn(discriminator: DiscriminatorCallback, run_callback: RunCallback) -> None:
    """Trains an agent from its current state until the budget is spent or a signal arrives."""
    model, run, steps = run_callback.agent, run_callback.run, run_callback.settings.steps
    console = run_callback.progress.console
    console.print(model.task.corpus_report().summary(), highlight=False, soft_wrap=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_writer_thread())
        logger = Logger(str(run.folder), [TensorBoardOutputFormat(str(run.tensorboard)), run_callback.metrics])
        model.set_logger(stack.enter_context(contextlib.closing(logger)))
        stack.enter_context(run_callback.progress)
        stack.enter_context(ConsoleLog("musegym.controller", console, run_callback.stopwatch))
        model.set_budget(run_callback.budget_spent if steps is None else None)
        with contextlib.suppress(Stop):
            model.learn(
                (sys.maxsize if steps is None else steps) - model.num_timesteps,
                callback=[discriminator, run_callback],
                log_interval=sys.maxsize,  # the callback reports, by the clock
                reset_num_timesteps=False,
            )
        if run_callback.interrupts.received is None:
            model.keep_best()
        run_callback.report()
        run_callback.save()
        run_callback.sample()


@contextlib.contextmanager
def _quiet_writer_thread() -> Iterator[None]:
    """Keeps TensorBoard's thread from printing file errors; the next write raises the same error."""
    previous = threading.excepthook

    def hook(error: threading.ExceptHookArgs) -> None:
        if not issubclass(error.exc_type, OSError):
            previous(error)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = previous


def _restore(
    checkpoint: Path, params: dict[str, Any], console: Console
) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Reads an agent with its complete training state.

    A run in 16 bits continues in 32 where the machine cannot train in 16, and prints a line about it.
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
        model = AdversarialDQN.load(checkpoint / AGENT, device=device, precision=precision)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot resume: {error}") from None
    return model, DiscriminatorCallback()  # the agent brings its trainer
