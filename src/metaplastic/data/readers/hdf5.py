"""HDF5 files with datasets named `X` and `y`, through h5py; nothing outside the file is read."""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.arrays import choose
from metaplastic.data.readers.streams import (
    LIBRARY_ERRORS,
    MAX_BYTES,
    is_compressed,
    one_line,
    read_bytes,
    source_of,
)
from metaplastic.data.tables import Options, Table, turned
from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
_MOST_DATASETS = 10_000


def read_hdf5(path: Path, options: Options) -> Table:
    """Rows and labels of an HDF5 file: `X` and `y`, or its only dataset, at any depth.

    Raises
    ------
    MissingDataError
        Without h5py.
    FileFormatError
        For a damaged file, one of another library (AnnData, pandas, 10x Genomics), or datasets
        among which none is the rows.
    InputError
        For a label that is not there.
    """
    arrays = read_arrays(path)
    x, y = choose(arrays, options.label, path, "datasets named X and y")
    labels = None if y is None else typed_labels(y, path)
    return Table(turned(x, path) if options.transpose else x, labels)


def read_arrays(path: Path) -> dict[str, NDArray]:
    """All datasets of a file by name.

    Raises
    ------
    MissingDataError
        Without h5py.
    FileFormatError
        See `read_hdf5`.
    """
    with opened(path) as file:
        _refuse_others(file, path)
        return {name: read_dataset(dataset, path) for name, dataset in _datasets(file, path)}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF5 file to read from; errors of the library become `FileFormatError`.

    Raises
    ------
    MissingDataError
        Without h5py.
    FileFormatError
        For a damaged file.
    """
    require("h5py", f"reading {path}", "hdf5")
    import h5py

    _check_heaps(path)
    try:
        with h5py.File(source_of(path), "r") as file:
            yield file
    except (FileFormatError, InputError):
        raise
    except LIBRARY_ERRORS as error:
        raise FileFormatError(
            f"{path}: not an HDF5 file that can be read ({one_line(error)})"
        ) from error


def _check_heaps(path: Path) -> None:
    """Raise `FileFormatError` unless the heaps of strings end: the C library may look for ever."""
    if is_compressed(path):
        _walk_heaps(read_bytes(path), path)
        return
    if path.stat().st_size == 0:
        raise FileFormatError(f"{path}: not an HDF5 file (it is empty)")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _walk_heaps(content, path)


def _walk_heaps(content: bytes | mmap.mmap, path: Path) -> None:
    start = content.find(_HEAP)
    while start >= 0:
        size = int.from_bytes(content[start + 8 : start + 16], "little")
        at, end = start + 16, min(start + size, len(content))
        while at + 16 <= end:
            # An object's number, 0 for the free rest, and its size, to which 16 bytes are added.
            number = int.from_bytes(content[at : at + 2], "little")
            length = int.from_bytes(content[at + 8 : at + 16], "little")
            step = length if number == 0 else 16 + length + -length % 8
            if step < 16 or at + step > end:
                raise FileFormatError(f"{path}: damaged HDF5 file (a heap of strings does not end)")
            at += step
        start = content.find(_HEAP, start + 4)


def _refuse_others(file: Any, path: Path) -> None:
    """Files in the layouts of libraries, in which datasets alone do not say what they are."""
    if file.attrs.get("encoding-type") == "anndata" or {"X", "obs", "var"} <= set(file):
        raise FileFormatError(f"{path}: an AnnData file; give it a name that ends in .h5ad")
    if "PYTABLES_FORMAT_VERSION" in file.attrs or any(
        "pandas_type" in g.attrs for g in file.values()
    ):
        raise FileFormatError(
            f"{path}: a file of pandas or PyTables; save the frame with to_parquet instead"
        )
    if "matrix" in file and {"barcodes", "indptr", "shape"} <= set(file["matrix"]):
        raise FileFormatError(
            f"{path}: a matrix of 10x Genomics; save it with scipy.sparse.save_npz, cells as rows"
        )


def _datasets(
    group: Any, path: Path, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    import h5py

    for number, name in enumerate(group):
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise FileFormatError(f"{path}: {prefix}{name} lies in another file; copy it in here")
        if isinstance(link, h5py.SoftLink) or name == "#refs#":
            continue
        item = group[name]
        if isinstance(item, h5py.Group) and depth < 8:
            yield from _datasets(item, path, f"{prefix}{name}/", depth + 1)
        elif isinstance(item, h5py.Dataset):
            yield f"{prefix}{name}", item
        if number > _MOST_DATASETS:
            raise FileFormatError(f"{path}: holds more than {_MOST_DATASETS} datasets, refused")


def read_dataset(dataset: Any, path: Path) -> NDArray:
    """The numbers or strings of a dataset; raises `FileFormatError` if it holds none."""
    import h5py

    if dataset.external or dataset.is_virtual:
        raise FileFormatError(f"{path}: {dataset.name} lies in another file; copy it in here")
    if dataset.size is None or dataset.nbytes > MAX_BYTES:
        raise FileFormatError(f"{path}: {dataset.name} is empty or over {MAX_BYTES} bytes, refused")
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        raise FileFormatError(
            f"{path}: {dataset.name} holds references, as cell arrays do; save numbers or strings"
        )
    return np.asarray(dataset[()])
