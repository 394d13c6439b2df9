"""Whether the first row of a text table holds names or data."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from metaplastic.data.labels import MISSING_CELLS
from metaplastic.data.readers.layout import NUMBER, TRUTH, is_number, number_columns
from metaplastic.data.tables import LABEL_NAMES
from metaplastic.errors import FileFormatError

_INTEGER = re.compile(r"-?[0-9]+")

_RARE = 0.01
"""A first row of numbers less likely than this by chance is one of names."""

_ENOUGH = 10
"""Rows beside which a number that is less or more than all of its column says something."""


class Ambiguous(FileFormatError):
    """A first row that may be names or data."""


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
    if row.chance < _RARE or (row.are_beyond and row.chance < 0.2):
        return True
    if row.are_counted and (len(numbers) > 2 or row.chance < 0.1):
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
        Whether they are 0, 1, 2, ... or 1, 2, 3, ... while other rows are not in order.
    are_beyond : bool
        Whether each is less or more than all numbers below it, as wavelengths above intensities.
    may_be_names : bool
        Whether they are different whole numbers.
    """

    chance: float
    are_counted: bool
    are_beyond: bool
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
        counted = any(
            list(numbers) == [str(i) for i in range(start, start + len(numbers))]
            for start in ((0, 1) if len(numbers) > 2 else (0,))
        )
        values = [sorted(map(float, column)) for column in zip(*others, strict=True)]
        beyond = len(others) >= _ENOUGH and all(
            not column[0] <= float(cell) <= column[-1]
            for cell, column in zip(numbers, values, strict=True)
        )
        by_nature = in_order > 0.5 and len(numbers) > 2
        distinct = whole and len(set(numbers)) == len(numbers)
        return cls(chance, counted and not again and not by_nature, beyond, distinct)


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
