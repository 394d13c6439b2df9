"""Pictures that are no letters: clip-art, stamps and patches of photographs, for meta-training.

A class is one picture (or one place in one photograph); its samples are deformations of it, made
by the task distribution. What is read are installed Debian packages (`PACKAGES`). Left out are
folders that show letters, numerals or clothes, and files whose names say so, because digits and
clothes are what rules are judged on.
"""

import dataclasses
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir, output_folder
from metaplastic.data.splits import read_split
from metaplastic.errors import InputError, MissingDataError
from metaplastic.extras import require
from metaplastic.files import write_tensors

PACKAGES = (
    "openclipart-png tuxpaint-stamps-default lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 "
    "mate-backgrounds plasma-workspace-wallpapers"
)
"""Debian packages whose pictures are read."""

KIND = "metaplastic-pictures"
SIDE = 20
SPLITS = ("train", "validation")

_ROOT = "/usr/share"
_DRAWINGS = {
    "openclipart/png": (
        "animals",
        "buildings",
        "containers",
        "electronics",
        "food",
        "plants",
        "recreation/music",
        "recreation/sports",
        "recreation/toys",
        "tools",
        "transportation/boating",
        "transportation/vehicles",
    ),
    "tuxpaint/stamps": (
        "animals",
        "food",
        "hobbies",
        "household",
        "naturalforces",
        "plants",
        "space",
        "sports",
        "town",
        "vehicles",
    ),
}
_PHOTOGRAPHS = ("backgrounds", "wallpapers")
_RESERVED = re.compile(
    r"number|digit|numer|calendar|clock|dice|letter|alphabet|"
    r"shirt|dress|shoe|boot|sandal|sneaker|coat|trouser|pants|pullover|sweater|bag|clothes|jacket"
)
_DUPLICATES = ("screenshot", "images_dark", "1080x1920", "720x1440")
_LEAST_SPREAD = 15.0  # Standard deviation of grey levels; flatter pictures tell nothing.
_PHOTOGRAPH_SIDE = 640
_PATCH_SIDES = (20, 320)
_LICENCE = (
    "Grey thumbnails of the pictures in Debian packages: openclipart-png (public domain), "
    "tuxpaint-stamps-default (GPL-2), photographs of wallpaper packages (CC-BY, CC-BY-SA, GPL-2)."
)


@dataclasses.dataclass(frozen=True, eq=False)
class PictureSet:
    """One split of the pictures; each image is a class of its own.

    Attributes
    ----------
    images : ndarray of uint8
        Images `(n, 20, 20)`.
    kinds : tuple of str
        `drawing` or `photograph` for each image.
    """

    images: NDArray[np.uint8]
    kinds: tuple[str, ...]


def picture_path(split: str, folder: str | os.PathLike | None = None) -> Path:
    """Where a split is kept; `folder` defaults to the cache folder."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    return (cache_dir() if folder is None else Path(folder)) / f"pictures_{split}.safetensors"


def build_pictures(
    out: str | os.PathLike | None = None,
    *,
    root: str | os.PathLike = _ROOT,
    per_photograph: int = 60,
) -> dict[str, PictureSet]:
    """Read the installed pictures and write one file per split; deterministic given the files.

    15 % of the files, by a hash of their names, are the validation split. Half of the drawings,
    again by a hash, are luminance on black, the others ink on white paper.

    Parameters
    ----------
    out : str or PathLike, optional
        Folder for `pictures_SPLIT.safetensors`; default the cache folder.
    root : str or PathLike, default=_ROOT
        The folder in which the packages put their files.
    per_photograph : int, default=60
        Patches cut from each photograph, at many scales.

    Returns
    -------
    dict of str to PictureSet
        The sets that were written, by name of the split.

    Raises
    ------
    InputError
        For a number below 1, or a folder that cannot be written.
    MissingDataError
        Without pictures (naming packages) or without Pillow.
    """
    require("PIL", "reading pictures", "images", package="Pillow")
    if per_photograph < 1:
        raise InputError(f"per_photograph must be at least 1, got {per_photograph}")
    drawings, photographs = _drawings(Path(root)), _photographs(Path(root))
    if not drawings and not photographs:
        raise MissingDataError(
            f"no pictures found below {root}; install some: apt-get install {PACKAGES}"
        )
    folder = output_folder(out)
    by_split: dict[str, list[tuple[NDArray[np.uint8], str]]] = {split: [] for split in SPLITS}
    for path in _counted([*drawings, *sorted(photographs)]):
        split = "validation" if _share(path, "split") < 15 else "train"
        if path in photographs:
            by_split[split] += [(image, "photograph") for image in _patches(path, per_photograph)]
        elif (image := _drawing(path)) is not None:
            by_split[split].append((image, "drawing"))
    return {split: _write(folder, split, items) for split, items in by_split.items()}


def _write(folder: Path, split: str, items: Sequence[tuple[NDArray[np.uint8], str]]) -> PictureSet:
    """Write one split, from images and their kinds."""
    images = [image for image, _ in items]
    stacked = np.stack(images) if images else np.zeros((0, SIDE, SIDE), np.uint8)
    made = PictureSet(stacked, tuple(kind for _, kind in items))
    write_tensors(
        picture_path(split, folder),
        {"images": made.images},
        kind=KIND,
        fields={"split": split, "kinds": made.kinds},
        metadata={"licence": _LICENCE},
    )
    return made


def load_pictures(split: str, folder: str | os.PathLike | None = None) -> PictureSet:
    """Read a split that `build_pictures` wrote.

    Parameters
    ----------
    split : str
        `train` or `validation`.
    folder : str or PathLike, optional
        The folder that `build_pictures` wrote to, by default the cache folder.

    Returns
    -------
    PictureSet
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
    return read_split(
        picture_path(split, folder),
        split,
        kind=KIND,
        name="pictures",
        how=f"install pictures (the Debian packages {PACKAGES})",
        make=_made,
    )


def _made(tensors: Mapping[str, NDArray], fields: Mapping[str, Any]) -> PictureSet:
    images, kinds = tensors["images"], tuple(fields["kinds"])
    if images.shape != (len(kinds), SIDE, SIDE) or images.dtype != np.uint8:
        raise ValueError("its images have an unexpected shape or type")
    return PictureSet(images, kinds)


def _drawings(root: Path) -> list[Path]:
    folders = [root / base / name for base, names in _DRAWINGS.items() for name in names]
    return sorted(
        p for f in folders for p in f.rglob("*.png") if not _RESERVED.search(p.stem.lower())
    )


def _photographs(root: Path) -> set[Path]:
    paths = [p for name in _PHOTOGRAPHS for p in (root / name).rglob("*")]
    return {
        p
        for p in paths
        if p.suffix.lower() in {".png", ".jpg", ".jpeg"}
        and not p.is_symlink()
        and not any(word in str(p) for word in _DUPLICATES)
    }


def _drawing(path: Path) -> NDArray[np.uint8] | None:
    """A drawing on a square, or `None` if it cannot be read or shows next to nothing."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            opened.thumbnail((8 * SIDE, 8 * SIDE))
            picture = opened.convert("RGBA")
            picture = picture.crop(picture.getchannel("A").getbbox())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    grey = np.asarray(picture.convert("L"), np.float32)
    alpha = np.asarray(picture.getchannel("A"), np.float32) / 255.0
    light = grey * alpha if _share(path, "ink") < 50 else (255.0 - grey) * alpha
    height, width = light.shape
    side = max(height, width)
    square = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = light
    return _small(square)


def _patches(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """Squares of many sizes at random places of a photograph."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            opened.draft("L", (_PHOTOGRAPH_SIDE, _PHOTOGRAPH_SIDE))
            picture = opened.convert("L")
            picture.thumbnail((2 * _PHOTOGRAPH_SIDE, _PHOTOGRAPH_SIDE))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return
    grey = np.asarray(picture, np.float32)
    generator = np.random.default_rng(_hash(path, "patches") % 2**32)
    low, high = _PATCH_SIDES
    for _ in range(count):
        side = int(np.exp(generator.uniform(np.log(low), np.log(min(high, *grey.shape)))))
        top = int(generator.integers(grey.shape[0] - side + 1))
        left = int(generator.integers(grey.shape[1] - side + 1))
        image = _small(grey[top : top + side, left : left + side])
        if image is not None:
            yield image


def _small(square: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    from PIL import Image

    small = Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BOX)
    image = np.asarray(small)
    return image.round().astype(np.uint8) if image.std() >= _LEAST_SPREAD else None


def _hash(path: Path, purpose: str) -> int:
    return int(hashlib.sha256(f"{purpose} {path.name}".encode()).hexdigest(), 16)


def _share(path: Path, purpose: str) -> int:
    """A number from 0 to 99 that the file's name alone decides."""
    return _hash(path, purpose) % 100


def _counted(paths: Sequence[Path]) -> Iterator[Path]:
    """The paths, with progress on standard error."""
    for done, path in enumerate(paths, 1):
        yield path
        if done % 500 == 0 or done == len(paths):
            print(f"read {done} of {len(paths)} pictures", file=sys.stderr, flush=True)
