"""What runs in a worker process: tasks, their positions, and gradients of one truncation each."""

import dataclasses
import functools
import os
import platform
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree
from numpy.typing import NDArray

from metaplastic import __version__
from metaplastic.gradients import AbstractGradientEstimator
from metaplastic.meta.executor import Bucket, best_task_axis, put
from metaplastic.meta.programs import begun_anew, bucket_gradient, init_states
from metaplastic.scale.means import BucketMean, Sums, Vector
from metaplastic.types import Theta


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Tasks `first` to `first + n_tasks - 1` of a bucket: what a worker holds as one."""

    bucket: int
    first: int
    n_tasks: int
    cost: float


@dataclasses.dataclass(frozen=True)
class Call:
    """What a worker is asked for: one truncation of each chunk in turn. Keys are raw data.

    Attributes
    ----------
    version : int
        Number of the update whose theta it is.
    key : array
        Of the update.
    start_key : array
        For tasks that do not exist yet.
    chunks : tuple of Chunk
        A chunk may come more than once.
    draw : tuple of int
        Makes the random numbers of this call differ from those of others under the same key;
        empty for those that `LocalExecutor` would draw.
    """

    version: int
    key: NDArray
    start_key: NDArray
    chunks: tuple[Chunk, ...]
    draw: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Jobs:
    """All that workers need to know, once: arrays are NumPy, so that no device is touched."""

    buckets: tuple[Bucket, ...]
    estimator: AbstractGradientEstimator
    clip: float
    theta: Theta


def pack(tree: PyTree) -> PyTree:
    """A tree with NumPy arrays in place of JAX arrays."""
    return jax.tree.map(lambda x: np.asarray(x) if isinstance(x, jax.Array) else x, tree)


def versions() -> dict[str, str]:
    """What must be the same here and there."""
    return {
        "metaplastic": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
    }


def greeting() -> dict[str, str]:
    """`versions`, and the node of Ray on which this process runs."""
    ray = sys.modules.get("ray")
    node = "" if ray is None else ray.get_runtime_context().get_node_id()
    return versions() | {"node": node}


@functools.partial(jax.jit, static_argnames="n_tasks")
def _task_keys(key: NDArray, draw: NDArray, bucket: int, n_tasks: int) -> jax.Array:
    """A key for every task of a bucket; without `draw` as `LocalExecutor` draws them."""
    typed = jax.random.wrap_key_data(jnp.asarray(key))
    for number in draw:
        typed = jax.random.fold_in(typed, number)
    return jax.random.split(jax.random.fold_in(typed, bucket), n_tasks)


class TaskWorker:
    """Holds tasks at their own positions; an actor of Ray, but a plain class without it."""

    def __init__(self, jobs: Jobs, threads: int) -> None:
        # Read by XLA when its CPU client starts: threads that wait spin.
        os.environ.setdefault("NPROC", str(max(1, threads)))
        self._jobs = dataclasses.replace(
            jobs,
            buckets=tuple(dataclasses.replace(b, problem=put(b.problem)) for b in jobs.buckets),
        )
        self._unravel = ravel_pytree(put(jobs.theta))[1]
        self._states: dict[Chunk, PyTree] = {}
        self._task_axis = best_task_axis(jax.devices()[0])

    def hello(self) -> dict[str, str]:
        """Versions and node on this side."""
        return greeting()

    def work(self, theta: Vector, call: Call) -> list[BucketMean]:
        """One truncation of every chunk's tasks under `theta`, one mean for each bucket."""
        tree = self._unravel(jnp.asarray(theta))
        return Sums(self.one(tree, call, i) for i in range(len(call.chunks))).take()

    def one(self, theta: Theta, call: Call, index: int) -> BucketMean:
        """One truncation of the tasks of chunk number `index` of a call."""
        begin = time.monotonic()
        jobs, chunk = self._jobs, call.chunks[index]
        problem = jobs.buckets[chunk.bucket].problem
        # Taken out, because the states are donated: after an error they are gone.
        states = self._states.pop(chunk, None)
        if states is None:
            starts = self._keys(chunk, call.start_key, ())
            states = init_states(jobs.estimator, problem, theta, starts)
        keys = self._keys(chunk, call.key, (*call.draw, index) if call.draw else ())
        states = begun_anew(jobs.estimator, problem, theta, states, keys)
        fixed = (jobs.estimator, problem, theta, keys, jobs.clip, self._task_axis, None)
        gradient, self._states[chunk], metrics = bucket_gradient(fixed, states)
        vector = np.asarray(ravel_pytree(gradient)[0])
        numbers = {name: np.asarray(value) for name, value in metrics.items()}
        took = time.monotonic() - begin
        mean = (chunk.bucket, chunk.first, call.version, chunk.n_tasks, vector, numbers, took)
        return BucketMean(*mean)

    def _keys(self, chunk: Chunk, key: NDArray, draw: tuple[int, ...]) -> jax.Array:
        size = self._jobs.buckets[chunk.bucket].n_tasks
        keys = _task_keys(key, np.asarray(draw, np.uint32), chunk.bucket, n_tasks=size)
        return keys[chunk.first : chunk.first + chunk.n_tasks]
