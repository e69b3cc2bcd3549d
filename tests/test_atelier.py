"""Pictures by plan: the environment, and an agent that learns together with its content generator."""

from __future__ import annotations

import copy
import dataclasses
import io
import multiprocessing
import pickle
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import musegym
from musegym.agents import AdversarialDQN, DiscriminatorCallback, generate, make_sb3_env
from musegym.agents.generators import ContentGenerator, GeneratorArchitecture
from musegym.agents.schedule import Phase
from musegym.envs import SPLITS, Condition, Works, check_task, make_task
from musegym.envs.corpora import pictureworks
from musegym.envs.corpora.usable import UsableWorks
from musegym.envs.task import CorpusReport

assert musegym
ID = "musegym/Atelier-v0"
SHAPE = (16, 16)
FEW = {"reconstruction": 20, "warm_start": 10, "lead": 1, "minibatch": 16, "controller": False}


def bars(num: int, seed: int) -> Works:
    """Pictures of a light row or column; the condition says which."""
    rng = np.random.default_rng(seed)
    pictures, kinds = np.zeros((num, *SHAPE), np.uint8), rng.integers(2, size=num)
    for picture, kind, at in zip(pictures, kinds, rng.integers(2, 14, num), strict=True):
        (picture.T if kind else picture)[at - 2 : at + 2] = 255
    return Works(pictures, kinds[:, None])


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """Small pictures in the place of MNIST's."""
    works = {split: bars(60, seed) for seed, split in enumerate(SPLITS)}
    usable = UsableWorks(works, CorpusReport(dict.fromkeys(SPLITS, 60)), "", "")
    source = pictureworks.Source(16, 1, (Condition("kind", ("row", "column")),), lambda: usable, pictureworks._greys)
    monkeypatch.setitem(pictureworks.SOURCES, "mnist", source)


def small(seed: int = 0) -> ContentGenerator:
    return ContentGenerator(GeneratorArchitecture(SHAPE, hidden=16), seed)


def agent(**settings) -> AdversarialDQN:
    return AdversarialDQN("auto", make_sb3_env(ID, 32, discriminator="none"), seed=0, **FEW | settings)


class TestEnvironment:
    def test_contract(self):
        check_task(make_task(ID))

    def test_pictures_are_of_plans(self):
        env = gym.make(ID, discriminator="none", render_mode="rgb_array")
        env.unwrapped.set_generator(small(3))
        _, info = env.reset(seed=1, options={"condition": [1]})
        frames = []
        while "content" not in info:
            *_, info = env.step(17)
            frames.append(env.render())
        assert (info["plan"] == 17).all()
        assert info["plan"].shape == (2, 2)
        assert info["content"].shape == SHAPE
        assert info["condition"].tolist() == [1]
        task = env.unwrapped.task
        calm = task.decode(info["plan"][None])[0]
        assert np.abs(calm.astype(int) - info["content"]).mean() < 40, "noise changes details"
        assert (frames[0] != frames[-1]).any()

    def test_a_generator_is_named_or_handed_over(self, tmp_path):
        path = str(small(3).save(tmp_path / "g.zip"))
        plans = np.arange(8).reshape(2, 2, 2)
        named = make_task(ID, generator=path)
        np.testing.assert_array_equal(named.decode(plans), small(3).pictures(plans))
        assert make_task(ID, **named.kwargs()).kwargs() == named.kwargs()
        with pytest.raises(FileNotFoundError, match=r"nowhere.zip' does not exist"):
            make_task(ID, generator="nowhere.zip")
        with pytest.raises(FileNotFoundError, match="is a folder"):
            make_task(ID, generator=str(tmp_path))
        with pytest.raises(ValueError, match="no generator ships for kanjivg"):
            make_task(ID, data="kanjivg", generator="pretrained")
        with pytest.raises(TypeError, match="set_generator"):
            make_task(ID, generator=small())
        task = make_task(ID)
        with pytest.raises(TypeError, match="a dict has not"):
            task.set_generator({})
        with pytest.raises(ValueError, match=r"makes pictures \(28, 28\) of 4 x 4"):
            task.set_generator(ContentGenerator(GeneratorArchitecture((28, 28), hidden=16)))
        with pytest.raises(ValueError, match="takes no generator"):
            gym.make("musegym/Melody-v0", discriminator="none").unwrapped.set_generator(small())

    def test_pictures_that_moved_are_imitated_too(self):
        task = make_task(ID)
        works = Works(
            np.random.default_rng(0).integers(256, size=(3, *SHAPE), dtype=np.uint8), np.array([[1], [0], [1]])
        )
        more = task.augmented(works)
        up, down, left, right = more.contents.reshape(4, 3, *SHAPE)
        assert np.array_equal(up[:, 1:], works.contents[:, :-1])
        assert np.array_equal(up[:, 0], works.contents[:, 0]), "the edge is repeated"
        assert np.array_equal(down[:, :-1], works.contents[:, 1:])
        assert np.array_equal(left[..., 1:], works.contents[..., :-1])
        assert np.array_equal(right[..., :-1], works.contents[..., 1:])
        assert more.conditions.ravel().tolist() == [1, 0, 1] * 4
        assert more.groups.tolist() == [0, 1, 2] * 4

    def test_wrong_arguments_are_refused(self, tmp_path):
        for wrong, message in (
            ({"data": "cats"}, "no pictures are called 'cats'"),
            ({"data": "mnist", "corpus": str(tmp_path)}, "not both"),
            ({"side": 48}, "side=16"),
            ({"corpus": str(tmp_path), "side": 40}, "32, 48, 64"),
        ):
            with pytest.raises(ValueError, match=message):
                make_task(ID, **wrong)

    def test_copies_share_a_live_generator_and_other_processes_are_refused(self):
        task = make_task(ID)
        live = small()
        live.updates = 1
        task.set_generator(live)
        assert copy.deepcopy(task).generator is live
        with pytest.raises(TypeError, match="other processes"):
            pickle.dumps(task)
        assert pickle.loads(pickle.dumps(make_task(ID))).horizon == 4  # noqa: S301 - our own

    def test_pictures_of_your_own(self, tmp_path):
        from PIL import Image

        rng = np.random.default_rng(0)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (60, 50, 3), np.uint8)).save(tmp_path / f"{number:02}.png")
        task = make_task(ID, corpus=str(tmp_path), side=48)
        assert task.corpus("train").shape[1:] == (48, 48, 3)
        assert task.horizon == 36
        assert task.corpus_report().total == 12


class TestAgent:
    def test_phases_follow_each_other(self):
        model = agent()
        seen = list[Phase]()

        class Watch(DiscriminatorCallback):
            def _on_rollout_start(self):
                seen.append(model.phase)

        model.learn(400, callback=Watch())
        order = [Phase.RECONSTRUCTION, Phase.WARM_START, Phase.LEAD, Phase.JOINT]
        assert sorted(set(seen), key=seen.index) == order
        assert model.generator_trainer.rebuilt == 20
        assert model.task.generator.updates > 20, "G goes on learning beside the policy"
        pictures = generate(model, 5, seed=1)
        assert pictures.shape == (5, *SHAPE)

    def test_the_generator_can_be_frozen(self):
        model = agent(generator_weight=0.0)
        model.learn(400, callback=DiscriminatorCallback())
        assert model.task.generator.updates == 20

    def test_a_models_generator_is_given_by_its_file(self, tmp_path):
        model = agent()
        model.learn(200, callback=DiscriminatorCallback())
        plans = np.arange(8).reshape(2, 2, 2)
        for name, half in (("model.zip", False), ("half.zip", True)):
            model.save(tmp_path / name, half=half)
            task = make_task(ID, generator=str(tmp_path / name))
            off = np.abs(task.decode(plans).astype(int) - model.task.decode(plans))
            assert off.max() <= (2 if half else 0)
        with pytest.raises(FileNotFoundError, match=r"is a folder: give a run's model.zip"):
            make_task(ID, generator=str(tmp_path))

    def test_goes_back_to_the_generator_of_the_best_policy(self):
        model = agent(controller=True)
        model.learn(400, callback=DiscriminatorCallback())
        networks = model.q_net, model.task.generator.network
        order = model.controller.adjustment(None, "keep")
        model._apply(order)
        best = [copy.deepcopy(network.state_dict()) for network in networks]
        made = model.task.decode(model.fresh.contents)
        with torch.no_grad():
            for network in networks:
                for weights in network.parameters():
                    weights += 0.5 * torch.randn_like(weights)
        assert (model.task.decode(model.fresh.contents) != made).any()
        model.save(path := io.BytesIO())
        back = dataclasses.replace(order, policy_weights="restore")
        first, second = (AdversarialDQN.load(io.BytesIO(path.getvalue())) for _ in range(2))
        second.learn(64, callback=DiscriminatorCallback(), reset_num_timesteps=False)
        for again in (model, second):
            again._apply(back)
        first.controller.best, first._score = 0.1, lambda contents: 1.0
        first.keep_best()
        for again in (model, first, second):
            for network, weights in zip((again.q_net, again.task.generator.network), best, strict=True):
                for name, value in network.state_dict().items():
                    torch.testing.assert_close(value, weights[name], rtol=0, atol=0)

    def test_works_of_a_round_are_decoded_once(self, monkeypatch):
        model, decoded = agent(generator_weight=0.0, demonstrations=0), list[int]()
        model.learn(400, callback=DiscriminatorCallback())
        decode = model.task.decode
        monkeypatch.setattr(
            model.task, "decode", lambda plans, noise=None: decoded.append(len(plans)) or decode(plans, noise)
        )
        model.learn(10 * 32 * 4, callback=DiscriminatorCallback(), reset_num_timesteps=False)
        assert decoded
        assert set(decoded) == {32}
        assert len(decoded) == (model.num_timesteps - 400) // (32 * 4)

    def test_one_that_was_given_is_not_taught_to_rebuild(self, tmp_path):
        taught = small()
        taught.updates = 100
        env = make_sb3_env(ID, 32, discriminator="none", generator=str(taught.save(tmp_path / "g.zip")))
        model = AdversarialDQN("auto", env, seed=0, **FEW)
        assert model.phase is Phase.WARM_START

    def test_goes_on_as_if_nothing_had_happened(self, tmp_path):
        straight = agent()
        straight.learn(300, callback=DiscriminatorCallback())
        straight.learn(300, callback=DiscriminatorCallback(), reset_num_timesteps=False)
        model = agent()
        model.learn(300, callback=DiscriminatorCallback())
        model.save(tmp_path / "model.zip")
        resumed = AdversarialDQN.load(tmp_path / "model.zip")
        resumed.learn(300, callback=DiscriminatorCallback(), reset_num_timesteps=False)
        for one, other in (
            (straight.q_net, resumed.q_net),
            (straight.task.generator.network, resumed.task.generator.network),
            (straight.discriminator.network, resumed.discriminator.network),
        ):
            theirs = other.state_dict()
            for name, value in one.state_dict().items():
                torch.testing.assert_close(value, theirs[name], rtol=0, atol=0)

    def test_a_file_holds_the_generator(self, tmp_path):
        model = agent()
        model.learn(200, callback=DiscriminatorCallback())
        model.save(tmp_path / "model.zip", training=False)
        read = AdversarialDQN.load(tmp_path / "model.zip")
        np.testing.assert_array_equal(generate(read, 4, seed=2), generate(model, 4, seed=2))
        works = model.task.works("test")
        np.testing.assert_allclose(
            read.log_prob(works.contents, works.conditions), model.log_prob(works.contents, works.conditions), rtol=1e-4
        )
        model.save(tmp_path / "half.zip", half=True)
        assert (tmp_path / "half.zip").stat().st_size < (tmp_path / "model.zip").stat().st_size
        state = model.state_dict(training=False)
        del state["generator"]
        with pytest.raises(ValueError, match="no content generator"):
            read.load_state_dict(state)

    def test_all_rows_have_one_generator(self):
        rows = DummyVecEnv([lambda: gym.make(ID, discriminator="none")] * 3)
        model = AdversarialDQN("auto", rows, seed=0, **FEW)
        model.learn(60, callback=DiscriminatorCallback())
        assert len(set(map(id, (task.generator for task in rows.get_attr("task"))))) == 1

    def test_one_that_is_handed_over_later_is_the_one_that_learns(self, tmp_path):
        model, other = agent(controller=True), small(9)
        other.updates = 5
        model.learner.best.keep()
        model.controller.best = 1.0
        model.env.env_method("set_generator", other)
        model.learn(300, callback=DiscriminatorCallback())
        assert model.generator_trainer.generator is model.task.generator is other
        assert model.generator_trainer.rebuilt == 0
        assert other.updates > 5
        assert model.controller.best != 1.0, "the best policy was one of other plans"
        model.save(tmp_path / "model.zip")
        read = AdversarialDQN.load(tmp_path / "model.zip")
        np.testing.assert_array_equal(generate(read, 3, seed=1), generate(model, 3, seed=1))

    def test_plans_do_not_change_once_they_were_imitated(self):
        model = agent()
        model.learn(300, callback=DiscriminatorCallback())
        assert model.phase is Phase.JOINT
        model.set_budget(lambda: 0.1)
        assert model.phase is not Phase.RECONSTRUCTION

    def test_a_file_needs_no_other(self, tmp_path):
        taught = small()
        taught.updates = 100
        path = taught.save(tmp_path / "g.zip")
        env = make_sb3_env(ID, 16, discriminator="none", generator=str(path))
        model = AdversarialDQN("auto", env, seed=0, **FEW)
        model.learn(100, callback=DiscriminatorCallback())
        model.save(tmp_path / "model.zip")
        path.unlink()
        read = AdversarialDQN.load(tmp_path / "model.zip")
        np.testing.assert_array_equal(generate(read, 3, seed=1), generate(model, 3, seed=1))

    def test_without_its_weight_no_discriminator_leads_it(self):
        model = agent(discriminator_weight=0.0)
        model.learn(300, callback=DiscriminatorCallback())
        assert model.task.generator.updates == 20

    def test_workers_refuse_a_live_one(self, monkeypatch):
        env = gym.make(ID, discriminator="none").unwrapped
        monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=True))
        with pytest.raises(RuntimeError, match="cannot share a live generator"):
            env.set_generator(small())

    def test_other_algorithms_continue_with_their_generator(self, tmp_path):
        env = make_sb3_env(ID, 8)
        model = PPO("MlpPolicy", env, n_steps=8, batch_size=32, device="cpu", seed=0)
        model.learn(64, callback=DiscriminatorCallback(every=8, reconstruction=5, save_path=tmp_path))
        again = make_sb3_env(ID, 8)
        PPO("MlpPolicy", again, n_steps=8, batch_size=32, device="cpu", seed=0).learn(
            64, callback=DiscriminatorCallback(every=8, reconstruction=5, load=tmp_path)
        )
        first, second = (each.get_attr("task")[0].generator for each in (env, again))
        assert second.updates > first.updates, "it goes on where the first one stopped"

    def test_other_algorithms_learn_with_it(self):
        env = make_sb3_env(ID, 8)
        model = PPO("MlpPolicy", env, n_steps=8, batch_size=32, device="cpu", seed=0)
        callback = DiscriminatorCallback(every=8, reconstruction=10)
        model.learn(256, callback=callback)
        generator = env.get_attr("task")[0].generator
        assert generator.updates > 10
        assert callback.generator_trainer is not None
        assert callback.generator_trainer.rebuilt == 10


def test_any_picture_is_read_in_the_size_and_colours_of_the_task(tmp_path: Path) -> None:
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, :20], wide[:20, 20:60], wide[20:, 20:60] = (0, 255, 0), (255, 0, 0), (0, 0, 255)
    image = Image.fromarray(wide)
    image.save(tmp_path / "wide.png")
    read = make_task(ID, data="openmoji").read_file(tmp_path / "wide.png")
    assert read.shape == (32, 32, 3)
    assert (read[:16] == (255, 0, 0)).all(), "the square in the middle"
    assert (read[16:] == (0, 0, 255)).all()
    task = make_task(ID)
    grey = task.read_file(tmp_path / "wide.png")
    assert grey.shape == task.source.shape
    assert (grey[0, 0], grey[-1, 0]) == (255 * 299 // 1000, 255 * 114 // 1000)
    turned = Image.Exif()
    turned[0x0112] = 3  # held upside down
    image.save(tmp_path / "turned.png", exif=turned)
    assert np.array_equal(make_task(ID, data="openmoji").read_file(tmp_path / "turned.png"), read[::-1])
