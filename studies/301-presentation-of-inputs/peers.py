"""What the presentations are compared with: other features, and classifiers without a pool."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from metaplastic.evaluation.protocol import Judged
from metaplastic.learners import PCA, AbstractClassifier, AbstractLearner, KMeansTriangle, Raw
from metaplastic.learners.base import Encoder, Predictor
from metaplastic.types import Rows

Map = Callable[[Any], NDArray[Any]]
"""Rows to rows, fitted to a pool."""


def as_given(x: Any) -> Map:
    """Rows as they are."""
    return np.asarray


def standardised(x: Any) -> Map:
    """Columns of mean 0 and deviation 1."""
    fitted: Any = StandardScaler().fit(x)
    return fitted.transform


def tf_idf(x: Any) -> Map:
    """Sublinear counts, weighted, of unit norm: as scikit-learn makes them."""
    fitted: Any = TfidfTransformer(sublinear_tf=True).fit(x)
    return lambda rows: fitted.transform(rows).toarray()


def svd(x: Any) -> Map:
    """The 32 leading singular vectors of tf-idf."""
    weighted = tf_idf(x)
    fitted: Any = TruncatedSVD(min(32, x.shape[1] - 1), random_state=0).fit(weighted(x))
    return lambda rows: fitted.transform(weighted(rows))


@dataclasses.dataclass(frozen=True)
class Mapped(AbstractLearner):
    """A learner on mapped rows."""

    name: ClassVar[str] = "mapped"

    fit_map: Callable[[Any], Map]
    learner: AbstractLearner = dataclasses.field(default_factory=Raw)

    def fit(self, x: Rows, *, seed: int) -> Encoder:
        to = self.fit_map(x)
        encoder = self.learner.fit(to(x), seed=seed)
        return lambda x: np.asarray(encoder(to(x)), np.float32)


@dataclasses.dataclass(frozen=True)
class OnLabelled(AbstractClassifier):
    """A classifier of scikit-learn on the labelled rows alone, mapped as the pool asks."""

    name: ClassVar[str] = "on labelled rows"

    make: Callable[[int], Any]
    fit_map: Callable[[Any], Map] = as_given

    def fit(self, x: Rows, *, seed: int) -> Predictor:
        rows = self.fit_map(x)(x)

        def predict(labelled: Any, labels: Any, test: Any, *, seed: int) -> NDArray[np.int64]:
            return self.make(seed).fit(rows[labelled], labels).predict(rows[test])

        return predict


def _logistic(seed: int) -> Any:
    return LogisticRegression(max_iter=1000)


def _trees(seed: int) -> Any:
    return ExtraTreesClassifier(random_state=seed)


_LOGISTIC = OnLabelled(_logistic)
PEERS: Mapping[str, Mapping[str, Judged]] = {
    "images": {"raw": Raw(), "PCA-32": PCA(32), "logistic": _LOGISTIC},
    "tables": {
        "raw": Raw(),
        "standardised": Mapped(standardised),
        "extra trees": OnLabelled(_trees),
        "standardised, logistic": OnLabelled(_logistic, standardised),
    },
    "embeddings": {"raw": Raw(), "PCA-32": PCA(32), "logistic": _LOGISTIC},
    "counts": {
        "raw": Raw(),
        "tf-idf": Mapped(tf_idf),
        "tf-idf, SVD-32": Mapped(svd),
        "tf-idf, k-means-400": Mapped(tf_idf, KMeansTriangle(400)),
        "tf-idf, logistic": OnLabelled(_logistic, tf_idf),
    },
    "cells": {
        "raw": Raw(),
        "PCA-32": PCA(32),
        "k-means-32": KMeansTriangle(32),
        "logistic": _LOGISTIC,
    },
}
"""By kind of inputs."""
