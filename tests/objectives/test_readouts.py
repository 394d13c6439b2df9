"""Readouts against scikit-learn and against the equations."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifierCV

from metaplastic.errors import InputError
from metaplastic.objectives.readouts import (
    PAPER_STRENGTH,
    RIDGE_STRENGTHS,
    predict_logistic,
    predict_ridge_paper,
    readout,
    standardise,
)

NAMES = ("ridge", "logistic", "ridge_paper")


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    support = np.concatenate([rng.choice(np.flatnonzero(y == c), 5, False) for c in range(10)])
    test = np.setdiff1d(np.arange(len(y)), support)[:400]
    return x / 16, y, support, test


def accuracy(name, x, y, support, test):
    how = readout(name)
    features = how.prepare(x)
    return np.mean(how.predict(features[support], y[support], features[test]) == y[test])


@pytest.mark.parametrize("name", NAMES)
def test_reads_digits(name, digits):
    assert accuracy(name, *digits) > 0.7


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_scale_and_shift_of_all_features_do_not_matter(name, digits):
    x, *rest = digits
    assert abs(accuracy(name, 1e3 * x + 7, *rest) - accuracy(name, x, *rest)) <= 0.005


@pytest.mark.parametrize("name", NAMES)
def test_constant_features_are_harmless(name, digits):
    x, y, support, test = digits
    assert 0.0 <= accuracy(name, np.ones_like(x), y, support, test) < 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [["no", "yes"], [3, 8]])
def test_labels_of_any_kind_and_two_classes(name, labels):
    x = np.random.default_rng(0).normal(size=(40, 3)) + np.repeat([[0.0], [4.0]], 20, 0)
    y = np.repeat(labels, 20)
    how = readout(name)
    x = how.prepare(x)
    assert np.mean(how.predict(x[::2], y[::2], x[1::2]) == y[1::2]) > 0.9


def test_ridge_is_leave_one_out_on_features_over_one_scalar(digits):
    x, y, support, test = digits
    scaled = x / x.std()
    oracle = RidgeClassifierCV(alphas=RIDGE_STRENGTHS).fit(scaled[support], y[support])
    how = readout("ridge")
    features = how.prepare(x)
    found = how.predict(features[support], y[support], features[test])
    np.testing.assert_array_equal(found, oracle.predict(scaled[test]))
    assert len(RIDGE_STRENGTHS) == 13


def test_logistic_in_the_span_of_the_support_is_logistic(digits):
    x, y, support, test = digits
    x = standardise(x)
    oracle = LogisticRegression(C=1.0, max_iter=2000, tol=1e-8).fit(x[support], y[support])
    found = predict_logistic(x[support], y[support], x[test])
    assert np.mean(found == oracle.predict(x[test])) > 0.99


@pytest.mark.parametrize("columns", [8, 64])
def test_paper_ridge_equals_scikit_learn_with_an_unpenalised_bias(digits, columns):
    x, y, support, test = digits
    x = x[:, 10 : 10 + columns]
    targets = np.eye(10)[y[support]]
    oracle = Ridge(alpha=PAPER_STRENGTH).fit(x[support], targets).predict(x[test])
    found = predict_ridge_paper(x[support], y[support], x[test])
    np.testing.assert_array_equal(found, oracle.argmax(1))


def test_standardise_ignores_columns_that_only_hold_rounding_noise():
    x = np.full((50, 2), 1e3)
    x[:, 0] += 1e-7 * np.random.default_rng(0).normal(size=50)
    x[:, 1] = np.arange(50)
    found = standardise(x)
    assert not found[:, 0].any()
    np.testing.assert_allclose([found[:, 1].mean(), found[:, 1].std()], [0, 1], atol=1e-12)


def test_unknown_readout_is_refused():
    with pytest.raises(InputError, match="ridge, logistic, ridge_paper"):
        readout("svm")
