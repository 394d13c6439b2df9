"""Rules for tanh, sigmoid, sine and the step function, on validation pools of pen strokes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.nonlinearities import measure_nonlinearities, nonlinearity_table
from laboratory.rules import stage_rule
from laboratory.runs import run_figure, run_table

FOLDER = Path(__file__).parent
SEEDS = (0,)
KIND, N_POOLS = "strokes 8x8", 2
RUNS = {"stage24": "stage 24", "stage25": "stage 25"}
NAMES = {"base, strokes 8x8": "stage 20", "stage25, strokes 8x8": "stage 25"}


def measure(call: Call) -> dict[str, Any]:
    """The rule of that time and the one for bounded nonlinearities."""
    stages = {"base": "stage20", "stage25": "stage25"}
    rules = {f"{name}, {KIND}": stage_rule(stage) for name, stage in stages.items()}
    return {"rows": measure_nonlinearities(call, rules, KIND, N_POOLS)}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did, and how their rules do."""
    where = f"two pools of {KIND.removeprefix('strokes ')} strokes"
    return {
        "runs": run_table(FOLDER, RUNS),
        "nonlinearities": nonlinearity_table(result, NAMES, where=where),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)
