"""Rules meta-trained on drawn things, on validation pools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Table
from laboratory.pool_study import pool_table
from laboratory.stages import N_POOLS, StageStudy

SEEDS = (0, 1)
STUDY = StageStudy(
    folder=Path(__file__).parent,
    runs={
        "stage17": "stage 17",
        "stage18": "stage 18",
        "stage19": "stage 19",
        "stage20": "stage 20",
    },
    rules=("stage7", "stage17", "stage18", "stage20"),
    kinds=(
        "glyphs deformed",
        "glyphs plain",
        "glyphs 14x14",
        "strokes 14x14",
        "strokes 8x8",
        "silhouettes 14x14",
        "table, 30 columns",
        "table, 12 columns",
    ),
    names={
        "raw": "raw",
        "k-means-400": "k-means-400",
        "stage7": "stage 7",
        "stage17": "stage 17",
        "stage18": "stage 18",
        "stage20": "stage 20",
    },
    bold="stage20",
)
measure, draw = STUDY.measure, STUDY.draw
OTHERS = {
    "stage10": "stage 10",
    "stage11": "stage 11",
    "stage16": "stage 16",
    "stage19": "stage 19",
    "mean_19_20": "mean of 19 and 20",
}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Runs and pools; rules measured earlier; every nonlinearity."""
    others = pool_table(STUDY.kept("others.json")["rows"], names=OTHERS, n_pools=N_POOLS)
    nonlinearities = STUDY.nonlinearities({"base": "stage 20"})
    return STUDY.tables(result) | {"others": others, "nonlinearities": nonlinearities}
