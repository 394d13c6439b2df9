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
        """Learn from `x` `(n, d)` without labels; deterministic in `x` and `seed`."""
