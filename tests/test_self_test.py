"""Judges are tested themselves, and those that fail are not used."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import toys

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.judges import c2st as judges
from musegym.benchmarks.judges import self_test, taught
from musegym.benchmarks.judges.matching import halves
from musegym.benchmarks.judges.redrawn import redrawn, share_changed
from musegym.benchmarks.judges.self_test import SelfTest, fresh_judges, one_source
from musegym.benchmarks.report.layout import cells
from musegym.benchmarks.suite import SMALL, evaluate
from musegym.envs import Grid, Image, Sequence, Works
from musegym.envs.registry import make_task

toys.register()


class PlaneTask(toys.BitsTask):
    """Stripes of two values on 8 x 8 cells, in groups of two; there are no demonstrations."""

    layout = Grid((8, 8), (4,), "int8")
    has_demonstrations = False

    def works(self, split: str) -> Works:
        rng = np.random.default_rng(("train", "validation", "test").index(split))
        n = {"train": 400}.get(split, 60)
        values = rng.integers(4, size=(n, 1, 2))
        contents = np.tile(values, (1, 8, 4)).astype(np.int8)
        return Works(contents, groups=np.arange(n) // 2)


class PaintTask(toys.BitsTask):
    """Forty free values 0, 1 and 2, of which the first ten are always 0."""

    horizon, num_actions = 40, 3
    layout = Sequence((40,), (3,), "int8")

    def initial(self, draws: Any, condition: Any = None) -> Any:
        return toys.BitState(np.zeros((len(draws), 40), np.int8), np.zeros(len(draws), np.int64))

    def advance(self, state: Any, actions: Any) -> Any:
        state, _ = super().advance(state, actions)
        return state, state.step == 40

    def works(self, split: str) -> Works:
        rng = np.random.default_rng(("train", "validation", "test").index(split))
        contents = rng.choice(3, (1000, 40), p=[0.7, 0.2, 0.1]).astype(np.int8)
        contents[:, :10] = 0
        return Works(contents)


class BlindPaintTask(PaintTask):
    """The same, without demonstrations."""

    has_demonstrations = False


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path))


def test_a_share_of_the_cells_is_drawn_from_their_marginals() -> None:
    task = PlaneTask()
    train = task.works("train")
    works = Works(np.full((50, 8, 8), 9, np.int8))
    found = redrawn(task, works, train)
    assert ((found.contents != 9).reshape(50, -1).sum(1) == 6).all(), "a tenth of 64, and no cell of train is a 9"
    assert np.array_equal(redrawn(task, works, train).contents, found.contents)
    assert not np.array_equal(redrawn(task, works, train, seed=1).contents, found.contents)
    assert (works.contents == 9).all(), "the real works stay as they are"


@pytest.mark.parametrize("paint", [PaintTask, BlindPaintTask])
def test_exactly_a_share_of_the_decisions_that_can_differ_does(paint: type[PaintTask]) -> None:
    task = paint()
    works = task.works("test")
    found = redrawn(task, works, task.works("train"))
    differ = found.contents != works.contents
    assert (differ.sum(1) == 3).all(), "a tenth of the 30 that can differ"
    assert not differ[:, :10].any(), "no training work has another value there"
    assert share_changed(task, works, found) == pytest.approx(3 / 40)
    assert differ[:, 10:].mean(0) == pytest.approx(0.1, abs=0.05), "every place takes its turn"
    for own, other, share in ((0, 1, 2 / 3), (1, 0, 7 / 8), (2, 0, 7 / 9)):
        drawn = found.contents[differ & (works.contents == own)]
        assert (drawn == other).mean() == pytest.approx(share, abs=0.06), "marginals, given that the value is another"


def test_a_place_is_drawn_again_with_all_its_channels() -> None:
    class ColourTask(PlaneTask):
        layout = Image((8, 8, 3))

    rng, task = np.random.default_rng(0), ColourTask()
    known = rng.integers(2, size=(30, 8, 8, 1), dtype=np.uint8) * np.array([0, 100, 200], np.uint8)
    known[..., 0] = np.arange(64).reshape(8, 8)  # each place has colours of its own
    found = redrawn(task, Works(known), Works(known)).contents
    differ = (found != known).any(-1)
    assert (differ.sum((1, 2)) == 6).all()
    assert np.array_equal(found[..., 0], known[..., 0])
    assert (found[differ] // 100).sum(-1).tolist() == (3 - (known[differ] // 100).sum(-1)).tolist()


@pytest.mark.parametrize("split", ["train", "test"])
def test_redrawn_works_can_be_built(split: Any) -> None:
    task = make_task("toy/Word-v0")
    works, train = task.works(split), task.works("train")
    found = redrawn(task, works, train, share=0.5)
    built = task.demonstrations(found.contents, found.conditions)  # raises where a work is not legal
    assert found.actions is not None
    assert np.array_equal(built, found.actions)
    changed = (found.contents != works.contents).any(1)
    assert changed.mean() > 0.9
    assert np.array_equal(found.conditions, works.conditions)
    assert 0.4 < share_changed(task, works, found) <= 1.5, "words that grew longer differ in what they added, too"
    assert share_changed(task, works, works) == 0.0
    same = redrawn(task, works, train, share=0.0)
    assert (same.contents != works.contents).any(1).mean() > 0.9, "one decision at least is drawn until it changes"


def test_one_source_shares_no_group() -> None:
    train = PlaneTask().works("train")
    real, other = one_source(train, 0.3, 0)
    assert len(real) == len(other) == pytest.approx(60, abs=2)
    assert len(np.unique(real.groups)) > 40, "half of the works are of most drawn groups, 60 of two works each"
    assert np.array_equal(halves(real.groups), halves(other.groups)), "one network rates both works of a pair"
    assert not set(real.groups) & set(other.groups)
    with pytest.raises(ValueError, match="too few"):
        one_source(train, 1.0, 0)
    asked = Works(train.contents, (np.arange(400) % 7 // 6)[:, None], train.groups)
    real, other = one_source(asked, 0.3, 0)
    assert np.array_equal(real.conditions, other.conditions)


@pytest.mark.usefixtures("own_cache")
def test_a_test_is_kept_and_a_damaged_one_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    task, asked = PlaneTask(), []

    def judge(real: Works, fake: Works, *_: Any, **how: Any) -> Any:
        asked.append(len(real))
        right = np.ones(len(real), bool)
        return judges.C2ST(0.95 if len(asked) == 2 else 0.5, (), (), {}, right, ~right, right)

    monkeypatch.setattr(self_test, "c2st", judge)
    monkeypatch.setattr(self_test, "surprise", lambda task: None)
    first = fresh_judges(task, task.works("test"))
    assert first.passed
    assert first.verdict == ""
    assert (first.catches, first.real_vs_real) == (0.95, 0.5)
    assert first.changed == 6 / 64
    assert first.summary("judge") == {"judge_catches": 0.95, "judge_changed": 6 / 64, "judge_real_vs_real": 0.5}
    assert fresh_judges(task, task.works("test")) == first
    assert len(asked) == 2
    fresh_judges(task, task.works("validation"))
    assert len(asked) == 3, "real against real is of the train split, and known; these held-out works are others"
    for path in tmp_path.glob("judges-*.npz"):
        path.write_bytes(b"x")
    fresh_judges(task, task.works("test"))
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("catches", "real", "low", "high", "verdict"),
    [
        (0.95, 0.51, 0.48, 0.54, ""),
        (0.95, 0.515, 0.51, 0.52, ""),
        (0.82, 0.5, 0.4, 0.6, "not used: caught only 0.82"),
        (0.95, 0.56, 0.53, 0.59, "not used: told real from real at 0.56"),
        (0.95, 0.44, 0.41, 0.47, "not used: told real from real at 0.44"),
        (float("nan"), 0.5, 0.4, 0.6, "not used: too few works to test it"),
    ],
)
def test_a_judge_that_fails_says_why(catches: float, real: float, low: float, high: float, verdict: str) -> None:
    found = SelfTest(catches, 0.1, real, low, high, 0.0)
    assert found.verdict == verdict
    assert found.passed == (not verdict)
    json.dumps(found.summary(), allow_nan=False)


@pytest.mark.usefixtures("own_cache")
def test_few_works_cannot_test_a_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "surprise", lambda task: None)
    task = make_task("toy/Bits-v0")
    assert fresh_judges(task, task.works("test")).verdict == "not used: too few works to test it"


@pytest.mark.usefixtures("quick")
def test_few_held_out_works_make_taught_judges_the_headline(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task("toy/Word-v0")
    assert len(task.works("test")) < SMALL
    found = evaluate(RandomPolicy(task), num=20, seeds=1)
    assert found["headline"] == "c2st_taught"
    assert 0 <= found["c2st_taught"] <= 1
    assert {"judge_catches", "judge_changed", "judge_real_vs_real", "c2st_taught_interval"} <= found.keys()
    assert {"judge_taught_catches", "judge_taught_changed", "judge_taught_real_vs_real"} <= found.keys()
    failed = SelfTest(0.82, 0.1, 0.5, 0.4, 0.6, 0.0)
    monkeypatch.setattr(self_test, "_cached", lambda *_: failed)
    found = evaluate(RandomPolicy(task), num=20, seeds=1)
    assert found["c2st"] == found["c2st_taught"] == "not used: caught only 0.82"
    assert found["judge_catches"] == 0.82
    json.dumps(found, allow_nan=False)


def test_a_report_says_why_there_is_no_number() -> None:
    text = "not used: caught only 0.82"
    base: dict[str, Any] = {"row": "ours", "env_id": "x", "seconds": 1.0, "partial": False}
    bad = base | {"evaluation": {"c2st": text, "frechet": 2.0}, "judged": None, "taught": {"accuracy": text}}
    other = {**base, "row": "mle", "evaluation": {"c2st": 0.6, "frechet": 1.0}, "taught": {"accuracy": 0.7}}
    head, first, second, *_ = cells([bad, other], against="mle")
    columns = [head.index(f"{name} ↓") for name in ("c2st", "c2st_taught")]
    assert [first[column] for column in columns] == [text, text]
    assert [second[column] for column in columns] == ["0.600", "0.700"]


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_judges_of_planes_pass_their_test() -> None:
    found = fresh_judges(PlaneTask(), PlaneTask().works("train"))
    assert found.passed, found


@pytest.mark.slow
def test_taught_judges_of_real_digits_are_unbiased() -> None:
    pytest.importorskip("sklearn", reason="no digits here; `pip install scikit-learn` brings them")
    task = make_task("musegym/Digit-v0", data="sklearn")
    found = self_test.taught_judges(task, "test")
    assert found.unbiased, found
    assert found.catches > 0.8
    random = taught.judge(RandomPolicy(task), "test")
    assert not found.passed or random["accuracy"] > 0.95
