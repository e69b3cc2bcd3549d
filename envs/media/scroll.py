"""Chinese poems: a hanging scroll, text, and measures of a population."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Floats, Ints, Medium
from . import calligraphy as brush
from .fonts import font_file, latin
from .pictures import save_png
from .regulated import FIRST, NAMES, OBLIQUE, Letters, due, kept, laid_out
from .tokens import Tokens

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Picture = NDArray[np.uint8]

TALL = 448  # pixels of a column of characters
CELL = (36, 104)  # least and largest height of a character's place
ABOVE, BELOW = 30, 58  # paper above and below the columns
NARROWEST = 264
STRIP, LINE = 100, 20  # least height of the strip below the paper, and that of a line of pinyin
TILE = 40  # pixels of a choice
SEALS = {"idiom": "成语", "five": "五絕", "seven": "七絕"}
"""Characters of the seal by form; others have "poem", in one character."""
OTHER_SEAL = "詩"


class Form(Protocol):
    """The form of a poem."""

    @property
    def lines(self) -> int:
        """Number of lines."""

    @property
    def length(self) -> int:
        """Characters of a line."""

    @property
    def name(self) -> str:
        """Name of the form."""

    @property
    def regulated(self) -> bool:
        """True where rules of rhyme and tones apply."""


class Scroll(Medium):
    """Contents int [T] of tokens: ``FIRST`` + the index of a character, 1 for the end of a line, 0 for padding.

    Args:
        forms: of the poems; a condition is the index of one. Without a condition it is told by the first line.
        letters: returns the alphabet; called when first needed.
        regulated: True where some forms have rules of rhyme and tones.
        reference: returns the real contents [N, T] that choices and known pairs are of; called when first needed.
    """

    def __init__(
        self,
        forms: Sequence[Form],
        letters: Callable[[], Letters],
        regulated: bool,
        reference: Callable[[], Array],
    ) -> None:
        self._forms, self._letters, self._regulated, self._reference = tuple(forms), letters, regulated, reference
        self._lines, self._longest = max(form.lines for form in forms), max(form.length for form in forms)
        self._cell = int(np.clip(TALL // self._longest, *CELL))
        self._column = self._cell + max(22, self._cell // 4)
        paper = self._lines * self._column + 28
        self._width = max(NARROWEST, paper + 2 * brush.MOUNT)
        self._strip = max(STRIP, LINE * self._lines + 20)
        self._height = brush.MOUNT + ABOVE + self._longest * self._cell + BELOW + self._strip

    @property
    def letters(self) -> Letters:
        """The alphabet."""
        return self._letters()

    def _grid(self, contents: Array) -> NDArray[np.int16]:
        """Returns poems [N, T] as a grid [N, L, W], see ``laid_out``."""
        grid = laid_out(contents, self._lines, self._longest)
        if grid.size and grid.max() > len(self.letters.alphabet):
            raise ValueError(f"a poem has characters beyond the {len(self.letters.alphabet)} of the alphabet")
        return grid

    def _forms_of(self, grid: Array, conditions: Ints | None) -> Ints:
        """Returns the forms of poems [N, L, W], int [N]: their conditions, else those with lines as the first one."""
        if conditions is not None and conditions.shape[1]:
            return conditions[:, 0]
        alike = np.count_nonzero(grid[:, 0], axis=1)[:, None] == [form.length for form in self._forms]  # [N, F]
        return np.where(alike.any(1), alike.argmax(1), len(self._forms) - 1)

    def _form(self, grid: Array, condition: Ints | None) -> Form:
        """Returns the form of a poem [L, W]."""
        return self._forms[int(self._forms_of(grid[None], None if condition is None else condition[None])[0])]

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Returns the poem in one line, with a comma after odd lines and a full stop after even ones."""
        grid = self._grid(np.asarray(content)[None])[0]
        lines = ["".join(self.letters.alphabet[letter - 1] for letter in line[line > 0]) for line in grid]
        lines = lines[: max((number for number, line in enumerate(lines, 1) if line), default=0)]
        if len(lines) < 2:
            return "".join(lines) or "(empty)"
        return "".join(line + ("，", "。")[number % 2] for number, line in enumerate(lines))

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Returns the last character with its reading, or "end of line"."""
        written = np.asarray(content)[np.asarray(content) > 0]
        if not len(written):
            return ""
        return self._name(int(written[-1]) - FIRST) if written[-1] >= FIRST else "end of line"

    def _name(self, letter: int) -> str:
        return f"{self.letters.alphabet[letter]} {self.letters.pinyin[letter]}".rstrip()

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt, which ``corpus=PATH`` reads again, and .png."""
        txt, png = Path(path).with_suffix(".txt"), Path(path).with_suffix(".png")
        txt.parent.mkdir(parents=True, exist_ok=True)
        txt.write_text(self.describe(content, condition) + "\n", encoding="utf-8")
        save_png(self.render(content, condition), png)
        return [txt, png]

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Picture:
        """Draws the poem in ink, its columns from the right, with its pinyin below.

        Beside characters of regulated forms stand their tones, a ring for a level and a dot for an oblique one; the
        rhymes of even lines are red where they hold. A finished poem has a seal.
        """
        shown = np.array(content)
        if upto is not None:
            shown[upto:] = 0
        return self.draw(shown, condition)

    def draw(self, content: Array, condition: Ints | None = None, choices: bool = False) -> Picture:
        """Draws a poem as ``render`` does; ``choices`` shows some next characters in place of its pinyin."""
        from PIL.ImageDraw import Draw

        content = np.asarray(content)
        grid = self._grid(content[None])[0]
        form = self._form(grid, condition)
        picture = brush.ground(self._width, self._height, self._strip).copy()
        canvas = Draw(picture)
        line, place = self._next(content)
        finished = line >= form.lines
        self._rules(canvas, form)
        self._ink(canvas, grid, form)
        if finished:
            size = 44
            left, bottom = brush.MOUNT + 12, self._height - self._strip - 8
            box = (left, bottom - size, left + size / 1.4, bottom)
            text = SEALS.get(form.name, OTHER_SEAL)
            if all(font_file(each) for each in text):
                brush.seal(canvas, box, text)
        else:
            x, y = self._centre(line, place, max(form.length, place + 1))
            half = 0.46 * self._cell
            canvas.rounded_rectangle((x - half, y - half, x + half, y + half), 6, outline=brush.MARKED, width=2)
        if choices and not finished:
            for action, (left, top) in self._tiles(content, condition):
                canvas.rounded_rectangle((left, top, left + TILE - 4, top + TILE - 4), 5, brush.TRAY, brush.EDGE)
                text, reading = ("。", ".") if action == 0 else self._letter(action - 1)
                centre = (left + TILE / 2 - 2, top + TILE / 2 - 2)
                brush.character(canvas, centre, text, reading, TILE - 12, brush.LIGHT)
        else:
            self._pinyin(canvas, grid)
        return np.array(picture)

    def _letter(self, letter: int) -> tuple[str, str]:
        return self.letters.alphabet[letter], self.letters.pinyin[letter]

    def _next(self, content: Array) -> tuple[int, int]:
        """Returns line and place of the next character."""
        line = place = 0
        for token in content.tolist():
            place += token >= FIRST
            if token == FIRST - 1 or place == self._longest:
                line, place = line + 1, 0
        return line, place

    def _x(self, line: int) -> float:
        middle, columns = self._width / 2, self._lines
        return middle + ((columns - 1) / 2 - line) * self._column

    def _centre(self, line: int, place: int, places: int) -> tuple[float, float]:
        """Returns the middle of a place in a column of so many places."""
        pitch = self._longest * self._cell / places
        return self._x(line), brush.MOUNT + ABOVE + (place + 0.5) * pitch

    def _rules(self, canvas: ImageDraw, form: Form) -> None:
        """Draws the lines between columns."""
        top, bottom = brush.MOUNT + ABOVE - 12, brush.MOUNT + ABOVE + self._longest * self._cell + 12
        for line in range(-1, self._lines):
            x = self._x(line) - self._column / 2
            canvas.line((x, top, x, bottom), brush.RULE)

    def _ink(self, canvas: ImageDraw, grid: Array, form: Form) -> None:
        """Draws the characters and their tones."""
        size, letters = round(0.86 * self._cell), self.letters
        ends = np.count_nonzero(grid, axis=1) - 1
        rhymes = [int(letters.rhymes[grid[line, end]]) if end >= 0 else 0 for line, end in enumerate(ends.tolist())]
        for line, row in enumerate(grid):
            places = max(form.length, int(ends[line]) + 1)
            for place in range(int(ends[line]) + 1):
                x, y = self._centre(line, place, places)
                letter = int(row[place])
                brush.character(canvas, (x, y), *self._letter(letter - 1), size, brush.INK)
                tone = int(letters.tones[letter])
                if not form.regulated or not tone:
                    continue
                rhymes_here = line % 2 == 1 and place == ends[line] and rhymes[line] == rhymes[1] > 0
                mark = (x + self._column / 2 - 9, y + 0.26 * self._cell)
                brush.tone_mark(canvas, mark, tone == OBLIQUE, brush.VERMILION if rhymes_here else brush.FAINT)

    def _pinyin(self, canvas: ImageDraw, grid: Array) -> None:
        """Writes the readings of the lines below the paper."""
        lines = [" ".join(self.letters.pinyin[letter - 1] for letter in row[row > 0]) for row in grid]
        font = latin(14)
        top = self._height - self._strip / 2 - LINE * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            canvas.text((self._width / 2, top + LINE * number), line, brush.LIGHT, font, anchor="mm")

    def _tiles(self, content: Array, condition: Ints | None) -> list[tuple[int, tuple[int, int]]]:
        """Returns some next actions, with left and top of each one's tile, pixels."""
        columns, rows = (self._width - 20) // TILE, (self._strip - 12) // TILE
        left, top = (self._width - columns * TILE + 4) // 2, self._height - self._strip + 12
        actions = self.choices(content, condition, columns * rows)
        return [(action, (left + at % columns * TILE, top + at // columns * TILE)) for at, action in enumerate(actions)]

    def choice_at(self, content: Array, condition: Ints | None, x: int, y: int) -> int | None:
        """Returns the action whose tile is at a pixel of ``draw``'s picture with choices; None for none."""
        return next(
            (
                action
                for action, (left, top) in self._tiles(content, condition)
                if 0 <= x - left < TILE and 0 <= y - top < TILE
            ),
            None,
        )

    def choices(self, content: Array, condition: Ints | None, num: int) -> list[int]:
        """Returns next actions that fit an unfinished poem: the end of the line where it is due, then characters.

        Those that follow the last character most often in real works stand first; of regulated forms only those whose
        tone and rhyme fit.
        """
        grid = self._grid(np.asarray(content)[None])[0]
        form, (line, place) = self._form(grid, condition), self._next(np.asarray(content))
        last = int(grid[line, place - 1]) if place else 0
        starts, following = self._followers
        ranked = following[starts[last] : starts[last + 1]]
        every = np.arange(1, len(self.letters.alphabet) + 1)
        ranked = np.concatenate([ranked, every[~np.isin(every, ranked)]])
        ranked = ranked[self._fitting(grid, form, line, place)[ranked]][:num].tolist()
        return [0, *ranked[: num - 1]] if place >= form.length else ranked

    def _fitting(self, grid: Array, form: Form, line: int, place: int) -> NDArray[np.bool_]:
        """Returns which characters fit by tone and rhyme, bool [1 + K], by 1 + their index."""
        letters, fits = self.letters, np.ones(1 + len(self.letters.alphabet), np.bool_)
        if not form.regulated:
            return fits
        at, shape = np.array([[line], [place]]), np.array([[form.lines], [form.length]])
        tone, rhyme = (int(asked[0]) for asked in due(grid[None], at[0], at[1], shape[0], shape[1], letters))
        if tone:
            fits &= letters.tones == tone
        if rhyme:
            fits &= letters.rhymes == rhyme
            fits[grid[:, place]] = False  # a word does not rhyme with itself
        return fits

    @functools.cached_property
    def _pairs(self) -> tuple[Ints, Ints]:
        """Returns pairs of neighbours in lines of real works as one number each, sorted, and how often each occurs.

        The number is that of the first character times (1 + K) plus that of the second, 1 + their indices; 0 stands
        before the first of a line.
        """
        pairs, counts = np.unique(self._neighbours(self._grid(self._reference())), return_counts=True)
        return pairs, counts

    def _neighbours(self, grid: Array) -> Ints:
        """Returns the pairs of neighbours in lines [N, L, W], a line's start included, as numbers int64 [P]."""
        size = 1 + len(self.letters.alphabet)
        rows = grid.reshape(-1, grid.shape[-1]).astype(np.int64)
        before = np.pad(rows, ((0, 0), (1, 0)))[:, :-1]
        pairs: Ints = (before * size + rows)[rows > 0]
        return pairs

    @functools.cached_property
    def _followers(self) -> tuple[Ints, Ints]:
        """Returns where the followers of each character begin, int [2 + K], and these, the most frequent first."""
        pairs, counts = self._pairs
        first, second = np.divmod(pairs, 1 + len(self.letters.alphabet))
        order = np.lexsort((second, -counts, first))
        return np.searchsorted(first, np.arange(2 + len(self.letters.alphabet))), second[order]

    def sheet(self, contents: Array, columns: int, conditions: Ints | None = None) -> Picture:
        """Tiles poems [N, T] without their pinyin, at half the size, so many in a row."""
        from PIL import Image

        size = (self._width // 2, (self._height - self._strip + 8) // 2)
        rows = -(-len(contents) // columns)
        whole = Image.new("RGB", (columns * size[0], rows * size[1]), brush.SILK)
        for number, content in enumerate(contents):
            picture = self.draw(content, None if conditions is None else conditions[number])
            cut = Image.fromarray(picture[: self._height - self._strip + 8])
            place = (number % columns * size[0], number // columns * size[1])
            whole.paste(cut.resize(size, Image.Resampling.LANCZOS), place)
        return np.array(whole)

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the shares of places where each rule holds, float32 [N, R], see ``regulated.kept``."""
        grid = self._grid(np.asarray(contents))
        lines, lengths = np.array([(form.lines, form.length) for form in self._forms])[
            self._forms_of(grid, conditions)
        ].T
        return kept(grid, lines, lengths, self.letters)[:, : None if self._regulated else 1]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, T].

        ``length`` and, of regulated forms, ``rhyme``, ``alternation``, ``opposition`` and ``adhesion``: mean shares of
        places where the rules hold (Wang Li 1958; ``media.regulated``). ``regulated``: share of poems that keep all of
        them everywhere. ``known_pairs``: share of pairs of neighbours in lines, a line's start included, that training
        works have too: the precision of bigrams (Papineni et al. 2002, "BLEU"), not clipped. ``repeated``: mean share
        of a poem's characters that it has had before. ``distinct_1``, ``distinct_2``: different tokens, and pairs of
        successive ones, over all of the population (Li et al. 2016), which fall as N grows.
        """
        contents = np.asarray(contents)
        grid, shares = self._grid(contents), self.rules(contents, conditions)
        found = dict(zip(NAMES, shares.mean(0).tolist(), strict=False))
        if self._regulated:
            found["regulated"] = float((shares == 1).all(1).mean())
        neighbours, known = self._neighbours(grid), self._pairs[0]
        found["known_pairs"] = float(np.isin(neighbours, known).mean()) if len(neighbours) else 0.0
        flat = grid.reshape(len(grid), -1)
        different = np.array([len(np.unique(row[row > 0])) for row in flat])
        found["repeated"] = float(np.mean(1 - different / np.maximum((flat > 0).sum(1), 1)))
        return found | Tokens(FIRST + len(self.letters.alphabet) - 1).metrics(contents)
