"""Settings that make torch fast on a CPU."""

from __future__ import annotations

import ctypes
import os

import torch

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Parameters of ``mallopt``, from malloc.h of the GNU C library."""
_KEPT = 1 << 30
"""Bytes: larger blocks, and free memory beyond this size, are returned to the system."""


def configure_torch() -> None:
    """Lets this process use one thread, and keep freed memory for reuse.

    A second thread slows down networks as small as these. The C library returns large freed blocks to the system, and
    fetching each of their pages again takes a twentieth of an update's time, more for long works.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT)
