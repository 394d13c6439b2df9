"""A toy of meta-training: learning rates of gradient descent on quadratic functions."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.gradients import AbstractInnerProblem
from metaplastic.meta.executor import Bucket
from metaplastic.rules import AbstractUpdateRule
from metaplastic.types import Locality

SIZE = 8
HORIZON = 20


class Rates(AbstractUpdateRule):
    """Theta are logarithms of learning rates, one a coordinate; as a rule it does nothing."""

    log_rates: Float[Array, " size"]
    locality: ClassVar[Locality] = "neuron"

    def init(self, model, *, key):
        """Nothing to remember."""
        return ()

    def update(self, model, trace, state, *, key):
        """No change."""
        return jax.tree.map(jnp.zeros_like, model.layers), state


class Descent(AbstractInnerProblem):
    """Noisy gradient descent on `sum(curvature * x^2)`; curvatures spread over a factor of 30."""

    spread: Float[Array, ""]

    def init(self, theta, *, key):
        """A start, and curvatures of this task."""
        first, second = jax.random.split(key)
        mean = jnp.linspace(-0.5, 0.5, SIZE) * self.spread
        curvature = jnp.exp(mean + 0.1 * jax.random.normal(first, (SIZE,)))
        return jax.random.normal(second, (SIZE,)), curvature

    def step(self, theta, carry, *, key):
        """One step of descent; the loss is that after it."""
        x, curvature = carry
        noise = 0.1 * jax.random.normal(key, (SIZE,))
        x = x - jnp.exp(theta.log_rates) * (curvature * x + noise)
        return (x, curvature), jnp.mean(curvature * jnp.square(x)), jnp.zeros((), bool)

    def horizon(self, *, key):
        """Between a half of the longest and the longest."""
        return jax.random.randint(key, (), HORIZON // 2, HORIZON + 1, jnp.int32)


def rule() -> Rates:
    """Rates far too small."""
    return Rates(jnp.full(SIZE, -3.0))


def buckets(n_tasks: int) -> list[Bucket]:
    """One architecture."""
    return [Bucket("descent", Descent(jnp.asarray(float(np.log(30.0)))), n_tasks)]


@eqx.filter_jit
def validation_loss(theta: Any) -> Float[Array, ""]:
    """Mean loss over unrolls of 512 tasks that no seed of the training draws."""
    problem = Descent(jnp.asarray(float(np.log(30.0))))

    def one(key):
        start, steps = jax.random.split(key)

        def body(carry, key):
            carry, loss, _ = problem.step(theta, carry, key=key)
            return carry, loss

        carry = problem.init(theta, key=start)
        return jnp.mean(jax.lax.scan(body, carry, jax.random.split(steps, HORIZON))[1])

    return jnp.mean(jax.vmap(one)(jax.random.split(jax.random.key(10**6), 512)))
