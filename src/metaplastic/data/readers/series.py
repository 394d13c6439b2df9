"""Time series in the `.ts` format of the UEA and UCR archives (sktime, aeon)."""

from pathlib import Path

import numpy as np

from metaplastic.data.labels import text_labels
from metaplastic.data.readers.layout import is_number
from metaplastic.data.readers.streams import open_text
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError


def read_series(path: Path, options: Options) -> Table:
    """Series of equal lengths, dimension after dimension; the label stands after the last colon.

    Raises
    ------
    FileFormatError
        For time stamps, missing values, series of unequal lengths, labels that the header does not
        name, numbers to be predicted in the place of labels.
    """
    del options
    header, lines = _parts(path)
    flags = {name: words[0].lower() if words else "" for name, words in header.items()}
    if flags.get("timestamps", "false") != "false" or any(line.startswith("(") for line in lines):
        raise FileFormatError(
            f"{path}: its values have time stamps; resample the series to common times, and write "
            "the values alone"
        )
    if flags.get("targetlabel", "false") == "true":
        raise FileFormatError(
            f"{path}: its targets are numbers to be predicted (@targetLabel true), not classes"
        )
    labelled = flags.get("classlabel", "false") == "true"
    rows = [line.split(":") for line in lines]
    labels = [row.pop().strip() for row in rows] if labelled else None
    x = _values(path, rows)
    if labels is None:
        return Table(x)
    known = header["classlabel"][1:]
    for number, label in enumerate(labels, 1):
        if known and label not in known:
            raise FileFormatError(
                f"{path}: series {number} has the label {label!r:.40}, its header names "
                f"{', '.join(known)[:80]}"
            )
    return Table(x, text_labels(labels, path))


def _parts(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    header: dict[str, list[str]] = {}
    with open_text(path) as file:
        lines = (line.strip() for line in file)
        for line in lines:
            if not line or line.startswith(("#", "%")):
                continue
            if not line.startswith("@"):
                break
            name, *words = line[1:].split() or [""]
            if name.lower() == "data":
                return header, [row for row in lines if row and not row.startswith("#")]
            header[name.lower()] = words
    raise FileFormatError(f"{path}: not a file of series (.ts): its header does not end in @data")


def _values(path: Path, rows: list[list[str]]) -> np.ndarray:
    values = []
    lengths: set[tuple[int, ...]] = set()
    for number, row in enumerate(rows, 1):
        cells = [part.strip().split(",") for part in row]
        lengths.add(tuple(map(len, cells)))
        if len(lengths) > 1 or len({len(part) for part in cells}) > 1:
            raise FileFormatError(
                f"{path}: series {number} is not as long as those before it, or has another number "
                "of dimensions; cut, pad or resample them to one length"
            )
        flat = [cell.strip() for part in cells for cell in part]
        wrong = next((cell for cell in flat if not is_number(cell)), None)
        if wrong is not None:
            what = "a missing value; fill it" if wrong in ("?", "") else "no number"
            raise FileFormatError(f"{path}: series {number} holds {wrong!r:.40}, {what}")
        values.append([float(cell) for cell in flat])
    if not values:
        raise FileFormatError(f"{path}: a header but no series")
    return np.array(values)
