"""Mistakes at the command line: each is one line on stderr that says what to do, exit code 1 or 2, never a traceback.

The table below has a row for each; no two are alike in both what is given (``option``) and what is wrong with it
(``check``).
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import toys

from musegym import cli
from musegym.envs.registry import BUILT_IN
from musegym.training.loading import env_arguments
from musegym.training.parameters import hyperparameters

toys.register()
WORD = "toy_ids:toy/Word-v0"
MELODY, DIGIT, DENSITY, ORACLE, RLTUNER = (id for id, _ in BUILT_IN[:5])


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A command that is wrong.

    ``{tmp}`` in an argument is an empty folder, ``{run}`` a finished run of Word, which ``damage`` is done to.
    """

    option: str
    check: str
    command: tuple[str, ...]
    words: tuple[str, ...]
    damage: Callable[[Path], object] | None = None

    def __str__(self) -> str:
        return f"{self.option}: {self.check}"


def train(*rest: str, id: str = WORD) -> tuple[str, ...]:
    return ("train", id, "--steps", "60", "--num-envs", "4", "--out", "{tmp}/new", *rest)


# --- what every command is given ---------------------------------------------------------------------------------

COMMANDS = [
    ("musegym", "no such command", ("trian",), ("trian", "'train'")),
    ("musegym", "no such option", ("--verion",), ("--verion",)),
    ("musegym", "an option of a command", ("--steps", "5", "train"), ("--steps",)),
    ("list", "no such option", ("list", "--all"), ("--all",)),
    ("list ID", "unknown", ("list", "musegym/Sonnet-v0"), ("no environment",)),
    ("list ID", "nearly right", ("list", "musegym/Melodi-v0"), ("did you mean musegym/Melody-v0",)),
    ("list ID", "somebody else's", ("list", "CartPole-v1"), ("CartPole-v1", MELODY)),
    ("list ID", "module that is not there", ("list", "no.such.module:x/Y-v0"), ("no.such.module", "mend it")),
    ("list ID", "unknown, with --params", ("list", "musegym/Melodie-v0", "--params"), ("musegym/Melodie-v0",)),
    ("list ID", "two of them", ("list", MELODY, DIGIT), ("unexpected",)),
    ("train ID", "missing", ("train",), ("ID",)),
    ("train ID", "unknown", train(id="CartPole-v1"), ("CartPole-v1", MELODY)),
    ("train ID", "without its namespace", train(id="melody"), ("did you mean musegym/Melody-v0",)),
    ("train ID", "of another version", train(id="musegym/Melody-v9"), ("did you mean musegym/Melody-v0",)),
    ("train ID", "nearly right behind a module", train(id=f"{WORD}x"), ("did you mean toy_ids:toy/Word-v0",)),
    ("train ID", "module that is not there", train(id="no.such.module:x/Y-v0"), ("no.such.module",)),
    ("train ID", "a dot for a module", train(id=".:musegym/Melody-v0"), ("module's name",)),
    ("train ID", "a relative module", train(id="..tasks:x/Y-v0"), ("module's name",)),
    ("train ID", "nothing before the colon", train(id=":x/Y-v0"), ("module's name",)),
    ("train ID", "nothing at all", train(id=""), ("no environment",)),
    ("train ID", "a path", train(id="/tmp"), ("no environment",)),
    ("train ID", "a name as long as a book", train(id="x" * 5000), ("no environment",)),
    ("train ID", "two of them", ("train", WORD, MELODY), ("unexpected",)),
    ("train --seconds", "beside --steps", train("--seconds", "5"), ("--seconds", "--steps")),
    ("train --seconds", "0", ("train", WORD, "--seconds", "0"), ("--seconds", "above 0")),
    ("train --seconds", "negative", ("train", WORD, "--seconds", "-3"), ("--seconds", "above 0")),
    ("train --seconds", "nan", ("train", WORD, "--seconds", "nan"), ("--seconds", "above 0")),
    ("train --seconds", "infinite", ("train", WORD, "--seconds", "inf"), ("--seconds", "above 0")),
    ("train --seconds", "too large for a number", ("train", WORD, "--seconds", "1e999"), ("--seconds",)),
    ("train --seconds", "a word", ("train", WORD, "--seconds", "soon"), ("--seconds",)),
    ("train --clock", "beside --steps", train("--clock", "wall"), ("--clock", "--steps")),
    ("train --clock", "unknown", ("train", WORD, "--clock", "sundial"), ("--clock", "wall", "processor")),
    ("train --seconds", "without a value", ("train", WORD, "--seconds"), ("--seconds",)),
    ("train --steps", "0", ("train", WORD, "--steps", "0"), ("--steps",)),
    ("train --steps", "negative", ("train", WORD, "--steps", "-1"), ("--steps",)),
    ("train --steps", "a fraction", ("train", WORD, "--steps", "1.5"), ("--steps", "integer")),
    ("train --steps", "with an exponent", ("train", WORD, "--steps", "1e6"), ("--steps", "integer")),
    ("train --steps", "nan", ("train", WORD, "--steps", "nan"), ("--steps",)),
    ("train --steps", "more than 64 bits", ("train", WORD, "--steps", str(2**63)), ("--steps",)),
    ("train --seed", "negative", ("train", WORD, "--seed", "-1"), ("--seed",)),
    ("train --seed", "more than 31 bits", ("train", WORD, "--seed", str(2**31)), ("--seed",)),
    ("train --seed", "a word", ("train", WORD, "--seed", "lucky"), ("--seed",)),
    ("train --num-envs", "0", ("train", WORD, "--num-envs", "0"), ("--num-envs",)),
    ("train --num-envs", "a fraction", ("train", WORD, "--num-envs", "0.5"), ("--num-envs",)),
    ("train --num-envs", "more than any memory", ("train", WORD, "--num-envs", "9999999999"), ("--num-envs",)),
    ("train --checkpoint-every", "nan", train("--checkpoint-every", "nan"), ("--checkpoint-every",)),
    ("train --checkpoint-every", "infinite", train("--checkpoint-every", "inf"), ("--checkpoint-every", "finite")),
    ("train --checkpoint-every", "negative", train("--checkpoint-every", "-1"), ("--checkpoint-every",)),
    ("train --checkpoint-every", "a word", train("--checkpoint-every", "often"), ("--checkpoint-every",)),
    ("train --report-every", "nan", train("--report-every", "nan"), ("--report-every",)),
    ("train --report-every", "infinite", train("--report-every", "Infinity"), ("--report-every", "finite")),
    ("train --report-every", "negative", train("--report-every", "-0.5"), ("--report-every",)),
    ("train --report-every", "a word", train("--report-every", "rarely"), ("--report-every",)),
    ("train --resume", "without --out", ("train", WORD, "--resume"), ("--out",)),
    ("train --resume", "with a value", ("train", WORD, "--resume=yes"), ("--resume",)),
    ("train --out", "without a value", ("train", WORD, "--out"), ("--out",)),
    ("train --out", "a run that is not there", ("train", WORD, "--resume", "--out", "{tmp}/no"), ("not a run",)),
    ("train --out", "an empty folder to resume", ("train", WORD, "--resume", "--out", "{tmp}"), ("not a run",)),
    ("train --out", "taken", ("train", WORD, "--steps", "9", "--out", "{run}"), ("not empty", "--resume")),
    ("train --out", "a file", ("train", WORD, "--steps", "9", "--out", "{run}/model.zip"), ("not empty",)),
    ("train --out", "below a file", ("train", WORD, "--steps", "9", "--out", "{run}/model.zip/x"), ("cannot write",)),
    ("train --out", "a file to resume", ("train", WORD, "--resume", "--out", "{run}/model.zip"), ("not a run",)),
    ("train --out", "a name too long", ("train", WORD, "--steps", "9", "--out", "{tmp}/" + "x" * 300), ("shorter",)),
    (
        "train --out",
        "a path too long",
        ("train", WORD, "--steps", "9", "--out", "{tmp}/" + "/".join(["x" * 200] * 30)),
        ("shorter",),
    ),
    ("train --out", "a name too long to resume", ("train", WORD, "--resume", "--out", "x" * 300), ("not a run",)),
    ("train --param", "without =", train("--param", "alpha"), ("--param NAME=VALUE",)),
    ("train --param", "without a name", train("--param", "=1"), ("--param NAME=VALUE",)),
    ("train --param", "no name of Python's", train("--param", "al pha=1"), ("--param NAME=VALUE",)),
    ("train --param", "twice", train("--param", "alpha=1", "--param", "alpha=1"), ("twice",)),
    ("train --param", "unknown", train("--param", "no_such=1"), ("no_such", "learning_rate")),
    ("train --param", "of another case", train("--param", "Alpha=1"), ("Alpha", "alpha")),
    ("train --param", "unknown of D", train("--param", "discriminator.no_such=1"), ("discriminator.no_such",)),
    ("train --param", "of D's file alone", train("--param", "discriminator.kind=image"), ("discriminator.kind",)),
    ("train --param", "what the command line sets", train("--param", "seed=1"), ("seed",)),
    ("train --param", "what the task sets", train("--param", "env=x"), ("env",)),
    ("train --set", "without =", train("--set", "double"), ("--set NAME=VALUE",)),
    ("train --set", "without a name", train("--set", "=1"), ("--set NAME=VALUE",)),
    ("train --set", "no name of Python's", train("--set", "1a=1"), ("--set NAME=VALUE",)),
    ("train --set", "twice", train("--set", "double=1", "--set", "double=0"), ("twice",)),
    ("train --set", "unknown", train("--set", "triple=1"), ("triple", "double")),
    ("train --set", "another task's", train("--set", "density=moons"), ("density", "double")),
    ("train --set", "discriminator", train("--set", "discriminator=none"), ("discriminator",)),
    ("train --set", "render_mode", train("--set", "render_mode=human"), ("render_mode",)),
    ("train --set", "autoreset_mode", train("--set", "autoreset_mode=Disabled"), ("autoreset_mode",)),
    ("train --set", "num_envs", train("--set", "num_envs=3"), ("num_envs",)),
    ("train --set", "task", train("--set", "task=x:Y"), ("task",)),
    ("generate RUN", "missing", ("generate",), ("RUN", "--pretrained")),
    ("generate RUN", "beside --pretrained", ("generate", "{run}", "--pretrained", MELODY), ("RUN", "--pretrained")),
    ("generate RUN", "not there", ("generate", "{tmp}/no"), ("does not exist", "musegym train")),
    ("generate RUN", "an empty folder", ("generate", "{tmp}"), ("config.json",)),
    ("generate RUN", "an id", ("generate", MELODY), ("is an id", "--pretrained")),
    ("generate RUN", "a name too long", ("generate", "x" * 300), ("x" * 300,)),
    ("generate RUN", "a text file", ("generate", "{run}/metrics.jsonl"), ("metrics.jsonl",)),
    ("generate RUN", "its samples", ("generate", "{run}/samples"), ("config.json",)),
    ("generate RUN", "below a file", ("generate", "{run}/model.zip/x"), ("does not exist",)),
    ("generate --pretrained", "unknown", ("generate", "--pretrained", "musegym/Melodie-v0"), ("did you mean",)),
    ("generate --pretrained", "none ships", ("generate", "--pretrained", WORD), ("no model", "musegym train")),
    ("generate --pretrained", "a path", ("generate", "--pretrained", "{run}"), ("no environment",)),
    ("generate --num", "0", ("generate", "{run}", "--num", "0"), ("--num",)),
    ("generate --num", "negative", ("generate", "{run}", "--num", "-4"), ("--num",)),
    ("generate --num", "a word", ("generate", "{run}", "--num", "many"), ("--num",)),
    ("generate --num", "more than any memory", ("generate", "{run}", "--num", "99999999999"), ("--num",)),
    ("generate --seed", "negative", ("generate", "{run}", "--seed", "-1"), ("--seed",)),
    ("generate --seed", "too large", ("generate", "{run}", "--seed", str(2**40)), ("--seed",)),
    ("generate --seed", "a fraction", ("generate", "{run}", "--seed", "0.5"), ("--seed",)),
    ("generate --temperature", "negative", ("generate", "{run}", "--temperature", "-1"), ("--temperature",)),
    ("generate --temperature", "nan", ("generate", "{run}", "--temperature", "nan"), ("--temperature",)),
    ("generate --temperature", "infinite", ("generate", "{run}", "--temperature", "inf"), ("--temperature", "finite")),
    ("generate --temperature", "a word", ("generate", "{run}", "--temperature", "hot"), ("--temperature",)),
    ("generate --keep", "without --prefix", ("generate", "{run}", "--keep", "3"), ("--prefix",)),
    ("generate --keep", "0", ("generate", "{run}", "--prefix", "x", "--keep", "0"), ("--keep",)),
    ("generate --keep", "a word", ("generate", "{run}", "--prefix", "x", "--keep", "some"), ("--keep",)),
    ("generate --prefix", "without --keep", ("generate", "{run}", "--prefix", "x.npz"), ("--keep",)),
    (
        "generate --prefix",
        "beside --set",
        ("generate", "{run}", "--prefix", "x.npz", "--keep", "3", "--set", "double=1"),
        ("--set",),
    ),
    ("generate --prefix", "not there", ("generate", "{run}", "--prefix", "{tmp}/x", "--keep", "1"), ("name one",)),
    ("generate --prefix", "a folder", ("generate", "{run}", "--prefix", "{tmp}", "--keep", "1"), ("name a file",)),
    ("generate --prefix", "a model", ("generate", "{run}", "--prefix", "{run}/model.zip", "--keep", "1"), (".npz",)),
    ("generate --prefix", "a name too long", ("generate", "{run}", "--prefix", "x" * 300, "--keep", "1"), ("shorter",)),
    ("generate --set", "unknown", ("generate", "{run}", "--set", "triple=1"), ("triple", "double")),
    ("generate --set", "of another type", ("generate", "{run}", "--set", "double=2"), ("double", "true or false")),
    ("generate --set", "without =", ("generate", "{run}", "--set", "double"), ("--set NAME=VALUE",)),
    ("generate --out", "a file", ("generate", "{run}", "--num", "1", "--out", "{run}/model.zip"), ("cannot write",)),
    (
        "generate --out",
        "below a file",
        ("generate", "{run}", "--num", "1", "--out", "{run}/model.zip/x"),
        ("cannot write",),
    ),
    ("generate --out", "a name too long", ("generate", "{run}", "--out", "{tmp}/" + "x" * 300), ("shor",)),
    ("evaluate RUN", "missing", ("evaluate",), ("RUN", "--pretrained")),
    ("evaluate RUN", "not there", ("evaluate", "{tmp}/no"), ("does not exist",)),
    ("evaluate RUN", "an empty folder", ("evaluate", "{tmp}"), ("config.json",)),
    ("evaluate RUN", "a picture", ("evaluate", "{run}/samples/x.png"), ("does not exist",)),
    ("evaluate RUN", "beside --pretrained", ("evaluate", "{run}", "--pretrained", MELODY), ("--pretrained",)),
    ("evaluate --pretrained", "none ships", ("evaluate", "--pretrained", DENSITY), ("no model", "musegym train")),
    ("evaluate --pretrained", "unknown", ("evaluate", "--pretrained", "Haiku-v0"), ("no environment",)),
    ("evaluate --num", "1", ("evaluate", "{run}", "--num", "1"), ("--num",)),
    ("evaluate --num", "a word", ("evaluate", "{run}", "--num", "all"), ("--num",)),
    ("evaluate --num", "more than any memory", ("evaluate", "{run}", "--num", str(10**12)), ("--num",)),
    ("evaluate --seeds", "0", ("evaluate", "{run}", "--seeds", "0"), ("--seeds",)),
    ("evaluate --seeds", "more than there are folds", ("evaluate", "{run}", "--seeds", "6"), ("--seeds",)),
    ("evaluate --seeds", "a word", ("evaluate", "{run}", "--seeds", "some"), ("--seeds",)),
    ("evaluate --json", "in no folder", ("evaluate", "{run}", "--json", "{tmp}/no/x.json"), ("no folder",)),
    ("evaluate --json", "a folder", ("evaluate", "{run}", "--json", "{tmp}"), ("--json", "file")),
    ("evaluate --json", "below a file", ("evaluate", "{run}", "--json", "{run}/model.zip/x"), ("no folder",)),
    ("evaluate --json", "without a value", ("evaluate", "{run}", "--json"), ("--json",)),
    ("corpus ID", "missing", ("corpus",), ("ID",)),
    ("corpus ID", "unknown", ("corpus", "musegym/Sonnet-v0"), ("no environment",)),
    ("corpus ID", "a path", ("corpus", "{tmp}"), ("no environment",)),
    ("corpus ID", "module that is not there", ("corpus", "no.such:x/Y-v0"), ("no.such",)),
    ("corpus --set", "unknown", ("corpus", DENSITY, "--set", "corpus=x"), ("corpus", "density")),
    ("corpus --set", "without =", ("corpus", DENSITY, "--set", "density"), ("--set NAME=VALUE",)),
    ("corpus --set", "twice", ("corpus", DENSITY, "--set", "density=a", "--set", "density=b"), ("twice",)),
    ("corpus --set", "discriminator", ("corpus", DENSITY, "--set", "discriminator=none"), ("discriminator",)),
    ("corpus --set corpus", "not there", ("corpus", RLTUNER, "--set", "corpus={tmp}/no"), ("/no",)),
    ("corpus --set corpus", "an empty folder", ("corpus", RLTUNER, "--set", "corpus={tmp}"), ("no work was read",)),
    ("corpus --json", "in no folder", ("corpus", WORD, "--json", "{tmp}/no/x"), ("cannot write",)),
    ("corpus --json", "a folder", ("corpus", WORD, "--json", "{tmp}"), ("{tmp}",)),
    ("corpus --json", "without a value", ("corpus", WORD, "--json"), ("--json",)),
    ("play ID|RUN", "missing", ("play",), ("ID|RUN",)),
    ("play ID|RUN", "not there", ("play", "{tmp}/no"), ("no environment", MELODY)),
    ("play ID|RUN", "an empty folder", ("play", "{tmp}"), ("config.json",)),
    ("play ID|RUN", "a text file", ("play", "{run}/config.json"), ("config.json",)),
    ("play ID|RUN", "nearly right", ("play", "musegym/Digits-v0"), ("did you mean musegym/Digit-v0",)),
    ("play ID|RUN", "a name too long", ("play", "x" * 300), ("x" * 300,)),
    ("play --seed", "negative", ("play", WORD, "--seed", "-1"), ("--seed",)),
    ("play --seed", "too large", ("play", WORD, "--seed", str(2**31)), ("--seed",)),
    ("play --seed", "a word", ("play", WORD, "--seed", "lucky"), ("--seed",)),
    ("play --speed", "0", ("play", WORD, "--speed", "0"), ("--speed",)),
    ("play --speed", "nan", ("play", WORD, "--speed", "nan"), ("--speed",)),
    ("play --speed", "infinite", ("play", WORD, "--speed", "inf"), ("--speed", "finite")),
    ("play --set", "unknown", ("play", DENSITY, "--set", "corpus=x"), ("corpus", "density")),
    ("play --set", "with a RUN", ("play", "{run}", "--set", "density=moons"), ("--set", "RUN")),
    ("play --speed", "a word", ("play", WORD, "--speed", "allegro"), ("--speed",)),
    ("bench NAME", "missing", ("bench",), ("NAME",)),
    ("bench NAME", "unknown", ("bench", "sonnets"), ("sonnets", "melody")),
    ("bench NAME", "two of them", ("bench", "melody", "digit"), ("digit",)),
    ("bench", "no such option", ("bench", "melody", "--quick"), ("--quick",)),
    ("bench --jobs", "0", ("bench", "melody", "--jobs", "0"), ("--jobs",)),
    ("bench --jobs", "a fraction", ("bench", "melody", "--jobs", "1.5"), ("--jobs",)),
    ("bench --seeds", "0", ("bench", "melody", "--seeds", "0"), ("--seeds",)),
    ("bench --seeds", "a word", ("bench", "melody", "--seeds", "all"), ("--seeds",)),
    ("bench --seconds", "0", ("bench", "melody", "--seconds", "0"), ("--seconds",)),
    ("bench --seconds", "nan", ("bench", "melody", "--seconds", "nan"), ("--seconds", "finite")),
    ("bench --seconds", "infinite", ("bench", "melody", "--seconds", "inf"), ("--seconds", "finite")),
    ("bench --seconds", "a word", ("bench", "melody", "--seconds", "soon"), ("--seconds",)),
    ("bench --only", "unknown", ("bench", "melody", "--only", "best"), ("best", "melody")),
    ("bench --only", "without a value", ("bench", "melody", "--only"), ("--only",)),
    ("bench --results", "a file", ("bench", "melody", "--list", "--results", "{run}/model.zip"), ("name a folder",)),
    ("report NAME", "missing", ("report",), ("NAME",)),
    ("report NAME", "unknown", ("report", "sonnets"), ("sonnets", "melody")),
    ("report NAME", "an empty folder", ("report", "{tmp}"), ("no results",)),
    ("report NAME", "a file", ("report", "{run}/model.zip"), ("model.zip",)),
    ("report NAME", "a run", ("report", "{run}"), ("no results",)),
    ("report", "no such option", ("report", "melody", "--pretty"), ("--pretty",)),
    ("report --against", "unknown", ("report", "melody", "--against", "best"), ("best",)),
    ("report --columns", "unknown", ("report", "melody", "--columns", "beauty"), ("beauty",)),
    ("report --columns", "without a value", ("report", "melody", "--columns"), ("--columns",)),
    ("report --html", "in no folder", ("report", "melody", "--html", "{tmp}/no/x.html"), ("cannot write",)),
    ("report --html", "a folder", ("report", "melody", "--html", "{tmp}"), ("cannot write",)),
    ("report --html", "without a value", ("report", "melody", "--html"), ("--html",)),
]  # fmt: skip

# --- arguments of environments -----------------------------------------------------------------------------------

OUT_OF_RANGE_SETS = [
    (MELODY, "style", "loud", "6/8"),
    (MELODY, "style", "5", "6/8"),
    (MELODY, "style", "7/8 minor", "6/8"),
    (MELODY, "corpus", "[1]", "[1]"),
    (MELODY, "corpus", "/no/such/folder", "/no/such/folder"),
    (RLTUNER, "corpus", "/no/such/folder", "/no/such/folder"),
    (RLTUNER, "corpus", "/dev/null", "/dev/null"),
    (RLTUNER, "counting", "all", "sum, kept"),
    (RLTUNER, "counting", "3", "sum, kept"),
    (DIGIT, "side", "13", "14"),
    (DIGIT, "side", "-14", "14"),
    (DIGIT, "strokes", "0", "from 1"),
    (DIGIT, "strokes", "1001", "1000"),
    (DIGIT, "data", "cats", "mnist"),
    (DENSITY, "density", "bananas", "moons"),
    (DENSITY, "density", "", "moons"),
    (ORACLE, "vocabulary", "1", "from 2"),
    (ORACLE, "vocabulary", "30001", "30000"),
    (ORACLE, "length", "0", "from 1"),
    (ORACLE, "length", "1025", "1024"),
    (ORACLE, "oracle_seed", "-1", "from 0"),
    (ORACLE, "oracle_seed", "2147483648", "2147483647"),
]
WRONG_KIND = {
    "true or false": ("maybe", "2", "1.0", "null", "[]"),
    "a whole number": ("many", "1.5", "true", "NaN", "[3]"),
}
WRONG_KIND["a finite number"] = ("heavy", "NaN", "Infinity", "-Infinity", "1e999", "true", "[1]")


def sets() -> Iterator[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    for id, name, text, word in OUT_OF_RANGE_SETS:
        yield f"--set {name} of {id}", f"{text!r}", train("--set", f"{name}={text}", id=id), (word,)
    for id in (MELODY, DIGIT, DENSITY, ORACLE, RLTUNER):
        for name, argument in env_arguments(id).items():
            kind = next((kind for kind in WRONG_KIND if argument.expected.startswith(kind)), None)
            for text in WRONG_KIND.get(kind or "", ()):
                if text == "null" and "null" in argument.expected:
                    continue
                command = train("--set", f"{name}={text}", id=id)
                yield f"--set {name} of {id}", f"{text!r}", command, (f"--set {name}={text}", argument.expected)


# --- hyperparameters ---------------------------------------------------------------------------------------------

AT_LEAST_0 = (
    *("demonstrations", "replayed", "cross_entropy", "warm_start", "lead", "weight_decay", "consistency"),
    *("max_grad_norm", "discriminator_weight", "prior_weight", "learning_rate", "warm_start_learning_rate"),
    *("discriminator.past", "discriminator.past_share", "discriminator.updates_per_observe"),
    *("discriminator.learning_rate", "discriminator.weight_decay", "discriminator.clip", "discriminator.r1"),
    *("discriminator.label_smoothing", "discriminator.convolutions"),
    *("discriminator.recurrent", "discriminator.dropout", "discriminator.input_dropout", "discriminator.noise"),
    *("discriminator.augmentation", "alpha", "gamma", "target_share", "temperature"),
)
AT_LEAST_1 = (
    *("n_steps", "buffer_size", "target_update_interval", "batch_size", "gradient_steps", "minibatch"),
    *("stats_window_size", "discriminator.batch_size", "discriminator.validate_every"),
    *("discriminator.validation_size", "discriminator.hidden", "discriminator.embedding", "discriminator.lags"),
    *("discriminator.r1_every", "discriminator.r1_rows"),
)
OUT_OF_RANGE = [
    *((name, "-1") for name in AT_LEAST_0),
    *((name, "0") for name in AT_LEAST_1),
    ("temperature", "0"),
    ("target_share", "0"),
    ("alpha", "1.5"),
    ("gamma", "1.01"),
    ("learning_rate", "1e31"),
    ("demonstrations", "1000001"),
    ("minibatch", "1000001"),
    ("reward_form", "best"),
    ("device", "cudda"),
    ("device", "meta"),
    ("precision", "half"),
    ("hard", "true"),
    ("schedule", "[0.6, 0.6]"),
    ("schedule", "[-0.1, 0]"),
    ("schedule", "[0.1]"),
    ("schedule", "[0.1, NaN]"),
    ("policy_kwargs", '{"hidden": 0}'),
    ("policy_kwargs", '{"hidden": "wide"}'),
    ("policy_kwargs", '{"hidden": 1e400}'),
    ("policy_kwargs", '{"dropout": 2}'),
    ("policy_kwargs", '{"depth": 2}'),
    ("policy_kwargs", "[128]"),
    ("discriminator.hidden", "1025"),
    ("discriminator.embedding", "2000"),
    ("discriminator.lags", "257"),
    ("discriminator.convolutions", "9"),
    ("discriminator.recurrent", "1025"),
    ("discriminator.dropout", "1"),
    ("discriminator.input_dropout", "1"),
    ("discriminator.noise", "0.5"),
    ("discriminator.augmentation", "2"),
    ("discriminator.betas", "[0.5, 1]"),
    ("discriminator.betas", "[0.5]"),
    ("discriminator.label_smoothing", "0.5"),
    ("discriminator.learning_rate", "0"),
    ("discriminator.clip", "0"),
    ("discriminator.past_share", "1"),
    ("discriminator.past", "1000001"),
    ("discriminator.batch_size", "1000001"),
]


def params() -> Iterator[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    for name, text in OUT_OF_RANGE:
        yield f"--param {name}", f"{text!r} is out of range", train("--param", f"{name}={text}"), ("--param",)
    for name, argument in hyperparameters().items():
        kind = next((kind for kind in WRONG_KIND if argument.expected.startswith(kind)), None)
        for text in WRONG_KIND.get(kind or "", ())[:3]:
            command = train("--param", f"{name}={text}")
            yield (
                f"--param {name}",
                f"{text!r} is of another kind",
                command,
                (f"--param {name}={text}", argument.expected),
            )


# --- damaged runs and models -------------------------------------------------------------------------------------

RESUME = ("train", WORD, "--resume", "--out", "{run}")
DAMAGED = ("damaged", "--out")
EMPTY_ZIP = b"PK\x05\x06" + 18 * b"\0"


def config(**changes: object) -> Callable[[Path], object]:
    """Edits config.json."""

    def damage(run: Path) -> None:
        file = run / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


def about(**changes: object) -> Callable[[Path], object]:
    """Edits the checkpoint's run.json."""

    def damage(run: Path) -> None:
        file = run / "checkpoint" / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


def text(name: str, content: bytes) -> Callable[[Path], object]:
    """Replaces a file's content."""
    return lambda run: (run / name).write_bytes(content)


def gone(name: str) -> Callable[[Path], object]:
    """Removes a file or folder."""

    def damage(run: Path) -> None:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()

    return damage


def folder(name: str) -> Callable[[Path], object]:
    """Puts a folder where a file is expected."""

    def damage(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir()

    return damage


def file(name: str) -> Callable[[Path], object]:
    """Puts a file where a folder is expected."""

    def damage(run: Path) -> None:
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).write_text("")

    return damage


def cut(name: str, keep: int) -> Callable[[Path], object]:
    """Cuts a file short."""
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:keep])


def model_as_checkpoint(run: Path) -> None:
    shutil.copy(run / "model.zip", run / "checkpoint" / "agent.zip")


def no_config(run: Path) -> None:
    file = run / "config.json"
    file.write_text(json.dumps({key: value for key, value in json.loads(file.read_text()).items() if key != "seed"}))


DAMAGES = [
    ("config.json", "missing", RESUME, ("config.json",), gone("config.json")),
    ("config.json", "a folder", RESUME, ("config.json",), folder("config.json")),
    ("config.json", "empty", RESUME, DAMAGED, text("config.json", b"")),
    ("config.json", "cut short", RESUME, DAMAGED, cut("config.json", 40)),
    ("config.json", "no text", RESUME, ("config.json",), text("config.json", b"\xff\xfe\x00")),
    ("config.json", "a list", RESUME, DAMAGED, text("config.json", b"[]")),
    ("config.json", "null", RESUME, DAMAGED, text("config.json", b"null")),
    ("config.json", "nested without end", RESUME, DAMAGED, text("config.json", b"[" * 100_000)),
    ("config.json", "a key more", RESUME, DAMAGED, config(colour="red")),
    ("config.json", "a key less", RESUME, DAMAGED, no_config),
    ("config.json id", "a number", RESUME, DAMAGED, config(id=7)),
    ("config.json id", "another task's", RESUME, ("choose another --out",), config(id="toy/Bits-v0")),
    ("config.json seconds", "nan", RESUME, DAMAGED, config(seconds=float("nan"), steps=None)),
    ("config.json seconds", "infinite", RESUME, DAMAGED, config(seconds=float("inf"), steps=None)),
    ("config.json seconds", "text", RESUME, DAMAGED, config(seconds="10", steps=None)),
    ("config.json seconds", "0", RESUME, DAMAGED, config(seconds=0, steps=None)),
    ("config.json seconds", "beside steps", RESUME, DAMAGED, config(seconds=5)),
    ("config.json seconds", "instead of steps", RESUME, ("counts", "put"), config(seconds=5, steps=None)),
    ("config.json steps", "a fraction", RESUME, DAMAGED, config(steps=1.5)),
    ("config.json steps", "text", RESUME, DAMAGED, config(steps="60")),
    ("config.json steps", "true", RESUME, DAMAGED, config(steps=True)),
    ("config.json steps", "0", RESUME, DAMAGED, config(steps=0)),
    ("config.json steps", "no budget", RESUME, DAMAGED, config(steps=None)),
    ("config.json seed", "negative", RESUME, DAMAGED, config(seed=-1)),
    ("config.json seed", "text", RESUME, DAMAGED, config(seed="1")),
    ("config.json seed", "another one", RESUME, ("seed", "put"), config(seed=99)),
    ("config.json num_envs", "0", RESUME, DAMAGED, config(num_envs=0)),
    ("config.json num_envs", "null", RESUME, DAMAGED, config(num_envs=None)),
    ("config.json num_envs", "another number", RESUME, ("num_envs", "put"), config(num_envs=5)),
    ("config.json env_kwargs", "a list", RESUME, DAMAGED, config(env_kwargs=[1])),
    ("config.json env_kwargs", "nan", RESUME, DAMAGED, config(env_kwargs={"double": float("nan")})),
    ("config.json env_kwargs", "unknown", RESUME, ("triple",), config(env_kwargs={"triple": 1})),
    ("config.json env_kwargs", "of another type", RESUME, ("double",), config(env_kwargs={"double": "no"})),
    ("config.json env_kwargs", "edited", RESUME, ("env_kwargs", "put"), config(env_kwargs={"double": False})),
    ("config.json params", "text", RESUME, DAMAGED, config(params="alpha=1")),
    ("config.json params", "unknown", RESUME, ("no_such",), config(params={"no_such": 1})),
    ("config.json params", "of another type", RESUME, ("alpha",), config(params={"alpha": "high"})),
    ("config.json params", "infinite", RESUME, DAMAGED, config(params={"alpha": float("inf")})),
    ("config.json params", "edited", RESUME, ("params", "put"), config(params={"alpha": 0.5})),
    ("checkpoint", "missing beside a model", RESUME, DAMAGED, gone("checkpoint")),
    ("checkpoint", "a file", RESUME, DAMAGED, file("checkpoint")),
    ("checkpoint", "another file in it", RESUME, DAMAGED, text("checkpoint/more", b"")),
    ("checkpoint/run.json", "missing", RESUME, DAMAGED, gone("checkpoint/run.json")),
    ("checkpoint/run.json", "a folder", RESUME, DAMAGED, folder("checkpoint/run.json")),
    ("checkpoint/run.json", "empty", RESUME, DAMAGED, text("checkpoint/run.json", b"")),
    ("checkpoint/run.json", "a list", RESUME, DAMAGED, text("checkpoint/run.json", b"[]")),
    ("checkpoint/run.json", "no text", RESUME, DAMAGED, text("checkpoint/run.json", b"\xff\xfe")),
    ("checkpoint/run.json", "of an earlier version", RESUME, DAMAGED, text("checkpoint/run.json", b'{"seconds": 1}')),
    ("checkpoint/run.json", "seconds nan", RESUME, DAMAGED, about(seconds=float("nan"))),
    ("checkpoint/run.json", "seconds infinite", RESUME, DAMAGED, about(seconds=float("inf"))),
    ("checkpoint/run.json", "seconds negative", RESUME, DAMAGED, about(seconds=-1)),
    ("checkpoint/run.json", "seconds text", RESUME, DAMAGED, about(seconds="9")),
    ("checkpoint/run.json", "metrics_bytes negative", RESUME, DAMAGED, about(metrics_bytes=-1)),
    ("checkpoint/run.json", "metrics_bytes a fraction", RESUME, DAMAGED, about(metrics_bytes=0.5)),
    ("checkpoint/run.json", "settings a list", RESUME, DAMAGED, about(settings=[1])),
    ("checkpoint/run.json", "settings of nothing", RESUME, ("put",), about(settings={})),
    ("checkpoint/run.json", "files null", RESUME, DAMAGED, about(files=None)),
    ("checkpoint/run.json", "files of nothing", RESUME, DAMAGED, about(files={})),
    ("checkpoint/agent.zip", "missing", RESUME, DAMAGED, gone("checkpoint/agent.zip")),
    ("checkpoint/agent.zip", "a folder", RESUME, DAMAGED, folder("checkpoint/agent.zip")),
    ("checkpoint/agent.zip", "empty", RESUME, DAMAGED, text("checkpoint/agent.zip", b"")),
    ("checkpoint/agent.zip", "cut short", RESUME, DAMAGED, cut("checkpoint/agent.zip", 1000)),
    ("checkpoint/agent.zip", "the run's model.zip", RESUME, DAMAGED, model_as_checkpoint),
    ("metrics.jsonl", "missing", RESUME, DAMAGED, gone("metrics.jsonl")),
    ("metrics.jsonl", "cut short", RESUME, DAMAGED, cut("metrics.jsonl", 5)),
    ("train --resume --seed", "another", (*RESUME, "--seed", "5"), ("seed", "--out"), None),
    ("train --resume --num-envs", "another", (*RESUME, "--num-envs", "9"), ("num_envs", "--out"), None),
    ("train --resume --set", "another value", (*RESUME, "--set", "double=no"), ("double", "--out"), None),
    ("train --resume --set", "not one of its own", (*RESUME, "--set", "rule_weight=1"), ("rule_weight",), None),
    ("train --resume --param", "another value", (*RESUME, "--param", "lead=2"), ("lead", "--out"), None),
    ("train --resume --param", "not one of its own", (*RESUME, "--param", "alpha=0.5"), ("alpha", "--out"), None),
    ("train --resume --seconds", "another budget", (*RESUME, "--seconds", "5"), ("counts steps",), None),
    ("train --resume ID", "another", ("train", DENSITY, *RESUME[2:]), ("choose another --out",), None),
    ("RUN/model.zip", "missing", ("generate", "{run}"), ("no model yet", "--resume"), gone("model.zip")),
    ("RUN/model.zip", "a folder", ("generate", "{run}"), ("model.zip",), folder("model.zip")),
    ("RUN/model.zip", "empty", ("generate", "{run}"), ("not a usable model",), text("model.zip", b"")),
    ("RUN/model.zip", "cut short", ("generate", "{run}"), ("not a usable model",), cut("model.zip", 2000)),
    ("RUN/model.zip", "text", ("generate", "{run}"), ("not a usable model",), text("model.zip", b"hello")),
    ("RUN/model.zip", "a pickle", ("evaluate", "{run}"), ("not a usable model",), text("model.zip", b"\x80\x04\x95N.")),
    ("RUN/model.zip", "a zip of nothing", ("play", "{run}"), ("model.zip",), text("model.zip", EMPTY_ZIP)),
    ("RUN/config.json", "missing", ("generate", "{run}"), ("config.json",), gone("config.json")),
    ("RUN/config.json", "damaged", ("evaluate", "{run}"), DAMAGED, text("config.json", b"{")),
    ("RUN/config.json", "of another task", ("generate", "{run}"), ("put",), config(id="toy/Bits-v0")),
    ("RUN/config.json", "of an unknown task", ("play", "{run}"), ("no environment",), config(id="toy/Gone-v0")),
]  # fmt: skip

JUDGE = ("evaluate", "--id", WORD, "--works", "{run}/w.npz")
REPORT = ("report", "{run}/results")


def works(**arrays: object) -> Callable[[Path], object]:
    """Writes a file of works."""
    return lambda run: np.savez(run / "w.npz", **arrays)  # type: ignore[arg-type]


def result(content: bytes, table: str = "") -> Callable[[Path], object]:
    """Writes a result file of a benchmark."""

    def damage(run: Path) -> None:
        (run / "results" / table).mkdir(parents=True)
        (run / "results" / table / "ours-s0.json").write_bytes(content)

    return damage


GOOD, STYLES = np.ones((20, 6), np.int8), np.ones((20, 1), np.int64)
FILES = [
    ("evaluate --works", "without --id", ("evaluate", "--works", "x"), ("--id",), None),
    ("evaluate --works", "beside RUN", ("evaluate", "{run}", *JUDGE[1:]), ("leave out",), None),
    ("evaluate --works", "beside --pretrained", (*JUDGE, "--pretrained", MELODY), ("leave out",), None),
    ("evaluate --works", "beside --num", (*JUDGE, "--num", "5"), ("leave out",), None),
    ("evaluate --works", "not there", JUDGE, ("does not exist", "np.savez"), None),
    ("evaluate --works", "a folder", (*JUDGE[:-1], "{tmp}"), ("np.savez",), None),
    ("evaluate --works", "text", (*JUDGE[:-1], "{run}/config.json"), ("np.savez",), None),
    ("evaluate --works", "a model", (*JUDGE[:-1], "{run}/model.zip"), ("np.savez",), None),
    ("evaluate --works", "empty", JUDGE, ("np.savez",), text("w.npz", b"")),
    ("evaluate --works", "a zip of nothing", JUDGE, ("no content",), text("w.npz", EMPTY_ZIP)),
    ("evaluate --works", "another name", JUDGE, ("works", "no content"), works(works=GOOD)),
    ("evaluate --works", "objects", JUDGE, ("np.savez",), works(content=np.array([{}, {}]))),
    ("evaluate --works", "fractions", JUDGE, ("integers",), works(content=GOOD / 2)),
    ("evaluate --works", "nan", JUDGE, ("integers",), works(content=GOOD * np.nan)),
    ("evaluate --works", "text in it", JUDGE, ("integers",), works(content=np.array(["a", "b"]))),
    ("evaluate --works", "of another shape", JUDGE, ("[N, 6]",), works(content=GOOD[:, :3])),
    ("evaluate --works", "none", JUDGE, ("[N, 6]",), works(content=GOOD[:0])),
    ("evaluate --works", "one alone", JUDGE, ("[N, 6]",), works(content=GOOD[0])),
    ("evaluate --works", "numbers out of range", JUDGE, ("out of its range",), works(content=GOOD * 100)),
    ("evaluate --works", "numbers beyond 8 bits", JUDGE, ("out of its range",), works(content=GOOD.astype(int) + 256)),
    ("evaluate --works", "no conditions", JUDGE, ("conditions", "np.savez"), works(content=GOOD)),
    ("evaluate --works", "conditions of fewer", JUDGE, ("conditions",), works(content=GOOD, condition=STYLES[:3])),
    ("evaluate --works", "conditions out of range", JUDGE, ("below [2]",), works(content=GOOD, condition=9 * STYLES)),
    ("evaluate --id", "without --works", ("evaluate", "--id", WORD), ("--works",), None),
    ("evaluate --id", "unknown", ("evaluate", "--works", "x", "--id", "CartPole-v1"), ("no environment",), None),
    ("evaluate --set", "without --works", ("evaluate", "{run}", "--set", "double=1"), ("--works",), None),
    ("evaluate --set", "unknown", (*JUDGE, "--set", "triple=1"), ("triple", "double"), None),
    ("evaluate --set", "of another type", (*JUDGE, "--set", "double=very"), ("true or false",), None),
    ("a result file", "empty", REPORT, ("no result file",), result(b"")),
    ("a result file", "cut short", REPORT, ("no result file",), result(b'{"evaluation": {')),
    ("a result file", "no text", REPORT, ("no result file",), result(b"\xff\xfe")),
    ("a result file", "a list", REPORT, ("no result",), result(b"[]")),
    ("a result file", "a number", REPORT, ("no result",), result(b"7")),
    ("a result file", "of nothing", REPORT, ("no results",), result(b"{}")),
    ("a result file", "without its row", REPORT, ("no result file",), result(b'{"evaluation": {}}')),
    ("a result file", "figures in a list", REPORT, ("no result file",), result(b'{"row": "a", "evaluation": []}')),
    ("a result file", "nested without end", REPORT, ("no result file",), result(b"[" * 100_000)),
    (
        *("a result file of bench", "cut short", ("bench", "melody", "--list", "--results", "{run}/results")),
        *(("no result file", "delete"), result(b"{", "melody")),
    ),
    (
        *("a result file of bench", "a list", ("bench", "melody", "--list", "--results", "{run}/results")),
        *(("no result file", "delete"), result(b"[]", "melody")),
    ),
]  # fmt: skip

TABLE = [Mistake(*row) for row in (*COMMANDS, *sets(), *params(), *DAMAGES, *FILES)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    small = ("lead=1", "warm_start=5", 'policy_kwargs={"hidden": 8}', "discriminator.batch_size=8")
    params = [word for given in small for word in ("--param", given)]
    with pytest.raises(SystemExit) as exit_:
        cli.main(["train", WORD, "--steps", "60", "--num-envs", "4", "--set", "double=yes", *params, "--out", str(run)])
    assert exit_.value.code == 0
    return run


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_the_table_has_four_hundred_mistakes_of_which_no_two_are_alike() -> None:
    assert len(TABLE) >= 400
    counted = collections.Counter((mistake.option, mistake.check) for mistake in TABLE)
    assert [key for key, count in counted.items() if count > 1] == []
    given = collections.Counter((mistake.command, mistake.damage) for mistake in TABLE)
    assert [key for key, count in given.items() if count > 1] == []


@pytest.mark.usefixtures("results_of_this_tree")
@pytest.mark.parametrize("mistake", TABLE, ids=lambda mistake: re.sub(r"[^\w.,:|-]+", "_", str(mistake))[:80])
def test_mistakes_are_one_line(
    mistake: Mistake,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty, run = tmp_path / "empty", finished
    empty.mkdir()
    if mistake.damage is not None:
        run = tmp_path / "run"
        shutil.copytree(finished, run)
        mistake.damage(run)
    before = contents(run)
    monkeypatch.chdir(empty)
    filled = [part.replace("{tmp}", str(empty)).replace("{run}", str(run)) for part in mistake.command]
    with pytest.raises(SystemExit) as exit_:
        cli.main(filled)
    out, err = capsys.readouterr()
    assert exit_.value.code in (1, 2)
    assert re.match(r"musegym( bench| report)?: \S", err), err
    assert err.count("\n") == 1, err
    for word in mistake.words:
        assert word.replace("{tmp}", str(empty)) in err
    assert out == "" or mistake.command[0] == "corpus", out
    assert list(empty.iterdir()) == [], "a mistake leaves nothing behind"
    after = contents(run)
    assert after.pop(".lock") == b""
    before.pop(".lock")
    assert after == before, "and changes no run"


def test_a_prefix_that_is_no_work(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = tmp_path / "x.npz"
    for array in (np.zeros(3), np.array(["text"]), np.zeros((0,), np.int8)):
        np.savez(prefix, content=array, condition=np.zeros(1, np.int64), actions=np.zeros(0, np.int64))
        with pytest.raises(SystemExit) as exit_:
            cli.main(["generate", str(finished), "--prefix", str(prefix), "--keep", "1", "--out", str(tmp_path / "o")])
        assert exit_.value.code == 2
        assert "works of this task are integers [N, 6]" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"la la la", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY", b"", b"PK\x03\x04", bytes(40)])
@pytest.mark.parametrize("option", ["--prefix", "--works"])
def test_a_file_that_is_no_archive_of_arrays_is_named_without_advice_of_libraries(
    option: str, data: bytes, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(data)
    rest = ("generate", str(finished), "--keep", "1") if option == "--prefix" else ("evaluate", "--id", WORD)
    with pytest.raises(SystemExit) as exit_:
        cli.main([*rest, option, str(file)])
    err = capsys.readouterr().err
    assert exit_.value.code == 2
    assert str(file) in err
    assert ".npz file of numbers" in err or "damaged" in err
    assert "pickle" not in err
    assert "0x" not in err
