"""Files as users have them, built by hand: MIDI events that no library would write."""


def number(value):
    """A number of variable length."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.insert(0, value & 0x7F | 0x80)
    return bytes(groups)


def meta(kind, data, delta=0):
    return number(delta) + bytes([0xFF, kind]) + number(len(data)) + data


def metre(beats, unit_power, delta=0):
    """A time signature; the unit is two to the power."""
    return meta(0x58, bytes([beats, unit_power, 24, 8]), delta)


def key(sharps, minor=0, delta=0):
    return meta(0x59, bytes([sharps % 256, minor]), delta)


def tempo(microseconds):
    return meta(0x51, microseconds.to_bytes(3, "big"))


def text(words):
    return meta(0x01, words.encode())


def note(pitch, ticks, delta=0):
    """A note that begins delta ticks after what came before."""
    return number(delta) + bytes([0x90, pitch, 80]) + number(ticks) + bytes([0x80, pitch, 0])


def chunk(name, data):
    return name + len(data).to_bytes(4, "big") + data


END = meta(0x2F, b"")


def track(*events):
    return chunk(b"MTrk", b"".join(events) + END)


def midi(*tracks, division=24, kind=1):
    """A file; by default its ticks are those of the corpus, 24 to the quarter note."""
    header = kind.to_bytes(2, "big") + len(tracks).to_bytes(2, "big") + division.to_bytes(2, "big")
    return chunk(b"MThd", header) + b"".join(tracks)


PITCHES = (60, 62, 64, 65, 67, 65, 64, 62)


def melody(bars=4, length=12, pitches=PITCHES):
    """So many bars of eight notes."""
    return b"".join(note(pitch, length) for pitch in bars * pitches)


TUNE = "CDEF GABc|cBAG FEDC|EGcG EGcG|BAGF EDCC||\n"


def abc(music=TUNE, head="M:4/4\nL:1/8\nK:C\n", number=1):
    return f"X:{number}\nT:Tune {number}\n{head}{music}"


def good(index):
    """One of many unrelated tunes of eight bars."""
    names = "CDEFGABc"
    bars = ("".join(names[(index * (j + 3) + k * (index % 5 + 1) + j * k) % 8] for k in range(8)) for j in range(8))
    return abc("|".join(bars) + "||\n", number=index)
