"""Window, loudspeaker, keyboard and mouse of ``musegym play``."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..envs.media.audio import RATE, Sound
from ..envs.window import open_display
from ..errors import RunError
from .panel import GROUND, INK, MARKED, TEXT, Box, Colour, Panel

if TYPE_CHECKING:
    import pygame

logger = logging.getLogger(__name__)

SIDE = 640  # pixels that small pictures are enlarged to, about
FRAME_SECONDS = 1 / 30
REPEATING = {"up", "down", "left", "right", "page up", "page down", "return", "space", "backspace", "u"}
"""Keys that repeat while they are held; the others save, start or end something."""
COMBINED = {"z", "y"}
"""Keys that Ctrl gives another meaning: "ctrl z"."""
HOVER: Colour = (255, 255, 255)


class Event(NamedTuple):
    """An action of a person.

    Attributes:
        name: the name of a key, such as "s", "return" or "ctrl z"; or of the mouse: "press", "drag" and "lift" of its
            left button, "pick" of its right one, "hover", "wheel up", "wheel down".
        spot: pixel (x, y) of the picture under the pointer, as it was before it was enlarged; None beside it.
        choice: index of the chip or swatch under the pointer; None beside them.
        shift: True while a shift key is held.
        sign: the character that was typed, where works are: of the return key a line feed, of backspace itself.
    """

    name: str
    spot: tuple[int, int] | None = None
    choice: int | None = None
    shift: bool = False
    sign: str = ""

    @property
    def is_key(self) -> bool:
        """True for keys."""
        return self.name not in MOUSE


MOUSE = {"press", "drag", "lift", "pick", "hover", "wheel up", "wheel down"}


class Stage:
    """Window, loudspeaker, keyboard and mouse.

    Args:
        title: title of the window.
        max_seconds: time after which ``open`` is False; no limit where None.
        typing: True where letters are characters of a work: Ctrl then makes commands of them.

    Raises:
        RunError: there is no display.
    """

    def __init__(self, title: str, max_seconds: float | None = None, *, typing: bool = False) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        try:
            open_display()
            self._screen = pygame.display.set_mode((960, 572))
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
        self._typing = typing
        self._mute = False
        self._held = set[str]()
        self._factor, self._left, self._picture_size = 1, 0, (0, 0)
        self._boxes = list[Box]()
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

    def poll(self) -> list[Event]:
        """Returns the events since the last call; closing the window counts as the key "q"."""
        import pygame

        events = list[Event]()
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                events.append(Event("q"))
            elif event.type == pygame.KEYDOWN and self._typing and (sign := _typed(event)):
                events.append(Event("type", sign=sign))
            elif event.type == pygame.KEYDOWN:
                key = _key_name(event, combined=self._typing)
                if key in REPEATING or key.startswith("ctrl") or key not in self._held:
                    self._held.add(key)
                    events.append(Event(key))
            elif event.type == pygame.KEYUP:
                self._held.discard(_key_name(event, combined=self._typing))
            elif (name := _mouse_name(event)) is not None:
                events.append(self._at_pointer(name, getattr(event, "pos", None)))
        self._closed |= any(event.name in {"q", "ctrl q"} for event in events)
        return events

    def keys(self) -> list[str]:
        """Returns the names of the keys pressed since the last call."""
        return [event.name for event in self.poll() if event.is_key]

    def show(
        self,
        picture: NDArray[np.uint8],
        panel: Panel,
        marks: Sequence[tuple[Box, Colour]] = (),
        help_: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Shows a picture above a panel.

        Args:
            picture: uint8 [H, W, 3], enlarged by a whole number where it is small.
            panel: choices and text.
            marks: boxes in pixels of the picture, and the colour of their outlines.
            help_: pairs of a key and its meaning, laid over the picture.
        """
        import pygame

        height, width, _ = picture.shape
        self._factor, self._picture_size = max(1, round(SIDE / max(width, height))), (width, height)
        width, height = self._factor * width, self._factor * height
        whole = (max(width, SIDE) if panel.swatches else width), height
        tall = panel.height(whole[0])
        if self._screen.get_size() != (whole[0], height + tall):
            self._screen = pygame.display.set_mode((whole[0], height + tall))
        self._screen.fill(GROUND)
        picture = picture.repeat(self._factor, 0).repeat(self._factor, 1)
        image = pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), (width, height), "RGB")
        self._left = (whole[0] - width) // 2
        self._screen.blit(image, (self._left, 0))
        for box, colour in marks:
            self._outline(box, colour)
        if help_:
            self._lay_over(help_, whole)
        surface, boxes = panel.draw(whole[0])
        self._boxes = [(left, top + height, wide, high) for left, top, wide, high in boxes]
        self._screen.blit(pygame.transform.smoothscale(surface, (whole[0], tall)), (0, height))
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

    def events(self) -> list[Event]:
        """Waits for a frame at most; returns the events."""
        events = self.poll()
        if not events and self.open:
            time.sleep(FRAME_SECONDS)
            events = self.poll()
        return events

    def close(self) -> None:
        """Closes the window."""
        import pygame

        if not self._mute:
            pygame.mixer.quit()
        pygame.display.quit()

    def _at_pointer(self, name: str, position: tuple[int, int] | None) -> Event:
        """Returns an event of the mouse at a position of the window; by default at that of the pointer."""
        import pygame

        x, y = pygame.mouse.get_pos() if position is None else position
        column, row = (x - self._left) // self._factor, y // self._factor
        inside = 0 <= column < self._picture_size[0] and 0 <= row < self._picture_size[1]
        choices = (
            i for i, (left, top, wide, high) in enumerate(self._boxes) if 0 <= x - left < wide and 0 <= y - top < high
        )
        shift = bool(pygame.key.get_mods() & pygame.KMOD_SHIFT)
        return Event(name, (column, row) if inside else None, next(choices, None), shift)

    def _outline(self, box: Box, colour: Colour) -> None:
        """Draws a frame of two pixels between dark ones, to be seen on any ground."""
        import pygame

        left, top, width, height = (self._factor * side for side in box)
        frame = pygame.Rect(self._left + left, top, width, height)
        pygame.draw.rect(self._screen, INK, frame, 4)
        pygame.draw.rect(self._screen, colour, frame.inflate(-2, -2), 2)

    def _lay_over(self, rows: Sequence[tuple[str, str]], size: tuple[int, int]) -> None:
        """Lays pairs of a key and its meaning over the picture, as large as they fit."""
        import pygame

        largest = 26
        font = pygame.font.Font(None, largest)
        widths = [max(font.size(row[column])[0] for row in rows) for column in (0, 1)]
        share = min(1.0, (size[0] - 40) / (sum(widths) + 24), (size[1] - 24) / (1.2 * largest * len(rows)))
        font, step, gap = pygame.font.Font(None, int(share * largest)), int(1.2 * share * largest), int(24 * share)
        shade = pygame.Surface(size, pygame.SRCALPHA)
        shade.fill((*GROUND, 240))
        top = (size[1] - step * len(rows)) // 2
        middle = int((size[0] - share * (sum(widths) + 24)) / 2 + share * widths[0])
        for number, (key, meaning) in enumerate(rows):
            name = font.render(key, True, MARKED)
            shade.blit(name, (middle - name.get_width(), top + number * step))
            shade.blit(font.render(meaning, True, TEXT), (middle + gap, top + number * step))
        self._screen.blit(shade, (0, 0))


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


def _typed(event: pygame.event.Event) -> str:
    """Returns the character that a key types, "" for none."""
    import pygame

    if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_BACKSPACE):
        return "\b" if event.key == pygame.K_BACKSPACE else "\n"
    sign = str(getattr(event, "unicode", ""))
    command = getattr(event, "mod", 0) & (pygame.KMOD_CTRL | pygame.KMOD_META)
    return sign if sign.isprintable() and not command else ""


def _key_name(event: pygame.event.Event, *, combined: bool = False) -> str:
    """Returns the name of a key; those of the number block have the names of the main block.

    Args:
        event: of the key.
        combined: True where Ctrl gives every letter another meaning.
    """
    import pygame

    name = pygame.key.name(event.key).strip("[]")
    if (name in COMBINED or (combined and name.isalpha() and len(name) == 1)) and getattr(event, "mod", 0) & (
        pygame.KMOD_CTRL | pygame.KMOD_META
    ):
        return f"ctrl {name}"
    return {"escape": "q", "enter": "return"}.get(name, name)


def _mouse_name(event: Any) -> str | None:
    """Returns the name of an event of the mouse; None for others."""
    import pygame

    if event.type == pygame.MOUSEBUTTONDOWN:
        return {1: "press", 3: "pick"}.get(event.button)
    if event.type == pygame.MOUSEBUTTONUP:
        return "lift" if event.button == 1 else None
    if event.type == pygame.MOUSEMOTION:
        return "drag" if event.buttons[0] else "hover"
    if event.type == pygame.MOUSEWHEEL and event.y:
        return "wheel up" if event.y > 0 else "wheel down"
    return None
