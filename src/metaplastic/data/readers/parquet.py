"""Parquet and Feather (Arrow) files, through pyarrow."""

from pathlib import Path
from typing import Any

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.frames import check_both, check_text, label_values, read_columns
from metaplastic.data.readers.streams import one_line, source_of
from metaplastic.data.tables import Options, Table, find_label
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError
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
