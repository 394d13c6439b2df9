"""The protocol: what is drawn, what is the same for every learner, what a result file holds."""

import dataclasses
import json
import math
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
from sklearn.datasets import load_digits

from metaplastic.errors import InputError
from metaplastic.evaluation import (
    OWN,
    compare,
    evaluate,
    from_json,
    provenance,
    records_to_rows,
    to_json,
)
from metaplastic.learners import PCA, AbstractClassifier, AbstractLearner, Raw


class Labelled(NamedTuple):
    name: str
    x: np.ndarray
    y: np.ndarray


@dataclasses.dataclass(frozen=True)
class Spy(AbstractLearner):
    """The inputs themselves; remembers what it was shown."""

    name: ClassVar[str] = "spy"
    shown: list = dataclasses.field(default_factory=list)

    def fit(self, x, *, seed):
        self.shown.append((seed, x))
        return lambda rows: np.asarray(rows, np.float32)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return Labelled("digits", x[:500] / 16, y[:500])


@pytest.fixture(scope="module")
def records(digits):
    learners = {"raw": Raw(), "pca": PCA(8), "again": Raw()}
    return evaluate(learners, digits, shots=(1, 5), n_draws=4, seeds=(0, 3))


def test_one_record_per_learner_shots_and_readout(records):
    assert [(r.learner, r.shots, r.readout) for r in records] == [
        (learner, shots, how)
        for learner in ("raw", "pca", "again")
        for shots in (1, 5)
        for how in ("ridge", "logistic")
    ]
    for r in records:
        draws = np.array(r.draws)
        assert draws.shape == (r.n_seeds, r.n_draws) == (2, 4)
        assert r.mean == pytest.approx(draws.mean())
        assert r.standard_error == pytest.approx(draws.std(ddof=1) / math.sqrt(8))
        assert r.fit_seconds >= 0 and r.transform_seconds >= 0 and r.dataset == "digits"
    assert {r.learner: r.n_features for r in records} == {"raw": 64, "pca": 8, "again": 64}


def test_more_labels_help_and_readouts_read(records):
    by = {(r.learner, r.shots, r.readout): r.mean for r in records}
    for how in ("ridge", "logistic"):
        assert 0.3 < by["raw", 1, how] < by["raw", 5, how] < 1.0


def test_every_learner_gets_the_same_draws(records):
    raw, again = ([r.draws for r in records if r.learner == name] for name in ("raw", "again"))
    assert raw == again
    assert raw[0][0] != raw[0][1], "seeds draw differently"


def test_learners_see_permuted_columns_and_no_labels(digits):
    spy = Spy()
    evaluate([spy], digits, n_draws=1, seeds=(0, 1), shots=(1,))
    (_, first), (_, second) = spy.shown
    assert first.shape == digits.x.shape
    assert not np.array_equal(first, digits.x) and not np.array_equal(first, second)
    np.testing.assert_allclose(np.sort(first, 1), np.sort(digits.x, 1))
    plain = Spy()
    evaluate([plain], digits, n_draws=1, seeds=(0,), shots=(1,), permute=False)
    np.testing.assert_array_equal(plain.shown[0][1], digits.x)


@dataclasses.dataclass(frozen=True)
class SpyClassifier(AbstractClassifier):
    """Guesses class 0; remembers what it was shown."""

    name: ClassVar[str] = "spy classifier"
    pools: list = dataclasses.field(default_factory=list)
    draws: list = dataclasses.field(default_factory=list)

    def fit(self, x, *, seed):
        self.pools.append(x)

        def predict(labelled, labels, test, *, seed):
            self.draws.append((labelled, labels, test, seed))
            return np.zeros(len(test), int)

        return predict


def test_a_classifier_sees_the_pool_and_the_labels_of_labelled_rows_alone(digits):
    names = np.array(list("jihgfedcba"))
    named = digits._replace(y=names[digits.y])
    spy, learner = SpyClassifier(), Spy()
    records = evaluate(
        {"classifier": spy, "learner": learner}, named, n_draws=3, seeds=(0, 1), shots=(1, 5)
    )
    for pool, (_, x) in zip(spy.pools, learner.shown, strict=True):
        np.testing.assert_array_equal(pool, x)
    assert len(spy.draws) == 2 * 2 * 3 and len({seed for *_, seed in spy.draws}) > 3
    for labelled, labels, test, _ in spy.draws:
        assert not set(labelled) & set(test)
        assert len(labels) == len(labelled) in (10, 50)
        # Numbers of classes in the order of their names.
        np.testing.assert_array_equal(labels, 9 - digits.y[labelled])
    assert [(r.readout, r.shots, r.n_features) for r in records[:2]] == [(OWN, 1, 0), (OWN, 5, 0)]
    # Class 0 is "a", the digit 9.
    expected = np.mean([np.mean(digits.y[test] == 9) for _, labels, test, _ in spy.draws[:3]])
    assert np.mean(records[0].draws[0]) == pytest.approx(expected)


def test_a_classifier_that_gives_too_few_labels_is_refused(digits):
    class Short(SpyClassifier):
        def fit(self, x, *, seed):
            return lambda labelled, labels, test, *, seed: np.zeros(3, int)

    with pytest.raises(InputError, match="labels of shape"):
        evaluate([Short()], digits, n_draws=1, seeds=(0,))


def test_images_are_flattened(digits):
    images = digits._replace(x=digits.x.reshape(-1, 8, 8))
    one = evaluate([Raw()], images, n_draws=2, seeds=(0,), shots=(3,))
    two = evaluate([Raw()], digits, n_draws=2, seeds=(0,), shots=(3,))
    assert [r.draws for r in one] == [r.draws for r in two]


def test_labelled_rows_are_not_tested_on():
    # Features are row numbers and every row has a label that only itself can tell: a readout
    # that had seen a test row would be right.
    x = np.eye(40)
    y = np.repeat(np.arange(4), 10)
    y = np.random.default_rng(0).permutation(y)
    (record,) = evaluate(
        [Raw()], Labelled("rows", x, y), n_draws=5, seeds=(0,), shots=(5,), readouts=("logistic",)
    )
    assert record.mean < 0.5


def test_max_test_bounds_the_tested_rows(digits):
    (record,) = evaluate(
        [Raw()], digits, n_draws=3, seeds=(0,), shots=(5,), readouts=("ridge",), max_test=8
    )
    assert all((8 * a).is_integer() for a in record.draws[0])


def test_compare_is_paired(records):
    by = {(r.learner, r.shots, r.readout): r for r in records}
    a, b = by["raw", 5, "ridge"], by["pca", 5, "ridge"]
    difference = np.array(a.draws) - np.array(b.draws)
    mean, error = compare(a, b)
    assert mean == pytest.approx(difference.mean()) == pytest.approx(a.mean - b.mean)
    assert error == pytest.approx(difference.std(ddof=1) / math.sqrt(8))
    assert compare(a, by["again", 5, "ridge"]) == (0.0, 0.0)
    for other in (by["raw", 1, "ridge"], by["raw", 5, "logistic"]):
        with pytest.raises(InputError, match="same"):
            compare(a, other)


def test_a_result_file_holds_everything_and_comes_back(records):
    text = to_json(records, provenance(seeds=(0, 3)))
    found, where = from_json(text)
    assert found == records
    assert where["seeds"] == [0, 3]
    assert set(where) == {"seeds", "commit", "versions", "machine"}
    assert set(where["machine"]) == {"processor", "cores"} and where["machine"]["cores"] >= 1
    assert {"python", "jax", "numpy", "metaplastic"} <= set(where["versions"])
    assert "/" not in where["commit"]


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"records": [{"a": 1}]})])
def test_other_files_are_refused(text):
    with pytest.raises(InputError, match="result file"):
        from_json(text)


def test_rows_for_tables(records):
    rows = records_to_rows(records)
    assert [(r["learner"], r["shots"]) for r in rows[:3]] == [("raw", 1), ("raw", 5), ("pca", 1)]
    assert len(rows) == 6
    assert rows[0]["ridge"] == pytest.approx(100 * records[0].mean)
    assert rows[0]["logistic_error"] == pytest.approx(100 * records[1].standard_error)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shots": (200,)}, "fewer shots"),
        ({"shots": ()}, "shots"),
        ({"shots": (0,)}, "shots"),
        ({"shots": (2, 2)}, "differ"),
        ({"n_draws": 0}, "n_draws"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "differ"),
        ({"max_test": 0}, "max_test"),
        ({"readouts": ("svm",)}, "unknown reading"),
        ({"readouts": ()}, "readout"),
        ({"learners": []}, "no learner"),
        ({"learners": [Raw(), Raw()]}, "same label"),
    ],
)
def test_bad_arguments_are_refused(digits, changes, message):
    arguments = {"learners": [Raw()], "dataset": digits, "n_draws": 1, "seeds": (0,), **changes}
    with pytest.raises(InputError, match=message):
        evaluate(arguments.pop("learners"), arguments.pop("dataset"), **arguments)


def test_bad_data_are_refused(digits):
    with pytest.raises(InputError, match="labels of shape"):
        evaluate([Raw()], digits._replace(y=digits.y[:-1]))
    with pytest.raises(InputError, match="two classes"):
        evaluate([Raw()], digits._replace(y=np.zeros(500)))


def test_features_that_are_not_finite_are_refused(digits):
    class Broken(Spy):
        def fit(self, x, *, seed):
            return lambda rows: np.full((len(rows), 2), np.nan, np.float32)

    with pytest.raises(InputError, match="not finite"):
        evaluate([Broken()], digits, n_draws=1, seeds=(0,))


# Rows without a label


@pytest.fixture(scope="module")
def separable():
    y = np.arange(80) % 2
    x = np.random.default_rng(0).normal(size=(80, 6)) + 20 * y[:, None]
    return x, y


@pytest.mark.parametrize("kind", ["numbers", "words", "signs", "none"])
def test_unlabelled_rows_stay_in_the_pool_and_are_never_drawn_nor_tested(separable, kind):
    x, y = separable
    hidden = np.arange(80) % 4 < 2
    labels = {
        "numbers": np.where(hidden, -1, y),
        "words": np.where(hidden, -1, np.array(["ant", "bee"], object)[y]),
        "none": np.where(hidden, None, np.array(["ant", "bee"], object)[y]),
        "signs": 2 * y - 1,  # Of -1 and 1 alone, both are classes.
    }[kind]
    spy = Spy()
    found = evaluate([spy], Labelled("mine", x, labels), shots=(5,), n_draws=4, seeds=(0,))
    assert [record.mean for record in found] == [1.0, 1.0]
    assert spy.shown[0][1].shape == (80, 6)


def test_classifiers_get_no_unlabelled_row_either(separable):
    x, y = separable
    seen = []

    class Watched(AbstractClassifier):
        name: ClassVar[str] = "watched"

        def fit(self, x, *, seed):
            def predict(support, labels, test, *, seed):
                seen.extend([*support, *test])
                assert set(labels) == {0, 1}
                return np.zeros(len(test), int)

            return predict

    y = np.where(np.arange(80) < 40, -1, y)
    evaluate([Watched()], Labelled("mine", x, y), shots=(5,), n_draws=2, seeds=(0,))
    assert set(seen) == set(range(40, 80))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(80, -1), "marks every row as unlabelled"),
        (np.where(np.arange(80) < 79, -1, 1.5), "at least two classes"),
        (np.where(np.arange(80) < 74, -1, np.arange(80) % 2), "class 0 has 3 rows"),
        (np.where(np.arange(80) < 40, np.nan, np.arange(80) % 2), "y contains NaN"),
        (np.array(["a", "-1"] * 40), "the string '-1' among them"),
    ],
)
def test_labels_that_cannot_be_judged(separable, y, message):
    with pytest.raises(InputError, match=message):
        evaluate([Raw()], Labelled("mine", separable[0], y), shots=(5,))
