"""Direct features: presented inputs that stand among the features beside what was learned.

What can be read from the inputs in a straight line, as from many tables and word counts, need not
survive a narrow nonlinear network.
"""

import dataclasses
import math

import numpy as np

from metaplastic.errors import InputError
from metaplastic.models.frozen import FrozenMLP
from metaplastic.models.principal import principal_axes
from metaplastic.models.rows import block_rows, dense
from metaplastic.types import Rows

ROUNDING = 1e-8
"""Least mean variance of presented columns, whose mean squares are about 1, that is no rounding."""


@dataclasses.dataclass(frozen=True)
class DirectSettings:
    """How many of the features are direct; a preset holds the numbers that experiments chose.

    A readout that brings every feature to the same variance hears what is said more often. So few
    inputs are copied, and many are projected on their leading principal components.

    Parameters
    ----------
    share_few : float, default=0.0
        Share of the features that are direct, for inputs of at most `few` columns.
    share : float, default=0.0
        The same for inputs of more columns.
    few : int, default=32
        Most columns of a narrow table.
    components : int, default=64
        Most principal components that direct features hold.
    weight : float, default=1.0
        Variance of all direct features together, over that of the learned ones.
    rows : int, default=2048
        Most rows of which principal components are taken.

    Raises
    ------
    InputError
        For shares outside 0 to 1, counts below 1, or a weight that is not positive.
    """

    share_few: float = 0.0
    share: float = 0.0
    few: int = 32
    components: int = 64
    weight: float = 1.0
    rows: int = 2048

    def __post_init__(self) -> None:
        if not (0.0 <= self.share_few < 1.0 and 0.0 <= self.share < 1.0):
            raise InputError(
                f"shares must be from 0 to below 1, got {self.share_few!r} and {self.share!r}"
            )
        if min(self.few, self.components, self.rows) < 1:
            raise InputError(
                "few, components and rows must be at least 1, got "
                f"{self.few!r}, {self.components!r} and {self.rows!r}"
            )
        if not 0.0 < self.weight < math.inf:
            raise InputError(f"weight must be positive and finite, got {self.weight!r}")

    def count(self, n_in: int, n_components: int) -> int:
        """How many of `n_components` features are direct, for `n_in` columns.

        A multiple of `n_in` if that many fit, so that every column is copied equally often.
        """
        part = int((self.share if n_in > self.few else self.share_few) * n_components)
        return part if n_in > part else part - part % n_in


NO_DIRECT = DirectSettings()
"""No direct features."""


def with_direct(
    encoder: FrozenMLP, n_direct: int, x: Rows, settings: DirectSettings, *, seed: int
) -> FrozenMLP:
    """The encoder with direct features before its own.

    They are copies of the columns if their number is a multiple of the number of columns. Otherwise
    they are the leading principal components of the presented rows, turned by a random rotation.
    Then all have the same variance, and a reading that standardises its features does not amplify
    the faint ones. Together they have `settings.weight` times the variance of the other features,
    or none if all rows are equal.

    Parameters
    ----------
    encoder : FrozenMLP
        The encoder of the learned features.
    n_direct : int
        Number of direct features.
    x : Rows
        The pool `(n, pre)`.
    settings : DirectSettings
        Settings of the direct features.
    seed : int
        Seed of the rotation.

    Returns
    -------
    FrozenMLP
        The longer encoder.
    """
    n_in = encoder.n_features_in
    wanted = settings.weight * encoder.n_features_out
    if n_direct % n_in == 0:
        copies = np.tile(np.eye(n_in), n_direct // n_in)
        direct = np.sqrt(wanted / n_direct) * copies
    else:
        rows = dense(x[: min(settings.rows, block_rows(n_in))])
        count = min(n_direct, settings.components)
        axes, variances = principal_axes(encoder.present(rows), count)
        random = np.random.default_rng([seed, 12]).normal(size=(n_direct, axes.shape[1]))
        total = float(np.sum(variances))
        # Rows that are all equal, but for rounding of presented inputs near 1, have no directions.
        factor = np.sqrt(wanted / total) if total > ROUNDING * n_in else 0.0
        direct = factor * axes @ np.linalg.qr(random)[0].T
    return dataclasses.replace(encoder, direct=direct.astype(np.float32))
