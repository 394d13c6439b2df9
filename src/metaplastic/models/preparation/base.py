"""What a preparation is: a map of raw rows, fitted to a pool and stored with the encoder."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from metaplastic.models.rows import dense
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class AbstractPreparation(abc.ABC):
    """A row-wise map `(n, n_features_in)` to `(n, n_features_out)`, float32.

    Row i of the result depends on row i alone, bit for bit. The fields of a subclass are float32
    arrays; a file holds them under their names.
    """

    kind: ClassVar[str]
    """Name in files."""

    @property
    @abc.abstractmethod
    def n_features_in(self) -> int:
        """Columns of the raw inputs."""

    @property
    @abc.abstractmethod
    def n_features_out(self) -> int:
        """Columns that the presentation sees."""

    @abc.abstractmethod
    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Prepared rows; raises what `check_rows` does."""

    def check_rows(self, rows: NDArray[np.float32]) -> None:  # noqa: B027  # Most take any.
        """Raise `InputError` for rows that cannot be prepared."""

    @abc.abstractmethod
    def explain(self) -> str:
        """What is done, in words."""

    @abc.abstractmethod
    def check(self) -> str:
        """What is wrong with arrays that come from a file; empty if nothing is."""

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """What `arrays` gave, as an object again; raises `KeyError` if an array is missing."""
        return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})


class PreparedRows:
    """Rows that are prepared when they are asked for, as a slice or by their numbers."""

    def __init__(self, preparation: AbstractPreparation, rows: Rows) -> None:
        self._preparation, self._rows = preparation, rows
        self.shape = (rows.shape[0], preparation.n_features_out)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        return self._preparation(dense(self._rows[key]))
