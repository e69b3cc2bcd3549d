"""How the program ``musegym`` takes Ctrl-C and SIGTERM: one line and an exit code at any moment, never a traceback.

The package takes them before it loads anything else. Only the program itself changes what signals do; whoever imports
musegym keeps their own handlers.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

received: int | None = None
"""The signal that is ending the program."""


def take() -> None:
    """Lets this process, the program, end of a signal in one line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and background jobs of a shell ignore Ctrl-C
            signal.signal(number, _end)


def finish() -> None:
    """Takes no more notice of Ctrl-C: all is done, and the interpreter, as it ends, would print a traceback."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _end_now)


def is_program() -> bool:
    """Returns whether this process runs ``musegym`` or ``python -m musegym``."""
    if sys.argv[:1] == ["-m"]:  # while the packages of a module are imported
        asked = sys.orig_argv[1:]
        return ("-m" in asked and asked[asked.index("-m") + 1] == "musegym") or "-mmusegym" in asked
    return bool(sys.argv) and os.path.splitext(os.path.basename(sys.argv[0]))[0] == "musegym"  # noqa: PTH119, PTH122


def _end(number: int, frame: FrameType | None) -> None:
    global received
    again, received = received is not None, number
    # Modules that are interrupted while they load turn it into errors of their own, or swallow it.
    if again or _loading(frame):
        _end_now(number, frame)
    raise KeyboardInterrupt


def _end_now(number: int, frame: FrameType | None) -> None:
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
