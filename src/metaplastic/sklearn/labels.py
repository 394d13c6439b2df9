"""Labels of which most are missing: which rows have one, and what classes there are."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from metaplastic.data import labels as data_labels
from metaplastic.data.labels import UNLABELLED, is_missing
from metaplastic.errors import InputError

__all__ = ["UNLABELLED", "check_given", "find_labelled", "number_classes"]


def check_given(y: Any) -> None:
    """Refuse labels that scikit-learn would trip over, or change, before it makes them an array.

    Raises
    ------
    InputError
        If one is missing (but for None, which marks unlabelled rows), or if `y` is categorical with
        a class that no row has.
    """
    categories = getattr(getattr(y, "dtype", None), "categories", None)
    if isinstance(y, np.ndarray) and y.dtype.kind not in "OmM":
        return
    try:
        values = np.ravel(np.asarray(y, object))
    except ValueError:  # Lists of several lengths, which scikit-learn tells.
        return
    row = next((i for i, value in enumerate(values) if is_missing(value)), None)
    if row is not None and categories is not None:
        raise InputError(
            f"y is categorical and row {row} (counted from 0) has no category, which is NaN; give "
            "y.astype(object).fillna(-1), whose -1 marks unlabelled rows"
        )
    if row is not None:
        raise InputError(
            f"y contains NaN, first in row {row} (counted from 0); mark unlabelled rows by -1 or "
            "None"
        )
    if categories is None or not hasattr(categories, "__iter__"):
        return
    present = set(values.tolist())
    missing = [c for c in categories if c not in present]
    if missing:
        raise InputError(
            f"no row is labelled {missing[0]!r}, one of the categories of y; label a row of it, or "
            "drop it (y.cat.remove_unused_categories())"
        )


def find_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Which entries of `y` `(n,)` are labels; raises `InputError` if none are, or it is unclear."""
    labelled = data_labels.find_labelled(y)
    if data_labels.is_signed(y):
        warnings.warn(
            "y holds -1 and 1 only, taken for two classes; -1 marks unlabelled rows only beside "
            "two other classes",
            stacklevel=3,
        )
    return labelled


def number_classes(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Sorted classes, and the number of each label's."""
    try:
        # scikit-learn does not look into object arrays, which hold labels beside None or -1.
        check_classification_targets(
            np.asarray(labels.tolist()) if labels.dtype.kind == "O" else labels
        )
        classes, numbers = np.unique(labels, return_inverse=True)
    except ValueError as error:
        told = str(error).split(". ")[0]
        raise InputError(f"{told}; labels are strings, whole numbers or numpy dates") from error
    except TypeError as error:
        raise InputError(f"labels of different types cannot be sorted: {error}") from error
    if len(classes) < 2:
        raise InputError(
            "at least two classes are needed among the labelled rows, got only "
            f"{classes.tolist()[0]!r}"
        )
    return classes, numbers
