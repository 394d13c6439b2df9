"""Rendered glyphs: characters of many scripts in many fonts, the main meta-training data.

After the "Alphabet" data of Metz et al. 2018 (arXiv 1804.00222), section 4.3. A class is a
character, its samples are renderings in different font families. Kept out of training: numerals,
five scripts (`data.characters`), a quarter of the families (15 % held out, 10 % for validation,
by a hash of their names), and every image that equals, byte for byte, a rendering of a digit 0 to
9 or of a held-out script in any installed font. Letters that merely look like digits remain.
"""

import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir, output_folder
from metaplastic.data.characters import DIGITS, SPLITS, characters_of
from metaplastic.data.fonts import Font, family_split, find_fonts
from metaplastic.data.rendering import SIDE, render_font
from metaplastic.data.splits import read_split
from metaplastic.errors import InputError
from metaplastic.files import write_tensors

KIND = "metaplastic-glyphs"

_LICENCE = (
    "Renderings of installed fonts; each font keeps its own licence (of the Debian packages "
    "mostly OFL-1.1, some GPL with font exception)."
)
_EXCLUDED = (
    "numerals; Armenian, Cherokee, Ethiopic, Georgian, Khmer except in heldout_scripts; families "
    "with sha256(name in lower case) % 100 below 15 (heldout_families) or 15 to 24 (validation) "
    "in train; images of train equal to a digit or held-out script in any font; images of "
    "validation and heldout_families equal to one of the same character in train"
)


@dataclasses.dataclass(frozen=True, eq=False)
class GlyphSet:
    """One split of the glyphs, sorted by class.

    Attributes
    ----------
    images : ndarray of uint8
        Images `(n, 16, 16)`; ink is 255.
    labels : ndarray of int32
        Class of each image `(n,)`, an index of `characters` and `scripts`.
    families : ndarray of int32
        Font family of each image `(n,)`, an index of `family_names`.
    characters : tuple of str
        The character of each class.
    scripts : tuple of str
        The script of each class.
    family_names : tuple of str
        Names of the font families.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    families: NDArray[np.int32]
    characters: tuple[str, ...]
    scripts: tuple[str, ...]
    family_names: tuple[str, ...]


_Found = dict[str, dict[bytes, str]]  # Character -> image -> the family it was first seen in.


def split_of(family: str, held_out_script: bool) -> str:
    """The split to which a rendering belongs."""
    if held_out_script:
        return "heldout_scripts"
    name = family_split(family)
    return "heldout_families" if name == "heldout" else name


def glyph_path(split: str, folder: str | os.PathLike | None = None) -> Path:
    """Where a split is kept; `folder` defaults to the cache folder."""
    return (cache_dir() if folder is None else Path(folder)) / f"glyphs_{split}.safetensors"


def build_glyphs(
    out: str | os.PathLike | None = None,
    *,
    folders: Sequence[str | os.PathLike] | None = None,
    per_class: int = 250,
    min_per_class: int = 8,
    max_classes: int = 3500,
    workers: int = 2,
    seed: int = 0,
) -> dict[str, GlyphSet]:
    """Render the installed fonts and write one file per split; deterministic given the fonts.

    Parameters
    ----------
    out : str or PathLike, optional
        Folder for `glyphs_SPLIT.safetensors`, by default the cache folder.
    folders : sequence of str or PathLike, optional
        Folders with fonts, by default the system's.
    per_class : int, default=250
        Largest number of renderings of one character in one split. More are drawn at random.
    min_per_class : int, default=8
        Characters with fewer different renderings are left out (3 in the held-out scripts, which
        few fonts cover).
    max_classes : int, default=3500
        Largest number of characters in one split. More are drawn at random.
    workers : int, default=2
        Number of processes. 1 renders in this one.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    dict of str to GlyphSet
        The sets that were written, by name of the split.

    Raises
    ------
    InputError
        For a number below 1, or a folder that cannot be written.
    MissingDataError
        Without fonts or without FreeType.
    """
    numbers = {"per_class": per_class, "min_per_class": min_per_class, "max_classes": max_classes}
    for name, value in (numbers | {"workers": workers}).items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
    fonts = find_fonts(folders)
    folder = output_folder(out)
    by_split = _sort_out(fonts, _render_all(fonts, workers))
    sets = {}
    for split in SPLITS:
        least = 3 if split == "heldout_scripts" else min_per_class
        sets[split] = _collect(
            by_split[split], characters_of(split), per_class, least, max_classes, seed
        )
        _save(glyph_path(split, folder), sets[split], split)
    return sets


def _render_all(fonts: Sequence[Font], workers: int) -> Iterator[Mapping[str, NDArray[np.uint8]]]:
    if workers == 1:
        yield from _counted(map(render_font, fonts), len(fonts))
        return
    # Not "fork": the parent may run threads of JAX, whose locks a forked child would inherit.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from _counted(pool.map(render_font, fonts, chunksize=8), len(fonts))


def _counted(items: Iterable, total: int) -> Iterator:
    """The items, with progress on standard error."""
    for done, item in enumerate(items, 1):
        yield item
        if done % 250 == 0 or done == total:
            print(f"rendered {done} of {total} font faces", file=sys.stderr, flush=True)


def _sort_out(
    fonts: Sequence[Font], rendered: Iterable[Mapping[str, NDArray[np.uint8]]]
) -> dict[str, _Found]:
    """Different images by split and character, with what must not be in a split removed."""
    held_out = characters_of("heldout_scripts")
    by_split: dict[str, _Found] = {s: {} for s in SPLITS}
    reserved: set[bytes] = set()
    for font, glyphs in zip(fonts, rendered, strict=True):
        for character, image in glyphs.items():
            content = image.tobytes()
            if character in DIGITS or character in held_out:
                reserved.add(content)
            if character not in DIGITS:
                split = by_split[split_of(font.family, character in held_out)]
                split.setdefault(character, {}).setdefault(content, font.family)
    for images in by_split["train"].values():
        for content in reserved & images.keys():
            del images[content]
    for split in ("validation", "heldout_families"):
        for character, images in by_split[split].items():
            for content in by_split["train"].get(character, {}).keys() & images.keys():
                del images[content]
    return by_split


def _collect(
    glyphs: _Found,
    scripts: Mapping[str, str],
    per_class: int,
    least: int,
    max_classes: int,
    seed: int,
) -> GlyphSet:
    rng = np.random.default_rng(seed)
    characters = [c for c in scripts if len(glyphs.get(c, {})) >= least]
    if len(characters) > max_classes:
        chosen = np.sort(rng.choice(len(characters), max_classes, replace=False))
        characters = [characters[i] for i in chosen]
    names = sorted({family for c in characters for family in glyphs[c].values()})
    number = {name: i for i, name in enumerate(names)}
    images, labels, families = [], [], []
    for label, character in enumerate(characters):
        items = list(glyphs[character].items())
        chosen = np.sort(rng.permutation(len(items))[:per_class])
        images += [items[i][0] for i in chosen]
        families += [number[items[i][1]] for i in chosen]
        labels += [label] * len(chosen)
    return GlyphSet(
        np.frombuffer(b"".join(images), np.uint8).reshape(-1, SIDE, SIDE),
        np.array(labels, np.int32),
        np.array(families, np.int32),
        tuple(characters),
        tuple(scripts[c] for c in characters),
        tuple(names),
    )


def _save(path: Path, glyphs: GlyphSet, split: str) -> None:
    write_tensors(
        path,
        {"images": glyphs.images, "labels": glyphs.labels, "families": glyphs.families},
        kind=KIND,
        fields={
            "split": split,
            "characters": glyphs.characters,
            "scripts": glyphs.scripts,
            "family_names": glyphs.family_names,
        },
        metadata={"licence": _LICENCE, "excluded": _EXCLUDED},
    )


def load_glyphs(split: str, folder: str | os.PathLike | None = None) -> GlyphSet:
    """Read a split that `build_glyphs` wrote.

    Parameters
    ----------
    split : str
        A name of a split.
    folder : str or PathLike, optional
        The folder that `build_glyphs` wrote to, by default the cache folder.

    Returns
    -------
    GlyphSet
        The split.

    Raises
    ------
    InputError
        For an unknown split.
    MissingDataError
        If it was not built yet; says how.
    FileFormatError
        If the file is damaged or of another version.
    """
    characters_of(split)
    return read_split(
        glyph_path(split, folder),
        split,
        kind=KIND,
        name="glyphs",
        how="install fonts (for example the Debian packages fonts-dejavu-core fonts-noto-core)",
        make=_made,
    )


def _made(tensors: Mapping[str, NDArray], fields: Mapping[str, Any]) -> GlyphSet:
    glyphs = GlyphSet(
        tensors["images"],
        tensors["labels"],
        tensors["families"],
        tuple(fields["characters"]),
        tuple(fields["scripts"]),
        tuple(fields["family_names"]),
    )
    _check(glyphs)
    return glyphs


def _check(glyphs: GlyphSet) -> None:
    """Refuse arrays that do not fit each other."""
    n = len(glyphs.labels)
    shapes = (glyphs.images.shape, glyphs.labels.shape, glyphs.families.shape)
    dtypes = (glyphs.images.dtype, glyphs.labels.dtype, glyphs.families.dtype)
    if shapes != ((n, SIDE, SIDE), (n,), (n,)) or dtypes != (np.uint8, np.int32, np.int32):
        raise ValueError("its arrays have unexpected shapes or types")
    if len(glyphs.scripts) != len(glyphs.characters) or np.any(np.diff(glyphs.labels) < 0):
        raise ValueError("its labels are out of order")
    for values, names in (
        (glyphs.labels, glyphs.characters),
        (glyphs.families, glyphs.family_names),
    ):
        if n and (values.min() < 0 or values.max() >= len(names)):
            raise ValueError("its labels do not fit its names")
