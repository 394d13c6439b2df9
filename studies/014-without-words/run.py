"""Stage 16, meta-trained without words, on validation pools; its successors on public sets."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.pool_study import baselines, measure_on_pools, pool_table, rules_of
from laboratory.records import set_table
from laboratory.runs import run_figure, run_table
from metaplastic.evaluation import Record, from_json
from metaplastic.studies.paper.common import select, values

FOLDER = Path(__file__).parent
SEEDS = (0, 1)
KINDS = (
    "glyphs deformed",
    "glyphs plain",
    "glyphs 14x14",
    "writings, 2 classes",
    "writings, 8 classes",
    "table, 30 columns",
    "table, 12 columns",
)
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "stage7": "stage 7 (`base` then)",
    "stage16": "stage 16",
    "mean7_16": "mean of both",
}
"""Rows of the table, and what it calls them."""
RUNS = {
    "stage13": "stage 13",
    "stage14": "stage 14",
    "stage15": "stage 15",
    "stage16": "stage 16",
}
"""Meta-training runs kept in this folder."""


def measure(call: Call) -> dict[str, Any]:
    """The default learner with every rule, beside what needs none."""
    learners = baselines() | rules_of("stage7", "stage16")
    return {"rows": measure_on_pools(call, learners, KINDS, n_pools=len(SEEDS))}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did, and how their rules do."""
    return {
        "runs": run_table(FOLDER, RUNS),
        "pools": pool_table(result["rows"], names=NAMES, bold="stage7", n_pools=len(SEEDS)),
        "successors": set_table(_successors()),
        "architecture": _architecture(),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)


def _successors() -> list[Record]:
    """Records of both successors on public sets, under their names."""
    kept = json.loads((FOLDER / "successors.json").read_text("utf-8"))
    records = []
    for name, part in kept.items():
        records += [
            dataclasses.replace(record, learner=name)
            for record in from_json(json.dumps(part))[0]
            if record.learner != "raw"
        ]
    return records


def _architecture() -> Table:
    """Stage 11 on the digits by nonlinearity."""
    kept = json.loads((FOLDER / "architecture.json").read_text("utf-8"))
    rows = select(kept["rows"], learner="stage 11", sweep="nonlinearity")
    cells = tuple(
        (name, *(f"{100 * row['mean']:.1f}" for row in select(rows, value=name)))
        for name in values(rows, "value")
    )
    note = (
        "Stage 11 on the digits: accuracy in percent with 10 labels a class, three layers of 128 "
        "units, learned features alone, 3 seeds x 30 draws."
    )
    return Table(("nonlinearity", "ridge", "logistic"), cells, note)
