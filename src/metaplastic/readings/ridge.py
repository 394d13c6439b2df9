"""Ridge regression to targets -1 and 1, its strength chosen by leave-one-out."""

import dataclasses
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
    one_hot,
    row_product,
    sharpened,
)
from metaplastic.readings.neighbours import Neighbours
from metaplastic.readings.sharpness import expected_sharpness, fit_sharpness

STRENGTHS = np.logspace(-3, 3, 13)
"""What ridge chooses from by leave-one-out."""

CACHED_ROWS = 256
"""Rows that are scored at a time: few enough to stay in the processor's cache."""

PAPER_STRENGTH = 0.1
"""Ridge of Metz et al. 2018, added to the summed (not the mean) Gram matrix."""


@dataclasses.dataclass(frozen=True, eq=False)
class RidgeReading(AbstractReading):
    """`scores = (features * factor) @ weight + bias`; probabilities `softmax(sharpness scores)`."""

    factor: float
    weight: Float[np.ndarray, "dim class"]
    bias: Float[np.ndarray, " class"]
    sharpness: float
    strength: float
    n_labelled: int

    def scores(self, features: Features, near: Neighbours | None = None) -> Scores:
        parts = [
            row_product(np.asarray(rows, np.float64) * self.factor, self.weight)
            for rows in np.split(features, range(CACHED_ROWS, len(features), CACHED_ROWS))
        ]
        return np.concatenate(parts) + self.bias

    def probabilities(self, features: Features, near: Neighbours | None = None) -> Scores:
        return sharpened(self.scores(features), self.sharpness)

    def explain(self) -> str:
        return (
            f"Ridge regression read {self.weight.shape[1]} classes from {self.n_labelled} labelled "
            f"rows; leave-one-out chose strength {self.strength:.3g}."
        )

    def arrays(self) -> dict[str, NDArray]:
        return {"weight": self.weight, "bias": self.bias}

    def fields(self) -> dict[str, Any]:
        names = ("factor", "sharpness", "strength", "n_labelled")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        return cls(**arrays, **fields)


@dataclasses.dataclass(frozen=True, eq=False)
class RidgeFit:
    """Ridge on centred rows: what it says of each when fitted without it, and the solution."""

    strength: float
    weight: Float[np.ndarray, "dim class"]
    bias: Float[np.ndarray, " class"]
    fitted: Scores
    held_out: Scores


def read_ridge(factor: float, support: Features, labels: Labels) -> tuple[RidgeReading, Scores]:
    """Fit to labelled rows; the reading, and the scores of every labelled row left out.

    Parameters
    ----------
    factor : float
        Factor of the features: `overall_factor` of the pool, or 1 if they are divided already.
    support : Features
        Features of the labelled rows.
    labels : Labels
        Class numbers of the support, `0..C-1`, each at least once, `C >= 2`.
    """
    x = np.asarray(support, np.float64) * factor
    targets = 2.0 * one_hot(labels, int(labels.max()) + 1) - 1.0
    fit = solve_ridge(x, targets)
    # A class's only row, left out, says nothing of how sure the scores should be.
    several = np.bincount(labels)[labels] > 1
    expected = expected_sharpness(fit.fitted, labels)
    sharpness = fit_sharpness(fit.held_out[several], labels[several], expected)
    reading = RidgeReading(factor, fit.weight, fit.bias, sharpness, fit.strength, len(labels))
    return reading, fit.held_out


def solve_ridge(
    x: Features, targets: Scores, strengths: Float[np.ndarray, " strength"] = STRENGTHS
) -> RidgeFit:
    """Ridge with an unpenalised bias, of the strength with the least leave-one-out error.

    One singular value decomposition serves all strengths. Of equal errors the first is taken, as
    scikit-learn's `RidgeClassifierCV` does. Held-out scores are `y - (y - H y) / (1 - diag H)`, H
    the hat matrix (Allen 1974, PRESS).
    """
    mean, target_mean = x.mean(0), targets.mean(0)
    left, singular, right = np.linalg.svd(x - mean, full_matrices=False)
    centred = left.T @ (targets - target_mean)
    best = None
    for strength in strengths:
        shrink = singular**2 / (singular**2 + strength)
        fitted = target_mean + (left * shrink) @ centred
        leverage = 1.0 / len(x) + np.square(left) @ shrink
        held_out = targets - (targets - fitted) / np.maximum(1.0 - leverage, 1e-9)[:, None]
        error = float(np.mean(np.square(targets - held_out)))
        if best is None or error < best[0]:
            best = (error, float(strength), fitted, held_out)
    assert best is not None
    _, strength, fitted, held_out = best
    weight = right.T @ (centred * (singular / (singular**2 + strength))[:, None])
    return RidgeFit(strength, weight, target_mean - mean @ weight, fitted, held_out)


def fit_paper_ridge(support: Features, labels: Labels) -> RidgeReading:
    """Ridge 0.1 on the summed Gram matrix, bias unpenalised.

    Source: Metz et al. 2018 (arXiv 1804.00222), section 4.3 and its program: one-hot targets
    minus their global mean; features are taken as they are, so their scale matters.
    """
    x = np.asarray(support, np.float64)
    targets = 2.0 * one_hot(labels, int(labels.max()) + 1) - 1.0
    fit = solve_ridge(x, targets, np.array([PAPER_STRENGTH]))
    sharpness = expected_sharpness(fit.fitted, labels)
    return RidgeReading(1.0, fit.weight, fit.bias, sharpness, PAPER_STRENGTH, len(labels))
