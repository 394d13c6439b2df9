"""Whether a pool fits into memory, and what tells it from others."""

import hashlib
from typing import Any

import numpy as np

from metaplastic.errors import InputError
from metaplastic.readings.memory import free_memory

TIMES = 6
"""Size of all that is kept of a pool, relative to its features."""

SAMPLE = 1000
"""Rows that tell a pool from others."""


def check_memory(n_rows: int, n_features: int, free: int | None = None) -> None:
    """Raise `InputError` if a pool is too large for the memory that is free.

    Parameters
    ----------
    n_rows : int
        Of the pool.
    n_features : int
        Of a row.
    free : int, optional
        Bytes; what the system says if left out.
    """
    free = free_memory() if free is None else free
    needed = TIMES * 4 * n_rows * n_features
    if free is not None and needed > free:
        most = max(free // (TIMES * 4 * n_features), 1)
        raise InputError(
            f"{n_rows:,} rows need about {needed / 2**30:.1f} GiB of memory, and "
            f"{free / 2**30:.1f} are free; give a sample of at most {most:,} rows"
        )


def checksum(x: Any) -> str:
    """Of the shape of `x` `(n, d)`, array or CSR matrix, and of some of its rows."""
    rows = x[:: max(1, x.shape[0] // SAMPLE)]
    values = np.asarray(rows.toarray() if hasattr(rows, "tocsr") else rows, np.float64)
    digest = hashlib.sha256(repr(tuple(x.shape)).encode())
    digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]
