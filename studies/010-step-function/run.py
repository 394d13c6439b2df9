"""How rules do with every nonlinearity, on a validation pool of letters."""

from collections.abc import Mapping
from typing import Any

from laboratory import Call, Table
from laboratory.nonlinearities import measure_nonlinearities, nonlinearity_table
from laboratory.rules import stage_rule

SEEDS = (0,)
KIND, N_POOLS = "glyphs 14x14", 1
NAMES = {
    "stage7": "stage 7, reads outputs",
    "stage8": "stage 8, reads outputs",
    "stage7, rectified": "stage 7, reads rectified drives",
}


def measure(call: Call) -> dict[str, Any]:
    """The rule of stage 7 as the code is now: it reads rectified drives."""
    rules = {"stage7, rectified": stage_rule("stage7")}
    return {"rows": measure_nonlinearities(call, rules, KIND, N_POOLS)}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Nonlinearities by rule."""
    where = "one pool of 14x14 letters"
    return {"nonlinearities": nonlinearity_table(result, NAMES, where=where)}
