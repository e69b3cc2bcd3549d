"""How good and how fast: judges that never trained the agent, baselines, and runs."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
