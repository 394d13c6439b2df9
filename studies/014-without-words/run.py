"""Stage 16, meta-trained without words, on validation pools; its successors on public sets."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Table
from laboratory.records import set_table
from laboratory.stages import StageStudy
from metaplastic.evaluation import Record, from_json
from metaplastic.studies.paper.common import select, values

SEEDS = (0, 1)
STUDY = StageStudy(
    folder=Path(__file__).parent,
    runs={
        "stage13": "stage 13",
        "stage14": "stage 14",
        "stage15": "stage 15",
        "stage16": "stage 16",
    },
    rules=("stage7", "stage16"),
    kinds=(
        "glyphs deformed",
        "glyphs plain",
        "glyphs 14x14",
        "writings, 2 classes",
        "writings, 8 classes",
        "table, 30 columns",
        "table, 12 columns",
    ),
    names={
        "raw": "raw",
        "k-means-400": "k-means-400",
        "stage7": "stage 7 (`base` then)",
        "stage16": "stage 16",
        "mean7_16": "mean of both",
    },
    bold="stage7",
)
measure, draw = STUDY.measure, STUDY.draw


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Runs and pools; successors on public sets; stage 11 by nonlinearity."""
    others = {"successors": set_table(_successors()), "architecture": _architecture()}
    return STUDY.tables(result) | others


def _successors() -> list[Record]:
    """Records of both successors on public sets, under their names."""
    kept = STUDY.kept("successors.json")
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
    kept = STUDY.kept("architecture.json")
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
