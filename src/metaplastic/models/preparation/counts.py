"""Counts, such as words of texts: weighted as tf-idf, then projected on leading components.

A long document and a short one about the same thing differ in all their counts. So counts are made
sublinear, weighted by how few rows hold the column (inverse document frequency), and every row
gets unit norm. The leading singular vectors of the weighted rows (latent semantic analysis,
Deerwester et al. 1990) bring together columns that occur together.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.preparation.base import AbstractPreparation
from metaplastic.models.rows import BLOCK_ROWS, dense, row_blocks
from metaplastic.types import Rows

SUMS = 0.25
"""Least standard deviation of the sums of rows of counts, as a part of their mean. Rows of one-hot
codes have equal sums, passages of one length nearly so; texts of natural length differ widely."""


@dataclasses.dataclass(frozen=True, eq=False)
class CountWeights(AbstractPreparation):
    """`unit(log(1 + x) * weights) @ axes`, where `unit` divides a row by its length.

    A row of zeros gives zeros: an empty document, or one of unknown words alone.

    Parameters
    ----------
    weights : ndarray of float32
        Inverse document frequencies `(d,)`; 0 for columns that no row of the pool has.
    axes : ndarray of float32
        Singular vectors `(d, m)`, turned by a random rotation, so that the presentation scales all
        components alike.
    """

    kind: ClassVar[str] = "counts"

    weights: NDArray[np.float32]
    axes: NDArray[np.float32]

    @property
    def n_features_in(self) -> int:
        return self.axes.shape[0]

    @property
    def n_features_out(self) -> int:
        return self.axes.shape[1]

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        # A product with a sparse matrix adds up every row by itself, and costs what is not zero.
        return scipy.sparse.csr_array(self.weighted(rows)) @ self.axes

    def weighted(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows `(n, d)` as tf-idf of unit length.

        Raises
        ------
        InputError
            For negative entries.
        """
        self.check_rows(rows)
        weighted = np.log1p(rows) * self.weights
        lengths = np.sqrt(np.sum(np.square(weighted), axis=1, keepdims=True))
        return np.asarray(weighted / np.where(lengths > 0, lengths, 1), np.float32)

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
            f"frequency, rows of unit length, projected on {self.n_features_out} components"
        )

    def check(self) -> str:
        fits = self.axes.ndim == 2 and self.weights.shape == self.axes.shape[:1]
        return "" if fits else "weights and axes of counts do not fit"


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


def fit_counts(x: Rows, n_components: int) -> CountWeights:
    """Weights of the pool `x` `(n, d)`, axes of at most `BLOCK_ROWS` of its rows.

    Raises
    ------
    InputError
        For negative entries.
    """
    n, d = x.shape
    holding = sum(((rows > 0).sum(axis=0) for rows in row_blocks(x)), np.zeros(d, np.int64))
    weights = np.where(holding > 0, 1.0 + np.log((1.0 + n) / (1.0 + holding)), 0.0)
    weighting = CountWeights(weights.astype(np.float32), np.zeros((d, 1), np.float32))
    rows = weighting.weighted(dense(x[:: -(-n // BLOCK_ROWS)]))
    count = min(n_components, *rows.shape)
    from sklearn.decomposition import TruncatedSVD  # Encoders in use do without it.

    leading: Any = TruncatedSVD(count, n_iter=4, random_state=0)
    leading.fit(scipy.sparse.csr_array(rows))
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(count, count)))[0]
    return dataclasses.replace(
        weighting, axes=np.ascontiguousarray(leading.components_.T @ turned, np.float32)
    )
