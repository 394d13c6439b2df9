"""Krotov and Hopfield's competing hidden units."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.models import LayerTrace
from metaplastic.rules.base import Variant
from metaplastic.rules.layerwise import AbstractLayerwiseRule, at_rank, bounded, centred, constant
from metaplastic.types import Locality


class KrotovHopfield(AbstractLayerwiseRule):
    """Competing hidden units: the winner moves towards the input, the k-th away from it.

    For inputs `x` `(batch, pre)` of a layer, centred over the batch, responses
    `I_j = sum_i sign(W_ij) |W_ij|^(p-1) x_i` and, per sample, `g_j` = 1 for the largest response,
    `-delta` for the k-th largest and 0 otherwise (ties share a rank; no `-delta` if the layer has
    fewer than k units):

        S_ij = sum_batch g_j (radius^p x_i - I_j W_ij),  dW = eta radius S / max |S|.

    Learning ends where a column has p-norm `radius`. Columns start at norm 1, well above it, so
    that a unit which wins shrinks and lets others win: no unit stays idle (in the original, too,
    weights start about 28 times too long). Columns are kept below norm 2. Biases and feedback
    weights stay.

    Source: Krotov and Hopfield 2019, PNAS 116:7723; the division by the largest
    entry is that of the authors' program.

    Locality: `layer` (the ranking compares the units of a layer; batch means).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Largest `eta`. It falls as `1 / (1 + t / time_scale)` with the step t.
    time_scale : float, default=100.0
        Steps after which the rate has halved.
    delta : float, default=0.4
        Strength of the push away from the input.
    p : float, default=2.0
        Power of the norm.
    radius : float, default=0.1
        Norm at which learning ends.
    k : int, default=7
        Rank of the unit that is pushed away.

    Raises
    ------
    InputError
        For a rank below 2.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("krotov_hopfield", "Krotov and Hopfield's competing hidden units"),
    )
    file_fields: ClassVar[Mapping[str, type]] = {"k": int}

    learning_rate: Float[Array, ""]
    time_scale: Float[Array, ""]
    delta: Float[Array, ""]
    p: Float[Array, ""]
    radius: Float[Array, ""]
    k: int = eqx.field(static=True)

    locality: ClassVar[Locality] = "layer"

    def __init__(
        self,
        learning_rate: float = 0.1,
        time_scale: float = 100.0,
        *,
        delta: float = 0.4,
        p: float = 2.0,
        radius: float = 0.1,
        k: int = 7,
    ) -> None:
        if int(k) != k or k < 2:
            raise InputError(
                f"k, the rank that unlearns, must be an integer of at least 2, got {k}"
            )
        self.learning_rate = constant(learning_rate)
        self.time_scale = constant(time_scale)
        self.delta = constant(delta)
        self.p = constant(p)
        self.radius = constant(radius)
        self.k = int(k)

    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """The equation above, for one layer."""
        x = centred(trace.pre)
        size = jnp.maximum(jnp.abs(weight), 1e-12)  # keeps the derivative in p finite at 0
        response = x @ (jnp.sign(weight) * size ** (self.p - 1.0))
        g = at_rank(response, 1)
        if self.k <= weight.shape[1]:
            g = g - self.delta * at_rank(response, self.k)
        change = self.radius**self.p * (x.T @ g) - weight * jnp.sum(g * response, axis=0)
        change = change / (jnp.max(jnp.abs(change)) + 1e-12)
        return bounded(weight, rate * self.radius * change)
