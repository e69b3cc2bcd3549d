"""What makes torch fast on a processor: settings of this process, for commands and benchmarks to choose."""

from __future__ import annotations

import ctypes
import os

import torch

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Of ``mallopt`` in the GNU C library's malloc.h."""
_KEPT = 1 << 30
"""Bytes: of larger blocks alone, or of more free memory than this, something is given back."""


def settle() -> None:
    """Chooses one thread, and memory that is kept for reuse.

    A second thread makes networks as small as these slower. The C library gives large blocks back to the system when
    they are freed, and each of their pages has to be fetched again: a twentieth of the time of an update, and more for
    long works.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT)
