"""Stages 27 and 28: meta-training with inputs whitened in part; the runs are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Table
from laboratory.runs import run_figure, run_table

FOLDER = Path(__file__).parent
RUNS = {
    "stage27": "stage 27",
    "stage28": "stage 28",
}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did."""
    return {"runs": run_table(FOLDER, RUNS)}


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)
