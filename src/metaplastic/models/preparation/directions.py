"""Rows of one length, such as embeddings of a pretrained network: directions, not points.

Such rows differ in many directions a little. The few directions in which many rows differ tell more
of their classes than the many others, so they get more weight.
"""

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from metaplastic.models.preparation.base import AbstractPreparation
from metaplastic.models.principal import principal_axes
from metaplastic.models.rows import dense, row_blocks, row_product, unit_rows
from metaplastic.types import Rows

MOST_ROWS = 2048
"""Most rows of which axes are taken."""

ROUNDING = 1e-10
"""Least variance along an axis that is no rounding, relative to the squared length of rows."""

LENGTHS = 1e-3
"""Largest difference of the lengths of rows from the first one's, as a part of it."""

ZEROS = 0.5
"""Share of zeros from which on rows of one length may be codes, not directions."""


@dataclasses.dataclass(frozen=True, eq=False)
class Directions(AbstractPreparation):
    """`unit(x @ axes - centre)`, where `unit` divides a row by its length.

    Parameters
    ----------
    axes : ndarray of float32
        Principal axes `(d, m)`, each as long as it weighs, turned by a random rotation, so that the
        presentation scales all components alike.
    centre : ndarray of float32
        Mean of the projected rows of the pool `(m,)`.
    """

    kind: ClassVar[str] = "directions"

    axes: NDArray[np.float32]
    centre: NDArray[np.float32]

    @property
    def n_features_in(self) -> int:
        return self.axes.shape[0]

    @property
    def n_features_out(self) -> int:
        return self.axes.shape[1]

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return unit_rows(row_product(rows, self.axes) - self.centre)

    def explain(self) -> str:
        return (
            f"rows of one length, {self.n_features_in} columns projected on "
            f"{self.n_features_out} components, then made of one length again"
        )

    def check(self) -> str:
        fits = self.axes.ndim == 2 and self.centre.shape == self.axes.shape[1:]
        return "" if fits else "axes and centre of directions do not fit"


def are_directions(x: Rows) -> bool:
    """Whether the rows `(n, d)` are dense and of one length, and differ."""
    some = dense(x[: min(MOST_ROWS, x.shape[0])])
    with np.errstate(over="ignore", invalid="ignore"):  # Rows of 1e30 are not of one length.
        length = float(np.linalg.norm(some[0]))
        if not length > 0 or np.mean(some == 0) > ZEROS or not np.ptp(some, axis=0).any():
            return False
        apart = (np.abs(np.linalg.norm(rows, axis=1) - length).max() for rows in row_blocks(x))
        return all(float(most) <= LENGTHS * length for most in apart)


def fit_directions(x: Rows, n_components: int, power: float) -> Directions:
    """Axes of at most `MOST_ROWS` rows of the pool `x` `(n, d)`.

    Parameters
    ----------
    x : Rows
        The pool; its rows differ.
    n_components : int
        Most axes.
    power : float
        Power of the singular values by which components weigh; 1 is a projection.
    """
    rows = dense(x[:: -(-x.shape[0] // MOST_ROWS)])
    axes, variances = principal_axes(rows, n_components)
    axes, centre = weighted_axes(axes, variances, rows.mean(0, dtype=np.float64), power)
    return Directions(axes, centre)


def weighted_axes(
    axes: NDArray[np.float64],
    variances: NDArray[np.float64],
    mean: NDArray[np.float64],
    power: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Axes `(d, m)` that weigh by a power of their deviations, turned at random; their centre.

    The `mean` `(d,)` is that of rows before they are projected.
    """
    weights = np.power(variances / max(float(variances[0]), ROUNDING), (power - 1.0) / 2.0)
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(axes.shape[1],) * 2))[0]
    weighted = (axes * weights) @ turned
    return (
        np.ascontiguousarray(weighted, np.float32),
        np.asarray(mean @ weighted, np.float32),
    )
