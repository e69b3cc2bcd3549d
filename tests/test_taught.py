"""The command that compares runs by judges taught by the train split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toys

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks import judges, taught
from musegym.runs import Run, Settings

toys.register()


def make_run(folder: Path, id: str, seed: int) -> None:
    """Writes what there is of a run once its training has ended."""
    run = Run(folder)
    run.create(Settings(id=id, seconds=None, steps=1, seed=seed, num_envs=1, env_kwargs={}, params={}))
    env = make_sb3_env(id, 1, seed=0, discriminator="none")
    model = AdversarialDQN("auto", env, policy_kwargs={"hidden": 8, "embedding": 4}, seed=seed)
    run.save_model(lambda path: model.save(path, training=False))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs in ``runs/`` below the working directory, the last of another task."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judges, "TAUGHT_EPOCHS", 1)
    for name, id, seed in (("a", "toy/Word-v0", 0), ("b", "toy/Word-v0", 1), ("bits", "toy/Bits-v0", 0)):
        make_run(tmp_path / "runs" / name, id, seed)
    return tmp_path / "runs"


def test_runs_are_compared_to_the_first(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert taught.main(["runs/a", str(runs / "b"), "runs/a", "--seed", "3", "--json", "out/x.json"]) == 0
    found = json.loads(Path("out/x.json").read_text())
    assert found["command"] == (
        "python -m musegym.benchmarks.taught runs/a runs/b runs/a --split validation --seed 3 --json out/x.json"
    )
    first, second, again = rows = found["rows"]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows
    assert [row["run"] for row in rows] == ["runs/a", "runs/b", "runs/a"]
    assert all(set(row["by_architecture"]) == set(judges.ARCHITECTURES) for row in rows)
    assert "minus_first" not in first
    estimate, low, high = second["minus_first"]
    assert estimate == pytest.approx(second["accuracy"] - first["accuracy"])
    assert low <= estimate <= high
    assert again["minus_first"] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such"], "no-such does not exist"),
        (["runs/a", "no-such"], "no-such does not exist"),
        (["runs/a", "damaged.zip"], "damaged.zip"),
        (["runs/a", "runs/bits"], "runs/bits has other validation works than runs/a"),
        (["runs/a", "--json", "damaged.zip/x.json"], "cannot write damaged.zip/x.json"),
        (["runs/a", "--json", "runs"], "cannot write runs"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_judged(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(taught, "judge", lambda *_: pytest.fail("judged"))
    Path("damaged.zip").write_text("no model")
    assert taught.main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err


def test_train_split_is_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        taught.main(["run", "--split", "train"])
    assert "--split" in capsys.readouterr().err


def test_paths_are_published_without_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert taught.shown(tmp_path / "runs" / "x") == taught.shown(Path("runs") / "x") == "runs/x"
    assert taught.shown(tmp_path.parent / "x") == taught.shown(Path("..") / "x") == "x"
