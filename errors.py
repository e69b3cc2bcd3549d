"""Errors that the command line reports as one line on stderr and an exit code."""

from __future__ import annotations

import errno

import typer

# Typer exports subclasses of Click's ClickException, but no name for it, and has moved it between releases.
_BadCommandLine: type[Exception] = typer.BadParameter.__mro__[2]


class UsageError(Exception):
    """The request cannot be carried out; the message is one line that says what to do. Exit code 2."""


class RunError(Exception):
    """A run failed; the message is one line. Exit code 1."""


ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, then try again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "choose a place that you may use"),
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.ENOENT: "make it, or name one that there is",
    errno.EISDIR: "name a file",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "name a folder"),
}
"""Advice by the number of a file error."""


def reason(error: OSError) -> str:
    """Returns the operating system's message for a file error, followed by advice where there is some."""
    message = error.strerror or str(error)
    return f"{message}; {ADVICE[error.errno]}" if error.errno in ADVICE else message


def message_and_code(error: Exception, program: str) -> tuple[str, int]:
    """Returns the message and exit code with which a program ends on an expected error; raises any other."""
    if isinstance(error, UsageError | RunError):
        return str(error), 2 if isinstance(error, UsageError) else 1
    if isinstance(error, _BadCommandLine):
        return f"{error.format_message()} ({program} --help)", 2  # type: ignore[attr-defined]
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {reason(error)}", 1
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); ask for fewer works or rows", 1
    raise error
