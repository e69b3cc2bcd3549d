"""Separation of sequences by judges: known answers, and judges that learn plain differences."""

import json

import numpy as np
import pytest
import torch

from musegym.agents import AdversarialDQN, make_sb3_env
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import separation
from musegym.envs.oracle import OracleTask

torch.set_num_threads(1)


def test_separation_of_gaussian_logits():
    rng = np.random.default_rng(0)
    logits = iter([3 * (rng.normal(1, 1, 20_000)) + 7, 3 * rng.normal(0, 1, 20_000) + 7])
    found = separation.separation(lambda contents: next(logits), None, None)
    assert found["slope"] == pytest.approx(1 / 3, rel=0.05)
    assert found["auc"] == pytest.approx(0.7602, abs=0.01), "Phi(1 / sqrt 2)"
    x = np.linspace(-9, 10, 20_001)
    p, q = np.exp(-((x - 1) ** 2) / 2), np.exp(-(x**2) / 2)
    expected = (p * np.log((p + q) / p) + q * np.log((p + q) / q)).sum() / p.sum()
    assert found["held_out_loss"] == pytest.approx(expected, abs=0.02)


def test_constant_logits_are_chance():
    found = separation.separation(lambda contents: np.zeros(9), None, None)
    assert found["auc"] == 0.5
    assert found["held_out_loss"] == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("name", separation.JUDGES)
def test_judges_learn_what_is_plain_to_see(name):
    task, rng = OracleTask(vocabulary=10, length=6), np.random.default_rng(0)
    real, fake = (task.contents(rng.integers(low, low + 5, (400, 6))) for low in (0, 5))
    logits, updates = separation.train(task, real, fake, 2.0, 0, **separation.JUDGES[name])
    assert updates > 3
    assert separation.separation(logits, real, fake)["auc"] > 0.95


def test_the_command_prints_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(separation, "FAKE", 60)
    monkeypatch.setattr(separation, "HELD_OUT", 20)
    tiny = {"vocabulary": 4, "length": 3, "oracle_seed": 1}
    env = make_sb3_env("musegym/Oracle-v0", num_envs=2, discriminator="none", **tiny)
    AdversarialDQN("auto", env, seed=0).save(tmp_path / "a.zip")
    file, real = tmp_path / "out.json", ["--real", "50", "--real", "10050"]
    assert run(separation.main, [str(tmp_path / "a.zip"), *real, "--seconds", "0.1", "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    assert [(row["judge"], row["real"]) for row in written["rows"]] == [
        (judge, number) for number in (50, 10050) for judge in separation.JUDGES
    ]
    assert all(0 < row["auc"] < 1 and row["updates"] > 0 for row in written["rows"])
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_mistakes(tmp_path, capsys):
    assert run(separation.main, [str(tmp_path), "--real", "0"]) == 2
    assert "Invalid value for '--real'" in capsys.readouterr().err
    assert run(separation.main, [str(tmp_path / "none")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
