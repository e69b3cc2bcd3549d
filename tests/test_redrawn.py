import numpy as np
import pytest

from musegym.benchmarks.recorded import run
from musegym.benchmarks.studies.redrawn import main, redraw
from musegym.envs.digit import DigitTask


def drawn(task: DigitTask, actions: list[list[int]]) -> np.ndarray:
    state = task.initial(np.zeros(len(actions), np.uint64))
    for step in np.transpose(actions):
        state, _ = task.step(state, step)
    return task.content(state)


def test_what_the_pen_drew_it_draws_again() -> None:
    task = DigitTask(strokes=4)
    P = task.num_actions // 2
    pictures = drawn(task, [[P + 8, 12, 26, P + 26], [30, P + 2, 44, P + 44], [24, P, P, P]])
    assert np.array_equal(redraw(task, pictures), pictures)


def test_more_strokes_come_nearer() -> None:
    works = DigitTask().corpus("train")[::1000]
    errors = [((redraw(DigitTask(strokes=n), works) / 255 - works / 255) ** 2).mean() for n in (1, 3, 6)]
    assert errors[0] > 1.5 * errors[1] > 1.5 * errors[2]
    assert np.array_equal(redraw(DigitTask(strokes=1), np.zeros_like(works)), np.zeros_like(works))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(["--num", "1"], "--num"), (["--side", "8"], "side must be"), (["--json", "."], "name a file")],
)
def test_mistakes_are_one_line(wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, wrong) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
