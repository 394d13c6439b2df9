"""Images as bytes without a header: CIFAR-10, CIFAR-100 and STL-10, in their binary versions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.readers.streams import beside, read_bytes
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError, InputError

_CIFAR = 3 * 32 * 32
_STL = 3 * 96 * 96
_STL_CLASSES = 10


def read_batch(path: Path, options: Options) -> Table:
    """A binary batch, whose length tells which: colours one after the other, rows from above.

    - CIFAR-10 (A. Krizhevsky 2009): 3,073 bytes an image, the first its label.
    - CIFAR-100: 3,074, the first its coarse label (of 20), the second its fine one (of 100);
      `options.label` chooses, `fine` if left out.
    - STL-10 (A. Coates 2011): 27,648, column by column, here turned upright; labels from 1 to 10
      beside `..._X.bin` in `..._y.bin`.

    Returns
    -------
    Table
        `(n, 3072)` or `(n, 27648)` uint8, labels `(n,)` int64, if there are any.

    Raises
    ------
    FileFormatError
        If its length fits none or a label is beyond its classes.
    InputError
        For a label other than `coarse` and `fine`.
    """
    content = np.frombuffer(read_bytes(path), np.uint8)
    size = len(content)
    if size and size % (1 + _CIFAR) == 0:
        records = content.reshape(-1, 1 + _CIFAR)
        if records[:, 0].max() <= 9:
            _no_label(options, path)
            return Table(records[:, 1:], records[:, 0].astype(np.int64))
    if size and size % (2 + _CIFAR) == 0:
        return _cifar100(path, content.reshape(-1, 2 + _CIFAR), options)
    if size and size % _STL == 0:
        _no_label(options, path)
        images = content.reshape(-1, 3, 96, 96).swapaxes(2, 3)
        return _stl_labels(path, images.reshape(-1, _STL))
    if size and size % (1 + _CIFAR) == 0:
        raise FileFormatError(f"{path}: not a CIFAR-10 batch (it has a label above 9)")
    raise FileFormatError(
        f"{path}: not a CIFAR-10 batch, nor one of CIFAR-100 or STL-10 ({size} bytes, expected a "
        f"multiple of {1 + _CIFAR}, {2 + _CIFAR} or {_STL})"
    )


def _no_label(options: Options, path: Path) -> None:
    if options.label is not None:
        raise InputError(f"label= goes with CIFAR-100 among .bin files, not with {path}")


def _cifar100(path: Path, records: NDArray[np.uint8], options: Options) -> Table:
    label = "fine" if options.label is None else options.label
    if label not in ("coarse", "fine"):
        raise InputError(f"{path}: labels of CIFAR-100 are coarse or fine, got {label!r}")
    if records[:, 0].max() > 19 or records[:, 1].max() > 99:
        raise FileFormatError(f"{path}: not a CIFAR-100 batch (it has a label above 19 or 99)")
    y = records[:, 0 if label == "coarse" else 1].astype(np.int64)
    other = "coarse" if label == "fine" else "fine"
    return Table(
        records[:, 2:], y, None, (f"labels: the {label} ones; --label {other} for others",)
    )


def _stl_labels(path: Path, x: NDArray[np.uint8]) -> Table:
    other = beside(path, ("_x", "_y"))
    if other is None:
        return Table(x, None, None, ("no labels: there is no ..._y.bin beside ..._X.bin",))
    y = np.frombuffer(read_bytes(other), np.uint8).astype(np.int64)
    if len(y) != len(x) or y.min() < 1 or y.max() > _STL_CLASSES:
        raise FileFormatError(
            f"{other}: expected {len(x)} labels from 1 to {_STL_CLASSES}, one a byte, found "
            f"{len(y)}" + (f" from {y.min()} to {y.max()}" if len(y) else "")
        )
    return Table(x, y)
