"""SoftHebb: Hebbian learning in a soft winner-take-all layer."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import LayerTrace
from metaplastic.rules.base import Variant
from metaplastic.rules.layerwise import AbstractLayerwiseRule, at_rank, bounded, centred, constant
from metaplastic.types import Locality


class SoftHebb(AbstractLayerwiseRule):
    """Soft competition: the layer is a Bayesian mixture model that learns by a Hebbian rule.

    Inputs `x` `(batch, pre)` of a layer are centred over the batch and every sample is brought to
    unit norm. With responses `u = x W` and `y = softmax_units(beta u)`,

        dW_ij = eta n_post <s_j y_j (x_i - u_j W_ij)>,

    `s_j` = 1 for the unit that responds most to the sample and `-anti` for the others (soft
    anti-Hebbian plasticity; `anti = -1` gives the plain rule of 2022). `<>` is the mean over the
    batch; `n_post` makes the speed of a unit independent of how many share the samples. Columns
    converge to unit norm and to prototypes of the inputs, and are kept below norm 2. Biases (the
    priors of the mixture) and feedback weights stay.

    Source: Moraitis, Toichkin, Journe, Chua and Guo 2022, Neuromorph. Comput. Eng. 2:044017
    (the rule); Journe, Garcia Rodriguez, Guo and Moraitis 2023, ICLR (the anti-Hebbian part).

    Locality: `layer` (the softmax compares the units of a layer; batch means).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Largest `eta`. It falls as `1 / (1 + t / time_scale)` with the step t.
    time_scale : float, default=100.0
        Steps after which the rate has halved.
    beta : float, default=20.0
        Sharpness of the competition.
    anti : float, default=-1.0
        Strength of the anti-Hebbian part; -1 turns it into the plain rule of 2022.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("softhebb", "SoftHebb: Hebbian learning under a soft winner-take-all"),
    )

    learning_rate: Float[Array, ""]
    time_scale: Float[Array, ""]
    beta: Float[Array, ""]
    anti: Float[Array, ""]

    locality: ClassVar[Locality] = "layer"

    def __init__(
        self,
        learning_rate: float = 0.1,
        time_scale: float = 100.0,
        *,
        beta: float = 20.0,
        anti: float = -1.0,
    ) -> None:
        self.learning_rate = constant(learning_rate)
        self.time_scale = constant(time_scale)
        self.beta = constant(beta)
        self.anti = constant(anti)

    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """The equation above, for one layer."""
        x = centred(trace.pre)
        x = x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=1, keepdims=True) + 1e-6)
        n_batch, n_units = x.shape[0], weight.shape[1]
        u = x @ weight
        y = jax.nn.softmax(self.beta * u, axis=1)
        winner = at_rank(u, 1)
        y = y * (winner - self.anti * (1.0 - winner))
        change = x.T @ y - weight * jnp.sum(y * u, axis=0)
        return bounded(weight, rate * n_units / n_batch * change)
