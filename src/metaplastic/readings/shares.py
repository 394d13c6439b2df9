"""Shares of the classes in a pool: what to expect, and the shift of scores that leads there.

Few labels leave some classes too large and others too small: what lies between two labelled rows
falls to the one that happens to lie well. Scores are therefore shifted, all rows alike, until the
classes have the shares that labelled rows or the user say (Sinkhorn's fixed point; for labels on
graphs, Calder et al. 2020, section 3).
"""

import numpy as np
from jaxtyping import Float

from metaplastic.readings.base import Labels, Scores

STEPS = 20
"""Of the fixed point."""

MOST_ROWS = 20_000
"""Rows by which it is found; every so many where there are more."""

Shares = Float[np.ndarray, " class"]


def expected_shares(labels: Labels, prior: Shares | None = None) -> Shares:
    """The shares as given, or those of the labelled rows and of one more row a class."""
    counts = np.bincount(labels) + 1.0
    return counts / counts.sum() if prior is None else prior


def log_shares(labels: Labels, prior: Shares | None = None) -> Shares:
    """Their logarithms, of mean 0."""
    logs = np.log(expected_shares(labels, prior))
    return logs - logs.mean()


def shift_to_shares(
    scores: Scores, shares: Shares, counts: Float[np.ndarray, " row"] | None = None
) -> Shares:
    """The shift `b`, of mean 0, after which the mean of `softmax(scores + b)` has the shares.

    Parameters
    ----------
    scores : Scores
        One row of scores for every node `(n, C)`.
    shares : ndarray (class,) of float
        Positive, of sum 1.
    counts : ndarray (row,) of float, optional
        Rows of the pool that each node stands for; one if left out.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.readings.shares import shift_to_shares
    >>> scores = np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> shift_to_shares(scores, np.array([0.5, 0.5])).round(2)
    array([-0.5,  0.5])
    """
    every = max(1, len(scores) // MOST_ROWS)
    scores = scores[::every]
    counts = np.ones(len(scores)) if counts is None else counts[::every]
    shift, wanted = np.zeros(scores.shape[1]), np.log(shares)
    # The softmax of shifted scores is `odds * e^shift` over its sum: one exponential for all steps.
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    for _ in range(STEPS):
        factor = np.exp(shift)
        now = factor * ((counts / (odds @ factor)) @ odds) / counts.sum()
        shift += wanted - np.log(np.maximum(now, 1e-12))
    return shift - shift.mean()
