"""The readouts by which frozen features are judged (NumPy and scikit-learn; not differentiable).

Each is the same for every learner. A readout first prepares the features of the whole unlabelled
pool, once, and then predicts labels of queries from a few labelled rows, draw by draw.
"""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV

from metaplastic.errors import InputError

RIDGE_STRENGTHS = np.logspace(-3, 3, 13)
"""What `ridge` chooses from by leave-one-out."""

PAPER_STRENGTH = 0.1
"""Ridge of Metz et al. 2018, added to the summed (not the mean) Gram matrix."""

Prepare = Callable[[NDArray], NDArray]
Predict = Callable[[NDArray, NDArray, NDArray], NDArray]


@dataclasses.dataclass(frozen=True)
class Readout:
    """A way to read labels from features.

    `prepare` maps the features of the pool `(n, d)` to what is read, of the same shape, without
    labels. `predict(support, labels, query)` maps prepared rows `(s, d)` with labels `(s,)`, of
    at least two classes, and prepared rows `(q, d)` to labels `(q,)`.
    """

    name: str
    prepare: Prepare
    predict: Predict


def one_scale(features: NDArray) -> NDArray:
    """Features over their overall standard deviation, one scalar; float64 `(n, d)`."""
    features = np.asarray(features, np.float64)
    deviation = features.std()
    return features / (deviation if deviation > 0 else 1.0)


def standardise(features: NDArray) -> NDArray:
    """Columns centred and divided by their standard deviation; constant ones become 0."""
    features = np.asarray(features, np.float64)
    mean, deviation = features.mean(0), features.std(0)
    # A column whose spread is rounding noise next to its mean is constant.
    varies = deviation > 1e-6 * np.abs(mean) + 1e-12
    return np.where(varies, (features - mean) / np.where(varies, deviation, 1.0), 0.0)


def predict_ridge(support: NDArray, labels: NDArray, query: NDArray) -> NDArray:
    """Ridge to one-hot targets, its strength by leave-one-out on the support alone."""
    fitted = RidgeClassifierCV(alphas=RIDGE_STRENGTHS).fit(support, labels)
    return np.asarray(fitted.predict(query))


def predict_logistic(support: NDArray, labels: NDArray, query: NDArray) -> NDArray:
    """Multinomial logistic regression with C = 1.

    The penalised solution lies in the span of the support, so wide features are first rotated
    into it: an exact change of coordinates that makes the fit independent of the width.
    """
    if support.shape[1] > support.shape[0]:
        basis = np.linalg.svd(support, full_matrices=False)[2].T
        support, query = support @ basis, query @ basis
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=1.0, max_iter=300).fit(support, labels).predict(query)


def predict_ridge_paper(support: NDArray, labels: NDArray, query: NDArray) -> NDArray:
    """Ridge 0.1 on the summed Gram matrix, bias unpenalised.

    Source: Metz et al. 2018 (arXiv 1804.00222), section 4.3 and its program: one-hot targets
    minus their global mean; features are taken as they are, so their scale matters.
    """
    classes, index = np.unique(labels, return_inverse=True)
    targets = np.eye(len(classes))[index]
    mean, target_mean = support.mean(0), targets.mean(0)
    x, y = support - mean, targets - target_mean
    # Whichever of the two Gram matrices is smaller; the unpenalised bias is the centring.
    if x.shape[1] <= x.shape[0]:
        w = np.linalg.solve(x.T @ x + PAPER_STRENGTH * np.eye(x.shape[1]), x.T @ y)
    else:
        w = x.T @ np.linalg.solve(x @ x.T + PAPER_STRENGTH * np.eye(x.shape[0]), y)
    return classes[np.argmax((query - mean) @ w + target_mean, axis=1)]


def _as_float64(features: NDArray) -> NDArray:
    return np.asarray(features, np.float64)


def readout(name: str) -> Readout:
    """The readout called `ridge`, `logistic` or `ridge_paper`; `InputError` for other names."""
    known = {
        "ridge": Readout("ridge", one_scale, predict_ridge),
        "logistic": Readout("logistic", standardise, predict_logistic),
        "ridge_paper": Readout("ridge_paper", _as_float64, predict_ridge_paper),
    }
    if name not in known:
        raise InputError(f"unknown readout {name!r}; choose one of {', '.join(known)}")
    return known[name]
