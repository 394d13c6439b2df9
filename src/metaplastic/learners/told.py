"""What the rows of a pool are known to be, for rules that hear labels."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from metaplastic.learners.pool import Shuffled, draw_batches
from metaplastic.models import dense
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class Told:
    """Labels of some rows of a pool, and guesses at those of the others.

    Attributes
    ----------
    targets : array (n, class) of float32
        Of every row `targets` of `rules.hear`: probabilities less `1 / class`.
    known : array (known,) of int
        Numbers of the labelled rows, which go with every batch.
    share : float, default=0.5
        Most of a batch that labelled rows take.
    """

    targets: Float[np.ndarray, "row class"]
    known: Int[np.ndarray, " known"]
    share: float = 0.5


class Draws:
    """The batches of one network: shuffled epochs, with labelled rows in each if there are some.

    Parameters
    ----------
    x : array or sparse matrix (n, d)
        The pool.
    batch_size : int
        Rows of a batch; the pool if it is smaller.
    told : Told, optional
        What is heard of labels.
    seed : int
        Of the network.
    """

    def __init__(self, x: Rows, batch_size: int, told: Told | None, *, seed: int) -> None:
        self._x, self._told = x, told
        self._size = min(batch_size, x.shape[0])
        self._others = Shuffled(x.shape[0], seed=seed)
        if told is not None:
            self._n_known = min(len(told.known), int(told.share * self._size))
            self._known = Shuffled(len(told.known), seed=seed)

    def take(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The next batches `(count, size, d)`, and what is heard of them `(count, size, class)`."""
        if self._told is None:
            return draw_batches(self._x, self._others, count, self._size), None
        n_others = self._size - self._n_known
        labelled = self._told.known[self._known.take(count * self._n_known)]
        others = self._others.take(count * n_others).reshape(count, n_others)
        rows = np.concatenate([labelled.reshape(count, -1), others], axis=1)
        batches = dense(self._x[rows.ravel()]).reshape(*rows.shape, self._x.shape[1])
        return batches, self._told.targets[rows]


def told(
    probabilities: Float[np.ndarray, "row class"],
    known: Int[np.ndarray, " known"],
    numbers: Int[np.ndarray, " known"],
) -> Told:
    """From the probabilities of a reading of the pool, and the numbers of the known classes."""
    targets = np.array(probabilities, np.float32)
    targets[known] = np.eye(targets.shape[1], dtype=np.float32)[numbers]
    return Told(targets - np.float32(1.0 / targets.shape[1]), known)
