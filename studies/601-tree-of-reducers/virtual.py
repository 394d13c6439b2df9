"""A cluster in virtual time: real gradients, reducers and learner, and a clock that jumps.

Workers sleep for as long as a gradient takes before they compute it, every message costs its
receiver what was measured, and nothing of that is waited for.
"""

import asyncio
import dataclasses
import selectors
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from metaplastic.scale.means import BucketMean
from metaplastic.scale.pool import Event, News, Slot, WorkerPool
from metaplastic.scale.reducer import Member, Reducer
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.worker import Call, Chunk, Jobs, TaskWorker


@dataclasses.dataclass(frozen=True)
class Costs:
    """Seconds: of a gradient, of a message on its way and for its receiver, of an update.

    Workers differ in speed: their gradients take between half of `gradient` and `gradient` and a
    half, each its own.
    """

    gradient: float
    way: float
    message: float
    update: float


class _Jumping(selectors.DefaultSelector):
    """Finds what is ready now; instead of waiting it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which no time is lost."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now


class _Worker:
    """A worker of its own speed; those of a pool share the process that computes."""

    def __init__(self, tasks: TaskWorker, seconds: float, costs: Costs) -> None:
        self._tasks, self._seconds, self._costs = tasks, seconds, costs
        self.work = self

    async def remote(self, theta: Any, call: Call) -> list[BucketMean]:
        await asyncio.sleep(self._costs.way + self._seconds * len(call.chunks))
        return self._tasks.work(theta, call)


class _Busy(Reducer):
    """A reducer that takes its time over every message, one after another."""

    message: ClassVar[float]

    def __init__(self, settings: ClusterSettings) -> None:
        super().__init__(settings)
        self._one = asyncio.Lock()

    async def _one_call(
        self, member: Member, slot: Slot, news: News, chunks: tuple[Chunk, ...], calls: int
    ) -> str | None:
        reason = await super()._one_call(member, slot, news, chunks, calls)
        async with self._one:
            await asyncio.sleep(self.message)
        return reason


class VirtualPool(WorkerPool):
    """Workers, with reducers if the settings ask for them, in one virtual clock."""

    costs: ClassVar[Costs]

    def __init__(
        self,
        jobs: Jobs,
        assignments: Sequence[tuple[Chunk, ...]],
        settings: ClusterSettings,
        worker: type[TaskWorker] = TaskWorker,
    ) -> None:
        self._settings, self._calls = settings, 0
        self.loop = VirtualLoop()
        self.slots = [Slot(chunks) for chunks in assignments]
        self.reset()
        tasks = worker(jobs, 1)
        speeds = self.costs.gradient * np.random.default_rng(0).uniform(0.5, 1.5, len(self.slots))
        for slot, seconds in zip(self.slots, speeds, strict=True):
            slot.actor = _Worker(tasks, float(seconds), self.costs)
        self._waiting: dict[int, asyncio.Task] = {}
        self._reducers = self.loop.run_until_complete(self._join(settings.n_reducers()))

    async def _join(self, count: int) -> list[Reducer]:
        kind = type("Busy", (_Busy,), {"message": self.costs.message})
        reducers: list[Reducer] = [kind(self._settings) for _ in range(count)]
        for number, slot in enumerate(self.slots if count else ()):
            member = Member(number, slot.actor, slot.chunks, frozenset(slot.chunks), number)
            await reducers[number % count].join(member)
        return reducers

    def put(self, theta: Any) -> Any:
        """See `WorkerPool.put`; an update has been made."""
        self._spend(self.costs.update)
        return theta

    def idle(self) -> list[int]:
        """See `WorkerPool.idle`."""
        return [n for n in range(len(self._reducers or self.slots)) if n not in self._waiting]

    def submit(self, number: int, news: News, wanted: int) -> None:
        """See `WorkerPool.submit`; those that are busy hear of theta, too."""
        if self._reducers:
            for busy in self._reducers:
                self.loop.run_until_complete(busy.news(news))
            work = self._taken(self._reducers[number], news, -(-wanted // len(self._reducers)))
        else:
            slot = self.slots[number]
            self._calls += 1
            if self._settings.mode == "synchronous":
                call = news.call(slot.chunks)
            else:
                call = news.call(slot.next_chunks(self._settings.truncations), (self._calls,))
            work = slot.actor.remote(news.theta, call)
        self._waiting[number] = self.loop.create_task(work)

    async def _taken(self, reducer: Reducer, news: News, wanted: int) -> list[BucketMean]:
        summary = await reducer.take(news, wanted)
        await asyncio.sleep(self.costs.way)
        return summary.means

    def wait(self) -> list[Event]:
        """See `WorkerPool.wait`; every event takes the learner's time."""
        tasks = list(self._waiting.values())
        first = asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.loop.run_until_complete(first)
        done = [number for number, task in self._waiting.items() if task.done()]
        events = []
        for number in done:
            means = self._waiting.pop(number).result()
            events.append(Event(number, means[0].version if means else 0, means))
            self._spend(self.costs.message)
        return events

    def close(self) -> None:
        """End all that is under way."""
        pending = asyncio.all_tasks(self.loop)
        for task in pending:
            task.cancel()
        if pending:
            self.loop.run_until_complete(asyncio.wait(pending))
        self.loop.close()

    def _spend(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
