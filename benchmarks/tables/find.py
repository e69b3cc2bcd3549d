"""Tables by name: a suite, a domain's table, or the standard table of any registered id."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import gymnasium as gym

from ...envs.registry import ids, make_task
from ...errors import UsageError
from ..measures import domain_of
from .rows import MLE, PPO, RANDOM, Row, Table

T = TypeVar("T")
SUITE = "standard"
"""Name of the suite: the standard tables of all registered ids."""


def _all(of: Callable[[str], T]) -> list[T]:
    """Returns what a function has of each registered id, those aside that cannot be imported."""
    found = []
    for env_id in ids():
        with contextlib.suppress(ImportError):  # `musegym list` names the package that is missing
            found.append(of(env_id))
    return found


def tables() -> dict[str, Table]:
    """Returns the tables of all registered domains by name; domains that cannot be imported have none."""
    domains = {id(domain): domain for domain in _all(domain_of)}  # several ids may share one
    rows: dict[str, tuple[Row, ...]] = {}
    for table in (table for domain in domains.values() for table in domain.tables):
        rows[table.name] = rows.get(table.name, ()) + table.rows
    return {name: Table(name=name, rows=of_name) for name, of_name in rows.items()}


def standard_table(env_id: str) -> Table:
    """Returns the standard table of a registered id: ours, maximum likelihood, PPO, chance.

    Maximum likelihood needs demonstrations.

    Raises:
        gymnasium.error.Error: the id is unknown or not one of musegym.
        ImportError: the task needs a package that is missing.
    """
    ours = Row(name="ours", meaning="the agent with its default settings")
    mle = Row(name="mle", meaning="maximum likelihood alone", params=MLE)
    rows = (ours, *([mle] if make_task(env_id).has_demonstrations else []), PPO, RANDOM)
    return Table(name=standard_name(env_id), env_id=env_id, rows=rows)


def standard_name(env_id: str) -> str:
    """Returns the name of an id's standard table: the id without its module, a dash for the slash."""
    return env_id.rpartition(":")[2].replace("/", "-")


def find(name: str) -> tuple[Table, ...]:
    """Returns the tables of a suite, a table or an id, in that order.

    Raises:
        UsageError: the name is none of them, or its task cannot be imported.
    """
    if name == SUITE:
        return tuple(_all(standard_table))
    known = tables()
    if name in known:
        return (known[name],)
    try:
        return (standard_table(name),)
    except gym.error.Error:
        raise UsageError(
            f"{name} is no suite ({SUITE}), no table ({', '.join(known)}) and no id (see `musegym list`)"
        ) from None
    except ImportError as error:
        raise UsageError(f"{name} needs the package {error.name or error}; install it") from None
