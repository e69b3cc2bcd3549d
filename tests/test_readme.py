"""The README's Python runs, and its commands exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from musegym.benchmarks import report
from musegym.envs import make_task
from musegym.envs.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_there_are_the_five_lines_of_each_kind():
    assert any("gym.make(" in block for block in BLOCKS)
    assert any("DiscriminatorCallback" in block for block in BLOCKS)


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python(block, tmp_path):
    # Long trainings are cut short: 500_000 steps become 600, a warm start five updates.
    code = re.sub(r"\b\d+(?:_000)+\b", "600", block)
    code = re.sub(r"warm_start=\d+", "warm_start=5", code)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=one_thread, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_table_is_what_the_results_say(capsys, monkeypatch):
    # The results of this working tree, also where an installed copy of musegym is tested.
    monkeypatch.setattr(report, "RESULTS", ROOT / "benchmarks" / "results")
    found = re.search(r"<!-- report -->\n```sh\nmusegym report (.*)\n```\n\n(.*?\n)\n", README, re.DOTALL)
    assert found, "the table of the README and the command that prints it"
    assert report.main(found[1].split()) == 0
    assert capsys.readouterr().out == found[2]


def test_commands_of_the_table_exist():
    from musegym.cli import app

    documented = set(re.findall(r"^\| `musegym (\w+)", README, re.MULTILINE))
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert documented == commands


def test_environments_are_those_that_there_are():
    rows = dict(re.findall(r"^\| `(musegym/[^`]+)` \|.*\| ([\w ]+ of [\d,]+) \|", README, re.MULTILINE))
    assert list(rows) == [env_id for env_id, _ in BUILT_IN]
    for env_id, decisions in rows.items():
        task = make_task(env_id)
        assert decisions.removeprefix("up to ") == f"{task.horizon} of {task.num_actions:,}"
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_make_targets_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^make ([\w-]+)", text, re.MULTILINE)) <= targets
    for name in ("train", "test"):
        assert f"<!-- ci: {name} -->\n```sh\n" in README, "what .ci/run looks for"
