"""The two networks of the published rule: the top signal and the hidden state of every neuron.

Source: Metz et al. 2018 (arXiv 1804.00222), appendix, and the program published with it.
Signals are `(unit, batch, channel)`: both kinds of convolution (over units, over samples) are then
shifts along a leading axis and one matrix product over channels, which is fast inside compiled
loops where XLA's convolutions are not.
"""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.types import PRNGKey

CHANNELS = 64
"""Width of both networks."""

N_SIGNAL = 32
"""Channels of the top-down signal delta."""

N_STATISTICS = 8
UNIT_AXIS, BATCH_AXIS = 0, 1

Signal = Float[Array, "_unit _batch _channel"]


class Affine(eqx.Module):
    """`x weight + bias` over the last axis."""

    weight: Float[Array, "from to"]
    bias: Float[Array, " to"]

    @classmethod
    def create(cls, n_in: int, n_out: int, *, key: PRNGKey) -> "Affine":
        """Truncated normal weights of sd `1 / sqrt(n_in)`, zero bias."""
        return cls(truncated_normal(key, (n_in, n_out), n_in), jnp.zeros(n_out))

    def __call__(self, x: Float[Array, "*lead from"]) -> Float[Array, "*lead to"]:
        return x @ self.weight + self.bias


class Convolution(eqx.Module):
    """One-dimensional cross-correlation with zero "same" padding; width 1 mixes channels alone."""

    weight: Float[Array, "width from to"]
    bias: Float[Array, " to"]

    @classmethod
    def create(cls, width: int, n_in: int, n_out: int, *, key: PRNGKey) -> "Convolution":
        """Truncated normal weights of sd `1 / sqrt(width n_in)`, zero bias; `width` is odd."""
        weight = truncated_normal(key, (width, n_in, n_out), width * n_in)
        return cls(weight, jnp.zeros(n_out))

    def __call__(self, signal: Signal, axis: int) -> Signal:
        """Along `axis` (0 units, 1 samples)."""
        width, n_in, n_out = self.weight.shape
        if width == 3:
            return _three_taps(signal, self.weight, axis) + self.bias
        length = signal.shape[axis]
        padded = _padded(signal, axis, width // 2, width // 2)
        shifted = [jax.lax.slice_in_dim(padded, k, k + length, axis=axis) for k in range(width)]
        windows = shifted[0] if width == 1 else jnp.concatenate(shifted, axis=2)
        out = windows.reshape(-1, width * n_in) @ self.weight.reshape(-1, n_out)
        return out.reshape(*signal.shape[:2], n_out) + self.bias


def _three_taps(signal: Signal, weight: Float[Array, "3 from to"], axis: int) -> Signal:
    """A convolution of width 3 by four products for every two outputs, where six are usual.

    Source: Winograd's minimal filtering F(2, 3), as in Lavin and Gray 2016 (arXiv 1509.09308,
    section 4.1).
    """
    length = signal.shape[axis]
    pairs = (length + 1) // 2
    padded = _padded(signal, axis, 1, 1 + length % 2)
    split = padded.reshape(*signal.shape[:axis], pairs + 1, 2, *signal.shape[axis + 1 :])
    even, odd = (jax.lax.index_in_dim(split, k, axis + 1, keepdims=False) for k in (0, 1))
    (x0, x1), (x2, x3) = (
        [jax.lax.slice_in_dim(half, k, k + pairs, axis=axis) for half in (even, odd)]
        for k in (0, 1)
    )
    outer, inner = weight[0] + weight[2], weight[1]

    def mixed(x: Signal, taps: Float[Array, "from to"]) -> Signal:
        return (x.reshape(-1, x.shape[2]) @ taps).reshape(*x.shape[:2], -1)

    plus = mixed(x1 + x2, (outer + inner) / 2.0)
    minus = mixed(x2 - x1, (outer - inner) / 2.0)
    first = mixed(x0 - x2, weight[0]) + plus + minus
    second = plus - minus - mixed(x1 - x3, weight[2])
    both = jnp.stack([first, second], axis=axis + 1)
    whole = both.reshape(*signal.shape[:axis], 2 * pairs, *both.shape[axis + 2 :])
    return jax.lax.slice_in_dim(whole, 0, length, axis=axis)


def _padded(signal: Signal, axis: int, before: int, after: int) -> Signal:
    padding = [(0, 0)] * 3
    padding[axis] = (before, after)
    return jnp.pad(signal, padding)


class Normalised(eqx.Module):
    """A convolution, batch norm of every channel over both other axes, and a rectifier."""

    convolution: Convolution
    offset: Float[Array, " to"]

    @classmethod
    def create(cls, width: int, n_in: int, n_out: int, *, key: PRNGKey) -> "Normalised":
        """See `Convolution.create`; zero offset."""
        return cls(Convolution.create(width, n_in, n_out, key=key), jnp.zeros(n_out))

    def __call__(self, signal: Signal, axis: int) -> Signal:
        return _normalised(signal, self.convolution, self.offset, axis)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalised(
    signal: Signal, convolution: Convolution, offset: Float[Array, " to"], axis: int
) -> Signal:
    """What `Normalised` computes, with a gradient that keeps one array beside the input.

    Step by step, differentiation would keep five; writing and reading them takes longer than the
    products.
    """
    return _normalised_forward(signal, convolution, offset, axis)[0]


def _normalised_forward(signal: Signal, convolution: Convolution, offset: Any, axis: int) -> Any:
    normal, inverse_deviation = _standardised(convolution(signal, axis))
    kept = signal, convolution, offset, normal, inverse_deviation
    return jax.nn.relu(normal + offset), kept


def _normalised_backward(axis: int, kept: Any, after: Signal) -> Any:
    # Without the barrier, the compiler would share what is computed again with the forward pass,
    # that is, keep it.
    kept, after = jax.lax.optimization_barrier((kept, after))
    signal, convolution, offset, normal, inverse_deviation = kept
    after = jnp.where(normal + offset > 0, after, 0.0)
    mean, along = jnp.mean(after, axis=(0, 1)), jnp.mean(after * normal, axis=(0, 1))
    before = (after - mean - normal * along) * inverse_deviation
    pull = jax.vjp(lambda s, c: c(s, axis), signal, convolution)[1]
    return *pull(before), mean * (after.shape[0] * after.shape[1])


_normalised.defvjp(_normalised_forward, _normalised_backward)


class TopNetwork(eqx.Module):
    """The error-like signal of the top layer, from its outputs alone.

    `mixing` convolves over the batch with the units as channels, which ties theta to the number
    of top units; it is empty in the equivariant variant.
    """

    first: Normalised
    mixing: tuple[Normalised, ...]
    hidden: tuple[Normalised, ...]
    out: Convolution

    @classmethod
    def create(cls, n_top: int, *, local: bool, key: PRNGKey) -> "TopNetwork":
        """For `n_top` top units; `local` leaves out what mixes samples or units."""
        keys = iter(jax.random.split(key, 6))
        wide, narrow = (1, 1) if local else (5, 3)
        return cls(
            Normalised.create(wide, 1, CHANNELS, key=next(keys)),
            ()
            if local
            else tuple(Normalised.create(3, n_top, n_top, key=next(keys)) for _ in range(2)),
            tuple(Normalised.create(narrow, CHANNELS, CHANNELS, key=next(keys)) for _ in range(2)),
            Convolution.create(narrow, CHANNELS, N_SIGNAL, key=next(keys)),
        )

    def __call__(self, post: Float[Array, "batch unit"]) -> Float[Array, "unit batch signal"]:
        signal = self.first(post.T[:, :, None], BATCH_AXIS)
        if self.mixing:
            channels_first = jnp.transpose(signal, (2, 1, 0))
            for block in self.mixing:
                channels_first = block(channels_first, BATCH_AXIS)
            signal = jnp.transpose(channels_first, (2, 1, 0))
        for block in self.hidden:
            signal = block(signal, BATCH_AXIS)
        return self.out(signal, BATCH_AXIS)


class UnitBlock(eqx.Module):
    """Two convolutions over the units around a residual connection."""

    first: Normalised
    second: Normalised

    @classmethod
    def create(cls, width: int, *, key: PRNGKey) -> "UnitBlock":
        """Convolutions of this width."""
        keys = jax.random.split(key)
        return cls(*(Normalised.create(width, CHANNELS, CHANNELS, key=k) for k in keys))

    def __call__(self, signal: Signal) -> Signal:
        return signal + self.second(self.first(signal, UNIT_AXIS), UNIT_AXIS)


class HiddenNetwork(eqx.Module):
    """The hidden state h of every neuron of a layer, for every sample.

    It reads output, drive, the top-down signal, unit numbers (the sine and cosine of a phase that
    runs twice around; absent in the equivariant variant), statistics of the neuron's weights and
    its bias. All layers share one theta.
    """

    input_offset: Float[Array, " feature"]
    first: Normalised
    first_block: UnitBlock
    second: Normalised
    second_block: UnitBlock
    numbered: bool = eqx.field(static=True)

    @classmethod
    def create(cls, *, local: bool, key: PRNGKey) -> "HiddenNetwork":
        """`local` leaves out unit numbers and makes all convolutions pointwise."""
        keys = iter(jax.random.split(key, 4))
        width = 1 if local else 3
        n_features = 2 + N_SIGNAL + (0 if local else 2)
        n_in = N_STATISTICS + 1 + n_features
        return cls(
            jnp.zeros(n_features),
            Normalised.create(width, n_in, CHANNELS, key=next(keys)),
            UnitBlock.create(width, key=next(keys)),
            Normalised.create(width, CHANNELS, CHANNELS, key=next(keys)),
            UnitBlock.create(width, key=next(keys)),
            not local,
        )

    def __call__(
        self,
        post: Float[Array, "batch unit"],
        drive: Float[Array, "batch unit"],
        delta: Float[Array, "unit batch signal"],
        statistics: Float[Array, "unit statistic"],
        bias: Float[Array, " unit"],
    ) -> Float[Array, "unit batch channel"]:
        units, batch, _ = delta.shape
        features = [post.T[:, :, None], drive.T[:, :, None]]
        if self.numbered:
            phase = jnp.linspace(0.0, 4.0 * jnp.pi, units, dtype=post.dtype)
            number = jnp.stack([jnp.sin(phase), jnp.cos(phase)], axis=1)
            features.append(jnp.broadcast_to(number[:, None], (units, batch, 2)))
        features = jnp.concatenate([*features, delta], axis=2)
        own = jnp.concatenate([statistics, bias[:, None]], axis=1)
        own = jnp.broadcast_to(own[:, None], (units, batch, own.shape[1]))
        signal = jnp.concatenate([own, batch_norm(features, self.input_offset)], axis=2)
        signal = self.first_block(self.first(signal, BATCH_AXIS))
        return self.second_block(self.second(signal, BATCH_AXIS))


def batch_norm(signal: Signal, offset: Float[Array, " _channel"]) -> Signal:
    """Mean 0 and variance 1 of every channel over units and samples, plus a learned offset."""
    return _standardised(signal)[0] + offset


def _standardised(signal: Signal) -> tuple[Signal, Float[Array, " _channel"]]:
    centred = signal - jnp.mean(signal, axis=(0, 1))
    scale = jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=(0, 1)) + 1e-3)
    return centred * scale, scale


def truncated_normal(key: PRNGKey, shape: tuple[int, ...], fan_in: int) -> Array:
    """Cut at two standard deviations of `1 / sqrt(fan_in)`."""
    return jax.random.truncated_normal(key, -2.0, 2.0, shape) / jnp.sqrt(1.0 * fan_in)
