"""Choice of the real works that a task reads: by name, or a user's own."""

from __future__ import annotations

from collections.abc import Collection

from .files import absolute


def choose(
    data: str | None, corpus: str | None, names: Collection[str], works: str, made: str = "made"
) -> tuple[str, str | None]:
    """Returns the name of the data that a task reads, the first by default, and the absolute path of a user's corpus.

    One is given alone: the name is "" where there is a corpus, whose path is None otherwise.

    Args:
        data: name of the data, or None.
        corpus: path of a user's own works, or None.
        names: of all data.
        works: names the works in messages, in the plural.
        made: says in messages how others made them.

    Raises:
        TypeError: the corpus is no path.
        ValueError: data and corpus are both given, no data have this name, or the path is empty.
    """
    if data is not None and corpus is not None:
        raise ValueError(f"give data or corpus, not both: one names {works} that others {made}, one a folder of yours")
    if data is not None and data not in names:
        raise ValueError(f"no {works} are called {data!r}; choose one of {', '.join(names)}")
    path = absolute(corpus)
    return data or next(iter(names)) if path is None else "", path
