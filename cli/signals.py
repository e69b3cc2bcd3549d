"""Handlers of Ctrl-C and SIGTERM that end the program ``musegym`` with one line and an exit code, never a traceback.

The package installs them before it loads anything else, and only in the program itself: a process that imports musegym
keeps its own handlers.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

received: int | None = None
"""The signal that is ending the program."""


def install() -> None:
    """Installs the handlers, except for signals that are ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and background jobs of a shell ignore Ctrl-C
            signal.signal(number, _interrupt)


def finish() -> None:
    """Ignores Ctrl-C from now on: the interpreter would print a traceback while it shuts down."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _exit)


def is_program() -> bool:
    """Returns whether this process runs ``musegym`` or ``python -m musegym``."""
    if sys.argv[:1] == ["-m"]:  # while the packages of a module are imported
        words = sys.orig_argv[1:]
        return ("-m" in words and words[words.index("-m") + 1] == "musegym") or "-mmusegym" in words
    return bool(sys.argv) and os.path.splitext(os.path.basename(sys.argv[0]))[0] == "musegym"  # noqa: PTH119, PTH122


def _interrupt(number: int, frame: FrameType | None) -> None:
    global received
    again, received = received is not None, number
    # Modules that are interrupted while they load turn it into errors of their own, or swallow it.
    if again or _loading(frame):
        _exit(number, frame)
    raise KeyboardInterrupt


def _exit(number: int, frame: FrameType | None) -> None:
    del frame
    os.write(2, b"musegym: interrupted\n")
    os._exit(128 + number)


def _loading(frame: FrameType | None) -> bool:
    """Returns whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
