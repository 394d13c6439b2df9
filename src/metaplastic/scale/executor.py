"""The executor on Ray: theta goes out once per version, gradients alone come back."""

import time
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from metaplastic.errors import InputError
from metaplastic.gradients import AbstractGradientEstimator
from metaplastic.meta.executor import AbstractExecutor, Bucket, TaskStates, check_buckets
from metaplastic.scale.means import Weighed, bucket_metrics, mean_gradients, weight_of
from metaplastic.scale.pool import News, WorkerPool, assign, cut
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.tree import ReducerPool
from metaplastic.scale.worker import Chunk, Jobs, TaskWorker, pack
from metaplastic.types import Metrics, PRNGKey, Theta


class RayExecutor(AbstractExecutor):
    """Buckets of tasks spread over worker processes, which keep their tasks' positions.

    In `synchronous` mode an update waits for all tasks and is what `LocalExecutor` computes, to
    floating-point order. In `asynchronous` mode (after Metz et al. 2018, appendix) every worker
    goes on with the newest theta as soon as it has delivered, and an update is made of the first
    `batch` gradients that come, none older than `max_staleness` updates. With reducers
    (`settings.reducers`), each adds up what its workers send and passes means on, with their
    counts and versions. Tasks do not travel and are in no checkpoint: a resumed run, and a worker
    that replaces a lost one, start fresh tasks.

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
    pool : type of WorkerPool, optional
        The class that holds them, by default `ReducerPool` if there are reducers.

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
        pool: type[WorkerPool] | None = None,
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
        self._wanted = settings.batch or self.n_tasks
        self._ravel = jax.jit(lambda tree: ravel_pytree(tree)[0])
        self._unravel = jax.jit(ravel_pytree(theta)[1])
        chunks = cut([(b.n_tasks, b.cost) for b in buckets], settings.workers)
        if settings.mode == "asynchronous":  # Every task by itself, so that none waits for others.
            chunks = [
                Chunk(c.bucket, c.first + i, 1, c.cost / c.n_tasks)
                for c in chunks
                for i in range(c.n_tasks)
            ]
        jobs = Jobs(tuple(pack(tuple(buckets))), pack(estimator), clip, pack(theta))
        if pool is None:
            pool = ReducerPool if settings.n_reducers() else WorkerPool
        self._pool = pool(jobs, assign(chunks, settings.workers), settings, worker)
        self._start_key: PRNGKey | None = None
        self._version = 0
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
        begin = time.monotonic()
        news = self._next_version(theta, key)
        self._pool.reset()
        synchronous = self.settings.mode == "synchronous"
        collected = list(self._all(news) if synchronous else self._first_to_come(news))
        # In the order of tasks, so that the order of arrival changes nothing.
        collected.sort(key=lambda c: (c[0].bucket, c[0].first, c[0].version))
        vectors = mean_gradients(collected, self._sizes)
        metrics: list[Metrics] = [*bucket_metrics(collected, len(self._sizes))]
        self._report |= {
            "gradient_bytes": float(sum(mean.gradient.nbytes for mean, _ in collected)),
            "gradients": float(sum(mean.count for mean, _ in collected)),
            "not_finite": float(self._pool.not_finite),
            "lost_workers": float(self._pool.lost),
            "late_workers": float(self._pool.late),
            "lost_reducers": float(self._pool.lost_reducers),
            "worker_seconds": sum(mean.seconds for mean, _ in collected),
            "update_seconds": time.monotonic() - begin,
        }
        self._start_key = None
        return [self._unravel(jnp.asarray(vector)) for vector in vectors], states, metrics

    def report(self) -> Metrics:
        """Of the last update: bytes out (theta, once) and back, workers lost, gradients dropped."""
        return {"cluster": dict(self._report)}

    def _next_version(self, theta: Theta, key: PRNGKey) -> News:
        vector = np.asarray(self._ravel(theta))
        start = jax.random.fold_in(key, 1 << 20) if self._start_key is None else self._start_key
        raw, raw_start = (np.asarray(jax.random.key_data(k)) for k in (key, start))
        self._version += 1
        self._report = {"theta_bytes": float(vector.nbytes), "dropped": 0.0}
        return News(self._pool.put(vector), self._version, raw, raw_start)

    def _all(self, news: News) -> Iterator[Weighed]:
        """Every worker's means for this theta, lost calls made again."""
        owed = set(range(len(self._pool.slots)))
        sent: set[int] = set()
        while owed:
            for number in self._pool.idle():
                if number in owed and number not in sent:
                    self._pool.submit(number, news, self.n_tasks)
                    sent.add(number)
            for event in self._pool.wait():
                sent.discard(event.slot)
                if event.means is not None and event.version == self._version:
                    owed.discard(event.slot)
                    yield from ((mean, 1.0) for mean in event.means)

    def _first_to_come(self, news: News) -> Iterator[Weighed]:
        """Means of the first `batch` gradients that are young enough, with their weights."""
        settings = self.settings
        arrived, ages = 0, 0
        while arrived < self._wanted:
            for number in self._pool.idle():
                self._pool.submit(number, news, self._wanted)
            for event in self._pool.wait():
                for mean in event.means or []:
                    age = self._version - mean.version
                    if age > settings.max_staleness and settings.stale == "drop":
                        self._report["dropped"] += mean.count
                        continue
                    arrived += mean.count
                    ages += age * mean.count
                    yield mean, weight_of(age, settings.max_staleness)
        self._report["staleness"] = ages / arrived
