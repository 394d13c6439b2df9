"""What the experiments share: learners, measurements as plain rows, paired gains."""

import dataclasses
import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.errors import DivergenceError, InputError
from metaplastic.evaluation import (
    OWN,
    Judged,
    LabelledSet,
    Record,
    compare,
    evaluate,
    mean_and_error,
    provenance,
)
from metaplastic.presets import Preset
from metaplastic.presets.io import resolve
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_rule
from metaplastic.report.tables import with_error
from metaplastic.studies.paper.experiment import Outcome, Progress
from metaplastic.studies.paper.kept import measurement_key

UNTRAINED = "untrained rule"
"""The rule that meta-training started from."""

DIGITS = 4
"""Decimal places of accuracies in result files."""


def file_digest(path: Path) -> str:
    """SHA-256 of a file, so that results depend on what is in it; empty if it is not there."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def untrained() -> Preset:
    """`base` with the rule that its meta-training started from: that of the recipe of `base`."""
    return resolve(build_rule(RECIPES["base"]))


def measure(
    learners: Mapping[str, Judged],
    dataset: LabelledSet,
    *,
    shots: Sequence[int],
    n_draws: int,
    seeds: Sequence[int],
    progress: Progress,
    permute: bool = True,
    note: str = "",
    keep: bool = True,
    **extra: Any,
) -> list[dict[str, Any]]:
    """Rows of all learners by the protocol: fields of `Record`, and `extra` with every row.

    A learner that diverges has no row, and progress is told. What was measured before
    (`progress.kept`) is not measured again, unless `keep` is off: for learners of which more than
    rows is wanted. Rows say the key of their measurement, the seconds that it took and its commit.
    """
    rows: list[dict[str, Any]] = []
    how: dict[str, Any] = {"shots": shots, "n_draws": n_draws, "seeds": seeds, "permute": permute}
    kept = progress.kept if keep else None
    for name, learner in learners.items():
        key = measurement_key(learner, dataset, how)
        measured = kept.read(key) if kept else None
        if measured is None:
            started = time.perf_counter()
            try:
                records = evaluate({name: learner}, dataset, **how)
            except DivergenceError as error:
                progress(f"{dataset.name}{note}: {name} diverged and has no result ({error})")
                continue
            seconds = round(time.perf_counter() - started, 2)
            made = {"key": key, "seconds": seconds, "commit": provenance(seeds=())["commit"]}
            measured = [{**to_row(record), **made} for record in records]
            if kept:
                kept.write(key, measured)
        rows += [{**row, "learner": name, **extra} for row in measured]
        score = " / ".join(f"{100 * r['mean']:.1f}" for r in measured if r["shots"] == shots[-1])
        progress(f"{dataset.name}{note}: {name} {score} %")
    return rows


def to_row(record: Record) -> dict[str, Any]:
    """A record as plain JSON."""
    row = dataclasses.asdict(record)
    row["draws"] = [[round(value, DIGITS) for value in draws] for draws in record.draws]
    return row


def to_record(row: Mapping[str, Any]) -> Record:
    """The record of a row, whatever else the row holds."""
    names = [field.name for field in dataclasses.fields(Record)]
    draws = tuple(tuple(draws) for draws in row["draws"])
    return Record(**{**{name: row[name] for name in names}, "draws": draws})


def select(rows: Sequence[Mapping[str, Any]], **wanted: Any) -> list[Mapping[str, Any]]:
    """The rows whose values are the wanted ones."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def values(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """The different values of a key, in order of appearance."""
    return list(dict.fromkeys(row[key] for row in rows))


def percent(row: Mapping[str, Any] | None) -> str:
    """Accuracy with its standard error, or a dash."""
    if row is None:
        return "-"
    return with_error(100 * row["mean"], 100 * row["standard_error"])


@dataclasses.dataclass(frozen=True)
class Gain:
    """A difference in points of percent, its standard error, and what it is a difference of."""

    points: float
    error: float
    where: str = ""

    @property
    def clear(self) -> bool:
        """Whether it is above zero by more than two standard errors."""
        return self.points > 2 * self.error

    @property
    def lost(self) -> bool:
        """Whether it is below zero by more than two standard errors."""
        return self.points < -2 * self.error

    def __str__(self) -> str:
        if not math.isfinite(self.error):
            return f"{self.points:+.1f}"
        return f"{self.points:+.1f} \u00b1 {self.error:.1f}"


def gain(own: Mapping[str, Any], other: Mapping[str, Any], where: str = "") -> Gain:
    """Paired difference of two rows of the same draws; a classifier's goes with any readout."""
    second = to_record(other)
    if second.readout == OWN:
        second = dataclasses.replace(second, readout=own["readout"])
    points, error = compare(to_record(own), second)
    return Gain(100 * points, 100 * error, where)


def gain_over_best(
    own: Mapping[str, Any], others: Sequence[Mapping[str, Any]], where: str = ""
) -> Gain:
    """Against the best of the others, which is picked after the fact, in favour of the others."""
    best = max(others, key=lambda row: row["mean"])
    lead = gain(own, best)
    return dataclasses.replace(lead, where=f"{where} (best other: {best['learner']})".strip())


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Mean over conditions, with the standard error over conditions."""
    mean, error = mean_and_error([g.points for g in gains])
    return Gain(mean, error)


def outcome(clear: int, of: int) -> Outcome:
    """A claim holds if it does everywhere, partly if somewhere."""
    if of < 1:
        raise InputError("a verdict needs at least one comparison")
    return "holds" if clear == of else "holds partly" if clear else "does not hold here"


def extremes(gains: Sequence[Gain]) -> str:
    """The smallest and the largest gain, in words."""
    low, high = min(gains, key=lambda g: g.points), max(gains, key=lambda g: g.points)
    return f"from {low} points ({low.where}) to {high} points ({high.where})"


def rounded(array: Any, digits: int = 4) -> Any:
    """An array as nested lists of numbers that take little room."""
    return np.round(np.asarray(array, np.float64), digits).tolist()
