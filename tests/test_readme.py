"""Python of README and quickstart runs; commands, links and files of all pages exist; numbers are of result files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musegym.cli import main
from musegym.envs import make_task
from musegym.envs.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
}
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("README.md", "docs/quickstart.md")
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", PAGES[name], re.MULTILINE | re.DOTALL))
]
ORACLE, NOTES, SPIRALS = "oracle-small/ours-s*", "rl-tuner/note-rnn-s0", "density/mle-2spirals-s0"
FIGURES = {
    "Melody": [("melody/ours-s*", "evaluation.c2st"), ("melody/mle-s*", "evaluation.c2st"), "0.5"],
    "Digit": [("digit/classes-s*", "own.as_asked"), "n/a", ("digit/classes-s*", "own.real.as_asked")],
    "Density": [("density/ours-2spirals-s*", "own.nll"), (SPIRALS, "own.nll"), (SPIRALS, "own.real.nll")],
    "Oracle": [(ORACLE, "own.nll_test"), ("oracle-small/mle-s*", "own.nll_test"), (ORACLE, "own.real.nll_test")],
    "RLTuner": [("rl-tuner/ours-w1.0-s*", "own.rules_kept"), (NOTES, "own.rules_kept"), (NOTES, "own.real.rules_kept")],
}
"""Rows of the README's results: files and key, or else the text, for the agent, maximum likelihood and real works."""


def figures(files, key):
    """Returns the number under a dotted key of every result file that a pattern names."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(f"{files}.json"))]
    for part in key.split("."):
        found = [one[part] for one in found]
    return found


def test_the_readme_is_short_and_has_python_for_either_interface():
    assert len(README.splitlines()) <= 120
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert any("gym.make(" in block for block in blocks)
    assert any("DiscriminatorCallback" in block for block in blocks)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_python(block, tmp_path):
    # Long trainings are cut short: 500_000 steps become 600, a warm start five updates.
    code = re.sub(r"\b\d+(?:_000)+\b", "600", block)
    code = code.replace('AdversarialDQN("auto", env, ', 'AdversarialDQN("auto", env, warm_start=5, ')
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=one_thread, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("results_of_this_tree")
def test_table_of_results_is_what_the_report_says(capsys):
    page = PAGES["docs/results.md"]
    found = re.search(r"<!-- report -->\n```sh\nmusegym report (.*)\n```\n\n(.*?\n)\n", page, re.DOTALL)
    assert found, "the table of docs/results.md and the command that prints it"
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["report", *found[1].split()])
    assert capsys.readouterr().out == found[2]


def test_results_of_the_readme_are_those_of_the_result_files():
    table = README.partition("## Results")[2].partition("## Command line")[0]
    rows = {name: rest.split(" | ") for name, rest in re.findall(r"^\| \[(\w+)\]\((.*) \|$", table, re.MULTILINE)}
    assert list(rows) == list(FIGURES)
    for name, sources in FIGURES.items():
        *shown, seeds = rows[name][2:]
        for cell, source in zip(shown, sources, strict=True):
            if isinstance(source, str):
                assert cell == source, name
            else:
                found = figures(*source)
                assert cell == f"{sum(found) / len(found):.3f}", (name, source)
        assert int(seeds) == len(figures(*sources[0])), name


def test_commands_of_the_table_exist():
    from musegym.cli.commands import app

    documented = set(re.findall(r"^\| `musegym (\w+)", README, re.MULTILINE))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert documented == commands | {group.name for group in app.registered_groups}


def code_of(page):
    """Yields the words of each line of a fenced block, and of each piece of code within a sentence."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    for line in [*"".join(blocks).splitlines(), *re.findall(r"`([^`]+)`", prose)]:
        yield line.partition("#")[0].replace("\\|", " ").split()


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_every_page_exist(name):
    """Those of musegym with the options that they are given, and the modules of ``python -m``."""
    from typer.main import get_command

    from musegym.cli.commands import app

    commands = get_command(app).commands
    for words in code_of(PAGES[name]):
        if len(words) > 1 and words[0] == "musegym" and not words[1].isupper():
            assert words[1] in {*commands, "--help", "--version"}, words
            known = commands.get(words[1])
            if hasattr(known, "commands") and len(words) > 2:
                assert words[2] in known.commands, words
                known = known.commands[words[2]]
            options = {option for parameter in known.params for option in parameter.opts} if known else {"--version"}
            given = {word.strip("[]") for word in words if word.strip("[").startswith("--")}
            assert given <= options | {"--help"}, words
        if words[:2] == ["python", "-m"] and words[2].startswith("musegym."):
            assert (ROOT / f"{words[2].removeprefix('musegym.').replace('.', '/')}.py").is_file(), words


def test_environments_are_those_that_there_are():
    rows = dict(re.findall(r"^\| `(musegym/[^`]+)` \|.*\| ([\w ]+ of [\d,]+) \|", README, re.MULTILINE))
    assert list(rows) == [env_id for env_id, _ in BUILT_IN]
    for env_id, decisions in rows.items():
        task = make_task(env_id)
        assert decisions.removeprefix("up to ") == f"{task.horizon} of {task.num_actions:,}"


@pytest.mark.parametrize("name", PAGES)
def test_links_exist(name):
    page = re.sub(r"^```.*?^```", "", PAGES[name], flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r'\]\((?!https?:)([^)\s]+)\)|<img src="([^"]+)"', page):
        target, _, section = "".join(link).partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name} links to {target}"
        if section:
            titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], link


def test_every_page_is_in_the_index():
    pages = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)#]+)\)", PAGES["docs/index.md"]))


@pytest.mark.parametrize("name", PAGES)
def test_result_files_exist(name):
    """Those that a page names, from ``benchmarks/results/`` or from within it; * stands for several."""
    folders = "|".join(re.escape(path.name) for path in RESULTS.iterdir() if path.is_dir())
    metric = r"controller/[a-z_]+`"
    named = rf"`(?:benchmarks/results/)?(?!{metric})((?:{folders}|\*-ablations)/[^`\s]*)`"
    for path in re.findall(named, PAGES[name]):
        ends = "" if path.endswith(("/", "*", ".json")) else "*"
        assert list(RESULTS.glob(path.rstrip("/") + ends)), f"{name} names {path}"


def test_make_targets_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = README + PAGES["CONTRIBUTING.md"]
    assert set(re.findall(r"^make ([\w-]+)", text, re.MULTILINE)) <= targets
    for name in ("train", "test"):
        assert f"<!-- ci: {name} -->\n```sh\n" in README, "what .ci/run looks for"
