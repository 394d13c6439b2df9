"""Text tables with a column of texts, whose words are counted."""

from pathlib import Path

from metaplastic.data.labels import text_labels
from metaplastic.data.readers.frames import check_both
from metaplastic.data.readers.layout import find_layout
from metaplastic.data.readers.rows import Plan, first_lines, read_rows
from metaplastic.data.readers.streams import plain_name
from metaplastic.data.tables import Options, Table, find_label
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError


def read_text_column(path: Path, options: Options) -> Table:
    """Word counts, labels and words of a table with a column of texts.

    Columns other than the texts and the labels are left out.
    """
    texts, labels = text_cells(path, options)
    counts, counted = bag_of_words(texts, path, options.words)
    return Table(counts, None if labels is None else text_labels(labels, path), counted)


def text_cells(path: Path, options: Options) -> tuple[list[str], list[str] | None]:
    """The texts of a table's column `options.text`, and its labels, if there are any."""
    lines, whole = first_lines(path)
    if not "".join(lines).strip():
        raise FileFormatError(f"{path}: a table of texts needs a header and a row, at least")
    suffix = Path(plain_name(path)).suffix
    layout = find_layout(lines, whole, suffix=suffix, texts=True, path=path)
    has_header = options.header is not False
    names = layout.rows[0] if has_header else [str(i) for i in range(layout.width)]
    plan = Plan(path, layout.delimiter, ".", len(names), has_header, names, None, frozenset(), ())
    assert options.text is not None
    number = find_label(names, options.text, path)
    column = find_label(names, options.label, path)
    check_both(number, column, names, path)
    texts, labels = [], []
    for row, line, cells in read_rows(plan):
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
    return texts, None if column is None else labels
