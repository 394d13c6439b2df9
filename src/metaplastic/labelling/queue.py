"""Which row is shown next: typical and unsure ones, and now and then one drawn at random."""

import threading
from collections.abc import Callable, Collection

import numpy as np
from jaxtyping import Float

from metaplastic.suggest import suggest_rows

BATCH = 10
"""Rows that are chosen at a time."""

CHECK_EVERY = 5
"""Of the rows after the first batch, each so many-th is drawn at random: it checks the reading."""

Unsure = Float[np.ndarray, " row"] | None


class Queue:
    """Rows to show, chosen by `suggest_rows` a batch at a time, the next while one is labelled.

    Parameters
    ----------
    features : ndarray (row, dim) of float
        Of all rows.
    unsure : Callable[[], Unsure]
        Gives how unsure the present reading is of every row.
    seed : int, default=0
        Of the choice.
    """

    def __init__(
        self,
        features: Float[np.ndarray, "row dim"],
        unsure: Callable[[], Unsure],
        seed: int = 0,
    ) -> None:
        self._features, self._unsure, self._seed = features, unsure, seed
        self._waiting: list[int] = []
        self._coming: threading.Thread | None = None
        self._chosen: list[int] = []

    def next(self, done: Collection[int]) -> tuple[int, bool] | None:
        """The row to show, and whether it was drawn at random; `None` if all are done.

        Parameters
        ----------
        done : Collection[int]
            Rows with a label, and rows that were skipped.
        """
        if len(done) >= len(self._features):
            return None
        if len(done) >= BATCH and len(done) % CHECK_EVERY == 0:
            free = np.setdiff1d(np.arange(len(self._features)), np.array(list(done)))
            return int(np.random.default_rng([self._seed, len(done)]).choice(free)), True
        self._waiting = [row for row in self._waiting if row not in done]
        if not self._waiting:
            self._take(done)
            self._waiting = [row for row in self._waiting if row not in done]
        if not self._waiting:  # Rows of the batch that was coming are done meanwhile.
            self._choose([*done])
            self._take(done)
        row = self._waiting[0]
        if len(self._waiting) <= BATCH // 2 and self._coming is None:
            self._coming = threading.Thread(
                target=self._choose, args=([*done, *self._waiting],), daemon=True
            )
            self._coming.start()
        return row, False

    def wait(self) -> None:
        """Until no choice is under way."""
        if self._coming is not None:
            self._coming.join()

    def _take(self, done: Collection[int]) -> None:
        """The batch that was coming, or a fresh one."""
        if self._coming is None:
            self._choose([*done])
        self.wait()
        self._coming = None
        self._waiting, self._chosen = self._chosen, []

    def _choose(self, taken: list[int]) -> None:
        if len(set(taken)) == len(self._features):
            self._chosen = []
            return
        rows = np.array(sorted(set(taken)), np.int64)
        self._chosen = suggest_rows(
            self._features, BATCH, labelled=rows, unsure=self._unsure(), seed=self._seed
        ).tolist()
