"""Workers that only sleep for as long as a gradient takes, under a learner and reducers that work.

Many of them share a few processes, so that one machine can hold hundreds.
"""

import asyncio
import dataclasses
import functools
import time
from typing import Any

import jax
import numpy as np

from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.problem import split_rule
from metaplastic.meta.train import OuterConfig, meta_train
from metaplastic.recipes.recipe import Recipe, build_buckets, build_rule
from metaplastic.scale import ClusterSettings, RayExecutor
from metaplastic.scale.means import BucketMean
from metaplastic.scale.pool import Slot, WorkerPool
from metaplastic.scale.reducer import Reducer
from metaplastic.scale.tree import ReducerPool
from metaplastic.scale.worker import Call, greeting

WARM_UPDATES = 3
"""Updates that are not counted: the learner's programs are compiled in the first."""

HOSTS = 2
"""Processes that the simulated workers share."""

NAMES = ("clipped", "diverged", "gradient_norm", "loss", "position", "restarted")


class Sleepers:
    """Stands for many workers: each call sleeps as long as its gradients take."""

    async def prepare(self, seconds: float, size: int) -> None:
        """Say how long a gradient takes and how many numbers it has."""
        self._seconds, self._size = seconds, size

    async def hello(self) -> dict[str, str]:
        """Versions and node on this side."""
        return greeting()

    async def work(self, theta: Any, call: Call) -> list[BucketMean]:
        """A mean of zeros for every bucket of the call."""
        seconds = self._seconds * len(call.chunks)
        await asyncio.sleep(seconds)
        means = []
        for bucket in sorted({chunk.bucket for chunk in call.chunks}):
            count = sum(chunk.bucket == bucket for chunk in call.chunks)
            metrics = {name: np.zeros(count, np.float32) for name in NAMES}
            zero = np.zeros(self._size, np.float32)
            share = self._seconds * count
            means.append(BucketMean(bucket, 0, call.version, count, zero, metrics, share))
        return means

    async def spent(self) -> float:
        """Processor seconds of this process."""
        return time.process_time()


class CountingReducer(Reducer):
    """A reducer that says what processor time it took."""

    async def spent(self) -> float:
        """Processor seconds of this process."""
        return time.process_time()


class _Simulated:
    """A pool whose slots share the processes `hosts` of `Sleepers`, which outlive it."""

    hosts: list[Any]

    _ray: Any

    def _start(self, slot: Slot) -> None:
        slot.actor = self.hosts[slot.chunks[0].first % len(self.hosts)]
        slot.starting = slot.actor.hello.remote()

    def close(self) -> None:
        for post in getattr(self, "posts", []):
            self._ray.kill(post.actor)


class SimulatedPool(_Simulated, WorkerPool):
    """Simulated workers under the learner."""


class SimulatedTree(_Simulated, ReducerPool):
    """Simulated workers under reducers."""

    reducer = CountingReducer


@dataclasses.dataclass(frozen=True)
class Setting:
    """How many workers simulate, and how their gradients travel."""

    workers: int
    seconds: float
    truncations: int
    reducers: int
    batch: int


@functools.cache
def _hosts() -> list[Any]:
    import ray

    host = ray.remote(Sleepers).options(num_cpus=0, max_concurrency=1024)
    return [host.remote() for _ in range(HOSTS)]


def simulate(recipe: Recipe, setting: Setting, seconds: float) -> dict[str, float]:
    """What the real learner takes of workers that sleep, for about `seconds` after a start.

    Returns
    -------
    dict of str to float
        Gradients per second, staleness in updates, processor seconds a gradient of the learner, of
        the processes of the workers and of the reducers, and the cores that all of them had.
    """
    import ray

    rule = build_rule(recipe)
    theta, free = split_rule(rule)
    share = -(-setting.workers * setting.truncations // len(recipe.shapes))
    buckets = [dataclasses.replace(b, n_tasks=share) for b in build_buckets(recipe, free)]
    size = sum(leaf.size for leaf in jax.tree.leaves(theta))
    base = SimulatedTree if setting.reducers else SimulatedPool
    pool: Any = type("Pool", (base,), {"hosts": _hosts()})
    ray.get([host.prepare.remote(setting.seconds, size) for host in _hosts()])
    settings = ClusterSettings(
        workers=setting.workers,
        cpus_per_worker=0.0,
        mode="asynchronous",
        truncations=setting.truncations,
        reducers=setting.reducers,
        batch=setting.batch,
        max_staleness=10**6,
    )
    estimator = TruncatedBackprop(recipe.truncation, checkpoint=False)
    config = OuterConfig(n_updates=10**6, warmup=1)
    with RayExecutor(buckets, estimator, theta, settings, pool=pool) as executor:
        held: Any = executor._pool
        actors = [*held.hosts, *(post.actor for post in getattr(held, "posts", []))]

        def spent() -> np.ndarray:
            return np.array([time.process_time(), *ray.get([a.spent.remote() for a in actors])])

        updates = meta_train(rule, executor, config, weights=[float(b.n_tasks) for b in buckets])
        warm = 2.0 + 2 * setting.seconds * setting.truncations
        _until(updates, warm, at_least=WARM_UPDATES)
        before, begin = spent(), time.monotonic()
        found = [metrics["cluster"] for metrics in _until(updates, seconds)]
        wall, used = time.monotonic() - begin, spent() - before
    gradients = sum(c["gradients"] for c in found)
    return {
        **dataclasses.asdict(setting),
        "gradients_per_s": gradients / wall,
        "cores": float(used.sum()) / wall,
        "updates": len(found),
        "staleness": float(np.mean([c["staleness"] for c in found])),
        "learner_s": float(used[0]) / gradients,
        "workers_s": float(used[1 : 1 + HOSTS].sum()) / gradients,
        "reducers_s": float(used[1 + HOSTS :].sum()) / gradients,
    }


def _until(updates: Any, seconds: float, at_least: int = 1) -> list[Any]:
    """Metrics of updates until so much time has passed."""
    limit, found = time.monotonic() + seconds, []
    for _, metrics in updates:
        found.append(dict(metrics))
        if len(found) >= at_least and time.monotonic() > limit:
            break
    return found
