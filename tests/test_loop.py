"""What the measurement of the training loop says is what the loop does."""

from __future__ import annotations

import inspect
import json

import pytest
import toys

from musegym.agents import AdversarialDQN
from musegym.agents.demonstrations import Demonstrations
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import loop, turns
from musegym.discriminators import DiscriminatorTrainer

toys.register()


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


def test_command_line(tmp_path, capsys):
    file = tmp_path / "results" / "loop.json"
    arguments = ["toy/Bits-v0", "--rows", "4", "--seconds", "0.01"]
    assert run(loop.main, [*arguments, "--length", "2", "--length", "3", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    lengths = "--length 2 --length 3"
    assert result["command"] == f"python -m {loop.__name__} {' '.join(arguments)} {lengths} --json loop.json"
    assert result["threads"] == 1
    assert {"commit", "dirty", "cores", "cpu", "load_average", "versions"} <= set(result)
    printed = json.loads(capsys.readouterr().out)
    assert (result["profile"], result["length"]) == (printed["profile"], printed["length"])
    assert [row["length"] for row in result["length"]["by_length"]] == [2, 3]
    assert run(loop.main, arguments) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"profile"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["toy/None-v0"], "no environment is called toy/None-v0"),
        (["toy/Bits-v0", "--length", "2000"], "length must be"),
        (["toy/Bits-v0", "--rows", "0"], "--rows"),
    ],
)
def test_mistakes_are_one_line(wrong, message, capsys):
    assert run(loop.main, wrong) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
