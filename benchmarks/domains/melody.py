"""``musegym/Melody-v0`` adds its tables to the benchmark."""

from __future__ import annotations

from ..measures import Domain
from .tables.melody import TABLES

DOMAIN = Domain(tables=TABLES)
