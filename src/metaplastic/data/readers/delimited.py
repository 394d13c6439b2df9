"""Text tables: CSV and its kin, `.amat`, and the series of the UCR archive."""

import csv
import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from metaplastic.data.labels import MISSING_CELLS, UNLABELLED, text_labels
from metaplastic.data.readers.cells import DATE, cell_error, is_code, pointed
from metaplastic.data.readers.frames import check_guess
from metaplastic.data.readers.header import is_header
from metaplastic.data.readers.layout import (
    COMMA_NUMBER,
    TRUTH,
    find_layout,
    is_number,
    number_columns,
)
from metaplastic.data.readers.rows import (
    LongCells,
    Plan,
    first_lines,
    quote_error,
    read_rows,
    width_error,
)
from metaplastic.data.readers.streams import plain_name
from metaplastic.data.readers.text_columns import read_text_column
from metaplastic.data.tables import Options, Table, find_label
from metaplastic.errors import FileFormatError

INDEX_NAMES = ("", "Unnamed: 0")
"""Names that pandas and R give the index of a frame that was saved with it."""

_UCR = re.compile(r".*_(train|test)\.(tsv|txt)")


def read_delimited(path: Path, options: Options) -> Table:
    """Numbers, labels and column names of a text table, or with `options.text` counts of words.

    Cells are separated by commas, semicolons, tabs, bars or spaces, whichever cuts the rows
    alike. Whether the first row holds names is told by `header.is_header`. The labels are in the
    column that is called so, else in a last one of words.

    Raises
    ------
    FileFormatError
        If it is no table of numbers, in one line that says where.
    """
    try:
        with LongCells():
            if options.text is not None:
                return read_text_column(path, options)
            plan = _plan(path, options)
            return _read_numbers(plan)
    except csv.Error as error:
        raise FileFormatError(f"{path}: not a table ({error})") from error


def _no_rows(path: Path, lines: Sequence[str]) -> FileFormatError:
    """What is said of a header alone: either nothing follows, or an open quote swallows it."""
    if sum(bool(line.strip()) for line in lines) < 2:
        return FileFormatError(f"{path}: a header but no rows")
    return FileFormatError(
        f"{path}: row 1 (line 2) opens a quote that does not close where a cell ends; "
        "double the quotes within a cell, or leave them out"
    )


def _plan(path: Path, options: Options) -> Plan:
    lines, whole = first_lines(path)
    decimal, suffix = options.decimal or ".", Path(plain_name(path)).suffix
    layout = find_layout(lines, whole, suffix=suffix, decimal=decimal, path=path)
    rows = layout.rows
    _check_decimal(path, layout.delimiter, rows, options.decimal)
    if decimal == ",":
        rows = [[pointed(cell) for cell in row] for row in rows]
    has_header = options.header
    if has_header is None:
        has_header = is_header(rows, options.label, path)
    if has_header and len(rows) == 1 and whole:
        raise _no_rows(path, lines)
    names = list(rows[0]) if has_header else [str(i) for i in range(layout.width)]
    if has_header and len(names) == layout.width - 1:
        raise FileFormatError(
            f"{path}: the header names {len(names)} columns, the rows have {layout.width}; R's "
            "write.table names no row names: give it col.names=NA, or use write.csv"
        )
    names[0] = names[0].removeprefix("#").strip() if has_header else names[0]
    data = rows[1:] if has_header else rows
    label, remarks = _label_column(path, options, names, has_header, data)
    full = [row for row in data if len(row) == len(names)]
    truths = frozenset(i for i in range(len(names)) if full and all(r[i] in TRUTH for r in full))
    if has_header and names[0] in INDEX_NAMES and label != 0 and len(names) > 1:
        remarks = (*remarks, _INDEX_REMARK)
    return Plan(
        path, layout.delimiter, decimal, len(names), has_header, names, label, truths, remarks
    )


_INDEX_REMARK = (
    "the first column has no name: it is taken for the index of a saved frame, and left out"
)


def _check_decimal(
    path: Path, delimiter: str, rows: Sequence[Sequence[str]], decimal: str | None
) -> None:
    if decimal is None and delimiter != ",":
        cell = next((c for row in rows for c in row if COMMA_NUMBER.fullmatch(c)), None)
        if cell is not None:
            raise FileFormatError(
                f"{path}: holds {cell!r}, a number with a decimal comma; give --decimal , "
                "(decimal=',')"
            )


def _label_column(
    path: Path,
    options: Options,
    names: Sequence[str],
    has_header: bool,
    data: list[list[str]],
) -> tuple[int | None, tuple[str, ...]]:
    """The label column, by what was said, its name, the kind of file, or its words."""
    width = len(names)
    column = find_label(
        names if has_header else [str(i) for i in range(width)], options.label, path
    )
    if column is not None:
        return column, ()
    name = plain_name(path)
    if name.endswith(".amat") and not has_header and width > 1:
        if all(map(is_code, [row[-1] for row in data])):
            return width - 1, ("labels: the last column, as .amat files have it",)
        raise FileFormatError(
            f"{path}: the last column holds no whole numbers, so it is not the class that .amat "
            "files have there; name the column of labels (--label)"
        )
    if _UCR.fullmatch(name) and not has_header:
        coded = [
            all(map(is_code, cells)) for cells in ([r[0] for r in data], itertools.chain(*data))
        ]
        if coded == [True, False]:
            return 0, ("labels: the first column, as files of the UCR archive have it",)
    last = {row[-1] for row in data}
    beside = len(number_columns(data, width) - {width - 1}) == width - 1
    if width > 1 and _are_words(last) and (beside or not has_header):
        called = f" ({names[-1]})" if has_header else ""
        return width - 1, (f"labels: the last column{called}, which holds words",)
    return None, ()


def _are_words(cells: set[str]) -> bool:
    """Whether cells are words, beside -1 at most, which marks unlabelled rows."""
    words = cells - {str(UNLABELLED)}
    odd = any(is_number(c) or COMMA_NUMBER.fullmatch(c) or DATE.fullmatch(c) for c in words)
    return bool(words) and not odd and not words & (MISSING_CELLS | {""} | set(TRUTH))


def _read_numbers(plan: Plan) -> Table:
    values, labels, n = array("d"), [], 0
    left_out = {plan.label, 0 if _INDEX_REMARK in plan.remarks else None} - {None}
    kept = [i for i in range(plan.width) if i not in left_out]
    dropped = [i for i in reversed(range(plan.width)) if i in left_out]
    for number, line, cells in read_rows(plan):
        if len(cells) != plan.width:
            raise width_error(plan, number, line, cells)
        if plan.label is not None:
            label = cells[plan.label]
            if plan.delimiter in label and ("\n" in label or "\r" in label):
                raise quote_error(plan, number, line, csv.Error("it takes in whole rows"))
            labels.append(label)
        for i in plan.truths:
            cells[i] = TRUTH.get(cells[i].strip(), cells[i])
        for i in dropped:
            del cells[i]
        try:
            values.extend(map(float, cells))
            # Python alone takes 1_1 for a number.
            exact = "_" not in "".join(cells) and plan.decimal == "."
        except ValueError:
            exact = False
        if not exact:
            del values[n * len(kept) :]
            values.extend(_careful(plan, number, line, zip(kept, cells, strict=True)))
        n += 1
    x = np.frombuffer(values, np.float64) if len(values) else np.zeros(0)
    x = x.reshape(n, len(kept)).copy()
    names = [plan.names[i] for i in kept] if plan.has_header else None
    if plan.label is None:
        return Table(x, None, names, plan.remarks)
    y = text_labels(labels, plan.path)
    if plan.has_header and plan.guessed:
        check_guess(y, plan.names[plan.label], plan.path)
    return Table(x, y, names, plan.remarks)


def _careful(plan: Plan, row: int, line: int, cells: Iterable[tuple[int, str]]) -> Iterator[float]:
    """The numbers of a row, cell by cell; raises what is wrong with the first that is none."""
    for i, written in cells:
        cell = written.strip()
        number = pointed(cell) if plan.decimal == "," else cell
        if not is_number(number):
            raise cell_error(plan, row, line, i, cell)
        yield float(number)
