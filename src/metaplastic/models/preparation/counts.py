"""Counts, such as words of texts: weighted as tf-idf, then projected on leading components.

A long document and a short one about the same thing differ in all their counts. So counts are made
sublinear, weighted by how few rows hold the column (inverse document frequency), and every row
gets unit norm. The leading components of the weighted rows (latent semantic analysis, Deerwester et
al. 1990) bring together columns that occur together. With a higher power of their singular
values in their place (the third in `base`), what many rows share weighs more than what is peculiar
to one.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.preparation.base import AbstractPreparation
from metaplastic.models.preparation.directions import weighted_axes
from metaplastic.models.principal import principal_axes
from metaplastic.models.rows import BLOCK_ROWS, dense, row_blocks, unit_rows
from metaplastic.types import Rows

SUMS = 0.25
"""Least standard deviation of the sums of rows of counts, as a part of their mean. Rows of one-hot
codes have equal sums, passages of one length nearly so; texts of natural length differ widely."""


@dataclasses.dataclass(frozen=True, eq=False)
class CountWeights(AbstractPreparation):
    """`unit(unit(log(1 + x) * weights) @ axes - centre)`; `unit` divides a row by its length.

    A row of zeros gives zeros: an empty document, or one of unknown words alone.

    Parameters
    ----------
    weights : ndarray of float32
        Inverse document frequencies `(d,)`; 0 for columns that no row of the pool has.
    axes : ndarray of float32
        Principal axes `(d, m)`, each as long as it weighs, turned by a random rotation, so that the
        presentation scales all components alike.
    centre : ndarray of float32
        Mean of the projected rows of the pool `(m,)`.
    """

    kind: ClassVar[str] = "counts"

    weights: NDArray[np.float32]
    axes: NDArray[np.float32]
    centre: NDArray[np.float32]

    @property
    def n_features_in(self) -> int:
        return self.axes.shape[0]

    @property
    def n_features_out(self) -> int:
        return self.axes.shape[1]

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # A product with a sparse matrix adds up every row by itself, and costs what is not zero.
        sparse = scipy.sparse.csr_array(self.weighted(rows))
        known = np.diff(sparse.indptr) > 0
        return unit_rows((sparse @ self.axes - self.centre) * known[:, None])

    def weighted(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows `(n, d)` as tf-idf of unit length.

        Raises
        ------
        InputError
            For negative entries.
        """
        self.check_rows(rows)
        return unit_rows(np.log1p(rows) * self.weights)

    def check_rows(self, rows: NDArray[np.float32]) -> None:
        if rows.size and rows.min() < 0:
            row, column = (int(i) for i in np.argwhere(rows < 0)[0])
            raise InputError(
                f"counts were learned from, but a row has {rows[row, column]:.3g} in column "
                f"{column} (counted from 0); give counts, or fit with prepare=False"
            )

    def explain(self) -> str:
        return (
            f"{self.n_features_in} columns of counts: log(1 + count), weighted by inverse document "
            f"frequency, projected on {self.n_features_out} components, rows of unit length"
        )

    def check(self) -> str:
        fits = self.axes.ndim == 2 and self.weights.shape == self.axes.shape[:1]
        fits = fits and self.centre.shape == self.axes.shape[1:]
        return "" if fits else "weights, axes and centre of counts do not fit"


def are_counts(x: Rows, zeros: float) -> bool:
    """Whether rows `(n, d)` are counts: nothing negative, mostly zeros, sums that differ.

    Zeros and sums are those of at most `BLOCK_ROWS` rows at even distances.

    Parameters
    ----------
    x : Rows
        The pool.
    zeros : float
        Least share of zeros among columns that are not all zeros.
    """
    if zeros >= 1.0:
        return False
    rows = dense(x[:: -(-x.shape[0] // BLOCK_ROWS)])
    used = rows.any(axis=0)
    sums = rows.sum(axis=1, dtype=np.float64)
    share = float(np.mean(rows[:, used] == 0)) if used.any() else 0.0
    differ = bool(sums.std() > SUMS * sums.mean())
    return share > zeros and differ and all(block.min() >= 0 for block in row_blocks(x))


def fit_counts(x: Rows, n_components: int, power: float = 1.0) -> CountWeights:
    """Weights of the pool `x` `(n, d)`, axes of at most `BLOCK_ROWS` of its rows.

    Parameters
    ----------
    x : Rows
        The pool.
    n_components : int
        Most axes.
    power : float, default=1.0
        Power of the singular values by which components weigh; 1 is a projection.

    Raises
    ------
    InputError
        For negative entries.
    """
    n, d = x.shape
    holding = sum(((rows > 0).sum(axis=0) for rows in row_blocks(x)), np.zeros(d, np.int64))
    weights = np.where(holding > 0, 1.0 + np.log((1.0 + n) / (1.0 + holding)), 0.0)
    weights = np.asarray(weights, np.float32)
    some = dense(x[:: -(-n // BLOCK_ROWS)])
    weighting = CountWeights(weights, np.zeros((d, 1), np.float32), np.zeros(1, np.float32))
    rows = scipy.sparse.csr_array(weighting.weighted(some))
    count = min(n_components, len(some), d)
    from sklearn.decomposition import TruncatedSVD  # Encoders in use do without it.

    leading: Any = TruncatedSVD(count, n_iter=4, random_state=0).fit(rows)
    # Singular vectors of sparse rows are cheap; within them lie the axes of the centred ones.
    projected = np.asarray(rows @ leading.components_.T, np.float32)
    own, variances = principal_axes(projected, count)
    axes = leading.components_.T @ own
    mean = leading.components_.T @ projected.mean(0, dtype=np.float64)
    return CountWeights(weights, *weighted_axes(axes, variances, mean, power))
