"""Signals of the local rule: what a unit sees on a batch, before its network reads them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models.columns import column_mean
from metaplastic.rules.local.factors import Factors, unit_power
from metaplastic.rules.local.start import N_SAMPLE


class Signals(NamedTuple):
    """What one layer emits: post- and pre-synaptic factors, messages downwards, mean hidden."""

    post: Factors
    pre: Factors
    messages: Factors
    hidden: Float[Array, "hidden unit"]
    correlation: Float[Array, "unit unit"]


class Lateral(NamedTuple):
    """What units of a layer learn from each other; zeros or nothing in a strictly local rule."""

    elements: tuple[Factors, ...]
    crowding: Float[Array, " unit"]
    per_sample: Float[Array, "sample_feature batch"]
    correlation: Float[Array, "unit unit"]


def lateral_signals(
    drive: Float[Array, "batch unit"],
    bias: Float[Array, " unit"],
    competition: Float[Array, ""],
    similarity: Float[Array, ""],
) -> Lateral:
    """Competition, decorrelation, pull towards similar samples, and statistics of the layer."""
    x = jax.nn.relu(drive)
    batch, units = drive.shape
    normal = drive - bias
    correlation = normal.T @ normal / batch * (1.0 - jnp.eye(units))
    return Lateral(
        (
            _competition(drive, competition),
            unit_power(drive @ correlation)[None],
            _similar(x, drive, similarity),
        ),
        jnp.sqrt(jnp.mean(jnp.square(correlation), axis=0) + 1e-8),
        jnp.stack([jnp.mean(x, axis=1), jnp.mean(jnp.square(x), axis=1) - 1.0]),
        correlation,
    )


def no_lateral_signals(drive: Float[Array, "batch unit"]) -> Lateral:
    """The stand-in for `lateral_signals` in a strictly local rule."""
    batch, units = drive.shape
    return Lateral((), jnp.zeros(units), jnp.zeros((N_SAMPLE, batch)), jnp.zeros((units, units)))


def unit_features(
    drive: Float[Array, "batch unit"],
    bias: Float[Array, " unit"],
    outgoing: Float[Array, " unit"],
    crowding: Float[Array, " unit"],
) -> Float[Array, "unit_feature unit"]:
    """`U` of the rule: bias, mean activity, skewness, outgoing norm and correlation."""
    skewness = jnp.tanh(column_mean(drive**3) / 2.0)
    return jnp.stack([bias, column_mean(jax.nn.relu(drive)), skewness, outgoing, crowding])


def scaled(signal: Factors, *, lateral: bool) -> Factors:
    """Unit mean square per channel: over the layer, or over the batch for each unit alone."""
    axis = (1, 2) if lateral else 1
    return signal * jax.lax.rsqrt(jnp.mean(jnp.square(signal), axis, keepdims=True) + 1e-6)


def outputs(post: Float[Array, "batch unit"], *, lateral: bool) -> Factors:
    """What the layer above receives, centred, of unit mean square."""
    return scaled((post - jnp.mean(post, axis=0))[None], lateral=lateral)


def _competition(z: Float[Array, "batch unit"], sharpness: Float[Array, ""]) -> Factors:
    share = z.shape[1] * jax.nn.softmax(jnp.exp(sharpness) * z, axis=1) - 1.0
    return (share / (1.0 + jnp.abs(share) / 4.0))[None]


def _similar(
    x: Float[Array, "batch unit"], z: Float[Array, "batch unit"], sharpness: Float[Array, ""]
) -> Factors:
    direction = x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=1, keepdims=True) + 1e-6)
    cosine = direction @ direction.T
    others = 5.0 * jnp.exp(sharpness) * cosine - 1e6 * jnp.eye(x.shape[0])
    return (jax.nn.softmax(others, axis=1) @ z)[None]
