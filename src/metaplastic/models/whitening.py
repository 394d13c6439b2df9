"""Leading principal components of the presented inputs, made more equal.

Full whitening gives all directions the same variance and so blows up noise. Here the leading
directions alone lose part of their variance. Source of the idea: Coates, Lee and Ng 2011, "An
analysis of single-layer networks in unsupervised feature learning", who whiten images before any
learner.
"""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray


class Whitening(eqx.Module):
    """`x -> level (x + axes (shrink * (axes^T x)))`: a symmetric linear map, low rank plus I.

    Attributes
    ----------
    axes : array (pre, component) of float
        Leading principal axes.
    shrink : array (component,) of float
        How much each is shrunk.
    level : scalar array
        Factor that keeps the total variance.
    """

    axes: Float[Array | np.ndarray, "pre component"]
    shrink: Float[Array | np.ndarray, " component"]
    level: Float[Array | np.ndarray, ""]

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        return jnp.multiply(self.level, x + ((x @ self.axes) * self.shrink) @ self.axes.T)

    def by_numpy(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of an array of NumPy's."""
        axes, shrink, level = (np.asarray(a) for a in (self.axes, self.shrink, self.level))
        if not np.any(shrink):  # That of `none`, for one.
            return level * x
        return level * (x + ((x @ axes) * shrink) @ axes.T)

    def none(self) -> "Whitening":
        """A whitening of the same shapes that changes nothing."""
        xp = np if isinstance(self.level, np.ndarray) else jnp  # NumPy compiles nothing
        return Whitening(self.axes, xp.zeros_like(self.shrink), xp.ones_like(self.level))

    def fold(self, weight: NDArray) -> NDArray:
        """Weights `(pre, post)` that do to scaled inputs what `weight` does to whitened ones."""
        axes, shrink, level = (np.asarray(a) for a in (self.axes, self.shrink, self.level))
        return level * (weight + axes @ (shrink[:, None] * (axes.T @ weight)))


def whitening_from_moments(
    axes: Any, variances: Any, total: Any, power: float, floor: float, np: ModuleType
) -> tuple[Any, Any, Any]:
    """Axes, shrink and level of a `Whitening` that keeps the total variance.

    Parameters
    ----------
    axes : object
        Leading principal axes `(pre, m)`; the last one is the reference.
    variances : object
        Along them, `(m,)`, falling; each becomes `v (v / v_m)^(-2 power)`.
    total : object
        Variance of all columns together.
    power : float
        0 for none, 0.5 to make them equal.
    floor : float
        Floor of the reference variance, as a fraction of the mean column variance.
    np : ModuleType
        `numpy` or `jax.numpy`.

    Returns
    -------
    (array, array, array)
        Axes, shrink and level.
    """
    least = floor * total / axes.shape[0] + 1e-12
    kept = np.maximum(variances, least)
    gain = (kept / kept[-1]) ** -power
    left = total - np.sum(variances * (1.0 - gain**2))
    level = np.sqrt(np.where(left > 0, total / np.where(left > 0, left, 1.0), 1.0))
    return axes, gain - 1.0, level


def fit_whitening(
    x: Float[Array, "batch pre"], power: float, components: int, floor: float
) -> Whitening:
    """Whitening fitted to one large batch of scaled inputs; traceable.

    Parameters
    ----------
    x : array (batch, pre) of float
        The batch.
    power, components, floor
        As in `PresentationSettings`.

    Returns
    -------
    Whitening
        The whitening.
    """
    centred = x - jnp.mean(x, axis=0)
    values, vectors = jnp.linalg.eigh(centred.T @ centred / x.shape[0])
    variances, axes = values[::-1][: components + 1], vectors[:, ::-1][:, : components + 1]
    total = jnp.sum(values)
    return Whitening(*whitening_from_moments(axes, variances, total, power, floor, jnp))
