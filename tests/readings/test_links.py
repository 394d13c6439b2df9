"""Tests of the links between the components of a graph."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from metaplastic.readings import ReadingPool, ReadingSettings, links
from metaplastic.readings.graph import build_graph
from metaplastic.readings.links import shortest_links
from metaplastic.readings.poisson import spread_labels


@pytest.fixture
def parts():
    """Twelve groups of three to nine rows, and the number of the group of every row."""
    generator = np.random.default_rng(0)
    component = np.repeat(np.arange(12), generator.integers(3, 10, size=12))
    centres = 8.0 * generator.normal(size=(12, 5))
    nodes = centres[component] + 0.1 * generator.normal(size=(len(component), 5))
    order = generator.permutation(len(component))
    return nodes[order].astype(np.float32), component[order]


def _joined(n: int, component: np.ndarray, found: np.ndarray) -> int:
    """Components of a graph of the groups and the links."""
    groups = [np.flatnonzero(component == c) for c in np.unique(component)]
    edges = np.concatenate([found, *(np.stack([g[:-1], g[1:]], 1) for g in groups)])
    return connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(n, n)))[0]


def test_links_are_those_of_the_spanning_tree_of_all_rows(parts):
    nodes, component = parts
    found = shortest_links(nodes, component)
    squared = np.square(nodes[:, None].astype(np.float64) - nodes).sum(2)
    squared[component[:, None] == component] *= 1e-6  # first within a group
    tree = minimum_spanning_tree(squared).tocoo()
    true = {frozenset(pair) for pair in zip(*tree.coords, strict=True)}
    across = {pair for pair in true if len({component[i] for i in pair}) == 2}
    assert {frozenset(pair) for pair in found.tolist()} == across


def test_every_part_is_joined_even_beyond_the_limits(parts, monkeypatch):
    nodes, component = parts
    monkeypatch.setattr(links, "MOST_COMPONENTS", 4)
    monkeypatch.setattr(links, "ASKED", 20)
    found = shortest_links(nodes, component)
    assert len(found) == 11
    assert _joined(len(nodes), component, found) == 1


def test_a_linked_graph_of_copies_hangs_together():
    generator = np.random.default_rng(1)
    x = np.repeat(generator.normal(size=(40, 6)), 15, 0) + 1e-3 * generator.normal(size=(600, 6))
    graph = build_graph(x.astype(np.float32), 10)
    assert graph.component.max() == 39
    assert graph.linked.component.max() == 0
    weights = graph.linked.weights.toarray()
    np.testing.assert_array_equal(weights, weights.T)
    assert np.count_nonzero(weights - graph.weights.toarray()) == 2 * 39


def test_one_label_a_class_reaches_copies_over_links():
    generator = np.random.default_rng(2)
    kinds = np.sort(generator.normal(size=(12, 1)), axis=0)
    kinds[6:] += 3.0
    x = np.repeat(kinds, 12, 0) + 1e-4 * generator.normal(size=(144, 1))
    y = np.repeat([0, 1], 72)
    reading = ReadingPool(x.astype(np.float32)).fit("graph", np.array([0, 143]), y[[0, 143]])
    assert np.mean(reading.scores(x.astype(np.float32)).argmax(1) == y) > 0.95


def test_links_change_nothing_in_parts_that_have_labels(monkeypatch):
    generator = np.random.default_rng(3)
    x = np.repeat(generator.normal(size=(10, 4)), 15, 0) + 1e-3 * generator.normal(size=(150, 4))
    few, labels = np.arange(0, 90, 15), np.array([0, 0, 1, 1, 2, 2])
    scores = {}
    for weight in (0.1, 0.5):
        monkeypatch.setattr("metaplastic.readings.graph.LINK", weight)
        graph = build_graph(x.astype(np.float32), 10)
        scores[weight] = spread_labels(graph, few, labels, ReadingSettings()).values
    np.testing.assert_array_equal(scores[0.1][:90], scores[0.5][:90])
    assert np.all(np.any(scores[0.1][90:] != scores[0.5][90:], axis=1))
