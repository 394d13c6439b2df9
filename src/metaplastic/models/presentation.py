"""How raw inputs are presented to the first layer: scaled column by column, then whitened in part.

Each column is centred and divided by its spread, the eighth root of its mean eighth power: near
the largest deviation that is not an outlier. Columns of very different units (tables) become
comparable as by their standard deviation, but rare events (the borders of images, rare words)
stay rare: a standard deviation would blow them up. Then one scalar gives unit mean square. The
presentation is part of the base model, so meta-training, evaluation and use see the same inputs.
"""

import dataclasses
from types import ModuleType
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.models.whitening import Whitening, fit_whitening


@dataclasses.dataclass(frozen=True)
class PresentationSettings:
    """The numbers of a presentation; a preset holds those that experiments chose.

    Parameters
    ----------
    order : int, default=8
        Power of the deviations whose mean makes a column's spread, an even integer: 2 gives the
        standard deviation, large ones the largest deviation.
    clip : float, default=3.0
        Largest presented magnitude, in spreads.
    whitening : float, default=0.0
        Power of the whitening, from 0 (none) to 0.5 (leading components made equal).
    components : int, default=32
        Leading principal components that are shrunk towards the one after them. Inputs of no more
        columns are not whitened: among few columns the last directions are noise.
    floor : float, default=0.01
        Least variance of the component after them, as a fraction of the mean variance of a column.

    Raises
    ------
    InputError
        For numbers outside these ranges.
    """

    order: int = 8
    clip: float = 3.0
    whitening: float = 0.0
    components: int = 32
    floor: float = 0.01

    def __post_init__(self) -> None:
        if self.order < 2 or self.order % 2:
            raise InputError(f"order must be an even integer of at least 2, got {self.order!r}")
        if not self.clip > 0:
            raise InputError(f"clip must be positive, got {self.clip!r}")
        if not 0.0 <= self.whitening <= 0.5:
            raise InputError(
                f"whitening must be from 0 (none) to 0.5 (all), got {self.whitening!r}"
            )
        if self.components < 1 or not 0.0 < self.floor < 1.0:
            raise InputError(
                "components must be at least 1 and floor between 0 and 1, got "
                f"{self.components!r} and {self.floor!r}"
            )

    def whitens(self, n_columns: int) -> bool:
        """Whether inputs of so many columns are whitened."""
        return self.whitening > 0.0 and n_columns > self.components


PLAIN = PresentationSettings()
"""Scaling without whitening: what every learner but a rule's gets."""


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

    def unwhitened(self) -> "Presentation":
        """The presentation without whitening; it shares compiled programs with this one."""
        if self.whitening is None:
            return self
        return eqx.tree_at(lambda own: own.whitening, self, self.whitening.none())


def apply_scaling(x: Any, shift: Any, scale: Any, clip: Any, gain: Any, np: ModuleType) -> Any:
    """Scale rows as a presentation does, before any whitening.

    Parameters
    ----------
    x : array (batch, pre) of float
        Rows.
    shift, scale : array (pre,) of float
        Shift and scale of each column.
    clip, gain : float
        Largest magnitude, and the factor of all columns.
    np : ModuleType
        `numpy` or `jax.numpy`.

    Returns
    -------
    array (batch, pre) of float
        The scaled rows.
    """
    return np.clip((x - shift) * scale, -clip, clip) * gain


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


def scaling_from_moments(
    mean: Any, variance: Any, spread: Any, np: ModuleType
) -> tuple[Any, Any, Any]:
    """Shift, scale and gain of a presentation.

    Constant columns get scale 0, so they carry nothing. If all columns are constant, all carry
    nothing.

    Parameters
    ----------
    mean, variance, spread : array (pre,) of float
        Mean, population variance and spread of each column.
    np : ModuleType
        `numpy` or `jax.numpy`.

    Returns
    -------
    (array, array, array)
        Shift `(pre,)`, scale `(pre,)` and gain `()`.
    """
    # A column whose spread is rounding noise next to its mean is constant.
    varies = spread > 1e-6 * np.abs(mean) + 1e-12
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    power = np.mean(variance * np.square(scale))
    gain = np.where(power > 0, 1.0 / np.sqrt(np.where(power > 0, power, 1.0)), 1.0)
    return mean, scale, gain


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
