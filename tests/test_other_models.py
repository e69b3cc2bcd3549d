"""Models and works of other libraries: generated from, evaluated, and refused where their files run code."""

import io
import json

import gymnasium as gym
import numpy as np
import pytest
import torch
import toys
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecFrameStack, VecNormalize
from test_cli import WORD, refused

from musegym.agents import AdversarialDQN, built_by, generate, generate_episodes, make_sb3_env
from musegym.agents.policies import BoltzmannPolicy
from musegym.benchmarks import suite
from musegym.envs import ids, make_task

torch.set_num_threads(1)
toys.register()
MELODY, DIGIT = "musegym/Melody-v0", "musegym/Digit-v0"
SMALL = {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}


def make(env_id="toy/Word-v0", n=2, **kwargs):
    return make_sb3_env(env_id, n, seed=0, discriminator="none", **kwargs)


def model(algorithm=PPO, env=None, **options):
    policy = "MlpLstmPolicy" if algorithm is RecurrentPPO else "MlpPolicy"
    few = {"buffer_size": 50} if algorithm in (DQN, QRDQN) else {}
    if algorithm is RecurrentPPO:
        few = {"policy_kwargs": {"net_arch": [8], "lstm_hidden_size": 8}}
    return algorithm(policy, make() if env is None else env, **{**SMALL, **few, **options})


# Generation


@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN, MaskablePPO, QRDQN, RecurrentPPO])
@pytest.mark.parametrize("env_id", ["toy/Word-v0", DIGIT])
def test_any_model_generates(env_id, algorithm):
    made = model(algorithm, make(env_id))
    task = built_by(made)
    works = generate_episodes(made, num=130, seed=3)  # more than are built at a time
    assert len(works) == 130
    assert all(task.content_space.contains(content) for content in works.contents)
    state = task.initial(np.zeros(130, np.uint64), works.conditions.astype(np.int64) if task.conditions else None)
    for t in range(task.horizon):
        state, _ = task.step(state, works.actions[:, t].astype(np.int64))
    np.testing.assert_array_equal(task.content(state), works.contents, "the decisions are those that built them")
    np.testing.assert_array_equal(generate(made, num=130, seed=3), works.contents)


def test_equal_seeds_give_equal_works_and_leave_all_other_draws_alone():
    made = model()
    made.action_space.seed(5)
    torch.manual_seed(7)
    np.random.seed(9)  # noqa: NPY002
    expected = torch.rand(2), np.random.rand(2), made.action_space.sample()  # noqa: NPY002
    made.action_space.seed(5)
    torch.manual_seed(7)
    np.random.seed(9)  # noqa: NPY002
    first = generate(made, num=20, seed=1)
    found = torch.rand(2), np.random.rand(2), made.action_space.sample()  # noqa: NPY002
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(generate(made, num=20, seed=1), first)
    assert (generate(made, num=20, seed=2) != first).any()


def test_a_dqn_explores_by_the_seed_as_well():
    made = model(DQN)
    made.exploration_rate = 1.0
    np.testing.assert_array_equal(generate(made, num=20, seed=1), generate(made, num=20, seed=1))
    assert (generate(made, num=20, seed=1) != generate(made, num=20, seed=2)).any()


def test_conditions_and_prefixes_and_the_most_probable_decisions():
    made = model()
    conditions = np.arange(6)[:, None] % 2
    works = generate_episodes(made, num=6, condition=conditions)
    np.testing.assert_array_equal(works.conditions, conditions)
    assert ((works.contents > 0).sum(1) > 3).tolist() == 3 * [False, True]
    assert (generate(made, num=6, prefix=np.array([4]))[:, 0] == 5).all()
    gap = generate(made, num=20, prefix=np.array([-1, 4]), condition=np.array([1]))
    assert ((gap[:, 1] == 5) | (gap[:, 0] == 5)).all()
    assert len(np.unique(gap[:, 0])) > 1
    greedy = generate(made, num=20, temperature=0, condition=np.array([1]))
    assert len(np.unique(greedy, axis=0)) == 1
    with pytest.raises(ValueError, match=r"1 or 0 for a PPO, .*not 0.7"):
        generate(made, num=2, temperature=0.7)


def test_masks_reach_models_that_take_them():
    made = model(MaskablePPO)
    seen = []
    predict = made.predict

    def watched(observation, state=None, episode_start=None, deterministic=False, action_masks=None):
        actions, memory = predict(observation, state, episode_start, deterministic, action_masks)
        seen.append(action_masks[np.arange(len(actions)), actions].all())
        return actions, memory

    made.predict = watched
    generate(made, num=30)
    assert seen
    assert all(seen), "no illegal decision was taken"


def test_memory_reaches_models_that_have_one():
    made = model(RecurrentPPO)
    begins, predict = [], made.predict

    def watched(observation, state=None, episode_start=None, deterministic=False):
        begins.append((state is None, episode_start.all(), episode_start.any()))
        return predict(observation, state, episode_start, deterministic)

    made.predict = watched
    generate(made, num=4, condition=np.array([1]))
    assert begins[0] == (True, True, True)
    assert begins[1:] == [(False, False, False)] * (len(begins) - 1)
    assert len(begins) > 3


def test_models_of_normalised_observations_see_them_normalised():
    env = VecNormalize(make(DIGIT), norm_reward=False)
    env.obs_rms.mean[:], env.obs_rms.var[:] = 0.5, 0.25
    made = model(env=VecCheckNan(env))
    seen, predict = [], made.predict

    def watched(observation, **given):
        seen.append(observation)
        return predict(observation, **given)

    made.predict = watched
    generate(made, num=3)
    np.testing.assert_allclose(seen[0], (make(DIGIT, 3).reset() - 0.5) / np.sqrt(0.25 + env.epsilon), rtol=1e-5)


@pytest.mark.parametrize("wrapper", ["VecFrameStack", "RescaleObservation", "TransformAction"])
def test_what_a_model_acts_through_must_be_had(wrapper):
    def scalar():
        env = gym.make(DIGIT, discriminator="none")
        if wrapper == "RescaleObservation":
            return gym.wrappers.RescaleObservation(env, -1, 1)
        return gym.wrappers.TransformAction(env, lambda action: action, env.action_space)

    env = VecFrameStack(make(DIGIT), 2) if wrapper == "VecFrameStack" else DummyVecEnv([scalar])
    with pytest.raises(ValueError, match=f"through {wrapper}") as caught:
        generate(model(env=env), num=2)
    assert "\n" not in str(caught.value)


def test_models_without_an_environment_or_of_another(tmp_path):
    model().save(tmp_path / "ppo")
    alone = PPO.load(tmp_path / "ppo")
    with pytest.raises(ValueError, match=r"this PPO has no environment.*PPO\.load\(path, make_sb3_env") as caught:
        generate(alone, num=2)
    assert "\n" not in str(caught.value)
    again = PPO.load(tmp_path / "ppo", make())
    np.testing.assert_array_equal(generate(again, num=5, seed=1), generate(model(), num=5, seed=1))
    with pytest.raises(TypeError, match="make_sb3_env"):
        generate(PPO("MlpPolicy", "CartPole-v1", device="cpu"), num=2)


# Policies


def test_a_policy_saves_and_loads_by_itself(tmp_path):
    agent = AdversarialDQN("auto", make(), seed=0, policy_kwargs={"hidden": 8, "embedding": 4}, warm_start=0, lead=0)
    for prior in (False, True):
        if prior:
            agent.policy.freeze_prior(relative=True)
        agent.policy.save(tmp_path / "policy")
        loaded = BoltzmannPolicy.load(tmp_path / "policy")
        kept, found = agent.policy.state_dict(), loaded.state_dict()
        assert kept.keys() == found.keys()
        assert all(torch.equal(kept[name], found[name]) for name in kept)
        assert (loaded.q_net.prior is loaded.prior) == prior or not prior
    observations = make(n=5).reset()
    one, other = (policy.predict(observations, deterministic=True)[0] for policy in (agent.policy, loaded))
    np.testing.assert_array_equal(one, other)
    assert type(loaded.task) is type(agent.task)


def test_files_that_are_no_policy(tmp_path):
    agent = AdversarialDQN("auto", make(), seed=0, policy_kwargs={"hidden": 8, "embedding": 4}, warm_start=0, lead=0)
    agent.save(tmp_path / "model.zip")
    with pytest.raises(ValueError, match=r"a whole model.*AdversarialDQN\.load"):
        BoltzmannPolicy.load(tmp_path / "model.zip")
    agent.policy.save(tmp_path / "policy.zip")
    with pytest.raises(ValueError, match="not a usable model"):
        AdversarialDQN.load(tmp_path / "policy.zip")
    model().policy.save(tmp_path / "pickled.pt")
    with pytest.raises(ValueError, match="not a usable model"):
        BoltzmannPolicy.load(tmp_path / "pickled.pt")
    unregistered = type("Unregistered", (toys.WordTask,), {"__module__": "nowhere"})
    agent.policy.task = unregistered()
    with pytest.raises(ValueError, match=r"nowhere:Unregistered is not registered"):
        agent.policy.save(tmp_path / "other")
    assert not (tmp_path / "other.zip").exists()


def test_policies_go_through_open_files():
    agent = AdversarialDQN("auto", make(), seed=0, policy_kwargs={"hidden": 8, "embedding": 4}, warm_start=0, lead=0)
    file = io.BytesIO()
    agent.policy.save(file)
    file.seek(0)
    assert BoltzmannPolicy.load(file).q_net.num_actions == agent.task.num_actions


# Evaluation


@pytest.fixture
def plain_features(monkeypatch):
    """Distances of the numbers of contents themselves: a network of features takes seconds to train."""
    monkeypatch.setattr(suite, "feature_net", lambda train, layout: lambda works: works.reshape(len(works), -1) * 1.0)


@pytest.mark.usefixtures("plain_features")
def test_models_of_others_are_evaluated():
    result = suite.evaluate(model(), num=20, seeds=0)
    assert result["nll_test"] is None
    assert any("log-probabilities" in note for note in result["notes"])
    assert 0 <= result["validity"] <= 1
    assert result["num"] == 20


@pytest.mark.usefixtures("plain_features")
def test_works_of_any_origin_are_measured_as_those_of_a_model():
    task = make_task("toy/Word-v0")
    real, conditions = task.works("test").contents, task.works("test").conditions
    result = suite.evaluate_works(task, real.astype(np.int64), conditions, seeds=0)
    assert result["num"] == result["judged"] == len(real)
    assert result["frechet"] == pytest.approx(0, abs=1e-3)
    assert result["validity"] == 1
    assert result["unique"] == result["unique_real"]
    assert not any(key.startswith("nll") for key in result)
    model_keys = set(suite.evaluate(model(), num=20, seeds=0))
    assert set(result) == {key for key in model_keys if not key.startswith("nll")}
    few = suite.evaluate_works(task, real[:12], conditions[:12], seeds=0)
    assert few["judged"] == 12
    assert json.loads(json.dumps(few)) == few


@pytest.mark.parametrize("env_id", ids())
def test_works_that_are_no_contents_are_told(env_id):
    task = make_task(env_id)
    real = task.works("train").take(np.arange(6) % len(task.works("train")))
    works = real.contents.astype(np.int64)
    contents, conditions = suite.check_works(task, works, real.conditions)
    assert contents.dtype == task.corpus("train").dtype
    np.testing.assert_array_equal(conditions, real.conditions)
    too_large = works.copy()
    too_large[4].flat[-1] = 2**40
    for wrong, problem in (
        (too_large, r"1 of 6 works are no contents of this task \(first: number 4\)"),
        (np.where(np.arange(6).reshape(6, *(works.ndim - 1) * [1]) == 2, -3, works), "first: number 2"),
        (works[:, :-1], r"integers \[N, .*not int64"),
        (works[0], "integers"),
        (works[:0], "integers"),
        (works + 0.5, "not float64"),
    ):
        with pytest.raises(ValueError, match=problem) as caught:
            suite.check_works(task, wrong, real.conditions)
        assert "\n" not in str(caught.value)


# The command line


@pytest.fixture
def judged(monkeypatch):
    asked = {}

    def evaluate_works(task, contents, conditions, split, seeds):
        asked.update(task=type(task).__name__, contents=contents, conditions=conditions, split=split, seeds=seeds)
        return {"split": split, "num": len(contents), "c2st": 0.75, "notes": []}

    monkeypatch.setattr("musegym.benchmarks.suite.evaluate_works", evaluate_works)
    return asked


@pytest.mark.parametrize("names", [("content", "condition"), ("contents", "conditions")])
def test_works_of_a_file(call, tmp_path, judged, names):
    works = make_task("toy/Word-v0").works("test")
    np.savez(tmp_path / "works.npz", **dict(zip(names, (works.contents, works.conditions), strict=True)))
    code, out, _ = call("evaluate", "--works", tmp_path / "works.npz", "--id", WORD, "--seeds", 2, "--json", "-")
    assert code == 0
    assert json.loads(out)["c2st"] == 0.75
    np.testing.assert_array_equal(judged["contents"], works.contents)
    np.testing.assert_array_equal(judged["conditions"], works.conditions)
    assert (judged["task"], judged["split"], judged["seeds"]) == ("WordTask", "test", 2)


def test_works_of_a_variant(call, tmp_path, judged):
    np.savez(tmp_path / "works.npz", content=np.zeros((5, 2, 16), bool))
    found = call("evaluate", "--works", tmp_path / "works.npz", "--id", "musegym/Density-v0", "--set", "density=moons")
    assert found[0] == 0
    assert judged["task"] == "DensityTask"
    refused(
        call("evaluate", "--works", tmp_path / "works.npz", "--id", "musegym/Density-v0", "--set", "density=suns"),
        "suns",
    )


def test_mistakes_about_works(call, tmp_path, judged):
    real = make_task("toy/Word-v0").works("test")
    works, condition = real.contents, real.conditions
    good = tmp_path / "good.npz"
    np.savez(good, content=works, condition=condition)
    np.savez(tmp_path / "unasked.npz", content=works)
    np.savez(tmp_path / "asked.npz", content=works, condition=condition + 1)
    np.savez(tmp_path / "named.npz", melodies=works)
    np.savez(tmp_path / "objects.npz", content=np.array([works, None], object))
    np.savez(tmp_path / "floats.npz", content=works / 2)
    np.savez(tmp_path / "range.npz", content=works + 100)
    np.save(tmp_path / "alone.npy", works)
    (tmp_path / "damaged.npz").write_bytes(good.read_bytes()[:200])
    (tmp_path / "text.npz").write_text("content\n")
    bytes_ = bytearray(good.read_bytes())
    bytes_[150:160] = b"\xff" * 10
    (tmp_path / "changed.npz").write_bytes(bytes_)
    of = ("--id", WORD)
    for arguments, words in (
        (("--works", good), ("--id", "go together")),
        (of, ("--works", "go together")),
        (("--set", "double=1"), ("--works",)),
        (("--works", good, "--id", WORD, "--num", 10), ("--num",)),
        (("--works", good, "--id", WORD, "--pretrained", WORD), ("--pretrained",)),
        ((tmp_path, "--works", good, "--id", WORD), ("RUN",)),
        (("--works", good, "--id", "toy/Wort-v0"), ("toy/Wort-v0",)),
        (("--works", tmp_path / "none.npz", *of), ("none.npz", "does not exist", "np.savez")),
        (("--works", tmp_path, *of), ("np.savez",)),
        (("--works", tmp_path / "named.npz", *of), ("melodies", "content")),
        (("--works", tmp_path / "objects.npz", *of), ("objects.npz", "np.savez")),
        (("--works", tmp_path / "floats.npz", *of), ("float64",)),
        (("--works", tmp_path / "range.npz", *of), ("out of its range",)),
        (("--works", tmp_path / "unasked.npz", *of), ("have conditions", "condition=conditions")),
        (("--works", tmp_path / "asked.npz", *of), ("below [2]", "up to 2")),
        (("--works", tmp_path / "alone.npy", *of), ("a single array", "np.savez")),
        (("--works", tmp_path / "damaged.npz", *of), ("damaged.npz", "np.savez")),
        (("--works", tmp_path / "text.npz", *of), ("text.npz", "np.savez")),
        (("--works", tmp_path / "changed.npz", *of), ("changed.npz",)),
    ):
        refused(call("evaluate", *arguments), *words)
    assert not judged, "nothing was judged"


def test_files_of_stable_baselines3_run_code_and_are_refused(call, tmp_path):
    model().save(tmp_path / "ppo.zip")
    for command in ("generate", "evaluate", "play"):
        refused(call(command, tmp_path / "ppo.zip"), "Stable-Baselines3", "pickle", "--works FILE.npz")
    with pytest.raises(ValueError, match=r"musegym\.agents\.generate"):
        AdversarialDQN.load(tmp_path / "ppo.zip")
