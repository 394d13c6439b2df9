"""Data sets of others by name: `hf:NAME` of Hugging Face, `openml:NAME` of OpenML."""

from collections.abc import Sequence

from metaplastic.data.hub import load_huggingface, load_openml
from metaplastic.data.tables import Options, Table, checked
from metaplastic.data.texts import check_words
from metaplastic.errors import InputError

NAMED = {
    "hf:": "hf:NAME[:CONFIG][@SPLIT] of Hugging Face, such as hf:user/name@train[:5000]",
    "openml:": "openml:NAME[@VERSION] of OpenML, such as openml:credit-g@1",
}
"""Beginnings of names, and how a name is written."""


def is_named(word: str) -> bool:
    """Whether `word` names a data set of others."""
    return word.startswith(tuple(NAMED))


def load_named(
    word: str,
    *,
    label: str | None = None,
    text: str | None = None,
    words: Sequence[str] | None = None,
    image_size: tuple[int, int] | None = None,
) -> Table:
    """A data set by name, fetched if it is not in the library's cache on this machine.

    Parameters
    ----------
    word : str
        A name or a key with a value, as `NAMED` describes.
    label : str, optional
        The column of labels; by default the one that the data set says.
    text : str, optional
        A column of texts; rows are then counts of words (Hugging Face only).
    words : sequence of str, optional
        Words to count, as in `read_table`.
    image_size : (int, int), optional
        `(height, width)` to which images are resized (Hugging Face only).

    Returns
    -------
    Table
        The data, as `read_table` returns them.

    Raises
    ------
    InputError
        For a name, version, configuration, split or column that is not there.
    MissingDataError
        Without the network, or the packages of the extra `hub`.
    FileFormatError
        For data that are no numbers, images or texts, or have gaps.
    """
    prefix = next((p for p in NAMED if word.startswith(p)), None)
    if prefix is None or word == prefix:
        raise InputError(f"{word!r} names no data set; write {' or '.join(NAMED.values())}")
    name, _, last = word.removeprefix(prefix).partition("@")
    if prefix == "hf:":
        name, _, config = name.partition(":")
        columns = Options(label, image_size, text, check_words(words))
        return checked(word, load_huggingface(name, config or None, last or "train", columns))
    if text is not None or image_size is not None:
        raise InputError(f"text= and image_size= do not go with tables of OpenML ({word})")
    if last and not last.isdecimal():
        raise InputError(f"{word}: a version is a whole number, got {last!r}")
    return checked(word, load_openml(name, int(last) if last else None, label))
