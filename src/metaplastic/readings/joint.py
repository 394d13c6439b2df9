"""Both readings spread anew: what ridge and the graph say together, made smooth over the graph.

Source of the smoothing: Zhou et al. 2004, "Learning with local and global consistency", started
from probabilities of all nodes instead of labels alone.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from metaplastic.readings.base import one_hot
from metaplastic.readings.graph import Graph
from metaplastic.readings.shares import Shares, shift_to_shares

NodeValues = Float[np.ndarray, "node class"]

LINEAR, SPREAD, FEW = 0.5, 1.0, 1.5
"""Weights in the product that is spread: of log probabilities, and of the graph's scores. With `k`
labels a class the latter is `SPREAD + FEW / k`: the fewer labels, the less ridge can know."""

LEAK = 0.25
"""Of the smoothing: a node keeps a fifth of what is said of itself."""

TOLERANCE = 1e-3
LEAST = 1e-4
"""Least probability."""


def spread_both(
    graph: Graph,
    linear: NodeValues,
    spread: NodeValues,
    places: Int[np.ndarray, " labelled"],
    labels: Int[np.ndarray, " labelled"],
    shares: Shares,
    far: float,
) -> NodeValues:
    """Logarithms of smoothed probabilities `(node, class)`.

    Parameters
    ----------
    graph : Graph
        Of the pool.
    linear : ndarray (node, class) of float
        Log probabilities of ridge for every node.
    spread : ndarray (node, class) of float
        Scores of the graph for every node.
    places : ndarray (labelled,) of int
        Nodes of the labelled rows.
    labels : ndarray (labelled,) of int
        Their classes.
    shares : Shares
        Expected shares of the classes.
    far : float
        How far scores are shifted towards the shares.
    """
    # Ridge knows the shares of the labelled rows, the graph does not.
    known = (1.0 - LINEAR) * (np.log(shares) - np.log(shares).mean())
    weight = SPREAD + FEW * linear.shape[1] / len(labels)
    both = LINEAR * linear + weight * spread + known
    start = softmax(both + far * shift_to_shares(both, shares, graph.counts), axis=1)
    start[places] = one_hot(labels, start.shape[1])
    return np.log(np.maximum(graph.smooth(start, LEAK, TOLERANCE), LEAST))
