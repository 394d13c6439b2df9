import dataclasses
import datetime
import pickle

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from metaplastic.errors import InputError
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.rules import LocalRule
from metaplastic.rules.local import told_labels

HEADS = ("auto", "graph", "ridge", "logistic")


def few_labels(y, shots, seed=0):
    """Labels of `shots` rows a class; -1 for the rest."""
    generator = np.random.default_rng(seed)
    few = np.full(len(y), -1)
    for label in np.unique(y):
        few[generator.choice(np.flatnonzero(y == label), shots, replace=False)] = label
    return few


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("shots", [1, 2, 10])
def test_few_labels_are_enough(make_classifier, blobs, head, shots):
    x, y = blobs
    few = few_labels(y, shots)
    # As many features as classes leave one label a class too little to go by.
    classifier = make_classifier(head=head, n_components=12).fit(x, few)
    np.testing.assert_array_equal(classifier.classes_, np.arange(4))
    assert classifier.score(x[few == -1], y[few == -1]) > (0.8 if shots == 1 else 0.85)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_head_is_the_readout_of_the_protocol(make_classifier, blobs, head, shots, n_classes):
    x, y = (part[blobs[1] < n_classes] for part in blobs)
    few = few_labels(y, shots)
    classifier = make_classifier(head=head).fit(x, few)
    pool = ReadingPool(classifier.transformer_.transform(x), load_preset(classifier.preset).reading)
    rows = np.flatnonzero(few != -1)
    reading = pool.fit(head, rows, few[rows])
    np.testing.assert_array_equal(
        classifier.predict(x), pool.scores(reading, np.arange(len(x))).argmax(1)
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_probabilities(make_classifier, blobs, head, n_classes):
    x, y = (part[blobs[1] < n_classes] for part in blobs)
    few = few_labels(y, 5)
    classifier = make_classifier(head=head).fit(x, few)
    probability = classifier.predict_proba(x)
    assert probability.shape == (len(x), n_classes)
    assert np.all(probability > 0)
    np.testing.assert_allclose(probability.sum(1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(np.argmax(probability, 1), classifier.predict(x))
    assert log_loss(y, probability) < 0.6 * np.log(n_classes)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("shots", "most"), [(1, 0.4), (5, 0.12), (25, 0.06)])
def test_probabilities_are_calibrated(make_classifier, blobs, head, shots, most):
    """Mean confidence is near accuracy, over draws; cautious if one row a class is all there is."""
    x, y = blobs
    sure, right = [], []
    for seed in range(5):
        few = few_labels(y, shots, seed)
        classifier = make_classifier(head=head, n_components=12).fit(x, few)
        probability = classifier.predict_proba(x[few == -1])
        sure.append(probability.max(1).mean())
        right.append(np.mean(probability.argmax(1) == y[few == -1]))
    assert abs(np.mean(sure) - np.mean(right)) < most
    assert np.mean(sure) > 0.5  # of four classes, as separable as these are


def test_features_come_from_all_rows(make_classifier, make_transformer, blobs):
    x, y = blobs
    classifier = make_classifier().fit(x, few_labels(y, 2))
    np.testing.assert_array_equal(
        classifier.transformer_.transform(x), make_transformer().fit(x).transform(x)
    )


@pytest.mark.parametrize("head", HEADS)
def test_fully_labelled(make_classifier, blobs, head):
    x, y = blobs[0][:300], blobs[1][:300]
    classifier = make_classifier(head=head).fit(x, y)
    assert classifier.score(x, y) > 0.85
    assert classifier.score(*blobs) > 0.85


def test_a_pool_too_large_for_memory_is_refused_before_any_work(
    make_classifier, blobs, monkeypatch
):
    x, y = blobs
    monkeypatch.setattr("metaplastic.readings.memory.free_memory", lambda: 2**20)
    classifier = make_classifier(n_components=512)
    with pytest.raises(InputError, match=r"2,500 rows .* give a sample of at most") as caught:
        classifier.fit(x, y)
    assert "\n" not in str(caught.value) and not hasattr(classifier, "transformer_")


@pytest.mark.parametrize("head", HEADS)
def test_new_rows_without_numbers_are_refused(make_classifier, blobs, head):
    x, y = blobs[0][:60], blobs[1][:60]
    classifier = make_classifier(head=head).fit(x, y)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            classifier.predict_proba(np.where(np.arange(8) == 3, value, x[:2]))


@pytest.mark.slow
@pytest.mark.parametrize("mark", [-1, None])
def test_string_labels(make_classifier, blobs, mark):
    x, y = blobs
    names = np.array(["ant", "bee", "cat", "dog"])
    few = few_labels(y, 3)
    labels = np.where(few == -1, mark, names[few].astype(object))
    classifier = make_classifier().fit(x, labels)
    np.testing.assert_array_equal(classifier.classes_, names)
    reference = make_classifier().fit(x, few)
    np.testing.assert_array_equal(classifier.predict(x), names[reference.predict(x)])
    full = make_classifier().fit(x, names[y])
    assert full.score(x, names[y]) > 0.9


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "object"])
def test_numeric_labels_of_any_dtype(make_classifier, blobs, dtype):
    x, y = blobs
    few = few_labels(y, 3)
    classifier = make_classifier().fit(x, few.astype(dtype))
    assert classifier.classes_.dtype == dtype
    np.testing.assert_array_equal(
        classifier.predict(x).astype(int), make_classifier().fit(x, few).predict(x)
    )


def test_labels_of_other_kinds(make_classifier, blobs):
    x, y = blobs[0][:200], blobs[1][:200]
    truth = y >= 2
    days = np.where(truth, np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    words = np.where(truth, "b", "a")
    for labels in (truth, truth.astype(float), words, pd.Series(truth), days):
        classifier = make_classifier(n_components=12).fit(x, labels)
        assert classifier.classes_.dtype == np.asarray(labels).dtype
        assert classifier.score(x, np.asarray(labels)) > 0.9


def test_a_category_without_a_labelled_row_is_named(make_classifier, blobs):
    x = blobs[0][:40]
    names = pd.Series(np.array(["ant", "bee"])[np.arange(40) % 2])
    names = names.astype(pd.CategoricalDtype(["ant", "bee", "cat"]))
    with pytest.raises(InputError, match="no row is labelled 'cat', one of the categories"):
        make_classifier().fit(x, names)
    used = names.cat.remove_unused_categories()
    assert list(make_classifier().fit(x, used).classes_) == ["ant", "bee"]


def test_missing_labels_must_be_marked(make_classifier, blobs):
    x = blobs[0][:4]
    for labels in ([0.0, 1.0, np.nan, 1.0], np.array(["a", "b", np.nan, "b"], object)):
        with pytest.raises(InputError, match="NaN") as caught:
            make_classifier().fit(x, labels)
        assert "\n" not in str(caught.value)


def test_signed_labels_are_two_classes(make_classifier, blobs):
    x, y = blobs
    signed = np.where(y < 2, -1, 1)
    with pytest.warns(UserWarning, match="taken for two classes"):
        classifier = make_classifier().fit(x, signed)
    np.testing.assert_array_equal(classifier.classes_, [-1, 1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1, -1, -1, -1], "marks every row as unlabelled"),
        ([-1, 0, 0, -1], "at least two classes.* got only 0"),
        ([2, 2, 2, 2], "at least two classes.* got only 2"),
        (np.array(["a", "a", None, -1], object), "at least two classes.* got only 'a'"),
        (["a", "-1", "b", "a"], "dtype object with -1 or None"),
        ([b"a", b"b", b"b", b"a"], "labels are bytes; make strings of them"),
        (np.array(["a", 3, None, -1], object), "sorted|Unknown label type"),
        ([0.5, 1.7, 2.3, -1], "Unknown label type"),
        ([datetime.date(2020, 1, day) for day in (1, 1, 2, 2)], "strings, whole numbers or numpy"),
    ],
)
def test_bad_labels(make_classifier, blobs, labels, message):
    classifier = make_classifier()
    with pytest.raises(ValueError, match=message):
        classifier.fit(blobs[0][:4], labels)
    assert not hasattr(classifier, "transformer_")  # said before any work


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("head", "svm", "unknown head 'svm'; choose auto, graph, ridge or logistic"),
        ("head", None, "unknown head None"),
        ("n_neighbors", 0, "n_neighbors takes integers of at least 1"),
        ("n_neighbors", 2500, "n_neighbors=2500 asks for more .* 2500 has; give at most 2499"),
        ("class_prior", [0.5, 0.5], "class_prior takes 4 positive numbers"),
        ("class_prior", "even", "class_prior takes 4 positive numbers"),
        ("rule", "hep", "did you mean hebb"),
        ("n_steps", -1, "n_steps takes integers"),
        ("batch_size", 1, "batch_size takes integers"),
    ],
)
def test_bad_parameters(make_classifier, blobs, name, value, message):
    with pytest.raises(InputError, match=message):
        make_classifier(**{name: value}).fit(*blobs)


def test_bad_numbers(make_classifier, blobs):
    x, y = blobs[0][:100].copy(), blobs[1][:100]
    x[0, 0] = 1e39
    with pytest.raises(InputError, match="rescale them"):
        make_classifier().fit(x, y)


@pytest.mark.parametrize("head", HEADS)
def test_sparse_pandas_and_pickle(make_classifier, blobs, head):
    x, y = blobs[0][:300], few_labels(blobs[1][:300], 3)
    classifier = make_classifier(head=head).fit(x, y)
    expected = classifier.predict_proba(x)
    sparse = make_classifier(head=head).fit(sp.csr_matrix(x), y)
    np.testing.assert_array_equal(sparse.predict_proba(sp.csc_matrix(x)), expected)
    frame = pd.DataFrame(x, columns=list("abcdefgh"))
    framed = make_classifier(head=head).fit(frame, pd.Series(y))
    np.testing.assert_array_equal(framed.predict_proba(frame), expected)
    assert list(framed.feature_names_in_) == list("abcdefgh")
    copy = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copy.predict_proba(x), expected)


@pytest.mark.parametrize("head", HEADS)
def test_equal_rows(make_classifier, head):
    classifier = make_classifier(head=head).fit(np.ones((20, 8)), np.arange(20) % 2)
    np.testing.assert_allclose(classifier.predict_proba(np.ones((3, 8))), 0.5, atol=1e-6)


def test_pipeline_and_grid_search(make_classifier, blobs):
    x, y = blobs[0][:400], blobs[1][:400]
    pipeline = make_pipeline(FunctionTransformer(), make_classifier())
    search = GridSearchCV(
        pipeline,
        {"fewshotclassifier__head": HEADS, "fewshotclassifier__n_steps": [0, 10]},
        cv=2,
        scoring="neg_log_loss",
    )
    search.fit(x, y)
    assert search.best_score_ > -0.5


@pytest.fixture(scope="module")
def hearing_rule():
    """A rule that hears labels and does what they say."""
    rule = told_labels(LocalRule.create(key=jax.random.key(0), hidden=3))
    heard = rule.element_out.at[0, -1].set(1.0)
    return dataclasses.replace(rule, element_out=heard)


@pytest.mark.slow
def test_networks_hear_labels(make_classifier, blobs, hearing_rule):
    x, y = blobs
    few = few_labels(y, 3)
    deaf = make_classifier(rule=hearing_rule, head="ridge").fit(x, few)
    classifier = make_classifier(rule=hearing_rule, head="ridge", supervision="labels")
    features = classifier.fit(x, few).transformer_.transform(x)
    assert np.max(np.abs(features - deaf.transformer_.transform(x))) > 0.1
    assert classifier.score(x[few == -1], y[few == -1]) > 0.85
    again = make_classifier(rule=hearing_rule, head="ridge", supervision="labels").fit(x, few)
    np.testing.assert_array_equal(again.predict_proba(x), classifier.predict_proba(x))
    loaded = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(loaded.predict_proba(x), classifier.predict_proba(x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supervision": "all"}, "unknown supervision 'all'; choose none or labels"),
        ({"supervision": "labels", "rule": "oja"}, "the one given as rule does not"),
        ({"supervision": "labels", "n_steps": None}, "give n_steps a number"),
    ],
)
def test_labels_that_cannot_be_heard(make_classifier, blobs, changes, message):
    x, y = blobs
    with pytest.raises(InputError, match=message):
        make_classifier(**changes).fit(x, few_labels(y, 3))
