"""Measurements of single learners in files, so that none is made twice.

An experiment that was interrupted goes on where it was, and another rule is measured beside the
same other learners without measuring those again.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metaplastic import __version__
from metaplastic.files import write_atomically
from metaplastic.meta.evaluation import Judged, LabelledSet
from metaplastic.recipes._trajectory import AtStep

FOLDER = "measurements"
"""Where they are, in the folder of the experiments."""


def key(learner: Judged, dataset: LabelledSet, how: Mapping[str, Any]) -> str:
    """A digest of all that a measurement depends on: learner, rows, labels, protocol, version."""
    found = hashlib.sha256(f"{__version__} {dataset.name} {sorted(how.items())}".encode())
    x = dataset.x.tocsr() if hasattr(dataset.x, "tocsr") else dataset.x
    parts = (x.data, x.indices, x.indptr) if hasattr(x, "indptr") else (x,)
    for part in (*parts, dataset.y):
        _add(found, np.asarray(part))
    _add(found, learner)
    return found.hexdigest()


def read(folder: Path | None, key: str) -> list[dict[str, Any]] | None:
    """The rows kept under a key, or `None`; damaged files count as none."""
    if folder is None:
        return None
    try:
        rows = json.loads((folder / f"{key}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


def write(folder: Path | None, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep rows under a key."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{key}.json", json.dumps(list(rows)).encode())


def _add(found: Any, thing: Any) -> None:
    """Feed whatever makes a learner what it is into a hash, field by field."""
    if isinstance(thing, AtStep):
        thing = (thing.trajectory.learner, thing.step)
    found.update(type(thing).__qualname__.encode())
    if isinstance(thing, np.ndarray | jax.Array):
        array = np.ascontiguousarray(thing)
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(array.astype(str).tobytes() if array.dtype.hasobject else array.tobytes())
    elif isinstance(thing, list | tuple):
        found.update(str(len(thing)).encode())
        for item in thing:
            _add(found, item)
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            found.update(field.name.encode())
            _add(found, getattr(thing, field.name))
    else:
        found.update(repr(thing).encode())
