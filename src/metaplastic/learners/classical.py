"""Baselines without an update rule: raw inputs, PCA, k-means, an untrained network."""

import dataclasses
from typing import Any, ClassVar, Literal

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA as SklearnPCA

from metaplastic.errors import InputError
from metaplastic.learners.base import AbstractLearner, Encoder
from metaplastic.learners.pool import FREEZE_ROWS, check_pool, pool_presentation, subsample
from metaplastic.learners.programs import training
from metaplastic.models import FrozenMLP, Presentation, apply_scaling, freeze, init_mlp, row_blocks
from metaplastic.types import Rows

InputKind = Literal["raw", "scaled"]
"""Whether a baseline sees inputs as they are (8-bit images in [0, 1]) or as the base model does."""


@dataclasses.dataclass(frozen=True, eq=False)
class Present:
    """Row-wise presentation of inputs to a baseline: `(n, d)` to `(n, d)` float32."""

    presentation: Presentation | None

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        own = self.presentation
        rows = np.concatenate(list(row_blocks(x)))
        if own is None:
            return rows / np.float32(255) if x.dtype == np.uint8 else rows
        shift, scale, gain = (np.asarray(a) for a in (own.shift, own.scale, own.gain))
        return apply_scaling(rows, shift, scale, own.clip, gain, np)


@dataclasses.dataclass(frozen=True, eq=False)
class LinearEncoder:
    """`(present(x) - mean) @ weight`, with `weight` `(d, components)`."""

    present: Present
    mean: NDArray[np.float32]
    weight: NDArray[np.float32]

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        return np.asarray((self.present(x) - self.mean) @ self.weight, np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class TriangleEncoder:
    """`max(0, mean distance to all centres - distance to centre k)`; `centres` `(k, d)`."""

    present: Present
    centres: NDArray[np.float32]

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        rows = self.present(x)
        squares = np.square(rows).sum(1)[:, None] + np.square(self.centres).sum(1)
        distance = np.sqrt(np.maximum(squares - 2 * rows @ self.centres.T, 0))
        return np.maximum(distance.mean(1, keepdims=True) - distance, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class JointEncoder:
    """Several encoders' features side by side, each divided by a scale of its own."""

    encoders: tuple[Encoder, ...]
    scales: tuple[np.float32, ...]

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        parts = zip(self.encoders, self.scales, strict=True)
        return np.concatenate([encode(x) / scale for encode, scale in parts], axis=1)


def presentation_of(kind: InputKind, x: Rows) -> Present:
    """The presentation called `kind`, fitted to the pool `x` `(n, d)`; `InputError` if unknown."""
    if kind not in ("raw", "scaled"):
        raise InputError(f"unknown presentation {kind!r}; choose raw or scaled")
    return Present(pool_presentation(x) if kind == "scaled" else None)


def check_count(what: str, count: int) -> None:
    """Raise `InputError` unless `count` is a positive integer."""
    if int(count) != count or count < 1:
        raise InputError(f"{what} must be a positive integer, got {count!r}")


@dataclasses.dataclass(frozen=True)
class Raw(AbstractLearner):
    """The inputs themselves.

    Parameters
    ----------
    presentation : {"raw", "scaled"}, default="raw"
        `raw` for inputs as they are, `scaled` for inputs as networks see them.
    """

    name: ClassVar[str] = "raw"

    presentation: InputKind = "raw"

    def fit(self, x: Rows, *, seed: int) -> Present:
        """Nothing is learned but, if asked for, the presentation; `seed` is unused."""
        return presentation_of(self.presentation, check_pool(x))


@dataclasses.dataclass(frozen=True)
class PCA(AbstractLearner):
    """The first principal components, not whitened (fewer if the pool has fewer).

    Parameters
    ----------
    n_components : int, default=64
        Number of components; fewer if the pool has fewer.
    presentation : {"raw", "scaled"}, default="raw"
        `raw` for inputs as they are, `scaled` for inputs as networks see them.

    Raises
    ------
    InputError
        For numbers below 1, and in `fit` for a pool that is no matrix of finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.learners import PCA
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> PCA(3).fit(x, seed=0)(x).shape
    (50, 3)
    """

    name: ClassVar[str] = "pca"

    n_components: int = 64
    presentation: InputKind = "raw"

    def __post_init__(self) -> None:
        check_count("n_components", self.n_components)

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{self.name}-{self.n_components}"

    def fit(self, x: Rows, *, seed: int) -> LinearEncoder:
        """Exact or randomised SVD, as scikit-learn chooses by size."""
        present = presentation_of(self.presentation, check_pool(x))
        rows = present(x)
        pca: Any = SklearnPCA(min(self.n_components, *rows.shape), random_state=seed).fit(rows)
        weight = pca.components_.T.astype(np.float32)
        return LinearEncoder(present, pca.mean_.astype(np.float32), weight)


@dataclasses.dataclass(frozen=True)
class KMeansTriangle(AbstractLearner):
    """k-means with the triangle activation `f_k = max(0, mean(z) - z_k)`.

    `z` are the distances of a row to the centres. Source: Coates, Lee and Ng 2011 (AISTATS). Above
    `FREEZE_ROWS` rows the centres come from mini-batches of 1,024 rows.

    Parameters
    ----------
    n_clusters : int, default=64
        Number of centres, and of features.
    n_init : int, default=1
        Number of starts, of which the best is kept.
    presentation : {"raw", "scaled"}, default="raw"
        `raw` for inputs as they are, `scaled` for inputs as networks see them.

    Raises
    ------
    InputError
        For numbers below 1, and in `fit` for a pool that is no matrix of finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.learners import KMeansTriangle
    >>> x = np.random.default_rng(0).normal(size=(50, 8))
    >>> KMeansTriangle(5).fit(x, seed=0)(x).shape
    (50, 5)
    """

    name: ClassVar[str] = "k-means"

    n_clusters: int = 64
    n_init: int = 1
    presentation: InputKind = "raw"

    def __post_init__(self) -> None:
        check_count("n_clusters", self.n_clusters)
        check_count("n_init", self.n_init)

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{self.name}-{self.n_clusters}"

    def fit(self, x: Rows, *, seed: int) -> TriangleEncoder:
        """Centres by k-means++ and Lloyd's algorithm; at most one per row of the pool."""
        present = presentation_of(self.presentation, check_pool(x))
        rows = present(x)
        options: dict[str, Any] = {"n_init": self.n_init, "random_state": seed}
        k = min(self.n_clusters, len(rows))
        if len(rows) > FREEZE_ROWS:
            means: Any = MiniBatchKMeans(k, batch_size=1024, **options).fit(rows)
        else:
            means = SklearnKMeans(k, **options).fit(rows)
        return TriangleEncoder(present, means.cluster_centers_.astype(np.float32))


@dataclasses.dataclass(frozen=True)
class RandomNetwork(AbstractLearner):
    """The base model as initialised (unit-norm columns), frozen over the pool.

    Parameters
    ----------
    sizes : tuple of int, default=(128, 128, 512)
        Units of the layers above the inputs. The last is the number of features.
    activation : str, default="relu"
        A name of `models.ACTIVATIONS`.
    """

    name: ClassVar[str] = "random network"

    sizes: tuple[int, ...] = (128, 128, 512)
    activation: str = "relu"

    @training()
    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """Draw the weights; only the presentation and the statistics come from the pool."""
        x = check_pool(x)
        model = init_mlp(
            (x.shape[1], *self.sizes),
            key=jax.random.key(seed),
            activation=self.activation,
            presentation=pool_presentation(x),
        )
        return freeze(model, subsample(x, FREEZE_ROWS, seed=seed))


@dataclasses.dataclass(frozen=True)
class WithInputs(AbstractLearner):
    """Another learner's features beside the presented inputs, which get the same total variance.

    A rule with direct features gives its readings the same; this gives it to learners that have
    none.

    Parameters
    ----------
    learner : AbstractLearner
        Any learner with an encoder.
    """

    name: ClassVar[str] = "with inputs"

    learner: AbstractLearner

    @property
    def label(self) -> str:
        """The other's, and that it has the inputs."""
        return f"{self.learner.label} + inputs"

    def fit(self, x: Rows, *, seed: int) -> JointEncoder:
        """Fit the other learner; the scales come from a sample of the pool."""
        x = check_pool(x)
        encoders = (presentation_of("scaled", x), self.learner.fit(x, seed=seed))
        sample = subsample(x, FREEZE_ROWS, seed=seed)
        spreads = [np.sqrt(encode(sample).var(0).sum()) for encode in encoders]
        return JointEncoder(encoders, tuple(np.float32(s if s > 0 else 1.0) for s in spreads))
