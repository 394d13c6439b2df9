"""Presented inputs with their leading principal components made more equal.

Full whitening gives all directions the same variance and so blows up noise; this gives the leading
ones a little less of their own (sources of the idea: Coates, Lee and Ng 2011, "An analysis of
single-layer networks in unsupervised feature learning", whiten images before any learner;
docs/experiments.md for what was tried here).
"""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

N_WHITENED = 32
"""Leading principal components that are shrunk, towards the one after them.

Inputs of no more columns are left as they are: among few columns the last directions are noise.
"""

FLOOR = 0.01
"""Of the mean variance of a column: the least that is taken for that of the one after them."""


def is_whitened(n_columns: int, power: float) -> bool:
    """Whether a rule that asks for whitening of that power gets it on so many columns."""
    return power > 0.0 and n_columns > N_WHITENED


class Whitening(eqx.Module):
    """`x -> level (x + axes (shrink * (axes^T x)))`: a linear map, symmetric, of rank few + I."""

    axes: Float[Array, "pre component"]
    shrink: Float[Array, " component"]
    level: Float[Array, ""]

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        return self.level * (x + ((x @ self.axes) * self.shrink) @ self.axes.T)

    def none(self) -> "Whitening":
        """Of the same shapes, one that changes nothing."""
        return Whitening(self.axes, jnp.zeros_like(self.shrink), jnp.ones_like(self.level))

    def fold(self, weight: NDArray) -> NDArray:
        """Weights `(pre, post)` that do to plain inputs what `weight` does to whitened ones."""
        axes, shrink, level = (np.asarray(a) for a in (self.axes, self.shrink, self.level))
        return level * (weight + axes @ (shrink[:, None] * (axes.T @ weight)))


def whitening_from_moments(
    axes: Any, variances: Any, total: Any, power: float, np: ModuleType
) -> tuple[Any, Any, Any]:
    """Axes, shrink and level of a `Whitening` that keeps the total variance.

    Args:
        axes: leading principal axes `(pre, m)`, at most `N_WHITENED` + 1.
        variances: along them, `(m,)`, falling; each becomes `v (v / v_m)^(-2 power)`.
        total: variance of all columns together.
        power: 0 for none, 0.5 to make them equal.
        np: `numpy` or `jax.numpy`.
    """
    floor = FLOOR * total / axes.shape[0] + 1e-12
    kept = np.maximum(variances, floor)
    gain = (kept / kept[-1]) ** -power
    left = total - np.sum(variances * (1.0 - gain**2))
    level = np.sqrt(np.where(left > 0, total / np.where(left > 0, left, 1.0), 1.0))
    return axes, gain - 1.0, level


def fit_whitening(x: Float[Array, "batch pre"], power: float) -> Whitening:
    """Whitening fitted to one (large) batch of presented inputs; traceable, by all directions."""
    centred = x - jnp.mean(x, axis=0)
    values, vectors = jnp.linalg.eigh(centred.T @ centred / x.shape[0])
    variances, axes = values[::-1][: N_WHITENED + 1], vectors[:, ::-1][:, : N_WHITENED + 1]
    return Whitening(*whitening_from_moments(axes, variances, jnp.sum(values), power, jnp))
