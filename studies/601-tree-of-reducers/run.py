"""Gradients by a tree of reducers, by calls of several truncations, and by waiting for all."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from toy import buckets, rule, validation_loss
from virtual import Costs, VirtualPool

from laboratory import Call, Table
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.problem import split_rule
from metaplastic.meta.train import OuterConfig, meta_train
from metaplastic.report.lines import Line, line_figure
from metaplastic.scale import ClusterSettings, RayExecutor

SEEDS = (0, 1, 2, 3, 4)
WORKERS = 64
UPDATES = 100
WAYS: dict[str, dict[str, Any]] = {
    "synchronous": {"mode": "synchronous"},
    "alone": {"mode": "asynchronous", "reducers": 0},
    "8 truncations": {"mode": "asynchronous", "reducers": 0, "truncations": 8},
    "tree": {"mode": "asynchronous", "reducers": 4},
}


COSTS = Costs(gradient=0.02, way=0.009, message=0.0016, update=0.005)
"""As measured before there were reducers: one gradient kept the learner for 1.6 ms."""


def one(way: str, seed: int, updates: int, workers: int) -> dict[str, Any]:
    """Validation loss over gradients and virtual seconds of one run."""
    start = rule()
    settings = ClusterSettings(
        workers=workers, batch=workers, cpus_per_worker=0.0, max_staleness=100, **WAYS[way]
    )
    config = OuterConfig(n_updates=updates, learning_rate=0.05, warmup=5, seed=seed)
    pool = type("Pool", (VirtualPool,), {"costs": COSTS})
    tasks, estimator = buckets(workers), TruncatedBackprop(5)
    points: list[dict[str, float]] = []
    gradients, ages = 0.0, []
    with RayExecutor(tasks, estimator, split_rule(start)[0], settings, pool=pool) as executor:
        held: Any = executor._pool
        for step, (state, told) in enumerate(meta_train(start, executor, config, weights=[1.0])):
            cluster = told["cluster"]
            gradients += cluster["gradients"]
            ages.append(cluster.get("staleness", 0.0))
            if step % 10 == 9:
                loss = float(validation_loss(state.theta))
                seconds = held.loop.time()
                points.append({"gradients": gradients, "seconds": seconds, "loss": loss})
    staleness = float(np.mean(ages))
    return {"way": way, "seed": seed, "staleness": staleness, "points": points}


def measure(call: Call) -> dict[str, Any]:
    """All runs; quick: one short run of each way."""
    if call.quick:
        return {"runs": [one(way, 0, 10, 16) for way in WAYS]}
    runs: list[dict[str, Any]] = []
    for seed in SEEDS:
        for way in WAYS:
            runs.append(one(way, seed, UPDATES, WORKERS))
            last = runs[-1]["points"][-1]
            print(seed, way, json.dumps(last), file=sys.stderr, flush=True)
            call.save({"runs": runs})
    return {"runs": runs}


def _mean_runs(result: Mapping[str, Any], way: str) -> tuple[np.ndarray, np.ndarray]:
    """Points of a way as `(point, 3)` means over seeds, and standard errors of the loss."""
    names = ("gradients", "seconds", "loss")
    runs = [
        [[point[name] for name in names] for point in run["points"]]
        for run in result["runs"]
        if run["way"] == way
    ]
    found = np.array(runs)
    error = found[:, :, 2].std(axis=0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else None
    return found.mean(axis=0), np.zeros(found.shape[1]) if error is None else error


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The end of every way, and what it reached in the time that the fastest took."""
    if not result:
        return {}
    ways = [way for way in WAYS if any(run["way"] == way for run in result["runs"])]
    means = {way: _mean_runs(result, way) for way in ways}
    shortest = min(points[-1, 1] for points, _ in means.values())
    rows = []
    for way, (points, error) in means.items():
        ages = [run["staleness"] for run in result["runs"] if run["way"] == way]
        by_then = float(np.interp(shortest, points[:, 1], points[:, 2]))
        rows.append(
            (
                way,
                f"{points[-1, 0]:.0f}",
                f"{np.mean(ages):.1f}",
                f"{points[-1, 2]:.4f} ± {error[-1]:.4f}",
                f"{points[-1, 1]:.1f}",
                f"{points[-1, 0] / points[-1, 1]:.0f}",
                f"{by_then:.4f}",
            )
        )
    names = ("", "gradients", "staleness, updates", "loss at the end", "seconds", "gradients/s")
    caption = (
        f"Mean and standard error over {len(result['runs']) // len(ways)} seeds, seconds are "
        f"virtual; the last column is the loss after {shortest:.1f} s."
    )
    return {"ways": Table((*names, "loss by then"), tuple(rows), caption)}


def draw(result: Mapping[str, Any]) -> Any:
    """Loss over gradients and over seconds."""

    def lines(column: int) -> Sequence[Line]:
        found = []
        for way in WAYS:
            points, error = _mean_runs(result, way)
            y = points[:, 2].tolist()
            found.append(Line(way, points[:, column].tolist(), y, error.tolist()))
        return found

    panels = {"by gradients": lines(0), "by virtual seconds": lines(1)}
    return line_figure(panels, x_label="", y_label="validation loss")
