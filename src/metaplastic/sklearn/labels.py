"""Labels of which most are missing: which rows have one, and what classes there are."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from metaplastic.data import labels as data_labels
from metaplastic.data.labels import UNLABELLED, is_missing
from metaplastic.errors import InputError

__all__ = ["UNLABELLED", "check_given", "check_types", "find_labelled", "number_classes"]


def check_given(y: Any) -> Any:
    """Labels that scikit-learn would change come as an array that it does not; others as given.

    Those of a data frame's own types (`Int64`, `boolean`, `int64[pyarrow]`) become whole numbers or
    truth values, and a list of strings with -1 or None among them an array of objects.

    Raises
    ------
    InputError
        If one is missing (but for None, which marks unlabelled rows), if `y` is masked, or if it is
        categorical with a class that no row has.
    """
    if np.ma.is_masked(y):
        raise InputError(
            "y is a masked array; give y.astype(object).filled(-1), whose -1 marks unlabelled rows"
        )
    if hasattr(y, "iloc") and getattr(y, "shape", ())[1:] == (1,):
        y = y.iloc[:, 0]
    categories = getattr(getattr(y, "dtype", None), "categories", None)
    if isinstance(y, np.ndarray) and y.dtype.kind not in "OmMT":
        return y
    try:
        array = np.asarray(y, object)
        values = np.ravel(array)
    except ValueError:  # Lists of several lengths, which scikit-learn tells.
        return y
    row = next((i for i, value in enumerate(values) if is_missing(value)), None)
    if row is not None and categories is not None:
        raise InputError(
            f"y is categorical and row {row} (counted from 0) has no category, which is NaN; give "
            "y.astype(object).fillna(-1), whose -1 marks unlabelled rows"
        )
    if row is not None:
        mend = "mark unlabelled rows by -1 or None"
        if hasattr(y, "where"):  # A pandas Series, which makes None a missing value.
            dates = "" if getattr(y.dtype, "kind", "O") != "M" else ".astype(str)"
            mend = f"give y{dates}.astype(object).where(y.notna(), -1), whose -1 marks others"
        raise InputError(f"y contains NaN, first in row {row} (counted from 0); {mend}")
    if categories is None or not hasattr(categories, "__iter__"):
        return _plain(y, values) if array.ndim == 1 else y
    present = set(values.tolist())
    missing = [c for c in categories if c not in present]
    if missing:
        raise InputError(
            f"no row is labelled {missing[0]!r}, one of the categories of y; label a row of it, or "
            "drop it (y.cat.remove_unused_categories())"
        )
    return y


def _plain(y: Any, values: NDArray) -> Any:
    strings = [isinstance(value, str) for value in values]
    kind = getattr(y, "dtype", None)
    if isinstance(y, Sequence):
        return values if any(strings) and not all(strings) else y
    if kind is None or (isinstance(kind, np.dtype) and kind.kind != "T"):
        return y
    if all(isinstance(value, (bool, np.bool_)) for value in values):
        return values.astype(bool)
    if all(isinstance(value, (int, np.integer)) and abs(value) < 2**63 for value in values):
        return values.astype(np.int64)
    return values if any(strings) else y


def find_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Which entries of `y` `(n,)` are labels; raises `InputError` if none are, or it is unclear."""
    labelled = data_labels.find_labelled(y)
    if data_labels.is_signed(y):
        warnings.warn(
            "y holds -1 and 1 only, taken for two classes; -1 marks unlabelled rows only beside "
            "two other classes",
            stacklevel=4,
        )
    return labelled


def check_types(labels: NDArray) -> None:
    """Raise `InputError` for labels that are no classes, or of types that cannot be sorted."""
    _sorted(labels)


def number_classes(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Sorted classes, and the number of each label's."""
    classes, numbers = _sorted(labels)
    if len(classes) < 2:
        raise InputError(
            "at least two classes are needed among the labelled rows, got only "
            f"{classes.tolist()[0]!r}"
        )
    return classes, numbers


def _sorted(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    try:
        # scikit-learn does not look into object arrays, which hold labels beside None or -1.
        check_classification_targets(
            np.asarray(labels.tolist()) if labels.dtype.kind == "O" else labels
        )
        return np.unique(labels, return_inverse=True)
    except ValueError as error:
        told = str(error).split(". ")[0]
        raise InputError(f"{told}; labels are strings, whole numbers or numpy dates") from error
    except TypeError as error:
        raise InputError(f"labels of different types cannot be sorted: {error}") from error
