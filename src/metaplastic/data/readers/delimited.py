"""Text tables: CSV and its kin, `.amat`, and the series of the UCR archive."""

import csv
import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import MISSING_CELLS, UNLABELLED, text_labels
from metaplastic.data.readers.frames import check_guess
from metaplastic.data.readers.layout import (
    COMMA_NUMBER,
    SAMPLE_LINES,
    SPACES,
    TRUTH,
    find_layout,
    is_header,
    is_number,
    number_columns,
    split_rows,
)
from metaplastic.data.readers.streams import open_text, plain_name
from metaplastic.data.tables import Options, Table, find_label, place
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError, InputError

INDEX_NAMES = ("", "Unnamed: 0")
"""Names that pandas and R give the index of a frame that was saved with it."""

_LONGEST_CELL = 2**31 - 1  # As the csv module has it, where a long has 32 bits.
_DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
_UCR = re.compile(r".*_(train|test)\.(tsv|txt)")


class _Plan(NamedTuple):
    """How the rows of one file are read."""

    path: Path
    delimiter: str
    decimal: str
    width: int
    has_header: bool
    names: list[str]
    label: int | None
    truths: frozenset[int]
    remarks: tuple[str, ...]

    @property
    def guessed(self) -> bool:
        return any(remark.startswith("labels: the last column (") for remark in self.remarks)

    @property
    def shown(self) -> list[str] | None:
        return self.names if self.has_header else None


def read_delimited(path: Path, options: Options) -> Table:
    """Numbers, labels and column names of a text table, or with `options.text` counts of words.

    Cells are separated by commas, semicolons, tabs, bars or spaces, whichever cuts the rows
    alike. Whether the first row holds names is told by `layout.is_header`. The labels are in the
    column that is called so, else in a last one of words.

    Raises:
        FileFormatError: if it is no table of numbers, in one line that says where.
    """
    try:
        with _long_cells():
            if options.text is not None:
                return _read_texts(path, options)
            plan = _plan(path, options)
            return _read_numbers(plan)
    except csv.Error as error:
        raise FileFormatError(f"{path}: not a table ({error})") from error


class _long_cells:
    """The csv module refuses cells of more than 131,072 characters, unless told."""

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(_LONGEST_CELL)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._before)


def _first_lines(path: Path) -> tuple[list[str], bool]:
    with open_text(path) as file:
        lines = list(itertools.islice(_without_remarks(file, path), SAMPLE_LINES))
        return lines, next(file, None) is None


def _without_remarks(lines: Iterable[str], path: Path) -> Iterator[str]:
    """The lines, but those before the data that `.amat` files begin with `#`."""
    ascii_matrix = plain_name(path).endswith(".amat")
    for line in lines:
        if "\0" in line:
            raise FileFormatError(f"{path}: not a table of text (it holds NUL bytes)")
        if not (ascii_matrix and line.startswith("#")):
            yield line


def _plan(path: Path, options: Options) -> _Plan:
    lines, whole = _first_lines(path)
    layout = find_layout(lines, whole, suffix=Path(plain_name(path)).suffix, path=path)
    rows, decimal = layout.rows, options.decimal or "."
    _check_decimal(path, layout.delimiter, rows, options.decimal)
    if decimal == ",":
        rows = [[_pointed(cell) for cell in row] for row in rows]
    has_header = options.header
    if has_header is None:
        has_header = is_header(rows, options.label, path)
    if has_header and len(rows) == 1 and whole:
        raise FileFormatError(f"{path}: a header but no rows")
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
    return _Plan(
        path, layout.delimiter, decimal, len(names), has_header, names, label, truths, remarks
    )


_INDEX_REMARK = (
    "the first column has no name: it is taken for the index of a saved frame, and left out"
)


def _check_decimal(
    path: Path, delimiter: str, rows: Sequence[Sequence[str]], decimal: str | None
) -> None:
    if decimal is None and delimiter != ",":
        found = next((c for row in rows for c in row if COMMA_NUMBER.fullmatch(c)), None)
        if found is not None:
            raise FileFormatError(
                f"{path}: holds {found!r}, a number with a decimal comma; give --decimal , "
                "(decimal=',')"
            )


def _pointed(cell: str) -> str:
    """A number with a decimal comma as one with a point; one with a point is none."""
    if "." in cell and is_number(cell):
        return f"{cell} "  # No number any more: the point would group thousands.
    return cell.replace(",", ".") if COMMA_NUMBER.fullmatch(cell) and "." not in cell else cell


def _label_column(
    path: Path,
    options: Options,
    names: Sequence[str],
    has_header: bool,
    data: Sequence[Sequence[str]],
) -> tuple[int | None, tuple[str, ...]]:
    """The label column, by what was said, its name, the kind of file, or its words."""
    width = len(names)
    found = find_label(names if has_header else [str(i) for i in range(width)], options.label, path)
    if found is not None:
        return found, ()
    name = plain_name(path)
    if name.endswith(".amat") and not has_header and width > 1:
        if all(map(is_code, [row[-1] for row in data])):
            return width - 1, ("labels: the last column, as .amat files have it",)
        raise FileFormatError(
            f"{path}: the last column holds no whole numbers, so it is not the class that .amat "
            "files have there; name the column of labels (--label)"
        )
    if _UCR.fullmatch(name) and not has_header and all(map(is_code, [row[0] for row in data])):
        if not all(map(is_code, [cell for row in data for cell in row[1:]])):
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
    odd = any(is_number(c) or COMMA_NUMBER.fullmatch(c) or _DATE.fullmatch(c) for c in words)
    return bool(words) and not odd and not words & (MISSING_CELLS | {""} | set(TRUTH))


def is_code(cell: str) -> bool:
    """Whether a cell is a whole number, as class codes are."""
    return is_number(cell) and float(cell).is_integer()


def _rows(plan: _Plan) -> Iterator[tuple[int, int, list[str]]]:
    """Numbers of row and line, both from 1, and the stripped cells of every row of data."""
    with open_text(plan.path) as file:
        lines = _Counted(_without_remarks(file, plan.path))
        number = -1 if plan.has_header else 0
        rows = split_rows(lines, plan.delimiter)
        while True:
            line = lines.count + 1
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise _quote_error(plan, max(number, 0) + 1, line, error) from error
            if row is None:
                return
            cells = [cell.strip() for cell in row]
            if cells in ([], [""]):
                continue
            number += 1
            if number > 0:
                yield number, line, cells


class _Counted:
    """Lines, and how many have been taken."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def _quote_error(plan: _Plan, row: int, line: int, error: csv.Error) -> FileFormatError:
    return FileFormatError(
        f"{plan.path}: row {row} (line {line}) opens a quote that does not close where a cell "
        f"ends ({error}); double the quotes within a cell, or leave them out"
    )


def _read_numbers(plan: _Plan) -> Table:
    values, labels, n = array("d"), [], 0
    dropped = _INDEX_REMARK in plan.remarks
    left_out = {plan.label, 0 if dropped else None}
    for number, line, cells in _rows(plan):
        if len(cells) != plan.width:
            raise _width_error(plan, number, line, cells)
        label = None if plan.label is None else cells[plan.label]
        if label is not None:
            if plan.delimiter in label and ("\n" in label or "\r" in label):
                raise _quote_error(plan, number, line, csv.Error("it takes in whole rows"))
            labels.append(label)
        for i in plan.truths:
            cells[i] = TRUTH.get(cells[i], cells[i])
        kept = [c for i, c in enumerate(cells) if i not in left_out]
        try:
            values.extend(map(float, kept))
            exact = "_" not in "".join(kept) and plan.decimal == "."
        except ValueError:
            exact = False
        if not exact:
            del values[n * len(kept) :]
            values.extend(_careful(plan, number, line, cells, left_out))
        n += 1
    return _table(plan, values, labels, n, dropped)


def _table(plan: _Plan, values: array, labels: list[str], n: int, dropped: bool) -> Table:
    left_out = {plan.label, 0 if dropped else None} - {None}
    x = np.frombuffer(values, np.float64) if len(values) else np.zeros(0)
    x = x.reshape(n, plan.width - len(left_out)).copy()
    y = None if plan.label is None else text_labels(labels, plan.path)
    if y is not None and plan.has_header and plan.guessed:
        check_guess(y, plan.names[plan.label or 0], plan.path)
    names = None
    if plan.has_header:
        names = tuple(name for i, name in enumerate(plan.names) if i not in left_out)
    return Table(x, y, names, plan.remarks)


def _careful(
    plan: _Plan, row: int, line: int, cells: Sequence[str], left_out: set[int | None]
) -> Iterator[float]:
    """The numbers of a row, cell by cell; raises what is wrong with the first that is none."""
    for i, cell in enumerate(cells):
        if i in left_out:
            continue
        number = _pointed(cell) if plan.decimal == "," else cell
        if not is_number(number):
            raise _cell_error(plan, row, line, i, cell)
        yield float(number)


def _width_error(plan: _Plan, row: int, line: int, cells: Sequence[str]) -> FileFormatError:
    hint = ""
    if len(cells) > plan.width:
        hint = "; quote cells that hold the delimiter"
    return FileFormatError(
        f"{plan.path}: row {row} has {len(cells)} columns, others {plan.width} (line {line}){hint}"
    )


def _cell_error(plan: _Plan, row: int, line: int, column: int, cell: str) -> FileFormatError:
    at = f"row {row} (line {line}), {place(column, plan.shown)}"
    if not cell or cell in MISSING_CELLS:
        what, mend = "is missing", "fill it, or drop the row"
    elif COMMA_NUMBER.fullmatch(cell) or _GROUPED.fullmatch(cell):
        what = "has a comma, which groups thousands or stands for the decimal point"
        mend = "write it with a point and without groups, or give --decimal , (decimal=',')"
    elif plan.decimal == "," and "." in cell:
        what, mend = "has a point where the decimal mark is a comma", "write it with a comma"
    elif cell in TRUTH:
        what, mend = "is a truth value where other rows hold numbers", "write 1 or 0"
    elif _DATE.fullmatch(cell):
        what, mend = "is a date", "make it a number, such as days since the first, or drop it"
    elif not any(letter.isalpha() for letter in cell):
        what, mend = "is no plain number", "write digits, a sign and a decimal point alone"
    else:
        what = "is no number"
        mend = (
            "name the column as --label or --text, drop it, or give a column of 0 and 1 for each "
            "of its words"
        )
    return FileFormatError(f"{plan.path}: not a table of numbers: {at}: {cell[:40]!r} {what}; {mend}")


def _read_texts(path: Path, options: Options) -> Table:
    """Word counts, labels and words of a table with a column of texts.

    Columns other than the texts and the labels are left out.
    """
    lines, whole = _first_lines(path)
    if not "".join(lines).strip():
        raise FileFormatError(f"{path}: a table of texts needs a header and a row, at least")
    suffix = Path(plain_name(path)).suffix
    layout = find_layout(lines, whole, suffix=suffix, texts=True, path=path)
    has_header = options.header is not False
    names = layout.rows[0] if has_header else [str(i) for i in range(layout.width)]
    plan = _Plan(
        path, layout.delimiter, ".", len(names), has_header, names, None, frozenset(), ()
    )
    assert options.text is not None
    number = find_label(names, options.text, path)
    column = find_label(names, options.label, path)
    if column == number:
        raise InputError(f"{path}: column {names[number or 0]!r} cannot be both text and label")
    texts, labels = [], []
    for row, line, cells in _rows(plan):
        if len(cells) != plan.width:
            raise FileFormatError(
                f"{path}: row {row} has {len(cells)} cells, the header {plan.width}; quote texts "
                f"that hold the delimiter (line {line})"
            )
        texts.append(cells[number or 0])
        if column is not None:
            labels.append(cells[column])
    if not texts:
        raise FileFormatError(f"{path}: a table of texts needs a header and a row, at least")
    counts, counted = bag_of_words(texts, path, options.words)
    y: NDArray | None = None if column is None else text_labels(labels, path)
    return Table(counts, y, counted)
