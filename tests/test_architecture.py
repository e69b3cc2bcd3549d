"""Reads every import with ``ast`` and holds it against the arrows of CONTRIBUTING.md."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from musegym.envs.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
PACKAGES = ("agents", "benchmarks", "cli", "discriminators", "envs", "play", "training")
FILES = sorted([*ROOT.glob("*.py"), *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))])

EVERYTHING = ("",)
DOMAINS = tuple(env_id.partition("/")[2].rpartition("-v")[0].lower() for env_id, _ in BUILT_IN)
"""Names of the domains that are built in, in lower case and without marks between words."""
OWN_WORDS = {
    *((f"benchmarks.{module}", "density") for module in ("metrics.population", "report.results", "suite")),
    *((module, "level") for module in ("agents.checkpoint", "discriminators.files")),  # of compression
    *(
        (module, "level") for module in ("discriminators.trainer", "training.reporting")
    ),  # of real works' logits, of logs
    *((f"play.{module}", "paint") for module in ("canvas", "easel", "painting", "session")),  # by mouse
}
"""Modules that use a domain's name for something else: "density and coverage" are measures of Naeem et al. 2020."""
LIGHT = {"training", *(f"training.{name}" for name in ("arguments", "files", "folder", "loading", "works"))}
"""Modules that the command line loads at once."""

ON_FIRST_NEED = ("envs.media.paper", "envs.media.pianoroll", "envs.media.planeplot")
"""Modules that draw with other packages, loaded at their top: no other module imports them outside of a function."""

AGENTS = {
    "agents.adversary": ("agents.backup", "discriminators", "envs.task"),
    "agents.backup": (),
    "agents.callbacks": (
        "agents.generators",
        "agents.sb3",
        "discriminators",
        "envs.rewards",
        "envs.task",
    ),  # no algorithm by name
    "agents.checkpoint": ("agents.config", "agents.sb3", "discriminators"),
    "agents.config": ("envs.rewards",),
    "agents.controller": ("discriminators", "envs.task"),  # no network, no model
    "agents.objective": (),
    "agents.schedule": ("agents.config",),
}
"""Parts of the agent that know little of the others."""


def name_of(path: Path) -> str:
    """``envs/task.py`` is ``envs.task``, ``envs/__init__.py`` is ``envs``, the root's is the empty string."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


parse = functools.cache(ast.parse)
"""Text to its tree: the same files are read by many tests."""


def tree_of(path: Path) -> ast.Module:
    return parse(path.read_text(encoding="utf-8"))


def is_domain(path: Path) -> bool:
    """Returns whether a file defines a task: a class whose base is called Task, or Task[...]."""
    return path.name != "task.py" and defines_task(tree_of(path))


@functools.cache
def defines_task(tree: ast.Module) -> bool:
    bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    return any(ast.unparse(base).partition("[")[0] == "Task" for base in bases)


def may_import(path: Path) -> tuple[str, ...]:
    """The modules, with all below them, that a file may import."""
    module = name_of(path)
    package, _, rest = module.partition(".")
    if module == "":
        return ("envs.checks", "envs.registry", "cli.signals") if path.name == "__init__.py" else ("cli",)
    if module == "envs":
        return ("envs.checks", "envs.registry", "envs.task")
    if module == "envs.registry":
        return ("envs.task",)  # and string entry points
    if module == "envs.task":
        return ()
    if module in {"envs.building", "envs.grids"}:  # what domains share
        return ("envs.task", "envs.media")
    if package == "envs" and "." in rest:  # one corpus, one medium
        return ("envs.task", f"envs.{rest.partition('.')[0]}")
    if package == "envs" and rest in {"corpora", "media"}:
        return ("envs.task", module)
    if package == "envs" and is_domain(path):
        return ("envs.building", "envs.corpora", "envs.grids", "envs.media", "envs.task")
    if package == "envs":  # the environments and what they share; never a domain
        others = [name_of(other) for other in FILES if other.parent.name == "envs" and not is_domain(other)]
        return tuple(other for other in others if other != "envs")
    if package == "discriminators":
        return ("discriminators",)
    if module in AGENTS:
        return AGENTS[module]
    if under(module, ("agents.generators",)):
        return ("agents.backup", "agents.generators", "discriminators")  # no task, no policy
    if package == "agents":
        return ("agents", "discriminators", "envs.rewards", "envs.task", "envs.vector")
    if package in {"benchmarks", "play", "training"}:
        return (package, "agents", "discriminators", "envs", "errors", "training")
    if package == "errors":
        return ()
    return EVERYTHING


def imports(path: Path) -> Iterator[tuple[int, bool, str]]:
    """Yields (line, at the top level of the module, absolute name); modules of musegym start with "musegym"."""
    # A package's relative names start at itself, a module's at its package.
    here = ["musegym", *name_of(path).split(".")] if name_of(path) else ["musegym"]
    package = here if path.name == "__init__.py" else here[:-1]
    for line, top, level, source, names in imports_of(tree_of(path)):
        if not names:
            yield line, top, source
            continue
        base = ".".join(package[: len(package) - level + 1]) if level else ""
        source = ".".join(filter(None, [base, source]))
        for name in names:
            # `from . import networks` names a module, `from .task import Task` something in one.
            full = f"{source}.{name}"
            yield line, top, full if is_module(full) else source


@functools.cache
def imports_of(tree: ast.Module) -> list[tuple[int, bool, int, str, tuple[str, ...]]]:
    """Returns (line, at the top level, level, module, names) of each import; no names where the module is imported."""
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(function)
        for node in ast.walk(function)
    }
    found: list[tuple[int, bool, int, str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        top = id(node) not in inner
        if isinstance(node, ast.Import):
            found += [(node.lineno, top, 0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.lineno, top, node.level, node.module or "", names))
    return found


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def is_module(name: str) -> bool:
    parts = name.split(".")
    if parts[0] != "musegym":
        return False
    path = ROOT.joinpath(*parts[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def under(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(prefix == "" or module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def test_there_is_something_to_read() -> None:
    assert {"", "cli.commands", "envs.task", "envs.registry", "play", "training.run"} <= {
        name_of(path) for path in FILES
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_arrows(path: Path) -> None:
    allowed = may_import(path)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, _, name in imports(path)
        if name.startswith("musegym") and not under(name.removeprefix("musegym").removeprefix("."), allowed)
    ]
    assert not wrong, f"{wrong}; allowed are {allowed}"


def circular(files: dict[str, Path]) -> list[str]:
    """Returns the names of the modules that import themselves by way of others; imports for types count too."""
    imported = {name: {other for _, _, other in imports(path)} & files.keys() for name, path in files.items()}

    def reached(name: str) -> set[str]:
        found, left = set[str](), [name]
        while left:
            new = imported[left.pop()] - found
            found |= new
            left += new
        return found

    return [name for name in files if name in reached(name)]


def test_no_circles() -> None:
    assert not circular({f"musegym.{name_of(path)}".rstrip("."): path for path in FILES})


def knows_domains(path: Path) -> bool:
    """Returns whether a file may name a domain."""
    return not under(name_of(path), ("agents", "benchmarks", "discriminators")) or under(
        name_of(path), ("benchmarks.domains", "benchmarks.studies")
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_domains_are_known_by_no_name(path: Path) -> None:
    """Neither by an id nor by an import; docstrings may have examples."""
    if knows_domains(path):
        return
    tree = tree_of(path)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            assert not re.search(r"musegym/\w+-v\d", node.value), f"{path.relative_to(ROOT)}:{node.lineno} has an id"
    domains = {f"musegym.{name_of(other)}" for other in FILES if is_domain(other)}
    for line, _, name in imports(path):
        known = name in domains or under(name, ("musegym.benchmarks.domains", "musegym.benchmarks.studies"))
        assert not known, f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_imports_of_musegym_are_relative(path: Path) -> None:
    tree = tree_of(path)
    absolute = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    wrong = [line for line, name in zip(absolute, names, strict=True) if name.partition(".")[0] == "musegym"]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_third_parties(path: Path) -> None:
    """Torch stays out of envs; whatever `import musegym` and the command line's help load stays light."""
    module = name_of(path)
    package = module.partition(".")[0]
    for line, top, name in imports(path):
        party = name.partition(".")[0]
        assert not (top and under(name, tuple(f"musegym.{lazy}" for lazy in ON_FIRST_NEED))), f"{path}:{line} {name}"
        if party in sys.stdlib_module_names or party == "musegym":
            continue
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        if package == "envs":
            assert party not in {"torch", "stable_baselines3"}, where
            light = party in {"numpy", "gymnasium"} or not top
            assert light or module in ON_FIRST_NEED, f"{where} outside of a function"
        elif package == "discriminators":
            assert party in {"numpy", "gymnasium", "torch"} or not top, where
        elif package in {"", "__main__", "cli", "errors"} or module in LIGHT:
            assert party in {"numpy", "gymnasium", "typer", "rich"} or not top, f"{where} outside of a function"


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_who_reads_the_test_split(path: Path) -> None:
    if under(name_of(path), ("benchmarks", "cli")):
        return
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"corpus", "works"}
        ):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            constants = [argument.value for argument in given if isinstance(argument, ast.Constant)]
            assert "test" not in constants, f"{path.relative_to(ROOT)}:{node.lineno} reads the test split"


def words(node: ast.AST) -> Iterator[str]:
    """Yields what a node names or says: identifiers, names of modules, text."""
    for field in ("id", "attr", "arg", "name", "asname", "module", "value"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield value
    if isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names


def domains_named(path: Path) -> Iterator[tuple[int, str]]:
    """Yields (line, domain) where code, docstrings and comments left out, names a domain as a word of its own.

    ``MelodyTask``, ``rl_tuner``, ``"musegym/Digit-v0"`` do; ``isdigit``, ``digits`` do not.
    """
    tree = tree_of(path)
    said = {  # text that is a statement: docstrings
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        for word in () if id(node) in said else words(node):
            apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", word).lower()
            apart = re.sub(r"\brl[ _-]?tuner(?![a-z])", "rltuner", apart.replace("_", " "))
            for domain in DOMAINS:
                if re.search(rf"(?<![a-z]){domain}(?![a-z])", apart):
                    yield getattr(node, "lineno", 0), domain


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_no_domain_is_known_by_name(path: Path) -> None:
    """A new domain is one file: nothing but domains, their own measures and studies of them knows one by name."""
    module = name_of(path)
    if under(module, ("envs", "benchmarks.domains", "benchmarks.studies")):
        return
    wrong = [
        f"{path.relative_to(ROOT)}:{line} names {domain}"
        for line, domain in domains_named(path)
        if (module, domain) not in OWN_WORDS
    ]
    assert not wrong, wrong


def test_own_words_are_still_used() -> None:
    files = {name_of(path): path for path in FILES}
    assert {
        (module, domain) for module, domain in OWN_WORDS for _, found in domains_named(files[module]) if found == domain
    } == (OWN_WORDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: name_of(path) or "musegym")
def test_nothing_loaded_can_run_code(path: Path) -> None:
    """Files are JSON, numpy arrays without objects, and torch tensors with weights_only."""
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        called = ast.unparse(node.func)
        where = f"{path.relative_to(ROOT)}:{node.lineno} calls {called}"
        assert called not in {"pickle.load", "pickle.loads", "cloudpickle.load", "cloudpickle.loads"}, where
        if called == "torch.load":
            assert ast.unparse(keywords.get("weights_only", ast.Constant(None))) == "True", where
        if called in {"np.load", "numpy.load"}:
            assert ast.unparse(keywords.get("allow_pickle", ast.Constant(False))) == "False", where


def foreign_writes(path: Path) -> list[str]:
    """Returns assignments to attributes of other objects than ``self``, but for random states, which numpy sets so."""
    written = [
        part
        for node in ast.walk(tree_of(path))
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
        for part in (target.elts if isinstance(target, ast.Tuple) else [target])
        if isinstance(part, ast.Attribute) and part.attr != "state" and ast.unparse(part.value) != "self"
    ]
    return [f"{path.relative_to(ROOT)}:{part.lineno} writes {ast.unparse(part)}" for part in written]


@pytest.mark.parametrize("path", sorted((ROOT / "agents").glob("*.py")), ids=name_of)
def test_parts_of_the_agent_write_no_attributes_of_others(path: Path) -> None:
    assert not foreign_writes(path)


def test_the_rules_bite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks above fail where they should."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "agents").mkdir()
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "melody.py").write_text("")
    (tmp_path / "envs" / "task.py").write_text("")
    agent = tmp_path / "agents" / "bad.py"
    agent.write_text("from ..envs.task import Task\nfrom ..envs import melody\ntask.corpus('test')\n")
    with pytest.raises(AssertionError, match=r"bad.py:2 imports musegym.envs.melody"):
        test_arrows(agent)
    with pytest.raises(AssertionError, match=r"bad.py:3 reads the test split"):
        test_who_reads_the_test_split(agent)
    agent.write_text("def f(a):\n    self.x = 1\n    a.b, c = 1, 2\n    self.x.y += 1\n")
    assert [line.split()[-1] for line in foreign_writes(agent)] == ["a.b", "self.x.y"]
    other = tmp_path / "agents" / "other.py"
    other.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .bad import Bad\n")
    agent.write_text("from .other import Other\n")
    assert circular({"musegym.agents.bad": agent, "musegym.agents.other": other})
    agent.write_text("task.works(split='test')\n")
    with pytest.raises(AssertionError, match=r"bad.py:1 reads the test split"):
        test_who_reads_the_test_split(agent)
    for code in (
        'make("musegym/Melody-v0")',
        "import musegym.envs.oracle",
        "from ..envs.rltuner import cut",
        "from ..envs.task import Task as MelodyTask",
        "class RLTunerAgent: ...",
        "rl_tuner = 3",
        "task.digit",
        "def train_digit(env): ...",
        "f(density=2)",
        "def f(oracle): ...",
        'f"the {name} of Digit-v0"',
    ):
        agent.write_text(f"{code}\n")
        with pytest.raises(AssertionError, match=r"bad.py:\d names (melody|oracle|rltuner|digit|density)"):
            test_no_domain_is_known_by_name(agent)
    for code in (
        '"""Such as musegym/Melody-v0."""',
        "def f():\n    'As Melody-v0 has it.'",
        "x = 3  # a melody",
        "text.isdigit()",
        "Column(digits=2)",
        "melodies, oracular = 1, 2",
    ):
        agent.write_text(f"{code}\n")
        test_no_domain_is_known_by_name(agent)
    domain = tmp_path / "envs" / "bad.py"
    domain.write_text("def render():\n    import pygame\nimport scipy\n")
    with pytest.raises(AssertionError, match=r"bad.py:3 imports scipy outside"):
        test_third_parties(domain)
    domain.write_text("from .media.planeplot import Plot\n")
    with pytest.raises(AssertionError, match=r"bad.py:1 musegym.envs.media.planeplot"):
        test_third_parties(domain)
    domain.write_text("def f():\n    import torch\n")
    with pytest.raises(AssertionError, match=r"bad.py:2 imports torch"):
        test_third_parties(domain)
    agent.write_text("torch.load(path)")
    with pytest.raises(AssertionError, match=r"calls torch.load"):
        test_nothing_loaded_can_run_code(agent)
