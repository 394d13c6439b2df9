"""Cases of two readings, and the fit of the weights that combine them."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from metaplastic.evaluation.trials import draw_support
from metaplastic.readings import ReadingPool, ReadingSettings
from metaplastic.readings.evidence import weigh
from metaplastic.readings.neighbours import Neighbours
from metaplastic.readings.pool import read_pool_together
from metaplastic.readings.settings import STATISTICS

SHOTS = (1, 3, 10, 50)
MOST_ROWS, MOST_TESTED = 1000, 300
LARGE = 4000
"""Most rows of a large pool, which has at least half as many."""

ROWS = 60
"""Test rows of a case by which the weights are fitted."""

PENALTY = 0.002
"""Of the squared factors, but for the constant, on statistics of unit spread."""

VARIANTS = ("whole", "uneven", "few", "large")
"""Rows of a pool; its classes made unequally large; two to four of at least four classes; more
rows. All but the last have at most `MOST_ROWS`."""

KINDS = {
    "tables": ("keel-",),
    "images": ("pool-glyphs", "pool-strokes", "pool-silhouettes", "pool-pictures"),
    "other drawn tasks": ("pool-", "blobs"),
    "counts of words": ("counts-",),
    "embeddings of texts": ("wl-",),
}
"""How names of pools of a kind begin; the first that fits counts."""

UNEVEN = 0.7
"""Spread of the logarithms of the sizes of classes that are made unequally large."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One draw of labels: statistics, parts `(2, rows, C)` of the scores, and the truth.

    `alone` `(2, rows)` are the classes that the heads "ridge" and "graph" say.
    """

    pool: str
    variant: str
    shots: int
    values: NDArray[np.float64]
    parts: NDArray[np.float32]
    alone: NDArray[np.int64]
    truth: NDArray[np.int64]


def cases_of(
    name: str, features: NDArray, labels: NDArray, draws: int, settings: ReadingSettings
) -> Iterator[Case]:
    """Draws of 1 to 50 labels a class from a pool, in all its variants."""
    for variant in VARIANTS:
        generator = np.random.default_rng([len(labels), VARIANTS.index(variant)])
        rows = rows_of(variant, labels, generator)
        y = np.unique(labels[rows], return_inverse=True)[1]
        if len(rows) == 0 or y.max() == 0:
            continue
        pool = ReadingPool(np.ascontiguousarray(features[rows]), settings)
        for shots in SHOTS:
            if np.bincount(y).min() <= shots or shots * (y.max() + 1) > 0.6 * len(y):
                continue
            # Variants say less of a pool than the pool itself.
            for draw in range(draws if variant == "whole" else max(1, draws // 2)):
                generator = np.random.default_rng([draw, shots, 7])
                few = draw_support(y, shots, generator)
                rest = generator.permutation(np.setdiff1d(np.arange(len(y)), few))
                yield case_of(name, variant, pool, shots, y, few, rest[:MOST_TESTED])


def rows_of(variant: str, labels: NDArray, generator: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of the rows of a variant; none if the pool has too few classes for it."""
    rows, classes = generator.permutation(len(labels)), np.unique(labels)
    if variant == "large":
        rows = rows[: LARGE if 2 * len(rows) >= LARGE else 0]
    if variant == "few":
        if len(classes) < 4:
            return rows[:0]
        count = generator.integers(2, min(len(classes) - 1, 5))
        rows = rows[np.isin(labels[rows], generator.choice(classes, count, replace=False))]
    if variant == "uneven":
        shares = np.exp(UNEVEN * generator.normal(size=len(classes)))
        sizes = np.bincount(np.searchsorted(classes, labels)) * shares / shares.max()
        kept = [
            np.flatnonzero(labels[rows] == c)[: max(6, int(size))]
            for c, size in zip(classes, sizes, strict=True)
        ]
        rows = rows[np.sort(np.concatenate(kept))]
    if variant != "large":
        rows = rows[:MOST_ROWS]
    known, counts = np.unique(labels[rows], return_counts=True)
    return rows[np.isin(labels[rows], known[counts >= 5])]


def case_of(
    name: str,
    variant: str,
    pool: ReadingPool,
    shots: int,
    y: NDArray,
    few: NDArray,
    test: NDArray,
) -> Case:
    """Both readings of a draw of labels `few`, at the rows `test`."""
    ridge, read = read_pool_together(pool, few, y[few])
    near = Neighbours(pool.near.places[test], pool.near.squared[test])
    linear = np.log(ridge.probabilities(pool.features[test]) + 1e-12)
    joint = pool._node_scores(read.joint)(pool.features[test], near)
    graph = pool.scores(pool.fit("graph", few, y[few]), test)
    parts = np.stack([linear + read.shift, joint]).astype(np.float32)
    alone = np.stack([linear.argmax(1), graph.argmax(1)])
    values = np.array([read.values[name] for name in STATISTICS])
    return Case(name, variant, shots, values, parts, alone, y[test])


def group(pool: str) -> str:
    """Pools of one source: two seeds of a task, two encodings of the same texts."""
    for start in ("wl-", "counts-"):
        pool = pool.removeprefix(start)
    return pool.rsplit("-", 1)[0] if pool.startswith("pool-") else pool


def kind_of(pool: str) -> str:
    """The kind of a pool, by its name."""
    return next(kind for kind, starts in KINDS.items() if pool.startswith(starts))


def weights(
    cases: list[Case],
    factors: NDArray,
    settings: ReadingSettings,
    sharpness: NDArray | None = None,
) -> NDArray:
    """Weights `(case, 2)` that factors `(2, statistic)` give."""
    linear, graph = (tuple(row) for row in factors.tolist())
    own = dataclasses.replace(settings, linear=linear, graph=graph)
    if sharpness is not None:
        own = dataclasses.replace(own, sharpness=tuple(sharpness.tolist()))
    found = [weigh(dict(zip(STATISTICS, case.values.tolist(), strict=True)), own) for case in cases]
    return np.array([(each.linear, each.graph) for each in found])


def fit(cases: list[Case], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Factors `(2, statistic)` that make the truth most likely, every pool counting the same."""
    values = np.array([case.values for case in cases])
    mean, spread = values.mean(0), values.std(0) + 1e-9
    mean[0], spread[0] = 0.0, 1.0
    scaled = (values - mean) / spread
    names = [(case.pool, case.variant) for case in cases]
    share = np.array([1.0 / names.count(name) for name in names])
    share /= share.sum() * ROWS
    parts, closed, truth = _stacked(cases)
    number, row = np.ogrid[: len(cases), :ROWS]

    def loss(flat: NDArray) -> tuple[float, NDArray]:
        factors = flat.reshape(2, -1)
        powers = scaled @ factors.T
        both = np.exp(np.clip(powers, *bounds))
        logits = np.einsum("ie,ierc->irc", both, parts) + closed
        logs = log_softmax(logits, axis=2)
        total = -(share[:, None] * logs[number, row, truth]).sum()
        change = np.exp(logs)
        change[number, row, truth] -= 1
        slope = np.einsum("irc,ierc->ie", change, parts) * both * share[:, None]
        slope *= (powers > bounds[0]) & (powers < bounds[1])
        shrunk = factors * (np.arange(factors.shape[1]) > 0)
        return (
            float(total + PENALTY * np.square(shrunk).sum()),
            (slope.T @ scaled + 2 * PENALTY * shrunk).ravel(),
        )

    start = np.zeros((2, values.shape[1]))
    start[0, 0] = -0.5
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 40})
    factors = found.x.reshape(2, -1) / spread
    factors[:, 0] -= factors[:, 1:] @ mean[1:]
    return factors


def fit_sharpness(
    cases: list[Case], both: NDArray, bounds: tuple[float, float]
) -> NDArray[np.float64]:
    """Factors `(statistic,)` of a factor of both weights `(case, 2)`: the truth most likely."""
    values = np.array([case.values for case in cases])
    mean, spread = values.mean(0), values.std(0) + 1e-9
    mean[0], spread[0] = 0.0, 1.0
    scaled = (values - mean) / spread
    names = [(case.pool, case.variant) for case in cases]
    share = np.array([1.0 / names.count(name) for name in names]) / len(set(names))
    logits = [np.tensordot(own, case.parts, 1) for own, case in zip(both, cases, strict=True)]

    def loss(factors: NDArray) -> tuple[float, NDArray]:
        sure = np.exp(np.clip(scaled @ factors, *bounds))
        total, slopes = 0.0, np.zeros(len(cases))
        for i, case in enumerate(cases):
            row = np.arange(len(case.truth))
            logs = log_softmax(sure[i] * logits[i], axis=1)
            own = logits[i][row, case.truth]
            total -= share[i] * logs[row, case.truth].mean()
            slopes[i] = share[i] * sure[i] * ((np.exp(logs) * logits[i]).sum(1) - own).mean()
        shrunk = factors * (np.arange(len(factors)) > 0)
        penalty = PENALTY * np.square(shrunk).sum()
        return float(total + penalty), scaled.T @ slopes + 2 * PENALTY * shrunk

    start = np.zeros(values.shape[1])
    factors = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}).x / spread
    factors[0] -= factors[1:] @ mean[1:]
    return factors


def _stacked(cases: list[Case]) -> tuple[NDArray, NDArray, NDArray]:
    most = max(case.parts.shape[2] for case in cases)
    parts = np.zeros((len(cases), 2, ROWS, most), np.float32)
    closed = np.full((len(cases), 1, most), -1e9, np.float32)
    truth = np.zeros((len(cases), ROWS), np.int64)
    for i, case in enumerate(cases):
        rows, n_classes = np.arange(ROWS) % len(case.truth), case.parts.shape[2]
        parts[i, :, :, :n_classes] = case.parts[:, rows]
        closed[i, 0, :n_classes] = 0.0
        truth[i] = case.truth[rows]
    return parts, closed, truth


def calibration_error(logits: list[NDArray], truth: list[NDArray]) -> float:
    """Expected calibration error over ten bins, in percent."""
    chances = np.exp(np.concatenate([log_softmax(part, axis=1) for part in logits]))
    right = chances.argmax(1) == np.concatenate(truth)
    sure = chances.max(1)
    bins = np.minimum((10 * sure).astype(int), 9)
    gaps = [abs((sure[bins == b] - right[bins == b]).sum()) for b in range(10)]
    return 100 * float(sum(gaps) / len(right))
