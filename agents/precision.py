"""Precision of learning: float32 throughout, or products of bfloat16 within the recurrent network.

Acting and evaluation use float32 on every machine. The precision of learning, like the device, belongs to the machine:
saved agents do not hold it.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn

PRECISIONS = ("auto", "float32", "bfloat16")


class Trial(NamedTuple):
    """Result of a trial of learning with products of bfloat16 on a device.

    Attributes:
        works: True where a recurrent network passes forward and backward.
        worthwhile: True where the processor multiplies bfloat16 itself, without conversion.
    """

    works: bool
    worthwhile: bool


def resolve(precision: str, device: str, trial: Trial) -> torch.dtype:
    """Returns the dtype of products within the recurrent network while it learns.

    Args:
        precision: a name in ``PRECISIONS``; "auto" is bfloat16 on a CPU where it works and is worthwhile, else float32.
        device: type of the device that learns, such as "cpu".
        trial: result of ``try_bfloat16`` for that device.

    Raises:
        ValueError: the name is unknown, or bfloat16 does not work on the device.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision}")
    if precision == "bfloat16" and not trial.works:
        raise ValueError(
            f"precision=bfloat16: recurrent networks cannot learn in it on this machine's {device}; "
            "give auto, which chooses it where it works, or float32"
        )
    if precision == "auto":
        precision = "bfloat16" if device == "cpu" and trial.works and trial.worthwhile else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def choose(precision: str, device: torch.device) -> torch.dtype:
    """Returns the dtype of ``resolve`` for a device of this machine, or raises its error."""
    return resolve(precision, device.type, try_bfloat16(device.type))


@functools.cache
def try_bfloat16(device: str) -> Trial:
    """Tries to learn with products of bfloat16 on a type of device; uses no random state.

    Flags of torch about the processor do not suffice: they ignore which instructions its libraries may use. Native
    instructions for bfloat16 flush subnormal numbers to zero (VDPBF16PS and TDPBF16PS in Intel's and AMD's manuals,
    BFMMLA in Arm's), and a conversion to float32 does not. Native products need 0.57 of the time of float32 for an
    LSTM of 128 units forward and backward, converted ones 2.5 times that of float32 (AMD EPYC with AVX512_BF16, and the
    same under ``ONEDNN_MAX_CPU_ISA=AVX512_CORE``). The result, unlike a measured time, is the same in each trial.
    """
    with torch.inference_mode(False), torch.enable_grad():
        rnn = nn.LSTM(32, 64, batch_first=True, device="meta").to_empty(device=device)
        for weight in rnn.parameters():
            nn.init.constant_(weight, 0.01)
        inputs, small = torch.ones(16, 8, 32, device=device), torch.full((64, 64), 1e-20, device=device)
        try:
            with bfloat16(device):
                outputs, _ = rnn(inputs)
                product: Tensor = small @ small  # 64 x 1e-40, below the least normal number, 1.2e-38
            torch.autograd.backward(outputs.float().sum())
        except RuntimeError:  # oneDNN has none for the instructions that it may use
            return Trial(works=False, worthwhile=False)
    learned = all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in rnn.parameters())
    return Trial(works=learned, worthwhile=learned and not product.any())


def bfloat16(device: str, enabled: bool = True) -> torch.autocast:
    """Returns a context with products of bfloat16 on a type of device, or, if disabled, of their operands' dtype.

    A context around it has no effect within, and no cached copy of a weight outlives an update.
    """
    return torch.autocast(device, torch.bfloat16, enabled=enabled, cache_enabled=False)
