"""Rules meta-trained on drawn things, on validation pools."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.nonlinearities import nonlinearity_table
from laboratory.pool_study import baselines, measure_on_pools, pool_table, rules_of
from laboratory.runs import run_figure, run_table

FOLDER = Path(__file__).parent
SEEDS = (0, 1)
KINDS = (
    "glyphs deformed",
    "glyphs plain",
    "glyphs 14x14",
    "strokes 14x14",
    "strokes 8x8",
    "silhouettes 14x14",
    "table, 30 columns",
    "table, 12 columns",
)
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "stage7": "stage 7",
    "stage17": "stage 17",
    "stage18": "stage 18",
    "stage20": "stage 20",
}
"""Rows of the table, and what it calls them."""
RUNS = {
    "stage17": "stage 17",
    "stage18": "stage 18",
    "stage19": "stage 19",
    "stage20": "stage 20",
}
"""Meta-training runs kept in this folder."""
OTHERS = {
    "stage10": "stage 10",
    "stage11": "stage 11",
    "stage16": "stage 16",
    "stage19": "stage 19",
    "mean_19_20": "mean of 19 and 20",
}


def measure(call: Call) -> dict[str, Any]:
    """The default learner with every rule, beside what needs none."""
    learners = baselines() | rules_of("stage7", "stage17", "stage18", "stage20")
    return {"rows": measure_on_pools(call, learners, KINDS, n_pools=len(SEEDS))}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did, and how their rules do."""
    return {
        "runs": run_table(FOLDER, RUNS),
        "pools": pool_table(result["rows"], names=NAMES, bold="stage20", n_pools=len(SEEDS)),
        "others": pool_table(_kept("others.json")["rows"], names=OTHERS, n_pools=len(SEEDS)),
        "nonlinearities": nonlinearity_table(
            _kept("nonlinearities.json"), {"base": "stage 20"}, where="one pool of 14x14 letters"
        ),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)


def _kept(name: str) -> dict[str, Any]:
    """A result file of this folder that an earlier measurement made."""
    return json.loads((FOLDER / name).read_text("utf-8"))
