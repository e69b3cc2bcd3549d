"""RLTuner-v0: every rule by hand and against a slow reading, the encoding, the corpus, the medium, the benchmark."""

import json
import math
import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pretty_midi
import pytest

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.benchmarks.domains import rl_tuner
from musegym.envs import make_task
from musegym.envs.corpora.strains import Strain
from musegym.envs.media import rules
from musegym.envs.media.steps import StepScore, sounding
from musegym.envs.rltuner import HIGHEST, RLTunerTask
from musegym.envs.rltuner import cut as cut_strain

ENV_ID = "musegym/RLTuner-v0"
ROOT = Path(__file__).parents[1]
RULES = ("key", "tonic", "repeats", "autocorrelation", "motif", "repeated_motif", "intervals", "leaps", "extremes")
CLASSES = {"C": 0, "C#": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "G#": 8, "A": 9, "Bb": 10, "B": 11}


def event(name):
    """C3 is 2; "-" is a no-event, "." a note-off."""
    return {".": 0, "-": 1}.get(name) if name in ".-" else 2 + CLASSES[name[:-1]] + 12 * (int(name[-1]) - 3)


def melody(text, fill="-"):
    """Events [1, 32] of a text such as "C4 - . D4", filled up with holds."""
    names = text.split()
    return np.array([[event(name) for name in names + [fill] * (32 - len(names))]])


def due(reading):
    """The music-theory reward of every step, [N, 32]."""
    return np.sum(list(rules.rewards_by_rule(reading).values()), axis=0)


def given(rule, text, fill="-"):
    """Returns the rewards of a rule by step, where they are not 0."""
    steps = rules.rewards_by_rule(rules.read(melody(text, fill)))[rule][0]
    return {step: pytest.approx(value) for step, value in enumerate(steps.tolist()) if value}


@pytest.fixture(scope="module")
def task():
    return make_task(ENV_ID)


# --- every rule, by hand -----------------------------------------------------------------------------------------


def test_the_names_of_events():
    assert [event(name) for name in (".", "-", "C3", "C#3", "D3", "C4", "B5")] == [0, 1, 2, 3, 4, 14, 37]
    assert HIGHEST == 83


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("key", "C3 D4 E5 F3 G4 A5 B3 C4 . -", {}),
        ("key", "C4 C#4 D4 Eb5 . - F#3 G#4 Bb5", {1: -1, 3: -1, 6: -1, 7: -1, 8: -1}),
        ("tonic", "C4 D4", {0: 3, 29: 3, 30: 3, 31: 3}),
        ("tonic", "C5 D4" + 26 * " -" + " C4 - . -", {28: 3, 29: 3, 30: 3, 31: 3}),
        ("tonic", "C3 C4" + 26 * " -" + " C5 . D4 E4", {}),
        ("tonic", "- C4" + 26 * " -" + " C4 C4 C4 C4", {28: 3}),
        ("motif", "C4 D4" + 30 * " -", {}),
        ("motif", "C4 D4 C4 D4 C4 D4 C4 D4", {}),
        ("motif", "C4 D4 E4", {7: 3}),
        ("motif", "C4 - . D4 - C4 - E4 -", {7: 3, 8: 3, 9: 3, 10: 3}),
        ("motif", "- - C4 D4 E4 F4", {7: 3.3, 8: 3.3, 9: 3.3, 10: 3}),
        ("motif", "C3 D3 E3 F3 G3 A3 B3 B5", {7: 4.5, 8: 4.2, 9: 3.9, 10: 3.6, 11: 3.3, 12: 3}),
        ("repeated_motif", "C4 D4 E4 - - . - - C4 D4 E4 - - . - -", {15: 4}),
        ("repeated_motif", "C4 D4 E4 F4 G4 - - - A4 C4 D4 E4 F4 G4 - - -", {16: 6}),
        ("repeated_motif", "C4 D4 E4 - - . - - C4 D4 E4 - - - - -", {}),
        ("repeated_motif", "C4 D4 - - - . - - C4 D4 - - - . - -", {}),  # two pitches are no motif
        ("repeated_motif", "C4 D4 E4 F4 C4 D4 E4 F4 C4 D4 E4 F4", {}),  # overlaps what it repeats
        ("repeated_motif", "C4 D4 E4 F4 C4 D4 E4 F4 C4 D4 E4 F4 C4 D4 E4 F4", {15: 5}),
        ("leaps", "C4 G4 F4 E4 D4 C4", {5: 5}),  # home by steps
        ("leaps", "C4 G4 F4 E4 D4 D4", {}),
        ("leaps", "C5 F4 G4 A4 . C5", {5: 5}),
        ("leaps", "C4 G4 - - - - - - - C4", {9: 5}),  # back by a leap, after patience
        ("leaps", "C4 G4 - - - - - - C4 G4 - F4 C4", {12: 5}),  # too early: closed without reward; the next one counts
        ("leaps", "C4 G4 D5 C4", {2: -5}),  # on and on; then back too early
        ("leaps", "C4 G4 D5 A5", {2: -5, 3: -5}),
        ("leaps", "C4 F#4 C4 F#4 B3", {}),  # F#4 to B3 opens a leap that nothing resolves
        ("leaps", ". - C4 . - G4 . - D5", {8: -5}),  # over rests
        ("extremes", "C4 E4 C4 D4 E4", {}),
        ("extremes", "C4 E4 D4 E4", {31: 3}),
        ("extremes", "C4 D4 E4 D4", {31: 6}),
        ("extremes", "C4 E4 C4 F4 - . -", {31: 3}),
        ("extremes", "- - .", {}),
    ],
)
def test_a_rule_by_hand(rule, text, expected):
    assert given(rule, text) == expected


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (5 * "C4 " + "D4 . E4", []),
        (6 * "C4 " + "D4 . E4", [5]),
        (8 * "C4 " + "D4 . E4", [5, 6, 7]),
        (5 * "C4 " + "D4 " + 5 * "C4 " + ". E4", []),  # another pitch breaks the row
        ("C4 - " + 6 * "C4 " + "D4", []),  # six before it are allowed where one was held
        ("C4 - " + 7 * "C4 " + "D4", [8]),
        ("C4 . " + 7 * "C4 " + "D4", [8]),
        ("D4 - " + 7 * "C4 " + "D4", []),  # what came between the other pitch and this one counts as a break too
        ("D4 - " + 8 * "C4 " + "D4", [9]),
        (". . D4", []),
        (". . . D4 . . - .", [2, 7]),
        ("C4 - - - - - D4", []),  # a dotted quarter
        ("C4 - - - - - - D4", [6]),
        ("C4 - - - - - - - D4", [6, 7]),
        ("C4 . - - - - - - - D4", []),
        ("C4 . - - - - - - - - D4", [9]),
        ("- - - - - D4", []),
        ("- - - - - - D4", [5]),
    ],
)
def test_excessive_repeats_by_hand(text, steps):
    changing = " ".join(f"{name}5" for name in "CDEFGAB" * 5)
    text = " ".join((text + " " + changing).split()[:32])
    assert given("repeats", text) == dict.fromkeys(steps, -100)


@pytest.mark.parametrize(
    ("first", "then", "amount"),
    [
        ("C4", ".", 0.15), ("G4", ".", 0.15), ("E4", ".", 0.05), ("C4", "-", 0.3), ("G3", "-", 0.3), ("D4", "-", 0.075),
        ("C4", "C4", 0), ("C4", "C#4", 0), ("C4", "D4", 0.08), ("C4", "Bb3", 0.08), ("C4", "Eb4", 0),
        ("C4", "E4", 0.15), ("E4", "C4", 0.15), ("F4", "A4", 0.09), ("G4", "Eb4", 0.09), ("C4", "F4", 0.07),
        ("C4", "F#4", 0), ("C4", "G4", 0.1), ("G4", "C4", 0.1), ("G4", "D5", 0.1), ("D4", "A4", 0.02),
        ("C4", "G#4", 0), ("C4", "A4", 0.05), ("C4", "Bb4", 0), ("C4", "B4", -0.3), ("C4", "C5", 0),
        ("C4", "C#5", -1), ("B5", "C3", -1),
    ],
)  # fmt: skip
def test_intervals_by_hand(first, then, amount):
    steps = rules.rewards_by_rule(rules.read(melody(f". - {first} {then}")))["intervals"][0]
    assert steps[:4].tolist() == pytest.approx([0, 0, 0, 5 * amount])


def test_an_interval_reaches_over_rests_and_nothing_precedes_the_first_note():
    assert given("intervals", "C4 . D4", ".")[2] == 0.4
    assert given("intervals", ". - . -" + 28 * " .") == {}


def test_autocorrelation_by_hand():
    zigzag = rules.read(melody(16 * "C4 D4 "))
    assert zigzag.correlation[0, -1].tolist() == pytest.approx([-31 / 32, 30 / 32, -29 / 32])
    parts = rules.rewards_by_rule(zigzag)["autocorrelation"][0]
    assert parts[-1] == pytest.approx(-3 * 90 / 32)
    assert parts[:3].tolist() == pytest.approx([0, -1.5, -3 * (2 / 3 + 1 / 6)])  # undefined; -1/2; -2/3 and 1/6
    flat = rules.read(melody(32 * "C4 "))
    assert np.isnan(flat.correlation).all()
    assert not rules.rewards_by_rule(flat)["autocorrelation"].any()
    free = "22 33 20 24 21 14 16 21 33 30 13 33 20 26 8 32 28 34 3 32 34 23 37 28 33 14 2 17 23 4 10 22"
    varied = rules.read(np.array([free.split()], np.int64))
    assert np.abs(varied.correlation[0, -1]).max() < 0.05
    assert rules.rewards_by_rule(varied)["autocorrelation"][0, -1] == 0


def test_rules_kept_and_broken():
    def verdicts(text, fill="-"):
        found = rules.kept(rules.read(melody(text, fill)))
        assert len(found) == 13
        return {name: bool(keeps[0]) for name, (applies, keeps) in found.items() if applies[0]}

    silent = verdicts("-", ".")
    assert silent.keys() >= {"repeats", "motif"}
    assert not silent.keys() & {"key", "highest", "lowest", "intervals", "leaps"}
    good = verdicts("C4 D4 E4 - - D4 - - C4 D4 E4 - - D4 - - F4 - G4 - B3 - A4 - G4 - F4 - C4 - - .")
    assert good.pop("repeated_motif")
    assert [name for name, keeps in good.items() if not keeps and "auto" not in name] == []
    bad = verdicts("C#4 B4 C#4 B4 C3 G3 D4 A4" + 24 * " -")
    assert not any(bad[name] for name in ("key", "first_tonic", "last_tonic", "leaps", "intervals", "repeats"))
    assert not any(bad[name] for name in ("highest", "repeated_motif"))
    assert bad["motif"]
    assert bad["lowest"]


# --- every rule, slowly ------------------------------------------------------------------------------------------


def slowly(events):
    """One melody, step by step: the reward of each, and the counts of table 1, by lists and loops."""
    rewards, counts, leaps = [], dict.fromkeys(("repeats", "key", "motif", "again"), 0), {1: 0, -1: 0}
    open_leap, since = None, 0
    for t, now in enumerate(events):
        past, reward = events[:t], 0.0
        if now >= 2 and (now - 2) % 12 not in (0, 2, 4, 5, 7, 9, 11):
            counts["key"] += 1
            reward -= 1
        wanted = {0: (14,), 28: (14,), 29: (1,), 30: (0, 1), 31: (0, 1)}
        reward += 3 * (now in wanted.get(t, ()))
        row = []  # what came since another note
        for earlier in reversed(past):
            if earlier >= 2 and earlier != now:
                break
            row.append(earlier)
        same, others = row.count(now), len([e for e in row if e != now])
        if (now == 0 and same > 1) or same > (6 if others else 4):
            counts["repeats"] += 1
            reward -= 100
        upto = np.array([*past, now], float)
        for lag in (1, 2, 3):
            if upto.var() > 0:
                centred = upto - upto.mean()
                value = sum(centred[i] * centred[i - lag] for i in range(lag, len(upto))) / len(upto) / upto.var()
                reward -= 3 * abs(value) if abs(value) > 0.15 + 1e-9 else 0  # 3/20 itself does not count
        if t >= 7:
            window = events[t - 7 : t + 1]
            pitches = len({e for e in window if e >= 2})
            if pitches >= 3:
                counts["motif"] += 1
                reward += 3 + 0.3 * (pitches - 3)
                if any(events[i : i + 8] == window for i in range(t - 14)):
                    counts["again"] += 1
                    reward += 4 + (pitches - 3)
        notes = [e for e in past if e >= 2]
        if notes:
            last = notes[-1]
            home, size = (last - 2) % 12, abs(now - last)
            if now < 2:
                amount = {0: (0.05, 0.15), 1: (0.075, 0.3)}[now][home in (0, 7)]
            elif size == 7:
                amount = 0.1 if home in (0, 7) else 0.02
            elif size == 4:
                amount = 0.15 if home in (0, 4) else 0.09
            else:
                amount = -1 if size > 12 else {2: 0.08, 5: 0.07, 9: 0.05, 11: -0.3}.get(size, 0)
            reward += 5 * amount
            way = int(math.copysign(1, now - last)) if now >= 2 and size >= 7 else 0
            outcome = 0
            if way and open_leap is None:
                open_leap = (way, last)
            elif way and way == open_leap[0]:
                outcome = -1
            elif way:
                outcome, open_leap = int(since > 6), None
            elif now >= 2 and open_leap is not None and open_leap[0] * (now - open_leap[1]) <= 0:
                outcome, open_leap = 1, None
            if outcome:
                leaps[outcome] += 1
            reward += 5 * outcome
            since = 0 if way else since + 1
        else:
            since += t > 0
        rewards.append(reward)
    notes = [e for e in events if e >= 2]
    unique = [bool(notes) and notes.count(end(notes)) == 1 for end in (max, min)] if notes else [False, False]
    rewards[-1] += 3 * sum(unique)
    return rewards, counts, leaps, unique


def populations(rng):
    """Melodies of several kinds, so that every rule has something to see."""
    holds = np.where(rng.random((40, 32)) < 0.5, rng.integers(0, 2, (40, 32)), rng.integers(2, 38, (40, 32)))
    few = rng.choice([0, 1, 14, 16, 18], (40, 32))
    row = np.where(rng.random((40, 32)) < 0.7, 14, rng.integers(0, 3, (40, 32)))
    walk = 2 + np.abs((rng.integers(-3, 4, (40, 32)).cumsum(1) + rng.integers(12, 26, (40, 1))) % 70 - 35)
    quarters = np.where(np.arange(32) % 4 == 0, rng.integers(0, 38, (40, 32)), 1)
    leaping = np.where(
        rng.random((40, 32)) < 0.4, rng.choice([2, 9, 14, 21, 26, 33], (40, 32)), rng.integers(0, 2, (40, 32))
    )
    again = np.tile(rng.integers(0, 38, (40, 8)), 4)
    again[rng.random(again.shape) < 0.04] = 1
    calm = np.where(rng.random((40, 32)) < 0.02, 20, rng.integers(0, 2, (40, 1)))
    return np.concatenate([rng.integers(0, 38, (40, 32)), holds, few, row, walk, quarters, leaping, again, calm])


def test_all_at_once_is_as_one_by_one():
    events = populations(np.random.default_rng(3))
    reading = rules.read(events)
    slow = [slowly(melody) for melody in events.tolist()]
    np.testing.assert_allclose(due(reading), [rewards for rewards, *_ in slow], atol=1e-9)
    table = rules.rule_table(reading)
    names = {"notes_excessively_repeated": "repeats", "notes_not_in_key": "key"}
    names |= {"notes_in_motif": "motif", "notes_in_repeated_motif": "again"}
    for name, count in names.items():
        expected = sum(counts[count] for _, counts, _, _ in slow) / events.size
        assert expected > 0.01
        assert table[name] == pytest.approx(expected)
    resolved, doubled = (sum(leaps[outcome] for _, _, leaps, _ in slow) for outcome in (1, -1))
    assert min(resolved, doubled) > 20
    assert table["leaps_resolved"] == pytest.approx(resolved / (resolved + doubled))
    assert table["starts_with_tonic"] == pytest.approx(np.mean(events[:, 0] == 14))
    for i, name in enumerate(("unique_max_note", "unique_min_note")):
        assert table[name] == pytest.approx(np.mean([unique[i] for *_, unique in slow]))
    for lag in (1, 2, 3):
        found = []
        for melody in events:
            centred = melody - melody.mean()
            if melody.var() > 0:
                found.append(np.correlate(centred[lag:], centred[:-lag])[0] / 32 / melody.var())
        assert table[f"autocorrelation_{lag}"] == pytest.approx(np.mean(found))


def test_one_melody_is_a_row_of_many():
    events = populations(np.random.default_rng(4))[::17]
    whole = due(rules.read(events))
    np.testing.assert_array_equal(np.concatenate([due(rules.read(row[None])) for row in events]), whole)


def test_what_the_rules_refuse():
    for events, words in (
        (np.zeros((2, 31), int), "shape"),
        (np.full((1, 32), 38), r"0\.\.37"),
        (np.full((1, 32), -1), "-1"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            rules.read(events)
        assert "\n" not in str(caught.value)


# --- the task ----------------------------------------------------------------------------------------------------


def strain(notes, upbeat=0, metre=(4, 4), mode="major", tonic=0):
    return Strain(7, "a", "a#1", metre, tonic, mode, upbeat, np.array(notes, np.int32))


def cut(*args, **kwargs):
    """1 + the events of every melody that a strain is cut into."""
    cuts = cut_strain(strain(*args, **kwargs))[0]
    assert all(work.condition.shape == (0,) and work.content.shape == (32, 2) for work in cuts)
    return [work.content[:, 0].tolist() for work in cuts]


def test_how_strains_are_cut():
    (sheet,) = cut([(67, 48), (-1, 24), (60, 24), (62, 6), (64, 6), (65, 84)])
    assert [e - 1 for e in sheet] == melody("G4 - - - - - - - . - - - C4 - - - D4 E4 F4")[0].tolist()
    quarters = [(60 + i, 24) for i in range(8)]
    (sheet,) = cut([(67, 12), *quarters[:-1], (67, 12)], upbeat=12)  # the upbeat is left out, its place held
    assert sheet[:4] == [15, 2, 2, 2]
    assert sheet[28:] == [22, 2, 2, 2]
    assert len(cut([(67, 12), *quarters, *quarters[:-1], (67, 12)], upbeat=12)) == 2
    assert len(cut(quarters, metre=(2, 4))) == len(cut(quarters, metre=(2, 2))) == 1
    assert cut(quarters, metre=(3, 4)) == cut(quarters, mode="minor") == cut(quarters[:-1]) == []
    assert cut([(60, 8)] * 3 + quarters[1:]) == []  # triplets
    assert len(cut([(60, 216), *quarters, (62, 168)])) == 1  # a note that hangs over leaves out what it hangs into
    assert cut([(-1, 168), (60, 24)]) == []  # one note is no melody
    (sheet,) = cut([(-1, 24), (60, 24), *quarters[2:]])
    assert [e - 1 for e in sheet[:5]] == [1, 1, 1, 1, 14]


@pytest.mark.parametrize(
    ("tonic", "low", "high", "first"),
    [
        (0, 60, 79, 14),
        (2, 62, 81, 14),
        (7, 67, 86, 14),
        (7, 62, 81, 9),
        (0, 84, 96, 14),
        (0, 48, 83, 2),
        (0, 36, 50, 14),
    ],
)
def test_strains_move_as_a_whole(tonic, low, high, first):
    sheets = cut([(low, 96), (high, 96)], tonic=tonic)
    assert [(sheet[0] - 1, sheet[16] - sheet[0]) for sheet in sheets] == [(first, high - low)]


def test_a_strain_that_is_too_wide_is_left_out():
    assert cut([(48, 96), (84, 96)]) == []


def test_works_are_split_by_tune_and_rebuilt(task):
    tunes = {split: set(task.works(split).groups.tolist()) for split in ("train", "validation", "test")}
    assert not any(tunes[a] & tunes[b] for a, b in combinations(tunes, 2))
    assert len(task.corpus("train")) > 5000
    works = task.corpus("validation")
    assert len(works) == len(task.works("validation").groups) > 500
    actions = task.demonstrations(works)
    state, finished = task.initial(np.zeros(len(works), np.uint64)), []
    for t in range(32):
        state, done = task.step(state, actions[:, t])
        finished.append(done.all() if done.any() else False)
    assert finished == 31 * [False] + [True]
    np.testing.assert_array_equal(task.content(state), works)
    assert works.shape[1:] == (32, 2)
    assert (works > 0).all(), "every step is written"
    assert (works[:, :, 1] > 1).any(1).all()
    assert rules.rule_table(task.reading(works))["notes_not_in_key"] < 0.02  # tonic C, major


def test_melodies_that_nobody_could_write_are_refused(task):
    works = task.corpus("validation")[:4].copy()
    for row, column, value in ((5, 0, 0), (5, 0, 39), (0, 1, 0), (9, 1, 0)):
        wrong = works.copy()
        wrong[2, row, column] = value
        with pytest.raises(ValueError, match=r"1 of 4 melodies cannot be written \(first: row 2\)"):
            task.demonstrations(wrong)


def test_features_tell_what_sounds_and_what_was(task):
    state = task.initial(np.zeros(1, np.uint64))
    seen = []
    for action in [14, 1, 0, 1, 16, 18, 19, 21, 23, 1, 1, 1, 1, 1, 1, 1, 25, 0]:
        seen.append(task.feature_values(state)[0].tolist())
        state, _ = task.step(state, np.array([action]))
    assert [row[0] for row in seen] == list(range(18))
    assert [row[1] for row in seen] == [*range(8), *range(8), 0, 1]
    assert [row[2] for row in seen] == [0, 14, 14, 1, 1, 16, 18, 19, 21, *8 * [23], 25]
    assert [row[3] for row in seen] == [*8 * [0], 15, 2, 1, 2, 17, 19, 20, 22, 24, 2]
    assert [row[4] for row in seen] == [*16 * [0], 15, 2]


def test_the_rule_reward_is_the_sum_of_the_steps(task):
    works = task.corpus("validation")[:50]
    due_to = np.array([slowly((work[:, 0] - 1).tolist())[0] for work in works])  # [50, 32]
    by_step, by_rule = task.step_rules(works), task.rules(works)
    assert task.rule_names == rules.RULES == RULES
    assert (by_step.shape, by_rule.shape) == ((50, 32, len(RULES)), (50, len(RULES)))
    np.testing.assert_allclose(by_step.sum(2), due_to, atol=1e-9)
    np.testing.assert_allclose(by_rule.sum(1), due_to.sum(1), rtol=1e-5)
    assert np.ptp(due_to.sum(1)) > 100
    apart = rules.rewards_by_rule(task.reading(works))
    for name, rewards in zip(task.rule_names, by_rule.T, strict=True):
        np.testing.assert_allclose(rewards, apart[name].sum(1), atol=1e-9)


def test_rules_are_paid_by_name():
    env = gym.make(ENV_ID, discriminator="none", rule_weight={"key": 2.0, "motif": 0.5})
    env.reset(seed=0)
    for event in np.random.default_rng(0).integers(0, 38, 32).tolist():
        _, reward, _, _, info = env.step(event)
    assert info["rules"].keys() == set(RULES)
    assert info["rules"]["key"] < 0
    assert reward == pytest.approx(2.0 * info["rules"]["key"] + 0.5 * info["rules"]["motif"])
    with pytest.raises(ValueError, match="no rule is called 'fugue'; there are: key, tonic, repeats"):
        gym.make(ENV_ID, discriminator="none", rule_weight={"fugue": 1.0})


# --- the medium --------------------------------------------------------------------------------------------------


def work(text, fill="-"):
    events = 1 + melody(text, fill)[0]
    return np.stack([events, sounding(events[None])[0]], 1).astype(np.int16)


def test_rules_kept_can_be_counted_instead(task):
    counted = RLTunerTask(counting="kept")
    assert counted.kwargs() == {"corpus": None, "counting": "kept"}
    works = task.corpus("validation")[:50]
    pairs = rules.kept(task.reading(works))
    expected = [13 * np.mean([keeps[i] for applies, keeps in pairs.values() if applies[i]]) for i in range(50)]
    np.testing.assert_allclose(counted.rules(works).sum(1), expected, rtol=1e-6)
    assert counted.rule_names == tuple(pairs)
    assert len(pairs) == 13
    for column, (applies, keeps) in enumerate(pairs.values()):
        assert ((counted.rules(works)[:, column] > 0) == (applies & keeps)).all()
    assert not counted.step_rules(works)[:, :-1].any(), "paid when the melody is finished"
    with pytest.raises(ValueError, match="counting must be one of sum, kept, not 'all'"):
        RLTunerTask(counting="all")


def test_what_is_heard():
    heard = sounding(np.array([[2, 15, 2, 1, 2, 1, 17, 17, 0, 0], [1, 2, 3, 2, 2, 2, 2, 2, 2, 0]]))
    assert heard.tolist() == [[1, 14, 14, 1, 1, 1, 16, 16, 0, 0], [1, 1, 2, 2, 2, 2, 2, 2, 2, 0]]


def test_phrases_and_populations_are_read_alike(task):
    score = task.medium
    assert score.phrase(work("- C4 - . . - C4 C4 . E4")).notes == (
        *((0, 6, None), (6, 12, 60), (18, 18, None), (36, 6, 60)),
        *((42, 6, 60), (48, 6, None), (54, 138, 64)),
    )
    assert score.phrase(work("C4 - - D4"), upto=2).notes == ((0, 12, 60),)
    assert score.phrase(work("C4 - - D4"), upto=0).notes == ()
    works = RandomPolicy(task).sample(None, 20, 0)
    read = score.melodies(works)
    for i, content in enumerate(works):
        phrase = score.phrase(content)
        assert phrase.written == phrase.length == read.ticks[i].sum() == 192
        there = read.ticks[i] > 0
        assert [(n.ticks, -1 if n.pitch is None else n.pitch) for n in phrase.notes] == list(
            zip(read.ticks[i, there].tolist(), read.pitch[i, there].tolist(), strict=True)
        )


def test_captions_and_sounds(task):
    score = task.medium
    assert [score.caption(np.where(np.arange(32)[:, None] < n, work("C#4 - ."), 0)) for n in range(4)] == [
        "start", "C♯4", "hold", "off",
    ]  # fmt: skip
    content = work("- C4 - . E4", ".")
    assert score.sound(content).seconds == pytest.approx(4.0)
    step = 44_100 // 8
    for since, upto, onset in ((0, 1, None), (1, 2, 0), (2, 3, None), (0, 3, step), (3, 5, step)):
        sound = score.sound(content, None, since, upto)
        assert sound.seconds == pytest.approx((upto - since) / 8)
        assert (np.flatnonzero(sound.samples)[0] - onset < 50) if onset is not None else len(sound.samples) == 0


def test_exports_can_be_read_back(task, tmp_path):
    written = task.medium.export(work("C4 - - D4 . - G4 -", "."), tmp_path / "a.x")
    assert {path.suffix for path in written} == {".mid", ".wav", ".png", ".abc"}
    (voice,) = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid")).instruments
    notes = [(n.pitch, round(n.start * 8), round(n.end * 8)) for n in voice.notes]
    assert notes == [(60, 0, 3), (62, 3, 4), (67, 6, 8)]
    assert "C3/2D/2" in (tmp_path / "a.abc").read_text(encoding="utf-8")


def test_metrics_hold_the_table(task):
    works = task.corpus("validation")
    found = task.medium.metrics(works)
    table = rules.rule_table(task.reading(works))
    assert {name: found[f"rule_{name}"] for name in table} == table
    assert "closes_on_tonic" not in found
    assert found["rest_share"] < 0.1
    assert found["duration_distance"] < 0.2
    for bad in (np.zeros((32, 2), int), np.zeros((2, 33, 2), int), np.full((1, 32, 2), 39)):
        with pytest.raises(ValueError, match=r"melod"):
            StepScore(48, 83).melodies(bad)


# --- the benchmark -----------------------------------------------------------------------------------------------


def test_a_random_policy_has_the_table_that_arithmetic_expects(task):
    table = rl_tuner.table_one(RandomPolicy(task).sample(None, 4000, 0))
    assert table["notes_not_in_key"] == pytest.approx(15 / 38, abs=0.01)
    assert table["starts_with_tonic"] == pytest.approx(1 / 38, abs=0.01)
    for lag in (1, 2, 3):
        assert table[f"autocorrelation_{lag}"] == pytest.approx(-(1 - lag / 32) / 32, abs=0.01)  # of noise: -(n-k)/n^2
    assert table["notes_in_motif"] == pytest.approx(25 / 32, abs=0.005)  # all windows there are
    assert table["notes_excessively_repeated"] < 0.001
    assert table["diversity"] == pytest.approx(37 / 38, abs=0.002)
    assert table["unique"] == 1
    assert 0.3 < table["rules_kept"] < 0.5
    assert table["rule_reward_key"] == pytest.approx(-32 * 15 / 38, abs=0.3)
    assert sum(table[f"rule_reward_{name}"] for name in RULES) == pytest.approx(table["rule_reward"])


def test_rules_kept_and_diversity_of_a_few():
    events = np.concatenate([melody("C4 D4 E4"), melody("-"), melody("C4 D4 F4")])
    pairs = rules.kept(rules.read(events))
    shares = [np.mean([keeps[i] for applies, keeps in pairs.values() if applies[i]]) for i in range(3)]
    assert rl_tuner.rules_kept(rules.read(events)) == pytest.approx(np.mean(shares))
    differ = [np.mean(a != b) for a, b in combinations(events, 2)]
    assert rl_tuner.diversity(events) == pytest.approx(np.mean(differ))
    assert rl_tuner.diversity(events[:1]) == 0


def test_the_census_by_hand(monkeypatch):
    quarters = [(60 + i % 5, 24) for i in range(8)]
    strains = [
        strain(2 * quarters),  # two windows ...
        strain([(60, 8)] * 3 + quarters[1:] + quarters[:1]),  # ... and one that triplets are in
        strain([(67, 12), *quarters, (67, 12)], upbeat=12),
        strain(quarters, mode="dorian"),
        strain([(48, 96), (84, 96)]),
        strain(quarters, metre=(3, 4)),
        strain(quarters[:-1]),
    ]
    monkeypatch.setattr(rl_tuner, "load_strains", lambda corpus: strains if corpus == "mine" else [])
    works = {"train": range(3), "validation": range(1), "test": range(2)}
    task = SimpleNamespace(kwargs=lambda: {"corpus": "mine"}, corpus=works.get)
    assert rl_tuner.census(task) == {
        "strains": 6, "in_other_modes": 1, "out_of_range": 1, "windows": 4, "windows_said": 3,
        "train": 3, "validation": 1, "test": 2,
    }  # fmt: skip


def test_table_one_of_the_docs_is_of_the_result_files():
    text = (ROOT / "docs" / "studies" / "rl_tuner.md").read_text(encoding="utf-8").partition("## Table 1")[2]
    folder = ROOT / "benchmarks" / "results" / "rl-tuner"
    runs = ("note-rnn", "q-w1.0", "psi-w1.0", "g-w1.0", "ours-w1.0", "ours-w2.0")
    own = [json.loads((folder / f"{run}-s0.json").read_text())["own"] for run in runs]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    names = list(rules.rule_table(rules.read(melody("C4"))))
    assert len(rows) == len(names)
    for name, cells in zip(names, rows, strict=True):
        digits = 2 if name.startswith("autocorrelation") else 3
        measured = [f"{column[name]:.{digits}f}" for column in (own[0]["real"], *own)]
        assert cells[1:8] == measured, name


def test_the_docs_say_what_the_result_file_says():
    result = json.loads((ROOT / "benchmarks" / "results" / "rl_tuner.json").read_text())
    text = (ROOT / "docs" / "environments" / "rl_tuner.md").read_text(encoding="utf-8")
    assert result["split"] == "train"
    for row, name in (("real (train)", "real"), ("random", "random")):
        column = result["columns"][name]
        rewards = [column[f"rule_reward_{rule}"] for rule in RULES]
        cells = [f"{reward:.1f}" for reward in rewards] + [f"**{column['rule_reward']:.1f}**"]
        assert f"| {row} | {' | '.join(cells)} |" in text
        assert f"{name} {column['rules_kept']:.2f}" in text
    for name, count in result["corpus"].items():
        assert re.search(rf"\b{count:,}\b", text), name
