"""Pages of environments: their generated part is what the tasks say, and their animations are small."""

import importlib.util
from pathlib import Path

import pytest
from grids import TowerTask
from PIL import Image

import musegym
from musegym.envs.registry import BUILT_IN

ROOT = Path(__file__).parents[1]
HINT = "run: python docs/environments/make.py"


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = script(ROOT / "docs" / "environments" / "make.py")
images = script(ROOT / "docs" / "images" / "make.py")


# The README's links demand that there is a page for each.
@pytest.mark.parametrize("env_id", [env_id for env_id, _ in BUILT_IN if pages.page_of(env_id).exists()])
def test_the_generated_part_is_up_to_date(env_id):
    path = pages.page_of(env_id)
    page = path.read_text(encoding="utf-8")
    assert page.count(pages.BEGIN) == page.count(pages.END) == 1, HINT
    assert page == pages.updated(env_id, page), HINT


def test_pages_are_named_after_ids():
    names = [pages.page_of(f"any/{name}-v1").name for name in ("Melody", "RLTuner", "StillLife")]
    assert names == ["melody.md", "rl_tuner.md", "still_life.md"]


@pytest.fixture
def tower():
    musegym.register("toy/Tower-v0", "grids:TowerTask")
    return "toy/Tower-v0"


def test_a_page_by_hand_keeps_all_that_is_outside_of_the_marks(tower):
    page = "# Towers\n\nMeasured by hand.\n\n## Data\n\nNone.\n"
    made = pages.updated(tower, page)
    assert made.startswith("# Towers\n\nMeasured by hand.\n\n<!-- generated")
    assert made.endswith(f"{pages.END}\n\n## Data\n\nNone.\n")
    assert "| decisions | at most 20, each out of 3 |" in made
    assert "| conditions | place: town, country |" in made
    assert pages.updated(tower, made) == made
    stale = made.replace("at most 20", "at most 21")
    assert pages.updated(tower, stale) == made


def test_an_environment_without_a_page_gets_one(tower):
    made = pages.updated(tower, "")
    assert made.startswith("# Tower-v0: towers of stone, column by column")
    assert pages.updated(tower, made) == made


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*-v*.gif")), ids=lambda path: path.stem)
def test_animations_are_small_and_say_whose_works_they_show(path):
    assert path.stat().st_size <= images.MOST_BYTES
    with Image.open(path) as image:
        assert image.n_frames >= 5
        assert "works" in image.info["comment"].decode()


def test_an_episode_of_any_task_becomes_an_animation(tmp_path):
    task = TowerTask()
    states = list(images.played(task, None, 0))
    assert len(states) == 1 + task.horizon
    assert not task.content(states[0]).any()
    assert states[-1].done.all()
    last = images.animate(task, states, tmp_path / "tower.gif", "works of a test")
    with Image.open(tmp_path / "tower.gif") as image:
        assert image.info["comment"] == b"works of a test"
        assert image.n_frames >= 5
        assert image.size[0] <= images.TILED_WIDTH
    assert (last == images.picture(task, states[-1])).all()
