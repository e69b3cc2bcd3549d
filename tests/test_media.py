"""Scores: reading, drawing, ABC, MIDI, sound and measures, all against melodies written by hand."""

import collections
import itertools
import math
import os
import subprocess
import sys
import types
import wave
from typing import NamedTuple

import numpy as np
import pretty_midi
import pytest
from PIL import Image

from musegym.envs import Works, make_task
from musegym.envs.corpora.abc import read_abc
from musegym.envs.corpora.notation import NEW_REST, REST
from musegym.envs.media import pianoroll
from musegym.envs.media.audio import RATE, TAIL
from musegym.envs.media.notation import MODES, Key
from musegym.envs.media.score import Score
from musegym.envs.registry import BUILT_IN
from musegym.envs.window import GUTTER, SHEET, Window, tile

PITCHES = range(55, 90)
DURATIONS = (2, 3, 4, 6, 8, 9, 12, 18, 24, 36, 48, 60, 72, 96)
METRES = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8))
NAMES = ("major", "minor", "dorian", "mixolydian")
UPBEATS = (0, 6, 12, 24, 36)
ROWS = 36


class Melody(NamedTuple):
    content: np.ndarray  # int16 [36, 4]
    condition: np.ndarray  # int64 [4]


def score(reference=None):
    return Score(PITCHES, DURATIONS, METRES, NAMES, UPBEATS, reference=reference)


def melody(notes, metre="4/4", mode="major", upbeat=0, closing=0):
    """Notes are (MIDI pitch or None for a rest, ticks or 0 for undecided)."""
    content = np.zeros((ROWS, 4), np.int16)
    numerator, denominator = map(int, metre.split("/"))
    condition = METRES.index((numerator, denominator)), NAMES.index(mode), UPBEATS.index(upbeat), closing
    for row, (pitch, ticks) in enumerate(notes):
        content[row, 2] = 1 if pitch is None else PITCHES.index(pitch) + 2
        content[row, 3] = DURATIONS.index(ticks) + 1 if ticks else 0
    return Melody(content, np.array(condition))


def works(*melodies):
    return Works(*map(np.stack, zip(*melodies, strict=True)))


def random_melody(rng, metre, mode, upbeat):
    left = 4 * 96 * METRES[metre][0] // METRES[metre][1]
    notes = []
    while left and len(notes) < ROWS - 4:
        ticks = int(rng.choice([ticks for ticks in DURATIONS if ticks <= left] or [left]))
        if ticks not in DURATIONS:
            break
        notes.append((None if rng.random() < 0.1 else int(rng.choice(PITCHES)), ticks))
        left -= ticks
    return melody(notes, "/".join(map(str, METRES[metre])), NAMES[mode], UPBEATS[upbeat])


SCALE = [(60, 24), (62, 24), (64, 24), (65, 24), (67, 24), (69, 24), (71, 24), (72, 24)]  # half of four bars of 4/4


# --- reading -----------------------------------------------------------------------------------------------------


def test_phrase_reads_notes_in_order():
    phrase = score().phrase(*melody([(60, 24), (None, 12), (64, 0)], "6/8", "dorian", 12))
    assert phrase.notes == ((0, 24, 60), (24, 12, None), (36, 0, 64))
    assert (phrase.metre, phrase.key, phrase.upbeat, phrase.length) == ((6, 8), Key(0, "dorian"), 12, 288)
    assert (phrase.bar, phrase.beat, phrase.bar_lines, phrase.written) == (72, 36, [12, 84, 156, 228], 36)


@pytest.mark.parametrize(
    ("upto", "notes"),
    [(0, ()), (1, ((0, 0, 60),)), (2, ((0, 24, 60),)), (3, ((0, 24, 60), (24, 0, 62))), (99, None)],
)
def test_phrase_up_to_a_decision(upto, notes):
    content = melody(SCALE)
    assert score().phrase(*content, upto).notes == (score().phrase(*content).notes if notes is None else notes)


@pytest.mark.parametrize("shape", [(4,), (3, 3), (0, 4), (2, 3, 4)])
def test_wrong_shape_is_one_clear_line(shape):
    with pytest.raises(ValueError, match=r"a melody is an array of shape \(notes, 4\)") as caught:
        score().render(np.zeros(shape, np.int16), np.zeros(4, int))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("condition", [None, np.zeros(0, int), np.zeros(3, int)])
def test_metre_and_key_must_be_known(condition, tmp_path):
    content = melody(SCALE).content
    for use in (score().render, score().describe, score().caption, score().sound):
        with pytest.raises(ValueError, match=r"metre, mode, upbeat and phrase .*: pass condition=int \[4\]$") as caught:
            use(content, condition)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"pass condition=int \[4\]"):
        score().export(content, tmp_path / "one", condition)
    with pytest.raises(ValueError, match=r"pass conditions=int \[N, 4\]"):
        score().metrics(content[None], None if condition is None else condition[None])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["pitch", "duration", "metre"])
def test_indices_outside_the_tables_are_an_error(place):
    content, condition = melody(SCALE)
    if place == "metre":
        condition[0] = 9
    else:
        content[2, 2 if place == "pitch" else 3] = 99
    with pytest.raises(ValueError, match="outside the tables"):
        score().describe(content, condition)


def test_unknown_mode_is_an_error():
    with pytest.raises(ValueError, match=r"unknown modes \['blues'\]"):
        Score(PITCHES, DURATIONS, METRES, ("major", "blues"), UPBEATS)


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        ("major", (0, 2, 4, 5, 7, 9, 11)),
        ("minor", (0, 2, 3, 5, 7, 8, 10)),
        ("dorian", (0, 2, 3, 5, 7, 9, 10)),
        ("mixolydian", (0, 2, 4, 5, 7, 9, 10)),
        ("lydian", (0, 2, 4, 6, 7, 9, 11)),
        ("phrygian", (0, 1, 3, 5, 7, 8, 10)),
        ("locrian", (0, 1, 3, 5, 6, 8, 10)),
    ],
)
def test_scales(mode, steps):
    assert Key(0, mode).scale == steps
    assert Key(9, mode).scale == tuple((9 + step) % 12 for step in steps)


def test_every_key_spells_its_scale_with_seven_letters():
    for mode in MODES:
        for tonic in range(12):
            key = Key(tonic, mode)
            assert len({key.spell(60 + pitch).letter for pitch in key.scale}) == 7
            assert -5 <= key.signature <= 6


@pytest.mark.parametrize(
    ("mode", "pitch", "name"), [("major", 61, "C♯4"), ("minor", 63, "E♭4"), ("minor", 66, "F♯4"), ("major", 59, "B3")]
)
def test_spelling(mode, pitch, name):
    assert str(Key(0, mode).spell(pitch)) == name


# --- drawing -----------------------------------------------------------------------------------------------------


def centre(tick, pitch, length=384):
    """Pixel (row, column) in the middle of a pitch's lane."""
    frame = pianoroll.Frame((4, 4), Key(0, "major"), 0, length, False, 55, 89)
    return round(frame.y(pitch) + frame.lane / 2), round(frame.x(tick))


def close(pixel, colour):
    return np.abs(pixel.astype(int) - np.array(colour)).max() < 30


def test_render_draws_notes_where_and_in_the_colour_they_sound():
    picture = score().render(*melody(SCALE))
    assert (picture.shape, picture.dtype) == ((pianoroll.HEIGHT, pianoroll.WIDTH, 3), np.uint8)
    for index, (pitch, ticks) in enumerate(SCALE):
        degree = Key(0, "major").degree(pitch)
        assert close(picture[centre(24 * index + ticks / 2, pitch)], pianoroll.DEGREES[degree])
        assert not close(picture[centre(24 * index + ticks / 2, pitch + 3)], pianoroll.DEGREES[degree])


def test_render_keeps_its_size_and_changes_with_every_decision():
    content = melody(SCALE)
    pictures = [score().render(*content, upto) for upto in range(2 * len(SCALE) + 1)]
    assert len({picture.shape for picture in pictures}) == 1
    assert all((before != after).any() for before, after in itertools.pairwise(pictures))
    assert (pictures[3] == score().render(*melody([(60, 24), (62, 0)]))).all()


def test_render_leaves_a_pitch_without_duration_open():
    where = centre(6, 60)
    assert not close(score().render(*melody([(60, 0)]))[where], pianoroll.DEGREES[1])
    assert close(score().render(*melody([(60, 24)]))[where], pianoroll.DEGREES[1])


@pytest.mark.parametrize("content", [melody([]), melody([(None, 0)]), melody([(None, 96)] * 4), melody([(60, 2)] * 36)])
def test_render_draws_unusual_contents(content):
    assert score().render(*content).std() > 0


def test_drawing_needs_no_display_and_importing_no_pygame():
    code = """
import sys, numpy as np
from musegym.envs.media.score import Score
from musegym.envs.registry import BUILT_IN
from musegym.envs.window import GUTTER, SHEET, Window, tile
assert "pygame" not in sys.modules and "pretty_midi" not in sys.modules
score = Score([60], [96], [(4, 4)], ["major"], [0])
score.render(np.array([[0, 0, 2, 1]]), np.zeros(4, int))
import pygame
assert not pygame.display.get_init() and not pygame.mixer.get_init()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"PATH": ""})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.fixture
def alive(monkeypatch):
    """Returns a function that says how many fonts and surfaces of pygame's there are."""
    import pygame

    counts = collections.Counter()

    def counted(cls, name):
        class Counted(cls):
            def __init__(self, *arguments, **keywords):
                super().__init__(*arguments, **keywords)
                counts[name] += 1

            def __del__(self):
                counts[name] -= 1

        return Counted

    for module, name in ((pygame.font, "Font"), (pygame, "Surface")):
        monkeypatch.setattr(module, name, counted(getattr(module, name), name))
    return lambda: +counts


@pytest.mark.parametrize("id", [id for id, _ in BUILT_IN])
def test_nothing_of_pygame_outlives_a_picture(id, alive):
    import pygame

    task, pictures = make_task(id), []
    if id == "musegym/Melody-v0":  # no corpus: the melodies of this file
        task.medium = score()
        shown = [melody(SCALE), melody([(60, 0)])]
    else:
        state = task.initial(np.zeros(2, np.uint64))
        shown = list(zip(task.content(state), task.condition(state), strict=True))
    for end in (pygame.quit, pygame.font.quit, pygame.display.quit):
        pictures.append([task.medium.render(*work, upto) for work in shown for upto in (None, 0, 1)])
        assert not alive()
        end()
    assert all(np.array_equal(a, b) for later in pictures[1:] for a, b in zip(pictures[0], later, strict=True))


def test_threads_draw_what_the_process_drew():
    import concurrent.futures

    contents = [melody(SCALE, mode=mode) for mode in NAMES] * 2
    expected = [score().render(*content) for content in contents]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda content: score().render(*content), contents))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, expected, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_a_fork_draws_after_its_parent_did():
    code = """
import os, numpy as np, pygame
from musegym.envs.media.score import Score
score, work = Score([60], [96], [(4, 4)], ["major"], [0]), (np.array([[0, 0, 2, 1]]), np.zeros(4, int))
before = score.render(*work)
child = os.fork()
if not child:
    pygame.quit()
    os._exit(0 if (score.render(*work) == before).all() else 1)
assert os.waitpid(child, 0)[1] == 0
assert (score.render(*work) == before).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_window_opens_again_after_somebody_ended_pygame(monkeypatch, alive):
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    window, other = Window("one", 1000), Window("two", 1000)
    frames = [np.full((8, 8, 3), level, np.uint8) for level in (10, 200)]
    for end in (pygame.quit, pygame.display.quit, other.close):
        for frame in frames:
            window.show(frame)
            assert (pygame.surfarray.array3d(pygame.display.get_surface()) == frame).all()
        other.show(frames[0])
        assert not alive()
        end()
    window.show(frames[1])
    window.close()
    assert not pygame.display.get_init()


def test_frames_take_turns_at_their_rate(monkeypatch):
    slept = []
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    clock = types.SimpleNamespace(monotonic=lambda: 5.0 + sum(slept), sleep=slept.append)
    monkeypatch.setattr("musegym.envs.window.time", clock)
    window = Window("", 4)
    for _ in range(3):
        window.show(np.zeros((8, 8, 3), np.uint8))
    window.close()
    assert slept == pytest.approx([0.25, 0.25])


def test_tiles_stand_on_a_dark_sheet_with_gutters():
    frames = [np.full((4, 6, 3), 255, np.uint8)] * 5
    picture = tile(frames)
    white = (picture == 255).all(-1)
    assert white.sum() == 5 * 4 * 6
    assert picture[~white].max() < 80
    for edge in (picture[:GUTTER], picture[-GUTTER:], picture[:, :GUTTER], picture[:, -GUTTER:]):
        assert (edge == SHEET).all()
    rows = np.flatnonzero(white.any(1))
    assert (np.diff(rows)[np.diff(rows) > 1] == GUTTER + 1).all(), "a gutter between rows"


# --- text --------------------------------------------------------------------------------------------------------


def body(content):
    return score().describe(*content).splitlines()[-1]


def test_describe_writes_an_abc_header():
    text = score().describe(*melody(SCALE, "6/8", "dorian", 12, closing=1))
    assert text.splitlines()[:6] == [
        "X:1",
        "T:6/8 C dorian, upbeat 1/8, closing",
        "M:6/8",
        "L:1/8",
        "Q:3/8=100",
        "K:Cdor",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (melody([*SCALE, (84, 96), (55, 96)]), "C2 D2 E2 F2 | G2 A2 B2 c2 | c'8 | G,8 |]"),
        (melody([(67, 12), (72, 96)], "2/4", upbeat=12), "G | c4- | c4 % unfinished"),
        (melody([(60, 8), (62, 8), (64, 8), (65, 24)], "2/4"), "(3CDE F2 % unfinished"),
        (melody([(72, 60), (60, 36)]), "c4-cC3 % unfinished"),
        (melody([(60, 8), (62, 4), (None, 12)], "2/4"), "(3:2:2CD/2z % unfinished"),
        (melody([(66, 12), (78, 12), (65, 12), (65, 12)], "2/4"), "^F^f =F=F % unfinished"),
        (melody([(66, 48), (65, 48)], "2/4"), "^F4 | F4 % unfinished"),
        (melody([(63, 12), (64, 12), (63, 12)], "2/4", "minor"), "E=E _E % unfinished"),
        (melody([(60, 24), (64, 0)]), "C2 % unfinished, next E4"),
        (melody([(None, 0)]), "% unfinished, next rest"),
        (melody([]), "% unfinished"),
    ],
)
def test_describe_writes_notes(content, line):
    assert body(content) == line


def test_abc_reads_back_the_same():
    rng = np.random.default_rng(0)
    for index in range(150):
        content = random_melody(rng, index % 5, index % 4, index % len(UPBEATS))
        (tune,) = read_abc(score().describe(*content))
        phrase = score().phrase(*content)
        expected, last = [], 0
        for onset, ticks, pitch in phrase.notes:
            last = pitch if pitch is not None else REST if last >= 0 else NEW_REST
            expected.append((onset, ticks, last))
        # A rest across a bar line is two rests, the second of which is no new one.
        assert _join_rests(tune.notes.tolist()) == _join_rests(expected), score().describe(*content)
        assert {(bar.metre, bar.tonic, bar.mode) for bar in tune.bars} == {(phrase.metre, 0, phrase.key.mode)}


def _join_rests(notes):
    joined = []
    for onset, ticks, pitch in notes:
        if joined and pitch == REST and joined[-1][2] < 0:
            joined[-1] = (joined[-1][0], joined[-1][1] + ticks, joined[-1][2])
        else:
            joined.append((onset, ticks, pitch))
    return joined


def test_caption_names_the_last_decision():
    captions = [score().caption(*melody(notes)) for notes in ([], [(61, 0)], [(None, 0)], [(60, 18)])]
    assert captions == ["start", "C♯4", "rest", "3/16"]


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metre", "upbeat", "signatures", "quarter"),
    [
        ("4/4", 0, [(4, 4, 0.0)], 0.5),
        ("6/8", 12, [(1, 8, 0.0), (6, 8, 0.2)], 0.4),
        ("3/4", 36, [(3, 8, 0.0), (3, 4, 0.75)], 0.5),
        ("2/4", 6, [(1, 16, 0.0), (2, 4, 0.125)], 0.5),
    ],
)
def test_midi_reads_back_the_same(tmp_path, metre, upbeat, signatures, quarter):
    content = melody(
        [(67, 12), (67, 12), (None, 24), (74, 8), (74, 4), (73, 9), (60, 3), (89, 72)], metre, upbeat=upbeat
    )
    paths = score().export(content.content, tmp_path / "new" / "one.xyz", content.condition)
    assert [path.name for path in paths] == ["one.mid", "one.wav", "one.png", "one.abc"]
    midi = pretty_midi.PrettyMIDI(str(paths[0]))
    (voice,) = midi.instruments
    read = [
        (round(note.start / quarter * 24, 6), round((note.end - note.start) / quarter * 24, 6), note.pitch)
        for note in voice.notes
    ]
    assert read == [note for note in score().phrase(*content).notes if note.pitch is not None]
    assert midi.get_tempo_changes()[1] == pytest.approx([60 / quarter])
    changes = [(one.numerator, one.denominator, pytest.approx(one.time)) for one in midi.time_signature_changes]
    assert changes == signatures


@pytest.mark.parametrize(
    ("mode", "key"), [("major", "C Major"), ("minor", "C minor"), ("dorian", "Bb Major"), ("mixolydian", "F Major")]
)
def test_midi_names_the_key_signature(tmp_path, mode, key):
    content, condition = melody(SCALE, mode=mode)
    paths = score().export(content, tmp_path / "one", condition)
    (change,) = pretty_midi.PrettyMIDI(str(paths[0])).key_signature_changes
    assert pretty_midi.key_number_to_key_name(change.key_number) == key


def read_wav(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def test_exported_files_hold_picture_text_and_sound(tmp_path):
    content, condition = melody([*SCALE, *SCALE[::-1]])
    _, wav, png, abc = score().export(content, tmp_path / "one", condition)
    samples = read_wav(wav)
    assert len(samples) / RATE == pytest.approx(16 * 0.5 + TAIL, abs=1e-3)
    assert 0.2 < np.abs(samples).max() < 0.99
    assert np.sqrt(np.mean(samples**2)) > 0.03
    assert np.abs(samples[-10:]).max() < 0.01
    with Image.open(png) as image:
        assert (np.asarray(image.convert("RGB")) == score().render(content, condition)).all()
    assert abc.read_text(encoding="utf-8") == score().describe(content, condition)


@pytest.mark.parametrize("pitch", [55, 69, 89])
def test_a_note_sounds_at_its_frequency(tmp_path, pitch):
    content, condition = melody([(pitch, 96)])
    samples = read_wav(score().export(content, tmp_path / "one", condition)[1])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    frequency = np.argmax(spectrum) * RATE / len(samples)
    assert 12 * math.log2(frequency / (440 * 2 ** ((pitch - 69) / 12))) == pytest.approx(0, abs=0.1)


def test_sound_of_single_decisions():
    medium, content = score(), melody([(60, 24), (None, 12), (64, 48)])
    assert medium.sound(*content, 1, 2).seconds == 0.5  # the duration of the first note completes it
    assert medium.sound(*content, 2, 4).seconds == 0.25
    assert np.abs(medium.sound(*content, 2, 4).samples).max() == 0  # a rest
    assert medium.sound(*content).seconds == 1.75
    pending = medium.sound(*content, 4, 5)
    assert pending.seconds == 0
    assert np.abs(pending.samples).max() > 0.1
    assert len(medium.sound(*melody([])).samples) == 0


# --- measures ----------------------------------------------------------------------------------------------------


def measured(*melodies, reference=None):
    population = works(*melodies)
    return score(reference).metrics(population.contents, population.conditions)


def test_notes_in_key_depends_on_the_mode():
    notes = [(60, 24), (63, 24), (64, 24), (None, 24)]  # C, E flat, E
    assert measured(melody(notes))["notes_in_key"] == pytest.approx(2 / 3)
    assert measured(melody(notes, mode="minor"))["notes_in_key"] == pytest.approx(2 / 3)
    assert measured(melody(notes), melody([(63, 24)], mode="dorian"))["notes_in_key"] == pytest.approx(3 / 4)


def test_intervals():
    # intervals: 0, +2, (rest) +7, -1, +8, 0, +1
    notes = [(60, 12), (60, 12), (62, 12), (None, 12), (69, 12), (68, 12), (76, 12), (76, 12), (77, 12)]
    values = measured(melody(notes))
    assert values["notes_repeated"] == pytest.approx(2 / 7)
    assert values["steps"] == pytest.approx(3 / 5)  # +2, -1, +1 of +2 +7 -1 +8 +1
    assert values["mean_interval"] == pytest.approx((0 + 2 + 7 + 1 + 8 + 0 + 1) / 7)
    assert values["leaps_resolved"] == pytest.approx(1 / 2)  # +7 by -1; +8 goes on to +1
    assert values["pitch_range"] == 17
    assert values["notes_per_phrase"] == 8
    assert values["rest_share"] == pytest.approx(1 / 9)


def test_a_last_leap_is_not_counted():
    assert measured(melody([(60, 12), (72, 12)]))["leaps_resolved"] == 0
    assert measured(melody([(60, 12), (72, 12), (71, 12)]))["leaps_resolved"] == 1


def test_endings():
    home, away = [(62, 24), (72, 24), (None, 24)], [(60, 24), (62, 24)]
    values = measured(melody(home, closing=1), melody(away), melody(away, closing=1), melody([]))
    assert values["ends_on_tonic"] == 1 / 4
    assert values["closes_on_tonic"] == 1 / 2
    assert measured(melody(home))["closes_on_tonic"] == 0


def test_scale_of_each_mode():
    minor = works(melody([(75, 24), (76, 24), (72, 24)], mode="minor"))  # E flat is in C minor, E is not
    values = score().metrics(minor.contents, minor.conditions)
    assert (values["ends_on_tonic"], values["notes_in_key"]) == (1, pytest.approx(2 / 3))


def test_repeated_bars():
    one = [(60, 24), (62, 12), (64, 12)]  # a bar of 2/4
    higher = [(pitch + 5, ticks) for pitch, ticks in one]
    other = [(60, 24), (67, 12), (64, 12)]
    new = [(60, 12), (62, 12), (64, 24)]
    values = measured(melody([*one, *one, *higher, *other], "2/4"))
    assert values["bars_repeated"] == pytest.approx(1 / 3)
    assert values["contour_repeated"] == pytest.approx(2 / 3)
    assert values["rhythm_repeated"] == 1
    assert measured(melody([*one, *new, *other, *new], "2/4"))["rhythm_repeated"] == pytest.approx(2 / 3)


def test_repeated_bars_start_after_the_upbeat():
    one, upbeat = [(60, 24), (62, 12), (64, 12)], [(67, 12)]
    shifted = melody([*upbeat, *one, *one, *one, (60, 36)], "2/4", upbeat=12)  # the last bar is cut short
    assert measured(shifted)["bars_repeated"] == 1
    assert measured(shifted, melody([*one, *one], "2/4"))["bars_repeated"] == 1
    rests = [(None, 24), (62, 12), (64, 12)]
    assert measured(melody([*one, *rests], "2/4"))["rhythm_repeated"] == 0


def test_bars_of_different_metres_are_compared_within_their_melody():
    short, long = [(60, 24), (62, 24)], [(60, 72), (62, 36)]
    values = measured(melody(short * 4, "2/4"), melody([*long, *long, (60, 36), (62, 72), *long], "9/8"))
    assert values["bars_repeated"] == pytest.approx(5 / 6)


def test_pitch_class_entropy():
    two, one = melody([(60, 12), (72, 96), (62, 24), (62, 12)]), melody([(60, 24)])
    assert measured(two)["pitch_class_entropy"] == 1
    assert measured(two, one)["pitch_class_entropy"] == 0.5


def test_distances_to_real_melodies():
    real = works(melody([(60, 24), (62, 24), (60, 12), (62, 12)]))
    same = measured(melody([(62, 12), (72, 12), (74, 24), (60, 24)]), reference=lambda: real)
    assert same["pitch_class_distance"] == pytest.approx(0, abs=1e-7)
    assert same["duration_distance"] == pytest.approx(0, abs=1e-7)
    values = measured(melody([(60, 24), (60, 24), (60, 24), (62, 96)]), reference=lambda: real)
    # pitch classes (3/4, 1/4) and (1/2, 1/2); durations share only 24 ticks: 3/4 and 1/2
    assert values["pitch_class_distance"] == pytest.approx(math.sqrt(1 - math.sqrt(3 / 8) - math.sqrt(1 / 8)))
    assert values["duration_distance"] == pytest.approx(math.sqrt(1 - math.sqrt(3 / 8)))
    # intervals 0 0 +2 and +2 -2 +2; pairs CC CC CD and CD DC CD
    assert values["interval_distance"] == pytest.approx(math.sqrt(1 - math.sqrt(1 / 3 * 2 / 3)))
    assert values["transition_distance"] == pytest.approx(math.sqrt(1 - math.sqrt(1 / 3 * 2 / 3)))
    away = measured(melody([(61, 48), (66, 48), (66, 48)]), reference=lambda: real)
    assert {away[name] for name in values if name.endswith("distance")} == {1}


def test_the_reference_is_read_once_and_only_when_needed():
    calls = []

    def reference():
        calls.append(1)
        return scale

    scale = works(melody(SCALE))
    medium = score(reference)
    assert not calls
    for _ in range(2):
        medium.metrics(scale.contents, scale.conditions)
    assert len(calls) == 1
    assert "pitch_class_distance" not in measured(melody(SCALE))


def test_metrics_of_nothing_are_an_error():
    with pytest.raises(ValueError, match="non-empty array of shape"):
        score().metrics(np.zeros((0, 36, 4), np.int16), np.zeros((0, 4), int))
    with pytest.raises(ValueError, match="non-empty array of shape"):
        score().metrics(*melody(SCALE))


def test_metrics_of_empty_melodies_are_finite():
    values = measured(melody([]), reference=lambda: works(melody(SCALE)))
    assert {values.pop(name) for name in list(values) if name.endswith("distance")} == {1}
    assert set(values.values()) == {0}
