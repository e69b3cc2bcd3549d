"""Tasks whose works are decoded from plans and noise: the same seed by seed in scalar, vector and SB3 environments."""

import gymnasium as gym
import numpy as np
import pytest
import toys
from gymnasium.vector import SyncVectorEnv
from test_vector import MODES, ROWS, assert_same

import musegym
from musegym.agents import make_sb3_env
from musegym.envs import Image, Task, Works, check_task, make_task
from musegym.envs.draws import gaussian

toys.register()
SHADES = np.array([[0, 200], [100, 50]], np.float32)


class PictureMedium(toys.BitsMedium):
    def render(self, content, condition=None, upto=None):
        return np.repeat(content[..., None], 3, 2)

    def describe(self, content, condition=None):
        return " ".join(map(str, content.ravel()))


class PlanTask(toys.BlindTask):
    """Four bits say which corner of a picture is how bright; noise adds grain. Real works are pictures."""

    layout = Image((2, 2))
    noise_size = 4

    def __init__(self):
        super().__init__()
        self.medium = PictureMedium()

    def decode(self, plans, noise=None):
        grain = 20 * np.clip(noise.reshape(-1, 2, 2), -2, 2)
        return np.clip(40 + plans.reshape(-1, 2, 2) * SHADES / 2 + grain, 0, 255).astype(np.uint8)

    def works(self, split):
        return Works(np.random.default_rng(0).integers(0, 256, (9, 2, 2), np.uint8))


class FixedPlanTask(PlanTask):
    """Works are functions of their plans alone."""

    noise_size = 0

    def decode(self, plans, noise=None):
        assert noise is None
        return super().decode(plans, np.zeros((len(plans), 4), np.float32))


@pytest.fixture(params=["PlanTask", "FixedPlanTask"])
def env_id(request):
    env_id = f"decode/{request.param}-v0"
    musegym.register(env_id, f"test_decode:{request.param}")
    yield env_id
    del gym.registry[env_id]


class Brightness:
    """A discriminator whose logits are exact in any batch."""

    def logits(self, contents, conditions=None):
        assert contents.dtype == np.uint8, "finished works are scored, not plans"
        return contents.reshape(len(contents), -1).astype(np.int64).sum(1).astype(np.float32) / 256


def test_the_contract_has_room_for_it(env_id):
    check_task(env_id)


@pytest.mark.parametrize("mode", MODES)
def test_native_and_looped_environments_agree(env_id, mode):
    native = gym.make_vec(env_id, num_envs=ROWS, autoreset_mode=mode, discriminator="none")
    looped = SyncVectorEnv([lambda: gym.make(env_id, discriminator="none")] * ROWS, autoreset_mode=mode)
    for env in (native, *(env.unwrapped for env in looped.envs)):
        env.set_discriminator(Brightness())
    assert_same(native.reset(seed=3), looped.reset(seed=3))
    rng, ended, works = np.random.default_rng(0), np.zeros(ROWS, bool), []
    for step in range(20):
        if mode == "Disabled" and ended.any():
            again = {"reset_mask": ended}
            assert_same(native.reset(options=again), looped.reset(options={"reset_mask": ended.copy()}))
        actions = rng.integers(0, 2, ROWS)
        result = native.step(actions)
        assert_same(result, looped.step(actions), f"step {step}")
        ended = result[2]
        if ended.any():
            works.append(result[4].get("final_info", result[4]))
    assert len(works) == (4 if mode == "NextStep" else 5)
    contents = np.concatenate([work["content"] for work in works])
    plans = np.concatenate([work["plan"] for work in works])
    task = native.unwrapped.task
    assert contents.shape[1:] == (2, 2)
    assert plans.shape[1:] == (4,)
    blank = task.decode(plans, np.zeros((len(plans), 4), np.float32) if task.noise_size else None)
    assert ((contents == blank).all()) == (task.noise_size == 0)
    assert np.abs(contents.astype(int) - blank).max() <= 40, "each content is of its own plan"


def test_equal_plans_have_other_noise_each_time_and_the_same_by_seed(env_id):
    env = gym.make(env_id, discriminator="none")
    noisy = env.unwrapped.task.noise_size > 0

    def episodes(seed):
        env.reset(seed=seed)
        for _ in range(3):
            for _ in range(4):
                info = env.step(1)[4]
            yield info["content"].tolist()
            env.reset()

    one, again, other = list(episodes(1)), list(episodes(1)), list(episodes(2))
    assert one == again
    assert (one == other) == (not noisy)
    assert len({str(work) for work in one}) == (3 if noisy else 1)


def test_stable_baselines3_is_told_plan_and_content(env_id):
    env = make_sb3_env(env_id, 3, seed=0, discriminator="none")
    env.reset()
    for bit in (1, 0, 1, 1):
        _, _, dones, infos = env.step(np.full(3, bit))
    assert dones.all()
    for info in infos:
        assert info["plan"].tolist() == [1, 0, 1, 1]
        assert env.venv.task.content_space.contains(info["content"])


def test_tasks_without_a_decoder_tell_no_plan():
    env = gym.make("toy/Bits-v0", discriminator="none")
    env.reset(seed=0)
    assert "plan" not in [env.step(1) for _ in range(4)][-1][4]


def test_decoded_takes_noise_from_its_generator(env_id):
    task = make_task(env_id)
    plans = np.ones((5, 4), np.int8)
    one, again, other = (task.decoded(plans, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.tolist() == again.tolist()
    assert (one.tolist() == other.tolist()) == (not task.noise_size)
    bits = toys.BitsTask()
    assert bits.decoded(plans, np.random.default_rng(0)) is plans
    assert type(bits).decode is Task.decode


def test_unfinished_works_are_shown_decoded(env_id):
    task = make_task(env_id)
    state, _ = task.step(task.initial(np.zeros(2, np.uint64)), np.array([1, 0]))
    pictures = task.render(state)
    assert [picture.shape for picture in pictures] == [(2, 2, 3)] * 2
    assert len(set(task.describe(state))) == 1, "the first corner has no brightness of its own"
    state, _ = task.step(state, np.array([1, 0]))
    assert len(set(task.describe(state))) == 2


def test_noise_is_standard_normal_and_of_each_draw_alone():
    draws = np.random.default_rng(0).integers(0, 2**64, 4000, np.uint64)
    noise = gaussian(draws, 5)
    assert noise.dtype == np.float32
    assert noise.shape == (4000, 5)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert gaussian(draws[7:8], 5).tolist() == noise[7:8].tolist()
    assert gaussian(draws[:0], 5).shape == (0, 5)
