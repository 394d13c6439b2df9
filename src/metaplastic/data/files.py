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
    layer: str | None = None,
) -> Table:
    """Read a file or folder; its name's ending tells the format, else its first bytes.

    `docs/your_data.md` lists the formats. Files may be compressed by gzip, bzip2 or xz.

    Parameters
    ----------
    path : str or PathLike
        The file or folder.
    label : str or int, optional
        The column of labels, or the array by its name; of CIFAR-100, `fine` or `coarse`.
    image_size : (int, int), optional
        `(height, width)` to which a folder's images are resized.
    text, words
        A column of texts, and the words to count in it, by default the 4,000 most frequent.
    header, decimal
        Whether the first row of a text table holds names, and its decimal mark, `"."` or `","`.
    transpose, levels
        Whether images lie column by column, as in EMNIST; levels of folders that make a class.
    layer : str, optional
        Layer of an `.h5ad` file in place of its matrix; `raw` is that of `adata.raw`.

    Returns
    -------
    Table
        The triple of rows, labels and names, and in `remarks` what was assumed.

    Raises
    ------
    MissingDataError
        If there is no such file, or a package to read it is not installed.
    FileFormatError
        If it cannot be read, is damaged, holds no rows or no finite numbers.
    InputError
        For an unknown format or an argument that does not go with it.

    Examples
    --------
    >>> import tempfile
    >>> from metaplastic.data import read_table
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     print("size,kind\\n1.5,ant\\n2.5,bee", file=file, flush=True)
    ...     read_table(file.name, label="kind").y.tolist()
    ['ant', 'bee']
    """
    words = check_words(words)
    options = Options(label, image_size, text, words, header, decimal, transpose, levels, layer)
    return _read(Path(path), options)


def _read(path: Path, options: Options) -> Table:
    if not path.exists():
        raise MissingDataError(f"there is no file or folder {path}")
    kind = find_format(path)
    # Words go with all that may hold texts; an encoder's are offered to every file.
    options.check(kind.options, path)
    return checked(path, kind.read(path, options))
