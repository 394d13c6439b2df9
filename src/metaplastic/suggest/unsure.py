"""How unsure a reading is of the rows of its pool."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from metaplastic.readings import AbstractReading, ReadingPool


def unsure_rows(
    pool: ReadingPool,
    head: str,
    rows: Int[np.ndarray, " labelled"],
    labels: Shaped[np.ndarray, " labelled"],
) -> Float[np.ndarray, " row"] | None:
    """Of every row of the pool the chance that a reading of the labelled rows is wrong.

    Parameters
    ----------
    pool : ReadingPool
        Features of all rows.
    head : str
        A name of `READINGS`.
    rows : ndarray (labelled,) of int
        Numbers of the labelled rows.
    labels : ndarray (labelled,)
        Labels of these rows, of any type.

    Returns
    -------
    ndarray (row,) of float or None
        `None` with labels of fewer than two classes, which nothing can be read from.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return None
    return doubts(pool, pool.fit(head, rows, numbers.astype(np.int64)))


def doubts(pool: ReadingPool, reading: AbstractReading) -> Float[np.ndarray, " row"]:
    """How unsure a reading is of every row: one minus the largest probability.

    Parameters
    ----------
    pool : ReadingPool
        Features of all rows.
    reading : AbstractReading
        A reading that was fitted to labelled rows.

    Returns
    -------
    ndarray (row,) of float
        One number for every row, from 0 to 1.
    """
    return 1.0 - pool.probabilities(reading, np.arange(len(pool.features))).max(1)
