"""How many rows the present reading has right, without labels to test on."""

import dataclasses

from scipy.stats import beta

BELIEVED = 8.0
"""Checked rows that the reading's own probabilities count for."""

WITHIN = 0.9
"""Chance that the share lies in the interval, if probabilities are right."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The share of rows that are right, and an interval."""

    share: float
    low: float
    high: float


def estimate_accuracy(believed: float, hits: int, checked: int) -> Estimate:
    """The share of the rows of the pool of which the reading says the right class.

    Rows drawn at random were read before a person labelled them: that is a fair test, of few
    rows. What the reading itself believes counts beside them, as much as `BELIEVED` rows.

    Parameters
    ----------
    believed : float
        Mean of the largest probability of every row.
    hits : int
        Of the checked rows, those that were read right.
    checked : int
        Rows drawn at random.

    Examples
    --------
    >>> from metaplastic.labelling.estimate import estimate_accuracy
    >>> found = estimate_accuracy(0.8, hits=9, checked=10)
    >>> round(found.share, 2), round(found.low, 2), round(found.high, 2)
    (0.86, 0.7, 0.96)
    """
    right = BELIEVED * believed + hits
    wrong = BELIEVED * (1 - believed) + checked - hits
    # Never quite 0, so that the distribution is one.
    share = beta(max(right, 1e-3), max(wrong, 1e-3))
    low, high = share.ppf([(1 - WITHIN) / 2, (1 + WITHIN) / 2])
    return Estimate(float(share.mean()), float(low), float(high))
