"""The two readouts of the evaluation protocol, as classifiers of new rows with probabilities."""

import dataclasses
import warnings
from typing import Any, Literal, Protocol, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV

from metaplastic.errors import InputError
from metaplastic.objectives.readouts import RIDGE_STRENGTHS

HeadName = Literal["ridge", "logistic"]
Pool = Float[np.ndarray, "pool dim"]
Features = Float[np.ndarray, "row dim"]
Scores = Float[np.ndarray, "row class"]
Labels = Int[np.ndarray, " row"]

SHARPNESS = 2.0
"""Inverse temperature where nothing is known of it, for two classes whose rows are fitted exactly.
Targets are -1 and 1, so that such a row has odds of `e^4`."""

BOUNDS = (0.05, 50.0)
"""Least and largest inverse temperature."""


class Head(Protocol):
    """Reads classes from features."""

    def scores(self, features: Features) -> Scores:
        """The class with the largest score is predicted."""
        ...

    def probabilities(self, features: Features) -> Scores:
        """Rows sum to 1 and are ordered as the scores."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class RidgeHead:
    """`scores = (features * factor) @ weight + bias`; probabilities `softmax(sharpness scores)`."""

    factor: float
    weight: Float[np.ndarray, "dim class"]
    bias: Float[np.ndarray, " class"]
    sharpness: float

    def scores(self, features: Features) -> Scores:
        return (np.asarray(features, np.float64) * self.factor) @ self.weight + self.bias

    def probabilities(self, features: Features) -> Scores:
        return softmax(self.sharpness * self.scores(features), axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class LogisticHead:
    """Logistic regression on `(features - shift) * factor`, column by column."""

    shift: Float[np.ndarray, " dim"]
    factor: Float[np.ndarray, " dim"]
    regression: LogisticRegression

    def scores(self, features: Features) -> Scores:
        return self.probabilities(features)

    def probabilities(self, features: Features) -> Scores:
        presented = (np.asarray(features, np.float64) - self.shift) * self.factor
        return self.regression.predict_proba(presented)


def check_head(head: Any) -> HeadName:
    """Return `head` if it is a name of a readout; otherwise raise `InputError`."""
    if isinstance(head, str) and head in ("ridge", "logistic"):
        return cast(HeadName, head)
    raise InputError(f"unknown head {head!r}; choose ridge or logistic")


def fit_head(head: HeadName, pool: Pool, support: Features, labels: Labels) -> Head:
    """Fit the named readout.

    Args:
        head: `ridge` or `logistic`.
        pool: features of all rows, labelled or not; only their scale is used.
        support: features of the labelled rows.
        labels: class numbers of the support, `0..C-1`, each at least once, `C >= 2`.
    """
    pool, support = np.asarray(pool, np.float64), np.asarray(support, np.float64)
    return (_fit_ridge if head == "ridge" else _fit_logistic)(pool, support, labels)


def _fit_ridge(pool: Pool, support: Features, labels: Labels) -> RidgeHead:
    deviation = pool.std()
    factor = 1.0 / deviation if deviation > 0 else 1.0
    x = support * factor
    ridge: Any = RidgeClassifierCV(alphas=RIDGE_STRENGTHS).fit(x, labels)
    weight, bias = np.atleast_2d(ridge.coef_).T, np.atleast_1d(ridge.intercept_)
    if weight.shape[1] == 1:  # scikit-learn keeps one column for two classes
        weight, bias = weight * [-1.0, 1.0], bias * [-1.0, 1.0]
    targets = 2.0 * np.eye(weight.shape[1])[labels] - 1.0
    held_out = leave_one_out(x, targets, float(ridge.alpha_))
    # A class's only row, left out, says nothing of how sure the scores should be.
    several = np.bincount(labels)[labels] > 1
    expected = expected_sharpness(x @ weight + bias, labels)
    sharpness = fit_sharpness(held_out[several], labels[several], expected)
    return RidgeHead(factor, weight, bias, sharpness)


def _fit_logistic(pool: Pool, support: Features, labels: Labels) -> LogisticHead:
    shift, deviation = pool.mean(0), pool.std(0)
    # A column whose spread is rounding noise next to its mean is constant.
    varies = deviation > 1e-6 * np.abs(shift) + 1e-12
    factor = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression = LogisticRegression(C=1.0, max_iter=300).fit((support - shift) * factor, labels)
    return LogisticHead(shift, factor, regression)


def leave_one_out(x: Features, targets: Scores, strength: float) -> Scores:
    """What ridge with an unpenalised bias says of every row when fitted without it.

    Source: `y - (y - H y) / (1 - diag H)`, H the hat matrix (Allen 1974, PRESS).
    """
    left, singular, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    shrink = singular**2 / (singular**2 + strength)
    mean = targets.mean(0)
    fitted = mean + (left * shrink) @ (left.T @ (targets - mean))
    leverage = 1.0 / len(x) + np.square(left) @ shrink
    return targets - (targets - fitted) / np.maximum(1.0 - leverage, 1e-9)[:, None]


def expected_sharpness(fitted: Scores, labels: Labels) -> float:
    """Inverse temperature to expect from the scores of the labelled rows themselves.

    It gives a labelled row odds of about `e^4` against all other classes together, however many
    they are and however much ridge shrinks the scores: with one row a class leave-one-out knows
    nothing, and its choice among strengths is the largest, whose scores are nearly equal.
    """
    n_classes = fitted.shape[1]
    own = fitted[np.arange(len(labels)), labels]
    margin = np.mean(own - (fitted.sum(1) - own) / (n_classes - 1))
    wanted = 2.0 * SHARPNESS + np.log(n_classes - 1.0)
    return float(np.clip(wanted / max(margin, 1e-9), *BOUNDS))


def fit_sharpness(scores: Scores, labels: Labels, expected: float = SHARPNESS) -> float:
    """Inverse temperature of a softmax that makes `labels` most likely under held-out `scores`.

    Temperature scaling (Guo et al. 2017, arXiv 1706.04599) on leave-one-out scores, with a
    log-normal prior of unit width around `expected`, which decides where there are no rows.
    """

    def loss(log_sharpness: float) -> float:
        logs = log_softmax(np.exp(log_sharpness) * scores, axis=1)
        prior = 0.5 * (log_sharpness - np.log(expected)) ** 2
        return prior - logs[np.arange(len(labels)), labels].sum()

    found: Any = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded")
    return float(np.exp(found.x))
