"""The compiled programs of a bucket: first states of its tasks, restarts, and gradients."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from metaplastic.gradients import shorten
from metaplastic.learners.programs import compiled
from metaplastic.trees import clip_by_norm, select
from metaplastic.types import PRNGKey, Theta

TASKS = "tasks"
"""Name of the axis of devices that share tasks."""

_NOTHING, _ALL = np.float32(0), np.float32(1)


@compiled(once=True)
def init_states(estimator, problem, theta, keys, least=_NOTHING):
    """Fresh states of one task per key, their first horizons cut short at random; not below the
    fraction `least` of what they would be."""

    def one(key: PRNGKey) -> PyTree:
        init_key, stagger_key = jax.random.split(key)
        state = estimator.init(problem, theta, key=init_key)
        return shorten(state, jnp.maximum(jax.random.uniform(stagger_key, ()), least))

    return jax.lax.map(one, keys)


def begun_anew(estimator, problem, theta, states, keys):
    """The states, those of tasks that are done replaced where the estimator leaves that to us.

    One program makes first and later tasks, so that none is compiled for it.
    """
    if estimator.restarts or not np.any(jax.device_get(states.done)):
        return states
    fresh = init_states(estimator, problem, theta, keys, _ALL)
    return _where_done(states.done, fresh, states)


@eqx.filter_jit
def _where_done(done, fresh, states):
    return jax.vmap(select)(done, fresh, states)


def bucket_gradient(fixed, states):
    """`_bucket_gradient`, compiled in little time where the estimator leaves restarts to others:
    it is then of a short run."""
    long = fixed[0].restarts
    return (_of_long_runs if long else _of_short_runs)(fixed, states)


def _bucket_gradient(fixed, states):
    """Mean clipped gradient, next states and metrics of a bucket's tasks.

    `fixed` is `(estimator, problem, theta, keys, clip, task_axis, mesh)`; `states` are donated.
    With a mesh, its devices share the tasks.
    """
    estimator, problem, theta, keys, clip, task_axis, mesh = fixed
    arrays, static = eqx.partition(problem, eqx.is_array)

    def one(problem: Any, theta: Theta, arguments: tuple) -> tuple:
        state, key = arguments
        gradient, state, metrics = estimator.estimate(problem, theta, state, key=key)
        gradient, norm = clip_by_norm(gradient, clip)
        clipped = (norm > clip).astype(norm.dtype)
        return gradient, state, metrics | {"gradient_norm": norm, "clipped": clipped}

    def run(arrays: PyTree, theta: Theta, arguments: tuple) -> tuple:
        one_here = functools.partial(one, eqx.combine(arrays, static), theta)
        if task_axis == "vmap":
            return jax.vmap(one_here)(arguments)
        return jax.lax.map(one_here, arguments)

    if mesh is not None:
        whole, cut = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(TASKS)
        run = jax.shard_map(
            run, mesh=mesh, in_specs=(whole, whole, cut), out_specs=cut, check_vma=False
        )
    gradients, states, metrics = run(arrays, theta, (states, keys))
    return jax.tree.map(lambda g: jnp.mean(g, axis=0), gradients), states, metrics


_of_long_runs = eqx.filter_jit(_bucket_gradient, donate="all-except-first")
_of_short_runs = compiled(short=True, donate="all-except-first")(_bucket_gradient)
