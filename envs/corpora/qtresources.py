"""Archives of Qt's resources, ``.rcc``: the folders of pictures and texts that a program of Qt carries.

The format is that of Qt's resource compiler (qtbase, ``src/tools/rcc/rcc.cpp``), of which there are versions 1 to 3: a
header, contents, names, and a tree whose entries are numbered.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MAGIC = b"qres"
ENTRY = {1: 14, 2: 22, 3: 22}
"""Bytes of an entry of the tree, by version."""
COMPRESSED, FOLDER, ZSTANDARD = 1, 2, 4
"""Flags of an entry."""
LARGEST = 64 << 20  # bytes of a file, before it was compressed


def read_resources(data: bytes) -> dict[str, bytes]:
    """Returns the files of an archive by their paths, such as "pictures/image/wave.webp".

    Raises:
        ValueError: It is no such archive, damaged, or holds files that are compressed with Zstandard, which the
            standard library does not read.
    """
    try:
        return dict(_files(data))
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"its entries are damaged: {error}") from error


def _files(data: bytes) -> Iterator[tuple[str, bytes]]:
    if len(data) < 20 or not data.startswith(MAGIC):
        raise ValueError("no archive of Qt's resources: it does not begin as one")
    version, tree, contents, names = struct.unpack_from(">4I", data, len(MAGIC))
    if version not in ENTRY:
        raise ValueError(f"an archive of Qt's resources of version {version}, where 1 to 3 are known")
    waiting, seen = [(0, "")], set[int]()
    while waiting:
        number, folder = waiting.pop()
        if number in seen:
            raise ValueError("its entries are damaged: one is in two folders")
        seen.add(number)
        entry = tree + ENTRY[version] * number
        name, flags = struct.unpack_from(">IH", data, entry)
        path = ""  # of the first entry, the root, which Qt gives no name
        if number:
            (letters,) = struct.unpack_from(">H", data, names + name)
            path = f"{folder}/" * bool(folder) + _part(data, names + name + 6, 2 * letters).decode("utf-16-be")
        if flags & FOLDER:
            count, first = struct.unpack_from(">II", data, entry + 6)
            if tree + ENTRY[version] * (first + count) > len(data):
                raise ValueError("it is cut short")
            waiting += [(child, path) for child in range(first, first + count)]
        else:
            start = contents + struct.unpack_from(">I", data, entry + 10)[0]
            (size,) = struct.unpack_from(">I", data, start)
            yield path, _unpacked(_part(data, start + 4, size), flags, path)


def _part(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise ValueError("it is cut short")
    return data[start : start + size]


def _unpacked(content: bytes, flags: int, path: str) -> bytes:
    """Returns a file as it was before it was packed: compressed ones begin with their size."""
    if flags & ZSTANDARD:
        raise ValueError(f"{path} is compressed with Zstandard, which is not read")
    if not flags & COMPRESSED:
        return content
    (size,) = struct.unpack_from(">I", content)
    if size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 20} MB")
    found = zlib.decompressobj().decompress(content[4:], size + 1)
    if len(found) != size:
        raise ValueError(f"{path} is not as long as it should be")
    return found
