"""Executors: where the gradients of many tasks are computed.

A bucket is one inner problem (one architecture, hence one compilation) and its number of tasks.
The outer loop hands an executor theta and gets one mean gradient per bucket back.
"""

import abc
import dataclasses
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from metaplastic.errors import InputError
from metaplastic.gradients import AbstractGradientEstimator, AbstractInnerProblem
from metaplastic.meta.programs import TASKS, begun_anew, bucket_gradient, init_states
from metaplastic.types import Metrics, PRNGKey, Theta

Device = Any
"""A `jax.Device`; that name is no type to a type checker."""

TaskStates = tuple[PyTree, ...]
"""One estimator state per bucket, its leaves with a leading task axis."""


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Tasks that share an architecture.

    Parameters
    ----------
    name : str
        Name in metrics and messages.
    problem : AbstractInnerProblem
        What the tasks are.
    n_tasks : int
        Number of tasks that are under way.
    cost : float, default=1.0
        Relative cost of one task-step, for sharing buckets among devices.

    Raises
    ------
    InputError
        For fewer tasks than one.
    """

    name: str
    problem: AbstractInnerProblem
    n_tasks: int
    cost: float = 1.0

    def __post_init__(self) -> None:
        if self.n_tasks < 1:
            raise InputError(f"bucket {self.name!r} needs at least one task, got {self.n_tasks}")


class AbstractExecutor(abc.ABC):
    """Computes per-bucket gradients; task states stay with it or travel through it."""

    estimator: AbstractGradientEstimator
    """Of every task."""

    @abc.abstractmethod
    def init(self, theta: Theta, *, key: PRNGKey) -> TaskStates:
        """Fresh task states whose first unrolls are cut short at random.

        The first horizon of every task is drawn uniformly between 1 and the one that its problem
        drew, so that restarts are spread over time from the start.
        """

    @abc.abstractmethod
    def shapes(self, theta: Theta) -> TaskStates:
        """What `init` would return, as `jax.ShapeDtypeStruct`s; nothing is computed."""

    @abc.abstractmethod
    def gradients(
        self, theta: Theta, states: TaskStates, *, key: PRNGKey
    ) -> tuple[list[Theta], TaskStates, list[Metrics]]:
        """Mean clipped gradient (shaped as theta), next states, metrics: one of each a bucket."""

    def report(self) -> Metrics:
        """What there is to say of the last call besides the buckets' metrics."""
        return {}


def best_task_axis(device: Device) -> Literal["map", "vmap"]:
    """Tasks one after another on a CPU (small working sets), together on a GPU."""
    return "map" if device.platform == "cpu" else "vmap"


def check_buckets(buckets: Sequence[Bucket], clip: float) -> None:
    """Raises `InputError` for what no executor takes."""
    if not buckets or len({b.name for b in buckets}) != len(buckets):
        raise InputError("an executor needs at least one bucket, with distinct names")
    if not clip > 0:
        raise InputError(f"clip must be positive, got {clip}")


class LocalExecutor(AbstractExecutor):
    """All buckets in this process, each pinned to one device, devices running side by side.

    Parameters
    ----------
    buckets : sequence of Bucket
        At least one, with distinct names.
    estimator : AbstractGradientEstimator
        The gradient estimator of every task.
    clip : float, default=1.0
        Largest norm of one task's gradient.
    devices : sequence of Device, optional
        Devices to use, by default `jax.devices()`.
    task_axis : {"map", "vmap", "shard"}, optional
        `map` runs a bucket's tasks one after another (best on CPU), `vmap` together (best on GPU);
        `None` chooses by the device. `shard` cuts the tasks of every bucket over all devices, which
        then work on one bucket after another.

    Raises
    ------
    InputError
        For no bucket, two of one name, a clip that is not positive, or tasks that cannot be cut
        evenly over the devices.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        estimator: AbstractGradientEstimator,
        *,
        clip: float = 1.0,
        devices: Sequence[Device] | None = None,
        task_axis: Literal["map", "vmap", "shard"] | None = None,
    ) -> None:
        check_buckets(buckets, clip)
        self.estimator = estimator
        self.clip = clip
        self.devices = list(jax.devices() if devices is None else devices)
        one_device = best_task_axis(self.devices[0])
        self.task_axis = one_device if task_axis in (None, "shard") else task_axis
        self._mesh = None
        if task_axis == "shard":
            self._mesh = jax.sharding.Mesh(np.array(self.devices), (TASKS,))
            uneven = [b.name for b in buckets if b.n_tasks % len(self.devices)]
            if uneven:
                raise InputError(
                    f"tasks are cut over {len(self.devices)} devices, but their number is no "
                    f"multiple of it in {', '.join(uneven)}; change n_tasks or the devices"
                )
        self._on_cpu = self.devices[0].platform == "cpu"
        self.placement = _place(buckets, len(self.devices))
        self.buckets = [
            dataclasses.replace(b, problem=put(b.problem, self._place_for(d)))
            for b, d in zip(buckets, self.placement, strict=True)
        ]

    def _place_for(self, device: int) -> Any:
        """Where what all tasks of a bucket share is put: its device, or a copy on all."""
        if self._mesh is None:
            return self.devices[device]
        return jax.sharding.NamedSharding(self._mesh, jax.sharding.PartitionSpec())

    def _place_for_tasks(self, device: int) -> Any:
        """Where what has a task axis is put."""
        if self._mesh is None:
            return self.devices[device]
        return jax.sharding.NamedSharding(self._mesh, jax.sharding.PartitionSpec(TASKS))

    def init(self, theta: Theta, *, key: PRNGKey) -> TaskStates:
        """See `AbstractExecutor.init`."""

        def one(index: int) -> PyTree:
            bucket, device = self.buckets[index], self.placement[index]
            keys = jax.random.split(jax.random.fold_in(key, index), bucket.n_tasks)
            states = init_states(
                self.estimator,
                bucket.problem,
                *jax.device_put((theta, keys), self._place_for(device)),
            )
            return jax.device_put(states, self._place_for_tasks(device))

        return tuple(self._on_devices(one))

    def shapes(self, theta: Theta) -> TaskStates:
        """See `AbstractExecutor.shapes`."""
        shapes = []
        for bucket in self.buckets:
            keys = jax.random.split(jax.random.key(0), bucket.n_tasks)
            shapes.append(
                eqx.filter_eval_shape(
                    init_states.function, self.estimator, bucket.problem, theta, keys
                )
            )
        return tuple(shapes)

    def gradients(
        self, theta: Theta, states: TaskStates, *, key: PRNGKey
    ) -> tuple[list[Theta], TaskStates, list[Metrics]]:
        """See `AbstractExecutor.gradients`. `states` are donated: their buffers are gone after."""

        def one(index: int) -> tuple:
            bucket, device = self.buckets[index], self.placement[index]
            keys = jax.random.split(jax.random.fold_in(key, index), bucket.n_tasks)
            shared = (
                self.estimator,
                bucket.problem,
                jax.device_put(theta, self._place_for(device)),
            )
            keys, own = jax.device_put((keys, states[index]), self._place_for_tasks(device))
            own = jax.device_put(begun_anew(*shared, own, keys), self._place_for_tasks(device))
            fixed = (*shared, keys, self.clip, self.task_axis, self._mesh)
            result = bucket_gradient(fixed, own)
            # Accelerators have a queue; on a CPU one bucket at a time keeps working sets small.
            return jax.block_until_ready(result) if self._on_cpu else result

        gradients, after, metrics = zip(*self._on_devices(one), strict=True)
        return list(gradients), tuple(after), list(metrics)

    def _on_devices(self, work) -> list:
        """Run `work(bucket index)` for all buckets; in bucket order.

        One thread per CPU device. On other devices one per bucket: the device does one after
        another all the same, but never waits for this process, and the host's cores compile all
        buckets together. Buckets that all devices share come in turn.
        """
        everything = range(len(self.buckets))
        if self._mesh is not None:
            return [work(index) for index in everything]
        if not self._on_cpu:
            with ThreadPoolExecutor(len(self.buckets)) as pool:
                return list(pool.map(work, everything))

        def run(device: int) -> list:
            return [(i, work(i)) for i, placed in enumerate(self.placement) if placed == device]

        if len(self.devices) == 1:
            results = run(0)
        else:
            with ThreadPoolExecutor(len(self.devices)) as pool:
                results = itertools.chain(*pool.map(run, range(len(self.devices))))
        return [result for _, result in sorted(results, key=lambda pair: pair[0])]


def _place(buckets: Sequence[Bucket], n_devices: int) -> list[int]:
    """Device of every bucket: dearest first, each to the device with least work so far."""
    load = [0.0] * n_devices
    placement = [0] * len(buckets)
    for index in sorted(range(len(buckets)), key=lambda i: -buckets[i].cost * buckets[i].n_tasks):
        device = load.index(min(load))
        placement[index] = device
        load[device] += buckets[index].cost * buckets[index].n_tasks
    return placement


def put(tree: PyTree, device: Device = None) -> PyTree:
    """A tree with its arrays on a device (the default one if `None`), or laid out by a sharding."""
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, device), rest)
