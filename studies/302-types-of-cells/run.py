"""Types of blood cells from gene expression: `base` beside the inputs, with the same readings."""

import importlib.util
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from laboratory import Call, Table
from metaplastic.data import Dataset, read_table
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import Record, compare, evaluate
from metaplastic.evaluation.protocol import Judged
from metaplastic.learners import PCA, KMeansTriangle, Raw, RuleLearner
from metaplastic.presets import load_preset

SEEDS = (0, 1, 2)
SHOTS, DRAWS = (1, 3, 10), 10
READINGS = ("ridge", "logistic", "graph", "auto")
LEAST_CELLS = 20
FILE = Path("datasets", "10x_pbmc68k_reduced.h5ad")
MATRICES = {"scaled": None, "logarithms": "raw"}
"""What the cells are given as, and the layer that holds it."""


def arguments(parser: ArgumentParser) -> None:
    """Where the cells are."""
    parser.add_argument("--cells", type=Path, help=f"{FILE.name} (that of an installed scanpy)")


def measure(call: Call) -> dict[str, Any]:
    """Accuracies, and how far `base` is from each other learner in the same draws."""
    sizes: Any = {"shots": SHOTS, "n_draws": DRAWS, "seeds": SEEDS, "readouts": READINGS}
    if call.quick:
        sizes = {"shots": (3,), "n_draws": 2, "seeds": (0,), "readouts": ("ridge",)}
    rows = []
    for cells in _pools(getattr(call.options, "cells", None)):
        records = evaluate(_learners(), cells, **sizes)
        rows += _rows(records)
        print(cells.name, *rows[-len(records) :], sep="\n", file=sys.stderr, flush=True)
        call.save({"rows": rows})
    return {"rows": rows}


def _learners() -> dict[str, Judged]:
    base = RuleLearner(load_preset("base"))
    return {"base": base, "raw": Raw(), "PCA-32": PCA(32), "k-means-32": KMeansTriangle(32)}


def _pools(path: Path | None) -> Iterator[Dataset]:
    path = path or _bundled()
    for name, layer in MATRICES.items():
        table: Any = read_table(path, label="bulk_labels", layer=layer)
        _, labels, sizes = np.unique(table.y, return_inverse=True, return_counts=True)
        kept = sizes[labels] >= LEAST_CELLS
        _, labels = np.unique(labels[kept], return_inverse=True)
        x = table.x.toarray() if hasattr(table.x, "toarray") else table.x
        yield Dataset(name, np.asarray(x[kept], np.float32), labels, None, "", "scanpy")


def _bundled() -> Path:
    """The file of an installed scanpy, which is not imported."""
    found = importlib.util.find_spec("scanpy")
    if found is None or found.origin is None:
        raise MissingDataError(f"scanpy is not installed; name its {FILE.name} by --cells")
    return Path(found.origin).parent / FILE


def _rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    base = {(r.shots, r.readout): r for r in records if r.learner == "base"}
    rows = []
    for r in records:
        lead, error = compare(base[r.shots, r.readout], r)
        scores = {"accuracy": r.mean, "error": r.standard_error, "lead": lead, "lead_error": error}
        key = {"matrix": r.dataset, "learner": r.learner, "reading": r.readout, "shots": r.shots}
        rows.append(key | {name: round(100 * value, 2) for name, value in scores.items()})
    return rows


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Accuracies of each matrix, and the leads of `base`."""
    rows = result["rows"]
    found = {}
    for matrix in dict.fromkeys(row["matrix"] for row in rows):
        own = [row for row in rows if row["matrix"] == matrix]
        found[matrix] = _table(own, "accuracy", "error", "{:.1f} ± {:.1f}", "Accuracy in percent")
        others = [row for row in own if row["learner"] != "base"]
        note = "How far `base` is above, in points"
        found[f"{matrix}-leads"] = _table(others, "lead", "lead_error", "{:+.1f} ± {:.1f}", note)
    return found


def _table(rows: Sequence[Mapping[str, Any]], what: str, error: str, form: str, note: str) -> Table:
    shots = list(dict.fromkeys(row["shots"] for row in rows))
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        key = (row["learner"], row["reading"])
        lines.setdefault(key, []).append(form.format(row[what], row[error]))
    cells = tuple((*key, *line) for key, line in lines.items())
    note = f"{note}; standard errors over the draws of labels."
    return Table(("", "reading", *(f"{k} a type" for k in shots)), cells, note)
