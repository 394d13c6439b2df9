"""Networks trained by gradient descent on a loss without labels: the loop, once for all of them.

A learner says what its loss is and what stands on top of the encoder; the encoder is the base
model, trained with the statistics of each batch and frozen with those of the pool, as a rule's
networks are. Optimisers and schedule are optax's (AdamW; Loshchilov and Hutter 2019).
"""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import NDArray

from metaplastic.errors import DivergenceError, InputError
from metaplastic.learners.base import AbstractLearner
from metaplastic.learners.inner_loop import chunk_steps
from metaplastic.learners.pool import (
    FREEZE_ROWS,
    Shuffled,
    check_pool,
    draw_batches,
    pool_presentation,
    subsample,
)
from metaplastic.learners.programs import training
from metaplastic.models import (
    MLP,
    Delta,
    FrozenMLP,
    Layer,
    Presentation,
    activate,
    check_activation,
    freeze,
    init_mlp,
    normalise,
)
from metaplastic.trees import all_finite
from metaplastic.types import PRNGKey, Rows

WARMUP = 0.1
"""Part of the steps in which the learning rate rises; then it falls as a cosine to 0."""


class Parameters(NamedTuple):
    """What is trained: the encoder's layers, and what stands on them and is thrown away."""

    encoder: Delta
    head: PyTree


class AbstractLoss(eqx.Module):
    """What is lowered. Array leaves are data: other values compile nothing anew."""

    @abc.abstractmethod
    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        """Loss on a batch `(batch, ...)` of what the learner draws."""


@eqx.filter_jit
def _descend(
    loss: AbstractLoss,
    parameters: Parameters,
    moments: PyTree,
    batches: NDArray | Array,
    rates: Float[Array, " steps"],
    decay: Float[Array, ""],
    count: Int[Array, ""],
    first: Int[Array, ""],
    key: PRNGKey,
) -> tuple[Parameters, PyTree, Array]:
    # The number of steps is data, so that chunks of any length up to `steps` share one program.
    def body(i: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        parameters, moments = carry  # optax's types know no tuples of modules
        batch = jax.lax.dynamic_index_in_dim(batches, i, keepdims=False)
        own = jax.random.fold_in(key, first + i)
        gradient: Any = jax.grad(lambda p: loss(p, batch, key=own))(parameters)
        optimiser: Any = optax.adamw(rates[i], weight_decay=decay)
        change, moments = optimiser.update(gradient, moments, parameters)
        return optax.apply_updates(parameters, change), moments

    parameters, moments = jax.lax.fori_loop(0, count, body, (parameters, moments))
    return parameters, moments, all_finite((parameters, moments))


@training()
def minimise(
    loss: AbstractLoss,
    parameters: Parameters,
    take: Callable[[int], NDArray],
    *,
    n_steps: int,
    most: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    key: PRNGKey,
) -> Parameters:
    """Lower `loss` by `n_steps` steps of AdamW from `parameters`.

    One program is compiled per shape, whatever the number of steps and the loss's numbers. Step t
    uses `fold_in(key, t)`.

    Parameters
    ----------
    take : callable
        Called with a number of steps, returns the next batches `(steps, batch, ...)`.
    most : int
        Batches that go to the device at a time.

    Raises
    ------
    DivergenceError
        If parameters or moments stop being finite.
    """
    optimiser: Any = optax.adamw(learning_rate)
    moments = optimiser.init(parameters)
    warmup = max(1, round(WARMUP * n_steps))
    schedule: Any = optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, warmup, max(n_steps, warmup + 1)
    )
    for start in range(0, n_steps, most):
        count = min(most, n_steps - start)
        batches = take(count)
        if count < most:
            missing = np.zeros((most - count, *batches.shape[1:]), batches.dtype)
            batches = np.concatenate([batches, missing])
        parameters, moments, finite = _descend(
            loss,
            parameters,
            moments,
            batches,
            schedule(start + 1 + jnp.arange(most)),
            jnp.float32(weight_decay),
            jnp.int32(count),
            jnp.int32(start),
            key,
        )
        if not finite:
            raise DivergenceError(
                f"{type(loss).__name__} diverged between steps {start} and {start + count}; use a "
                "smaller learning rate or a larger batch, and look for extreme values in the inputs"
            )
    return parameters


def corrupt(
    x: Float[Array, "batch pre"],
    *,
    noise: Float[Array, ""],
    mask: Float[Array, ""],
    key: PRNGKey,
) -> Float[Array, "batch pre"]:
    """Presented inputs, each number set to 0 (its column's mean) with probability `mask`, plus
    Gaussian noise of deviation `noise`. Knows nothing of any order of the columns."""
    mask_key, noise_key = jax.random.split(key)
    kept = jax.random.bernoulli(mask_key, 1.0 - mask, x.shape)
    return jnp.where(kept, x, 0.0) + noise * jax.random.normal(noise_key, x.shape)


def layers_of(sizes: tuple[int, ...], *, key: PRNGKey) -> Delta:
    """Fresh layers for `hidden_then_affine`, as the base model's."""
    return init_mlp(sizes, key=key).layers


def hidden(layers: Delta, x: Float[Array, "batch pre"], activation: str) -> Array:
    """Output of all layers but the top one, under the batch's statistics, as in the base model."""
    for layer in layers[:-1]:
        x = activate(activation, normalise(x @ layer.weight) + layer.bias, jnp)
    return x


def encode(
    layers: Delta, x: Float[Array, "batch pre"], activation: str
) -> Float[Array, "batch post"]:
    """The base model's features of presented inputs: the drive of the top layer."""
    return normalise(hidden(layers, x, activation) @ layers[-1].weight) + layers[-1].bias


def hidden_then_affine(
    layers: Delta, x: Float[Array, "batch pre"], activation: str
) -> Float[Array, "batch post"]:
    """As `encode`, but the top layer is not normalised."""
    return affine(layers[-1], hidden(layers, x, activation))


def affine(layer: Layer, x: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
    """`x W + b`."""
    return x @ layer.weight + layer.bias


def with_affine_top(encoder: FrozenMLP, layer: Layer) -> FrozenMLP:
    """The encoder with its top layer replaced by an affine one."""
    weight, bias = np.asarray(layer.weight), np.asarray(layer.bias)
    return dataclasses.replace(
        encoder, weights=(*encoder.weights[:-1], weight), biases=(*encoder.biases[:-1], bias)
    )


def check_numbers(values: Mapping[str, float], *, below: float = np.inf) -> None:
    """Raise `InputError` unless all are finite, at least 0 and less than `below`."""
    for name, value in values.items():
        if not 0 <= value < below:
            limit = "finite" if below == np.inf else f"below {below:g}"
            raise InputError(f"{name} must be at least 0 and {limit}, got {value!r}")


def check_sizes(name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """`sizes` as a tuple; `InputError` unless all are positive integers."""
    sizes = tuple(sizes)
    if any(int(n) != n or n < 1 for n in sizes):
        raise InputError(f"{name}: layers need at least one unit each, got {sizes}")
    return sizes


@dataclasses.dataclass(frozen=True)
class AbstractNetworkLearner(AbstractLearner):
    """A learner whose encoder is one base model, trained by gradient descent.

    Parameters
    ----------
    hidden_sizes : tuple of int, default=(128, 128)
        Units of the hidden layers, from the input side; may be empty.
    n_components : int, default=512
        Number of features.
    activation : str, default="relu"
        A name of `models.ACTIVATIONS`, of all networks.
    n_steps : int, default=1000
        Steps of the optimiser; 0 leaves the encoder as initialised.
    batch_size : int, default=128
        Rows per step, drawn as shuffled epochs; the whole pool if it is smaller.
    learning_rate : float, default=0.001
        Largest learning rate, after the warm-up.
    """

    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 512
    activation: str = "relu"
    n_steps: int = 1000
    batch_size: int = 128
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_activation(self.activation)
        sizes = check_sizes("hidden_sizes", self.hidden_sizes)
        object.__setattr__(self, "hidden_sizes", sizes)
        check_sizes("n_components", (self.n_components,))
        if self.n_steps < 0 or self.batch_size < 2:
            raise InputError(
                "n_steps must be at least 0 and batch_size at least 2, got "
                f"{self.n_steps} and {self.batch_size}"
            )
        check_numbers({"learning_rate": self.learning_rate})

    @abc.abstractmethod
    def head(self, n_in: int, *, key: PRNGKey) -> PyTree:
        """Fresh parameters of what stands on the encoder; arrays only."""

    @abc.abstractmethod
    def loss(self, x: Rows, presentation: Presentation) -> AbstractLoss:
        """The loss, with all that it knows of the pool `x` `(n, d)`; batches are rows of it."""

    def freeze(self, model: MLP, head: PyTree, x: Rows) -> FrozenMLP:
        """The encoder, with the statistics of the rows `x` `(n, d)`."""
        del head
        return freeze(model, x)

    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """Train on the pool `x` `(n, d)` and freeze; raises `InputError` or `DivergenceError`."""
        x = check_pool(x)
        model, parameters = self.fit_parameters(x, seed=seed)
        return self.freeze(model, parameters.head, subsample(x, FREEZE_ROWS, seed=seed))

    @training()
    def fit_parameters(self, x: Rows, *, seed: int) -> tuple[MLP, Parameters]:
        """The trained base model, and it again with its head: for looking at losses."""
        x = check_pool(x)
        model_key, head_key, step_key = jax.random.split(jax.random.key(seed), 3)
        n_in = x.shape[1]
        sizes = (n_in, *self.hidden_sizes, self.n_components)
        model = init_mlp(
            sizes, key=model_key, activation=self.activation, presentation=pool_presentation(x)
        )
        rows = Shuffled(x.shape[0], seed=seed)
        trained = minimise(
            self.loss(x, model.presentation),
            Parameters(model.layers, self.head(n_in, key=head_key)),
            lambda count: draw_batches(x, rows, count, self.batch_size),
            n_steps=self.n_steps,
            most=chunk_steps(min(self.batch_size, x.shape[0]), n_in),
            learning_rate=self.learning_rate,
            key=step_key,
        )
        return eqx.tree_at(lambda m: m.layers, model, trained.encoder), trained
