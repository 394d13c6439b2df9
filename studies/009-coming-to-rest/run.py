"""What long learning does to features: accuracy over inner steps, on validation pools."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.curves import curve_figure
from laboratory.pool_study import pool_table
from laboratory.pools import ROWS, validation_pool
from laboratory.rules import learner_of, stage_rule
from metaplastic.evaluation import evaluate
from metaplastic.rules import LocalRule, load_rule

FOLDER = Path(__file__).parent
SEEDS = (0,)
STEPS = (100, 250, 1000, 4000)
HARD, OTHERS = "glyphs deformed", ("glyphs 14x14", "table, 30 columns", "writings, 2 classes")
SETTLE = 100
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "base": "stage 7",
    "settled": "stage 7, settle=100",
    "s8": "stage 8",
}


def _cases(label: str) -> Iterator[tuple[str, LocalRule, str, int]]:
    """Label, rule, kind of the pool and its rows."""
    rule = load_rule(stage_rule(label))
    assert isinstance(rule, LocalRule)
    restless = dataclasses.replace(rule, settle=0)
    for kind in (HARD, *OTHERS):
        yield label, restless, kind, ROWS
    yield f"{label}, settle={SETTLE}", dataclasses.replace(rule, settle=SETTLE), HARD, ROWS
    yield label, restless, HARD, 10 * ROWS


def measure(call: Call) -> dict[str, Any]:
    """A row for every case and number of inner steps."""
    rows = []
    for label, rule, kind, n_rows in _cases("stage7"):
        pool = validation_pool(kind, 0, 300 if call.quick else n_rows)
        for n_steps in (2,) if call.quick else STEPS:
            learner = learner_of(rule, n_networks=2, n_components=128, n_steps=n_steps)
            records = evaluate({label: learner}, pool, n_draws=10, seeds=(0,))
            accuracies = {record.readout: round(100 * record.mean, 1) for record in records}
            row = {"rule": label, "pool": kind, "rows": n_rows, "steps": n_steps, **accuracies}
            print(*row.values(), sep="  ", flush=True)
            rows.append(row)
        if call.quick:
            break
    return {"rows": rows}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Accuracy by inner steps, and the defaults."""
    kept = json.loads((FOLDER / "pools.json").read_text("utf-8"))
    return {
        "steps": _steps(result),
        "pools": pool_table(kept["rows"], names=NAMES, n_pools=1),
    }


def _steps(result: Mapping[str, Any]) -> Table:
    parts = [result] if "rows" in result else result.values()
    rows = [row for part in parts for row in part["rows"]]
    by_case: dict[tuple[str, str, int], dict[int, str]] = {}
    for row in rows:
        case = by_case.setdefault((row["rule"], row["pool"], row["rows"]), {})
        case[row["steps"]] = f"{row['ridge']:.1f} / {row['logistic']:.1f}"
    steps = sorted({row["steps"] for row in rows})
    cells = tuple(
        (rule, pool, f"{n_rows:,}", *(found.get(n, "-") for n in steps))
        for (rule, pool, n_rows), found in by_case.items()
    )
    note = (
        "Accuracy in percent after so many inner steps, ridge / logistic, 10 labels a class; two "
        "networks, 128 features, 10 draws of labels."
    )
    return Table(("rule", "pool", "rows", *(f"{n:,}" for n in steps)), cells, note)


def draw(result: Mapping[str, Any]) -> Any:
    """Validation loss in the meta-training of stage 8."""
    return curve_figure(json.loads((FOLDER / "curves.json").read_text("utf-8")))
