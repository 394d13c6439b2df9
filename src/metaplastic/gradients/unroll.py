"""What the estimators share: a position along an unroll, restarts, and advancing it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from metaplastic.gradients.base import AbstractInnerProblem, Carry
from metaplastic.types import PRNGKey, Theta


class Unroll(eqx.Module):
    """A task somewhere along its unroll.

    Attributes
    ----------
    carry : Carry
        State of the problem.
    position : scalar array
        Problem steps done.
    horizon : scalar array
        Problem steps after which the task is replaced.
    done : scalar array
        Whether the task restarts at the next call.
    """

    carry: Carry
    position: Int[Array, ""]
    horizon: Int[Array, ""]
    done: Bool[Array, ""]


def start(problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Unroll:
    """A fresh unroll with its horizon drawn."""
    init_key, horizon_key = jax.random.split(key)
    return Unroll(
        problem.init(theta, key=init_key),
        jnp.zeros((), jnp.int32),
        problem.horizon(key=horizon_key),
        jnp.zeros((), bool),
    )


def shorten(state: PyTree, fraction: Float[Array, ""]) -> PyTree:
    """Estimator state with every horizon in it reduced to `1 + floor(fraction * horizon)`.

    With `fraction` uniform in [0, 1), the new horizon is uniform between 1 and the old one. States
    that hold no `Unroll` come back as they are.

    Parameters
    ----------
    state : PyTree
        State of an estimator.
    fraction : scalar array
        A number in [0, 1).

    Returns
    -------
    PyTree
        The state with shorter horizons.
    """

    def cut(node: PyTree) -> PyTree:
        if not isinstance(node, Unroll):
            return node
        short = 1 + jnp.floor(fraction * node.horizon).astype(node.horizon.dtype)
        return eqx.tree_at(lambda u: u.horizon, node, jnp.minimum(short, node.horizon))

    return jax.tree.map(cut, state, is_leaf=lambda node: isinstance(node, Unroll))


def advance(
    problem: AbstractInnerProblem,
    theta: Theta,
    unroll: Unroll,
    steps: int,
    *,
    key: PRNGKey,
    checkpoint: bool = False,
) -> tuple[Unroll, Float[Array, ""]]:
    """`steps` problem steps: the unroll after them, and the mean of their losses.

    A step's keys depend on `key` and on its place in the call alone. `done` is set when the
    horizon is reached or a step diverged; after a divergence the loss is NaN.
    """

    def body(state: tuple, step_key: PRNGKey) -> tuple:
        carry, failed = state
        carry, loss, diverged = problem.step(theta, carry, key=step_key)
        return (carry, failed | diverged), loss

    body = jax.checkpoint(body) if checkpoint else body
    keys = jax.random.split(key, steps)
    (carry, failed), losses = jax.lax.scan(body, (unroll.carry, jnp.zeros((), bool)), keys)
    loss = jnp.where(failed, jnp.nan, jnp.mean(losses))
    position = unroll.position + steps
    done = failed | (position >= unroll.horizon)
    return Unroll(carry, position, unroll.horizon, done), loss
