"""An agent's decisions beside its works: their numbers against the agent's own, and their pictures."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import toys
from PIL import Image
from real_works import present

from musegym.agents import AdversarialDQN, generate_episodes, make_sb3_env
from musegym.agents.inspection import LISTED, Inspection, inspect
from musegym.discriminators import make_discriminator
from musegym.envs.media.pictures import BACKGROUND
from musegym.envs.registry import BUILT_IN, make_task
from musegym.play.inspector import WIDTH, Inspector
from musegym.play.panel import MARKED

toys.register()


def inspected(env_id: str, judged: bool = True, temperature: float = 1.0) -> tuple[AdversarialDQN, Inspection]:
    """An untrained agent, and its view of one of its works."""
    env = make_sb3_env(env_id, 4, discriminator="none")
    model = AdversarialDQN("auto", env, seed=0, temperature=temperature)
    built = generate_episodes(model, 1, seed=1)
    (content,) = model.task.decoded(built.contents, np.random.default_rng(1))
    judge = make_discriminator(model.task) if judged else None
    return model, inspect(model, content, built.conditions[0], built.decisions()[0], judge)


@pytest.mark.parametrize("env_id", ["toy/Bits-v0", "toy/Word-v0"])
@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_numbers_are_those_of_the_policy(env_id: str, temperature: float) -> None:
    model, seen = inspected(env_id, temperature=temperature)
    L, task = len(seen.actions), model.task
    assert np.allclose(seen.probabilities.sum(1), 1, atol=1e-5)
    logs = np.log(seen.probabilities[np.arange(L), seen.actions])
    padded = np.pad(seen.actions, (0, task.horizon - L))[None]
    assert logs.sum() == pytest.approx(model.log_prob(seen.content[None], seen.condition[None], padded)[0], abs=1e-4)
    for shares, values, entropy in zip(seen.probabilities, seen.q_values, seen.entropies, strict=True):
        legal = shares > 0
        assert np.isneginf(values[~legal]).all()
        assert np.ptp(values[legal] - temperature * np.log(shares[legal])) < 1e-4, "the policy is softmax(Q / tau)"
        assert entropy == pytest.approx(-(shares[legal] * np.log(shares[legal])).sum(), abs=1e-5)


def test_a_file_for_use_keeps_the_units_of_q_values(tmp_path: Path) -> None:
    model, seen = inspected("toy/Word-v0", judged=False)
    model.temperature *= 3  # as the controller sets it
    tripled = inspect(model, seen.content, seen.condition, seen.actions).q_values
    model.save(tmp_path / "model.zip", training=False)
    loaded = AdversarialDQN.load(tmp_path / "model.zip")
    assert np.allclose(inspect(loaded, seen.content, seen.condition, seen.actions).q_values, tripled)
    legal = np.isfinite(tripled)
    assert np.allclose(tripled[legal], 3 * seen.q_values[legal], atol=1e-5)


def test_opinions_are_of_the_work_as_it_grows() -> None:
    model, seen = inspected("toy/Bits-v0")
    judge = make_discriminator(model.task)
    prefixes = [seen.content * (np.arange(len(seen.content)) < upto) for upto in range(len(seen.actions) + 1)]
    assert seen.opinions is not None
    assert np.allclose(seen.opinions, judge.logits(np.stack(prefixes)), atol=1e-5)
    assert len(seen.pictures) == len(seen.actions) + 1
    assert inspected("toy/Bits-v0", judged=False)[1].opinions is None


def test_a_work_of_others_is_walked_through_and_a_wrong_path_refused() -> None:
    model, seen = inspected("toy/Bits-v0")
    other = 1 - seen.content
    again = inspect(model, other, seen.condition)
    assert (again.content == other).all()
    assert (again.actions != seen.actions).all()
    with pytest.raises(ValueError, match="do not build"):
        inspect(model, other, seen.condition, seen.actions)
    for wrong, says in (
        (np.ones(40, int), "at most 4"),
        (np.zeros(0, int), "do not finish"),
        (np.array([9, 0, 0, 0]), "0 to 1"),
    ):
        with pytest.raises(ValueError, match=says):
            inspect(model, other, seen.condition, wrong)


def test_likeliest_actions_are_named_and_the_one_taken_is_among_them() -> None:
    _, seen = inspected("toy/Word-v0")
    for names, shares, taken in zip(seen.names, seen.probabilities, seen.actions, strict=True):
        assert taken in names
        assert len(names) == min(LISTED, (shares > 0).sum())
        others = [action for action in names if action != taken]
        assert (np.diff(shares[others]) <= 0).all()
        assert shares[others].min(initial=1) >= np.delete(shares, list(names)).max(initial=0)


def test_pictures_mark_the_action_taken_and_become_an_animation(tmp_path: Path) -> None:
    _, seen = inspected("toy/Bits-v0")
    shown = Inspector(seen)
    pictures = [shown.picture(step) for step in range(len(shown))]
    assert len(pictures) == len(shown) == len(seen.actions) + 1
    assert len({picture.shape for picture in pictures}) == 1
    for picture in pictures:
        panel = picture[:, -WIDTH:].astype(int)
        assert (np.abs(panel - MARKED).sum(-1) < 30).sum() > 20
        assert (np.abs(panel - BACKGROUND).sum(-1) < 5).mean() > 0.3
    assert any((one != other).any() for one, other in itertools.pairwise(pictures))
    (path,) = shown.save(tmp_path / "shown.gif")
    with Image.open(path) as image:
        assert image.n_frames == len(seen.actions) + 1
        assert image.width == min(720, pictures[0].shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("env_id", [env_id for env_id, _ in BUILT_IN])
def test_every_domain_can_be_inspected(env_id: str) -> None:
    present(make_task(env_id))
    _, seen = inspected(env_id)
    assert seen.opinions is not None
    assert np.isfinite(seen.opinions[-1])
    assert np.isfinite(seen.entropies).all()
    shown = Inspector(seen)
    shapes = {shown.picture(step).shape for step in (0, len(shown) // 2, len(shown) - 1)}
    assert len(shapes) == 1
    ((height, width, _),) = shapes
    assert height <= 1000
    assert width <= 1600
    assert all(name for names in seen.names for name in names.values())
    assert all(len(set(names.values())) == len(names) for names in seen.names)
