"""How a representation is judged: one protocol, one implementation.

For every seed the columns of the inputs are permuted at random and each learner sees the whole
pool without labels. Then, draw by draw, k labelled rows a class are read out and tested on others
of the pool. Every learner gets the same permutations and the same draws, so differences between
learners can be taken draw by draw.

A classifier has no features to read: in each draw it gets the pool, the labelled rows and their
labels, and predicts the others itself. Its records say so in place of a readout (`OWN`).

Rows without a label (-1) are part of the pool that learners see; they are never drawn nor tested.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from metaplastic.data.labels import UNLABELLED, find_labelled
from metaplastic.errors import InputError
from metaplastic.evaluation.records import Record, mean_and_error
from metaplastic.learners import AbstractClassifier, AbstractLearner
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool, check_reading

OWN = "own"
"""Stands for the readout in the records of a classifier."""

Judged = AbstractLearner | AbstractClassifier
"""What `evaluate` takes: a learner, whose features are read out, or a classifier."""


class LabelledSet(Protocol):
    """A data set to evaluate on: `x` `(n, ...)` real, `y` `(n,)` labels, -1 if there is none."""

    @property
    def name(self) -> str: ...
    @property
    def x(self) -> Any: ...
    @property
    def y(self) -> NDArray: ...


@dataclasses.dataclass(frozen=True)
class _Draw:
    support: NDArray[np.int64]
    test: NDArray[np.int64]


def evaluate(
    learners: Mapping[str, Judged] | Sequence[Judged],
    dataset: LabelledSet,
    *,
    shots: Sequence[int] = (10,),
    n_draws: int = 30,
    seeds: Sequence[int] = (0, 1, 2),
    permute: bool = True,
    readouts: Sequence[str] = ("ridge", "logistic"),
    max_test: int = 2000,
) -> list[Record]:
    """Judge learners on a data set; one record per learner, number of shots and readout.

    Args:
        learners: by name, or in a list, whose labels must then differ. Classifiers are not read
            out: one record per number of shots.
        dataset: has `name`, `x` (rows first; images are flattened) and `y`.
        shots: labelled rows a class.
        n_draws: draws of labelled rows per seed.
        seeds: of permutation, unlabelled phase and draws.
        permute: whether columns are permuted at random, anew for every seed.
        readouts: names of `readings.READINGS`.
        max_test: most rows tested per draw.

    Raises:
        InputError: for arguments that are not allowed, or too few labelled rows of a class
            (k of each, and one more row to test).

    Examples:
        >>> from metaplastic.data.sets import load_set
        >>> from metaplastic.evaluation import evaluate
        >>> from metaplastic.learners import PCA, Raw
        >>> learners = [Raw(), PCA(8)]
        >>> records = evaluate(
        ...     learners, load_set("wine"), n_draws=2, seeds=(0,), readouts=("ridge",)
        ... )
        >>> [record.learner for record in records]
        ['raw', 'pca-8']
    """
    named = _named(learners)
    x, y = _check_data(dataset, shots, n_draws, seeds, max_test)
    how = _check_readouts(readouts)
    draws = {seed: _draws(y, shots, n_draws, max_test, seed) for seed in seeds}
    records = []
    for name, learner in named.items():
        trials = []
        for seed in seeds:
            permuted = x[:, _columns(x.shape[1], seed, permute)]
            trials.append(_trial(name, learner, permuted, y, how, draws[seed], seed))
        records += _records(name, dataset.name, trials)
    return records


@dataclasses.dataclass(frozen=True)
class _Trial:
    """One learner after one unlabelled phase: accuracies by shots and readout, and its cost."""

    scores: dict[tuple[int, str], tuple[float, ...]]
    fit_seconds: float
    transform_seconds: float
    n_features: int


def _trial(
    name: str,
    learner: Judged,
    x: Any,
    y: NDArray,
    how: Sequence[str],
    draws: Mapping[int, Sequence[_Draw]],
    seed: int,
) -> _Trial:
    if isinstance(learner, AbstractClassifier):
        return _own_trial(name, learner, x, y, draws, seed)
    started = time.perf_counter()
    encoder = learner.fit(x, seed=seed)
    fitted = time.perf_counter()
    features = encoder(x)
    done = time.perf_counter()
    _check_features(name, features, len(y))
    scores = {}
    # Problems of a hundred rows: threads of the linear algebra only wait for each other.
    with threadpool_limits(1):
        pool = ReadingPool(features, load_preset("base").reading)
        for k, some in draws.items():
            for by in how:
                scores[k, by] = tuple(_score(by, pool, y, draw) for draw in some)
    return _Trial(scores, fitted - started, done - fitted, features.shape[1])


def _own_trial(
    name: str,
    classifier: AbstractClassifier,
    x: Any,
    y: NDArray,
    draws: Mapping[int, Sequence[_Draw]],
    seed: int,
) -> _Trial:
    """Of the labels `y` a classifier sees those of the labelled rows, draw by draw."""
    started = time.perf_counter()
    predict = classifier.fit(x, seed=seed)
    fitted = time.perf_counter()
    scores = {}
    for k, some in draws.items():
        accuracies = []
        for index, draw in enumerate(some):
            own = int(np.random.default_rng([seed, 13, k, index]).integers(2**31))
            found = predict(draw.support, y[draw.support], draw.test, seed=own)
            if found.shape != draw.test.shape:
                raise InputError(
                    f"classifier {name!r} gave labels of shape {found.shape} for "
                    f"{len(draw.test)} rows"
                )
            accuracies.append(float(np.mean(found == y[draw.test])))
        scores[k, OWN] = tuple(accuracies)
    each = (time.perf_counter() - fitted) / sum(map(len, draws.values()))
    return _Trial(scores, fitted - started, each, 0)


def _records(name: str, dataset: str, trials: Sequence[_Trial]) -> list[Record]:
    """One record per number of shots and readout, over the trials of all seeds."""
    records = []
    for shots, readout in trials[0].scores:
        rows = tuple(trial.scores[shots, readout] for trial in trials)
        mean, error = mean_and_error(rows)
        record = Record(
            learner=name,
            dataset=dataset,
            shots=shots,
            readout=readout,
            mean=mean,
            standard_error=error,
            n_seeds=len(rows),
            n_draws=len(rows[0]),
            fit_seconds=float(np.mean([t.fit_seconds for t in trials])),
            transform_seconds=float(np.mean([t.transform_seconds for t in trials])),
            n_features=trials[-1].n_features,
            draws=rows,
        )
        records.append(record)
    return records


def _check_readouts(names: Sequence[str]) -> list[str]:
    if not names:
        raise InputError("no readout was given; ask for ridge, logistic or both")
    return [check_reading(name) for name in names]


def _named(
    learners: Mapping[str, Judged] | Sequence[Judged],
) -> dict[str, Judged]:
    if isinstance(learners, Mapping):
        named = dict(learners)
    else:
        named = {learner.label: learner for learner in learners}
        if len(named) < len(learners):
            raise InputError("two learners have the same label; give them by name, in a mapping")
    if not named:
        raise InputError("there is no learner to evaluate")
    return named


def _check_data(
    dataset: LabelledSet,
    shots: Sequence[int],
    n_draws: int,
    seeds: Sequence[int],
    max_test: int,
) -> tuple[Any, NDArray[np.int64]]:
    """The rows as a matrix, and the number of each one's class: -1 without a label."""
    if not shots or min(shots) < 1 or n_draws < 1 or max_test < 1 or not seeds:
        raise InputError(
            "shots, n_draws and max_test must be at least 1 and seeds not empty, got "
            f"{tuple(shots)}, {n_draws}, {max_test} and {tuple(seeds)}"
        )
    x, y = dataset.x, np.asarray(dataset.y)
    if len(set(seeds)) < len(seeds) or len(set(shots)) < len(shots):
        raise InputError(f"seeds and shots must differ, got {tuple(seeds)} and {tuple(shots)}")
    if y.shape != (x.shape[0],):
        raise InputError(f"{dataset.name}: {x.shape[0]} rows but labels of shape {y.shape}")
    labelled = find_labelled(y)
    classes, numbers, counts = np.unique(y[labelled], return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise InputError(f"{dataset.name}: at least two classes are needed, got {len(classes)}")
    if counts.min() < max(shots) or len(numbers) <= max(shots) * len(classes):
        scarce = classes[counts.argmin()]
        raise InputError(
            f"{dataset.name}: {max(shots)} labelled rows a class and others to test on are asked "
            f"for, but class {scarce} has {counts.min()} rows; ask for fewer shots"
        )
    if len(x.shape) > 2:
        x = x.reshape(x.shape[0], -1)
    y = np.full(len(y), UNLABELLED)
    y[labelled] = numbers
    return (x.tocsr() if hasattr(x, "tocsr") else x), y


def _check_features(name: str, features: NDArray, n: int) -> None:
    if features.shape[0] != n or features.ndim != 2 or not np.all(np.isfinite(features)):
        raise InputError(
            f"learner {name!r} gave features of shape {features.shape} for {n} rows, or numbers "
            "that are not finite"
        )


def _columns(n: int, seed: int, permute: bool) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 10]).permutation(n) if permute else np.arange(n)


def _draws(
    y: NDArray, shots: Sequence[int], n_draws: int, max_test: int, seed: int
) -> dict[int, list[_Draw]]:
    return {k: [_draw(y, k, max_test, seed, i) for i in range(n_draws)] for k in shots}


def _draw(y: NDArray, shots: int, max_test: int, seed: int, index: int) -> _Draw:
    """k rows a class to learn from, and up to `max_test` others to test on."""
    generator = np.random.default_rng([seed, 11, shots, index])
    support = np.concatenate(
        [generator.choice(np.flatnonzero(y == c), shots, replace=False) for c in range(y.max() + 1)]
    )
    rest = generator.permutation(np.setdiff1d(np.flatnonzero(y != UNLABELLED), support))
    return _Draw(support, rest[:max_test])


def _score(name: str, pool: ReadingPool, y: NDArray, draw: _Draw) -> float:
    reading = pool.fit(name, draw.support, y[draw.support])
    predicted = pool.scores(reading, draw.test).argmax(1)
    return float(np.mean(predicted == y[draw.test]))
