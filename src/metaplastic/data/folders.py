"""Folders with one subfolder per class: images, or texts as in the IMDB review folders."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
N_WORDS = 1000
_LARGEST_KEPT = 64  # Images of one common size up to this stay as they are.
_SIDE = 32  # Others become squares of this side.


def read_folder(
    path: Path, image_size: tuple[int, int] | None
) -> tuple[NDArray, NDArray | None, tuple[str, ...] | None]:
    """Images or texts of a folder, by class and file name; labels are the subfolders' names.

    Without subfolders there are no labels. Images become grey, `image_size` `(height, width)`;
    by default their own size if that is one and at most 64, else 32x32. Texts become counts of
    the folder's 1,000 commonest words.
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
    counts, words = count_words(files)
    return counts, y, words


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
    """Grey images `(n, height * width)` uint8, all resized to one size.

    Raises:
        InputError: for a size that is not two positive numbers.
        FileFormatError: for a file that is no image.
        MissingDataError: without Pillow.
    """
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"image_size must be two positive numbers (height, width), got {size!r}")
    require("PIL", "reading images", "images", package="Pillow")
    from PIL import Image

    if size is None:
        sizes = {_opened(file).size for file in files}
        width, height = sizes.pop() if len(sizes) == 1 else (_SIDE, _SIDE)
        size = (height, width) if max(height, width) <= _LARGEST_KEPT else (_SIDE, _SIDE)
    rows = np.empty((len(files), size[0] * size[1]), np.uint8)
    for row, file in zip(rows, files, strict=True):
        grey = _opened(file)
        if grey.size != (size[1], size[0]):
            grey = grey.resize((size[1], size[0]), Image.Resampling.BOX)
        row[:] = np.asarray(grey).ravel()
    return rows


def _opened(file: Path):
    """The image of a file, in grey."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.convert("L")
    # SyntaxError and EOFError: what Pillow raises for some damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise FileFormatError(f"{file}: not an image that can be read ({error})") from error


def count_words(
    files: list[Path], n_words: int = N_WORDS
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Counts `(n, n_words)` of the commonest words of all files, and the words.

    Raises:
        FileFormatError: for a file that is not UTF-8 text, or if there are no words.
    """
    counters = []
    for file in files:
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{file}: not UTF-8 text ({error})") from error
        counters.append(Counter(split_words(text)))
    total: Counter[str] = sum(counters, Counter())
    words = tuple(sorted(total, key=lambda word: (-total[word], word))[:n_words])
    if not words:
        raise FileFormatError(f"{files[0].parent}: its texts hold no words")
    column = {word: i for i, word in enumerate(words)}
    counts = np.zeros((len(files), len(words)), np.float32)
    for row, counter in enumerate(counters):
        for word in counter.keys() & column.keys():
            counts[row, column[word]] = counter[word]
    return counts, words


def split_words(text: str) -> list[str]:
    """Words of a text in lower case, without marks of HTML; letters of any script, apostrophes."""
    plain = re.sub(r"<[^<>]*>", " ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", plain)
