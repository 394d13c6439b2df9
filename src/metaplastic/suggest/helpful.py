"""Rows whose label would help the others most: what the graph leaves open, where there is doubt."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import laplacian

from metaplastic.readings.graph import symmetric_weights
from metaplastic.readings.neighbours import exact_search

Nodes = Float[np.ndarray, "node dim"]
PerNode = Float[np.ndarray, " node"]
Covariance = Float[np.ndarray, "node node"]

MOST_NODES = 2000
"""Nodes without a label that are compared; of more a sample."""

MOST_KNOWN = 1000
"""Nodes with a label that count; of more a sample."""

NEIGHBOURS = 10
LEAK = 0.01
"""Added to the eigenvalues of the graph's Laplacian, which are from 0 to 2."""

NOISE = 0.1
"""Variance of what a label says, as a part of the mean variance of the nodes."""


def helpful_nodes(
    nodes: Nodes,
    times: PerNode,
    doubt: PerNode,
    known: Bool[np.ndarray, " node"],
    n: int,
    seed: int,
) -> Int[np.ndarray, " chosen"]:
    """The `n` nodes whose labels would leave least open of the others, weighed by their doubt.

    Labels are taken for values of a Gaussian field on the graph of the nodes, whose precision is
    the normalised Laplacian. Node v lowers the sum of all variances by
    `sum_i times_i C_iv^2 / (C_vv + noise)` (V-optimality, Ji and Han 2012); with its doubt as a
    factor (as Miller and Bertozzi 2024 do) it is also one that the reading may have wrong. C is
    the covariance given all labels and the nodes chosen before.

    Parameters
    ----------
    nodes : Nodes
        Rows that differ.
    times : ndarray (node,) of float
        How often each row is there.
    doubt : ndarray (node,) of float
        The chance that what is read of it is wrong.
    known : ndarray (node,) of bool
        Whether it has a label.
    n : int
        How many; fewer if there are no more, or if the others have no doubt.
    seed : int
        Of the sample.

    Returns
    -------
    ndarray (chosen,) of int
        Numbers of nodes, the most helpful first.
    """
    free, labelled = _sample(~known, MOST_NODES, seed), _sample(known, MOST_KNOWN, seed)
    kept = np.concatenate([free, labelled])
    if len(free) < 1 or len(kept) < 3:
        return free[:n]
    covariance = _covariance(nodes[kept])
    noise = NOISE * float(covariance.diagonal().mean())
    given = covariance[:, len(free) :]
    block = given[len(free) :] + noise * np.eye(len(labelled))
    covariance = (covariance - given @ np.linalg.solve(block, given.T))[: len(free), : len(free)]
    return free[_in_order(covariance, times[free], doubt[free], noise, n)]


def _sample(which: Bool[np.ndarray, " node"], most: int, seed: int) -> Int[np.ndarray, " kept"]:
    numbers = np.flatnonzero(which)
    if len(numbers) <= most:
        return numbers
    return np.sort(np.random.default_rng([seed, len(numbers)]).choice(numbers, most, replace=False))


def _covariance(nodes: Nodes) -> Covariance:
    """Of the field on the graph of these nodes, before any label."""
    rows = np.ascontiguousarray(nodes, np.float32)
    near = exact_search(rows, rows, min(NEIGHBOURS, len(rows) - 1), without=np.arange(len(rows)))
    own: Any = laplacian(symmetric_weights(near, len(rows)), normed=True)
    return np.linalg.inv(own.toarray() + LEAK * np.eye(len(rows)))


def _in_order(
    covariance: Covariance, times: PerNode, doubt: PerNode, noise: float, n: int
) -> list[int]:
    left, chosen = np.maximum(doubt, 0.0).copy(), []
    for _ in range(min(n, len(left))):
        lowered = (times @ np.square(covariance)) / (covariance.diagonal() + noise)
        best = int(np.argmax(lowered * left))
        if left[best] <= 0:
            break
        chosen.append(best)
        left[best] = 0.0
        column = covariance[:, best].copy()
        covariance -= np.outer(column, column / (column[best] + noise))
    return chosen
