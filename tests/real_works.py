"""Tasks on real works, which may not be on this machine."""

import pytest

from musegym.envs.corpora.packages import CorpusMissingError


def present(task):
    """Returns a task whose real works are on this machine; elsewhere the test is skipped."""
    try:
        task.corpus("train")
    except CorpusMissingError as error:
        pytest.skip(str(error))  # says what brings them
    return task
