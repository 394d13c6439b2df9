"""What every learner does with a pool of unlabelled rows: check, scale, subsample, batch."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models import (
    N_WHITENED,
    PRINCIPAL_ROWS,
    InputScaling,
    Whitening,
    block_rows,
    dense,
    is_whitened,
    principal_axes,
    scaling,
    scaling_from_moments,
    whitening_from_moments,
)
from metaplastic.types import Rows

LEAST_ROWS = 2048
"""Most rows that `share_of_least` looks at."""


def check_pool(x: Rows) -> Rows:
    """Return the pool `x` (array or SciPy sparse matrix, `(n, d)`, real) or say what is wrong.

    Raises:
        InputError: unless there are two dimensions, two rows, a column, and only finite numbers
            that float32 can hold.
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


def row_blocks(x: Rows) -> Iterator[NDArray[np.float32]]:
    """The rows of `x` in order, dense float32, at most `block_rows` at a time."""
    size = block_rows(x.shape[1])
    for start in range(0, x.shape[0], size):
        with np.errstate(over="ignore"):  # an overflow shows as an infinity, which callers check
            yield dense(x[start : start + size])


def pool_scaling(x: Rows) -> InputScaling:
    """Presentation of the inputs fitted to the whole pool; moments are summed in float64."""
    n = x.shape[0]
    mean = sum((rows.sum(0, dtype=np.float64) for rows in row_blocks(x)), np.zeros(x.shape[1])) / n
    variance, power = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for rows in row_blocks(x):
        squares = np.square(rows - mean)
        variance += squares.sum(0) / n
        power += (squares ** (scaling.ORDER // 2)).sum(0) / n
    moments = scaling_from_moments(mean, variance, power ** (1.0 / scaling.ORDER), np)
    shift, scale, gain = (jnp.asarray(m, jnp.float32) for m in moments)
    return InputScaling(shift, scale, gain)


def pool_presentation(x: Rows, whitening: float) -> InputScaling:
    """`pool_scaling`, and `whitening` of that power fitted to rows of the pool (`is_whitened`)."""
    found = pool_scaling(x)
    if not is_whitened(x.shape[1], whitening):
        return found
    rows = subsample(x, min(PRINCIPAL_ROWS, block_rows(x.shape[1])), seed=0)
    presented = np.asarray(found.plain(jnp.asarray(dense(rows))))
    axes, variances = principal_axes(presented, N_WHITENED + 1)
    total = float(np.sum(np.var(presented, axis=0, dtype=np.float64)))
    moments = whitening_from_moments(axes, variances, total, whitening, np)
    return dataclasses.replace(
        found, whitening=Whitening(*(jnp.asarray(m, jnp.float32) for m in moments))
    )


def subsample(x: Rows, limit: int, *, seed: int) -> Rows:
    """At most `limit` rows of `x`, chosen at random without replacement, in their order."""
    if x.shape[0] <= limit:
        return x
    rows = np.random.default_rng([seed, 2]).choice(x.shape[0], limit, replace=False)
    return x[np.sort(rows)]


def share_of_least(x: Rows) -> float:
    """Share of the entries that are the least of their column, among columns that vary.

    Near 1 for bags of words, whose zeros are the least however columns were shifted and scaled.
    At most `LEAST_ROWS` rows at even distances are looked at, fewer of wide ones.
    """
    most = min(LEAST_ROWS, block_rows(x.shape[1]))
    rows = dense(x[:: -(-x.shape[0] // most)])
    least = rows.min(0)
    varying = rows.max(0) > least
    return float(np.mean((rows == least)[:, varying])) if varying.any() else 0.0


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
