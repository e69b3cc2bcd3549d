"""Works under constraints: like others, between two, edited; and the nearest real ones."""

from __future__ import annotations

import numpy as np
import pytest
import toys
from stable_baselines3 import PPO

from musegym.agents import (
    AdversarialDQN,
    between,
    constrained,
    edit,
    generate,
    generate_episodes,
    like,
    make_sb3_env,
    nearest,
    variations,
)
from musegym.agents.generators import ContentGenerator, GeneratorArchitecture
from musegym.agents.steering import FREE
from musegym.benchmarks.metrics.features import FeatureNet
from musegym.benchmarks.studies import steering as study
from musegym.discriminators import make_discriminator

toys.register()
ATELIER = "musegym/Atelier-v0"


def untrained(env_id: str, sharper: float = 1.0, **kwargs) -> AdversarialDQN:
    """An agent whose decisions depend on each other, far from uniform."""
    import torch

    model = AdversarialDQN("auto", make_sb3_env(env_id, 8, discriminator="none", **kwargs), seed=0)
    with torch.no_grad():
        model.q_net.advantages.weight.mul_(sharper)
    return model


def test_samples_are_those_of_the_conditional_distribution():
    model = untrained("toy/Bits-v0", sharper=8.0)
    T = model.task.horizon
    every = np.stack([np.arange(2**T) >> bit & 1 for bit in range(T)], 1)  # [2^T, T]
    p = np.exp(model.log_prob(every.astype(model.task.layout.dtype)))
    assert p.sum() == pytest.approx(1, abs=1e-3)
    for fixed in ({T - 1: 1}, {1: 0, T - 1: 1}):
        choices = np.full((1000, T, 1), FREE)
        for step, action in fixed.items():
            choices[:, step] = action
        built = constrained(model, choices, np.zeros((1000, 0), int), seed=1, particles=32)
        expected = np.where(np.all([every[:, step] == action for step, action in fixed.items()], 0), p, 0)
        expected /= expected.sum()
        counts = np.bincount((built.actions << np.arange(T)).sum(1), minlength=2**T) / 1000
        assert not counts[expected == 0].any()
        unlike = np.abs(counts - expected).sum() / 2
        naive = (
            np.abs(
                counts
                - np.bincount(
                    (generate_episodes(model, 1000).actions.astype(int) << np.arange(T)).sum(1), minlength=2**T
                )
                / 1000
            ).sum()
            / 2
        )
        assert unlike < 0.1 < naive


def test_choices_are_kept_and_impossible_ones_dropped():
    model = untrained("musegym/Density-v0")
    T = model.task.horizon
    choices = np.full((6, T, 2), FREE)
    choices[:, 3] = (1, FREE)
    choices[:, 5] = (0, 1)
    built = constrained(model, choices, np.zeros((6, 0), int))
    assert (built.actions[:, 3] == 1).all()


@pytest.mark.parametrize("env_id", ["musegym/Melody-v0", "musegym/Sprite-v0"])
def test_like_between_and_variations_of_any_demonstrated_work(env_id):
    from real_works import present

    model = untrained(env_id)
    works = present(model.task).works("validation")
    first, second, condition = works.contents[0], works.contents[5], works.conditions[0]
    decided = model.task.demonstrations(first[None], condition[None])[0]
    for built, share in (
        (like(model, first, 3, 0.5, condition), 0.5),
        (variations(model, first, 3, 0.9, condition), 0.9),
    ):
        assert built.contents.shape == (3, *first.shape)
        assert (built.conditions == condition).all()
        same = built.actions[:, : len(decided)] == decided
        assert same.mean() >= share / 2, "what became illegal is dropped"
        assert not same.all()
    if env_id != "musegym/Melody-v0":
        other = model.task.demonstrations(second[None], condition[None])[0]
        child = between(model, first, second, 2, np.stack([condition, condition])).actions
        assert ((child == decided) | (child == other)).all()
    whole = like(model, first, 2, 1.0, condition)
    assert (whole.contents == first).all()
    with pytest.raises(ValueError, match="share must be"):
        like(model, first, 2, 1.5, condition)


def test_works_that_dodge_fixed_decisions_are_not_drawn():
    """Words end with a full stop; after it nothing is left to fix."""
    model = untrained("toy/Word-v0")
    works = model.task.works("train")
    lengths = (model.task.demonstrations(works.contents, works.conditions) > 0).sum(1)
    content = works.contents[lengths.argmax()]
    built = variations(model, content, 8, 0.6, works.conditions[lengths.argmax()])
    whole = model.task.demonstrations(content[None], works.conditions[[lengths.argmax()]])[0]
    assert (built.lengths >= 0.6 * lengths.max()).all()
    assert ((built.actions == whole)[:, : lengths.max()].mean(1) >= 0.6).all()


def test_cells_of_levels_which_are_built_column_by_column_are_found():
    from real_works import present

    model = untrained("musegym/Level-v0")
    works = present(model.task).works("validation")
    region = np.zeros(works.contents.shape[1:], bool)
    region[2:6, 0:4] = True
    built = edit(model, works.contents[0], region, 2, works.conditions[0])
    assert (built.contents[:, ~region] == works.contents[0][~region]).all()
    assert (built.contents[:, region] != works.contents[0][region]).any()


def test_edit_leaves_the_rest_of_a_grid():
    from real_works import present

    model = untrained("musegym/Sprite-v0")
    works = present(model.task).works("validation")
    region = np.zeros((16, 16), bool)
    region[4:8, 6:12] = True
    built = edit(model, works.contents[0], region, 3, works.conditions[0])
    assert (built.contents[:, ~region] == works.contents[0][~region]).all()
    assert (built.contents[:, region] != works.contents[0][region]).any()
    with pytest.raises(ValueError, match=r"region must be bool \[16, 16\]"):
        edit(model, works.contents[0], region[:4], 3)
    with pytest.raises(ValueError, match="no content generator"):
        nearest(model, works.contents[0], 3)


def test_no_cells_no_edit():
    from real_works import present

    model = untrained("musegym/Sketch-v0")
    works = present(model.task).works("validation")
    with pytest.raises(ValueError, match=r"demonstrations|do not write one cell each"):
        edit(model, works.contents[0], np.ones((28, 28), bool), 1, works.conditions[0])


class TestPlans:
    @pytest.fixture
    def model(self):
        model = untrained(ATELIER)
        model.task.set_generator(ContentGenerator(GeneratorArchitecture((28, 28)), seed=1))
        return model

    def test_edit_pastes_what_lies_further_away(self, model):
        content = model.task.corpus("validation")[0]
        region = np.zeros((28, 28), bool)
        region[:4, :4] = True
        built = edit(model, content, region, 3)
        assert (built.contents[:, 14:] == content[14:]).all()
        assert (built.contents[:, :, 14:] == content[:, 14:]).all()
        assert (built.contents[:, :7, :7] != content[:7, :7]).any()
        plan = model.task.demonstrations(content[None])[0]
        assert (built.actions[:, 1:] == plan[1:]).all()

    def test_nearest_of_a_real_picture_is_itself(self, model):
        known = model.task.works("train")
        found = nearest(model, known.contents[7], 3)
        assert found.rows[0] == 7
        assert found.cosines[0] == pytest.approx(1, abs=1e-4)
        assert (np.diff(found.cosines) <= 0).all()
        half = known.contents[7].copy()
        half[:, 14:] = 255
        seen = np.zeros((28, 28), bool)
        seen[:, :14] = True
        assert nearest(model, half, 1, seen).contents.shape == (1, 28, 28)
        dot = np.zeros((28, 28), bool)
        dot[3, 3] = True
        assert nearest(model, known.contents[7], 1, dot).cosines[0] > 0.9

    def test_plans_are_kept(self, model):
        content = model.task.corpus("validation")[3]
        plan = model.task.demonstrations(content[None])[0]
        built = like(model, content, 5, 0.5)
        assert ((built.actions == plan).sum(1) >= 8).all()
        child = between(model, content, model.task.corpus("validation")[9], 2)
        assert child.contents.shape == (2, 28, 28)


def test_generate_takes_works_to_be_like_and_between():
    model = untrained("toy/Bits-v0")
    first, second = generate(model, 2, seed=5)
    assert np.array_equal(generate(model, 6, seed=1, like=first, share=1.0), np.repeat(first[None], 6, 0))
    assert np.array_equal(
        generate(model, 6, seed=1, like=first, share=0.25), like(model, first, 6, 0.25, seed=1).contents
    )
    mixed = generate(model, 6, seed=1, between=(first, second))
    assert ((mixed == first) | (mixed == second)).all()
    for wrong in ({"temperature": 0.5}, {"prefix": np.array([1])}, {"between": (first, second)}):
        with pytest.raises(ValueError, match="exclude each other"):
            generate(model, 2, like=first, **wrong)
    other = PPO("MlpPolicy", make_sb3_env("toy/Bits-v0", 2, discriminator="none"), n_steps=8, batch_size=16)
    with pytest.raises(TypeError, match="need an AdversarialDQN, not a PPO"):
        generate(other, 2, like=first)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"like": np.zeros((5, 2), np.int8)}, "a work of WordTask is integers"),
        ({"like": np.zeros(6)}, "integers"),
        ({"like": np.full(6, 99, np.int8)}, "no work of WordTask"),
        ({"condition": np.array([-3])}, "a condition is int"),
        ({"condition": np.array([99])}, "a condition is int"),
        ({"condition": 7}, "a condition is int"),
        ({"condition": np.array([0.5])}, "a condition is int"),
        ({"share": 1.5}, "share must be from 0 to 1"),
        ({"num": 0}, "num must be at least 1"),
        ({"like": None, "between": (np.zeros(6, np.int8),)}, "takes two works"),
    ],
)
def test_impossible_works_and_conditions_are_refused_in_one_line(arguments, says):
    model = untrained("toy/Word-v0")
    (work,) = generate(model, 1)
    with pytest.raises(ValueError, match=says) as caught:
        generate(model, **({"num": 2, "like": work} | arguments))
    assert "\n" not in str(caught.value)


def test_steered_works_are_measured(monkeypatch):
    model = untrained(ATELIER)
    model.task.set_generator(taught := ContentGenerator(GeneratorArchitecture((28, 28)), seed=2))
    taught.updates = 1
    for name, value in {"GIVEN": 3, "EACH": 2, "FREE": 5}.items():
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(study, "feature_net", lambda known, layout: FeatureNet(known, layout, updates=2))
    works = model.task.works("validation").take(slice(3))
    found = study.likeness(model, works, 0)
    assert all(0 <= share <= 1 for share in found.values())
    found = study.edited(model, make_discriminator(model.task), works, 0)
    assert found["kept"] == 1
    assert found["changed"] > 0
    assert found["seen_better"] == pytest.approx(100 * (found["auc"] - found["auc_free"]))
    gallery = model.task.works("train").contents[:40]
    found = study.retrieval(model, gallery)
    assert found["by_pixels"] == 1
    assert found["rank_1"] <= found["rank_10"] <= 1
    assert found["rank_10"] > 0.25, "an encoder that was never taught sees some of a picture, too"
