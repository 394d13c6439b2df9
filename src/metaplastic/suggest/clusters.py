"""Clusters of rows, and how typical a row is of its own."""

import dataclasses
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from metaplastic.readings.neighbours import exact_search

Nodes = Float[np.ndarray, "node dim"]
Numbers = Int[np.ndarray, " node"]

TYPICAL_OF = 20
"""Nearest rows by whose distance a row is typical (Hacohen et al. 2022)."""

MOST_COMPARED = 10_000
"""Rows of a cluster that are compared with each other; of a larger one a sample."""

SMALL = 20_000
"""Rows from which on centres are found by batches."""

RESTARTS = 5
"""Starts of k-means, of which the best is taken."""

CHEAP = 1_000_000
"""Rows times clusters up to which there are so many starts; beyond, one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cluster:
    """Rows of one cluster, the most typical first, and of each the nearest within the cluster."""

    rows: Int[np.ndarray, " own"]
    near: Int[np.ndarray, "own k"]


def find_clusters(
    nodes: Nodes, n_clusters: int, weights: Float[np.ndarray, " node"], seed: int
) -> Numbers:
    """Of every node `(n, d)` the number of its cluster, by k-means.

    Parameters
    ----------
    nodes : Nodes
        Rows that differ.
    n_clusters : int
        At most `n`.
    weights : ndarray (node,) of float
        How often each row is there.
    seed : int
        Of the first centres.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans  # Half a second; few ask for rows.
    from sklearn.exceptions import ConvergenceWarning

    often = RESTARTS if len(nodes) * n_clusters <= CHEAP else 1
    options: Any = {"n_init": often, "random_state": seed}
    if len(nodes) <= SMALL:
        means = KMeans(n_clusters, **options)
    else:
        means = MiniBatchKMeans(n_clusters, batch_size=4096, **options)
    with warnings.catch_warnings():
        # Fewer clusters than asked for are no harm: each of them gets a row.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(means.fit_predict(nodes, sample_weight=weights), np.int64)


def rank_cluster(nodes: Nodes, rows: Int[np.ndarray, " own"], seed: int) -> Cluster:
    """The rows of a cluster by the mean distance to their nearest within it, least first.

    Of more than `MOST_COMPARED` rows a sample is ranked; the others follow in their order.
    """
    rest = np.zeros(0, np.int64)
    if len(rows) > MOST_COMPARED:
        kept = np.zeros(len(rows), bool)
        chosen = np.random.default_rng(seed).choice(len(rows), MOST_COMPARED, replace=False)
        kept[chosen] = True
        rows, rest = rows[kept], rows[~kept]
    k = min(TYPICAL_OF, len(rows) - 1)
    if k < 1:
        return Cluster(rows, np.zeros((len(rows), 0), np.int64))
    own = np.ascontiguousarray(nodes[rows], np.float32)
    nearest = exact_search(own, own, k, without=np.arange(len(own)))
    order = np.argsort(np.sqrt(nearest.squared).mean(1), kind="stable")
    near = rows[nearest.places[order]]
    unknown = np.repeat(rest[:, None], k, axis=1)  # of no other row
    return Cluster(np.concatenate([rows[order], rest]), np.concatenate([near, unknown]))
