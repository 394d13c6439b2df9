import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from metaplastic.errors import InputError
from metaplastic.sklearn import suggest


@pytest.fixture(scope="module")
def few(blobs):
    """Rows `(300, 8)`, their classes, and a label of two of the four classes each."""
    x, y = blobs[0][:300], blobs[1][:300]
    labels = np.full(300, -1)
    for c in (0, 1):
        labels[np.flatnonzero(y == c)[0]] = c
    return x, y, labels


def test_one_row_of_every_class(make_transformer, few):
    x, y, _ = few
    transformer = make_transformer(n_components=12).fit(x)
    found = suggest(transformer, x, 4, random_state=0)
    assert sorted(y[found]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(found, suggest(transformer, x, 4, random_state=0))
    # A copy of one that is not fitted learns the same; the estimator itself learns nothing.
    fresh = make_transformer(n_components=12)
    np.testing.assert_array_equal(found, suggest(fresh, x, 4, random_state=0))
    assert not hasattr(fresh, "n_features_in_")


def test_sparse_rows_and_few_of_them(make_transformer, few):
    transformer = make_transformer().fit(few[0])
    assert len(suggest(transformer, sp.csr_matrix(few[0][:20]), 50)) == 20


@pytest.mark.parametrize("words", [False, True])
def test_classes_without_a_label_come_first(make_classifier, few, words):
    x, y, labels = few
    if words:
        labels = np.where(labels == -1, None, np.array(["a", "b"])[labels])
    classifier = make_classifier(n_components=12).fit(x, labels)
    found = classifier.suggest(2)
    assert sorted(y[found]) == [2, 3]
    np.testing.assert_array_equal(found, suggest(classifier, x, 2, labels, random_state=0))


def test_labels_of_one_class_are_enough(make_classifier, few):
    x, y, labels = few
    one = np.where(labels == 1, 1, -1)
    found = suggest(make_classifier(n_components=12), x, 3, one, random_state=0)
    assert sorted(y[found]) == [0, 2, 3]


def test_a_loaded_classifier_says_how(make_classifier, few):
    x, _, labels = few
    loaded = pickle.loads(pickle.dumps(make_classifier().fit(x, labels)))
    with pytest.raises(InputError, match="holds no pool"):
        loaded.suggest(2)
    assert len(suggest(loaded, x, 2, labels)) == 2


@pytest.mark.parametrize(
    ("n", "labels", "said"),
    [
        (0, None, "n takes integers of at least 1"),
        (2.5, None, "n takes integers of at least 1"),
        (2, np.zeros(300, int), "all 300 rows have a label"),
        (2, np.zeros(7, int), "one label for each of the 300 rows"),
        (2, np.full(300, np.nan), "NaN"),
        (2, np.array(["a", "b", *["-1"] * 298]), "the string '-1' among them"),
        (2, np.array([b"a", b"b", *[None] * 298], object), "labels are bytes"),
        (2, np.array(["2020", *["NaT"] * 299], "M8[D]"), "NaN"),
    ],
)
def test_bad_input(make_classifier, few, n, labels, said):
    x, _, known = few
    classifier = make_classifier().fit(x, known)
    with pytest.raises(InputError, match=said):
        suggest(classifier, x, n, labels)
    if labels is None:
        with pytest.raises(InputError, match=said):
            classifier.suggest(n)


def test_other_estimators_are_refused(few):
    with pytest.raises(InputError, match="takes a RuleTransformer or a FewShotClassifier"):
        suggest(object(), few[0], 2)
