"""Pools to choose on by kind of inputs: images, tables, embeddings, counts of words, cells."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory.pools import validation_pool
from laboratory.real_pools import TABLES, descriptions, docstrings, embedded, manuals, read_keel
from metaplastic.data import Dataset, read_table
from metaplastic.data.texts import bag_of_words

ROWS, WORDS = 500, 4000
IMAGES = ("strokes 14x14", "silhouettes 14x14")
DRAWN = ("manifold", "prototypes")
SECTIONS = {(2, 0): 100, (2, 1): 100, (4, 0): 100, (10, 0): 100}
"""Texts of a class by the number of sections and the seed that draws them."""

LEAST_CELLS = 20
"""Cells of a type, at least."""

SHARES, SHARED = ("docstrings", "manual pages"), 48
"""Texts of which there is a table of shares of words, and how many words."""

OTHER_TEXTS = {"docstrings": 60, "manual pages": 100}

Found = tuple[str, Dataset]
"""A kind of inputs and a pool of it."""


def quick_pools() -> Iterator[Found]:
    """One small table, and a few counts of as many columns, so that they share programs."""
    generator = np.random.default_rng(0)
    y = np.arange(120) % 2
    yield "tables", _set("made", np.exp(generator.normal(size=(120, 40))), y)
    rates = generator.gamma(0.1, 0.2, size=(2, 40))[y] * generator.integers(1, 20, size=(120, 1))
    yield "counts", _set("made words", generator.poisson(rates), y)


def pools(kinds: Collection[str], keel: Path | None, cells: Path | None) -> Iterator[Found]:
    """Pools of these kinds; tables and cells only if it is known where they are."""
    for kind in IMAGES if "images" in kinds else ():
        yield "images", validation_pool(kind, 0, ROWS)
    for name in TABLES if keel is not None and "tables" in kinds else ():
        assert keel is not None
        yield "tables", _set(name, *read_keel(keel / f"{name}.dat", ROWS))
    for name, documents, labels in texts() if "tables" in kinds else ():
        if name in SHARES:
            yield "tables", _set(f"word shares of {name}", word_shares(documents), labels)
    for name, documents, labels in texts() if {"embeddings", "counts"} & {*kinds} else ():
        if "embeddings" in kinds:
            yield "embeddings", _set(f"embedded {name}", embedded(documents), labels)
        if "counts" in kinds:
            counts, _ = bag_of_words(documents, name, n_words=WORDS)
            yield "counts", _set(f"words of {name}", counts, labels)
    if cells and "cells" in kinds:
        yield from _cells(cells)


def _cells(path: Path) -> Iterator[Found]:
    for layer in (None, "raw"):
        table: Any = read_table(path, label="bulk_labels", layer=layer)
        _, labels, sizes = np.unique(table.y, return_inverse=True, return_counts=True)
        kept = sizes[labels] >= LEAST_CELLS
        x = table.x.toarray() if hasattr(table.x, "toarray") else table.x
        _, labels = np.unique(labels[kept], return_inverse=True)
        yield "cells", _set("scaled" if layer is None else "logarithms", x[kept], labels)


def more_pools() -> dict[str, list[Dataset]]:
    """Pools of which it is only asked whether they are pictures."""
    return {
        "images": [validation_pool(kind, 0, ROWS) for kind in (*IMAGES, "strokes 8x8")],
        "drawn tables": [validation_pool(kind, 0, ROWS) for kind in DRAWN],
    }


def word_shares(documents: list[str]) -> NDArray[np.float64]:
    """Percent of the commonest words, of capitals and of digits, and lengths: zeros with tails."""
    counts, _ = bag_of_words(documents, "", n_words=SHARED)
    lengths = np.array([[max(1, len(text.split())), max(1, len(text))] for text in documents])
    letters = [[sum(map(str.isupper, t)), sum(map(str.isdigit, t))] for t in documents]
    longest = [[max(map(len, text.split()), default=0)] for text in documents]
    shares = 100 * counts / lengths[:, :1], 100 * np.array(letters) / lengths[:, 1:]
    return np.concatenate([*shares, lengths, longest], axis=1)


def texts() -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    """Name, texts and their classes."""
    by_section = descriptions()
    for (size, seed), each in SECTIONS.items():
        usable = [section for section, texts in by_section.items() if len(texts) >= each]
        chosen = np.random.default_rng(100 * size + seed).choice(usable, size, replace=False)
        yield _some(f"{size} sections ({seed})", [by_section[name] for name in chosen], each)
    for name, found in (("docstrings", docstrings()), ("manual pages", manuals())):
        yield _some(name, list(found.values()), OTHER_TEXTS[name])


def _some(
    name: str, groups: list[list[str]], each: int
) -> tuple[str, list[str], NDArray[np.int64]]:
    """`each` texts of every group, drawn at random."""
    generator = np.random.default_rng(0)
    chosen = [[g[i] for i in generator.permutation(len(g))[:each]] for g in groups]
    return name, [t for some in chosen for t in some], np.repeat(np.arange(len(groups)), each)


def _set(name: str, x: Any, y: Any) -> Dataset:
    return Dataset(name, np.asarray(x, np.float32), np.asarray(y), None, "", "to choose on")
