"""What rows may come in: tables are made numbers where that is sure, others told what to give."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from metaplastic.data.labels import is_missing
from metaplastic.errors import InputError

_TIMES = re.compile(r"(datetime|timestamp|date|time|duration|timedelta|period|interval)")
_NESTED = re.compile(r"(list|large_list|fixed_size_list|array|struct|map)\b")
_DECIMAL = re.compile(r"(decimal|numeric)")
_TEXT = re.compile(r"(str|string|large_string|string_view|utf8|large_utf8)\b")
_INDEX = re.compile(r"__index_level_\d+__")
_ARROW = re.compile(r"(?P<kind>.*)\[pyarrow\]")


def plain_rows(x: Any) -> Any:
    """`x` with decimals made float64; anything but arrays and tables of numbers is refused.

    Raises
    ------
    InputError
        For objects that hold their numbers elsewhere (AnnData, matrices on disk, dicts, queries),
        masked arrays, complex numbers, and for tables with columns of text, times, series, missing
        values or an index.
    """
    _refuse_objects(x)
    columns = list(_columns(x))
    for name, kind, _ in columns:
        if isinstance(name, str) and _INDEX.fullmatch(name):
            raise InputError(f"column {name!r} is the index of a saved frame, no feature; drop it")
        if _TIMES.match(kind):
            raise InputError(
                f"column {name!r} holds {kind}: make it a number, such as days since the first, or "
                "drop it"
            )
        if _NESTED.match(kind):
            raise _nested(name)
        if _TEXT.match(kind):
            raise _text(name)
        if kind.startswith(("category", "categorical", "enum", "dictionary")):
            raise InputError(
                f"column {name!r} holds categories: give a column of 0 and 1 for each "
                "(pandas.get_dummies, sklearn.preprocessing.OneHotEncoder)"
            )
    for name, kind, cells in columns:
        if kind == "object":
            _check_cells(name, cells())
    decimals = [name for name, kind, _ in columns if _DECIMAL.match(kind)]
    return _with_floats(x, decimals) if decimals else x


def _refuse_objects(x: Any) -> None:
    kind = type(x).__name__
    if np.ma.is_masked(x):
        raise InputError("X is a masked array; fill it: X.filled(value)")
    if isinstance(getattr(x, "dtype", None), np.dtype) and x.dtype.kind == "c":
        raise InputError("Complex data not supported: X holds complex numbers; give X.real or abs")
    if hasattr(x, "collect") and not hasattr(x, "shape"):
        raise InputError(f"X is a {kind}, a query; give its result: X.collect()")
    if all(hasattr(x, name) for name in ("X", "obs", "var")):
        raise InputError(
            f"X is a whole {kind}; give the matrix in it: adata.X, adata.layers[...] or "
            "adata.obsm[...]"
        )
    if hasattr(x, "to_memory"):
        raise InputError(f"X is a {kind}, a matrix on disk; give X.to_memory()")
    # SciPy keeps some sparse matrices (dok) in a dict.
    if isinstance(x, Mapping) and not scipy.sparse.issparse(x):
        raise InputError(f"X is a {kind}; give a table of it: pandas.DataFrame(X)")
    if isinstance(x, (list, tuple)) and len(x) and isinstance(x[0], Mapping):
        raise InputError(
            "X is a list of dicts; give a table of it: pandas.DataFrame(X), or "
            "sklearn.feature_extraction.DictVectorizer().fit_transform(X)"
        )
    if isinstance(x, Iterator):
        raise InputError(f"X is a {kind}; give an array. Only partial_fit takes chunks one by one")


def _columns(x: Any) -> Iterator[tuple[Any, str, Any]]:
    """Name, type in lower case, and a function that gives the cells, of a table's columns."""
    if not hasattr(x, "columns") or not hasattr(x, "shape"):
        return
    if hasattr(x, "schema"):  # polars and PyArrow
        types = getattr(x.schema, "types", None) or list(x.schema.values())
        names = x.column_names if hasattr(x, "column_names") else x.columns
        for name, kind in zip(names, types, strict=True):
            yield name, str(kind).lower(), lambda name=name: list(x[name])
    elif hasattr(x, "dtypes") and hasattr(x, "iloc"):
        for i, (name, kind) in enumerate(zip(x.columns, x.dtypes, strict=True)):
            kind_name = str(kind).lower()
            arrow = _ARROW.fullmatch(kind_name)
            yield name, arrow["kind"] if arrow else kind_name, lambda i=i: list(x.iloc[:, i])


def _check_cells(name: Any, cells: Sequence[Any]) -> None:
    for row, cell in enumerate(cells):
        if is_missing(cell) or cell is None:
            raise InputError(
                f"X contains NaN, first in row {row} (counted from 0) of column {name!r}; fill it "
                "or drop the row"
            )
        if isinstance(cell, (str, bytes)):
            raise _text(name)
        if _TIMES.match(type(cell).__name__.lower()):
            raise InputError(
                f"column {name!r} holds times ({type(cell).__name__}): make it a number, such as "
                "days since the first, or drop it"
            )
        if hasattr(cell, "__len__"):
            raise _nested(name)


def _text(name: Any) -> InputError:
    return InputError(
        f"column {name!r} holds text: make numbers of it (cast it if it spells numbers; an encoder "
        "of sentences or sklearn.feature_extraction.text if it is language), or drop it"
    )


def _nested(name: Any) -> InputError:
    return InputError(
        f"cells of column {name!r} hold series or lists; give an array with a row a series and a "
        "column a time: numpy.stack(X[name]), or sktime's from_nested_to_2d_array(X)"
    )


def _with_floats(x: Any, names: Sequence[Any]) -> Any:
    if hasattr(x, "iloc"):
        return x.astype({name: np.float64 for name in names})
    if hasattr(x, "set_column"):
        for name in names:
            i = x.column_names.index(name)
            x = x.set_column(i, name, x.column(i).cast("float64"))
        return x
    import polars

    return x.cast({name: polars.Float64 for name in names})
