"""Whatever a user's file holds or is called: it is read, or skipped by name with its reason."""

import io
import itertools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from users_files import (
    PITCHES,
    TUNE,
    abc,
    chunk,
    good,
    key,
    melody,
    meta,
    metre,
    midi,
    note,
    tempo,
    text,
    track,
)

from musegym.envs import make_task
from musegym.envs.corpora import tunes
from musegym.envs.corpora.abc import read_abc
from musegym.envs.corpora.abc_fields import read_key
from musegym.envs.corpora.files import decode, printable
from musegym.envs.corpora.midi import read_midi
from musegym.envs.corpora.strains import cut
from musegym.envs.corpora.tunes import load_strains
from musegym.envs.media.audio import to_midi
from musegym.envs.media.notation import to_abc
from musegym.envs.melody import METRES, MODES, UPBEATS, MelodyTask, _cut
from musegym.envs.rltuner import RLTunerTask
from musegym.envs.rltuner import cut as cut_steps


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one good tune, and a cache of its own."""
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "own"
    own.mkdir()
    (own / "good.abc").write_text(abc())
    return own


def skipped(folder):
    """Files skipped of a folder whose good tune is read, however often it is asked."""
    first, cached = load_strains(folder), load_strains(folder)
    assert first.skipped == cached.skipped
    assert first.files == cached.files == len({s.source for s in first}) + len(first.skipped)
    assert "good.abc#1" in {strain.source for strain in first}
    return dict(first.skipped)


# --- finding files -----------------------------------------------------------------------------------------------


def test_a_pipe_is_not_opened(folder):
    os.mkfifo(folder / "pipe.mid")
    assert skipped(folder) == {"pipe.mid": "no regular file"}


def test_a_device_is_not_read(folder):
    (folder / "zeros.abc").symlink_to("/dev/zero")
    assert skipped(folder) == {"zeros.abc": "no regular file"}


def test_a_link_in_a_circle(folder):
    (folder / "circle.abc").symlink_to("circle.abc")
    (reason,) = skipped(folder).values()
    assert reason.startswith("cannot be read (")


def test_a_link_to_nothing(folder):
    (folder / "gone.mid").symlink_to("nowhere.mid")
    assert skipped(folder) == {"gone.mid": "cannot be read (No such file or directory)"}


def test_a_folder_in_a_circle(folder):
    (folder / "below").mkdir()
    (folder / "below" / "above").symlink_to(folder)
    assert skipped(folder) == {
        "below/above": "a link to a folder, which is not followed: name that folder itself",
    }


def test_a_folder_called_as_a_file(folder):
    (folder / "songs.mid").mkdir()
    (folder / "songs.mid" / "inner.abc").write_text(abc(number=2))
    assert skipped(folder) == {}
    assert {strain.source for strain in load_strains(folder)} == {"good.abc#1", "songs.mid/inner.abc#2"}


def test_a_folder_that_cannot_be_listed(folder, monkeypatch):
    (folder / "locked").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert skipped(folder) == {"locked": "a folder that cannot be read (Permission denied)"}


def test_a_file_that_cannot_be_opened(folder, monkeypatch):
    (folder / "locked.abc").write_text(abc())
    opened = Path.open

    def refuse(path, *args, **kwargs):
        if path.name == "locked.abc":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert skipped(folder) == {"locked.abc": "cannot be read (Permission denied)"}


@pytest.mark.parametrize(("name", "most"), [("giant.mid", 1), ("giant.abc", 16)])
def test_a_giant_file_is_not_read(folder, name, most):
    with (folder / name).open("wb") as file:
        file.truncate(5 << 30)  # a hole: it takes no space
    assert skipped(folder) == {name: f"larger than {most} MB"}


@pytest.mark.parametrize("name", ["a.abc", "a.mid"])
def test_an_empty_file(folder, name):
    (folder / name).write_bytes(b"")
    assert skipped(folder) == {name: "empty"}


@pytest.mark.parametrize("name", ["a.abc", "a.mid"])
def test_rubbish(folder, name):
    (folder / name).write_bytes(np.random.default_rng(0).bytes(20_000))
    ((_, reason),) = skipped(folder).items()
    assert re.match("no (ABC tune|MIDI file)", reason)


def test_an_undecodable_name(folder):
    for data in (b"nothing", abc(number=5).encode()):
        (folder / os.fsdecode(b"f\xfft.abc")).write_bytes(data)
        report = load_strains(folder)
        named = [name for name, _ in report.skipped] or [strain.source for strain in report]
        assert [name.partition("#")[0] for name in named if name != "good.abc#1"] == ["f\\xfft.abc"]
        json.dumps(named).encode()


def test_control_characters_in_a_name(folder):
    (folder / "a\n[b]\x1b.abc").write_text("nothing")
    assert [*skipped(folder)] == ["a\\x0a[b]\\x1b.abc"]


def test_printable():
    assert printable("Bär.abc") == "Bär.abc"
    assert printable("\ud800\udcff\u2028\x85") == "\\ud800\\xff\\u2028\\x85"


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), RecursionError("deep"), MemoryError(), KeyError(1)])
def test_a_fault_of_the_parser_costs_one_file(folder, monkeypatch, error):
    def fail(*args):
        raise error

    (folder / "odd.mid").write_bytes(b"MThd")
    monkeypatch.setattr(tunes, "read_midi", fail)
    assert skipped(folder) == {"odd.mid": f"cannot be parsed ({type(error).__name__}: {error})"}


def test_a_reason_is_one_short_line(folder, monkeypatch):
    def fail(*args):
        raise ValueError("a\n\x00" + "b" * 1000)

    (folder / "odd.mid").write_bytes(b"MThd")
    monkeypatch.setattr(tunes, "read_midi", fail)
    (reason,) = skipped(folder).values()
    assert reason.startswith("a \\x00bbb")
    assert len(reason) < 250


def test_capital_suffixes_are_read(folder):
    (folder / "LOUD.MID").write_bytes(midi(track(metre(4, 2), key(0), melody())))
    assert {strain.source for strain in load_strains(folder)} == {"good.abc#1", "LOUD.MID#1"}


def test_a_mended_file_is_read(folder):
    """A file that was skipped for its contents is read once it is mended, be it of the same length."""
    bad = folder / "bad.abc"
    bad.write_text(abc(number=2).replace("K:", "Q:"))
    stamp = bad.stat()
    assert [*skipped(folder)] == ["bad.abc"]
    bad.write_text(abc(number=2))
    os.utime(bad, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert skipped(folder) == {}


# --- MIDI --------------------------------------------------------------------------------------------------------


def strain_of(data):
    (strain,), left_out = cut(read_midi(data))
    assert not left_out
    return strain


def seen(strain):
    return strain.metre, strain.tonic, strain.mode, strain.upbeat, strain.notes.tolist()


PLAIN = midi(track(metre(4, 2), key(1), melody()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MThd\0\0\0\4" + bytes(10), "its header is too short"),
        (b"MThd", "it does not begin with a whole MThd header"),
        (midi(track(melody()), division=0), "its quarter note has no ticks"),
        (midi(track(melody()), division=0xE728), "frames of film"),
        (midi(track(melody()), kind=2), "format 2"),
        (PLAIN[:-20], "it ends inside track 1"),
        (midi(chunk(b"MTrk", melody() + b"\0\x90\x40")), "track 1 ends inside an event"),
        (midi(chunk(b"MTrk", melody() + b"\0\xff\x01\x60abc")), "track 1 ends inside an event"),
        (midi(chunk(b"MTrk", melody() + b"\0\xf0\x60abc")), "track 1 ends inside an event"),
        (midi(track(b"\0\x40\x40", melody())), "a data byte without a status in track 1"),
        (midi(track(melody(), tempo(500_000), b"\0\x40\x40")), "a data byte without a status in track 1"),
        (midi(track(melody()), track(b"\0\xf4", melody())), "status byte f4 in track 2"),
        (midi(track(b"\xff\xff\xff\xff\x7f\x90\x40\x40")), "a number of more than four bytes"),
        (midi(track(b"\0\xff\x01\xff\xff\xff\xff\x7f")), "a number of more than four bytes"),
        (midi(track(note(60, 24), note(62, 24, delta=9_000_000)), division=1), "whole notes, more than 10,000"),
        (midi(track(note(60, 24, delta=2**28 - 1))), "whole notes, more than 10,000"),
        (midi(track(*(note(60, 2**27) for _ in range(1000)))), "whole notes, more than 10,000"),
        (midi(track(tempo(1))), "no notes"),
        (midi(track(b"\0\x99\x24\x50\x10\x99\x24\0")), "no notes"),  # a drum
        (midi(track(b"\0\x90\x40\x50\0\x90\x40\0")), "no notes"),  # without length
        (midi(), "no notes"),
    ],
)
def test_a_damaged_midi_file_says_why(data, reason):
    with pytest.raises(ValueError, match=reason):
        read_midi(data)


def test_other_chunks_are_passed_over():
    data = PLAIN[:14] + chunk(b"XFIH", b"anything") + PLAIN[14:] + chunk(b"XFKM", b"") + b"rest"
    assert seen(strain_of(data)) == seen(strain_of(PLAIN))


def test_running_status_and_notes_ended_by_velocity_0():
    events = b"\0\x90" + b"\0".join(bytes([p, 80, 12, p, 0]) for p in 4 * (60, 62, 64, 65, 67, 65, 64, 62))
    assert seen(strain_of(midi(track(metre(4, 2), key(1), events)))) == seen(strain_of(PLAIN))


def test_a_note_without_an_end_lasts_to_the_end_of_its_track():
    data = midi(track(metre(4, 2), key(1), melody(3), b"\0\x90\x40\x50", meta(0x01, b"", 96)))
    assert strain_of(data).notes.tolist()[-1] == [64, 96]


def test_a_note_struck_a_hundred_thousand_times_is_one():
    strikes = b"\0\x90\x40\x50" * 100_000 + b"\0\x80\x40\0" * 100_000
    assert seen(strain_of(midi(track(metre(4, 2), key(1), strikes, b"\x0c\x80\x40\0", melody()))))[4][0] == [64, 12]


def test_hours_of_silence_are_no_phrase():
    data = midi(track(metre(4, 2), key(0), note(60, 1), note(62, 1, 850_000)), division=24)
    phrases, left_out = _cut(strain_of(data))
    assert phrases == []
    assert {*left_out} == {"phrase: a note lasts beyond its ends"}


def test_ten_thousand_metres():
    events = [metre(2 + i % 2, 2) + note(60, 24) for i in range(10_000)]
    assert len(read_midi(midi(track(*events)))[0].bars) == 10_000


@pytest.mark.parametrize("odd", [metre(0, 2), metre(4, 200), metre(5, 6)])
def test_a_metre_that_is_none_leaves_the_strain_out(odd):
    assert cut(read_midi(midi(track(odd, melody()))))[1] == {"strain: free metre": 1}


@pytest.mark.parametrize("odd", [key(99), key(0, 7), meta(0x59, b"\1"), meta(0x58, b"\4")])
def test_a_signature_that_is_none_is_passed_over(odd):
    assert seen(strain_of(midi(track(odd, melody())))) == seen(strain_of(midi(track(melody()))))


def test_signatures_and_tempo_are_read_from_any_track():
    tune = melody()
    for signature in ((metre(3, 2), key(-3, 1)), (key(2), metre(6, 3)), (metre(4, 2), key(-1))):
        one = midi(track(*signature, tempo(400_000), tune))
        for tracks in (
            (track(*signature, tempo(400_000)), track(tune)),
            (track(tempo(400_000)), track(*signature, tune)),
            (track(tune), track(*signature), track(tempo(400_000))),
            (track(signature[0], tune), track(tempo(400_000), signature[1])),
        ):
            assert seen(strain_of(midi(*tracks))) == seen(strain_of(one))


@pytest.mark.parametrize("gate", [1, 0.999, 0.98, 0.95, 0.9, 0.85, 0.81])
@pytest.mark.parametrize("last", [(12, 12, 12, 12), (24, 24), (48,), (36, 12), (12, 36), (16, 16, 16), (42, 6)])
def test_notes_played_shorter_than_written_are_read_as_written(gate, last):
    """Many programs write ends before the next beginnings; the last note is as long as it was written as well."""
    written = [(pitch, 12) for pitch in (*7 * PITCHES, 60, 62, 64, 65)] + [(67 - i, n) for i, n in enumerate(last)]
    events, rest = b"", 0
    for pitch, ticks in written:
        sounding = round(20 * ticks * gate)
        events += note(pitch, sounding, rest)
        rest = 20 * ticks - sounding
    strain = strain_of(midi(track(metre(4, 2), key(0), events), division=480))
    assert strain.notes.tolist() == [[pitch, ticks] for pitch, ticks in written]


def test_a_tempo_on_a_late_track_moves_no_note():
    slow = track(
        tempo(500_000), meta(0x51, (900_001).to_bytes(3, "big"), 40), meta(0x51, (123_457).to_bytes(3, "big"), 7)
    )
    data = midi(track(metre(4, 2), key(1), melody()), slow)
    assert seen(strain_of(data)) == seen(strain_of(PLAIN))


def test_the_melodys_own_signature_counts_before_those_of_other_tracks():
    other = track(key(5), note(72, 12), note(40, 100), note(41, 100, 12))
    assert strain_of(midi(track(key(3)), track(key(1), melody()), other)).tonic == 7


def test_a_key_that_changes_is_told():
    assert cut(read_midi(midi(track(metre(4, 2), key(0), melody(2), key(1), melody(2)))))[1] == {
        "strain: key changes": 1
    }


@pytest.mark.parametrize(
    ("head", "upbeat"),
    [
        (metre(1, 2) + note(67, 24) + metre(4, 2), 24),
        (metre(1, 3) + note(67, 12) + metre(4, 2), 12),
        (metre(3, 3) + note(67, 36) + metre(4, 2), 36),
        (metre(4, 2) + note(67, 24) + metre(3, 2), 24),  # the metre of nobody's choice until the first bar line
        (metre(4, 2), 0),
    ],
)
def test_a_first_metre_shorter_than_the_second_is_an_upbeat(head, upbeat):
    assert strain_of(midi(track(head, key(0), melody(3, 12, (60, 62, 64, 65, 67, 69))))).upbeat == upbeat


def test_a_metre_that_changes_later_is_told():
    assert cut(read_midi(midi(track(metre(3, 2), melody(6), metre(4, 2), melody()))))[1] == {"strain: metre changes": 1}


# --- ABC ---------------------------------------------------------------------------------------------------------

NOTES = [pitch for _, _, pitch in read_abc(abc())[0].notes.tolist()]


def read(data):
    (tune,) = read_abc(data if isinstance(data, str) else decode(data))
    return tune


def same_music(data):
    tune = read(data)
    return tune.problem == "" and [pitch for _, _, pitch in tune.notes.tolist()] == NOTES


FIRST, SECOND = TUNE[: TUNE.index("EG")] + "\n", TUNE[TUNE.index("EG") :]


@pytest.mark.parametrize(
    "between",
    [
        "w:la la\n+:a bag, a face\n",
        "w:la la\n% a remark\n+:a bag\n+:a cab\n",
        "w:a bad \\\na faded cabbage\nw:a\n",
        "W:a bad \\\n% a remark\\\na faded \\\ncabbage\n",
        "w:| a bad | cab\n",
        "w::a bad\n",
        "s:|!f! a bad\n",
        "  w: a bad cab\n",
        "\tN:a bad cab\n",
        "%%begintext\nA faded face\n\nX:9\nK:C\na cabbage\n%%endtext\n",
        "%%beginps\n1 0 bad\n%%endps\n%%begintext\na cab\n%%endtext\n",
        "%%begintext justify\n%%begintext\nbad\n%%endtext\n",
        "%%text a bad cab\n%%center cab\n",
        "% a bad cab\n",
        "w:que la vie\u0085 cadeau de f\xe9e\n".encode("latin-1").decode("latin-1"),
        "w:a bad\u2028cab\u2029bag\n",
        "w:a bad\x0bcab\x0cbag\x1cface\n",
        '"^a bad | cab"',
        '"^a \\"bad\\" cab"',
        "\u201c^a bad | cab\u201d",
        "\u201ea bad\u201c",
        "<br>",
        "</pre><BR />",
        "!D.C. al fine!",
        "[r:a bad cab]",
        "{c" + "d" * 500 + "}",
    ],
)
def test_text_is_no_music(between):
    assert same_music(abc(FIRST + between + SECOND))
    for coded in (codec for codec in ("utf-8-sig", "utf-16") if "\x85" not in between):
        assert same_music(abc(FIRST + between + SECOND).encode(coded))


def test_bytes_of_windows_are_no_line_ends():
    """0x85 is an ellipsis there, and the next line of an old mainframe in Latin-1."""
    assert same_music(abc(FIRST + "w:la vie\u2026 a bad f\xe9e\n" + SECOND).encode("cp1252"))


@pytest.mark.parametrize("end", ["\r\n", "\r\r\n", "\r", "\u2028", "\x0b", "\u0085"])
def test_any_line_separator(end):
    assert same_music(abc(FIRST + "w:a bad cab\n" + SECOND).replace("\n", end))


def test_line_ends_may_be_mixed():
    first, second = read_abc("\r\n" + abc().replace("\n", "\r\n") + "\n" + abc(number=2).replace("\n", "\r"))
    assert [first.notes[:, 2].tolist(), second.notes[:, 2].tolist()] == [NOTES, NOTES]


@pytest.mark.parametrize(("sign", "plain"), [("F\u266fm", "F#m"), ("B\u266d", "Bb"), ("E\u266d Dor", "Ebdor")])
def test_keys_may_be_written_with_music_signs(sign, plain):
    assert read_key(sign) == read_key(plain)


def test_fields_may_be_indented():
    assert same_music("\n".join("  " + line for line in abc().splitlines()))


@pytest.mark.parametrize(
    "head",
    [
        "%abc-2.1\nM:3/4\nL:1/16\n\n",
        "\n\n%abc-2.1\n%%pagewidth 21cm\nO:a bad cab\nL:1/16\nM:3/4\nR:a\n\na bad cab\nM:9/8\n\n",
        "M:3/4\nL:1/16\n",
    ],
)
def test_a_file_header_holds_for_every_tune(head):
    one, two = (f"X:{i}\nK:G\n" for i in (1, 2))
    own = "X:3\nM:2/4\nL:1/4\nK:C\n"
    first, second, third = read_abc(head + "\n".join(start + "c4 d4 e4|f4\n" for start in (one, two, own)))
    for tune in (first, second):
        assert tune.notes[:, 1].tolist() == [24, 24, 24, 24]
        assert tune.bars[0].metre == (3, 4)
    assert third.bars[0].metre == (2, 4)
    assert third.notes[0, 1] == 96


def test_a_file_header_is_not_a_text_before_tunes():
    (tune,) = read_abc("M:3/4\n\nA letter\nL:1/2\nM:9/8\n\nX:1\nK:C\nc2|d2")
    assert tune.bars[0].metre == (3, 4)
    assert tune.notes[0, 1] == 24


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("M:x\n\n" + abc(head="K:C\n"), "unreadable metre 'x'"),
        (abc(FIRST + "%%begintext\na bad cab\n" + SECOND), "a text that begins with %%begintext and has no end"),
        (abc(FIRST + '"a bad cab\n' + SECOND), "a text without its closing quote"),
        (abc(TUNE + "[CE\n"), "a chord without its end"),
        (abc(FIRST + "^/C" + SECOND), "quarter tones"),
        (abc(FIRST + "_3/2d" + SECOND), "quarter tones"),
        (abc("C" + "9" * 5000), "a number of 5000 digits"),
        (abc(FIRST + "C" + "/" * 100_000), "a note length with 100000 slashes"),
        (abc(FIRST + "C/" + "9" * 5000), "a number of 5000 digits"),
        (abc(FIRST + "Z" + "9" * 5000), "a number of 5000 digits"),
        (abc(FIRST + "(3:" + "9" * 5000 + "CDE"), "a number of 5000 digits"),
        (abc(FIRST + "(3:2:" + "9" * 5000 + "CDE"), "a number of 5000 digits"),
        (abc(FIRST + "[CE]" + "9" * 5000), "a number of 5000 digits"),
        (abc(FIRST + "C" + ">" * 100_000 + "D"), "a rhythm broken by 100000 signs"),
        (abc(FIRST + "C" + "> " * 100_000 + "D"), "a rhythm broken twice between two notes"),
        (abc(FIRST + "C" + "," * 100_000), "a note 100000 octaves away"),
        (abc(FIRST + "C,,,,,,"), "a note 6 octaves away"),  # -12, where -1 is a rest
        (abc(FIRST + "[Cc''''''']"), "a note 7 octaves away"),
        (abc(head="L:1/" + "9" * 5000 + "\nK:C\n"), "unreadable unit note length '1/" + "9" * 38 + "...'"),
        (abc(head="M:" + "a" * 5000 + "\nK:C\n"), "unreadable metre '" + "a" * 40 + "...'"),
        (abc(FIRST + "[K:" + "H" * 500 + "]"), "unreadable key '" + "H" * 40 + "...'"),
        (
            abc("Z999 " * 100_000, "M:1/999\nK:C\n"),
            "a tune of more than 100,000 notes, or 10,000 measures or whole notes",
        ),
        (abc("c8000|" * 5000), "a tune of more than 100,000 notes, or 10,000 measures or whole notes"),
        (abc("c" * 150_000), "a tune of more than 100,000 notes, or 10,000 measures or whole notes"),
        (
            abc("".join(f"c/{n}" for n in range(101, 20_000, 2))),
            "lengths that add up to no 1,000,000th of a tick",
        ),
    ],
)
def test_a_tune_that_cannot_be_read_says_why(data, problem):
    """So much for the tune; the next one in the file is read."""
    bad, fine = read_abc(data + "\n\n" + abc(number=2))
    assert bad.problem == problem
    assert fine.notes[:, 2].tolist() == NOTES


@pytest.mark.parametrize(
    "line",
    [
        "+"
        + "A11" * 50_000
        + "!",  # each number can be split in three ways: 3 to the power of 50,000 in a naive pattern
        "[" * 100_000,
        "[A:" * 50_000,
        "[c|" * 50_000,
        "{" * 100_000,
        "{c" * 50_000 + '"',
        '"' + "{" * 100_000 + '"',
        "!" * 99_999,
        "+" * 100_000,
        ":" * 100_000,
        "H " * 50_000,
        "(" * 100_000,
        "[c\n" * 50_000,
        "[c" + "\nd" * 50_000,
        "|" + " " * 100_000,
    ],
)
def test_no_line_takes_more_than_its_length(line):
    """A naive pattern takes minutes for these, or never ends."""
    bad, fine = read_abc(abc(FIRST + line + "\n" + SECOND) + "\n" + abc(number=2))
    assert fine.notes[:, 2].tolist() == NOTES
    assert len(bad.notes) >= len(NOTES) // 2


def test_a_tune_without_its_number_is_read():
    bare = abc().replace("X:1\n", "")
    found = read_abc("L:1/16\n\n" + bare + "\nK:G\na bad cab\n\n" + abc() + "\n" + bare)
    assert [tune.number for tune in found] == [1, 1, 3]
    for tune in found:
        assert tune.notes[:, 1:].tolist() == [[12, pitch] for pitch in NOTES]


def test_a_byte_order_mark_is_no_character():
    mark = "\ufeff"
    first, second = read_abc(decode((mark + abc() + mark + abc(number=2)).encode()))
    assert first.notes[:, 2].tolist() == second.notes[:, 2].tolist() == NOTES
    assert read_abc(decode(mark.encode() + abc("w:\xe9\n" + TUNE).encode("latin-1")))[0].number == 1


def test_an_escaped_percent_sign_begins_no_comment():
    assert same_music(abc('"^50\\% a bad cab"' + TUNE))
    assert same_music(abc(TUNE.strip() + '% "a bad cab\n'))


def test_a_chord_may_be_broken_at_the_end_of_a_long_line():
    assert read(abc("CDEF GABc|" * 40 + "[CE\nc]8||")).notes[-1].tolist() == [40 * 96, 96, 72]


def test_text_without_tunes_takes_no_more_than_its_length():
    with pytest.raises(ValueError, match="no ABC tune found"):
        read_abc("K:C\n" * 100_000)


def test_a_reference_number_need_not_be_one():
    for number_ in ("²", "9" * 5000, "one", "-1", ""):
        assert same_music(abc().replace("X:1", f"X:{number_}"))


# --- exports -----------------------------------------------------------------------------------------------------

STYLES = np.array([*itertools.product(range(len(METRES)), range(len(MODES)), range(len(UPBEATS)), (0, 1))], np.int16)


def build(task, condition, seed):
    """Random works, one for each condition."""
    rng, state = np.random.default_rng(seed), task.initial(np.zeros(len(condition), np.uint64), condition)
    for _ in range(task.horizon):
        mask = task.action_mask(state)
        state, _ = task.step(state, (rng.random(mask.shape) * mask).argmax(1))
    return list(zip(task.content(state), condition, strict=True))


def midi_bytes(phrase):
    file = io.BytesIO()
    to_midi(phrase).write(file)
    return file.getvalue()


def back(found):
    """The phrases that tunes give."""
    strains, left_out = cut(found)
    assert not left_out
    return [phrase for strain in strains for phrase in _cut(strain)[0]]


def assert_read(found, content, condition, message=""):
    """A file is a strain of its own, and its phrase closes it."""
    np.testing.assert_array_equal(found.content, content, message)
    assert found.condition.tolist() == [*condition[:3], 1], message


@pytest.fixture(scope="module")
def task():
    return MelodyTask()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("column", range(len(METRES)))
def test_exports_of_every_style_are_read_back(task, seed, column):
    condition = STYLES[STYLES[:, 0] == column]
    for work in build(task, condition, seed):
        phrase = task.medium.phrase(*work)
        for tunes_ in (read_midi(midi_bytes(phrase)), read_abc(to_abc(phrase))):
            (found,) = back(tunes_)
            assert_read(found, *work, phrase.title)


@pytest.mark.parametrize("every", [25, pytest.param(1, marks=pytest.mark.slow)])
def test_exports_of_real_works_are_read_back(task, every):
    works = task.works("test").take(slice(None, None, every))
    for work in zip(works.contents, works.conditions, strict=True):
        phrase = task.medium.phrase(*work)
        for tunes_ in (read_midi(midi_bytes(phrase)), read_abc(to_abc(phrase))):
            (found,) = back(tunes_)
            assert_read(found, *work, phrase.title)


def written(task, rows, condition):
    """The content of notes (pitch, duration), as indices of the tables."""
    state = task.initial(np.zeros(1, np.uint64), np.array([condition]))
    for pitch, duration in rows:
        task.step(state, np.array([pitch - 1]))
        _, done = task.step(state, np.array([duration + 35]))
    assert done.all()
    return task.content(state)[0]


@pytest.mark.parametrize(
    ("rows", "condition"),
    [
        ([(1, 14), (7, 14), (9, 14), (1, 14)], (2, 0, 0, 1)),  # the first and the last bar are silent
        (
            [(1, 9), (1, 10), (7, 14), (9, 14), (9, 11), (7, 9), (7, 7), (9, 11)],
            (2, 2, 3, 1),
        ),  # rests in a row, a silent upbeat
        ([(7, 14), (1, 7), (7, 14), (1, 9), (7, 14), (1, 9), (7, 7), (1, 9)], (2, 3, 2, 1)),  # rests hardly heard
    ],
)
def test_rests_are_read_back(task, rows, condition):
    content = written(task, rows, condition)
    phrase = task.medium.phrase(content, condition)
    for tunes_ in (read_midi(midi_bytes(phrase)), read_abc(to_abc(phrase))):
        (found,) = back(tunes_)
        assert_read(found, content, condition)


@pytest.mark.parametrize("music", ["z4 z4|z8|c8|d8|", "z y z3 z4|z8|c8|d8|"])
def test_other_rests_in_a_row_are_one(music):
    (strain,), _ = cut(read_abc(abc(music)))
    assert strain.notes.tolist()[-3:] == [[-1, 180 if "y" in music else 192], [72, 96], [74, 96]]


def test_exports_of_earlier_versions_are_read(task):
    """They have no text event: their modes are those of key signatures, their pickups short bars."""
    for work in build(task, STYLES[(STYLES[:, 1] == 0) & (STYLES[:, 2] > 0)], 1):
        phrase = task.medium.phrase(*work)
        if phrase.notes[0].pitch is None or phrase.notes[-1].pitch is None:
            continue
        file, written = io.BytesIO(), to_midi(phrase)
        written.text_events.clear()
        written.write(file)
        (strain,) = cut(read_midi(file.getvalue()))[0]
        assert (strain.metre, strain.tonic, strain.mode, strain.upbeat) == (phrase.metre, 0, "major", phrase.upbeat)


@pytest.mark.parametrize(
    "words", ["musegym: H dorian, 384 ticks", "musegym: D dorian, 99999999999999 ticks", "musegym"]
)
def test_a_text_that_is_not_ours_says_nothing(words):
    assert seen(strain_of(midi(track(metre(4, 2), key(1), text(words), melody())))) == seen(strain_of(PLAIN))


def test_a_text_of_ours_that_is_wrong_is_told_or_harmless():
    with pytest.raises(ValueError, match="unreadable key"):
        read_midi(midi(track(text("musegym: C odd, 384 ticks"), melody())))
    short, long = (midi(track(text(f"musegym: C dorian, {n} ticks"), melody())) for n in (1, 9_999_999))
    assert strain_of(short).notes[:, 1].sum() == 384
    assert strain_of(long).notes[:, 1].sum() == 960_000


def test_exports_of_steps_are_read_back():
    """Up to the octave: the task puts each tune where it fits best."""
    steps = RLTunerTask()
    for content in steps.corpus("test")[::25]:
        phrase = steps.medium.phrase(content)
        for tunes_ in (read_midi(midi_bytes(phrase)), read_abc(to_abc(phrase))):
            (strain,), _ = cut(tunes_)
            (read,), _ = cut_steps(strain)
            found = steps.medium.phrase(read.content)
            shifts = {b.pitch - a.pitch for a, b in zip(phrase.notes, found.notes, strict=True) if a.pitch}
            assert len(shifts) == 1
            assert shifts <= {-24, -12, 0, 12, 24}
            assert [n[:2] for n in found.notes] == [n[:2] for n in phrase.notes]


def test_a_folder_of_exports_is_a_corpus(task, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    works = build(task, STYLES[::10], 7)
    for index, work in enumerate(works):
        phrase = task.medium.phrase(*work)
        if index % 2:
            (tmp_path / f"{index}.mid").write_bytes(midi_bytes(phrase))
        else:
            (tmp_path / f"{index}.abc").write_text(to_abc(phrase), encoding="utf-8")
    own = MelodyTask(corpus=str(tmp_path))
    found = [own.works(split) for split in ("train", "validation", "test")]
    read = [work for part in found for work in zip(part.contents, part.conditions.tolist(), strict=True)]
    expected = {(content.tobytes(), (*condition[:3].tolist(), 1)) for content, condition in works}
    assert {(content.tobytes(), tuple(condition)) for content, condition in read} == expected
    report = own.corpus_report()
    assert (report.files, report.read, report.total) == (len(works), len(works), len(works))
    assert not report.left_out


# --- corpora -----------------------------------------------------------------------------------------------------


def test_a_tune_book_is_a_corpus(folder, monkeypatch):
    book = folder / "book.abc"
    book.write_text("\n".join(good(i) for i in range(30)))
    monkeypatch.chdir(folder)
    task = make_task("musegym/Melody-v0", corpus="book.abc")
    assert task.kwargs()["corpus"] == str(book)
    monkeypatch.chdir("/")
    report = task.corpus_report()
    assert (report.files, report.read, report.skipped) == (1, 1, ())
    assert report.total == sum(len(task.corpus(split)) for split in report.works) == 60
    assert MelodyTask(**task.kwargs()).corpus_report() == report


@pytest.mark.parametrize("made", [MelodyTask, RLTunerTask])
@pytest.mark.parametrize(
    ("corpus", "error", "why"),
    [
        ("", ValueError, "corpus is empty"),
        (5, TypeError, "corpus must be the path of a folder or a file, not 5"),
        ([1], TypeError, r"not \[1\]"),
        (True, TypeError, "not True"),
    ],
)
def test_what_is_no_path_is_refused(made, corpus, error, why):
    with pytest.raises(error, match=why):
        made(corpus=corpus)


@pytest.mark.parametrize("corpus", ["~nobody-of-this-name/tunes", Path("~nobody-of-this-name")])
def test_a_home_that_is_not_there(corpus):
    with pytest.raises(ValueError, match=r"^corpus ~nobody.* is nowhere to be found \(.*\): give its whole path$"):
        MelodyTask(corpus=corpus)


def test_a_current_folder_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(ValueError, match=r"^corpus tunes is nowhere to be found"):
        MelodyTask(corpus="tunes")
    monkeypatch.chdir("/")


@pytest.mark.parametrize("corpus", ["a\0b", "\ud800", "x" * 5000, "/dev/null"])
def test_paths_that_cannot_be(corpus):
    task = MelodyTask(corpus=corpus)
    with pytest.raises(ValueError, match=r"^there is no folder or file|is no folder, and no file that ends in") as told:
        task.corpus("train")
    assert "\n" not in str(told.value)
    str(told.value).encode()


def test_too_few_works_say_how_many_there_are_and_how_many_it_takes(folder):
    for i in range(40):  # the same tune under other numbers
        (folder / f"{i}.abc").write_text(abc(number=i))
    task = MelodyTask(corpus=str(folder))
    why = (
        r"own holds 41 phrases of 4 bars, of 1 unrelated tune, too few to be split: it takes at least 3 unrelated tunes"
    )
    with pytest.raises(ValueError, match=why):
        task.corpus("train")
    assert sum(task.corpus_report().works.values()) == 41


def test_three_unrelated_tunes_are_enough_whatever_else_is_there(folder, caplog):
    for i in range(2):
        (folder / f"{i}.abc").write_text(good(i))
    for i in range(40):  # which would fill two parts, but give no phrase
        (folder / f"odd-{i}.abc").write_text(good(i).replace("M:4/4", "M:5/4").replace("L:1/8", "L:5/32"))
    task = MelodyTask(corpus=str(folder))
    counts = [len(task.corpus(split)) for split in ("train", "validation", "test")]
    assert sorted(counts) == [1, 2, 2]
    assert not {*task.works("train").groups} & {*task.works("test").groups}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "own: its 5 works are few: an agent soon knows fewer than 100 by heart" in caplog.text


def test_enough_works_are_no_cause_for_a_warning(folder, caplog):
    rng = np.random.default_rng(0)
    for i in range(101):
        music = "|".join("".join("CDEFGABc"[k] for k in rng.integers(0, 8, 8)) for _ in range(4))
        (folder / f"{i}.abc").write_text(abc(music + "||\n", number=i))
    MelodyTask(corpus=str(folder)).corpus("train")
    assert not caplog.records


def test_skipped_files_are_named_once_when_works_are_used(folder, caplog):
    for i in range(101):
        (folder / f"{i}.abc").write_text(good(i))
    for i in range(5):
        (folder / f"bad-{i}.mid").write_bytes(b"bad")
    task = MelodyTask(corpus=str(folder))
    task.corpus_report()
    assert not caplog.records
    for split in ("train", "test"):
        task.corpus(split)
    (record,) = caplog.records
    said = record.getMessage()
    assert "own: 5 of 107 files were skipped (bad-0.mid: no MIDI file: it does not begin with" in said
    assert said.endswith("; and 2 more)")


COMMON = "M:4/4\nL:1/8\nK:C\n"


@pytest.mark.parametrize(
    ("made", "music", "head", "why"),
    [
        (MelodyTask, "c5 d5|" * 4, "M:5/4\nL:1/8\nK:C\n", "metre 5/4, not one of 2/4, 3/4, 4/4, 6/8, 9/8, 2/2"),
        (MelodyTask, TUNE, "M:4/4\nL:1/8\nK:Clyd\n", "mode lydian, not one of major, minor, dorian, mixolydian"),
        (MelodyTask, "c/4|" + TUNE, COMMON, "an upbeat of 3 ticks, not one of 0, 6, 12, 24, 36"),
        (MelodyTask, "c8|d8|", COMMON, "shorter than 4 bars"),
        (MelodyTask, "c8|d8|e8|c7c-|c8|d8|e8|c8|", COMMON, "a note lasts beyond its ends"),
        (MelodyTask, "c8-|c8-|c8-|c8|", COMMON, "fewer than 2 notes or more than 36"),
        (MelodyTask, "c7d|" * 4, COMMON, "a duration that no action writes"),
        (MelodyTask, "c'''8|d8|e8|f8|", COMMON, "a pitch that no action writes"),
        (MelodyTask, TUNE, "M:none\nL:1/8\nK:C\n", "free metre"),
        (RLTunerTask, "c5 d|" * 4, "M:3/4\nL:1/8\nK:C\n", "metre 3/4, not one of 4/4, 2/2, 2/4"),
        (RLTunerTask, TUNE, "M:4/4\nL:1/8\nK:Cm\n", "mode minor, not major"),
        (RLTunerTask, "(3cde(3cde(3cde(3cde|" * 2, COMMON, "a note off the sixteenths"),
        (RLTunerTask, "C,,8 |c''8|", COMMON, "out of range"),
        (RLTunerTask, "c8-|c8|", COMMON, "fewer than 2 notes"),
        (RLTunerTask, "c8|d8-|d8|e8|", COMMON, "a note begins before it"),
        (RLTunerTask, "c4|d4|", "M:2/4\nL:1/8\nK:C\n", "shorter than 32 sixteenths"),
    ],
)
def test_what_gives_no_work_is_told(folder, made, music, head, why):
    (folder / "good.abc").write_text(abc(music, head))
    task = made(corpus=str(folder))
    assert any(why in reason for reason in task.corpus_report().left_out)
    with pytest.raises(ValueError, match=re.escape(why)):
        task.corpus("train")


def test_a_repeated_phrase_is_counted(folder):
    (folder / "good.abc").write_text(abc(2 * TUNE))
    report = MelodyTask(corpus=str(folder)).corpus_report()
    assert (report.total, report.left_out) == (1, {"repeated within its tune": 1})


@pytest.mark.parametrize("id", ["musegym/Density-v0", "musegym/Digit-v0", "musegym/Melody-v0"])
def test_every_id_has_a_report(id):
    task = make_task(id)
    report = task.corpus_report()
    assert report.works == {split: len(task.corpus(split)) for split in ("train", "validation", "test")}
    assert report.files == report.read
    assert report.summary().startswith(f"{report.total:,} works ({report.works['train']:,} train, ")


def test_a_model_finds_its_corpus_from_any_folder(folder, monkeypatch):
    from musegym.agents import make_sb3_env

    for i in range(30):
        (folder / f"{i}.abc").write_text(good(i))
    monkeypatch.chdir(folder.parent)
    env = make_sb3_env("musegym/Melody-v0", num_envs=2, discriminator="none", corpus="own", style="4/4")
    assert env.env_kwargs == {"discriminator": "none", "corpus": str(folder), "style": "4/4"}
