"""Rules for ReLU networks on whitened inputs, on validation pools."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.nonlinearities import nonlinearity_table
from laboratory.pool_study import baselines, measure_on_pools, pool_table
from laboratory.rules import stage_rule, with_whitening
from laboratory.runs import run_figure, run_table
from metaplastic.learners import RuleLearner
from metaplastic.presets import Preset, load_preset
from metaplastic.presets.io import resolve

FOLDER = Path(__file__).parent
SEEDS = (0, 1, 2)
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
    "base": "stage 20",
    "base, whitened": "stage 20, whitened",
    "base, whitened in turn": "stage 20, whitened in turn",
    "stage27": "stage 27",
    "stage29": "stage 29",
    "mean of stages 20 and 27": "mean of 20 and 27",
}
"""Rows of the table, and what it calls them."""
RUNS = {
    "stage29": "stage 29",
    "stage30": "stage 30",
    "stage31": "stage 31",
    "stage32": "stage 32",
}
"""Meta-training runs kept in this folder."""
IN_TURN = {
    "base, whitened by 0.0": "stage 20, not whitened",
    "base, whitened by 0.25": "stage 20, whitened in turn",
}


def measure(call: Call) -> dict[str, Any]:
    """Stage 20 with inputs as they are, whitened and whitened in turn; 27 and 29 whitened."""
    base = load_preset("base")
    presets = {
        "base": with_whitening(base, 0.0),
        "base, whitened": _for_all_networks(base),
        "base, whitened in turn": base,
        "stage27": _for_all_networks(resolve(stage_rule("stage27"))),
        "stage29": _for_all_networks(resolve(stage_rule("stage29"))),
    }
    learners = baselines() | {name: RuleLearner(preset) for name, preset in presets.items()}
    return {"rows": measure_on_pools(call, learners, KINDS, n_pools=len(SEEDS))}


def _for_all_networks(preset: Preset) -> Preset:
    return dataclasses.replace(preset, whiten_in_turn=False)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did, and how their rules do."""
    return {
        "runs": run_table(FOLDER, RUNS),
        "pools": pool_table(
            result["rows"], names=NAMES, bold="mean of stages 20 and 27", n_pools=len(SEEDS)
        ),
        "in-turn": pool_table(_kept("in_turn.json")["rows"], names=IN_TURN, n_pools=len(SEEDS)),
        "nonlinearities": nonlinearity_table(
            _kept("nonlinearities.json"),
            {"stage31, strokes 8x8": "stage 31"},
            where="two pools of 8x8 strokes",
        ),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    return run_figure(FOLDER, RUNS)


def _kept(name: str) -> dict[str, Any]:
    """A result file of this folder that an earlier measurement made."""
    return json.loads((FOLDER / name).read_text("utf-8"))
