"""Containers of rows and of labels: those that are no plain numbers say what to give instead."""

import datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from metaplastic.errors import InputError
from metaplastic.sklearn.containers import plain_rows

DATES = pd.date_range("2020-01-01", periods=4)
ROWS = range(4)
NESTED = pd.Series([1.0, 2.0])


REFUSED = {
    "whole AnnData": (SimpleNamespace(X=1, obs=2, var=3, to_memory=None), r"give the matrix in it"),
    "matrix on disk": (SimpleNamespace(shape=(4, 2), to_memory=None), r"give X.to_memory\(\)"),
    "list of dicts": ([{"a": 1}, {"a": 2}], r"pandas.DataFrame\(X\)"),
    "dict": ({"a": [1, 2]}, r"pandas.DataFrame\(X\)"),
    "iterator": ((row for row in ROWS), "Only partial_fit takes chunks"),
    "nested": (pd.DataFrame({"dim_0": [NESTED] * 4}), "'dim_0' hold series or lists"),
    "lists": (pd.DataFrame({"a": [[1, 2]] * 4}), "'a' hold series or lists"),
    "polars lists": (pl.DataFrame({"a": [[1, 2]] * 4}), "'a' hold series or lists"),
    "Arrow lists": (pa.table({"a": [[1, 2]] * 4}), "'a' hold series or lists"),
    "dates": (pd.DataFrame({"b": ROWS, "a": DATES}), "'a' holds datetime64"),
    "dates with a zone": (pd.DataFrame({"a": DATES.tz_localize("UTC")}), "'a' holds datetime64"),
    "dates as objects": (pd.DataFrame({"a": list(DATES)}, dtype=object), "'a' holds times"),
    "durations": (pd.DataFrame({"a": DATES - DATES[0]}), "'a' holds timedelta64"),
    "periods": (pd.DataFrame({"a": DATES.to_period("D")}), "'a' holds period"),
    "polars dates": (pl.DataFrame({"a": [datetime.date(2020, 1, 1)] * 4}), "'a' holds date"),
    "polars times": (pl.DataFrame({"a": DATES.to_numpy()}), "'a' holds datetime"),
    "Arrow times": (pa.table({"a": DATES.to_numpy()}), "'a' holds timestamp"),
    "categories": (pd.DataFrame({"a": pd.Categorical(["u", "v"] * 2)}), "get_dummies"),
    "polars categories": (
        pl.DataFrame({"a": pl.Series(["u"], dtype=pl.Categorical)}),
        "get_dummies",
    ),
    "pandas' NA": (pd.DataFrame({"a": [1, pd.NA]}, dtype=object), "NaN, first in row 1 .* 'a'"),
    "text": (pd.DataFrame({"b": ROWS, "a": ["u", "v"] * 2}), "'a' holds text"),
    "text as objects": (pd.DataFrame({"a": ["u"] * 4}, dtype=object), "'a' holds text"),
    "numbers as text": (pd.DataFrame({"a": ROWS}).astype(str), "cast it if it spells numbers"),
    "polars text": (pl.DataFrame({"a": ["u"] * 4}), "'a' holds text"),
    "Arrow text": (pa.table({"a": ["u"] * 4}), "'a' holds text"),
    "query": (pl.LazyFrame({"a": ROWS}), r"give its result: X.collect\(\)"),
    "masked": (np.ma.array(np.eye(4), mask=np.eye(4) > 0), "masked array"),
    "complex": (np.eye(4) * 1j, "complex numbers"),
    "index": (pa.Table.from_pandas(pd.DataFrame({"a": [1, 2]}, index=[5, 3])), "is the index"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_holds_no_plain_rows_says_what_to_give(kind):
    given, message = REFUSED[kind]
    with pytest.raises(InputError, match=message) as caught:
        plain_rows(given)
    assert "\n" not in str(caught.value)


DECIMALS = [Decimal("1.50"), Decimal("2.25"), Decimal("3"), Decimal("4")]


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"a": DECIMALS, "b": ROWS}),
        pd.DataFrame({"a": pd.array(DECIMALS, pd.ArrowDtype(pa.decimal128(9, 2))), "b": ROWS}),
        pl.DataFrame({"a": DECIMALS, "b": ROWS}),
        pa.table({"a": DECIMALS, "b": list(ROWS)}),
    ],
    ids=["objects", "pandas with Arrow", "polars", "Arrow"],
)
def test_decimals_are_numbers(make_transformer, given):
    transformer = make_transformer(batch_size=4).fit(given)
    expected = make_transformer(batch_size=4).fit_transform([[1.5, 0], [2.25, 1], [3, 2], [4, 3]])
    np.testing.assert_array_equal(transformer.transform(given), expected)
    assert list(transformer.feature_names_in_) == ["a", "b"]


WORDS = ["a", "b", "c", "a"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (pd.Series(["a", "b", None, "a"], dtype="string"), "y contains NaN, first in row 2"),
        (pd.Series([0, 1, None, 1], dtype="Int64"), "y contains NaN, first in row 2"),
        (pd.Series([True, None, False, True], dtype="boolean"), "y contains NaN, first in row 1"),
        (pd.Series(["a", "b", None, "a"]), r"give y.astype\(object\).where"),
        (np.ma.array(["a", "b", "a", "b"], mask=[0, 0, 1, 1]), r"astype\(object\).filled\(-1\)"),
        ([[1, 2], [3], [1], [2]], "y should be a 1d array|inhomogeneous"),
        (["a", pd.NA, "b", "a"], "y contains NaN, first in row 1"),
        (np.array(["2020", "NaT", "2021", "2020"], "M8[D]"), "y contains NaN"),
        (pd.Series([DATES[0], pd.NaT, DATES[1], DATES[0]]), "y contains NaN"),
        (pd.Categorical(["a", None, "b", "a"]), r"row 1 .*no category.*fillna\(-1\)"),
        (pd.Series(["a", "-1", "b", "a"]), "the string '-1' among them"),
        (pd.Series(["a", "-1", "b", "a"], dtype=object), "the string '-1' among them"),
        (pd.Series(["a", "-1", "b", "a"], dtype="string"), "the string '-1' among them"),
        (pd.Series(pd.Categorical(["a", "-1", "b", "a"])), "the string '-1' among them"),
        (pl.Series(["a", "-1", "b", "a"]), "the string '-1' among them"),
        (pa.chunked_array([["a", "-1", "b", "a"]]), "the string '-1' among them"),
        (["a", "-1.0", "b", "a"], "the string '-1.0' among them"),
        (["a", "nan", "b", "a"], "the string 'nan', which was a missing value"),
        (np.array([b"a", b"b", None, -1], object), "labels are bytes"),
    ],
)
def test_labels_that_are_unclear_are_refused_in_one_line(make_classifier, y, message):
    with pytest.raises(InputError, match=message) as caught:
        make_classifier(batch_size=4).fit(np.eye(4), y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cells.csv", "cells.parquet"])
def test_the_classifier_takes_the_labels_that_are_read(make_classifier, tmp_path, name):
    from metaplastic.data import read_table

    table = pd.DataFrame(np.random.default_rng(0).normal(size=(32, 3)), columns=["a", "b", "c"])
    table["label"] = ["cat", "dog", "-1", "-1"] * 8
    path = tmp_path / name
    table.to_csv(path, index=False) if name.endswith("csv") else table.to_parquet(path)
    x, y, _ = read_table(path)
    assert make_classifier().fit(x, y).classes_.tolist() == ["cat", "dog"]


def test_one_pass_over_too_few_rows_says_that_it_makes_no_step(make_transformer, make_classifier):
    x, y = np.random.default_rng(0).normal(size=(10, 3)), np.arange(10) % 2
    for made in (make_transformer(n_steps=None), make_classifier(n_steps=None)):
        with pytest.raises(InputError, match=r"batches of 16 rows, and 10 rows make none"):
            made.fit(x, y)
    assert make_transformer(n_steps=None, batch_size=8).fit(x).n_steps_ == 1


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series([2**60, 2**60 + 1, -1, 2**60], dtype="Int64"), [2**60, 2**60 + 1]),
        (pd.Series([0, 1, -1, 1], dtype="int64[pyarrow]"), [0, 1]),
        (pd.Series([True, False, True, True], dtype="boolean"), [False, True]),
        (pd.Series(["a", "b", "a", "b"], dtype="string"), ["a", "b"]),
        (["a", -1, "b", None], ["a", "b"]),
        (
            np.ma.array(["a", "b", "a", "b"], mask=[0, 0, 1, 1]).astype(object).filled(-1),
            ["a", "b"],
        ),
        (np.ma.array([0, 1, 0, 1]), [0, 1]),
        (pd.DataFrame({"y": pd.array([2**60, 2**60 + 1, -1, 2**60], "Int64")}), [2**60, 2**60 + 1]),
        (["a", "b", "b", "a"], ["a", "b"]),
        (np.array(["a", "b", "b", "a"], np.dtypes.StringDType()), ["a", "b"]),
    ],
)
def test_labels_keep_their_type(make_classifier, y, classes):
    found = make_classifier(batch_size=4).fit(np.eye(4), y)
    assert found.classes_.tolist() == classes
    assert {type(label) for label in found.predict(np.eye(4)).tolist()} == {type(classes[0])}


def test_pictures_of_several_shapes_are_refused(make_transformer):
    with pytest.raises(InputError, match="images of one shape"):
        make_transformer(flatten=True).fit([np.eye(2), np.eye(3)])
