"""Which reader reads which file: by the ending of its name, else by its first bytes.

Another format is one more entry of `FORMATS` and a reader `read(path, options) -> Table`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from metaplastic.data import folders, hub, idx
from metaplastic.data.readers.arff import read_arff
from metaplastic.data.readers.arrays import read_numpy
from metaplastic.data.readers.batches import read_batch
from metaplastic.data.readers.cytometry import read_fcs
from metaplastic.data.readers.delimited import read_delimited
from metaplastic.data.readers.h5ad import read_h5ad
from metaplastic.data.readers.hdf5 import MAGIC, read_hdf5
from metaplastic.data.readers.keel import read_keel
from metaplastic.data.readers.matlab import read_mat
from metaplastic.data.readers.norb import is_norb
from metaplastic.data.readers.parquet import ARROW_MAGIC, PARQUET_MAGIC, read_parquet
from metaplastic.data.readers.series import read_series
from metaplastic.data.readers.streams import plain_name, read_head
from metaplastic.data.readers.svmlight import is_svmlight, read_svmlight
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError, InputError


class Format(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    name : str
        For people.
    suffixes : tuple of str
        Endings of names, in lower case.
    begins : callable
        Whether a file that begins with some bytes is one, whatever its name.
    read : callable
        The reader.
    options : frozenset of str
        Those of `Options` that go with it.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    read: Callable[[Path, Options], Table]
    options: frozenset[str]


def _magic(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(starts)


def _never(start: bytes) -> bool:
    return False


def _is_idx(start: bytes) -> bool:
    return start[:2] == b"\0\0" and start[2:3] in b"\x08\x09\x0b\x0c\x0d\x0e" and len(start) > 8


_TABLE = frozenset({"label", "text", "words", "header", "decimal"})
_ARRAYS = frozenset({"label", "transpose"})
_IMAGES = frozenset({"image_size", "words", "levels"})

TEXT = Format(
    "text tables",
    (".csv", ".tsv", ".tab", ".txt", ".data", ".amat"),
    _never,
    read_delimited,
    _TABLE,
)
IDX = Format(
    "IDX (-ubyte, -int, .idx)",
    (".idx", ".idx1", ".idx2", ".idx3"),
    _is_idx,
    idx.read_pair,
    frozenset({"transpose"}),
)
SVMLIGHT = Format(
    "LIBSVM and svmlight", (".svm", ".libsvm", ".svmlight"), is_svmlight, read_svmlight, frozenset()
)

FORMATS = (
    Format("NumPy", (".npy", ".npz"), _magic(b"\x93NUMPY"), read_numpy, _ARRAYS),
    TEXT,
    Format("Parquet and Feather", (".parquet", ".pq", ".feather", ".arrow"),
           _magic(PARQUET_MAGIC, ARROW_MAGIC), read_parquet, frozenset({"label", "text", "words"})),
    IDX,
    Format("batches of CIFAR and STL-10", (".bin",), _never, read_batch, frozenset({"label"})),
    Format("MATLAB and NORB", (".mat",), lambda s: s.startswith(b"MATLAB ") or is_norb(s),
           read_mat, _ARRAYS),
    Format("HDF5", (".h5", ".hdf5", ".he5"), _magic(MAGIC), read_hdf5, _ARRAYS),
    Format("AnnData", (".h5ad",), _never, read_h5ad, frozenset({"label", "layer"})),
    Format("ARFF", (".arff",), _never, read_arff, frozenset({"label"})),
    Format("KEEL", (".dat",), _never, read_keel, _TABLE),
    Format("series", (".ts",), _never, read_series, frozenset()),
    SVMLIGHT,
    Format("FCS", (".fcs", ".lmd"), _magic(b"FCS"), read_fcs, frozenset()),
)  # fmt: skip
"""All kinds of single files; the first that fits reads."""

FOLDER = Format("folders of images or texts", (), _never, folders.read_with, _IMAGES)
SAVED = Format("folders of save_to_disk", (), _never, hub.read_with,
               frozenset({"label", "text", "words", "image_size"}))  # fmt: skip

ALLOWED = (
    ", ".join(f"{' '.join(f.suffixes)} ({f.name})" for f in FORMATS)
    + ", all but folders also .gz, .bz2 and .xz; a folder with one subfolder of images or texts "
    "per class, or one of `save_to_disk`"
)

_OTHERS = {
    (".zip", ".tar", ".tgz", ".7z", ".rar", ".zst"): "unpack it, and name what is in it",
    (".xlsx", ".xls", ".ods"): "save the sheet as .csv",
    (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".rds", ".rdata"): (
        "such files run code when they are read; save X and y with np.savez or as .csv"
    ),
    (".json", ".jsonl", ".ndjson"): "save the table as .csv or .parquet",
    (".sav", ".dta", ".sas7bdat"): "save the table as .csv",
    (".png", ".jpg", ".jpeg"): "name the folder of the images",
}


def find_format(path: Path) -> Format:
    """The format of a file or folder.

    Raises
    ------
    InputError
        If it is of no known kind.
    FileFormatError
        If its name says one kind and its first bytes another.
    """
    if path.is_dir():
        return SAVED if hub.is_saved(path) else FOLDER
    name = plain_name(path)
    suffix = os.path.splitext(name)[1]
    by_name = next((f for f in FORMATS if suffix in f.suffixes), None)
    if by_name is None and ("ubyte" in name or ".idx" in name or "-idx" in name):
        by_name = IDX
    others = next((mend for suffixes, mend in _OTHERS.items() if suffix in suffixes), None)
    start = b"" if others and by_name is None else read_head(path)
    by_content = next((f for f in FORMATS if f.begins(start)), None)
    if by_name is None and by_content is None:
        hint = f"; {others}" if others else ""
        raise InputError(f"unknown kind of file {path.name!r}; allowed are {ALLOWED}{hint}")
    if by_name is None or by_content is None or by_name is by_content:
        return by_name or by_content  # pyright: ignore[reportReturnType]
    if by_content is SVMLIGHT:
        return SVMLIGHT if by_name.name in ("text tables", "KEEL") else by_name
    if by_name in (TEXT, SVMLIGHT) or by_name.name in ("ARFF", "KEEL", "series"):
        raise FileFormatError(
            f"{path}: not a table of text, but a file of {by_content.name}; name it "
            f"{by_content.suffixes[0]}"
        )
    return by_name
