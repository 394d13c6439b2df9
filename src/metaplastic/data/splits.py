"""One split of a set that was built on this machine, in a file of its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, MissingDataError
from metaplastic.files import read_tensors

Made = TypeVar("Made")


def read_split(
    path: Path,
    split: str,
    *,
    kind: str,
    name: str,
    how: str,
    make: Callable[[Mapping[str, NDArray], Mapping[str, Any]], Made],
    is_empty: Callable[[Made], bool] = lambda made: False,
) -> Made:
    """What `make` makes of the tensors and fields of a split.

    Parameters
    ----------
    path : Path
        Its file.
    split : str
        Its name.
    kind : str
        Format of the file.
    name : str
        The set, as `metaplastic data build` knows it.
    how : str
        What must be installed, as the start of a sentence.
    make : callable
        Raises `KeyError`, `TypeError` or `ValueError` for what does not fit together.
    is_empty : callable, optional
        Whether there is nothing in it; by default that is never so.

    Raises
    ------
    MissingDataError
        If the file is not there, or empty; says how to make it.
    FileFormatError
        If it is damaged, of another version or of another split.
    """
    again = f"metaplastic data build {name}"
    if not path.exists():
        raise MissingDataError(f"{path} is not there: {how} and run: {again}")
    try:
        tensors, fields, _ = read_tensors(path, kind=kind)
        made = make(tensors, fields)
        if fields["split"] != split:
            raise ValueError(f"it holds the split {fields['split']!r}")
    except (FileFormatError, KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{path} cannot be used ({error}); make it anew with: {again}"
        ) from error
    if is_empty(made):
        raise MissingDataError(f"{path} is empty: {how} and run: {again}")
    return made
