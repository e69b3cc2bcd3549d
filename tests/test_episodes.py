"""Whole episodes: traced from real works, played by the policy, replayed."""

import copy
import dataclasses

import canvases
import numpy as np
import pytest
import torch
import toys

from musegym.agents.episodes import Episodes, draw, play, trace
from musegym.agents.networks import Inputs, RecurrentQ
from musegym.agents.replay import EpisodeBuffer
from musegym.envs.registry import make_task

torch.set_num_threads(1)  # a second thread is slower for networks this small
canvases.register()
TASKS = (*toys.register(), "toy/Seen-v0", "musegym/Melody-v0")
CPU = torch.device("cpu")


@pytest.fixture(params=TASKS)
def task(request):
    return make_task(request.param)


def word():
    return make_task("toy/Word-v0")


def network(task, seed=0):
    torch.manual_seed(seed)
    sizes = task.feature_sizes, task.condition_sizes
    net = RecurrentQ(task.num_actions, *sizes, hidden=16, embedding=8, dropout=0.3, view_shape=task.view_shape)
    net.advantages.weight.data *= 8  # far from uniform, so that what is compared differs
    return net


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def starts(task, n=32, seed=0, condition=None):
    draws = np.random.default_rng(seed).integers(2**64, size=n, dtype=np.uint64)
    return task.initial(draws, condition)


def same(a: Episodes, b: Episodes):
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(Episodes))


def replay(task, episodes):
    """Builds the contents again from the actions alone; asserts masks, features, views and lengths on the way."""
    state = task.initial(np.zeros(len(episodes), np.uint64), episodes.conditions)
    done = np.zeros(len(episodes), bool)
    for t in range(int(episodes.lengths.max())):
        assert (done == (episodes.lengths <= t)).all()
        mask = task.action_mask(state)
        kept = np.unpackbits(episodes.masks[:, t], axis=-1, count=task.num_actions).astype(bool)
        assert (kept == mask)[~done].all()
        assert (episodes.features[:, t] == task.feature_values(state))[~done].all()
        if task.view_shape:
            assert (episodes.views[:, t] == task.view(state))[~done].all()
        actions = episodes.actions[:, t].astype(np.int64)
        assert mask[np.arange(len(actions)), actions][~done].all(), "every decision was legal"
        state, finished = task.step(state, actions)
        done = np.array(finished)
    assert done.all()
    return task.content(state)


def real(task, split="train", rows=slice(None)):
    """Contents and conditions of real works."""
    works = task.works(split).take(rows)
    return works.contents, works.conditions


class TestTrace:
    def test_builds_the_works_again(self, task):
        contents, conditions = real(task, rows=slice(100))
        episodes = trace(task, contents, conditions)
        assert len(episodes) == len(contents)
        assert np.array_equal(episodes.contents, contents)
        assert np.array_equal(episodes.conditions, conditions)
        assert np.array_equal(replay(task, episodes), contents)
        assert np.array_equal(episodes.actions, task.demonstrations(contents, conditions))

    def test_by_actions_that_are_given(self, task):
        contents, conditions = real(task, rows=slice(20))
        actions = task.demonstrations(contents, conditions)
        assert same(trace(task, contents, conditions, actions), trace(task, contents, conditions))

    @pytest.mark.parametrize(
        ("actions", "problem"),
        [
            ([0, 1, 0, 1], r"int \[1, 6\] from 0 to 8, not int64 \(1, 4\)"),
            ([0, 1, 0, 9, 0, 0], "from 0 to 8"),
            ([0, 1, 0, -1, 0, 0], "from 0 to 8"),
            ([0.0, 1, 0, 1, 8, 0], "not float64"),
            ([0, 1, 8, 0, 0, 0], "decision 2 of a work is illegal"),  # too short to be ended
            ([0, 1, 0, 2, 8, 0], "do not build 1 of 1 works"),  # "abac", not "abab"
        ],
    )
    def test_refuses_actions_that_do_not_build_it(self, actions, problem):
        content = np.array([[1, 2, 1, 2, 0, 0]], np.int8)
        assert trace(word(), content, np.array([[1]])).actions.tolist() == [[0, 1, 0, 1, 8, 0]]
        with pytest.raises(ValueError, match=problem) as error:
            trace(word(), content, np.array([[1]]), np.array([actions]))
        assert "\n" not in str(error.value)

    def test_needs_the_conditions(self):
        with pytest.raises(ValueError, match=r"WordTask has conditions: pass conditions=int \[N, 1\]"):
            trace(word(), word().corpus("train"))

    def test_refuses_what_cannot_be_built(self):
        task = word()
        contents, conditions = real(task, rows=slice(3))
        contents = contents.copy()
        contents[1] = 1  # the same letter again and again
        with pytest.raises(ValueError, match="cannot be built"):
            trace(task, contents, conditions)


class TestPlay:
    def test_respects_masks_and_ends_where_the_task_does(self, task):
        episodes = play(network(task), task, starts(task), generator())
        assert np.array_equal(replay(task, episodes), episodes.contents)
        assert (episodes.lengths > 0).all()
        assert (episodes.lengths <= task.horizon).all()
        past = np.arange(task.horizon) >= episodes.lengths[:, None]
        assert not episodes.actions[past].any()

    def test_what_was_played_can_be_traced(self, task):
        episodes = play(network(task), task, starts(task), generator())
        traced = trace(task, episodes.contents, episodes.conditions)
        assert np.array_equal(traced.actions, episodes.actions)
        assert np.array_equal(traced.lengths, episodes.lengths)

    def test_memory_of_one_step_sees_what_the_whole_episode_shows(self, task):
        # Temperature 0 chooses by the stepwise network; the whole-episode one must find the same modes.
        net = network(task)
        episodes = play(net, task, starts(task), generator(), temperature=0.0)
        taken, _, live = episodes.evaluate(net.eval(), CPU)
        best = episodes.log_policy(net, CPU).max(-1).values
        torch.testing.assert_close(taken, best * live, atol=1e-5, rtol=1e-5)

    def test_what_the_policy_said_is_kept(self, task):
        net = network(task)
        episodes = play(net, task, starts(task), generator())
        taken, _, _ = episodes.evaluate(net.eval(), CPU)
        kept = torch.from_numpy(episodes.log_probs)
        torch.testing.assert_close(kept[:, : taken.shape[1]], taken.detach(), atol=1e-5, rtol=1e-5)
        assert not kept[:, taken.shape[1] :].any()

    def test_frequencies_are_the_probabilities(self):
        task = make_task("toy/Bits-v0")
        net = network(task)
        played = play(net, task, starts(task, 8000), generator())
        every = np.array(list(np.ndindex(2, 2, 2, 2)), np.int8)
        taken, _, _ = trace(task, every).evaluate(net.eval(), CPU)
        expected = taken.sum(1).exp().detach().numpy()
        assert expected.sum() == pytest.approx(1)
        seen = (played.contents[:, None] == every).all(2).mean(0)
        assert expected.max() > 0.15, "far from uniform, so that the comparison can fail"
        # Four standard errors.
        assert (abs(seen - expected) < 4 * np.sqrt(expected * (1 - expected) / 8000) + 1e-3).all()

    def test_stepwise_probabilities_are_those_of_the_whole_episode(self, task):
        net = network(task).eval()
        episodes = play(net, task, starts(task), generator())
        taken, _, _ = episodes.evaluate(net, CPU)
        state = task.initial(np.zeros(len(episodes), np.uint64), episodes.conditions)
        last = torch.full((len(episodes), 1), task.num_actions)
        conditions = torch.from_numpy(episodes.conditions.astype(np.int64))
        memory, total = None, torch.zeros(len(episodes))
        for t in range(int(episodes.lengths.max())):
            features, mask = task.feature_values(state).astype(np.int64), task.action_mask(state)
            view = None if task.view(state) is None else torch.from_numpy(task.view(state))[:, None]
            features, mask = torch.from_numpy(features)[:, None], torch.from_numpy(mask)[:, None]
            steps, memory = net(Inputs(last, features, conditions, mask, view), memory)
            actions = episodes.actions[:, t].astype(np.int64)
            last = torch.from_numpy(actions)[:, None]
            chosen = steps.log_policy[:, 0].gather(1, last)[:, 0]
            total += chosen * torch.from_numpy(episodes.lengths > t)
            state, _ = task.step(state, actions)
        torch.testing.assert_close(total, taken.sum(1), atol=1e-4, rtol=1e-4)

    def test_same_generator_same_episodes(self, task):
        net = network(task)
        first = play(net, task, starts(task), generator(3))
        torch.manual_seed(99)
        assert same(first, play(net, task, starts(task), generator(3)))
        assert not same(first, play(net, task, starts(task), generator(4)))

    def test_leaves_the_global_generator_and_the_mode_alone(self):
        task = word()
        net = network(task).train()
        before = torch.random.get_rng_state()
        play(net, task, starts(task), generator())
        assert torch.equal(torch.random.get_rng_state(), before)
        assert net.training

    def test_temperature_zero_does_not_draw(self):
        task = word()
        g = generator()
        before = g.get_state()
        condition = np.ones((8, 1), np.int64)
        episodes = play(network(task), task, starts(task, 8, condition=condition), g, temperature=0.0)
        assert torch.equal(g.get_state(), before)
        assert len(np.unique(episodes.contents, axis=0)) == 1, "the mode is the same every time"

    def test_temperature_spreads(self):
        task = word()
        kinds = [
            len(np.unique(play(network(task), task, starts(task, 200), generator(), temperature=t).contents, axis=0))
            for t in (0.05, 1.0, 20.0)
        ]
        assert kinds == sorted(set(kinds))

    def test_prefix(self):
        task = word()
        condition = np.ones((16, 1), np.int64)  # long words
        prefix = np.array([1, 4, 0])  # "bea"
        episodes = play(network(task), task, starts(task, 16, condition=condition), generator(), prefix=prefix)
        assert (episodes.actions[:, :3] == prefix).all()
        assert len(np.unique(episodes.contents, axis=0)) > 1, "what follows is free"
        gap = np.array([1, -1, 0])  # "b?a"
        episodes = play(network(task), task, starts(task, 16, condition=condition), generator(), prefix=gap)
        first, second, third = episodes.actions[:, :3].T
        assert (first == 1).all()
        assert ((third == 0) | (second == 0)).all(), "no letter twice"
        assert len(np.unique(second)) > 1

    def test_what_is_played_on_without_the_finished_is_what_is_built(self):
        task = word()
        condition = (np.arange(40) % 4 == 0)[:, None].astype(np.int64)  # few long words
        prefix = np.array([1, 4, 0, 3, 2])
        episodes = play(network(task), task, starts(task, 40, condition=condition), generator(), prefix=prefix)
        assert (episodes.lengths < 5).mean() >= 0.5, "so that finished ones are dropped"
        assert (episodes.conditions == condition).all()
        again = trace(task, episodes.contents, episodes.conditions)
        for field in ("actions", "lengths", "conditions"):
            assert np.array_equal(getattr(again, field), getattr(episodes, field)), field
        live = np.arange(task.horizon) < episodes.lengths[:, None]
        assert np.array_equal(again.features[live], episodes.features[live])
        assert np.array_equal(again.masks[live], episodes.masks[live])

    def test_prefix_that_is_illegal_is_replaced_as_by_the_task(self):
        task = word()
        episodes = play(network(task), task, starts(task, 4), generator(), prefix=np.array([2, 2]))
        assert (episodes.actions[:, :2] == [2, 0]).all(), "no letter twice: the lowest legal action instead"

    def test_counts_the_decisions(self):
        task = word()
        steps = []
        ended = np.zeros(len(starts(task)), bool)

        def on_step(recorder, actions):
            steps.append(int((~ended[recorder.rows]).sum()))
            ended[recorder.rows] |= recorder.done
            assert len(actions) == len(recorder.rows)

        episodes = play(network(task), task, starts(task), generator(), on_step=on_step)
        assert sum(steps) == episodes.lengths.sum()
        assert len(steps) == episodes.lengths.max()
        assert episodes.lengths.min() < episodes.lengths.max()


def test_draw_never_takes_what_is_forbidden():
    log_policy = torch.tensor([[-1e9, 0.0, -1e9]]).expand(5000, 3)
    for temperature in (0.0, 1e-3, 1.0, 100.0):
        assert (draw(log_policy, temperature, generator()) == 1).all()


class TestBuffer:
    @pytest.mark.parametrize("sizes", [[3, 3, 3], [2, 9], [7], [5, 1, 1, 8, 2, 30, 4]])
    def test_keeps_the_newest_like_a_list(self, sizes):
        task = word()
        every = play(network(task), task, starts(task, sum(sizes)), generator())
        buffer, reference, first = EpisodeBuffer(7), [], 0
        for size in sizes:
            part = every.take(slice(first, first + size))
            buffer.add(part)
            reference = (reference + list(range(first, first + size)))[-7:]
            first += size
            assert len(buffer) == len(reference)
            kept = buffer.state_dict()["episodes"]["contents"].numpy()
            assert sorted(map(bytes, kept)) == sorted(bytes(every.contents[row]) for row in reference)

    def test_rows_stay_together(self):
        task = word()
        buffer = EpisodeBuffer(5)
        for seed in range(4):
            buffer.add(play(network(task), task, starts(task, 3, seed), generator(seed)))
        drawn = buffer.sample(50, np.random.default_rng(0))
        assert np.array_equal(replay(task, drawn), drawn.contents)

    def test_does_not_share_memory_with_what_was_added(self):
        task = word()
        buffer, part = EpisodeBuffer(8), play(network(task), task, starts(task, 4), generator())
        buffer.add(part)
        before = part.contents.copy()
        part.contents[:] = 0
        kept = buffer.sample(20, np.random.default_rng(0)).contents
        assert {bytes(row) for row in kept} <= {bytes(row) for row in before}

    def test_samples_uniformly(self):
        task = make_task("toy/Bits-v0")
        buffer = EpisodeBuffer(2)
        buffer.add(trace(task, task.corpus("train")))
        drawn = buffer.sample(4000, np.random.default_rng(0)).contents
        assert drawn[:, 0].mean() == pytest.approx(0.5, abs=0.03)

    def test_goes_on_from_a_state(self):
        task = word()
        parts = [play(network(task), task, starts(task, 3, seed), generator(seed)) for seed in range(5)]
        one = EpisodeBuffer(7)
        for part in parts[:3]:
            one.add(part)
        other = EpisodeBuffer(7)
        other.load_state_dict(copy.deepcopy(one.state_dict()))
        for buffer in (one, other):
            for part in parts[3:]:
                buffer.add(part)
        assert same(*(b.sample(40, np.random.default_rng(1)) for b in (one, other)))

    def test_empty(self):
        buffer = EpisodeBuffer(3)
        assert len(buffer) == 0
        with pytest.raises(ValueError, match="add episodes"):
            buffer.sample(1, np.random.default_rng(0))
        again = EpisodeBuffer(3)
        again.load_state_dict(buffer.state_dict())
        assert len(again) == 0


def test_join_and_take():
    task = word()
    every = trace(task, *real(task))
    assert same(Episodes.join([every.take(slice(0, 4)), every.take(np.arange(4, len(every)))]), every)
    assert same(Episodes.from_state_dict(every.state_dict()), every)


def test_evaluation_ignores_padding():
    task = word()
    net = network(task).eval()
    every = trace(task, *real(task))
    together, _, live = every.evaluate(net, CPU)
    assert np.array_equal(live.sum(1).numpy(), every.lengths)
    assert not together[~live].any()
    for row in range(len(every)):
        alone, _, _ = every.take(slice(row, row + 1)).evaluate(net, CPU)
        assert alone.shape[1] == every.lengths[row]
        torch.testing.assert_close(alone.sum(), together[row].sum(), atol=1e-5, rtol=1e-5)


def test_no_temperature_draws_what_is_forbidden():
    log_policy = torch.tensor([[0.0, -1e9, -1.0]]).expand(500, 3)
    for temperature in (0.0, 1.0, 1e12):
        assert not (draw(log_policy, temperature, torch.Generator().manual_seed(0)) == 1).any()


def test_parts_of_like_lengths_change_nothing(monkeypatch):
    task = make_task("musegym/Melody-v0")
    batch = trace(task, *real(task, "validation", slice(70)))
    assert len(np.unique(batch.lengths)) > 10, "otherwise there is nothing to sort"
    net = network(task).eval()
    (taken, values, live), parts = batch.evaluate(net, CPU), []
    for least in (2, 1000):
        monkeypatch.setattr("musegym.agents.episodes.LEAST_ROWS", least)
        monkeypatch.setattr("musegym.agents.episodes.PART_STEPS", least)
        parts.append(batch.evaluate(net, CPU))
    for taken_there, values_there, live_there in parts:
        assert torch.equal(live_there, live)
        torch.testing.assert_close(taken_there, taken)
        torch.testing.assert_close(values_there, values)


def test_values_are_what_is_asked_for(task):
    net = network(task).eval()
    episodes = play(net, task, starts(task), generator())
    soft, best, none = (episodes.evaluate(net, CPU, **asked)[1] for asked in ({}, {"best": True}, {"values": False}))
    log_policy, live = episodes.log_policy(net, CPU), episodes.evaluate(net, CPU)[2]
    torch.testing.assert_close((soft + log_policy.max(-1).values) * live, best, atol=1e-5, rtol=1e-5)
    assert not none.any()
