"""What commands that measure runs share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import toys

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks import files
from musegym.errors import UsageError
from musegym.training.folder import Run, Settings

toys.register()


def make_run(folder: Path, id: str, seed: int) -> None:
    """Writes what there is of a run once its training has ended."""
    run = Run(folder)
    run.create(Settings(id=id, seconds=None, steps=1, seed=seed, num_envs=1, env_kwargs={}, params={}))
    env = make_sb3_env(id, 1, seed=0, discriminator="none")
    model = AdversarialDQN("auto", env, policy_kwargs={"hidden": 8, "embedding": 4}, seed=seed)
    run.save_model(lambda path: model.save(path, training=False))


def test_models_of_one_task_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, id, seed in (("a", "toy/Word-v0", 0), ("b", "toy/Word-v0", 1), ("bits", "toy/Bits-v0", 0)):
        make_run(tmp_path / name, id, seed)
    assert [model.seed for model in files.models_of([Path("a"), Path("b")], "validation")] == [0, 1]
    with pytest.raises(UsageError, match="bits has other validation works than a"):
        files.models_of([Path("a"), Path("bits")], "validation")
    with pytest.raises(UsageError, match="no-such does not exist"):
        files.models_of([Path("a"), Path("no-such")], "validation")


def test_files_that_cannot_be_written_are_told_of_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file" / "x.json", tmp_path):
        with pytest.raises(UsageError, match="cannot write"):
            files.writable(wrong)
    files.writable(None)
    files.writable(tmp_path / "new" / "x.json")
    assert (tmp_path / "new").is_dir()


def test_a_mistake_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    def measure(given: argparse.Namespace) -> None:
        if given.num < 2:
            raise UsageError("--num must be\nat least 2")
        seen.append(given.num)

    parser = argparse.ArgumentParser(prog="measure")
    parser.add_argument("--num", type=int)
    assert files.answer(parser, ["--num", "3"], measure) == 0
    assert seen == [3]
    assert files.answer(parser, ["--num", "1"], measure) == 2
    assert seen == [3]
    assert capsys.readouterr() == ("", "measure: --num must be at least 2\n")


def test_results_say_what_makes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_result(None, "oracle", [], {})
    assert not list(tmp_path.iterdir())
    files.write_result(tmp_path / "x.json", "oracle", ["runs/a b", "--seed", 3], {"seed": 3, "rows": [1.5]})
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["command"] == "python -m musegym.benchmarks.oracle 'runs/a b' --seed 3 --json x.json"
    assert (found["seed"], found["rows"]) == (3, [1.5])
    assert found.keys() >= {"commit", "dirty", "cores", "versions"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_result(tmp_path / "y.json", "oracle", [], {"nll": float("nan")})
    assert not (tmp_path / "y.json").exists()


def test_paths_are_published_without_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert files.shown(tmp_path / "runs" / "x") == files.shown(Path("runs") / "x") == "runs/x"
    assert files.shown(tmp_path.parent / "x") == files.shown(Path("..") / "x") == "x"
