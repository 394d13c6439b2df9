"""Columns of Arrow tables, whatever keeps them: Parquet, Feather, and the library `datasets`."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import typed_labels
from metaplastic.data.tables import LABEL_NAMES, Table, find_label
from metaplastic.errors import FileFormatError, InputError

_FEW = 20  # Classes that a small table may have, however few its rows.
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: 0|")


def index_columns(table: Any) -> list[str]:
    """Columns that hold the index of a pandas frame, as the file's metadata or their names say."""
    described = (table.schema.metadata or {}).get(b"pandas")
    try:
        index = json.loads(described)["index_columns"] if described else []
    except (ValueError, KeyError, TypeError):
        index = []
    named = [name for name in index if isinstance(name, str)] if isinstance(index, list) else []
    return [n for n in table.column_names if n in named or _INDEX.fullmatch(n)]


def read_columns(
    table: Any, label: str | int | None, source: object, index: Sequence[str] | None = None
) -> Table:
    """Numbers, labels and names of an Arrow table; every other column must be numeric.

    The labels are in the column that is called so, else in a last one of words. The index of a
    frame is left out, unless it is the label.

    Parameters
    ----------
    table : object
        A table of pyarrow.
    label : str, int or None
        The column of labels, by name or number.
    source : object
        Where it comes from, for messages.
    index : sequence of str, optional
        Columns of the index; found by `index_columns` if left out.

    Raises
    ------
    FileFormatError
        For a column that is not numeric, or has missing values.
    InputError
        For a label that is not there.
    """
    import pyarrow as pa

    index = index_columns(table) if index is None else index
    column = label_column(table, label, index, source)
    remarks = []
    left_out = [i for i in index if table.column_names.index(i) != column]
    if left_out:
        shown = ", ".join(repr(name) for name in left_out)
        remarks.append(f"{shown} is the index of a saved frame, and left out")
    parts, names, single = [], [], True
    for i, name in enumerate(table.column_names):
        if i == column or name in left_out:
            continue
        values = numbers(table.column(i).combine_chunks(), name, source)
        single = single and values.ndim == 1
        parts.append(values.reshape(len(values), -1))
        names.append(name)
    if not parts:
        raise FileFormatError(f"{source}: no column of numbers")
    if any(part.dtype != parts[0].dtype for part in parts):
        parts = [part.astype(np.float64) for part in parts]
    x = np.concatenate(parts, axis=1)
    if column is None:
        return Table(x, None, names if single else None, remarks)
    y = typed_labels(label_values(table.column(column), pa), source)
    name = table.column_names[column]
    if label is None and name.strip().lower() not in LABEL_NAMES:
        check_guess(y, name, source)
        remarks.append(f"labels: the last column ({name}), which holds words")
    return Table(x, y, names if single else None, remarks)


def check_guess(y: NDArray, name: str, source: object) -> None:
    """Raise `FileFormatError` if a column taken for labels holds nearly as many words as rows."""
    count = len(set(y.tolist()))
    if count > max(_FEW, len(y) // 2):
        raise FileFormatError(
            f"{source}: column {name!r} holds {count} words in {len(y)} rows, so it is not taken "
            "for labels; name it as --label or --text, or drop it"
        )


def label_values(column: Any, pa: Any) -> list[Any] | NDArray:
    """Values of a column as Python has them; times of nanoseconds in microseconds."""
    if pa.types.is_floating(column.type) and not column.null_count:
        return column.to_numpy()  # Whose own type says how it prints.
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column.to_pylist()


def label_column(
    table: Any, label: str | int | None, index: Sequence[str], source: object
) -> int | None:
    """The number of the label column: by what was said, its name, or its being the last, of words.

    A last column of words counts only beside numbers: of several columns of words it cannot be
    told which is the label.
    """
    names = table.column_names
    column = find_label(names, label, source)
    if column is not None:
        return column
    rest = [i for i, name in enumerate(names) if name not in index]
    if len(rest) < 2 or not _is_words(table.schema.field(rest[-1]).type):
        return None
    others = [table.schema.field(i).type for i in rest[:-1]]
    return rest[-1] if all(_is_numeric(kind) or _is_list(kind) for kind in others) else None


def _is_words(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def _is_numeric(kind: Any) -> bool:
    import pyarrow as pa

    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or kind == pa.bool_()
    )


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def numbers(values: Any, name: str, source: object) -> NDArray:
    """A column as `(n,)` or, of lists of one length, `(n, k)` numbers.

    Raises
    ------
    FileFormatError
        For missing values, other types, and lists of several lengths.
    """
    import pyarrow as pa

    kind = values.type
    if pa.types.is_dictionary(kind) and _is_numeric(kind.value_type):
        values, kind = values.dictionary_decode(), kind.value_type
    if values.null_count:
        raise FileFormatError(
            f"{source}: column {name!r} has missing values; fill or drop them ({values.null_count} "
            "rows)"
        )
    if _is_list(kind):
        inner = numbers(values.flatten(), name, source)
        # Lists of a fixed size have no lengths of their own.
        if hasattr(values, "value_lengths") and len(set(values.value_lengths().to_pylist())) > 1:
            raise FileFormatError(f"{source}: column {name!r} holds lists of several lengths")
        return inner.reshape(len(values), -1)
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if not _is_numeric(kind):
        raise FileFormatError(f"{source}: column {name!r} holds {kind}, not numbers; {mend(kind)}")
    return values.to_numpy(zero_copy_only=False)


def mend(kind: Any) -> str:
    """What to do about a column that holds no numbers."""
    import pyarrow as pa

    if pa.types.is_temporal(kind):
        return "make it a number, such as days since the first, or drop it"
    return "drop it, or name it as label or text"


def check_text(texts: Sequence[Any], name: str, source: object) -> None:
    """Raise `FileFormatError` unless every row has a text."""
    missing = [i for i, value in enumerate(texts) if not isinstance(value, str)]
    if missing:
        raise FileFormatError(
            f"{source}: row {missing[0] + 1} has no text in column {name!r}; drop the row, or "
            "write an empty text"
        )


def check_both(text: int | None, label: int | None, names: Sequence[str], source: object) -> None:
    """Raise `InputError` if one column is to be text and label."""
    if text is not None and text == label:
        raise InputError(f"{source}: column {names[text]!r} cannot be both text and label")
