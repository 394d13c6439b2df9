"""What a text table looks like: what separates its cells, and whether it begins with names."""

import csv
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from metaplastic.data.labels import MISSING_CELLS
from metaplastic.data.tables import LABEL_NAMES
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
_INTEGER = re.compile(r"-?[0-9]+")
_QUOTED_OR_NOT = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|(\S+)')
_RARE = 0.01  # A first row of numbers less likely than this by chance is one of names.


class Ambiguous(FileFormatError):
    """A first row that may be names or data."""


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
        found = _QUOTED_OR_NOT.findall(line)
        yield [bare or quoted.replace('""', '"') for quoted, bare in found]


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
    best = max(layouts, key=lambda found: found[1], default=(None,))[0]
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


def is_header(rows: Sequence[Sequence[str]], label: str | int | None, path: object) -> bool:
    """Whether the first of some rows holds names.

    It does if it names the labels; if it holds words above numbers and no numbers there; if its
    numbers rise or fall as those of rows do not; if, beside distinct whole numbers, its last cell
    is a word that no other row has while theirs come again.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first of the file, of which there are at least one.
    label : str, int or None
        What the label column is called, if it was said.
    path : object
        For the message.

    Raises
    ------
    Ambiguous
        If it may be either.
    """
    first, rest = list(rows[0]), [row for row in rows[1:] if len(row) == len(rows[0])]
    if not rest:
        return not any(map(is_number, first))
    again = {(i, cell) for row in rest for i, cell in enumerate(row)}
    if any(
        (c.lower() in LABEL_NAMES or c == label) and not is_number(c) and (i, c) not in again
        for i, c in enumerate(first)
    ):
        return True
    columns = sorted(number_columns(rest, len(first)))
    words = [first[i] for i in columns if _is_name(first[i])]
    counted = [i for i in columns if NUMBER.fullmatch(first[i])]
    if words and not counted:
        return True
    index = first[0] == "" and counted != []  # As frames are saved with their index.
    if not counted or len(counted) + len(words) + (index and 0 in columns) < len(columns):
        return False  # Data with odd cells, which are refused as in any other row.
    numbers = [first[i] for i in counted]
    row = _Numbers.of(numbers, [[row[i] for i in counted] for row in rest])
    if words or index:
        return _decided(row.chance < (0.05 if words else _RARE) or row.are_counted, path, first)
    lone = [i for i in range(len(first)) if i not in columns]
    if lone and all(_comes_no_more(first[i], [row[i] for row in rest]) for i in lone):
        if row.chance < 0.2 or not row.may_be_names:
            return row.chance < 0.2
        raise _ambiguous(path, first)
    if row.chance < _RARE or (row.are_counted and (len(numbers) > 2 or row.chance < 0.1)):
        return True
    return _decided(False, path, first) if row.are_counted else False


def _decided(yes: bool, path: object, first: Sequence[str]) -> bool:
    if not yes:
        raise _ambiguous(path, first)
    return True


class _Numbers(NamedTuple):
    """What speaks for a first row of numbers being names.

    Attributes
    ----------
    chance : float
        How likely a row of data is as this one: strictly monotone, and of whole numbers.
    are_counted : bool
        Whether they are 0, 1, 2, ... while other rows are not in order.
    may_be_names : bool
        Whether they are different whole numbers.
    """

    chance: float
    are_counted: bool
    may_be_names: bool

    @classmethod
    def of(cls, numbers: Sequence[str], rest: Sequence[Sequence[str]]) -> "_Numbers":
        others = [row for row in rest if all(map(is_number, row))]
        again = any(sorted(row) == sorted(numbers) for row in others)
        in_order = sum(map(_monotone, others)) / max(1, len(others))
        whole = all(_INTEGER.fullmatch(cell) for cell in numbers)
        chance = 1.0
        if _monotone(numbers) and not again:
            chance = max(in_order, 1 / math.factorial(min(len(numbers), 20)))
            cells = [cell for row in others for cell in row]
            if whole:
                integers = sum(bool(_INTEGER.fullmatch(cell)) for cell in cells)
                chance *= ((integers + 1) / (len(cells) + 2)) ** len(numbers)
        counted = list(numbers) == [str(i) for i in range(len(numbers))]
        by_nature = in_order > 0.5 and len(numbers) > 2
        distinct = whole and len(set(numbers)) == len(numbers)
        return cls(chance, counted and not again and not by_nature, distinct)


def _is_name(cell: str) -> bool:
    """Whether a cell may be a name: it has a letter, is no truth value and no missing value."""
    if is_number(cell) or cell in TRUTH or cell in MISSING_CELLS:
        return False
    return any(letter.isalpha() or letter == "_" for letter in cell)


def _comes_no_more(word: str, others: Sequence[str]) -> bool:
    """Whether a word is in no other row, while those of the others come again."""
    counts = Counter(others)
    return _is_name(word) and word not in counts and min(counts.values()) > 1


def _monotone(cells: Sequence[str]) -> bool:
    values = [float(cell) for cell in cells]
    steps = [b - a for a, b in itertools.pairwise(values)]
    return bool(steps or len(cells) == 1) and (
        all(step > 0 for step in steps) or all(step < 0 for step in steps)
    )


def _ambiguous(path: object, cells: Sequence[str]) -> Ambiguous:
    shown = ", ".join(cell[:40] for cell in cells[:4]) + (", ..." if len(cells) > 4 else "")
    return Ambiguous(
        f"{path}: the first row ({shown}) may be names of columns or data: say --header or "
        "--no-header (header=True or False)"
    )
