"""Labels: what marks a row as unlabelled, what is missing, and which labels become numbers.

Every reader of files ends here, so that one table has the same labels whatever holds it.
"""

import datetime
import decimal
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError

UNLABELLED = -1
"""Marks a row without a label."""

SPELT_MISSING = frozenset({"nan", "NaN", "NaT", "None", "<NA>"})
"""What becomes of a missing value that a program made a string of."""

MISSING_CELLS = SPELT_MISSING | {"?", "<null>", "N/A", "NA", "NULL", "n/a", "null", "#N/A", "#NA"}
MISSING_CELLS |= {"-nan", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
"""Cells of text files that pandas, Weka and KEEL take for missing values."""

_MARK = re.compile(r"-1(\.0*)?([eE][+-]?0+)?")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
# Whole numbers as programs write numbers that need not be whole: 3.0, 3.000e+00.
_WRITTEN_FLOAT = re.compile(r"-?[0-9]+\.0*|-?[0-9]\.[0-9]*[eE][+-][0-9]+")


def labelled_rows(y: NDArray) -> NDArray[np.bool_]:
    """Which entries of `y` `(n,)` are labels: not -1, nor None in an array of objects.

    If -1 and 1 are the only numbers, they are two classes, as one class could not be learned.
    """
    if y.dtype.kind == "O":
        return np.array([v is not None and (isinstance(v, str) or v != UNLABELLED) for v in y])
    if y.dtype.kind not in "iuf" or is_signed(y):
        return np.ones(len(y), bool)
    return y != UNLABELLED


def is_signed(y: NDArray) -> bool:
    """Whether -1 and 1 are the only numbers in `y`, and stand for two classes."""
    return y.dtype.kind in "if" and np.array_equal(np.unique(y), [UNLABELLED, 1])


def find_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Which entries of `y` `(n,)`, given as an array, are labels.

    Raises
    ------
    InputError
        If none is, if one is missing, or if it cannot be told which.
    """
    check_marks(y)
    labelled = labelled_rows(y)
    if not labelled.any():
        raise InputError("y marks every row as unlabelled (-1); at least two need labels")
    return labelled


def check_marks(y: NDArray) -> None:
    """Refuse an array of labels `(n,)` of which it cannot be told which rows have one.

    Raises
    ------
    InputError
        For bytes, missing labels, or strings that were a mark or a missing value.
    """
    if y.dtype.kind == "S" or (y.dtype.kind == "O" and any(isinstance(v, bytes) for v in y)):
        raise InputError("labels are bytes; make strings of them: y.astype(str)")
    if any(is_missing(v) for v in y) if y.dtype.kind == "O" else _holds_missing(y):
        raise InputError("y contains NaN; mark unlabelled rows by -1 or None")
    if y.dtype.kind in "OU":
        _check_strings(y)


def _check_strings(y: NDArray) -> None:
    strings = {str(v).strip() for v in y if isinstance(v, str)}
    marks = sorted(text for text in strings if _MARK.fullmatch(text))
    if marks:
        raise InputError(
            f"y holds strings, the string '{marks[0]}' among them; to mark unlabelled rows "
            "beside string labels, give an array of dtype object with -1 or None"
        )
    spelt = sorted((strings & SPELT_MISSING) | (strings & {""}))
    if spelt:
        raise InputError(
            f"y holds the string {spelt[0]!r}, which was a missing value; mark unlabelled rows by "
            "-1 or None in an array of dtype object, or give that class another name"
        )


def _holds_missing(y: NDArray) -> bool:
    if y.dtype.kind in "mM":
        return bool(np.isnat(y).any())
    return y.dtype.kind == "f" and bool(np.isnan(y).any())


def is_missing(value: Any) -> bool:
    """Whether a value is NaN, NaT or pandas' NA (None is not: it marks unlabelled rows)."""
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    return type(value).__name__ in ("NAType", "NaTType")


def text_labels(cells: Sequence[str], source: object) -> NDArray:
    """Labels `(n,)` of the cells of a text file.

    Raises
    ------
    FileFormatError
        If one is missing.
    """
    texts = [cell.strip() for cell in cells]
    row = next((i for i, t in enumerate(texts) if not t or t in MISSING_CELLS), None)
    if row is not None:
        raise _no_label(source, row, texts[row])
    different = set(texts)
    if different <= {"+1", "-1"}:
        return np.array(texts).astype(np.int64)
    marks = {text for text in different if _MARK.fullmatch(text)}
    if len(marks) > 1:
        shown = " and ".join(sorted(marks))
        raise FileFormatError(f"{source}: {shown} both mark unlabelled rows; write -1 for all")
    others = different - marks
    unlabelled = np.array([text in marks for text in texts])
    numbers = _canonical(others)
    if numbers is None:
        return _marked(np.array(texts), unlabelled)
    return np.array([numbers.get(text, UNLABELLED) for text in texts], np.int64)


def _canonical(texts: set[str]) -> dict[str, int] | None:
    """The whole number of every text, if all are written alike and none is lost by it."""
    if all(_INTEGER.fullmatch(text) for text in texts):
        numbers = {text: int(text) for text in texts}
    elif all(_WRITTEN_FLOAT.fullmatch(text) for text in texts):
        # Alike: as many digits behind the point, so that 1.0 and 1.00 stay two codes.
        if len({len(t.lower().partition(".")[2].partition("e")[0]) for t in texts}) > 1:
            return None
        numbers = {text: float(text) for text in texts}
        if not all(number.is_integer() for number in numbers.values()):
            return None
        numbers = {text: int(number) for text, number in numbers.items()}
    else:
        return None
    fits = all(abs(number) < 2**63 for number in numbers.values())
    return numbers if fits and len(set(numbers.values())) == len(numbers) else None


def _marked(texts: NDArray, unlabelled: NDArray[np.bool_]) -> NDArray:
    """Strings as they are, or as objects beside -1."""
    if not unlabelled.any():
        return texts
    marked = texts.astype(object)
    marked[unlabelled] = UNLABELLED
    return marked


def typed_labels(values: Sequence[Any] | NDArray, source: object) -> NDArray:
    """Labels `(n,)` of values that have types: whole numbers become int64, the others strings.

    Strings stay strings, whatever they spell; but "-1" (or "-1.0") marks an unlabelled row.

    Parameters
    ----------
    values : sequence of object or ndarray
        `(n,)` or `(n, 1)`.
    source : object
        Where the labels come from, for the message.

    Raises
    ------
    FileFormatError
        If one is missing, or there is more than one a row.
    """
    if isinstance(values, np.ndarray):
        array = values
    else:
        array = np.empty(len(values), object)
        array[:] = values
    if array.ndim == 2 and array.shape[-1:] == (1,):
        array = array[:, 0]
    if array.ndim != 1:
        raise FileFormatError(
            f"{source}: expected one label a row, found labels of shape {array.shape}; of one "
            "column a class make numbers: y.argmax(1)"
        )
    if array.dtype.kind in "iu" and (array.size == 0 or int(array.max()) < 2**63):
        return array.astype(np.int64)
    items = array.astype("M8[us]") if array.dtype.kind == "M" else array
    plain = [_plain(v, i, source) for i, v in enumerate(items.tolist())]
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        # As the shorter type prints them: 0.1, not 0.10000000149.
        pairs = zip(plain, array, strict=True)
        plain = [v if isinstance(v, int) else str(shorter) for v, shorter in pairs]
    return _finished(plain)


def _finished(plain: list[int | str]) -> NDArray:
    if all(isinstance(v, int) and abs(v) < 2**63 for v in plain):
        return np.array(plain, np.int64)
    texts = np.array([str(v) for v in plain])
    return _marked(texts, np.array([bool(_MARK.fullmatch(str(v))) for v in plain]))


def _plain(value: Any, row: int, source: object) -> int | str:
    """A label as a whole number or a string."""
    if value is None or is_missing(value):
        raise _no_label(source, row, "" if value is None else str(value))
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise FileFormatError(
                f"{source}: the label of row {row + 1} is {value!r:.40}, no UTF-8 text"
            ) from error
    if isinstance(value, str):
        text = value.strip()
        if not text or text in SPELT_MISSING:
            raise _no_label(source, row, text)
        return text
    if isinstance(value, (datetime.date, datetime.datetime)):
        midnight = isinstance(value, datetime.datetime) and value.time() == datetime.time()
        return str(value.date() if midnight else value)  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, bool):
        return str(value)
    try:
        whole = value == int(value)
    except OverflowError as error:
        raise FileFormatError(f"{source}: the label of row {row + 1} is {value}") from error
    except (TypeError, ValueError):
        return str(value)
    return int(value) if whole else str(value)


def _no_label(source: object, row: int, spelt: str) -> FileFormatError:
    shown = f" ({spelt} is a missing value)" if spelt else ""
    other = "; if it is a class, give it another name" if spelt else ""
    return FileFormatError(
        f"{source}: row {row + 1} has no label{shown}; write -1 for unlabelled rows{other}"
    )
