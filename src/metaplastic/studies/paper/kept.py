"""Measurements of single learners in files, so that none is made twice.

An experiment that was interrupted goes on where it was, and another rule is measured beside the
same other learners without measuring those again.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metaplastic import __version__
from metaplastic.errors import InputError
from metaplastic.evaluation import Judged, LabelledSet, Record
from metaplastic.files import write_atomically
from metaplastic.studies._trajectory import AtStep

FOLDER = "measurements"
"""Where files of single measurements are, in the folder of the experiments."""


def measurement_key(learner: Judged, dataset: LabelledSet, how: Mapping[str, Any]) -> str:
    """A digest of all that a measurement depends on: learner, rows, labels, protocol, version."""
    hashed = hashlib.sha256(f"{__version__} {dataset.name} {sorted(how.items())}".encode())
    x = dataset.x.tocsr() if hasattr(dataset.x, "tocsr") else dataset.x
    parts = (x.data, x.indices, x.indptr) if hasattr(x, "indptr") else (x,)
    for part in (*parts, dataset.y):
        _add(hashed, np.asarray(part))
    _add(hashed, learner)
    return hashed.hexdigest()[:32]


class Kept:
    """Rows by key: in a folder, one file for each key, and in an earlier result of an experiment.

    The folder is for runs that are interrupted. A result file alone is enough to go on with
    other learners, because its rows say their keys. `seconds` is what making all that was read
    took, `commits` where it was made.
    """

    def __init__(self, folder: Path, result: Path) -> None:
        self._folder = folder
        self.seconds = 0.0
        self.commits: set[str] = set()
        self._earlier: dict[str, dict[Any, dict[str, Any]]] = {}
        for row in _rows(_json(result)):
            # What several parts of an experiment show stands there several times.
            same = self._earlier.setdefault(row["key"], {})
            same.setdefault((row.get("shots"), row.get("readout")), row)

    def read(self, key: str) -> list[dict[str, Any]] | None:
        """The rows kept under a key, or `None`; damaged files count as none."""
        content = _json(self._folder / f"{key}.json")
        earlier = list(self._earlier.get(key, {}).values())
        rows = list(_rows(content)) if isinstance(content, list) else earlier
        fields = (*(field.name for field in dataclasses.fields(Record)), "key", "seconds", "commit")
        if not rows or any(name not in row for row in rows for name in fields):
            return None
        self.seconds += rows[0]["seconds"]
        self.commits.add(rows[0]["commit"])
        return [{name: row[name] for name in fields} for row in rows]

    def write(self, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows under a key; they say it, and the seconds and the commit of the making."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._folder / f"{key}.json", json.dumps(list(rows)).encode())


def _json(path: Path) -> Any:
    """The content, or `None` if there is no such file or it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _rows(content: Any) -> Iterator[dict[str, Any]]:
    """All rows that have a key, wherever they are."""
    if isinstance(content, dict):
        if isinstance(content.get("key"), str):
            yield content
        else:
            for item in content.values():
                yield from _rows(item)
    elif isinstance(content, list):
        for item in content:
            yield from _rows(item)


def _add(hashed: Any, thing: Any) -> None:
    """Feed whatever makes a learner what it is into a hash, field by field."""
    if isinstance(thing, AtStep):
        thing = (thing.trajectory.learner, thing.step)
    hashed.update(type(thing).__qualname__.encode())
    if isinstance(thing, np.ndarray | jax.Array):
        array = np.ascontiguousarray(thing)
        hashed.update(f"{array.dtype.str} {array.shape}".encode())
        hashed.update(array.astype(str).tobytes() if array.dtype.hasobject else array.tobytes())
    elif isinstance(thing, list | tuple):
        hashed.update(str(len(thing)).encode())
        for item in thing:
            _add(hashed, item)
    elif dataclasses.is_dataclass(thing):
        later = getattr(type(thing), "later_fields", ())
        for field in dataclasses.fields(thing):
            # As in a rule file, a field that came later says nothing where it changes nothing.
            if field.name in later and getattr(thing, field.name) == field.default:
                continue
            hashed.update(field.name.encode())
            _add(hashed, getattr(thing, field.name))
    else:
        hashed.update(repr(thing).encode())
