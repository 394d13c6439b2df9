"""`FewShotClassifier`: features from all rows, classes from the few that have a label."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from metaplastic.checks import check_integer
from metaplastic.errors import InputError
from metaplastic.readings import ReadingPool, ReadingSettings
from metaplastic.sklearn.head import (
    HeadName,
    Supervision,
    check_head,
    check_prior,
    check_size,
    check_supervision,
    reading_settings,
)
from metaplastic.sklearn.labels import check_given, find_labelled, number_classes
from metaplastic.sklearn.parameters import NETWORKS, draw_seed
from metaplastic.sklearn.rows import check_rows, check_rows_and_labels, unchanged_on_failure
from metaplastic.sklearn.transformer import Auto, RuleTransformer
from metaplastic.suggest import doubts, suggest_rows

if TYPE_CHECKING:
    from metaplastic.presets import Preset
    from metaplastic.rules import AbstractUpdateRule


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for data of which only a few rows are labelled.

    `fit` learns features from all rows with `RuleTransformer`, and reads classes from them by the
    labelled ones. One labelled row a class is enough; a class without any cannot be learned.

    Unlabelled rows have `y == -1`, as in `sklearn.semi_supervised`. With string labels, `y` must be
    an array of dtype object, with -1 or None for unlabelled rows. If -1 and 1 are the
    only values, they are taken for two classes, with a warning, as one class could not be learned.

    Parameters
    ----------
    rule, hidden_sizes, n_components, activation, n_steps, batch_size, n_networks, preset
        As in `RuleTransformer`.
    head : {"auto", "graph", "ridge", "logistic"}, default="auto"
        How classes are read from the features. "ridge" is ridge regression to targets -1 and 1,
        its strength chosen by leave-one-out on the labelled rows, on features divided by one
        scalar. "logistic" is multinomial logistic regression (C = 1) on features standardised
        over all rows. "graph" spreads the labels over a graph of the nearest rows; a new row is
        read through its nearest rows. It gains most with few labels a class, and loses where
        classes form no clusters. "auto" weighs "ridge" and what both say together, spread anew
        over the graph, by what the pool and the labelled rows, left out in turn, say of them.
    n_neighbors : int, default=None
        Nearest rows that each row is joined to in the graph; what the preset says if None.
    class_prior : array-like of shape (n_classes,), default=None
        Shares of the classes among all rows, in the order of `classes_`, for "graph" and "auto":
        their mean probabilities have these shares. If None, they come nearer to the shares of the
        labelled rows, the less the more labels there are.
    supervision : {"none", "labels"}, default="none"
        Whether the networks hear labels while they learn. With "labels" the features learned
        without labels are read first; then networks are trained anew by a rule that hears the
        labelled rows, and of the others what that reading says, and are read again. It takes
        twice the time.
    random_state : int, RandomState instance or None, default=None
        As in `RuleTransformer`; the head has no randomness.
    flatten, prepare : bool
        As in `RuleTransformer`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted, without the mark of unlabelled rows.
    transformer_ : RuleTransformer
        What makes the features.
    head_ : AbstractReading
        What reads classes from them; `head_.explain()` tells in words what was believed.
    n_features_in_ : int
        Columns seen in `fit`.
    input_shape_ : tuple of int
        As in `RuleTransformer`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if they are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.sklearn import FewShotClassifier
    >>> x = np.concatenate([np.zeros((50, 4)), np.ones((50, 4))])
    >>> x += 0.1 * np.random.default_rng(0).normal(size=x.shape)
    >>> y = np.full(100, -1)
    >>> y[0], y[50] = 0, 1
    >>> classifier = FewShotClassifier("oja", (16,), n_components=3, n_steps=20, random_state=0)
    >>> classifier.fit(x, y).predict(x[[1, 2, 98, 99]])
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        rule: "str | Path | AbstractUpdateRule" = "base",
        hidden_sizes: tuple[int, ...] | Auto = "auto",
        n_components: int | Auto = "auto",
        activation: str = "auto",
        n_steps: int | Auto | None = "auto",
        batch_size: int | Auto = "auto",
        n_networks: int | Auto = "auto",
        preset: "str | Path | Preset" = "base",
        head: HeadName = "auto",
        n_neighbors: int | None = None,
        class_prior: ArrayLike | None = None,
        supervision: Supervision = "none",
        random_state: int | np.random.RandomState | None = None,
        flatten: bool = False,
        prepare: bool = True,
    ) -> None:
        self.rule = rule
        self.hidden_sizes = hidden_sizes
        self.n_components = n_components
        self.activation = activation
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.n_networks = n_networks
        self.preset = preset
        self.head = head
        self.n_neighbors = n_neighbors
        self.class_prior = class_prior
        self.supervision = supervision
        self.random_state = random_state
        self.flatten = flatten
        self.prepare = prepare

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn features from all rows of `X`, classes from those with a label.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            At least two rows of finite real numbers.
        y : array-like of shape (n_samples,)
            Labels; -1 for unlabelled rows.

        Returns
        -------
        FewShotClassifier
            Itself.

        Raises
        ------
        InputError
            (a ValueError) for parameters that are not allowed, for fewer than two classes among
            the labelled rows, and for a pool that does not fit into memory.
        ValueError
            for data that is not allowed.
        DivergenceError
            if the rule leaves the finite numbers.
        """
        with unchanged_on_failure(self):
            return self._fit(X, y)

    def _fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        head, supervision = check_head(self.head), check_supervision(self.supervision)
        names = ("rule", *NETWORKS, "preset", "random_state", "prepare")
        transformer = RuleTransformer(**{name: getattr(self, name) for name in names})
        y = check_given(y)
        x, labels = check_rows_and_labels(self, X, y, least=2)
        labelled = find_labelled(labels)
        classes, numbers = number_classes(labels[labelled])
        prior = check_prior(self.class_prior, classes)
        settings = reading_settings(self.preset, head, self.n_neighbors, x.shape[0])
        check_size(x.shape[0], self.n_components, len(classes), self.preset, head)
        if supervision == "labels":
            from metaplastic.sklearn.fitting import check_hearing

            check_hearing(transformer)
        # Arrays are read here, also under `sklearn.set_config(transform_output="pandas")`.
        self.transformer_ = transformer.set_output(transform="default").fit(x)
        self._labelled, self.classes_ = np.flatnonzero(labelled), classes
        features = self._read(x, settings, head, numbers, prior)
        if supervision == "labels":
            guessed = self.head_.probabilities(features)
            self.transformer_._hear(x, guessed, self._labelled, numbers)
            self._read(x, settings, head, numbers, prior)
        return self

    def _read(
        self,
        x: NDArray,
        settings: ReadingSettings,
        head: HeadName,
        numbers: NDArray[np.int64],
        prior: NDArray | None,
    ) -> NDArray[np.float32]:
        """Read the features of the pool anew; returns them."""
        features = self.transformer_.transform(x)
        self._pool = ReadingPool(features, settings)
        self.head_ = self._pool.fit(head, self._labelled, numbers, prior)
        return features

    def suggest(self, n: int) -> Int[np.ndarray, " suggested"]:
        """Numbers of the rows of the pool to label next, in the order in which to label them.

        Those of `metaplastic.sklearn.suggest` for the rows and labels given to `fit`. A saved
        classifier holds no pool; for it, call that function with the rows.

        Parameters
        ----------
        n : int
            How many; all rows without a label if there are fewer.

        Returns
        -------
        ndarray of shape (n,), int64

        Raises
        ------
        InputError
            (a ValueError) if `n` is below 1, all rows are labelled, or the classifier was loaded
            or copied.
        """
        check_is_fitted(self)
        check_integer("n", n, 1)
        pool = getattr(self, "_pool", None)
        if pool is None:
            raise InputError(
                "a classifier that was loaded or copied holds no pool to suggest from; call "
                "metaplastic.sklearn.suggest(classifier, X, n, y)"
            )
        unsure, seed = doubts(pool, self.head_), draw_seed(self.random_state)
        return suggest_rows(pool.features, n, labelled=self._labelled, unsure=unsure, seed=seed)

    def __getstate__(self) -> dict[str, Any]:
        """All but the pool, which is as large as the data."""
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_pool"}

    def predict(self, X: ArrayLike) -> NDArray:
        """The most likely class of every row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of `classes_`

        Raises
        ------
        NotFittedError
            before `fit`.
        InputError
            (a ValueError) for other columns than those of `fit`, or numbers that are not finite.
        """
        features = self._features(X)
        return self.classes_[np.argmax(self.head_.scores(features), axis=1)]

    def predict_proba(self, X: ArrayLike) -> Float[np.ndarray, "n_samples n_classes"]:
        """Probabilities of the classes, in the order of `classes_`; every row sums to 1.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64

        Raises
        ------
        NotFittedError
            before `fit`.
        InputError
            (a ValueError) for other columns than those of `fit`, or numbers that are not finite.
        """
        features = self._features(X)
        return self.head_.probabilities(features)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _features(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self)
        return self.transformer_.transform(check_rows(self, X, reset=False))
