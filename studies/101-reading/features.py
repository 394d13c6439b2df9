"""Features of `base` on pools to choose on: tables, texts by class, drawn tasks."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from laboratory.pools import KINDS, validation_pool
from metaplastic.errors import MissingDataError
from metaplastic.sklearn import RuleTransformer

_TABLES = (
    "bands breast chess crx heart ionosphere led7digit magic movement_libras penbased phoneme "
    "pima ring segment sonar tae texture titanic vehicle wisconsin"
)
_SECTIONS = (
    "admin comm education gnome hamradio httpd interpreters kde localization math misc net "
    "otherosfs text utils vcs video x11 xfce"
)
TABLES = tuple(_TABLES.split(" "))
SECTIONS = frozenset(_SECTIONS.split(" "))
"""Of Debian packages whose descriptions are texts to choose on."""

MOST = 2000
Named = tuple[str, NDArray[np.float32], NDArray[np.int64]]


def pools(folder: Path | None, keel: Path | None) -> Iterator[Named]:
    """Name, features and labels; from `folder` (`NAME.npz` with `f` and `y`) where it has files."""
    kept = sorted(folder.glob("*.npz")) if folder is not None and folder.is_dir() else []
    for path in kept:
        with np.load(path) as held:
            yield path.name.split(".")[0], held["f"], held["y"]
    if kept:
        return
    for name, x, y in _inputs(keel):
        features = RuleTransformer(activation="relu+tanh", random_state=0).fit_transform(x)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(folder / f"{name}.npz", f=features, y=y)
        yield name, features, y


def _inputs(keel: Path | None) -> Iterator[tuple[str, Any, NDArray[np.int64]]]:
    for name in TABLES if keel is not None else ():
        assert keel is not None
        yield f"keel-{name}", *read_keel(keel / f"{name}.dat")
    for seed in (0, 1):
        for kind in KINDS:
            try:
                data = validation_pool(kind, seed, 1500)
            except MissingDataError as error:
                print(f"{kind} is left out: {error}", file=sys.stderr)
                continue
            title = kind.replace(" ", "_").replace(",", "")
            yield (
                f"pool-{title}-{seed}",
                data.x,
                np.asarray(data.y, np.int64),
            )
    for name, documents, y in descriptions():
        words = TfidfVectorizer(max_features=400, sublinear_tf=True)
        yield f"tfidf-{name}", words.fit_transform(documents).toarray(), y
        yield f"wl-{name}", _embedded(documents), y


def read_keel(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A table with the class last; a column of words becomes one of zeros and ones for each."""
    lines = [line.split(",") for line in path.read_text().splitlines() if line[:1] not in ("@", "")]
    columns = [[cell.strip() for cell in column] for column in zip(*lines, strict=True)]
    parts = []
    for column in columns[:-1]:
        try:
            parts.append(np.array(column, float)[:, None])
        except ValueError:
            words, number = np.unique(column, return_inverse=True)
            parts.append(np.eye(len(words))[number] if len(words) > 2 else number[:, None])
    rows = np.random.default_rng(0).permutation(len(lines))[:MOST]
    return np.concatenate(parts, axis=1)[rows], np.unique(columns[-1], return_inverse=True)[1][rows]


def descriptions() -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    """Descriptions of packages by section, without the name; several choices of sections."""
    command = ["apt-cache", "dumpavail"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, dict[str, None]] = {}
    for entry in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+):[ ]?((?:.*)(?:\n[ ].*)*)", entry, re.M))
        section = fields.get("Section", "").split("/")[-1]
        body = fields.get("Description") or fields.get("Description-en")
        if section in SECTIONS and body:
            body = re.sub(re.escape(fields["Package"]), " ", body, flags=re.I)
            found.setdefault(section, {})[body] = None
    usable = sorted(section for section, texts in found.items() if len(texts) >= 150)
    generator = np.random.default_rng(5)
    for size in (2, 2, 2, 4, 4, 8, 10):
        chosen = sorted(generator.choice(usable, min(size, len(usable)), replace=False))
        each = min(*(len(found[section]) for section in chosen), MOST // size)
        texts = [t for section in chosen for t in list(found[section])[:each]]
        name = f"text-{size}-{'-'.join(section[:4] for section in chosen)}"
        yield name[:40], texts, np.repeat(np.arange(size), each).astype(np.int64)


def _embedded(documents: list[str]) -> NDArray[np.float64]:
    """Static embeddings (wordllama, whose wheel brings weights and tokenizer)."""
    import wordllama  # pyright: ignore[reportMissingImports]

    place = Path(str(wordllama.__file__)).parent
    model = wordllama.WordLlama.load(cache_dir=place, disable_download=True)
    return np.asarray(model.embed(documents, norm=True), np.float64)
