"""Measurements of agents: judges that never trained them, baselines, tables, a queue of runs, and reports."""

from pathlib import Path

_CHECKOUT = Path(__file__).parent / "results"
RESULTS = _CHECKOUT if _CHECKOUT.is_dir() else Path("results")
"""Folder of result files: the checkout's, or one in the working directory where musegym is installed without them."""
