"""Errors that the command line answers with one line on stderr and an exit code."""

from __future__ import annotations

import errno


class UsageError(Exception):
    """Something impossible was asked for; one line that says what to do. Exit code 2."""


class RunError(Exception):
    """A run failed; one line. Exit code 1."""


ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, then try again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "choose a place that you may use"),
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.ENOENT: "make it, or name one that there is",
    errno.EISDIR: "name a file",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "name a folder"),
}
"""What to do about what the system says of a file."""


def because(error: OSError) -> str:
    """Returns what the system says of a file, and what to do about it."""
    said = error.strerror or str(error)
    return f"{said}; {ADVICE[error.errno]}" if error.errno in ADVICE else said
