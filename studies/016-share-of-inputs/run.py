"""What share of the features should be inputs, on validation pools."""

from collections.abc import Mapping
from typing import Any

from laboratory import Call, Table
from laboratory.pool_study import baselines, measure_on_pools, pool_table
from laboratory.rules import with_share
from metaplastic.learners import RuleLearner
from metaplastic.presets import load_preset

SEEDS = (0, 1)
KINDS = (
    "glyphs deformed",
    "glyphs plain",
    "glyphs 14x14",
    "strokes 14x14",
    "strokes 8x8",
    "silhouettes 14x14",
    "writings, 2 classes",
    "table, 30 columns",
    "table, 12 columns",
)
SHARES = (0.5, 0.25, 0.125)
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "base, 50.0% inputs": "half",
    "base, 25.0% inputs": "a quarter",
    "base, 12.5% inputs": "an eighth",
}


def measure(call: Call) -> dict[str, Any]:
    """The shipped preset with every share, beside what needs no rule."""
    base = load_preset("base")
    shares = {f"base, {s:.1%} inputs": RuleLearner(with_share(base, s)) for s in SHARES}
    return {"rows": measure_on_pools(call, baselines() | shares, KINDS, n_pools=len(SEEDS))}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Every share on every kind of pool."""
    chosen = "base, 25.0% inputs"
    return {"shares": pool_table(result["rows"], names=NAMES, bold=chosen, n_pools=len(SEEDS))}
