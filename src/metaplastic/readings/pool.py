"""The features of a pool, prepared once for any number of readings."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from metaplastic.errors import InputError
from metaplastic.readings import neighbours
from metaplastic.readings.auto import CombinedReading
from metaplastic.readings.base import (
    AbstractReading,
    Features,
    Labels,
    overall_factor,
)
from metaplastic.readings.evidence import Evidence, weigh
from metaplastic.readings.graph import BLOCK_ROWS, Graph, build_graph
from metaplastic.readings.logistic import fit_logistic, standardisation
from metaplastic.readings.neighbours import Neighbours
from metaplastic.readings.poisson import GraphReading, NodeScores, Spread, spread_labels
from metaplastic.readings.ridge import RidgeReading, fit_paper_ridge, read_ridge
from metaplastic.readings.settings import DEFAULT, ReadingSettings
from metaplastic.readings.shares import expected_shares, log_shares, shift_to_shares
from metaplastic.readings.sharpness import fit_sharpness
from metaplastic.readings.together import Together, read_together

FADING = -0.7
"""Power of the labels a class with which what is expected of the shares gives way to them."""

Prior = Float[np.ndarray, " class"] | None


@dataclasses.dataclass(frozen=True, eq=False)
class ReadingPool:
    """Features `(n, d)` of all rows of a pool; the graph is made when it is first needed.

    Parameters
    ----------
    features : Features
        Features of all rows, labelled or not.
    settings : ReadingSettings, default=DEFAULT
        Settings of the graph and of the combination.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.readings import ReadingPool
    >>> features = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    >>> features[:30] += 5
    >>> reading = ReadingPool(features).fit("graph", np.array([0, 59]), np.array([0, 1]))
    >>> reading.scores(features[[3, 50]]).argmax(1)
    array([0, 1])
    """

    features: Features
    settings: ReadingSettings = DEFAULT

    @functools.cached_property
    def factor(self) -> float:
        """Of all features, for ridge."""
        return overall_factor(self.features)

    @functools.cached_property
    def standardisation(self) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]:
        """Of every column, for logistic regression."""
        return standardisation(self.features)

    @functools.cached_property
    def shift(self) -> Float[np.ndarray, " dim"]:
        """Mean of the features: distances round less once it is taken away."""
        return self.features.mean(0, dtype=np.float64).astype(np.float32)

    @functools.cached_property
    def graph(self) -> Graph:
        """Of the nearest rows."""
        rows = np.asarray(self.features, np.float32) - self.shift
        most = neighbours.EXACT_ROWS
        if len(rows) <= most or find_spec("faiss") is not None:
            return build_graph(rows, self.settings.n_neighbors)
        warnings.warn(
            f"the graph of {len(rows)} rows is made of {most} of them; all are used with the extra "
            "neighbours: pip install 'metaplastic[neighbours]'",
            stacklevel=2,
        )
        kept = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
        graph = build_graph(rows[kept], self.settings.n_neighbors)
        nearest = neighbours.exact_search(graph.nodes, rows, 1).places[:, 0]
        return dataclasses.replace(graph, node_of=nearest)

    @functools.cached_property
    def kept(self) -> Int[np.ndarray, " kept"]:
        """Nodes of the graph that readings keep, to compare new rows with."""
        count, most = len(self.graph.nodes), neighbours.EXACT_ROWS
        if count <= most:
            return np.arange(count)
        return np.sort(np.random.default_rng(1).choice(count, most, replace=False))

    @functools.cached_property
    def near(self) -> Neighbours:
        """Nodes nearest to every row of the pool."""
        return self._node_scores(np.zeros((len(self.graph.nodes), 1))).nearest(self.features)

    def fit(
        self, name: str, rows: Int[np.ndarray, " row"], labels: Labels, prior: Prior = None
    ) -> AbstractReading:
        """Fit a reading to labelled rows of the pool.

        Parameters
        ----------
        name : str
            A name of `READINGS`.
        rows : ndarray (row,) of int
            Numbers of the labelled rows.
        labels : Labels
            Their class numbers, `0..C-1`, each at least once, `C >= 2`.
        prior : Prior, optional
            Shares of the classes, for the readings of the graph; those of the labelled rows if left
            out.

        Returns
        -------
        AbstractReading
            It reads rows of the pool and other rows.

        Raises
        ------
        InputError
            For a name that is none of `READINGS`.
        """
        return READINGS[check_reading(name)](self, rows, labels, prior)

    def scores(self, reading: AbstractReading, rows: Int[np.ndarray, " row"]) -> Any:
        """What a reading says of rows of the pool, the search for neighbours made once."""
        return reading.scores(self.features[rows], self._near(reading, rows))

    def probabilities(self, reading: AbstractReading, rows: Int[np.ndarray, " row"]) -> Any:
        """As `scores`, probabilities."""
        return reading.probabilities(self.features[rows], self._near(reading, rows))

    def _near(self, reading: AbstractReading, rows: Int[np.ndarray, " row"]) -> Neighbours | None:
        if not isinstance(reading, (GraphReading, CombinedReading)):
            return None
        return Neighbours(self.near.places[rows], self.near.squared[rows])

    def _node_scores(self, values: Float[np.ndarray, "node class"]) -> NodeScores:
        nodes = self.graph.nodes[self.kept]
        k = min(self.settings.n_neighbors, len(nodes))
        return NodeScores(self.shift, nodes, values[self.kept], k)


def check_reading(name: Any) -> str:
    """Check the name of a reading.

    Parameters
    ----------
    name : object
        What the user gave.

    Returns
    -------
    str
        The name.

    Raises
    ------
    InputError
        If it is not one of `READINGS`.
    """
    if isinstance(name, str) and name in READINGS:
        return name
    raise InputError(f"unknown reading {name!r}; choose one of {', '.join(READINGS)}")


def _ridge(pool: ReadingPool, rows: Any, labels: Labels, prior: Prior) -> AbstractReading:
    return read_ridge(pool.factor, pool.features[rows], labels)[0]


def _paper(pool: ReadingPool, rows: Any, labels: Labels, prior: Prior) -> AbstractReading:
    return fit_paper_ridge(pool.features[rows], labels)


def _logistic(pool: ReadingPool, rows: Any, labels: Labels, prior: Prior) -> AbstractReading:
    return fit_logistic(*pool.standardisation, pool.features[rows], labels)


def _graph(pool: ReadingPool, rows: Any, labels: Labels, prior: Prior) -> AbstractReading:
    spread = _spread(pool, rows, labels)
    sharpness = fit_sharpness(spread.held_out, labels[spread.checked])
    story = f"{_told(pool, labels)} Rows are read through their nearest rows of the pool."
    start, shares = log_shares(labels, prior), expected_shares(labels, prior)
    shift = shift_to_shares(sharpness * spread.values + start, shares, pool.graph.counts)
    bias = start + _far(pool, labels, prior) * shift
    return GraphReading(pool._node_scores(spread.values), bias, sharpness, story)


def _auto(pool: ReadingPool, rows: Any, labels: Labels, prior: Prior) -> AbstractReading:
    ridge, read = read_pool_together(pool, rows, labels, prior)
    found = weigh(read.values, pool.settings)
    # Both know the shares of the labelled rows already.
    values, bias = found.graph * read.joint, found.linear * read.shift
    if prior is not None:
        both = found.linear * read.linear + values + bias
        bias = bias + shift_to_shares(both, prior, pool.graph.counts)
    parts = (_verdict(found), ridge.explain(), _told(pool, labels), found.tell())
    nodes = pool._node_scores(values)
    return CombinedReading(ridge, nodes, found.linear, bias, " ".join(parts), found.values)


def read_pool_together(
    pool: ReadingPool, rows: Any, labels: Labels, prior: Prior = None
) -> tuple[RidgeReading, Together]:
    """What "auto" weighs: the reading of ridge, and both readings of the graph's nodes."""
    ridge, held_out = read_ridge(pool.factor, pool.features[rows], labels)
    shares, far = expected_shares(labels, prior), _far(pool, labels, prior)
    linear, left_out = ridge.sharpness * _of_nodes(pool, ridge), ridge.sharpness * held_out
    spread = _spread(pool, rows, labels)
    together = read_together(pool.graph, linear, spread, rows, labels, left_out, shares, far)
    return ridge, together


def _far(pool: ReadingPool, labels: Labels, prior: Prior) -> float:
    """How far scores are shifted towards the expected shares: all the way to given ones."""
    each = len(labels) / (int(labels.max()) + 1)
    return pool.settings.balance * each**FADING if prior is None else 1.0


def _of_nodes(pool: ReadingPool, reading: RidgeReading) -> Float[np.ndarray, "node class"]:
    nodes = pool.graph.nodes
    starts = range(0, len(nodes), BLOCK_ROWS)
    parts = [reading.scores(nodes[start : start + BLOCK_ROWS] + pool.shift) for start in starts]
    return np.concatenate(parts)


def _spread(pool: ReadingPool, rows: Any, labels: Labels) -> Spread:
    if len(pool.graph.nodes) > 1:
        return spread_labels(pool.graph, rows, labels, pool.settings)
    nothing = np.zeros((1, int(labels.max()) + 1))
    return Spread(nothing, np.zeros(0, np.int64), nothing[:0])


def _told(pool: ReadingPool, labels: Labels) -> str:
    graph = pool.graph
    parts = int(graph.component.max()) + 1
    recall = "" if graph.recall == 1 else f" (recall {100 * graph.recall:.0f} %)"
    return (
        f"The labels of {len(labels)} rows were spread over a graph of {len(graph.nodes)} rows "
        f"that differ, each joined to its {pool.settings.n_neighbors} nearest{recall}, in {parts} "
        f"component{'s' if parts > 1 else ''}."
    )


def _verdict(found: Evidence) -> str:
    ratio = found.graph / found.linear
    words = "more than" if ratio > 1.5 else "less than" if ratio < 1 / 1.5 else "about as much as"
    return (
        f"The graph was believed {words} the linear reading (weights {found.graph:.2f} and "
        f"{found.linear:.2f})."
    )


READINGS: dict[str, Callable[[ReadingPool, Any, Labels, Prior], AbstractReading]] = {
    "auto": _auto,
    "graph": _graph,
    "ridge": _ridge,
    "logistic": _logistic,
    "ridge_paper": _paper,
}
"""Ways to read classes, by name."""
