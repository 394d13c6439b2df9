"""The binary matrices of NORB and small NORB, which are called `.mat` and are not MATLAB's."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.readers.streams import beside, read_bytes
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError

_DTYPES = {
    0x1E3D4C51: "<f4",
    0x1E3D4C53: "<f8",
    0x1E3D4C54: "<i4",
    0x1E3D4C55: "u1",
    0x1E3D4C56: "<i2",
}
_MOST_AXES = 8
_LEAST_SIZES = 3  # As many are written, even of a matrix of fewer axes.


def is_norb(start: bytes) -> bool:
    """Whether a file begins with the magic number of such a matrix, least byte first."""
    return int.from_bytes(start[:4], "little") in _DTYPES


def read_norb(path: Path, options: Options) -> Table:
    """Images `...-dat.mat`, with the labels of `...-cat.mat` beside it (Y. LeCun et al. 2004).

    A row is one object seen by both cameras: 2 x 96 x 96 numbers.

    Raises
    ------
    FileFormatError
        If a file is damaged, or holds labels in the place of images.
    """
    del options
    x = _matrix(path)
    if x.ndim < 2 or ("-dat" not in path.name.lower() and x.ndim < 3):
        raise FileFormatError(
            f"{path}: holds numbers of shape {x.shape}, which are no images; name the file -dat.mat"
        )
    other = beside(path, ("-dat", "-cat"))
    if other is None:
        return Table(x, None, None, ("no labels: there is no ...-cat.mat beside ...-dat.mat",))
    y = _matrix(other)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise FileFormatError(f"{other}: expected a row of whole numbers, found {y.shape}")
    return Table(x, y.astype(np.int64))


def _matrix(path: Path) -> NDArray:
    content = read_bytes(path)
    dtype = np.dtype(_DTYPES.get(int.from_bytes(content[:4], "little"), "V1"))
    n_axes = int.from_bytes(content[4:8], "little")
    start = 8 + 4 * max(n_axes, _LEAST_SIZES)
    if dtype.kind == "V" or not 0 < n_axes <= _MOST_AXES or len(content) < start:
        raise FileFormatError(f"{path}: not a matrix of NORB, or its header is cut off")
    shape = tuple(int(n) for n in np.frombuffer(content, "<u4", n_axes, 8))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise FileFormatError(
            f"{path}: truncated or damaged matrix of NORB (its header says {shape} of "
            f"{dtype.name}, {expected} bytes, found {len(content)})"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))
