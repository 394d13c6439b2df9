"""Truncated backpropagation through the unroll."""

import equinox as eqx
import jax
import jax.numpy as jnp

from metaplastic.errors import InputError
from metaplastic.gradients.base import AbstractGradientEstimator, AbstractInnerProblem
from metaplastic.gradients.unroll import Unroll, advance, start
from metaplastic.trees import all_finite, select
from metaplastic.types import Metrics, PRNGKey, Theta


class TruncatedBackprop(AbstractGradientEstimator):
    """Exact gradient of the next `truncation` losses, blind to how theta shaped the state before.

    Source: Werbos 1990; Williams and Peng 1990. Unbiased for the whole unroll only when
    `truncation` covers it. Horizons are rounded up to whole truncations, and how theta shapes
    `problem.init` is not credited. With `checkpoint`, only the carry of each step is stored and
    the step is computed again in the backward pass; a problem that rematerialises its own parts
    (as `RuleProblem` does) is better off without.

    Parameters
    ----------
    truncation : int
        Problem steps of one estimate.
    checkpoint : bool, default=True
        Whether steps are computed again in the backward pass instead of stored.
    brief : bool, default=False
        For short runs: tasks that are done are begun anew by the caller
        (`meta.programs.begun_anew`), and the program is compiled in less time.
    """

    truncation: int = eqx.field(static=True)
    checkpoint: bool = eqx.field(static=True, default=True)
    brief: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if self.truncation < 1:
            raise InputError(f"truncation must be at least 1, got {self.truncation}")

    @property
    def restarts(self) -> bool:
        """Not if `brief`."""
        return not self.brief

    def init(self, problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Unroll:
        """See `AbstractGradientEstimator.init`."""
        return start(problem, theta, key=key)

    def estimate(
        self, problem: AbstractInnerProblem, theta: Theta, state: Unroll, *, key: PRNGKey
    ) -> tuple[Theta, Unroll, Metrics]:
        """See `AbstractGradientEstimator.estimate`."""
        start_key, step_key = jax.random.split(key)
        restarted = state.done if self.restarts else state.position == 0
        if self.restarts:
            state = jax.lax.cond(
                restarted, lambda: start(problem, theta, key=start_key), lambda: state
            )

        def loss_of(theta: Theta) -> tuple:
            after, loss = advance(
                problem, theta, state, self.truncation, key=step_key, checkpoint=self.checkpoint
            )
            return loss, after

        (loss, after), gradient = jax.value_and_grad(loss_of, has_aux=True)(theta)
        finite = jnp.isfinite(loss) & all_finite(gradient)
        gradient = select(finite, gradient, jax.tree.map(jnp.zeros_like, gradient))
        after = eqx.tree_at(lambda u: u.done, after, after.done | ~finite)
        metrics = {
            "loss": jnp.where(finite, loss, 0.0),
            "diverged": (~finite).astype(jnp.float32),
            "restarted": restarted.astype(jnp.float32),
            "position": after.position,
        }
        return gradient, after, metrics
