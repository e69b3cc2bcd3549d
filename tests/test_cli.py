"""Exit codes and messages of the command line."""

import json
import subprocess
import sys
from pathlib import Path

import canvases
import numpy as np
import pytest
import torch
import toys
from grids import TowerTask
from PIL import Image
from test_recorded import make_run

import musegym
from musegym import cli
from musegym.agents import AdversarialDQN, make_sb3_env, shipped
from musegym.agents.episodes import trace
from musegym.benchmarks import atlas
from musegym.benchmarks.metrics.features import FeatureNet
from musegym.cli import commands, options
from musegym.cli.options import first_conditions
from musegym.envs import make_task
from musegym.envs.density import DensityTask
from musegym.envs.melody import METRES, MODES, MelodyTask
from musegym.errors import UsageError
from musegym.training import loading
from musegym.training.folder import Run
from musegym.training.parameters import device_of

toys.register()
WORD = "toy_ids:toy/Word-v0"


def refused(result: tuple[int, str, str], *words: str) -> None:
    """One line on stderr that holds the words, nothing on stdout, exit code 2."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert err.startswith("musegym: ")
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_a_run_is_watched_by_the_discriminator_that_trained_with_it(trained, tmp_path):
    d = loading.discriminator_of(trained)
    task = loading.load_model(trained, None).task
    works = task.works("train")
    assert np.ptp(d.logits(works.contents, works.conditions)) > 0
    assert loading.discriminator_of(trained / "model.zip") is None, "a policy alone has none"
    assert loading.discriminator_of(tmp_path) is None


def test_help_names_the_commands(call):
    for arguments in ((), ("--help",)):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        for command in ("list", "train", "generate", "evaluate", "play", "bench", "report", "map"):
            assert f"  {command} " in out


def test_version(call):
    assert call("--version") == (0, f"{musegym.__version__}\n", "")


def test_list(call):
    code, out, err = call("list")
    assert (code, err) == (0, "")
    (row,) = (line for line in out.splitlines() if "musegym/Melody-v0" in line)
    assert str(MelodyTask.horizon) in row
    assert str(MelodyTask.num_actions) in row


def test_list_reads_nothing_and_says_what_is_missing(call, monkeypatch, tmp_path):
    monkeypatch.setattr(MelodyTask, "works", lambda self, split: pytest.fail("works were read"))
    found = call("list")
    assert found[0] == 0
    assert "missing" not in next(line for line in found[1].splitlines() if "musegym/Melody-v0" in line)
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path))
    monkeypatch.setattr("musegym.envs.corpora.sources.site_folder", lambda _: None)
    code, out, err = call("list")
    assert (code, err) == (0, "")
    assert "missing: musegym data get tunes" in out


def test_list_survives_a_domain_that_cannot_be_imported(call, monkeypatch):
    def make_task(id):
        raise ModuleNotFoundError("No module named 'resvg'", name="resvg")

    monkeypatch.setattr(commands, "make_task", make_task)
    code, out, err = call("list")
    assert (code, err) == (0, "")
    assert "resvg" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), ("trian", "'train'")),
        (("train",), ("ID",)),
        (("train", "x", "--bad"), ("--bad",)),
        (("train", "musegym/Melodi-v0"), ("did you mean musegym/Melody-v0",)),
        (("train", "melody"), ("did you mean musegym/Melody-v0",)),
        (("train", "CartPole-v1"), ("CartPole-v1", "musegym/Melody-v0")),
        (("train", "no.such.module:x/Y-v0"), ("no.such.module:x/Y-v0",)),
        (("train", f"{WORD}x"), ("did you mean toy_ids:toy/Word-v0",)),
        (("train", WORD, "--seconds", "5", "--steps", "5"), ("--seconds", "--steps")),
        (("train", WORD, "--seconds", "0"), ("--seconds", "above 0")),
        (("train", WORD, "--seconds", "nan"), ("--seconds", "above 0")),
        (("train", WORD, "--seconds", "soon"), ("--seconds",)),
        (("train", WORD, "--steps", "0"), ("--steps",)),
        (("train", WORD, "--seed", "-1"), ("--seed",)),
        (("train", WORD, "--set", "double"), ("--set NAME=VALUE",)),
        (("train", WORD, "--set", "double=1", "--set", "double=0"), ("double is given twice",)),
        (("train", WORD, "--set", "triple=1"), ("triple", "double")),
        (("train", WORD, "--set", "discriminator=none"), ("discriminator",)),
        (("train", "musegym/Melody-v0", "--set", "corpus=/no/such/folder"), ("/no/such/folder",)),
        (("train", WORD, "--param", "no_such=1"), ("no_such", "learning_rate")),
        (("train", WORD, "--resume"), ("--out",)),
        (("train", WORD, "--resume", "--out", "/no/such/run"), ("/no/such/run",)),
        (("generate",), ("RUN", "--pretrained")),
        (("generate", "run", "--pretrained", "musegym/Melody-v0"), ("RUN", "--pretrained")),
        (("generate", "/no/such/run"), ("/no/such/run", "musegym train")),
        (("generate", "--pretrained", "musegym/Melodie-v0"), ("did you mean musegym/Melody-v0",)),
        (("generate", "--pretrained", WORD), ("no model", "musegym train")),
        (("generate", "run", "--num", "0"), ("--num",)),
        (("generate", "run", "--temperature", "-1"), ("--temperature",)),
        (("generate", "run", "--prefix", "x.npz"), ("--keep",)),
        (("generate", "run", "--keep", "3"), ("--prefix",)),
        (("generate", "run", "--prefix", "x.npz", "--keep", "3", "--set", "style=minor"), ("--set",)),
        (("generate", "run", "--like", "x.npz", "--prefix", "y.npz", "--keep", "3"), ("--like", "--prefix")),
        (("generate", "run", "--like", "x.npz", "--temperature", "0.5"), ("--like", "temperature")),
        (("generate", "run", "--between", "x.npz", "y.npz", "--set", "style=minor"), ("--between", "leave out")),
        (("generate", "run", "--like", "x.npz", "--share", "1.5"), ("--share",)),
        (("evaluate", "/no/such/run"), ("/no/such/run",)),
        (("evaluate", "/no/such/run", "--num", "1"), ("--num",)),
        (("play", "/no/such/run"), ("/no/such/run", "musegym/Melody-v0")),
    ],
)
def test_mistakes(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    refused(call(*arguments), *words)
    assert not list(tmp_path.iterdir()), "a mistake leaves nothing behind"


def test_out_that_holds_something(call, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    refused(call("train", WORD, "--steps", "1", "--out", tmp_path), str(tmp_path), "--resume")
    refused(call("train", WORD, "--steps", "1", "--out", tmp_path / "precious.txt"), "not empty")
    refused(call("train", WORD, "--steps", "1", "--out", tmp_path / "precious.txt" / "run"), "cannot write")
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b'{"id": 1}', b"\xff\xfe", b"null"])
def test_a_damaged_config(call, tmp_path, config):
    (tmp_path / "config.json").write_bytes(config)
    for command in (("train", WORD, "--resume", "--out"), ("generate",), ("evaluate",)):
        refused(call(*command, tmp_path), str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"\x80\x04\x95", b"text"])
def test_a_damaged_model(call, tmp_path, content):
    model = tmp_path / "model.zip"
    model.write_bytes(content)
    for command in ("generate", "evaluate", "play"):
        refused(call(command, model), str(model))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    small = {"warm_start": 20, "lead": 1, "policy_kwargs": {"hidden": 8}, "discriminator.batch_size": 8}
    params = [word for name, value in small.items() for word in ("--param", f"{name}={json.dumps(value)}")]
    with pytest.raises(SystemExit) as exit_:
        cli.main(
            ["train", WORD, "--steps", "90", "--num-envs", "4", "--set", "double=true", *params, "--out", str(run)]
        )
    assert exit_.value.code == 0
    return run


def test_what_a_run_holds(trained):
    for pattern in ("model.zip", "checkpoint/agent.zip", "tensorboard/*tfevents*", "samples/*.txt", "samples/*.png"):
        assert list(trained.glob(pattern)), pattern
    config = json.loads((trained / "config.json").read_text())
    assert (config["id"], config["steps"], config["env_kwargs"]) == (WORD, 90, {"double": True})
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["steps"] >= 90
    assert {"train/dqn_loss", "train/gan_loss", "train/joint_objective", "validation/nll"} <= lines[-1].keys()
    assert not list(trained.glob("*tmp*"))


def test_generate(call, trained, tmp_path):
    for folder in ("a", "b"):
        code, out, err = call("generate", trained, "--num", 5, "--seed", 3, "--out", tmp_path / folder)
        assert (code, out, err) == (0, f"{tmp_path / folder}\n", "")
    assert call("generate", trained / "model.zip", "--num", 5, "--seed", 4, "--out", tmp_path / "c")[0] == 0
    texts = [(tmp_path / folder / f"Word-v0-{seed}.txt") for folder, seed in (("a", 3), ("b", 3), ("c", 4))]
    words = [text.read_text().split()[1::2] for text in texts]
    assert len(words[0]) == 5
    assert words[0] == words[1] != words[2]
    assert (tmp_path / "a" / "Word-v0-3.png").stat().st_size > 0
    (tmp_path / "file").write_text("")
    refused(call("generate", trained, "--out", tmp_path / "file"), "cannot write")


def saved(folder, num=8):
    """The works that `generate` wrote, by the names of their arrays."""
    works = []
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as arrays:
            works.append(dict(arrays))
    assert len(works) == num
    return works


def test_generate_continues_a_work(call, trained, tmp_path):
    task = make_task("toy/Word-v0", double=True)
    assert call("generate", trained, "--num", 8, "--seed", 1, "--out", tmp_path / "a")[0] == 0
    works = saved(tmp_path / "a")
    longest = max(range(8), key=lambda i: np.count_nonzero(works[i]["content"]))
    given, old = tmp_path / "a" / f"Word-v0-1-{longest:03d}.npz", works[longest]
    again = ("generate", trained, "--num", 8, "--seed", 1, "--out", tmp_path / "b", "--keep", 2)
    assert call(*again, "--prefix", given)[0] == 0
    new = saved(tmp_path / "b")
    assert all(work["condition"] == old["condition"] for work in new)
    assert all((work["actions"][:2] == old["actions"][:2]).all() for work in new)
    assert len({work["content"].tobytes() for work in new}) > 1, "what follows is free"
    length = int(trace(task, old["content"][None], old["condition"][None]).lengths[0])
    assert len(old["actions"]) == length
    for keep in (length, length + 5):  # nothing would be left to decide: copies
        result = call("generate", trained, "--prefix", given, "--keep", keep, "--out", tmp_path / "c")
        refused(result, f"--keep {keep}: the work has {length} decisions; keep fewer")
    odd = tmp_path / "odd.npz"
    refused(call(*again, "--prefix", odd), "odd.npz", "No such file")
    other = next(work for work in works if not np.array_equal(work["content"], old["content"]))
    for change in (
        {"content": np.zeros(3, np.int8)},
        {"content": np.full_like(old["content"], 99)},
        {"content": np.array([None])},
        {"condition": np.zeros(2, np.int64)},
        {"condition": np.array([2])},
        {"condition": np.array([-1])},
        {"condition": np.array([0.5])},
        {"actions": other["actions"]},
        {"actions": np.array([99])},
        {"actions": np.array([[1]])},
        {"actions": np.zeros(task.horizon + 1, np.int64)},
        {"actions": old["actions"] / 2},
    ):
        np.savez(odd, **(old | change))
        refused(call(*again, "--prefix", odd), "odd.npz", "musegym generate")
    np.savez(odd, content=old["content"], condition=old["condition"])
    refused(call(*again, "--prefix", odd), "odd.npz", "holds no actions")
    odd.write_bytes(given.read_bytes()[:-1])
    refused(call(*again, "--prefix", odd), "odd.npz", "musegym generate")
    assert not (tmp_path / "c").exists()


def test_generate_draws_works_like_another_and_between_two(call, trained, tmp_path):
    assert call("generate", trained, "--num", 2, "--seed", 1, "--out", tmp_path / "a")[0] == 0
    old = saved(tmp_path / "a", 2)
    first, second = (tmp_path / "a" / f"Word-v0-1-{number:03d}.npz" for number in range(2))
    kept = round(0.5 * len(old[0]["actions"]))
    assert call("generate", trained, "--num", 4, "--like", first, "--out", tmp_path / "b")[0] == 0
    for new in saved(tmp_path / "b", 4):
        assert new["condition"] == old[0]["condition"]
        assert (new["actions"][:kept] == old[0]["actions"][:kept]).all()
    assert call("generate", trained, "--num", 3, "--between", first, second, "--out", tmp_path / "c")[0] == 0
    saved(tmp_path / "c", 3)
    refused(call("generate", trained, "--like", tmp_path / "no.npz", "--out", tmp_path / "d"), "--like", "No such file")


def test_a_picture_is_a_work_to_be_like(call, tmp_path):
    model = AdversarialDQN("auto", make_sb3_env("musegym/Atelier-v0", 4, discriminator="none"), seed=0)
    model.task.generator.updates = 1
    model.save(tmp_path / "model.zip")
    sheet = np.zeros((40, 60, 3), np.uint8)
    sheet[5:35, 28:32] = 255
    Image.fromarray(sheet).save(tmp_path / "one.png")
    again = ("generate", tmp_path / "model.zip", "--num", 2, "--out", tmp_path / "new")
    assert call(*again, "--like", tmp_path / "one.png", "--share", 1)[0] == 0
    (plan,) = model.task.generator.plans(model.task.read_file(tmp_path / "one.png")[None])
    for number in range(2):
        with np.load(tmp_path / "new" / f"Atelier-v0-0-{number:03d}.npz") as work:
            assert np.array_equal(work["actions"], plan.ravel())
    assert call(*again, "--between", tmp_path / "one.png", tmp_path / "new" / "Atelier-v0-0-001.npz")[0] == 0
    (tmp_path / "no.png").write_bytes(b"no picture")
    refused(call(*again, "--like", tmp_path / "no.png"), "no.png", "PNG")
    refused(call(*again, "--like", tmp_path / "missing.png"), "--like", "No such file")
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(tmp_path / "clear.png")
    refused(call(*again, "--like", tmp_path / "clear.png"), "alike", "light lines")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    refused(call(*again, "--like", tmp_path / "huge.png"), "huge.png", "4096", "smaller")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    refused(call(*again, "--like", tmp_path / "huge.png"), "huge.png", "4096", "smaller")


def test_models_ship_for_an_id_and_for_one_of_its_data(call, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path)
    for data, name in (("mnist", "Atelier.zip"), ("kanjivg", "Atelier-kanjivg.zip")):
        model = AdversarialDQN("auto", make_sb3_env("musegym/Atelier-v0", 4, discriminator="none", data=data), seed=0)
        model.task.generator.updates = 1
        model.save(tmp_path / name, training=False)
    again, style = ("--pretrained", "musegym/Atelier-v0", "--num", 2), model.task.conditions[0].values[0]
    for data, named in (("mnist", ()), ("mnist", ("--set", "data=mnist")), ("kanjivg", ("--set", "data=kanjivg"))):
        assert loading.load_model(None, "musegym/Atelier-v0", data).task.data_name == data
        out = tmp_path / f"{data}{len(named)}"
        assert call("generate", *again, *named, "--out", out)[0] == 0
    assert (
        call("generate", *again, "--set", "data=kanjivg", "--set", f"style={style}", "--out", tmp_path / "three")[0]
        == 0
    )
    refused(
        call("generate", *again, "--set", "data=masters"), "data=masters ships", "musegym train", "--set data=masters"
    )
    refused(call("generate", tmp_path / "Atelier.zip", "--set", "data=kanjivg"), "--set")
    refused(call("map", tmp_path / "Atelier.zip", "--set", "data=kanjivg"), "--set", "--pretrained")
    file = tmp_path / "seen.gif"
    assert call("play", "musegym/Atelier-v0", "--set", "data=kanjivg", "--inspect", "--save", file)[0] == 0
    refused(call("play", "musegym/Atelier-v0", "--set", "style=3", "--inspect", "--save", file), "--set data=")


def test_decisions_are_written_as_a_gif(call, trained, tmp_path):
    file = tmp_path / "seen.gif"
    assert call("play", trained, "--inspect", "--save", file, "--seed", 1) == (0, f"{file}\n", "")
    with Image.open(file) as image:
        assert image.n_frames > 1
    refused(call("play", trained, "--inspect", "--save", tmp_path / "seen.mp4"), "--save", ".gif")
    refused(call("play", trained, "--save", file), "--save", "--inspect")
    refused(call("play", trained, "--inspect", "--build"), "--inspect", "--build")
    assert call("play", trained, "--inspect", "--save", tmp_path / "new" / "a.gif")[0] == 0
    refused(call("play", trained, "--inspect", "--save", file / "a.gif"), "--save", "File exists")
    refused(call("play", "musegym/Oracle-v0", "--inspect", "--save", file), "musegym train")


def test_a_map_is_drawn(call, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(atlas, "feature_net", lambda known, layout: FeatureNet(known, layout, updates=2))
    code, out, err = call("map", trained, "--out", tmp_path / "map")
    assert (code, out) == (0, f"{tmp_path / 'map'}\n")
    assert "training a network to measure with" in err
    assert {path.name for path in (tmp_path / "map").iterdir()} == {"map.png", "map.html"}
    (tmp_path / "file").write_text("")
    refused(call("map", trained, "--out", tmp_path / "file"), "cannot write")
    refused(call("map", trained, "--num", 9), "--num")
    refused(call("map"), "RUN", "--pretrained")


def test_generate_continues_a_work_whose_actions_are_unknown(call, trained, tmp_path):
    work = make_task("toy/Word-v0", double=True).works("train").take(slice(-1, None))
    given = tmp_path / "mine.npz"
    np.savez(given, content=work.contents[0], condition=work.conditions[0], actions=np.zeros(0, np.int64))
    folder = tmp_path / "new"
    assert call("generate", trained, "--num", 3, "--prefix", given, "--keep", 2, "--out", folder)[0] == 0
    assert all((new["content"][:2] == work.contents[0, :2]).all() for new in saved(folder, 3))


@pytest.mark.parametrize("env_id", ["toy/Blind-v0", "toy/Canvas-v0", "toy/Planned-v0"])
def test_works_that_do_not_tell_how_they_were_built_are_continued_by_their_actions(call, tmp_path, env_id):
    musegym.register("toy/Blind-v0", "toys:BlindTask")
    canvases.register()
    make_run(tmp_path / "run", env_id, seed=0)
    assert call("generate", tmp_path / "run", "--num", 1, "--out", tmp_path / "a")[0] == 0
    (given,) = (tmp_path / "a").glob("*.npz")
    (old,) = saved(tmp_path / "a", 1)
    again = ("generate", tmp_path / "run", "--num", 8, "--prefix", given, "--keep", 2, "--out", tmp_path / "b")
    assert call(*again)[0] == 0
    new = saved(tmp_path / "b")
    assert all((work["actions"][:2] == old["actions"][:2]).all() for work in new)
    assert len({work["actions"].tobytes() for work in new}) > 1, "what follows is free"
    assert {work["content"].shape for work in new} == {old["content"].shape}
    np.savez(given, **(old | {"actions": np.zeros(0, np.int64)}))
    problem = "CanvasTask has no demonstrations" if "Canvas" in env_id else "does not tell how its work was built"
    refused(call(*again), problem)


def test_evaluate(call, trained, tmp_path, monkeypatch):
    asked = {}

    def evaluate(model, num, split, seeds):
        asked.update(task=type(model.task).__name__, num=num, split=split, seeds=seeds)
        shares = {"unique": 0.75, "unique_real": 1.0, "metrics": {"length": 3.0}, "metrics_real": {"length": 4.0}}
        return {"nll_test": 1.25, "c2st": None, "frechet": 2.0, "frechet_floor": 0.5, **shares, "notes": []}

    monkeypatch.setattr("musegym.benchmarks.suite.evaluate", evaluate)
    code, out, err = call("evaluate", trained, "--num", 10, "--seeds", 2, "--json", tmp_path / "x.json")
    assert (code, err) == (0, "")
    assert asked == {"task": "WordTask", "num": 10, "split": "test", "seeds": 2}
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines() if "│" in line]
    rows = {row[1]: row[2:4] for row in cells}
    assert rows["nll_test"] == ["1.25", ""]
    assert rows["frechet"] == ["2", "0.5"]
    assert rows["unique"] == ["0.75", "1"]
    assert rows["length"] == ["3", "4"]
    assert json.loads((tmp_path / "x.json").read_text())["metrics"] == {"length": 3.0}
    code, out, err = call("evaluate", trained, "--json", "-")
    assert json.loads(out)["c2st"] is None, "stdout is JSON alone"
    assert "nll_test" in err
    refused(call("evaluate", trained, "--json", tmp_path / "no" / "folder" / "x.json"), "cannot write")


def test_a_run_whose_steps_are_done_still_ends_with_its_best_policy(call, trained, monkeypatch):
    kept = []
    monkeypatch.setattr("musegym.agents.AdversarialDQN.keep_best", lambda self: kept.append(self))
    assert call("train", WORD, "--out", trained, "--resume")[0] == 0
    assert len(kept) == 1, "a signal in its last round may have kept it from doing so"


def test_resume_keeps_the_settings(call, trained):
    resume = ("train", WORD, "--out", trained, "--resume")
    code, out, err = call(*resume)
    assert (code, out, err) == (0, f"{trained}/model.zip\n", ""), "finished already"
    refused(call(*resume, "--set", "double=false"), "double", "another --out")
    refused(call(*resume, "--param", "alpha=0.5"), "params", "another --out")
    refused(call(*resume, "--seconds", "5"), "counts steps")
    refused(call("train", "musegym/Melody-v0", "--out", trained, "--resume"), "musegym/Melody-v0", "another --out")


def test_two_processes_do_not_train_one_run(call, trained):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    with Run(trained).locked():
        refused(call("train", WORD, "--steps", "99", "--out", trained, "--resume"), "another process", str(trained))
    assert {path: path.read_bytes() for path in before} == before
    assert call("train", WORD, "--out", trained, "--resume")[0] == 0, "the lock goes with its holder"


def test_impossible_hyperparameters(call, tmp_path):
    for value, words in (
        ("alpha=7", "alpha"),
        ("discriminator.r1=-1", "settings of a discriminator"),
        ("lead=[1]", ""),
        ("device=cudda", "no such device"),
    ):
        result = call("train", WORD, "--steps", 30, "--param", value, "--out", tmp_path / value)
        refused(result, "--param", words)
        assert not (tmp_path / value).exists()


def test_a_device_may_be_chosen(monkeypatch):
    assert device_of({}) == device_of({"device": "cpu"}) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of({"device": "auto"}) == device_of({"device": "cuda"}) == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of({"device": "auto"}) == "cpu"
    with pytest.raises(UsageError, match="no such device"):
        device_of({"device": "cuda"})


def test_pairs_are_texts_by_name():
    assert loading.pairs(["a=1", "f=x=y", "g="], "--set") == {"a": "1", "f": "x=y", "g": ""}


def test_without_out_runs_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(3):
        folder = options.free_folder(WORD)
        folder.mkdir(parents=True)
        names.append(folder.as_posix())
    assert names == ["runs/Word-v0", "runs/Word-v0-2", "runs/Word-v0-3"]


@pytest.mark.parametrize("command", [["--help"], ["train", "x"], ["bench", "--help"], ["report", "--help"]])
def test_light_commands_load_nothing_heavy(command):
    code = (
        "import contextlib, io, sys\nfrom musegym import cli\n"
        f"with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    cli.main({command})\n"
        "heavy = ('torch', 'stable_baselines3', 'pygame', 'scipy', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_a_closed_pipe_is_no_traceback():
    script = f"{sys.executable} -m musegym --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1, 141}
    assert done.stderr == ""


def test_the_program_itself(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "musegym", "generate", tmp_path], capture_output=True, text=True, check=False
    )
    refused((done.returncode, done.stdout, done.stderr), str(tmp_path))


def test_starts_follow_the_style():
    free, fixed = (make_task("musegym/Melody-v0", style=style) for style in (None, "6/8 minor"))
    first = first_conditions(free, fixed, 20, seed=0)
    wanted = (METRES.index((6, 8)), MODES.index("minor"))
    assert {tuple(row) for row in first[:, :2]} == {wanted}
    assert len(np.unique(first_conditions(free, free, 20, seed=0)[:, :2], axis=0)) > 1


def test_the_model_that_ships_writes_melodies(call, tmp_path):
    code, _, err = call("generate", "--pretrained", "musegym/Melody-v0", "--num", "2", "--out", str(tmp_path / "new"))
    assert (code, err) == (0, "")
    assert len(list((tmp_path / "new").glob("*.mid"))) == 2


def test_help_of_evaluate_says_how_many_works_are_judged(call):
    code, out, err = call("evaluate", "--help")
    text = " ".join(out.split())
    assert (code, err) == (0, "")
    assert "by default 1,000" in text
    assert "judges and distances always take as many as the test split holds" in text


def test_conditions_are_chosen_only_where_a_model_learned_them():
    towers, words = TowerTask(), toys.WordTask()
    assert sorted(set(first_conditions(towers, towers, 32, 0)[:, 0])) == [0, 1]
    with pytest.raises(UsageError, match="have none: leave it out"):
        first_conditions(toys.BitsTask(), toys.BitsTask(), 4, 0)
    with pytest.raises(UsageError, match="have none: leave it out"):
        first_conditions(DensityTask(), DensityTask("moons"), 4, 0)
    with pytest.raises(UsageError, match="all but style"):
        first_conditions(towers, words, 4, 0)
