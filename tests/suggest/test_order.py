"""Which rows are suggested: typical ones, of every cluster, and what is unsure."""

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.readings import ReadingPool
from metaplastic.suggest import clusters, doubts, suggest_rows, unsure_rows

SIZES = (60, 40, 30, 20)


@pytest.fixture(scope="module")
def groups():
    """Four tight groups `(150, 3)` of the sizes `SIZES`, and the number of each row's."""
    of = np.repeat(np.arange(4), SIZES)
    centres = 8.0 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    x = centres[of] + np.random.default_rng(0).normal(size=(150, 3))
    return x.astype(np.float32), of


def test_every_cluster_gives_one_the_largest_first(groups):
    x, of = groups
    assert of[suggest_rows(x, 4)].tolist() == [0, 1, 2, 3]


def test_the_row_is_the_one_whose_nearest_are_nearest(groups):
    x, of = groups
    for row in suggest_rows(x, 4):
        own = np.flatnonzero(of == of[row])
        apart = np.sort(np.linalg.norm(x[own][:, None] - x[own], axis=2), axis=1)
        typical = apart[:, 1 : 1 + min(clusters.TYPICAL_OF, len(own) - 1)].mean(1)
        assert row == own[typical.argmin()]


def test_clusters_without_a_label_come_first(groups):
    x, of = groups
    labelled = np.flatnonzero(of < 3)[[0, 70, 110]]
    assert of[suggest_rows(x, 1, labelled=labelled)[0]] == 3


def test_what_is_unsure_comes_first(groups):
    x, of = groups
    unsure = np.where(of == 2, 0.5, 0.01)
    assert of[suggest_rows(x, 4, unsure=unsure)][0] == 2


def test_a_pool_can_be_exhausted_and_no_row_comes_twice(groups, monkeypatch):
    x, _ = groups
    monkeypatch.setattr("metaplastic.suggest.order.MOST_CLUSTERS", 4)
    labelled = np.array([5, 80])
    found = suggest_rows(x, 1000, labelled=labelled)
    assert sorted([*found, *labelled]) == list(range(150))
    # Of four clusters the first eight rows are two of each.
    assert np.bincount(groups[1][suggest_rows(x, 8)]).tolist() == [2, 2, 2, 2]


def test_the_second_row_of_a_cluster_is_no_near_copy_of_the_first(groups, monkeypatch):
    x, of = groups
    monkeypatch.setattr("metaplastic.suggest.order.MOST_CLUSTERS", 4)
    first, second = [row for row in suggest_rows(x, 8) if of[row] == 0]
    own = np.flatnonzero(of == 0)
    apart = np.linalg.norm(x[own] - x[first], axis=1)
    assert np.argsort(np.argsort(apart))[own.tolist().index(second)] > clusters.TYPICAL_OF


def test_rows_that_repeat_others_come_last():
    x = np.repeat(np.arange(5.0)[:, None], [4, 3, 2, 1, 1], axis=0)
    found = suggest_rows(x, 11)
    assert len(set(x[found[:5], 0])) == 5
    assert sorted(found) == list(range(11))
    # A row that repeats a labelled one is known already.
    assert sorted(x[suggest_rows(x, 4, labelled=np.array([1])), 0]) == [1, 2, 3, 4]


def test_large_clusters_are_ranked_by_a_sample(groups, monkeypatch):
    x, of = groups
    monkeypatch.setattr(clusters, "MOST_COMPARED", 25)
    assert of[suggest_rows(x, 4)].tolist() == [0, 1, 2, 3]
    assert len(set(suggest_rows(x, 150).tolist())) == 150


def test_large_pools_are_cut_by_batches(groups, monkeypatch):
    x, of = groups
    monkeypatch.setattr(clusters, "SMALL", 100)
    found = suggest_rows(x, 6, seed=3)
    assert set(of[found]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(found, suggest_rows(x, 6, seed=3))


def test_doubt_is_high_between_classes(groups):
    x, of = groups
    between = np.array([[4.0, 0.0, 0.0]], np.float32)
    pool = ReadingPool(np.concatenate([x[of < 2], between]))
    rows, labels = np.array([0, 1, 70, 71]), np.array(["b", "b", "a", "a"])
    unsure = unsure_rows(pool, "ridge", rows, labels)
    assert unsure is not None and unsure.argmax() == 100
    assert np.all((unsure >= 0) & (unsure <= 0.5))
    assert unsure_rows(pool, "ridge", rows[:2], labels[:2]) is None
    reading = pool.fit("auto", rows, np.array([1, 1, 0, 0]))
    near = reading.probabilities(pool.features)
    np.testing.assert_allclose(doubts(pool, reading), 1 - near.max(1))


@pytest.mark.parametrize(
    ("x", "n", "labelled", "said"),
    [
        (np.zeros((3, 2)), 0, [], "at least 1, got 0"),
        (np.zeros((0, 2)), 1, [], "no rows"),
        (np.zeros((2, 2)), 1, [1, 0], "all 2 rows have a label"),
    ],
)
def test_bad_input(x, n, labelled, said):
    with pytest.raises(InputError, match=said):
        suggest_rows(x, n, labelled=np.array(labelled, np.int64))
