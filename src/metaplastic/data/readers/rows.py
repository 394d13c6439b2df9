"""The rows of a text table, one after the other, and how a file of them is read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from metaplastic.data.readers.layout import LEAST_LINES, SAMPLE_CHARACTERS, SAMPLE_LINES, split_rows
from metaplastic.data.readers.streams import open_text, plain_name
from metaplastic.errors import FileFormatError

_LONGEST_CELL = 2**31 - 1  # As the csv module has it, where a long has 32 bits.


class Plan(NamedTuple):
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
        """Whether the label column is one of words that nothing calls the label."""
        return any(remark.startswith("labels: the last column (") for remark in self.remarks)

    @property
    def shown(self) -> list[str] | None:
        """Names for messages, if the file has some."""
        return self.names if self.has_header else None


class LongCells:
    """A context, because the csv module refuses cells above 131,072 characters unless told."""

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(_LONGEST_CELL)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._before)


def first_lines(path: Path) -> tuple[list[str], bool]:
    """The first lines of a file, and whether they are all."""
    characters = SAMPLE_CHARACTERS
    with open_text(path) as file:
        lines: list[str] = []
        for line in _without_remarks(file, path):
            if len(lines) >= SAMPLE_LINES or (len(lines) >= LEAST_LINES and characters <= 0):
                return lines, False
            lines.append(line)
            characters -= len(line)
        return lines, True


def _without_remarks(lines: Iterable[str], path: Path) -> Iterator[str]:
    """The lines, but those before the data that `.amat` files begin with `#`."""
    ascii_matrix = plain_name(path).endswith(".amat")
    for line in lines:
        if "\0" in line:
            raise FileFormatError(f"{path}: not a table of text (it holds NUL bytes)")
        if not (ascii_matrix and line.startswith("#")):
            yield line


def read_rows(plan: Plan) -> Iterator[tuple[int, int, list[str]]]:
    """Numbers of row and line, both from 1, and the cells of every row of data but blank ones."""
    with open_text(plan.path) as file:
        lines = _Counted(_without_remarks(file, plan.path))
        number = -1 if plan.has_header else 0
        rows = split_rows(lines, plan.delimiter)
        while True:
            line = lines.count + 1
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise quote_error(plan, max(number, 0) + 1, line, error) from error
            if row is None:
                return
            if len(row) < 2 and not "".join(row).strip():
                continue
            number += 1
            if number > 0:
                yield number, line, row


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


def quote_error(plan: Plan, row: int, line: int, error: csv.Error) -> FileFormatError:
    """What is said of a quote that swallows what follows."""
    return FileFormatError(
        f"{plan.path}: row {row} (line {line}) opens a quote that does not close where a cell "
        f"ends ({error}); double the quotes within a cell, or leave them out"
    )


def width_error(plan: Plan, row: int, line: int, cells: Sequence[str]) -> FileFormatError:
    """What is said of a row of too many cells or too few."""
    hint = ""
    if len(cells) > plan.width:
        hint = "; quote cells that hold the delimiter"
    return FileFormatError(
        f"{plan.path}: row {row} has {len(cells)} columns, others {plan.width} (line {line}){hint}"
    )
