"""How raw inputs are presented to the first layer.

Each column is centred and divided by a shrunk standard deviation, so that columns of very
different units (tables) become comparable while nearly constant columns (image borders) are
not blown up; heavy tails and rare counts are clipped; one scalar then gives unit mean square.
"""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

SHRINKAGE = 3.0
"""Weight of the median standard deviation that is added to every column's own. Chosen on
validation glyphs (docs/experiments.md): less of it blows up the nearly constant borders of
images, much more leaves tables to their largest columns."""

CLIP = 5.0
"""Largest presented magnitude, in shrunk standard deviations."""


class InputScaling(eqx.Module):
    """Column-wise presentation: `clip((x - shift) * scale, -CLIP, CLIP) * gain`."""

    shift: Float[Array, " pre"]
    scale: Float[Array, " pre"]
    gain: Float[Array, ""]

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        return apply_scaling(x, self.shift, self.scale, self.gain, jnp)


def apply_scaling(x: Any, shift: Any, scale: Any, gain: Any, np: ModuleType) -> Any:
    """The presentation itself, for arrays of NumPy or JAX (`np` says which)."""
    return np.clip((x - shift) * scale, -CLIP, CLIP) * gain


def identity_scaling(n_features: int) -> InputScaling:
    """Leaves inputs inside [-CLIP, CLIP] as they are."""
    return InputScaling(jnp.zeros(n_features), jnp.ones(n_features), jnp.ones(()))


def scaling_from_moments(mean: Any, variance: Any, np: ModuleType) -> tuple[Any, Any, Any]:
    """Shift, scale and gain from column means and population variances, both `(pre,)`.

    Constant columns get scale 0, so they carry nothing; if all columns are constant, all do.
    """
    deviation = np.sqrt(np.maximum(variance, 0.0))
    # A column whose spread is rounding noise next to its mean is constant.
    varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    usual = np.where(varies, deviation, np.nan)
    typical = np.nanmedian(np.where(np.any(varies), usual, 1.0))
    scale = np.where(varies, 1.0 / (deviation + SHRINKAGE * typical), 0.0)
    power = np.mean(np.square(deviation * scale))
    gain = np.where(power > 0, 1.0 / np.sqrt(np.where(power > 0, power, 1.0)), 1.0)
    return mean, scale, gain


def fit_scaling(x: Float[Array, "batch pre"]) -> InputScaling:
    """Scaling from the moments of one (large) batch; traceable."""
    return InputScaling(*scaling_from_moments(jnp.mean(x, 0), jnp.var(x, 0), jnp))
