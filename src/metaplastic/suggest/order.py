"""Rows of a pool in the order in which to label them."""

import heapq
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from metaplastic.errors import InputError
from metaplastic.readings.graph import distinct_rows
from metaplastic.readings.neighbours import leading_components
from metaplastic.suggest.clusters import Cluster, find_clusters, rank_cluster
from metaplastic.suggest.helpful import helpful_nodes

MOST_CLUSTERS = 500
"""Most clusters; beyond, each gives several rows."""

ENOUGH = 20
"""Labels from which on doubt counts for more than being typical."""

NONE = np.zeros(0, np.int64)

Rows = Int[np.ndarray, " suggested"]


def suggest_rows(
    features: Float[np.ndarray, "row dim"],
    n: int,
    *,
    labelled: Int[np.ndarray, " labelled"] = NONE,
    unsure: Float[np.ndarray, " row"] | None = None,
    seed: int = 0,
) -> Rows:
    """Numbers of `n` rows without a label, in the order in which to label them.

    Typical clustering (Hacohen, Dekel, Weinshall 2022, arXiv 2202.02794): the features fall into
    as many clusters as there will be labels. Clusters with the fewest labelled rows come first,
    among them the heaviest, by rows or by the sum of `unsure`; each gives its most typical row.

    From 20 labels on, with `unsure` known, rows come first whose labels would leave least open of
    the others (`helpful_nodes`). They hold for the present reading: at most half as many as labels.

    Parameters
    ----------
    features : ndarray (row, dim) of float
        Features of all rows of the pool.
    n : int
        Number of rows to suggest, or all rows without a label if there are fewer.
    labelled : ndarray (labelled,) of int, default=NONE
        Numbers of the rows that have a label.
    unsure : ndarray (row,) of float, optional
        For every row the chance that its present reading is wrong, 0 to 1.
    seed : int, default=0
        Seed of the clusters.

    Returns
    -------
    Rows
        Numbers of rows, the first to label first.

    Raises
    ------
    InputError
        If `n` is below 1, all rows are labelled, or there are no rows.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.suggest import suggest_rows
    >>> features = np.repeat(np.eye(3), [50, 30, 20], axis=0)
    >>> features += 0.01 * np.random.default_rng(0).normal(size=features.shape)
    >>> rows = suggest_rows(features, 3)
    >>> np.searchsorted([50, 80], rows, side="right").tolist()  # one of every group, largest first
    [0, 1, 2]
    """
    count = _check(features, n, labelled)
    nodes, node_of = distinct_rows(np.ascontiguousarray(features, np.float32))
    short = leading_components(nodes - nodes.mean(0))
    known = np.zeros(len(nodes), bool)
    known[node_of[labelled]] = True
    times = np.bincount(node_of, minlength=len(nodes)).astype(np.float64)
    weights = times if unsure is None else np.bincount(node_of, unsure, minlength=len(nodes))
    helpful = 0 if unsure is None else _helpful(len(np.unique(labelled)))
    chosen = _chosen(short, times, weights, known, min(helpful, count), count, seed)
    return _rows_of(chosen, node_of, labelled, count)


def _helpful(n_labels: int) -> int:
    """How many rows may be chosen by one reading of so many labels."""
    return n_labels // 2 if n_labels >= ENOUGH else 0


def _chosen(
    nodes: Float[np.ndarray, "node dim"],
    times: Float[np.ndarray, " node"],
    weights: Float[np.ndarray, " node"],
    known: np.ndarray,
    n_helpful: int,
    count: int,
    seed: int,
) -> Iterator[int]:
    """Nodes without a label: the helpful ones, then typical ones of clusters in turn."""
    n_clusters = min(int(known.sum()) + count, MOST_CLUSTERS, len(nodes))
    if n_helpful:
        first = helpful_nodes(nodes, times, weights / times, known, n_helpful, seed)
        yield from first.tolist()
        known = known.copy()
        known[first] = True
    cluster = find_clusters(nodes, n_clusters, times, seed)
    yield from _in_turn(nodes, cluster, np.where(known, 0.0, weights), known, seed)


def _check(features: Any, n: int, labelled: Any) -> int:
    """How many rows there are to suggest."""
    if n < 1:
        raise InputError(f"n is the number of rows to suggest, at least 1, got {n}")
    if not len(features):
        raise InputError("there are no rows to suggest from; give at least one")
    free = len(features) - len(np.unique(labelled))
    if not free:
        raise InputError(f"all {len(features)} rows have a label; there is none left to suggest")
    return min(n, free)


def _in_turn(
    nodes: Float[np.ndarray, "node dim"],
    cluster: Int[np.ndarray, " node"],
    weights: Float[np.ndarray, " node"],
    known: np.ndarray,
    seed: int,
) -> Iterator[int]:
    """Nodes without a label: always of a cluster with the fewest labels, the heaviest of them."""
    members = [np.flatnonzero(cluster == c) for c in range(int(cluster.max()) + 1)]
    queue = [(int(known[m].sum()), -float(weights[m].sum()), c) for c, m in enumerate(members)]
    heapq.heapify(queue)
    waiting: dict[int, Iterator[int]] = {}
    while queue:
        labels, weight, c = heapq.heappop(queue)
        if c not in waiting:
            waiting[c] = _of_cluster(rank_cluster(nodes, members[c], seed), known)
        node = next(waiting[c], None)
        if node is not None:
            heapq.heappush(queue, (labels + 1, weight, c))
            yield node


def _of_cluster(cluster: Cluster, known: np.ndarray) -> Iterator[int]:
    """Typical nodes, those last that are among the nearest of a node with a label."""
    close = set(cluster.near[known[cluster.rows]].ravel().tolist())
    later = []
    for node, near in zip(cluster.rows.tolist(), cluster.near.tolist(), strict=True):
        if known[node]:
            continue
        if node in close:
            later.append(node)
            continue
        close.update(near)
        yield node
    yield from later


def _rows_of(chosen: Iterator[int], node_of: Any, labelled: Any, count: int) -> Rows:
    """The first row of every chosen node, then the rows that repeat others."""
    first = np.full(int(node_of.max()) + 1, -1)
    first[node_of[::-1]] = np.arange(len(node_of))[::-1]
    rows = [int(first[node]) for _, node in zip(range(count), chosen, strict=False)]
    if len(rows) < count:
        free = np.ones(len(node_of), bool)
        free[labelled] = False
        free[rows] = False
        rows += np.flatnonzero(free)[: count - len(rows)].tolist()
    return np.array(rows, np.int64)
