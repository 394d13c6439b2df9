"""Self-supervised learning without labels or images: two corrupted views of a row agree."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.learners.descent import (
    AbstractLoss,
    AbstractNetworkLearner,
    Parameters,
    check_numbers,
    check_sizes,
    corrupt,
    encode,
    hidden_then_affine,
    layers_of,
)
from metaplastic.models import Delta, Presentation
from metaplastic.types import PRNGKey, Rows

GAMMA = 1.0
"""The deviation that every embedding variable is asked to have."""

EPSILON = 1e-4
"""Added to variances before the square root."""


class VICRegLoss(AbstractLoss):
    """`invariance s + variance (v + v') + covariance (c + c')`, equation 6 of the paper."""

    presentation: Presentation
    noise: Float[Array, ""]
    mask: Float[Array, ""]
    invariance: Float[Array, ""]
    variance: Float[Array, ""]
    covariance: Float[Array, ""]
    activation: str = eqx.field(static=True)

    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        x = self.presentation(batch)
        one, two = (self._embedding(parameters, x, key=k) for k in jax.random.split(key))
        return (
            self.invariance * jnp.mean(jnp.square(one - two))
            # The authors' program takes the mean of the two views' terms, not their sum.
            + self.variance * 0.5 * (variance_term(one) + variance_term(two))
            + self.covariance * (covariance_term(one) + covariance_term(two))
        )

    def _embedding(self, parameters: Parameters, x: Array, *, key: PRNGKey) -> Array:
        view = corrupt(x, noise=self.noise, mask=self.mask, key=key)
        features = encode(parameters.encoder, view, self.activation)
        return hidden_then_affine(parameters.head, features, self.activation)


def variance_term(z: Float[Array, "batch dim"]) -> Float[Array, ""]:
    """Mean over variables of `max(0, GAMMA - sqrt(Var + EPSILON))`: equations 1 and 2."""
    deviation = jnp.sqrt(jnp.var(z, axis=0, ddof=1) + EPSILON)
    return jnp.mean(jax.nn.relu(GAMMA - deviation))


def covariance_term(z: Float[Array, "batch dim"]) -> Float[Array, ""]:
    """Sum of squared covariances of different variables, over their number: equations 3 and 4."""
    n, dim = z.shape
    centred = z - jnp.mean(z, axis=0)
    covariance = centred.T @ centred / (n - 1)
    return (jnp.sum(jnp.square(covariance)) - jnp.sum(jnp.square(jnp.diag(covariance)))) / dim


@dataclasses.dataclass(frozen=True)
class VICReg(AbstractNetworkLearner):
    """Variance, invariance and covariance regularisation of a projector on the base model.

    Source: Bardes, Ponce and LeCun 2022 (arXiv 2105.04906), section 4. Views are made by noise and
    by masking inputs at random, the only changes that mean the same in any order of the columns.
    As in the authors' program, the invariance term is a mean over variables too. Features are
    those of the encoder, below the projector.

    The others are those of `AbstractNetworkLearner`. `InputError` for values not allowed.

    Parameters
    ----------
    noise : float, default=0.3
        Deviation of Gaussian noise on presented inputs (whose mean square is 1).
    mask : float, default=0.1
        Probability that a presented input is set to 0.
    invariance : float, default=25.0
        Weight of the mean square between the embeddings of two views.
    variance : float, default=25.0
        Weight of the hinge on the deviation of every embedding variable.
    covariance : float, default=1.0
        Weight of squared covariances.
    projector_sizes : tuple of int, default=(256, 256)
        Units of the projector's layers; the last is the embedding's width.
    """

    name: ClassVar[str] = "vicreg"

    noise: float = 0.3
    mask: float = 0.1
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    projector_sizes: tuple[int, ...] = (256, 256)

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = ("noise", "invariance", "variance", "covariance")
        check_numbers({name: getattr(self, name) for name in weights})
        check_numbers({"mask": self.mask}, below=1)
        sizes = check_sizes("projector_sizes", self.projector_sizes)
        object.__setattr__(self, "projector_sizes", sizes)

    def head(self, n_in: int, *, key: PRNGKey) -> Delta:
        """The projector."""
        del n_in
        return layers_of((self.n_components, *self.projector_sizes), key=key)

    def loss(self, x: Rows, presentation: Presentation) -> VICRegLoss:
        del x
        return VICRegLoss(
            presentation,
            jnp.float32(self.noise),
            jnp.float32(self.mask),
            jnp.float32(self.invariance),
            jnp.float32(self.variance),
            jnp.float32(self.covariance),
            self.activation,
        )
