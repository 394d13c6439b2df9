"""What tells, without labels to test on, how far each of the two readings is to be believed."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax

from metaplastic.readings.base import Labels
from metaplastic.readings.graph import Graph
from metaplastic.readings.settings import STATISTICS, ReadingSettings

Checked = Float[np.ndarray, "checked class"]
HeldOut = tuple[Checked, Checked, Int[np.ndarray, " checked"]]
"""Log probabilities of ridge and scores of the graph for rows left out, and their labels."""

DOUBLED = 2.0
"""Sharpness at which the graph's scores are asked how likely the labels left out are."""

MANY = 100.0
"""Labels from which on the share of those found says all that it can."""

FAR = 2.0
"""Largest difference of likelihoods that is believed, in nats a row."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Values of `STATISTICS`, and the weights that follow from them."""

    values: dict[str, float]
    linear: float
    graph: float

    def tell(self) -> str:
        """In words."""
        values = self.values
        parts = [
            f"The two readings agree on {100 * values['agreement']:.0f} % of the pool.",
            f"The classes of the linear reading cut {100 * values['cut_linear']:.0f} % of the "
            f"graph, those of the graph reading {100 * values['cut_graph']:.0f} %.",
        ]
        if values["likelihood"]:
            better = "graph" if values["likelihood"] > 0 else "linear"
            parts.append(
                f"Of labelled rows left out, the {better} reading says more "
                f"({abs(values['likelihood']):.2f} nats a row)."
            )
        return " ".join(parts)


def statistics(
    graph: Graph,
    linear_scores: Float[np.ndarray, "node class"],
    graph_scores: Float[np.ndarray, "node class"],
    labels: Labels,
    held_out: HeldOut,
) -> dict[str, float]:
    """Values of `STATISTICS` for a pool and its labels.

    Parameters
    ----------
    graph : Graph
        The graph of the pool.
    linear_scores : ndarray (node, class) of float
        Scores of the linear reading for the graph's nodes.
    graph_scores : ndarray (node, class) of float
        Scores of the graph reading for the graph's nodes.
    labels : Labels
        Labels of the labelled rows.
    held_out : HeldOut
        Log probabilities of the linear reading and scores of the graph for labelled rows left out,
        and their labels.
    """
    linear, spread = linear_scores.argmax(1), graph_scores.argmax(1)
    hits, n_classes = hit_gain(*held_out), graph_scores.shape[1]
    return {
        "one": 1.0,
        "log_labels": float(np.log(len(labels) / n_classes)),
        "log_classes": float(np.log(n_classes / 3.0)),
        "agreement": float(np.average(linear == spread, weights=graph.counts)),
        "cut_linear": cut(graph, linear),
        "cut_graph": cut(graph, spread),
        "hits": hits,
        "many_hits": hits * min(1.0, float(np.sqrt(len(labels) / MANY))),
        "likelihood": likelihood_gain(*held_out),
    }


def weigh(values: Mapping[str, float], settings: ReadingSettings) -> Evidence:
    """The weights of the readings that follow from the values of statistics."""
    given = np.array([values[name] for name in STATISTICS])
    fading = np.exp(-2.0 * values["log_labels"])  # 1 with one label a class, soon 0
    sure = float(
        np.exp(np.clip(given @ np.array(settings.sharpness), settings.least, settings.most))
    )
    weights = [
        float(np.exp(np.clip(given @ np.array(factors), settings.least, settings.most)))
        * float(single**fading)
        * sure
        for factors, single in zip((settings.linear, settings.graph), settings.single, strict=True)
    ]
    return Evidence(dict(values), *weights)


def cut(graph: Graph, classes: Int[np.ndarray, " node"]) -> float:
    """Share of the graph's weight between nodes of different classes; 0 without edges."""
    edges = graph.weights.tocoo()
    if not len(edges.data):
        return 0.0
    row, column = edges.coords
    apart = classes[row] != classes[column]
    return float(edges.data[apart].sum() / edges.data.sum())


def hit_gain(linear: Checked, spread: Checked, labels: Int[np.ndarray, " checked"]) -> float:
    """How many more labels left out the graph finds, as a share of them; 0 without any."""
    if not len(labels):
        return 0.0
    return float(np.mean(spread.argmax(1) == labels) - np.mean(linear.argmax(1) == labels))


def likelihood_gain(linear: Checked, spread: Checked, labels: Int[np.ndarray, " checked"]) -> float:
    """How much more likely the graph makes labels left out, in nats a row; 0 without any."""
    if not len(labels):
        return 0.0
    own = np.arange(len(labels)), labels
    gain = log_softmax(DOUBLED * spread, axis=1)[own] - log_softmax(linear, axis=1)[own]
    return float(np.clip(gain.mean(), -FAR, FAR))
