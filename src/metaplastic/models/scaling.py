"""How raw inputs are presented to the first layer.

Each column is centred and divided by its spread, the eighth root of its mean eighth power: near
the largest deviation that is not an outlier. Columns of very different units (tables) become
comparable as by their standard deviation, but rare events (the borders of images, rare words)
stay rare: a standard deviation would blow them up. Then one scalar gives unit mean square.
"""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models.whitening import Whitening

ORDER = 8
"""The power of deviations whose mean makes the spread: 2 would give the standard deviation,
infinity the largest deviation. Chosen on validation glyphs (docs/experiments.md)."""

CLIP = 3.0
"""Largest presented magnitude, in spreads; 5.4 standard deviations of a Gaussian column."""


class InputScaling(eqx.Module):
    """Presentation `clip((x - shift) * scale, -CLIP, CLIP) * gain`, then whitened if asked for."""

    shift: Float[Array, " pre"]
    scale: Float[Array, " pre"]
    gain: Float[Array, ""]
    whitening: Whitening | None = None

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        plain = self.plain(x)
        return plain if self.whitening is None else self.whitening(plain)

    def unwhitened(self) -> "InputScaling":
        """One without whitening that runs in the same compiled programs."""
        if self.whitening is None:
            return self
        return eqx.tree_at(lambda scaling: scaling.whitening, self, self.whitening.none())

    def plain(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        """Column by column alone, without whitening."""
        return apply_scaling(x, self.shift, self.scale, CLIP, self.gain, jnp)


def apply_scaling(x: Any, shift: Any, scale: Any, clip: Any, gain: Any, np: ModuleType) -> Any:
    """The presentation itself, for arrays of NumPy or JAX (`np` says which)."""
    return np.clip((x - shift) * scale, -clip, clip) * gain


def identity_scaling(n_features: int) -> InputScaling:
    """Leaves inputs inside [-CLIP, CLIP] as they are."""
    return InputScaling(jnp.zeros(n_features), jnp.ones(n_features), jnp.ones(()))


def scaling_from_moments(
    mean: Any, variance: Any, spread: Any, np: ModuleType
) -> tuple[Any, Any, Any]:
    """Shift, scale and gain from columns' means, population variances and spreads, all `(pre,)`.

    Constant columns get scale 0, so they carry nothing; if all columns are constant, all do.
    """
    # A column whose spread is rounding noise next to its mean is constant.
    varies = spread > 1e-6 * np.abs(mean) + 1e-12
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    power = np.mean(variance * np.square(scale))
    gain = np.where(power > 0, 1.0 / np.sqrt(np.where(power > 0, power, 1.0)), 1.0)
    return mean, scale, gain


def fit_scaling(x: Float[Array, "batch pre"]) -> InputScaling:
    """Scaling from the moments of one (large) batch; traceable."""
    mean = jnp.mean(x, axis=0)
    largest = jnp.max(jnp.abs(x - mean), axis=0)
    # In units of the largest deviation, eighth powers stay within float32.
    unit = jnp.where(largest > 0, largest, 1.0)
    spread = unit * jnp.mean(((x - mean) / unit) ** ORDER, axis=0) ** (1.0 / ORDER)
    return InputScaling(*scaling_from_moments(mean, jnp.var(x, axis=0), spread, jnp))
