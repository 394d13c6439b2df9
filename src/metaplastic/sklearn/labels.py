"""Labels of which most are missing: which rows have one, and what classes there are."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from metaplastic.errors import InputError

UNLABELLED = -1


def check_categories(y: Any) -> None:
    """Raise `InputError` if `y` is categorical data (pandas) with a class that no row has."""
    categories = getattr(getattr(y, "dtype", None), "categories", None)
    if categories is None:
        return
    present = set(np.asarray(y, object).tolist())
    missing = [c for c in categories if c not in present]
    if missing:
        raise InputError(
            f"no row is labelled {missing[0]!r}, one of the categories of y; label a row of it, or "
            "drop it (y.cat.remove_unused_categories())"
        )


def find_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Which entries of `y` `(n,)` are labels; raises `InputError` if none are."""
    if y.dtype.kind == "S":
        raise InputError("labels are bytes; make strings of them: y.astype(str)")
    if y.dtype.kind == "U":
        if np.any(y == np.asarray(str(UNLABELLED), y.dtype)):
            raise InputError(
                f"y holds strings, the string '{UNLABELLED}' among them; to mark unlabelled rows "
                "beside string labels, give an array of dtype object with -1 or None"
            )
        return np.ones(len(y), bool)
    if y.dtype.kind == "O":
        if any(isinstance(label, float) and np.isnan(label) for label in y):
            raise InputError("y contains NaN; mark unlabelled rows by -1 or None")
        labelled = np.array([label is not None and label != UNLABELLED for label in y])
    else:
        labelled = y != UNLABELLED
    if not labelled.any():
        raise InputError("y marks every row as unlabelled (-1); at least two need labels")
    if y.dtype.kind != "O" and np.array_equal(np.unique(y), [UNLABELLED, 1]):
        warnings.warn(
            "y holds -1 and 1 only, taken for two classes; -1 marks unlabelled rows only beside "
            "two other classes",
            stacklevel=3,
        )
        return np.ones(len(y), bool)
    return labelled


def number_classes(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Sorted classes, and the number of each label's."""
    try:
        # scikit-learn does not look into object arrays, which hold labels beside None or -1.
        check_classification_targets(
            np.asarray(labels.tolist()) if labels.dtype.kind == "O" else labels
        )
        classes, numbers = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise InputError(f"labels of different types cannot be sorted: {error}") from error
    if len(classes) < 2:
        raise InputError(
            "at least two classes are needed among the labelled rows, got only "
            f"{classes.tolist()[0]!r}"
        )
    return classes, numbers
