"""Rendering of one font's glyphs to small grey images with FreeType."""

import ctypes
import functools

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.characters import DIGITS, characters_of, numerals
from metaplastic.data.fonts import Font, import_freetype

SIDE = 16
"""Height and width of a rendered glyph."""

# Of FreeType's own header; the binding makes these names at run time, unseen by type checkers.
_LOAD_NO_HINTING, _LOAD_RENDER, _PIXEL_MODE_GRAY = 2, 4, 2

_PIXELS = 48  # Size of a glyph's em before it is shrunk by averaging.
_MOST_SHARING = 4  # A glyph that stands for more characters than this is a placeholder.


def render_font(font: Font) -> dict[str, NDArray[np.uint8]]:
    """All wanted characters that a face covers: letters of every split, and the digits 0 to 9.

    The digits are rendered so that `build_glyphs` can keep images that equal one out of the
    training set; they are stored nowhere. Left out are blank and placeholder glyphs, and letters
    that the face draws with the glyph of a numeral or of a character of a held-out script.

    Returns
    -------
    dict of str to ndarray of uint8
        Images `(16, 16)` uint8 by character, ink 255; empty if FreeType cannot use the face.
    """
    freetype = import_freetype()
    try:
        face = freetype.Face(font.path, font.index)
        face.set_pixel_sizes(0, _PIXELS)
    except freetype.FT_Exception:
        return {}
    training = _indices(face, characters_of("train"))
    held_out = _indices(face, characters_of("heldout_scripts"))
    reserved = {*_indices(face, numerals()).values(), *held_out.values()}
    wanted = {c: i for c, i in training.items() if i not in reserved} | held_out
    shared: dict[int, int] = {}
    for index in wanted.values():
        shared[index] = shared.get(index, 0) + 1
    box = _render(face, 0)
    images = {}
    for character, index in (wanted | _indices(face, DIGITS)).items():
        if shared.get(index, 0) > _MOST_SHARING:
            continue
        image = _render(face, index)
        if image is not None and not (box is not None and np.array_equal(image, box)):
            images[character] = image
    return images


def _indices(face, characters) -> dict[str, int]:
    """Glyph number of every character that the face covers."""
    indices = {c: face.get_char_index(c) for c in characters}
    return {c: index for c, index in indices.items() if index != 0}


def _render(face, index: int) -> NDArray[np.uint8] | None:
    """One glyph, or `None` if it is blank, a speck, or cannot be drawn."""
    freetype = import_freetype()
    try:
        face.load_glyph(index, _LOAD_RENDER | _LOAD_NO_HINTING)
    except freetype.FT_Exception:
        return None
    bitmap = face.glyph.bitmap
    rows, width, pitch = bitmap.rows, bitmap.width, bitmap.pitch
    if rows < 4 or width < 2 or pitch < width or bitmap.pixel_mode != _PIXEL_MODE_GRAY:
        return None
    # `bitmap.buffer` copies byte by byte in Python, which takes longer than the rendering.
    buffer = ctypes.string_at(bitmap._FT_Bitmap.buffer, rows * pitch)
    image = fit_to_square(np.frombuffer(buffer, np.uint8).reshape(rows, pitch)[:, :width])
    return image if image.max() > 0 else None


def fit_to_square(ink: NDArray[np.uint8], side: int = SIDE, margin: int = 1) -> NDArray[np.uint8]:
    """Crop `(h, w)` to its ink, scale it by area averaging to fit the margins, and centre it.

    The aspect ratio is kept and the darkest ink becomes 255; without ink the result is blank.

    Returns
    -------
    ndarray of uint8
        An image `(side, side)` uint8.
    """
    out = np.zeros((side, side), np.uint8)
    if not ink.any():
        return out
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    scale = (side - 2 * margin) / max(height, width)
    h, w = (max(1, round(n * scale)) for n in (height, width))
    small = _average(h, height) @ ink.astype(np.float32) @ _average(w, width).T
    top, left = (side - h) // 2, (side - w) // 2
    scaled = small * (255.0 / float(small.max()))
    out[top : top + h, left : left + w] = np.clip(scaled, 0, 255).round()
    return out


@functools.lru_cache(maxsize=4096)
def _average(n_out: int, n_in: int) -> NDArray[np.float32]:
    """Matrix that averages `n_in` pixels over `n_out` equal intervals."""
    edges = np.linspace(0, n_in, n_out + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(n_in)
    overlap = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)
