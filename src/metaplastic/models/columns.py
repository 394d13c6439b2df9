"""Sums over the first axis and copies along it, written as products with ones.

XLA's CPU backend recomputes what it sums, element by element, in a loop that it does not
vectorise; before a product it stops and computes once (docs/performance.md). The gradient
of either function is the other.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def column_sum(x: Float[Array, "row column"]) -> Float[Array, " column"]:
    """Sum of every column."""
    return _ones_product(jnp.ones(x.shape[0], x.dtype), x)


def column_mean(x: Float[Array, "row column"]) -> Float[Array, " column"]:
    """Mean of every column."""
    return column_sum(x) / x.shape[0]


def spread(row: Float[Array, " column"], n: int) -> Float[Array, "n column"]:
    """`n` copies of a row."""
    return _spread(row, jnp.ones(n, row.dtype))


@jax.custom_vjp
def _spread(row: Array, ones: Array) -> Array:
    return jnp.broadcast_to(row, (ones.shape[0], row.shape[0]))


def _spread_forward(row: Array, ones: Array) -> tuple[Array, Array]:
    return _spread(row, ones), ones


def _spread_backward(ones: Array, gradient: Array) -> tuple[Array, Array]:
    return _ones_product(ones, gradient), jnp.zeros_like(ones)


_spread.defvjp(_spread_forward, _spread_backward)


def _ones_product(ones: Array, x: Array) -> Array:
    # Sums stay float32 where products of float32 would be rounded (TF32 on GPUs).
    return jnp.matmul(ones, x, precision=jax.lax.Precision.HIGHEST)
