"""Labels spread over the graph of the pool: Poisson learning with a small leak.

Source: Calder, Cook, Thorpe, Slepcev 2020 (arXiv 2006.11184). The scores `u` of a class solve
`(L + leak D) u = sources`, where the class's labelled rows are sources of 1 together; then their
mean over classes is taken away. With equally many labels a class and no leak that is Poisson
learning. Where the graph falls into components, the share of a class's labelled rows that lie in
a component counts for the class everywhere in it (in a connected graph that changes nothing), it
alone where there is no other class. Rows of a component without labels have the scores that links
to other components bring them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from metaplastic.readings.base import (
    AbstractReading,
    Features,
    Labels,
    Scores,
    sharpened,
)
from metaplastic.readings.graph import Graph, edge_weights
from metaplastic.readings.neighbours import Neighbours, exact_search
from metaplastic.readings.settings import ReadingSettings

HELD_OUT = 64
"""Most labelled rows of which is asked what the graph says of them without their label."""

SPREAD_NUMBERS = 2**24
"""Most numbers of what is spread at a time (128 MiB)."""

COMPONENT = 2.0
"""Score of a class that alone has labels in a component; others are of size 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Spread:
    """Labels spread over a graph: scores of its nodes, and of labelled rows left out.

    Scores are divided by their root mean square over the nodes without a label.
    """

    values: Float[np.ndarray, "node class"]
    checked: Int[np.ndarray, " checked"]
    """Numbers of the labelled rows that were left out in turn: of classes with several."""
    held_out: Float[np.ndarray, "checked class"]


def spread_labels(
    graph: Graph, rows: Int[np.ndarray, " row"], labels: Labels, settings: ReadingSettings
) -> Spread:
    """Spread the labels `0..C-1` of the rows of the pool with the numbers `rows`."""
    n_classes, places = int(labels.max()) + 1, graph.node_of[rows]
    counts, checked = np.bincount(labels), rows_to_check(labels)
    sources = np.zeros((len(graph.nodes), n_classes))
    np.add.at(sources, (places, labels), 1.0 / counts[labels])
    values = graph.spread(sources, settings.leak, settings.tolerance)
    there = graph.component_sums(sources)
    # What a labelled row adds to its own class is known, so that it can be taken away.
    alone = _alone(graph, places[checked], settings)
    own, each = labels[checked], np.arange(len(checked))
    held_out, left = values[places[checked]].copy(), there[places[checked]].copy()
    for part, added in ((held_out, alone), (left, 1.0)):
        part[each, own] = (counts[own] * part[each, own] - added) / (counts[own] - 1)
    left = np.maximum(left, 0.0)  # of rounding
    size = unlabelled_size(centred(np.where(_several(there), values, 0.0)), places)
    said, bare = _joined(values / size, there), ~there.any(axis=1)
    if bare.any():
        passed = centred(graph.linked.spread(sources, settings.leak, settings.tolerance))
        said[bare] = passed[bare] / unlabelled_size(passed, places)
    return Spread(
        said,
        checked,
        _joined(held_out / size, np.where(left > 1e-9, left, 0.0)),
    )


def _alone(
    graph: Graph, places: Int[np.ndarray, " source"], settings: ReadingSettings
) -> Float[np.ndarray, " source"]:
    """What every node, as the only source, leaves at itself."""
    found, size = np.empty(len(places)), max(1, SPREAD_NUMBERS // len(graph.nodes))
    for start in range(0, len(places), size):
        some = places[start : start + size]
        sources = np.zeros((len(graph.nodes), len(some)))
        sources[some, np.arange(len(some))] = 1.0
        solved = graph.spread(sources, settings.leak, settings.tolerance)
        found[start : start + size] = solved[some, np.arange(len(some))]
    return found


def _several(there: Scores) -> NDArray[np.bool_]:
    return np.count_nonzero(there, axis=1, keepdims=True) > 1


def _joined(values: Scores, there: Scores) -> Scores:
    """Scores within components of several classes, and what each class has of a component."""
    within = np.where(_several(there) & (there > 0), values, 0.0)
    total = there.sum(1, keepdims=True)
    shares = there / np.where(total > 0, total, 1.0)
    return centred(within) + COMPONENT * centred(shares)


def centred(scores: Scores) -> Scores:
    """Scores less their mean over the classes."""
    return scores - scores.mean(1, keepdims=True)


def unlabelled_size(values: Scores, places: Int[np.ndarray, " labelled"]) -> float:
    """Root mean square over the nodes other than `places`; 1 where there is nothing."""
    free = np.ones(len(values), bool)
    free[places] = False
    size = float(np.sqrt(np.mean(np.square(values[free if free.any() else ~free]))))
    return size if size > 0 else 1.0


def rows_to_check(labels: Labels) -> Int[np.ndarray, " checked"]:
    """Numbers of at most `HELD_OUT` rows of classes with several, of every class in turn."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    turn = np.empty(len(labels), np.int64)
    turn[order] = np.concatenate([np.arange(count) for count in counts])
    several = np.flatnonzero(counts[labels] > 1)
    return several[np.argsort(turn[several], kind="stable")][:HELD_OUT]


@dataclasses.dataclass(frozen=True, eq=False)
class NodeScores:
    """Scores of a row: the mean of those of its `k` nearest nodes, weighted as edges are.

    `nodes` `(n, d)` and `shift` `(d,)` are float32; rows are compared after the shift.
    """

    shift: Float[np.ndarray, " dim"]
    nodes: Float[np.ndarray, "node dim"]
    values: Float[np.ndarray, "node class"]
    k: int

    def __call__(self, features: Features, near: Neighbours | None = None) -> Scores:
        if near is None:
            near = self.nearest(features)
        weights = edge_weights(near.squared)
        weights /= weights.sum(1, keepdims=True)
        return (weights[:, None, :] @ self.values[near.places])[:, 0]

    def nearest(self, features: Features) -> Neighbours:
        """The nodes nearest to the rows."""
        rows = np.ascontiguousarray(features, np.float32) - self.shift
        return exact_search(self.nodes, rows, self.k)

    def arrays(self) -> dict[str, NDArray]:
        """All arrays, by name."""
        return {"shift": self.shift, "nodes": self.nodes, "values": self.values}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        """As `AbstractReading.restore`."""
        return cls(arrays["shift"], arrays["nodes"], arrays["values"], int(fields["k"]))


@dataclasses.dataclass(frozen=True, eq=False)
class GraphReading(AbstractReading):
    """`scores = sharpness * node scores + bias`; probabilities are their softmax."""

    nodes: NodeScores
    bias: Float[np.ndarray, " class"]
    sharpness: float
    story: str

    def scores(self, features: Features, near: Neighbours | None = None) -> Scores:
        return self.sharpness * self.nodes(features, near) + self.bias

    def probabilities(self, features: Features, near: Neighbours | None = None) -> Scores:
        return sharpened(self.scores(features, near), 1.0)

    def explain(self) -> str:
        return self.story

    def arrays(self) -> dict[str, NDArray]:
        return {**self.nodes.arrays(), "prior": self.bias}

    def fields(self) -> dict[str, Any]:
        return {"k": self.nodes.k, "sharpness": self.sharpness, "story": self.story}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        nodes = NodeScores.restore(arrays, fields)
        return cls(nodes, arrays["prior"], float(fields["sharpness"]), str(fields["story"]))
