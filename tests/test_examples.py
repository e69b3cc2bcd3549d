"""The examples run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
TINY = {
    "melody_in_five_lines.py": [],
    "ppo_with_callback.py": ["--steps", "8", "--num-envs", "2"],
    "plain_loop.py": ["--steps", "4000", "--num-envs", "32"],
}


def test_every_example_is_tested():
    elsewhere = {"names_task.py"}  # a domain to import and no program: tests/test_extending.py
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*TINY, *elsewhere}


# Those with arguments train a discriminator of full size, which takes several seconds.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if arguments else []) for name, arguments in TINY.items()]
)
def test_runs(name, tmp_path):
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *TINY[name]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if name == "melody_in_five_lines.py":
        assert (tmp_path / "melody.mid").stat().st_size > 100
    else:
        assert "accuracy" in done.stdout, "the discriminator was trained"
