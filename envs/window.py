"""A window for ``render_mode="human"``; pygame is loaded when it first shows something."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GUTTER = 4
"""Pixels between the frames of a tiled picture, and around them."""
SHEET = (40, 44, 60)
"""Behind them: dark, and yet not the black of an empty drawing."""


def open_display() -> None:
    """Starts SDL's display.

    Raises:
        pygame.error: there is none.
    """
    import pygame

    pygame.display.init()
    # Without any display SDL draws into memory, unseen; a user who names a driver wants that.
    if pygame.display.get_driver() == "offscreen" and not os.environ.get("SDL_VIDEODRIVER"):
        pygame.display.quit()
        raise pygame.error("nothing to show windows on")


class Window:
    """Shows frames on the screen, at most ``fps`` of them a second.

    Args:
        title: of the window.
        fps: frames per second.
    """

    def __init__(self, title: str, fps: int) -> None:
        self._title, self._fps = title, fps
        self._due: float | None = None
        """When the next frame may follow, by ``time.monotonic``; None while the window is closed."""

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Shows a frame, uint8 [H, W, 3], and waits for its turn.

        Raises:
            RuntimeError: there is no display.
        """
        import pygame

        height, width = frame.shape[:2]
        try:
            if self._due is None or not pygame.display.get_init():  # other code may have ended pygame
                open_display()
                pygame.display.set_caption(self._title)
            screen = pygame.display.get_surface()
            if screen is None or screen.get_size() != (width, height):
                screen = pygame.display.set_mode((width, height))
        except pygame.error as error:
            self._due = None
            raise RuntimeError(f"no display ({error}): use render_mode='rgb_array', or run under xvfb-run") from error
        screen.blit(pygame.image.frombuffer(np.ascontiguousarray(frame).tobytes(), (width, height), "RGB"), (0, 0))
        # Unread events make the desktop call the window unresponsive.
        pygame.event.pump()
        pygame.display.flip()
        now = time.monotonic()
        if self._due is not None and now < self._due:
            time.sleep(self._due - now)
        self._due = max(now, self._due or now) + 1 / self._fps

    def close(self) -> None:
        """Closes the window; a later frame opens it again."""
        if self._due is not None:
            import pygame

            pygame.display.quit()
            self._due = None


def tile(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lays frames [h, w, 3] of any sizes out in a near-square picture, row by row, on a dark sheet with gutters."""
    height = max(frame.shape[0] for frame in frames) + GUTTER
    width = max(frame.shape[1] for frame in frames) + GUTTER
    columns = max(1, min(math.ceil(math.sqrt(len(frames) * height / width)), len(frames)))
    rows = math.ceil(len(frames) / columns)
    picture = np.empty((rows * height + GUTTER, columns * width + GUTTER, 3), np.uint8)  # [H, W, 3]
    picture[:] = SHEET
    for index, frame in enumerate(frames):
        top, left = GUTTER + index // columns * height, GUTTER + index % columns * width
        picture[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return picture
