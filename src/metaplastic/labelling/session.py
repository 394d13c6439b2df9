"""One person labelling one pool: the row shown, the present reading, what it achieves."""

import base64
import functools
import threading
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from metaplastic.errors import InputError
from metaplastic.labelling.answers import Answers
from metaplastic.labelling.estimate import estimate_accuracy
from metaplastic.labelling.looks import AbstractLooks
from metaplastic.labelling.plane import places_in_plane
from metaplastic.labelling.queue import Queue
from metaplastic.readings import AbstractReading, ReadingSettings
from metaplastic.readings.remembered import RememberedPool

MOST_UNSURE = 5
"""Rows that are named as still unsure."""

NO_CLASS = 255
MOST_CLASSES = 200
HEAD = "auto"


class Session:
    """Everything behind the page, without the page.

    Parameters
    ----------
    features : ndarray (row, dim) of float
        `(n, d)` of all rows; they stay as they are, only the reading changes.
    looks : AbstractLooks
        How rows are shown.
    answers : Answers
        What was labelled, on disk.
    settings : ReadingSettings
        Of the reading.
    seed : int, default=0
        Of map and choice.

    Raises
    ------
    InputError
        If there are fewer than two rows, all have a label, or there are too many classes.
    """

    def __init__(
        self,
        features: Float[np.ndarray, "row dim"],
        looks: AbstractLooks,
        answers: Answers,
        settings: ReadingSettings,
        seed: int = 0,
    ) -> None:
        self.n_rows = len(features)
        if self.n_rows < 2:
            raise InputError(f"labelling takes two rows or more, got {self.n_rows}")
        if len(answers.labels) >= self.n_rows:
            raise InputError(f"all {self.n_rows} rows have a label; there is none left to label")
        if len(answers.classes) > MOST_CLASSES:
            raise InputError(
                f"at most {MOST_CLASSES} classes can be told apart here, got {len(answers.classes)}"
            )
        self._lock = threading.RLock()
        self._pool = RememberedPool(features, settings)
        self._looks, self._answers = looks, answers
        self._unsure: Float[np.ndarray, " row"] | None = None
        self._queue = Queue(features, lambda: self._unsure, seed)
        self._seed = seed
        self._read()
        self._shown = self._queue.next(self._done)

    @property
    def _done(self) -> set[int]:
        return {*self._answers.labels, *self._answers.skipped}

    @functools.cached_property
    def _places(self) -> Int[np.ndarray, "row 2"]:
        return np.round(1000 * places_in_plane(self._pool.features, self._seed)).astype(np.int64)

    def prepare(self) -> None:
        """Do what takes long before the page is shown: neighbours, the graph, the map."""
        with self._lock:
            _ = self._pool.near, self._places

    def map(self) -> dict[str, Any]:
        """Places of all rows, of thousandths."""
        with self._lock:
            return {"x": self._places[:, 0].tolist(), "y": self._places[:, 1].tolist()}

    def state(self) -> dict[str, Any]:
        """All that changes on the page."""
        with self._lock:
            counts = list(self._answers.labels.values())
            reading = self._reading is not None
            return {
                "rows": self.n_rows,
                "labelled": len(counts),
                "skipped": len(self._answers.skipped),
                "row": None if self._shown is None else self._describe(self._shown[0]),
                "check": self._shown is not None and self._shown[1],
                "classes": [
                    {"name": name, "labelled": counts.count(name), "share": self._share(i)}
                    for i, name in enumerate(self._answers.classes)
                ],
                "read": _bytes(self._classes),
                "sure": _bytes(np.round(255 * self._sure).astype(np.uint8)),
                "labels": sorted(self._answers.labels),
                "estimate": self._estimate() if reading else None,
                "unsure": self._most_unsure() if reading else [],
                "story": "" if self._reading is None else self._reading.explain(),
            }

    def label(self, row: int, name: str) -> dict[str, Any]:
        """A person gives the shown row a class, old or new; the state after it.

        `InputError` if another row is shown, there are too many classes, or files were changed.
        """
        with self._lock:
            drawn = self._check(row)
            if name not in self._answers.classes and len(self._answers.classes) >= MOST_CLASSES:
                raise InputError(f"at most {MOST_CLASSES} classes can be told apart here")
            self._answers.label(row, name, self._said(row) if drawn else None)
            return self._go_on()

    def skip(self, row: int) -> dict[str, Any]:
        """A person cannot say what the shown row is; the state after it. Raises as `label`."""
        with self._lock:
            self._check(row)
            self._answers.skip(row)
            return self._go_on()

    def undo(self) -> dict[str, Any]:
        """Take the last answer back and show its row again; raises `InputError` if none is left."""
        with self._lock:
            checks = set(self._answers.checks)
            row = self._answers.undo()
            if row is None:
                raise InputError("there is no answer to take back")
            drawn = row in checks
            self._read()
            self._shown = row, drawn
            return self.state()

    def name_class(self, name: str) -> dict[str, Any]:
        """A class more to choose from; raises as `label`."""
        with self._lock:
            if len(self._answers.classes) >= MOST_CLASSES:
                raise InputError(f"at most {MOST_CLASSES} classes can be told apart here")
            self._answers.name_class(name)
            return self.state()

    def picture(self, row: int) -> bytes:
        """A row as PNG; raises `InputError` if it is none, or there is no such row."""
        if not 0 <= row < self.n_rows:
            raise InputError(f"there is no row {row}; rows are 0 to {self.n_rows - 1}")
        return self._looks.picture(row)

    def fitted(self) -> tuple[AbstractReading, list[str]] | None:
        """The present reading and the classes it tells apart; `None` with fewer than two."""
        with self._lock:
            return None if self._reading is None else (self._reading, self._read_classes)

    def _check(self, row: int) -> bool:
        """Whether the shown row, which must be this one, was drawn at random."""
        if self._shown is None or self._shown[0] != row:
            raise InputError("another row is shown by now, in another window: reload this page")
        return self._shown[1]

    def _go_on(self) -> dict[str, Any]:
        self._read()
        self._shown = self._queue.next(self._done)
        return self.state()

    def _read(self) -> None:
        """Fit the reading to all labels, and keep what it says of every row."""
        rows = np.array(sorted(self._answers.labels), np.int64)
        names = [self._answers.labels[row] for row in rows.tolist()]
        self._read_classes = [name for name in self._answers.classes if name in names]
        self._reading: AbstractReading | None = None
        self._classes = np.full(self.n_rows, NO_CLASS, np.uint8)
        self._sure = np.zeros(self.n_rows)
        self._second = np.full(self.n_rows, NO_CLASS, np.uint8)
        self._unsure = None
        if len(self._read_classes) < 2:
            return
        numbers = np.array([self._read_classes.index(name) for name in names], np.int64)
        self._reading = self._pool.fit(HEAD, rows, numbers)
        said = self._pool.probabilities(self._reading, np.arange(self.n_rows))
        number = np.array([self._answers.classes.index(name) for name in self._read_classes])
        best = np.argsort(-said, axis=1)[:, :2]
        self._classes = number[best[:, 0]].astype(np.uint8)
        self._second = number[best[:, 1]].astype(np.uint8)
        self._sure = said.max(1)
        self._unsure = 1.0 - self._sure

    def _said(self, row: int) -> str | None:
        return None if self._reading is None else self._answers.classes[self._classes[row]]

    def _share(self, number: int) -> float:
        return float(np.mean(self._classes == number))

    def _estimate(self) -> dict[str, Any]:
        checks = list(self._answers.checks.values())
        estimate = estimate_accuracy(float(self._sure.mean()), sum(checks), len(checks))
        return {
            "share": estimate.share,
            "low": estimate.low,
            "high": estimate.high,
            "hits": sum(checks),
            "checked": len(checks),
        }

    def _describe(self, row: int) -> dict[str, Any]:
        return {"number": row, **self._looks.describe(row)}

    def _most_unsure(self) -> list[dict[str, Any]]:
        """Rows without a label of which the reading is least sure, and what they may be."""
        free = np.setdiff1d(np.arange(self.n_rows), np.array(sorted(self._done), np.int64))
        rows = free[np.argsort(self._sure[free], kind="stable")[:MOST_UNSURE]]
        return [
            {
                **self._describe(row),
                "first": self._answers.classes[self._classes[row]],
                "second": self._answers.classes[self._second[row]],
                "sure": float(self._sure[row]),
            }
            for row in rows.tolist()
        ]


def _bytes(values: np.ndarray) -> str:
    return base64.b64encode(values.astype(np.uint8).tobytes()).decode()
