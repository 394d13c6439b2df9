"""Cells of text tables: which are numbers or codes, and what is wrong with others."""

import re

from metaplastic.data.labels import MISSING_CELLS
from metaplastic.data.readers.layout import COMMA_NUMBER, TRUTH, is_number
from metaplastic.data.readers.rows import Plan
from metaplastic.data.tables import place
from metaplastic.errors import FileFormatError

DATE = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


def is_code(cell: str) -> bool:
    """Whether a cell is a whole number, as class codes are."""
    return is_number(cell) and float(cell).is_integer()


def pointed(cell: str) -> str:
    """A number with a decimal comma as one with a point; one with a point is none."""
    if "." in cell and is_number(cell):
        return f"{cell} "  # No number any more: the point would group thousands.
    return cell.replace(",", ".") if COMMA_NUMBER.fullmatch(cell) and "." not in cell else cell


def cell_error(plan: Plan, row: int, line: int, column: int, cell: str) -> FileFormatError:
    """What is wrong with a cell that should be a number, where it is, and how to mend it."""
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
    elif DATE.fullmatch(cell):
        what, mend = "is a date", "make it a number, such as days since the first, or drop it"
    elif not any(letter.isalpha() for letter in cell):
        what, mend = "is no plain number", "write digits, a sign and a decimal point alone"
    else:
        what = "is no number"
        mend = (
            "name the column as --label or --text, drop it, or give a column of 0 and 1 for each "
            "of its words"
        )
    return FileFormatError(
        f"{plan.path}: not a table of numbers: {at}: {cell[:40]!r} {what}; {mend}"
    )
