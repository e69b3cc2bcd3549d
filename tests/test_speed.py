"""Contests of speed: turns, environments beside CartPole, learning beside SB3's DQN and other versions."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import toys

from musegym.agents.rounds import Round, round_of
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import learning_speed, rounds, speed, turns
from musegym.envs import make_task
from musegym.errors import UsageError

toys.register()

ROOT = Path(__file__).parents[1]
TESTS = str(Path(__file__).parent)
CONTEST = {"steps_per_second", "reference_steps_per_second", "ratio", "ratios", "cpu_ratio", "repeats"}


def test_a_rate_counts_what_was_done(monkeypatch):
    seconds = iter([100.0, 101.0, 102.0, 105.0])
    clock = SimpleNamespace(perf_counter=lambda: next(seconds), process_time=iter([1.0, 3.0, 5.0, 6.0]).__next__)
    monkeypatch.setattr(turns, "time", clock)
    assert turns.turn(lambda: 10, 3.0) == pytest.approx((2 * 10 / 5, 2 * 10 / 2))
    seconds = iter([100.0, 100.5, 101.0])
    assert turns.turn(lambda: 10, 0.0) == pytest.approx((10, 10)), "once at least"


def test_a_contest_compares_neighbouring_turns():
    ours, reference = (iter([turns.Rate(99, 1), *(turns.Rate(a, b) for a, b in rates)]) for rates in (
        [(10, 4), (30, 4), (20, 4)], [(10, 1), (10, 2), (5, 8)],
    ))  # fmt: skip
    asked = []

    def turn_of(rates):
        return lambda seconds: (asked.append(seconds), next(rates))[1]

    found = turns.contest(turn_of(ours), turn_of(reference), 3, 6.0)
    assert found.keys() == CONTEST
    assert (found["steps_per_second"], found["reference_steps_per_second"]) == (20, 10)
    assert (found["ratios"], found["ratio"], found["cpu_ratio"]) == ([1, 3, 4], 3, 2)
    assert asked == [3.0, 3.0] + 6 * [6.0]


def test_turns_learn_at_full_rate():
    model, callback = turns.learner("toy/Word-v0", 8)
    before = {name: value.clone() for name, value in model.q_net.named_parameters()}
    assert turns.learn(model, callback, 1) >= 8
    rate, updates = model.learner.optimizer.param_groups[0]["lr"], model._n_updates
    assert turns.learn(model, callback, 1) >= 8
    assert model._n_updates == updates + 1  # one round
    assert model.learner.optimizer.param_groups[0]["lr"] == pytest.approx(2 * rate)  # rising, not falling
    assert any((value != before[name]).any() for name, value in model.q_net.named_parameters())


def test_rows_are_those_of_the_command_line():
    assert round_of(make_task("musegym/Melody-v0")).rows == turns.ROWS


def test_speed_of_environments(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "ROWS", (1, 8))
    file = tmp_path / "results" / "speed.json"
    assert run(speed.main, ["toy/Word-v0", "--json", str(file), "--repeats", "2", "--seconds", "0.01"]) == 0
    result = json.loads(file.read_text())
    assert json.loads(capsys.readouterr().out).items() <= result.items()
    assert result["id"] == "toy/Word-v0"
    assert set(result["vector"]) == {"1", "8"}
    assert set(result["copying"]) == {"8"}
    for rates in (result["scalar"], *result["vector"].values(), *result["copying"].values()):
        assert set(rates) == CONTEST
        assert min(rates["steps_per_second"], rates["reference_steps_per_second"], rates["ratio"]) > 0
    assert result["scoring"]["contents_per_second"] > 0
    assert (result["threads"], result["cores"] >= 1) == (1, True)


def test_learning_beside_a_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "STEPS", 1)
    file = tmp_path / "speed.json"
    how = ["--rows", "4", "--repeats", "3", "--seconds", "0.05", "--json", str(file)]
    assert run(learning_speed.main, ["toy/Bits-v0", *how]) == 0
    found = json.loads(file.read_text())
    assert (found["rows"], found["reference_rows"]) == (4, 1)
    assert "DQN" in found["reference"]
    assert found["ratio"] == sorted(found["ratios"])[1] > 0
    assert min(found["steps_per_second"], found["reference_steps_per_second"], found["cpu_ratio"]) > 0


def test_rounds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rounds, "round_of", lambda task: Round(8, 4))
    file = tmp_path / "rounds.json"
    assert run(rounds.main, ["toy/Word-v0", "--seconds", "0.1", "--json", str(file)]) == 0
    found = json.loads(file.read_text())["ids"]["toy/Word-v0"]
    assert (found["rows"], found["minibatch"]) == (8, 4)
    assert 0 < found["discriminator_share"] < 1
    assert found["rounds"] >= 1
    assert found["updates_in_ten_minutes"] > 0
    assert "toy/Word-v0: 8 works a round" in capsys.readouterr().out


@pytest.mark.slow
def test_this_version_against_itself(monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", TESTS)
    how = ["--rows", "16", "--repeats", "5", "--seconds", "0.5"]
    assert run(learning_speed.main, ["toy_ids:toy/Word-v0", "--against", str(ROOT), *how]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cpu_ratio"] > 0
    assert len(found["ratios"]) == 5
    assert min(found["ratios"]) <= found["ratio"] <= max(found["ratios"])
    assert (found["rows"], found["reference_rows"]) == (16, 16)
    assert found["reference_commit"] in (None, learning_speed.revision(ROOT)["commit"])


def other_version(folder: Path, learner: str) -> Path:
    """Writes a musegym that registers nothing and learns in its own way."""
    for package in ("agents", "benchmarks"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "agents" / "__init__.py").write_text(
        "class DiscriminatorCallback: pass\ndef make_sb3_env(*a, **k): pass\n" + learner
    )
    return folder


FAST = """
import time
class AdversarialDQN:
    num_timesteps = 0
    def __init__(self, *a, **k): print("not an answer")
    def learn(self, steps, **k):
        time.sleep(0.001)
        self.num_timesteps += 10**15
"""


def test_the_folder_is_what_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where "other" would be found first
    with learning_speed.other_version(other_version(tmp_path / "other", FAST), "any/Id-v0", 1) as turn:
        rate = turn(0.01)
    assert rate.per_second > 1e10  # as nobody else


def test_a_version_that_cannot_learn_says_why(tmp_path):
    broken = other_version(tmp_path / "other", "def AdversarialDQN(*a, **k): raise ValueError('no such thing')\n")
    learning = learning_speed.other_version(broken, "any/Id-v0", 1)
    with pytest.raises(UsageError, match="other: ValueError: no such thing"), learning:
        pass


@pytest.mark.parametrize("study", [speed, learning_speed])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["toy/None-v0"], "no environment is called toy/None-v0"),
        (["toy/Bits-v0", "--seconds", "0"], "--seconds"),
        (["toy/Bits-v0", "--repeats", "0"], "--repeats"),
        (["toy/Bits-v0", "--json", "."], "name a file that can be written"),
    ],
)
def test_mistakes_are_one_line(study, wrong, message, capsys):
    assert run(study.main, wrong) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_folder_without_musegym_is_told_of(capsys):
    assert run(learning_speed.main, ["toy/Bits-v0", "--against", "nowhere"]) == 2
    assert "nowhere is no checkout of musegym" in capsys.readouterr().err
