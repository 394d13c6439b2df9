"""Which preparation a pool asks for."""

from metaplastic.models.preparation.base import AbstractPreparation, PreparedRows
from metaplastic.models.preparation.columns import ColumnCurves, fit_columns
from metaplastic.models.preparation.counts import CountWeights, are_counts, fit_counts
from metaplastic.models.preparation.directions import (
    Directions,
    are_directions,
    fit_directions,
)
from metaplastic.models.preparation.settings import PreparationSettings
from metaplastic.models.rows import in_blocks
from metaplastic.types import Rows

PREPARATIONS: tuple[type[AbstractPreparation], ...] = (CountWeights, Directions, ColumnCurves)
"""All kinds."""

MEMORY = 2**26
"""Most numbers of prepared rows that are kept (256 MiB); others are prepared at every use."""


def fit_preparation(
    x: Rows, settings: PreparationSettings, *, pictures: bool = False
) -> AbstractPreparation | None:
    """The preparation of a pool, `None` if it stays as it is.

    Counts are weighted, and components of rows of one length. Otherwise the tails of columns are
    drawn in, but for pictures, whose columns belong together.

    Parameters
    ----------
    x : Rows
        Rows `(n, d)`, finite.
    settings : PreparationSettings
        When, and how.
    pictures : bool, default=False
        Whether the rows are pictures.

    Returns
    -------
    AbstractPreparation or None
        The preparation, or `None`.
    """
    if pictures:
        return None
    if are_counts(x, settings.count_zeros):
        return fit_counts(x, settings.n_components, settings.power)
    if 0 < settings.directions <= x.shape[1] and are_directions(x):
        return fit_directions(x, settings.n_components, settings.directions_power)
    if settings.tail == 0.0 and settings.dead == 0.0:
        return None
    return fit_columns(x, settings)


def prepare(preparation: AbstractPreparation | None, x: Rows, *, keep: bool = True) -> Rows:
    """The rows `x` `(n, d)` as the presentation gets them.

    Parameters
    ----------
    preparation : AbstractPreparation or None
        `None` leaves rows as they are.
    x : Rows
        Raw rows.
    keep : bool, default=True
        Whether prepared rows may be held in memory, if they are few; otherwise each is prepared
        when it is asked for.

    Returns
    -------
    Rows
        The prepared rows.
    """
    if preparation is None:
        return x
    if keep and x.shape[0] * preparation.n_features_out <= MEMORY:
        return in_blocks(preparation, x)
    return PreparedRows(preparation, x)
