"""ARFF, the format of Weka and OpenML, through liac-arff."""

from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.data.labels import text_labels, typed_labels
from metaplastic.data.readers.nominal import Column, encode
from metaplastic.data.readers.streams import LIBRARY_ERRORS, one_line, open_text
from metaplastic.data.tables import Options, Table, find_label
from metaplastic.errors import FileFormatError
from metaplastic.extras import require


def read_arff(path: Path, options: Options) -> Table:
    """Numbers, with one column a category of nominal attributes, and labels.

    The labels are the attribute that is called so, or a nominal last one, as Weka has it. Of
    sparse rows what is left out is 0, or the first category.

    Raises
    ------
    MissingDataError
        Without liac-arff.
    FileFormatError
        For a damaged file, missing values, and attributes of texts or dates.
    InputError
        For a label that is not there.
    """
    require("arff", f"reading {path}", "arff", package="liac-arff")
    attributes, rows = _load(path)
    names = [name for name, _ in attributes]
    label = find_label(names, options.label, path)
    if label is None and isinstance(attributes[-1][1], list):
        label = len(names) - 1
    columns = []
    for i, (name, kind) in enumerate(attributes):
        if i == label:
            continue
        nominal = isinstance(kind, list)
        if not nominal and kind.upper() not in ("NUMERIC", "REAL", "INTEGER"):
            raise FileFormatError(
                f"{path}: attribute {name!r} is of type {kind}, neither numbers nor categories; "
                "drop it, or name it as --label"
            )
        categories = tuple(kind) if nominal else None
        columns.append(Column(name, [row[i] for row in rows], categories))
    x, encoded = encode(columns, path)
    if label is None:
        return Table(x, None, encoded)
    values = [row[label] for row in rows]
    strings = all(isinstance(v, str) for v in values)
    y = text_labels(values, path) if strings else typed_labels(values, path)
    return Table(x, y, encoded)


def _load(path: Path) -> tuple[list[tuple[str, Any]], list[list[Any]]]:
    import arff

    with open_text(path) as file:
        text = file.read()
    data = text.lower().find("@data")
    sparse = text[data + 5 :].lstrip().startswith("{") if data >= 0 else False
    try:
        parsed = arff.loads(text, return_type=arff.LOD if sparse else arff.DENSE)
        attributes = [(str(name), kind) for name, kind in parsed["attributes"]]
        rows: Any = parsed["data"]
        if sparse:
            default = [k[0] if isinstance(k, list) else 0.0 for _, k in attributes]
            rows = [[row.get(i, v) for i, v in enumerate(default)] for row in rows]
    except (arff.ArffException, *LIBRARY_ERRORS) as error:
        raise FileFormatError(f"{path}: not an ARFF file ({one_line(error)})") from error
    if not rows or not attributes:
        raise FileFormatError(f"{path}: an ARFF file without rows")
    if any(None in kind for _, kind in attributes if isinstance(kind, list)):
        raise FileFormatError(
            f"{path}: an attribute of the ARFF file has a category without a name"
        )
    if any(len(row) != len(attributes) for row in rows):
        raise FileFormatError(f"{path}: not an ARFF file (rows of different lengths)")
    return attributes, [[_plain(v) for v in row] for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
