"""KEEL's `.dat`: a header like that of ARFF, or none and the class in the last column."""

import csv
import re
from pathlib import Path

from metaplastic.data.labels import MISSING_CELLS, text_labels
from metaplastic.data.readers.cells import is_code
from metaplastic.data.readers.delimited import read_delimited
from metaplastic.data.readers.header import is_header
from metaplastic.data.readers.layout import SAMPLE_LINES, find_layout, is_number
from metaplastic.data.readers.nominal import Column, encode
from metaplastic.data.readers.streams import open_text
from metaplastic.data.tables import Options, Table, find_label, place
from metaplastic.errors import FileFormatError, InputError

_ATTRIBUTE = re.compile(
    r"@attribute\s+('[^']*'|\"[^\"]*\"|[^\s{]+)\s*(\{[^}]*\}|real|integer|numeric)?\s*(\[.*\])?",
    re.IGNORECASE,
)


def read_keel(path: Path, options: Options) -> Table:
    """A table of the KEEL repository; nominal columns become one a category.

    Other `.dat` files, which have a header of names or no commas, are read as text tables.

    Raises
    ------
    FileFormatError
        For a damaged header, a missing value or a word among numbers.
    InputError
        For a label that is not there.
    """
    with open_text(path) as file:
        lines = [line.strip() for line in file]
    lines = [line for line in lines if line]
    if any("\0" in line for line in lines):
        raise FileFormatError(f"{path}: not a table of text (it holds NUL bytes)")
    if lines and lines[0].startswith(("@", "%")):
        if options.header is not None or options.decimal is not None:
            raise InputError(f"header= and decimal= do not go with a header of KEEL ({path})")
        return _with_header(path, lines, options)
    if options.header or options.decimal or options.text is not None:
        return read_delimited(path, options)
    first = lines[:SAMPLE_LINES]
    layout = find_layout(first, len(first) == len(lines), suffix=".dat", path=path)
    if layout.delimiter != "," or layout.width < 2 or is_header(layout.rows, options.label, path):
        return read_delimited(path, options)
    names = [str(i) for i in range(layout.width)]
    cells = _cells(path, lines, names)
    last = [row[-1] for row in cells]
    label, remarks = options.label, ()
    if label is None:
        if all(map(is_number, last)) and not all(map(is_code, last)):
            return read_delimited(path, options)
        label = layout.width - 1
        remarks = ("labels: the last column, as in files of KEEL; name the file .csv if not",)
    nominal = [
        not all(is_number(r[i]) or r[i] in MISSING_CELLS for r in cells) for i in range(len(names))
    ]
    table = _table(path, cells, names, nominal, {}, find_label(names, label, path))
    return Table(table.x, table.y, table.names if any(nominal[:-1]) else None, remarks)


def _with_header(path: Path, lines: list[str], options: Options) -> Table:
    names, categories, outputs, start = [], {}, [], None
    for number, line in enumerate(lines):
        word = line.split()[0].lower()
        if word == "@attribute":
            attribute = _ATTRIBUTE.fullmatch(line)
            if attribute is None:
                raise FileFormatError(f"{path}: not an attribute of KEEL: {line[:60]!r}")
            name = attribute[1].strip("'\"")
            if (attribute[2] or "").startswith("{"):
                categories[len(names)] = tuple(w.strip() for w in attribute[2][1:-1].split(","))
            names.append(name)
        elif word in ("@output", "@outputs"):
            outputs = [w.strip() for w in line.partition(" ")[2].split(",")]
        elif word == "@data":
            start = number + 1
            break
    if start is None or not names:
        raise FileFormatError(f"{path}: not a file of KEEL (its header has no @attribute or @data)")
    cells = _cells(path, [line for line in lines[start:] if not line.startswith("%")], names)
    if len(outputs) > 1:
        raise FileFormatError(f"{path}: has several outputs, {', '.join(outputs)}; keep one")
    label = options.label if options.label is not None else (outputs or [None])[0]
    column = find_label(names, label, path)
    if column is None and len(names) - 1 in categories:
        column = len(names) - 1
    nominal = [i in categories for i in range(len(names))]
    return _table(path, cells, names, nominal, categories, column)


def _cells(path: Path, lines: list[str], names: list[str]) -> list[list[str]]:
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(lines, strict=True)]
    except csv.Error as error:
        raise FileFormatError(f"{path}: not a table ({error})") from error
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise FileFormatError(
                f"{path}: row {number} has {len(row)} columns, others {len(names)}"
            )
    if not rows:
        raise FileFormatError(f"{path}: a header but no rows")
    return rows


def _table(
    path: Path,
    cells: list[list[str]],
    names: list[str],
    nominal: list[bool],
    declared: dict[int, tuple[str, ...]],
    label: int | None,
) -> Table:
    columns = []
    for i, name in enumerate(names):
        if i == label:
            continue
        values = [None if not r[i] or r[i] in MISSING_CELLS else r[i] for r in cells]
        words = set(filter(None, values))
        wrong = words - set(declared[i]) if i in declared else set()
        if not nominal[i]:
            wrong = {word for word in words if not is_number(word)}
        if wrong:
            word = min(wrong)
            row = values.index(word) + 1
            what = "none of its categories" if nominal[i] else "no number"
            raise FileFormatError(f"{path}: row {row}, {place(i, names)}: {word!r:.40} is {what}")
        categories = declared.get(i, tuple(words)) if nominal[i] else None
        columns.append(Column(name, values, categories))
    x, encoded = encode(columns, path)
    y = None if label is None else text_labels([r[label] for r in cells], path)
    return Table(x, y, encoded)
