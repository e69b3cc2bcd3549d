"""Poem-v0: poems as text, kin and splits, building, rules of regulated verse, the scroll, choices to click."""

import itertools
import sys

import numpy as np
import pytest
from real_works import present

from musegym.benchmarks.domains import poem as domain
from musegym.envs import SPLITS, check_splits, check_task
from musegym.envs.corpora import chinese, readings
from musegym.envs.corpora.chinese import Form, Poem, alphabet_of, keys, kins, parse, split
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.media import fonts
from musegym.envs.media.regulated import LEVEL, NAMES, OBLIQUE, Letters, kept, laid_out
from musegym.envs.poem import END_OF_LINE, STEP, PoemTask
from musegym.play.builder import Builder
from musegym.play.panel import Panel

FIVE, SEVEN, IDIOM = Form(4, 5), Form(4, 7), Form(1, 4)
CHARACTERS = "不人一風無花來山春日上何時中月水有雲天是知得君年夜長自相見秋江處心今如"
needs_pypinyin = pytest.mark.skipif(not readings.known(), reason="tones and rhymes: pip install pypinyin")


def verse(rng, form):
    """A poem of random characters, punctuated."""
    lines = rng.choice(list(CHARACTERS), (form.lines, form.length))
    return "".join("".join(line) + "，。"[number % 2] for number, line in enumerate(lines))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path, request):
    if request.cls is not TestRealPoems:
        monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    chinese.load_files.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """Quatrains of two forms, one a line and one a stanza."""
    rng, own = np.random.default_rng(0), tmp_path / "own"
    own.mkdir()
    (own / "five.txt").write_text("\n".join(verse(rng, FIVE) for _ in range(40)), encoding="utf-8")
    stanzas = (verse(rng, SEVEN).replace("。", "。\n") for _ in range(30))
    (own / "seven.txt").write_text("\n".join(stanzas), encoding="utf-8")
    return own


@pytest.fixture
def task(folder):
    return PoemTask(corpus=str(folder))


def written(task, text):
    """The content of a poem as text."""
    poem = parse(text)
    return chinese.encode([poem], task.letters.alphabet, task.lines, task.longest)[0]


class TestReading:
    def test_poems_are_lines_of_one_length(self):
        assert parse("春眠不覺曉，處處聞啼鳥。\n夜來風雨聲，花落知多少。") == Poem(
            FIVE, "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少"
        )
        assert parse(" 守株待兔\n") == Poem(IDIOM, "守株待兔")
        assert parse("春眠不覺曉，處處聞啼。") == "lines of unequal length"
        assert (
            parse("Spring, asleep")
            == parse("春眠□覺曉")
            == parse("")
            == "other than Chinese characters and punctuation"
        )
        assert "16" in parse("山" * 17)
        assert parse("山" * 17) == parse("山\n" * 17)

    def test_names_of_forms(self):
        assert [form.name for form in (IDIOM, FIVE, SEVEN, Form(8, 5))] == ["idiom", "five", "seven", "8x5"]
        assert [form.regulated for form in (IDIOM, FIVE, SEVEN, Form(8, 5), Form(4, 6), Form(2, 7))] == [
            *(False, True, True),
            *(True, False, False),
        ]

    def test_lines_and_stanzas(self, task):
        report = task.corpus_report()
        assert (report.total, report.files, report.read, report.left_out, report.skipped) == (70, 2, 2, {}, ())
        assert task.conditions[0].values == ("five", "seven")
        forms = np.concatenate([task.works(split).conditions[:, 0] for split in SPLITS])
        assert np.bincount(forms).tolist() == [40, 30]
        check_task(task)
        check_splits(task)

    def test_files_without_poems_cost_no_other(self, folder):
        (folder / "prose.txt").write_text("山 is a mountain", encoding="utf-8")
        (folder / "old.txt").write_bytes("春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。".encode("gb18030"))
        (folder / "seal.txt").write_text("山" * 9 + "\n" + "水" * 9 + "\n" + "水" * 9, encoding="utf-8")
        report = PoemTask(corpus=str(folder)).corpus_report()
        assert report.skipped == (("prose.txt", "no poem: other than Chinese characters and punctuation"),)
        assert report.left_out == {"of a form that fewer than 5% of them have": 3, "with a character that few have": 1}
        assert report.total == 70

    def test_equal_poems_count_once_and_few_are_refused(self, tmp_path):
        (tmp_path / "own.txt").write_text(2 * "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。\n", encoding="utf-8")
        task = PoemTask(corpus=str(tmp_path / "own.txt"))
        assert task.corpus_report().left_out == {"equal to another": 1}
        with pytest.raises(ValueError, match="of 1 unrelated poem, too few to be split"):
            task.works("train")
        with pytest.raises(ValueError, match="no folder or file"):
            PoemTask(corpus=str(tmp_path / "none"))

    def test_exported_poems_are_read_again(self, task, tmp_path):
        works = task.works("train").take(slice(12))
        for row, (content, condition) in enumerate(zip(works.contents, works.conditions, strict=True)):
            task.export(content, tmp_path / "out" / f"{row}.png", condition)
        again = PoemTask(corpus=str(tmp_path / "out"))
        report = again.corpus_report()
        assert (report.files, report.read, report.skipped) == (12, 12, ())
        written = {task.medium.describe(content) for content in works.contents}
        read = {again.medium.describe(content) for name in SPLITS for content in again.corpus(name)}
        assert read <= written
        assert len(read) > 6, "others have characters that few have"

    def test_mistakes_are_told(self, folder):
        with pytest.raises(ValueError, match="choose one of idioms, tang"):
            PoemTask("song")
        with pytest.raises(ValueError, match="not both"):
            PoemTask("tang", corpus=str(folder))
        with pytest.raises(ValueError, match="five, seven"):
            PoemTask("tang", style="nine")


class TestSplits:
    def test_kin(self):
        poems = [
            *(Poem(IDIOM, text) for text in ("一丁不识", "不识一丁", "一字不识", "山高水长")),
            *(Poem(FIVE, text * 4) for text in ("春眠不覺曉", "夜來風雨聲")),
            Poem(SEVEN, "多多春眠不覺曉" + "山" * 21),
        ]
        found = kins(poems)
        assert found[0] == found[1] == found[2]
        assert found[4] == found[6]
        assert len(set(found.tolist())) == 4
        assert len(keys(poems[4])) == 16

    def test_kin_are_in_one_part(self):
        rng = np.random.default_rng(0)
        poems = [parse(verse(rng, IDIOM)) for _ in range(400)]
        kin = kins(poems)
        parts = split(poems, kin)
        assert all(len(set(parts[kin == one])) == 1 for one in kin)
        assert (np.bincount(parts) >= [300, 30, 30]).all()
        shuffled = rng.permutation(400)
        again = split([poems[row] for row in shuffled], kins([poems[row] for row in shuffled]))
        assert (again == parts[shuffled]).all()

    def test_alphabets(self):
        poems = [Poem(IDIOM, text) for text in ("山水風月", "山水風花", "山水天人", "江江江江")]
        parts = np.array([0, 0, 0, 2], np.uint8)
        assert alphabet_of(poems, parts, 3) == "山水風"
        assert set(alphabet_of(poems, parts, None)) == set("山水風月花天人")
        with pytest.raises(ValueError, match="7 characters, not 9"):
            alphabet_of(poems, parts, 9)


class TestBuilding:
    def test_lines_end_by_themselves_or_by_a_decision(self, task):
        state = task.initial(np.zeros(2, np.uint64), np.array([[0], [1]]))
        for step in range(28):
            action = END_OF_LINE if step % 6 == 5 else 1 + step
            state, done = task.step(state, np.array([action, 1 + step]))
        assert done.all()
        assert task.content(state)[0].tolist()[:7] == [2, 3, 4, 5, 6, 1, 8]
        assert state.sheet[:, task.horizon + STEP].tolist() == [24, 28]
        assert laid_out(task.content(state), 4, 7)[0, 1].tolist() == [7, 8, 9, 10, 11, 0, 0]

    def test_a_line_may_end_too_early(self, task):
        state = task.initial(np.zeros(1, np.uint64), np.array([[0]]))
        for action in (3, 0, 0, 4, 5, 6, 7, 8, 0, 4, 5, 0):
            assert not state.done[0]
            state, _ = task.step(state, np.array([action]))
        assert state.done[0]
        assert task.medium.rules(task.content(state), task.condition(state))[0, 0] == 0.25
        rebuilt = task.demonstrations(task.content(state), task.condition(state))[0]
        assert rebuilt.tolist() == [3, 0, 0, 4, 5, 6, 7, 8, 0, 4, 5, 0] + 16 * [0]

    def test_what_is_no_poem_cannot_be_built(self, task):
        content = task.works("test").contents[:1].copy()
        condition = task.works("test").conditions[:1]
        for change in (0, -1):
            other = content.copy()
            other[0, change] = 0 if change == 0 else 5 * (condition[0, 0] == 0)
            with pytest.raises(ValueError, match="1 of 1 poems cannot be written"):
                task.demonstrations(other, condition)
        with pytest.raises(ValueError, match="poems are"):
            task.demonstrations(content[:, :5], condition)
        with pytest.raises(ValueError, match="more than 1 lines"):
            laid_out(np.array([[2, 1, 1, 2]]), 1, 4)

    def test_features_tell_the_tone_and_the_rhyme_that_are_due(self, task):
        """Characters are written in the order of their numbers; odd ones are oblique."""
        numbers = np.arange(36, dtype=np.uint8)
        task.letters = Letters(
            CHARACTERS, ("",) * 35, (numbers > 0) * (1 + numbers % 2), (numbers > 0) * (1 + numbers % 14)
        )
        state, seen = task.initial(np.zeros(1, np.uint64), np.array([[1]])), {}
        for action in range(1, 29):
            found = task.feature_values(state)[0].tolist()
            seen[tuple(found[:2])] = tuple(found[2:])
            state, _ = task.step(state, np.array([action]))
        due = {at: asked for at, asked in seen.items() if any(asked)}
        assert due == {
            **{(line, place): (2 - line % 2, 0) for line in range(4) for place in (3, 5)},  # after 2 + 7 line
            (1, 1): (2, 0),  # opposes 2
            (2, 1): (2, 0),  # adheres to 9
            (3, 1): (2, 0),  # opposes 16
            (3, 6): (0, 1 + 14 % 14),  # rhymes with 14
        }

    def test_styles_fix_the_form(self, folder):
        task = PoemTask(corpus=str(folder), style="seven")
        assert (task.condition(task.initial(np.arange(20, dtype=np.uint64)))[:, 0] == 1).all()


PATTERN = ("仄仄平平仄", "平平仄仄平", "平平平仄仄", "仄仄仄平平")
"""A quatrain of five characters by the book: couplets oppose, the second adheres to the first, and even lines rhyme."""


def marked(*lines, rhymes="abcb"):
    """A grid of tones, whose last characters rhyme as letters say; and the letters for it."""
    grid = np.zeros((1, 4, 7), np.int16)
    tones, classes = [0], [0]
    for row, (line, rhyme) in enumerate(zip(lines, rhymes, strict=True)):
        for place, tone in enumerate(line):
            grid[0, row, place] = len(tones)
            tones.append(LEVEL if tone == "平" else OBLIQUE)
            classes.append("abc".index(rhyme) + 1 if place == len(line) - 1 else 9)
    alphabet = "".join(chr(0x4E00 + number) for number in range(len(tones) - 1))
    return grid, Letters(alphabet, ("",) * len(alphabet), np.array(tones, np.uint8), np.array(classes, np.uint8))


def shares(*lines, rhymes="abcb", length=5):
    grid, letters = marked(*lines, rhymes=rhymes)
    found = kept(grid, np.array([4]), np.array([length]), letters)[0]
    return dict(zip(NAMES, found.tolist(), strict=True))


class TestRules:
    def test_a_regulated_quatrain_keeps_all(self):
        assert shares(*PATTERN) == dict.fromkeys(NAMES, 1)
        seven = [("平平" if line[0] == "仄" else "仄仄") + line for line in PATTERN]
        assert shares(*seven, length=7) == dict.fromkeys(NAMES, 1)

    def test_each_rule_is_broken_alone(self):
        assert shares(*PATTERN, rhymes="abca") == {**dict.fromkeys(NAMES, 1), "rhyme": 0}
        assert shares(*PATTERN[:2], *PATTERN[:2]) == {**dict.fromkeys(NAMES, 1), "adhesion": 0}
        assert shares(PATTERN[1], *PATTERN[1:]) == {**dict.fromkeys(NAMES, 1), "opposition": 0.5}
        assert shares("仄仄平仄仄", *PATTERN[1:]) == {**dict.fromkeys(NAMES, 1), "alternation": 0.75}
        found = shares("仄仄平平", *PATTERN[1:])
        assert (found["length"], found["alternation"], found["rhyme"]) == (0.75, 0.75, 1)

    def test_other_forms_have_lengths_alone(self):
        grid, letters = marked("平平平平平", "平平平平平", "平平平平平", "平平平平平", rhymes="abca")
        assert kept(grid, np.array([1]), np.array([5]), letters)[0].tolist() == [1, 1, 1, 1, 1]
        assert kept(grid, np.array([4]), np.array([4]), letters)[0].tolist() == [0, 1, 1, 1, 1]
        assert kept(grid[:0], np.zeros(0, int), np.zeros(0, int), letters).shape == (0, 5)

    @needs_pypinyin
    def test_readings(self):
        found = readings.read("山間月衣知詩綠玉風中鷓\U0002b73f")
        assert found.pinyin[:3] == ("shān", "jiān", "yuè")
        assert found.tones[:3].tolist() == [LEVEL, LEVEL, OBLIQUE]
        rhymes = dict(zip("山間月衣知詩綠玉風中", found.rhymes.tolist(), strict=False))
        for first, second in ("山間", "知詩", "綠玉", "風中"):
            assert rhymes[first] == rhymes[second] > 0
        assert len({rhymes[one] for one in "山月衣知風"}) == 5

    def test_without_pypinyin(self, monkeypatch, folder):
        monkeypatch.setitem(sys.modules, "pypinyin", None)
        monkeypatch.setattr(readings.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(CorpusMissingError, match="pip install pypinyin"):
            readings.read("山")
        assert readings.unread("山水").rhymes.tolist() == [0, 0]


class TestScroll:
    def test_text(self, task):
        text = "不人一風無，花來山春日。上何時中月，水有雲天是。"
        assert task.medium.describe(written(task, text)) == text
        assert task.medium.describe(written(task, text) * (np.arange(28) < 8)) == "不人一風無，花來。"
        assert task.medium.describe(np.zeros(28, np.int16)) == "(empty)"
        assert task.medium.caption(written(task, text)[:10]).startswith("日") or readings.known()

    @pytest.mark.parametrize("written_by", ["font", "box"])
    def test_pictures_show_what_is_written(self, task, monkeypatch, written_by):
        if written_by == "box":
            monkeypatch.setattr("musegym.envs.media.calligraphy.font", lambda character, size: None)
        content = written(task, "不人一風無，花來山春日。上何時中月，水有雲天是。")
        whole, begun, empty = (task.medium.render(content, np.array([0]), upto) for upto in (None, 6, 0))
        assert whole.shape == begun.shape == empty.shape
        dark = [(picture[: len(picture) - 100] < 90).all(-1).sum() for picture in (empty, begun, whole)]
        assert dark[0] + 300 < dark[1] < dark[2] - 1000
        other = content.copy()
        other[0] = 20
        assert (task.medium.render(other, np.array([0])) != whole).any()
        assert task.medium.sheet(task.works("train").contents[:5], columns=3).shape[2] == 3

    def test_the_font_of_the_environment_comes_first(self, monkeypatch):
        for cached in (fonts._files, fonts.font_file):
            cached.cache_clear()
        monkeypatch.setenv(fonts.VARIABLE, str(fonts._dejavu()))
        assert fonts.font_file("ǎ") == fonts._dejavu()
        for cached in (fonts._files, fonts.font_file):
            cached.cache_clear()

    def test_metrics(self, task):
        works = task.works("train")
        found = task.medium.metrics(works.contents, works.conditions)
        assert found["length"] == found["known_pairs"] == 1
        assert 0 < found["repeated"] < 0.5
        twins = task.medium.metrics(works.contents[:1].repeat(9, 0), works.conditions[:1].repeat(9, 0))
        assert twins["distinct_2"] < 0.12
        assert task.medium.metrics(works.contents)["length"] == 1, "the first line tells the form"
        strange = np.where(works.contents > 1, 2, works.contents)
        assert task.medium.metrics(strange, works.conditions)["known_pairs"] < 0.5


class TestPlay:
    def test_choices_fit_and_are_clicked(self, task):
        one, rng = Builder(task, np.random.default_rng(0)), np.random.default_rng(1)
        while not one.done:
            content, condition = one.work.content, one.work.condition
            tiles = task.medium._tiles(content, condition)
            assert len({action for action, _ in tiles}) == len(tiles) >= 1
            action, (left, top) = tiles[rng.integers(len(tiles))]
            if tiles[0][0] == END_OF_LINE:
                action, (left, top) = tiles[0]
            assert one.aim((left + 5, top + 5), shift=False)
            assert one.legal[one.chosen] == action
            one.press("return")
        work = one.work
        shares = task.medium.rules(work.content[None], work.condition[None])[0]
        assert shares[0] == 1
        if readings.known():
            assert (shares == 1).all(), "choices keep the rules"
        assert not one.aim((30, len(one.picture) - 30), shift=False)

    def test_choices_follow_real_poems(self, task):
        content = task.works("train").contents[0]
        condition = task.works("train").conditions[0]
        begun = content * (np.arange(len(content)) < 2)
        size = task.num_actions - 1
        first = task.medium.choices(begun, condition, size)
        pairs = {
            tuple(pair)
            for poem in laid_out(task.corpus("train"), 4, 7)
            for row in poem
            for pair in itertools.pairwise(row.tolist())
        }
        followers = [action for action in first if (content[1] - 1, action) in pairs]
        assert first[: len(followers)] == followers

    def test_chips_show_chinese(self):
        import pygame

        pygame.font.init()
        if fonts.font_file("山") is None:
            pytest.skip("no font of this machine has Chinese characters: apt-get install fonts-lxgw-wenkai")
        chips = [Panel(("", ""), [label]).draw(640)[0] for label in ("山 shān", "水 shān", "山 shǎn")]
        pictures = [pygame.surfarray.array3d(chip).tobytes() for chip in chips]
        assert len(set(pictures)) == 3


class TestRealPoems:
    @pytest.fixture(params=chinese.COLLECTIONS)
    def task(self, request):
        return present(PoemTask(request.param))

    def test_most_are_representable_and_rebuilt(self, task):
        report, left_out = task.corpus_report(), task.corpus_report().left_out
        assert report.total / (report.total + left_out["with a character that few have"]) > 0.8
        assert len(task.letters.alphabet) == task.num_actions - 1
        for name in SPLITS:
            works = task.works(name)
            actions = task.demonstrations(works.contents, works.conditions)
            state = task.initial(np.zeros(len(works), np.uint64), works.conditions if task.conditions else None)
            for action in actions.T:
                state, done = task.step(state, action)
            assert done.all()
            assert (task.content(state) == works.contents).all()

    def test_no_kin_across_splits(self, task):
        seen = dict[tuple[int, str], str]()
        for name in SPLITS:
            for content, condition in zip(task.works(name).contents, task.works(name).conditions, strict=True):
                text = "".join(task.letters.alphabet[token - 2] for token in content[content > 1])
                form = task.forms[condition[0] if len(condition) else 0]
                for key in keys(Poem(form, text)):
                    assert seen.setdefault(key, name) == name

    def test_real_quatrains_keep_the_rules_far_more_often_than_chance(self, task):
        if not task.regulated:
            assert task.rule_names == ("length",)
            return
        found = domain.references(task, "validation")
        for rule, share in (("rhyme", 0.75), ("alternation", 0.65), ("opposition", 0.7), ("adhesion", 0.7)):
            assert found["real"][rule] > share > found["random"][rule] + 0.15
        assert found["real"]["copied"] == 0
