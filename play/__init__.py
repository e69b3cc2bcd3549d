"""The play window: an agent at work, or a person who builds by hand."""

from .session import play

__all__ = ["play"]
