"""How sure scores are: the temperature of a softmax, from what is said of rows left out."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from metaplastic.readings.base import Labels, Scores

SHARPNESS = 2.0
"""Inverse temperature where nothing is known of it, for two classes whose rows are fitted exactly.
Targets are -1 and 1, so that such a row has odds of `e^4`."""

BOUNDS = (0.05, 50.0)
"""Least and largest inverse temperature."""


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

    optimum: Any = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded")
    return float(np.exp(optimum.x))
