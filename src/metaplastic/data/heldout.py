"""Labelled sets of the glyphs that are kept out of meta-training."""

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.dataset import Dataset, image_set
from metaplastic.data.fonts import FONT_PACKAGES
from metaplastic.data.glyphs import GlyphSet, load_glyphs
from metaplastic.errors import MissingDataError

GLYPH_CLASSES = 20
GLYPH_ROWS = 20


def held_out_glyphs(name: str) -> Dataset:
    """The set `glyphs_SPLIT`: renderings of some characters of a split."""
    glyphs = load_glyphs(name.removeprefix("glyphs_"))
    classes = choose_classes(glyphs, GLYPH_CLASSES)
    rows = np.flatnonzero(np.isin(glyphs.labels, classes))
    labels = np.searchsorted(classes, glyphs.labels[rows])
    shown = " ".join(glyphs.characters[c] for c in classes)
    source = f"renderings of installed fonts, plain, classes drawn by seed 0: {shown}"
    return image_set(name, glyphs.images[rows], labels, 255.0, "that of each font", source)


def choose_classes(glyphs: GlyphSet, n_classes: int, seed: int = 0) -> NDArray[np.int64]:
    """Classes for one labelled pool, of at least `GLYPH_ROWS` renderings each, sorted.

    A class that shares an image or, but for upper and lower case, its character with one drawn
    before is passed over (A of Latin, Greek and Cyrillic), so that the labels can be told apart.

    Raises
    ------
    MissingDataError
        If fewer than 2 classes remain: more fonts are needed.
    """
    counts = np.bincount(glyphs.labels, minlength=len(glyphs.characters))
    candidates = np.flatnonzero(counts >= GLYPH_ROWS)
    chosen: list[int] = []
    seen: set[bytes | str] = set()
    for c in np.random.default_rng(seed).permutation(candidates):
        images: set[bytes | str] = {i.tobytes() for i in glyphs.images[glyphs.labels == c]}
        marks = images | {glyphs.characters[c].casefold()}
        if len(chosen) < n_classes and seen.isdisjoint(marks):
            chosen.append(int(c))
            seen |= marks
    if len(chosen) < 2:
        raise MissingDataError(
            f"too few characters have {GLYPH_ROWS} renderings: install more fonts "
            f"({FONT_PACKAGES}) and run: metaplastic data build glyphs"
        )
    return np.sort(np.array(chosen, np.int64))
