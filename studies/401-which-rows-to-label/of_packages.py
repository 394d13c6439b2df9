"""Ways of packages for active learning, where they are installed: modAL and small-text.

Both choose by a classifier of the inputs, here logistic regression, and begin with random rows.
"""

import importlib
import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

PACKAGES = {"modAL, ranked batches": "modAL", "small-text, breaking ties": "small_text"}
"""The package of each way."""


def installed() -> list[str]:
    """Ways whose package is here."""
    return [way for way, name in PACKAGES.items() if importlib.util.find_spec(name) is not None]


def by_modal(x: NDArray, y: NDArray, rows: NDArray, free: NDArray, n: int) -> NDArray:
    """Ranked batches (Cardoso et al. 2017): unsure rows, and far from those that are labelled."""
    models, batch = (importlib.import_module(f"modAL.{name}") for name in ("models", "batch"))
    learner = models.ActiveLearner(
        _classifier(), batch.uncertainty_batch_sampling, X_training=x[rows], y_training=y[rows]
    )
    return free[np.asarray(learner.query(x[free], n_instances=n)[0])]


def by_small_text(x: NDArray, y: NDArray, rows: NDArray, free: NDArray, n: int) -> NDArray:
    """Rows whose two likeliest classes are nearly as likely (Luo et al. 2005)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its optional packages would bring
        strategies = importlib.import_module("small_text.query_strategies")
    fitted: Any = _classifier().fit(x[rows], y[rows])
    return np.asarray(strategies.BreakingTies().query(fitted, x, free, rows, y[rows], n=n))


def _classifier() -> LogisticRegression:
    return LogisticRegression(max_iter=1000)
