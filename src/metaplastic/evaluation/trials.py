"""Trials of the evaluation: one learner on one pool, read out draw by draw."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from metaplastic.data.labels import UNLABELLED
from metaplastic.errors import InputError
from metaplastic.learners import AbstractClassifier, AbstractLearner
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool

OWN = "own"
"""Stands for the readout in the records of a classifier."""

Judged = AbstractLearner | AbstractClassifier
"""What `evaluate` takes: a learner, whose features are read out, or a classifier."""


@dataclasses.dataclass(frozen=True)
class Draw:
    """Numbers of the labelled rows, and of the rows to test."""

    support: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class SeededPool:
    """What one seed shows to every learner: rows, the order of their columns, and draws."""

    rows: Any
    columns: NDArray[np.int64]
    y: NDArray[np.int64]
    draws: Mapping[int, Sequence[Draw]]
    seed: int

    @property
    def x(self) -> Any:
        """The rows, their columns permuted; made anew at every call, to keep only one copy."""
        return self.rows[:, self.columns]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One learner after one unlabelled phase: accuracies by shots and readout, and its cost."""

    scores: dict[tuple[int, str], tuple[float, ...]]
    fit_seconds: float
    transform_seconds: float
    n_features: int


def seeded_pool(
    rows: Any,
    y: NDArray[np.int64],
    shots: Sequence[int],
    n_draws: int,
    max_test: int,
    permute: bool,
    seed: int,
) -> SeededPool:
    """The pool as one seed shows it, the same for every learner."""
    n = rows.shape[1]
    columns = np.random.default_rng([seed, 10]).permutation(n) if permute else np.arange(n)
    draws = {k: [_draw(y, k, max_test, seed, i) for i in range(n_draws)] for k in shots}
    return SeededPool(rows, columns, y, draws, seed)


def run_trial(name: str, learner: Judged, pool: SeededPool, readouts: Sequence[str]) -> Trial:
    """Fit a learner and read its features out; a classifier predicts by itself.

    Raises
    ------
    InputError
        For features or labels of a wrong shape, or features that are not finite.
    """
    if isinstance(learner, AbstractClassifier):
        return _own_trial(name, learner, pool)
    x, y = pool.x, pool.y
    started = time.perf_counter()
    encoder = learner.fit(x, seed=pool.seed)
    fitted = time.perf_counter()
    features = encoder(x)
    done = time.perf_counter()
    _check_features(name, features, len(y))
    scores = {}
    # Problems of a hundred rows: threads of the linear algebra only wait for each other.
    with threadpool_limits(1):
        reading_pool = ReadingPool(features, load_preset("base").reading)
        for k, some in pool.draws.items():
            for by in readouts:
                scores[k, by] = tuple(_score(by, reading_pool, y, draw) for draw in some)
    return Trial(scores, fitted - started, done - fitted, features.shape[1])


def _own_trial(name: str, classifier: AbstractClassifier, pool: SeededPool) -> Trial:
    """Of the labels a classifier sees those of the labelled rows, draw by draw."""
    x, y, seed, draws = pool.x, pool.y, pool.seed, pool.draws
    started = time.perf_counter()
    predict = classifier.fit(x, seed=seed)
    fitted = time.perf_counter()
    scores = {}
    for k, some in draws.items():
        accuracies = []
        for index, draw in enumerate(some):
            own = int(np.random.default_rng([seed, 13, k, index]).integers(2**31))
            predicted = predict(draw.support, y[draw.support], draw.test, seed=own)
            if predicted.shape != draw.test.shape:
                raise InputError(
                    f"classifier {name!r} gave labels of shape {predicted.shape} for "
                    f"{len(draw.test)} rows"
                )
            accuracies.append(float(np.mean(predicted == y[draw.test])))
        scores[k, OWN] = tuple(accuracies)
    each = (time.perf_counter() - fitted) / sum(map(len, draws.values()))
    return Trial(scores, fitted - started, each, 0)


def _check_features(name: str, features: NDArray, n: int) -> None:
    if features.shape[0] != n or features.ndim != 2 or not np.all(np.isfinite(features)):
        raise InputError(
            f"learner {name!r} gave features of shape {features.shape} for {n} rows, or numbers "
            "that are not finite"
        )


def _draw(y: NDArray, shots: int, max_test: int, seed: int, index: int) -> Draw:
    """k rows a class to learn from, and up to `max_test` others to test on."""
    generator = np.random.default_rng([seed, 11, shots, index])
    support = draw_support(y, shots, generator)
    rest = generator.permutation(np.setdiff1d(np.flatnonzero(y != UNLABELLED), support))
    return Draw(support, rest[:max_test])


def draw_support(
    y: NDArray[np.int64], shots: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Numbers of `shots` rows of each class, class by class; rows without a label are left out."""
    classes = np.unique(y[y != UNLABELLED])
    return np.concatenate(
        [generator.choice(np.flatnonzero(y == c), shots, replace=False) for c in classes]
    )


def _score(name: str, pool: ReadingPool, y: NDArray, draw: Draw) -> float:
    reading = pool.fit(name, draw.support, y[draw.support])
    predicted = pool.scores(reading, draw.test).argmax(1)
    return float(np.mean(predicted == y[draw.test]))
