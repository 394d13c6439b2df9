"""`suggest`: which rows to label next, by the features of an estimator."""

from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike
from sklearn.utils.validation import NotFittedError, check_is_fitted

from metaplastic.checks import check_integer
from metaplastic.data.labels import UNLABELLED, check_marks, is_signed, labelled_rows
from metaplastic.errors import InputError
from metaplastic.readings import ReadingPool
from metaplastic.sklearn.classifier import FewShotClassifier
from metaplastic.sklearn.head import reading_settings
from metaplastic.sklearn.labels import check_given, check_types
from metaplastic.sklearn.parameters import draw_seed
from metaplastic.sklearn.transformer import RuleTransformer
from metaplastic.suggest import suggest_rows, unsure_rows


def suggest(
    estimator: RuleTransformer | FewShotClassifier,
    X: ArrayLike,
    n: int,
    y: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Int[np.ndarray, " suggested"]:
    """Numbers of the rows of `X` to label next, in the order in which to label them.

    The features of `X` fall into as many clusters as there will be labels; clusters without a
    labelled row come first, and each gives its most typical row. Where labels of two classes or
    more are there already, clusters that are still unsure come before others. From 20 labels on,
    rows that are unsure and would tell most of others come first; ask for some ten at a time.

    Parameters
    ----------
    estimator : RuleTransformer or FewShotClassifier
        What makes the features. One that is not fitted is left as it is, and a copy is fitted
        to `X`.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The pool: rows with and without a label.
    n : int
        How many; all rows without a label if there are fewer.
    y : array-like of shape (n_samples,), default=None
        Labels that are there already; -1 for rows without.
    random_state : int, RandomState instance or None, default=None
        Seed of the clusters.

    Returns
    -------
    ndarray of shape (n,), int64

    Raises
    ------
    InputError
        (a ValueError) for fewer than one row to suggest, other estimators, labels that do not
        go with the rows, and if all rows are labelled.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.sklearn import RuleTransformer, suggest
    >>> x = np.repeat(np.eye(3), 30, axis=0)
    >>> x += 0.05 * np.random.default_rng(0).normal(size=x.shape)
    >>> transformer = RuleTransformer("oja", (16,), n_components=4, n_steps=20, random_state=0)
    >>> sorted((suggest(transformer, x, 3, random_state=0) // 30).tolist())
    [0, 1, 2]
    """
    if not isinstance(estimator, (RuleTransformer, FewShotClassifier)):
        raise InputError(
            "suggest takes a RuleTransformer or a FewShotClassifier, got "
            f"{type(estimator).__name__}"
        )
    check_integer("n", n, 1)
    seed = draw_seed(random_state)
    transformer = _transformer(estimator)
    features = _features(transformer, X)
    labelled, unsure = _known(estimator, features, y)
    return suggest_rows(features, n, labelled=labelled, unsure=unsure, seed=seed)


def _transformer(estimator: Any) -> RuleTransformer:
    """The fitted transformer, or one to be fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        if isinstance(estimator, RuleTransformer):
            return RuleTransformer(**estimator.get_params(deep=False))
        names = RuleTransformer().get_params()
        return RuleTransformer(**{name: getattr(estimator, name) for name in names})
    return estimator.transformer_ if isinstance(estimator, FewShotClassifier) else estimator


def _features(transformer: RuleTransformer, X: Any) -> np.ndarray:
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        transformer.fit(X)
    return np.asarray(transformer.transform(X))


def _known(estimator: Any, features: np.ndarray, y: Any) -> tuple[Any, Any]:
    """Numbers of the labelled rows, and how unsure a reading of them is of all rows."""
    if y is None:
        return np.zeros(0, np.int64), None
    labels = np.asarray(check_given(y))
    if labels.shape != (len(features),):
        raise InputError(
            f"y takes one label for each of the {len(features)} rows, -1 for those without, got "
            f"shape {labels.shape}"
        )
    check_marks(labels)
    known = labelled_rows(labels)
    if is_signed(labels):  # Otherwise nothing would be left to label.
        known = labels != UNLABELLED
    rows = np.flatnonzero(known)
    if len(rows) == len(features):
        return rows, None
    check_types(labels[rows])
    head = getattr(estimator, "head", "auto")
    settings = reading_settings(estimator.preset, head, None, len(features))
    return rows, unsure_rows(ReadingPool(features, settings), head, rows, labels[rows])
