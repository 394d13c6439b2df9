"""The rows that users pass to the estimators: made a matrix, checked, refused in one line."""

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from metaplastic.data.checks import LARGEST
from metaplastic.errors import InputError
from metaplastic.models import FrozenMLP, block_rows
from metaplastic.models.preparation import ColumnCurves
from metaplastic.sklearn.containers import plain_rows


@contextlib.contextmanager
def unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """An estimator stays what it was, columns included, if the block is refused or interrupted.

    What it holds is not copied: a stream that was under way is changed by what it has learned.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_rows(estimator: BaseEstimator, x: Any, *, reset: bool, least: int = 1) -> Any:
    """`x` as an array or CSR matrix `(n, d)` of finite numbers of any real dtype.

    Parameters
    ----------
    estimator : BaseEstimator
        Learns the number and names of columns, and the shape of a row, if `reset`, else they must
        be its own. Its parameter `flatten` says whether rows may be images.
    x : object
        Array-like, sparse matrix or data frame.
    reset : bool
        Whether the estimator learns the columns anew.
    least : int, default=1
        Fewest rows allowed.

    Raises
    ------
    InputError
        (a ValueError) for anything else, in one line.
    TypeError
        For numbers that are none, and sparse matrices of an unknown kind.
    """
    return _checked(estimator, x, None, reset, least)[0]


def check_rows_and_labels(estimator: BaseEstimator, x: Any, y: Any, *, least: int) -> Any:
    """As `check_rows` in `fit`, with labels `(n,)`, which may not be missing numbers."""
    if y is None:
        raise InputError(
            f"requires y to be passed, but the target y is None; {type(estimator).__name__} takes "
            "labels, -1 for unlabelled rows"
        )
    return _checked(estimator, x, y, True, least)


def _checked(estimator: Any, x: Any, y: Any, reset: bool, least: int) -> tuple[Any, Any]:
    if not isinstance(estimator.flatten, (bool, np.bool_)):
        raise InputError(f"flatten is True or False, got {estimator.flatten!r}")
    if estimator.flatten and _is_list(x):
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise InputError(
                "flatten=True takes images of one shape; bring those of X to the same size"
            ) from error
    x = plain_rows(x)
    shape = tuple(getattr(x, "shape", ()))[1:]
    x = _as_matrix(estimator, x, reset)
    options: dict[str, Any] = {
        "reset": reset,
        "accept_sparse": "csr",
        "ensure_min_samples": least,
        # Told below, with the place.
        "ensure_all_finite": False,
    }
    labels = {} if y is None else {"y": y}
    try:
        rows = validate_data(estimator, x, **labels, **options)
    except ValueError as error:
        raise InputError(" ".join(str(error).split())) from error
    x, y = rows if labels else (rows, None)
    check_numbers(x)
    if reset:
        estimator.input_shape_ = shape or (x.shape[1],)
    return x, y


def warn_of_lost_columns(x: Any, encoder: FrozenMLP) -> None:
    """Warn of columns of the checked rows `x` that vary and that the encoder yet leaves out."""
    lost = encoder.scale == 0
    if isinstance(encoder.preparation, ColumnCurves):
        lost[encoder.preparation.numbers] = False  # Told by `preparation_`.
    elif encoder.preparation is not None:
        return  # Columns of the presentation are others than those given.
    numbers = np.flatnonzero(lost)
    if not len(numbers):
        return
    size = block_rows(x.shape[1])
    starts = range(0, x.shape[0], size)
    blocks = [_extremes(x[start : start + size][:, numbers]) for start in starts]
    low, high = np.min([b[0] for b in blocks], axis=0), np.max([b[1] for b in blocks], axis=0)
    apart = high != low
    if x.dtype.kind == "f":  # Sums of float64 that should be equal differ by more than one digit.
        digits = (64 if x.dtype.itemsize > 4 else 4) * np.finfo(x.dtype).eps
        apart = high - low > digits * np.maximum(np.abs(low), np.abs(high))
    vary = numbers[apart]
    if len(vary):
        shown = ", ".join(map(str, vary[:5])) + (", ..." if len(vary) > 5 else "")
        warnings.warn(
            f"columns {shown} (counted from 0) vary too little or lie too far apart to be computed "
            "with as float32, and are left out as if they were constant; subtract the mean of "
            "each and divide by its standard deviation",
            stacklevel=4,
        )


def _extremes(rows: Any) -> tuple[Any, Any]:
    """The least and the largest of every column."""
    found = rows.min(axis=0), rows.max(axis=0)
    low, high = (np.ravel(f.toarray() if hasattr(f, "toarray") else np.asarray(f)) for f in found)
    return low, high


def check_one_pass(n_rows: int, batch_size: int) -> None:
    """Raise `InputError` if one pass over the rows makes no step."""
    if n_rows < batch_size:
        raise InputError(
            f"n_steps=None is one pass in batches of {batch_size} rows, and {n_rows} rows make "
            f"none, so nothing would be learned; give n_steps, or a batch_size of at most {n_rows}"
        )


def _is_list(x: Any) -> bool:
    return isinstance(x, (list, tuple))


def _as_matrix(estimator: Any, x: Any, reset: bool) -> Any:
    """`x` with a row of numbers for every image, if `flatten` allows it."""
    shape = getattr(x, "shape", None)
    if not isinstance(shape, tuple) or len(shape) == 2:
        return x
    name = type(estimator).__name__
    if len(shape) < 2:
        raise InputError(
            f"Expected 2D array, got {len(shape)}D array of shape {shape} instead. Reshape your "
            "data: X.reshape(1, -1) is one row, X.reshape(-1, 1) one column"
        )
    if not estimator.flatten:
        raise InputError(
            f"Found array with dim {len(shape)}, while dim <= 2 is required by {name}: shape "
            f"{shape}; {name}(flatten=True) takes each of the {shape[0]} as one row"
        )
    if not reset and shape[1:] != estimator.input_shape_:
        raise InputError(
            f"rows of shape {shape[1:]} given, but {name} was fitted to rows of shape "
            f"{estimator.input_shape_}"
        )
    return x.reshape(shape[0], math.prod(shape[1:]))


def check_numbers(x: Any) -> None:
    """Raise `InputError` if `x` holds NaN, infinity or numbers beyond float32, and say where.

    Parameters
    ----------
    x : object
        Array or CSR matrix `(n, d)`; looked at block by block, nothing of its size is made.
    """
    if x.dtype.kind != "f":
        return
    if hasattr(x, "tocsr"):
        if not _bad(x.data).any():
            return
        at = int(np.flatnonzero(_bad(x.data))[0])
        row = int(np.searchsorted(x.indptr, at, side="right")) - 1
        raise _refusal(x.data[at], row, int(x.indices[at]))
    size = block_rows(x.shape[1])
    for start in range(0, x.shape[0], size):
        # `asarray`, because a memory map gives memory maps.
        bad = _bad(np.asarray(x[start : start + size]))
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise _refusal(x[start + row, column], start + row, column)


def _bad(values: np.ndarray) -> np.ndarray:
    if values.dtype.itemsize < 4:  # float16, which cannot hold the bound
        return ~np.isfinite(values)
    return ~(np.abs(values) <= LARGEST)  # NaN compares as false


def _refusal(value: Any, row: int, column: int) -> InputError:
    place = f"row {row}, column {column} (counted from 0)"
    if np.isnan(value):
        return InputError(
            f"X contains NaN, first in {place}; fill it (sklearn.impute.SimpleImputer) or drop "
            "the row"
        )
    if np.isinf(value):
        return InputError(f"X contains infinity, first in {place}; clip it or drop the row")
    return InputError(
        f"inputs must lie within +-{LARGEST:.2g} (float32), got {value:.2g} in {place}; "
        "rescale them"
    )
