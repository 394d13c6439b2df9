"""Folders with one subfolder per class: images, or texts as in the IMDB review folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.texts import bag_of_words, read_text
from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_LARGEST_KEPT = 64  # Images of one common size up to this stay as they are.
_SIDE = 32  # Others become squares of this side.


def read_folder(
    path: Path, image_size: tuple[int, int] | None, words: Sequence[str] | None = None
) -> tuple[NDArray, NDArray | None, tuple[str, ...] | None]:
    """Images or texts of a folder, by class and file name; labels are the subfolders' names.

    Without subfolders there are no labels. Images become grey, `image_size` `(height, width)`;
    by default their own size if that is one and at most 64, else 32x32. Texts become counts of
    `words`, by default of the folder's 1,000 commonest.
    """
    images = _members(path, IMAGE_SUFFIXES)
    texts = _members(path, (".txt",))
    if bool(images) == bool(texts):
        found = "both images and .txt files" if images else "neither images nor .txt files"
        raise FileFormatError(
            f"{path}: {found} found; give a folder with one subfolder per class, of "
            f"{' '.join(IMAGE_SUFFIXES)} files or of .txt files"
        )
    members = images or texts
    y = None if members[0][0] is None else np.array([name for name, _ in members])
    files = [file for _, file in members]
    if images:
        return read_images(files, image_size), y, None
    counts, counted = bag_of_words(map(read_text, files), path, words)
    return counts, y, counted


def _members(path: Path, suffixes: tuple[str, ...]) -> list[tuple[str | None, Path]]:
    """Pairs of class and file; files of the folder itself count only if no subfolder has any."""
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    found: list[tuple[str | None, Path]] = [
        (d.name, f) for d in folders for f in sorted(d.iterdir())
    ]
    found = [(name, f) for name, f in found if f.suffix.lower() in suffixes and f.is_file()]
    if not found:
        found = [(None, f) for f in sorted(path.iterdir()) if f.suffix.lower() in suffixes]
    return found


def read_images(files: list[Path], size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Grey images `(n, height * width)` uint8 of files, all resized to one size.

    Raises:
        InputError: for a size that is not two positive numbers.
        FileFormatError: for a file that is no image.
        MissingDataError: without Pillow.
    """
    require("PIL", "reading images", "images", package="Pillow")
    return grey_images(files, size)


def grey_images(images: Sequence[Any], size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """As `read_images`, of files or of images that Pillow has opened."""
    from PIL import Image

    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"image_size must be two positive numbers (height, width), got {size!r}")
    if size is None:
        sizes = {_grey(image).size for image in images}
        width, height = sizes.pop() if len(sizes) == 1 else (_SIDE, _SIDE)
        size = (height, width) if max(height, width) <= _LARGEST_KEPT else (_SIDE, _SIDE)
    rows = np.empty((len(images), size[0] * size[1]), np.uint8)
    for row, image in zip(rows, images, strict=True):
        grey = _grey(image)
        if grey.size != (size[1], size[0]):
            grey = grey.resize((size[1], size[0]), Image.Resampling.BOX)
        row[:] = np.asarray(grey).ravel()
    return rows


def _grey(image: Any) -> Any:
    return _opened(image) if isinstance(image, Path) else image.convert("L")


def _opened(file: Path):
    """The image of a file, in grey."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.convert("L")
    # SyntaxError and EOFError: what Pillow raises for some damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise FileFormatError(f"{file}: not an image that can be read ({error})") from error
