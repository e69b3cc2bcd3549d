"""Agents on tasks that they see, that tell no state from observations, and whose contents are decoded from plans."""

import tracemalloc

import canvases
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnvWrapper

from musegym import check_task
from musegym.agents import AdversarialDQN, DiscriminatorCallback, generate, make_sb3_env
from musegym.agents.demonstrations import Demonstrations
from musegym.agents.episodes import Episodes, play, trace
from musegym.agents.generation import generate_episodes
from musegym.agents.networks import RecurrentQ
from musegym.agents.views import Patches
from musegym.envs.rewards import Rewards

torch.set_num_threads(1)  # a second thread is slower for networks this small
canvases.register()
CANVAS, SEEN, PLANNED, RULES = "toy/Canvas-v0", "toy/Seen-v0", "toy/Planned-v0", "toy/Rules-v0"
SMALL = {"policy_kwargs": {"hidden": 16, "embedding": 8, "sight": 16}, "batch_size": 8, "seed": 0, "lead": 0}
D = {"hidden": 8, "batch_size": 8}


def agent(env_id, n=8, env=None, **options):
    given = make_sb3_env(env_id, n, seed=0, discriminator="none", **(env or {}))
    return AdversarialDQN("auto", given, **{**SMALL, "warm_start": 0, **options})


def weights(model):
    return torch.cat([value.detach().flatten() for value in model.q_net.parameters()])


class Through(VecEnvWrapper):
    """Passes everything on."""

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


@pytest.mark.parametrize(
    "task",
    [
        canvases.CanvasTask(),
        canvases.CanvasTask(drawn=False),
        *(canvases.SeenTask(shape) for shape in ((4, 1), (2, 2, 1), (1, 2, 2, 1))),
        canvases.PlannedTask(),
        canvases.RulesTask(),
    ],
)
def test_the_toys_keep_the_contract(task):
    check_task(task)


class TestViews:
    @pytest.mark.parametrize("shape", [(4, 1), (2, 2, 1), (1, 2, 2, 1)], ids=str)
    def test_of_any_sides_are_learned_from(self, shape):
        model = agent(SEEN, env={"shape": list(shape)}, warm_start=20)
        before = model.q_net.sight.layers[-1].weight.detach().clone()
        model.learn(64, callback=DiscriminatorCallback(**D))
        assert model._n_updates == 2
        assert not torch.equal(model.q_net.sight.layers[-1].weight, before)
        convolves = any(isinstance(module, Patches) for module in model.q_net.sight.modules())
        assert convolves == (len(shape) > 2)

    def test_are_kept_as_bytes(self):
        model = agent(CANVAS)
        model.learn(1, callback=DiscriminatorCallback(**D))
        views = model.fresh.views
        assert (views.dtype, views.shape) == (np.uint8, (8, 3, 4, 4, 3))
        assert not views[:, 0].any(), "an empty canvas, before the first decision"
        lit = (views > 0).sum((2, 3, 4))
        assert (lit == [0, 1, 2]).all(), "a cell for each decision"

    def test_change_what_the_policy_does(self):
        model = agent(SEEN, warm_start=10)
        episodes = trace(model.task, np.array(list(np.ndindex(2, 2, 2, 2)), np.int8))
        seen = model.learner.log_prob(episodes)
        dark = Episodes(**{**vars(episodes), "views": np.zeros_like(episodes.views)})
        assert not np.allclose(model.learner.log_prob(dark), seen)
        assert np.exp(seen).sum() == pytest.approx(1, abs=1e-5)

    def test_of_a_thousand_rows_fit_into_400_megabytes(self):
        """1,024 rows of 100 decisions that see 32 x 32 x 3 bytes: the record is handed over, not copied."""
        task = canvases.CanvasTask(side=32, horizon=100)
        sizes = task.feature_sizes, task.condition_sizes
        network = RecurrentQ(task.num_actions, *sizes, hidden=8, embedding=8, view_shape=task.view_shape, sight=8)
        tracemalloc.start()
        try:
            starts = task.initial(np.zeros(1024, np.uint64))
            episodes = play(network, task, starts, torch.Generator().manual_seed(0))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        views = 1024 * 100 * 32 * 32 * 3
        assert episodes.views.nbytes == views
        assert views < sum(array.nbytes for array in vars(episodes).values()) < 400e6
        assert peak < 400e6, "all arrays that there were at any time"
        assert (episodes.lengths == 100).all()

    def test_of_one_round_are_kept_at_a_time(self):
        horizon, side, n = 50, 32, 64
        model = agent(CANVAS, n, env={"side": side, "horizon": horizon}, minibatch=8, demonstrations=0)
        model.learn(1, callback=DiscriminatorCallback(**D, past=10))
        views, rounds = n * horizon * side * side * 3, model._rounds
        tracemalloc.start()
        try:
            model.learn(2 * n * horizon, callback=DiscriminatorCallback(**D, past=10))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert model._rounds == rounds + 2
        assert model.fresh.views.nbytes == views
        assert peak < 1.6 * views

    def test_reach_the_policy_step_by_step_as_all_at_once(self):
        model = agent(SEEN, warm_start=10)
        for parameter in model.q_net.parameters():
            parameter.data *= 2  # so that what is seen matters
        env, state, start = model.env, None, np.ones(8, bool)
        observations, built = env.reset(), []
        for _ in range(8):
            actions, state = model.predict(observations, state, start, deterministic=True)
            observations, _, start, infos = env.step(actions)
            built += [bytes(info["content"]) for info in infos if "content" in info]
        assert len(built) == 16
        assert set(built) == {bytes(generate(model, 1, temperature=0)[0])}

    def test_are_seen_under_wrappers(self):
        model = AdversarialDQN("auto", Through(make_sb3_env(SEEN, 8, seed=0, discriminator="none")), **SMALL)
        model.learn(64, callback=DiscriminatorCallback(**D))
        again = trace(model.task, model.fresh.contents)
        assert np.array_equal(model.fresh.views, again.views)
        assert model.fresh.views.any()


class TestActionsOfWorks:
    def test_are_the_demonstrations(self):
        task = canvases.CanvasTask()
        real, works = Demonstrations(task), task.works("validation")
        assert real
        held_out = real.held_out
        places = np.random.default_rng(0).permutation(len(works))
        assert np.array_equal(held_out.actions, works.actions[places])
        assert np.array_equal(held_out.contents, works.contents[places])
        drawn = real.sample(200, np.random.default_rng(0))
        assert {row.tobytes() for row in drawn.actions.astype(np.int64)} <= {
            row.tobytes() for row in task.works("train").actions
        }

    def test_warm_the_agent_up(self):
        model = agent(CANVAS, warm_start=60)
        works = model.task.works("test")
        before = model.log_prob(works.contents, actions=works.actions)
        model.learn(1, callback=DiscriminatorCallback(**D))
        assert model.warm_updates == 60
        after = model.log_prob(works.contents, actions=works.actions)
        assert after.mean() > before.mean() + 1
        np.testing.assert_allclose(before, -3 * np.log(16), atol=1.0, err_msg="three of sixteen cells")

    def test_without_them_a_likelihood_needs_actions(self):
        model = agent(CANVAS)
        works = model.task.works("test")
        with pytest.raises(ValueError, match="no demonstrations"):
            model.log_prob(works.contents)
        with pytest.raises(ValueError, match="do not build 40 of 40 works"):
            model.log_prob(works.contents, actions=15 - works.actions)  # along the same diagonal, from its other end

    def test_unknown_ones_leave_nothing_to_imitate(self):
        model = agent(CANVAS, env={"drawn": False})
        assert not model.real
        model.learn(48, callback=DiscriminatorCallback(**D))
        assert (model.demonstrations, model._n_updates) == (0, 2)
        with pytest.raises(ValueError, match="no demonstrations"):
            agent(CANVAS, env={"drawn": False}, warm_start=5)


class TestWithoutRestore:
    def test_learns_and_builds(self, tmp_path):
        model = agent(CANVAS, warm_start=5)
        before = weights(model)
        model.learn(100, callback=DiscriminatorCallback(**D))
        assert not torch.equal(weights(model), before)
        model.save(tmp_path / "model.zip")
        works = generate(AdversarialDQN.load(tmp_path / "model.zip"), 5)
        assert np.array_equal(works, generate(model, 5))
        assert works.shape == (5, 4, 4, 3)
        assert ((works > 0).sum((1, 2, 3)) == 3).all(), "a light for each of three strokes"

    @pytest.mark.parametrize("how", ["predict", "wrapper"])
    def test_says_in_one_line_what_it_cannot(self, how):
        def attempt():
            if how == "predict":
                model = agent(CANVAS)
                model.predict(model.env.reset())
            else:
                env = Through(make_sb3_env(CANVAS, 4, seed=0, discriminator="none"))
                AdversarialDQN("auto", env, **SMALL, warm_start=0).learn(9, callback=DiscriminatorCallback(**D))

        with pytest.raises(
            NotImplementedError, match=r"CanvasTask cannot tell its state .* write its restore"
        ) as error:
            attempt()
        assert "\n" not in str(error.value)

    def test_ppo_learns_and_builds(self):
        model = PPO("MlpPolicy", make_sb3_env(CANVAS, 4, seed=0, discriminator="none"), n_steps=16, batch_size=32)
        co = DiscriminatorCallback(every=8, **D)
        model.learn(64, callback=co)
        assert co.trainer.discriminator.updates > 0
        assert ((generate(model, 5) > 0).sum((1, 2, 3)) == 3).all()


class Shown(DiscriminatorCallback):
    """Keeps what D was shown."""

    def __init__(self, **options):
        super().__init__(**options)
        self.shown = []

    def _on_training_start(self):
        super()._on_training_start()
        observe = self.trainer.observe
        self.trainer.observe = lambda *works: self.shown.append(works) or observe(*works)


class TestDecoded:
    @pytest.mark.parametrize("wrap", [None, Through])
    def test_d_sees_contents_and_the_replay_keeps_plans(self, wrap, tmp_path):
        env = make_sb3_env(PLANNED, 8, seed=0, discriminator="none")
        options = {**SMALL, "warm_start": 0, "lead": 1, "replayed": 4, "buffer_size": 20}
        model, shown = AdversarialDQN("auto", wrap(env) if wrap else env, **options), Shown(**D)
        before = weights(model)
        model.learn(140, callback=shown)
        assert model._n_updates >= 3
        assert not torch.equal(weights(model), before)
        assert len(shown.shown) >= 4
        for contents, conditions in shown.shown:
            assert contents.shape[1:] == (4, 4)
            assert contents.dtype == np.uint8
            assert len(np.unique(contents)) > 10, "grainy"
            assert conditions.shape == (len(contents), 0)
        kept = model.replay.state_dict()["episodes"]["contents"]
        assert (kept.dtype, tuple(kept.shape[1:])) == (torch.int8, (4,))
        assert set(kept.unique().tolist()) <= {0, 1}
        model.save(tmp_path / "model.zip")
        again = AdversarialDQN.load(tmp_path / "model.zip")
        assert torch.equal(again.replay.state_dict()["episodes"]["contents"], kept)

    def test_what_is_built_is_decoded(self):
        model = agent(PLANNED)
        works, plans = generate(model, 30, seed=2), generate_episodes(model, 30, seed=2).contents
        assert (works.shape, plans.shape) == ((30, 4, 4), (30, 4))
        assert np.array_equal(works, generate(model, 30, seed=2))
        assert not np.array_equal(works, generate(model, 30, seed=3))
        light = works.reshape(30, 2, 2, 2, 2).mean((2, 4)).reshape(30, 4) > 110
        assert np.array_equal(light, plans == 1), "each picture is of its plan"

    def test_rules_read_contents(self):
        model = agent(RULES, env={"rule_weight": 2.0}, discriminator_weight=0)
        plans = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], np.int8).repeat(20, 0)
        rewards = model.rewards(plans, np.zeros((40, 0), int))
        np.testing.assert_allclose(rewards[:20].mean(), 2 * 60 / 255, atol=0.02)
        np.testing.assert_allclose(rewards[20:].mean(), 2 * 160 / 255, atol=0.02)
        assert np.ptp(rewards[:20]) > 0, "noise is drawn for each"

    def test_callbacks_see_contents(self):
        seen = []

        class Looker(BaseCallback):
            def _on_step(self):
                seen.extend(info["content"] for info in self.locals["infos"] if "content" in info)
                return True

        model = agent(PLANNED)
        model.learn(40, callback=[DiscriminatorCallback(**D), Looker()])
        assert {content.shape for content in seen} == {(4, 4)}

    def test_the_same_run_twice_is_the_same(self):
        found = []
        for _ in range(2):
            model = agent(PLANNED, replayed=4)
            model.learn(100, callback=DiscriminatorCallback(**D))
            found.append(weights(model))
        assert torch.equal(*found)

    def test_environments_keep_plan_and_content(self):
        rewards = Rewards(canvases.PlannedTask(), "none", 0.0)
        task = canvases.PlannedTask()
        state = task.initial(np.zeros(3, np.uint64))
        for bit in (1, 0, 0, 1):
            state, _ = task.step(state, np.full(3, bit))
        finished = rewards.finish(state, lambda: np.arange(3, dtype=np.uint64)).arrays
        assert (finished["plan"] == [1, 0, 0, 1]).all()
        assert finished["content"].shape == (3, 4, 4)


@pytest.mark.parametrize("sides", [(5, 7), (8, 8), (3, 9, 2)], ids=str)
def test_patches_are_a_convolution_whose_stride_is_its_kernel(sides):
    patches = Patches(sides, 2, 3, limit=4)
    x = torch.randn(6, *sides, 2)
    convolve = {2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}[len(sides)]
    kernel = patches.linear.weight.view(3, *patches.kernel, 2).movedim(-1, 1)
    padded = torch.nn.functional.pad(x, patches.padding).movedim(-1, 1)
    expected = convolve(padded, kernel, patches.linear.bias, patches.kernel).relu().movedim(1, -1)
    torch.testing.assert_close(patches(x), expected, rtol=1e-4, atol=1e-5)
    assert max(patches.sides) <= 4
