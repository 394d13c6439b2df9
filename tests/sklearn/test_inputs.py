"""What may be given as rows, and what may not: kinds of arrays and tables, images, bad input."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from metaplastic.errors import InputError
from metaplastic.models import BLOCK_ROWS, block_rows
from metaplastic.models import rows as model_rows
from metaplastic.sklearn import FewShotClassifier, RuleTransformer

COLUMNS = [f"c{i}" for i in range(8)]


def few_labels(y):
    few = np.full(len(y), -1)
    few[:40] = y[:40]
    return few


# Tables


def reordered(table):
    names = COLUMNS[::-1]
    return table[names] if isinstance(table, pd.DataFrame) else table.select(names)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: pd.DataFrame(x, columns=COLUMNS),
        lambda x: pl.DataFrame(x, schema=COLUMNS),
        lambda x: pa.table({name: x[:, i] for i, name in enumerate(COLUMNS)}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_tables_give_the_features_of_their_numbers_and_keep_their_names(
    make_transformer, make_classifier, blobs, convert
):
    x, y = blobs[0][:300], few_labels(blobs[1][:300])
    table = convert(x)
    transformer = make_transformer().fit(table)
    np.testing.assert_array_equal(transformer.transform(table), make_transformer().fit_transform(x))
    assert list(transformer.feature_names_in_) == COLUMNS
    classifier = make_classifier().fit(table, y)
    expected = make_classifier().fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(classifier.predict_proba(table), expected)
    with pytest.raises(InputError, match="feature names should match") as caught:
        transformer.transform(reordered(table))
    assert "\n" not in str(caught.value)


def test_features_as_a_polars_table(make_transformer, blobs):
    x = blobs[0][:300]
    transformer = make_transformer().set_output(transform="polars").fit(x)
    features = transformer.transform(x)
    assert isinstance(features, pl.DataFrame)
    assert features.columns == list(transformer.get_feature_names_out())
    assert set(features.dtypes) == {pl.Float32}
    np.testing.assert_array_equal(features.to_numpy(), make_transformer().fit_transform(x))


# Memory maps, sparse matrices, and how much is dense at a time


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_memory_maps(make_transformer, tmp_path, dtype):
    x = np.random.default_rng(0).integers(0, 200, (300, 8)).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    transformer = make_transformer().fit(mapped)
    np.testing.assert_array_equal(
        transformer.transform(mapped), make_transformer().fit_transform(x)
    )
    assert isinstance(mapped, np.memmap)


def test_no_more_than_a_block_of_a_sparse_matrix_is_made_dense(
    make_transformer, make_classifier, monkeypatch
):
    monkeypatch.setattr(model_rows, "BLOCK_NUMBERS", 50 * 8)
    most, whole = [], sp.csr_matrix.toarray

    def watched(self, *args, **kwargs):
        most.append(self.shape[0])
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(sp.csr_matrix, "toarray", watched)
    monkeypatch.setattr(sp.csr_matrix, "todense", lambda self: pytest.fail("made dense"))
    x = sp.random(1000, 8, 0.4, "csr", random_state=0)
    x = sp.csr_matrix(x)
    make_transformer().fit(x).transform(x)
    make_transformer().partial_fit(x).transform(x)
    make_classifier().fit(x, few_labels(np.arange(1000) % 3)).predict(x)
    # A chunk of steps takes 10 batches of 16 rows; all else comes in blocks of 50.
    assert 0 < max(most) <= 160


def test_wide_rows_come_in_smaller_blocks():
    assert block_rows(1) == block_rows(4096) == BLOCK_ROWS
    assert block_rows(20_000) * 20_000 <= 2**24
    assert block_rows(2**30) == 1


# Images


@pytest.mark.parametrize("kind", ["array", "list", "memory map"])
def test_images_are_flattened_if_asked_for(make_transformer, make_classifier, tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 255, (60, 2, 4), np.uint8)
    given = images
    if kind == "list":
        given = images.tolist()
    elif kind == "memory map":
        np.save(tmp_path / "x.npy", images)
        given = np.load(tmp_path / "x.npy", mmap_mode="r")
    flat = images.reshape(60, 8)
    transformer = make_transformer(flatten=True).fit(given)
    features = make_transformer().fit_transform(flat)
    np.testing.assert_array_equal(transformer.transform(given), features)
    assert transformer.input_shape_ == (2, 4)
    assert transformer.n_features_in_ == 8
    y = few_labels(np.arange(60) % 2)
    classifier = make_classifier(flatten=True).fit(given, y)
    expected = make_classifier().fit(flat, y).predict(flat)
    np.testing.assert_array_equal(classifier.predict(given), expected)


def test_images_are_refused_otherwise_and_of_another_shape(make_transformer, make_classifier):
    images = np.zeros((60, 2, 4))
    for estimator in (make_transformer(), make_classifier()):
        with pytest.raises(InputError, match=r"flatten=True\) takes each of the 60 as one row"):
            estimator.fit(images, np.arange(60) % 2)
    transformer = make_transformer(flatten=True).fit(images)
    with pytest.raises(InputError, match=r"rows of shape \(4, 2\) given, .* of shape \(2, 4\)"):
        transformer.transform(images.reshape(60, 4, 2))
    with pytest.raises(InputError, match="flatten is True or False, got 'yes'"):
        make_transformer(flatten="yes").fit(images)


# Bad input: one line that says what to mend, and nothing is learned


BAD = {
    "nan": (lambda x: with_value(x, np.nan), "NaN, first in row 3, column 2"),
    "infinity": (lambda x: with_value(x, -np.inf), "infinity, first in row 3, column 2"),
    "too large": (lambda x: with_value(x, 1e39), "1e[+]39 in row 3, column 2.*; rescale"),
    "nan in sparse": (lambda x: sp.csr_matrix(with_value(x, np.nan)), "row 3, column 2"),
    "strings": (lambda x: x.astype(str), "Convert your data to numeric values"),
    "objects": (lambda x: np.array([["a", {}]] * 5, object), "could not convert string to float"),
    "complex": (lambda x: x.astype(complex), "Complex data not supported"),
    "empty": (lambda x: x[:0], r"0 sample\(s\).*a minimum of 2"),
    "no columns": (lambda x: x[:, :0], r"0 feature\(s\)"),
    "one row": (lambda x: x[:1], "a minimum of 2"),
    "one dimension": (lambda x: x[0], r"X.reshape\(1, -1\) is one row"),
    "no dimension": (lambda x: np.array(3.0), "Expected 2D array"),
    "nothing": (lambda x: None, "Expected 2D array|Expected array"),
}


def with_value(x, value):
    x = x[:50].copy()
    x[3, 2] = x[5, 5] = value
    return x


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("estimator", ["transformer", "classifier"])
def test_bad_rows_are_refused_in_one_line(
    make_transformer, make_classifier, blobs, estimator, kind
):
    spoil, message = BAD[kind]
    bad = spoil(blobs[0])
    made = make_transformer() if estimator == "transformer" else make_classifier()
    n = bad.shape[0] if getattr(bad, "ndim", 0) else 2
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        made.fit(bad, np.arange(n) % 2)
    assert "\n" not in str(caught.value)
    assert not hasattr(made, "encoder_")
    assert not hasattr(made, "head_")


def test_one_column_and_equal_rows_are_allowed(make_transformer):
    x = np.random.default_rng(0).normal(size=(50, 1))
    assert np.all(np.isfinite(make_transformer(n_steps=3).fit_transform(x)))
    equal = make_transformer(n_steps=3).fit_transform(np.ones((50, 1)))
    np.testing.assert_array_equal(equal, equal[:1].repeat(50, 0))


@pytest.mark.parametrize("estimator", [RuleTransformer, FewShotClassifier])
@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_sizes", (-3,)), ("n_components", -1), ("n_networks", -1), ("batch_size", -8)],
)
def test_negative_sizes_are_refused(estimator, blobs, name, value):
    with pytest.raises(InputError, match=f"{name} takes integers of at least"):
        estimator(**{name: value}).fit(*blobs)


# Scaling


def test_heavy_tails_counts_and_duplicates_are_scaled_sensibly(make_transformer):
    generator = np.random.default_rng(0)
    columns = {
        "gaussian": generator.normal(size=2000),
        "cauchy": generator.standard_cauchy(2000),
        "counts": generator.poisson(0.01, 2000),
        "constant": np.full(2000, 7.0),
        "tiny": 1e-6 * generator.normal(size=2000),
        "huge": 1e6 * generator.normal(size=2000),
    }
    columns["duplicate"] = columns["gaussian"]
    columns["lognormal"] = np.exp(3 * generator.normal(size=2000))
    x = np.column_stack(list(columns.values()))
    transformer = make_transformer().fit(x)
    place = {name: i for i, name in enumerate(columns)}
    assert transformer.scale_[place["constant"]] == 0
    assert transformer.scale_[place["duplicate"]] == transformer.scale_[place["gaussian"]]
    assert transformer.clip_ == 3.0
    presented = (x - transformer.shift_) * transformer.scale_
    presented = np.clip(presented, -transformer.clip_, transformer.clip_) * transformer.gain_
    size = np.sqrt(np.mean(presented**2, 0))
    comparable = [place[name] for name in ("gaussian", "tiny", "huge", "duplicate")]
    np.testing.assert_allclose(size[comparable], size[place["gaussian"]], rtol=0.1)
    # What is rare stays rare: it is neither lost nor blown up.
    assert np.all(np.abs(presented) <= 3.0 * transformer.gain_ + 1e-6)
    features = transformer.transform(x)
    assert np.all(np.isfinite(features))
    others = np.delete(x, place["constant"], 1)
    assert np.all(np.ptp(others * 0 + features[:, :1], axis=0) > 0)


# Properties


@pytest.fixture(scope="module")
def fitted():
    x = np.random.default_rng(0).integers(0, 100, (100, 3))
    return RuleTransformer(
        "hebb", (4,), n_components=2, n_steps=2, batch_size=16, n_networks=1, random_state=0
    ).fit(x)


DTYPES = ["bool", "uint8", "int16", "int64", "float16", "float32", "float64"]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 60),
    dtype=st.sampled_from(DTYPES),
    power=st.integers(-30, 30),
    order=st.sampled_from("CF"),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_real_rows_have_finite_features_each_by_itself(fitted, n, dtype, power, order, seed):
    generator = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        x = (generator.normal(size=(n, 3)) * 10.0**power).clip(-3e4, 3e4)
        if dtype == "uint8":
            x = np.abs(x) % 256
        x = np.asarray(x.astype(dtype), order=order)
    features = fitted.transform(x)
    assert features.shape == (n, 2)
    assert features.dtype == np.float32
    assert np.all(np.isfinite(features))
    cut = int(generator.integers(0, n))
    parts = [fitted.transform(part) for part in (x[:cut], x[cut:]) if len(part)]
    np.testing.assert_array_equal(np.concatenate(parts), features)
    np.testing.assert_array_equal(fitted.transform(sp.csr_matrix(x.astype(float))), features)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 80),
    power=st.floats(-9, 15),
    shift=st.sampled_from([0.0, 1.0, -10.0]),
    seed=st.integers(0, 1000),
)
def test_units_of_the_columns_do_not_matter(make_transformer, n, power, shift, seed):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    # Without direct features: principal components of two rows have no sign of their own.
    made = make_transformer(hidden_sizes=(4,), n_components=2, n_steps=0)
    features = made.fit_transform(x)
    assert np.all(np.isfinite(features))
    units = np.array([10.0**power, 1.0, 1.0])
    rescaled = made.fit_transform((x + shift) * units)
    np.testing.assert_allclose(rescaled, features, atol=2e-3 * max(1, abs(shift)))


# What was fitted before


@pytest.mark.parametrize("kind", ["transformer", "classifier"])
def test_a_refused_fit_changes_nothing(make_transformer, make_classifier, blobs, kind):
    x, y = blobs[0][:200], few_labels(blobs[1][:200])
    table = pd.DataFrame(x, columns=COLUMNS)
    made = make_transformer() if kind == "transformer" else make_classifier()
    made.fit(table, y)
    apply = made.transform if kind == "transformer" else made.predict_proba
    before = apply(table)
    bad = reordered(table)
    if kind == "transformer":
        bad = bad.assign(c3=np.nan)
    with pytest.raises(InputError):
        made.fit(bad, np.zeros(200, int))
    np.testing.assert_array_equal(apply(table), before)
    with pytest.raises(InputError, match="same order"):
        apply(reordered(table))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_fit_changes_nothing(make_transformer, blobs, monkeypatch, stop):
    made = make_transformer().fit(blobs[0][:100])
    before = dict(vars(made))

    def stopped(*args, **kwargs):
        raise stop

    monkeypatch.setattr("metaplastic.sklearn.fitting._trained", stopped)
    with pytest.raises(stop):
        made.fit(blobs[0][:100, :3])
    assert vars(made) == before


def test_a_refused_first_chunk_changes_nothing(make_transformer, blobs):
    made = make_transformer()
    before = dict(vars(made))
    with pytest.raises(InputError, match="NaN"):
        made.partial_fit(np.full((40, 3), np.nan))
    assert vars(made) == before
    assert made.partial_fit(blobs[0][:100]).transform(blobs[0][:9]).shape == (9, 4)


# Columns that float32 cannot hold


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("factor", "offset"), [(1.0, 1e9), (1e-13, 0.0)])
def test_columns_that_are_lost_are_told(make_transformer, blobs, factor, offset, sparse):
    x = np.array(blobs[0][:200])
    x[:, 5] = np.clip(x[:, 5], -1, 1) * factor + offset
    with pytest.warns(UserWarning, match=r"columns 5 \(counted from 0\) vary"):
        made = make_transformer().fit(sp.csr_array(x) if sparse else x)
    with pytest.warns(UserWarning, match="vary"):
        make_transformer(n_steps=None).fit(x)
    assert (made.scale_ == 0).tolist() == [i == 5 for i in range(8)]


@pytest.mark.filterwarnings("error")
def test_constant_columns_are_left_out_in_silence(make_transformer, blobs):
    x = np.array(blobs[0][:200])
    x[:, 1], x[:, 4] = 0.0, 0.1 + 1e-17 * x[:, 4]
    assert (make_transformer().fit(x).scale_ == 0).sum() == 2
    assert (make_transformer().fit(x.astype(np.float32)).scale_ == 0).sum() == 2
