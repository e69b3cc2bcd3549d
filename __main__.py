"""Runs the command line: ``python -m musegym``."""

from .cli import main

if __name__ == "__main__":
    main()
