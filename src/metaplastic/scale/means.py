"""Means of clipped gradients: what workers send, reducers add up and the learner weighs."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Vector = Float[np.ndarray, " theta"]


@dataclasses.dataclass(frozen=True)
class BucketMean:
    """Mean of gradients of one bucket under one theta, each of them clipped by itself.

    Attributes
    ----------
    bucket : int
        Index of the bucket.
    first : int
        Least index of a task in it; puts results in an order that timing does not change.
    version : int
        Number of the update whose theta the gradients belong to.
    count : int
        Gradients in the mean.
    gradient : float32 array (theta,)
        The mean.
    metrics : dict of arrays (count,)
        What was found of every gradient, its norm and loss among them.
    seconds : float
        Time that workers took.
    """

    bucket: int
    first: int
    version: int
    count: int
    gradient: Vector
    metrics: dict[str, NDArray]
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether the gradient has neither NaN nor infinity."""
        return bool(np.all(np.isfinite(self.gradient)))


class Sums:
    """Adds means up until they are taken, those of each bucket and version by themselves.

    The order in which they are added changes a sum by rounding alone, and nothing else.
    """

    def __init__(self, means: Iterable[BucketMean] = ()) -> None:
        self.count = 0
        self._sums: dict[tuple[int, int], NDArray[np.float64]] = {}
        self._parts: dict[tuple[int, int], list[BucketMean]] = {}
        for mean in means:
            self.add(mean)

    def add(self, mean: BucketMean) -> None:
        """Count a mean in."""
        key = (mean.version, mean.bucket)
        self.count += mean.count
        weighted = mean.gradient * np.float64(mean.count)
        self._sums[key] = self._sums[key] + weighted if key in self._sums else weighted
        # Its sum holds the gradient already.
        light = dataclasses.replace(mean, gradient=mean.gradient[:0])
        self._parts.setdefault(key, []).append(light)

    def take(self) -> list[BucketMean]:
        """One mean of every version and bucket that was added since the last call, in order."""
        found = [self._mean(key) for key in sorted(self._sums)]
        self.count, self._sums, self._parts = 0, {}, {}
        return found

    def _mean(self, key: tuple[int, int]) -> BucketMean:
        parts = self._parts[key]
        count = sum(part.count for part in parts)
        gradient = (self._sums[key] / count).astype(np.float32)
        names = parts[0].metrics
        metrics = {name: np.concatenate([part.metrics[name] for part in parts]) for name in names}
        first, seconds = min(part.first for part in parts), sum(part.seconds for part in parts)
        return BucketMean(key[1], first, key[0], count, gradient, metrics, seconds)


Weighed = tuple[BucketMean, float]
"""A mean, and its weight."""


def mean_gradients(collected: Sequence[Weighed], sizes: Sequence[int]) -> list[Vector]:
    """Mean gradient of every bucket (`sizes`: their numbers of tasks), in bucket order.

    The outer loop adds buckets up by their share of all tasks. One without a result gets zero, and
    the others so much more that the sum is a mean over the buckets that are there.
    """
    sums = [np.zeros_like(collected[0][0].gradient) for _ in sizes]
    counts = [0] * len(sizes)
    for mean, weight in collected:
        sums[mean.bucket] = sums[mean.bucket] + np.float32(weight * mean.count) * mean.gradient
        counts[mean.bucket] += mean.count
    present = sum(n for n, count in zip(sizes, counts, strict=True) if count)
    scale = sum(sizes) / present
    return [np.float32(scale / max(n, 1)) * total for total, n in zip(sums, counts, strict=True)]


def bucket_metrics(collected: Sequence[Weighed], n_buckets: int) -> list[dict[str, NDArray]]:
    """Metrics of every bucket with an axis of gradients, empty where nothing came."""
    none = {name: value[:0] for name, value in collected[0][0].metrics.items()}
    parts: list[list[dict[str, NDArray]]] = [[none] for _ in range(n_buckets)]
    for mean, _ in collected:
        parts[mean.bucket].append(mean.metrics)
    return [{name: np.concatenate([p[name] for p in part]) for name in none} for part in parts]


def weight_of(age: int, max_staleness: int) -> float:
    """Of a gradient that is `age` updates old: one up to `max_staleness`, then less and less."""
    return min(1.0, max_staleness / age) if age else 1.0
