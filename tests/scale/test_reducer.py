"""A reducer among workers that are plain objects in its event loop."""

import asyncio

import numpy as np
import pytest
from ray.exceptions import RaySystemError

from metaplastic.scale import ClusterSettings
from metaplastic.scale.means import BucketMean
from metaplastic.scale.pool import LATE, NOT_FINITE, News
from metaplastic.scale.reducer import Member, Reducer
from metaplastic.scale.worker import Chunk

CHUNKS = tuple(Chunk(0, first, 1, 1.0) for first in range(3))
SETTINGS = ClusterSettings(mode="asynchronous", truncations=2, deadline=0.4, compile_deadline=0.8)


class Worker:
    """`work.remote(theta, call)` as an actor has it; `answer` makes the gradient."""

    def __init__(self, answer=lambda: [1.0, 2.0], seconds=0.0):
        self.calls, self.answer, self.seconds = [], answer, seconds
        self.work = self

    async def remote(self, theta, call):
        self.calls.append((theta, call))
        await asyncio.sleep(self.seconds)
        gradient = np.array(self.answer(), np.float32)
        metrics = {"loss": np.zeros(len(call.chunks), np.float32)}
        first = min(chunk.first for chunk in call.chunks)
        return [BucketMean(0, first, call.version, len(call.chunks), gradient, metrics, 0.1)]


def news(version):
    return News(f"theta {version}", version, np.zeros(2, np.uint32), np.ones(2, np.uint32))


def member(number, worker, delivered=CHUNKS):
    return Member(number, worker, CHUNKS, frozenset(delivered), 100 + number)


def run(case):
    return asyncio.run(asyncio.wait_for(case, 20))


def with_workers(*workers, settings=SETTINGS):
    async def made():
        reducer = Reducer(settings)
        for number, worker in enumerate(workers):
            await reducer.join(member(number, worker))
        return reducer

    return made()


def test_one_mean_for_what_all_workers_sent():
    workers = [Worker(lambda: [1.0, 3.0], 0.01), Worker(lambda: [3.0, 5.0], 0.01)]

    async def case():
        reducer = await with_workers(*workers)
        return await reducer.take(news(1), 4)

    summary = run(case())
    (mean,) = summary.means
    assert (mean.version, mean.count, mean.first) == (1, 4, 0)
    np.testing.assert_allclose(mean.gradient, [2.0, 4.0])
    assert len(mean.metrics["loss"]) == 4
    assert set(summary.delivered) == {0, 1} and not summary.lost and not summary.left


def test_chunks_come_in_turn_and_no_call_draws_as_another():
    worker = Worker(seconds=0.001)

    async def case():
        reducer = await with_workers(worker)
        return await reducer.take(news(1), 6)

    run(case())
    calls = [call for _, call in worker.calls]
    assert [[c.first for c in call.chunks] for call in calls[:3]] == [[0, 1], [2, 0], [1, 2]]
    assert len({call.draw for call in calls}) == len(calls)


def test_later_calls_have_the_newest_theta_and_ages_stay_exact():
    worker = Worker(seconds=0.02)

    async def case():
        reducer = await with_workers(worker)
        taking = asyncio.create_task(reducer.take(news(1), 6))
        await asyncio.sleep(0.03)
        await reducer.news(news(2))
        await reducer.news(news(1))  # Comes late and changes nothing.
        return await taking

    means = run(case()).means
    assert [mean.version for mean in means] == [1, 2]
    assert sum(mean.count for mean in means) == 6
    assert [theta for theta, _ in worker.calls][-1] == "theta 2"


def test_workers_wait_when_nobody_takes():
    worker = Worker()

    async def case():
        reducer = await with_workers(worker)
        first = await reducer.take(news(1), 4)
        await asyncio.sleep(0.05)
        waiting = len(worker.calls)
        await asyncio.sleep(0.05)
        assert len(worker.calls) == waiting
        second = await reducer.take(news(2), 4)
        third = await reducer.take(news(3), 4)
        return first, second, third

    first, second, third = run(case())
    counts = [sum(mean.count for mean in s.means) for s in (first, second, third)]
    assert counts[0] >= 4 and counts[1] == 8 and counts[2] >= 4
    assert 2 * len(worker.calls) <= sum(counts) + 10


def broken():
    raise RaySystemError("broken on purpose")


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (Worker(broken), "System error: broken on purpose"),
        (Worker(lambda: [np.nan, 1.0]), NOT_FINITE),
        (Worker(seconds=10.0), LATE),
    ],
)
def test_a_bad_worker_is_reported_and_called_no_more(worker, reason):
    good = Worker(seconds=0.001)

    async def case():
        reducer = await with_workers(good, worker)
        found = []
        for version in range(1, 100):
            found.append(await reducer.take(news(version), 100))
            if found[-1].lost:
                break
        after = await reducer.take(news(200), 2)
        return found, after

    found, after = run(case())
    assert found[-1].lost == {1: reason}
    assert len(worker.calls) == 1
    assert after.means and not after.lost
    assert all(np.isfinite(mean.gradient).all() for summary in found for mean in summary.means)


def test_a_first_call_may_compile():
    settings = ClusterSettings(mode="asynchronous", deadline=0.1, compile_deadline=10.0)
    worker = Worker(seconds=0.3)

    async def case():
        reducer = Reducer(settings)
        await reducer.join(member(0, worker, delivered=CHUNKS[1:]))
        found = [await reducer.take(news(v), 1) for v in range(1, 60)]
        return [s for s in found if s.delivered or s.lost]

    first, second = run(case())
    assert first.delivered == {0: (CHUNKS[0],)} and not first.lost
    assert second.lost == {0: LATE}


def test_a_worker_that_is_called_away_ends_its_call_first():
    worker = Worker(seconds=0.02)

    async def case():
        reducer = await with_workers(worker)
        taking = asyncio.create_task(reducer.take(news(1), 100))
        await asyncio.sleep(0.01)
        await reducer.leave((0,))
        return await taking

    summary = run(case())
    assert summary.left == (0,) and len(worker.calls) == 1
    assert sum(mean.count for mean in summary.means) == 2


def test_silence_is_no_sign_of_life():
    async def case():
        reducer = Reducer(SETTINGS)
        return await reducer.take(news(1), 4)

    summary = run(case())  # After a quarter of the deadline.
    assert summary.means == [] and not summary.lost
