"""Commands that record figures: options, models, result files, mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
import toys
import typer

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks import recorded
from musegym.errors import RunError, UsageError
from musegym.training.folder import Run, Settings

toys.register()
PROGRAM = f"python -m {__name__}"


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
    found = recorded.load_models([Path("a"), Path("b")], "toy/Word-v0")
    assert [(name, model.seed) for name, model in found] == [("a", 0), ("b", 1)]
    with pytest.raises(UsageError, match="bits is a run of toy/Bits-v0, not of toy/Word-v0"):
        recorded.load_models([Path("a"), Path("bits")], "toy/Word-v0")
    with pytest.raises(UsageError, match="no-such does not exist"):
        recorded.load_models([Path("a"), Path("no-such")], "toy/Word-v0")
    assert recorded.load_models(None, "toy/Word-v0") == []


def test_files_that_cannot_be_written_are_told_of_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    begun: list[bool] = []

    def command(json_file: recorded.JsonFile = None) -> None:
        begun.append(True)

    for wrong, message in ((tmp_path / "file" / "x.json", "there is no folder"), (tmp_path, "name a file")):
        assert recorded.run(command, ["--json", str(wrong)]) == 2
        assert message in capsys.readouterr().err
    assert begun == []
    assert recorded.run(command, ["--json", str(tmp_path / "new" / "x.json")]) == 0
    assert begun == [True]
    assert (tmp_path / "new").is_dir()


def test_a_mistake_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    errors = {3: None, 4: UsageError("another\nnumber"), 5: RunError("it failed"), 6: KeyboardInterrupt()}
    seen: list[int] = []

    def command(num: Annotated[int, typer.Option(min=2)]) -> None:
        error = errors[num]
        if error is not None:
            raise error
        seen.append(num)

    for num, code, message in (
        (1, 2, f"({PROGRAM} --help)"),
        (4, 2, "another number"),
        (5, 1, "it failed"),
        (6, 130, "interrupted"),
    ):
        assert recorded.run(command, ["--num", str(num)]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1
        assert err.startswith(f"{PROGRAM}: ")
        assert err.endswith(f"{message}\n")
    assert recorded.run(command, ["--num", "3"]) == 0
    assert capsys.readouterr() == ("", "")
    assert seen == [3]
    assert recorded.run(command, ["--help"]) == 0
    assert "--num" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "recorded_ones"),
    [
        (["runs/a b", "--seed", "3"], "'runs/a b' --seed 3 --rate 0.5"),
        (
            ["--seed", "0", "--length", "4", "--length", "8", "--fast"],
            "--seed 0 --length 4 --length 8 --fast --rate 0.5",
        ),
    ],
)
def test_results_say_what_makes_them_again(
    arguments: list[str], recorded_ones: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def command(
        context: typer.Context,
        runs: recorded.Runs = None,
        seed: recorded.Seed = 1,
        length: Annotated[list[int] | None, typer.Option()] = None,
        fast: Annotated[bool, typer.Option("--fast")] = False,
        rate: float = 0.5,
        json_file: recorded.JsonFile = None,
    ) -> None:
        recorded.write_result(context, json_file, {"seed": seed, "rows": [rate]})

    assert recorded.run(command, arguments) == 0
    assert not list(tmp_path.iterdir())
    assert recorded.run(command, [*arguments, "--json", str(tmp_path / "x.json")]) == 0
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["command"] == f"{PROGRAM} {recorded_ones} --json x.json"
    assert found["rows"] == [0.5]
    assert found.keys() >= {"seed", "commit", "dirty", "cores", "versions"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        recorded.run(command, ["--rate", "nan", "--json", "y.json"])
    assert not (tmp_path / "y.json").exists()


def test_paths_are_published_without_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recorded.published_path(tmp_path / "runs" / "x") == recorded.published_path(Path("runs") / "x") == "runs/x"
    assert recorded.published_path(tmp_path.parent / "x") == recorded.published_path(Path("..") / "x") == "x"
