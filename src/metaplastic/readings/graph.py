"""A graph of nearest rows, and how labels spread over it.

Rows of equal features are one node. A node is joined to its nearest nodes; the weights fall with
the distance, relative to that of the farthest of them, and are made symmetric. Where the graph
falls into components, the shortest links between them are known too (`links.shortest_links`).
"""

import dataclasses
import functools
from typing import Self

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from metaplastic.errors import InputError
from metaplastic.readings.links import shortest_links
from metaplastic.readings.neighbours import Neighbours, nearest_to_all

Rows = Float[np.ndarray, "row dim"]
Nodes = Float[np.ndarray, "node dim"]
Sources = Float[np.ndarray, "node source"]

NARROWNESS = 4.0
"""Of the weights `exp(-NARROWNESS d^2 / d_k^2)` (Calder et al. 2020)."""

LINK = 0.1
"""Weight of a link; that of two close rows is up to 1 (studies/103-links-and-few-labels)."""

BLOCK_ROWS = 8192
"""Rows that are copied at a time, where all together could be too many."""

MOST_STEPS = 1000
"""Of conjugate gradients; some 50 to 200 are needed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Nodes `(n, d)` float32, symmetric weights `(n, n)`, and of every row of the pool its node."""

    nodes: Nodes
    weights: sp.csr_array
    node_of: Int[np.ndarray, " row"]
    recall: float
    """Share of the true neighbours found, estimated on a sample; 1 for exact search."""

    @functools.cached_property
    def linked(self) -> Self:
        """The graph with links between its components."""
        ends = shortest_links(self.nodes, self.component)
        weight = np.full(len(ends), LINK)
        one_way = sp.csr_array((weight, ends.T), shape=self.weights.shape)
        joined = (self.weights + one_way + one_way.T).tocsr()
        return type(self)(self.nodes, joined, self.node_of, self.recall)

    @functools.cached_property
    def degrees(self) -> Float[np.ndarray, " node"]:
        """Sums of the weights of every node."""
        return np.asarray(self.weights.sum(axis=1)).ravel()

    @functools.cached_property
    def counts(self) -> Float[np.ndarray, " node"]:
        """Rows of the pool that are a node, or stand nearest to it."""
        return np.bincount(self.node_of, minlength=len(self.nodes)).astype(np.float64)

    @functools.cached_property
    def component(self) -> Int[np.ndarray, " node"]:
        """Number of the part of the graph that hangs together with a node."""
        return np.asarray(connected_components(self.weights, directed=False)[1], np.int64)

    def component_sums(self, values: Sources) -> Sources:
        """Of every node the sum of the values `(n, s)` over its component."""
        n = int(self.component.max()) + 1
        member = sp.csr_array(
            (np.ones(len(values)), self.component, np.arange(len(values) + 1)),
            shape=(len(values), n),
        )
        return (member.T @ values)[self.component]

    def spread(self, sources: Sources, leak: float, tolerance: float) -> Sources:
        """Solve `(L + leak D) u = sources`, L the graph's Laplacian and D its degrees.

        In every component the sources are made to sum to 0, by drains in proportion to degrees.
        So every column has a solution whatever is labelled: it is 0 in components without a source,
        and elsewhere its mean, weighted by degrees, is 0.

        Parameters
        ----------
        sources : Sources
            One column a source.
        leak : float
            Positive; without it, only rounding would keep the mean at 0.
        tolerance : float
            Largest length of the residual, relative to that of the source.

        Raises
        ------
        InputError
            If the tolerance is not reached.
        """
        share = self.degrees / self.component_sums(self.degrees[:, None])[:, 0]
        balanced = sources - share[:, None] * self.component_sums(sources)
        return self._solve(balanced, leak, tolerance)

    def smooth(self, values: Sources, leak: float, tolerance: float) -> Sources:
        """Solve `(L + leak D) u = leak D values`: means over neighbours, near ones counting most.

        Parameters
        ----------
        values : Sources
            One column a quantity; rows that sum to 1 still do so after smoothing.
        leak : float
            Positive; the larger, the less is smoothed.
        tolerance : float
            As in `spread`.

        Raises
        ------
        InputError
            If the tolerance is not reached.
        """
        return self._solve(leak * self.degrees[:, None] * values, leak, tolerance)

    def _solve(self, right: Sources, leak: float, tolerance: float) -> Sources:
        scale = 1.0 / np.sqrt((1.0 + leak) * self.degrees)
        # Symmetric scaling to a unit diagonal: conjugate gradients preconditioned by it.
        off = (sp.diags_array(scale) @ self.weights @ sp.diags_array(scale)).tocsr()
        return scale[:, None] * conjugate_gradients(off, scale[:, None] * right, tolerance)


def build_graph(features: Rows, n_neighbors: int) -> Graph:
    """The graph of the rows `(n, d)`; with fewer than `n_neighbors` other nodes all are joined."""
    nodes, node_of = distinct_rows(np.ascontiguousarray(features, np.float32))
    if len(nodes) < 2:  # all rows are equal
        return Graph(nodes, sp.csr_array((len(nodes), len(nodes))), node_of, 1.0)
    neighbours, recall = nearest_to_all(nodes, min(n_neighbors, len(nodes) - 1))
    return Graph(nodes, symmetric_weights(neighbours, len(nodes)), node_of, recall)


def distinct_rows(rows: Rows) -> tuple[Nodes, Int[np.ndarray, " row"]]:
    """The rows that differ, in the order of their first appearance, and the number of each."""
    keys = row_keys(rows)
    first, node_of = _first_of(keys)
    if len(first) == len(rows):
        return rows, node_of
    nodes = rows[first]
    if not _same(rows, nodes, node_of):  # two rows of one key, which chance hardly makes
        words = (rows + np.float32(0.0)).view(np.uint32)
        first, node_of = _first_of(words.view(np.dtype((np.void, 4 * rows.shape[1]))).ravel())
        nodes = rows[first]
    return nodes, node_of


def row_keys(rows: Rows) -> NDArray:
    """A key of 128 bits for every row `(n, d)` float32, made in blocks to copy nothing large."""
    factors = np.random.default_rng(0).integers(2**64, size=(rows.shape[1], 2), dtype=np.uint64)
    keys = np.empty((len(rows), 2), np.uint64)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        plain = rows[part] + np.float32(0.0)  # -0 and 0 are equal, their bytes are not
        keys[part] = plain.view(np.uint32).astype(np.uint64) @ (factors | np.uint64(1))
    return keys.view(np.dtype((np.void, 16))).ravel()


def _first_of(keys: NDArray) -> tuple[Int[np.ndarray, " node"], Int[np.ndarray, " row"]]:
    """Where every key comes first, in order of place, and of every row the number of its key."""
    _, first, node_of = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return first[order], place[node_of]


def _same(rows: Rows, nodes: Nodes, node_of: Int[np.ndarray, " row"]) -> bool:
    starts = range(0, len(rows), BLOCK_ROWS)
    parts = (slice(start, start + BLOCK_ROWS) for start in starts)
    return all(np.array_equal(rows[part], nodes[node_of[part]]) for part in parts)


def edge_weights(squared: Float[np.ndarray, "query k"]) -> Float[np.ndarray, "query k"]:
    """`exp(-4 d^2 / d_k^2)`, `d_k` the distance of the last; all 1 where that is 0."""
    farthest = squared[:, -1:].astype(np.float64)
    ratio = squared / np.where(farthest > 0, farthest, 1.0)
    return np.exp(-NARROWNESS * ratio)


def symmetric_weights(found: Neighbours, n: int) -> sp.csr_array:
    """Mean of the weights of both directions, `(n, n)`."""
    k = found.places.shape[1]
    starts = np.arange(0, n * k + 1, k)
    one_way = sp.csr_array(
        (edge_weights(found.squared).ravel(), found.places.ravel(), starts), shape=(n, n)
    )
    return ((one_way + one_way.T) * 0.5).tocsr()


def conjugate_gradients(off: sp.csr_array, right: Sources, tolerance: float) -> Sources:
    """Solve `(I - off) x = right` for all columns at once; `off` `(n, n)` is symmetric.

    A column that has reached the tolerance is left as it is.
    """
    x, residual = np.zeros_like(right), right.copy()
    direction, length = residual.copy(), np.square(residual).sum(0)
    enough = tolerance**2 * length
    for _ in range(MOST_STEPS):
        going = length > enough
        if not going.any():
            return x
        along = direction - off @ direction
        curvature = (direction * along).sum(0)
        step = np.where(going, length / np.where(going, curvature, 1.0), 0.0)
        x += step * direction
        residual -= step * along
        after = np.square(residual).sum(0)
        direction *= np.where(going, after / np.where(going, length, 1.0), 0.0)
        direction += residual
        length = after
    raise InputError(
        f"labels did not spread over the graph within {MOST_STEPS} steps; raise the leak or the "
        "tolerance of the reading's settings"
    )
