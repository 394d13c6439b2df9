"""Between workers and the learner: calls its workers, adds up what they send, passes means on."""

import asyncio
import contextlib
import dataclasses
from typing import Any

from metaplastic.scale.cluster import reason_of
from metaplastic.scale.means import BucketMean, Sums
from metaplastic.scale.pool import LATE, NOT_FINITE, News, Slot
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.worker import Chunk, greeting

_BEAT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Member:
    """A worker as its reducer knows it; `stream` is drawn for it alone and seeds its calls.

    `delivered` are the chunks for which it has compiled.
    """

    number: int
    actor: Any
    chunks: tuple[Chunk, ...]
    delivered: frozenset[Chunk]
    stream: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a reducer passes on.

    Attributes
    ----------
    means : list of BucketMean
        One for each bucket and version that came since the last summary.
    delivered : dict of int to tuple of Chunk
        Numbers of workers that sent something, and chunks they sent for the first time.
    lost : dict of int to str
        Numbers of workers that are members no more, and why.
    left : tuple of int
        Numbers of workers that were called away.
    """

    means: list[BucketMean]
    delivered: dict[int, tuple[Chunk, ...]]
    lost: dict[int, str]
    left: tuple[int, ...]


class Reducer:
    """Keeps its workers busy under the newest theta; an actor of Ray, but a plain class without it.

    Each worker has one call at a time. At most twice the gradients that are wanted wait to be
    taken; then workers wait, too. A worker that dies, misses its deadline or sends what is not
    finite is reported and called no more. All methods run in one event loop.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        import ray.exceptions

        self._errors = (ray.exceptions.RayError,)
        self._settings = settings
        self._beat = min(_BEAT_SECONDS, settings.deadline / 4)
        self._news: News | None = None
        self._wanted = 1
        self._sums = Sums()
        self._delivered: dict[int, tuple[Chunk, ...]] = {}
        self._lost: dict[int, str] = {}
        self._left: tuple[int, ...] = ()
        self._leaving: set[int] = set()
        self._tasks: dict[int, asyncio.Task] = {}
        self._told = asyncio.Condition()

    async def hello(self) -> dict[str, str]:
        """Versions and node on this side."""
        return greeting()

    async def join(self, member: Member) -> None:
        """Take a worker on."""
        slot = Slot(member.chunks, member.actor, delivered=set(member.delivered))
        self._tasks[member.number] = asyncio.create_task(self._drive(member, slot))

    async def leave(self, numbers: tuple[int, ...]) -> None:
        """Call workers no more after their present calls; a summary names those that have left."""
        self._leaving.update(numbers)
        await self._tell()

    async def news(self, news: News) -> None:
        """Later calls are for this theta."""
        if self._news is None or news.version > self._news.version:
            self._news = news
            await self._tell()

    async def take(self, news: News, wanted: int) -> Summary:
        """A summary, as soon as it holds `wanted` gradients or there is other news of workers.

        It comes after some seconds in any case: silence means that this process hangs.
        """
        self._wanted = wanted
        await self.news(news)
        async with self._told:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._told.wait_for(self._ready)
            found = Summary(self._sums.take(), self._delivered, self._lost, self._left)
            self._delivered, self._lost, self._left = {}, {}, ()
            self._told.notify_all()
        return found

    def _ready(self) -> bool:
        return self._sums.count >= self._wanted or bool(self._lost) or bool(self._left)

    async def _tell(self) -> None:
        async with self._told:
            self._told.notify_all()

    async def _drive(self, member: Member, slot: Slot) -> None:
        """Call a worker until it is lost or leaves."""
        calls = 0
        while (news := await self._room(member.number)) is not None:
            calls += 1
            chunks = slot.next_chunks(self._settings.truncations)
            reason = await self._one_call(member, slot, news, chunks, calls)
            if reason is not None:
                self._lost[member.number] = reason
                break
        else:
            self._left = (*self._left, member.number)
        self._leaving.discard(member.number)
        del self._tasks[member.number]
        await self._tell()

    async def _room(self, number: int) -> News | None:
        """The newest theta, once there is room for more gradients; `None` if the worker leaves."""
        async with self._told:
            while number not in self._leaving:
                if self._news is not None and self._sums.count < 2 * self._wanted:
                    return self._news
                await self._told.wait()
        return None

    async def _one_call(
        self, member: Member, slot: Slot, news: News, chunks: tuple[Chunk, ...], calls: int
    ) -> str | None:
        """Call a worker once and count in what it sends; the reason if it is lost."""
        call = news.call(chunks, (member.stream, calls))
        answer = slot.actor.work.remote(news.theta, call)
        try:
            async with asyncio.timeout(slot.patience(chunks, self._settings)):
                means = await answer
        except TimeoutError:
            return LATE
        except self._errors as error:  # Whatever the worker raised is one of these.
            return reason_of(error)
        if not all(mean.finite for mean in means):
            return NOT_FINITE
        for mean in means:
            self._sums.add(mean)
        new = tuple(chunk for chunk in set(chunks) if chunk not in slot.delivered)
        slot.delivered.update(new)
        self._delivered[member.number] = self._delivered.get(member.number, ()) + new
        if self._ready():
            await self._tell()
        return None
