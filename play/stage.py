"""Window, loudspeaker and keyboard of ``musegym play``."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..envs.media.audio import RATE, Sound
from ..envs.window import open_display
from ..errors import RunError

if TYPE_CHECKING:
    import pygame

logger = logging.getLogger(__name__)

Colour = tuple[int, int, int]

PANEL = 92  # pixels below the picture
CHIPS = 9  # choices shown at once, one for each number key
FRAME_SECONDS = 1 / 30
GROUND: Colour = (24, 27, 38)
CHIP: Colour = (44, 48, 66)
MARKED: Colour = (255, 209, 92)
INK: Colour = (18, 20, 30)
TEXT: Colour = (232, 234, 243)
FAINT: Colour = (128, 135, 162)
REPEATING = {"up", "down", "left", "right", "page up", "page down", "backspace", "return", "space"}
"""Keys that repeat while they are held; the others save, start or end something."""
SIGNS = str.maketrans({"♯": "#", "♭": "b", "♮": ""})
"""Replacements for signs that the font of pygame lacks."""


class Stage:
    """Window, loudspeaker and keyboard.

    Args:
        title: title of the window.
        max_seconds: time after which ``open`` is False; no limit where None.

    Raises:
        RunError: there is no display.
    """

    def __init__(self, title: str, max_seconds: float | None = None) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        try:
            open_display()
            self._screen = pygame.display.set_mode((960, 480 + PANEL))
        except pygame.error as error:
            pygame.display.quit()
            raise RunError(
                f"no display ({error}): play needs a desktop (or xvfb-run); `musegym generate` writes files without one"
            ) from error
        pygame.display.set_caption(title)
        pygame.font.init()
        pygame.key.set_repeat(300, 50)
        self._end = time.monotonic() + (float("inf") if max_seconds is None else max_seconds)
        self._closed = False
        self._mute = False
        self._held = set[str]()
        try:
            with _silent_stderr():
                pygame.mixer.init(RATE, -16, 1, allowedchanges=0)
        except pygame.error as error:
            self._mute = True
            logger.warning("no sound: %s", error)

    @property
    def open(self) -> bool:
        """False once the window was closed or its time is over."""
        return not self._closed and time.monotonic() < self._end

    def keys(self) -> list[str]:
        """Returns the names of the keys pressed since the last call; closing the window counts as "q"."""
        import pygame

        names = list[str]()
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                names.append("q")
            elif event.type in (pygame.KEYDOWN, pygame.KEYUP):
                name = {"escape": "q", "enter": "return"}.get(name := _key_name(event.key), name)
                if event.type == pygame.KEYUP:
                    self._held.discard(name)
                elif name in REPEATING or name not in self._held:
                    self._held.add(name)
                    names.append(name)
        self._closed |= "q" in names
        return names

    def show(self, picture: NDArray[np.uint8], lines: tuple[str, str], chips: list[str], chosen: int = 0) -> None:
        """Shows a picture uint8 [H, W, 3] above a panel with two lines and a row of chips, one of them marked."""
        import pygame

        factor = max(1, 640 // picture.shape[1])
        picture = picture.repeat(factor, 0).repeat(factor, 1)
        height, width, _ = picture.shape
        if self._screen.get_size() != (width, height + PANEL):
            self._screen = pygame.display.set_mode((width, height + PANEL))
        image = pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), (width, height), "RGB")
        self._screen.blit(image, (0, 0))
        panel = _panel(width, lines, chips, chosen)
        self._screen.blit(pygame.transform.smoothscale(panel, (width, PANEL)), (0, height))
        pygame.display.flip()

    def sound(self, sound: Sound, fresh: bool = False) -> None:
        """Plays a sound together with those still playing, or instead of them where ``fresh``."""
        import pygame

        if self._mute:
            return
        if fresh:
            pygame.mixer.stop()
        if len(sound.samples):
            pygame.mixer.Sound(buffer=(sound.samples * 32767).astype("<i2").tobytes()).play()

    def wait(self, seconds: float) -> list[str]:
        """Waits until the time is over, a key is pressed or the window closes; returns the keys."""
        until = time.monotonic() + seconds
        keys = self.keys()
        while not keys and self.open and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, FRAME_SECONDS))
            keys = self.keys()
        return keys

    def close(self) -> None:
        """Closes the window."""
        import pygame

        if not self._mute:
            pygame.mixer.quit()
        pygame.display.quit()


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Silences file descriptor 2: sound libraries write to it directly where there is no device."""
    sys.stderr.flush()
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def _key_name(key: int) -> str:
    """Returns the name of a key; those of the number block have the names of the main block."""
    import pygame

    return pygame.key.name(key).strip("[]")


def _panel(width: int, lines: tuple[str, str], chips: list[str], chosen: int) -> pygame.Surface:
    """Draws the panel at twice its size, for smooth scaling."""
    import pygame

    panel = pygame.Surface((2 * width, 2 * PANEL), 0, 32)
    panel.fill(GROUND)
    bold, plain = pygame.font.Font(None, 40), pygame.font.Font(None, 34)
    labels = [chip.translate(SIGNS) for chip in chips]
    # Chips that do not fit are all drawn at the same smaller size.
    wanted = sum(plain.size("1")[0] + bold.size(label)[0] + 58 for label in labels)
    scale = min(1.0, (panel.get_width() - 48) / wanted) if labels else 1.0
    large, small = (pygame.font.Font(None, int(size * scale)) for size in (40, 34))
    left = 24.0
    for index, label in enumerate(labels):
        marked = index == chosen
        text = large.render(label, True, INK if marked else TEXT)
        number = small.render(str(index + 1), True, FAINT)
        box = pygame.Rect(int(left), 14, int(number.get_width() + text.get_width() + 44 * scale), 56)
        pygame.draw.rect(panel, MARKED if marked else CHIP, box, border_radius=int(28 * scale))
        edge = int(16 * scale)
        panel.blit(number, (box.left + edge, box.centery - number.get_height() // 2))
        panel.blit(text, (box.right - edge - text.get_width(), box.centery - text.get_height() // 2))
        left = box.right + 14 * scale
    for line, font, colour, top in ((lines[0], bold, TEXT, 92), (lines[1], plain, FAINT, 138)):
        image = font.render(line.translate(SIGNS), True, colour)
        if image.get_width() > panel.get_width() - 48:
            size = panel.get_width() - 48, image.get_height()
            image = pygame.transform.smoothscale(image, size)
        panel.blit(image, (24, top))
    return panel
