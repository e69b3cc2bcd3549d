"""Writes the pictures of the README: the environments in its table, 320 pixels wide, and the phrase that writes itself.

The table shows real works of the validation split; of digits, whose pictures are not copied into this repository, six
drawings of ``digits.png``, which an agent made. The phrase is by the agent in the package. From the root of the
repository::

    python docs/images/make.py
"""

from pathlib import Path

from PIL import Image

from musegym.agents import AdversarialDQN, generate_episodes
from musegym.discriminators.discriminator import PRETRAINED
from musegym.envs import make_task
from musegym.envs.media.pictures import save_gif
from musegym.envs.registry import BUILT_IN

FOLDER = Path(__file__).parent

for env_id, _ in BUILT_IN:
    if env_id == "musegym/Digit-v0":
        image = Image.open(FOLDER / "digits.png").convert("RGB").crop((0, 0, 432, 288))
    else:
        task = make_task(env_id)
        works = task.works("validation")
        together = task.medium.population(works.contents)
        first = task.medium.render(works.contents[0], works.conditions[0]) if together is None else together
        image = Image.fromarray(first)
    small = image.resize((320, round(320 * image.height / image.width)), Image.Resampling.LANCZOS)
    small.save(FOLDER / f"{env_id.rpartition('/')[2].lower()}.png", optimize=True)

model = AdversarialDQN.load(PRETRAINED / "Melody.zip")
written = generate_episodes(model, 1, seed=3)
medium, work = model.task.medium, (written.contents[0], written.conditions[0])
phrase = medium.phrase(*work)
frames = [medium.render(*work, upto) for upto in range(1, 1 + 2 * len(phrase.notes))]  # pitch, then duration
seconds = [each for note in phrase.notes for each in (0.08, phrase.seconds(note.ticks))]
palette = Image.fromarray(frames[-1]).quantize(256).getpalette()
save_gif([*frames, frames[-1]], [*seconds, 2.0], FOLDER / "melody.gif", 640, palette)
