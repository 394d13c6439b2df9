"""Stages 10 and 11, meta-trained from `mixed` with falling rates, on validation pools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Table
from laboratory.stages import StageStudy

SEEDS = (0, 1)
STUDY = StageStudy(
    folder=Path(__file__).parent,
    runs={
        "stage10": "stage 10",
        "stage11": "stage 11",
    },
    rules=("stage7", "stage10", "stage11"),
    kinds=(
        "glyphs deformed",
        "glyphs plain",
        "glyphs 14x14",
        "writings, 2 classes",
        "table, 30 columns",
    ),
    names={
        "raw": "raw",
        "k-means-400": "k-means-400",
        "base": "stage 7 (`base` then)",
        "stage7": "stage 7",
        "stage10": "stage 10",
        "stage11": "stage 11",
    },
    bold="base",
)
measure, draw = STUDY.measure, STUDY.draw


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Runs and pools, and every nonlinearity."""
    return STUDY.tables(result) | {"nonlinearities": STUDY.nonlinearities({"stage11": "stage 11"})}
