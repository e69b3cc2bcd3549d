"""Drawing digits: the pen, the pictures of packages (stood in for by drawn ones), and how drawings are shown."""

import gzip
import importlib.util
import logging
import sys

import digits_package
import gymnasium as gym
import numpy as np
import pytest
import torch

from musegym.agents import AdversarialDQN, DiscriminatorCallback, generate, make_sb3_env
from musegym.discriminators import DiscriminatorTrainer, make_discriminator
from musegym.envs.checks import check_task
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.corpora.pictures import TABLES, load_digits
from musegym.envs.digit import GAIN, PAPERS, DigitTask, halved
from musegym.envs.media.drawing import Drawing
from musegym.envs.media.strokes import components, euler_numbers, ink_shapes, to_svg
from musegym.envs.task import SPLITS

POINTS = 81
VARIANTS = [{}, {"classes": True}, {"data": "sklearn", "classes": True}, {"side": 28, "strokes": 3}]


def at(row, column):
    return 9 * row + column


def build(task, actions, condition=None):
    actions = np.atleast_2d(actions)
    state = task.initial(np.zeros(len(actions), np.uint64), condition)
    for t in range(actions.shape[1]):
        state, done = task.step(state, actions[:, t])
    return state, done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    for data in digits_package.PACKAGES:
        digits_package.write(folder, data)
    return folder


@pytest.fixture
def packages(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(folder)
    for package, _, _ in digits_package.PACKAGES.values():  # the real one may be loaded
        monkeypatch.delitem(sys.modules, package, raising=False)
    return folder


class TestPen:
    def test_lines_against_the_definition(self):
        """Ink fades over the last pixel of the pen's reach, measured to the nearest place on the line."""
        for side, paper in PAPERS.items():
            task = DigitTask(side=side, strokes=2, data="sklearn" if side == 8 else "mnist")
            points = paper.points**2
            rng = np.random.default_rng(side)
            for start, end in rng.integers(points, size=(3, 2)):
                drawn = task.content(build(task, [points + start, end])[0])[0]
                path = paper.places[start] + np.linspace(0, 1, 2000)[:, None] * (
                    paper.places[end] - paper.places[start]
                )
                cells = np.stack(np.mgrid[:side, :side], -1).reshape(-1, 1, 2)
                away = np.linalg.norm(cells - path, axis=-1).min(1).reshape(side, side)
                np.testing.assert_allclose(drawn, 255 * np.clip(paper.reach - away, 0, 1), atol=1)

    def test_starts_in_the_middle_and_moves_leave_nothing(self):
        task = DigitTask(strokes=2)
        moved = build(task, [POINTS + at(0, 0), POINTS + at(8, 8)])[0]
        assert not task.content(moved).any()
        down, _ = build(task, [at(8, 4), POINTS])
        rows, columns = np.nonzero(task.content(down)[0])
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 13, 6, 7)

    def test_ink_stays_and_rows_are_apart(self):
        task = DigitTask(strokes=3)
        cross = [at(0, 4), POINTS + at(4, 0), at(4, 8)]
        both = task.content(build(task, [cross, [POINTS] * 3, cross])[0])
        assert (both[0] == both[2]).all()
        assert not both[1].any()
        first = task.content(build(task, [cross[0], POINTS, POINTS])[0])
        second = task.content(build(task, [POINTS, cross[1], cross[2]])[0])
        assert (both[:1] == np.maximum(first, second)).all()
        assert first.any()
        assert second.any()

    def test_ends_after_its_strokes_and_takes_no_more(self):
        task = DigitTask(strokes=4)
        state, done = build(task, [at(0, 0)] * 3)
        assert not done.any()
        state, done = task.step(state, np.array([at(8, 0)]))
        assert done.all()
        before = task.content(state)
        state, _ = task.step(state, np.array([at(8, 8)]))
        assert (task.content(state) == before).all()

    def test_features_and_view(self):
        state, _ = build(DigitTask(), [[at(1, 2), at(4, 4)], [at(1, 2), POINTS + at(5, 8)]])
        task = DigitTask()
        assert task.feature_values(state).tolist() == [[2, 4, 4, 1], [2, 5, 8, 0]]
        assert [feature.name for feature in task.features] == ["step", "pen_row", "pen_column", "pen_down"]
        canvas = task.view(state)
        assert (canvas.dtype, canvas.shape) == (np.uint8, (2, *task.view_shape))
        np.testing.assert_array_equal(canvas[..., 0], task.content(state))
        assert canvas.any()

    def test_no_demonstrations(self):
        task = DigitTask()
        assert not task.has_demonstrations
        with pytest.raises(ValueError, match="no demonstrations"):
            task.demonstrations(digits_package.drawn("mnist", 2))

    @pytest.mark.parametrize(
        ("kwargs", "said"),
        [
            ({"side": 20}, r"side must be one of \[14, 28\]"),
            ({"side": 14, "data": "sklearn"}, r"side must be one of \[8\]"),
            ({"data": "emnist"}, "choose one of mnist, sklearn"),
            ({"strokes": 0}, "strokes"),
            ({"strokes": 2.5}, "strokes"),
        ],
    )
    def test_wrong_arguments(self, kwargs, said):
        with pytest.raises(ValueError, match=said) as error:
            DigitTask(**kwargs)
        assert "\n" not in str(error.value)


class TestContract:
    @pytest.mark.parametrize("kwargs", VARIANTS, ids=str)
    def test_kept(self, kwargs, packages):
        check_task(DigitTask(**kwargs))

    def test_classes_are_conditions(self, packages):
        task = DigitTask(classes=True)
        works = task.works("train")
        assert works.contents.shape == (160, 14, 14)
        assert sorted(works.conditions[:, 0].tolist()) == sorted(16 * list(range(10)))
        assert (works.contents == DigitTask().corpus("train")).all()
        starts = task.initial(np.random.default_rng(0).integers(2**64, size=300, dtype=np.uint64))
        assert set(starts.label.tolist()) == set(range(10))
        assert (task.condition(starts)[:, 0] == starts.label).all()
        assert DigitTask().works("train").conditions.shape == (160, 0)
        assert DigitTask().conditions == ()

    def test_a_style_is_a_class(self, packages):
        task = DigitTask(classes=True, style="7")
        assert task.condition(task.initial(np.arange(20, dtype=np.uint64))).tolist() == 20 * [[7]]
        assert task.kwargs()["style"] == "7"
        with pytest.raises(ValueError, match=r"style '11' is unknown; use words of: digit: 0, 1, 2"):
            DigitTask(classes=True, style="11")
        with pytest.raises(ValueError, match="there are no styles"):
            DigitTask(style="7")

    def test_environments_need_no_pictures_until_somebody_asks(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        env = gym.make("musegym/Digit-v0", discriminator="none", strokes=2, render_mode="rgb_array")
        env.reset(seed=0)
        first = env.render()
        env.step(at(0, 0))
        assert (env.render() != first).any()
        _, _, terminated, _, info = env.step(at(0, 8))
        assert terminated
        assert info["content"].shape == (14, 14)

    @pytest.mark.parametrize("classes", [False, True])
    def test_discriminators_learn_from_pictures_alone(self, classes, packages):
        env = gym.make_vec("musegym/Digit-v0", 8, strokes=2, classes=classes, autoreset_mode="Disabled")
        task = env.unwrapped.task
        trainer = DiscriminatorTrainer(make_discriminator(task, hidden=16), task, batch_size=8, validate_every=2)
        env.unwrapped.set_discriminator(trainer.discriminator)
        env.reset(seed=0)
        env.step(np.arange(8))
        _, rewards, done, _, info = env.step(np.arange(8, 16))
        assert done.all()
        contents = info["content"]
        conditions = info["condition"] if classes else None
        architecture = trainer.discriminator.architecture
        assert (architecture.kind, architecture.condition_sizes) == ("image", (10,) if classes else ())
        assert rewards == pytest.approx(trainer.discriminator.logits(contents, conditions), abs=1e-5)
        for _ in range(2):
            stats = trainer.observe(contents, conditions)
        assert np.isfinite(list(stats.values())).all()
        assert {"r1", "train_minus_validation"} <= stats.keys()

    def test_what_is_seen(self):
        task = DigitTask(strokes=4)
        state, _ = build(task, [[at(0, 0)], [POINTS + at(8, 4)]])
        seen = task.observe(state)
        assert seen[:, -4:].tolist() == [[0, 0, 1, 0.25], [1, 0.5, 0, 0.25]]
        assert (seen[:, :-4] * 255 == task.content(state).reshape(2, -1)).all()


class TestPictures:
    @pytest.mark.parametrize("data", TABLES)
    def test_parts_are_stratified_and_apart(self, data, packages):
        parts = load_digits(data)
        side = TABLES[data].side
        for split, each in zip(SPLITS, (16, 2, 2), strict=True):
            images, labels = parts[split]
            assert images.shape == (10 * each, side, side)
            assert np.bincount(labels).tolist() == 10 * [each]
        everything = np.concatenate([parts[split].images for split in SPLITS]).reshape(200, -1)
        assert len(np.unique(everything, axis=0)) == 200
        expected = digits_package.table(data)[:, :-1]
        if data == "sklearn":
            expected = np.rint(expected * 255 / 16)
        assert (np.sort(everything.sum(1)) == np.sort(expected.sum(1))).all()
        assert everything.max() == 255

    @pytest.mark.parametrize(("data", "pictures"), [("mnist", 5000), ("sklearn", 1797)])
    def test_the_packages_themselves(self, data, pictures):
        try:
            parts = load_digits(data)
        except CorpusMissingError as error:
            pytest.skip(str(error))  # says what to install
        sizes = [len(parts[split].images) for split in SPLITS]
        assert pictures - 5 <= sum(sizes) <= pictures
        assert [round(size / pictures, 2) for size in sizes] == [0.8, 0.1, 0.1]
        train = parts["train"]
        assert np.bincount(train.labels).min() > 0.07 * len(train.labels)
        ones, zeros = train.images[train.labels == 1], train.images[train.labels == 0]
        middle = slice(TABLES[data].side // 2 - 1, TABLES[data].side // 2 + 1)
        assert ones[:, middle, middle].mean() > 2 * zeros[:, middle, middle].mean(), "a zero is empty in its middle"

    def test_parts_do_not_depend_on_the_order_of_the_file(self, tmp_path, packages, monkeypatch):
        before = load_digits("mnist")["test"]
        digits_package.write(tmp_path, "mnist", digits_package.table("mnist")[::-1])
        monkeypatch.syspath_prepend(tmp_path)
        after = load_digits("mnist")["test"]
        assert {image.tobytes() for image in before.images} == {image.tobytes() for image in after.images}

    def test_equal_pictures_count_once(self, tmp_path, packages, monkeypatch):
        table = digits_package.table("mnist")
        digits_package.write(tmp_path, "mnist", np.concatenate([table, table]))
        monkeypatch.syspath_prepend(tmp_path)
        assert sum(len(part.images) for part in load_digits("mnist").values()) == len(table)

    def test_halving(self):
        image = np.zeros((1, 4, 4), np.uint8)
        image[0, :2, :2] = [[255, 255], [0, 0]]
        image[0, 2:, 2:] = 255
        image[0, 0, 2] = 4
        assert halved(image).tolist() == [[[round(GAIN * 127.5), round(GAIN)], [0, 255]]]

    def test_the_cache_is_used(self, packages, monkeypatch):
        first = load_digits("mnist")
        monkeypatch.setattr("musegym.envs.corpora.pictures._read", None)
        assert (load_digits("mnist")["train"].images == first["train"].images).all()

    def test_a_damaged_cache_is_rebuilt(self, packages, tmp_path, caplog):
        load_digits("mnist")
        (cached,) = (tmp_path / "cache").iterdir()
        cached.write_bytes(b"nonsense")
        with caplog.at_level(logging.WARNING):
            assert len(load_digits("mnist")["train"].images) == 160
        assert "damaged cache" in caplog.text

    @pytest.mark.parametrize("data", TABLES)
    def test_missing_pictures_are_told_with_their_command(self, data, monkeypatch, packages):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        task = DigitTask(data=data)
        with pytest.raises(CorpusMissingError, match=f"musegym data get {data}$") as error:
            task.corpus("train")
        assert "\n" not in str(error.value)
        assert task.data_name == data

    def test_a_package_without_its_file(self, tmp_path, packages, monkeypatch):
        digits_package.write(tmp_path, "mnist").unlink()
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(CorpusMissingError, match=r"musegym data get mnist$"):
            load_digits("mnist")

    @pytest.mark.parametrize("damage", ["cut", "text", "wide", "loud", "no digit", "part"])
    def test_damaged_files_are_one_line(self, damage, tmp_path, packages, monkeypatch):
        table = digits_package.table("mnist")[:10].astype(float)
        if damage == "loud":
            table[3, 3] = 256
        elif damage == "no digit":
            table[3, -1] = 10
        elif damage == "part":
            table[3, 3] = 0.5
        file = digits_package.write(tmp_path, "mnist", table[:, :-1] if damage == "wide" else table)
        if damage == "cut":
            file.write_bytes(file.read_bytes()[:200])
        elif damage == "text":
            with gzip.open(file, "wt") as out:
                out.write("seven,eight\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ValueError, match=r"mnist_5k") as error:
            load_digits("mnist")
        assert "\n" not in str(error.value)


class TestShapes:
    def test_counts_of_known_pictures(self):
        drawing = """
            #### .##. #... ####
            #..# #..# .#.. #..#
            #..# .##. ..#. ####
            #### #..# #..# #..#
            .... .##. .... ####
        """
        rows = np.array([[list(word) for word in line.split()] for line in drawing.split("\n")[1:-1]])
        ink = (rows == "#").transpose(1, 0, 2)
        assert components(ink).tolist() == [1, 1, 2, 1]
        assert (components(ink) - euler_numbers(ink)).tolist() == [1, 2, 0, 2]
        assert ink_shapes(ink)["components"] == 1.25
        assert ink_shapes(ink)["holes"] == 1.25

    def test_long_ways_are_one_piece(self):
        snake = np.zeros((1, 9, 9), bool)
        snake[0, ::2] = True
        snake[0, [1, 5], 8] = snake[0, [3, 7], 0] = True
        assert components(snake).tolist() == [1]
        snake[0, 3, 0] = False
        assert components(snake).tolist() == [2]

    def test_slant(self):
        stroke = np.eye(8, dtype=bool)[None]
        assert ink_shapes(stroke)["slant"] == pytest.approx(-1)
        assert ink_shapes(stroke[:, :, ::-1])["slant"] == pytest.approx(1)
        assert ink_shapes(np.zeros((2, 4, 4), bool)) == {"ink": 0, "components": 0, "holes": 0, "slant": 0}


class TestMedium:
    def test_metrics_of_known_pictures(self):
        contents = np.zeros((3, 4, 4), np.uint8)
        contents[0, :, 1:3] = 255
        contents[1, 0, 0] = 255
        medium = Drawing(reference=lambda: contents)
        found = medium.metrics(contents)
        assert found["brightness"] == pytest.approx(9 / 48)
        assert found["ink"] == pytest.approx(9 / 48)
        assert found["symmetry"] == pytest.approx(0.5)
        assert found["pixel_distance"] == pytest.approx((3 + np.sqrt(8) + 1) / 3)
        assert found["grey_distance"] == pytest.approx(0)
        assert medium.metrics(contents[:1])["pixel_distance"] == 0
        assert Drawing(reference=lambda: contents[:1]).metrics(contents[2:])["grey_distance"] > 0.5

    def test_distances_do_not_hang_on_blocks(self):
        rng = np.random.default_rng(0)
        contents = rng.integers(0, 256, (600, 3, 3)).astype(np.uint8)
        x = contents.reshape(600, -1) / 255
        expected = np.linalg.norm(x[:, None] - x, axis=-1).sum() / (600 * 599)
        assert Drawing().metrics(contents)["pixel_distance"] == pytest.approx(expected, rel=1e-4)

    def test_classes_are_told_beside_the_picture(self):
        contents = np.zeros((2, 4, 4), np.uint8)
        contents[0] = 255
        medium, nine = Drawing(), np.array([9])
        assert medium.metrics(contents, np.array([[9], [1]])) == medium.metrics(contents)
        assert medium.metrics(contents)["brightness"] == 0.5
        blank = "\n".join(4 * ["........"])
        assert medium.describe(contents[1], nine) == f"class 9\n{blank}"
        assert medium.describe(contents[1]) == medium.describe(contents[1], np.zeros(0, int)) == blank
        assert (medium.render(contents[0], nine) == medium.render(contents[0])).all()

    @pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
    def test_wrong_pictures(self, wrong):
        with pytest.raises(ValueError, match=r"pictures are non-empty, uint8 \[H, W\]"):
            Drawing().render(wrong)

    @pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 4), np.uint8), np.zeros((1, 4, 4))])
    def test_wrong_populations(self, wrong):
        with pytest.raises(ValueError, match=r"pictures are non-empty, uint8 \[N, H, W\]"):
            Drawing().metrics(wrong)

    def test_the_pen_is_shown_while_it_works(self):
        task = DigitTask(strokes=2)
        drawn, moved = task.render(build(task, [[at(0, 0)], [POINTS + at(0, 0)]])[0])
        plain = task.medium.render(task.content(build(task, [POINTS])[0])[0])
        assert drawn.shape == moved.shape == plain.shape == (288, 288, 3)
        amber = (moved[..., 0].astype(int) - moved[..., 2]) > 100
        rows, columns = np.nonzero(amber)
        assert (rows.mean(), columns.mean()) == pytest.approx((4 + 20, 4 + 20), abs=1.0)
        assert not (moved == drawn).all()
        finished = build(task, [POINTS + at(0, 0), POINTS])[0]
        assert (task.render(finished)[0] == plain).all()
        assert (task.medium.render(task.content(build(task, [0, 1])[0])[0], upto=0) == plain).all()

    def test_export(self, tmp_path):
        task = DigitTask(strokes=3)
        actions = np.array([at(0, 4), POINTS + at(4, 0), at(4, 8)])
        content = task.content(build(task, actions)[0])[0]
        assert [path.name for path in task.medium.export(content, tmp_path / "a")] == ["a.png"]
        assert [path.name for path in task.export(content, tmp_path / "b")] == ["b.png", "b.npz"]
        paths = task.export(content, tmp_path / "c.x", None, actions)
        assert [path.name for path in paths] == ["c.png", "c.npz", "c.svg"]
        assert paths[2].read_text() == task.svg(actions)
        with np.load(paths[1]) as saved:
            assert (saved["content"] == content).all()
            assert (saved["condition"].tolist(), saved["actions"].tolist()) == ([], actions.tolist())

    def test_strokes(self):
        task = DigitTask()
        assert [task.action_name(action) for action in (0, at(2, 5), POINTS + at(8, 1))] == [
            "draw 0,0",
            "draw 2,5",
            "move 8,1",
        ]
        actions = [at(4, 5), at(0, 5), POINTS + at(0, 0), POINTS + at(8, 0), at(8, 0), at(8, 8), POINTS]
        first, second = task.paths(np.array([actions]))[0]
        assert first.tolist() == [[6.5, 6.5], [6.5, 8.0], [0.5, 8.0]]
        assert second.tolist() == [[12.5, 0.5], [12.5, 0.5], [12.5, 12.5]]
        assert task.paths(np.array([[POINTS, POINTS]])) == [[]]
        assert 'points="7,7 8.5,7 8.5,1"' in task.svg(np.array(actions))
        assert to_svg([], (14, 10), 1.0).count('viewBox="0 0 10 14"') == 1


class TestAgent:
    """The canvas is seen by policies that remember their decisions."""

    def agent(self, **options):
        kwargs = {"data": "sklearn", "strokes": 3, "classes": True}
        env = make_sb3_env("musegym/Digit-v0", 4, 0, discriminator="none", **kwargs)
        small = {"policy_kwargs": {"hidden": 8, "embedding": 4, "sight": 8}, "replayed": 4, "lead": 0, **options}
        return AdversarialDQN("auto", env, seed=0, learning_rate=1e-2, **small)

    def test_what_it_decides_hangs_on_the_canvas(self, packages):
        model = self.agent()
        for parameter in model.q_net.parameters():
            parameter.data *= 4
        observation = model.env.reset()[:1]
        blank, inked = observation.copy(), observation.copy()
        blank[:, :64], inked[:, :64] = 0, 1
        _, memory = model.predict(blank)
        assert not np.array_equal(model.predict(inked)[1][0], memory[0])

    def test_predict_goes_the_way_of_generate(self, packages):
        model = self.agent()
        for parameter in model.q_net.parameters():
            parameter.data *= 4
        observations, state, start = model.env.reset(), None, np.ones(4, bool)
        contents, asked = [], []
        for _ in range(9):
            actions, state = model.predict(observations, state, start, deterministic=True)
            observations, _, start, infos = model.env.step(actions)
            contents += [info["content"] for info in infos if "content" in info]
            asked += [info["condition"] for info in infos if "content" in info]
        assert len(contents) == 12
        assert len({str(condition) for condition in asked}) > 1
        np.testing.assert_array_equal(generate(model, 12, temperature=0, condition=np.array(asked)), contents)

    def test_goes_on_as_if_nothing_had_happened(self, packages, tmp_path):
        whole, path = self.agent(), tmp_path / "agent.zip"
        whole.learn(36, callback=DiscriminatorCallback(hidden=8))
        whole.save(path)
        again = AdversarialDQN.load(path)
        for model in (whole, again):
            model.learn(24, callback=DiscriminatorCallback(), reset_num_timesteps=False)
        assert whole._n_updates == again._n_updates > 3
        for name, value in whole.q_net.state_dict().items():
            assert torch.equal(value, again.q_net.state_dict()[name]), name
