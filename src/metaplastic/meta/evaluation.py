"""How a representation is judged: one protocol, one implementation.

For every seed the columns of the inputs are permuted at random and each learner sees the whole
pool without labels. Then, draw by draw, k labelled rows a class are read out and tested on others
of the pool. Every learner gets the same permutations and the same draws, so differences between
learners can be taken draw by draw.
"""

import dataclasses
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.learners import AbstractLearner
from metaplastic.objectives.readouts import Readout, readout

PACKAGES = ("metaplastic", "jax", "equinox", "numpy", "scikit-learn")
"""Packages whose versions go into a result file."""


class LabelledSet(Protocol):
    """A data set to evaluate on: `x` `(n, ...)` real, `y` `(n,)` labels."""

    @property
    def name(self) -> str: ...
    @property
    def x(self) -> Any: ...
    @property
    def y(self) -> NDArray: ...


@dataclasses.dataclass(frozen=True)
class Record:
    """Accuracy of one learner, with k labels a class, under one readout.

    `draws[s][i]` is the accuracy (0 to 1) of draw i after seed s's unlabelled phase; `mean` and
    `standard_error` are over all of them, seeds and draws together. Seconds are means over seeds.
    """

    learner: str
    dataset: str
    shots: int
    readout: str
    mean: float
    standard_error: float
    n_seeds: int
    n_draws: int
    fit_seconds: float
    transform_seconds: float
    n_features: int
    draws: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class _Draw:
    support: NDArray[np.int64]
    test: NDArray[np.int64]


def evaluate(
    learners: Mapping[str, AbstractLearner] | Sequence[AbstractLearner],
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
        learners: by name, or in a list, whose labels must then differ.
        dataset: has `name`, `x` (rows first; images are flattened) and `y`.
        shots: labelled rows a class.
        n_draws: draws of labelled rows per seed.
        seeds: of permutation, unlabelled phase and draws.
        permute: whether columns are permuted at random, anew for every seed.
        readouts: names of `objectives.readouts`.
        max_test: most rows tested per draw.

    Raises:
        InputError: for arguments that are not allowed, or too few labelled rows of a class
            (k of each, and one more row to test).
    """
    named = _named(learners)
    x, y = _check_data(dataset, shots, n_draws, seeds, max_test)
    how = [readout(name) for name in readouts]
    draws = {
        (k, seed): [_draw(y, k, max_test, seed, i) for i in range(n_draws)]
        for k in shots
        for seed in seeds
    }
    records = []
    for name, learner in named.items():
        scores: dict[tuple[int, str], list[tuple[float, ...]]] = {}
        fit_time = transform_time = 0.0
        width = 0
        for seed in seeds:
            columns = _columns(x.shape[1], seed, permute)
            started = time.perf_counter()
            encoder = learner.fit(x[:, columns], seed=seed)
            fitted = time.perf_counter()
            features = encoder(x[:, columns])
            transform_time += time.perf_counter() - fitted
            fit_time += fitted - started
            width = features.shape[1]
            _check_features(name, features, len(y))
            for r in how:
                prepared = r.prepare(features)
                for k in shots:
                    row = tuple(_score(r, prepared, y, d) for d in draws[k, seed])
                    scores.setdefault((k, r.name), []).append(row)
        for (k, r_name), rows in scores.items():
            mean, error = mean_and_error(rows)
            seconds = (fit_time / len(seeds), transform_time / len(seeds))
            records.append(
                Record(
                    name,
                    dataset.name,
                    k,
                    r_name,
                    mean,
                    error,
                    len(seeds),
                    n_draws,
                    *seconds,
                    width,
                    tuple(rows),
                )
            )
    return records


def mean_and_error(values: Any) -> tuple[float, float]:
    """Mean and standard error of all numbers of an array-like; the error of one number is NaN."""
    flat = np.asarray(values, np.float64).ravel()
    error = flat.std(ddof=1) / math.sqrt(flat.size) if flat.size > 1 else math.nan
    return float(flat.mean()), float(error)


def compare(a: Record, b: Record) -> tuple[float, float]:
    """Mean of `a` minus `b` over paired draws, and its standard error.

    A difference of more than two standard errors is called one.

    Raises:
        InputError: unless both come from the same data set, shots, readout, seeds and draws.
    """
    for field in ("dataset", "shots", "readout", "n_seeds", "n_draws"):
        if getattr(a, field) != getattr(b, field):
            raise InputError(
                f"records can be compared only with the same {field}, got "
                f"{getattr(a, field)!r} and {getattr(b, field)!r}"
            )
    return mean_and_error(np.asarray(a.draws) - np.asarray(b.draws))


def provenance(*, seeds: Sequence[int]) -> dict[str, Any]:
    """Seeds, commit, versions and machine (processor model and cores only), for a result file."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "seeds": list(seeds),
        "commit": _commit(),
        "versions": versions,
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
    }


def to_json(records: Sequence[Record], provenance: Mapping[str, Any]) -> str:
    """A result file: provenance and records, every draw included."""
    rows = [dataclasses.asdict(record) for record in records]
    return json.dumps({"provenance": dict(provenance), "records": rows}, indent=1) + "\n"


def from_json(text: str) -> tuple[list[Record], dict[str, Any]]:
    """Records and provenance of a result file; `InputError` if it is none."""
    try:
        found = json.loads(text)
        records = [
            Record(**{**row, "draws": tuple(tuple(d) for d in row["draws"])})
            for row in found["records"]
        ]
        return records, found["provenance"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"this is not a result file of `evaluate`: {error}") from error


def records_to_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row per learner, data set and number of shots, for tables.

    Keys: `dataset`, `shots`, `learner`, `n_features`, then for every readout its name (mean in
    percent) and `<name>_error` (standard error in percent), `n_seeds`, `n_draws`, `fit_seconds`,
    `transform_seconds`. Rows keep the order of the records.
    """
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for record in records:
        row = rows.setdefault(
            (record.dataset, record.shots, record.learner),
            {
                "dataset": record.dataset,
                "shots": record.shots,
                "learner": record.learner,
                "n_features": record.n_features,
                "n_seeds": record.n_seeds,
                "n_draws": record.n_draws,
                "fit_seconds": record.fit_seconds,
                "transform_seconds": record.transform_seconds,
            },
        )
        row[record.readout] = 100 * record.mean
        row[f"{record.readout}_error"] = 100 * record.standard_error
    return list(rows.values())


def _named(
    learners: Mapping[str, AbstractLearner] | Sequence[AbstractLearner],
) -> dict[str, AbstractLearner]:
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
) -> tuple[Any, NDArray]:
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
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise InputError(f"{dataset.name}: at least two classes are needed, got {len(classes)}")
    if counts.min() < max(shots) or len(y) <= max(shots) * len(classes):
        scarce = classes[counts.argmin()]
        raise InputError(
            f"{dataset.name}: {max(shots)} labelled rows a class and others to test on are asked "
            f"for, but class {scarce!r} has {counts.min()} rows; ask for fewer shots"
        )
    if len(x.shape) > 2:
        x = x.reshape(x.shape[0], -1)
    return (x.tocsr() if hasattr(x, "tocsr") else x), y


def _check_features(name: str, features: NDArray, n: int) -> None:
    if features.shape[0] != n or features.ndim != 2 or not np.all(np.isfinite(features)):
        raise InputError(
            f"learner {name!r} gave features of shape {features.shape} for {n} rows, or numbers "
            "that are not finite"
        )


def _columns(n: int, seed: int, permute: bool) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 10]).permutation(n) if permute else np.arange(n)


def _draw(y: NDArray, shots: int, max_test: int, seed: int, index: int) -> _Draw:
    """k rows a class to learn from, and up to `max_test` others to test on."""
    generator = np.random.default_rng([seed, 11, shots, index])
    support = np.concatenate(
        [generator.choice(np.flatnonzero(y == c), shots, replace=False) for c in np.unique(y)]
    )
    rest = generator.permutation(np.setdiff1d(np.arange(len(y)), support))
    return _Draw(support, rest[:max_test])


def _score(how: Readout, features: NDArray, y: NDArray, draw: _Draw) -> float:
    predicted = how.predict(features[draw.support], y[draw.support], features[draw.test])
    return float(np.mean(predicted == y[draw.test]))


def _commit() -> str:
    """The commit that the package runs from, `unknown` outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
