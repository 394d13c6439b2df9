"""A file of labels by row: what a person labelled, apart from the data."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from metaplastic.data.labels import SPELT_MISSING, typed_labels
from metaplastic.data.texts import read_text
from metaplastic.errors import FileFormatError

ROW, LABEL = "row", "label"
"""Columns of the file; others are passed over. Rows count from 0."""


def read_row_labels(path: str | Path, n_rows: int) -> NDArray:
    """Labels `(n_rows,)` of a CSV file with the columns `row` and `label`.

    Rows that the file does not name, or with an empty label, have no label: -1. Labels have the
    types that a label column of a table has (`labels.typed_labels`).

    Raises
    ------
    FileFormatError
        If it cannot be read, has not these columns, or names a row twice or one that is not there.
    """
    by_row: dict[int, str] = {}
    text = read_text(Path(path)).removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if ROW not in header or LABEL not in header:
            raise FileFormatError(
                f"{path}: expected a header with the columns {ROW} and {LABEL}, found "
                f"{', '.join(header)[:80] or 'nothing'}"
            )
        row, label = header.index(ROW), header.index(LABEL)
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                raise FileFormatError(
                    f"{path}: line {reader.line_num} has {len(cells)} cells, the header "
                    f"{len(header)}"
                )
            if cells and cells[label].strip():
                number = _row(path, reader.line_num, cells[row], n_rows, by_row)
                by_row[number] = cells[label].strip()
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFormatError(
            f"{path}: the row that begins in line {line} is no row of a table ({error}); double "
            "the quotes within a cell, and close those around it"
        ) from error
    return labels_of(by_row, n_rows, path)


def labels_of(by_row: Mapping[int, str], n_rows: int, source: object) -> NDArray:
    """Labels `(n_rows,)` of rows by number, -1 for the others."""
    whole = all(_is_whole(text) for text in by_row.values())
    values: list[Any] = [-1] * n_rows
    for row, text in by_row.items():
        if text in SPELT_MISSING:
            raise FileFormatError(
                f"{source}: row {row} (counted from 0) has no label ({text} is a missing value); "
                "leave it empty; if it is a class, give it another name"
            )
        values[row] = int(text) if whole else text
    return typed_labels(values, source)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and str(int(text)) == text


def write_row_labels(
    rows: Sequence[int], labels: Sequence[str], names: Sequence[str] | None = None
) -> bytes:
    """The file's content, one line a row in the order given.

    Parameters
    ----------
    rows : sequence of int
        Numbers of rows.
    labels : sequence of str
        Of them; empty for rows to be labelled.
    names : sequence of str, optional
        Files of the rows, if they are files.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((ROW, LABEL) if names is None else (ROW, LABEL, "file"))
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        writer.writerow((row, label) if names is None else (row, label, names[i]))
    return text.getvalue().encode()


def _row(path: object, line: int, cell: str, n_rows: int, by_row: Mapping[int, str]) -> int:
    word = cell.strip()
    if not (word.isascii() and word.isdecimal()) or int(word) >= n_rows:
        raise FileFormatError(
            f"{path}: line {line} names row {cell!r:.40}; rows are 0 to {n_rows - 1}"
        )
    if int(word) in by_row:
        raise FileFormatError(f"{path}: line {line} labels row {word} a second time")
    return int(word)
