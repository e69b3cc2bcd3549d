"""Tasks, corpora and models by their names; each mistake is a `UsageError` of one line."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from ..envs.corpora.files import absolute
from ..envs.registry import ids, make_task, task_class
from ..envs.scalar import TaskEnv
from ..envs.task import Array, CorpusReport, Task
from ..errors import UsageError
from . import arguments
from .arguments import Argument
from .folder import AGENT, Run

if TYPE_CHECKING:
    from ..agents import AdversarialDQN


def env_arguments(id: str) -> dict[str, Argument]:
    """Returns the arguments that ``--set`` accepts for an id: those of its task, and the weight of its rules."""
    known = known_id(id)
    try:
        factory, registered = task_class(known)
    except ImportError as error:
        raise UsageError(f"{id} needs the package {error.name or error}; install it") from None
    found = arguments.of(factory)
    # The environments take this one, not the task.
    found["rule_weight"] = arguments.of(TaskEnv)["rule_weight"]
    for name in registered.keys() & found.keys():
        found[name] = dataclasses.replace(found[name], default=registered[name])
    return found


def offered_arguments(id: str) -> dict[str, Argument]:
    """Returns the arguments of ``env_arguments`` that have an effect: tasks without rules leave their weight out."""
    found = env_arguments(id)
    with contextlib.suppress(UsageError):  # a task may take its sizes from works that are missing
        task = env_task(id, {})
        if not task.rule_names and type(task).rules is Task.rules:
            del found["rule_weight"]
    return found


def pairs(given: Sequence[str] | None, flag: str) -> dict[str, str]:
    """Returns the texts of ``NAME=VALUE`` pairs by name."""
    result: dict[str, str] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not (equals and all(part.isidentifier() for part in name.split("."))):
            raise UsageError(f"{flag} {pair}: write it as {flag} NAME=VALUE")
        if name in result:
            raise UsageError(f"{flag} {name} is given twice; give it once")
        result[name] = value
    return result


def env_kwargs(id: str, given: Sequence[str] | None) -> dict[str, Any]:
    """Returns the environment arguments of ``--set NAME=VALUE``, plain data; a corpus is an absolute path."""
    texts = pairs(given, "--set")
    known = env_arguments(id)
    if "discriminator" in texts:
        raise UsageError("--set discriminator=...: training brings its own discriminator; leave it out")
    try:
        values = arguments.read(texts, known, "--set", id)
        if "corpus" in values:  # a run may be resumed from another folder
            values["corpus"] = absolute(values["corpus"])
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    return values


def env_task(id: str, kwargs: dict[str, Any]) -> Task[Any]:
    """Builds the task of an id with environment arguments, plain data."""
    known = known_id(id)
    try:
        return make_task(known, **arguments.check(kwargs, env_arguments(id), "--set", id))
    except ImportError as error:
        raise UsageError(f"{id} needs the package {error.name or error}; install it") from None
    except (TypeError, ValueError, OSError, gym.error.Error) as error:
        raise UsageError(f"{id}: {error}") from None


def known_id(id: str) -> str:
    """Returns an id unchanged if it is registered; ``MODULE:ID`` imports the module first."""
    module, colon, name = id.rpartition(":")
    if colon:
        if not all(part.isidentifier() for part in module.split(".")):
            raise UsageError(f"{id}: {module!r} is no module's name; write MODULE:ID, such as my.tasks:my/Task-v0")
        try:
            importlib.import_module(module)
        except Exception as error:  # a module may raise anything
            why = f"{type(error).__name__}: {error}"
            raise UsageError(f"{id}: the module {module} cannot be imported ({why}); mend it first") from None
    if name in ids():
        return id
    words = {known.rpartition("/")[2].rpartition("-")[0].lower(): known for known in ids()}
    close = difflib.get_close_matches(name, ids(), n=3)
    close = close or [words[word] for word in difflib.get_close_matches(name.lower(), words, n=3)]
    meant = " or ".join(module + colon + known for known in close)
    raise UsageError(
        f"no environment is called {id}; " + (f"did you mean {meant}?" if close else f"there are: {', '.join(ids())}")
    )


def read_corpus(task: Task[Any]) -> Array:
    """Returns the training works [N, ...]."""
    with _corpus_mistakes():
        return task.corpus("train")


def read_report(task: Task[Any]) -> CorpusReport:
    """Returns the report of reading the corpus."""
    with _corpus_mistakes():
        return task.corpus_report()


@contextlib.contextmanager
def _corpus_mistakes() -> Iterator[None]:
    """Turns errors of reading a corpus into a ``UsageError``."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        package = getattr(error, "name", None)  # of an import; a missing corpus names its command itself
        advice = f"; install the package {package}" if package else ""
        raise UsageError(f"the real works cannot be read: {error}{advice}") from None


def shipped_data(given: Sequence[str] | None) -> tuple[str, list[str]]:
    """Returns the data of ``--set data=NAME``, "" for none, and the other pairs: they name a shipped model."""
    texts = pairs(given, "--set")
    data = texts.pop("data", "")
    return data, [f"{name}={text}" for name, text in texts.items()]


def load_model(run: Path | None, pretrained: str | None, data: str = "") -> AdversarialDQN:
    """Loads the policy of a run (its folder or a model file), or the one shipped for an id and one of its data."""
    if (run is None) == (pretrained is None):
        raise UsageError("name either a RUN or --pretrained ID")
    id = None
    if run is None:
        assert pretrained is not None
        return _shipped(known_id(pretrained), data)
    if run.is_dir():
        id, path = Run(run).settings().id, Run(run).model
        if not path.exists():
            raise UsageError(f"{run} has no model yet; go on with: {Run(run).command(id)}")
        known_id(id)  # imports the module that registers the task
    elif run.exists():
        path = run
    elif str(run) in ids():
        raise UsageError(f"{run} is an id: name the folder of a run, or --pretrained {run} for a model that ships")
    else:
        raise UsageError(f"{run} does not exist; make a run with: musegym train ID --out {shlex.quote(str(run))}")
    model = _load(path)
    if run is not None and id is not None and id_of(model) != id:
        raise UsageError(f"{path} is a model of {id_of(model)}, but its run is of {id}; put the run's own model back")
    return model


def _shipped(id: str, data: str) -> AdversarialDQN:
    from ..agents import pretrained

    names = task_class(id)[0].data_names
    if data and data not in names:
        raise UsageError(f"{id} has no data={data}; it has: {', '.join(names) or 'no data to choose'}")
    try:
        return pretrained(id, data)
    except ValueError as error:
        command = ["musegym", "train", id, *(["--set", f"data={data}"] if data else [])]
        raise UsageError(f"{error}; train one: {shlex.join(command)}") from None


def discriminator_of(run: Path) -> Any:
    """Returns the discriminator of a run's latest checkpoint; None where there is none."""
    checkpoint = Run(run).latest() if run.is_dir() else None
    return None if checkpoint is None else _load(checkpoint / AGENT).discriminator


def _load(path: Path) -> AdversarialDQN:
    from ..agents import AdversarialDQN

    try:
        return AdversarialDQN.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None


def id_of(model: AdversarialDQN) -> str:
    """Returns the id of a model's environment."""
    from ..agents import TaskVecEnv

    env = model.env.unwrapped
    assert isinstance(env, TaskVecEnv)
    return env.env_id
