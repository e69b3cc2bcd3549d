"""What commands choose for a processor, in a process of their own, since it cannot be taken back."""

import json
import os
import platform
import subprocess
import sys

import pytest

from musegym import processor

SCRIPT = """
import json, resource, torch
from musegym import processor
def faults():
    for _ in range(6):  # the heap grows for the first ones
        torch.empty(16_000_000).fill_(1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(16_000_000).fill_(1.0)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5
torch.set_num_threads(2)
first = faults()
processor.settle()
print(json.dumps([first, faults(), torch.get_num_threads(), torch.get_float32_matmul_precision()]))
"""


def settled(**environment):
    given = {**{k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}, **environment}
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=given)
    return json.loads(told.stdout)


def test_products_are_of_full_precision():
    assert processor.exact()
    assert not processor.exact(lambda a, b: (a.bfloat16() @ b.bfloat16()).float())


def test_threads_and_products():
    _, _, threads, precision = settled()
    assert (threads, precision) == (1, "medium")
    assert settled(OMP_NUM_THREADS="2")[2] == 2, "a user's own number of threads stays"


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="mallopt is the GNU C library's: run it on Linux with glibc"
)
def test_freed_memory_is_used_again():
    before, after, *_ = settled()
    assert before > 20, "of 64 MB each, given back every time; pages may be of 2 MB"
    assert after < before / 10
