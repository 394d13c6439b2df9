"""Meta-training on Ray: what the engine costs, and what the learner can take.

Measured: task-steps per second of one process, of 1 and of 2 workers, and the share of an update
that is not work of the workers. Then gradients per second of a learner whose workers only sleep for
as long as a gradient takes (8 to 256 of them, in a few processes), against a model of measured
parts: `min(workers / (gradient time + round trip), 1 / learner's time per gradient)`. It also says
what to expect of numbers of workers that no machine here can run. The round trip is that of two
workers that do not sleep at all, the learner's time that of 64 such.

    python benchmarks/scaling.py [--quick] [--json OUT]
"""

import argparse
import asyncio
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

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
from metaplastic.scale.pool import Slot, WorkerPool
from metaplastic.scale.worker import ChunkResult, versions

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SHAPES = (
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 8, 5),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 5),
)
"""Ten tasks in all, as many as an update of the recipe `base` has."""

PREDICTED = (1, 2, 8, 64, 512, 4096)
SIMULATED = (8, 64, 256)
HOSTS = 4
"""Processes that the simulated workers share."""


class Sleepers:
    """Stands for many workers: each call sleeps as long as a gradient takes."""

    def __init__(self, seconds: float, size: int, names: tuple[str, ...]) -> None:
        self._seconds, self._size, self._names = seconds, size, names

    async def hello(self) -> dict[str, str]:
        """Versions on this side."""
        return versions()

    async def work(self, theta: Any, items: tuple) -> list[ChunkResult]:
        """A gradient of zeros for every item."""
        await asyncio.sleep(self._seconds * len(items))
        one = {name: np.zeros(1, np.float32) for name in self._names}
        zero = np.zeros(self._size, np.float32)
        return [ChunkResult(item.chunk, zero, one, self._seconds) for item in items]


class SimulatedPool(WorkerPool):
    """A pool whose slots share a few processes of `Sleepers`."""

    seconds: float
    size: int
    names: tuple[str, ...]

    def _start(self, slot: Slot) -> None:
        import ray

        if not hasattr(self, "_hosts"):
            host = ray.remote(Sleepers).options(num_cpus=0, max_concurrency=256)
            parts = (self.seconds, self.size, self.names)
            self._hosts: list[Any] = [host.remote(*parts) for _ in range(HOSTS)]
            self._next = 0
        slot.actor = self._hosts[self._next % HOSTS]
        self._next += 1
        slot.starting = slot.actor.hello.remote()

    def close(self) -> None:
        import ray

        for host in self._hosts:
            ray.kill(host)


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
    one = rows["1 worker(s), synchronous"]
    one["engine_share"] = 1.0 - one["worker_seconds"] / one["update_s"]
    return {"rows": rows, "tasks": tasks, "task_steps_per_update": steps}


def simulated(
    recipe: Recipe, workers: int, seconds: float, n_updates: int, names: tuple[str, ...]
) -> dict[str, float]:
    """Gradients per second of the real learner with workers that sleep."""
    rule = build_rule(recipe)
    theta, free = split_rule(rule)
    buckets = [
        dataclasses.replace(b, n_tasks=max(1, workers // len(recipe.shapes)))
        for b in build_buckets(recipe, free)
    ]
    size = sum(leaf.size for leaf in _leaves(theta))
    pool = type("Pool", (SimulatedPool,), {"seconds": seconds, "size": size, "names": names})
    settings = ClusterSettings(
        workers=sum(b.n_tasks for b in buckets), cpus_per_worker=0.0, mode="asynchronous"
    )
    estimator = TruncatedBackprop(recipe.truncation, checkpoint=False)
    with RayExecutor(buckets, estimator, theta, settings, pool=pool) as executor:
        updates = timed(rule, executor, buckets, n_updates)
    gradients = sum(u["cluster"]["gradients"] for u in updates)
    wall = sum(u["seconds"] for u in updates)
    return {
        "workers": settings.workers,
        "gradient_s": seconds,
        "gradients_per_s": gradients / wall,
        "staleness": float(np.mean([u["cluster"]["staleness"] for u in updates])),
    }


def _leaves(tree: Any) -> list[Any]:
    import jax

    return jax.tree.leaves(tree)


def main() -> None:
    """Measure, predict, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few updates, writes nothing")
    parser.add_argument("--json", type=Path, default=RESULTS / "scaling.json", metavar="OUT")
    args = parser.parse_args()
    n_updates = 3 if args.quick else 12
    recipe = dataclasses.replace(RECIPES["base"], shapes=SHAPES)
    names = ("clipped", "diverged", "gradient_norm", "loss", "position", "restarted")
    with connect(ClusterSettings(workers=min(2, os.cpu_count() or 1))):
        measured = real(recipe, n_updates)
        one = measured["rows"]["1 worker(s), synchronous"]
        gradient_s = one["worker_seconds"] / measured["tasks"]
        # Workers that do not sleep at all: what is left is the learner.
        busy = simulated(recipe, 64, 0.0, n_updates, names)
        learner_s = 1.0 / busy["gradients_per_s"]
        few = simulated(recipe, 2, 0.0, n_updates, names)
        trip_s = few["workers"] / few["gradients_per_s"]
        counts = SIMULATED[:1] if args.quick else SIMULATED
        runs = [simulated(recipe, n, gradient_s, n_updates, names) for n in counts]
        # So short a gradient that the learner is the bottleneck for most of these numbers.
        runs += [simulated(recipe, n, 0.02, n_updates, names) for n in counts]
    for run in runs:
        run["predicted"] = min(run["workers"] / (run["gradient_s"] + trip_s), 1.0 / learner_s)
        print(json.dumps(run), flush=True)
    size = sum(leaf.nbytes for leaf in _leaves(split_rule(build_rule(recipe))[0]))
    rates = {n: (n / (gradient_s + trip_s), 1.0 / learner_s) for n in PREDICTED}
    predictions = [
        {
            "workers": n,
            "gradients_per_s": min(both),
            "bottleneck": "workers" if both[0] < both[1] else "learner",
            "learner_megabytes_per_s": min(both) * size / 1e6,
        }
        for n, both in rates.items()
    ]
    data = {
        "provenance": provenance(seeds=(0,)),
        "measured": measured,
        "gradient_s": gradient_s,
        "gradient_bytes": size,
        "learner_s_per_gradient": learner_s,
        "round_trip_s": trip_s,
        "simulated": runs,
        "predictions": predictions,
    }
    if args.quick:
        return
    args.json.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(args.json, json.dumps(data, indent=1).encode())
    write_atomically(args.json.with_suffix(".md"), _markdown(data).encode())


def _markdown(data: dict[str, Any]) -> str:
    rows = tuple(
        (
            name,
            f"{row['update_s']:.3f}",
            f"{row['task_steps_per_s']:.0f}",
            f"{100 * row['engine_share']:.1f} %" if "engine_share" in row else "",
        )
        for name, row in data["measured"]["rows"].items()
    )
    first = Table(("", "update, s", "task-steps/s", "not the worker's"), rows, "Two cores.")
    rows = tuple(
        (
            f"{r['workers']}",
            f"{r['gradient_s']:.3f}",
            f"{r['gradients_per_s']:.0f}",
            f"{r['predicted']:.0f}",
            f"{r['staleness']:.1f}",
        )
        for r in data["simulated"]
    )
    second = Table(
        ("simulated workers", "gradient, s", "gradients/s", "predicted", "staleness, updates"),
        rows,
        "Workers that sleep for as long as a gradient takes; the learner is the real one.",
    )
    rows = tuple(
        (
            f"{p['workers']}",
            f"{p['gradients_per_s']:.0f}",
            p["bottleneck"],
            f"{p['learner_megabytes_per_s']:.2f}",
        )
        for p in data["predictions"]
    )
    third = Table(
        ("workers", "gradients/s", "bottleneck", "MB/s to the learner"),
        rows,
        f"Model: a gradient takes {data['gradient_s']:.3f} s of a worker and "
        f"{1e3 * data['learner_s_per_gradient']:.2f} ms of the learner, the way there and back "
        f"{1e3 * data['round_trip_s']:.0f} ms; it has "
        f"{data['gradient_bytes']} bytes.",
    )
    return "\n\n".join(table.markdown() for table in (first, second, third)) + "\n"


if __name__ == "__main__":
    main()
