"""What the inner problems of rules share: inner steps, then a meta-loss of a network's features."""

import abc
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaplastic.gradients import AbstractInnerProblem
from metaplastic.trees import all_finite
from metaplastic.types import Metrics, PRNGKey, Theta

if TYPE_CHECKING:
    from metaplastic.meta.problem import RuleProblem


class AbstractJudgedProblem(AbstractInnerProblem):
    """A problem whose carry has a `model`, which the rule trains and a meta-loss judges.

    One problem step is `steps_per_loss` inner steps followed by one meta-loss.
    """

    @property
    @abc.abstractmethod
    def settings(self) -> "RuleProblem":
        """Where the settings stand: the problem itself, or the one that it extends."""

    @abc.abstractmethod
    def advance(self, theta: Theta, carry: Any, steps: int, *, key: PRNGKey) -> Any:
        """The carry after so many inner steps."""

    @abc.abstractmethod
    def assess(self, carry: Any, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """Meta-loss and metrics of the network of a carry."""

    def step(
        self, theta: Theta, carry: Any, *, key: PRNGKey
    ) -> tuple[Any, Float[Array, ""], Bool[Array, ""]]:
        """`steps_per_loss` inner steps, then the meta-loss."""
        step_key, loss_key = jax.random.split(key)
        carry = self.advance(theta, carry, self.settings.steps_per_loss, key=step_key)

        def loss_of(theta: Theta, model: Any) -> Float[Array, ""]:
            del theta
            return self.assess(eqx.tree_at(lambda c: c.model, carry, model), key=loss_key)[0]

        loss = self.settings.remat(loss_of)(theta, carry.model)
        return carry, loss, ~(jnp.isfinite(loss) & all_finite(carry.model.layers))

    def horizon(self, *, key: PRNGKey) -> Int[Array, ""]:
        """Log-uniform over `horizons` inner steps, in problem steps."""
        own = self.settings
        return draw_horizon(own.horizons, key=key, steps=own.steps_per_loss)


def draw_horizon(horizons: tuple[int, int], *, key: PRNGKey, steps: int = 1) -> Int[Array, ""]:
    """Log-uniform over `horizons` inner steps, in problem steps of `steps` inner ones."""
    low, high = (jnp.log(h / steps) for h in horizons)
    drawn = jnp.exp(jax.random.uniform(key, (), minval=low, maxval=high))
    return jnp.maximum(1, jnp.round(drawn)).astype(jnp.int32)
