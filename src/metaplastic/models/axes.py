"""Leading principal axes that JAX can trace, for the meta-loss."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.types import PRNGKey

ROUNDS = 3
"""Rounds of subspace iteration in `leading_axes`."""


def leading_axes(
    x: Float[Array, "batch pre"], components: int, *, key: PRNGKey
) -> Float[Array, "pre component"]:
    """Leading principal axes of a batch, by subspace iteration; traceable.

    The meta-loss sees wide inputs as these, where an encoder has `principal_axes`.

    Parameters
    ----------
    x : array (batch, pre) of float
        The batch.
    components : int
        Number of axes.
    key : PRNG key
        Key of the first subspace.

    Returns
    -------
    array (pre, component) of float
        The axes, as columns.
    """
    x = x - jnp.mean(x, axis=0)
    axes = jax.random.normal(key, (x.shape[1], components))
    for _ in range(ROUNDS):
        axes = jnp.linalg.qr(x.T @ (x @ axes))[0]
    return axes
