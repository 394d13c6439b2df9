"""What tells pictures from other dense rows, whatever the order of their columns."""

import dataclasses

import numpy as np

from metaplastic.errors import InputError
from metaplastic.models.rows import block_rows, dense
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True)
class PictureSettings:
    """When rows count as pictures; the defaults take none for one.

    The pixels of a picture have one unit and one range: black to white. Most columns of pictures
    reach the least value of all columns and come near the greatest, which columns of a table,
    counts and embeddings do not.

    Parameters
    ----------
    least_columns : int, default=1
        Fewest columns of pictures.
    range : float, default=0.5
        Part of the range of all columns that a column of pixels has.
    share : float, default=1.0
        Share of the columns above which rows are pictures; 1 takes none for pictures.

    Raises
    ------
    InputError
        For numbers that are not allowed.
    """

    least_columns: int = 1
    range: float = 0.5
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.least_columns < 1 or not (0 < self.range <= 1 and 0 <= self.share <= 1):
            raise InputError(
                "least_columns must be at least 1, range and share from 0 to 1, got "
                f"{self.least_columns!r}, {self.range!r} and {self.share!r}"
            )

    def seen_in(self, x: Rows) -> bool:
        """Whether the rows `x` `(n, d)` are pictures; looks at `block_rows` of them at most."""
        if x.shape[1] < self.least_columns or self.share == 1.0:
            return False
        return self.pixels(x) > self.share

    def pixels(self, x: Rows) -> float:
        """Share of the varying columns of `x` `(n, d)` that are as pixels are."""
        rows = dense(x[:: -(-x.shape[0] // block_rows(x.shape[1]))])
        low, high = rows.min(axis=0), rows.max(axis=0)
        varies = high > low
        whole = high.max() - low.min()
        as_pixels = (low <= low.min() + 0.02 * whole) & (high - low >= self.range * whole)
        return float(np.mean(as_pixels[varies])) if varies.any() else 0.0


NO_PICTURES = PictureSettings()
"""No rows are taken for pictures."""
