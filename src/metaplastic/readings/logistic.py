"""Multinomial logistic regression (C = 1) on features standardised over the pool."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from metaplastic.readings.base import (
    AbstractReading,
    Features,
    Labels,
    Scores,
    row_product,
    sharpened,
)
from metaplastic.readings.neighbours import Neighbours


@dataclasses.dataclass(frozen=True, eq=False)
class LogisticReading(AbstractReading):
    """`scores = ((features - shift) * factor) @ weight + bias`; probabilities are their softmax."""

    shift: Float[np.ndarray, " dim"]
    factor: Float[np.ndarray, " dim"]
    weight: Float[np.ndarray, "dim class"]
    bias: Float[np.ndarray, " class"]
    n_labelled: int

    def scores(self, features: Features, near: Neighbours | None = None) -> Scores:
        presented = (np.asarray(features, np.float64) - self.shift) * self.factor
        return row_product(presented, self.weight) + self.bias

    def probabilities(self, features: Features, near: Neighbours | None = None) -> Scores:
        return sharpened(self.scores(features), 1.0)

    def explain(self) -> str:
        return (
            f"Logistic regression (C = 1) read {self.weight.shape[1]} classes from "
            f"{self.n_labelled} labelled rows, on features standardised over the pool."
        )

    def arrays(self) -> dict[str, NDArray]:
        names = ("shift", "factor", "weight", "bias")
        return {name: getattr(self, name) for name in names}

    def fields(self) -> dict[str, Any]:
        return {"n_labelled": self.n_labelled}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        return cls(**arrays, **fields)


def standardisation(
    pool: Features,
) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]:
    """Mean of every column, and one over its standard deviation; 0 for constant ones."""
    mean, deviation = pool.mean(0, dtype=np.float64), pool.std(0, dtype=np.float64)
    # A column whose spread is rounding noise next to its mean is constant.
    varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    return mean, np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)


def fit_logistic(
    shift: Float[np.ndarray, " dim"],
    factor: Float[np.ndarray, " dim"],
    support: Features,
    labels: Labels,
) -> LogisticReading:
    """Fit to labelled rows.

    The penalised solution lies in the span of the support, so wide features are first rotated
    into it: an exact change of coordinates that makes the fit independent of the width.

    Parameters
    ----------
    shift, factor : ndarray (dim,) of float
        `standardisation` of the pool.
    support : Features
        Features of the labelled rows.
    labels : Labels
        Class numbers of the support, `0..C-1`, each at least once, `C >= 2`.
    """
    x = (np.asarray(support, np.float64) - shift) * factor
    wide = x.shape[1] > x.shape[0]
    # Predicting does without scikit-learn's models.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    basis = np.linalg.svd(x, full_matrices=False)[2].T if wide else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted: Any = LogisticRegression(C=1.0, max_iter=300).fit(
            x if basis is None else x @ basis, labels
        )
    weight, bias = fitted.coef_.T, fitted.intercept_
    if weight.shape[1] == 1:  # scikit-learn keeps one column for two classes
        weight, bias = weight * [-0.5, 0.5], bias * [-0.5, 0.5]
    weight = weight if basis is None else basis @ weight
    return LogisticReading(shift, factor, np.ascontiguousarray(weight), bias, len(labels))
