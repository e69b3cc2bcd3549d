"""The files that ship with the package are made from a run."""

import pytest
import toys

from musegym.agents import AdversarialDQN
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import ship
from musegym.cli import main
from musegym.discriminators import Discriminator

toys.register()


@pytest.mark.slow
def test_a_policy_and_a_discriminator_are_written(tmp_path, monkeypatch, capsys):
    folder, out = tmp_path / "run", tmp_path / "new"
    with pytest.raises(SystemExit, match="0"):
        main(["train", "toy/Word-v0", "--steps", "60", "--num-envs", "4", "--out", str(folder)])
    monkeypatch.setattr(ship, "UPDATES", 1)
    out.mkdir()
    assert run(ship.main, [str(folder), "--out", str(out)]) == 0
    assert len(AdversarialDQN.load(out / "Word.zip").task.corpus("train")) > 0
    assert Discriminator.load(out / "Word-D.zip").updates > 0
    monkeypatch.setattr(ship, "LIMIT", 10)
    capsys.readouterr()
    assert run(ship.main, [str(folder), "--out", str(out)]) == 1
    assert "at most 10 may ship" in capsys.readouterr().err


def test_a_run_without_a_checkpoint_is_a_mistake(tmp_path, capsys):
    assert run(ship.main, [str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds no checkpoint" in line
