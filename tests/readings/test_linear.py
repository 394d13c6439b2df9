"""Ridge and logistic regression against scikit-learn and against the equations."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifierCV

from metaplastic.errors import InputError
from metaplastic.readings import ReadingPool
from metaplastic.readings.logistic import standardisation
from metaplastic.readings.ridge import PAPER_STRENGTH, STRENGTHS, solve_ridge
from metaplastic.readings.sharpness import (
    BOUNDS,
    SHARPNESS,
    expected_sharpness,
    fit_sharpness,
)

NAMES = ("ridge", "logistic", "ridge_paper")


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    support = np.concatenate([rng.choice(np.flatnonzero(y == c), 5, False) for c in range(10)])
    test = np.setdiff1d(np.arange(len(y)), support)[:400]
    return x / 16, y, support, test


def predicted(name, x, y, support, test):
    pool = ReadingPool(x)
    return pool.scores(pool.fit(name, support, y[support]), test).argmax(1)


@pytest.mark.parametrize("name", NAMES)
def test_reads_digits(name, digits):
    x, y, support, test = digits
    assert np.mean(predicted(name, x, y, support, test) == y[test]) > 0.7


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_scale_and_shift_of_all_features_do_not_matter(name, digits):
    x, *rest = digits
    assert np.mean(predicted(name, 1e3 * x + 7, *rest) == predicted(name, x, *rest)) >= 0.995


@pytest.mark.parametrize("name", NAMES)
def test_constant_features_are_harmless(name, digits):
    x, y, support, _ = digits
    pool = ReadingPool(np.ones_like(x))
    probabilities = pool.fit(name, support, y[support]).probabilities(np.ones((2, 64)))
    np.testing.assert_allclose(probabilities, 0.1, atol=1e-6)


@pytest.mark.parametrize("columns", [5, 64])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_ridge_is_leave_one_out_on_features_over_one_scalar(digits, columns, n_classes):
    x, y, support, test = digits
    x, support = x[:, 20 : 20 + columns], support[y[support] < n_classes]
    scaled = x / x.std()
    oracle = RidgeClassifierCV(alphas=STRENGTHS).fit(scaled[support], y[support])
    pool = ReadingPool(x)
    reading = pool.fit("ridge", support, y[support])
    assert reading.strength == pytest.approx(oracle.alpha_)
    scores, expected = reading.scores(x[test]), oracle.decision_function(scaled[test])
    scores = scores[:, 1] if n_classes == 2 else scores
    np.testing.assert_allclose(scores, expected, atol=1e-8)


def test_leave_one_out_is_refitting(digits):
    x, y, support, _ = digits
    x, targets = x[support], 2.0 * np.eye(10)[y[support]] - 1.0
    fast = solve_ridge(x, targets, np.array([0.7])).held_out
    for row in range(0, 50, 7):
        rest = np.arange(50) != row
        slow = Ridge(alpha=0.7).fit(x[rest], targets[rest]).predict(x[[row]])[0]
        np.testing.assert_allclose(fast[row], slow, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_logistic_in_the_span_of_the_support_is_logistic(digits, n_classes):
    x, y, support, test = digits
    support = support[y[support] < n_classes]
    shift, factor = standardisation(x)
    scaled = (x - shift) * factor
    oracle = LogisticRegression(C=1.0, max_iter=2000, tol=1e-8).fit(scaled[support], y[support])
    found = ReadingPool(x).fit("logistic", support, y[support]).probabilities(x[test])
    np.testing.assert_allclose(found, oracle.predict_proba(scaled[test]), atol=0.01)


@pytest.mark.parametrize("columns", [8, 64])
def test_paper_ridge_equals_scikit_learn_with_an_unpenalised_bias(digits, columns):
    x, y, support, test = digits
    x = x[:, 10 : 10 + columns]
    targets = np.eye(10)[y[support]]
    oracle = Ridge(alpha=PAPER_STRENGTH).fit(x[support], targets).predict(x[test])
    np.testing.assert_array_equal(predicted("ridge_paper", x, y, support, test), oracle.argmax(1))


def test_columns_that_only_hold_rounding_noise_are_constant():
    x = np.full((50, 2), 1e3)
    x[:, 0] += 1e-7 * np.random.default_rng(0).normal(size=50)
    x[:, 1] = np.arange(50)
    factor = standardisation(x)[1]
    assert factor[0] == 0
    assert factor[1] == pytest.approx(1 / x[:, 1].std())


def test_unknown_reading_is_refused():
    with pytest.raises(InputError, match="unknown reading 'svm'; choose one of auto, graph, ridge"):
        ReadingPool(np.eye(3)).fit("svm", np.arange(2), np.arange(2))


class TestSharpness:
    def test_without_rows_it_is_the_constant(self):
        value = fit_sharpness(np.zeros((0, 3)), np.zeros(0, int))
        np.testing.assert_allclose(value, SHARPNESS, rtol=1e-3)

    @pytest.mark.parametrize("n_classes", [2, 3, 20])
    @pytest.mark.parametrize("shrunk", [1.0, 0.2])
    def test_expected_odds_depend_neither_on_classes_nor_on_shrinkage(self, n_classes, shrunk):
        labels = np.arange(n_classes)
        scores = shrunk * (2.0 * np.eye(n_classes) - 1.0) + 0.3
        sharpness = expected_sharpness(scores, labels)
        probability = softmax(sharpness * scores, axis=1)[labels, labels]
        np.testing.assert_allclose(probability / (1 - probability), np.exp(4), rtol=1e-6)

    def test_equal_scores_have_a_finite_sharpness(self):
        assert expected_sharpness(np.zeros((4, 2)), np.array([0, 1, 0, 1])) == BOUNDS[1]

    @pytest.mark.slow
    @pytest.mark.parametrize("true", [0.3, 1.0, 8.0])
    def test_finds_the_temperature_of_many_rows(self, true):
        generator = np.random.default_rng(0)
        scores = generator.normal(size=(20_000, 3))
        noise = generator.gumbel(size=scores.shape)
        labels = np.argmax(true * scores + noise, axis=1)
        np.testing.assert_allclose(fit_sharpness(scores, labels), true, rtol=0.1)

    def test_agrees_with_logistic_regression(self):
        generator = np.random.default_rng(1)
        score = generator.normal(size=5000)
        labels = (generator.random(5000) < 1 / (1 + np.exp(-3 * score))).astype(int)
        regression = LogisticRegression(C=np.inf, fit_intercept=False).fit(score[:, None], labels)
        found = fit_sharpness(np.column_stack([-score, score]), labels)
        np.testing.assert_allclose(2 * found, regression.coef_[0, 0], rtol=0.02)
