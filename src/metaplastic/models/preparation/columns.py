"""Columns with heavy tails become logarithms; columns that are dead become constant.

A heavy tail leaves most rows of a column on one small spot. Logarithms of the distance from the
median, on both sides of it, spread them out, whatever the unit, and keep far values far. Ranks do
the first, not the second. The map is monotone and piecewise linear, so a few knots store it.
"""

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from metaplastic.models.preparation.base import AbstractPreparation
from metaplastic.models.preparation.settings import PreparationSettings
from metaplastic.models.rows import block_rows, dense
from metaplastic.types import Rows

FEW = 10
"""Columns of at most so many distinct values stay as they are: codes, not measurements."""

ALIKE = 10.0
"""How far standard deviations of columns may differ where a tiny one counts as dead: from the 10th
to the 90th percentile, at most by this factor."""


Line = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Knots and heights of one column."""


@dataclasses.dataclass(frozen=True, eq=False)
class ColumnCurves(AbstractPreparation):
    """Some columns mapped by `numpy.interp(x, knots[i], heights[i])`; the others as they are.

    Beyond the first and last knot a column is constant. A dead column has equal heights.

    Parameters
    ----------
    columns : ndarray of float32
        Numbers of the mapped columns `(r,)`, rising.
    knots : ndarray of float32
        `(r, k)`, each row rising; a row of fewer ends in copies of its last one.
    heights : ndarray of float32
        `(r, k)`, what knots are mapped to.
    width : ndarray of float32
        How many columns there are, `()`.
    """

    kind: ClassVar[str] = "curves"

    columns: NDArray[np.float32]
    knots: NDArray[np.float32]
    heights: NDArray[np.float32]
    width: NDArray[np.float32]

    @property
    def n_features_in(self) -> int:
        return int(self.width)

    @property
    def n_features_out(self) -> int:
        return int(self.width)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """`columns` as integers."""
        return self.columns.astype(np.int64)

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        prepared = rows.copy()
        for column, knots, heights in zip(self.numbers, self.knots, self.heights, strict=True):
            prepared[:, column] = np.interp(rows[:, column], knots, heights)
        return prepared

    def explain(self) -> str:
        dead = int(np.sum(np.ptp(self.heights, axis=1) == 0))
        drawn = len(self.columns) - dead
        parts = [f"{drawn} with heavy tails drawn in"] * (drawn > 0)
        parts += [f"{dead} that hardly vary left out"] * (dead > 0)
        return f"of {self.n_features_in} columns, {' and '.join(parts)}"

    def check(self) -> str:
        if self.columns.ndim != 1 or self.width.ndim or not 1 <= self.width < 2**24:
            return "columns and width of curves have wrong shapes"
        shape = self.knots.shape
        if len(shape) != 2 or shape != self.heights.shape or shape[0] != len(self.columns):
            return "knots and heights of curves do not fit"
        numbers = self.numbers
        if np.any(numbers != self.columns) or np.any(np.diff(numbers) <= 0):
            return "columns of curves are no rising whole numbers"
        if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < self.width:
            return "columns of curves are none of the inputs"
        if shape[1] < 1 or np.any(np.diff(self.knots) < 0):
            return "knots of curves do not rise"
        return ""


def fit_columns(x: Rows, settings: PreparationSettings) -> ColumnCurves | None:
    """What the columns of the pool `x` `(n, d)` ask for; `None` if all stay as they are.

    Constant columns are none of them: the presentation leaves them out. At most `block_rows` rows
    at even distances are looked at.
    """
    rows = dense(x[:: -(-x.shape[0] // block_rows(x.shape[1]))])
    dead = _dead(rows, settings.dead)
    heavy = _heavy(rows, settings.tail) & ~dead
    numbers = np.flatnonzero(dead | heavy)
    if len(numbers) == 0:
        return None
    count = settings.quantiles if heavy.any() else 1
    knots, heights = np.zeros((2, len(numbers), count), np.float32)
    for i, number in enumerate(numbers):
        if heavy[number]:
            knots[i], heights[i] = _CURVES[settings.shape](rows[:, number], count)
    return ColumnCurves(
        numbers.astype(np.float32), knots, heights, np.asarray(x.shape[1], np.float32)
    )


def _dead(rows: NDArray[np.float32], part: float) -> NDArray[np.bool_]:
    deviations = rows.std(axis=0, dtype=np.float64)
    low, high = np.quantile(deviations, [0.1, 0.9])
    alike = 0 < high <= ALIKE * low
    return (deviations > 0) & (deviations < part * low) & alike


def _heavy(rows: NDArray[np.float32], tail: float) -> NDArray[np.bool_]:
    """Columns of more than `FEW` values whose spread is more than `tail` deviations."""
    heavy = np.zeros(rows.shape[1], bool)
    if tail == 0.0:
        return heavy
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    deviations = np.sqrt(np.mean(np.square(centred), axis=0))
    varies = deviations > 1e-6 * np.abs(rows).max(axis=0)
    spreads = np.mean((centred / np.where(varies, deviations, 1)) ** 8, axis=0) ** (1 / 8)
    for column in np.flatnonzero(varies & (spreads > tail)):
        heavy[column] = len(np.unique(rows[:, column])) > FEW
    return heavy


def _logarithms(values: NDArray[np.float32], count: int) -> Line:
    """`asinh` of the deviations from the median, in mean deviations; knots at even heights."""
    middle = np.median(values.astype(np.float64))
    deviations = values - middle
    unit = np.mean(np.abs(deviations))
    low, high = np.arcsinh(deviations.min() / unit), np.arcsinh(deviations.max() / unit)
    heights = np.linspace(low, high, count)
    knots = np.maximum.accumulate((middle + unit * np.sinh(heights)).astype(np.float32))
    return knots, heights.astype(np.float32)


def _ranks(values: NDArray[np.float32], count: int) -> Line:
    """Ranks from -1 to 1, of equal values their mean; knots at even ranks."""
    ordered = np.sort(values)
    wanted = np.linspace(0, len(ordered) - 1, count).round().astype(np.int64)
    knots = np.unique(ordered[wanted])
    below = np.searchsorted(ordered, knots, "left")
    through = np.searchsorted(ordered, knots, "right")
    heights = (below + through) / len(ordered) - 1.0
    more = (0, count - len(knots))
    return (
        np.pad(knots, more, "edge").astype(np.float32),
        np.pad(heights, more, "edge").astype(np.float32),
    )


_CURVES = {"logarithm": _logarithms, "ranks": _ranks}
"""By `PreparationSettings.shape`."""
