"""Results of an evaluation: records, paired comparisons, result files and rows for tables."""

import dataclasses
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.errors import InputError

PACKAGES = ("metaplastic", "jax", "equinox", "numpy", "scikit-learn")
"""Packages whose versions go into a result file."""


@dataclasses.dataclass(frozen=True)
class Record:
    """Accuracy of one learner, with k labels a class, under one readout.

    Attributes
    ----------
    learner : str
        Name of the learner.
    dataset : str
        Name of the data set.
    shots : int
        Labelled rows a class.
    readout : str
        Name of the reading, or `own` for a classifier.
    mean : float
        Mean accuracy (0 to 1) over all seeds and draws.
    standard_error : float
        Standard error of the mean.
    n_seeds, n_draws : int
        Number of seeds, and of draws for each seed.
    fit_seconds : float
        Seconds of a fit, a mean over seeds.
    transform_seconds : float
        Seconds of making the features of the pool, a mean over seeds. For a classifier, seconds of
        one draw: it learns from labels there.
    n_features : int
        Number of features; 0 for a classifier.
    draws : tuple of tuple of float
        `draws[s][i]` is the accuracy of draw i after the unlabelled phase of seed s.
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


def mean_and_error(values: Any) -> tuple[float, float]:
    """Mean and standard error of all numbers of an array-like.

    Parameters
    ----------
    values : array-like of float
        Numbers of any shape.

    Returns
    -------
    (float, float)
        The mean and its standard error, which is NaN for one number.
    """
    flat = np.asarray(values, np.float64).ravel()
    error = flat.std(ddof=1) / math.sqrt(flat.size) if flat.size > 1 else math.nan
    return float(flat.mean()), float(error)


def compare(a: Record, b: Record) -> tuple[float, float]:
    """Mean of `a` minus `b` over paired draws, and its standard error.

    A difference of more than two standard errors is called one.

    Parameters
    ----------
    a, b : Record
        Two records with the same draws.

    Returns
    -------
    (float, float)
        The difference and its standard error.

    Raises
    ------
    InputError
        Unless both come from the same data set, shots, readout, seeds and draws.

    Examples
    --------
    >>> from metaplastic.data import load_set
    >>> from metaplastic.evaluation import compare, evaluate
    >>> from metaplastic.learners import PCA, Raw
    >>> learners = [PCA(8), Raw()]
    >>> records = evaluate(
    ...     learners, load_set("wine"), n_draws=2, seeds=(0,), readouts=("ridge",)
    ... )
    >>> difference, error = compare(*records)
    >>> abs(difference) < 0.5, error >= 0.0
    (True, True)
    """
    for field in ("dataset", "shots", "readout", "n_seeds", "n_draws"):
        if getattr(a, field) != getattr(b, field):
            raise InputError(
                f"records can be compared only with the same {field}, got "
                f"{getattr(a, field)!r} and {getattr(b, field)!r}"
            )
    return mean_and_error(np.asarray(a.draws) - np.asarray(b.draws))


def provenance(*, seeds: Sequence[int]) -> dict[str, Any]:
    """What a result file says of its origin: seeds, commit, versions and machine.

    Parameters
    ----------
    seeds : sequence of int
        Seeds of the measurement.

    Returns
    -------
    dict of str to object
        Plain JSON values. Of the machine, only processor model and number of cores are named.
    """
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
    """A result file: provenance and records, every draw included.

    Parameters
    ----------
    records : sequence of Record
        Records, whose draws are all kept.
    provenance : mapping of str to object
        Plain JSON values, as `provenance` returns them.

    Returns
    -------
    str
        Text of the file.
    """
    rows = [dataclasses.asdict(record) for record in records]
    return json.dumps({"provenance": dict(provenance), "records": rows}, indent=1) + "\n"


def from_json(text: str) -> tuple[list[Record], dict[str, Any]]:
    """Read a result file that `to_json` wrote.

    Parameters
    ----------
    text : str
        Text of the file.

    Returns
    -------
    (list of Record, dict of str to object)
        The records, and the provenance.

    Raises
    ------
    InputError
        If the text is no result file.
    """
    try:
        content = json.loads(text)
        records = [
            Record(**{**row, "draws": tuple(tuple(d) for d in row["draws"])})
            for row in content["records"]
        ]
        return records, content["provenance"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"this is not a result file of `evaluate`: {error}") from error


def records_to_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row per learner, data set and number of shots, for tables.

    Parameters
    ----------
    records : sequence of Record
        Records of one protocol.

    Returns
    -------
    list of dict of str to object
        Rows in the order of the records, with the keys `dataset`, `shots`, `learner` and
        `n_features`; for every readout its name (mean in percent) and `<name>_error` (standard
        error in percent); then `n_seeds`, `n_draws`, `fit_seconds` and `transform_seconds`.
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
