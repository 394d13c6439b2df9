"""Worker processes on Ray: one call each at a time, lost ones replaced, all of it counted."""

import dataclasses
import itertools
import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from metaplastic.errors import ConfigurationError, DivergenceError
from metaplastic.scale.cluster import reason_of
from metaplastic.scale.means import BucketMean
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.worker import Call, Chunk, Jobs, TaskWorker, versions

_POLL_SECONDS = 1.0

NOT_FINITE = "its gradients were not finite"
LATE = "it missed its deadline"


@dataclasses.dataclass(frozen=True)
class News:
    """A version of theta (a reference in the object store) and the raw keys of its update."""

    theta: Any
    version: int
    key: NDArray
    start_key: NDArray

    def call(self, chunks: tuple[Chunk, ...], draw: tuple[int, ...] = ()) -> Call:
        """The call of a worker for a truncation of each of `chunks`."""
        return Call(self.version, self.key, self.start_key, chunks, draw)


@dataclasses.dataclass
class Slot:
    """A place for a worker, which may be starting, idle or busy; its chunks stay when it goes.

    `delivered` are the chunks for which the worker that is there now has compiled, and has tasks.
    """

    chunks: tuple[Chunk, ...]
    actor: Any = None
    starting: Any = None
    call: Any = None
    asked: tuple[Chunk, ...] = ()
    version: int = 0
    due: float = 0.0
    turn: int = 0
    delivered: set[Chunk] = dataclasses.field(default_factory=set)
    losses: int = 0
    node: str = ""

    @property
    def idle(self) -> bool:
        return self.starting is None and self.call is None

    def next_chunks(self, n: int) -> tuple[Chunk, ...]:
        """The next `n` chunks in turn."""
        begin, self.turn = self.turn, (self.turn + n) % len(self.chunks)
        return tuple(self.chunks[(begin + i) % len(self.chunks)] for i in range(n))

    def patience(self, chunks: Sequence[Chunk], settings: ClusterSettings) -> float:
        """Seconds that a call for `chunks` may take."""
        first = any(chunk not in self.delivered for chunk in chunks)
        return settings.compile_deadline if first else settings.deadline


@dataclasses.dataclass(frozen=True)
class Event:
    """What came of a call: means, or (`means` is `None`) the worker was lost and replaced."""

    slot: int
    version: int
    means: list[BucketMean] | None = None


class WorkerPool:
    """Workers that hold the chunks of `assignments`, one entry per worker.

    `lost` counts workers replaced since it was last set to zero, `late` those of them that missed a
    deadline and `not_finite` those whose gradients were of no use; `lost_reducers` counts those of
    a `ReducerPool`.

    Raises
    ------
    ConfigurationError
        From `wait`, if a worker has other versions than this process.
    DivergenceError
        From `wait`, if a worker was replaced more than `settings.retries` times in a row; carries
        the last reason.
    """

    def __init__(
        self,
        jobs: Jobs,
        assignments: Sequence[tuple[Chunk, ...]],
        settings: ClusterSettings,
        worker: type[TaskWorker] = TaskWorker,
    ) -> None:
        import ray
        import ray.exceptions

        self._ray: Any = ray
        self._settings = settings
        self._jobs = ray.put(jobs)
        self._actors = ray.remote(worker)
        self._calls = 0
        self.slots = [Slot(chunks) for chunks in assignments]
        self.reset()
        for slot in self.slots:
            self._start(slot)

    def reset(self) -> None:
        """Count losses from zero."""
        self.lost = self.late = self.not_finite = self.lost_reducers = 0

    def put(self, theta: Any) -> Any:
        """A reference to a new version of theta, which a node fetches once."""
        return self._ray.put(theta)

    def idle(self) -> list[int]:
        """Numbers of those who wait for a call."""
        return [number for number, slot in enumerate(self.slots) if slot.idle]

    def submit(self, number: int, news: News, wanted: int) -> None:
        """Call an idle worker; `wanted` gradients in all are awaited."""
        del wanted
        slot = self.slots[number]
        self._calls += 1
        if self._settings.mode == "synchronous":
            call = news.call(slot.chunks)
        else:
            call = news.call(slot.next_chunks(self._settings.truncations), (self._calls,))
        slot.due = time.monotonic() + slot.patience(call.chunks, self._settings)
        slot.call = slot.actor.work.remote(news.theta, call)
        slot.asked, slot.version = call.chunks, news.version

    def wait(self) -> list[Event]:
        """What has come; returns after a second even if nothing has.

        An idle worker is no event: ask `idle`.
        """
        calls = {slot.call: n for n, slot in enumerate(self.slots) if slot.call is not None}
        starts = self._starts()
        events = []
        for reference in self._done([*calls, *starts]):
            if reference in starts:
                self._greet(self.slots[starts[reference]])
            else:
                events.append(self._finish(calls[reference]))
        now = time.monotonic()
        for number, slot in enumerate(self.slots):
            if slot.call is not None and now > slot.due:
                self.late += 1
                events.append(self._replace(number, LATE))
        return events

    def close(self) -> None:
        """End all workers."""
        for slot in self.slots:
            if slot.actor is not None:
                self._ray.kill(slot.actor)
                slot.actor = None

    def _starts(self) -> dict[Any, int]:
        return {s.starting: n for n, s in enumerate(self.slots) if s.starting is not None}

    def _done(self, waiting: Sequence[Any]) -> list[Any]:
        """Those references that have come; waits a second at most for the first."""
        if not waiting:
            return []
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=_POLL_SECONDS)
        if done:  # Those that have come at the same time, too.
            done, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return done

    def _start(self, slot: Slot) -> None:
        settings = self._settings
        threads = max(1, int(settings.cpus_per_worker))
        slot.actor = self._actors.options(**settings.actor_options()).remote(self._jobs, threads)
        slot.starting, slot.call = slot.actor.hello.remote(), None
        slot.delivered = set()

    def _greet(self, slot: Slot) -> str | None:
        """The node of a worker that is there, or `None` if it was lost."""
        try:
            theirs = self._ray.get(slot.starting)
        except self._ray.exceptions.RayError as error:
            self._lose(slot, reason_of(error))
            return None
        slot.starting = None
        check_versions(theirs)
        return theirs.get("node", "")

    def _finish(self, number: int) -> Event:
        slot = self.slots[number]
        try:
            means = self._ray.get(slot.call)
        except self._ray.exceptions.RayError as error:
            return self._replace(number, reason_of(error))
        if not all(mean.finite for mean in means):
            self.not_finite += 1
            return self._replace(number, NOT_FINITE)
        slot.delivered.update(slot.asked)
        slot.call, slot.losses = None, 0
        return Event(number, slot.version, means)

    def _replace(self, number: int, reason: str) -> Event:
        slot = self.slots[number]
        self._lose(slot, reason)
        return Event(number, slot.version)

    def _lose(self, slot: Slot, reason: str) -> None:
        self.lost += 1
        slot.losses += 1
        if slot.losses > self._settings.retries:
            raise DivergenceError(
                f"a worker was lost {slot.losses} times in a row, the last time because {reason}; "
                "look at the logs of Ray on its node"
            )
        self._ray.kill(slot.actor)
        self._start(slot)


def check_versions(theirs: dict[str, str]) -> None:
    """Raises `ConfigurationError` for a process of other versions than this one."""
    ours = versions()
    other = {
        name: (ours[name], theirs.get(name)) for name in ours if theirs.get(name) != ours[name]
    }
    if other:
        said = ", ".join(
            f"{name} {here} here and {there} there" for name, (here, there) in other.items()
        )
        raise ConfigurationError(
            f"a worker has other versions than this process ({said}); install the same on all "
            "nodes, for example from the same requirements.lock"
        )


def assign(chunks: Sequence[Chunk], n_workers: int) -> list[tuple[Chunk, ...]]:
    """Chunks of every worker: dearest first, each to the worker with least work so far."""
    load = [0.0] * n_workers
    found: list[list[Chunk]] = [[] for _ in range(n_workers)]
    for chunk in sorted(chunks, key=lambda c: -c.cost):
        least = load.index(min(load))
        found[least].append(chunk)
        load[least] += chunk.cost
    return [tuple(sorted(c, key=lambda c: (c.bucket, c.first))) for c in found]


def cut(costs: Sequence[tuple[int, float]], n_workers: int) -> list[Chunk]:
    """Chunks of buckets given as `(n_tasks, cost of a task)`: few, but enough for all workers."""
    total = sum(n * cost for n, cost in costs)
    pieces = [min(n, max(1, round(n_workers * n * cost / total))) for n, cost in costs]
    while sum(pieces) < n_workers:  # The bucket whose pieces are dearest is cut once more.
        able = [i for i, (n, _) in enumerate(costs) if pieces[i] < n]
        dearest = max(able, key=lambda i: costs[i][0] * costs[i][1] / pieces[i])
        pieces[dearest] += 1
    chunks = []
    for bucket, ((n, cost), count) in enumerate(zip(costs, pieces, strict=True)):
        edges = [n * i // count for i in range(count + 1)]
        chunks += [Chunk(bucket, a, b - a, (b - a) * cost) for a, b in itertools.pairwise(edges)]
    return chunks
