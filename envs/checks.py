"""The public contract suite: the promises of every task, checked by playing it."""

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
from .task import SPLITS, Array, Bools, Ints, Layout, Medium, State, Task, Works, parse_style

ROWS = 16
ITEMS = 64
NEIGHBOURS = 128


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


def check_splits(task: Task[Any] | str, seed: int = 0) -> None:
    """Checks that held-out works are no copies of training works, nor near ones; takes seconds.

    The distance of two works is the share of entries that differ, or their mean difference in shade. For some works of
    each held-out split, the distance to the nearest training work is compared with what unrelated works have: the
    distance of training works to the nearest one of another group. A held-out work may be the nearer of the two with a
    chance of at most 0.6 (the statistic of Mann & Whitney 1947; 0.5 without any leak), and copies may be no more
    frequent. Where related works are far nearer to each other than to others, a random split of them does not pass.

    Not part of ``check_task``, since small domains have the same works in every split.

    Args:
        task: a task, or a registered id.
        seed: of the works that are compared.

    Raises:
        AssertionError: the first promise that is broken, in words.
    """
    checked = make_task(task) if isinstance(task, str) else task
    rng, train = np.random.default_rng(seed), checked.works("train")
    known = train.contents.reshape(len(train), -1)
    some = rng.permutation(len(train))[:NEIGHBOURS]
    usual = _nearest(checked.layout, known[some], known, train.groups[some], train.groups)
    for split in SPLITS[1:]:
        held_out = checked.corpus(split)
        tried = held_out.reshape(len(held_out), -1)[rng.permutation(len(held_out))[:NEIGHBOURS]]
        found = _nearest(checked.layout, tried, known)
        copies = float((found == 0).mean())
        _require(
            copies <= (usual == 0).mean() + 0.01, f"works({split!r}) are no copies of training works: {copies:.0%}"
        )
        nearer = (found[:, None] < usual).mean() + (found[:, None] == usual).mean() / 2
        _require(nearer <= 0.6, f"works({split!r}) are no nearer to training works than unrelated ones: {nearer:.2f}")


def _nearest(layout: Layout, works: Array, known: Array, own: Ints | None = None, groups: Ints | None = None) -> Array:
    """Returns the distance of each of works [N, D] to the nearest of [M, D], those of its own group left out."""
    found, shades = np.zeros(len(works)), None if layout.categorical else known.astype(np.float32)
    for row, work in enumerate(works):
        away = (known != work).mean(1) if shades is None else np.abs(shades - work).mean(1)
        found[row] = (away if own is None or groups is None else away[groups != own[row]]).min()
    return found


@dataclasses.dataclass
class Episode:
    """B works built in parallel, and the task's outputs at T + 1 moments, by the names of ``_outputs``."""

    state: State
    actions: Ints  # [T, B]
    done: Bools  # [T + 1, B]
    outputs: dict[str, Array]  # [T + 1, B, ...] each

    @property
    def conditions(self) -> Ints:
        """Conditions at the end, [B, C]."""
        conditions: Ints = self.outputs["condition"][-1]
        return conditions


def _outputs(task: Task[Any]) -> dict[str, Callable[[Any], Array]]:
    """Returns the methods of a task that map states to arrays, by name."""
    names = ("observe", "action_mask", "feature_values", "content", "condition", *("view",) * bool(task.view_shape))
    return {name: getattr(task, name) for name in names}


def _play(task: Task[Any], draws: Array, actions: Ints | None, rng: np.random.Generator, **start: Any) -> Episode:
    """Builds works for the whole horizon; random legal actions where ``actions`` [T, B] is None."""
    state = task.initial(draws, **start)
    outputs = _outputs(task)
    returned: dict[str, list[Array]] = {name: [] for name in outputs}
    copies: dict[str, list[Array]] = {name: [] for name in outputs}
    chosen, ended = [], [np.zeros(len(draws), np.bool_)]
    for t in range(task.horizon + 1):
        for name, output in outputs.items():
            returned[name].append(output(state))
            copies[name].append(np.array(returned[name][-1]))
        if t < task.horizon:
            mask = copies["action_mask"][-1]
            chosen.append((rng.random(mask.shape) * mask).argmax(1) if actions is None else np.asarray(actions[t]))
            state, done = task.step(state, chosen[-1].copy())
            ended.append(np.array(done))
    stacked = {name: np.stack(moments) for name, moments in copies.items()}
    for name, moments in returned.items():
        fresh = np.array_equal(np.stack(moments), stacked[name])
        _require(fresh, f"{name} returns arrays that later steps leave alone")
    return Episode(state, np.stack(chosen), np.stack(ended), stacked)


def _draws(rng: np.random.Generator, rows: int = ROWS) -> Array:
    return rng.integers(0, 2**64, rows, np.uint64)


def _require(kept: Any, promise: str) -> None:
    if not kept:
        raise AssertionError(promise)


def _same(left: Episode, right: Episode, promise: str, columns: Any = slice(None)) -> None:
    for name, moments in left.outputs.items():
        _require(np.array_equal(moments[:, columns], right.outputs[name]), f"{promise}: {name} differs")
    _require(np.array_equal(left.done[:, columns], right.done), f"{promise}: done differs")


def _check_declarations(task: Task[Any], _rng: np.random.Generator) -> None:
    _require(task.horizon >= 1, "horizon is at least 1")
    _require(task.num_actions >= 1, "num_actions is at least 1")
    _require(task.has_demonstrations or not task.one_to_one, "one_to_one needs demonstrations")
    _require(isinstance(task.layout, Layout), "layout is a Layout, such as musegym.envs.Grid((8, 8), (4,))")
    space = task.observation_space
    flat = isinstance(space, gym.spaces.Box | gym.spaces.MultiDiscrete) and len(space.shape or ()) == 1
    _require(flat, "observation_space is one flat Box or MultiDiscrete")
    small = isinstance(space, gym.spaces.MultiDiscrete) and space.dtype != np.int64
    _require(not small, "observation_space is a MultiDiscrete of int64: leave its dtype out; others add its sizes up")
    _require(isinstance(task.medium, Medium), "medium is a Medium")
    for kind, named in (("conditions", task.conditions), ("features", task.features)):
        names = [one.name for one in named]
        _require(len(set(names)) == len(names), f"{kind} have names of their own, not {names}")
    _require(len(set(task.rule_names)) == len(task.rule_names), "rules have names of their own")
    for column, condition in enumerate(task.conditions):
        _require(condition.values, f"the condition {condition.name} has values")
        for index, value in enumerate(condition.values):
            _require(value and not value.split()[1:], f"values of conditions have no spaces, not {value!r}")
            fixed = parse_style(f"{condition.name}={value}", task.conditions)
            _require(fixed[column] == index, f"parse_style reads {condition.name}={value}")
    _require(task.data_name in ("", *task.data_names), f"data_names has data_name, {task.data_name!r}")
    _require(all(feature.size >= 1 for feature in task.features), "sizes of features are positive")
    _require(isinstance(task.action_name(0), str), "action_name gives text")


def _check_episodes(task: Task[Any], rng: np.random.Generator) -> None:
    for legal in (True, False):
        actions = None if legal else rng.integers(0, task.num_actions, (task.horizon, ROWS))
        episode = _play(task, _draws(rng), actions, rng)
        outputs, done = episode.outputs, episode.done
        moments = task.horizon + 1
        _require(len(episode.state) == ROWS, "len(state) is the number of rows")
        _require(done.dtype == np.bool_ and done.shape == (moments, ROWS), "step returns done as bool [B]")
        _require(outputs["action_mask"].dtype == np.bool_, "action_mask is bool")
        _require(outputs["action_mask"].shape == (moments, ROWS, task.num_actions), "action_mask has shape [B, A]")
        _require(outputs["action_mask"].any(-1).all(), "every row has a legal action, finished rows included")
        _require(outputs["observe"].dtype == task.observation_space.dtype, "observations have the dtype of their space")
        for observation in outputs["observe"].reshape(moments * ROWS, -1):
            if not task.observation_space.contains(observation):  # writing it out takes longer than the check
                _require(False, f"observation_space contains {observation}")
        values = outputs["feature_values"]
        _require(values.shape == (moments, ROWS, len(task.features)), "feature_values has shape [B, len(features)]")
        _require(values.dtype.kind in "iu" and (values >= 0).all(), "feature_values are integers from 0")
        _require((values < np.array(task.feature_sizes, int)).all(), "feature_values stay below the features' sizes")
        if task.view_shape:
            view = outputs["view"]
            _require(view.dtype == np.uint8, "view is uint8")
            _require(view.shape == (moments, ROWS, *task.view_shape), f"view has shape [B, *{task.view_shape}]")
        else:
            _require(task.view(episode.state) is None, "view is None where view_shape is ()")
        _require(done[-1].all(), f"works are finished after at most horizon = {task.horizon} decisions")
        _require((done[1:] >= done[:-1]).all(), "finished rows stay finished")
        for name in ("observe", "content"):
            before, after = outputs[name][:-1][done[:-1]], outputs[name][1:][done[:-1]]
            _require(np.array_equal(before, after), f"finished rows ignore actions: {name} stays")
        contents = task.decoded(outputs["content"][-1], rng)
        for content in contents:
            _require(task.content_space.contains(content), f"content_space contains the finished {content.tolist()}")
        rules = task.rules(contents, episode.conditions)
        R = len(task.rule_names)
        _require(rules.shape == (ROWS, R) and np.isfinite(rules).all(), "rules are finite, float [B, len(rule_names)]")
        by_step = task.step_rules(contents, episode.conditions)
        if by_step is not None:
            _require(by_step.shape == (ROWS, task.horizon, R), "step_rules has shape [B, T, len(rule_names)]")
            _require(np.allclose(by_step.sum(1), rules, rtol=1e-4, atol=1e-4), "step_rules add up to rules")
            late = np.arange(task.horizon) >= (~done[:-1]).sum(0)[:, None]
            _require(not by_step[late].any(), "step_rules are 0 after the end")


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
    restored = _restored(task, state)
    copied = state.take(rows)
    state.put(rows, task.initial(draws[rows]))
    _require(np.array_equal(task.observe(copied), whole.outputs["observe"][at, rows]), "take copies rows")
    _require(np.array_equal(task.observe(state)[rows], whole.outputs["observe"][0, rows]), "put overwrites rows")
    for t in range(at, task.horizon):
        for name, output in _outputs(task).items():
            expected = whole.outputs[name][t]
            _require(np.array_equal(output(copied), expected[rows]), f"a state that take copied goes on: {name}")
            same = restored is None or np.array_equal(output(restored), expected)
            _require(same, f"a state restored from observations goes on: {name}")
        copied, _ = task.step(copied, actions[t, rows])
        if restored is not None:
            restored, _ = task.step(restored, actions[t])
    _restored(task, copied)


def _restored(task: Task[Any], state: State) -> Any:
    """Returns the states behind the observations of ``state``; None where the task has no ``restore``."""
    if type(task).restore is Task.restore:
        return None
    restored = task.restore(task.observe(state))
    _require(np.array_equal(restored.done, state.done), "restore tells which rows are done")
    return restored


def _check_legality(task: Task[Any], rng: np.random.Generator) -> None:
    state, every = task.initial(_draws(rng)), np.arange(ROWS)
    for _ in range(task.horizon):
        actions = rng.integers(0, task.num_actions, ROWS)
        mask = task.action_mask(state)
        legal = task.legalise(state, actions)
        _require(legal.shape == (ROWS,), "legalise returns actions [B]")
        unfinished = ~state.done
        _require(mask[every, legal][unfinished].all(), "legalise returns legal actions")
        kept = mask[every, actions] & unfinished
        _require(np.array_equal(legal[kept], actions[kept]), "legalise leaves legal actions alone")
        twin, _ = task.step(state.take(every), np.where(unfinished, legal, actions))
        state, _ = task.step(state, actions)
        same = np.array_equal(task.observe(twin), task.observe(state))
        _require(same, "step takes what legalise returns for an illegal action")


def _check_conditions(task: Task[Any], rng: np.random.Generator) -> None:
    columns, sizes = len(task.conditions), np.array(task.condition_sizes, int)
    built = _play(task, _draws(rng), None, rng)
    _require(built.conditions.dtype.kind in "iu", "conditions are integers")
    _require(built.conditions.shape == (ROWS, columns), f"condition has shape [B, {columns}]")
    _require(((built.conditions >= 0) & (built.conditions < sizes)).all(), "conditions are below their sizes")
    _require((built.outputs["condition"] == built.conditions).all(), "conditions stay as they are")
    if not columns:
        return
    for given in (built.conditions, rng.integers(0, sizes, (ROWS, columns))):
        works = _play(task, _draws(rng), None, rng, condition=given)
        _require(np.array_equal(works.conditions, given), "works have the condition they were started under")


def _check_demonstrations(task: Task[Any], rng: np.random.Generator) -> None:
    built = _play(task, _draws(rng, ITEMS), None, rng)
    tried = {"built": Works(built.outputs["content"][-1], built.conditions)}
    for split in SPLITS:
        works = task.works(split)
        N = len(works)
        _require(N > 0, f"works({split!r}) is not empty")
        _require(len(works.groups) == N, f"groups of works({split!r}) have one entry for each work")
        shape = (N, len(task.conditions))
        _require(works.conditions.shape == shape, f"conditions of works({split!r}) have shape {shape}")
        in_range = (works.conditions >= 0) & (works.conditions < np.array(task.condition_sizes, int))
        _require(in_range.all(), f"conditions of works({split!r}) are below their sizes")
        tried[split] = works.take(rng.permutation(N)[:ITEMS])
    seed = int(rng.integers(2**32))
    fresh, again = (task.stream(ITEMS, np.random.default_rng(seed)) for _ in range(2))
    if fresh is not None and again is not None:
        _require(len(fresh) == ITEMS, "stream returns as many works as were asked for")
        _require(np.array_equal(fresh, again), "stream draws from the generator it is given, and from no other")
        _require(not task.conditions, "stream is of tasks without conditions")
        tried["fresh"] = Works(fresh)
    augmented = task.augmented(tried["train"])
    if augmented is not None:
        tried["augmented"] = augmented.take(rng.permutation(len(augmented))[:ITEMS])
    decodes = type(task).decode is not Task.decode
    for name, works in tried.items():
        for content in () if name == "built" and decodes else works.contents:
            _require(task.content_space.contains(content), f"content_space contains {name} works: {content.tolist()}")
        if not task.has_demonstrations:
            try:
                task.demonstrations(works.contents, works.conditions)
            except ValueError:
                continue
            raise AssertionError("demonstrations raises ValueError where has_demonstrations is False")
        if name == "built" and (decodes or type(task).demonstrations is Task.demonstrations):
            continue  # a network decodes plans, or only real works bring their actions
        actions = task.demonstrations(works.contents, works.conditions) if works.actions is None else works.actions
        _require(actions.shape == (len(works), task.horizon), "demonstrations have shape [N, T]")
        replayed = _play(task, _draws(rng, len(works)), actions.T, rng, condition=works.conditions)
        _require(replayed.done[-1].all(), f"demonstrations finish {name} works")
        rebuilt = decodes or np.array_equal(replayed.outputs["content"][-1], works.contents)
        _require(rebuilt, f"demonstrations rebuild {name} works")
        legal = np.take_along_axis(replayed.outputs["action_mask"][:-1], actions.T[..., None].astype(np.int64), 2)[
            ..., 0
        ]
        _require((legal | replayed.done[:-1]).all(), f"demonstrations of {name} works are legal")
        _require(not actions.T[replayed.done[:-1]].any(), f"demonstrations of {name} works are padded with 0")
        if name == "built" and task.one_to_one:
            same = np.array_equal(actions.T, np.where(built.done[:-1], 0, built.actions))
            _require(same, "one_to_one: demonstrations are the very actions that built a work")


def _check_kwargs(task: Task[Any], rng: np.random.Generator) -> None:
    kwargs = dict(task.kwargs())
    _require(json.loads(json.dumps(kwargs)) == kwargs, f"kwargs survive JSON: {kwargs}")
    rebuilt = type(task)(**kwargs)
    for name in ("horizon", "num_actions", "layout", "observation_space", "conditions", "features", "rule_names"):
        _require(getattr(rebuilt, name) == getattr(task, name), f"kwargs rebuild the task: {name} differs")
    draws, actions = _draws(rng), rng.integers(0, task.num_actions, (task.horizon, ROWS))
    _same(_play(task, draws, actions, rng), _play(rebuilt, draws, actions, rng), "kwargs rebuild the task")


def _check_medium(task: Task[Any], rng: np.random.Generator) -> None:
    episode = _play(task, _draws(rng), None, rng)
    plans, conditions = episode.outputs["content"], episode.conditions
    works, condition = task.decoded(plans[-1], rng), conditions[0]
    first = task.decoded(plans[1], rng)[0]
    sizes = set()
    for content, upto in ((works[0], None), (works[0], 0), (works[0], 1), (first, None)):
        picture = task.medium.render(content, condition, upto)
        rgb = picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        _require(rgb, "render gives uint8 [H, W, 3]")
        sizes.add(picture.shape)
        _require(isinstance(task.medium.describe(content, condition), str), "describe gives text")
        _require(isinstance(task.medium.caption(content, condition), str), "caption gives text")
    for picture in task.render(task.initial(_draws(rng, 2))):
        sizes.add(picture.shape)
    _require(len(sizes) == 1, f"pictures of one work have one size, not {sizes}")
    _require(task.medium.describe(works[0], condition).strip(), "describe says something of a finished work")
    _check_cells(task, works[0], condition)
    with tempfile.TemporaryDirectory() as folder:
        written = task.export(works[0], Path(folder) / "work", condition, episode.actions[:, 0])
        for path in written:
            _require(path.is_file() and path.stat().st_size > 0, f"export writes {path.name}")
            _require(path.stem == "work", "export names its files after the path")
        with np.load(Path(folder) / "work.npz") as saved:
            _require(np.array_equal(saved["content"], works[0]), "export writes the content to .npz")
            _require(np.array_equal(saved["condition"], condition), "export writes the condition to .npz")
    metrics = task.medium.metrics(works, conditions)
    _require(all(np.isfinite(value) for value in metrics.values()), f"metrics are finite: {metrics}")


def _check_cells(task: Task[Any], content: Array, condition: Ints) -> None:
    cells = task.medium.cells(content)
    if cells is None:
        return
    picture = task.medium.render(content, condition)
    _require(cells.shape == picture.shape[:2], "cells has a number for each pixel of a picture")
    _require(set(np.unique(cells)) - {-1} <= set(range(content.size)), "cells shows cells of a content")
    seen = task.medium.cells(np.zeros_like(content))  # a block may hide those behind it, nothing can in an empty work
    everything = seen is not None and set(np.unique(seen)) - {-1} == set(range(content.size))
    _require(everything, "cells shows every cell of an empty content")
    last, other = content.size - 1, content.copy()
    other.flat[last] = (int(other.flat[last]) + 1) % task.layout.sizes[0]
    changed = (task.medium.render(other, condition) != picture).any(-1)
    _require(changed[cells == last].any(), "another value of a cell changes its pixels")
    _require(isinstance(task.medium.value_name(0), str), "value_name gives text")


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
