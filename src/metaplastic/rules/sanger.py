"""Sanger's generalised Hebbian algorithm."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import LayerTrace
from metaplastic.rules.base import Variant
from metaplastic.rules.layerwise import AbstractLayerwiseRule, bounded, centred, constant
from metaplastic.types import Locality


class Sanger(AbstractLayerwiseRule):
    """The generalised Hebbian algorithm: unit j learns what units 0 to j leave unexplained.

    For inputs `x` `(batch, pre)` of a layer, centred over the batch, and `y = x W`:

        dW_ij = eta <y_j (x_i - sum_{k <= j} y_k W_ik)> / <|x|^2>,

    `<>` the mean over the batch. Column j converges to the j-th principal component of the
    layer's inputs (as presented, see `models.presentation`); columns beyond the rank of the inputs
    shrink to zero. Columns are kept below norm 2. Biases and feedback weights stay.

    Source: Sanger 1989, Neural Networks 2:459.

    Locality: `network`, because the order of the units matters: it is equivariant to
    permutations of inputs and samples, by construction not to permutations of units.

    Parameters
    ----------
    learning_rate : float, default=0.3
        Largest `eta`. It falls as `1 / (1 + t / time_scale)` with the step t.
    time_scale : float, default=200.0
        Steps after which the rate has halved.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("sanger", "generalised Hebbian algorithm: principal components in order"),
    )

    learning_rate: Float[Array, ""]
    time_scale: Float[Array, ""]

    locality: ClassVar[Locality] = "network"

    def __init__(self, learning_rate: float = 0.3, time_scale: float = 200.0) -> None:
        self.learning_rate = constant(learning_rate)
        self.time_scale = constant(time_scale)

    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """`eta (<x y^T> - W upper(<y y^T>)) / <|x|^2>`, `upper` keeping k <= j."""
        x = centred(trace.pre)
        y = x @ weight
        n_batch = x.shape[0]
        power = jnp.sum(jnp.square(x)) / n_batch + 1e-6
        change = (x.T @ y - weight @ jnp.triu(y.T @ y)) / (n_batch * power)
        return bounded(weight, rate * change)
