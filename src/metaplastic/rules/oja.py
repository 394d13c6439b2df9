"""Oja's rule, for single units and for a subspace."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import LayerTrace
from metaplastic.rules.base import Variant
from metaplastic.rules.layerwise import AbstractLayerwiseRule, bounded, centred, constant
from metaplastic.types import Locality


class Oja(AbstractLayerwiseRule):
    """Oja's rule: Hebbian learning whose decay keeps every unit's weights at unit norm.

    For inputs `x` `(batch, pre)` of a layer and linear responses `y = x W` `(batch, post)`:

        single unit:  dW_ij = eta <y_j (x_i - y_j W_ij)> / n_pre
        subspace:     dW    = eta (<x y^T> - W <y y^T>) / <|x|^2>,  x centred over the batch,

    `<>` the mean over the batch. The first makes every unit the first principal component (of the
    uncentred inputs above the first layer); the second makes the columns of W an orthonormal
    basis of the principal subspace, so it is the default. Columns are kept below norm 2.
    Biases and feedback weights stay.

    Source: Oja 1982, J. Math. Biology 15:267; Oja 1989, Int. J. Neural Systems 1:61
    (subspace).

    Locality: `neuron` for single units (y is a sum over the unit's own weights); the subspace
    variant needs the responses of the other units of the layer and batch means: `layer`.

    Parameters
    ----------
    learning_rate : float, default=1.0
        Largest `eta`. It falls as `1 / (1 + t / time_scale)` with the step t.
    time_scale : float, default=200.0
        Steps after which the rate has halved.
    subspace : bool, default=True
        Whether units share the principal subspace.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("oja", "Oja's subspace rule: principal subspace of every layer's inputs"),
    )
    file_fields: ClassVar[Mapping[str, type]] = {"subspace": bool}

    learning_rate: Float[Array, ""]
    time_scale: Float[Array, ""]
    subspace: bool = eqx.field(static=True)

    def __init__(
        self, learning_rate: float = 1.0, time_scale: float = 200.0, *, subspace: bool = True
    ) -> None:
        self.learning_rate = constant(learning_rate)
        self.time_scale = constant(time_scale)
        self.subspace = subspace

    @property
    def locality(self) -> Locality:
        """`layer` for the subspace variant, `neuron` for single units."""
        return "layer" if self.subspace else "neuron"

    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """The equations above, for one layer."""
        n_batch, n_pre = trace.pre.shape
        if self.subspace:
            x = centred(trace.pre)
            y = x @ weight
            power = jnp.sum(jnp.square(x)) / n_batch + 1e-6
            change = (x.T @ y - weight @ (y.T @ y)) / (n_batch * power)
        else:
            y = trace.pre @ weight
            change = trace.pre.T @ y / n_batch - weight * jnp.mean(jnp.square(y), axis=0)
            change = change / n_pre
        return bounded(weight, rate * change)
