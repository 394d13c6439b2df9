"""What is in a table, and what about it deserves a second look."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import is_signed, labelled_rows
from metaplastic.errors import InputError
from metaplastic.types import Rows

LARGEST = float(np.finfo(np.float32).max) / 2
"""Largest magnitude of an input, so that the difference of two is still a float32."""

_SHOWN = 3  # Names in a remark.
_MANY_COLUMNS = 8  # From which the spread of most is a measure for the others.
_MANY_CLASSES = 100
_FRACTION = re.compile(r"-?[0-9]*\.[0-9]*([eE][+-]?[0-9]+)?")
_NUMBERS_AT_ONCE = 2**24


def rows_not_finite(x: Rows) -> NDArray[np.int64]:
    """Numbers of the rows of `x` `(n, d)`, array or CSR matrix, that hold NaN or infinity."""
    if hasattr(x, "tocsr"):
        at = np.flatnonzero(~np.isfinite(x.data))
        return np.unique(np.searchsorted(x.indptr, at, side="right") - 1)
    size = max(1, _NUMBERS_AT_ONCE // max(1, x.shape[1]))
    blocks = range(0, x.shape[0], size)
    bad = [i + np.flatnonzero(~np.isfinite(x[i : i + size]).all(1)) for i in blocks]
    return np.concatenate([np.zeros(0, np.int64), *bad])


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
        difference = f"lacks {_listed(missing)}" if missing else f"has {_listed(extra)} besides"
    else:
        difference = "has them in another order"
    raise InputError(f"{name}: the encoder was fitted to other columns; the table {difference}")


def describe(
    x: Rows, y: NDArray | None, names: Sequence[str] | None, name: str
) -> tuple[dict[str, Any], list[str]]:
    """Sizes, types, ranges and labels of a table by name, and remarks, each a sentence.

    Parameters
    ----------
    x : Rows
        `(n, d)`, array or SciPy sparse matrix.
    y : ndarray or None
        `(n,)` labels, if there are any.
    names : sequence of str or None
        Names of the columns.
    name : str
        Name of the data, for messages.

    Raises
    ------
    InputError
        If `x` is no matrix of two rows or more of finite real numbers within float32.
    """
    x = check_matrix(x, name)
    if x.shape[0] < 2:
        raise InputError(f"{name}: holds a single row; nothing can be learned from fewer than two")
    facts: dict[str, Any] = {"rows": x.shape[0], "columns": x.shape[1], "type": str(x.dtype)}
    facts |= {"least": float(x.min()), "largest": float(x.max())}
    if max(-facts["least"], facts["largest"]) > LARGEST:
        raise InputError(
            f"{name}: numbers must lie within +-{LARGEST:.2g} (float32), got {facts['least']:.2g} "
            f"to {facts['largest']:.2g}; rescale them"
        )
    constant = _constant(x)
    facts["constant columns"] = int(constant.sum())
    remarks = []
    if constant.any():
        remarks.append(
            _said(
                np.flatnonzero(constant),
                names,
                "is constant and carries nothing",
                "are constant and carry nothing",
            )
        )
    labelled = None if y is None else labelled_rows(y)
    if not hasattr(x, "tocsr"):
        remarks += _of_dense(x, constant, names)
        if labelled is None or y is None or not labelled.any():
            remarks += _like_labels(x, constant, names)
        else:
            remarks += _telling_labels(x[labelled], y[labelled], names)
    if y is not None and labelled is not None:
        more, about_labels = _of_labels(y, labelled)
        facts |= more
        remarks += about_labels
    return facts, remarks


def _constant(x: Rows) -> NDArray[np.bool_]:
    least, most = x.min(axis=0), x.max(axis=0)
    if hasattr(least, "toarray"):
        least, most = least.toarray(), most.toarray()
    return np.ravel(least == most)


def _of_dense(x: NDArray, constant: NDArray[np.bool_], names: Sequence[str] | None) -> list[str]:
    remarks = []
    seen: dict[bytes, int] = {}
    of: dict[int, int] = {}
    for i in np.flatnonzero(~constant):
        first = seen.setdefault(np.ascontiguousarray(x[:, i]).tobytes(), int(i))
        if first != i:
            of[int(i)] = first
    if len(of) == 1:
        ((twice, first),) = of.items()
        remarks.append(f"column {_columns([twice], names)} repeats {_columns([first], names)}")
    elif of:
        remarks.append(f"{len(of)} columns repeat others: {_columns(list(of), names)}")
    dead = _dead(x, list(seen.values()))
    if dead:
        remarks.append(
            _said(
                dead,
                names,
                "hardly varies beside the others, and would be blown up to noise: drop it",
                "hardly vary beside the others, and would be blown up to noise, so drop them",
            )
        )
    counting = [i for i in seen.values() if len(x) > 2 and np.all(np.diff(x[:, i]) == 1)]
    if counting:
        remarks.append(
            _said(
                counting,
                names,
                "numbers the rows, and is no feature: drop it",
                "number the rows, and are no features, so drop them",
            )
        )
    repeated = len(x) - len({row.tobytes() for row in np.ascontiguousarray(x)})
    if repeated:
        what = "1 row repeats another one" if repeated == 1 else f"{repeated} rows repeat others"
        remarks.append(f"{what}: few-shot results are too good if a labelled row is tested again")
    return remarks


def _dead(x: NDArray, columns: Sequence[int]) -> list[int]:
    """Columns whose spread is tiny where those of the others are alike, as in embeddings."""
    if len(columns) < _MANY_COLUMNS:
        return []
    spreads = np.array([x[:, i].std(dtype=np.float64) for i in columns])
    middle = np.median(spreads)
    if np.quantile(spreads, 0.1) < middle / 5:
        return []
    return [i for i, spread in zip(columns, spreads, strict=True) if spread < middle / 20]


def _like_labels(x: NDArray, constant: NDArray[np.bool_], names: Sequence[str] | None) -> list[str]:
    """A remark on a first or last column that holds codes of classes where the others do not."""
    last = x.shape[1] - 1
    suspects = [i for i in dict.fromkeys((0, last)) if _is_coded(x[:, i])]
    others = [i for i in range(last + 1) if i not in suspects and not constant[i]]
    if not suspects or not others:
        return []
    if 5 * sum(_is_coded(x[:, i]) for i in others) > len(others):
        return []
    return [
        f"column {_columns([i], names)} looks like the label: if it is, name it (--label {i})"
        for i in suspects
    ]


def _is_coded(column: NDArray) -> bool:
    """Whether a column holds 0, 1, 2, ... or 1, 2, ... or -1 and 1, each several times."""
    values, counts = np.unique(column, return_counts=True)
    if not 2 <= len(values) <= min(_MANY_CLASSES, len(column) // 4) or counts.min() < 2:
        return False
    counted = np.arange(len(values))
    return any(np.array_equal(values, counted + start) for start in (0, 1)) or np.array_equal(
        values, [-1, 1]
    )


def _telling_labels(x: NDArray, y: NDArray, names: Sequence[str] | None) -> list[str]:
    """A remark on columns of which each value goes with one class, and each class with one."""
    classes, numbers = np.unique(y, return_inverse=True)
    if not 2 <= len(classes) <= len(y) // 2:
        return []
    suspects = []
    for i in range(x.shape[1]):
        values, codes = np.unique(x[:, i], return_inverse=True)
        if len(values) == len(classes) == len(np.unique(codes * len(classes) + numbers)):
            suspects.append(i)
    if not suspects:
        return []
    one = "tells the label, as each class has a value of its own there: drop it"
    several = "tell the label, as each class has a value of its own there, so drop them"
    return [_said(suspects, names, one, several)]


def _of_labels(y: NDArray, labelled: NDArray[np.bool_]) -> tuple[dict[str, Any], list[str]]:
    classes, counts = np.unique(y[labelled], return_counts=True)
    facts: dict[str, Any] = {"unlabelled rows": int((~labelled).sum()), "classes": len(classes)}
    if len(classes):
        facts["rows a class"] = f"{counts.min()} to {counts.max()}"
    remarks = []
    if is_signed(y):
        remarks.append("-1 and 1 are the only labels, and are taken for two classes")
    if len(classes) < 2:
        remarks.append("fewer than two classes have labels: nothing can be told apart")
    lone = classes[counts == 1]
    if len(classes) > max(20, len(y) // 2):
        remarks.append(f"{len(classes)} classes in {len(y)} rows: is the label a measurement?")
    elif fractions := [
        c for c in classes.tolist() if isinstance(c, str) and _FRACTION.fullmatch(c)
    ]:
        remarks.append(f"the label {fractions[0]!r} is no whole number: is it a measurement?")
    elif len(lone):
        have = "1 class has one row" if len(lone) == 1 else f"{len(lone)} classes have one row"
        remarks.append(f"{have}: {_listed(lone.tolist())}; none is left to test on")
    return facts, remarks


def _said(
    numbers: Sequence[int] | NDArray, names: Sequence[str] | None, one: str, several: str
) -> str:
    """A sentence on columns: `one` is said of a single one, `several` of more."""
    shown = _columns(numbers, names)
    if len(numbers) == 1:
        return f"column {shown} {one}"
    return f"{len(numbers)} columns {several}: {shown}"


def _columns(numbers: Sequence[int] | NDArray, names: Sequence[str] | None) -> str:
    return _listed([names[i] if names else int(i) for i in numbers])


def _listed(items: Sequence[Any]) -> str:
    shown = ", ".join(repr(item) for item in items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")
