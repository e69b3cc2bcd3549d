"""The events of a Standard MIDI File that notation needs, on the file's own clock.

It follows the Standard MIDI Files Specification 1.0 (https://midi.org/standard-midi-files-specification). Times are
counted in the file's ticks; tempi are listed beside them, so that a tempo on any track leaves the notation as it is.
The time and memory it takes grow with the length of the file alone, whatever the numbers in it are.
"""

from __future__ import annotations

from typing import NamedTuple

SYSEX, ESCAPE, META = 0xF0, 0xF7, 0xFF
TEXT, END_OF_TRACK, TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0x01, 0x2F, 0x51, 0x58, 0x59
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
NOTE_OFF, NOTE_ON = 0x80, 0x90
DRUMS = 9  # General MIDI's channel of percussion, counted from 0
FREE = (0, 0)  # a metre that no notation has
FINEST = 5  # power of two of the shortest beat: a 32nd note


class Signature(NamedTuple):
    """A metre or a key that a track declares.

    Attributes:
        tick: From when on it holds.
        track: Number of the track that declares it, from 0.
        value: (numerator, denominator) of a metre, (0, 0) where it is none; (sharps, 1 if minor) of a key.
    """

    tick: int
    track: int
    value: tuple[int, int]


class Part(NamedTuple):
    """The notes of one channel of one track: (start, end, pitch) in the order of their starts, times in ticks.

    ``velocities`` are those of the notes, 1 to 127.
    """

    track: int
    notes: list[tuple[int, int, int]]
    velocities: list[int]


class Midi(NamedTuple):
    """Contents of a file; see the attributes of `Signature` and `Part`.

    Attributes:
        resolution: Ticks of a quarter note.
        parts: Those that hold notes and are no percussion, in the order of the file.
        metres: In the order of the file.
        keys: In the order of the file.
        texts: (tick, text) of text events.
        tempi: (tick, quarter notes a minute) of tempo events.
    """

    resolution: int
    parts: list[Part]
    metres: list[Signature]
    keys: list[Signature]
    texts: list[tuple[int, str]]
    tempi: list[tuple[int, float]]


def parse(data: bytes) -> Midi:
    """Reads a file.

    Raises:
        ValueError: If it is no MIDI file, is damaged, or counts no quarter notes; the message says which.
    """
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("no MIDI file: it does not begin with a whole MThd header")
    size = int.from_bytes(data[4:8], "big")
    kind, division = int.from_bytes(data[8:10], "big"), int.from_bytes(data[12:14], "big")
    if size < 6:
        raise ValueError("a damaged MIDI file: its header is too short")
    if kind > 1:
        raise ValueError(f"a MIDI file of format {kind}: only formats 0 and 1 hold one piece")
    if division & 0x8000:
        raise ValueError("its time is counted in frames of film (SMPTE), not in quarter notes")
    if not division:
        raise ValueError("a damaged MIDI file: its quarter note has no ticks (division 0)")
    midi = Midi(division, [], [], [], [], [])
    place, track = 8 + size, 0
    while place + 8 <= len(data):
        name, start = data[place : place + 4], place + 8
        place = start + int.from_bytes(data[place + 4 : start], "big")
        if name != b"MTrk":  # other chunks are to be passed over
            continue
        if place > len(data):
            raise ValueError(f"a damaged MIDI file: it ends inside track {track + 1}")
        try:
            _read_track(data[start:place], track, midi)
        except IndexError:
            raise ValueError(f"a damaged MIDI file: track {track + 1} ends inside an event") from None
        track += 1
    return midi


def _read_track(data: bytes, track: int, midi: Midi) -> None:
    """Appends the events of a track to a file's lists; raises IndexError where its last event is cut off."""
    notes: dict[int, list[tuple[int, int, int, int]]] = {}  # by channel
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}  # starts and velocities, by channel and pitch
    place = tick = status = 0
    while place < len(data):
        ticks, place = _number(data, place)
        tick += ticks
        if data[place] >= 0x80:
            status, place = data[place], place + 1
        kind, channel = status & 0xF0, status & 0x0F
        if kind in (NOTE_ON, NOTE_OFF):
            pitch, velocity, place = data[place], data[place + 1], place + 2
            if kind == NOTE_ON and velocity:
                starts = sounding.setdefault((channel, pitch), [])
                if not starts or starts[-1][0] != tick:
                    starts.append((tick, velocity))
            elif starts := sounding.get((channel, pitch), []):
                ended = ((start, tick, pitch, loud) for start, loud in starts if start < tick)
                notes.setdefault(channel, []).extend(ended)
                sounding[channel, pitch] = [each for each in starts if each[0] == tick]
        elif kind in DATA_BYTES:
            place += DATA_BYTES[kind]
        elif status == META:
            size, begin = _number(data, place + 1)
            what, value = data[place], data[begin : begin + size]
            place, status = begin + size, 0
            if what == END_OF_TRACK:
                break
            _read_meta(what, value, tick, track, midi)
        elif status in (SYSEX, ESCAPE):
            size, begin = _number(data, place)
            place, status = begin + size, 0
        else:
            found = f"status byte {status:02x}" if status else "a data byte without a status"
            raise ValueError(f"a damaged MIDI file: {found} in track {track + 1}")
        if place > len(data):
            raise IndexError
    for (channel, pitch), starts in sounding.items():  # notes that nothing ends last to the end of the track
        notes.setdefault(channel, []).extend((start, tick, pitch, loud) for start, loud in starts if start < tick)
    for channel in sorted(notes):
        if channel != DRUMS and (own := sorted(notes[channel])):
            midi.parts.append(Part(track, [note[:3] for note in own], [note[3] for note in own]))


def _read_meta(what: int, value: bytes, tick: int, track: int, midi: Midi) -> None:
    if what == TIME_SIGNATURE and len(value) >= 2:
        metre = (value[0], 1 << value[1]) if value[0] and value[1] <= FINEST else FREE
        midi.metres.append(Signature(tick, track, metre))
    elif what == KEY_SIGNATURE and len(value) >= 2:
        sharps = value[0] - 256 if value[0] > 127 else value[0]
        if -7 <= sharps <= 7 and value[1] <= 1:
            midi.keys.append(Signature(tick, track, (sharps, value[1])))
    elif what == TEMPO and len(value) == 3 and any(value):
        midi.tempi.append((tick, 60_000_000 / int.from_bytes(value, "big")))
    elif what == TEXT:
        midi.texts.append((tick, value.decode("latin-1")))


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Returns a number of variable length, four bytes at most, and the place behind it."""
    number = 0
    for _ in range(4):
        byte = data[place]
        number, place = number << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            return number, place
    raise ValueError("a damaged MIDI file: a number of more than four bytes")
