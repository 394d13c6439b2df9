"""What is in a table, and what about it deserves a second look."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.types import Rows

UNLABELLED = -1
_SHOWN = 3  # Names in a remark.
_NUMBERS_AT_ONCE = 2**24


def rows_not_finite(x: Rows) -> NDArray[np.int64]:
    """Numbers of the rows of `x` `(n, d)`, array or CSR matrix, that hold NaN or infinity."""
    if hasattr(x, "tocsr"):
        at = np.flatnonzero(~np.isfinite(x.data))
        return np.unique(np.searchsorted(x.indptr, at, side="right") - 1)
    size = max(1, _NUMBERS_AT_ONCE // max(1, x.shape[1]))
    blocks = range(0, x.shape[0], size)
    found = [i + np.flatnonzero(~np.isfinite(x[i : i + size]).all(1)) for i in blocks]
    return np.concatenate([np.zeros(0, np.int64), *found])


def check_matrix(x: Rows, name: str) -> Rows:
    """The rows `x`, made sure to be a matrix of finite real numbers; else raises `InputError`."""
    if len(x.shape) != 2 or x.shape[0] < 1:
        raise InputError(f"{name}: one row or more of numbers needed, got shape {x.shape}")
    if x.dtype.kind not in "buif" or len(rows_not_finite(x)):
        raise InputError(f"{name}: holds what is no finite number; impute or encode it first")
    return x


def check_names(given: Sequence[str] | None, fitted: Sequence[str] | None, name: str) -> None:
    """Raise `InputError` if both name their columns and the names, or their order, differ."""
    if given is None or fitted is None or list(given) == list(fitted):
        return
    missing = [column for column in fitted if column not in given]
    extra = [column for column in given if column not in fitted]
    if missing or extra:
        found = f"lacks {_listed(missing)}" if missing else f"has {_listed(extra)} besides"
    else:
        found = "has them in another order"
    raise InputError(f"{name}: the encoder was fitted to other columns; the table {found}")


def describe(
    x: Rows, y: NDArray | None, names: Sequence[str] | None, name: str
) -> tuple[dict[str, Any], list[str]]:
    """Sizes, types, ranges and labels of a table by name, and remarks, each a sentence.

    Args:
        x: `(n, d)`, array or SciPy sparse matrix.
        y: `(n,)` labels, if there are any.
        names: of the columns.
        name: of the whole, for messages.

    Raises:
        InputError: if `x` is no matrix of finite real numbers.
    """
    x = check_matrix(x, name)
    found: dict[str, Any] = {"rows": x.shape[0], "columns": x.shape[1], "type": str(x.dtype)}
    found |= {"least": float(x.min()), "largest": float(x.max())}
    constant = _constant(x)
    found["constant columns"] = int(constant.sum())
    remarks = []
    if constant.any():
        shown = _columns(np.flatnonzero(constant), names)
        remarks.append(f"{found['constant columns']} constant columns carry nothing: {shown}")
    if not hasattr(x, "tocsr"):
        remarks += _of_dense(x, constant, names)
    if y is not None:
        more, about_labels = _of_labels(y)
        found |= more
        remarks += about_labels
    return found, remarks


def _constant(x: Rows) -> NDArray[np.bool_]:
    least, most = x.min(axis=0), x.max(axis=0)
    if hasattr(least, "toarray"):
        least, most = least.toarray(), most.toarray()
    return np.ravel(least == most)


def _of_dense(x: NDArray, constant: NDArray[np.bool_], names: Sequence[str] | None) -> list[str]:
    remarks = []
    seen: dict[bytes, int] = {}
    for i in np.flatnonzero(~constant):
        seen.setdefault(np.ascontiguousarray(x[:, i]).tobytes(), int(i))
    twice = np.setdiff1d(np.flatnonzero(~constant), list(seen.values()))
    if len(twice):
        remarks.append(f"{len(twice)} columns repeat another one: {_columns(twice, names)}")
    counting = [i for i in seen.values() if len(x) > 2 and np.all(np.diff(x[:, i]) == 1)]
    if counting:
        shown = _columns(counting, names)
        remarks.append(f"column {shown} numbers the rows, and is no feature: drop it")
    repeated = len(x) - len({row.tobytes() for row in np.ascontiguousarray(x)})
    if repeated:
        remarks.append(
            f"{repeated} rows repeat another one: few-shot results are too good if a labelled row "
            "is tested again"
        )
    return remarks


def _of_labels(y: NDArray) -> tuple[dict[str, Any], list[str]]:
    unlabelled = y == UNLABELLED if y.dtype.kind in "if" else np.zeros(len(y), bool)
    classes, counts = np.unique(y[~unlabelled], return_counts=True)
    found: dict[str, Any] = {"unlabelled rows": int(unlabelled.sum()), "classes": len(classes)}
    if len(classes):
        found["rows a class"] = f"{counts.min()} to {counts.max()}"
    remarks = []
    if len(classes) < 2:
        remarks.append("fewer than two classes have labels: nothing can be told apart")
    lone = classes[counts == 1]
    if len(classes) > max(20, len(y) // 2):
        remarks.append(f"{len(classes)} classes in {len(y)} rows: is the label a measurement?")
    elif len(lone):
        remarks.append(
            f"{len(lone)} classes have one row: {_listed(lone.tolist())}; none is left to test on"
        )
    return found, remarks


def _columns(numbers: Sequence[int] | NDArray, names: Sequence[str] | None) -> str:
    return _listed([names[i] if names else int(i) for i in numbers])


def _listed(items: Sequence[Any]) -> str:
    shown = ", ".join(repr(item) for item in items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")
