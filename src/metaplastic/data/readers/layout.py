"""What a text table looks like: what separates its cells, and whether it begins with names."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from metaplastic.errors import FileFormatError

SPACES = " "
"""Stands for any run of spaces and tabs."""

DELIMITERS = (";", "\t", "|", SPACES, ",")
"""In the order in which they win a tie: a comma that another one rivals is a decimal comma."""

SAMPLE_LINES, SAMPLE_CHARACTERS, LEAST_LINES = 400, 1 << 16, 20
"""What is looked at: so many lines; fewer if they are long, but at least the last number."""

TRUTH = {
    **{word: "1" for word in ("True", "TRUE", "true")},
    **{word: "0" for word in ("False", "FALSE", "false")},
}

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
COMMA_NUMBER = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]+([eE][+-]?[0-9]+)?")
_QUOTED_OR_NOT = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|(\S+)')


def is_number(cell: str) -> bool:
    """Whether a cell is a decimal number; NaN and infinity, as programs write them, are."""
    return bool(NUMBER.fullmatch(cell)) or cell.lstrip("+-").lower() in ("nan", "inf", "infinity")


def split_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """Cells of every row.

    Raises
    ------
    csv.Error
        For a quote that does not close, or that closes within a cell.
    """
    if delimiter == SPACES:
        return _split_spaces(lines)
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _split_spaces(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        if '"' not in line:
            yield line.split()
            continue
        if line.count('"') % 2:
            raise csv.Error("unexpected end of data")
        pairs = _QUOTED_OR_NOT.findall(line)
        yield [bare or quoted.replace('""', '"') for quoted, bare in pairs]


def _sample(lines: Sequence[str], delimiter: str, whole: bool) -> list[list[str]]:
    """The rows of the first lines, as far as they can be told apart."""
    rows = []
    try:
        for row in split_rows(lines, delimiter):
            cells = [cell.strip() for cell in row]
            if cells not in ([], [""]):
                rows.append(cells)
    except csv.Error:
        return rows
    # The last row may have been cut off in the middle of a quote.
    return rows if whole or len(rows) < 2 else rows[:-1]


class Layout(NamedTuple):
    """The delimiter, and the first rows `rows`, stripped, which it was found from."""

    delimiter: str
    rows: list[list[str]]
    width: int


def find_layout(
    lines: Sequence[str],
    whole: bool,
    *,
    suffix: str,
    texts: bool = False,
    decimal: str | None = None,
    path: object = "",
) -> Layout:
    """What separates the cells: what cuts most rows into equally many, at best into numbers.

    Parameters
    ----------
    lines : sequence of str
        The first of the file.
    whole : bool
        Whether they are all.
    suffix : str
        Suffix of the file, which decides between layouts that fit equally well.
    texts : bool, default=False
        Whether cells are texts, which are full of spaces and commas.
    decimal : str, optional
        The decimal mark, which separates no cells but quoted ones.
    path : object, default=""
        For the message.

    Raises
    ------
    FileFormatError
        If there is nothing.
    """
    order = ("\t", *DELIMITERS) if suffix in (".tsv", ".tab") else DELIMITERS
    if decimal == "," and not any('"' in line for line in lines):
        order = tuple(d for d in order if d != ",")
    # Between two tabs an empty cell is missing, which a run of spaces would hide.
    if texts or any("\t\t" in line for line in lines):
        order = tuple(d for d in order if d != SPACES)
    samples = {delimiter: _sample(lines, delimiter, whole) for delimiter in dict.fromkeys(order)}
    layouts = [_layout(d, rows, texts) for d, rows in samples.items() if rows]
    best = max(layouts, key=lambda scored: scored[1], default=(None,))[0]
    unclosed = len(layouts) < len(samples) and any(line.strip() for line in lines)
    if unclosed and (best is None or best.width == 1):
        raise FileFormatError(
            f"{path}: row 1 (line 1) opens a quote that does not close where a cell ends; double "
            "the quotes within a cell, or leave them out"
        )
    if best is None:
        raise FileFormatError(f"{path}: empty file")
    return best


def _layout(
    delimiter: str, rows: list[list[str]], texts: bool
) -> tuple[Layout, tuple[float, float]]:
    """The layout by a delimiter, and the parts of its rows alike and of its cells numbers."""
    widths = Counter(map(len, rows))
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if texts:
        width, count = len(rows[0]), widths[len(rows[0])]
    alike = count / len(rows) if width > 1 else 0.0
    return Layout(delimiter, rows, width), (alike, _numbers(rows, width, texts))


def _numbers(rows: Sequence[Sequence[str]], width: int, texts: bool) -> float:
    """The part of the cells that are numbers, decimal commas too."""
    if texts:
        return 0.0
    cells = [cell for row in rows if len(row) == width for cell in row]
    read = sum(is_number(c) or c in TRUTH or bool(COMMA_NUMBER.fullmatch(c)) for c in cells)
    return round(read / len(cells), 3)


def number_columns(rows: Sequence[Sequence[str]], width: int) -> set[int]:
    """Columns most of whose cells are numbers, truth values, or nearly numbers."""
    counts = [0] * width
    for row in rows:
        for i, cell in enumerate(row[:width]):
            counts[i] += is_number(cell) or cell in TRUTH or bool(COMMA_NUMBER.fullmatch(cell))
    return {i for i, count in enumerate(counts) if 2 * count > len(rows)}
