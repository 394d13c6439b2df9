"""What runs in a worker process: tasks, their positions, and gradients of one truncation each."""

import dataclasses
import os
import platform
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, PyTree
from numpy.typing import NDArray

from metaplastic import __version__
from metaplastic.gradients import AbstractGradientEstimator
from metaplastic.meta.executor import Bucket, best_task_axis, bucket_gradient, init_states, put
from metaplastic.types import Theta

Vector = Float[np.ndarray, " theta"]


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Tasks `first` to `first + n_tasks - 1` of a bucket: what a worker holds as one."""

    bucket: int
    first: int
    n_tasks: int
    cost: float


@dataclasses.dataclass(frozen=True)
class Item:
    """A call for one chunk; keys are raw data.

    `start_keys` are for tasks that do not exist yet, and empty if they do.
    """

    chunk: Chunk
    keys: NDArray
    start_keys: NDArray


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """Mean clipped gradient of a chunk's tasks, metrics with a task axis, seconds it took."""

    chunk: Chunk
    gradient: Vector
    metrics: dict[str, NDArray]
    seconds: float


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
        """Versions on this side."""
        return versions()

    def work(self, theta: Vector, items: tuple[Item, ...]) -> list[ChunkResult]:
        """One truncation of every item's tasks under `theta`."""
        tree = self._unravel(jnp.asarray(theta))
        return [self.one(tree, item) for item in items]

    def one(self, theta: Theta, item: Item) -> ChunkResult:
        """One truncation of one chunk's tasks."""
        begin = time.monotonic()
        jobs, chunk = self._jobs, item.chunk
        problem = jobs.buckets[chunk.bucket].problem
        # Taken out, because the states are donated: after an error they are gone.
        states = self._states.pop(chunk, None)
        if states is None:
            keys = jax.random.wrap_key_data(jnp.asarray(item.start_keys))
            states = init_states(jobs.estimator, problem, theta, keys)
        keys = jax.random.wrap_key_data(jnp.asarray(item.keys))
        fixed = (jobs.estimator, problem, theta, keys, jobs.clip, self._task_axis, None)
        gradient, self._states[chunk], metrics = bucket_gradient(fixed, states)
        vector = np.asarray(ravel_pytree(gradient)[0])
        numbers = {name: np.asarray(value) for name, value in metrics.items()}
        return ChunkResult(chunk, vector, numbers, time.monotonic() - begin)
