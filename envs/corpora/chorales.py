"""Phrases of chorales for four voices: Bach's, which music21 ships, or those of your own files.

Pieces are cut where phrases end, reduced to a grid of eighths and split by melody: ``docs/environments/chorale.md``.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cache import Arrays, apart, cache_folder, cached
from .files import Found, read_files
from .musicxml import places
from .notation import TICKS_PER_WHOLE
from .phrasing import Phrases, find_scores, joined, phrases_of, text_of
from .strains import Strain, components, deal
from .voices import SUFFIXES, VOICES, Piece, read_piece

STEP = 12  # ticks of an eighth
STEPS = 32  # of a phrase at most: 98.7% of Bach's have no more
FEWEST = 4  # steps of a phrase
LOWEST, HIGHEST = 36, 81  # MIDI pitches: C2 to A5, the notes of Bach's chorales
METRES = ((4, 4), (3, 4))  # 2/2 counts as 4/4
MODES = ("major", "minor")
UPBEATS = (0, 2, 4, 6)  # steps
PLACES = ("opening", "inner", "closing")
BARS = 4  # of a phrase, in pieces that say not where phrases end
SLACK = 2  # ticks by which a note may begin late or end early
MELODY = 5  # intervals of a phrase's melody that tell it from others
PARSER_VERSION = 1  # raise it whenever a phrase or a label may come out differently: older caches are then ignored
LAYOUT = {
    "phrases": (np.int32, (None, 10)),
    "pitches": (np.int16, (None, len(VOICES))),
    "begins": (np.bool_, (None, len(VOICES))),
    "text": (np.uint8, (None,)),
}


class Phrase(NamedTuple):
    """A phrase on a grid of eighths, L steps.

    Attributes:
        piece: number of its piece.
        family: number of the family of its piece; pieces of one family have one melody, or share parts of it.
        metre: (numerator, denominator), one of ``METRES``.
        tonic: pitch class of the piece's tonic, 0 is C.
        mode: of the piece, one of ``MODES``.
        upbeat: steps before the first bar line, one of ``UPBEATS``.
        place: "opening", "inner" or "closing" of its piece.
        lost: number of notes that the grid passes over.
        pitches: int16 [L, 4], MIDI pitch of each voice from the soprano down, -1 for a rest.
        begins: bool [L, 4], True where a note begins.
    """

    piece: int
    family: int
    metre: tuple[int, int]
    tonic: int
    mode: str
    upbeat: int
    place: str
    lost: int
    pitches: NDArray[np.int16]
    begins: NDArray[np.bool_]


def load_phrases(corpus: str | None = None) -> Phrases[Phrase]:
    """Returns the phrases of a corpus, from the cache where it is there; there may be none.

    Args:
        corpus: a folder with your own MIDI (``.mid``, ``.midi``) and MusicXML (``.mxl``, ``.musicxml``, ``.xml``) files
            for four voices, or one such file; None for Bach's chorales.

    Raises:
        CorpusMissingError: Bach's chorales are not on this machine.
        ValueError: there is no such folder, or no such file of these kinds.
    """
    found, key = find_scores(corpus, SUFFIXES, "chorales")
    path = cache_folder() / f"chorales-{key}-v{PARSER_VERSION}.npz"
    return cached(path, LAYOUT, lambda: _arrays(_build(found, fermatas=corpus is None)), _phrases)


def _build(found: Found, fermatas: bool) -> Phrases[Phrase]:
    """Returns the phrases of files; with ``fermatas``, of those pieces alone that have any."""
    pieces, skipped = read_files(found, read_piece)
    left_out = Counter[str]()
    if fermatas and (without := [piece for piece in pieces if not piece.ends]):
        left_out["piece: no fermatas, so that nothing says where phrases end"] = len(without)
        pieces = [piece for piece in pieces if piece.ends]
    kept = [(piece, phrases) for piece in pieces if (phrases := cut(piece, left_out))]
    family = families([piece for piece, _ in kept])
    items = [
        phrase._replace(piece=number, family=family[number])
        for number, (_, phrases) in enumerate(kept)
        for phrase in phrases
    ]
    kinds: list[Hashable] = [(phrase.metre, phrase.mode) for phrase in items]
    names = [piece.source for piece, _ in kept]
    labels = deal([phrase.family for phrase in items], kinds, [names[phrase.piece] for phrase in items]) if kept else []
    return Phrases(tuple(items), tuple(labels), tuple(names), left_out, len(found.files) + len(found.skipped), skipped)


def cut(piece: Piece, left_out: Counter[str]) -> list[Phrase]:
    """Cuts a piece into phrases; counts those that are left out, by reason.

    Phrases end with the notes of the soprano that have a fermata; in pieces without any, every four bars. Steps in
    which all voices are silent are dropped at both ends, except in files of our own.
    """
    spans, found = _spans(piece), list[Phrase]()
    onsets, lines = [measure.onset for measure in piece.measures], places(piece.measures)
    for number, (begin, end) in enumerate(spans):
        first = bisect.bisect(onsets, begin) - 1
        touched = [measure.metre for measure in piece.measures[first : bisect.bisect_left(onsets, end)]]
        beats, unit = (4, 4) if touched[0] == (2, 2) else touched[0]
        slot, rest = divmod(begin - onsets[first] + lines[first], STEP)
        pitches, begins, lost = reduced(piece.voices, begin, end)
        reason = ""
        if len(set(touched)) > 1:
            reason = "its metre changes"
        elif (beats, unit) not in METRES:
            reason = f"metre {beats}/{unit}, not one of {', '.join(f'{a}/{b}' for a, b in METRES)}, 2/2"
        elif piece.mode not in MODES:
            reason = f"mode {piece.mode}, not one of {', '.join(MODES)}"
        elif rest or -slot % (2 * beats) not in UPBEATS:
            reason = "its upbeat is not of whole quarters"
        elif len(pitches) > STEPS:
            reason = f"longer than {STEPS} eighths"
        elif len(pitches) < FEWEST:
            reason = f"shorter than {FEWEST} eighths"
        elif (pitches < 0).all(0).any():
            reason = "a voice is silent"
        elif pitches.max() > HIGHEST or pitches[pitches >= 0].min() < LOWEST:
            reason = "a note below C2 or above A5"
        if reason:
            left_out[f"phrase: {reason}"] += 1
            continue
        name = piece.place or PLACES[2 if number == len(spans) - 1 else 1 if number else 0]
        found.append(
            Phrase(0, 0, (beats, unit), piece.tonic, piece.mode, -slot % (2 * beats), name, lost, pitches, begins)
        )
    return found


def _spans(piece: Piece) -> list[tuple[int, int]]:
    """Returns the first and last tick of each phrase, silence at either end left out."""
    ends = piece.ends
    if piece.place:
        return [(0, piece.length)]
    if not ends:
        beats, unit = piece.measures[-1].metre
        bars = max(STEP, BARS * TICKS_PER_WHOLE * beats // unit) if unit else piece.length
        ends = (*range(bars, piece.length, bars), piece.length)
    spans = list[tuple[int, int]]()
    for begin, end in zip((0, *ends), (*ends, piece.length), strict=False):
        inside = [notes[(notes[:, 0] < end) & (notes[:, 1] > begin)] for notes in piece.voices]
        if any(len(notes) for notes in inside):
            first = min(int(notes[0, 0]) for notes in inside if len(notes))
            last = max(int(notes[-1, 1]) for notes in inside if len(notes))
            spans.append((max(begin, begin + (first - begin) // STEP * STEP), min(end, last)))
    return spans


def reduced(
    voices: Sequence[NDArray[np.int32]], begin: int, end: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_], int]:
    """Reduces the music between two ticks to steps: each has the notes that sound where it begins.

    Returns:
        Pitches int16 [L, 4] and beginnings bool [L, 4] as in `Phrase`, and the number of notes passed over.
    """
    times = np.arange(begin, end - SLACK, STEP)
    pitches, begins, lost = (
        np.full((len(times), len(voices)), -1, np.int16),
        np.zeros((len(times), len(voices)), bool),
        0,
    )
    for voice, notes in enumerate(voices):
        at = np.searchsorted(notes[:, 0], times + SLACK, "right") - 1
        sounds = (at >= 0) & (notes[at, 1] > times + SLACK)
        pitches[sounds, voice] = notes[at[sounds], 2]
        begins[:, voice] = sounds & (np.diff(np.where(sounds, at, -1), prepend=-1) != 0)
        lost += len(
            set(np.flatnonzero((notes[:, 0] >= begin) & (notes[:, 0] < end - SLACK))) - set(at[sounds].tolist())
        )
    return pitches, begins, lost


def families(pieces: Sequence[Piece]) -> list[int]:
    """Numbers the families of pieces: those of one melody, whatever its harmony, key and rhythm.

    Two pieces are related if their sopranos are, as tunes are (``strains.components``), or if two phrases of them have
    the same intervals; and so is what a chain of such links joins.
    """
    strains = [
        Strain(number, piece.source, piece.source, (4, 4), piece.tonic, piece.mode, 0, _melody(piece.voices[0]))
        for number, piece in enumerate(pieces)
    ]
    family = components(strains).tolist() if strains else []
    seen, shared = defaultdict[bytes, list[int]](list), Counter[tuple[int, int]]()
    for number, piece in enumerate(pieces):
        for melody in sorted(set(_phrase_melodies(piece))):
            shared.update((other, number) for other in seen[melody])
            seen[melody].append(number)
    return joined(family, shared)


def _melody(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns a voice as pitches and durations [N, 2], with rests between its notes."""
    rows, time = list[tuple[int, int]](), 0
    for onset, end, pitch in notes.tolist():
        if onset > time:
            rows.append((-1, onset - time))
        rows.append((pitch, end - onset))
        time = end
    return np.array(rows, np.int32)


def _phrase_melodies(piece: Piece) -> Iterator[bytes]:
    """Yields the intervals of the soprano in each phrase that has a few."""
    for begin, end in _spans(piece):
        notes = piece.voices[0]
        steps = np.diff(notes[(notes[:, 0] >= begin) & (notes[:, 0] < end), 2])
        if len(steps) >= MELODY:
            yield steps.astype(np.int8).tobytes()


def _arrays(phrases: Phrases[Phrase]) -> Arrays:
    rows = [
        (
            p.piece,
            p.family,
            *p.metre,
            p.tonic,
            MODES.index(p.mode),
            p.upbeat,
            PLACES.index(p.place),
            p.lost,
            len(p.pitches),
        )
        for p in phrases.items
    ]
    nothing = np.zeros((0, len(VOICES)))
    return {
        "phrases": np.array(rows, np.int32).reshape(-1, 10),
        "pitches": np.concatenate([nothing, *(phrase.pitches for phrase in phrases.items)]).astype(np.int16),
        "begins": np.concatenate([nothing, *(phrase.begins for phrase in phrases.items)]).astype(np.bool_),
        "text": text_of(phrases),
    }


def _phrases(arrays: Arrays) -> Phrases[Phrase]:
    rows = arrays["phrases"]
    pitches, begins = (apart(arrays[name], rows[:, 9], "phrases") for name in ("pitches", "begins"))
    items = [
        Phrase(piece, family, (beats, unit), tonic, MODES[mode], upbeat, PLACES[place], lost, own, starts)
        for (piece, family, beats, unit, tonic, mode, upbeat, place, lost, _), own, starts in zip(
            rows.tolist(), pitches, begins, strict=True
        )
    ]
    return phrases_of(items, arrays["text"])
