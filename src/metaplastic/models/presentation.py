"""How raw inputs are presented to the first layer: scaled column by column, then whitened in part.

Each column is centred and divided by its spread, the eighth root of its mean eighth power: near
the largest deviation that is not an outlier. Columns of very different units (tables) become
comparable as by their standard deviation, but rare events (the borders of images, rare words)
stay rare: a standard deviation would blow them up. Then one scalar gives unit mean square. The
presentation is part of the base model, so meta-training, evaluation and use see the same inputs.
"""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from metaplastic.models.scaling import (
    PLAIN,
    PresentationSettings,
    apply_scaling,
    scaling_from_moments,
)
from metaplastic.models.whitening import Whitening, fit_whitening


class Presentation(eqx.Module):
    """`clip((x - shift) * scale, -clip, clip) * gain`, then whitening if there is one.

    Attributes
    ----------
    shift, scale : array (pre,) of float
        Shift and scale of each column.
    gain : scalar array
        Factor of all columns.
    whitening : Whitening, optional
        Whitening of the result, if there is one.
    clip : float, default=PLAIN.clip
        Largest presented magnitude, before the gain.
    """

    shift: Float[Array | np.ndarray, " pre"]
    scale: Float[Array | np.ndarray, " pre"]
    gain: Float[Array | np.ndarray, ""]
    whitening: Whitening | None = None
    clip: float = eqx.field(static=True, default=PLAIN.clip)

    def __call__(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        scaled = self.scaled(x)
        return scaled if self.whitening is None else self.whitening(scaled)

    def scaled(self, x: Float[Array, "batch pre"]) -> Float[Array, "batch pre"]:
        """Inputs scaled column by column, not whitened."""
        return apply_scaling(x, self.shift, self.scale, self.clip, self.gain, jnp)

    def by_numpy(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inputs `(batch, pre)` presented without JAX; fitted to a pool, all arrays are NumPy's."""
        scaled = apply_scaling(x, self.shift, self.scale, self.clip, self.gain, np)
        return scaled if self.whitening is None else self.whitening.by_numpy(scaled)

    def unwhitened(self) -> "Presentation":
        """The presentation without whitening; of the same form, so that both share programs."""
        if self.whitening is None:
            return self
        return eqx.tree_at(lambda own: own.whitening, self, self.whitening.none())


def identity_presentation(n_columns: int) -> Presentation:
    """The presentation that leaves inputs within the clip as they are.

    Parameters
    ----------
    n_columns : int
        Number of columns.

    Returns
    -------
    Presentation
        The presentation.
    """
    return Presentation(jnp.zeros(n_columns), jnp.ones(n_columns), jnp.ones(()))


def fit_presentation(
    x: Float[Array, "batch pre"],
    settings: PresentationSettings = PLAIN,
    more: Float[Array, "rows pre"] | None = None,
) -> Presentation:
    """The presentation fitted to one batch; traceable.

    `learners.pool.pool_presentation` fits the same to a whole pool, which need not fit in memory.

    Parameters
    ----------
    x : array (batch, pre) of float
        A batch; its moments give the scaling.
    settings : PresentationSettings, default=PLAIN
        The numbers of the presentation.
    more : array (rows, pre) of float, optional
        A larger batch for the whitening, which has more numbers to fit; `x` if left out.

    Returns
    -------
    Presentation
        The presentation.
    """
    mean = jnp.mean(x, axis=0)
    largest = jnp.max(jnp.abs(x - mean), axis=0)
    # In units of the largest deviation, high powers stay within float32.
    unit = jnp.where(largest > 0, largest, 1.0)
    powers = jnp.mean(((x - mean) / unit) ** settings.order, axis=0)
    spread = unit * powers ** (1.0 / settings.order)
    moments = scaling_from_moments(mean, jnp.var(x, axis=0), spread, jnp)
    scaling = Presentation(*moments, clip=settings.clip)
    if not settings.whitens(x.shape[1]):
        return scaling
    rows = scaling.scaled(x if more is None else more)
    whitening = fit_whitening(rows, settings.whitening, settings.components, settings.floor)
    return dataclasses.replace(scaling, whitening=whitening)
