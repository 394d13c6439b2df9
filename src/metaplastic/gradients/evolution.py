"""Evolution strategies: antithetic pairs of perturbed unrolls, no backward pass."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from metaplastic.errors import InputError
from metaplastic.gradients.base import AbstractGradientEstimator, AbstractInnerProblem
from metaplastic.gradients.unroll import Unroll, advance, start
from metaplastic.trees import all_finite, select
from metaplastic.types import Metrics, PRNGKey, Theta


class Pair(eqx.Module):
    """Two unrolls of one task, under theta + and - the same perturbations."""

    plus: Unroll
    minus: Unroll
    perturbation: Theta
    """Sum of all perturbations since the start of the unroll (PES); zero for plain ES."""


class PES(AbstractGradientEstimator):
    """Persistent evolution strategies.

    Source: Vicol, Metz and Sohl-Dickstein 2021 (arXiv 2112.13835). In each truncation theta is
    perturbed anew by `+-sigma e`; the loss difference multiplies the *sum* of all perturbations
    since the start of the unroll, which credits earlier ones for later losses:

        g = (L+ - L-) xi / (2 sigma^2),   xi = sum of sigma e_i so far.

    What it estimates: with n truncations in an unroll, losses L_i and independent perturbations
    e_i ~ N(0, sigma^2), the mean of g over the unroll has as its expectation exactly the gradient
    of E[mean_i L_i(theta + e_1, ..., theta + e_i)], the mean loss smoothed by perturbing every
    truncation on its own. For losses quadratic in theta that is the gradient of the mean loss;
    else they differ by O(sigma^2). Horizons are rounded up to whole truncations, and how theta
    shapes `problem.init` is not credited. The variance grows with n.

    Parameters
    ----------
    truncation : int
        Problem steps of one estimate.
    sigma : float, default=0.01
        Standard deviation of the perturbation of theta.
    """

    truncation: int = eqx.field(static=True)
    sigma: float = eqx.field(static=True, default=0.01)

    def __check_init__(self) -> None:
        _check(self.truncation, self.sigma)

    def init(self, problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Pair:
        """See `AbstractGradientEstimator.init`."""
        return _start_pair(problem, theta, key=key)

    def estimate(
        self, problem: AbstractInnerProblem, theta: Theta, state: Pair, *, key: PRNGKey
    ) -> tuple[Theta, Pair, Metrics]:
        """See `AbstractGradientEstimator.estimate`."""
        noise_key, start_key, step_key = jax.random.split(key, 3)
        restarted = state.plus.done
        state = jax.lax.cond(
            restarted, lambda: _start_pair(problem, theta, key=start_key), lambda: state
        )
        noise = _noise(theta, self.sigma, key=noise_key)
        total = jax.tree.map(jnp.add, state.perturbation, noise)
        state = eqx.tree_at(lambda pair: pair.perturbation, state, total)
        return _step_pair(
            problem,
            theta,
            state,
            noise,
            total,
            self.truncation,
            self.sigma,
            restarted,
            key=step_key,
        )


class AntitheticES(AbstractGradientEstimator):
    """Evolution strategies on the current truncation alone.

    The gradient of the smoothed mean loss over the next `truncation` steps from the state that
    was reached: like truncated backprop it ignores how theta shaped that state, so it is unbiased
    only when `truncation` covers the unroll. Both particles of the next pair start from the state
    that this pair's `+` particle reached.

    Parameters
    ----------
    truncation : int
        Problem steps of one estimate.
    sigma : float, default=0.01
        Standard deviation of the perturbation of theta.
    """

    truncation: int = eqx.field(static=True)
    sigma: float = eqx.field(static=True, default=0.01)

    def __check_init__(self) -> None:
        _check(self.truncation, self.sigma)

    def init(self, problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Pair:
        """See `AbstractGradientEstimator.init`."""
        return _start_pair(problem, theta, key=key)

    def estimate(
        self, problem: AbstractInnerProblem, theta: Theta, state: Pair, *, key: PRNGKey
    ) -> tuple[Theta, Pair, Metrics]:
        """See `AbstractGradientEstimator.estimate`."""
        noise_key, start_key, step_key = jax.random.split(key, 3)
        restarted = state.plus.done
        state = jax.lax.cond(
            restarted, lambda: _start_pair(problem, theta, key=start_key), lambda: state
        )
        # Both particles start each truncation from one state, or old noise would leak in.
        state = eqx.tree_at(lambda pair: pair.minus, state, state.plus)
        noise = _noise(theta, self.sigma, key=noise_key)
        return _step_pair(
            problem,
            theta,
            state,
            noise,
            noise,
            self.truncation,
            self.sigma,
            restarted,
            key=step_key,
        )


def _check(truncation: int, sigma: float) -> None:
    if truncation < 1 or not sigma > 0:
        raise InputError(
            f"truncation must be at least 1 and sigma positive, got {truncation} and {sigma}"
        )


def _noise(theta: Theta, sigma: float, *, key: PRNGKey) -> Theta:
    leaves, structure = jax.tree.flatten(theta)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        sigma * jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


def _start_pair(problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Pair:
    unroll = start(problem, theta, key=key)
    return Pair(unroll, unroll, jax.tree.map(jnp.zeros_like, theta))


def _step_pair(
    problem: AbstractInnerProblem,
    theta: Theta,
    state: Pair,
    noise: Theta,
    credit: Theta,
    steps: int,
    sigma: float,
    restarted: Bool[Array, ""],
    *,
    key: PRNGKey,
) -> tuple[Theta, Pair, Metrics]:
    """Advance both particles under the same random numbers and credit `credit`."""
    theta_plus = jax.tree.map(jnp.add, theta, noise)
    theta_minus = jax.tree.map(jnp.subtract, theta, noise)
    plus, loss_plus = advance(problem, theta_plus, state.plus, steps, key=key)
    minus, loss_minus = advance(problem, theta_minus, state.minus, steps, key=key)
    slope = (loss_plus - loss_minus) / (2.0 * sigma**2)
    gradient = jax.tree.map(lambda x: slope * x, credit)
    finite = jnp.isfinite(slope) & all_finite(gradient)
    gradient = select(finite, gradient, jax.tree.map(jnp.zeros_like, gradient))
    plus = eqx.tree_at(lambda u: u.done, plus, plus.done | minus.done | ~finite)
    metrics = {
        "loss": jnp.where(finite, 0.5 * (loss_plus + loss_minus), 0.0),
        "diverged": (~finite).astype(jnp.float32),
        "restarted": restarted.astype(jnp.float32),
        "position": plus.position,
    }
    return gradient, Pair(plus, minus, state.perturbation), metrics
