"""Chorales: scores and MIDI files read, cut and split; phrases composed, shown, heard, measured and read again."""

import io
import zipfile
from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from real_works import present

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import chorale as domain
from musegym.envs.checks import check_task
from musegym.envs.chorale import END, HOLD, TONICS, VALUES, ChoraleTask, encode
from musegym.envs.corpora import sources
from musegym.envs.corpora.chorales import STEPS, cut, families, load_phrases
from musegym.envs.corpora.musicxml import Measure, Note, places, read_musicxml
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.corpora.voices import Piece, read_piece
from musegym.envs.media import pianoroll
from musegym.envs.media.bachormock import FEATURES, Grader, histograms
from musegym.envs.media.choir import REST, to_c
from musegym.envs.media.notation import Key
from musegym.envs.media.voiceleading import RANGES, Voicing, crossed, kept, moving_pairs, out_of_range, wide
from musegym.envs.task import SPLITS
from musegym.play.builder import Builder

pytestmark = pytest.mark.usefixtures("own_cache")

NAMES = ("Soprano", "Alto", "Tenor", "Bass")
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def note(pitch, duration, extra="", notations=""):
    """The MusicXML of a note, a rest where the pitch is None; C# and its like are written as sharps."""
    if pitch is None:
        head = "<rest/>"
    else:
        step, alter = "CCDDEFFGGAAB"[pitch % 12], int(pitch % 12 in (1, 3, 6, 8, 10))
        head = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{pitch // 12 - 1}</octave></pitch>"
    notations = f"<notations>{notations}</notations>" if notations else ""
    return f"<note>{extra}{head}<duration>{duration}</duration>{notations}</note>"


FERMATA = "<fermata/>"


def attributes(beats=4, unit=4, fifths=0, divisions=2):
    return (
        f"<attributes><divisions>{divisions}</divisions><key><fifths>{fifths}</fifths></key>"
        f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time></attributes>"
    )


def score(parts, names=NAMES):
    """The MusicXML of parts, each a list of measures."""
    known = "".join(f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>' for n, name in enumerate(names))
    bodies = "".join(
        f'<part id="P{n}">{"".join(f"<measure>{measure}</measure>" for measure in part)}</part>'
        for n, part in enumerate(parts)
    )
    return f"<score-partwise><part-list>{known}</part-list>{bodies}</score-partwise>".encode()


def hymn(seed, tonic=0, phrases=4, fermatas=True):
    """The MusicXML of a piece of phrases of two measures, whose voices walk along the scale."""
    rng = np.random.default_rng(seed)
    parts = []
    for start in (35, 31, 26, 20):  # degrees above C-1
        place, measures = start, []
        for number in range(2 * phrases):
            text = attributes(fifths=(7 * tonic + 6) % 12 - 6) if not number else ""
            for beat in range(4):
                place = int(np.clip(place + rng.integers(-1, 2), start - 3, start + 3))
                octave, degree = divmod(place, 7)
                last = number % 2 and beat == 3
                if number == 2 * phrases - 1 and last:
                    octave, degree = start // 7, 0
                pitch = 12 * (octave + 1) + MAJOR[degree] + (tonic + 6) % 12 - 6
                text += note(pitch, 2, notations=FERMATA if fermatas and last and start == 35 else "")
            measures.append(text)
        parts.append(measures)
    return score(parts)


@pytest.fixture
def folder(tmp_path):
    """Twelve hymns of four phrases, in six keys, plain and compressed."""
    (tmp_path / "own").mkdir()
    for number in range(12):
        data = hymn(number, tonic=number % 6)
        if number % 2:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr("META-INF/container.xml", "<container/>")
                archive.writestr("score.xml", data)
            (tmp_path / f"own/{number:02}.mxl").write_bytes(packed.getvalue())
        else:
            (tmp_path / f"own/{number:02}.musicxml").write_bytes(data)
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return ChoraleTask(corpus=str(folder))


def voicing(*chords, tonic=0, begins=None):
    """One phrase of chords of four MIDI pitches, -1 for a rest; every note begins unless told otherwise."""
    pitches = np.array([chords])
    starts = np.ones(pitches.shape, bool) if begins is None else np.array([begins], bool)
    return Voicing(pitches, starts & (pitches >= 0), np.array([tonic]), np.array([False]))


class TestMusicXML:
    def test_notes_chords_and_voices(self):
        music = (
            attributes()
            + note(60, 2)
            + note(64, 2, "<chord/>")
            + note(None, 1)
            + note(61, 3, notations=FERMATA)
            + "<backup><duration>4</duration></backup>"
            + note(48, 2)
            + "<forward><duration>2</duration></forward>"
            + note(50, 2)
            + note(72, 2, "<grace/>")
            + note(74, 2, "<cue/>")
        )
        (part,) = read_musicxml(score([[music]], ["Organ"]))
        assert part.name == "Organ"
        assert part.fifths == 0
        expected = [(0, 24, 60), (0, 24, 64), (24, 24, 48), (36, 36, 61), (72, 24, 50)]
        assert [tuple(note[:3]) for note in part.notes] == expected
        assert [note.fermata for note in part.notes] == [False, False, False, True, False]
        assert part.measures == (Measure(0, 96, (4, 4)),)

    def test_tied_notes_are_one(self):
        stop, start = '<tie type="stop"/>', '<tie type="start"/>'
        first = attributes() + note(62, 6) + note(60, 2, start)
        second = note(60, 4, stop + start) + note(None, 4)
        third = note(60, 8, stop, FERMATA)
        (part,) = read_musicxml(score([[first, second, third]], ["S"]))
        assert part.notes == (Note(0, 72, 62, False), Note(72, 72, 60, False), Note(192, 96, 60, True))

    def test_divisions_change(self):
        (part,) = read_musicxml(score([[attributes() + note(60, 8), attributes(divisions=3) + 3 * note(60, 1)]], ["S"]))
        assert [(note.onset, note.ticks) for note in part.notes] == [(0, 96), (96, 8), (104, 8), (112, 8)]

    def test_places_of_measures(self):
        metre = (4, 4)
        lengths = (24, 96, 72, 24, 96, 48)
        onsets = np.cumsum([0, *lengths[:-1]]).tolist()
        measures = [Measure(onset, length, metre) for onset, length in zip(onsets, lengths, strict=True)]
        assert places(measures) == [72, 0, 0, 72, 0, 0]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"la la", "no MusicXML score"),
            (b"<score-timewise/>", "no MusicXML score by part: its outermost element is score-timewise"),
            (b"PK\x03\x04 nothing", "a damaged compressed MusicXML file"),
            (score([[attributes(divisions=0) + note(60, 2)]], ["S"]), "its quarter note has no divisions"),
            (score([[attributes() + note(60, "x")]], ["S"]), "'x' is no number of duration"),
            (score([[attributes() + "<backup><duration>4</duration></backup>"]], ["S"]), "back beyond its beginning"),
            (score([[attributes() + note(60, 2).replace(">C<", ">H<")]], ["S"]), "'H' is no note"),
            (score([[attributes() + note(60, 10**9)]], ["S"]), "more than 10,000 whole notes"),
        ],
    )
    def test_what_is_no_score_is_told(self, data, reason):
        with pytest.raises(ValueError, match=reason):
            read_musicxml(data)

    def test_entities_do_not_grow(self):
        bomb = b'<!DOCTYPE s [<!ENTITY a "' + b"x" * 1000 + b'">]><score-partwise>' + b"&a;" * 10
        with pytest.raises(ValueError, match="no MusicXML score"):
            read_musicxml(bomb)


class TestPieces:
    def test_voices_are_found_by_name_among_others(self):
        one = [attributes() + note(60, 8)]
        parts = [[attributes() + note(60 - 4 * n, 8)] for n in range(4)]
        data = score([one, *parts[::-1]], ["Horn 1", *NAMES[::-1]])
        (piece,) = read_piece(data, "a.xml")
        assert [int(notes[0, 2]) for notes in piece.voices] == [60, 56, 52, 48]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (score([[attributes() + note(60, 8)]], ["Soprano"]), "four parts; it has 1 with notes"),
            (score(4 * [[attributes() + note(60, 8) + note(64, 8, "<chord/>")]]), "two notes at once in its soprano"),
            (score([*3 * [[attributes() + note(60, 8)]], [attributes() + note(None, 8)]]), "its bass has no notes"),
        ],
    )
    def test_other_scores_are_refused(self, data, reason):
        with pytest.raises(ValueError, match=reason):
            read_piece(data, "a.xml")

    @pytest.mark.parametrize(
        ("fifths", "bass", "key"),
        [(0, 48, (0, "major")), (0, 45, (9, "minor")), (0, 50, (2, "minor")), (1, 43, (7, "major"))],
    )
    def test_the_last_bass_note_tells_the_key(self, fifths, bass, key):
        parts = [[attributes(fifths=fifths) + note(67, 4) + note(pitch, 4)] for pitch in (72, 67, 64, bass)]
        (piece,) = read_piece(score(parts), "a.xml")
        assert (piece.tonic, piece.mode) == key

    def midi(self, lines, **changes):
        """A MIDI file of lines of (pitch, quarters), in the order given."""
        import pretty_midi

        file = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=60)
        file.time_signature_changes.append(pretty_midi.TimeSignature(*changes.get("metre", (4, 4)), 0))
        for line in lines:
            track, time = pretty_midi.Instrument(0), 0.0
            for pitch, quarters in line:
                if pitch:
                    track.notes.append(pretty_midi.Note(80, pitch, time, time + changes.get("gate", 1.0) * quarters))
                time += quarters
            file.instruments.append(track)
        data = io.BytesIO()
        file.write(data)
        return data.getvalue()

    @pytest.mark.parametrize("gate", [1.0, 0.9])
    def test_midi_files_of_four_tracks(self, gate):
        lines = [16 * [(48, 1)], 16 * [(72, 1)], 8 * [(60, 2)], [(0, 1), *15 * [(67, 1)]]]
        (piece,) = read_piece(self.midi(lines, gate=gate), "a.mid")
        phrases = cut(piece, left_out := Counter())
        assert not left_out
        (phrase,) = phrases
        assert phrase.pitches[0].tolist() == [72, -1, 60, 48]
        assert phrase.pitches[2:].tolist() == 30 * [[72, 67, 60, 48]]
        assert phrase.begins[4:8].tolist() == [[True] * 4, [False] * 4, [True, True, False, True], [False] * 4]
        assert (phrase.metre, phrase.upbeat, phrase.tonic, phrase.place) == ((4, 4), 0, 0, "closing")

    def test_other_midi_files_are_refused(self):
        with pytest.raises(
            ValueError, match="four voices, each in a track or channel of its own, are wanted; it has 2"
        ):
            read_piece(self.midi(2 * [4 * [(60, 1)]]), "a.mid")
        with pytest.raises(ValueError, match="not on a grid"):
            read_piece(self.midi(4 * [20 * [(60, 1.013)]]), "a.mid")


def piece(lines, ends=(), measures=None, tonic=0):
    """A piece of voices of (pitch, eighths); ends in eighths."""
    voices = []
    for line in lines:
        rows, time = [], 0
        for pitch, eighths in line:
            if pitch is not None:
                rows.append((time, time + int(12 * eighths), pitch))
            time += int(12 * eighths)
        voices.append(np.array(rows, np.int32))
    length = max(int(notes[-1, 1]) for notes in voices)
    bars = measures or [Measure(onset, min(96, length - onset), (4, 4)) for onset in range(0, length, 96)]
    return Piece("p", tuple(voices), tuple(bars), tonic, "major", tuple(12 * end for end in ends))


LOW = [[(60, 16)], [(55, 16)], [(48, 16)]]


class TestCutting:
    def test_phrases_end_at_fermatas(self):
        found = cut(piece([[(72, 2), (74, 4), (71, 2), (72, 6)], *LOW], ends=(6, 14)), left_out := Counter())
        assert [(phrase.place, phrase.upbeat, len(phrase.pitches)) for phrase in found] == [
            ("opening", 0, 6),
            ("inner", 2, 8),
        ]  # the others go on to 16: too short a phrase
        assert left_out == {"phrase: shorter than 4 eighths": 1}
        assert found[1].begins[0].all()  # notes that go on across the cut begin anew

    def test_the_grid_has_what_sounds_where_each_eighth_begins(self):
        line = [(72, 1.5), (74, 0.5), (76, 0.5), (77, 0.5), (79, 1), (None, 1), (79, 3), (79, 8)]
        (found,) = cut(piece([line, *LOW]), Counter())
        assert found.pitches[:8, 0].tolist() == [72, 72, 76, 79, -1, 79, 79, 79]
        assert found.begins[:9, 0].tolist() == [True, False, True, True, False, True, False, False, True]
        assert found.lost == 2

    def test_an_upbeat_is_counted_back_from_the_bar_line(self):
        measures = [Measure(0, 24, (4, 4)), Measure(24, 96, (4, 4)), Measure(120, 72, (4, 4))]
        found = cut(piece([[(72, 2), (74, 6), (71, 8)], *LOW], ends=(8, 16), measures=measures), Counter())
        assert [phrase.upbeat for phrase in found] == [2, 2]

    def test_without_fermatas_every_four_bars(self):
        lines = [[(pitch, 8) for _ in range(9)] for pitch in (72, 67, 60, 48)]
        assert [len(phrase.pitches) for phrase in cut(piece(lines), Counter())] == [32, 32, 8]

    @pytest.mark.parametrize(
        ("lines", "metres", "reason"),
        [
            ([[(86, 16)], *LOW], [(4, 4), (4, 4)], "a note below C2 or above A5"),
            ([[(72, 16)], *LOW], [(4, 4), (3, 4)], "its metre changes"),
            ([[(72, 16)], *LOW], [(6, 8), (6, 8)], "metre 6/8, not one of 4/4, 3/4, 2/2"),
        ],
    )
    def test_other_phrases_are_left_out(self, lines, metres, reason):
        measures = [Measure(96 * number, 96, metre) for number, metre in enumerate(metres)]
        assert cut(piece(lines, ends=(16,), measures=measures), left_out := Counter()) == []
        assert left_out == {f"phrase: {reason}": 1}

    def test_pieces_of_one_melody_are_one_family(self):
        rng = np.random.default_rng(0)
        tunes = [rng.integers(60, 73, 40) for _ in range(3)]
        half = np.concatenate([tunes[0][:14], tunes[2][14:]])

        def of(tune, move=0, eighths=2):
            line = [(int(pitch) + move, eighths) for pitch in tune]
            ends = np.cumsum([eighths] * 40)[6::7]
            return piece([line, *([(pitch, 40 * eighths)] for pitch in (55, 50, 45))], tuple(ends.tolist()))

        found = families([of(tunes[0]), of(tunes[1]), of(tunes[0], move=-3, eighths=3), of(half), of(tunes[2], move=2)])
        assert found == [0, 1, 0, 0, 0]  # the fourth has two phrases of the first, and a long run of the last


class TestOwnWorks:
    def test_hymns_are_read(self, task):
        report = task.corpus_report()
        assert (report.files, report.read, report.total) == (12, 12, 48)
        works = [task.works(split) for split in SPLITS]
        assert min(map(len, works)) >= 4
        assert set(np.concatenate([own.conditions[:, 0] for own in works])) == set(range(6))
        assert not set(works[0].groups) & set(works[1].groups)
        again = ChoraleTask(corpus=task.kwargs()["corpus"])
        assert (again.corpus("train") == works[0].contents).all()

    def test_written_phrases_are_read_again(self, tmp_path, task):
        conditions = np.array([[tonic, tonic % 2, tonic % 2, tonic % 3, tonic % 3] for tonic in range(12)])
        sample = RandomPolicy(task).sample(conditions, 12, 1)
        keep = [row for row in range(12) if (sample[row, :, 0] > 0).sum() >= 4]
        assert len(keep) > 6
        for row in keep:
            task.medium.export(sample[row], tmp_path / f"out/{row:02}", conditions[row])
        phrases = load_phrases(str(tmp_path / "out"))
        assert not phrases.left_out
        contents, read = encode(list(phrases.items))
        assert (contents == sample[keep]).all()
        assert (read == conditions[keep]).all()

    def test_what_cannot_be_read_is_named(self, folder):
        (folder / "text.xml").write_text("<html/>")
        (folder / "broken.mid").write_bytes(b"MThd")
        skipped = dict(ChoraleTask(corpus=str(folder)).corpus_report().skipped)
        assert set(skipped) == {"broken.mid", "text.xml"}
        assert "outermost element is html" in skipped["text.xml"]

    def test_mistakes_are_one_line(self, tmp_path, folder, monkeypatch):
        with pytest.raises(ValueError, match="no folder or file"):
            ChoraleTask(corpus=str(tmp_path / "nothing")).corpus("train")
        with pytest.raises(ValueError, match="holds 4 phrases, of 1 unrelated chorale, too few to be split"):
            ChoraleTask(corpus=str(folder / "00.musicxml")).corpus("train")
        with pytest.raises(ValueError, match="style 'H' is unknown"):
            ChoraleTask(style="H minor")
        monkeypatch.setattr(sources, "_places", lambda source: [])
        with pytest.raises(CorpusMissingError, match="musegym data get chorales"):
            load_phrases(None)


class TestComposing:
    def test_contract(self, task):
        check_task(task)

    def test_nothing_is_read_before_the_first_episode(self, monkeypatch):
        monkeypatch.setattr(sources, "_places", lambda source: [])
        task = ChoraleTask(style="Bb minor closing")
        assert (task.horizon, task.num_actions, task.action_name(END)) == (128, 60, "end")

    def start(self, task, tonic=0, metre=0, upbeat=1):
        return task.initial(np.zeros(1, np.uint64), np.array([[tonic, 0, metre, upbeat, 0]]))

    def act(self, task, state, *actions):
        for action in actions:
            state, done = task.step(state, np.array([action]))
        return state, bool(done[0])

    def test_masks_exclude_only_what_the_format_cannot_hold(self, task):
        for tonic in range(12):
            state = self.start(task, tonic)
            legal = np.flatnonzero(task.action_mask(state)[0])
            assert legal[0] == REST
            sounding = legal[1:] - 2 + 30 - to_c(np.array(tonic))
            assert sounding.tolist() == list(range(36, 82))
        state = self.start(task)
        state, _ = self.act(task, state, 44, REST, 30, 20)
        legal = task.action_mask(state)[0]
        assert legal[[HOLD, REST, END]].all()
        state, _ = self.act(task, state, HOLD)
        assert task.action_mask(state)[0][[HOLD, REST, END]].tolist() == [True, False, False]  # the alto rests
        state, _ = self.act(task, state, 40)
        assert task.action_mask(state)[0][[HOLD, REST, END]].tolist() == [True, True, False]

    def test_choices_become_a_content(self, task):
        state, done = self.act(task, self.start(task), 44, REST, 30, 20, 44, HOLD, HOLD, 21, HOLD, 40, 32, HOLD, END)
        assert done
        rows = task.content(state)[0][:4].tolist()
        assert rows == [[7, 44, 1, 30, 20, 13], [8, 44, 1, 30, 21, 9], [1, 44, 40, 32, 21, 6], [0] * 6]
        actions = task.demonstrations(task.content(state), task.condition(state))[0]
        assert actions[:14].tolist() == [44, REST, 30, 20, 44, HOLD, HOLD, 21, HOLD, 40, 32, HOLD, END, 0]

    def test_features(self, task):
        names = [feature.name for feature in task.features]
        state, _ = self.act(task, self.start(task), 44, 37, 32, 20, HOLD, HOLD, HOLD, HOLD, 46, 39)
        values = dict(zip(names, task.feature_values(state)[0].tolist(), strict=True))
        assert values == {
            "voice": 2,
            "step": 2,
            "place": 0,
            "own": 2 * VALUES + 32,
            "begun": 3,
            "held": 2,
            "soprano": 46 + VALUES,
            "alto": 39 + VALUES,
            "tenor": 32,
            "bass": 20,
            "parallel_soprano": 34,
            "parallel_alto": 0,  # 44 - 32 is an octave, 37 - 32 a fourth
            "parallel_tenor": 0,
        }

    def test_long_phrases_end_by_themselves(self, task):
        state = self.start(task)
        for step in range(128):
            state, done = self.act(task, state, 44 if step < 4 else HOLD)
            assert done == (step == 127)
        assert (task.content(state)[0][:, 0] > 0).all()

    def test_what_is_no_phrase_cannot_be_composed(self, task):
        works = task.works("train")
        broken = works.contents.copy()
        broken[:, 1, 1] = 0
        with pytest.raises(ValueError, match="phrases cannot be composed"):
            task.demonstrations(broken, works.conditions)
        with pytest.raises(ValueError, match="pass demonstrations"):
            task.demonstrations(works.contents)

    def test_rules_are_rewarded(self, task):
        works = task.works("train")
        rules = task.rules(works.contents, works.conditions)
        assert rules.shape == (len(works), 4)
        assert rules.min() >= 0
        assert rules.max() == 1
        env = gym.make("musegym/Chorale-v0", corpus=task.kwargs()["corpus"], discriminator="none", rule_weight=1.0)
        env.reset(seed=0)
        terminated = False
        while not terminated:
            _, reward, terminated, _, info = env.step(END)
        assert reward == pytest.approx(sum(info["rules"].values()))
        assert set(info["rules"]) == set(task.rule_names)


class TestVoiceLeading:
    def test_crossings_spacings_and_ranges(self):
        found = voicing((72, 67, 64, 48), (65, 67, 64, 48), (79, 66, 53, 48), (81, -1, 45, 64), (-1, -1, -1, -1))
        assert crossed(found)[0].tolist() == [False, True, False, True, False]
        assert wide(found)[0].tolist() == [False, False, True, False, False]
        assert out_of_range(found)[0].sum(0).tolist() == [1, 0, 1, 1]

    @pytest.mark.parametrize(
        ("first", "second", "counts"),
        [
            ((72, 67, 60, 48), (74, 67, 62, 48), (1, 0, 1, 0, 0, 0)),  # soprano and tenor in octaves
            ((72, 65, 60, 48), (79, 72, 60, 48), (1, 1, 0, 0, 0, 0)),  # soprano and alto in fifths
            ((72, 65, 60, 48), (65, 72, 60, 48), (1, 0, 0, 0, 0, 0)),  # in contrary motion
            ((79, 65, 60, 60), (72, 65, 60, 65), (1, 0, 0, 0, 0, 0)),
            ((72, 64, 60, 48), (76, 73, 60, 48), (1, 0, 0, 0, 0, 1)),  # the alto goes beyond the soprano's note
            ((72, 64, 60, 48), (79, 64, 60, 60), (1, 0, 0, 1, 0, 0)),  # similar motion from octaves to a fifth
            ((71, 64, 60, 52), (72, 64, 60, 60), (1, 0, 0, 0, 1, 0)),  # to an octave
        ],
    )
    def test_pairs(self, first, second, counts):
        begins = [[True] * 4, [a != b for a, b in zip(first, second, strict=True)]]
        found = moving_pairs(voicing(first, second, begins=begins))
        assert tuple(int(each.sum()) for each in found) == counts

    def test_notes_that_are_repeated_move_nowhere(self):
        found = moving_pairs(voicing(*2 * [(72, 67, 60, 48)]))
        assert tuple(int(each.sum()) for each in found) == (6, 0, 0, 0, 0, 0)

    def test_shares_kept(self):
        whole = kept(voicing((72, 67, 64, 48), (74, 67, 64, 50), begins=[[True] * 4, [True, False, False, True]]))
        assert whole[0].tolist() == [1, 1, 1, 0]  # one pair moves, in octaves
        half = kept(voicing((60, 64, 55, 48), (72, 64, 55, 48)))
        assert half[0, 0] == 0.5
        assert kept(voicing((-1, -1, -1, -1)))[0].tolist() == [1, 1, 1, 1]


class TestGrades:
    def test_histograms(self):
        begins = [[True] * 4, [False, True, True, False], [True] * 4]
        found = histograms(voicing((72, 67, 64, 48), (72, 65, 64, 48), (74, 65, 67, 43), begins=begins))
        assert found["note"][0, [0, 7, 4, 5, 2]].tolist() == [4, 3, 2, 2, 1]
        assert found["rhythm"][0, 1:3].tolist() == [8, 2]
        assert found["soprano"][0].nonzero()[0].tolist() == [24 + 2]
        assert found["alto"][0, [22, 24]].tolist() == [1, 1]
        assert found["intervals"].sum() == 6
        assert found["harmonic_quality"].sum() == 3

    def test_real_works_are_at_no_distance_from_themselves(self):
        one = voicing((72, 67, 64, 48), (71, 67, 62, 55), (72, 67, 64, 48))
        grades = Grader(one).grade(one)
        assert set(grades) == set(FEATURES)
        assert sum(grades.values()) == pytest.approx(0, abs=1e-9)
        other = voicing((70, 66, 64, 47), (71, 60, 62, 54), (61, 66, 63, 49))
        assert Grader(one).grade(other)["note"] > 1
        assert Grader(one).grade(other)["harmonic_quality"] > 0

    def test_a_distance_by_hand(self):
        real = voicing(*4 * [(72, 60, 48, 36)], (67, 67, 55, 43))
        found = Grader(real).grade(voicing((67, 55, 43, 43)))
        # 80% and 20% are cumulated to 0.8 and 1, ours to 0 and 1
        assert found["note"][0] == pytest.approx(0.8)


class TestMedium:
    def test_text(self, task):
        state = task.initial(np.zeros(1, np.uint64), np.array([[7, 0, 0, 1, 2]]))
        for action in (44, 39, REST, 20, HOLD, HOLD, HOLD, 21, 46, HOLD, 32, HOLD, END):
            state, _ = task.step(state, np.array([action]))
        lines = task.describe(state)[0].split("\n")
        assert lines == [
            "4/4 G major, upbeat 1/4, closing",
            "S G4  -    | A4",
            "A D4  -    | -",
            "T .   .    | G3",
            "B G2  G♯2  | -",
        ]

    def test_captions_name_the_last_decision(self, task):
        medium, condition = task.medium, np.array([7, 0, 0, 1, 2])
        state = task.initial(np.zeros(1, np.uint64), condition[None])
        captions = [medium.caption(task.content(state)[0], condition)]
        for action in (44, REST, 30, 20, HOLD, HOLD, HOLD, 21, END):
            state, _ = task.step(state, np.array([action]))
            captions.append(medium.caption(task.content(state)[0], condition))
        assert captions == ["start", "S G4", "A rest", "T F3", "B G2", "S hold", "A hold", "T hold", "B G♯2", "end"]

    def test_choosing_by_hand_begins_near_the_voice(self, task):
        builder = Builder(task, np.random.default_rng(0))
        marked = []
        for _ in range(8):
            marked.append(builder.caption(builder.chosen))
            builder.press("return")
        ranges = [(low + high) // 2 for low, high in RANGES]
        tonic, mode = builder.work.condition[:2]
        spelled = [str(Key(int(tonic), ("major", "minor")[mode]).spell(pitch)) for pitch in ranges]
        assert marked == 2 * [f"{voice} {pitch}" for voice, pitch in zip("SATB", spelled, strict=True)]

    def test_sound_lasts_as_the_steps_that_are_completed(self, task):
        works = task.works("train")
        content, condition = works.contents[0], works.conditions[0]
        medium, steps = task.medium, int((content[:, 0] > 0).sum())
        whole = medium.sound(content, condition)
        assert whole.seconds == pytest.approx(0.4 * steps)
        assert 0.1 < np.abs(whole.samples).max() < 1
        parts = [medium.sound(content, condition, step, step + 1) for step in range(4 * steps)]
        assert [round(part.seconds, 6) for part in parts[:8]] == [0, 0, 0, 0.4, 0, 0, 0, 0.4]
        assert len(parts[0].samples) == 0
        assert np.abs(parts[3].samples[: len(whole.samples) // 2]).max() > 0.05
        assert sum(part.seconds for part in parts) == pytest.approx(whole.seconds)

    def test_pictures(self, task):
        works = task.works("train")
        content, condition = works.contents[0], works.conditions[0]
        picture = task.medium.render(content, condition)
        for colour in pianoroll.VOICES:
            assert (np.abs(picture.astype(int) - colour).max(2) < 12).sum() > 300
        nothing = task.medium.render(content, condition, upto=0)
        red = np.array(pianoroll.VOICES[0])
        lanes = nothing[pianoroll.TOP :, pianoroll.LEFT :].astype(int)
        assert not (np.abs(lanes - red).max(2) < 12).any()

    def test_faults_are_marked(self, task):
        clean = task.initial(np.zeros(1, np.uint64), np.array([[0, 0, 0, 0, 0]]))
        pictures = []
        for soprano in (46, 30):  # above the alto, below it
            state = clean.take(np.zeros(1, np.int64))
            for action in (soprano, 37, 28, 20, END):
                state, _ = task.step(state, np.array([action]))
            pictures.append(task.render(state)[0][: pianoroll.TOP].astype(int))
        dots = [(np.abs(picture - pianoroll.FAULT).max(2) < 30).sum() for picture in pictures]
        assert dots[1] > dots[0] + 10

    def test_other_contents_are_refused(self, task):
        works = task.works("train")
        with pytest.raises(ValueError, match="are the condition of a phrase"):
            task.medium.metrics(works.contents)
        with pytest.raises(ValueError, match="chorale phrases are non-empty arrays"):
            task.medium.metrics(works.contents[:0], works.conditions[:0])


def test_benchmark(task, monkeypatch):
    monkeypatch.setattr(domain, "NUM", 20)
    found = domain.measure(RandomPolicy(task), "test")
    assert found["references"]["random"]["num"] == found["num"] == 20
    assert {column.key for column in domain.DOMAIN.columns} <= set(found) & set(found["real"])
    assert found["real"]["nearest"] < found["references"]["bach"]["triads"] + 1
    train = task.corpus("train")
    assert domain.likeness(train, train).diagonal() == pytest.approx(1)
    assert found["nearest"] < 0.2


class TestBach:
    @pytest.fixture
    def real(self):
        return present(ChoraleTask())

    def test_phrases_are_read_and_rebuilt(self, real):
        report = real.corpus_report()
        assert report.files == 410
        assert report.total > 2300
        assert sum(report.left_out.values()) < 150
        for split in SPLITS:
            works = real.works(split)
            assert 0.08 * report.total < len(works)
            real.demonstrations(works.contents, works.conditions)

    def test_every_style_is_used(self, real):
        conditions = real.works("train").conditions
        for column, condition in enumerate(real.conditions[1:], 1):
            assert set(conditions[:, column]) == set(range(len(condition.values)))
        assert len(set(conditions[:, 0])) == len(TONICS)

    def test_no_melody_is_in_two_splits(self, real):
        works = [real.works(split) for split in SPLITS]
        kin = domain.likeness(works[2].contents, works[0].contents).max(1)
        chosen = np.random.default_rng(0).permutation(len(works[0]))[:250]
        likely = domain.likeness(works[0].contents[chosen], works[0].contents)
        likely[works[0].groups[chosen][:, None] == works[0].groups] = 0
        assert kin.mean() < likely.max(1).mean() + 0.03
        assert kin.max() < 1

    def test_bach_keeps_his_rules(self, real):
        works = real.works("train")
        metrics = real.medium.metrics(works.contents, works.conditions)
        assert metrics["parallels"] < 0.002
        assert metrics["crossings"] < 0.04
        assert metrics["out_of_range"] < 0.01
        assert 0.5 < metrics["triads"] < 0.65

    @pytest.mark.slow
    def test_music21_reads_the_same(self, real):
        converter = pytest.importorskip("music21.converter", reason="music21's parser: pip install music21")
        root = sources.find("chorales")
        for name in ("bwv66.6", "bwv248.59-6", "bwv64.4"):
            file = root / f"music21/corpus/bach/{name}.mxl"
            theirs = converter.parse(file, forceSource=True).parts
            for part, other in zip(read_musicxml(file.read_bytes()), theirs, strict=True):
                notes = [
                    (24 * note.offset, 24 * note.quarterLength, note.pitch.midi)
                    for note in other.stripTies().flatten().notes
                ]
                assert [tuple(note[:3]) for note in part.notes] == notes


def test_shapes():
    task = ChoraleTask()
    assert task.layout.shape == (STEPS, 6)
    assert task.content_space.shape == (32, 6)
