"""The replay: a buffer of past episodes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .episodes import Episodes


class EpisodeBuffer:
    """A ring buffer of the newest episodes.

    The stored rewards are of past states of D, and are used only where ``relabel`` is False.

    Args:
        capacity: in episodes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._episodes: Episodes | None = None
        self._next = 0

    def __len__(self) -> int:
        return 0 if self._episodes is None else len(self._episodes)

    def add(self, episodes: Episodes) -> None:
        """Adds episodes in place of the oldest ones."""
        if self._episodes is None:
            self._episodes = episodes.take(slice(0, 0))
        room = self.capacity - len(self._episodes)
        if room > 0:
            self._episodes = Episodes.join([self._episodes, episodes.take(slice(0, room))])
            episodes = episodes.take(slice(room, None))
        rows = (self._next + np.arange(len(episodes))) % self.capacity
        for field in dataclasses.fields(Episodes):
            getattr(self._episodes, field.name)[rows] = getattr(episodes, field.name)
        self._next = (self._next + len(episodes)) % self.capacity

    def sample(self, num: int, rng: np.random.Generator) -> Episodes:
        """Returns random episodes, drawn uniformly with replacement."""
        if self._episodes is None:
            raise ValueError("the buffer is empty: add episodes before sampling")
        return self._episodes.take(rng.integers(len(self._episodes), size=num))

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that later samples depend on."""
        episodes = {} if self._episodes is None else self._episodes.state_dict()
        return {"episodes": episodes, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``."""
        self._episodes = Episodes.from_state_dict(state["episodes"]) if state["episodes"] else None
        self._next = int(state["next"])
