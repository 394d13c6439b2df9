"""What tells pictures from other dense rows, whatever the order of their columns."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.rows import block_rows, dense
from metaplastic.types import Rows

COMMON = 0.05
"""Share of rows in which a column leaves its least value that is asked for its likeness."""

COMMON_COLUMNS, ASKED, LIKENESS_ROWS = 2000, 200, 1000
"""Most columns that are compared, that are asked, and rows by which."""


@dataclasses.dataclass(frozen=True)
class PictureSettings:
    """When rows count as pictures; the defaults take none for one.

    The pixels of a picture have one unit and one range: black to white. Most columns of pictures
    reach the least value of all columns and come near the greatest, which columns of a table,
    counts and embeddings do not. And a pixel is like the pixels beside it, which a column of zeros
    and ones, such as whether a text has a word, is not like any other.

    Parameters
    ----------
    least_columns : int, default=1
        Fewest columns of pictures.
    range : float, default=0.5
        Part of the range of all columns that a column of pixels has.
    share : float, default=1.0
        Share of the columns above which rows are pictures; 1 takes none for pictures.
    likeness : float, default=0.0
        Least likeness of pictures (`likeness_of`).

    Raises
    ------
    InputError
        For numbers that are not allowed.
    """

    least_columns: int = 1
    range: float = 0.5
    share: float = 1.0
    likeness: float = 0.0

    def __post_init__(self) -> None:
        if self.least_columns < 1 or not (0 < self.range <= 1 and 0 <= self.share <= 1):
            raise InputError(
                "least_columns must be at least 1, range and share from 0 to 1, got "
                f"{self.least_columns!r}, {self.range!r} and {self.share!r}"
            )
        if not 0 <= self.likeness <= 1:
            raise InputError(f"likeness must be from 0 to 1, got {self.likeness!r}")

    def seen_in(self, x: Rows) -> bool:
        """Whether the rows `x` `(n, d)` are pictures; looks at `block_rows` of them at most."""
        if x.shape[1] < self.least_columns or self.share == 1.0:
            return False
        if self.pixels(x) <= self.share:
            return False
        return self.likeness == 0.0 or likeness_of(x) >= self.likeness

    def pixels(self, x: Rows) -> float:
        """Share of the varying columns of `x` `(n, d)` that are as pixels are."""
        rows = _some(x)
        low, high = rows.min(axis=0), rows.max(axis=0)
        varies = high > low
        whole = high.max() - low.min()
        as_pixels = (low <= low.min() + 0.02 * whole) & (high - low >= self.range * whole)
        return float(np.mean(as_pixels[varies])) if varies.any() else 0.0


def likeness_of(x: Rows) -> float:
    """Median, over columns, of the largest correlation with another, without its sign.

    Asked are at most `ASKED` of the `COMMON_COLUMNS` columns that leave their least value oftenest,
    if at all in `COMMON` of the rows: two rare words are alike once they share the one text that
    has them.
    """
    rows = _some(x)
    rows = rows[:: -(-len(rows) // LIKENESS_ROWS)]
    often = np.mean(rows > rows.min(axis=0), axis=0)
    common = np.flatnonzero(often > COMMON)
    common = common[np.argsort(-often[common], kind="stable")][:COMMON_COLUMNS]
    columns = rows[:, common].astype(np.float64)
    columns -= columns.mean(axis=0)
    lengths = np.sqrt(np.square(columns).sum(axis=0))
    columns = columns[:, lengths > 0] / lengths[lengths > 0]
    if columns.shape[1] < 2:
        return 0.0
    asked = np.arange(0, columns.shape[1], -(-columns.shape[1] // ASKED))
    alike = np.abs(columns[:, asked].T @ columns)
    alike[np.arange(len(asked)), asked] = 0.0
    return float(np.median(alike.max(axis=1)))


def _some(x: Rows) -> NDArray[np.float32]:
    """At most `block_rows` rows at even distances."""
    return dense(x[:: -(-x.shape[0] // block_rows(x.shape[1]))])


NO_PICTURES = PictureSettings()
"""No rows are taken for pictures."""
