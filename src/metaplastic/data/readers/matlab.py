"""MATLAB's files: of versions 4 to 7 through SciPy, of 7.3 through h5py."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.arrays import choose
from metaplastic.data.readers.hdf5 import read_arrays
from metaplastic.data.readers.mat_elements import check_elements
from metaplastic.data.readers.norb import is_norb, read_norb
from metaplastic.data.readers.streams import LIBRARY_ERRORS, one_line, read_bytes, read_head
from metaplastic.data.tables import Options, Table, turned
from metaplastic.errors import FileFormatError, InputError

_SVHN_SHAPE = (32, 32, 3)


def read_mat(path: Path, options: Options) -> Table:
    """Variables `X` and `y` of a MATLAB file, or its only one; images have the number last.

    In SVHN's cropped digits, `X` of 32 x 32 x 3 x n with labels of 1 to 10, label 10 is 0.

    Raises
    ------
    FileFormatError
        For a damaged file, or variables among which none is the rows.
    MissingDataError
        For a file of version 7.3, if h5py is not installed.
    InputError
        For a label that is not there.
    """
    start = read_head(path)
    if is_norb(start):
        if options.label is not None or options.transpose:
            raise InputError(f"label= and transpose= do not go with a file of NORB ({path})")
        return read_norb(path, options)
    if start.startswith(b"MATLAB 7.3") or start.startswith(b"\x89HDF"):
        # There the axes are in the order of memory, which in MATLAB is the other one.
        arrays: Mapping[str, Any] = {k: _T(v) for k, v in read_arrays(path).items()}
    else:
        arrays = _variables(path)
    x, y = choose(arrays, options.label, path, "variables named X and y, one row a sample")
    labels = None if y is None else _labels(y, path)
    x, labels, remarks = _rows_first(x, labels, path)
    if options.transpose:
        x = turned(x, path)
    return Table(x, labels, None, remarks)


def _T(value: Any) -> Any:
    return value.T if hasattr(value, "T") else value


def _variables(path: Path) -> dict[str, Any]:
    from scipy import io as scipy_io
    from scipy.io.matlab import MatReadError

    content = read_bytes(path)
    try:
        if content.startswith(b"MATLAB 5"):
            check_elements(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that come twice and of odd characters
            loaded = scipy_io.loadmat(io.BytesIO(content))
    except (MatReadError, *LIBRARY_ERRORS) as error:
        raise FileFormatError(
            f"{path}: not a MATLAB file that can be read ({one_line(error)})"
        ) from error
    arrays = {name: value for name, value in loaded.items() if not name.startswith("__")}
    for name, value in arrays.items():
        if (
            getattr(value, "dtype", np.dtype(object)).names
            or type(value).__name__ == "MatlabOpaque"
        ):
            raise FileFormatError(
                f"{path}: {name} is a structure; save the matrices in it as X and y of their own"
            )
    return arrays


def _labels(y: Any, path: Path) -> NDArray:
    """A row or a column of labels, or cells of strings."""
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if y.ndim == 2 and 1 in y.shape:
        y = y.ravel()
    if y.dtype.kind == "O":
        cells = [np.ravel(np.asarray(cell)) for cell in y.ravel()]
        if any(len(cell) != 1 for cell in cells):
            raise FileFormatError(f"{path}: labels are cells that hold no single word or number")
        return typed_labels([cell[0].item() for cell in cells], path)
    return typed_labels(y, path)


def _rows_first(
    x: Any, y: NDArray | None, path: Path
) -> tuple[Any, NDArray | None, tuple[str, ...]]:
    if hasattr(x, "tocsr"):
        return x.tocsr(), y, ()
    x = np.asarray(x)
    if x.ndim == 4 and x.shape[:3] == _SVHN_SHAPE:
        # As in batches of CIFAR: colours one after the other.
        x = x.transpose(3, 2, 0, 1)
        if y is not None and 10 in y and set(np.unique(y)) <= set(range(1, 11)):
            return x, y % 10, ("labels: 10 stands for the digit 0, as in SVHN",)
        return x, y, ()
    if x.ndim > 2:
        if y is None or (x.shape[0] == len(y)) == (x.shape[-1] == len(y)):
            raise FileFormatError(
                f"{path}: X has the shape {x.shape}, of which it cannot be told whether the first "
                "or the last axis counts the rows; save X with a row a sample"
            )
        if x.shape[-1] == len(y):
            return np.moveaxis(x, -1, 0), y, ("rows: the last axis of X",)
    if x.ndim == 2 and y is not None and x.shape[0] != len(y) and x.shape[1] == len(y):
        raise FileFormatError(
            f"{path}: X has the shape {x.shape} and there are {len(y)} labels; save X transposed, "
            "a row a sample"
        )
    return x, y, ()
