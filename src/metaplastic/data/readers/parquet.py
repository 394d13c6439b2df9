"""Parquet and Feather (Arrow) files, through pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.frames import check_both, check_text, label_values, read_columns
from metaplastic.data.readers.streams import one_line, source_of
from metaplastic.data.tables import Options, Table, checked, find_label
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = b"ARROW1"


def read_parquet(path: Path, options: Options) -> Table:
    """Numbers, labels and column names, or with `options.text` counts of words.

    Raises
    ------
    MissingDataError
        Without pyarrow.
    FileFormatError
        For a damaged file, columns that are not numeric, missing values.
    InputError
        For a column that is not there.
    """
    require("pyarrow", f"reading {path}", "parquet")
    import pyarrow as pa

    table = _table(path, pa)
    try:
        if options.text is None:
            return read_columns(table, options.label, path)
        return _texts(table, path, options, pa)
    except (pa.ArrowException, OverflowError) as error:
        raise FileFormatError(f"{path}: a damaged file ({one_line(error)})") from error


def parquet_batches(
    path: Path, rows: int, *, label: str | int | None = None, keep: Sequence[str] = ()
) -> Iterator[tuple[Table, Any]]:
    """A Parquet file in order, some rows at a time; the file may be larger than memory.

    Parameters
    ----------
    path : Path
        The file.
    rows : int
        Most rows at a time.
    label : str or int, optional
        The column of labels, as in `read_parquet`.
    keep : sequence of str, default=()
        Columns that are no inputs, and are handed through.

    Yields
    ------
    (Table, pyarrow.Table)
        Numbers `(m, d)` of the next rows, and the columns of `keep`.

    Raises
    ------
    FileFormatError
        For a damaged file, columns that are not numeric, missing values.
    InputError
        For a column that is not there.
    """
    require("pyarrow", f"reading {path}", "parquet")
    import pyarrow as pa
    import pyarrow.parquet as parquet

    done = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for name in keep:
                if name not in names:
                    raise InputError(f"{path} has no column {name!r} to keep")
            names = [name for name in names if name not in keep]
            for batch in file.iter_batches(rows):
                table = pa.Table.from_batches([batch], file.schema_arrow)
                if table.num_rows == 0:
                    continue
                source = f"{path}, rows {done + 1} to {done + table.num_rows}"
                found = checked(source, read_columns(table.select(names), label, source))
                yield found, table.select(list(keep))
                done += table.num_rows
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise FileFormatError(f"{path}: not a Parquet file ({one_line(error)})") from error


def _texts(table: Any, path: Path, options: Options, pa: Any) -> Table:
    names = table.column_names
    number = find_label(names, options.text, path)
    column = find_label(names, options.label, path)
    check_both(number, column, names, path)
    assert number is not None
    texts = table.column(number).to_pylist()
    check_text(texts, names[number], path)
    counts, counted = bag_of_words(texts, path, options.words)
    if column is None:
        return Table(counts, None, counted)
    return Table(counts, typed_labels(label_values(table.column(column), pa), path), counted)


def _table(path: Path, pa: Any) -> Any:
    import pyarrow.feather as feather
    import pyarrow.parquet as parquet

    source = source_of(path)
    try:
        with open(path, "rb") if isinstance(source, Path) else source as file:
            if file.read(len(ARROW_MAGIC)) == ARROW_MAGIC:
                file.seek(0)
                return feather.read_table(file)
            file.seek(0)
            # The one file alone: no partition columns guessed from the names of its folders.
            return parquet.ParquetFile(file).read()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FileFormatError(f"{path}: not a Parquet file ({one_line(error)})") from error
