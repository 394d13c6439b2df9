"""What `data check` says of a table."""

import numpy as np
import pytest
from scipy import sparse

from metaplastic.data.checks import check_names, describe
from metaplastic.errors import InputError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(30, 4))
NAMES = ("a", "b", "c", "d")


def remarks(x, y=None, names=NAMES):
    return describe(x, y, names, "mine")[1]


def test_a_good_table_needs_no_remark():
    found, about = describe(X, np.arange(30) % 3, NAMES, "mine")
    assert about == []
    assert found["rows"], found["columns"] == (30, 4)
    assert found["least"] == X.min()
    assert (found["classes"], found["rows a class"]) == (3, "10 to 10")
    assert found["unlabelled rows"] == 0


def test_columns_that_carry_nothing():
    x = X.copy()
    x[:, 1] = 7
    x[:, 3] = x[:, 0]
    constant, repeated = remarks(x)
    assert constant == "column 'b' is constant and carries nothing"
    assert repeated == "column 'd' repeats 'a'"
    assert describe(x, None, None, "mine")[0]["constant columns"] == 1
    assert remarks(x, names=None)[0] == "column 1 is constant and carries nothing"
    many = remarks(np.ones((5, 6)), names=None)[0]
    assert many == "6 columns are constant and carry nothing: 0, 1, 2 and 3 more"


def test_a_column_that_numbers_the_rows():
    x = X.copy()
    x[:, 2] = np.arange(30) + 5
    assert remarks(x) == ["column 'c' numbers the rows, and is no feature: drop it"]


def test_rows_that_repeat():
    (remark,) = remarks(np.concatenate([X, X[:3]]))
    assert remark.startswith("3 rows repeat others")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(30, int), "fewer than two classes"),
        (np.full(30, -1), "fewer than two classes"),
        (np.array(["x"] * 29 + ["y"]), "1 class has one row: 'y'"),
        (np.arange(30), "30 classes in 30 rows: is the label a measurement"),
    ],
)
def test_labels_that_cannot_be_learned(y, message):
    (remark,) = remarks(X, y)
    assert message in remark


def test_unlabelled_rows_are_no_class():
    found, _ = describe(X, np.where(np.arange(30) < 20, -1, np.arange(30) % 2), NAMES, "mine")
    assert (found["unlabelled rows"], found["classes"]) == (20, 2)


def test_sparse_tables():
    found, about = describe(sparse.csr_matrix(np.eye(4)[:3]), None, None, "mine")
    assert found["constant columns"] == 1
    assert about == ["column 3 is constant and carries nothing"]


def test_other_columns_than_those_of_the_encoder():
    check_names(None, NAMES, "mine")
    check_names(NAMES, None, "mine")
    check_names(list(NAMES), NAMES, "mine")
    for given, message in [
        (("a", "b", "c"), "lacks 'd'"),
        ((*NAMES, "e"), "has 'e' besides"),
        (("b", "a", "c", "d"), "has them in another order"),
    ]:
        with pytest.raises(InputError, match=f"mine: the encoder was fitted to .* {message}"):
            check_names(given, NAMES, "mine")


def test_columns_that_hardly_vary_beside_the_others():
    x = GENERATOR.normal(size=(50, 40))
    x[:, [7, 23]] *= 1e-4
    assert remarks(x, names=None) == [
        "2 columns hardly vary beside the others, and would be blown up to noise, so drop them: "
        "7, 23"
    ]
    x *= 10.0 ** np.arange(-20, 20)  # Of columns in different units none is dead.
    assert remarks(x, names=None) == []


def test_a_column_that_looks_like_the_label():
    x = np.column_stack([np.arange(30) % 3, GENERATOR.normal(size=(30, 3))])
    (remark,) = remarks(x)
    assert remark == "column 'a' looks like the label: if it is, name it (--label 0)"
    assert remarks(x[:, ::-1])[0].endswith("(--label 3)")
    assert remarks(x, np.arange(30) % 2) == []
    counts = GENERATOR.integers(0, 3, (30, 4)) + 0.0
    assert not any("looks like" in remark for remark in remarks(counts))


def test_a_column_that_tells_the_label():
    y = np.arange(30) % 3
    x = np.column_stack([GENERATOR.normal(size=(30, 3)), 10.0 * (y == 0) - (y == 1)])
    message = "column 'd' tells the label, as each class has a value of its own there: drop it"
    assert remarks(x, y) == [message]
    words = np.array(["ant", "bee", "cat"], object)[y]
    words[::5] = -1
    assert remarks(x, words) == [message]


def test_several_columns_that_repeat_or_number():
    x = X.copy()
    x[:, 1] = x[:, 2] = x[:, 0]
    assert remarks(x) == ["2 columns repeat others: 'b', 'c'"]
    x = X.copy()
    x[:, 1], x[:, 2] = np.arange(30), np.arange(30) + 4
    assert remarks(x) == ["2 columns number the rows, and are no features, so drop them: 'b', 'c'"]


@pytest.mark.parametrize(
    ("y", "classes", "unlabelled", "remark"),
    [
        (np.array(["a", "b", -1] * 10, object), 2, 10, None),
        (np.array(["a", "b", None] * 10, object), 2, 10, None),
        (np.array([-1, 1, 1] * 10), 2, 0, "-1 and 1 are the only labels"),
        (np.array(["0.5", "1.5", -1] * 10, object), 2, 10, "'0.5' is no whole number"),
    ],
)
def test_labels_of_every_kind(y, classes, unlabelled, remark):
    found, about = describe(X, y, NAMES, "mine")
    assert (found["classes"], found["unlabelled rows"]) == (classes, unlabelled)
    assert len(about) == (remark is not None)
    assert remark is None or remark in about[0]


@pytest.mark.parametrize(
    ("x", "message"),
    [(X[:1], "a single row"), (np.where(X > 1, 1e39, X), "must lie within")],
)
def test_what_a_fit_refuses_is_refused(x, message):
    with pytest.raises(InputError, match=message):
        describe(x, None, NAMES, "mine")
