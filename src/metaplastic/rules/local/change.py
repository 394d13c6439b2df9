"""From terms to new weights: the last part of the local rule's update of a layer."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import Layer, unit_rows
from metaplastic.models.columns import column_mean, column_sum, spread
from metaplastic.rules.local.factors import Factors, activity, outer
from metaplastic.rules.local.signals import Signals


def terms_of(
    layer: Layer,
    inputs: Float[Array, "batch pre"],
    pre: Factors,
    own: Signals,
    *,
    n_factors: int,
    lateral: bool,
) -> list[Float[Array, "pre post"]]:
    """T_0 of `n_factors` factors, T_1 of the others and, with lateral signals, T_2."""
    w = activity(inputs)[:, None] * layer.weight * jnp.sqrt(1.0 * layer.weight.shape[0])
    terms = [
        outer(pre[:n_factors], own.post[:n_factors]),
        w * scaled_term(outer(pre[n_factors:], own.post[n_factors:]), lateral=lateral),
    ]
    if lateral:
        terms.append(-w @ own.correlation)
    return [scaled_term(term, lateral=lateral) for term in terms]


def weighted(
    weights: Float[Array, " term"], terms: Sequence[Float[Array, "pre post"]]
) -> Float[Array, "pre post"]:
    """The sum of the terms, each times its weight; a strictly local rule has one term less."""
    products = [a * term for a, term in zip(weights, terms, strict=False)]
    return functools.reduce(jnp.add, products)


def turned(
    weight: Float[Array, "pre post"],
    inputs: Float[Array, "batch pre"],
    change: Float[Array, "pre post"],
    rate: Float[Array, ""],
) -> Float[Array, "pre post"]:
    """Weights after a bounded change; every unit's field turns and keeps its norm of 1."""
    n_pre = len(weight)
    change = without_growth(weight, inputs, change)
    change *= spread(jax.lax.rsqrt(1.0 + column_mean(jnp.square(change))), n_pre)
    weight = weight + rate / jnp.sqrt(1.0 * n_pre) * change
    return weight * spread(jax.lax.rsqrt(column_sum(jnp.square(weight)) + 1e-12), n_pre)


def turned_feedback(
    feedback: Float[Array, "pre post"], change: Float[Array, "pre post"], rate: Float[Array, ""]
) -> Float[Array, "pre post"]:
    """Feedback weights after a bounded change; rows keep their norm of 1."""
    change *= jax.lax.rsqrt(1.0 + jnp.mean(jnp.square(change), axis=1, keepdims=True))
    return unit_rows(feedback + rate / jnp.sqrt(1.0 * feedback.shape[1]) * change)


def without_growth(weight: Array, inputs: Array, change: Array) -> Array:
    """The change without its part along each unit's weights, so that no field grows or shrinks.

    All weights of a unit pay for growth. Shrinkage is given back to active inputs alone.
    """
    seen = activity(inputs)[:, None] * weight
    growth = spread(column_sum(weight * change), len(weight))
    refund = seen * spread(1.0 / column_sum(weight * seen), len(weight))
    return change - growth * jnp.where(growth > 0, weight, refund)


def scaled_term(term: Float[Array, "pre post"], *, lateral: bool) -> Float[Array, "pre post"]:
    """Unit mean square: over the layer, or over each unit's own weights."""
    axis = (0, 1) if lateral else 0
    return term * jax.lax.rsqrt(jnp.mean(jnp.square(term), axis, keepdims=True) + 1e-8)
