"""What readings go by, as data that a preset holds."""

import dataclasses
import math

from metaplastic.errors import InputError

STATISTICS = (
    "one",
    "log_labels",
    "log_classes",
    "agreement",
    "cut_linear",
    "cut_graph",
    "hits",
    "many_hits",
    "likelihood",
)
"""What the weights of the readings depend on; `evidence.statistics` says what each is."""


@dataclasses.dataclass(frozen=True)
class ReadingSettings:
    """Numbers of the graph reading and of its combination with the linear one.

    Parameters
    ----------
    n_neighbors : int, default=10
        Neighbours of every node of the graph.
    leak : float, default=0.001
        Leak of the labels that spread, relative to the degree of a node (`Graph.spread`).
    tolerance : float, default=0.0001
        To which they are solved for, relative to their sources.
    linear : tuple of float, optional
        Coefficients of `STATISTICS` for the logarithm of the linear reading's weight.
    graph : tuple of float, optional
        Coefficients of `STATISTICS` for the logarithm of the weight of both readings, spread anew
        over the graph.
    single : tuple of float, default=(1.0, 1.0)
        Factors of both weights with one label a class; with `k` labels their power `1 / k^2`.
    sharpness : tuple of float, optional
        Coefficients of `STATISTICS` for the logarithm of a factor of both weights, which makes
        probabilities as sure as they are right and changes no class.
    balance : float, default=0.75
        With one label a class, how far scores are shifted towards the expected shares of the
        classes: 0 not at all, 1 until the shares are as expected. With `k` labels a class
        `k ** -0.7` times as far: more labels tell more than expectations.
    least, most
        Bounds of the logarithms.

    Raises
    ------
    InputError
        For values that are not allowed.
    """

    n_neighbors: int = 10
    leak: float = 1e-3
    tolerance: float = 1e-4
    linear: tuple[float, ...] = (0.0,) * len(STATISTICS)
    graph: tuple[float, ...] = (0.0,) * len(STATISTICS)
    single: tuple[float, float] = (1.0, 1.0)
    sharpness: tuple[float, ...] = (0.0,) * len(STATISTICS)
    balance: float = 0.75
    least: float = -5.0
    most: float = 3.5

    def __post_init__(self) -> None:
        for name in ("linear", "graph", "sharpness"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != len(STATISTICS) or not all(math.isfinite(v) for v in values):
                raise InputError(
                    f"{name} takes {len(STATISTICS)} finite numbers, one for each of "
                    f"{', '.join(STATISTICS)}; got {values}"
                )
        if self.n_neighbors < 1 or int(self.n_neighbors) != self.n_neighbors:
            raise InputError(f"n_neighbors takes integers of at least 1, got {self.n_neighbors}")
        if not (0 < self.leak < math.inf and 0 < self.tolerance < 1):
            raise InputError(
                "leak must be positive and tolerance between 0 and 1, got "
                f"{self.leak} and {self.tolerance}"
            )
        object.__setattr__(self, "single", tuple(self.single))
        if len(self.single) != 2 or not all(0 < factor < math.inf for factor in self.single):
            raise InputError(f"single takes two positive numbers, got {self.single}")
        if not 0 <= self.balance <= 1:
            raise InputError(f"balance must lie between 0 and 1, got {self.balance}")
        if not -math.inf < self.least <= self.most < math.inf:
            raise InputError(f"least must not exceed most, got {self.least} and {self.most}")


DEFAULT = ReadingSettings()
"""Both readings weighted alike."""
