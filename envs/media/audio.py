"""Melodies and voices as MIDI and as sound: plucked, bowed and organ tones, so that no soundfont is needed."""

from __future__ import annotations

import functools
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .notation import TICKS_PER_QUARTER, TICKS_PER_WHOLE, Phrase

if TYPE_CHECKING:
    import pretty_midi

RATE = 44_100  # samples per second
TAIL = 1.0  # seconds that the last note and the room ring on
FLUTE, ORGAN, VIOLIN = 73, 19, 40  # programs of General MIDI
STOPS = {1: 1.0, 2: 0.55, 3: 0.3, 4: 0.28, 6: 0.1, 8: 0.08}
"""Partials of an organ's tone and their loudness: pipes of 8, 4, 2 2/3, 2, 1 1/3 and 1 foot."""
PREVIEW = TICKS_PER_QUARTER // 2  # ticks that a note of undecided length sounds
STRONG, BEAT, WEAK = 100, 88, 76  # MIDI velocities on the first beat of a bar, on other beats, between them
UNDECIDED = 64  # velocity of a note whose own is to be chosen


class Sound(NamedTuple):
    """Mono samples float32 [S] in -1..1, ``RATE`` a second, of music that lasts ``seconds``; the rest is ringing."""

    samples: NDArray[np.float32]
    seconds: float


def to_midi(
    *voices: Phrase, program: int = FLUTE, names: Sequence[str] = ("melody",), texts: Sequence[str] = ()
) -> pretty_midi.PrettyMIDI:
    """Writes phrases that sound together as MIDI: tempo, key, metre (an upbeat is a first, shorter bar), accents.

    Text events say what these cannot, as in "musegym: D dorian, 384 ticks": the mode, and how long the music is, whose
    last ticks (24 a quarter note) may be silent; "musegym: rest" where a rest follows a rest. ``envs.corpora.midi``
    reads them.

    Args:
        voices: of one metre, key and upbeat; the first one's are written.
        program: of General MIDI.
        names: of the voices' tracks.
        texts: further text events, at the beginning.
    """
    import pretty_midi

    phrase = voices[0]
    tempo = 60 / phrase.quarter_seconds
    midi = pretty_midi.PrettyMIDI(resolution=20 * TICKS_PER_QUARTER, initial_tempo=tempo)
    whole = TICKS_PER_WHOLE
    unit = next(unit for unit in (4, 8, 16, 32, 64, 96) if phrase.upbeat * unit % whole == 0)
    if phrase.upbeat:
        short = pretty_midi.TimeSignature(phrase.upbeat * unit // whole, unit, 0)
        midi.time_signature_changes.append(short)
    start = phrase.seconds(phrase.upbeat)
    midi.time_signature_changes.append(pretty_midi.TimeSignature(*phrase.metre, start))
    # MIDI knows major and minor alone; other modes are named by the major key of the same signature.
    minor = phrase.key.mode == "minor"
    number = 12 + phrase.key.tonic if minor else 7 * phrase.key.signature % 12
    midi.key_signature_changes.append(pretty_midi.KeySignature(number, 0))
    written = max(voice.written for voice in voices)
    texts = (f"musegym: {phrase.key.ascii}, {written} ticks", *texts)
    midi.text_events += [pretty_midi.Text(text, 0) for text in texts]
    midi.text_events += [pretty_midi.Text("musegym: rest", phrase.seconds(onset)) for onset in phrase.new_rests]
    for voice, name in zip(voices, names, strict=True):
        track = pretty_midi.Instrument(program, name=name)
        for index, (onset, ticks, pitch) in enumerate(voice.notes):
            if pitch is not None and ticks:
                velocity = _velocity(voice, index)
                track.notes.append(
                    pretty_midi.Note(velocity, pitch, voice.seconds(onset), voice.seconds(onset + ticks))
                )
        midi.instruments.append(track)
    return midi


def synthesise(*voices: Phrase, organ: bool = False, start: int | None = None) -> Sound:
    """Plays phrases together; a note of undecided length sounds for ``PREVIEW`` ticks.

    Args:
        voices: of one tempo.
        organ: True for the tone of an organ, which holds its notes; else that of a plucked string, or of a bowed one
            where the phrases have velocities.
        start: tick at which the sound begins; by default the onset of the first note.
    """
    notes = [(voice, index, note) for voice in voices for index, note in enumerate(voice.notes)]
    if not notes:
        return Sound(np.zeros(0, np.float32), 0.0)
    phrase = voices[0]
    start = min(note.onset for _, _, note in notes) if start is None else start
    seconds = phrase.seconds(max(note.onset + note.ticks for _, _, note in notes) - start)
    end = max(note.onset + (note.ticks or PREVIEW) for _, _, note in notes)
    samples = np.zeros(round((phrase.seconds(end - start) + TAIL) * RATE))
    for voice, index, (onset, ticks, pitch) in notes:
        if pitch is not None:
            instrument = _pipe if organ else _bow if voice.velocities is not None else _pluck
            tone = instrument(pitch, phrase.seconds(ticks or PREVIEW), _velocity(voice, index))
            begin = round(phrase.seconds(onset - start) * RATE)
            samples[begin : begin + len(tone)] += tone[: len(samples) - begin]
    size = 1 << (len(samples) + len(_room()) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * _room_spectrum(size), size)[: len(samples)]
    mixed = 0.5 * (samples + 0.35 * wet)
    fade = np.minimum(1, np.arange(len(mixed))[::-1] / (0.05 * RATE))
    return Sound(np.tanh(mixed * fade).astype(np.float32), seconds)


def save_wav(sound: Sound, path: Path) -> None:
    """Writes 16 bit mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound.samples * 32767).astype("<i2").tobytes())


def _velocity(phrase: Phrase, index: int) -> int:
    """Returns the velocity of a note by its index: its own, else one by its place in the bar."""
    if phrase.velocities is not None:
        return phrase.velocities[index] or UNDECIDED
    place = (phrase.notes[index].onset - phrase.upbeat) % phrase.bar
    return STRONG if place == 0 else BEAT if place % phrase.beat == 0 else WEAK


@functools.lru_cache(maxsize=64)
def _pluck(pitch: int, seconds: float, velocity: int) -> NDArray[np.float64]:
    """A plucked tone: partials k at k times the frequency, quieter and shorter-lived the higher they are."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)  # Hz, A4 = 440
    release = 0.18  # seconds of fading once the note ends
    time = np.arange(round((seconds + release) * RATE)) / RATE
    tone = np.zeros(len(time))
    for partial in range(1, 9):
        if partial * frequency < RATE / 2:
            loudness = partial**-1.6 * (0.6 if partial % 2 == 0 else 1.0)
            tone += loudness * np.sin(2 * np.pi * partial * frequency * time) * np.exp(-1.1 * partial**0.8 * time)
    attack = np.minimum(1, time / 0.006)
    fade = np.clip((seconds + release - time) / release, 0, 1) ** 2
    return 0.6 * (velocity / 127) * tone * attack * fade


@functools.lru_cache(maxsize=64)
def _bow(pitch: int, seconds: float, velocity: int) -> NDArray[np.float64]:
    """A bowed tone: steady, with vibrato once it lasts; the louder, the brighter.

    Amplitude is the square of the velocity's share of 127, as the General MIDI Level 1 Developer Guidelines ask for.
    """
    frequency, share = 440 * 2 ** ((pitch - 69) / 12), velocity / 127
    release = 0.12  # seconds
    time = np.arange(round((seconds + release) * RATE)) / RATE
    bend = 0.004 * np.clip((time - 0.25) / 0.3, 0, 1) / 5.5 * np.sin(2 * np.pi * 5.5 * time)  # 5.5 Hz, 7 cents
    phase = 2 * np.pi * frequency * (time + bend / (2 * np.pi))
    tone = np.zeros(len(time))
    for partial in range(1, 13):
        if partial * frequency < RATE / 4:
            tone += partial ** -(2.2 - 1.1 * share) * np.sin(partial * phase)
    attack = np.minimum(1, time / (0.06 - 0.045 * share))
    fade = np.clip((seconds + release - time) / release, 0, 1) ** 2
    return 0.7 * share**2 * tone * attack * fade


@functools.lru_cache(maxsize=64)
def _pipe(pitch: int, seconds: float, velocity: int) -> NDArray[np.float64]:
    """A tone of an organ: steady partials up to 11 kHz, without a click at either end."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    release = 0.15  # seconds
    time = np.arange(round((seconds + release) * RATE)) / RATE
    tone = np.zeros(len(time))
    for partial, loudness in STOPS.items():
        if partial * frequency < RATE / 4:
            tone += loudness * np.sin(2 * np.pi * partial * frequency * time)
    attack = np.minimum(1, time / 0.03)
    fade = np.clip((seconds + release - time) / release, 0, 1) ** 2
    return 0.18 * (0.7 + 0.3 * velocity / 127) * tone * attack * fade


@functools.lru_cache(maxsize=8)
def _room_spectrum(size: int) -> NDArray[np.complex128]:
    return np.fft.rfft(_room(), size)


@functools.cache
def _room() -> NDArray[np.float64]:
    """The impulse response of a small room: decaying noise of unit energy."""
    time = np.arange(round(0.9 * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time)) * np.exp(-6.0 * time) * np.minimum(1, time / 0.02)
    smooth = np.convolve(noise, np.hanning(24) / 12, mode="same")  # a room swallows the highest tones
    normal: NDArray[np.float64] = smooth / np.sqrt(np.sum(smooth**2))
    return normal
