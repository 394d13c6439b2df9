"""The rule `mixed`, meta-trained with all nonlinearities on one card, on validation pools."""

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
    "writings, 2 classes",
    "table, 30 columns",
)
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "base": "stage 7 (`base` then)",
    "stage7": "stage 7",
    "mixed": "`mixed`",
}
"""Rows of the table, and what it calls them."""
RUNS = {
    "mixed": "mixed",
}
"""Meta-training runs kept in this folder."""


def measure(call: Call) -> dict[str, Any]:
    """The default learner with every rule, beside what needs none."""
    learners = baselines() | rules_of("stage7", "mixed")
    return {"rows": measure_on_pools(call, learners, KINDS, n_pools=len(SEEDS))}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did, and how their rules do."""
    return {
        "runs": run_table(FOLDER, RUNS),
        "pools": pool_table(result["rows"], names=NAMES, bold="base", n_pools=len(SEEDS)),
        "nonlinearities": nonlinearity_table(
            json.loads((FOLDER / "nonlinearities.json").read_text("utf-8")),
            {"mixed": "`mixed`"},
            where="one pool of 14x14 letters",
        ),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)
