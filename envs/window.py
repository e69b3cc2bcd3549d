"""A window for ``render_mode="human"``; pygame is loaded when it first shows something."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def open_display() -> None:
    """Starts SDL's display.

    Raises:
        pygame.error: there is none.
    """
    import pygame

    pygame.display.init()
    # Without any display SDL draws into memory, which nobody would see; whoever names a driver wants it.
    if pygame.display.get_driver() == "offscreen" and not os.environ.get("SDL_VIDEODRIVER"):
        pygame.display.quit()
        raise pygame.error("nothing to show windows on")


class Window:
    """Shows frames on the screen, at most ``fps`` of them a second.

    Args:
        title: what stands above it.
        fps: frames per second.
    """

    def __init__(self, title: str, fps: int) -> None:
        self._title = title
        self._fps = fps
        self._clock: Any = None

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Shows a frame, uint8 [H, W, 3], and waits for its turn.

        Raises:
            RuntimeError: there is no display.
        """
        import pygame

        height, width = frame.shape[:2]
        try:
            if self._clock is None:
                open_display()
                pygame.display.set_caption(self._title)
                self._clock = pygame.time.Clock()
            screen = pygame.display.get_surface()
            if screen is None or screen.get_size() != (width, height):
                screen = pygame.display.set_mode((width, height))
        except pygame.error as error:
            self._clock = None
            raise RuntimeError(f"no display ({error}): use render_mode='rgb_array', or run under xvfb-run") from error
        screen.blit(pygame.image.frombuffer(np.ascontiguousarray(frame).tobytes(), (width, height), "RGB"), (0, 0))
        # Unread events make the desktop call the window unresponsive.
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Closes the window; a later frame opens it again."""
        if self._clock is not None:
            import pygame

            pygame.display.quit()
            self._clock = None


def tile(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lays frames [h, w, 3] of any sizes out in a near-square picture, row by row, on white."""
    height = max(frame.shape[0] for frame in frames)
    width = max(frame.shape[1] for frame in frames)
    columns = math.ceil(math.sqrt(len(frames) * height / width)) if width else 1
    columns = max(1, min(columns, len(frames)))
    rows = math.ceil(len(frames) / columns)
    picture = np.full((rows * height, columns * width, 3), 255, np.uint8)  # [H, W, 3]
    for index, frame in enumerate(frames):
        top, left = index // columns * height, index % columns * width
        picture[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return picture
