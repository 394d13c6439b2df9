"""Ways to use many rows and few labels: ours, scikit-learn's, and those of optional packages."""

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from laboratory.few_labels import UNLABELLED, Draw, Pool
from metaplastic.learners import KMeansTriangle
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.sklearn import RuleTransformer

OURS = "FewShotClassifier"
HEADS = ("graph", "ridge")
"""Heads that are shown beside the default."""

Features = NDArray[np.floating]
Featurise = Callable[[Pool], Any]
Predict = Callable[[Any, Draw], NDArray]
"""Classes of the rows to test, from the features of all rows and the labels of a few."""


@dataclasses.dataclass(frozen=True)
class Method:
    """What needs no labels, what needs them, and the package without which it is not run."""

    featurise: Featurise
    predict: Predict
    package: str = "sklearn"

    @property
    def available(self) -> bool:
        """Whether its package is installed."""
        return find_spec(self.package) is not None


def read_by(head: str) -> Predict:
    """A head of `FewShotClassifier`, on features that are already there."""

    def predict(pool: ReadingPool, draw: Draw) -> NDArray:
        few = np.flatnonzero(draw.labels != UNLABELLED)
        classes, numbers = np.unique(draw.labels[few], return_inverse=True)
        scores = pool.scores(pool.fit(head, few, numbers), draw.test)
        return classes[np.argmax(scores, axis=1)]

    return predict


def supervised(make: Callable[[], Any]) -> Predict:
    """A classifier that learns from the labelled rows alone."""

    def predict(features: Features, draw: Draw) -> NDArray:
        few = draw.labels != UNLABELLED
        return make().fit(features[few], draw.labels[few]).predict(features[draw.test])

    return predict


def semi_supervised(make: Callable[[], Any]) -> Predict:
    """A classifier that learns from all rows, -1 for those without a label."""

    def predict(features: Features, draw: Draw) -> NDArray:
        return make().fit(features, draw.labels).predict(features[draw.test])

    return predict


def spread_by(name: str) -> Predict:
    """A method of graphlearning with its usual settings, on its graph of 10 neighbours."""

    def predict(graph: Any, draw: Draw) -> NDArray:
        from graphlearning import ssl  # pyright: ignore[reportMissingImports]

        few = np.flatnonzero(draw.labels != UNLABELLED)
        found = getattr(ssl, name)(graph).fit_predict(few, draw.labels[few])
        return np.asarray(found)[draw.test]

    return predict


def logistic() -> Any:
    """Logistic regression as most people use it."""
    return LogisticRegression(max_iter=300)


def nearest() -> Any:
    """The class of the nearest labelled row."""
    return KNeighborsClassifier(1)


def raw(pool: Pool) -> Features:
    """The inputs themselves."""
    return pool.x


def standardised(pool: Pool) -> Features:
    """Every column of mean 0 and variance 1."""
    return StandardScaler().fit_transform(pool.x)


def learned(pool: Pool) -> ReadingPool:
    """The features that `FewShotClassifier` reads classes from."""
    features = RuleTransformer(random_state=0).fit_transform(pool.x)
    return ReadingPool(features, load_preset("base").reading)


def components(pool: Pool) -> Features:
    """32 principal components of the standardised columns, or all if there are fewer."""
    count = min(32, *pool.x.shape)
    return make_pipeline(StandardScaler(), PCA(count, random_state=0)).fit_transform(pool.x)


def distances(pool: Pool) -> Features:
    """Nearness to 400 centres of k-means (triangle activation, Coates 2011), standardised."""
    found = KMeansTriangle(400).fit(pool.x, seed=0)(pool.x)
    return StandardScaler().fit_transform(found)


def umap_2(pool: Pool) -> Features:
    """UMAP in two dimensions."""
    return _umap(pool, 2)


def umap_10(pool: Pool) -> Features:
    """UMAP in ten dimensions."""
    return _umap(pool, 10)


def _umap(pool: Pool, dimensions: int) -> Features:
    import umap  # pyright: ignore[reportMissingImports]

    count = min(dimensions, pool.x.shape[1])
    return umap.UMAP(n_components=count, min_dist=0.0, random_state=0).fit_transform(pool.x)


def graph(pool: Pool) -> Any:
    """graphlearning's graph of the inputs."""
    from graphlearning import weightmatrix  # pyright: ignore[reportMissingImports]

    return weightmatrix.knn(pool.x, 10)


def graph_of_learned(pool: Pool) -> Any:
    """graphlearning's graph of our features."""
    return graph(dataclasses.replace(pool, x=learned(pool).features))


def forest() -> Any:
    """A random forest."""
    return RandomForestClassifier(200, random_state=0)


def extra_trees() -> Any:
    """Extremely randomised trees."""
    return ExtraTreesClassifier(200, random_state=0)


METHODS = {
    OURS: Method(learned, read_by("auto")),
    **{f"head {name}": Method(learned, read_by(name)) for name in HEADS},
    "logistic regression": Method(standardised, supervised(logistic)),
    "the same on PCA-32": Method(components, supervised(logistic)),
    "the same on k-means-400": Method(distances, supervised(logistic)),
    "random forest": Method(raw, supervised(forest)),
    "extra trees": Method(raw, supervised(extra_trees)),
    "LabelSpreading": Method(
        standardised,
        semi_supervised(lambda: LabelSpreading(kernel="knn", n_neighbors=7, max_iter=30)),
    ),
    "SelfTrainingClassifier": Method(
        standardised, semi_supervised(lambda: SelfTrainingClassifier(logistic()))
    ),
    "UMAP-2, logistic": Method(umap_2, supervised(logistic), "umap"),
    "UMAP-2, nearest": Method(umap_2, supervised(nearest), "umap"),
    "UMAP-10, logistic": Method(umap_10, supervised(logistic), "umap"),
    "UMAP-10, nearest": Method(umap_10, supervised(nearest), "umap"),
    "Poisson": Method(graph, spread_by("poisson"), "graphlearning"),
    "Laplace": Method(graph, spread_by("laplace"), "graphlearning"),
    "Poisson on our features": Method(graph_of_learned, spread_by("poisson"), "graphlearning"),
    "Laplace on our features": Method(graph_of_learned, spread_by("laplace"), "graphlearning"),
}
"""By name; UMAP of umap-learn, Poisson and Laplace of graphlearning on the inputs as they are."""

ON_FEATURES = tuple(name for name in METHODS if name.endswith(" on our features"))
OWN = frozenset({OURS, *(name for name in METHODS if name.startswith("head ")), *ON_FEATURES})
"""Those that are not others', or read our features."""
