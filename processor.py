"""What makes torch fast on a processor: settings of this process, for commands and benchmarks to choose."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

import torch
from torch import Tensor

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Of ``mallopt`` in the GNU C library's malloc.h."""
_KEPT = 1 << 30
"""Bytes: of larger blocks alone, or of more free memory than this, something is given back."""


def settle() -> None:
    """Chooses one thread, oneDNN's products of matrices, and memory that is kept for reuse.

    A second thread makes networks as small as these slower. Torch takes MKL's products of float32 matrices by default,
    which need twice as long as oneDNN's on AMD's processors; "medium" lets it take those, and lets LSTMs learn with
    products of 16 bits. It also lets all others round to 16 bits, which they do on some processors: there all stays as
    it was. The C library gives large blocks back to the system when they are freed, and each of their pages has to be
    fetched again: a twentieth of the time of an update, and more for long works.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    torch.set_float32_matmul_precision("medium")
    if not exact():
        torch.set_float32_matmul_precision("highest")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def exact(product: Callable[[Tensor, Tensor], Tensor] = torch.matmul) -> bool:
    """Whether a product of matrices of float32 on the CPU has that precision, and not that of 16 bits."""
    a = torch.linspace(-1, 1, 256 * 128).view(256, 128).sin()
    return bool((product(a, a.t()) - a.double() @ a.t().double()).abs().max() < 1e-2)
