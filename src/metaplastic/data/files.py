"""Readers of users' files. Nothing is unpickled, and every bad file is one clear line."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.checks import rows_not_finite
from metaplastic.data.columns import label_array, read_csv, read_parquet, read_texts
from metaplastic.data.folders import read_folder
from metaplastic.data.hub import Columns, is_saved, read_saved
from metaplastic.data.idx import read_idx
from metaplastic.data.texts import check_words
from metaplastic.errors import FileFormatError, InputError, MissingDataError

ALLOWED = (
    ".npy, .npz, .csv, .tsv, .parquet, IDX (-ubyte, .idx, also .gz), CIFAR-10 batches (.bin), "
    "a folder with one subfolder of images or texts per class, or one of `save_to_disk`"
)

MAPPED_BYTES = 1 << 26
"""Size from which a `.npy` file is mapped into memory, not read."""

_CIFAR_RECORD = 1 + 3 * 32 * 32
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
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class Table(NamedTuple):
    """What a file holds.

    Attributes:
        x: `(n, d)` finite numbers, in the file's own type; images are flattened; a SciPy CSR
            matrix if the file was one.
        y: `(n,)` labels, int64 or strings, or `None`.
        names: of the columns of `x`, if the file names them; `texts.Words` if `x` counts words.
    """

    x: Any
    y: NDArray | None
    names: tuple[str, ...] | None


def read_table(
    path: str | os.PathLike,
    *,
    label: str | int | None = None,
    image_size: tuple[int, int] | None = None,
    text: str | int | None = None,
    words: Sequence[str] | None = None,
) -> Table:
    """Read a file or folder; its name's ending tells the format.

    - `.npy`: one array, rows first; a large one is mapped into memory, not read.
    - `.npz`: `X` and `y` (or `x`), or its only array, or a sparse matrix as SciPy saves it.
    - `.csv`, `.tsv`, `.txt`, `.parquet`: one row each; the column `label`, or one called label,
      target, class or y, holds the labels.
    - IDX, as MNIST: labels are taken from `...labels-idx1...` beside `...images-idx3...`.
    - `.bin`: CIFAR-10 batches, 3,072 numbers a row (red, green, blue).
    - a folder: see `folders.read_folder`; or one that Hugging Face's `save_to_disk` made, see
      `hub.read_saved`.

    Args:
        path: the file or folder.
        label: the label column of a table, by name or number.
        image_size: `(height, width)` to which a folder's images are resized.
        text: a table's column of texts; the rows are then counts of words.
        words: which words to count, those of the texts that were learned from; the 1,000
            commonest if left out.

    Raises:
        MissingDataError: if there is no such file, or a package to read it is not installed.
        FileFormatError: if it cannot be read, is damaged, holds no rows or no finite numbers.
        InputError: for an unknown format or an argument that does not go with it.
    """
    path, words = Path(path), check_words(words)
    if not path.exists():
        raise MissingDataError(f"there is no file or folder {path}")
    suffix = path.suffix.lower()
    columns = suffix in (*_TABLES, ".parquet") or is_saved(path)
    if not columns and (label is not None or text is not None):
        option = "label=" if text is None else "text="
        raise InputError(f"{option} goes with .csv, .tsv and .parquet files, not with {path}")
    if image_size is not None and not path.is_dir():
        raise InputError(f"image_size= goes with folders of images, not with {path}")
    if is_saved(path):
        found = read_saved(path, Columns(label, text, words, image_size))
    elif path.is_dir():
        found = read_folder(path, image_size, words)
    elif text is not None:
        found = read_texts(path, label, text, words)
    elif suffix in _TABLES:
        found = read_csv(path, label)
    elif suffix == ".parquet":
        found = read_parquet(path, label)
    elif suffix in (".npy", ".npz"):
        found = _read_numpy(path)
    elif suffix == ".bin":
        found = read_cifar10(path)
    elif "ubyte" in path.name.lower() or ".idx" in path.name.lower():
        found = _read_idx_pair(path)
    else:
        raise InputError(f"unknown kind of file {path.name!r}; allowed are {ALLOWED}")
    return checked(path, *found)


_TABLES = (".csv", ".tsv", ".txt")
_Found = tuple[Any, NDArray | None, tuple[str, ...] | None]


def checked(path: Path | str, x: Any, y: NDArray | None, names: tuple[str, ...] | None) -> Table:
    """Two axes, rows, columns, finite numbers, as many labels as rows; else `FileFormatError`."""
    if x.dtype.kind not in "biuf":
        raise FileFormatError(f"{path}: holds {x.dtype}, not numbers")
    if len(x.shape) < 2 or 0 in x.shape:
        raise FileFormatError(
            f"{path}: expected rows of at least one number, shape (n, d), found shape {x.shape}"
        )
    if len(x.shape) > 2:
        x = x.reshape(x.shape[0], -1)
    if x.dtype.kind == "f" and (place := _not_finite(x, names)):
        raise FileFormatError(f"{path}: holds NaN or infinity {place}; drop or fill those rows")
    if y is not None and y.shape != (x.shape[0],):
        raise FileFormatError(f"{path}: {x.shape[0]} rows, but labels of shape {y.shape}")
    return Table(x, y, names)


def _not_finite(x: Any, names: tuple[str, ...] | None) -> str:
    """How many rows hold what is no finite number, and where the first is; empty if none does."""
    rows = rows_not_finite(x)
    if len(rows) == 0:
        return ""
    first = x[rows[:1]]
    first = first.toarray() if hasattr(x, "tocsr") else first
    column = int(np.flatnonzero(~np.isfinite(first))[0])
    shown = f"{names[column]!r}" if names else f"{column} (from 0)"
    return f"in {len(rows):,} of {x.shape[0]:,} rows, first in row {rows[0] + 1}, column {shown}"


def _read_numpy(path: Path) -> _Found:
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"PK"
            file.seek(0)
            # Not `np.load`, which takes what it does not know for a pickle.
            if not zipped:
                if os.fstat(file.fileno()).st_size >= MAPPED_BYTES:
                    return np.lib.format.open_memmap(path, "r"), None, None
                return np.lib.format.read_array(file, allow_pickle=False), None, None
            with zipfile.ZipFile(file) as archive:
                arrays = {
                    name.removesuffix(".npy"): _read_member(archive, name)
                    for name in archive.namelist()
                }
        if {"data", "shape", "format"} <= arrays.keys():
            return _read_sparse(path)
    except _DAMAGE as error:
        raise FileFormatError(f"{path}: not a NumPy file of plain numbers ({error})") from error
    key = next((k for k in ("X", "x") if k in arrays), None)
    if key is None and len(arrays) == 1:
        key = next(iter(arrays))
    if key is None:
        shown = ", ".join(sorted(arrays)) or "nothing"
        raise FileFormatError(f"{path}: expected arrays X and y, or one array; it holds {shown}")
    y = arrays.get("y") if key in ("X", "x") else None
    if y is not None and y.ndim == 1:
        y = label_array(y.tolist(), path)
    return arrays[key], y, None


def _read_member(archive: zipfile.ZipFile, name: str) -> NDArray:
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _read_sparse(path: Path) -> _Found:
    from scipy import sparse

    matrix = sparse.load_npz(path).tocsr()
    matrix.check_format()  # Else a damaged file reads beyond its arrays.
    return matrix, None, None


def _read_idx_pair(path: Path) -> _Found:
    """An IDX file, with the labels beside it if it is one of a pair as in MNIST."""
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    y = None
    if beside != path and beside.exists():
        y = read_idx(beside)
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise FileFormatError(f"{beside}: expected a row of whole numbers, found {y.shape}")
        y = y.astype(np.int64)
    return read_idx(path), y, None


def read_cifar10(path: str | os.PathLike) -> _Found:
    """A binary batch of CIFAR-10 (A. Krizhevsky 2009): per image a label and 3x32x32 numbers.

    Returns:
        `(n, 3072)` uint8, labels `(n,)` int64, `None`.

    Raises:
        FileFormatError: if its length is no multiple of 3,073 or a label is above 9.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror}") from error
    if not content or len(content) % _CIFAR_RECORD:
        raise FileFormatError(
            f"{path}: not a CIFAR-10 batch ({len(content)} bytes, expected a multiple of "
            f"{_CIFAR_RECORD})"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
    if records[:, 0].max() > 9:
        raise FileFormatError(f"{path}: not a CIFAR-10 batch (it has a label above 9)")
    return records[:, 1:], records[:, 0].astype(np.int64), None
