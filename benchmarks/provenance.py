"""Provenance of results: commit, CPU, versions, load average and time of day."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def provenance() -> dict[str, Any]:
    """Returns the provenance of a result: commit, CPU, versions, load average, time."""
    import numpy
    import torch

    return {
        **revision(ROOT),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cpu": _cpu(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {"python": platform.python_version(), "numpy": numpy.__version__, "torch": torch.__version__},
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def revision(folder: Path) -> dict[str, Any]:
    """Returns the ``commit`` of a checkout and whether it is ``dirty``, results aside; None for both outside one."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    changes = git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _cpu() -> str:
    """Returns the processor's name with family and model, since clouds sell several generations under one name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    if "model name" in fields:
        return f"{fields['model name']} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
    return platform.processor() or platform.machine()
