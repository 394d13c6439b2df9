"""Features of `base` on pools to choose on: tables, texts by class, drawn tasks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from laboratory.combining import LARGE
from laboratory.pools import KINDS, validation_pool
from laboratory.real_pools import MOST, TABLES, embedded, read_keel
from laboratory.real_pools import descriptions as package_texts
from metaplastic.errors import MissingDataError
from metaplastic.sklearn import RuleTransformer

COUNTED = (0, 3, 5)
"""Choices of sections whose texts are also read as counts of words."""

Named = tuple[str, NDArray[np.float32], NDArray[np.int64]]


def pools(folder: Path | None, keel: Path | None) -> Iterator[Named]:
    """Name, features and labels; from `folder` (`NAME.npz` with `f` and `y`) where it has files."""
    kept = sorted(folder.glob("*.npz")) if folder is not None and folder.is_dir() else []
    for path in kept:
        with np.load(path) as held:
            yield path.name.split(".")[0], held["f"], held["y"]
    if kept:
        return
    for name, x, y in inputs(keel, LARGE, LARGE):
        features = RuleTransformer(random_state=0).fit_transform(x)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(folder / f"{name}.npz", f=features, y=y)
        yield name, features, y


def inputs(
    keel: Path | None, drawn: int = 1500, real: int = MOST
) -> Iterator[tuple[str, Any, NDArray[np.int64]]]:
    """Name, raw inputs and labels; tables where `keel` has them. At most so many rows."""
    for name in TABLES if keel is not None else ():
        assert keel is not None
        yield f"keel-{name}", *read_keel(keel / f"{name}.dat", real)
    for kind in KINDS:
        try:
            data = validation_pool(kind, 0, drawn)
        except MissingDataError as error:
            print(f"{kind} is left out: {error}", file=sys.stderr)
            continue
        title = kind.replace(" ", "_").replace(",", "")
        yield f"pool-{title}-0", data.x, np.asarray(data.y, np.int64)
    for number, (name, documents, y) in enumerate(descriptions(real)):
        if number in COUNTED:
            counts: Any = CountVectorizer(max_features=1000).fit_transform(documents)
            yield f"counts-{name}", counts.astype(np.float32), y
        yield f"wl-{name}", embedded(documents), y


def descriptions(most: int = MOST) -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    """Descriptions of packages by section, without the name; several choices of sections."""
    found = package_texts()
    usable = sorted(section for section, texts in found.items() if len(texts) >= 150)
    generator = np.random.default_rng(5)
    for size in (2, 2, 2, 4, 4, 8, 10):
        chosen = sorted(generator.choice(usable, min(size, len(usable)), replace=False))
        each = min(*(len(found[section]) for section in chosen), most // size)
        texts = [t for section in chosen for t in found[section][:each]]
        name = f"text-{size}-{'-'.join(section[:4] for section in chosen)}"
        yield name[:40], texts, np.repeat(np.arange(size), each).astype(np.int64)
