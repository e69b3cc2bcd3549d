"""Observation spaces as other libraries can take them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np


class Sizes(np.ndarray[Any, np.dtype[np.int64]]):
    """Sizes int64 [K] that iterate as Python integers, in all else an array like any other.

    Stable-Baselines3 adds ``nvec`` up with ``sum`` and sizes layers by it; torch refuses numpy's integers there.
    """

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else np.asarray(array)


def for_libraries(space: gym.Space[Any]) -> gym.Space[Any]:
    """Returns an equal space, whose sizes add up to a Python integer where it is a flat MultiDiscrete."""
    if not isinstance(space, gym.spaces.MultiDiscrete) or space.nvec.ndim != 1:
        return space
    copied: gym.spaces.MultiDiscrete[Any] = gym.spaces.MultiDiscrete(space.nvec, space.dtype, start=space.start)
    copied.nvec = space.nvec.view(Sizes)
    return copied
