"""The public contract suite: what every task promises, checked by playing it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from .registry import make_task
from .task import SPLITS, Array, Bools, Ints, Medium, State, Task

ROWS = 16
ITEMS = 64


def check_task(task: Task[Any] | str, seed: int = 0) -> None:
    """Checks that a task keeps the contract of `Task`; takes seconds.

    Third parties call it in their tests: ``check_task("my/Task-v0")``.

    Args:
        task: a task, or a registered id.
        seed: of the starts, actions and items that are tried.

    Raises:
        AssertionError: the first promise that is broken, in words.
    """
    checked = make_task(task) if isinstance(task, str) else task
    for check in CHECKS:
        check(checked, np.random.default_rng(seed))


@dataclasses.dataclass
class Episode:
    """B works built in parallel, T + 1 moments each: what the task told, first copied, then as it was handed out."""

    state: State
    actions: Ints  # [T, B]
    done: Bools  # [T + 1, B]
    told: dict[str, Array]  # [T + 1, B, ...] of observe, action_mask, clock, content
    handed_out: dict[str, list[Array]]


def _play(task: Task[Any], draws: Array, actions: Ints | None, rng: np.random.Generator, **start: Any) -> Episode:
    """Builds works for the whole horizon; random legal actions where ``actions`` [T, B] is None."""
    state = task.initial(draws, **start)
    done = np.zeros(len(draws), np.bool_)
    views = {"observe": task.observe, "action_mask": task.action_mask, "clock": task.clock, "content": task.content}
    handed_out: dict[str, list[Array]] = {name: [] for name in views}
    copies: dict[str, list[Array]] = {name: [] for name in views}
    taken, ended = [], [done]
    for t in range(task.horizon + 1):
        for name, view in views.items():
            handed_out[name].append(view(state))
            copies[name].append(np.array(handed_out[name][-1]))
        if t == task.horizon:
            break
        mask = copies["action_mask"][-1]
        taken.append((rng.random(mask.shape) * mask).argmax(1) if actions is None else np.asarray(actions[t]))
        state, done = task.step(state, taken[-1].copy())
        ended.append(np.array(done))
    told = {name: np.stack(moments) for name, moments in copies.items()}
    return Episode(state, np.stack(taken), np.stack(ended), told, handed_out)


def _draws(rng: np.random.Generator, rows: int = ROWS) -> Array:
    return rng.integers(0, 2**64, rows, np.uint64)


def _require(kept: Any, promise: str) -> None:
    if not kept:
        raise AssertionError(promise)


def _same(left: Episode, right: Episode, promise: str, columns: Any = slice(None)) -> None:
    for name, moments in left.told.items():
        _require(np.array_equal(moments[:, columns], right.told[name]), f"{promise}: {name} differs")
    _require(np.array_equal(left.done[:, columns], right.done), f"{promise}: done differs")


def _check_declarations(task: Task[Any], _rng: np.random.Generator) -> None:
    _require(task.horizon >= 1, "horizon is at least 1")
    _require(task.num_actions >= 1, "num_actions is at least 1")
    _require(task.has_demonstrations or not task.one_to_one, "one_to_one needs demonstrations")
    _require(isinstance(task.content_space, gym.Space), "content_space is a gymnasium Space")
    flat = isinstance(task.observation_space, gym.spaces.Box | gym.spaces.MultiDiscrete)
    _require(
        flat and len(task.observation_space.shape or ()) == 1, "observation_space is one flat Box or MultiDiscrete"
    )
    small = isinstance(task.observation_space, gym.spaces.MultiDiscrete) and task.observation_space.dtype != np.int64
    _require(not small, "observation_space is a MultiDiscrete of int64: leave its dtype out; others add its sizes up")
    if isinstance(task.content_space, gym.spaces.MultiDiscrete):
        largest = np.iinfo(task.content_space.dtype).max
        _require(
            task.content_space.nvec.sum(dtype=np.int64) <= largest,
            f"the sizes of content_space add up to at most the largest {task.content_space.dtype}: leave its dtype out",
        )
    conditions = task.condition_space
    if conditions is not None:
        _require(isinstance(conditions, gym.spaces.MultiDiscrete), "condition_space is a MultiDiscrete or None")
        _require(len(conditions.nvec.shape) == 1, "condition_space is flat")
    _require(isinstance(task.medium, Medium), "medium is a Medium")
    _require(task.medium.kind in ("sequence", "grid", "image"), "medium.kind is 'sequence', 'grid' or 'image'")
    _require(all(size >= 1 for size in task.clock_sizes), "clock_sizes are positive")


def _check_episodes(task: Task[Any], rng: np.random.Generator) -> None:
    for legal in (True, False):
        actions = None if legal else rng.integers(0, task.num_actions, (task.horizon, ROWS))
        episode = _play(task, _draws(rng), actions, rng)
        told, done = episode.told, episode.done
        moments = task.horizon + 1
        _require(len(episode.state) == ROWS, "len(state) is the number of rows")
        _require(done.dtype == np.bool_ and done.shape == (moments, ROWS), "step returns done as bool [B]")
        _require(told["action_mask"].dtype == np.bool_, "action_mask is bool")
        _require(told["action_mask"].shape == (moments, ROWS, task.num_actions), "action_mask has shape [B, A]")
        _require(told["action_mask"].any(-1).all(), "every row has a legal action, finished rows included")
        _require(told["observe"].dtype == task.observation_space.dtype, "observations have the dtype of their space")
        for observation in told["observe"].reshape(moments * ROWS, -1):
            _require(task.observation_space.contains(observation), f"observation_space contains {observation}")
        clock = told["clock"]
        _require(clock.shape == (moments, ROWS, len(task.clock_sizes)), "clock has shape [B, len(clock_sizes)]")
        _require(clock.dtype.kind in "iu" and (clock >= 0).all(), "clock holds integers from 0")
        _require((clock < np.array(task.clock_sizes)).all(), "clock stays below clock_sizes")
        _require(done[-1].all(), f"works are finished after at most horizon = {task.horizon} decisions")
        _require((done[1:] >= done[:-1]).all(), "finished rows stay finished")
        for name in ("observe", "content"):
            before, after = told[name][:-1][done[:-1]], told[name][1:][done[:-1]]
            _require(np.array_equal(before, after), f"finished rows ignore actions: {name} stays")
        for content in told["content"][-1]:
            _require(task.content_space.contains(content), f"content_space contains the finished {content.tolist()}")
        for name in ("observe", "action_mask", "content"):
            fresh = np.array_equal(np.stack(episode.handed_out[name]), told[name])
            _require(fresh, f"{name} returns arrays that later steps leave alone")
        rules = task.rules(told["content"][-1])
        _require(rules.shape == (ROWS,) and np.isfinite(rules).all(), "rules are finite, float [B]")
        due = task.step_rules(told["content"][-1])
        if due is not None:
            _require(due.shape == (ROWS, task.horizon), "step_rules has shape [B, T]")
            _require(np.allclose(due.sum(1), rules, rtol=1e-4, atol=1e-4), "step_rules add up to rules")
            late = np.arange(task.horizon) >= (~done[:-1]).sum(0)[:, None]
            _require(not due[late].any(), "step_rules are 0 after the end")


def _check_determinism(task: Task[Any], rng: np.random.Generator) -> None:
    draws, actions = _draws(rng), rng.integers(0, task.num_actions, (task.horizon, ROWS))
    whole = _play(task, draws, actions, rng)
    _same(whole, _play(task, draws, actions, rng), "equal draws and actions give equal episodes")
    order = rng.permutation(ROWS)[: ROWS // 2]
    _same(whole, _play(task, draws[order], actions[:, order], rng), "rows do not depend on their neighbours", order)
    one = order[:1]
    _same(whole, _play(task, draws[one], actions[:, one], rng), "a batch of one is a row of a larger batch", one)


def _check_states(task: Task[Any], rng: np.random.Generator) -> None:
    draws, actions = _draws(rng), rng.integers(0, task.num_actions, (task.horizon, ROWS))
    whole = _play(task, draws, actions, rng)
    rows = rng.permutation(ROWS)[: ROWS // 2]
    at = task.horizon // 2
    state = task.initial(draws)
    for t in range(at):
        state, _ = task.step(state, actions[t])
    restored = task.restore(task.observe(state))
    copied = state.take(rows)
    state.put(rows, task.initial(draws[rows]))
    _require(np.array_equal(task.observe(copied), whole.told["observe"][at, rows]), "take copies rows")
    _require(np.array_equal(task.observe(state)[rows], whole.told["observe"][0, rows]), "put overwrites rows")
    for t in range(at, task.horizon):
        for name, view in (("observe", task.observe), ("action_mask", task.action_mask), ("content", task.content)):
            expected = whole.told[name][t]
            _require(np.array_equal(view(restored), expected), f"a state restored from observations goes on: {name}")
            _require(np.array_equal(view(copied), expected[rows]), f"a state that take copied goes on: {name}")
        _require(np.array_equal(task.clock(restored), whole.told["clock"][t]), "a restored state has the same clock")
        restored, _ = task.step(restored, actions[t])
        copied, _ = task.step(copied, actions[t, rows])


def _check_legality(task: Task[Any], rng: np.random.Generator) -> None:
    state, every = task.initial(_draws(rng)), np.arange(ROWS)
    done = np.zeros(ROWS, np.bool_)
    for _ in range(task.horizon):
        actions = rng.integers(0, task.num_actions, ROWS)
        mask = task.action_mask(state)
        legal = task.legalise(state, actions)
        _require(legal.shape == (ROWS,), "legalise returns actions [B]")
        live = ~done
        _require(mask[every, legal][live].all(), "legalise returns legal actions")
        kept = mask[every, actions] & live
        _require(np.array_equal(legal[kept], actions[kept]), "legalise leaves legal actions alone")
        twin, _ = task.step(state.take(every), np.where(done, actions, legal))
        state, ended = task.step(state, actions)
        _require(
            np.array_equal(task.observe(twin), task.observe(state)),
            "step takes what legalise returns for an illegal action",
        )
        done = np.array(ended)


def _check_conditions(task: Task[Any], rng: np.random.Generator) -> None:
    built = _play(task, _draws(rng), None, rng).told["content"][-1]
    columns = 0 if task.condition_space is None else len(task.condition_space.nvec)
    conditions = task.condition(built)
    _require(conditions.dtype.kind in "iu", "conditions are integers")
    _require(conditions.shape == (ROWS, columns), f"condition has shape [N, {columns}]")
    if task.condition_space is None:
        return
    for given in (conditions, rng.integers(0, task.condition_space.nvec, (ROWS, columns))):
        works = _play(task, _draws(rng), None, rng, condition=given).told["content"][-1]
        _require(np.array_equal(task.condition(works), given), "works have the condition they were started under")


def _check_demonstrations(task: Task[Any], rng: np.random.Generator) -> None:
    built = _play(task, _draws(rng, ITEMS), None, rng)
    contents = {"built": built.told["content"][-1]}
    for split in SPLITS:
        works = task.corpus(split)
        _require(len(works) > 0, f"corpus({split!r}) is not empty")
        _require(len(task.groups(split)) == len(works), f"groups({split!r}) has one entry for each work")
        contents[split] = works[rng.permutation(len(works))[:ITEMS]]
    seed = int(rng.integers(2**32))
    fresh, again = (task.stream(ITEMS, np.random.default_rng(seed)) for _ in range(2))
    if fresh is not None and again is not None:
        _require(len(fresh) == ITEMS, "stream returns as many works as were asked for")
        _require(np.array_equal(fresh, again), "stream draws from the generator it is given, and from no other")
        contents["fresh"] = fresh
    for name, works in contents.items():
        for content in works:
            _require(task.content_space.contains(content), f"content_space contains {name} works: {content.tolist()}")
        if not task.has_demonstrations:
            _require(_refuses(task, works), "demonstrations raises ValueError where has_demonstrations is False")
            continue
        actions = task.demonstrations(works)
        _require(actions.shape == (len(works), task.horizon), "demonstrations have shape [N, T]")
        replayed = _play(task, _draws(rng, len(works)), actions.T, rng, condition=task.condition(works))
        _require(np.array_equal(replayed.told["content"][-1], works), f"demonstrations rebuild {name} works")
        legal = np.take_along_axis(replayed.told["action_mask"][:-1], actions.T[..., None].astype(np.int64), 2)[..., 0]
        _require((legal | replayed.done[:-1]).all(), f"demonstrations of {name} works are legal")
        _require(not actions.T[replayed.done[:-1]].any(), f"demonstrations of {name} works are padded with 0")
        if name == "built" and task.one_to_one:
            same = np.where(built.done[:-1], 0, built.actions)
            _require(
                np.array_equal(actions.T, same), "one_to_one: demonstrations are the very actions that built a work"
            )


def _refuses(task: Task[Any], works: Array) -> bool:
    try:
        task.demonstrations(works)
    except ValueError:
        return True
    return False


def _check_kwargs(task: Task[Any], rng: np.random.Generator) -> None:
    kwargs = dict(task.kwargs())
    _require(json.loads(json.dumps(kwargs)) == kwargs, f"kwargs survive JSON: {kwargs}")
    rebuilt = type(task)(**kwargs)
    for name in ("horizon", "num_actions", "content_space", "observation_space", "condition_space", "clock_sizes"):
        _require(getattr(rebuilt, name) == getattr(task, name), f"kwargs rebuild the task: {name} differs")
    draws, actions = _draws(rng), rng.integers(0, task.num_actions, (task.horizon, ROWS))
    _same(_play(task, draws, actions, rng), _play(rebuilt, draws, actions, rng), "kwargs rebuild the task")


def _check_medium(task: Task[Any], rng: np.random.Generator) -> None:
    works = _play(task, _draws(rng), None, rng).told["content"]  # [T + 1, B, ...]
    sizes = set()
    for content, upto in ((works[-1, 0], None), (works[-1, 0], 0), (works[-1, 0], 1), (works[1, 0], None)):
        picture = task.medium.render(content, upto)
        _require(
            picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3, "render gives uint8 [H, W, 3]"
        )
        sizes.add(picture.shape)
        _require(isinstance(task.medium.describe(content), str), "describe gives text")
    for picture in task.render(task.initial(_draws(rng, 2))):
        sizes.add(picture.shape)
    _require(len(sizes) == 1, f"pictures of one work have one size, not {sizes}")
    _require(task.medium.describe(works[-1, 0]).strip(), "describe says something of a finished work")
    with tempfile.TemporaryDirectory() as folder:
        written = task.medium.export(works[-1, 0], Path(folder) / "work")
        _require(written, "export writes something")
        for path in written:
            _require(path.is_file() and path.stat().st_size > 0, f"export writes {path.name}")
            _require(path.stem == "work", "export names its files after the path")
    metrics = task.medium.metrics(works[-1])
    _require(all(np.isfinite(value) for value in metrics.values()), f"metrics are finite: {metrics}")


CHECKS: tuple[Callable[[Task[Any], np.random.Generator], None], ...] = (
    _check_declarations,
    _check_episodes,
    _check_determinism,
    _check_states,
    _check_legality,
    _check_conditions,
    _check_demonstrations,
    _check_kwargs,
    _check_medium,
)
