"""Phrases with velocity and tempo: marks read, lines cut and split; phrases played, shown, heard and measured."""

import io
import itertools
from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from real_works import present

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import phrase as domain
from musegym.envs.checks import check_task
from musegym.envs.corpora.expression import DYNAMICS, tempi, tempo_of, velocities
from musegym.envs.corpora.midi_events import parse
from musegym.envs.corpora.musicxml import Mark, Measure, read_musicxml
from musegym.envs.corpora.phrases import Line, Piece, cut, families, read_piece, top_line
from musegym.envs.media import pianoroll
from musegym.envs.media.dynamics import Performances, compare
from musegym.envs.media.notation import SIGNS
from musegym.envs.phrase import (
    HORIZON,
    LARGEST_CHANGE,
    NUM_PITCHES,
    RANGES,
    TEMPI,
    TO_TEMPO,
    TO_VELOCITY,
    PhraseTask,
    encode,
)
from musegym.envs.task import SPLITS
from musegym.play.builder import Builder

pytestmark = pytest.mark.usefixtures("own_cache")

TEMPO = TO_TEMPO + TEMPI.index(120.0)
QUARTER, WHOLE = NUM_PITCHES + 9, NUM_PITCHES + 17
MAJOR = (0, 2, 4, 5, 7, 9, 11)


def midi(notes, tempo=90, metre=(4, 4)):
    """A MIDI file of (pitch or None, quarters, velocity)."""
    import pretty_midi

    file = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=tempo)
    file.time_signature_changes.append(pretty_midi.TimeSignature(*metre, 0))
    track, time = pretty_midi.Instrument(40), 0.0
    for pitch, quarters, velocity in notes:
        end = time + quarters * 60 / tempo
        if pitch is not None:
            track.notes.append(pretty_midi.Note(velocity, pitch, time, end))
        time = end
    file.instruments.append(track)
    data = io.BytesIO()
    file.write(data)
    return data.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Twelve files of eight phrases that walk along a scale and swell."""
    (tmp_path / "own").mkdir()
    for number in range(12):
        rng, place, notes = np.random.default_rng(number), 35, []
        for count in range(128):
            place = int(np.clip(place + rng.integers(-2, 3), 30, 44))
            loud = int(60 + 30 * np.sin(count / 5) + rng.integers(0, 9))
            notes.append((12 * (place // 7) + MAJOR[place % 7], 1, loud))
        (tmp_path / f"own/{number:02}.mid").write_bytes(midi(notes, tempo=60 + 10 * number))
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return PhraseTask(corpus=str(folder))


def start(task, part=0, metre=2):
    return task.initial(np.zeros(1, np.uint64), np.array([[0, part, metre, 0]]))


def play(task, state, *actions):
    done = [False]
    for action in actions:
        assert task.action_mask(state)[0, action]
        state, done = task.step(state, np.array([action]))
    return state, bool(done[0])


class TestMarks:
    def test_marks_of_a_score_are_read(self):
        def direction(kind, offset=""):
            return f"<direction><direction-type>{kind}</direction-type>{offset}</direction>"

        pitch = "<pitch><step>C</step><octave>5</octave></pitch><duration>2</duration>"
        accent = "<notations><articulations><accent/></articulations></notations>"
        music = (
            "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
            + direction("<words>Adagio  con\nmoto</words>")
            + direction("<dynamics><p/></dynamics>")
            + f"<note>{pitch}</note>"
            + direction('<wedge type="crescendo"/>')
            + f"<note>{pitch}{accent}</note><sound tempo='72'/>"
            + direction('<wedge type="stop"/>', "<offset>1</offset>")
            + f"<note>{pitch}</note><note>{pitch}</note>"
        )
        data = f"<score-partwise><part id='P'><measure>{music}</measure></part></score-partwise>".encode()
        (part,) = read_musicxml(data)
        assert part.marks == (
            Mark(0, "words", "Adagio con moto"),
            Mark(0, "dynamics", "p"),
            Mark(24, "wedge", "crescendo"),
            Mark(24, "accent", "accent"),
            Mark(48, "tempo", "72"),
            Mark(60, "wedge", "stop"),
        )

    @pytest.mark.parametrize(
        ("marks", "expected"),
        [
            ([], [80, 80, 80, 80, 80]),
            ([Mark(24, "dynamics", "p")], [80, 49, 49, 49, 49]),
            ([Mark(24, "dynamics", "fp")], [80, 96, 49, 49, 49]),
            ([Mark(24, "dynamics", "sf"), Mark(48, "accent", "accent")], [80, 112, 96, 80, 80]),
            (  # a hairpin leads to the sign at its end
                [
                    Mark(0, "dynamics", "p"),
                    Mark(0, "wedge", "crescendo"),
                    Mark(96, "wedge", "stop"),
                    Mark(96, "dynamics", "f"),
                ],
                [49, 61, 72, 84, 96],
            ),
            (  # one that nothing ends goes a step
                [Mark(0, "dynamics", "f"), Mark(0, "wedge", "diminuendo"), Mark(48, "wedge", "stop")],
                [96, 88, 80, 80, 80],
            ),
            ([Mark(0, "dynamics", "p"), Mark(0, "words", "cresc."), Mark(96, "dynamics", "f")], [49, 61, 72, 84, 96]),
            ([Mark(0, "dynamics", "ppp"), Mark(0, "words", "sempre dim.")], [16, 16, 16, 16, 16]),
        ],
    )
    def test_velocities(self, marks, expected):
        found = velocities(marks, np.arange(0, 120, 24, dtype=np.int32))
        assert found.tolist() == pytest.approx(expected, abs=1)

    def test_signs_are_written_as_they_are_read(self):
        assert {sign: velocity for sign, velocity in DYNAMICS.items() if sign != "ffff"} == SIGNS

    def test_tempi(self):
        words = [Mark(0, "words", "Molto Adagio"), Mark(96, "words", "cresc."), Mark(192, "tempo", "131.5")]
        assert tempi(words) == [(0, 40.0), (192, 131.5)]
        assert tempi([Mark(0, "words", "Presto"), Mark(0, "tempo", "170")]) == [(0, 170.0)]
        assert tempi([], "Allegro con brio") == [(0, 132.0)]
        assert tempi([Mark(0, "tempo", "x")]) == [(0, 120.0)]
        assert tempo_of("Tempo di Menuetto") == 108

    def test_midi_has_velocities_and_tempi(self):
        found = parse(midi([(60, 1, 30), (62, 1, 90)], tempo=75))
        assert found.parts[0].velocities == [30, 90]
        assert [(tick, round(tempo, 3)) for tick, tempo in found.tempi] == [(0, 75.0)]


def piece(rows, bars=4, metre=(4, 4), key=(0, "major")):
    """A piece of one line of (pitch, ticks, velocity)."""
    notes, time = [], 0
    for pitch, ticks, velocity in rows:
        if pitch is not None:
            notes.append((time, time + ticks, pitch, velocity))
        time += ticks
    length = 96 * metre[0] // metre[1]
    measures = tuple(Measure(length * number, length, metre) for number in range(bars))
    return Piece("p", 2, (Line(0, np.array(notes, np.int32)),), measures, ((0, 100.0), (300, 50.0)), key)


WALK = [(60 + 2 * step, 48, 40 + 8 * step) for step in range(8)]


class TestCutting:
    def test_the_highest_line_is_read(self):
        notes = np.array([(0, 48, 60, 50), (0, 24, 67, 60), (24, 72, 69, 70), (48, 96, 64, 80), (80, 99, 65, 9)])
        assert top_line(notes.astype(np.int32)).tolist() == [[0, 24, 67, 60], [24, 72, 69, 70], [80, 99, 65, 9]]

    def test_a_phrase_with_a_rest(self):
        rows = [*WALK[:6], (72, 18, 88), (None, 30, 0), (74, 48, 90)]
        (found,) = cut(piece(rows), Counter())
        assert found.notes[-3:].tolist() == [[72, 18, 88], [-1, 30, 0], [74, 48, 90]]
        assert (found.metre, found.mode, found.tonic, found.tempo) == (2, 0, 0, 100.0)

    def test_the_tonic_is_moved_to_c(self):
        (found,) = cut(piece(WALK, key=(7, "minor")), Counter())
        assert found.notes[0, 0] == 65
        assert found.mode == 1

    def test_phrases_begin_with_notes_on_bar_lines(self):
        rows = [(None, 96, 0), *WALK, (60, 48, 40), *WALK]
        found = cut(piece(rows, bars=9), Counter())
        assert [phrase.notes[0].tolist() for phrase in found] == [[60, 48, 40], [60, 48, 40]][: len(found)]
        assert found[0].notes.tolist() == [list(row) for row in WALK]

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            ([(60, 96, 40), (62, 96, 50), (60, 96, 60), (62, 96, 70)], "accompaniment: fewer than 6 notes or 4 differ"),
            ([(pitch, ticks, 50) for pitch, ticks, _ in WALK], "one velocity throughout"),
            ([(60 + step % 5, 6, 40 + step) for step in range(64)], "more than 40 notes and rests"),
            ([*WALK[:7], (74, 43, 90), (75, 5, 9)], "a duration that no action writes"),
            ([*WALK[:7], (100, 48, 90)], "a pitch that no action writes"),
        ],
    )
    def test_other_phrases_are_left_out(self, rows, reason):
        left_out = Counter()
        assert cut(piece(rows), left_out) == []
        ((found, count),) = left_out.items()
        assert count == 1
        assert reason in found

    def test_pieces_that_share_phrases_are_one_family(self):
        rng = np.random.default_rng(0)
        rows = [[(int(60 + step), 48, 40 + 8 * row) for row, step in enumerate(rng.permutation(8))] for _ in range(6)]
        pieces = [piece([*rows[first], *rows[second]], bars=8) for first, second in ((0, 1), (2, 3), (4, 1), (1, 0))]
        found = [one._replace(piece=number) for number, each in enumerate(pieces) for one in cut(each, Counter())]
        assert len(found) == 8
        assert families(found, 4) == [0, 1, 2, 0]

    def test_files_without_notes_are_refused(self):
        with pytest.raises(ValueError, match="no notes in this MIDI file"):
            read_piece(midi([]), "a.mid")
        with pytest.raises(ValueError, match="no notes in this score"):
            read_piece(b"<score-partwise/>", "a.xml")
        with pytest.raises(ValueError, match="not on a grid"):
            read_piece(midi(40 * [(60, 1.013, 50)]), "a.mid")


class TestTask:
    def test_contract(self, task):
        check_task(task)

    def test_corpus(self, task):
        report = task.corpus_report()
        assert report.files == report.read == 12
        assert 80 <= report.total <= 96
        works = task.works("train")
        assert set(works.contents[:, 0, 5]) <= {
            1 + TEMPI.index(min(TEMPI, key=lambda t: abs(t / x - 1))) for x in range(60, 171, 10)
        }
        assert (works.conditions[:, :2] == 4).all()

    def test_a_phrase_of_notes_and_rests(self, task):
        state, done = play(task, start(task), TEMPO, 25, WHOLE, TO_VELOCITY, 0, WHOLE, 27, WHOLE, TO_VELOCITY + 15)
        assert not done
        assert task.content(state)[0, :4].tolist() == [
            [1, 0, 26, 18, 1, 17],
            [2, 0, 1, 18, 0, 17],
            [3, 0, 28, 18, 16, 17],
            [0, 0, 0, 0, 0, 0],
        ]
        state, done = play(task, state, 0, WHOLE)
        assert done
        assert (task.content(state)[0, :, 2] > 0).sum() == 4

    def test_the_last_note_has_a_velocity(self, task):
        state, done = play(task, start(task, metre=3), TEMPO, 25, WHOLE, TO_VELOCITY, 25, NUM_PITCHES + 13)
        assert not done
        assert task.action_mask(state)[0].nonzero()[0].tolist() == list(range(TO_VELOCITY, TO_TEMPO))
        assert play(task, state, TO_VELOCITY)[1]

    def test_features(self, task):
        state, _ = play(
            task, start(task, metre=0), TEMPO, 25, QUARTER, TO_VELOCITY + 3, 27, QUARTER, TO_VELOCITY + 5, 0
        )
        values = dict(zip((f.name for f in task.features), task.feature_values(state)[0].tolist(), strict=True))
        assert values == {
            "choice": 2,
            "tempo": 17,
            "bar": 1,
            "tick": 0,
            "pitch": 1,
            "duration": 0,
            "last_pitch": 28,
            "last_velocity": 6,
            "velocity_before": 4,
            "pitch_1_ago": 26,
            "duration_1_ago": 10,
            "velocity_1_ago": 4,
            "pitch_2_ago": 0,
            "duration_2_ago": 0,
            "velocity_2_ago": 0,
        }

    def test_what_is_no_phrase_cannot_be_played(self, task):
        works = task.works("train")
        broken = works.contents.copy()
        broken[:, 1, 4] = 0
        with pytest.raises(ValueError, match="phrases cannot be played"):
            task.demonstrations(broken, works.conditions)
        with pytest.raises(ValueError, match="pass demonstrations"):
            task.demonstrations(works.contents)

    def test_rules(self, task):
        low = RANGES[0][0] - 36 + 1
        notes = [(low, 0), (low + 12, LARGEST_CHANGE), (low + 25, 2 * LARGEST_CHANGE + 1), (low - 1, 0)]
        actions = [TEMPO]
        for pitch, velocity in notes:
            actions += [pitch, WHOLE, TO_VELOCITY + velocity]
        state, done = play(task, start(task), *actions)
        assert done
        content = task.content(state)
        assert task.rules(content, np.array([[0, 0, 2, 0]]))[0].tolist() == pytest.approx([3 / 4, 1 / 3, 1 / 3])
        env = gym.make("musegym/Phrase-v0", corpus=task.kwargs()["corpus"], discriminator="none", rule_weight=1.0)
        env.reset(seed=0)
        terminated = False
        while not terminated:
            _, reward, terminated, _, info = env.step(0)
        assert reward == pytest.approx(sum(info["rules"].values()))

    def test_styles(self, folder):
        task = PhraseTask(corpus=str(folder), style="beethoven violin-1 minor")
        drawn = task.condition(task.initial(np.arange(50, dtype=np.uint64)))
        assert {tuple(row) for row in drawn[:, [0, 1, 3]].tolist()} == {(2, 0, 1)}


class TestMedium:
    def test_what_is_exported_is_read_again(self, task, tmp_path):
        works = task.works("train")
        for number in range(4):
            condition = works.conditions[number].astype(np.int64)
            task.export(works.contents[number], tmp_path / f"out/{number}", condition)
            data = (tmp_path / f"out/{number}.mid").read_bytes()
            phrases = cut(read_piece(data, "a.mid")[0], Counter())
            contents, conditions = encode(phrases)
            assert conditions.tolist() == [condition.tolist()]
            assert (contents[0] == works.contents[number]).all()

    def test_text(self, task):
        state, _ = play(task, start(task), TEMPO, 25, WHOLE, TO_VELOCITY + 4, 27, QUARTER, TO_VELOCITY + 6, 29)
        lines = task.describe(state)[0].split("\n")
        assert lines[1:] == [
            "T:4/4 C major",
            "M:4/4",
            "L:1/8",
            "Q:1/4=120",
            "K:C",
            "!pp!C8 | !p!D2 % unfinished, next E4",
            "",
        ]

    def test_captions_name_the_last_decision(self, task):
        state, condition = start(task), np.array([0, 0, 2, 0])
        captions = [task.medium.caption(task.content(state)[0], condition)]
        for action in (TEMPO, 25, QUARTER, TO_VELOCITY + 6, 0, QUARTER):
            state, _ = play(task, state, action)
            captions.append(task.medium.caption(task.content(state)[0], condition))
        assert captions == ["start", "120 a minute", "C4", "1/4", "p (52)", "rest", "1/4"]

    def test_pictures_grow_by_decisions(self, task):
        works = task.works("train")
        content, condition = works.contents[0], works.conditions[0]
        pictures = [task.medium.render(content, condition, upto) for upto in range(8)]
        assert all((one != other).any() for one, other in itertools.pairwise(pictures))
        state = start(task)
        state.sheet[:, HORIZON + 1 :] = condition
        for step, action in enumerate(task.demonstrations(content[None], condition[None])[0, :7], 1):
            state, _ = task.step(state, action[None])
            assert (task.render(state)[0] == pictures[step]).all()

    def test_velocity_is_seen_and_heard(self, task):
        shown, heard = [], []
        for velocity in (2, 14):
            actions = (TEMPO, 37, WHOLE, TO_VELOCITY + velocity, *3 * (0, WHOLE))
            state, done = play(task, start(task), *actions)
            assert done
            content, condition = task.content(state)[0], np.array([0, 0, 2, 0])
            picture = task.medium.render(content, condition).astype(int)
            strip = picture[-pianoroll.BOTTOM - pianoroll.STRIP :, pianoroll.LEFT : pianoroll.LEFT + 14]
            shown.append(int((strip.max(2) > 75).any(1).sum()))
            heard.append(np.abs(task.medium.sound(content, condition).samples).max())
        assert shown[1] > shown[0] + 20
        assert heard[1] > 5 * heard[0] > 0

    def test_sound_of_decisions(self, task):
        works = task.works("train")
        content, condition = works.contents[0], works.conditions[0]
        whole = task.medium.sound(content, condition)
        phrase = task.medium.phrase(content, condition)
        assert whole.seconds == pytest.approx(phrase.seconds(phrase.length))
        count = 1 + 3 * int((content[:, 2] > 0).sum())
        parts = [task.medium.sound(content, condition, step, step + 3).seconds for step in range(1, count, 3)]
        assert sum(parts) == pytest.approx(whole.seconds)

    def test_populations_overlap_with_themselves(self, task):
        works = task.works("train")
        metrics = task.medium.metrics(works.contents, works.conditions)
        assert metrics["overlap_velocities"] > 0.9
        assert metrics["divergence_velocities"] < 0.1
        random = RandomPolicy(task).sample(works.conditions, len(works), 0)
        other = task.medium.metrics(random, works.conditions)
        assert other["overlap_velocity_steps"] < 0.5
        assert other["divergence_velocity_steps"] > 0.5
        played = task.medium.performances(works.contents, works.conditions)
        louder = Performances(played.melodies, np.where(played.levels > 0, 16, 0), played.tempi)
        assert compare(louder, played)["overlap_pitch_classes"] == pytest.approx(metrics["overlap_pitch_classes"])

    def test_other_contents_are_refused(self, task):
        works = task.works("train")
        with pytest.raises(ValueError, match="are the condition of a phrase"):
            task.medium.metrics(works.contents)
        with pytest.raises(ValueError, match="phrases are a non-empty array"):
            task.medium.metrics(works.contents[:0], works.conditions[:0])

    def test_choosing_by_hand_begins_near_the_note_before(self, task):
        builder, marked = Builder(task, np.random.default_rng(0)), []
        for _ in range(7):
            marked.append(builder.caption(builder.chosen))
            builder.press("return")
        assert marked == ["120 a minute", "F♯4", "1/4", "mp (68)", "F♯4", "1/4", "mp (68)"]


def test_benchmark(task, monkeypatch):
    monkeypatch.setattr(domain, "NUM", 20)
    found = domain.measure(RandomPolicy(task), "test")
    assert found["references"]["random"]["num"] == found["num"] == 20
    assert {column.key for column in domain.DOMAIN.columns} <= set(found) & set(found["real"])
    assert found["real"]["kept"] == 1
    assert found["kept"] < 1
    train = task.corpus("train")
    assert domain.likeness(train, train).diagonal() == pytest.approx(1)


class TestQuartets:
    @pytest.fixture
    def real(self):
        return present(PhraseTask())

    def test_phrases_are_read_and_rebuilt(self, real):
        report = real.corpus_report()
        assert report.read == report.files == 52
        assert report.total > 4000
        for split in SPLITS:
            works = real.works(split)
            assert 0.08 * report.total < len(works)
            real.demonstrations(works.contents, works.conditions)

    def test_phrases_keep_the_rules(self, real):
        works = real.works("train")
        shares = real.rules(works.contents, works.conditions).mean(0)
        assert shares.min() > 0.93

    def test_no_phrase_is_in_two_splits(self, real):
        works = [real.works(split) for split in SPLITS]
        kin = domain.likeness(works[2].contents, works[0].contents).max(1)
        chosen = np.random.default_rng(0).permutation(len(works[0]))[:250]
        likely = domain.likeness(works[0].contents[chosen], works[0].contents)
        likely[works[0].groups[chosen][:, None] == works[0].groups] = 0
        assert kin.mean() < likely.max(1).mean() + 0.05
        assert kin.max() < 1
