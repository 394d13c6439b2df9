"""What a gradient estimator sees: an unrolled problem, and nothing of tasks, models or rules."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PyTree

from metaplastic.types import Metrics, PRNGKey, Theta

Carry = PyTree
"""The problem's state along the unroll."""


class AbstractInnerProblem(eqx.Module):
    """A dynamical system with parameters theta and a loss at every step.

    The meta-objective is the mean of the losses over an unroll of `horizon` steps. Array leaves
    of a problem (data) are arguments of the compiled functions, never constants in them.
    """

    @abc.abstractmethod
    def init(self, theta: Theta, *, key: PRNGKey) -> Carry:
        """A fresh start: draws everything that stays fixed along one unroll."""

    @abc.abstractmethod
    def step(
        self, theta: Theta, carry: Carry, *, key: PRNGKey
    ) -> tuple[Carry, Float[Array, ""], Bool[Array, ""]]:
        """One step: the next carry, this step's loss (float32), whether the unroll has diverged."""

    @abc.abstractmethod
    def horizon(self, *, key: PRNGKey) -> Int[Array, ""]:
        """Draws the number of steps (int32, at least 1) after which an unroll starts afresh."""


class AbstractGradientEstimator(eqx.Module):
    """Estimates the gradient of the mean loss of one task with respect to theta.

    One call advances one task (for evolution strategies: one antithetic pair) by `truncation`
    steps and keeps its position in the estimator's state. Callers `vmap` or `lax.map` over tasks.
    A task that diverges or reaches its horizon restarts at the next call; a diverged one
    contributes a zero gradient and is counted in the metrics.
    """

    truncation: eqx.AbstractVar[int]
    """Problem steps per call."""

    @property
    def restarts(self) -> bool:
        """Whether `estimate` begins tasks anew that are done; if not, callers do."""
        return True

    @abc.abstractmethod
    def init(self, problem: AbstractInnerProblem, theta: Theta, *, key: PRNGKey) -> Any:
        """State of a task at the start of a fresh unroll, its first horizon already drawn."""

    @abc.abstractmethod
    def estimate(
        self, problem: AbstractInnerProblem, theta: Theta, state: Any, *, key: PRNGKey
    ) -> tuple[Theta, Any, Metrics]:
        """Gradient (shaped as theta), next state, metrics.

        Metrics (scalars): `loss` (mean over this truncation, 0 where diverged), `diverged`
        (0 or 1), `restarted` (0 or 1), `position` (steps done in this unroll).
        """
