"""Hebb's rule with decay."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import LayerTrace
from metaplastic.rules.base import Variant
from metaplastic.rules.layerwise import AbstractLayerwiseRule, constant
from metaplastic.types import Locality


class Hebb(AbstractLayerwiseRule):
    """Hebb's rule with weight decay.

    For inputs `x` `(batch, pre)` and normalised drives `z` `(batch, post)` of a layer,

        dW_ij = eta ( <x_i z_j> / sqrt(n_pre) - decay W_ij ),

    `<>` the mean over the batch. Since the base model gives `z` unit variance, the first term is
    bounded, and so are the weights; the direction of every unit's weights follows a power
    iteration to the first principal component, so units grow alike with time. Biases and
    feedback weights stay.

    Source: Hebb, The Organization of Behavior, 1949; with decay: Gerstner and Kistler, Spiking
    Neuron Models, 2002, section 10.2.

    Locality: `synapse`.

    Parameters
    ----------
    learning_rate : float, default=0.01
        Largest `eta`. It falls as `1 / (1 + t / time_scale)` with the step t.
    decay : float, default=0.3
        Weight decay.
    time_scale : float, default=50.0
        Steps after which the rate has halved.
    """

    variants: ClassVar[tuple[Variant, ...]] = (Variant("hebb", "Hebb's rule with weight decay"),)

    learning_rate: Float[Array, ""]
    time_scale: Float[Array, ""]
    decay: Float[Array, ""]

    locality: ClassVar[Locality] = "synapse"

    def __init__(
        self, learning_rate: float = 0.01, decay: float = 0.3, time_scale: float = 50.0
    ) -> None:
        self.learning_rate = constant(learning_rate)
        self.time_scale = constant(time_scale)
        self.decay = constant(decay)

    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """`eta (<x z> / sqrt(n_pre) - decay W)`."""
        n_batch, n_pre = trace.pre.shape
        hebb = trace.pre.T @ trace.drive / (n_batch * jnp.sqrt(1.0 * n_pre))
        return rate * (hebb - self.decay * weight)
