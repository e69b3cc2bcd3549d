"""Provenance of results."""

from pathlib import Path

from musegym.benchmarks.provenance import provenance, revision


def test_processors_of_one_name_are_told_apart() -> None:
    info = Path("/proc/cpuinfo")
    named = info.exists() and "model name" in info.read_text()
    assert ("(family " in provenance()["cpu"]) == named


def test_a_folder_without_a_checkout_has_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) == {"commit": None, "dirty": None}
