"""IDX files, the format of MNIST: a big-endian header, then the numbers."""

import math
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.readers.streams import plain_name, read_bytes
from metaplastic.data.tables import Options, Table, turned
from metaplastic.errors import FileFormatError

_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_QMNIST_COLUMNS = 8


def read_idx(path: str | os.PathLike) -> NDArray:
    """Read an IDX file, compressed or not (its first bytes tell).

    The header is two zero bytes, one byte for the type, one for the number of dimensions, and
    each dimension as a big-endian 32-bit number (Y. LeCun, the MNIST database).

    Returns
    -------
    ndarray
        The array in native byte order, with the file's type and shape.

    Raises
    ------
    MissingDataError
        If there is no such file.
    FileFormatError
        If the magic number or the length is wrong, or it holds too much.
    """
    path = Path(path)
    content = read_bytes(path)
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


def read_pair(path: Path, options: Options) -> Table:
    """An IDX file, with the labels of the file beside it if it is one of a pair, as in MNIST.

    QMNIST's labels (`idx2-int`) have eight columns, of which the first is the class.

    Raises
    ------
    FileFormatError
        If one of the two is damaged or holds something else.
    """
    x = read_idx(path)
    if x.ndim == 1 or (x.ndim == 2 and "labels" in _key(path)):
        raise FileFormatError(
            f"{path}: holds labels, numbers of shape {x.shape}; name the file of images"
        )
    remarks = []
    if options.transpose:
        x = turned(x, path)
    elif "emnist" in path.name.lower():
        remarks.append("EMNIST stores images transposed: --transpose turns them upright")
    wanted = [word if word not in ("images", "imgs") else "labels" for word in _key(path)]
    beside = [f for f in sorted(path.absolute().parent.iterdir()) if _key(f) == wanted]
    labels = [_labels(f) for f in beside if f.name != path.name]
    if any(not np.array_equal(labels[0], other) for other in labels[1:]):
        shown = " and ".join(f.name for f in beside)
        raise FileFormatError(f"{path}: {shown} beside it hold different labels; keep one")
    if not labels and x.ndim > 2:
        remarks.append("no labels: there is no file of labels beside that of images")
    return Table(x, labels[0] if labels else None, None, remarks)


def _key(path: Path) -> list[str]:
    """The words of a file's name but those that tell its type."""
    words = re.split(r"[-._]+", plain_name(path))
    while words and re.fullmatch(r"idx\d?|ubyte|byte|u?int|short|float|double", words[-1]):
        words.pop()
    return words


def _labels(path: Path) -> NDArray[np.int64]:
    y = read_idx(path)
    if y.ndim == 2 and y.shape[1] == _QMNIST_COLUMNS:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise FileFormatError(f"{path}: expected a row of whole numbers, found {y.shape}")
    return y.astype(np.int64)
