"""Tables whose columns are numbers or categories: ARFF, KEEL, OpenML."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError


class Column(NamedTuple):
    """One column: its values, `None` where they are missing; its categories if it is nominal."""

    name: str
    values: Sequence[Any]
    categories: tuple[str, ...] | None


def encode(columns: Sequence[Column], source: object) -> tuple[NDArray, tuple[str, ...]]:
    """Numbers `(n, d)` float64 and names; a nominal column becomes one a category, of 0 and 1.

    Categories are in alphabetical order: of `colour`, the columns `colour_blue`, `colour_red`.

    Raises
    ------
    FileFormatError
        For missing values, or if there is no column.
    """
    missing = [(c.name, sum(v is None for v in c.values)) for c in columns]
    gaps = [(name, count) for name, count in missing if count]
    if gaps:
        name, count = gaps[0]
        row = next(
            i for c in columns if c.name == name for i, v in enumerate(c.values) if v is None
        )
        raise FileFormatError(
            f"{source}: {len(gaps)} columns have missing values, {name!r} {count}, first in row "
            f"{row + 1}; fill them, or drop the rows"
        )
    parts, names = [], []
    for column in columns:
        if column.categories is None:
            parts.append(np.array(column.values, np.float64))
            names.append(column.name)
            continue
        values = np.array([str(v) for v in column.values])
        for category in sorted(column.categories):
            parts.append((values == category).astype(np.float64))
            names.append(f"{column.name}_{category}")
    if not parts:
        raise FileFormatError(f"{source}: no column but the labels")
    return np.column_stack(parts), tuple(names)
