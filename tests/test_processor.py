"""Choices of the commands for a processor."""

import json
import platform
import subprocess
import sys

import pytest
import torch

from musegym.training import processor

SCRIPT = """
import json, resource, torch
from musegym.training import processor
def faults(unmeasured):
    for _ in range(unmeasured):
        torch.empty(16_000_000).fill_(1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(16_000_000).fill_(1.0)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5
before = faults(2)
processor.configure_torch()
print(json.dumps([before, faults(20)]))  # for the first ones the heap grows
"""


def test_one_thread_unless_the_user_says_otherwise(monkeypatch):
    for said, threads in ((None, 1), ("2", 2)):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if said is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", said)
        torch.set_num_threads(2)
        processor.configure_torch()
        assert torch.get_num_threads() == threads


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="mallopt is the GNU C library's: run it on Linux with glibc"
)
def test_freed_memory_is_used_again():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert before > 20, "of 64 MB each, given back every time; pages may be of 2 MB"
    assert after < before / 10
