"""The base model: a multi-layer perceptron with batch norm and separate feedback weights.

Source: Metz et al. 2018 (arXiv 1804.00222), section 4.1 and appendix. For layer l,
`drive = (x W - mean) / sqrt(var + epsilon) + bias` with mean and population variance over the
batch, and `post = activation(drive)`. `feedback` has the shape of `weight` and is used only
by rules, to send signals downwards.
"""

from typing import TYPE_CHECKING, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.models.activations import Readout, activate, check_activation
from metaplastic.models.columns import column_mean, spread
from metaplastic.models.presentation import Presentation, identity_presentation
from metaplastic.types import PRNGKey

if TYPE_CHECKING:
    AnyArray = Any
else:
    AnyArray = Array | np.ndarray
"""JAX's arrays, and those of NumPy in a network that NumPy trains."""

Initialisation = Literal["unit_norm", "published"]

EPSILON = 1e-6
"""Added to the batch variance before the square root."""


class Layer(eqx.Module):
    """One layer's parameters; also the shape of a rule's change to them.

    Attributes
    ----------
    weight : array (pre, post) of float
        Forward weights.
    bias : array (post,) of float
        Biases.
    feedback : array (pre, post) of float
        Feedback weights.
    """

    weight: Float[AnyArray, "pre post"]
    bias: Float[AnyArray, " post"]
    feedback: Float[AnyArray, "pre post"]


class LayerTrace(eqx.Module):
    """What one layer did on a batch; all that a rule may look at besides the model.

    Attributes
    ----------
    pre : array (batch, pre) of float
        Inputs of the layer.
    drive : array (batch, post) of float
        Normalised sums.
    post : array (batch, post) of float
        Outputs of the layer.
    labels : array (batch, post) of float, optional
        In the top layer, what labels tell every unit, zero for rows without one (`rules.hear`).
    """

    pre: Float[Array, "batch pre"]
    drive: Float[Array, "batch post"]
    post: Float[Array, "batch post"]
    labels: Float[Array, "batch post"] | None = None


Trace = tuple[LayerTrace, ...]
Delta = tuple[Layer, ...]


class MLP(eqx.Module):
    """The base model, a multilayer perceptron; `init_mlp` makes one.

    Attributes
    ----------
    layers : tuple of Layer
        Layers, from the input side.
    presentation : Presentation
        Presentation of raw inputs.
    activation : str
        A name of `ACTIVATIONS`.
    readout : Readout
        Whether features are the top layer's `drive` or `post`.
    """

    layers: tuple[Layer, ...]
    presentation: Presentation
    activation: str = eqx.field(static=True)
    readout: Readout = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per layer, inputs first: `(n_0, ..., n_L)`."""
        return (self.layers[0].weight.shape[0], *(layer.weight.shape[1] for layer in self.layers))

    def trace(self, x: Float[Array, "batch pre"]) -> Trace:
        """Run a batch upwards with that batch's own statistics.

        Raw inputs may have any real dtype; traces are float32, or float64 for inputs in float64.
        """
        signal = self.presentation(x.astype(jnp.float32) if x.dtype != jnp.float64 else x)
        trace = []
        for layer in self.layers:
            drive = normalise(signal @ layer.weight) + layer.bias
            post = activate(self.activation, drive, jnp)
            trace.append(LayerTrace(signal, drive, post))
            signal = post
        return tuple(trace)

    def features(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
        """Features of a batch under its own statistics (training time; see `freeze` for later)."""
        return self.read(self.trace(x))

    def read(self, trace: Trace) -> Float[Array, "batch post"]:
        """The features in a trace: the top layer's drive or post, as `readout` says."""
        return trace[-1].drive if self.readout == "drive" else trace[-1].post

    def apply(self, delta: Delta) -> "MLP":
        """The model after a rule's change of its parameters."""
        layers = jax.tree.map(jnp.add, self.layers, delta)
        return eqx.tree_at(lambda m: m.layers, self, layers)


def normalise(u: Float[Array, "batch post"]) -> Float[Array, "batch post"]:
    """Batch norm without scale or offset: population statistics over the batch axis.

    Parameters
    ----------
    u : array (batch, post) of float
        Sums of a layer.

    Returns
    -------
    array (batch, post) of float
        The sums with mean 0 and variance 1 in every column.
    """
    batch = u.shape[0]
    centred = u - spread(column_mean(u), batch)
    variance = column_mean(jnp.square(centred))
    return centred * spread(jax.lax.rsqrt(variance + EPSILON), batch)


def unit_columns(w: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Scale every column (the incoming weights of a unit) to norm 1.

    Parameters
    ----------
    w : array (pre, post) of float
        Weights.

    Returns
    -------
    array (pre, post) of float
        The scaled weights.
    """
    return w * jax.lax.rsqrt(jnp.sum(jnp.square(w), axis=0) + 1e-12)


def unit_rows(v: Float[Array, "pre post"]) -> Float[Array, "pre post"]:
    """Scale every row (the feedback that a lower unit receives) to norm 1.

    Parameters
    ----------
    v : array (pre, post) of float
        Feedback weights.

    Returns
    -------
    array (pre, post) of float
        The scaled weights.
    """
    return v * jax.lax.rsqrt(jnp.sum(jnp.square(v), axis=1, keepdims=True) + 1e-12)


def init_mlp(
    sizes: tuple[int, ...],
    *,
    key: PRNGKey,
    activation: str = "relu",
    initialisation: Initialisation = "unit_norm",
    readout: Readout = "drive",
    presentation: Presentation | None = None,
) -> MLP:
    """A fresh base model.

    Parameters
    ----------
    sizes : tuple of int
        Units per layer, inputs first, at least two entries, all positive.
    key : PRNG key
        Random key.
    activation : str, default="relu"
        A name of `ACTIVATIONS`.
    initialisation : Initialisation, default="unit_norm"
        `unit_norm` (Gaussian directions, columns of the forward and rows of the feedback weights of
        norm 1, zero biases) or `published` (Metz et al. 2018: truncated normals, sd 0.01 for
        weights and 0.1 for biases).
    readout : Readout, default="drive"
        Whether features are the top layer's `drive` or `post`.
    presentation : Presentation, optional
        Presentation of raw inputs; the identity when left out.

    Returns
    -------
    MLP
        The model.

    Raises
    ------
    InputError
        For sizes or names that are not allowed.

    Examples
    --------
    >>> import jax
    >>> from metaplastic.models import init_mlp
    >>> model = init_mlp((8, 6, 4), key=jax.random.key(0))
    >>> [layer.weight.shape for layer in model.layers]
    [(8, 6), (6, 4)]
    """
    _check_model(sizes, initialisation, readout)
    keys = jax.random.split(key, len(sizes) - 1)
    make = _unit_norm_layer if initialisation == "unit_norm" else _published_layer
    layers = tuple(
        make(pre, post, key=k) for pre, post, k in zip(sizes[:-1], sizes[1:], keys, strict=True)
    )
    presentation = identity_presentation(sizes[0]) if presentation is None else presentation
    return MLP(layers, presentation, check_activation(activation), readout)


def _check_model(sizes: tuple[int, ...], initialisation: str, readout: str) -> None:
    if len(sizes) < 2 or any(int(n) != n or n < 1 for n in sizes):
        raise InputError(
            f"sizes must be at least two positive integers (inputs first), got {sizes}"
        )
    if initialisation not in ("unit_norm", "published"):
        raise InputError(
            f"unknown initialisation {initialisation!r}; choose unit_norm or published"
        )
    if readout not in ("drive", "post"):
        raise InputError(f"unknown readout {readout!r}; choose drive or post")


def _unit_norm_layer(pre: int, post: int, *, key: PRNGKey) -> Layer:
    forward, feedback = jax.random.split(key)
    return Layer(
        unit_columns(jax.random.normal(forward, (pre, post))),
        jnp.zeros(post),
        unit_rows(jax.random.normal(feedback, (pre, post))),
    )


def _published_layer(pre: int, post: int, *, key: PRNGKey) -> Layer:
    forward, bias, feedback = jax.random.split(key, 3)
    return Layer(
        0.01 * jax.random.truncated_normal(forward, -2.0, 2.0, (pre, post)),
        0.1 * jax.random.truncated_normal(bias, -2.0, 2.0, (post,)),
        0.01 * jax.random.truncated_normal(feedback, -2.0, 2.0, (pre, post)),
    )
