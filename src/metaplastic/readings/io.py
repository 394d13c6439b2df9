"""Readings in files: safetensors, with the classes and what was fitted in the header."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.errors import FileFormatError
from metaplastic.files import read_tensors, write_tensors
from metaplastic.readings.auto import CombinedReading
from metaplastic.readings.base import AbstractReading
from metaplastic.readings.logistic import LogisticReading
from metaplastic.readings.poisson import GraphReading
from metaplastic.readings.ridge import RidgeReading

FORMAT = "metaplastic-reading"
"""What the header of a reading's file says it is."""

_CLASSES: dict[str, type[AbstractReading]] = {
    "auto": CombinedReading,
    "graph": GraphReading,
    "logistic": LogisticReading,
    "ridge": RidgeReading,
}


def save_reading(
    path: str | Path,
    reading: AbstractReading,
    classes: Sequence[str | int],
    metadata: Mapping[str, Any],
) -> None:
    """Write a fitted reading to one safetensors file, atomically; an existing one is replaced.

    Parameters
    ----------
    path : str | Path
        Usually `NAME.safetensors`.
    reading : AbstractReading
        Fitted.
    classes : Sequence[str | int]
        Names of its classes, in the order of its scores.
    metadata : Mapping[str, Any]
        Provenance, plain JSON values.

    Raises
    ------
    InputError
        For metadata that JSON cannot hold, or a place that cannot be written.
    """
    name = next(name for name, kind in _CLASSES.items() if isinstance(reading, kind))
    fields = {"reading": name, "classes": list(classes), "fields": reading.fields()}
    arrays = {key: np.asarray(value) for key, value in reading.arrays().items()}
    write_tensors(path, arrays, kind=FORMAT, fields=fields, metadata=metadata)


def load_reading(
    path: str | Path, n_features: int
) -> tuple[AbstractReading, list[str | int], dict[str, Any]]:
    """The reading in a file, its classes, and the metadata saved with it; it is not trusted.

    Parameters
    ----------
    path : str | Path
        Of a file that `save_reading` wrote.
    n_features : int
        Of the encoder whose features it is to read.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, of another format or a newer version, or
        does not go with so many features.
    """
    arrays, fields, metadata = read_tensors(path, kind=FORMAT)
    try:
        reading = _CLASSES[fields["reading"]].restore(arrays, fields["fields"])
        classes = [name for name in fields["classes"] if isinstance(name, (str, int))]
        said = reading.scores(np.zeros((1, n_features), np.float32))
        fits = said.shape == (1, len(fields["classes"])) and len(classes) == len(fields["classes"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FileFormatError(
            f"{path}: holds no reading of {n_features} features ({error})"
        ) from error
    if not fits:
        raise FileFormatError(f"{path}: its scores do not go with its {len(classes)} classes")
    return reading, classes, metadata
