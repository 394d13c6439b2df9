"""Sparse text of LIBSVM and svmlight: `label index:value ...`, through scikit-learn."""

import re
from pathlib import Path

import numpy as np

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.streams import one_line, open_bytes
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError

_NUMBER = rb"[+-]?[0-9.]+([eE][+-]?[0-9]+)?"
_LINE = re.compile(
    rb"\s*" + _NUMBER + rb"(,[0-9]+)*((\s+qid:[0-9]+)?(\s+[0-9]+:" + _NUMBER + rb")*)\s*(#.*)?"
)
_MOST_COLUMNS = 2**31 - 1
_MOST_EXACT = 2**53


def is_svmlight(start: bytes) -> bool:
    """Whether a file begins with lines `label index:value ...`; the last may be cut off."""
    lines = [line for line in start.splitlines() if line.strip() and not line.startswith(b"#")]
    whole = lines[:-1] if len(lines) > 1 else lines
    matches = [_LINE.fullmatch(line) for line in whole]
    return bool(matches) and all(matches) and any(m is not None and b":" in m[3] for m in matches)


def read_svmlight(path: Path, options: Options) -> Table:
    """A CSR matrix of float64 and labels; indices count from 1, or from 0 if there is a 0.

    Raises
    ------
    FileFormatError
        For a damaged file, several labels a row, or labels that are measurements.
    """
    del options
    from sklearn.datasets import load_svmlight_file

    with open_bytes(path) as file:
        content = file.read()
    _check_lines(path, content)
    try:
        import io

        x, y = load_svmlight_file(io.BytesIO(content))[:2]
    except (ValueError, OverflowError, MemoryError, IndexError, RuntimeError) as error:
        raise FileFormatError(
            f"{path}: not a file of LIBSVM or svmlight ({one_line(error)})"
        ) from error
    if x.shape[1] > _MOST_COLUMNS:
        raise FileFormatError(f"{path}: an index of {x.shape[1]} is too large")
    return Table(x, typed_labels(np.asarray(y), path))


def _check_lines(path: Path, content: bytes) -> None:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            shown = line[:40].decode("utf-8", "replace")
            raise FileFormatError(
                f"{path}: line {number} is not of the form 'label index:value ...': {shown!r}"
            )
        if match[2]:
            raise FileFormatError(f"{path}: line {number} has several labels; keep one a row")
        label = line.split(maxsplit=1)[0].lstrip(b"+-")
        if label.isdigit() and int(label) > _MOST_EXACT:
            raise FileFormatError(
                f"{path}: the label in line {number} is beyond 2^53, where numbers of this format "
                "become one; renumber the classes"
            )
