"""Readers of users' files. Nothing is unpickled, and every bad file is one clear line."""

import os
from collections.abc import Sequence
from pathlib import Path

from metaplastic.data.formats import ALLOWED, find_format
from metaplastic.data.tables import Options, Table, checked
from metaplastic.data.texts import check_words
from metaplastic.errors import MissingDataError

__all__ = ["ALLOWED", "Table", "read_table"]


def read_table(
    path: str | os.PathLike,
    *,
    label: str | int | None = None,
    image_size: tuple[int, int] | None = None,
    text: str | int | None = None,
    words: Sequence[str] | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    transpose: bool = False,
    levels: int | None = None,
) -> Table:
    """Read a file or folder; its name's ending tells the format, else its first bytes.

    `docs/your_data.md` lists the formats, what is read of each, and what is refused. Files may be
    compressed by gzip, bzip2 or xz.

    Args:
        path: the file or folder.
        label: the label column of a table, by name or number (from 0, or from the end); the
            array of labels by name; `fine` or `coarse` for CIFAR-100.
        image_size: `(height, width)` to which a folder's images are resized.
        text: a table's column of texts; the rows are then counts of words.
        words: which words to count, those of the texts that were learned from; the 1,000
            commonest if left out.
        header: whether the first row of a text table holds names; found out if left out.
        decimal: the decimal mark of a text table, `"."` (the default) or `","`.
        transpose: whether images lie in the file column by column, as those of EMNIST.
        levels: of folders that make a class, see `folders.read_folder`.

    Returns:
        The rows, labels and names, and in `remarks` what was assumed.

    Raises:
        MissingDataError: if there is no such file, or a package to read it is not installed.
        FileFormatError: if it cannot be read, is damaged, holds no rows or no finite numbers.
        InputError: for an unknown format or an argument that does not go with it.

    Examples:
        >>> import pathlib, tempfile
        >>> from metaplastic.data import read_table
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "a.csv")
        ...     _ = path.write_text("size,kind\\n1.5,ant\\n2.5,bee\\n")
        ...     x, y, names = read_table(path, label="kind")
        >>> x.tolist(), y.tolist(), names
        ([[1.5], [2.5]], ['ant', 'bee'], ('size',))
    """
    path = Path(path)
    options = Options(
        label, image_size, text, check_words(words), header, decimal, transpose, levels
    )
    if not path.exists():
        raise MissingDataError(f"there is no file or folder {path}")
    kind = find_format(path)
    # Words go with all that may hold texts; an encoder's are offered to every file.
    options.check(kind.options, path)
    return checked(path, kind.read(path, options))
