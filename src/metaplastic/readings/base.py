"""What a reading is, and what all of them need: products and scores of rows, each by itself."""

import abc
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import softmax

from metaplastic.readings.neighbours import Neighbours

Features = Float[np.ndarray, "row dim"]
Scores = Float[np.ndarray, "row class"]
Labels = Int[np.ndarray, " row"]

WHOLE = 2**25
"""Most numbers of which a copy in float64 is made at once (256 MiB)."""


class AbstractReading(abc.ABC):
    """Reads classes from features of rows, each row by itself.

    A reading is fitted to the features of a pool and to the labels of a few of its rows. What it
    says of a row depends on that row alone, bit for bit, however the rows are split. It is NumPy
    alone, and made of arrays and of fields that JSON can hold, so that a file can keep it.
    """

    @abc.abstractmethod
    def scores(self, features: Features, near: Neighbours | None = None) -> Scores:
        """Scores `(n, C)` of the rows `(n, d)`; the class with the largest is predicted.

        `near` are the nodes of the graph nearest to the rows, where they are known already.
        """

    @abc.abstractmethod
    def probabilities(self, features: Features, near: Neighbours | None = None) -> Scores:
        """Probabilities `(n, C)`, float64, ordered as a row's scores; every row sums to 1."""

    @abc.abstractmethod
    def explain(self) -> str:
        """What was fitted and what is believed, in sentences."""

    @abc.abstractmethod
    def arrays(self) -> dict[str, NDArray]:
        """All arrays, by name."""

    @abc.abstractmethod
    def fields(self) -> dict[str, Any]:
        """All else; values that JSON can hold."""

    @classmethod
    @abc.abstractmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        """The reading of which these are `arrays()` and `fields()`."""


def row_product(rows: Features, weight: Float[np.ndarray, "dim out"]) -> Scores:
    """`rows @ weight`, every row by a vector-matrix product of its own.

    A product of all rows at once adds up in an order that depends on a row's place, so that its
    last bits would too.
    """
    return (np.ascontiguousarray(rows)[:, None, :] @ weight)[:, 0]


def overall_factor(features: Features) -> float:
    """One over the standard deviation of all numbers `(n, d)` together; 1 if they are all equal."""
    if features.size <= WHOLE:
        deviation = float(np.std(features, dtype=np.float64))
    else:  # the copies that NumPy makes are twice as large as the features
        mean = features.mean(dtype=np.float64)
        parts = np.array_split(features, features.size // WHOLE + 1)
        total = sum(float(np.square(part.astype(np.float64) - mean).sum()) for part in parts)
        deviation = float(np.sqrt(total / features.size))
    return 1.0 / deviation if deviation > 0 else 1.0


def one_hot(labels: Labels, n_classes: int) -> Scores:
    """Rows of zeros with a one in the place of the label."""
    return np.eye(n_classes)[labels]


def sharpened(scores: Scores, sharpness: float) -> Scores:
    """`softmax(sharpness * scores)`, row by row."""
    return softmax(sharpness * scores, axis=1)
