"""What ``musegym/Melody-v0`` adds to the benchmark: its tables."""

from __future__ import annotations

from ..measures import Domain
from .tables.melody import TABLES

DOMAIN = Domain(tables=TABLES)
