"""One training run from the command line: its folder, hyperparameters, progress, checkpoints."""
