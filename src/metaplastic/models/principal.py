"""Leading principal axes of rows."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray


def principal_axes(
    x: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leading principal axes of rows, and the variances along them.

    Parameters
    ----------
    x : ndarray of float32
        Rows `(n, d)`.
    count : int
        Number of axes. There are at most `d` and at most `n - 1`, but at least 1.

    Returns
    -------
    (ndarray of float64, ndarray of float64)
        Axes as columns `(d, m)`, and variances `(m,)`. The largest number of every axis is
        positive: eigenvectors have no sign of their own, and LAPACK's depends on the processor.
    """
    n, d = x.shape
    centred = np.asarray(x - x.mean(0), np.float64)
    count = max(1, min(count, d, n - 1))
    small = d <= n
    products = centred.T @ centred if small else centred @ centred.T
    first = len(products) - count
    values, vectors = scipy.linalg.eigh(products, subset_by_index=(first, len(products) - 1))
    values = np.maximum(values[::-1], 0.0)
    axes = vectors[:, ::-1] if small else centred.T @ vectors[:, ::-1]
    lengths = np.linalg.norm(axes, axis=0)
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(count)]
    return axes / np.copysign(np.where(lengths > 0, lengths, 1.0), largest), values / n
