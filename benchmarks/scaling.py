"""Meta-training on Ray: what the engine costs, and what learner and reducers can take.

Measured: task-steps per second of one process, of 1 and of 2 workers, and the share of an update
that is not work of the workers. Then gradients per second with workers that only sleep for as long
as a gradient takes (8 to 256 of them, in two processes), against a model of measured parts: the
least of what workers give (`workers / (gradient time + round trip / truncations)`), what reducers
take and what the learner takes (one over their processor time per gradient). On one machine all of
them share its cores, so that their sum counts, against the cores that they have when no worker
sleeps (fewer than the machine has while other programs run). The model also says what to expect of
numbers of workers that no machine here can run, where each reducer has a core of its own.

    python benchmarks/scaling.py [--quick] [--json OUT] [--only simulated]
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sleepers import Setting, simulate

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.executor import Bucket, LocalExecutor
from metaplastic.meta.problem import split_rule
from metaplastic.meta.train import OuterConfig, meta_train
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import Recipe, build_buckets, build_rule
from metaplastic.recipes.shapes import Shape
from metaplastic.report.tables import Table
from metaplastic.scale import ClusterSettings, RayExecutor, connect

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SHAPES = (
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 8, 5),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 5),
)
"""Ten tasks in all, as many as an update of the recipe `base` has."""

SIMULATED = (
    # workers, truncations, reducers
    (8, 1, 0),
    (64, 1, 0),
    (256, 1, 0),
    (8, 16, 2),
    (64, 16, 2),
    (256, 16, 2),
)
PREDICTED = (8, 64, 512, 4096)
TRUNCATIONS = 8
"""Of the predictions with reducers."""

WORKERS_PER_REDUCER = 64
SECONDS = 8.0
"""Of a measurement with simulated workers."""


def timed(rule: Any, executor: Any, buckets: list[Bucket], n_updates: int) -> list[dict[str, Any]]:
    """Metrics of updates after the first two, with `seconds` by the learner's clock."""
    weights = [float(b.n_tasks) for b in buckets]
    config = OuterConfig(n_updates=n_updates + 2, warmup=1)
    found, last = [], time.monotonic()
    for _, metrics in meta_train(rule, executor, config, weights=weights):
        numbers = dict(metrics)  # waits for them
        now = time.monotonic()
        found.append({**numbers, "seconds": now - last})
        last = now
    return found[2:]


def real(recipe: Recipe, n_updates: int) -> dict[str, Any]:
    """One process, one worker, two workers: the same recipe, synchronous; two asynchronous."""
    rule = build_rule(recipe)
    theta, free = split_rule(rule)
    buckets = build_buckets(recipe, free)
    estimator = TruncatedBackprop(recipe.truncation, checkpoint=False)
    tasks = sum(b.n_tasks for b in buckets)
    steps = tasks * recipe.truncation * recipe.steps_per_loss
    rows: dict[str, Any] = {}

    def add(name: str, updates: list[dict[str, Any]], gradients: float | None = None) -> None:
        seconds = float(np.median([u["seconds"] for u in updates]))
        row = {"update_s": seconds, "task_steps_per_s": steps / seconds}
        if gradients is not None:
            clusters = [u["cluster"] for u in updates]
            row |= {k: float(np.mean([c[k] for c in clusters])) for k in clusters[0]}
        rows[name] = row
        print(name, json.dumps(row), flush=True)

    add("one process", timed(rule, LocalExecutor(buckets, estimator), buckets, n_updates))
    for workers, mode in ((1, "synchronous"), (2, "synchronous"), (2, "asynchronous")):
        settings = ClusterSettings(workers=workers, mode=mode)
        with RayExecutor(buckets, estimator, theta, settings) as executor:
            add(f"{workers} worker(s), {mode}", timed(rule, executor, buckets, n_updates), 1.0)
    return {"rows": rows, "tasks": tasks, "task_steps_per_update": steps}


def parts(recipe: Recipe, seconds: float) -> dict[str, Any]:
    """Round trip, and processor time per message, of workers that do not sleep at all."""
    few = simulate(recipe, Setting(2, 0.0, 1, 0, 16), seconds)
    alone = simulate(recipe, Setting(64, 0.0, 1, 0, 256), seconds)
    tree = simulate(recipe, Setting(64, 0.0, 1, 2, 128), seconds)
    wide = simulate(recipe, Setting(64, 0.0, 1, 8, 512), seconds)
    # One summary of each reducer an update.
    of_two, of_eight = tree["learner_s"] * 128, wide["learner_s"] * 512
    summary = max((of_eight - of_two) / 6, 0.0)
    return {
        "round_trip_s": 2 / few["gradients_per_s"],
        "learner_s_per_gradient": alone["learner_s"],
        "host_s_per_call": alone["workers_s"],
        "reducer_s_per_call": tree["reducers_s"],
        "learner_s_per_summary": summary,
        "learner_s_per_update": of_two - 2 * summary,
        "cores": tree["cores"],
        "busy": [few, alone, tree, wide],
    }


def rates(setting: Setting, found: dict[str, Any], cores: float | None) -> dict[str, float]:
    """Gradients per second that each part could give; with `cores`, all share so many."""
    k, workers = setting.truncations, setting.workers
    per_call = found["reducer_s_per_call"] if setting.reducers else found["learner_s_per_gradient"]
    update = found["learner_s_per_update"] + found["learner_s_per_summary"] * setting.reducers
    learner = update / setting.batch if setting.reducers else per_call / k
    limits = {
        "workers": workers / (setting.seconds + found["round_trip_s"] / k),
        "learner": 1.0 / learner,
    }
    if setting.reducers:
        limits["reducers"] = setting.reducers * k / per_call
    if cores is not None:
        reducers = per_call / k if setting.reducers else 0.0
        limits["cores"] = cores / (learner + reducers + found["host_s_per_call"] / k)
    return limits


def predict(workers: int, tree: bool, found: dict[str, Any]) -> dict[str, Any]:
    """What to expect of so many workers on a cluster, and what holds them back."""
    k = TRUNCATIONS if tree else 1
    reducers = -(-workers // WORKERS_PER_REDUCER) if tree and workers > WORKERS_PER_REDUCER else 0
    setting = Setting(workers, found["gradient_s"], k, reducers, workers * k // 2 or 1)
    limits = rates(setting, found, None)
    slowest = min(limits, key=lambda name: limits[name])
    messages = limits[slowest] / setting.batch * reducers if reducers else limits[slowest] / k
    return {
        **dataclasses.asdict(setting),
        "gradients_per_s": limits[slowest],
        "bottleneck": slowest,
        "share": limits[slowest] * found["gradient_s"] / workers,
        "learner_megabytes_per_s": messages * found["gradient_bytes"] / 1e6,
    }


def run_simulated(recipe: Recipe, found: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    """Rows of simulated workers beside the model, and predictions."""
    seconds = 3.0 if quick else SECONDS
    found = found | parts(recipe, seconds)
    rows = []
    for workers, k, reducers in SIMULATED[:1] if quick else SIMULATED:
        batch = max(workers * k // 2, 8)
        setting = Setting(workers, found["gradient_s"], k, reducers, batch)
        row: dict[str, Any] = simulate(recipe, setting, seconds)
        limits = rates(setting, found, found["cores"])
        row["predicted"] = min(limits.values())
        row["bottleneck"] = min(limits, key=lambda name: limits[name])
        row["share"] = row["gradients_per_s"] * found["gradient_s"] / workers
        rows.append(row)
        print(json.dumps(row), flush=True)
    expected = [predict(n, tree, found) for tree in (False, True) for n in PREDICTED]
    return found | {"simulated": rows, "predictions": expected}


def main() -> None:
    """Measure, predict, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few updates, writes nothing")
    parser.add_argument("--json", type=Path, default=RESULTS / "scaling.json", metavar="OUT")
    parser.add_argument(
        "--only", choices=["simulated", "tables"], help="keep what the file says of the rest"
    )
    args = parser.parse_args()
    if args.only == "tables":
        text = _markdown(json.loads(args.json.read_text()))
        write_atomically(args.json.with_suffix(".md"), text.encode())
        return
    recipe = dataclasses.replace(RECIPES["base"], shapes=SHAPES)
    with connect(ClusterSettings(workers=min(2, os.cpu_count() or 1))):
        if args.only:
            earlier = json.loads(args.json.read_text())
            found = {name: earlier[name] for name in ("measured", "gradient_s")}
            found["measured_provenance"] = earlier.get("measured_provenance", earlier["provenance"])
        else:
            measured = real(recipe, 3 if args.quick else 12)
            one = measured["rows"]["1 worker(s), synchronous"]
            gradient_s = one["worker_seconds"] / measured["tasks"]
            found = {"measured": measured, "gradient_s": gradient_s}
        theta = split_rule(build_rule(recipe))[0]
        found["gradient_bytes"] = sum(leaf.nbytes for leaf in jax.tree.leaves(theta))
        found = run_simulated(recipe, found, quick=args.quick)
    data = {"provenance": provenance(seeds=(0,)), **found}
    if args.quick:
        return
    args.json.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(args.json, json.dumps(data, indent=1).encode())
    write_atomically(args.json.with_suffix(".md"), _markdown(data).encode())


def _markdown(data: dict[str, Any]) -> str:
    tables = (_of_real(data), _of_simulated(data), _of_predictions(data))
    return "\n\n".join(table.markdown() for table in tables) + "\n"


def _of_real(data: dict[str, Any]) -> Table:
    rows = tuple(
        (
            name,
            f"{row['update_s']:.3f}",
            f"{row['task_steps_per_s']:.0f}",
            _engine_share(row) if name.startswith("1 worker(s)") else "",
        )
        for name, row in data["measured"]["rows"].items()
    )
    return Table(("", "update, s", "task-steps/s", "not the worker's"), rows, "Two cores.")


def _engine_share(row: dict[str, float]) -> str:
    return f"{100 * (1.0 - row['worker_seconds'] / row['update_seconds']):.1f} %"


def _of_simulated(data: dict[str, Any]) -> Table:
    rows = tuple(
        (
            f"{r['workers']}",
            f"{r['truncations']}",
            f"{r['reducers']}",
            f"{r['gradients_per_s']:.0f}",
            f"{r['predicted']:.0f}",
            r["bottleneck"],
            f"{100 * r['share']:.0f} %",
            f"{r['staleness']:.1f}",
            f"{1e3 * r['learner_s']:.3f}",
        )
        for r in data["simulated"]
    )
    names = ("workers", "truncations", "reducers", "gradients/s", "predicted", "bottleneck")
    more = ("of their sum", "staleness, updates", "learner, ms a gradient")
    return Table(
        names + more,
        rows,
        f"Workers that sleep {data['gradient_s']:.3f} s a gradient; learner and reducers are the "
        "real ones, and share a machine with those that sleep: all had "
        f"{data['cores']:.1f} cores. An update takes half of workers times truncations; the "
        "learner's milliseconds are processor time.",
    )


def _of_predictions(data: dict[str, Any]) -> Table:
    rows = tuple(
        (
            f"{p['workers']}",
            f"{p['truncations']}",
            f"{p['reducers']}",
            f"{p['gradients_per_s']:.0f}",
            f"{100 * p['share']:.0f} %",
            p["bottleneck"],
            f"{p['learner_megabytes_per_s']:.2f}",
        )
        for p in data["predictions"]
    )
    names = ("workers", "truncations", "reducers", "gradients/s", "of their sum", "bottleneck")
    return Table(
        (*names, "MB/s to the learner"),
        rows,
        f"Model: a message takes {1e3 * data['learner_s_per_gradient']:.2f} ms of the learner "
        f"alone or {1e3 * data['reducer_s_per_call']:.2f} ms of a reducer, an update "
        f"{1e3 * data['learner_s_per_update']:.1f} ms of the learner and "
        f"{1e3 * data['learner_s_per_summary']:.1f} ms for each summary, the way there and back "
        f"{1e3 * data['round_trip_s']:.0f} ms; each reducer has a core of its own.",
    )


if __name__ == "__main__":
    main()
