"""The command line, ``musegym``; importing this package loads none of its commands."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits.

    Args:
        arguments: those of the command line where None.
    """
    from .commands import main

    main(arguments)
