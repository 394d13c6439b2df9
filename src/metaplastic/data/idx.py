"""IDX files, the format of MNIST: a big-endian header, then the numbers."""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, MissingDataError

_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MAX_BYTES = 1 << 30
_GZIP = b"\x1f\x8b"


def read_idx(path: str | os.PathLike) -> NDArray:
    """Read an IDX file, gzip-compressed or not (its first bytes tell).

    The header is two zero bytes, one byte for the type, one for the number of dimensions, and
    each dimension as a big-endian 32-bit number (Y. LeCun, the MNIST database).

    Returns:
        The array in native byte order, with the file's type and shape.

    Raises:
        MissingDataError: if there is no such file.
        FileFormatError: if the magic number or the length is wrong, or it holds over 1 GiB.
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES or not content[3]:
        raise FileFormatError(
            f"{path}: not an IDX file (it begins with {content[:4].hex(' ') or 'nothing'}, "
            "an IDX file with 00 00, a type and a number of dimensions)"
        )
    dtype, n_axes = np.dtype(_DTYPES[content[2]]), content[3]
    start = 4 + 4 * n_axes
    if len(content) < start or n_axes > 32:
        raise FileFormatError(f"{path}: truncated IDX file (its header is cut off)")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", n_axes, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise FileFormatError(
            f"{path}: truncated or damaged IDX file (its header says {shape} of {dtype.name}, "
            f"{expected} bytes, found {len(content)})"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    """The file's bytes, decompressed; never more than the limit, whatever a header promises."""
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == _GZIP
        with gzip.open(path) if compressed else open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise MissingDataError(f"there is no file {path}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFormatError(f"{path}: damaged gzip file ({error})") from error
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise FileFormatError(f"{path}: holds more than {_MAX_BYTES} bytes, refused")
    return content
