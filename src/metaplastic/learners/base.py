"""What a learner is: anything that makes features from unlabelled inputs."""

import abc
import dataclasses
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from metaplastic.types import Rows


class Encoder(Protocol):
    """A fitted feature map: `(n, n_features_in)` to `(n, n_features_out)` float32, row by row."""

    def __call__(self, x: Rows) -> NDArray[np.float32]: ...


@dataclasses.dataclass(frozen=True)
class AbstractLearner(abc.ABC):
    """A configuration that `fit` turns, with unlabelled inputs and a seed, into an encoder."""

    name: ClassVar[str]
    """What kind of learner it is."""

    @property
    def label(self) -> str:
        """Name in tables; says what tells it from others of its kind (`pca-32`)."""
        return self.name

    @abc.abstractmethod
    def fit(self, x: Rows, *, seed: int) -> Encoder:
        """Learn from rows without labels; deterministic in `x` and `seed`.

        Parameters
        ----------
        x : Rows
            The pool `(n, d)`.
        seed : int
            Seed of all random draws.

        Returns
        -------
        Encoder
            A fitted feature map.

        Raises
        ------
        InputError
            For a pool that is no matrix of finite numbers with at least two rows.
        """


class Predictor(Protocol):
    """A pool that is ready to have its labels spread: row numbers and a few labels in, labels out.

    Called with `labelled` `(m,)` row numbers of the pool, their `labels` `(m,)`, numbers from 0 of
    which none is left out, and `test` `(q,)` other row numbers; gives labels of these `(q,)`. The
    labels of all other rows are nowhere to be had. Deterministic in all arguments.
    """

    def __call__(
        self,
        labelled: NDArray[np.int64],
        labels: NDArray[np.int64],
        test: NDArray[np.int64],
        *,
        seed: int,
    ) -> NDArray[np.int64]: ...


@dataclasses.dataclass(frozen=True)
class AbstractClassifier(abc.ABC):
    """What learns from a pool and a few labels together, and so has no encoder to read out."""

    name: ClassVar[str]
    """What kind of classifier it is."""

    @property
    def label(self) -> str:
        """Name in tables."""
        return self.name

    @abc.abstractmethod
    def fit(self, x: Rows, *, seed: int) -> Predictor:
        """Do what needs no labels, once for the pool; deterministic in `x` and `seed`.

        Parameters
        ----------
        x : Rows
            The pool `(n, d)`.
        seed : int
            Seed of all random draws.

        Returns
        -------
        Predictor
            What predicts labels of rows of this pool.

        Raises
        ------
        InputError
            For a pool that is no matrix of finite numbers with at least two rows.
        """
