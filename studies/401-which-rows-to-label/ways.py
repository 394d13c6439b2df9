"""Ways to choose the next rows to label, and what labels chosen so are worth."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from of_packages import PACKAGES, by_modal, by_small_text
from sklearn.cluster import kmeans_plusplus
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from metaplastic.readings import ReadingSettings
from metaplastic.readings.neighbours import leading_components
from metaplastic.readings.remembered import RememberedPool
from metaplastic.suggest import suggest_rows

TOTALS = (10, 20, 40, 100)
FEW = 3
"""Labels in all on pools of at most so many classes, beside `TOTALS`."""

READINGS = ("ridge", "graph", "auto")
COMPONENTS, BATCH = 32, 10
Rows = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Pool:
    """Inputs, features and classes of all rows. The first `n_open` rows may be chosen.

    Inputs are standardised; without a column where only features are known.
    """

    name: str
    inputs: NDArray
    features: NDArray
    y: NDArray[np.int64]
    reading: RememberedPool
    n_open: int

    @classmethod
    def of(
        cls,
        name: str,
        inputs: NDArray,
        features: NDArray,
        y: NDArray,
        settings: ReadingSettings,
        held_out: float = 0.0,
    ) -> "Pool":
        """Classes are numbered; the last rows are held out: never chosen, and alone tested."""
        x = np.asarray(inputs, np.float64)
        x = (StandardScaler().fit_transform(x) if x.shape[1] else x).astype(np.float32)
        numbers = np.unique(y, return_inverse=True)[1].astype(np.int64)
        features = np.ascontiguousarray(features, np.float32)
        n_open = len(y) - int(held_out * len(y))
        return cls(name, x, features, numbers, RememberedPool(features, settings), n_open)

    @property
    def open_features(self) -> NDArray:
        """Of the rows that may be chosen."""
        return self.features[: self.n_open]

    def free(self, rows: Rows) -> Rows:
        """Rows that may be chosen and are not among these."""
        return np.setdiff1d(np.arange(self.n_open), rows)

    def probabilities(self, rows: Rows, head: str = "auto") -> NDArray | None:
        """Of all rows, of the classes among the labelled `rows`; `None` with fewer than two."""
        known, numbers = np.unique(self.y[rows], return_inverse=True)
        if len(known) < 2:
            return None
        fitted = self.reading.fit(head, rows, numbers.astype(np.int64))
        return self.reading.probabilities(fitted, np.arange(len(self.y)))

    def accuracy(self, rows: Rows, head: str) -> float:
        """Percent that are read right: of the rows held out, else of those without a label."""
        known, said = np.unique(self.y[rows]), self.probabilities(rows, head)
        read = known[np.zeros(len(self.y), int) if said is None else said.argmax(1)]
        rest = np.setdiff1d(np.arange(len(self.y)), rows)
        rest = rest[rest >= self.n_open] if self.n_open < len(self.y) else rest
        return 100.0 * float(np.mean(read[rest] == self.y[rest]))


Way = Callable[[Pool, Rows, int, int], Rows]
"""Of a pool, the labelled rows, how many more and a seed: these."""


def _random(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
    free = pool.free(rows)
    return np.random.default_rng([seed, len(rows)]).choice(free, n, replace=False)


def _apart(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
    """k-means++ on the inputs (Arthur and Vassilvitskii 2007), among rows without a label."""
    free = pool.free(rows)
    return free[kmeans_plusplus(pool.inputs[free], n, random_state=seed + len(rows))[1]]


def _typical(columns: Callable[[Pool], NDArray]) -> Way:
    return lambda pool, rows, n, seed: suggest_rows(columns(pool), n, labelled=rows, seed=seed)


def _principal(pool: Pool) -> NDArray:
    count = min(COMPONENTS, *pool.inputs.shape)
    return PCA(count, random_state=0).fit_transform(pool.inputs)


def _doubt(pool: Pool, rows: Rows) -> NDArray | None:
    said = pool.probabilities(rows)
    return None if said is None else 1.0 - said.max(1)[: pool.n_open]


def _unsure(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
    """The rows that the reading is least sure of; typical ones to begin with."""
    doubt = _doubt(pool, rows) if len(rows) else None
    if doubt is None:
        return suggest_rows(pool.open_features, n, labelled=rows, seed=seed)
    doubt[rows] = -1.0
    return np.argsort(-doubt, kind="stable")[:n]


def _gradients(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
    """k-means++ on what the reading's last layer would learn (BADGE, Ash et al. 2020)."""
    said = pool.probabilities(rows) if len(rows) else None
    if said is None:
        return suggest_rows(pool.open_features, n, labelled=rows, seed=seed)
    free = pool.free(rows)
    error = said[free] - np.eye(said.shape[1])[said[free].argmax(1)]
    short = leading_components(pool.features)[free]
    product = (error[:, :, None] * short[:, None, :]).reshape(len(free), -1)
    return free[kmeans_plusplus(product.astype(np.float32), n, random_state=seed + len(rows))[1]]


def _of_package(choose: Callable[..., NDArray]) -> Way:
    def way(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
        if len(np.unique(pool.y[rows])) < 2:
            return _random(pool, rows, n, seed)
        free = pool.free(rows)
        return np.asarray(choose(pool.inputs, pool.y, rows, free, n), np.int64)

    return way


def _suggested(pool: Pool, rows: Rows, n: int, seed: int) -> Rows:
    """What `suggest` does."""
    doubt = _doubt(pool, rows) if len(rows) else None
    return suggest_rows(pool.open_features, n, labelled=rows, unsure=doubt, seed=seed)


WAYS: Mapping[str, Way] = {
    "random": _random,
    "k-means++, inputs": _apart,
    "typical, inputs": _typical(lambda pool: pool.inputs),
    "typical, PCA": _typical(_principal),
    "typical, features": _typical(lambda pool: pool.open_features),
    "unsure rows": _unsure,
    "gradients (BADGE)": _gradients,
    **dict(zip(PACKAGES, map(_of_package, (by_modal, by_small_text)), strict=True)),
    "suggest": _suggested,
}
"""By what the tables call them. Those that go by a reading of the features begin as `typical,
features`."""


BY_READING = ("unsure rows", "gradients (BADGE)", *PACKAGES, "suggest")
"""Ways that are asked for `BATCH` rows at a time, with what was labelled till then."""


def labelled(pool: Pool, way: str, seed: int) -> Iterator[Rows]:
    """Rows with a label at each of `TOTALS`, the earlier ones kept; `FEW` rows by themselves."""
    rows = np.zeros(0, np.int64)
    if len(np.unique(pool.y)) <= FEW:
        yield WAYS[way](pool, rows, FEW, seed)
    for total in TOTALS:
        if total > pool.n_open // 2:
            return
        while len(rows) < total:
            step = min(BATCH, total - len(rows)) if way in BY_READING else total - len(rows)
            rows = np.concatenate([rows, WAYS[way](pool, rows, step, seed)])
        yield rows
