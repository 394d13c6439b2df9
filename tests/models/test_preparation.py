"""Preparations: what they do to rows, when a pool asks for which, and that rows stand alone."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models import PictureSettings, PreparationSettings, fit_preparation, prepare
from metaplastic.models.preparation import (
    ColumnCurves,
    CountWeights,
    Directions,
    PreparedRows,
    counts,
    fit,
)

ON = PreparationSettings(count_zeros=0.6, n_components=8, tail=2.5, quantiles=16, dead=1e-3)


@pytest.fixture(scope="module")
def words() -> NDArray[np.float32]:
    """Documents of two topics and of very different lengths."""
    generator = np.random.default_rng(0)
    rates = generator.gamma(0.1, 0.2, size=(2, 40))
    lengths = generator.integers(1, 20, size=(90, 1))
    return generator.poisson(lengths * rates[np.arange(90) % 2]).astype(np.float32)


@pytest.fixture(scope="module")
def embedded() -> NDArray[np.float32]:
    """Rows of unit length, as embeddings are."""
    x = np.random.default_rng(4).normal(size=(90, 12)) * np.arange(1, 13)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def table() -> NDArray[np.float32]:
    """A heavy tail, a normal column, one with zeros and a tail, a code, a constant."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(400, 5))
    x[:, 0] = np.exp(2 * x[:, 0])
    x[:, 2] = np.where(x[:, 2] > 0, np.exp(2 * x[:, 2]), 0)
    x[:, 3] = generator.random(400) < 0.01
    x[:, 4] = 7
    return x.astype(np.float32)


def fitted(x, **changes):
    return fit_preparation(x, dataclasses.replace(ON, **changes))


def test_the_neutral_settings_prepare_nothing(words, table):
    assert fit_preparation(words, PreparationSettings()) is None
    assert fit_preparation(table, PreparationSettings()) is None
    assert fit_preparation(words, ON, pictures=True) is None
    assert prepare(None, words) is words


def test_counts_are_weighted_as_scikit_learn_weighs_them(words):
    from sklearn.feature_extraction.text import TfidfTransformer

    found = fitted(words)
    assert isinstance(found, CountWeights)
    with np.errstate(divide="ignore"):
        expected = TfidfTransformer().fit(words).transform(np.log1p(words)).toarray()
    used = words.any(axis=0)
    np.testing.assert_allclose(found.weighted(words)[:, used], expected[:, used], atol=1e-5)
    assert found.n_features_in == 40 and found(words).shape == (90, 8)
    assert "counts" in found.explain()


def test_components_hold_what_all_columns_hold_if_there_are_as_many(words):
    rows = fitted(words).weighted(words)
    centred = rows - rows.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    for power in (1.0, 2.0):
        found = fitted(words, n_components=40, power=power)(words)
        expected = left * values**power
        expected *= rows.any(axis=1, keepdims=True)
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)


def test_sparse_rows_are_prepared_as_dense_ones(words):
    dense, sparse = fitted(words), fitted(scipy.sparse.csr_matrix(words))
    np.testing.assert_array_equal(dense(words), sparse(words))


def test_documents_without_known_words_give_zeros(words):
    found = fitted(words)
    unused = np.zeros((1, 40), np.float32)
    unused[0, ~words.any(axis=0)] = 3
    for row in (np.zeros((1, 40), np.float32), unused):
        np.testing.assert_array_equal(found(row), np.zeros((1, 8)))


def test_only_counts_are_taken_for_counts(words):
    # Equal sums, as of one-hot codes; a negative entry; hardly any zeros.
    codes = np.eye(8, dtype=np.float32)[np.arange(90) % 8]
    negative = words.copy()
    negative[17, 3] = -1
    for other in (codes, negative, words + 1):
        assert not counts.are_counts(other, 0.6)
    assert counts.are_counts(words * np.float32(0.3), 0.6)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_rows_of_one_length_are_directions(embedded, power):
    found = fitted(embedded, directions=12, directions_power=power, n_components=12)
    assert isinstance(found, Directions) and "of one length" in found.explain()
    left, values, _ = np.linalg.svd(embedded - embedded.mean(0), full_matrices=False)
    expected = left * values**power
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    made = found(embedded)
    np.testing.assert_allclose(made @ made.T, expected @ expected.T, atol=1e-4)


def test_only_directions_are_taken_for_directions(embedded):
    longer = embedded.copy()
    longer[77] *= 1.1
    codes = np.eye(12, dtype=np.float32)[np.arange(90) % 12]
    for x in (longer, codes, np.tile(embedded[:1], (9, 1)), 0 * embedded):
        assert not isinstance(fitted(x, directions=12, count_zeros=1.0), Directions)
    for least in (0, 13):
        assert not isinstance(fitted(embedded, directions=least), Directions)


def test_a_negative_entry_is_refused_later(words):
    with pytest.raises(InputError, match=r"-2 in column 5 .*prepare=False"):
        fitted(words)(-2 * np.eye(40, dtype=np.float32)[5:6])


@pytest.mark.parametrize("shape", ["logarithm", "ranks"])
def test_heavy_tails_are_drawn_in_and_other_columns_stay(table, shape):
    found = fitted(table, shape=shape)
    assert isinstance(found, ColumnCurves)
    assert found.numbers.tolist() == [0, 2]
    made = found(table)
    np.testing.assert_array_equal(made[:, [1, 3, 4]], table[:, [1, 3, 4]])
    for column in (0, 2):
        order = np.argsort(table[:, column])
        assert np.all(np.diff(made[order, column]) >= 0)
        assert len(np.unique(made[:, column])) > 150
    assert "2 with heavy tails" in found.explain()


def test_logarithms_are_those_of_deviations_from_the_median(table):
    made = fitted(table, quantiles=200)(table)
    for column in (0, 2):
        deviations = table[:, column] - np.median(table[:, column])
        expected = np.arcsinh(deviations / np.abs(deviations).mean())
        np.testing.assert_allclose(made[:, column], expected, atol=0.01)


def test_ranks_are_spread_evenly_and_equal_values_share_one(table):
    made = fitted(table, shape="ranks")(table)
    np.testing.assert_allclose(np.sort(made[:, 0]), np.linspace(-1, 1, 400), atol=0.15)
    zeros = table[:, 2] == 0
    np.testing.assert_allclose(made[zeros, 2], zeros.mean() - 1, atol=1e-6)


@pytest.mark.parametrize("shape", ["logarithm", "ranks"])
def test_values_beyond_those_of_the_pool_are_mapped_as_its_ends(table, shape):
    found = fitted(table, shape=shape)
    rows = np.stack([table.min(0), table.min(0) - 1, table.max(0), table.max(0) + 1])
    made = found(rows)
    np.testing.assert_array_equal(made[[0, 2]][:, found.numbers], made[[1, 3]][:, found.numbers])


def test_dead_columns_carry_nothing_if_all_others_are_alike():
    x = np.random.default_rng(2).normal(size=(100, 20)).astype(np.float32)
    x[:, 3] *= 1e-5
    found = fitted(x)
    assert isinstance(found, ColumnCurves) and found.numbers.tolist() == [3]
    assert np.ptp(found(x)[:, 3]) == 0 and "1 that hardly vary" in found.explain()
    # Columns of different units: what is small there may be all that matters.
    assert fitted(x * 10.0 ** np.arange(20, dtype=np.float32)) is None


def test_rows_stand_alone(words, table, embedded):
    for x in (words, table, embedded):
        found = fitted(x, directions=12)
        whole = found(x)
        apart = [found(np.ascontiguousarray(row[None])) for row in x]
        np.testing.assert_array_equal(whole, np.concatenate(apart))


def test_rows_too_many_for_memory_are_prepared_when_asked_for(words, monkeypatch):
    monkeypatch.setattr(fit, "MEMORY", 10)
    found = fitted(words)
    rows = prepare(found, words)
    assert isinstance(rows, PreparedRows) and rows.shape == (90, 8)
    np.testing.assert_array_equal(rows[10:20], found(words)[10:20])
    np.testing.assert_array_equal(rows[np.array([5, 3])], found(words)[[5, 3]])


def test_arrays_come_back(words, table, embedded):
    for x in (words, table, embedded):
        found = fitted(x, directions=12)
        again = type(found).restore(found.arrays())
        assert again.check() == ""
        np.testing.assert_array_equal(again(x), found(x))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [2, 0]},
        {"columns": [0, 5]},
        {"columns": [0, 1.5]},
        {"columns": [[0, 2]]},
        {"knots": [[1, 0], [0, 1]]},
        {"heights": [[0, 1]]},
        {"width": -1},
    ],
)
def test_arrays_that_do_not_fit_are_told(table, change):
    made = {name: np.asarray(value, np.float32) for name, value in change.items()}
    assert dataclasses.replace(fitted(table), **made).check()


def test_settings_out_of_range_are_refused():
    for wrong in ({"count_zeros": 1.1}, {"dead": 1.0}, {"quantiles": 1}, {"tail": -1.0}):
        with pytest.raises(InputError, match="must be"):
            PreparationSettings(**wrong)
    for wrong in ({"power": 0.0}, {"directions_power": np.inf}, {"directions": -1}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
            PreparationSettings(**wrong)
    with pytest.raises(InputError, match="one of logarithm, ranks, got 'root'"):
        PreparationSettings(shape="root")
    with pytest.raises(InputError, match="share"):
        PictureSettings(share=2.0)
