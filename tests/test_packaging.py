"""Files of an installation, and the cost of `import musegym`."""

import configparser
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import musegym

ROOT = Path(__file__).parents[1]
FOLDERS = ("agents", "benchmarks", "cli", "discriminators", "envs", "play", "pretrained", "training")
IMPORT = """
import json, sys
import musegym
print(json.dumps([sorted({name.partition(".")[0] for name in sys.modules}), sorted(sys.modules)]))
"""


def import_musegym() -> tuple[list[str], list[str]]:
    done = subprocess.run([sys.executable, "-W", "error", "-c", IMPORT], capture_output=True, text=True, check=True)
    packages, modules = json.loads(done.stdout)
    return packages, modules


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_import_loads_nothing_heavy() -> None:
    packages, modules = import_musegym()
    heavy = {"torch", "stable_baselines3", "pygame", "scipy", "matplotlib", "music21", "pretty_midi", "PIL", "typer"}
    assert not heavy & set(packages)
    ours = {name for name in modules if name.startswith("musegym")}
    light = {"cli", "cli.signals", "envs", "envs.checks", "envs.registry", "envs.task"}
    assert ours <= {"musegym", *(f"musegym.{name}" for name in light)}


def test_version() -> None:
    assert musegym.__version__ == importlib.metadata.version("musegym")
    done = subprocess.run([sys.executable, "-m", "musegym", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == musegym.__version__


def test_every_folder_of_code_is_a_package_of_setup_cfg() -> None:
    folders = {path.parent.relative_to(ROOT) for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
    assert {".".join(("musegym", *folder.parts)) for folder in folders} | {"musegym"} == set(
        setup_cfg()["options"]["packages"].split()
    )


def test_the_changelog_knows_what_is_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[0] in {"Unreleased", musegym.__version__}


@pytest.mark.slow
def test_wheel(tmp_path: Path) -> None:
    source = tmp_path / "any-name"
    skip = shutil.ignore_patterns(".*", "build", "runs", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=skip)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, source]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("musegym-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [*source.glob("*.py"), *(path for name in FOLDERS for path in (source / name).rglob("*") if path.is_file())]
    files = [path for path in files if path.suffix in {".py", ".html"} or path.parent.name == "pretrained"]
    assert {f"musegym/{path.relative_to(source).as_posix()}" for path in files} <= names
    assert "musegym/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "test" in name.split("/")[1]]


def test_the_numerical_tests_of_the_makefile_are_there() -> None:
    found = re.search(r"^NUMERICAL = (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    assert [name for name in found[1].split() if not (ROOT / "tests" / f"test_{name}.py").is_file()] == []


def test_pages_name_every_extra_and_what_all_holds() -> None:
    extras = {name: set(text.split("\n")) - {""} for name, text in setup_cfg()["options.extras_require"].items()}
    dev, everything = extras.pop("dev"), extras.pop("all")
    assert everything == set().union(*extras.values()) <= dev
    for page in ("README.md", "docs/quickstart.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert '".[all]"' in text, page
        assert not [name for name in extras if f"[{name}]" not in text and f"`{name}`" not in text], page


def test_the_page_of_own_files_names_every_kind_that_is_read() -> None:
    from musegym.envs.corpora.files import LARGEST

    page = (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    own = page.partition("## Your own files")[2].partition("```")[0]
    assert not [suffix for suffix in LARGEST if f"`{suffix}`" not in own]
