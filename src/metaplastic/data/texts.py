"""Texts as counts of words: which words there are is decided by the texts that one learns from."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError

N_WORDS = 4000
"""Words counted: the commonest."""


class Words(tuple[str, ...]):
    """Names of columns that are counts of these words."""


def split_words(text: str) -> list[str]:
    """Words of a text in lower case, without marks of HTML; letters of any script, apostrophes."""
    plain = re.sub(r"<[^<>]*>", " ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", plain)


def read_text(file: Path) -> str:
    """The text of a UTF-8 file; raises `FileFormatError` if it is none."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{file}: not UTF-8 text ({error})") from error


def bag_of_words(
    texts: Iterable[str],
    source: Path | str,
    words: Sequence[str] | None = None,
    n_words: int = N_WORDS,
) -> tuple[NDArray[np.float32], Words]:
    """Counts of words `(n, len(words))`, and the words.

    Parameters
    ----------
    texts : iterable of str
        One a row.
    source : Path or str
        Where the texts come from, for the message.
    words : sequence of str, optional
        What to count; the `n_words` commonest of these texts if left out, ties in alphabetical
        order.
    n_words : int, default=N_WORDS
        Number of words to count if `words` is left out.

    Raises
    ------
    FileFormatError
        If no words are given and the texts hold none.
    """
    counters = [Counter(split_words(text)) for text in texts]
    if words is None:
        total: Counter[str] = Counter()
        for counter in counters:
            total.update(counter)
        words = sorted(total, key=lambda word: (-total[word], word))[:n_words]
    if not words:
        raise FileFormatError(f"{source}: its texts hold no words")
    column = {word: i for i, word in enumerate(words)}
    counts = np.zeros((len(counters), len(words)), np.float32)
    for row, counter in enumerate(counters):
        for word in counter.keys() & column.keys():
            counts[row, column[word]] = counter[word]
    return counts, Words(words)


def check_words(words: Sequence[str] | None) -> tuple[str, ...] | None:
    """The words to count, made sure to be different strings; else raises `InputError`."""
    if words is None:
        return None
    given = tuple(words)
    if isinstance(words, str) or not all(isinstance(word, str) for word in given):
        raise InputError(f"words must be a list of strings, got {words!r:.80}")
    if not given or len(set(given)) < len(given):
        raise InputError(f"words must be different ones, at least one, got {len(given)}")
    return given
