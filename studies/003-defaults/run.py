"""One setting of the learner at a time around its defaults, on validation pools."""

from collections.abc import Mapping
from typing import Any

from laboratory import Call, Table
from laboratory.pool_study import baselines, measure_on_pools, pool_table
from laboratory.rules import learner_of, with_order
from laboratory.settings import CHANGES, ORDERS, label_of
from metaplastic.learners import RuleLearner
from metaplastic.presets import load_preset

SEEDS = (0,)
KINDS = ("glyphs deformed", "strokes 14x14", "silhouettes 14x14")


def measure(call: Call) -> dict[str, Any]:
    """The defaults, and every change of one setting."""
    changes = CHANGES[:1] if call.quick else CHANGES
    changed = {label_of(change): learner_of(**change) for change in changes}
    for order in () if call.quick else ORDERS:
        changed[f"order={order}"] = RuleLearner(with_order(load_preset("base"), order))
    learners = baselines() | {"base": learner_of()} | changed
    return {"rows": measure_on_pools(call, learners, KINDS, n_pools=len(SEEDS))}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Every setting on every kind of pool."""
    return {"settings": pool_table(result["rows"], bold="base", n_pools=len(SEEDS))}
