"""What labels tell the units of a top layer, where some rows of a batch have one.

The readout is as local as a layer above would be: a unit's weight to a class is what both have in
common over the labelled rows (Hebb's rule), the class compares its guess with the label, and the
difference comes back through the same weights.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import Trace


def hear(trace: Trace, targets: Float[Array, "batch class"]) -> Trace:
    """The trace with `label_message` in its top layer.

    Parameters
    ----------
    trace : Trace
        Of one batch.
    targets : array (batch, class) of float
        Of a labelled row 1 for its class less `1 / class`, or probabilities less `1 / class`; zeros
        for a row without a label.

    Returns
    -------
    Trace
        The same but for `labels` of the top layer.
    """
    top = dataclasses.replace(trace[-1], labels=label_message(trace[-1].drive, targets))
    return (*trace[:-1], top)


def label_message(
    drive: Float[Array, "batch unit"], targets: Float[Array, "batch class"]
) -> Float[Array, "batch unit"]:
    """`(T - g) R^T` of unit mean square over labelled rows: target minus guess, sent down.

    `R` are the readout's weights, the mean product of drive and target over labelled rows; `g` is
    what they say of a row, the row itself left out, in the scale that fits the targets best.
    """
    known = jnp.any(targets != 0.0, axis=1, keepdims=True).astype(drive.dtype)
    n = jnp.maximum(jnp.sum(known), 1.0)
    z = known * (drive - jnp.sum(known * drive, axis=0) / n)
    readout = z.T @ targets / n
    guess = z @ readout - jnp.sum(jnp.square(z), axis=1, keepdims=True) * targets / n
    fit = jax.nn.relu(jnp.sum(guess * targets)) / (jnp.sum(jnp.square(guess)) + 1e-6)
    message = (targets - fit * guess) @ readout.T
    power = jnp.sum(jnp.square(message)) / (n * drive.shape[1])
    return message * jax.lax.rsqrt(power + 1e-8)
