"""Workers under reducers: who calls whom, and what becomes of the workers of a lost reducer."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from metaplastic.errors import DivergenceError
from metaplastic.scale.cluster import reason_of
from metaplastic.scale.pool import (
    LATE,
    NOT_FINITE,
    Event,
    News,
    Slot,
    WorkerPool,
    check_versions,
)
from metaplastic.scale.reducer import Member, Reducer, Summary
from metaplastic.scale.settings import ClusterSettings
from metaplastic.scale.worker import Chunk, Jobs, TaskWorker


@dataclasses.dataclass
class Post:
    """A place for a reducer, which may be starting, idle or busy, and the workers it has."""

    actor: Any = None
    starting: Any = None
    call: Any = None
    version: int = 0
    due: float = 0.0
    losses: int = 0
    node: str = ""
    members: set[int] = dataclasses.field(default_factory=set)
    leaving: set[int] = dataclasses.field(default_factory=set)


class ReducerPool(WorkerPool):
    """Workers that are called by reducers; the reducers alone are called from here.

    Workers belong to this process and outlive their reducer. A worker joins a reducer on its own
    node if that has room. The workers of a lost reducer join others at once; the one that replaces
    it takes workers from the fullest. `lost_reducers` counts as `lost` does.
    """

    reducer: ClassVar[type[Reducer]] = Reducer

    def __init__(
        self,
        jobs: Jobs,
        assignments: Sequence[tuple[Chunk, ...]],
        settings: ClusterSettings,
        worker: type[TaskWorker] = TaskWorker,
    ) -> None:
        super().__init__(jobs, assignments, settings, worker)
        self._reducers = self._ray.remote(self.reducer)
        self._news: News | None = None
        self._homeless: list[int] = []
        self.posts = [Post() for _ in range(settings.n_reducers())]
        self._fair = -(-len(self.slots) // len(self.posts))
        for post in self.posts:
            self._start_post(post)

    def idle(self) -> list[int]:
        """Numbers of reducers that have workers and wait for a call."""
        return [n for n, p in enumerate(self.posts) if _is_up(p) and p.call is None and p.members]

    def submit(self, number: int, news: News, wanted: int) -> None:
        """Ask an idle reducer for its share of `wanted` gradients; busy ones hear of theta, too."""
        if self._news is None or news.version > self._news.version:
            self._news = news
            for busy in self.posts:
                if busy.call is not None:
                    busy.actor.news.remote(news)
        post = self.posts[number]
        sharing = sum(1 for p in self.posts if p.members)
        post.call = post.actor.take.remote(news, -(-wanted // sharing))
        post.version, post.due = news.version, time.monotonic() + self._settings.deadline

    def wait(self) -> list[Event]:
        """See `WorkerPool.wait`; an event is a summary of one reducer."""
        starts = self._starts()
        posts = {p.starting: n for n, p in enumerate(self.posts) if p.starting is not None}
        calls = {p.call: n for n, p in enumerate(self.posts) if p.call is not None}
        events = []
        for reference in self._done([*calls, *posts, *starts]):
            if reference in starts:
                self._welcome(starts[reference])
            elif reference in posts:
                self._open(self.posts[posts[reference]])
            else:
                events += self._summary(calls[reference])
        now = time.monotonic()
        for post in self.posts:
            if post.call is not None and now > post.due:
                self._lose_post(post, LATE)
        return events

    def close(self) -> None:
        """End all reducers and workers."""
        for post in self.posts:
            if post.actor is not None:
                self._ray.kill(post.actor)
                post.actor = None
        super().close()

    def _start_post(self, post: Post) -> None:
        post.actor = self._reducers.options(**self._settings.reducer_options()).remote(
            self._settings
        )
        post.starting, post.call = post.actor.hello.remote(), None

    def _welcome(self, number: int) -> None:
        """A worker has started: it joins a reducer."""
        node = self._greet(self.slots[number])
        if node is not None:
            self.slots[number].node = node
            self._place([number])

    def _open(self, post: Post) -> None:
        """A reducer has started: it takes those who wait for one, and some of the fullest's."""
        try:
            greeting = self._ray.get(post.starting)
        except self._ray.exceptions.RayError as error:
            self._lose_post(post, reason_of(error))
            return
        check_versions(greeting)
        post.node, post.starting = greeting.get("node", ""), None
        waiting, self._homeless = self._homeless, []
        self._place(waiting)
        for other in self.posts:
            too_many = sorted(other.members - other.leaving)[self._fair :]
            if too_many:
                other.leaving.update(too_many)
                other.actor.leave.remote(tuple(too_many))

    def _place(self, numbers: Sequence[int]) -> None:
        """Each worker joins a reducer with room, best on its own node, best the emptiest."""
        up = [post for post in self.posts if _is_up(post)]
        if not up or any(p.starting is not None and not p.losses for p in self.posts):
            self._homeless += numbers
            return
        for number in numbers:
            slot = self.slots[number]
            post = min(up, key=lambda p: self._unfit(p, slot))
            self._calls += 1
            member = Member(number, slot.actor, slot.chunks, frozenset(slot.delivered), self._calls)
            post.members.add(number)
            post.actor.join.remote(member)

    def _unfit(self, post: Post, slot: Slot) -> tuple[bool, bool, int]:
        return len(post.members) >= self._fair, post.node != slot.node, len(post.members)

    def _summary(self, number: int) -> list[Event]:
        post = self.posts[number]
        try:
            summary: Summary = self._ray.get(post.call)
        except self._ray.exceptions.RayError as error:
            self._lose_post(post, reason_of(error))
            return []
        post.call, post.losses = None, 0
        for worker, chunks in summary.delivered.items():
            self.slots[worker].delivered.update(chunks)
            self.slots[worker].losses = 0
        gone = {*summary.left, *summary.lost}
        post.members -= gone
        post.leaving -= gone
        self._place(summary.left)
        for worker, reason in summary.lost.items():
            self.late += reason == LATE
            self.not_finite += reason == NOT_FINITE
            self._lose(self.slots[worker], reason)
        return [Event(number, post.version, summary.means)]

    def _lose_post(self, post: Post, reason: str) -> None:
        self.lost_reducers += 1
        post.losses += 1
        if post.losses > self._settings.retries:
            raise DivergenceError(
                f"a reducer was lost {post.losses} times in a row, the last time because {reason}; "
                "look at the logs of Ray on its node"
            )
        orphans, post.members, post.leaving = sorted(post.members), set(), set()
        self._ray.kill(post.actor)
        self._start_post(post)
        self._place(orphans)


def _is_up(post: Post) -> bool:
    return post.starting is None
