"""The measure of drawings: a classifier of digits, its questions, and the command; with a stand-in for the data."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import digits_package
import numpy as np
import pytest
import torch
import toys

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import digit
from musegym.benchmarks.judges import classifier
from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies import domain
from musegym.envs.digit import CLASSES, DigitTask
from musegym.envs.registry import make_task

toys.register()
ENV_ID = "musegym/Digit-v0"
CLASSIFIER = classifier.Classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    digits_package.write(folder, "mnist")
    return folder


@pytest.fixture(autouse=True)
def packages(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for MNIST, and classifiers that learn for a moment; none of them is left to other tests."""
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(folder)
    trained = functools.cache(digit.classifier.__wrapped__)
    monkeypatch.setattr(classifier, "Classifier", functools.partial(classifier.Classifier, updates=3))
    monkeypatch.setattr(digit, "classifier", trained)


def task_of(**kwargs: Any) -> DigitTask:
    task = make_task(ENV_ID, **kwargs)
    assert isinstance(task, DigitTask)
    return task


def blocks(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [num, 8, 8] of four classes: noise, and a bright spot in one of the corners."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 4
    pictures = rng.integers(0, 60, (num, 8, 8))
    for picture, label in zip(pictures, labels, strict=True):
        down, right = 4 * (label // 2), 4 * (label % 2)
        picture[down : down + 4, right : right + 4] = 255
    return pictures.astype(np.uint8), labels


@pytest.mark.parametrize("dense", [False, True])
def test_a_classifier_learns_what_can_be_told_apart_and_repeats(dense: bool) -> None:
    pictures, labels = blocks(200, 0)
    state = torch.get_rng_state()
    trained = classifier.Classifier(pictures, labels, updates=60, dense=dense)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is put back"
    held_out, truth = blocks(100, 1)
    features, p = trained(held_out)
    assert features.shape == (100, classifier.WIDTH)
    np.testing.assert_allclose(p.sum(1), 1)
    assert (p.argmax(1) == truth).mean() > 0.9
    untrained = classifier.Classifier(pictures, labels, updates=0)(held_out)[1]
    assert (untrained.argmax(1) == truth).mean() < 0.4
    again, other = (classifier.Classifier(pictures, labels, updates=2)(held_out)[1] for _ in range(2))
    np.testing.assert_array_equal(again, other)


@pytest.mark.parametrize("dense", [False, True])
def test_a_classifier_is_trained_once(dense: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, labels = blocks(80, 0)
    first = classifier.Classifier(pictures, labels, updates=3, dense=dense, folder=tmp_path)(pictures)[1]
    monkeypatch.setattr(CLASSIFIER, "_train", None)  # whoever trains now fails
    again = classifier.Classifier(pictures, labels, updates=3, dense=dense, folder=tmp_path)(pictures)[1]
    np.testing.assert_array_equal(first, again)
    for other in ({"updates": 4}, {"dense": not dense}):
        with pytest.raises(TypeError):
            classifier.Classifier(pictures, labels, **{"updates": 3, "dense": dense, **other}, folder=tmp_path)
    with pytest.raises(TypeError):
        classifier.Classifier(pictures, (labels + 1) % 4, updates=3, dense=dense, folder=tmp_path)


class Says:
    """A classifier that reads class and certainty, in percent, off the first two pixels of a drawing's last row."""

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        named, sure = pictures[:, -1, 0] % CLASSES, np.minimum(pictures[:, -1, 1] / 100, 1)
        p = np.repeat((1 - sure[:, None]) / (CLASSES - 1), CLASSES, 1)
        p[np.arange(len(p)), named] = sure
        return pictures.reshape(len(pictures), -1)[:, -4:].astype(float), p


def said(named: list[int], sure: list[int], task: DigitTask) -> np.ndarray:
    """Contents of which ``Says`` says so."""
    contents = np.zeros((len(named), *task.layout.shape), np.uint8)
    contents[:, -1, 0], contents[:, -1, 1] = named, sure
    return contents


def test_shares_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digit, "classifier", lambda kwargs, dense=False: Says())
    task = task_of()
    found = digit.measure_drawings(task, said([7, 7, 7, 2, 0], [89, 90, 100, 95, 50], task))
    assert found["sure"] == 3 / 5
    assert found["classes"] == [0.2, 0, 0.2, 0, 0, 0, 0, 0.6, 0, 0]
    assert (found["num"], found["pictures_a_side"]) == (5, 5)
    assert "as_asked" not in found
    many = said([1] * 300, [99] * 300, task)
    assert digit.measure_drawings(task, many)["pictures_a_side"] == len(task.corpus("test")) < 300


def test_few_drawings_are_held_against_all_classes() -> None:
    task = task_of(classes=True)
    works = task.works("test")
    some = works.contents[np.sort(np.random.default_rng(3).permutation(len(works))[:60])]
    zeros = works.contents[works.conditions[:, 0] < 2][:60]
    assert digit.measure_drawings(task, some)["frechet"] < digit.measure_drawings(task, zeros)["frechet"] / 2


def test_as_asked_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digit, "classifier", lambda kwargs, dense=False: Says())
    task = task_of(classes=True)
    named = [3, 1, 4, 1]
    drawings = said(named, [99] * 4, task)
    assert digit.measure_drawings(task, drawings, np.array(named))["as_asked"] == 1
    assert digit.measure_drawings(task, drawings, np.array([3, 1, 0, 0]))["as_asked"] == 0.5


def test_pictures_are_the_same_with_and_without_classes() -> None:
    works = task_of(classes=True).corpus("test")
    assert works.shape[1:] == (14, 14)
    assert digit.measure_drawings(task_of(classes=True), works) == digit.measure_drawings(task_of(), works)


def test_equal_pictures_have_no_distance_and_others_have() -> None:
    task = task_of()
    works = task.corpus("test")
    same, blank = digit.measure_drawings(task, works), digit.measure_drawings(task, np.zeros_like(works))
    for name in ("frechet", "frechet_dense"):
        assert same[name] == pytest.approx(0, abs=1e-6)
        assert blank[name] > 100 * abs(same[name])
    assert blank["frechet_dense"] != blank["frechet"], "two classifiers"
    assert sum(same["classes"]) == pytest.approx(1)
    assert max(blank["classes"]) == 1, "all of them are one picture"


def test_what_figures_are_read_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of()
    monkeypatch.setattr(digit, "NUM", 30)
    found = digit.references(task)
    assert found.keys() == {"real", "floor", "random"}
    assert found["real"]["frechet"] == pytest.approx(0, abs=1e-6)
    assert found["floor"]["num"] == found["real"]["num"] == len(task.corpus("test"))
    assert found["random"]["num"] == 30
    assert ["as_asked" in found[name] for name in ("real", "floor", "random")] == [True, False, False]


def test_every_class_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Spy(RandomPolicy):
        def sample(self, condition: Any, num: int, seed: int) -> Any:
            asked.append(condition)
            return super().sample(condition, num, seed)

    monkeypatch.setattr(digit, "NUM", 25)
    found = digit.measure(Spy(task_of(classes=True)))
    assert np.bincount(asked[0][:, 0]).tolist() == 5 * [3] + 5 * [2]
    assert 0 <= found["as_asked"] <= 1
    assert "as_asked" not in digit.measure(Spy(task_of()))
    assert asked[1] is None


def test_without_the_pictures_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("musegym.envs.corpora.sources.site_folder", lambda package: None)
    assert run(domain.main, [ENV_ID]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("musegym data get mnist")
