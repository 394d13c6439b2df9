"""When a pool is prepared, and how: the numbers that a preset holds."""

import dataclasses
import math

from metaplastic.errors import InputError

SHAPES = ("logarithm", "ranks")


@dataclasses.dataclass(frozen=True)
class PreparationSettings:
    """When and how raw inputs are prepared; the defaults prepare nothing.

    Parameters
    ----------
    count_zeros : float, default=1.0
        Share of zeros above which rows without negative entries, whose sums differ, are counts; 1
        takes none for counts.
    n_components : int, default=256
        Most components that weighted counts and directions are projected on.
    power : float, default=1.0
        Power of its singular value by which a component of counts weighs: 1 for a projection, more
        for what many rows share.
    directions : int, default=0
        Fewest columns of dense rows of one length that count as directions; 0 takes none for them.
    directions_power : float, default=1.0
        As `power`, for components of directions.
    tail : float, default=0.0
        Spread of a column in standard deviations above which its tail is heavy; 0 leaves all
        columns as they are. A normal distribution has 1.8.
    shape : {"logarithm", "ranks"}, default="logarithm"
        What columns with heavy tails become.
    quantiles : int, default=64
        Knots by which that is stored.
    dead : float, default=0.0
        Part of the usual standard deviation below which a column carries nothing, if all others
        have about the same one; 0 drops none.

    Raises
    ------
    InputError
        For numbers that are not allowed.
    """

    count_zeros: float = 1.0
    n_components: int = 256
    power: float = 1.0
    directions: int = 0
    directions_power: float = 1.0
    tail: float = 0.0
    shape: str = "logarithm"
    quantiles: int = 64
    dead: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.count_zeros <= 1.0 and 0.0 <= self.dead < 1.0):
            raise InputError(
                "count_zeros must be from 0 to 1 and dead from 0 to below 1, got "
                f"{self.count_zeros!r} and {self.dead!r}"
            )
        for name in ("power", "directions_power"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive and finite, got {getattr(self, name)!r}")
        if self.directions < 0:
            raise InputError(f"directions must be at least 0, got {self.directions!r}")
        if self.shape not in SHAPES:
            raise InputError(f"shape is one of {', '.join(SHAPES)}, got {self.shape!r}")
        if self.n_components < 1 or self.quantiles < 2 or not self.tail >= 0:
            raise InputError(
                "n_components must be at least 1, quantiles at least 2 and tail at least 0, got "
                f"{self.n_components!r}, {self.quantiles!r} and {self.tail!r}"
            )


NO_PREPARATION = PreparationSettings()
"""Inputs reach the presentation as they are."""
