"""Labels of values that have types, and which rows have one."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from metaplastic.data.labels import find_labelled, labelled_rows, typed_labels
from metaplastic.errors import FileFormatError, InputError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["cat", "-1", "dog"], ["cat", -1, "dog"]),
        (["01", "1", "1_1"], ["01", "1", "1_1"]),
        (["0", "1", "-1"], ["0", "1", -1]),
        ([b"cat", b"-1", b"dog"], ["cat", -1, "dog"]),
        ([1, 0, -1], [1, 0, -1]),
        ([1.0, 0.0, -1.0], [1, 0, -1]),
        ([0.5, 1.5, -1.0], ["0.5", "1.5", -1]),
        ([True, False, True], ["True", "False", "True"]),
        ([Decimal("1.00"), Decimal("2")], [1, 2]),
        ([datetime.date(2020, 1, 2), datetime.date(2020, 1, 3)], ["2020-01-02", "2020-01-03"]),
        ([2**63, 1], [str(2**63), "1"]),
        (np.array([0.1, 0.2], np.float32), ["0.1", "0.2"]),
        (np.array([[3], [4]], np.uint8), [3, 4]),
        (np.array(["2020-01-02", "2020-01-03"], "M8[ns]"), ["2020-01-02", "2020-01-03"]),
        (np.array([2**63, 1], np.uint64), [str(2**63), "1"]),
        (np.array([b"a", b"b"]), ["a", "b"]),
    ],
)
def test_whole_numbers_are_numbers_and_strings_stay_strings(values, expected):
    assert typed_labels(values, "here").tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.0, 1.0, np.nan, 1.0]),
        np.array(["2020", "2021", "NaT"], "M8[ns]"),
        ["a", None],
        ["a", ""],
        ["a", "nan"],
        [b"a", b"nan"],
        ["a", pd.NA],
        [pd.Timestamp("2020"), pd.NaT],
        [Decimal("1"), Decimal("nan")],
        [1, float("nan")],
    ],
)
def test_a_missing_label_is_no_class(values):
    with pytest.raises(FileFormatError, match=r"here: row \d has no label.*; write -1"):
        typed_labels(values, "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, np.inf]), "label of row 2 is inf"),
        (np.eye(3), "one label a row"),
        (np.array(3), "one label a row"),
        ([b"\xff"], "no UTF-8 text"),
    ],
)
def test_what_is_no_label(values, message):
    with pytest.raises(FileFormatError, match=message):
        typed_labels(values, "here")


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1, -1], [True, True, False]),
        ([0.0, 1.0, -1.0], [True, True, False]),
        ([-1, 1, 1], [True, True, True]),
        ([-1, -1, -1], [False] * 3),
        ([True, False, True], [True] * 3),
        (np.array(["a", -1, None], object), [True, False, False]),
    ],
)
def test_which_rows_have_a_label(y, expected):
    assert labelled_rows(np.array(y)).tolist() == expected


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a", "-1"]), "the string '-1' among them"),
        (np.array(["a", "-1.0"], object), "the string '-1.0' among them"),
        (np.array(["a", " -1 "]), "the string '-1' among them"),
        (np.array(["a", "nan"]), "the string 'nan', which was a missing value"),
        (np.array(["a", ""], object), "the string ''"),
        (np.array([b"a"]), "labels are bytes"),
        (np.array([b"a", None], object), "labels are bytes"),
        (np.array(["a", np.nan], object), "y contains NaN"),
        (np.array(["a", pd.NA], object), "y contains NaN"),
        (np.array(["2020", "NaT"], "M8[D]"), "y contains NaN"),
        (np.array([0.0, np.nan]), "y contains NaN"),
        (np.array([-1, -1]), "marks every row as unlabelled"),
    ],
)
def test_arrays_of_labels_that_are_unclear(y, message):
    with pytest.raises(InputError, match=message):
        find_labelled(y)
