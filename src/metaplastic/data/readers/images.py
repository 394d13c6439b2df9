"""Image files: made grey as a viewer shows them, upright, on white, in 256 levels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.readers.streams import LIBRARY_ERRORS, one_line
from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

_LARGEST_KEPT = 64  # Images of one common size up to this stay as they are.
_SIDE = 32  # Others become squares of this side.
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")


def read_images(files: Sequence[Path], size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Grey images `(n, height * width)` uint8 of files, all resized to one size.

    Raises
    ------
    InputError
        For a size that is not two positive numbers.
    FileFormatError
        For a file that is no image.
    MissingDataError
        Without Pillow.
    """
    require("PIL", "reading images", "images", package="Pillow")
    return grey_images(files, size)


def grey_images(
    images: Sequence[Any], size: tuple[int, int] | None = None, source: object = "image"
) -> NDArray[np.uint8]:
    """As `read_images`, of files or of images that Pillow has opened.

    Images are turned upright as their EXIF orientation says, and what is transparent is put on
    white. Levels of 16 bits are scaled to 8, floating-point images are taken to lie in [0, 1].

    Parameters
    ----------
    images : sequence of object
        Files, or opened images.
    size : (int, int), optional
        `(height, width)`; their own if it is one and at most 64, else 32x32.
    source : object, default="image"
        Where opened images come from, for messages.
    """
    from PIL import Image

    if size is not None and (len(size) != 2 or min(size) < 1):
        raise InputError(f"image_size must be two positive numbers (height, width), got {size!r}")
    if size is None:
        sizes = {_grey(image, f"{source} {i + 1}").size for i, image in enumerate(images)}
        width, height = sizes.pop() if len(sizes) == 1 else (_SIDE, _SIDE)
        size = (height, width) if max(height, width) <= _LARGEST_KEPT else (_SIDE, _SIDE)
    rows = np.empty((len(images), size[0] * size[1]), np.uint8)
    for i, image in enumerate(images):
        grey = _grey(image, f"{source} {i + 1}")
        if grey.size != (size[1], size[0]):
            grey = grey.resize((size[1], size[0]), Image.Resampling.BOX)
        rows[i] = np.asarray(grey).ravel()
    return rows


def _grey(image: Any, name: str) -> Any:
    if not isinstance(image, Path):
        return _in_grey(image, name)
    from PIL import Image

    try:
        with Image.open(image) as opened:
            return _in_grey(opened, str(image))
    except FileFormatError:
        raise
    except (Image.DecompressionBombError, *LIBRARY_ERRORS) as error:
        raise FileFormatError(
            f"{image}: not an image that can be read ({one_line(error)})"
        ) from error


def _in_grey(image: Any, name: str) -> Any:
    from PIL import Image, ImageOps

    kind, image = image.format, ImageOps.exif_transpose(image)
    if image.mode in (*_DEEP, "I", "F"):
        values = np.array(image)
        if image.mode in _DEEP and isinstance(through := image.info.get("transparency"), int):
            values[values == through] = 65535
        return Image.fromarray(_levels(values, image.mode, kind, name))
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        image = Image.alpha_composite(white, over)
    if image.mode == "LAB":
        raise FileFormatError(f"{name}: in the colours of Lab; save it as RGB or grey")
    return image.convert("L")


def _levels(values: NDArray, mode: str, kind: str | None, name: str) -> NDArray[np.uint8]:
    """256 levels of an image of more, by the range of its kind; never by what it holds."""
    if mode == "F":
        if not (np.all(values >= 0) and np.all(values <= 1)):
            raise FileFormatError(
                f"{name}: a floating-point image with values outside 0 to 1; save it in 8 or 16 "
                "bits"
            )
        return np.round(values * 255).astype(np.uint8)
    if mode == "I" and kind not in ("PPM", "PNG"):
        raise FileFormatError(
            f"{name}: an image of 32 bits a pixel, whose range is not told; save it in 8 or 16 bits"
        )
    if values.min() < 0 or values.max() > 65535:
        raise FileFormatError(f"{name}: levels beyond 16 bits; save it in 8 or 16 bits")
    return np.round(values.astype(np.float64) / 257).astype(np.uint8)
