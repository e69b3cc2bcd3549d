"""An agent's decisions beside the work as it grows: one picture for each, for the window and for animations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..envs.media import fonts
from ..envs.media.pictures import BACKGROUND, BAR, FAINT, LANE, TEXT, Colour, palette_in, save_gif
from .panel import KNOWN, MARKED, SIGNS

if TYPE_CHECKING:
    from ..agents.inspection import Inspection

WIDTH, ROW, MARGIN = 470, 24, 18  # pixels of a panel, of a line of its table, around everything
LABEL, SHARE, VALUE = 150, 345, 452  # left end of the bars, right ends of probabilities and of Q-values
HEIGHT = MARGIN + 26 + 9 * ROW  # of the table: its head, and the actions that an inspection lists
PLOT = 62  # height of a curve
TIMES = 2  # drawn larger, then scaled down
NOTHING = 5e-5  # probabilities below are shown as 0
WIDE = 1.25  # sides of a picture from which on the panels stand below it
GIF_WIDTH, GIF_FRAMES, GIF_SECONDS, LAST_SECONDS = 720, 120, 12.0, 3.0
FASTEST, SLOWEST = 0.08, 0.6  # seconds of a decision in an animation
BLUE: Colour = (110, 180, 255)


class Inspector:
    """Draws the decisions of one episode.

    Args:
        inspection: the agent's view of the episode.
    """

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection

    def __len__(self) -> int:
        """Returns the number of pictures: the decisions, and the finished work."""
        return len(self.inspection.pictures)

    def picture(self, step: int) -> NDArray[np.uint8]:
        """Returns a decision's panels beside the work before it, uint8 [H, W, 3]; the last shows the finished work."""
        shown, panels = self.inspection.pictures[step], (self._table(step), self._curves(step))
        if shown.shape[1] >= WIDE * shown.shape[0] and shown.shape[1] >= WIDTH:
            return _stacked(shown, _beside(*panels))
        panel = _stacked(*panels)
        times = max(1, round(panel.shape[0] / shown.shape[0]))
        return _beside(shown.repeat(times, 0).repeat(times, 1), panel)

    def save(self, path: Path) -> list[Path]:
        """Writes them as an endless GIF, of at most ``GIF_FRAMES`` decisions, evenly spread; returns its path."""
        path = path.with_suffix(".gif")
        path.parent.mkdir(parents=True, exist_ok=True)
        last = len(self) - 1
        steps = np.unique(np.linspace(0, last, min(GIF_FRAMES, last + 1)).round().astype(int)).tolist()
        pictures = [self.picture(step) for step in steps]
        each = min(max(GIF_SECONDS / len(steps), FASTEST), SLOWEST)
        width = min(GIF_WIDTH, pictures[0].shape[1])
        save_gif(pictures, [*[each] * (len(pictures) - 1), LAST_SECONDS], path, width, palette_in(pictures, 128))
        return [path]

    def _table(self, step: int) -> NDArray[np.uint8]:
        """Draws the likeliest actions of a decision, and the one taken."""
        seen, sheet = self.inspection, _Sheet(HEIGHT)
        head = "finished" if step == len(seen.actions) else f"choice {step + 1} of {len(seen.actions)}"
        if seen.opinions is not None and np.isfinite(seen.opinions[step]):
            logit = float(seen.opinions[step])
            head += f"   ·   D: looks real {50 * (1 + math.tanh(logit / 2)):.0f}% (logit {logit:+.1f})"
        sheet.write(head, MARGIN, MARGIN - 4, 15, TEXT)
        step = min(step, len(seen.actions) - 1)
        probabilities, values = seen.probabilities[step], seen.q_values[step]
        top, full = MARGIN + 26, SHARE - LABEL - 62
        sheet.write(f"action (of {np.isfinite(values).sum():,})", MARGIN, top, 11, FAINT)
        for title, right in (("probability", SHARE), ("Q-value", VALUE)):
            sheet.write(title, right, top, 11, FAINT, anchor="ra")
        for row, (action, name) in enumerate(seen.names[step].items(), 1):
            share, y, marked = float(probabilities[action]), top + row * ROW, action == seen.actions[step]
            colour = MARKED if marked else TEXT
            sheet.box(LABEL, y - 2, LABEL + full, y + 14, LANE)
            if share >= NOTHING:
                sheet.box(LABEL, y - 2, LABEL + max(1.0, share * full), y + 14, MARKED if marked else BAR)
            sheet.write(name, MARGIN, y, 13, colour, most=LABEL - MARGIN - 8)
            sheet.write(f"{100 * share:.1f}%", SHARE, y, 13, colour, anchor="ra")
            sheet.write(f"{values[action]:+.2f}", VALUE, y, 13, colour, anchor="ra")
        return sheet.pixels()

    def _curves(self, step: int) -> NDArray[np.uint8]:
        """Draws the entropy of the policy, and the opinion of D, up to a decision."""
        seen = self.inspection
        shown = [("entropy of the policy, nats", seen.entropies, min(step + 1, len(seen.actions)), MARKED, 0.0)]
        if seen.opinions is not None:
            least = float(np.nanmin(seen.opinions))
            shown.append(("D's logit of the work so far", seen.opinions, step + 1, BLUE, least))
        sheet = _Sheet(MARGIN + len(shown) * (PLOT + 32))
        for number, (title, numbers, upto, colour, least) in enumerate(shown):
            sheet.curve(numbers, upto, MARGIN // 2 + number * (PLOT + 32), title, colour, least)
        return sheet.pixels()


def _beside(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns one picture beside the other, both in the middle."""
    return _stacked(left.transpose(1, 0, 2), right.transpose(1, 0, 2)).transpose(1, 0, 2)


def _stacked(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns one picture above the other, both in the middle."""
    width = max(upper.shape[1], lower.shape[1])
    whole = np.empty((len(upper) + len(lower), width, 3), np.uint8)
    whole[:] = BACKGROUND
    top = 0
    for part in (upper, lower):
        left = (width - part.shape[1]) // 2
        whole[top : top + len(part), left : left + part.shape[1]] = part
        top += len(part)
    return whole


class _Sheet:
    """A panel being drawn, in pixels of its final size.

    Args:
        height: of the panel.
    """

    def __init__(self, height: int) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (TIMES * WIDTH, TIMES * height), BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    def pixels(self) -> NDArray[np.uint8]:
        """Returns the panel, uint8 [height, WIDTH, 3]."""
        return np.asarray(self._image.reduce(TIMES))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fills a box."""
        self._draw.rectangle([TIMES * left, TIMES * top, TIMES * right - 1, TIMES * bottom - 1], fill=colour)

    def write(
        self, text: str, x: float, y: float, size: int, colour: Colour, anchor: str = "la", most: float = math.inf
    ) -> None:
        """Writes a line, cut off where it is longer than ``most`` pixels; signs that no font has are left out."""
        text = "".join(sign for sign in text.translate(SIGNS) if sign <= KNOWN or fonts.font_file(sign)).strip()
        rarest = max(text, default="")
        font = (fonts.font(rarest, TIMES * size) if rarest > "\u2e80" else None) or fonts.latin(TIMES * size)
        if self._draw.textlength(text, font) > TIMES * most:
            while text and self._draw.textlength(text + "…", font) > TIMES * most:
                text = text[:-1]
            text += "…"
        self._draw.text((TIMES * x, TIMES * y), text, fill=colour, font=font, anchor=anchor)

    def curve(
        self, numbers: NDArray[np.float64], upto: int, top: int, title: str, colour: Colour, least: float
    ) -> None:
        """Draws the first numbers of a curve, whose scale is that of all; 0 is marked where it lies within.

        Args:
            numbers: of the whole curve, float [N]; NaN where there is none.
            upto: how many are drawn.
            top: of the title.
            title: above the curve.
            colour: of the curve.
            least: lower end of the scale.
        """
        self.write(title, MARGIN, top, 11, FAINT)
        first, floor = top + 18, top + 18 + PLOT
        self.box(MARGIN, first, VALUE, floor, LANE)
        most = float(np.nanmax(numbers))
        scale = (PLOT - 12) / max(most - least, 1e-6)

        def height(number: float) -> float:
            return TIMES * (floor - 6 - scale * (number - least))

        if least < 0 < most:
            self._draw.line([(TIMES * MARGIN, height(0.0)), (TIMES * VALUE, height(0.0))], fill=BAR, width=TIMES)
        across = np.linspace(MARGIN + 6, VALUE - 6, max(2, len(numbers))) * TIMES
        known = [step for step in range(upto) if np.isfinite(numbers[step])]
        if not known:
            return
        self.write(f"{numbers[known[-1]]:.2f}", VALUE, top, 12, colour, anchor="ra")
        points = [(float(across[step]), height(float(numbers[step]))) for step in known]
        if len(points) > 1:
            self._draw.line(points, fill=colour, width=2 * TIMES, joint="curve")
        x, y = points[-1]
        self._draw.ellipse((x - 3 * TIMES, y - 3 * TIMES, x + 3 * TIMES, y + 3 * TIMES), fill=colour)
