"""Rows of a pool, a block at a time: dense in memory, whatever their number and width."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from metaplastic.types import Rows

BLOCK_ROWS = 4096
BLOCK_NUMBERS = 2**24
"""Rows that are dense in memory at a time: at most so many, and fewer where they are so wide that
they would hold more numbers than this (64 MiB)."""

LEAST_ROWS = 2048
"""Most rows that `share_of_least` looks at."""


def block_rows(n_columns: int) -> int:
    """Number of rows that are made dense at a time.

    Parameters
    ----------
    n_columns : int
        Number of columns.

    Returns
    -------
    int
        Number of rows.
    """
    return min(BLOCK_ROWS, max(1, BLOCK_NUMBERS // max(1, n_columns)))


def dense(rows: Rows) -> NDArray[np.float32]:
    """A block of rows as a dense float32 array.

    Parameters
    ----------
    rows : array-like or sparse matrix
        A few rows `(n, d)`.

    Returns
    -------
    ndarray of float32
        The rows `(n, d)`.
    """
    # In row order: a product with strided rows would take another path.
    return np.ascontiguousarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float32)


def row_blocks(x: Rows) -> Iterator[NDArray[np.float32]]:
    """The rows of `x` in order, dense float32, at most `block_rows` at a time.

    Parameters
    ----------
    x : Rows
        Rows `(n, d)`.

    Yields
    ------
    ndarray of float32
        Dense rows.
    """
    size = block_rows(x.shape[1])
    for start in range(0, x.shape[0], size):
        with np.errstate(over="ignore"):  # an overflow shows as an infinity, which callers check
            yield dense(x[start : start + size])


def in_blocks(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]], x: Rows
) -> NDArray[np.float32]:
    """Apply a row-wise function to blocks of `block_rows` rows.

    Parameters
    ----------
    function : callable
        Called with dense float32 rows `(m, pre)`.
    x : Rows
        Array `(n, pre)` of any real dtype, or a SciPy sparse matrix, which is made dense one block
        at a time.

    Returns
    -------
    ndarray of float32
        The results below one another.
    """
    parts = []
    size = block_rows(x.shape[1])
    for start in range(0, x.shape[0], size):
        rows = dense(x[start : start + size])
        parts.append(np.asarray(function(rows), np.float32))
    return np.concatenate(parts)


def share_of_least(x: Rows) -> float:
    """Share of the entries that are the least of their column, among columns that vary.

    Near 1 for bags of words, whose zeros are the least however columns were shifted and scaled.
    At most `LEAST_ROWS` rows at even distances are looked at, fewer of wide ones.

    Parameters
    ----------
    x : Rows
        Rows `(n, d)`.

    Returns
    -------
    float
        A number from 0 to 1.
    """
    most = min(LEAST_ROWS, block_rows(x.shape[1]))
    rows = dense(x[:: -(-x.shape[0] // most)])
    least = rows.min(0)
    varying = rows.max(0) > least
    return float(np.mean((rows == least)[:, varying])) if varying.any() else 0.0


def row_product(rows: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows @ weight`, every row by a vector-matrix product of its own.

    A product of all rows at once works on tiles of rows and adds up a partial tile in another
    order, so that the last bits of a row would depend on its place. Some 3 times slower.

    Parameters
    ----------
    rows : ndarray of float32
        `(n, pre)`.
    weight : ndarray of float32
        `(pre, post)`, or blocks `(k, pre / k, post / k)` on the diagonal of such a matrix.
    """
    if weight.ndim == 2:
        return (rows[:, None, :] @ weight)[:, 0]
    apart = rows.reshape(len(rows), len(weight), 1, -1)
    return (apart @ weight).reshape(len(rows), -1)


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows `(n, d)` divided by their lengths; rows of zeros stay."""
    lengths = np.sqrt(np.sum(np.square(rows), axis=1, keepdims=True))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
