"""NumPy's files: `.npy`, and `.npz` of several arrays or of one sparse matrix."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.streams import beside, is_compressed, one_line, open_bytes, source_of
from metaplastic.data.tables import LABEL_NAMES, Options, Table, turned
from metaplastic.errors import FileFormatError, InputError

MAPPED_BYTES = 1 << 26
"""Size from which a `.npy` file is mapped into memory, not read."""

# All that NumPy raises for damaged files; RuntimeError: zip files of unknown kinds or encrypted.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    AttributeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_PAIRS = (("-imgs", "-labels"), ("_imgs", "_labels"), ("images", "labels"))
"""In names of files of images and of their labels, as KMNIST has them."""


def read_numpy(path: Path, options: Options) -> Table:
    """A `.npy` or `.npz` file; nothing is unpickled.

    Of several arrays `X` or `x` holds the rows; `y`, or the one named `options.label`, the labels.
    Labels in a file of their own are found beside one of images (`...-imgs`, `...-labels`).

    Raises
    ------
    FileFormatError
        For a damaged file, objects, or arrays among which none is the rows.
    InputError
        For a label that is not there.
    """
    arrays = _arrays(path)
    if isinstance(arrays, Mapping):
        x, y = choose(arrays, options.label, path, f"np.savez({path.name!r}, X=..., y=...)")
    else:
        x, y = arrays, None
        if options.label is not None and not hasattr(x, "tocsr"):
            if len(x.shape) == 2 and _is_number(options.label):
                return _column(x, int(options.label), path)
            raise InputError(f"label= goes with files of several arrays, not with {path}")
    labels = None if y is None else typed_labels(y, path)
    remarks: tuple[str, ...] = ()
    if labels is None and len(x.shape) > 2:
        labels, remarks = _labels_beside(path)
    return Table(turned(x, path) if options.transpose else x, labels, None, remarks)


def _is_number(label: str | int) -> bool:
    return str(label).removeprefix("-").isdecimal()


def _column(x: NDArray, column: int, path: Path) -> Table:
    if not -x.shape[1] <= column < x.shape[1]:
        raise InputError(f"{path} has no column {column}; it has {x.shape[1]}, counted from 0")
    return Table(np.delete(x, column, 1), typed_labels(x[:, column], path))


def _labels_beside(path: Path) -> tuple[NDArray | None, tuple[str, ...]]:
    other = beside(path, *_PAIRS)
    if other is None:
        return None, ()
    labels = _arrays(other)
    if isinstance(labels, Mapping):
        if len(labels) != 1:
            return None, (f"{other.name} holds several arrays, so no labels were taken from it",)
        (labels,) = labels.values()
    return typed_labels(labels, other), (f"labels: those of {other.name}",)


def choose(
    arrays: Mapping[str, Any], label: str | int | None, path: Path, mend: str
) -> tuple[Any, Any]:
    """The rows and the labels among the named arrays of a file.

    Parameters
    ----------
    arrays : mapping of str to object
        By name; strings beside numbers are allowed.
    label : str, int or None
        The name of the labels; by default one of `LABEL_NAMES`, or `labels`.
    path : Path
        The file.
    mend : str
        How the file is written right.
    """
    if label is not None and label not in arrays:
        raise InputError(f"{path} has no array {label!r}; it holds {_listed(arrays)}")
    name = label if label is not None else _label_name(arrays)
    rest = [key for key in arrays if key != name]
    key = next((k for k in ("X", "x") if k in rest), None)
    if key is None and len(rest) == 1:
        key = rest[0]
    if key is None:
        raise FileFormatError(
            f"{path}: expected arrays X and y, or one array; it holds {_listed(arrays)}; write "
            f"{mend}"
        )
    return arrays[key], None if name is None else arrays[str(name)]


def _label_name(names: Collection[str]) -> str | None:
    lower = {name.lower(): name for name in names}
    wanted = ("y", *LABEL_NAMES, "labels", "targets")
    return next((lower[w] for w in wanted if w in lower and len(names) > 1), None)


def _listed(arrays: Collection[str]) -> str:
    shown = sorted(arrays)[:12]
    return (", ".join(shown) + (", ..." if len(arrays) > 12 else "")) or "nothing"


def _arrays(path: Path) -> Any:
    """One array, a sparse matrix, or arrays by name."""
    try:
        with open_bytes(path) as file:
            zipped = file.read(2) == b"PK"
            file.seek(0)
            # Not `np.load`, which takes what it does not know for a pickle.
            if not zipped:
                if not is_compressed(path) and os.stat(path).st_size >= MAPPED_BYTES:
                    return np.lib.format.open_memmap(path, "r")
                return np.lib.format.read_array(file, allow_pickle=False)
            arrays = _members(file)
        if {"data", "shape", "format"} <= arrays.keys():
            return _sparse(path)
        return arrays
    except _DAMAGE as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(
            f"{path}: not a NumPy file of plain numbers ({one_line(error)})"
        ) from error


def _members(file: BinaryIO) -> dict[str, NDArray]:
    with zipfile.ZipFile(file) as archive:
        members = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                members[name.removesuffix(".npy")] = np.lib.format.read_array(
                    member, allow_pickle=False
                )
        return members


def _sparse(path: Path) -> Any:
    from scipy import sparse

    matrix = sparse.load_npz(source_of(path)).tocsr()
    matrix.check_format()  # Else a damaged file reads beyond its arrays.
    return matrix
