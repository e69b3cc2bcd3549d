"""Tables as data: every row can be run, names what exists, and differs from the others."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import toys
from stable_baselines3 import DQN, PPO

import musegym
from musegym.benchmarks.domains import density, digit
from musegym.benchmarks.measures import Domain, domain_of
from musegym.benchmarks.runner.job import Job
from musegym.benchmarks.runner.worker import train_command
from musegym.benchmarks.tables import ablations
from musegym.benchmarks.tables.find import find, standard_table, tables
from musegym.benchmarks.tables.rows import Row, Table
from musegym.discriminators import make_discriminator
from musegym.envs.registry import ids, make_task
from musegym.errors import UsageError
from musegym.training.loading import pairs
from musegym.training.parameters import defaults, read

TABLES = tables()
OF_KIND = {"musegym/Density-v0": ablations.OF_GRIDS, "musegym/Digit-v0": ablations.OF_IMAGES}
ROWS = [
    pytest.param(table, row, id=f"{table.name}-{row.name}")
    for table in TABLES.values()
    for row in table.rows
    if row.method == "train"
]


def listed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them: lists for tuples."""
    found: dict[str, Any] = json.loads(json.dumps(dict(params)))
    return found


@pytest.mark.parametrize(("table", "row"), ROWS)
def test_hyperparameters_are_those_of_the_command_line(table: Table, row: Row) -> None:
    command = train_command(
        Job(table=table.name, row=row, seed=0, seconds=row.seconds, results=Path(), runs=Path("run"))
    )
    given = [command[i + 1] for i, part in enumerate(command) if part == "--param"]
    assert listed(read(pairs(given, "--param"))) == listed(row.params)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_have_names_seeds_and_environments(table: Table) -> None:
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    for row in table.rows:
        assert row.env_id in ids()
        assert row.meaning
        assert len(set(row.seeds)) == len(row.seeds) > 0
        assert 0 <= row.judge_seeds <= 5
        assert (row.seconds > 0) == (row.method != "random")
        if row.method in ("DQN", "PPO"):
            known = inspect.signature({"DQN": DQN, "PPO": PPO}[row.method]).parameters
            assert set(row.params) <= set(known)


def test_arguments_of_environments_exist() -> None:
    asked = {(row.env_id, json.dumps(dict(row.env), sort_keys=True)) for table in TABLES.values() for row in table.rows}
    assert ("musegym/Digit-v0", '{"side": 28}') in asked
    for env_id, env in sorted(asked):
        given = json.loads(env)
        built = make_task(env_id, **given).kwargs()
        assert {name: built[name] for name in given if name != "rule_weight"} == {
            name: value for name, value in given.items() if name != "rule_weight"
        }


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_no_two_rows_are_the_same(table: Table) -> None:
    shipped = defaults()
    seen: dict[str, str] = {}
    for row in table.rows:
        of_kind = OF_KIND.get(row.env_id, {})
        params = {**({**shipped, **of_kind} if row.method == "train" else {}), **row.params}
        what = [row.env_id, dict(row.env), row.method, row.num_envs, row.seconds, row.split]
        key = json.dumps([*what, listed(params)], sort_keys=True)
        assert key not in seen, f"{row.name} is {seen[key]} again"
        seen[key] = row.name


def test_ablations_know_the_defaults() -> None:
    shipped = defaults()
    assert listed(ablations.DEFAULTS) == listed({name: shipped[name] for name in ablations.DEFAULTS})


@pytest.mark.parametrize(("env_id", "of_kind"), OF_KIND.items())
def test_ablations_know_the_discriminators_of_each_kind(env_id: str, of_kind: dict[str, Any]) -> None:
    d = make_discriminator(make_task(env_id))
    made = {**dataclasses.asdict(d.architecture), **dataclasses.asdict(d.settings)}
    for name, value in {**ablations.DEFAULTS, **of_kind}.items():
        if name.startswith("discriminator."):
            assert made[name.removeprefix("discriminator.")] == value, name


def test_ablations_change_one_thing_and_leave_out_what_changes_nothing() -> None:
    base = {"schedule": [0.2, 0.1], "cross_entropy": 0.0}
    found = {name: params for name, _, params in ablations.ablations(base, ablations.OF_IMAGES)}
    assert found["ours"] == base
    assert found["r1-0"] == {**base, "discriminator.r1": 0.0}
    assert found["no-lead"] == {**base, "schedule": [0.2, 0.0]}
    assert found["frozen"] == {**base, "co_training": False}
    assert found["stale"] == {**base, "replayed": ablations.REPLAYED, "relabel": False}
    assert {"dropout0", "cross-entropy1", "no-augmentation", "spectral-norm", "r1-1"} <= found.keys()
    assert not {"dropout0.2", "cross-entropy0"} & found.keys()
    without = {name for name, *_ in ablations.ablations(base, {}, demonstrations=False)}
    of_demonstrations = {"no-demonstrations", "demonstrations256", "cross-entropy1"}
    assert found.keys() - without == of_demonstrations | {"r1-0", "no-augmentation"}
    assert not without - found.keys()


def test_settings_are_shared() -> None:
    """Rows that are ours take their hyperparameters from one place."""
    for name, settings, ablated in (
        ("density", density.OURS, density.ABLATED),
        ("digit", {}, digit.ABLATED),
        ("melody", {}, {}),
    ):
        for table, expected in ((name, settings), (f"{name}-ablations", ablated)):
            ours = [row for row in TABLES[table].rows if row.name.startswith(("ours", "minute"))]
            assert ours
            assert all(row.params == expected for row in ours)


def test_tables_of_one_name_are_one_table() -> None:
    places = {row.env_id for row in TABLES["collapse"].rows}
    assert places == {"musegym/Melody-v0", "musegym/Digit-v0", "musegym/Density-v0"}
    assert find("collapse") == (TABLES["collapse"],)


def test_a_name_is_a_suite_a_table_or_an_id() -> None:
    toys.register()
    assert [table.name for table in find("standard")] == [env_id.replace("/", "-") for env_id in ids()]
    assert find("melody") == (TABLES["melody"],)
    (table,) = find("toy_ids:toy/Word-v0")
    assert table.name == "toy-Word-v0"
    assert [row.name for row in table.rows] == ["ours", "mle", "ppo", "random"]
    assert {row.env_id for row in table.rows} == {"toy_ids:toy/Word-v0"}
    for wrong in ("sonnets", "CartPole-v1", "no_such_module:toy/Word-v0"):
        with pytest.raises(UsageError, match=wrong.partition(":")[0]):
            find(wrong)


def test_maximum_likelihood_needs_demonstrations() -> None:
    musegym.register("toy/Blind-v0", "toys:BlindTask")
    assert [row.name for row in standard_table("toy/Blind-v0").rows] == ["ours", "ppo", "random"]


def test_domains_are_found_through_a_string_on_their_task(monkeypatch: pytest.MonkeyPatch) -> None:
    toys.register()
    assert domain_of("toy/Word-v0") == Domain()
    assert domain_of("musegym.envs:musegym/Digit-v0") is domain_of("musegym/Digit-v0")
    assert domain_of("musegym/Digit-v0").measure is not None
    for wrong in ("no_such_module", "toys", "toys:WordTask"):
        monkeypatch.setattr(toys.WordTask, "benchmark", wrong)
        with pytest.raises(ImportError, match=wrong.partition(":")[0]):
            domain_of("toy/Word-v0")
