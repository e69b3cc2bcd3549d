"""Errors that the command line reports as one line on stderr and an exit code."""

from __future__ import annotations

import errno


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
