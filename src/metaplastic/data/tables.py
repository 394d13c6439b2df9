"""What readers are asked and what they give: options, and a table of finite numbers."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.checks import rows_not_finite
from metaplastic.errors import FileFormatError, InputError

LABEL_NAMES = ("label", "target", "class", "y")
"""Columns that are taken for labels, whatever their case; the first of these that is there."""


class _Columns(NamedTuple):
    x: Any
    y: NDArray | None
    names: tuple[str, ...] | None


class Table(_Columns):
    """What a file holds: a triple `x, y, names`.

    Attributes
    ----------
    x
        `(n, d)` finite numbers, in the file's own type; images are flattened; a SciPy CSR matrix if
        the file was one.
    y
        `(n,)` labels, int64 or strings, beside which -1 marks unlabelled rows (then objects); or
        `None`.
    names
        Of the columns of `x`, if the file names them; `texts.Words` if `x` counts words.
    remarks : tuple of str, default=()
        Sentences on what the reader assumed or passed over.
    """

    remarks: tuple[str, ...] = ()

    def __new__(
        cls,
        x: Any,
        y: NDArray | None = None,
        names: Iterable[str] | None = None,
        remarks: Iterable[str] = (),
    ) -> Self:
        # Names keep their type, which says whether they are words.
        made = names if names is None or isinstance(names, tuple) else tuple(names)
        self = super().__new__(cls, x, y, made)
        self.remarks = tuple(remarks)
        return self


@dataclasses.dataclass(frozen=True)
class Options:
    """How to read, as `files.read_table` has it; what is left out is found from the file."""

    label: str | int | None = None
    image_size: tuple[int, int] | None = None
    text: str | int | None = None
    words: Sequence[str] | None = None
    header: bool | None = None
    decimal: str | None = None
    transpose: bool = False
    levels: int | None = None
    layer: str | None = None

    def check(self, allowed: frozenset[str], source: object) -> None:
        """Raise `InputError` for an option that is given but not `allowed` for this kind."""
        for name, where in _GOES_WITH.items():
            value = getattr(self, name)
            if value is not None and value is not False and name not in allowed:
                raise InputError(f"{name}= goes with {where}, not with {source}")
        if self.header is False and "header" not in allowed:
            raise InputError(f"header= goes with {_GOES_WITH['header']}, not with {source}")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"decimal= is '.' or ',', got {self.decimal!r}")
        if self.levels not in (None, 1, 2):
            raise InputError(f"levels= is 1 or 2, got {self.levels!r}")


_GOES_WITH = {
    "label": "files of several columns or arrays, such as .csv, .parquet, .npz and .mat",
    "text": ".csv, .tsv and .parquet files",
    "image_size": "folders of images",
    "header": "text files such as .csv",
    "decimal": "text files such as .csv",
    "transpose": "images stored as numbers, such as IDX, .npz and .mat",
    "levels": "folders of images",
    "layer": ".h5ad files",
}


def find_label(names: Sequence[str], label: str | int | None, path: object) -> int | None:
    """The number of the label column, or `None`.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    label : str, int or None
        A name, or a number that counts from 0, or from the end if negative; `None` looks for
        `LABEL_NAMES`.
    path : object
        For the message.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if label is None:
        lower = [name.strip().lower() for name in names]
        return next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    if label in names:
        return list(names).index(str(label))
    try:
        number = int(label)
    except ValueError:
        number = len(names)
    if not -len(names) <= number < len(names):
        shown = ", ".join(name[:40] for name in names[:8]) + (", ..." if len(names) > 8 else "")
        raise InputError(f"{path} has no column {label!r}; its {len(names)} columns are {shown}")
    return number % len(names)


def checked(path: Path | str, table: Table) -> Table:
    """Two axes, rows, columns, finite numbers, as many labels as rows; else `FileFormatError`."""
    x, y, names = table
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
    return Table(x, y, names, table.remarks)


def _not_finite(x: Any, names: tuple[str, ...] | None) -> str:
    """How many rows hold what is no finite number, and where the first is; empty if none does."""
    rows = rows_not_finite(x)
    if len(rows) == 0:
        return ""
    first = x[rows[:1]]
    first = first.toarray() if hasattr(x, "tocsr") else first
    column = int(np.flatnonzero(~np.isfinite(first))[0])
    return f"in {len(rows):,} of {x.shape[0]:,} rows, first in row {rows[0] + 1}, " + place(
        column, names
    )


def place(column: int, names: Sequence[str] | None) -> str:
    """A column for people: its name, or its number as `label=` counts."""
    return f"column {names[column]!r:.60}" if names else f"column {column} (from 0)"


def turned(x: NDArray, source: object) -> NDArray:
    """Images with rows and columns exchanged: `(n, h, w, ...)`, or flat `(n, d)` if square.

    Raises
    ------
    InputError
        If `x` holds no images.
    """
    if x.ndim > 2:
        return x.swapaxes(1, 2)
    side = round(x.shape[-1] ** 0.5) if x.ndim == 2 else 0
    if side < 2 or side * side != x.shape[-1]:
        raise InputError(
            f"transpose= goes with images; rows of shape {x.shape[1:]} in {source} are none that "
            "are square"
        )
    return x.reshape(-1, side, side).swapaxes(1, 2).reshape(x.shape)
