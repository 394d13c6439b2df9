"""What "auto" weighs: ridge, and both readings spread anew, on the nodes of the graph."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax

from metaplastic.readings.evidence import DOUBLED, statistics
from metaplastic.readings.graph import Graph
from metaplastic.readings.joint import spread_both
from metaplastic.readings.poisson import Spread
from metaplastic.readings.shares import Shares, shift_to_shares

NodeValues = Float[np.ndarray, "node class"]


@dataclasses.dataclass(frozen=True, eq=False)
class Together:
    """Log probabilities of the nodes, and what tells how far to believe them.

    `linear` is without its shift towards the expected shares of the classes.
    """

    linear: NodeValues
    joint: NodeValues
    shift: Shares
    values: dict[str, float]
    """Of `readings.settings.STATISTICS`."""


def read_together(
    graph: Graph,
    linear: NodeValues,
    spread: Spread,
    rows: Int[np.ndarray, " labelled"],
    labels: Int[np.ndarray, " labelled"],
    held_out: Float[np.ndarray, "labelled class"],
    shares: Shares,
    far: float,
) -> Together:
    """Both readings of the nodes, and their statistics.

    Parameters
    ----------
    graph : Graph
        Of the pool.
    linear : ndarray (node, class) of float
        Scores of ridge for every node, sharpened.
    spread : Spread
        Labels spread over the graph.
    rows : ndarray (labelled,) of int
        Numbers of the labelled rows.
    labels : ndarray (labelled,) of int
        Their classes.
    held_out : ndarray (labelled, class) of float
        Scores of ridge for every labelled row left out, sharpened.
    shares : ndarray (class,) of float
        Expected shares of the classes.
    far : float
        How far scores are shifted towards them, from 0 to 1.
    """
    linear, spreads = log_softmax(linear, axis=1), DOUBLED * spread.values
    shift, other = (far * shift_to_shares(said, shares, graph.counts) for said in (linear, spreads))
    left_out = held_out[spread.checked], spread.held_out, labels[spread.checked]
    values = statistics(graph, linear + shift, spreads + other, labels, left_out)
    if len(linear) > 1:
        places = graph.node_of[rows]
        joint = spread_both(graph, linear, spread.values, places, labels, shares, far)
    else:  # all rows are equal
        joint = np.zeros_like(linear)
    return Together(linear, joint, shift, values)
