"""Whether the elements of a MATLAB 5 file fit into each other.

SciPy's compiled reader trusts what they say of their sizes, and a damaged file can end the
process; this looks first. The format is that of "MAT-File Format", The MathWorks.
"""

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from metaplastic.data.readers.streams import MAX_BYTES
from metaplastic.errors import FileFormatError

HEADER = 128
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_TEXT = (1, 2, 4, 16, 17, 18)
_MATRIX, _COMPRESSED = 14, 15
_CELL, _CHAR, _SPARSE, _NUMBERS = 1, 4, 5, range(6, 16)
_COMPLEX = 0x0800
_DEEPEST = 8


class Damaged(FileFormatError):
    """Elements that do not fit, or of a kind that holds no numbers and no words."""


class _Element(NamedTuple):
    kind: int
    content: bytes


def check_elements(content: bytes) -> None:
    """Raise `Damaged` if the elements of a file do not fit, or a variable is no array."""
    orders = {b"IM": "<", b"MI": ">"}
    order = orders.get(content[126:128])
    if order is None:
        raise Damaged("its header does not tell the order of bytes")
    for element in _elements(content[HEADER:], order):
        if element.kind == _COMPRESSED:
            inner = list(_elements(_decompressed(element.content), order))
            if len(inner) != 1 or inner[0].kind != _MATRIX:
                raise Damaged("a compressed element holds no variable")
            element = inner[0]
        if element.kind != _MATRIX:
            raise Damaged(f"an element is of type {element.kind}, no variable")
        _check_matrix(element.content, order, 0)


def _elements(content: bytes, order: str) -> Iterator[_Element]:
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise Damaged("an element is cut off")
        tag = int(np.frombuffer(content, f"{order}u4", 1, at)[0])
        if tag >> 16:  # A small element: size, type and up to four bytes in eight.
            kind, size, start, step = tag & 0xFFFF, tag >> 16, at + 4, 8
            if size > 4:
                raise Damaged("a small element is too large")
        else:
            kind, start = tag, at + 8
            size = int(np.frombuffer(content, f"{order}u4", 1, at + 4)[0])
            # Compressed ones are not filled up to a multiple of eight bytes.
            step = 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(content):
            raise Damaged("an element says that it is longer than the file")
        yield _Element(kind, content[start : start + size])
        at += step


def _decompressed(content: bytes) -> bytes:
    unpack = zlib.decompressobj()
    plain = unpack.decompress(content, MAX_BYTES)
    if unpack.unconsumed_tail or not unpack.eof:
        raise Damaged("a compressed element is cut off or too large")
    return plain


def _check_matrix(content: bytes, order: str, depth: int) -> None:
    parts = list(_elements(content, order))
    if depth > _DEEPEST or len(parts) < 3:
        raise Damaged("a variable is cut off")
    flags, dimensions, name, *data = parts
    if (flags.kind, len(flags.content), dimensions.kind, name.kind) != (6, 8, 5, 1):
        raise Damaged("the description of a variable is none")
    shape = np.frombuffer(dimensions.content[: len(dimensions.content) // 4 * 4], f"{order}i4")
    if len(shape) < 2 or len(shape) > 32 or (shape < 0).any():
        raise Damaged(f"a variable has the shape {tuple(shape.tolist())}")
    size = math.prod(shape.tolist())
    word = int(np.frombuffer(flags.content, f"{order}u4", 1)[0])
    kind, is_complex = word & 0xFF, bool(word & _COMPLEX)
    if kind == _CELL:
        if len(data) != size or any(part.kind != _MATRIX for part in data):
            raise Damaged("cells are missing")
        for part in data:
            _check_matrix(part.content, order, depth + 1)
    elif kind == _SPARSE:
        _check_sparse(data, shape.tolist(), order, is_complex)
    elif kind in _NUMBERS or kind == _CHAR:
        count = 2 if is_complex else 1
        if len(data) != count or not all(_fits(part, size, kind == _CHAR) for part in data):
            raise Damaged("an array holds more or less than its shape")
    else:
        raise Damaged("a variable is a structure or an object; save the arrays in it as X and y")


def _fits(part: _Element, size: int, is_text: bool) -> bool:
    width = _ITEM_BYTES.get(part.kind)
    if width is None or (is_text and part.kind not in _TEXT):
        return False
    # In UTF-8 a letter may take several bytes.
    if is_text and part.kind == 16:
        return size <= len(part.content) <= 4 * size
    return len(part.content) == size * width


def _check_sparse(data: list[_Element], shape: list[int], order: str, is_complex: bool) -> None:
    if len(data) != (4 if is_complex else 3) or len(shape) != 2:
        raise Damaged("a sparse matrix is cut off")
    rows, starts, *values = data
    if rows.kind != 5 or starts.kind != 5 or len(starts.content) != 4 * (shape[1] + 1):
        raise Damaged("the columns of a sparse matrix are wrong")
    at = np.frombuffer(starts.content, f"{order}i4")
    row = np.frombuffer(rows.content[: len(rows.content) // 4 * 4], f"{order}i4")
    n = int(at[-1])
    if at[0] != 0 or (np.diff(at) < 0).any() or n > len(row):
        raise Damaged("the columns of a sparse matrix are wrong")
    if n and (row[:n].min() < 0 or row[:n].max() >= shape[0]):
        raise Damaged("the rows of a sparse matrix are wrong")
    for part in values:
        width = _ITEM_BYTES.get(part.kind)
        if width is None or len(part.content) < n * width:
            raise Damaged("the values of a sparse matrix are missing")
