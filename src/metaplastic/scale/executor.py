"""The executor on Ray: theta goes out once per version, gradients alone come back."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.gradients import AbstractGradientEstimator
from metaplastic.meta.executor import AbstractExecutor, Bucket, TaskStates, check_buckets
from metaplastic.scale.pool import Event, WorkerPool, assign, cut
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.worker import Chunk, ChunkResult, Item, Jobs, TaskWorker, Vector, pack
from metaplastic.types import Metrics, PRNGKey, Theta

Collected = tuple[ChunkResult, float]
"""A result, and its weight."""


class RayExecutor(AbstractExecutor):
    """Buckets of tasks spread over worker processes, which keep their tasks' positions.

    In `synchronous` mode an update waits for all tasks and is what `LocalExecutor` computes, to
    floating-point order. In `asynchronous` mode (after Metz et al. 2018, appendix) every worker
    goes on with the newest theta as soon as it has delivered, and an update is made of the first
    `batch` gradients that come, none older than `max_staleness` updates. Tasks do not travel and
    are in no checkpoint: a resumed run, and a worker that replaces a lost one, start fresh tasks.

    Ray must be connected (`scale.connect`). Use it as a context manager, or `close` it.

    Parameters
    ----------
    buckets : sequence of Bucket
        At least one, with distinct names.
    estimator : AbstractGradientEstimator
        The gradient estimator of every task.
    theta : Theta
        Shows the structure; its values are not used.
    settings : ClusterSettings
        Settings of the cluster.
    clip : float, default=1.0
        Largest norm of one task's gradient.
    worker : type of TaskWorker, default=TaskWorker
        The class of the workers.
    pool : type of WorkerPool, default=WorkerPool
        The class that holds them.

    Raises
    ------
    InputError
        For more workers than there are tasks, or buckets without distinct names.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        estimator: AbstractGradientEstimator,
        theta: Theta,
        settings: ClusterSettings,
        *,
        clip: float = 1.0,
        worker: type[TaskWorker] = TaskWorker,
        pool: type[WorkerPool] = WorkerPool,
    ) -> None:
        check_buckets(buckets, clip)
        self.n_tasks = sum(b.n_tasks for b in buckets)
        if settings.workers > self.n_tasks:
            raise InputError(
                f"{settings.workers} workers for {self.n_tasks} task(s): take fewer workers, or "
                "more tasks (shapes.N.n_tasks of the recipe)"
            )
        self.estimator = estimator
        self.settings = settings
        self._sizes = [b.n_tasks for b in buckets]
        self._unravel = ravel_pytree(theta)[1]
        chunks = cut([(b.n_tasks, b.cost) for b in buckets], settings.workers)
        if settings.mode == "asynchronous":  # Every task by itself, so that none waits for others.
            chunks = [
                Chunk(c.bucket, c.first + i, 1, c.cost / c.n_tasks)
                for c in chunks
                for i in range(c.n_tasks)
            ]
        jobs = Jobs(tuple(pack(tuple(buckets))), pack(estimator), clip, pack(theta))
        self._pool = pool(jobs, assign(chunks, settings.workers), settings, worker)
        self._turn = [0] * settings.workers
        self._start_key: PRNGKey | None = None
        self._version = 0
        self._reference: Any = None
        self._report: dict[str, float] = {}

    def __enter__(self) -> "RayExecutor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def init(self, theta: Theta, *, key: PRNGKey) -> TaskStates:
        """See `AbstractExecutor.init`; the tasks are made by the workers at their first call."""
        del theta
        self._start_key = key
        return ()

    def shapes(self, theta: Theta) -> TaskStates:
        """See `AbstractExecutor.shapes`: nothing, since tasks stay with the workers."""
        del theta
        return ()

    def gradients(
        self, theta: Theta, states: TaskStates, *, key: PRNGKey
    ) -> tuple[list[Theta], TaskStates, list[Metrics]]:
        """See `AbstractExecutor.gradients`; in `asynchronous` mode a bucket from which nothing
        came has a gradient of zero, and the others' weigh more."""
        import ray

        begin = time.monotonic()
        vector = np.asarray(ravel_pytree(theta)[0])
        self._version += 1
        self._reference = ray.put(vector)
        self._report = {"theta_bytes": float(vector.nbytes), "dropped": 0.0, "not_finite": 0.0}
        self._pool.lost = self._pool.late = 0
        synchronous = self.settings.mode == "synchronous"
        collected = list(self._all(key) if synchronous else self._first_to_come(key))
        gradients, metrics = self._joined(collected)
        worked = sum(result.seconds for result, _ in collected)
        self._report |= {
            "gradient_bytes": float(sum(result.gradient.nbytes for result, _ in collected)),
            "gradients": float(sum(result.chunk.n_tasks for result, _ in collected)),
            "lost_workers": float(self._pool.lost),
            "late_workers": float(self._pool.late),
            "worker_seconds": worked,
            "update_seconds": time.monotonic() - begin,
        }
        self._start_key = None
        return gradients, states, metrics

    def report(self) -> Metrics:
        """Of the last update: bytes out (theta, once) and back, workers lost, gradients dropped."""
        return {"cluster": dict(self._report)}

    def _all(self, key: PRNGKey) -> Iterator[Collected]:
        """Every chunk's result for this theta, lost calls made again."""
        owed = set(range(len(self._pool.slots)))
        sent: set[int] = set()
        while owed:
            for number in self._pool.idle():
                if number in owed and number not in sent:
                    chunks = self._pool.slots[number].chunks
                    items = tuple(self._item(number, chunk, key) for chunk in chunks)
                    self._pool.submit(number, self._reference, items, self._version)
                    sent.add(number)
            for event in self._pool.wait():
                sent.discard(event.slot)
                results = self._sound(event)
                if results is not None and event.version == self._version:
                    owed.discard(event.slot)
                    yield from ((result, 1.0) for result in results)

    def _first_to_come(self, key: PRNGKey) -> Iterator[Collected]:
        """The first `batch` gradients that are young enough, with their weights."""
        settings = self.settings
        wanted = settings.batch or self.n_tasks
        arrived, calls, ages = 0, 0, 0
        while arrived < wanted:
            for number in self._pool.idle():
                calls += 1
                chunks = self._pool.slots[number].chunks
                chunk = chunks[self._turn[number] % len(chunks)]
                self._turn[number] += 1
                item = self._item(number, chunk, jax.random.fold_in(key, calls))
                self._pool.submit(number, self._reference, (item,), self._version)
            for event in self._pool.wait():
                age = self._version - event.version
                for result in self._sound(event) or []:
                    if age > settings.max_staleness and settings.stale == "drop":
                        self._report["dropped"] += 1
                        continue
                    arrived += 1
                    ages += age
                    yield result, weight_of(age, settings.max_staleness)
        self._report["staleness"] = ages / arrived

    def _sound(self, event: Event) -> list[ChunkResult] | None:
        """The results of an event, or `None`; a worker whose gradients are not finite goes."""
        if event.results is None:
            return None
        if all(np.all(np.isfinite(result.gradient)) for result in event.results):
            return event.results
        self._report["not_finite"] += 1
        self._pool.discard(event.slot, "its gradients were not finite")
        return None

    def _item(self, number: int, chunk: Chunk, key: PRNGKey) -> Item:
        """Keys as `LocalExecutor` draws them for the same bucket and tasks."""
        keys = self._keys(chunk, key)
        if chunk in self._pool.slots[number].delivered:
            return Item(chunk, keys, keys[:0])
        start = jax.random.fold_in(key, 1 << 20) if self._start_key is None else self._start_key
        return Item(chunk, keys, self._keys(chunk, start))

    def _keys(self, chunk: Chunk, key: PRNGKey) -> NDArray:
        keys = jax.random.split(jax.random.fold_in(key, chunk.bucket), self._sizes[chunk.bucket])
        return np.asarray(jax.random.key_data(keys))[chunk.first : chunk.first + chunk.n_tasks]

    def _joined(self, collected: list[Collected]) -> tuple[list[Theta], list[Metrics]]:
        """Mean gradient and metrics of every bucket."""
        # In the order of tasks, so that the order of arrival changes nothing.
        ordered = sorted(collected, key=lambda c: (c[0].chunk.bucket, c[0].chunk.first))
        gradients = [
            self._unravel(jnp.asarray(vector)) for vector in mean_gradients(ordered, self._sizes)
        ]
        names = ordered[0][0].metrics
        parts: list[list[dict[str, NDArray]]] = [[] for _ in self._sizes]
        for result, _ in ordered:
            parts[result.chunk.bucket].append(result.metrics)
        none = {name: np.zeros(0, np.float32) for name in names}
        metrics: list[Metrics] = [
            {name: np.concatenate([p[name] for p in part]) for name in names} if part else none
            for part in parts
        ]
        return gradients, metrics


def mean_gradients(collected: Sequence[Collected], sizes: Sequence[int]) -> list[Vector]:
    """Mean gradient of every bucket (`sizes`: their numbers of tasks), in bucket order.

    The outer loop adds buckets up by their share of all tasks. One without a result gets zero, and
    the others so much more that the sum is a mean over the buckets that are there.
    """
    sums = [np.zeros_like(collected[0][0].gradient) for _ in sizes]
    counts = [0] * len(sizes)
    for result, weight in collected:
        bucket, n = result.chunk.bucket, result.chunk.n_tasks
        sums[bucket] = sums[bucket] + np.float32(weight * n) * result.gradient
        counts[bucket] += n
    present = sum(n for n, count in zip(sizes, counts, strict=True) if count)
    scale = sum(sizes) / present
    return [np.float32(scale / max(n, 1)) * total for total, n in zip(sums, counts, strict=True)]


def weight_of(age: int, max_staleness: int) -> float:
    """Of a gradient that is `age` updates old: one up to `max_staleness`, then less and less."""
    return min(1.0, max_staleness / age) if age else 1.0
