"""What a person sees of a row: a picture, a text, or cells with the unusual ones marked."""

import abc
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError
from metaplastic.extras import require

LARGEST_SIDE = 640
"""Of a picture that is shown, in pixels; larger ones are shrunk."""

MOST_CELLS = 40
"""Cells of a row that are shown; of more, the most unusual."""

MOST_CHARACTERS = 20_000
"""Of a text that is shown."""

UNUSUAL = 3.0
"""Deviations from the median of its column from which on a cell is marked."""


class AbstractLooks(abc.ABC):
    """Shows rows by number."""

    @abc.abstractmethod
    def describe(self, row: int) -> dict[str, Any]:
        """What the page shows of a row: its `kind`, a `title`, and what goes with the kind."""

    def picture(self, row: int) -> bytes:
        """The row as a PNG file; raises `InputError` if rows are no pictures."""
        raise InputError("rows of these data are no pictures")


class Texts(AbstractLooks):
    """Rows that are texts.

    Parameters
    ----------
    texts : sequence of str
        One text for every row.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def describe(self, row: int) -> dict[str, Any]:
        text = self._texts[row]
        cut = len(text) > MOST_CHARACTERS
        return {"kind": "text", "title": "", "text": text[:MOST_CHARACTERS], "cut": cut}


class Pictures(AbstractLooks):
    """Rows that are pictures: files of a folder, or numbers `(n, height * width)`.

    Parameters
    ----------
    source : sequence of Path or ndarray
        Paths of the files, or numbers of the rows.
    folder : Path, optional
        Folder of the files.
    size : (int, int), optional
        `(height, width)` of rows of numbers; found out for squares.

    Raises
    ------
    InputError
        If rows of numbers are no squares and `size` does not say what they are.
    MissingDataError
        Without Pillow.
    """

    def __init__(
        self,
        source: Sequence[Path] | NDArray,
        folder: Path | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        require("PIL", "showing images", "label", package="Pillow")
        self._source, self._folder = source, folder
        if isinstance(source, np.ndarray):
            side = round(source.shape[1] ** 0.5)
            self._size = size or (side, side)
            if self._size[0] * self._size[1] != source.shape[1]:
                raise InputError(
                    f"rows of {source.shape[1]} numbers are no images of "
                    f"{self._size[0]}x{self._size[1]}; leave --images away, or give --image-size"
                )
            low, high = float(source.min()), float(source.max())
            self._range = low, 255.0 / (high - low) if high > low else 0.0

    def describe(self, row: int) -> dict[str, Any]:
        title = "" if self._folder is None else self._file(row).relative_to(self._folder).as_posix()
        return {"kind": "image", "title": title}

    def picture(self, row: int) -> bytes:
        from PIL import Image, ImageOps

        if isinstance(self._source, np.ndarray):
            low, factor = self._range
            grey = ((self._source[row].astype(np.float64) - low) * factor).astype(np.uint8)
            return _png(Image.fromarray(grey.reshape(self._size)))
        file = self._file(row)
        if self._folder is not None and not file.resolve().is_relative_to(self._folder.resolve()):
            raise InputError(f"{file.name} leads out of the folder, so it is not shown")
        try:
            with Image.open(file) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGBA")
        except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
            raise FileFormatError(f"{file.name}: not an image that can be read") from error
        upright.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        return _png(upright)

    def _file(self, row: int) -> Path:
        return Path(self._source[row])  # pyright: ignore[reportArgumentType]


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Cells(AbstractLooks):
    """Rows of a table `(n, d)`: cells far from the median of their column are marked.

    Parameters
    ----------
    x : Any
        Array or CSR matrix.
    names : Sequence[str]
        Of the columns; numbers from 0 if left out.
    counts : bool, default=False
        Whether the columns count words, of which those that are there are shown.
    """

    def __init__(self, x: Any, names: Sequence[str] | None, *, counts: bool = False) -> None:
        self._x, self._counts = x, counts
        self._names = names or [f"column {i}" for i in range(x.shape[1])]
        self._usual = None if counts or hasattr(x, "tocsr") else usual(np.asarray(x))

    def describe(self, row: int) -> dict[str, Any]:
        values = self._x[[row]]
        values = np.asarray(values.toarray() if hasattr(values, "tocsr") else values)[0]
        if self._usual is None:
            apart = np.abs(values.astype(np.float64))
            shown = np.flatnonzero(values)
        else:
            median, spread = self._usual
            apart = np.abs(values - median) / spread
            shown = np.arange(len(values))
        if len(shown) > MOST_CELLS:
            shown = np.sort(shown[np.argsort(-apart[shown], kind="stable")[:MOST_CELLS]])
        cells = [
            {
                "name": str(self._names[i]),
                "value": f"{values[i]:.6g}",
                "unusual": bool(self._usual is not None and apart[i] > UNUSUAL),
            }
            for i in shown.tolist()
        ]
        left_out = 0 if self._usual is None else len(values) - len(shown)
        return {"kind": "table", "title": "", "cells": cells, "left_out": left_out}


def usual(x: NDArray) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]:
    """Median of every column `(n, d)` and its spread by quartiles, never 0.

    Columns of which more than half of the rows are equal have no quartiles to go by; there it is
    the standard deviation.
    """
    rows = x[:: max(1, len(x) // 10_000)].astype(np.float64)
    low, median, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, rows.std(axis=0))
    return median, np.where(spread > 0, spread, np.inf)
