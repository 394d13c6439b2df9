"""Encoders that are trained to let a mirrored decoder reproduce the inputs."""

import dataclasses
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.learners.descent import (
    AbstractLoss,
    AbstractNetworkLearner,
    Parameters,
    affine,
    check_numbers,
    corrupt,
    encode,
    hidden,
    hidden_then_affine,
    layers_of,
    with_affine_top,
)
from metaplastic.models import MLP, Delta, FrozenMLP, Layer, Presentation, freeze, row_blocks
from metaplastic.types import PRNGKey, Rows

Likelihood = Literal["bernoulli", "gaussian"]

MOST_LOG_VARIANCE = 8.0
"""Log variances of the posterior are held within plus and minus this, as `tanh` does."""


class ReconstructionLoss(AbstractLoss):
    """Mean square of what the decoder makes of the code of corrupted inputs, minus the inputs."""

    presentation: Presentation
    noise: Float[Array, ""]
    mask: Float[Array, ""]
    activation: str = eqx.field(static=True)

    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        x = self.presentation(batch)
        seen = corrupt(x, noise=self.noise, mask=self.mask, key=key)
        code = encode(parameters.encoder, seen, self.activation)
        back = hidden_then_affine(parameters.head, code, self.activation)
        return jnp.mean(jnp.square(back - x))


@dataclasses.dataclass(frozen=True)
class Autoencoder(AbstractNetworkLearner):
    """An autoencoder with mean squared error on presented inputs; denoising if they are corrupted.

    Sources: Rumelhart, Hinton and Williams 1986; Vincent et al. 2010 (JMLR 11), section 3, for
    corruption: `min |g(f(corrupt(x))) - x|^2`, `f` the encoder, `g` the mirrored decoder.

    The others are those of `AbstractNetworkLearner`. `InputError` for values not allowed.

    Parameters
    ----------
    noise : float, default=0.0
        Deviation of Gaussian noise on presented inputs (whose mean square is 1).
    mask : float, default=0.5
        Probability that a presented input is set to 0.
    """

    name: ClassVar[str] = "autoencoder"

    n_steps: int = 2000
    learning_rate: float = 1e-2
    noise: float = 0.0
    mask: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers({"noise": self.noise})
        check_numbers({"mask": self.mask}, below=1)

    def head(self, n_in: int, *, key: PRNGKey) -> Delta:
        """The decoder."""
        return layers_of((self.n_components, *reversed(self.hidden_sizes), n_in), key=key)

    def loss(self, x: Rows, presentation: Presentation) -> ReconstructionLoss:
        del x
        return ReconstructionLoss(
            presentation, jnp.float32(self.noise), jnp.float32(self.mask), self.activation
        )


class Variational(eqx.Module):
    """What a variational autoencoder has besides the base model.

    `log_variance` `(hidden, code)` gives the posterior's; `log_scale` is the logarithm of the
    Gaussian likelihood's variance, one for all columns.
    """

    log_variance: Layer
    decoder: Delta
    log_scale: Float[Array, ""]


class EvidenceLoss(AbstractLoss):
    """Minus the evidence lower bound of a batch, in nats per column."""

    presentation: Presentation
    low: Float[Array, " pre"]
    inverse_range: Float[Array, " pre"]
    beta: Float[Array, ""]
    likelihood: Likelihood = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        head: Variational = parameters.head
        mean, log_variance = self.posterior(parameters, batch)
        noise = jax.random.normal(key, mean.shape)
        code = mean + jnp.exp(0.5 * log_variance) * noise
        back = hidden_then_affine(head.decoder, code, self.activation)
        if self.likelihood == "bernoulli":
            unit = jnp.clip((batch - self.low) * self.inverse_range, 0.0, 1.0)
            surprise = bernoulli_surprise(back, unit)
        else:
            surprise = gaussian_surprise(back, self.presentation(batch), head.log_scale)
        divergence = kl_from_standard_normal(mean, log_variance)
        return jnp.mean(surprise + self.beta * divergence) / batch.shape[1]

    def posterior(
        self, parameters: Parameters, batch: Array
    ) -> tuple[Float[Array, "batch code"], Float[Array, "batch code"]]:
        """Mean and log variance of the code of rows."""
        below = hidden(parameters.encoder, self.presentation(batch), self.activation)
        raw = affine(parameters.head.log_variance, below)
        return affine(parameters.encoder[-1], below), MOST_LOG_VARIANCE * jnp.tanh(
            raw / MOST_LOG_VARIANCE
        )


def kl_from_standard_normal(
    mean: Float[Array, "batch code"], log_variance: Float[Array, "batch code"]
) -> Float[Array, " batch"]:
    """KL(N(mean, variance) || N(0, 1)) of a row: Kingma and Welling 2014, appendix B."""
    return 0.5 * jnp.sum(jnp.square(mean) + jnp.exp(log_variance) - 1.0 - log_variance, axis=1)


def bernoulli_surprise(
    logits: Float[Array, "batch pre"], x: Float[Array, "batch pre"]
) -> Float[Array, " batch"]:
    """Minus log likelihood of `x` in [0, 1]: the cross entropy, summed over a row."""
    return jnp.sum(jax.nn.softplus(logits) - x * logits, axis=1)


def gaussian_surprise(
    mean: Float[Array, "batch pre"], x: Float[Array, "batch pre"], log_scale: Float[Array, ""]
) -> Float[Array, " batch"]:
    """Minus log density of `x` under N(mean, exp(log_scale)), summed over a row."""
    square = jnp.square(x - mean) * jnp.exp(-log_scale)
    return 0.5 * jnp.sum(square + log_scale + jnp.log(2 * jnp.pi), axis=1)


@dataclasses.dataclass(frozen=True)
class VariationalAutoencoder(AbstractNetworkLearner):
    """A variational autoencoder; features are the means of the posterior.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), equation 10, with `beta` times the
    divergence (Higgins et al. 2017). The top layer gives means, so it is affine and not
    normalised: a code that is not used stays near 0.

    The others are those of `AbstractNetworkLearner`. `InputError` for values not allowed.

    Parameters
    ----------
    likelihood : {"bernoulli", "gaussian"}, default="bernoulli"
        `bernoulli`: each column is brought to [0, 1] by its least and largest value in the pool.
        `gaussian`: presented inputs, with one variance that is learned.
    beta : float, default=0.03
        Weight of the divergence.
    """

    name: ClassVar[str] = "vae"

    learning_rate: float = 3e-3
    likelihood: Likelihood = "bernoulli"
    beta: float = 0.03

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.likelihood not in ("bernoulli", "gaussian"):
            raise InputError(
                f"unknown likelihood {self.likelihood!r}; choose bernoulli or gaussian"
            )
        check_numbers({"beta": self.beta})

    @classmethod
    def gaussian(cls, **settings: Any) -> "VariationalAutoencoder":
        """With a Gaussian likelihood, and what suits it where `settings` say nothing else."""
        own = {"likelihood": "gaussian", "learning_rate": 1e-3, "beta": 0.1}
        return cls(**own | settings)

    @property
    def label(self) -> str:
        """Kind, and the likelihood if it is Gaussian."""
        return self.name if self.likelihood == "bernoulli" else f"{self.name}-{self.likelihood}"

    def head(self, n_in: int, *, key: PRNGKey) -> Variational:
        """Log variances that start at 0, decoder, and unit variance of the likelihood."""
        below = self.hidden_sizes[-1] if self.hidden_sizes else n_in
        shape = (below, self.n_components)
        log_variance = Layer(jnp.zeros(shape), jnp.zeros(self.n_components), jnp.zeros(shape))
        decoder = layers_of((self.n_components, *reversed(self.hidden_sizes), n_in), key=key)
        return Variational(log_variance, decoder, jnp.zeros(()))

    def loss(self, x: Rows, presentation: Presentation) -> EvidenceLoss:
        low, inverse_range = unit_range(x)
        return EvidenceLoss(
            presentation,
            low,
            inverse_range,
            jnp.float32(self.beta),
            self.likelihood,
            self.activation,
        )

    def freeze(self, model: MLP, head: Any, x: Rows) -> FrozenMLP:
        """With an affine top layer: the posterior's means."""
        del head
        return with_affine_top(freeze(model, x), model.layers[-1])


def unit_range(x: Rows) -> tuple[Float[Array, " pre"], Float[Array, " pre"]]:
    """Least value and 1 / range of every column of the pool; a constant column gets 0."""
    low = np.full(x.shape[1], np.inf, np.float32)
    high = -low
    for rows in row_blocks(x):
        low, high = np.minimum(low, rows.min(0)), np.maximum(high, rows.max(0))
    width = high.astype(np.float64) - low
    inverse = np.where(width > 0, 1.0 / np.where(width > 0, width, 1.0), 0.0)
    return jnp.asarray(low), jnp.asarray(inverse, jnp.float32)
