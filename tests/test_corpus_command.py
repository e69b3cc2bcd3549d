"""The command ``musegym corpus``, and what ``musegym train`` says of a corpus."""

import json
import os

import pytest
from users_files import abc, good

from musegym.agents import AdversarialDQN
from musegym.envs import registry


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSEGYM_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "own"
    own.mkdir()
    for i in range(30):
        (own / f"good-{i:02d}.abc").write_text(good(i))
    return own


def test_json(call, folder):
    (folder / os.fsdecode(b"b\xff[b].mid")).write_bytes(b"rubbish")
    (folder / "below").mkdir()
    (folder / "below" / "five.abc").write_text(good(3).replace("M:4/4", "M:5/4").replace("L:1/8", "L:5/32"))
    expected = {
        "files": 32,
        "read": 31,
        "works": {"train": 38, "validation": 8, "test": 14},  # by hashes of names and notes
        "left_out": {"strain: metre 5/4, not one of 2/4, 3/4, 4/4, 6/8, 9/8, 2/2": 1},
        "skipped": [
            {"file": "b\\xff[b].mid", "reason": "no MIDI file: it does not begin with a whole MThd header"},
        ],
    }
    arguments = ("corpus", "musegym/Melody-v0", "--set", f"corpus={folder}", "--json")
    for _ in ("read", "from the cache"):
        code, out, err = call(*arguments, "-")
        assert (code, err) == (0, "")
        assert json.loads(out) == expected
    assert call(*arguments, folder / "report.json") == (0, "", "")
    assert json.loads((folder / "report.json").read_text()) == expected


def test_table(call, folder):
    (folder / "[red]bad.mid").write_bytes(b"rubbish")
    code, out, err = call("corpus", "musegym/Melody-v0", "--set", f"corpus={folder}")
    assert (code, err) == (0, "")
    for words in ("found", "31", "read", "30", "train", "skipped", "[red]bad.mid: no MIDI file"):
        assert words in out


@pytest.mark.parametrize("id", [id for id, _ in registry.BUILT_IN])
def test_every_id(call, id):
    code, out, err = call("corpus", id, "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [*found] == ["files", "read", "works", "left_out", "skipped"]
    assert all(count > 0 for count in found["works"].values())
    assert len(found["skipped"]) <= found["read"] / 20  # scores for five voices, say


@pytest.mark.parametrize(
    ("content", "counts"), [("nothing", (1, 0)), (abc("c8|d8|"), (1, 1)), (abc(head="M:5/4\nL:5/32\nK:C\n"), (1, 1))]
)
def test_no_work(call, tmp_path, content, counts):
    (tmp_path / "a.abc").write_text(content)
    code, out, err = call("corpus", "musegym/Melody-v0", "--set", f"corpus={tmp_path / 'a.abc'}", "--json", "-")
    found = json.loads(out)
    assert code == 1
    assert err == "musegym: no work was read: see what was left out or skipped\n"
    assert (found["files"], found["read"]) == counts
    assert sum(found["works"].values()) == 0
    assert found["left_out"] or found["skipped"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("musegym/Nothing-v0",), "no environment is called"),
        (("musegym/Melody-v0", "--set", "corpus=/no/such/folder"), "/no/such/folder"),
        (("musegym/Melody-v0", "--set", "corpus="), "corpus is empty"),
        (("musegym/Melody-v0", "--set", "corpus=[1]"), "there is no folder or file"),
        (("musegym/Melody-v0", "--set", "corpus=/dev/null"), "/dev/null is no folder"),
        (("musegym/Density-v0", "--set", "corpus=/tmp"), "takes no such argument"),
        (("musegym/Density-v0", "--json", "/no/such/folder/a.json"), "cannot write"),
        (("musegym/Density-v0", "--json", "/"), "--json /: name a file that can be written"),
    ],
)
def test_mistakes(call, arguments, word):
    code, out, err = call("corpus", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("musegym: ")
    assert err.count("\n") == 1
    assert word in err


def test_an_empty_folder(call, tmp_path):
    code, out, err = call("corpus", "musegym/Melody-v0", "--set", f"corpus={tmp_path}", "--json", "-")
    assert code == 1
    assert json.loads(out) == {
        "files": 0, "read": 0, "works": {"train": 0, "validation": 0, "test": 0}, "left_out": {}, "skipped": []
    }  # fmt: skip
    assert err == "musegym: no work was read: there is no file of its kinds\n"


def test_training_says_what_it_reads_and_names_it_for_any_folder(call, folder, tmp_path, monkeypatch, caplog):
    def stop(*args, **kwargs):
        raise FloatingPointError("far enough for this test")

    monkeypatch.setattr(AdversarialDQN, "learn", stop)
    monkeypatch.chdir(tmp_path)
    (folder / "bad.mid").write_bytes(b"rubbish")
    code, _, err = call("train", "musegym/RLTuner-v0", "--set", "corpus=own", "--steps", 100, "--out", "run")
    assert code == 1
    assert "120 works (96 train, 12 validation, 12 test) from 30 of 31 files\n" in err
    assert "own: 1 of 31 files were skipped (bad.mid: no MIDI file" in caplog.text
    assert json.loads((tmp_path / "run" / "config.json").read_text())["env_kwargs"] == {"corpus": str(folder)}


@pytest.mark.slow
def test_a_run_goes_on_and_generates_from_another_folder(call, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ("train", "musegym/RLTuner-v0", "--set", "corpus=own", "--num-envs", 8, "--out", "run")
    assert call(*asked, "--steps", 256)[0] == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["env_kwargs"] == {"corpus": str(folder)}
    assert call(*asked, "--steps", 512, "--resume")[0] == 0
    monkeypatch.chdir("/")
    assert call("generate", tmp_path / "run", "--num", 2, "--out", tmp_path / "new")[0] == 0
