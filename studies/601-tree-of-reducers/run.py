"""Gradients by a tree of reducers, by calls of several truncations, and by waiting for all."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from subjects import SUBJECTS
from virtual import Costs, VirtualPool

from laboratory import Call, Table
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.problem import split_rule
from metaplastic.meta.train import OuterConfig, meta_train
from metaplastic.report.lines import Line, line_figure
from metaplastic.scale import ClusterSettings, RayExecutor

SEEDS = (0, 1, 2, 3, 4)
QUICK_WORKERS, QUICK_UPDATES = 16, 10
WAYS: dict[str, dict[str, Any]] = {
    "synchronous": {"mode": "synchronous"},
    "alone": {"mode": "asynchronous", "reducers": 0},
    "8 truncations": {"mode": "asynchronous", "reducers": 0, "truncations": 8},
    "tree": {"mode": "asynchronous"},
}


COSTS = Costs(gradient=0.02, way=0.009, message=0.0016, update=0.005)
"""As measured before there were reducers: one gradient kept the learner for 1.6 ms."""


def one(name: str, way: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """Validation loss over gradients and virtual seconds of one run."""
    subject = SUBJECTS[name]
    workers = QUICK_WORKERS if quick else subject.workers
    updates = QUICK_UPDATES if quick else subject.updates
    chosen = {"reducers": subject.reducers, **WAYS[way]}
    if chosen["mode"] == "synchronous":
        del chosen["reducers"]
    settings = ClusterSettings(
        workers=workers, batch=workers, cpus_per_worker=0.0, max_staleness=100, **chosen
    )
    config = OuterConfig(
        n_updates=updates,
        learning_rate=subject.learning_rate,
        warmup=min(subject.warmup, updates // 2),
        seed=seed,
    )
    pool = type("Pool", (VirtualPool,), {"costs": COSTS})
    start, tasks = subject.rule(), subject.buckets(workers)
    estimator, weights = TruncatedBackprop(subject.truncation), [1.0] * len(tasks)
    points: list[dict[str, float]] = []
    gradients, ages = 0.0, []
    with RayExecutor(tasks, estimator, split_rule(start)[0], settings, pool=pool) as executor:
        held: Any = executor._pool
        for step, (state, told) in enumerate(meta_train(start, executor, config, weights=weights)):
            cluster = told["cluster"]
            gradients += cluster["gradients"]
            ages.append(cluster.get("staleness", 0.0))
            if step % (updates // 10) == updates // 10 - 1:
                loss = float(subject.validation_loss(state.theta))
                seconds = held.loop.time()
                points.append({"gradients": gradients, "seconds": seconds, "loss": loss})
    staleness = float(np.mean(ages))
    return {"subject": name, "way": way, "seed": seed, "staleness": staleness, "points": points}


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be asked for beside `--quick`."""
    parser.add_argument("--resume", action="store_true", help="keep the runs of result.json")


def measure(call: Call) -> dict[str, Any]:
    """All runs; quick: one short run of the toy by each way (the recipe compiles for minutes)."""
    if call.quick:
        return {"runs": [one("toy", way, 0, quick=True) for way in WAYS]}
    earlier = call.earlier if call.options.resume else None
    runs: list[dict[str, Any]] = list(earlier["runs"]) if earlier else []
    done = {(run["subject"], run["way"], run["seed"]) for run in runs}
    for name, subject in SUBJECTS.items():
        for seed in SEEDS[: subject.n_seeds]:
            for way in (way for way in WAYS if (name, way, seed) not in done):
                runs.append(one(name, way, seed, quick=False))
                last = runs[-1]["points"][-1]
                print(name, seed, way, json.dumps(last), file=sys.stderr, flush=True)
                call.save({"runs": runs})
    return {"runs": runs}


def _mean_runs(result: Mapping[str, Any], name: str, way: str) -> tuple[np.ndarray, np.ndarray]:
    """Points of a way as `(point, 3)` means over seeds, and standard errors of the loss."""
    columns = ("gradients", "seconds", "loss")
    found = np.array(
        [[[p[c] for c in columns] for p in run["points"]] for run in _runs(result, name, way)]
    )
    error = found[:, :, 2].std(axis=0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else None
    return found.mean(axis=0), np.zeros(found.shape[1]) if error is None else error


def _runs(result: Mapping[str, Any], name: str, way: str) -> list[Mapping[str, Any]]:
    return [r for r in result["runs"] if (r["subject"], r["way"]) == (name, way)]


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The end of every way, and what it reached in the time that the fastest took."""
    names = dict.fromkeys(run["subject"] for run in result.get("runs", ()))
    return {name: _table(result, name) for name in names}


def _table(result: Mapping[str, Any], name: str) -> Table:
    ways = [way for way in WAYS if _runs(result, name, way)]
    means = {way: _mean_runs(result, name, way) for way in ways}
    shortest = min(points[-1, 1] for points, _ in means.values())
    rows = []
    for way, (points, error) in means.items():
        ages = [run["staleness"] for run in _runs(result, name, way)]
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
        f"Mean and standard error over {len(_runs(result, name, ways[0]))} seeds, seconds are "
        f"virtual; the last column is the loss after {shortest:.1f} s."
    )
    return Table((*names, "loss by then"), tuple(rows), caption)


def draw(result: Mapping[str, Any]) -> Any:
    """Loss over gradients and over seconds."""

    def lines(name: str, column: int) -> Sequence[Line]:
        found = []
        for way in WAYS:
            points, error = _mean_runs(result, name, way)
            y = points[:, 2].tolist()
            found.append(Line(way, points[:, column].tolist(), y, error.tolist()))
        return found

    panels = {}
    for name in dict.fromkeys(run["subject"] for run in result["runs"]):
        panels[f"{name}, by gradients"] = lines(name, 0)
        panels[f"{name}, by virtual seconds"] = lines(name, 1)
    return line_figure(panels, x_label="", y_label="validation loss")
