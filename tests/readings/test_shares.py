"""Shares of the classes, and what both readings say together, spread anew."""

import numpy as np
import pytest
from scipy.special import softmax

from metaplastic.readings import ReadingPool, ReadingSettings
from metaplastic.readings.graph import build_graph
from metaplastic.readings.joint import FEW, LEAK, LINEAR, SPREAD, TOLERANCE, spread_both
from metaplastic.readings.shares import expected_shares, log_shares, shift_to_shares


def test_after_the_shift_classes_have_the_shares():
    scores = np.random.default_rng(0).normal(size=(200, 3)) + np.array([2.0, 0.0, -1.0])
    shares, counts = np.array([0.2, 0.3, 0.5]), np.arange(200) % 4 + 1.0
    shift = shift_to_shares(scores, shares, counts)
    found = np.average(softmax(scores + shift, axis=1), axis=0, weights=counts)
    np.testing.assert_allclose(found, shares, atol=1e-4)
    assert abs(shift.sum()) < 1e-9
    few = shift_to_shares(scores[:1], shares)  # one row is enough
    np.testing.assert_allclose(softmax(scores[0] + few), shares, atol=1e-9)


def test_a_sample_of_many_rows_is_enough(monkeypatch):
    scores = np.random.default_rng(0).normal(size=(4000, 2)) + np.array([1.0, 0.0])
    whole = shift_to_shares(scores, np.array([0.5, 0.5]))
    monkeypatch.setattr("metaplastic.readings.shares.MOST_ROWS", 1000)
    np.testing.assert_allclose(shift_to_shares(scores, np.array([0.5, 0.5])), whole, atol=0.1)


def test_expected_shares_are_those_of_the_labelled_rows_or_given():
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(expected_shares(labels), [4 / 6, 2 / 6])
    given = np.array([0.9, 0.1])
    assert expected_shares(labels, given) is given
    np.testing.assert_allclose(log_shares(labels, given), np.log([3.0, 1 / 3]))


def test_smoothing_solves_its_equation_and_keeps_probabilities():
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    graph = build_graph(x, 6)
    values = np.random.default_rng(1).dirichlet(np.ones(3), 80)
    found = graph.smooth(values, LEAK, 1e-9)
    weights, degrees = graph.weights.toarray(), graph.degrees
    whole = np.diag((1 + LEAK) * degrees) - weights
    np.testing.assert_allclose(whole @ found, LEAK * degrees[:, None] * values, atol=1e-6)
    rough = graph.smooth(values, LEAK, TOLERANCE)
    np.testing.assert_allclose(rough.sum(1), 1.0, atol=0.01)


def test_spread_anew_what_both_say_reaches_rows_that_neither_knows():
    generator = np.random.default_rng(0)
    x = (np.repeat([[0.0], [9.0]], 40, 0) + generator.normal(size=(80, 1))).astype(np.float32)
    graph = build_graph(x, 8)
    linear, nothing = np.zeros((80, 2)), np.zeros((80, 2))
    linear[:30], linear[40:70] = [0.0, -3.0], [-3.0, 0.0]  # ten rows of each are unknown
    found = spread_both(
        graph,
        linear,
        nothing,
        np.array([0, 40]),
        np.array([0, 1]),
        np.array([0.5, 0.5]),
        far=1.0,
    )
    np.testing.assert_array_equal(found.argmax(1), np.repeat([0, 1], 40))


@pytest.mark.parametrize("each", [1, 3])
def test_the_fewer_labels_the_more_the_graph_says_of_what_is_spread(each):
    """Ridge and the graph contradict each other at a node of its own part, with known weights."""
    x = np.array([[0.0], [0.1], [0.2], [0.3], [90.0], [90.1], [90.2], [90.3]], np.float32)
    graph = build_graph(x, 3)
    linear, spread = np.zeros((8, 2)), np.zeros((8, 2))
    linear[4:], spread[4:] = [1.0, 0.0], [0.0, 0.3]
    rows, labels = np.arange(2 * each) % 4, np.arange(2 * each) % 2
    found = spread_both(graph, linear, spread, rows, labels, np.array([0.5, 0.5]), far=0.0)
    said = LINEAR * 1.0 - (SPREAD + FEW / each) * 0.3
    np.testing.assert_allclose(found[4:] @ [1.0, -1.0], said, atol=0.01)


@pytest.mark.parametrize("head", ["auto", "graph"])
def test_expectations_give_way_to_labels(head):
    """Half of the rows of a class lie nearer to the other; the shares tell, less with more labels.

    A shift of all the way would make both classes equally large.
    """
    generator = np.random.default_rng(0)
    y = np.arange(400) % 4 == 0
    x = (generator.normal(size=(400, 2)) + 1.5 * y[:, None]).astype(np.float32)
    shares = []
    for each in (2, 50):
        few = np.concatenate([np.flatnonzero(y)[:each], np.flatnonzero(~y)[:each]])
        plain, shifted = (
            ReadingPool(x, ReadingSettings(balance=balance)).fit(head, few, y[few].astype(int))
            for balance in (0.0, 1.0)
        )
        apart = plain.probabilities(x).mean(0) - shifted.probabilities(x).mean(0)
        uneven = abs(plain.probabilities(x).mean(0)[0] - 0.5) + 1e-9
        shares.append(abs(apart[0]) / uneven)
    assert shares[1] < shares[0]
