"""Columns scaled one by one: the first half of a presentation, for JAX and for NumPy alike."""

import dataclasses
from types import ModuleType
from typing import Any

from metaplastic.errors import InputError


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
