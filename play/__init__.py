"""The play window: watch an agent build works, or build them by hand."""

from .session import play

__all__ = ["play"]
