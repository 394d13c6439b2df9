"""The inner loop: a rule applied to one batch after another, by NumPy or in one compiled program.

Evaluation, the command line and the scikit-learn estimators all train through it.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from metaplastic.errors import DivergenceError
from metaplastic.learners.eager import eager_steps
from metaplastic.learners.programs import compiled, training
from metaplastic.models import MLP, Key
from metaplastic.rules import AbstractUpdateRule, EagerSteps, RuleState, apply_rule
from metaplastic.trees import all_finite
from metaplastic.types import PRNGKey

CHUNK = 50
CHUNK_NUMBERS = 2**22
"""Most inner steps at a time, in one call of a compiled program where JAX trains; fewer where their
batches are so wide that they would hold more than `CHUNK_NUMBERS` numbers (16 MiB)."""


@compiled(short=True)
def _scan(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batches: NDArray | Float[Array, "steps batch pre"],
    count: Int[Array, ""],
    first: Int[Array, ""],
    key: PRNGKey,
    targets: NDArray | Float[Array, "steps batch class"] | None = None,
) -> tuple[MLP, RuleState, Array]:
    # The number of steps is data, so that chunks of any length up to `steps` share one program.
    def body(i: Array, carry: tuple[MLP, RuleState]) -> tuple[MLP, RuleState]:
        step_key = jax.random.fold_in(key, first + i)
        batch = jax.lax.dynamic_index_in_dim(batches, i, keepdims=False)
        if targets is None:
            return apply_rule(rule, *carry, batch, key=step_key)[:2]
        told = jax.lax.dynamic_index_in_dim(targets, i, keepdims=False)
        return apply_rule(rule, *carry, batch, key=step_key, targets=told)[:2]

    model, state = jax.lax.fori_loop(0, count, body, (model, state))
    return model, state, all_finite((model.layers, state))


def train(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batches: NDArray | Float[Array, "steps batch pre"],
    *,
    key: PRNGKey | Key,
    first_step: int = 0,
    targets: NDArray[np.float32] | None = None,
) -> tuple[MLP, RuleState]:
    """Apply `rule` once to every batch, in order.

    On a CPU, a rule takes its steps by NumPy if it can (`AbstractUpdateRule.eager`). Else one
    program is compiled per shape of `rule`, `model` and batch, whatever the number of steps
    (batches go to the device `chunk_steps` at a time). Step `t` uses `fold_in(key, first_step +
    t)`, so that training in pieces equals training at once.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule.
    model, state
        The model and the rule's state to start from.
    batches : array (steps, batch, pre) of float
        One batch for each step.
    key : PRNG key, or its data
        Key of all random draws.
    first_step : int, default=0
        Number of the first step, if training continues.
    targets : array (steps, batch, class) of float, optional
        What a rule that hears labels is told of every row (`rules.hear`).

    Returns
    -------
    (MLP, RuleState)
        The changed model and the rule's state.

    Raises
    ------
    DivergenceError
        If parameters or state stop being finite.
    """
    most = chunk_steps(*batches.shape[1:])
    eager = eager_steps(rule, model.activation)
    for start in range(0, len(batches), most):
        chunk = np.asarray(batches[start : start + most], np.float32)
        heard = None if targets is None else targets[start : start + most]
        first = first_step + start
        if eager is None:
            model, state, finite = _by_jax(rule, model, state, chunk, first, key, heard, most)
        else:
            model, state, finite = _by_numpy(eager, model, state, chunk, heard)
        if not finite:
            raise DivergenceError(
                f"{type(rule).__name__} diverged between inner steps {first} and "
                f"{first + len(chunk)}; use fewer steps, a larger batch or a smaller "
                "learning rate, and look for extreme values in the inputs"
            )
    return model, state


@training()
def _by_jax(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    chunk: NDArray[np.float32],
    first: int,
    key: PRNGKey | Key,
    heard: NDArray[np.float32] | None,
    most: int,
) -> tuple[MLP, RuleState, Array]:
    """One step with every batch of a chunk, in a program for chunks of up to `most`."""
    if isinstance(key, np.ndarray):
        key = jax.random.wrap_key_data(jnp.asarray(key))
    told = None if heard is None else _filled(heard, most)
    count, batches = np.int32(len(chunk)), _filled(chunk, most)
    return _scan(rule, model, state, batches, count, np.int32(first), key, told)


def _by_numpy(
    steps: EagerSteps,
    model: MLP,
    state: RuleState,
    chunk: NDArray[np.float32],
    heard: NDArray[np.float32] | None,
) -> tuple[MLP, RuleState, bool]:
    """The same by NumPy."""
    # Batch by batch: products of more rows are rounded otherwise, and chunks are of any length.
    presented = np.stack([model.presentation.by_numpy(batch) for batch in chunk])
    presented = presented.astype(np.float32, copy=False)
    layers, state = steps.run(model.layers, state, presented, heard)
    arrays = [own for layer in layers for own in (layer.weight, layer.bias, layer.feedback)]
    finite = all(bool(np.isfinite(own).all()) for own in arrays)
    return dataclasses.replace(model, layers=layers), state, finite


def _filled(chunk: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """With zeros up to `most` steps."""
    missing = most - len(chunk)
    return np.pad(chunk, ((0, missing), (0, 0), (0, 0))) if missing else chunk


def chunk_steps(batch: int, n_columns: int) -> int:
    """How many batches `(batch, n_columns)` go to the device at a time."""
    return min(CHUNK, max(1, CHUNK_NUMBERS // (batch * n_columns)))
