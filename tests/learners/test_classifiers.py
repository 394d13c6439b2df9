"""Classifiers: each against an oracle, and by the contract of all."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelSpreading

from metaplastic.errors import InputError
from metaplastic.learners import LabelPropagation, SupervisedMLP, descent

CLASSIFIERS = {
    "supervised": SupervisedMLP((32,), 32, n_steps=60, learning_rate=1e-2),
    "label propagation": LabelPropagation(10),
    "label propagation, scaled": LabelPropagation(10, presentation="scaled"),
}


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x[:300], y[:300]


@pytest.fixture(scope="module")
def rows(digits):
    """Ten labelled rows a class, and the others."""
    labelled = np.concatenate([np.flatnonzero(digits[1] == c)[:10] for c in range(10)])
    return labelled, np.setdiff1d(np.arange(300), labelled)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_contract(name, digits, rows):
    (x, y), (labelled, test) = digits, rows
    classifier = CLASSIFIERS[name]
    predict = classifier.fit(x, seed=1)
    found = predict(labelled, y[labelled], test, seed=2)
    assert found.shape == test.shape and found.dtype.kind == "i"
    assert np.mean(found == y[test]) > 0.75
    np.testing.assert_array_equal(predict(labelled, y[labelled], test, seed=2), found)
    again = classifier.fit(x, seed=1)(labelled, y[labelled], test, seed=2)
    np.testing.assert_array_equal(again, found)
    # Whether other rows are asked for changes nothing.
    np.testing.assert_array_equal(predict(labelled, y[labelled], test[5:9], seed=2), found[5:9])
    # Names of classes mean nothing.
    wrong = predict(labelled, 9 - y[labelled], test, seed=2)
    assert np.mean(9 - wrong == y[test]) > 0.75
    sparse = classifier.fit(scipy.sparse.csr_matrix(x), seed=1)
    assert np.mean(sparse(labelled, y[labelled], test, seed=2) == found) > 0.98
    assert classifier.name and classifier.label
    with pytest.raises(InputError, match="NaN"):
        classifier.fit(np.where(x > 15, np.nan, x), seed=0)


def test_label_propagation_is_that_of_scikit_learn(digits, rows):
    (x, y), (labelled, test) = digits, rows
    known = np.full(300, -1)
    known[labelled] = y[labelled]

    def neighbours(x, y=None):
        graph = kneighbors_graph(x, 10, include_self=True)
        return graph.maximum(graph.T)

    oracle = LabelSpreading(neighbours, alpha=0.7).fit(x.astype(np.float32), known)
    found = LabelPropagation(10, alpha=0.7).fit(x, seed=0)(labelled, y[labelled], test, seed=0)
    np.testing.assert_array_equal(found, oracle.transduction_[test])


def test_a_pool_smaller_than_a_neighbourhood(digits):
    predict = LabelPropagation(50).fit(digits[0][:6], seed=0)
    assert predict(np.array([0, 1]), np.array([0, 1]), np.array([2, 3]), seed=0).shape == (2,)


def test_a_supervised_network_never_sees_other_rows(digits, rows):
    (x, y), (labelled, test) = digits, rows
    some = test[:20]
    predict = CLASSIFIERS["supervised"].fit(x, seed=0)
    expected = predict(labelled, y[labelled], some, seed=0)
    # The predictor's other rows replaced; the presentation is that of the pool.
    predict.x[np.setdiff1d(test, some)] = 0.0
    np.testing.assert_array_equal(predict(labelled, y[labelled], some, seed=0), expected)


def test_draws_share_one_program(digits, rows):
    (x, y), (labelled, test) = digits, rows
    predict = CLASSIFIERS["supervised"].fit(x, seed=0)
    predict(labelled, y[labelled], test, seed=0)
    compiled = descent._descend._cached._cache_size()
    predict(labelled[::-1].copy(), y[labelled[::-1]], test, seed=1)
    assert descent._descend._cached._cache_size() == compiled


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelPropagation(0), "n_neighbors"),
        (lambda: LabelPropagation(alpha=1.0), "alpha"),
        (lambda: LabelPropagation(presentation="odd").fit(np.eye(4), seed=0), "presentation"),
        (lambda: SupervisedMLP((0,)), "hidden_sizes"),
        (lambda: SupervisedMLP(n_components=0), "n_components"),
        (lambda: SupervisedMLP(activation="cube"), "activation"),
        (lambda: SupervisedMLP(n_steps=-1), "n_steps"),
        (lambda: SupervisedMLP(batch_size=1), "batch_size"),
        (lambda: SupervisedMLP(learning_rate=-1.0), "learning_rate"),
        (lambda: SupervisedMLP(weight_decay=-1.0), "weight_decay"),
        (lambda: SupervisedMLP(noise=-1.0), "noise"),
        (lambda: SupervisedMLP(mask=1.0), "mask"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
