"""Cases of two readings, and the fit of the weights that combine them."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from metaplastic.evaluation.trials import draw_support
from metaplastic.readings import ReadingPool, ReadingSettings
from metaplastic.readings.auto import CombinedReading
from metaplastic.readings.settings import STATISTICS

SHOTS = (1, 3, 10, 50)
MOST_ROWS, MOST_TESTED = 1500, 400
ROWS = 60
"""Test rows of a case by which the weights are fitted."""

PENALTY = 0.002
"""Of the squared factors, but for the constant, on statistics of unit spread."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One draw of labels: statistics, parts `(2, rows, C)` of the scores, and the truth."""

    pool: str
    shots: int
    values: NDArray[np.float64]
    parts: NDArray[np.float32]
    truth: NDArray[np.int64]


def cases_of(
    name: str, features: NDArray, labels: NDArray, draws: int, settings: ReadingSettings
) -> Iterator[Case]:
    """Draws of 1 to 50 labels a class from a pool of at most `MOST_ROWS` rows."""
    rows = np.random.default_rng(0).permutation(len(labels))[:MOST_ROWS]
    known, counts = np.unique(labels[rows], return_counts=True)
    rows = rows[np.isin(labels[rows], known[counts >= 5])]
    y = np.unique(labels[rows], return_inverse=True)[1]
    pool, n_classes = ReadingPool(np.ascontiguousarray(features[rows]), settings), int(y.max()) + 1
    for shots in SHOTS:
        if np.bincount(y).min() <= shots or shots * n_classes > 0.6 * len(y):
            continue
        for draw in range(draws):
            generator = np.random.default_rng([draw, shots, 7])
            few = draw_support(y, shots, generator)
            test = generator.permutation(np.setdiff1d(np.arange(len(y)), few))[:MOST_TESTED]
            yield _case(name, pool, shots, y, few, test)


def _case(
    name: str, pool: ReadingPool, shots: int, y: NDArray, few: NDArray, test: NDArray
) -> Case:
    reading = pool.fit("auto", few, y[few])
    assert isinstance(reading, CombinedReading)
    ridge = reading.ridge.probabilities(pool.features[test])
    near = type(pool.near)(pool.near.places[test], pool.near.squared[test])
    parts = np.stack([np.log(ridge + 1e-12), reading.nodes(pool.features[test], near)])
    values = np.array([reading.evidence[name] for name in STATISTICS])
    return Case(name, shots, values, parts.astype(np.float32), y[test])


def weights(cases: list[Case], factors: NDArray, bounds: tuple[float, float]) -> NDArray:
    """Weights `(case, 2)` that factors `(2, statistic)` give."""
    values = np.array([case.values for case in cases])
    return np.exp(np.clip(values @ factors.T, *bounds))


def fit(cases: list[Case], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Factors `(2, statistic)` that make the truth most likely, every pool counting the same."""
    values = np.array([case.values for case in cases])
    mean, spread = values.mean(0), values.std(0) + 1e-9
    mean[0], spread[0] = 0.0, 1.0
    scaled = (values - mean) / spread
    names = [case.pool for case in cases]
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
