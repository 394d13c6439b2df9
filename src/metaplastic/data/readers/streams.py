"""Bytes and lines of files, compressed or not, whatever their names say."""

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from metaplastic.errors import FileFormatError, MissingDataError

MAX_BYTES = 1 << 30
"""Most bytes of one file that are held in memory, decompressed."""

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz")

LIBRARY_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    re.error,
    struct.error,
    zlib.error,
)
"""What damaged files make of parsers that have no error of their own for them."""

_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
_HEAD = 1024


def plain_name(path: Path) -> str:
    """The file's name in lower case, without the ending of a compression."""
    name = path.name.lower()
    return next((name.removesuffix(s) for s in COMPRESSED_SUFFIXES if name.endswith(s)), name)


def is_compressed(path: Path) -> bool:
    """Whether the file's first bytes are those of gzip, bzip2 or xz."""
    with _told(path), open(path, "rb") as file:
        return file.read(6).startswith(tuple(_OPENERS))


def read_head(path: Path) -> bytes:
    """The first bytes, decompressed."""
    with open_bytes(path) as file:
        return file.read(_HEAD)


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The file, decompressed as it is read.

    Raises
    ------
    MissingDataError
        If there is no such file.
    FileFormatError
        If it cannot be read, or its compression is damaged.
    """
    with _told(path):
        with open(path, "rb") as file:
            start = file.read(6)
        opener = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), open)
        with opener(path, "rb") as file:
            yield file  # pyright: ignore[reportReturnType]


def read_bytes(path: Path) -> bytes:
    """All bytes, decompressed; never more than the limit, whatever a header promises."""
    with open_bytes(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileFormatError(f"{path}: holds more than {MAX_BYTES} bytes, refused")
    return content


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The lines of a text file in UTF-8, or in UTF-16 with a byte order mark.

    Raises
    ------
    FileFormatError
        As `open_bytes`; text in another encoding is found while it is read.
    """
    start = read_head(path)[:2]
    utf16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, "utf-16" if utf16 else "utf-8-sig", newline="")
        try:
            yield text
        except UnicodeDecodeError as error:
            raise FileFormatError(
                f"{path}: not a table of texts or numbers in UTF-8 ({error.reason} at byte "
                f"{error.start}); save it as UTF-8"
            ) from error


def source_of(path: Path) -> Path | io.BytesIO:
    """What a library is given to read: the path, or the bytes of a compressed file."""
    return io.BytesIO(read_bytes(path)) if is_compressed(path) else path


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingDataError(f"there is no file {path}") from error
    except _DAMAGE as error:
        raise FileFormatError(f"{path}: damaged gzip, bzip2 or xz file ({error})") from error
    except OSError as error:
        told = error.strerror or str(error)
        raise FileFormatError(f"cannot read {os.fspath(path)}: {told}") from error


def one_line(error: BaseException) -> str:
    """The first line of an error of a library, at most 200 characters."""
    try:
        text = str(error).strip()
    except (TypeError, ValueError):  # liac-arff formats some of its messages wrongly.
        text = ""
    return (text or type(error).__name__).split("\n")[0].rstrip(".")[:200]


def beside(path: Path, *pairs: tuple[str, str]) -> Path | None:
    """A file in the same folder whose name is `path`'s with `new` for `old`, whatever the case.

    The ending of a compression does not count: plain files are found beside compressed ones.

    Parameters
    ----------
    path : Path
        The file that is read.
    pairs : (str, str)
        Pairs of a part of this file's name and the part of the other's. The first that fits is
        used.
    """
    name = plain_name(path)
    wanted = [name.replace(old, new) for old, new in pairs if old in name]
    files = sorted(f for f in path.absolute().parent.iterdir() if f.name != path.name)
    by_name = {plain_name(f): f for f in reversed(files)}
    return next((by_name[w] for w in wanted if w != name and w in by_name), None)
