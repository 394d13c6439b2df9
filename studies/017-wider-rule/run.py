"""Stages 21 to 23: other nonlinearities and a rule of 96 units; the runs are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Table
from laboratory.runs import run_figure, run_table

FOLDER = Path(__file__).parent
RUNS = {
    "stage21": "stage 21",
    "stage22": "stage 22",
    "stage23": "stage 23",
}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did."""
    return {"runs": run_table(FOLDER, RUNS)}


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)
