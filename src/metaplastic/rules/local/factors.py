"""Arrays of the local rule and what is done with them.

Factors are `(channel, batch, unit)`, so that mixing channels and summing over them are plain
matrix products. How a product or a sum is written is chosen for XLA's CPU backend, which takes
two to three times as long for the obvious way (docs/performance.md).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Factors = Float[Array, "_channel _batch _unit"]


def activity(pre: Float[Array, "batch pre"]) -> Float[Array, " pre"]:
    """Standard deviation of every input over the batch."""
    return jnp.sqrt(jnp.var(pre, axis=0) + 1e-8)


def channels(mixing: Float[Array, "out all"], signal: Factors) -> Factors:
    """Mix channels, the same for every sample and unit; the last ones may be missing."""
    n, batch, units = signal.shape
    return (mixing[:, :n] @ signal.reshape(n, batch * units)).reshape(-1, batch, units)


def down(messages: Factors, feedback: Float[Array, "pre post"]) -> Factors:
    """Send every channel down through the feedback weights."""
    n, batch, units = messages.shape
    return (messages.reshape(n * batch, units) @ feedback.T).reshape(n, batch, -1)


def outer(pre: Factors, post: Factors) -> Float[Array, "pre post"]:
    """Sum over channels and samples of pre-synaptic times post-synaptic factors."""
    n, batch, n_pre = pre.shape
    # The transposed product: a sum over the first axis of the larger factor is slow.
    return (post.reshape(n * batch, -1).T @ pre.reshape(n * batch, n_pre)).T


def outgoing_norm(weight: Float[Array, "unit above"]) -> Float[Array, " unit"]:
    """Norm of each unit's outgoing weights against the mean of its layer, minus one."""
    return jnp.sqrt(jnp.sum(jnp.square(weight), 1) * weight.shape[0] / weight.shape[1]) - 1.0


def unit_power(signal: Float[Array, "batch unit"]) -> Float[Array, "batch unit"]:
    """Of unit mean square."""
    return signal * jax.lax.rsqrt(jnp.mean(jnp.square(signal)) + 1e-6)
