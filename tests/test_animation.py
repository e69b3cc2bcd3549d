"""Animation-v0: the building of animations by changes, own works, Wesnoth's sequences, the medium and its measures."""

import logging

import numpy as np
import pytest
from PIL import Image
from real_works import present

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import animation as domain
from musegym.envs.animation import AnimationTask
from musegym.envs.checks import check_task
from musegym.envs.corpora import sources
from musegym.envs.corpora.animations import phases
from musegym.envs.corpora.changes import HORIZON, KEEP, REST, decisions, encode
from musegym.envs.corpora.likeness import ALIKE, likeness
from musegym.envs.corpora.motions import action_of, still_of
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.media.animations import LAST_SECONDS, Animation
from musegym.envs.task import SPLITS
from musegym.play.canvas import Canvas, box_of, paintable

PALETTE = np.array([[16, 16, 16], [90, 40, 30], [60, 120, 60], [90, 130, 160], [200, 160, 90], [240, 240, 240]])


def drawn(number, seed=0):
    """Squares of one colour with an outline, that step right or down from frame to frame; no two are equal."""
    rng = np.random.default_rng(seed)
    contents = np.zeros((number, 5, 16, 16), np.uint8)
    for number, content in enumerate(contents):
        row, column, side = (int(value) for value in rng.integers((1, 1, 4), (6, 6, 9)))
        content[:, 15, number % 16] = 1 + number // 16
        colour, down = rng.integers(2, 7), rng.integers(2)
        for frame in content:
            frame[row : row + side, column : column + side] = 1
            frame[row + 1 : row + side - 1, column + 1 : column + side - 1] = colour
            row, column = row + down, column + 1 - down
    return contents


def rgba(frame):
    pixels = np.zeros((*frame.shape, 4), np.uint8)
    pixels[..., :3] = PALETTE[np.maximum(frame, 1) - 1]
    pixels[..., 3] = 255 * (frame > 0)
    return pixels


def save_sheet(content, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([rgba(frame) for frame in content], 1)).save(path)


@pytest.fixture
def folder(tmp_path):
    for number, content in enumerate(drawn(30)):
        save_sheet(
            content, tmp_path / f"works/{('jump', 'walk')[number % 2]}/{'abcdefghijklmnopqrstuvwxyzäöüß'[number]}.png"
        )
    return tmp_path / "works"


@pytest.fixture
def task(folder):
    return AnimationTask(corpus=str(folder))


def every(task):
    return np.concatenate([task.corpus(split) for split in SPLITS])


class TestChanges:
    def test_runs_are_falling_powers_of_two(self):
        contents = np.zeros((2, 5, 16, 16), np.uint8)
        contents[1, :, 0, 13] = 3  # 13 pixels are kept before it
        contents[1, 4, 15, 15] = 2
        actions = encode(contents)
        assert actions[0, :6].tolist() == 5 * [REST] + [0]
        first = [KEEP + 3, KEEP + 2, KEEP, 3, REST]
        last = [*(KEEP + power for power in reversed(range(8))), 2]
        assert actions[1, :17].tolist() == [*first, REST, REST, REST, *last]
        assert decisions(contents).tolist() == [5, 17]
        assert not actions[1, 17:].any()

    def test_other_animations_cannot_be_built(self, task):
        noise = np.random.default_rng(0).integers(0, 17, (1, 5, 16, 16))
        with pytest.raises(ValueError, match="1 of 1 animations take more than 640 decisions"):
            task.demonstrations(noise)
        for contents in (np.full((1, 5, 16, 16), 17), np.zeros((1, 4, 16, 16)), np.full((1, 5, 16, 16), -1)):
            with pytest.raises(ValueError, match="animations are"):
                task.demonstrations(contents)

    def test_later_frames_begin_as_the_one_before(self, task):
        state = task.initial(np.zeros(1, np.uint64))
        for action in (KEEP + 4, 3, REST):
            state, _ = task.step(state, np.array([action]))
        assert (task.content(state)[0, :, 1, 0] == 3).all()
        state, _ = task.step(state, np.array([KEEP + 4]))
        mask = task.action_mask(state)[0]
        assert not mask[3]  # a pixel that stays is kept
        assert mask[:3].all()
        assert not mask[KEEP + 4 :].any()  # falling powers; a run that is followed by the rest is the rest
        state, _ = task.step(state, np.array([0]))
        assert task.content(state)[0, :, 1, 0].tolist() == [3, 0, 0, 0, 0]

    def test_an_animation_ends_in_time(self, task):
        """Random changes: at last only the ends of frames are legal."""
        state, rng = task.initial(np.arange(8, dtype=np.uint64)), np.random.default_rng(0)
        for step in range(HORIZON):
            mask = task.action_mask(state)
            mask[:, KEEP:] &= ~mask[:, :KEEP].any(1, keepdims=True)  # paints wherever it may
            state, done = task.step(state, (rng.random(mask.shape) * mask).argmax(1))
            if step == HORIZON - 5:
                assert not done.any()
        assert done.all()
        assert (decisions(task.content(state)) <= HORIZON).all()

    def test_a_still_is_a_prefix(self, task):
        content = drawn(1)[0]
        (still,), (two,) = task.beginning(content[:1]), task.beginning(content[None], 2)
        whole = task.demonstrations(content[None])[0]
        assert still.tolist() == whole[: len(still)].tolist()
        assert two.tolist() == whole[: len(two)].tolist()
        assert len(still) < len(two)
        state = task.initial(np.zeros(1, np.uint64))
        for action in still:
            state, _ = task.step(state, action[None])
        assert task.observe(state)[0, 1280:1283].tolist() == [1, 0, 0]


class TestContract:
    def test_contract(self, task):
        check_task(task)

    def test_legal_actions_replace_others_as_the_contract_says(self):
        """Of 16 colours, without a mask."""
        task = AnimationTask()
        state, rng = task.initial(np.arange(64, dtype=np.uint64), np.zeros((64, 3), np.int64)), np.random.default_rng(0)
        for _ in range(200):
            actions = rng.integers(0, 26, 64)
            assert (task.legalise(state, actions) == super(AnimationTask, task).legalise(state, actions)).all()
            state, _ = task.step(state, actions)

    def test_features_show_both_frames(self, task):
        state = task.initial(np.zeros(1, np.uint64))
        for action in (2, 3, REST, KEEP):
            state, _ = task.step(state, np.array([action]))
        names = [feature.name for feature in task.features]
        found = dict(zip(names, task.feature_values(state)[0].tolist(), strict=True))
        assert (found["frame"], found["row"], found["column"], found["run"]) == (1, 0, 1, 1)
        assert (found["here"], found["left"], found["left_before"], found["right"]) == (3, 2, 2, 0)
        assert (found["blank"], found["above"], found["here_before"]) == (0, 17, 0)


class TestOwnWorks:
    def test_sheets_are_taken_as_they_are(self, task, caplog):
        with caplog.at_level(logging.WARNING):
            assert len(every(task)) == 30
        assert {bytes(content) for content in every(task)} == {bytes(content) for content in drawn(30)}
        assert task.conditions[0].values == ("jump", "walk")
        assert "its 30 works are few" in caplog.text

    def test_written_animations_are_read_again(self, tmp_path):
        medium = Animation(lambda: PALETTE.astype(np.uint8))
        for number, content in enumerate(drawn(12)):
            _, gif = medium.export(content, tmp_path / f"work-{number}")
            with Image.open(gif) as image:
                assert image.n_frames == 5
        again = AnimationTask(corpus=str(tmp_path))
        assert {bytes(content) for content in every(again)} == {bytes(content) for content in drawn(12)}
        assert (again.medium.palette == PALETTE).all()
        assert again.corpus_report().left_out == {"without transparency: no figure can be cut out": 12}

    def test_gifs(self, tmp_path):
        for number, content in enumerate(drawn(9)):
            frames = [Image.fromarray(rgba(frame).repeat(3, 0).repeat(3, 1)) for frame in content]
            frames[0].save(
                tmp_path / f"{number}.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2, loop=0
            )
        task = AnimationTask(corpus=str(tmp_path))
        assert task.corpus_report().total == 9
        moving = (every(task)[:, 1:] != every(task)[:, :-1]).any((2, 3))
        assert moving.all()

    def test_what_is_no_animation_is_named(self, folder):
        (folder / "jump/broken.gif").write_bytes(b"no picture")
        Image.fromarray(rgba(drawn(1)[0, 0])).save(folder / "jump/one.png")
        Image.fromarray(rgba(drawn(1)[0, 0])).save(folder / "jump/still.gif")
        save_sheet(drawn(1)[0, :1].repeat(3, 0), folder / "jump/zz.png")
        report = AnimationTask(corpus=str(folder)).corpus_report()
        reasons = dict(report.skipped)
        assert set(reasons) == {"jump/broken.gif", "jump/one.png", "jump/still.gif"}
        assert "no GIF" in reasons["jump/broken.gif"]
        assert "16 x 16 pixels are no sprite sheet" in reasons["jump/one.png"]
        assert report.left_out == {"nothing moves": 1}

    def test_a_folder_without_animations_says_so(self, tmp_path):
        save_sheet(drawn(1)[0, :1], tmp_path / "still/one.png")
        for folder, why in (
            ("none", "there is no .png, .gif file in"),
            ("still", "no animations in .*one.png: 16 x 16"),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            with pytest.raises(ValueError, match=why):
                AnimationTask(corpus=str(tmp_path / folder)).works("train")

    def test_mistakes_are_one_line(self, tmp_path, folder, monkeypatch):
        with pytest.raises(ValueError, match="no folder or file"):
            AnimationTask(corpus=str(tmp_path / "nothing"))
        with pytest.raises(ValueError, match="not both"):
            AnimationTask("wesnoth-units", str(folder))
        with pytest.raises(ValueError, match="choose one of wesnoth-units"):
            AnimationTask("cartoons")
        with pytest.raises(ValueError, match="style 'dance' is unknown"):
            AnimationTask(style="dance")
        monkeypatch.setattr(sources, "_places", lambda source: [])
        with pytest.raises(CorpusMissingError, match="musegym data get wesnoth-units"):
            AnimationTask().corpus("train")


def test_long_sequences_are_cut_into_phases():
    frames = np.arange(11, dtype=np.uint8)[:, None, None].repeat(16, 1).repeat(16, 2)
    assert [phase[:, 0, 0].tolist() for phase in phases(frames[:3])] == [[0, 1, 2, 2, 2]]
    found = [phase[:, 0, 0].tolist() for phase in phases(frames)]
    assert found[:4] == [[start + each for each in range(5)] for start in (0, 2, 4, 6)]
    assert found[4:] == [[0, 2, 4, 6, 8]]


def test_names_of_sequences():
    for name, action in {
        "archer+female-bow-attack": "attack",
        "scorpion-ne-pincer": "attack",
        "spearman-attack-s": "attack",
        "thrasher-spear-defend": "defend",
        "deathblade-dying": "death",
        "deathblade-idle": "idle",
        "fighter-se-run": "move",
        "bat-ne": "idle",
    }.items():
        assert action_of(name) == action
    names = {f"orcs/{name}.png" for name in ("grunt", "grunt-bow", "grunt-defend", "grunt-ne")}
    assert still_of("orcs/grunt-bow-attack", names) == ["orcs/grunt-bow.png"]
    assert still_of("orcs/grunt-defend", names) == ["orcs/grunt.png"]
    assert still_of("orcs/grunt-ne-die", names) == ["orcs/grunt-ne.png"]
    assert still_of("orcs/grunt-n-die", names) == []


class TestMedium:
    medium = Animation(lambda: PALETTE.astype(np.uint8))

    def test_the_strip_shows_each_frame(self):
        content = drawn(1)[0]
        picture, cells = self.medium.render(content), self.medium.cells(content)
        for cell in (3 * 256 + 8 * 16 + 8, 5):
            assert (cells == cell).sum() == 16 + 100 * (cell < 256), "the first frame is there twice"
            value = content.ravel()[cell]
            if value:
                assert (picture[cells == cell] == PALETTE[value - 1]).all()

    def test_moments_play_the_frames(self):
        content = drawn(1)[0]
        content[3:] = content[2]
        moments = self.medium.moments(content)
        assert len(moments) == 3  # frames that stay are shown once
        assert moments[-1][1] == LAST_SECONDS
        assert (moments[0][0] == self.medium.render(content)).all()
        assert len({bytes(picture) for picture, _ in moments}) == 3

    def test_while_it_is_built_the_frames_so_far_are_played(self):
        content = drawn(1)[0]
        pictures = {bytes(self.medium.picture(content, 2 * 256 + 100, time)) for time in range(12)}
        assert len(pictures) == 3
        dark = self.medium.picture(content, 256)[self.medium.cells(content) >= 512]
        assert dark.max() < 110

    def test_text(self):
        content = np.zeros((5, 16, 16), np.uint8)
        content[1, 0, :2] = 1
        first = self.medium.describe(content).split("\n")[0].split("  ")
        assert first == [16 * ".", "@@" + 14 * ".", *3 * [16 * "."]]

    def test_metrics_of_known_animations(self):
        square = np.zeros((1, 5, 16, 16), np.uint8)
        for frame in range(5):
            square[0, frame, 4:8, 4 + frame : 8 + frame] = 6
        found = self.medium.metrics(square)
        assert found["travel"] == pytest.approx(1)
        assert found["unmoved"] == found["held"] == found["flicker"] == found["swell"] == 0
        assert found["changed"] == pytest.approx(8 / 20)
        blinking = np.zeros((1, 5, 16, 16), np.uint8)
        blinking[0, ::2, 4:8, 4:8] = 6
        found = self.medium.metrics(blinking)
        assert found["flicker"] == found["changed"] == found["swell"] == found["unmoved"] == 1
        still = self.medium.metrics(square[:, :1].repeat(5, 1))
        assert (still["held"], still["changed"], still["travel"]) == (1, 0, 0)
        assert set(self.medium.metrics(np.zeros((2, 5, 16, 16), np.uint8)).values()) == {0.0, 1.0}  # held

    def test_divergence_from_real_animations(self):
        real = drawn(20)
        medium = Animation(lambda: PALETTE.astype(np.uint8), lambda: real)
        assert medium.metrics(real)["change_kl"] == pytest.approx(0, abs=1e-9)
        still = medium.metrics(real[:, :1].repeat(5, 1))
        assert still["change_kl"] > 1 > still["palette_kl"]


class TestPlaying:
    def test_pixels_that_stay_are_painted_with_the_frame(self, task):
        assert paintable(task)
        canvas = Canvas(task, np.random.default_rng(0))
        canvas.brush = 2
        canvas.paint(np.array([256 + 7]))
        assert canvas.content.reshape(5, -1)[:, 7].tolist() == [0, 2, 2, 2, 2]
        canvas.brush = 3
        canvas.paint(np.array([3 * 256 + 7]))
        canvas.begin()
        canvas.brush = 4
        canvas.paint(np.array([7]))
        assert canvas.content.reshape(5, -1)[:, 7].tolist() == [4, 2, 2, 3, 3]
        canvas.undo()
        assert canvas.content.reshape(5, -1)[:, 7].tolist() == [0, 2, 2, 3, 3]

    def test_the_first_frame_can_be_painted_where_it_is_large(self, task):
        cells = task.medium.cells(np.zeros((5, 16, 16), np.uint8))
        assert (cells == 0).sum() > (cells == 256).sum() > 0
        left, top, width, height = box_of(cells, 17)
        assert (cells[top : top + height, left : left + width] == 17).all()
        assert width == height > box_of(cells, 256 + 17)[2]

    def test_the_agent_continues_after_the_last_painted_frame(self, task):
        canvas = Canvas(task, np.random.default_rng(0))
        canvas.paint(np.array([256 + 7]))
        assert canvas.prefix().tolist() == [REST, KEEP + 2, KEEP + 1, KEEP, 1, REST]


def test_benchmark(task):
    found = domain.measure(RandomPolicy(task), "test")
    assert found["num"] == len(task.corpus("test"))
    assert {column.key for column in domain.DOMAIN.columns} <= set(found) & set(found["real"])
    assert found["real"]["nearest"] < 1
    assert domain.measure_animations(task, task.corpus("train"))["nearest"] == pytest.approx(1)
    assert set(domain.references(task)) == {"real", "floor", "random"}


class TestRealAnimations:
    @pytest.fixture
    def real(self):
        return present(AnimationTask())

    def test_no_held_out_animation_is_a_copy(self, real):
        works = [real.works(name) for name in SPLITS]
        assert min(len(set(own.groups.tolist())) for own in works) > 15
        for part in (1, 2):
            before = np.concatenate([own.contents for own in works[:part]])
            mirrored = np.concatenate([before, before[..., ::-1]])
            assert likeness(works[part].contents, mirrored).max() < ALIKE

    def test_all_are_built_again(self, real):
        contents = np.concatenate([real.works(name).contents for name in SPLITS])
        assert len(contents) > 2000
        actions = real.demonstrations(contents)
        state = real.initial(np.zeros(len(contents), np.uint64))
        for step in actions.T:
            state, done = real.step(state, step)
        assert done.all()
        assert (real.content(state) == contents).all()

    def test_every_style_is_used(self, real):
        works = real.works("train")
        assert set(np.unique(works.contents)) == set(range(17))
        for column in (0, 2):
            assert set(works.conditions[:, column]) == set(range(len(real.conditions[column].values)))
        assert set(real.works("test").conditions[:, 2]) == {0}  # none is mirrored
