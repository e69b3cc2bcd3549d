"""Short animations of game characters: a first frame by pixels, later ones by what changes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.animations import COLLECTIONS, find_folder, load_collection
from .corpora.changes import ACTIONS, COLOURS, FRAMES, HORIZON, KEEP, PIXELS, POWERS, REST, WHOLE, decisions, encode
from .corpora.choice import choose
from .corpora.figures import SIZE
from .corpora.gallery import Gallery
from .corpora.palettes import colours
from .grids import MIRRORS, places
from .media.animations import Animation
from .task import Array, Bools, CorpusReport, Feature, Frames, Ints, Split, State, Task, Works, parse_style

OUTSIDE = COLOURS + 1  # value of neighbours beyond the edge
AT = WHOLE  # column of the sheet: frame, row, column, pixels kept last, decisions; the conditions follow
HEAD = 6
NOW = {
    "here": (0, 0),
    "left": (0, -1),
    "left2": (0, -2),
    "above_left": (-1, -1),
    "above": (-1, 0),
    "above_right": (-1, 1),
    "right": (0, 1),
    "right2": (0, 2),
    "below": (1, 0),
}
"""Rows and columns to pixels of the frame being built; those that are yet to come are the frame before's."""
BEFORE = {"left_before": (0, -1), "above_before": (-1, 0), "above_right_before": (-1, 1), "here_before": (0, 0)}
"""The same in the frame before, to see what changed; the last one is two frames before the pixel to be built."""
LOOK = 32  # pixels ahead that the policy counts as transparent, at most
SPARE = 7  # decisions left beyond those that ending takes, up to which the policy counts them


def _legal() -> NDArray[np.bool_]:
    """Returns the legal actions by pixels left in the frame (0 .. 256), ``run`` and decisions to spare (0 .. 2).

    A decision is to spare where the animation can be ended without it. A kept run needs one more, for the pixel that
    ends it, unless that is the last of the frame.
    """
    left, run, spare = np.indices((PIXELS + 1, POWERS + 1, 3))
    legal = np.ones((*left.shape, ACTIONS), np.bool_)
    legal[..., :KEEP] = ((spare > 0) | (left == 1))[..., None]
    for power in range(POWERS):
        room = 1 << power < left
        falls = (run == 0) | (power < run - 1)
        legal[..., KEEP + power] = room & falls & ((spare == 2) | ((spare == 1) & (left == 1 + (1 << power))))
    legal[..., REST] = run == 0
    legal[0] = True  # finished
    return legal.reshape(-1, ACTIONS)


PLACES = places(SIZE, (*NOW.values(), *BEFORE.values()), [MIRRORS["mirror"]], to_come=True)
LEGAL = _legal()
NUMBER = LEGAL.sum(1)
ORDER = np.argsort(~LEGAL, axis=1, kind="stable")
"""Number of the legal actions, and these in order, by ``Reel.key``."""
MOVES = np.array([*[1] * KEEP, *(1 << power for power in range(POWERS)), 0], np.int64)
"""Pixels that each action goes on; ``REST`` is computed."""
RUNS = np.array([*[0] * KEEP, *range(1, POWERS + 1), 0], np.int64)
"""``Reel.run`` after each action."""


@dataclasses.dataclass
class Reel(State):
    """B animations in the making.

    Attributes:
        sheet: uint8 [B, 1286 + C], what is observed: the pixels, frame by frame, those to come of the current frame
            being the frame before's, and those of later frames 0; frame, row and column of the next one; ``run``;
            decisions made, high and low byte; the conditions.
        at: int64 [B], the pixel that is next, 0 .. 1280.
        run: int64 [B], 0 after a painted pixel, ``1 + p`` after ``2^p`` kept ones.
        step: int64 [B], decisions made.
        key: int64 [B], row of ``LEGAL``.
        here: int64 [B], value of the next pixel, as which it is not painted.
    """

    sheet: NDArray[np.uint8]
    at: NDArray[np.int64]
    run: NDArray[np.int64]
    step: NDArray[np.int64]
    key: NDArray[np.int64]
    here: NDArray[np.int64]

    @classmethod
    def of(
        cls, sheet: NDArray[np.uint8], at: NDArray[np.int64], run: NDArray[np.int64], step: NDArray[np.int64]
    ) -> Reel:
        """Returns a state with all that follows from its first arrays."""
        nothing = (np.zeros(len(at), np.int64) for _ in range(2))
        state = cls(sheet, at, run, step, *nothing, done=at == WHOLE)
        state.look()
        return state

    def look(self) -> None:
        """Computes ``key``, ``here`` and the columns of the sheet that follow from the others."""
        frame, place = self.at >> 8, self.at & 255
        finished = frame == FRAMES
        left = PIXELS - place
        left[finished] = 0
        spare = np.minimum(HORIZON - FRAMES - self.step + frame, 2)
        spare[finished] = 0
        self.key = (left * (POWERS + 1) + self.run) * 3 + spare
        width = self.sheet.shape[1]
        self.here = self.sheet.reshape(-1).take(np.arange(0, self.sheet.size, width) + self.at).astype(np.int64)
        head = self.sheet[:, AT : AT + HEAD]
        head[:, 0] = frame
        head[:, 1] = place >> 4
        head[:, 2] = place & 15
        head[:, 3] = self.run
        head[:, 4] = self.step >> 8
        head[:, 5] = self.step & 255


class AnimationTask(Task[Reel]):
    """A short animation of a game character: five frames of 16 x 16 pixels with a palette of 16 colours.

    ### Description
    Each frame begins as a copy of the one before it, the first as a transparent one. Decisions go through its pixels
    row by row: they keep a run of pixels as they are, or paint the next one. An animation that stands still ends with
    four decisions. Real works are attacks, defences, deaths and other movements of units of Battle for Wesnoth, or
    animations of your own: see ``docs/environments/animation.md``.

    ### Action Space
    ``Discrete(26)``: 0 makes the next pixel transparent, 1 .. 16 give it a colour of the palette from dark to light;
    17 .. 24 keep 1, 2, 4 ... 128 pixels; 25 keeps the rest of the frame. Each animation is built in one way only: a
    pixel is not painted as it is, kept runs are sums of falling powers of two, and those at the end of a frame are
    "the rest". Once no decision is left but those that end the frames, these are the legal ones. Of your own
    pictures, those colours are legal that they have. An illegal action ``a`` counts as the ``a mod k``-th of the ``k``
    legal ones.

    ### Observation Space
    ``Box``, uint8: the pixels frame by frame, 0 .. 16, those to come of the current frame as they are if all is kept,
    and those of later frames 0; frame (5 at the end), row and column of the next pixel; 1 + the power of two that was
    kept last, 0 after a painted pixel; the number of decisions made, its high and its low byte; the conditions.

    ### Rewards
    0 until the last decision, then the discriminator's score of the animation. No rule reward.

    ### Starting State
    Five transparent frames; conditions of a random training animation.

    ### Episode End
    At the end of the fifth frame, after at most 640 decisions.

    ### Arguments
    ``data``: "wesnoth-units". ``corpus``: a folder of your own sprite sheets (PNG, square frames side by side) and GIF
    files instead. ``style``: words for conditions, such as ``"death"`` or ``"attack undead right"``; of your own
    animations, the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    horizon, num_actions = HORIZON, ACTIONS
    layout = Frames((FRAMES, SIZE, SIZE), (COLOURS + 1,), "uint8", cells=True)
    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.animation"
    skips_finished = True
    features = (
        Feature("frame", FRAMES + 1),
        Feature("row", SIZE),
        Feature("column", SIZE),
        Feature("run", POWERS + 1),
        Feature("spare", SPARE + 1),
        Feature("blank", LOOK + 1),
        *(Feature(name, OUTSIDE + 1) for name in (*NOW, *BEFORE, "mirror")),
    )

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "animations", "drew")
        self._style = style
        palette: NDArray[np.uint8] | None = None  # a folder's is known once its pictures are read
        if self._corpus is None:
            known = COLLECTIONS[self.data_name]
            self.conditions, palette = known.conditions, colours(known.palette)
        else:
            self._folder = find_folder(self._corpus)
            self.conditions = self._folder.conditions
        self.medium: Animation = Animation(
            lambda: self._gallery.palette if palette is None else palette, lambda: self.corpus("train")
        )
        self._fixed = parse_style(style, self.conditions)
        head = [FRAMES, SIZE - 1, SIZE - 1, POWERS, HORIZON >> 8, 255]
        last = [*[COLOURS] * WHOLE, *head, *(size - 1 for size in self.condition_sizes)]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Reel:
        """Returns transparent animations, with the styles of random training works where none are given."""
        B = len(draws)
        sheet = np.zeros((B, WHOLE + HEAD + len(self.conditions)), np.uint8)
        sheet[:, AT + HEAD :] = self.draw_conditions(draws, self._fixed) if condition is None else condition
        at, run, step, here = np.zeros((4, B), np.int64)
        return Reel(sheet, at, run, step, np.full(B, len(LEGAL) - 3 * POWERS - 1), here)

    def advance(self, state: Reel, actions: Ints) -> tuple[Reel, Bools]:
        """Keeps pixels, or paints one; a frame that ends is copied to the next one."""
        sheet, at = state.sheet, state.at
        going = at < WHOLE
        rows = np.flatnonzero((actions < KEEP) & going)
        sheet.reshape(-1)[rows * sheet.shape[1] + at[rows]] = actions[rows]
        after = np.where(actions == REST, (at | PIXELS - 1) + 1, at + MOVES[actions])
        np.copyto(at, after, where=going)
        np.copyto(state.run, RUNS[actions], where=going)
        state.step += going
        begun = np.flatnonzero((at & 255 == 0) & (at < WHOLE))
        frames, number = sheet[:, :WHOLE].reshape(-1, FRAMES, PIXELS), at[begun] >> 8  # a view
        frames[begun, number] = frames[begun, number - 1]
        state.look()
        return state, at == WHOLE

    def action_mask(self, state: Reel) -> Bools:
        """Returns the legal actions, bool [B, 26]."""
        mask: Bools = LEGAL.take(state.key, axis=0)
        mask[np.arange(len(mask)), state.here] = False  # a pixel that stays is kept
        mask[:, 1 + len(self.medium.palette) : KEEP] = False
        return mask

    def legalise(self, state: Reel, actions: Ints) -> Ints:
        """Returns actions as ``Task.legalise`` does, without a mask where there are 16 colours."""
        if len(self.medium.palette) < COLOURS:
            return super().legalise(state, actions)
        legal = LEGAL.reshape(-1).take(state.key * ACTIONS + actions) & (actions != state.here)
        illegal = np.flatnonzero(~legal)
        if len(illegal):
            key, here = state.key[illegal], state.here[illegal]
            paints = LEGAL[key, 0]  # all values but one
            ranks = actions[illegal] % (NUMBER[key] - paints)
            ranks += paints & (ranks >= here)
            actions = np.array(actions)
            actions[illegal] = ORDER[key, ranks]
        return actions

    def observe(self, state: Reel) -> NDArray[np.uint8]:
        """Returns uint8 [B, 1286 + C]."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Reel:
        """Inverts ``observe``."""
        sheet = np.asarray(observations).astype(np.uint8)
        frame, row, column, run, high, low = sheet[:, AT : AT + HEAD].astype(np.int64).T
        at = frame * PIXELS + row * SIZE + column
        return Reel.of(sheet, at, run, high << 8 | low)

    def feature_values(self, state: Reel) -> Ints:
        """Returns int64 [B, 20]: the frame, place, run and spare decisions, transparent pixels ahead, neighbours.

        Neighbours beyond the edge are ``OUTSIDE``, and so is the mirror image of a pixel in the left half. The frame
        before the first one is transparent. All of a finished animation are 0, but the frame.
        """
        at, rows = state.at, np.arange(len(state))[:, None]
        frame, place = at >> 8, at & 255
        going = at < WHOLE
        first = np.minimum(frame, FRAMES - 1)[:, None] * PIXELS
        before = np.r_[[0] * len(NOW), [PIXELS] * (len(BEFORE) - 1), 2 * PIXELS, 0]
        near = PLACES[place]
        there = first + near - before
        found = np.where(there < 0, 0, state.sheet[rows, np.maximum(there, 0)])
        found = np.where(near == PIXELS, OUTSIDE, found)
        ahead = np.minimum(place[:, None] + np.arange(LOOK), PIXELS - 1)
        covered = state.sheet[rows, first + ahead] > 0
        blank = np.where(covered.any(1), covered.argmax(1), LOOK)
        spare = np.clip(HORIZON - state.step - FRAMES + frame, 0, SPARE)
        values = np.column_stack([place >> 4, place & 15, state.run, spare, blank, found]) * going[:, None]
        return np.column_stack([frame, values]).astype(np.int64)

    def content(self, state: Reel) -> NDArray[np.uint8]:
        """Returns uint8 [B, 5, 16, 16]; pixels to come are as they are if all is kept."""
        frames = state.sheet[:, :WHOLE].reshape(-1, FRAMES, SIZE, SIZE)
        latest = np.minimum(np.arange(FRAMES), (state.at >> 8)[:, None])
        content: NDArray[np.uint8] = frames[np.arange(len(frames))[:, None], latest]
        return content

    def condition(self, state: Reel) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.sheet[:, AT + HEAD :].astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the decisions that build animations, int64 [N, 640], padded with 0.

        Raises:
            ValueError: a content is no animation, or takes more than 640 decisions.
        """
        return encode(self.layout.checked(contents, "animations"))

    def beginning(self, contents: Array, frames: int = 1) -> list[Ints]:
        """Returns the decisions that build the first frames of animations, N arrays int64 [P]: prefixes to continue.

        Args:
            contents: uint8 [N, 5, 16, 16]; or [N, 16, 16], pictures to be set in motion.
            frames: number of frames that are given.

        Raises:
            ValueError: a content is neither, or its beginning takes too many decisions.
        """
        contents = np.asarray(contents)
        if contents.ndim == 3:
            contents = contents[:, None].repeat(FRAMES, 1)
        held = self.layout.checked(contents, "animations").copy()
        held[:, frames:] = held[:, frames - 1, None]
        ends = decisions(held) - (FRAMES - frames)  # a frame that is kept takes one decision
        return [actions[:end] for actions, end in zip(encode(held), ends.tolist(), strict=True)]

    def kept(self, content: Array, touched: Bools, condition: Ints) -> Ints:
        """Returns the decisions that build all frames up to the last one that a person touched, int64 [P]."""
        return self.beginning(content[None], 1 + int(np.flatnonzero(touched.any((1, 2)))[-1]))[0]

    def works(self, split: Split) -> Works:
        """Returns the animations of a split, related by the unit or file that they are of."""
        return self._gallery.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._gallery.works.report

    def render(self, state: Reel) -> list[NDArray[np.uint8]]:
        """Draws the animations as they stand: the frames so far are played in a loop, and the next pixel is framed."""
        places = [None if done else int(at) for at, done in zip(state.at, state.done, strict=True)]
        clock = state.step.tolist()
        return [
            self.medium.picture(content, place, time)
            for content, place, time in zip(self.content(state), places, clock, strict=True)
        ]

    def action_name(self, action: int) -> str:
        """Returns "transparent", a colour as "#cd5e0d", "keep 8" or "keep the rest"."""
        if action < KEEP:
            return self.medium.value_name(action)
        return "keep the rest" if action == REST else f"keep {MOVES[action]}"

    @functools.cached_property
    def _gallery(self) -> Gallery:
        return load_collection(self.data_name) if self.data_name else self._folder.load()
