"""Real texts for meta-training: sayings, jokes, poems and quotations in many languages.

Read are the collections of Debian's `fortunes` packages (`PACKAGES`): a language is a corpus, a
file in it (law, love, medicine, ...) a class. Left out are files of remarks from mailing lists,
newsgroups and chats, and sayings that name such a place, because reviews and newsgroups are what
rules are judged on; files of drawings; and files that are marked offensive.
"""

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir, output_folder
from metaplastic.data.splits import read_split
from metaplastic.data.texts import split_words
from metaplastic.errors import InputError, MissingDataError
from metaplastic.files import write_tensors

PACKAGES = "fortunes fortunes-cs fortunes-de fortunes-es fortunes-it fortunes-pl fortunes-ru"
"""Debian packages whose texts are read."""

KIND = "metaplastic-writings"
SPLITS = ("train", "validation")
VALIDATION_LANGUAGES = ("cs", "es", "it")
"""Languages that only the validation split has."""

N_RANKS = 4000
"""Words kept of a corpus: the commonest."""

_ROOT = "/usr/share/games/fortunes"
_LEAST_CLASSES = 8
_LEAST_WORDS = 1500
_MOST_WORDS = 40_000
_RESERVED = re.compile(
    r"debian|linux|knghtbrd|perl|lkml|irc|pld|plug|blug|apcoh|channel|infodrom|argante|bok|"
    r"ascii|arte|mario|brasil|zitate$|\d{4}\.\d\d|offen|off$"
)
_FROM_THE_NET = re.compile(
    r"@|usenet|newsgroup|\b(alt|comp|net|news|rec|sci|soc|talk|misc)\.[a-z]|https?:", re.IGNORECASE
)
_LICENCE = (
    "Ranks of words in the texts of Debian's fortunes packages (BSD, public domain and quotations; "
    "see /usr/share/doc/fortunes*/copyright)."
)


@dataclasses.dataclass(frozen=True, eq=False)
class WritingSet:
    """One split of the texts, as words by rank.

    Attributes
    ----------
    ranks : ndarray of uint16
        Ranks of the words `(word,)`, the texts of one class after the other. 0 is the most frequent
        word of the corpus. Words rarer than the first `N_RANKS` are left out.
    starts : ndarray of int32
        Class `c` holds words `starts[c]` to `starts[c + 1] - 1`; `(class + 1,)`.
    corpora : ndarray of int32
        Number of the corpus of each class `(class,)`.
    names : tuple of str
        `LANGUAGE/NAME` of each class.
    """

    ranks: NDArray[np.uint16]
    starts: NDArray[np.int32]
    corpora: NDArray[np.int32]
    names: tuple[str, ...]


def writing_path(split: str, folder: str | os.PathLike | None = None) -> Path:
    """Where a split is kept; `folder` defaults to the cache folder."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    return (cache_dir() if folder is None else Path(folder)) / f"writings_{split}.safetensors"


def build_writings(
    out: str | os.PathLike | None = None, *, root: str | os.PathLike = _ROOT
) -> dict[str, WritingSet]:
    """Read the installed texts and write one file per split; deterministic given the files.

    Parameters
    ----------
    out : str or PathLike, optional
        Folder for `writings_SPLIT.safetensors`; default the cache folder.
    root : str or PathLike, default=_ROOT
        The folder in which the packages put their files.

    Returns
    -------
    dict of str to WritingSet
        The sets that were written, by name of the split.

    Raises
    ------
    InputError
        For a folder that cannot be written.
    MissingDataError
        Without texts; names packages.
    """
    corpora: dict[str, dict[str, list[str]]] = {}
    for language, name, words in _files(Path(root)):
        corpora.setdefault(language, {})[name] = words
    corpora = {k: files for k, files in corpora.items() if len(files) >= _LEAST_CLASSES}
    if not corpora:
        raise MissingDataError(
            f"no texts found below {root}; install some: apt-get install {PACKAGES}"
        )
    folder = output_folder(out)
    sets = {}
    for split in SPLITS:
        held_back = split == "validation"
        chosen = {k: v for k, v in corpora.items() if (k in VALIDATION_LANGUAGES) == held_back}
        sets[split] = made = _ranked(chosen)
        write_tensors(
            writing_path(split, folder),
            {"ranks": made.ranks, "starts": made.starts, "corpora": made.corpora},
            kind=KIND,
            fields={"split": split, "names": made.names},
            metadata={"licence": _LICENCE},
        )
    return sets


def load_writings(split: str, folder: str | os.PathLike | None = None) -> WritingSet:
    """Read a split that `build_writings` wrote.

    Parameters
    ----------
    split : str
        `train` or `validation`.
    folder : str or PathLike, optional
        The folder that `build_writings` wrote to, by default the cache folder.

    Returns
    -------
    WritingSet
        The split.

    Raises
    ------
    InputError
        For an unknown split.
    MissingDataError
        If it was not built yet, or is empty; says how.
    FileFormatError
        If the file is damaged or of another version.
    """
    return read_split(
        writing_path(split, folder),
        split,
        kind=KIND,
        name="writings",
        how=f"install texts (the Debian packages {PACKAGES})",
        make=_made,
        is_empty=lambda made: not made.names,
    )


def _made(tensors: Mapping[str, NDArray], fields: Mapping[str, Any]) -> WritingSet:
    writings = WritingSet(
        tensors["ranks"], tensors["starts"], tensors["corpora"], tuple(fields["names"])
    )
    _check(writings)
    return writings


def _check(writings: WritingSet) -> None:
    n = len(writings.names)
    if writings.ranks.dtype != np.uint16 or writings.ranks.ndim != 1:
        raise ValueError("its words have an unexpected shape or type")
    if writings.starts.shape != (n + 1,) or writings.corpora.shape != (n,):
        raise ValueError("its classes do not fit together")
    ends = writings.starts[:1].tolist() + writings.starts[-1:].tolist()
    if ends != [0, len(writings.ranks)] or np.any(np.diff(writings.starts) <= 0):
        raise ValueError("its classes do not cover its words")
    if np.any(writings.ranks >= N_RANKS):
        raise ValueError("it has words of unknown rank")


def _files(root: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Language, name and words of every file that is a class."""
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if len(inside.parts) > 2 or path.suffix in {".dat", ".u8"} or not path.is_file():
            continue
        if _RESERVED.search(str(inside).lower()) or path.is_symlink():
            continue
        language = inside.parts[0] if len(inside.parts) == 2 else "en"
        text = path.read_text("utf-8", errors="ignore")
        sayings = [s for s in text.split("\n%\n") if not _FROM_THE_NET.search(s)]
        words = [word for saying in sayings for word in split_words(saying)]
        if len(words) >= _LEAST_WORDS:
            yield language, inside.stem, words[:_MOST_WORDS]


def _ranked(corpora: dict[str, dict[str, list[str]]]) -> WritingSet:
    ranks, starts, of, names = [], [0], [], []
    for number, (language, files) in enumerate(sorted(corpora.items())):
        totals = Counter(word for words in files.values() for word in words)
        common = sorted(totals, key=lambda word: (-totals[word], word))[:N_RANKS]
        rank = {word: i for i, word in enumerate(common)}
        for name, words in sorted(files.items()):
            known = [rank[word] for word in words if word in rank]
            ranks += known
            starts.append(len(ranks))
            of.append(number)
            names.append(f"{language}/{name}")
    return WritingSet(
        np.array(ranks, np.uint16), np.array(starts, np.int32), np.array(of, np.int32), tuple(names)
    )
