"""The outer loop: gradients of many tasks, Adam, a moving average of theta."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.meta.executor import AbstractExecutor, TaskStates
from metaplastic.meta.problem import split_rule
from metaplastic.meta.reports import Report, summary
from metaplastic.rules import AbstractUpdateRule
from metaplastic.trees import all_finite, global_norm, select
from metaplastic.types import Theta

Rule = TypeVar("Rule", bound=AbstractUpdateRule)


@dataclasses.dataclass(frozen=True)
class OuterConfig:
    """Settings of the outer loop.

    Parameters
    ----------
    n_updates : int, default=1000
        Number of updates.
    learning_rate : float, default=0.002
        Largest meta-learning rate.
    warmup : int, default=50
        Updates over which the rate rises linearly.
    final_fraction : float, default=0.03
        Fraction of the largest rate that a cosine reaches at the last update.
    b1, b2
        Decays of Adam's moments.
    average : float, default=0.98
        Decay of the moving average of theta.
    seed : int, default=0
        Seed of all random draws.

    Raises
    ------
    InputError
        For numbers that are not allowed.
    """

    n_updates: int = 1000
    learning_rate: float = 2e-3
    warmup: int = 50
    final_fraction: float = 0.03
    b1: float = 0.9
    b2: float = 0.99
    average: float = 0.98
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_updates < 1 or not 0 <= self.warmup < max(self.n_updates, 1):
            raise InputError(
                f"n_updates must be at least 1 and more than warmup, got {self.n_updates} and "
                f"{self.warmup}"
            )
        if not (self.learning_rate > 0 and 0 <= self.average < 1):
            raise InputError(
                "learning_rate must be positive and average in [0, 1), got "
                f"{self.learning_rate} and {self.average}"
            )


class MetaState(eqx.Module):
    """All that the next update needs; what a checkpoint holds.

    Attributes
    ----------
    step : scalar array
        Updates done.
    theta : Theta
        The numbers that are trained.
    average : Theta
        Their moving average.
    optimiser : PyTree
        State of Adam.
    skipped : scalar array
        Updates that were skipped because their gradient was not finite.
    tasks : TaskStates
        State of the tasks of every bucket.
    """

    step: Int[Array, ""]
    theta: Theta
    average: Theta
    optimiser: PyTree
    skipped: Int[Array, ""]
    tasks: TaskStates


def meta_train(
    rule: AbstractUpdateRule,
    executor: AbstractExecutor,
    config: OuterConfig,
    *,
    weights: list[float],
    state: MetaState | None = None,
) -> Iterator[tuple[MetaState, Report]]:
    """Run the outer loop, yielding the state after every update and what to report of it.

    An update whose total gradient is not finite is skipped and counted. The next update uses up
    the task states of a yielded state: save it before asking for more.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule to start from. Its inexact arrays are trained.
    executor : AbstractExecutor
        Computes gradients; it knows the buckets.
    config : OuterConfig
        Settings.
    weights : list of float
        One per bucket, the share of its mean gradient in the update.
    state : MetaState, optional
        To go on from; the random numbers of an update depend on the seed and its number alone, so a
        resumed run repeats what an uninterrupted one would have done.

    Yields
    ------
    (MetaState, Report)
        The state after an update, and what to report of it.
    """
    theta, _ = split_rule(rule)
    optimiser = _optimiser(config)
    root = jax.random.key(config.seed)
    if state is None:
        state = initial_state(theta, executor, config)
    device = jax.devices()[0]
    # A program is compiled again for arguments that are bound to a device, as later states are.
    state = _with_tasks(jax.device_put(_with_tasks(state, ()), device), state.tasks)
    share = np.asarray(weights, np.float32) / np.sum(weights)
    for step in range(int(state.step) + 1, config.n_updates + 1):
        key = jax.random.fold_in(root, step)
        gradients, tasks, parts = executor.gradients(state.theta, state.tasks, key=key)
        gradients = jax.device_put(gradients, device)
        state, norm = _update(optimiser, config.average, state, (share, gradients), tasks)
        # Nothing of the state itself, whose buffers the next update may use up.
        told = functools.partial(summary, step, state.skipped, parts, norm, executor.report())
        yield state, Report(told)


def initial_state(theta: Theta, executor: AbstractExecutor, config: OuterConfig) -> MetaState:
    """The state before the first update.

    Parameters
    ----------
    theta : Theta
        Numbers to start from.
    executor : AbstractExecutor
        Makes the tasks.
    config : OuterConfig
        Settings of the outer loop.

    Returns
    -------
    MetaState
        The state.
    """
    tasks = executor.init(theta, key=jax.random.fold_in(jax.random.key(config.seed), 0))
    return _fresh(config, theta, tasks)


def with_new_tasks(state: MetaState, executor: AbstractExecutor, config: OuterConfig) -> MetaState:
    """`state` with its tasks begun anew, as those of `initial_state` were."""
    key = jax.random.fold_in(jax.random.key(config.seed), 0)
    key = jax.random.fold_in(key, int(state.step))
    return _with_tasks(state, executor.init(state.theta, key=key))


def state_shapes(theta: Theta, executor: AbstractExecutor, config: OuterConfig) -> MetaState:
    """The shapes of what `initial_state` returns, for reading a checkpoint.

    Parameters
    ----------
    theta : Theta
        Numbers to start from.
    executor : AbstractExecutor
        Makes the tasks.
    config : OuterConfig
        Settings of the outer loop.

    Returns
    -------
    MetaState
        A state of `jax.ShapeDtypeStruct`s.
    """
    return eqx.filter_eval_shape(_fresh, config, theta, executor.shapes(theta))


def _fresh(config: OuterConfig, theta: Theta, tasks: TaskStates) -> MetaState:
    zero = jnp.zeros((), jnp.int32)
    return MetaState(zero, theta, theta, _optimiser(config).init(theta), zero, tasks)


def averaged_rule(rule: Rule, state: MetaState) -> Rule:
    """The rule with the moving average of theta: the rule to evaluate and ship.

    Parameters
    ----------
    rule : Rule
        The rule that was trained.
    state : MetaState
        A state of the outer loop.

    Returns
    -------
    Rule
        The rule with the averaged numbers.
    """
    averaged: Any = eqx.combine(state.average, split_rule(rule)[1])
    return averaged


def _with_tasks(state: MetaState, tasks: TaskStates) -> MetaState:
    return eqx.tree_at(lambda s: s.tasks, state, tasks)


def _optimiser(config: OuterConfig) -> optax.GradientTransformation:
    schedule = optax.warmup_cosine_decay_schedule(
        0.0,
        config.learning_rate,
        config.warmup,
        config.n_updates,
        config.learning_rate * config.final_fraction,
    )
    return optax.adam(schedule, b1=config.b1, b2=config.b2)


Weighed = tuple[NDArray[np.float32], list[Theta]]
"""Shares of the buckets, and their mean gradients."""


def _weighted_sum(share: NDArray[np.float32], trees: list[Theta]) -> Theta:
    def add(*leaves: Array) -> Array:
        return sum((w * x for w, x in zip(share, leaves, strict=True)), jnp.zeros_like(leaves[0]))

    return jax.tree.map(add, *trees)


@eqx.filter_jit
def _apply_update(
    optimiser: optax.GradientTransformation, decay: float, state: MetaState, gradients: Weighed
) -> tuple[Any, ...]:
    gradient = _weighted_sum(*gradients)
    norm = global_norm(gradient)
    finite = all_finite(gradient)
    updates, moments = optimiser.update(gradient, state.optimiser, state.theta)
    theta = optax.apply_updates(state.theta, updates)
    # The average starts as a plain mean, so that it does not remember the start of training.
    keep = jnp.minimum(decay, state.step / (state.step + 10.0))
    average = jax.tree.map(lambda a, t: keep * a + (1 - keep) * t, state.average, theta)
    kept = (state.theta, state.average, state.optimiser)
    return *select(finite, (theta, average, moments), kept), ~finite, norm


def _update(
    optimiser: optax.GradientTransformation,
    decay: float,
    state: MetaState,
    gradients: Weighed,
    tasks: TaskStates,
) -> tuple[MetaState, Float[Array, ""]]:
    small = _with_tasks(state, ())
    theta, average, moments, skip, norm = _apply_update(optimiser, decay, small, gradients)
    skipped = state.skipped + skip.astype(jnp.int32)
    return MetaState(state.step + 1, theta, average, moments, skipped, tasks), norm
