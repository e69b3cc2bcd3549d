"""Phrases as piano rolls, drawn with pygame off-screen: no display, window or sound device is needed.

One voice is coloured by degrees of its scale, several by voice. Everything is drawn at twice the size and smoothed
down, so that edges are soft. Media import this file on first need: it loads pygame.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .notation import TICKS_PER_QUARTER, Key, Note, Phrase, Spelled, fraction
from .pictures import BACKGROUND, BAR, FAINT, LANE, TEXT, Colour

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # pygame greets on stdout, where programs expect results

import pygame

WIDTH, HEIGHT = 960, 480  # pixels of the finished picture
LEFT, TOP, RIGHT, BOTTOM = 70, 84, 22, 20  # margins around the lanes
STRIP = 70  # pixels below the lanes where velocities stand
SMOOTH = 2
_SIZE = (WIDTH * SMOOTH, HEIGHT * SMOOTH)

LANE_OUT: Colour = (21, 24, 34)
LANE_TONIC: Colour = (37, 40, 58)
BEAT: Colour = (36, 40, 55)
IVORY: Colour = (222, 224, 233)
EBONY: Colour = (32, 35, 48)
INK: Colour = (18, 20, 30)
DEGREES: tuple[Colour, ...] = (
    (176, 182, 204),  # outside the scale
    (255, 99, 110),
    (255, 159, 74),
    (255, 209, 92),
    (126, 214, 128),
    (52, 199, 190),
    (94, 164, 255),
    (184, 140, 255),
)


VOICES: tuple[Colour, ...] = ((255, 107, 107), (255, 196, 84), (92, 211, 158), (98, 160, 255))
"""Colours of soprano, alto, tenor and bass."""
FAULT: Colour = (255, 70, 70)


class Frame(NamedTuple):
    """The fixed part of a picture while a phrase is written: everything but the notes."""

    metre: tuple[int, int]
    key: Key
    upbeat: int
    length: int
    closing: bool
    low: int
    high: int
    voices: bool = False
    strip: bool = False

    @property
    def height(self) -> int:
        """Height of all lanes, pixels."""
        return HEIGHT - TOP - BOTTOM - (STRIP if self.strip else 0)

    @property
    def lane(self) -> float:
        """Height of one semitone, pixels."""
        return self.height / (self.high - self.low + 1)

    def x(self, tick: float) -> float:
        """Returns where a tick lies, pixels."""
        return LEFT + (WIDTH - LEFT - RIGHT) * tick / self.length

    def y(self, pitch: float) -> float:
        """Returns the upper edge of a pitch's lane, pixels."""
        return TOP + (self.high - pitch) * self.lane


def draw(phrase: Phrase, low: int, high: int, highlight: bool) -> NDArray[np.uint8]:
    """Draws a phrase.

    Args:
        phrase: The melody; a note of undecided length is drawn as an open outline. Where it has velocities, softer
            notes are darker, and a strip below the lanes has a bar for each.
        low: Lowest pitch shown.
        high: Highest pitch shown.
        highlight: Marks the last note and the point up to which the phrase is written.

    Returns:
        uint8 [H, W, 3].
    """
    pygame.font.init()
    length = max(phrase.length, phrase.written)
    loud = phrase.velocities
    frame = Frame(phrase.metre, phrase.key, phrase.upbeat, length, phrase.closing, low, high, strip=loud is not None)
    canvas = pygame.Surface(_SIZE, 0, 32)
    canvas.get_buffer().write(_background(frame))
    _status(canvas, phrase, [phrase], highlight)
    if highlight:
        _cursor(canvas, frame, phrase.written)
    _contour(canvas, frame, phrase.notes)
    level = (low + high) / 2
    for index, note in enumerate(phrase.notes):
        level = level if note.pitch is None else note.pitch
        colour = DEGREES[0 if note.pitch is None else frame.key.degree(note.pitch)]
        current = highlight and index == len(phrase.notes) - 1
        if loud is not None and note.pitch is not None:
            _velocity(canvas, frame, note, loud[index], colour, current)
            colour = _shade(colour, 0.62 * (1 - loud[index] / 127) if loud[index] else 0, BACKGROUND)
        _note(canvas, frame, note, level, colour, current)
    return _picture(canvas)


def draw_voices(
    voices: Sequence[Phrase], low: int, high: int, shown: int, faults: Sequence[int], highlight: bool
) -> NDArray[np.uint8]:
    """Draws phrases that sound together, each in the colour of its voice, of which there are at most four.

    Args:
        voices: from the highest down, of one metre, key, upbeat and length.
        low: lowest pitch shown; lower notes lie at the lower edge.
        high: highest pitch shown.
        shown: ticks that the picture is wide.
        faults: ticks that are marked with dots.
        highlight: marks the last note and the point up to which the phrases are written.

    Returns:
        uint8 [H, W, 3].
    """
    pygame.font.init()
    phrase = max(voices, key=lambda voice: voice.written)
    frame = Frame(phrase.metre, phrase.key, phrase.upbeat, shown, phrase.closing, low, high, voices=True)
    canvas = pygame.Surface(_SIZE, 0, 32)
    canvas.get_buffer().write(_background(frame))
    if not highlight:
        x = frame.x(phrase.length)
        pygame.draw.rect(canvas, BAR, _rect(x - 5, TOP, 1.5, frame.height))
        pygame.draw.rect(canvas, BAR, _rect(x - 2, TOP, 3, frame.height))
    writing = min(range(len(voices)), key=lambda voice: voices[voice].written)  # the voice to be written next
    begun = any(voice.notes for voice in voices)
    latest = (writing - 1) % len(voices) if highlight and begun else None
    _status(canvas, phrase, voices, highlight)
    if highlight:
        _cursor(canvas, frame, voices[writing].written)
    for tick in faults:
        x = frame.x(tick) + 4
        pygame.draw.circle(canvas, FAULT, (round(x * SMOOTH), round((TOP - 6) * SMOOTH)), 3 * SMOOTH)
    for voice, own in reversed(list(enumerate(voices))):
        _contour(canvas, frame, own.notes, _shade(VOICES[voice], 0.55, BACKGROUND))
    for voice, own in reversed(list(enumerate(voices))):
        level = (low + high) / 2
        for index, note in enumerate(own.notes):
            pitch = note.pitch if note.pitch is None else min(max(note.pitch, low), high)
            level = level if pitch is None else pitch
            below = _doubles(note, voices[voice + 1 :])
            current = voice == latest and index == len(own.notes) - 1
            _note(canvas, frame, note._replace(pitch=pitch), level, VOICES[voice], current, thin=below)
    return _picture(canvas)


def _doubles(note: Note, others: Sequence[Phrase]) -> bool:
    """Returns whether other voices sing a note's pitch while it lasts."""
    end = note.onset + note.ticks
    return note.pitch is not None and any(
        other.pitch == note.pitch and other.onset < end and note.onset < other.onset + other.ticks
        for voice in others
        for other in voice.notes
    )


def _picture(canvas: pygame.Surface) -> NDArray[np.uint8]:
    small = pygame.transform.smoothscale(canvas, (WIDTH, HEIGHT))
    return np.frombuffer(bytearray(pygame.image.tobytes(small, "RGB")), np.uint8).reshape(HEIGHT, WIDTH, 3)


def _rect(x: float, y: float, width: float, height: float) -> pygame.Rect:
    left, top = round(x * SMOOTH), round(y * SMOOTH)
    return pygame.Rect(left, top, round((x + width) * SMOOTH) - left, round((y + height) * SMOOTH) - top)


def _text(
    canvas: pygame.Surface, text: str, x: float, y: float, size: int, colour: Colour, align: float = 0.0
) -> float:
    """Writes text centred on height ``y``; ``align`` 0, 0.5, 1 puts x at its left, middle, right; returns its width."""
    # Fonts are not kept: one that outlives somebody's pygame.quit() ends the process when it is next used.
    image = pygame.font.Font(None, size * SMOOTH).render(text, True, colour)
    canvas.blit(image, (x * SMOOTH - align * image.get_width(), y * SMOOTH - image.get_height() / 2))
    return float(image.get_width() / SMOOTH)


def _plain(spelled: Spelled) -> str:
    """A pitch without its octave; the font that pygame brings has no flat sign."""
    return spelled.letter + "b" * -spelled.accidental + "#" * spelled.accidental


def _shade(colour: Colour, share: float, towards: Colour) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, towards, strict=True))
    return red, green, blue


@functools.lru_cache(maxsize=32)
def _background(frame: Frame) -> bytes:
    """Lanes, beats, bar lines, keyboard and title, as bytes: they outlive a ``pygame.quit()``, a surface need not."""
    canvas = pygame.Surface(_SIZE, 0, 32)
    canvas.fill(BACKGROUND)
    left, right, bottom = frame.x(0), frame.x(frame.length), TOP + frame.height
    for pitch in range(frame.low, frame.high + 1):
        degree = frame.key.degree(pitch)
        colour = LANE_TONIC if degree == 1 else LANE if degree else LANE_OUT
        pygame.draw.rect(canvas, colour, _rect(left, frame.y(pitch), right - left, frame.lane - 0.5))
    phrase = Phrase((), *frame[:5])
    veil = pygame.Surface((round((right - left) * SMOOTH), round((bottom - TOP) * SMOOTH)), pygame.SRCALPHA, 32)
    first = frame.upbeat % phrase.beat - phrase.beat
    for count, tick in enumerate(range(first, frame.length, phrase.beat)):
        start, stop = max(tick, 0), min(tick + phrase.beat, frame.length)
        x = frame.x(start)
        if (tick - frame.upbeat) // phrase.beat % 2:
            shaded = _rect(x - left, 0, frame.x(stop) - x, bottom - TOP)
            pygame.draw.rect(veil, (255, 255, 255, 9), shaded)
        if count and tick > 0:
            pygame.draw.rect(canvas, BEAT, _rect(x - 0.5, TOP, 1, bottom - TOP))
    canvas.blit(veil, (round(left * SMOOTH), TOP * SMOOTH))
    for number, tick in enumerate(phrase.bar_lines, 1):
        x = frame.x(tick)
        pygame.draw.rect(canvas, BAR, _rect(x - 1, TOP - 16, 2, bottom - TOP + 16))
        _text(canvas, str(number), x + 6, TOP - 10, 17, FAINT)
    pygame.draw.rect(canvas, BAR, _rect(right - 1, TOP, 2, bottom - TOP))
    if frame.strip:
        _scale(canvas)
    _keyboard(canvas, frame)
    _title(canvas, phrase, frame.voices)
    return bytes(canvas.get_buffer().raw)


def _scale(canvas: pygame.Surface) -> None:
    """Lines and signs of the strip of velocities."""
    for sign, velocity in (("p", 49), ("f", 96)):
        y = HEIGHT - BOTTOM + 6 - (STRIP - 10) * velocity / 127
        pygame.draw.rect(canvas, BEAT, _rect(LEFT, y, WIDTH - LEFT - RIGHT, 1))
        _text(canvas, sign, LEFT - 10, y, 20, FAINT, align=1)
    pygame.draw.rect(canvas, BAR, _rect(LEFT, HEIGHT - BOTTOM + 6, WIDTH - LEFT - RIGHT, 1))


def _keyboard(canvas: pygame.Surface, frame: Frame) -> None:
    x, width, size = 12, LEFT - 18, round(min(16, frame.lane * 1.3))
    ivory = _rect(x, TOP, width, frame.height)
    pygame.draw.rect(canvas, IVORY, ivory, border_radius=3 * SMOOTH)
    for pitch in range(frame.low, frame.high + 1):
        black, degree, y = pitch % 12 in (1, 3, 6, 8, 10), frame.key.degree(pitch), frame.y(pitch)
        if degree == 1:
            colour = DEGREES[7 if frame.voices else 1]  # of no voice
            pygame.draw.rect(canvas, colour, _rect(x, y, width, frame.lane), border_radius=2 * SMOOTH)
        elif black:
            pygame.draw.rect(canvas, EBONY, _rect(x, y, width * 0.62, frame.lane), border_radius=2 * SMOOTH)
            middle = y + frame.lane / 2
            pygame.draw.rect(canvas, FAINT, _rect(x + width * 0.62, middle - 0.5, width * 0.38, 1))
        elif pitch % 12 in (0, 5) and pitch > frame.low:
            pygame.draw.rect(canvas, FAINT, _rect(x, y + frame.lane - 0.5, width, 1))
        if degree:
            name, dark = _plain(frame.key.spell(pitch)), black and degree > 1
            right = x + width * (0.56 if dark else 1) - (0 if dark else 4)
            name += str(frame.key.spell(pitch).octave) if degree == 1 else ""
            _text(canvas, name, right, y + frame.lane / 2 + 0.5, size, IVORY if dark else INK, align=1)


def _title(canvas: pygame.Surface, phrase: Phrase, voices: bool) -> None:
    middle = 12 + (LEFT - 18) / 2
    _text(canvas, str(phrase.metre[0]), middle, 27, 42, TEXT, align=0.5)
    _text(canvas, str(phrase.metre[1]), middle, 56, 42, TEXT, align=0.5)
    x = LEFT + _text(canvas, str(phrase.key), LEFT, 25, 30, TEXT) + 12
    remarks = [f"upbeat {fraction(phrase.upbeat)}"] if phrase.upbeat else []
    remarks += ["closing"] if phrase.closing else []
    _text(canvas, ", ".join(remarks), x, 27, 20, FAINT)
    if voices:
        for voice, name in enumerate(("soprano", "alto", "tenor", "bass")):
            x = LEFT + 76 * voice
            pygame.draw.rect(canvas, VOICES[voice], _rect(x, 43, 70, 14), border_radius=7 * SMOOTH)
            _text(canvas, name, x + 35, 50, 16, INK, align=0.5)
        return
    for degree, pitch in enumerate(phrase.key.scale, 1):
        x = LEFT + 34 * (degree - 1)
        pygame.draw.rect(canvas, DEGREES[degree], _rect(x, 43, 28, 14), border_radius=7 * SMOOTH)
        _text(canvas, _plain(phrase.key.spell(pitch)), x + 14, 50.5, 16, INK, align=0.5)


def _status(canvas: pygame.Surface, phrase: Phrase, voices: Sequence[Phrase], highlight: bool) -> None:
    sounding = sum(note.pitch is not None and note.ticks > 0 for voice in voices for note in voice.notes)
    text = f"{sounding} note{'' if sounding == 1 else 's'}"
    if highlight and phrase.written < phrase.length:
        bar = max(0, (phrase.written - phrase.upbeat) // phrase.bar + 1)
        text = f"bar {bar}   ·   {text}" if bar else f"upbeat   ·   {text}"
    else:
        text += f"   ·   {phrase.seconds(phrase.written):.1f} s"
    if phrase.velocities is not None and phrase.pace:
        text = f"{60 / phrase.pace:.0f} quarters a minute   ·   {text}"
    _text(canvas, text, WIDTH - RIGHT, 27, 20, FAINT, align=1)


def _cursor(canvas: pygame.Surface, frame: Frame, tick: int) -> None:
    x = frame.x(tick)
    glow = pygame.Surface((28 * SMOOTH, frame.height * SMOOTH), pygame.SRCALPHA, 32)
    for column in range(28 * SMOOTH):
        glow.fill((255, 255, 255, round(26 * (1 - column / (28 * SMOOTH)) ** 2)), (column, 0, 1, glow.get_height()))
    if tick < frame.length:
        canvas.blit(glow, (round(x * SMOOTH), TOP * SMOOTH))
    pygame.draw.rect(canvas, TEXT, _rect(x - 0.75, TOP - 3, 1.5, frame.height + 6))


def _contour(canvas: pygame.Surface, frame: Frame, notes: tuple[Note, ...], colour: Colour = BAR) -> None:
    """A thin line from each note to the next, broken by rests."""
    for before, after in itertools.pairwise(notes):
        if before.pitch is None or after.pitch is None or before.pitch == after.pitch:
            continue
        top, bottom = sorted((frame.y(before.pitch - 0.5), frame.y(after.pitch - 0.5)))
        pygame.draw.rect(canvas, colour, _rect(frame.x(after.onset) - 0.75, top, 1.5, bottom - top))


def _note(
    canvas: pygame.Surface, frame: Frame, note: Note, level: float, colour: Colour, current: bool, thin: bool = False
) -> None:
    """Draws a note in the lane of its pitch; a rest as three dots in that of ``level``, the pitch before it.

    A thin one leaves room for the note of another voice in the lower half of its lane.
    """
    ticks = note.ticks or min(TICKS_PER_QUARTER // 2, frame.length - note.onset)
    x, width = frame.x(note.onset), frame.x(note.onset + ticks) - frame.x(note.onset)
    if note.pitch is None:
        for share in (0.25, 0.5, 0.75):
            dot = _rect(x + width * share - 1.75, frame.y(level - 0.5) - 1.75, 3.5, 3.5)
            pygame.draw.rect(canvas, TEXT if current else FAINT, dot, border_radius=dot.width // 2)
        return
    grow = 2.0 if current else 1.0
    height = (frame.lane / 2 if thin else frame.lane) + 2 * grow - 0.5
    body = _rect(x + 1, frame.y(note.pitch) - grow, max(width - 2, 2), height)
    radius = min(body.height, body.width, 9 * SMOOTH) // 2
    if current:
        _halo(canvas, body, colour)
    if not note.ticks:
        pygame.draw.rect(canvas, _shade(colour, 0.75, INK), body, border_radius=radius)
        pygame.draw.rect(canvas, colour, body, width=2 * SMOOTH, border_radius=radius)
        return
    pygame.draw.rect(canvas, _shade(colour, 0.35, INK), body, border_radius=radius)
    face = pygame.Rect(body.left, body.top, body.width, body.height - 2 * SMOOTH)
    pygame.draw.rect(canvas, colour, face, border_radius=min(radius, face.height // 2))
    shine = pygame.Rect(body.left + radius, body.top + SMOOTH, body.width - 2 * radius, SMOOTH)
    if shine.width > 0:
        pygame.draw.rect(canvas, _shade(colour, 0.5, (255, 255, 255)), shine, border_radius=SMOOTH)
    if current:
        pygame.draw.rect(canvas, (255, 255, 255), body, width=SMOOTH, border_radius=radius)


def _velocity(canvas: pygame.Surface, frame: Frame, note: Note, velocity: int, colour: Colour, current: bool) -> None:
    """Draws a note's velocity as a bar in the strip below the lanes, an open one while it is undecided."""
    x, floor = frame.x(note.onset) + 1, HEIGHT - BOTTOM + 6
    width = max(min(frame.x(note.onset + (note.ticks or 6)) - x - 1, 12), 3)
    height = max((STRIP - 10) * (velocity or 64) / 127, 2)
    bar = _rect(x, floor - height, width, height)
    if velocity:
        pygame.draw.rect(canvas, _shade(colour, 0.62 * (1 - velocity / 127), BACKGROUND), bar, border_radius=SMOOTH)
    if current or not velocity:
        edge = (255, 255, 255) if current else colour
        pygame.draw.rect(canvas, edge, bar, width=SMOOTH, border_radius=SMOOTH)


def _halo(canvas: pygame.Surface, body: pygame.Rect, colour: Colour) -> None:
    for spread in range(8, 0, -1):
        halo = body.inflate(2 * spread * SMOOTH, 2 * spread * SMOOTH)
        veil = pygame.Surface(halo.size, pygame.SRCALPHA, 32)
        pygame.draw.rect(veil, (*colour, 14), veil.get_rect(), border_radius=halo.height // 2)
        canvas.blit(veil, halo)
