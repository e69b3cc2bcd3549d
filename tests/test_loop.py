"""What the measurement of the training loop says is what the loop does."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
import toys

from musegym.agents import AdversarialDQN
from musegym.agents.demonstrations import Demonstrations
from musegym.benchmarks import loop, turns
from musegym.cli import commands
from musegym.discriminators import DiscriminatorTrainer
from musegym.errors import UsageError

toys.register()

ROOT = Path(__file__).parents[1]
TESTS = str(Path(__file__).parent)


class Clock:
    """Stands in for ``time``: looking at it takes a thousandth of a second, and nothing else takes any."""

    seconds = 0.0

    def perf_counter(self):
        self.seconds += 1e-3
        return self.seconds


def test_shares_sum_to_one_and_every_part_is_seen():
    found = loop.profile("toy/Word-v0", rows=8, seconds=0.2)
    assert json.loads(json.dumps(found)) == found
    assert set(found["shares"]) == {"acting", "q", "scoring", "discriminator", "data", "rest"}
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert all(share > 0 for share in found["shares"].values())
    assert found["rounds"] >= 3
    assert found["decisions"] >= 8 * found["rounds"]
    assert found["ms_per_round"] * found["rounds"] == pytest.approx(found["us_per_decision"] * found["decisions"] / 1e3)
    assert found["steps_per_second"] * found["us_per_decision"] == pytest.approx(1e6)


def test_what_takes_longer_has_the_larger_share(monkeypatch):
    observe, sample, clock = DiscriminatorTrainer.observe, Demonstrations.sample, Clock()

    def slow_observe(*arguments):
        clock.seconds += 1
        return observe(*arguments)

    def slow_sample(*arguments):
        clock.seconds += 2  # within train(), whose share it must not be
        return sample(*arguments)

    monkeypatch.setattr(DiscriminatorTrainer, "observe", slow_observe)
    monkeypatch.setattr(Demonstrations, "sample", slow_sample)
    monkeypatch.setattr(loop, "time", clock)
    shares = loop.profile("toy/Bits-v0", rows=4, seconds=0.0, least=2)["shares"]
    assert shares["data"] == pytest.approx(2 / 3, abs=0.02)
    assert shares["discriminator"] == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("fails", [False, True])
def test_methods_are_as_they_were(fails):
    before = [inspect.getattr_static(owner, name) for _, owner, name in loop.METHODS]
    try:
        with loop.parts_timed():
            assert all(vars(o)[name] is not old for (_, o, name), old in zip(loop.METHODS, before, strict=True))
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    after = [inspect.getattr_static(owner, name) for _, owner, name in loop.METHODS]
    assert all(new is old for new, old in zip(after, before, strict=True))


def test_a_method_that_raises_is_timed_too(monkeypatch):
    clock = Clock()

    def broken(*arguments):
        clock.seconds += 1
        raise FloatingPointError

    monkeypatch.setattr(AdversarialDQN, "rewards", broken)
    monkeypatch.setattr(loop, "time", clock)
    model, callback = turns.learner("toy/Bits-v0", 4)
    with loop.parts_timed() as spent:
        with pytest.raises(FloatingPointError):
            turns.learn(model, callback, 1)
        assert spent["scoring"] == pytest.approx(1, abs=0.02)
        assert spent["q"] == pytest.approx(0, abs=0.02)


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
    assert commands.DEFAULT_ENVS == turns.ROWS


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5])
def test_exponent_of_a_power_law(power):
    lengths = (16, 64, 256, 1024)
    assert loop.exponent(lengths, [3 * length**power for length in lengths]) == pytest.approx(power)


def test_no_exponent_of_one_length_or_of_no_time():
    assert loop.exponent((16,), [1.0]) is None
    assert loop.exponent((16, 16), [1.0, 2.0]) is None
    assert loop.exponent((16, 32), [0.0, 2.0]) is None


def test_cost_against_length_is_of_these_lengths():
    found = loop.cost_against_length((2, 4), rows=4, seconds=0.05, vocabulary=3)
    assert json.loads(json.dumps(found)) == found
    assert found["vocabulary"] == 3
    assert [row["length"] for row in found["by_length"]] == [2, 4]
    assert all(row["decisions"] == 4 * row["length"] * row["rounds"] for row in found["by_length"])
    times = [row["ms_per_round"] for row in found["by_length"]]
    assert found["exponent"]["round"] == pytest.approx(loop.exponent((2, 4), times))
    assert found["exponent_from"] == {"2": pytest.approx(found["exponent"]["round"])}
    assert set(found["exponent"]) == {"round", *loop.PARTS}


@pytest.mark.slow
def test_this_version_against_itself(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", TESTS)
    found = loop.against(ROOT, "toy_ids:toy/Word-v0", rows=16, other_rows=16, repeats=5, seconds=0.5)
    assert json.loads(json.dumps(found)) == found
    assert found["cpu_ratio"] > 0
    assert len(found["ratios"]) == 5
    assert min(found["ratios"]) <= found["ratio"] <= max(found["ratios"])
    for side in ("ours", "other"):
        assert found[side]["rows"] == 16
        assert found[side]["steps_per_second"] > 0
    # An installed copy is of no commit that it knows.
    assert found["ours"]["commit"] in (None, found["other"]["commit"])


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
    with loop.learning(other_version(tmp_path / "other", FAST), "any/Id-v0", 1) as turn:
        rate = turn(0.01)
    assert rate.per_second > 1e10  # as nobody else


def test_a_version_that_cannot_learn_says_why(tmp_path):
    broken = other_version(tmp_path / "other", "def AdversarialDQN(*a, **k): raise ValueError('no such thing')\n")
    with pytest.raises(UsageError, match="other: ValueError: no such thing"), loop.learning(broken, "any/Id-v0", 1):
        pass


def test_command_line(tmp_path, capsys):
    file = tmp_path / "results" / "loop.json"
    arguments = ["--env-id", "toy/Bits-v0", "--rows", "4", "--seconds", "0.01", "--lengths"]
    assert loop.main([*arguments, "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    assert result["command"] == f"python -m musegym.benchmarks.loop {' '.join(arguments)} --json loop.json"
    assert result["threads"] == 1
    assert {"commit", "dirty", "cores", "cpu", "load_average", "versions"} <= set(result)
    assert result["profile"] == json.loads(capsys.readouterr().out)["profile"]
    assert "length" not in result


def test_stepping_is_held_against_playing_directly(capsys, monkeypatch):
    monkeypatch.setattr(turns, "STEPS", 1)
    arguments = ["--env-id", "toy/Bits-v0", "--rows", "4", "--seconds", "0.01", "--lengths", "--stepped"]
    assert loop.main([*arguments, "--repeats", "3"]) == 0
    found = json.loads(capsys.readouterr().out)["stepped"]
    assert len(found["ratios"]) == 3
    assert found["ratio"] == sorted(found["ratios"])[1] > 0
    assert min(found["stepped_per_second"], found["direct_per_second"], found["cpu_ratio"]) > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--against", "nowhere"], "nowhere is no checkout of musegym"),
        (["--env-id", "toy/None-v0"], "no environment is called toy/None-v0"),
        (["--lengths", "2000"], "length must be"),
    ],
)
def test_mistakes_are_one_line(wrong, said, capsys):
    assert loop.main(["--env-id", "toy/Bits-v0", "--rows", "4", "--seconds", "0.01", "--lengths", *wrong]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
