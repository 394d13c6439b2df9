"""Random pairs of units, and how a rule changes the weight between them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.models import MLP, Trace
from metaplastic.studies.paper.common import rounded

LEVELS = {
    "quiet input": (-np.inf, -0.5),
    "middling input": (-0.5, 0.5),
    "strong input": (0.5, np.inf),
}
"""Standardised pre-synaptic activity, cut in three."""

BINS = 12
PAIRS = 400_000


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Random (sample, input, unit) of one layer, and what is seen there."""

    sample: NDArray[np.int64]
    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    x: NDArray[np.float64]
    """Pre-synaptic activity, standardised over the batch."""

    z: NDArray[np.float64]
    y: NDArray[np.float64]
    w: NDArray[np.float64]
    threshold: NDArray[np.float64]
    """Mean of the unit's squared output over the batch, as in BCM."""

    @classmethod
    def draw(cls, model: MLP, trace: Trace, layer: int, random: np.random.Generator) -> "Pairs":
        seen = trace[layer]
        pre, drive, post = (np.asarray(a, np.float64) for a in (seen.pre, seen.drive, seen.post))
        active = np.flatnonzero(pre.std(0) > 1e-3 * pre.std())
        s = random.integers(len(pre), size=PAIRS)
        i = active[random.integers(len(active), size=PAIRS)]
        j = random.integers(drive.shape[1], size=PAIRS)
        standard = (pre - pre.mean(0)) / np.maximum(pre.std(0), 1e-12)
        weight = np.asarray(model.layers[layer].weight, np.float64)
        power = np.square(post).mean(0)
        return cls(s, i, j, standard[s, i], drive[s, j], post[s, j], weight[i, j], power[j])

    def binned(self, change: NDArray) -> dict[str, Any]:
        """Per level of input: mean drive and mean change in bins of drive."""
        change = change / max(float(np.sqrt(np.square(change).mean())), 1e-12)
        edges = np.quantile(self.z, np.linspace(0, 1, BINS + 1))
        bins = {}
        for level, (low, high) in LEVELS.items():
            chosen = (self.x >= low) & (self.x < high)
            place = np.clip(np.searchsorted(edges, self.z[chosen]) - 1, 0, BINS - 1)
            count = np.maximum(np.bincount(place, minlength=BINS), 1)
            drive = np.bincount(place, self.z[chosen], BINS) / count
            bins[level] = [
                rounded(drive, 3),
                rounded(np.bincount(place, change[chosen], BINS) / count, 4),
            ]
        return bins


CLASSICAL: Mapping[str, Callable[[Pairs], NDArray]] = {
    "Hebb": lambda p: p.x * p.z,
    "Oja": lambda p: p.z * (p.x - p.z * p.w),
    "BCM": lambda p: p.x * p.y * (p.y - p.threshold),
}
"""What a sample adds to the change of a weight, up to a factor."""
