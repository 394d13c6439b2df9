"""A pool whose labels come one by one: what a labelled row spreads is computed once and kept."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float

from metaplastic.readings.graph import Graph, Sources
from metaplastic.readings.pool import ReadingPool

_Key = tuple[int, float, float]


@dataclasses.dataclass(frozen=True, eq=False)
class RememberedGraph(Graph):
    """A graph that solves for every source once.

    `spread` is linear in its sources, and sources are few nodes. So what a node spreads is solved
    for when it is first a source; afterwards labels, and labels left out, are sums of these.
    """

    kept: dict[_Key, Float[np.ndarray, " node"]] = dataclasses.field(default_factory=dict)

    def spread(self, sources: Sources, leak: float, tolerance: float) -> Sources:
        places = np.flatnonzero(sources.any(axis=1))
        keys = [(int(place), leak, tolerance) for place in places]
        missing = [key for key in keys if key not in self.kept]
        if missing:
            unit = np.zeros((len(self.nodes), len(missing)))
            unit[[key[0] for key in missing], np.arange(len(missing))] = 1.0
            solved = super().spread(unit, leak, tolerance)
            self.kept.update(zip(missing, np.ascontiguousarray(solved.T), strict=True))
        if not keys:
            return np.zeros_like(sources)
        return np.stack([self.kept[key] for key in keys], axis=1) @ sources[places]


class RememberedPool(ReadingPool):
    """A `ReadingPool` that is quick to fit again when a row or two have got a label.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.readings.remembered import RememberedPool
    >>> features = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    >>> features[:30] += 5
    >>> pool = RememberedPool(features)
    >>> for rows in ([0, 59], [0, 59, 7]):
    ...     reading = pool.fit("graph", np.array(rows), np.array([0, 1, 0])[: len(rows)])
    >>> reading.scores(features[[3, 50]]).argmax(1), len(pool.graph.kept)
    (array([0, 1]), 3)
    """

    @functools.cached_property
    def graph(self) -> RememberedGraph:
        """Of the nearest rows."""
        plain = super().graph
        fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
        return RememberedGraph(**fields)
