"""What every learner does with a pool of unlabelled rows: check, scale, subsample, batch."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models import (
    PLAIN,
    Presentation,
    PresentationSettings,
    Whitening,
    apply_scaling,
    block_rows,
    dense,
    principal_axes,
    row_blocks,
    scaling_from_moments,
    whitening_from_moments,
)
from metaplastic.types import Rows

FREEZE_ROWS = 10_000
"""Most rows of the pool whose statistics are folded into the weights."""

WHITENING_ROWS = 2048
"""Most rows of a pool that a whitening is fitted to."""


def check_pool(x: Rows) -> Rows:
    """Return the pool `x` (array or SciPy sparse matrix, `(n, d)`, real) or say what is wrong.

    Raises
    ------
    InputError
        Unless there are two dimensions, two rows, a column, and only finite numbers that float32
        can hold.
    """
    if hasattr(x, "tocsr"):
        x = x.tocsr()  # other sparse formats have no rows to slice
    elif not hasattr(x, "dtype"):
        x = np.asarray(x)
    if len(x.shape) != 2:
        raise InputError(f"inputs must have two dimensions (rows, columns), got shape {x.shape}")
    if x.shape[0] < 2 or x.shape[1] < 1:
        raise InputError(f"at least 2 rows and 1 column are needed to learn, got shape {x.shape}")
    if x.dtype.kind not in "buif":
        raise InputError(f"inputs must be real numbers, got dtype {x.dtype}; encode them first")
    for rows in row_blocks(x):
        if not np.all(np.isfinite(rows)):
            raise InputError(
                "inputs hold NaN, infinity or numbers beyond float32; impute or rescale them first"
            )
    return x


def pool_presentation(x: Rows, settings: PresentationSettings = PLAIN) -> Presentation:
    """The presentation fitted to the whole pool `x` `(n, d)`; moments are summed in float64.

    A whitening is fitted to at most `WHITENING_ROWS` rows of the pool.
    """
    scaling = _pool_scaling(x, settings)
    if not settings.whitens(x.shape[1]):
        return scaling
    rows = subsample(x, min(WHITENING_ROWS, block_rows(x.shape[1])), seed=0)
    presented = apply_scaling(
        dense(rows), scaling.shift, scaling.scale, scaling.clip, scaling.gain, np
    )
    axes, variances = principal_axes(presented, settings.components + 1)
    total = float(np.sum(np.var(presented, axis=0, dtype=np.float64)))
    moments = whitening_from_moments(axes, variances, total, settings.whitening, settings.floor, np)
    return dataclasses.replace(
        scaling, whitening=Whitening(*(np.asarray(m, np.float32) for m in moments))
    )


def _pool_scaling(x: Rows, settings: PresentationSettings) -> Presentation:
    n = x.shape[0]
    mean = sum((rows.sum(0, dtype=np.float64) for rows in row_blocks(x)), np.zeros(x.shape[1])) / n
    variance, power = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for rows in row_blocks(x):
        squares = np.square(rows - mean)
        variance += squares.sum(0) / n
        power += (squares ** (settings.order // 2)).sum(0) / n
    moments = scaling_from_moments(mean, variance, power ** (1.0 / settings.order), np)
    shift, scale, gain = (np.asarray(m, np.float32) for m in moments)
    return Presentation(shift, scale, gain, clip=settings.clip)


def subsample(x: Rows, limit: int, *, seed: int) -> Rows:
    """At most `limit` rows of `x`, chosen at random without replacement, in their order."""
    if x.shape[0] <= limit:
        return x
    rows = np.random.default_rng([seed, 2]).choice(x.shape[0], limit, replace=False)
    return x[np.sort(rows)]


class Shuffled:
    """An endless stream of row numbers: shuffled epochs, one after another."""

    def __init__(self, n: int, *, seed: int) -> None:
        self._n = n
        self._generator = np.random.default_rng([seed, 1])
        self._left = np.zeros(0, np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        """The next `count` row numbers."""
        while len(self._left) < count:
            self._left = np.concatenate([self._left, self._generator.permutation(self._n)])
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def draw_batches(x: Rows, rows: Shuffled, count: int, batch_size: int) -> NDArray[np.float32]:
    """The next `count` batches `(count, min(batch_size, n), d)`, dense float32."""
    size = min(batch_size, x.shape[0])
    return dense(x[rows.take(count * size)]).reshape(count, size, x.shape[1])
