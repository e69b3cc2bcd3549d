"""How good and how fast: judges that never trained the agent, baselines, and runs."""
