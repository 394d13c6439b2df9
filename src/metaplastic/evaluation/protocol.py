"""How a representation is judged: one protocol, one implementation.

For every seed the columns of the inputs are permuted at random and each learner sees the whole
pool without labels. Then, draw by draw, k labelled rows a class are read out and tested on others
of the pool. Every learner gets the same permutations and the same draws, so differences between
learners can be taken draw by draw.

A classifier has no features to read: in each draw it gets the pool, the labelled rows and their
labels, and predicts the others itself. Its records say so in place of a readout (`OWN`).

Rows without a label (-1) are part of the pool that learners see; they are never drawn nor tested.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import UNLABELLED, find_labelled
from metaplastic.errors import InputError
from metaplastic.evaluation.records import Record, mean_and_error
from metaplastic.evaluation.trials import Judged, Trial, run_trial, seeded_pool
from metaplastic.readings import check_reading


class LabelledSet(Protocol):
    """A data set to evaluate on: `x` `(n, ...)` real, `y` `(n,)` labels, -1 if there is none."""

    @property
    def name(self) -> str: ...
    @property
    def x(self) -> Any: ...
    @property
    def y(self) -> NDArray: ...


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

    Parameters
    ----------
    learners : mapping of str to Judged or sequence of Judged
        By name, or in a list in which no label comes twice. Classifiers are not read out.
    dataset : LabelledSet
        Has `name`, `x` (rows first; images are flattened) and `y`.
    shots : sequence of int, default=(10,)
        Labelled rows a class.
    n_draws : int, default=30
        Draws of labelled rows per seed.
    seeds : sequence of int, default=(0, 1, 2)
        Seeds of the permutation, the unlabelled phase and the draws.
    permute : bool, default=True
        Whether columns are permuted at random, anew for every seed.
    readouts : sequence of str, default=("ridge", "logistic")
        Names of `readings.READINGS`.
    max_test : int, default=2000
        Most rows tested per draw.

    Returns
    -------
    list of Record
        The records, learner by learner.

    Raises
    ------
    InputError
        For arguments that are not allowed, or too few labelled rows of a class.

    Examples
    --------
    >>> from metaplastic.data.sets import load_set
    >>> from metaplastic.evaluation import evaluate
    >>> from metaplastic.learners import PCA, Raw
    >>> records = evaluate([Raw(), PCA(8)], load_set("wine"), n_draws=2, seeds=(0,))
    >>> [(record.learner, record.readout) for record in records[::2]]
    [('raw', 'ridge'), ('pca-8', 'ridge')]
    """
    named = _named(learners)
    x, y = _check_data(dataset, shots, n_draws, seeds, max_test)
    how = _check_readouts(readouts)
    pools = [seeded_pool(x, y, shots, n_draws, max_test, permute, seed) for seed in seeds]
    records = []
    for name, learner in named.items():
        trials = [run_trial(name, learner, pool, how) for pool in pools]
        records += _records(name, dataset.name, trials)
    return records


def _records(name: str, dataset: str, trials: Sequence[Trial]) -> list[Record]:
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
