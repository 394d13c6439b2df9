"""Records as tables: one `Table` of strings, rendered as plain text, Markdown or HTML."""

import dataclasses
import html
import math
from collections.abc import Collection, Sequence
from typing import Any

from metaplastic.errors import InputError
from metaplastic.evaluation import Record, records_to_rows


@dataclasses.dataclass(frozen=True)
class Table:
    """A finished table: every cell is a string, every row as long as the header.

    Parameters
    ----------
    header : tuple of str
        Cells of the header.
    rows : tuple of tuple of str
        Cells of each row.
    note : str, default=""
        A sentence under the table.
    emphasised : frozenset of int, optional
        Numbers of the rows to set in bold where the format can.
    prose : bool, default=False
        Whether cells are sentences, which are aligned left and wrapped. Otherwise the first column
        is aligned left and the others right.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    emphasised: frozenset[int] = frozenset()
    prose: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise InputError(
                    f"a table with {len(self.header)} columns got a row of {len(row)} cells: {row}"
                )

    def text(self) -> str:
        """For a terminal: columns padded with spaces, a rule under the header, then the note."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        left = self.prose
        lines = [_pad(self.header, widths, left), "  ".join("-" * width for width in widths)]
        lines += [_pad(row, widths, left) for row in self.rows]
        return "\n".join(lines + ([self.note] if self.note else [])) + "\n"

    def markdown(self) -> str:
        """A GitHub-flavoured Markdown table; the note follows as a paragraph."""
        other = ":---" if self.prose else "---:"
        rules = [":---", *[other] * (len(self.header) - 1)]
        lines = [_pipes(self.header), "|" + "|".join(rules) + "|"]
        for index, row in enumerate(self.rows):
            cells = [f"**{c}**" for c in row] if index in self.emphasised else row
            lines.append(_pipes(cells))
        return "\n".join(lines + (["", self.note] if self.note else [])) + "\n"

    def html(self) -> str:
        """A `<table>` in a container that scrolls sideways on narrow screens."""
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in self.header)
        body = []
        for index, (first, *rest) in enumerate(self.rows):
            mark = ' class="emphasised"' if index in self.emphasised else ""
            cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
            body.append(f'<tr{mark}><th scope="row">{html.escape(first)}</th>{cells}</tr>')
        note = f'<p class="note">{html.escape(self.note)}</p>' if self.note else ""
        rows = "\n".join(body)
        kind = ' class="prose"' if self.prose else ""
        return (
            f'<div class="scroll" role="group" tabindex="0" aria-label="table"><table{kind}>\n'
            f"<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table></div>\n{note}"
        )


def comparison_table(records: Sequence[Record], *, emphasise: Collection[str] = ()) -> Table:
    """Learners in rows, readouts in columns, in the order of the records.

    Accuracies are in percent with their standard error; seconds are means over seeds. Data set
    and labels a class are columns only where they vary.

    Parameters
    ----------
    records : sequence of Record
        At least one.
    emphasise : collection of str, default=()
        Learners whose rows are set in bold.

    Returns
    -------
    Table
        The table.

    Raises
    ------
    InputError
        Without records.
    """
    if not records:
        raise InputError("a comparison needs at least one record, got none")
    rows = records_to_rows(records)
    readouts = list(dict.fromkeys(record.readout for record in records))
    varying = [
        (key, title)
        for key, title in (("dataset", "data set"), ("shots", "labels a class"))
        if len({row[key] for row in rows}) > 1
    ]
    header = (
        "learner",
        *(title for _, title in varying),
        *(f"{name} %" for name in readouts),
        "features",
        "fit s",
        "transform s",
    )
    cells = tuple(
        (
            str(row["learner"]),
            *(str(row[key]) for key, _ in varying),
            *(_accuracy(row, name) for name in readouts),
            str(row["n_features"] or "-"),
            seconds(row["fit_seconds"]),
            seconds(row["transform_seconds"]),
        )
        for row in rows
    )
    marked = frozenset(i for i, row in enumerate(rows) if row["learner"] in emphasise)
    return Table(header, cells, protocol_note(records), marked)


def protocol_note(records: Sequence[Record]) -> str:
    """One sentence: what the numbers of these records are, with data sets and both counts.

    Parameters
    ----------
    records : sequence of Record
        Records of one protocol.

    Returns
    -------
    str
        The sentence.
    """
    datasets = ", ".join(dict.fromkeys(record.dataset for record in records))
    shots = ", ".join(dict.fromkeys(str(record.shots) for record in records))
    counts = " or ".join(
        dict.fromkeys(
            f"{_count(record.n_seeds, 'seed')} x {_count(record.n_draws, 'draw')}"
            for record in records
        )
    )
    return (
        f"{datasets}: accuracy in percent \u00b1 standard error over {counts}, "
        f"{shots} label{'s' * (shots != '1')} a class."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def seconds(value: float) -> str:
    """Seconds with two significant digits below ten and none after the point above."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _accuracy(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    return with_error(row[name], row[f"{name}_error"])


def with_error(mean: float, error: float) -> str:
    """Percent with a standard error, which is left out if it is not finite."""
    return f"{mean:.1f} \u00b1 {error:.1f}" if math.isfinite(error) else f"{mean:.1f}"


def _pad(cells: Sequence[str], widths: Sequence[int], left: bool) -> str:
    first, *rest = (
        cell.rjust(width) if column and not left else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
