"""Content generators: plans to pictures and back, their training and their files."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from musegym.agents import AdversarialDQN
from musegym.agents.generators import ContentGenerator, GeneratorArchitecture, GeneratorSettings, GeneratorTrainer
from musegym.agents.generators.networks import Codebook
from musegym.discriminators import files
from musegym.envs import Works

SMALL = GeneratorArchitecture((16, 16), codes=12, width=8, hidden=16, noise=2)


def crosses(num: int, seed: int = 0) -> np.ndarray:
    """Pictures of a light row or a light column."""
    rng = np.random.default_rng(seed)
    found = np.zeros((num, 16, 16), np.uint8)
    for picture, at in zip(found, rng.integers(2, 14, num), strict=True):
        view = picture if rng.random() < 0.5 else picture.T
        view[at - 2 : at + 2] = 255
    return found


def trainer(seed: int = 0, **settings: float) -> GeneratorTrainer:
    works = Works(crosses(64))
    made = ContentGenerator(SMALL, seed)
    return GeneratorTrainer(made, lambda: works, GeneratorSettings(**{"batch_size": 16, **settings}), seed)


class Brightness:
    """A judge that likes light pictures."""

    def __init__(self) -> None:
        self.weight = torch.ones(1, requires_grad=True)

    def score(self, contents: torch.Tensor, conditions: torch.Tensor | None = None) -> torch.Tensor:
        assert conditions is not None
        assert len(conditions) == len(contents)
        return self.weight * contents.flatten(1).mean(1)


@pytest.mark.parametrize(("shape", "grid"), [((16, 16), 2), ((28, 28), 4), ((32, 32, 3), 4), ((48, 48, 3), 6)])
def test_shapes(shape: tuple[int, ...], grid: int) -> None:
    made = ContentGenerator(GeneratorArchitecture(shape, codes=20, hidden=16))
    rng = np.random.default_rng(0)
    plans = rng.integers(20, size=(3, grid, grid))
    assert made.grid == grid
    pictures = made.pictures(plans, rng.standard_normal((3, made.noise_size), np.float32))
    assert pictures.shape == (3, *shape)
    assert pictures.dtype == np.uint8
    again = made.plans(pictures)
    assert again.shape == plans.shape
    assert 0 <= again.min() <= again.max() < 20
    assert made.features(pictures).shape == (3, grid * grid * 16)


def test_a_picture_does_not_depend_on_the_others() -> None:
    made, rng = ContentGenerator(SMALL), np.random.default_rng(0)
    plans, noise = rng.integers(12, size=(21, 2, 2)), rng.standard_normal((21, SMALL.noise_size), np.float32)
    together = made.pictures(plans, noise)
    alone = np.concatenate([made.pictures(plans[[row]], noise[[row]]) for row in range(21)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(made.plans(together), np.concatenate([made.plans(each[None]) for each in together]))
    assert made.pictures(plans[:0]).shape == (0, 16, 16)


def test_wrong_plans_and_pictures_are_refused() -> None:
    made = ContentGenerator(SMALL)
    for plans, message in (
        (np.zeros((1, 3, 2), int), r"integers \[N, 2, 2\]"),
        (np.zeros((1, 2, 2)), "integers"),
        (np.full((1, 2, 2), 12), "from 0 to 11"),
    ):
        with pytest.raises(ValueError, match=message):
            made.pictures(plans)
    with pytest.raises(ValueError, match=r"uint8 \[N, 16, 16\]"):
        made.plans(np.zeros((1, 28, 28), np.uint8))


@pytest.mark.parametrize(
    "sizes",
    [{"shape": (16, 20)}, {"shape": (16, 16, 2)}, {"shape": (18, 18)}, {"codes": 0}, {"hidden": 10**6}, {"noise": -1}],
)
def test_impossible_sizes_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a generator's"):
        dataclasses.replace(SMALL, **sizes)


class TestCodebook:
    def test_takes_the_nearest_entry(self) -> None:
        book = Codebook(5, 3)
        plan = torch.tensor([[[0, 4], [2, 2]]])
        found = book(3 * book.embed(plan))
        assert (found.plan == plan).all()
        assert found.commitment.item() == pytest.approx(0, abs=1e-6)

    def test_gradients_pass_straight_through(self) -> None:
        vectors = torch.randn(2, 3, 2, 2, requires_grad=True)
        Codebook(5, 3)(vectors).vectors.square().sum().backward()
        assert vectors.grad is not None
        assert vectors.grad.abs().sum() > 0

    def test_moves_towards_what_it_stands_for_and_revives_the_dead(self) -> None:
        torch.manual_seed(0)
        book, generator = Codebook(6, 3), torch.Generator().manual_seed(0)
        ends = torch.nn.functional.normalize(torch.randn(2, 3), dim=1)
        vectors = ends[torch.arange(64) % 2].reshape(4, 4, 4, 3).permute(0, 3, 1, 2)
        for _ in range(120):
            book.learn(vectors, book(vectors).plan, generator)
        assert book(vectors).commitment.item() < 1e-3
        assert book.codes.isfinite().all()
        away = torch.cdist(book.codes, ends).amin(1)
        assert away.max() < 0.05, "every dead entry came back as a vector of the batch"


class TestTraining:
    def test_rebuilding_learns_the_works(self) -> None:
        learns = trainer(alone=10**6)
        first = np.mean([learns.rebuild(None)[0]["reconstruction"] for _ in range(5)])
        for _ in range(250):
            losses, made, conditions = learns.rebuild(None)
        assert losses["reconstruction"] < 0.4 * first
        assert made.shape == (16, 16, 16)
        assert conditions.shape == (16, 0)
        assert 0 < losses["codes_in_use"] <= 1
        real = crosses(20, seed=9)
        rebuilt = learns.generator.pictures(learns.generator.plans(real))
        off = np.abs(rebuilt.astype(int) - real).mean()
        assert off < 0.6 * np.abs(real[::-1].astype(int) - real).mean(), "plans tell pictures apart"

    def test_a_judge_joins_after_a_while(self) -> None:
        learns = trainer(alone=2)
        named = ["generator_loss" in learns.rebuild(Brightness())[0] for _ in range(4)]
        assert named == [False, False, True, True]

    def test_a_judge_leads_the_decoder_and_keeps_its_own_gradients(self) -> None:
        learns, judge = trainer(weight=100.0), Brightness()
        plans = np.random.default_rng(0).integers(12, size=(8, 2, 2))
        encoder = copy.deepcopy(learns.generator.network.encoder.state_dict())
        before = learns.generator.pictures(plans).mean()
        for _ in range(30):
            learns.learn(plans, np.zeros((8, 0), np.int64), judge, rate=10.0)
        assert learns.generator.pictures(plans).mean() > before + 10
        assert judge.weight.grad is None
        for name, value in learns.generator.network.encoder.state_dict().items():
            assert (value == encoder[name]).all()

    def test_some_of_an_agents_works_are_enough(self) -> None:
        some, all_of_them = trainer(fresh=8), trainer(fresh=8)
        plans = np.random.default_rng(0).integers(12, size=(50, 2, 2))
        for learns, given in ((some, plans[:8]), (all_of_them, plans)):
            learns.learn(given, np.zeros((len(given), 0), np.int64), Brightness())
        np.testing.assert_array_equal(some.generator.pictures(plans), all_of_them.generator.pictures(plans))

    def test_the_judge_weighs_less_in_colour(self) -> None:
        grey, colour = GeneratorSettings.of(1), GeneratorSettings.of(3)
        assert (grey.realism, grey.weight) == (GeneratorSettings().realism, GeneratorSettings().weight) == (0.3, 0.3)
        assert (colour.realism, colour.weight) == (0.0, 0.1)
        assert GeneratorSettings.of(3, realism=0.2, weight=0.0) == GeneratorSettings(realism=0.2, weight=0.0)

    def test_goes_on_as_if_nothing_had_happened(self) -> None:
        one, other = trainer(alone=1), trainer(seed=5, alone=1)
        judge, plans = Brightness(), np.ones((4, 2, 2), int)
        for _ in range(3):
            one.rebuild(judge)
        one.learn(plans, np.zeros((4, 0)), judge)
        resumed = GeneratorTrainer(
            ContentGenerator.from_state_dict(one.generator.state_dict()), other._works, other.settings, 5
        )
        assert resumed.given
        resumed.load_state_dict(one.state_dict())
        assert not resumed.given
        for learns in (one, resumed):
            learns.rebuild(judge)
            learns.learn(plans, np.zeros((4, 0)), judge)
        assert resumed.rebuilt == one.rebuilt == 4
        theirs = resumed.generator.network.state_dict()
        for name, value in one.generator.network.state_dict().items():
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=0)

    def test_a_loss_that_is_not_finite_stops_it(self) -> None:
        learns = trainer()
        with torch.no_grad():
            learns.generator.network.decoder[0][0].weight.fill_(float("nan"))
        with pytest.raises(FloatingPointError, match="generator's loss is nan"):
            learns.rebuild(None)


class TestFiles:
    def test_come_back(self, tmp_path) -> None:
        made = ContentGenerator(SMALL, seed=3)
        made.updates = 7
        plans = np.random.default_rng(0).integers(12, size=(5, 2, 2))
        read = ContentGenerator.load(made.save(tmp_path / "g.zip"))
        np.testing.assert_array_equal(read.pictures(plans), made.pictures(plans))
        assert read.updates == 7
        small = ContentGenerator.load(made.save(tmp_path / "half.zip", half=True))
        assert (tmp_path / "half.zip").stat().st_size < 0.7 * (tmp_path / "g.zip").stat().st_size
        assert np.abs(small.pictures(plans).astype(int) - made.pictures(plans)).max() <= 2

    def test_missing_damaged_and_foreign_ones_are_refused(self, tmp_path) -> None:
        with pytest.raises(FileNotFoundError, match="no generator at"):
            ContentGenerator.load(tmp_path / "none.zip")
        path = ContentGenerator(SMALL).save(tmp_path / "g.zip")
        whole = path.read_bytes()
        for part in (whole[:100], whole[: len(whole) // 2], b"", b"rubbish"):
            path.write_bytes(part)
            with pytest.raises(ValueError, match="not a usable generator"):
                ContentGenerator.load(path)

    def test_a_model_without_one_is_refused(self, tmp_path) -> None:
        model = AdversarialDQN("auto", "musegym/Oracle-v0", policy_kwargs={"hidden": 8, "embedding": 4})
        model.save(tmp_path / "model.zip", training=False)
        with pytest.raises(ValueError, match="not a usable generator"):
            ContentGenerator.load(tmp_path / "model.zip")
        files.write(tmp_path / "other.zip", {"format": "musegym model"}, {"generator": torch.ones(3)})
        with pytest.raises(ValueError, match="not a usable generator"):
            ContentGenerator.load(tmp_path / "other.zip")

    def test_doctored_ones_are_refused(self) -> None:
        state = ContentGenerator(SMALL).state_dict()
        sizes = state["architecture"]
        for changed in (
            {**state, "architecture": {**sizes, "codes": 10**9}},
            {**state, "architecture": {**sizes, "hidden": 24}},
            {**state, "weights": {**state["weights"], "codebook.codes": torch.full((12, 8), float("nan"))}},
            {**state, "weights": {}},
        ):
            with pytest.raises(ValueError, match=r"codes must be|not those of its sizes|not finite"):
                ContentGenerator.from_state_dict(changed)
