"""Tables with named columns: CSV and Parquet."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

LABEL_NAMES = ("label", "target", "class", "y")
"""Columns that are taken for labels, whatever their case; the first of these that is there."""


def find_label(names: Sequence[str], label: str | int | None, path: Path) -> int | None:
    """The number of the label column, or `None`.

    Args:
        names: of the columns.
        label: a name, or a number that counts from 0, or from the end if negative;
            `None` looks for `LABEL_NAMES`.
        path: for the message.

    Raises:
        InputError: if there is no such column.
    """
    if label is None:
        lower = [name.strip().lower() for name in names]
        return next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    if label in names:
        return list(names).index(str(label))
    try:
        number = int(label)
    except ValueError:
        number = len(names)
    if not -len(names) <= number < len(names):
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise InputError(f"{path} has no column {label!r}; its {len(names)} columns are {shown}")
    return number % len(names)


def label_array(values: Sequence[Any], path: Path) -> NDArray:
    """Labels `(n,)`: int64 if all are whole numbers, else strings.

    Raises:
        FileFormatError: if one is missing.
    """
    texts = ["" if v is None else str(v).strip() for v in values]
    if "" in texts:
        raise FileFormatError(
            f"{path}: row {texts.index('') + 1} has no label; write -1 for unlabelled rows"
        )
    try:
        numbers = np.array([float(t) for t in texts])
    except ValueError:
        return np.array(texts)
    whole = bool(np.all(np.isfinite(numbers)) and np.all(numbers == np.round(numbers)))
    return numbers.astype(np.int64) if whole and np.abs(numbers).max() < 2**53 else np.array(texts)


def read_csv(
    path: Path, label: str | int | None
) -> tuple[NDArray[np.float64], NDArray | None, tuple[str, ...] | None]:
    """Numbers, labels and column names of a text table; comma, semicolon or tab, the commonest.

    The first line is a header if a cell of it is no number where the next line has one, or is
    called as labels are. Without a header, a last column of words is taken for labels.
    """
    try:
        delimiter, first, second, lines = _first_rows(path)
        has_header = _is_header(first, second, label)
        names = first if has_header else [str(i) for i in range(len(first))]
        if has_header and not second:
            raise FileFormatError(f"{path}: a header but no rows")
        column = find_label(names, label, path)
        if column is None and not has_header and not _is_number(first[-1]):
            column = len(first) - 1
        texts: list[str] = []
        # Labels may be words: each is replaced by its line's number, and looked up afterwards.
        converters: dict[int | str, Callable[[str], Any]] | None = None
        if column is not None:
            converters = {column: lambda text: texts.append(text) or len(texts)}
        table = np.loadtxt(
            path,
            delimiter=delimiter,
            skiprows=lines if has_header else 0,
            converters=converters,
            comments=None,
            quotechar='"',
            ndmin=2,
            encoding="utf-8-sig",
        )
    except (FileFormatError, InputError):
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise FileFormatError(f"{path}: not a table of numbers ({_line(error)})") from error
    shown = tuple(names) if has_header else None
    if column is None:
        return table, None, shown
    y = label_array([texts[int(i) - 1] for i in table[:, column]], path)
    kept = None if shown is None else tuple(n for i, n in enumerate(shown) if i != column)
    return np.delete(table, column, 1), y, kept


def read_texts(
    path: Path, label: str | int | None, text: str | int, words: Sequence[str] | None
) -> tuple[NDArray[np.float32], NDArray | None, tuple[str, ...]]:
    """Word counts, labels and words of a table (CSV or Parquet) with a column of texts.

    A CSV file needs a header. Columns other than `text` and the label are left out.
    """
    names, columns = (_parquet_texts if path.suffix.lower() == ".parquet" else _csv_texts)(path)
    number = find_label(names, text, path)
    assert number is not None
    column = find_label(names, label, path)
    if column == number:
        raise InputError(f"{path}: column {names[number]!r} cannot be both text and label")
    texts = columns(number)
    missing = [i for i, value in enumerate(texts) if not isinstance(value, str)]
    if missing:
        raise FileFormatError(
            f"{path}: row {missing[0] + 1} has no text in column {names[number]!r}; drop the row, "
            "or write an empty text"
        )
    counts, counted = bag_of_words(texts, path, words)
    y = None if column is None else label_array(columns(column), path)
    return counts, y, counted


def _csv_texts(path: Path) -> tuple[list[str], Callable[[int], list[Any]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            line = file.readline()
            file.seek(0)
            # By the header alone: texts are full of commas.
            rows = [r for r in csv.reader(file, delimiter=max(",;\t", key=line.count)) if r]
    except (OSError, ValueError, csv.Error) as error:
        raise FileFormatError(f"{path}: not a table of texts ({_line(error)})") from error
    if len(rows) < 2:
        raise FileFormatError(f"{path}: a table of texts needs a header and a row, at least")
    header, *rows = rows
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise FileFormatError(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}; quote texts "
                "that hold the delimiter"
            )
    return [name.strip() for name in header], lambda column: [row[column] for row in rows]


def _parquet_texts(path: Path) -> tuple[list[str], Callable[[int], list[Any]]]:
    table = _parquet_table(path)
    return table.column_names, lambda column: table.column(column).to_pylist()


def _first_rows(path: Path) -> tuple[str, list[str], list[str], int]:
    """Delimiter, the first two rows that are not blank, and the lines up to the first's end."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        beginning = file.read(4096)
        delimiter = max(",;\t", key=beginning.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter)
        rows: list[list[str]] = []
        lines = 0
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines = lines or reader.line_num
            if len(rows) == 2:
                break
    if not rows:
        raise FileFormatError(f"{path}: empty file")
    return delimiter, rows[0], rows[1] if len(rows) > 1 else [], lines


def _is_header(first: Sequence[str], second: Sequence[str], label: str | int | None) -> bool:
    if not second:
        return not any(map(_is_number, first))
    named = any(cell.lower() in LABEL_NAMES or cell == label for cell in first)
    words = [cell for cell in first if not _is_number(cell)]
    over = (_is_number(b) and not _is_number(a) for a, b in zip(first, second, strict=False))
    return bool(words) and (named or any(over))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _line(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")


def read_parquet(
    path: Path, label: str | int | None
) -> tuple[NDArray, NDArray | None, tuple[str, ...] | None]:
    """Numbers, labels and column names of a Parquet file; every other column must be numeric."""
    table = _parquet_table(path)
    import pyarrow as pa

    names = table.column_names
    column = find_label(names, label, path)
    features = []
    for i, name in enumerate(names):
        if i == column:
            continue
        kind = table.schema.field(i).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == pa.bool_()):
            raise FileFormatError(
                f"{path}: column {name!r} holds {kind}, not numbers; drop it, or name it as label"
            )
        if table.column(i).null_count:
            raise FileFormatError(f"{path}: column {name!r} has missing values; fill or drop them")
        features.append(table.column(i).to_numpy())
    if not features:
        raise FileFormatError(f"{path}: no column of numbers")
    y = None if column is None else label_array(table.column(column).to_pylist(), path)
    kept = tuple(name for i, name in enumerate(names) if i != column)
    return np.column_stack(features), y, kept


def _parquet_table(path: Path) -> Any:
    require("pyarrow", f"reading {path}", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        # The one file alone: no partition columns guessed from the names of its folders.
        return parquet.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileFormatError(f"{path}: not a Parquet file ({_line(error)})") from error
