"""What hand-designed rules share: every layer learns from its own input, all at the same time."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.models import MLP, Delta, Layer, LayerTrace, Trace
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.types import PRNGKey

MAX_NORM = 2.0
"""Longest weight column of the rules that need a bound; their fixed points are at 1 or below."""


class AbstractLayerwiseRule(AbstractUpdateRule):
    """A rule without messages between layers, that leaves biases and feedback weights alone.

    The state is the number of steps done, `t`; the step size is
    `learning_rate / (1 + t / time_scale)`, so both are meta-learnable.
    """

    learning_rate: eqx.AbstractVar[Float[Array, ""]]
    time_scale: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def weight_change(
        self, weight: Float[Array, "pre post"], trace: LayerTrace, rate: Float[Array, ""]
    ) -> Float[Array, "pre post"]:
        """The change of one layer's weights at the present step size."""

    def init(self, model: MLP, *, key: PRNGKey) -> Int[Array, ""]:
        """No step done yet."""
        return jnp.zeros((), jnp.int32)

    def update(
        self, model: MLP, trace: Trace, state: Int[Array, ""], *, key: PRNGKey
    ) -> tuple[Delta, Int[Array, ""]]:
        """Every layer's change from its own part of the trace; deterministic, `key` is unused."""
        rate = self.learning_rate / (1.0 + state / self.time_scale)
        delta = tuple(
            Layer(
                self.weight_change(layer.weight, part, rate),
                jnp.zeros_like(layer.bias),
                jnp.zeros_like(layer.feedback),
            )
            for layer, part in zip(model.layers, trace, strict=True)
        )
        return delta, state + 1


def constant(value: float) -> Float[Array, ""]:
    """A float32 scalar leaf, and so a meta-parameter."""
    return jnp.asarray(value, jnp.float32)


def centred(x: Float[Array, "batch unit"]) -> Float[Array, "batch unit"]:
    """Activities without their means over the batch."""
    return x - jnp.mean(x, axis=0)


def bounded(
    weight: Float[Array, "pre post"], change: Float[Array, "pre post"]
) -> Float[Array, "pre post"]:
    """The change, shortened so that no column of the changed weights is longer than `MAX_NORM`.

    Identity away from the bound, so fixed points and their neighbourhoods are untouched; it
    only keeps a step that is too large for extreme inputs from diverging.
    """
    new = weight + change
    square = jnp.sum(jnp.square(new), axis=0)
    too_long = square > MAX_NORM**2
    shrink = jnp.where(too_long, MAX_NORM / jnp.sqrt(jnp.where(too_long, square, 1.0)), 1.0)
    return new * shrink - weight


def at_rank(response: Float[Array, "batch unit"], rank: int) -> Float[Array, "batch unit"]:
    """1 where a unit's response has the given rank (1 is the largest) in its sample, else 0.

    Equal responses share a rank. Repeated maxima, because sorting is slow on a CPU.
    """
    for _ in range(rank - 1):
        largest = jnp.max(response, axis=1, keepdims=True)
        response = jnp.where(response == largest, -jnp.inf, response)
    largest = jnp.max(response, axis=1, keepdims=True)
    return ((response == largest) & jnp.isfinite(largest)).astype(jnp.float32)
