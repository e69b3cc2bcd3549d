"""Writes an animation of each environment, its picture in the README's table, and sixteen works: of agents alone.

From the root of the repository::

    python docs/images/make.py [--only ID ...] [--run RUN ...]

The agent is that of a RUN, or the one in the package. Without either the works are draws of a formula, where real works
are such, or those of a random policy, which leaves a picture that is there as it is. ``docs/environments/make.py`` then
brings the pages up to date.
"""

import argparse
import dataclasses
import math
from pathlib import Path

import numpy as np
from PIL import Image

from musegym.agents import between, edit, generate, generate_episodes, like
from musegym.agents.episodes import Episodes
from musegym.agents.steering import vectors
from musegym.envs import Medium, Task, ids, make_task
from musegym.envs.media.pictures import palette_in, save_gif
from musegym.envs.window import tile
from musegym.errors import UsageError
from musegym.training.loading import id_of, load_model

FOLDER = Path(__file__).parent
WIDTH, TILED_WIDTH, THUMBNAIL = 640, 480, 320  # pixels: of one work, of several, of the picture in the table
MOST_BYTES = 300_000
SECONDS, LAST_SECONDS = 6.0, 2.0  # of an animation without sound, and of its last picture
WORKS, POINTS = 4, 1024  # works side by side, and works in one picture where a task draws all together
SHEET, SHEET_WIDTH, EDGE = 16, 280, 40  # works in a sheet, width of one, grey around it
WIDE = 600  # pixels; wider works are shown alone, as are works that move
WIDEST = 1200  # pixels of a sheet of eight columns
FRAMES = ((96, 1.0), (64, 1.0), (48, 1.0), (32, 1.0), (24, 1.0), (32, 0.75), (24, 0.75), (16, 0.75), (12, 0.6))
"""Pictures and share of the width: the first that makes a small file."""
COLOURS = 64
BESIDE, BANDS = 16, 4  # pictures in a row beside real ones, and bands of rows
STEERED = 3  # rows of works like one, edited, and between two
ROUNDS, BEAT = 5, 0.2  # times that a work that moves is played, and seconds of each of its pictures


def played(task: Task, model, seed: int):
    """Yields the state of works before and after each decision: the agent's, real ones of a formula, or random ones."""
    rng = np.random.default_rng(seed)
    moves = type(task.medium).moments is not Medium.moments
    alone = moves or task.render(task.initial(np.zeros(1, np.uint64)))[0].shape[1] > WIDE
    num = POINTS if task.overview(task.initial(np.zeros(1, np.uint64))) is not None else 1 if alone else WORKS
    conditions, actions = None, rng.integers(task.num_actions, size=(num, task.horizon))
    if model is not None:
        works = generate_episodes(model, num, seed=seed)
        conditions = works.conditions if task.conditions else None
        for row, decisions in zip(actions, works.decisions(), strict=True):
            row[: len(decisions)] = decisions
    elif (drawn := task.stream(num, rng)) is not None and task.has_demonstrations:
        actions = task.demonstrations(drawn)
    state = task.initial(rng.integers(2**63, size=num, dtype=np.uint64), conditions)
    yield state.take(np.arange(num))
    for step in actions.T:
        state, done = task.step(state, step)
        yield state.take(np.arange(num))
        if done.all():
            return


def picture(task: Task, state) -> np.ndarray:
    """Returns one picture of all works, uint8 [H, W, 3]."""
    whole = task.overview(state)
    if whole is not None:
        return whole
    frames = task.render(state)
    return frames[0] if len(frames) == 1 else tile(frames)


def pace(task: Task, state, steps: int) -> list[float]:
    """Returns the seconds that each of the decisions is shown: the music's own, else equal ones."""
    content, condition = task.content(state)[0], task.condition(state)[0]
    if task.medium.sound(content, condition) is None:
        return steps * [SECONDS / steps]
    return [max(task.medium.sound(content, condition, step, step + 1).seconds, 0.08) for step in range(steps)]


def in_motion(task: Task, state) -> list[np.ndarray]:
    """Returns the pictures of finished works that move, each repeated ``ROUNDS`` times; none of works that do not."""
    works = zip(task.content(state), task.condition(state), strict=True)
    moments = [[shown for shown, _ in task.medium.moments(*work)] for work in works]
    if not all(moments):
        return []
    longest = max(map(len, moments))
    turn = [[own[min(beat, len(own) - 1)] for own in moments] for beat in (*range(longest), longest - 1)]
    return ROUNDS * [own[0] if len(own) == 1 else tile(own) for own in turn]


def animate(task: Task, states: list, path: Path, comment: str) -> np.ndarray:
    """Writes an animation of at most ``MOST_BYTES`` if it can be; returns its last picture."""
    steps = len(states) - 1
    due = np.concatenate([[0.0], np.cumsum(pace(task, states[-1], steps))])
    for most, share in FRAMES:
        shown = np.unique(np.linspace(0, steps, min(most, steps + 1)).round().astype(int))
        pictures = [picture(task, states[step]) for step in shown]
        moving = in_motion(task, states[-1])
        pictures += moving
        seconds = [*np.diff(due[shown]).tolist(), LAST_SECONDS, *len(moving) * [BEAT]]
        palette = palette_in(pictures, COLOURS)
        width = round(share * (WIDTH if len(states[0]) == 1 else TILED_WIDTH))
        save_gif(pictures, seconds, path, min(width, pictures[0].shape[1]), palette, comment)
        if path.stat().st_size <= MOST_BYTES:
            break
    return pictures[-1]


def save_sheet(task: Task, works: Episodes, path: Path) -> None:
    """Writes a picture of many works: by the medium where it lays them out itself, else side by side, smaller."""
    if hasattr(task.medium, "sheet"):
        whole = Image.fromarray(task.medium.sheet(works.contents, columns=8))
        if whole.width > WIDEST:
            whole = Image.fromarray(task.medium.sheet(works.contents, columns=4))
    else:
        frames = []
        for content, condition in zip(works.contents, works.conditions, strict=True):
            frame = Image.fromarray(task.medium.render(content, condition))
            frame.thumbnail((SHEET_WIDTH, frame.height), Image.Resampling.LANCZOS)
            frames.append(np.pad(np.asarray(frame), ((2, 2), (2, 2), (0, 0)), constant_values=EDGE))
        whole = Image.fromarray(np.vstack([np.hstack(frames[first : first + 4]) for first in range(0, SHEET, 4)]))
    colours = whole.quantize(256, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)


def save_beside(model, seed: int, path: Path) -> None:
    """Writes rows of an agent's pictures, of the training pictures nearest to each, and of held-out ones: not chosen.

    In each of ``BANDS`` bands the agent's come first, then the nearest ones, then held-out ones of the same styles.
    """
    task, rng = model.task, np.random.default_rng(seed)
    held_out = task.works("test")
    real = held_out.take(rng.permutation(len(held_out))[: BESIDE * BANDS])
    made = generate(model, len(real), seed=seed, condition=real.conditions if task.conditions else None)
    known = task.corpus("train")
    cosines = vectors(model, made) @ vectors(model, known).T
    bands = []
    for first in range(0, len(real), BESIDE):
        rows = slice(first, first + BESIDE)
        for pictures in (made[rows], known[cosines[rows].argmax(1)], real.contents[rows]):
            side = made.shape[1]
            tiles = np.full((BESIDE, side + 4, side + 4, *pictures.shape[3:]), EDGE, np.uint8)
            inside = slice(2, 2 + side)
            tiles[: len(pictures), inside, inside] = pictures
            bands.append(np.concatenate(tiles, 1))
        bands.append(np.full((12, *bands[0].shape[1:]), 255, np.uint8))
    whole = np.concatenate(bands[:-1]).repeat(2, 0).repeat(2, 1)
    Image.fromarray(whole).quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


def save_steered(model, seed: int, path: Path) -> None:
    """Writes three bands of rows that begin with held-out pictures, not chosen: works like one, edited, between two."""
    held_out = model.task.works("test")
    some = held_out.take(np.random.default_rng([seed, 1]).permutation(len(held_out))[: 2 * STEERED])
    half = np.zeros(model.task.layout.shape[:2], np.bool_)
    half[len(half) // 2 :] = True
    rows, given = [], list(zip(some.contents, some.conditions, strict=True))
    for content, condition in given[:STEERED]:
        rows.append([content, *like(model, content, BESIDE - 1, 0.5, condition, seed).contents])
    for content, condition in given[:STEERED]:
        rows.append([content, *edit(model, content, half, BESIDE - 1, condition, seed).contents])
    for (one, first), (other, second) in zip(given[:STEERED], given[STEERED:], strict=True):
        mixed = between(model, one, other, BESIDE - 2, np.stack([first, second]), seed).contents
        rows.append([one, *mixed, other])
    side = some.contents.shape[1]
    tiles = np.full((len(rows), BESIDE, side + 4, side + 4, *some.contents.shape[3:]), EDGE, np.uint8)
    tiles[:, :, 2 : 2 + side, 2 : 2 + side] = np.array(rows)
    lines = [np.concatenate(row, 1) for row in tiles]
    for number in (2 * STEERED, STEERED):
        lines.insert(number, np.full((12, *lines[0].shape[1:]), 255, np.uint8))
    whole = np.concatenate(lines).repeat(2, 0).repeat(2, 1)
    Image.fromarray(whole).quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Reads the command line; writes the files."""
    parser = argparse.ArgumentParser(description="Writes an animation and a picture of each environment.")
    parser.add_argument("--only", metavar="ID", action="append", help="Only this id; repeatable.")
    parser.add_argument("--run", metavar="RUN", action="append", default=[], type=Path, help="A run; repeatable.")
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    models = {id_of(model): model for model in (load_model(run, None) for run in arguments.run)}
    for env_id in arguments.only or ids():
        model, author = models.get(env_id), "works of an agent that `musegym train` made"
        if model is None:
            try:
                model, author = load_model(None, env_id), "works of the policy in the package"
            except UsageError:
                author = "works of a random policy"
        task = make_task(env_id) if model is None else model.task
        if model is None and task.stream(1, np.random.default_rng(0)) is not None:
            author = "real works, drawn from their formula"
        stem = env_id.rpartition("/")[2].lower()
        if task.data_name and task.data_name != task.data_names[0]:
            stem += f"-{task.data_name}"
        states = list(played(task, model, arguments.seed))
        last = animate(task, states, FOLDER / f"{stem}.gif", author)
        thumbnail = FOLDER / f"{stem}.png"
        if "random" not in author or not thumbnail.exists():
            height = math.ceil(THUMBNAIL * last.shape[0] / last.shape[1])
            Image.fromarray(last).resize((THUMBNAIL, height), Image.Resampling.LANCZOS).save(thumbnail, optimize=True)
        if model is not None and task.overview(states[0]) is None:
            works = generate_episodes(model, SHEET, seed=arguments.seed)
            decoded = task.decoded(works.contents, np.random.default_rng(arguments.seed))
            save_sheet(task, dataclasses.replace(works, contents=decoded), FOLDER / f"{stem}-sheet.png")
        if model is not None and task.generator is not None:
            save_beside(model, arguments.seed, FOLDER / f"{stem}-beside.png")
            save_steered(model, arguments.seed, FOLDER / f"{stem}-steered.png")
        print(f"{stem}.gif: {(FOLDER / f'{stem}.gif').stat().st_size / 1000:.0f} kB, {author}")


if __name__ == "__main__":
    main()
