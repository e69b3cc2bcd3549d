"""Writes the pictures of the README's table of environments, 320 pixels wide.

They show real works of the validation split; of digits, whose pictures are not copied into this repository, six
drawings of ``digits.png``, which an agent made. From the root of the repository::

    python docs/images/make.py
"""

from pathlib import Path

from PIL import Image

from musegym.envs import make_task
from musegym.envs.registry import BUILT_IN

FOLDER = Path(__file__).parent

for env_id, _ in BUILT_IN:
    if env_id == "musegym/Digit-v0":
        image = Image.open(FOLDER / "digits.png").convert("RGB").crop((0, 0, 432, 288))
    else:
        task = make_task(env_id)
        works = task.works("validation")
        together = task.medium.population(works.contents)
        first = task.medium.render(works.contents[0], works.conditions[0])
        image = Image.fromarray(first if together is None else together)
    small = image.resize((320, round(320 * image.height / image.width)), Image.Resampling.LANCZOS)
    small.save(FOLDER / f"{env_id.rpartition('/')[2].lower()}.png", optimize=True)
