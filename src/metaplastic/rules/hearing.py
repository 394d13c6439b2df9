"""What labels tell the units of a top layer, where some rows of a batch have one.

The readout is as local as a layer above would be: a unit's weight to a class is what both have in
common over the labelled rows (Hebb's rule), the class compares its guess with the label, and the
difference comes back through the same weights.
"""

import dataclasses
from types import ModuleType

import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import Trace
from metaplastic.models.mlp import AnyArray


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
    drive: Float[AnyArray, "batch unit"],
    targets: Float[AnyArray, "batch class"],
    np: ModuleType = jnp,
) -> Float[AnyArray, "batch unit"]:
    """`(T - g) R^T` of unit mean square over labelled rows: target minus guess, sent down.

    `R` are the readout's weights, the mean product of drive and target over labelled rows; `g` is
    what they say of a row, the row itself left out, in the scale that fits the targets best.
    """
    known = np.any(targets != 0.0, axis=1, keepdims=True).astype(drive.dtype)
    n = np.maximum(np.sum(known), 1.0)
    z = known * (drive - np.sum(known * drive, axis=0) / n)
    readout = z.T @ targets / n
    guess = z @ readout - np.sum(np.square(z), axis=1, keepdims=True) * targets / n
    fit = np.maximum(np.sum(guess * targets), 0.0) / (np.sum(np.square(guess)) + 1e-6)
    message = (targets - fit * guess) @ readout.T
    power = np.sum(np.square(message)) / (n * drive.shape[1])
    return message * (1.0 / np.sqrt(power + 1e-8))
