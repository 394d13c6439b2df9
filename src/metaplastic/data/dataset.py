"""A labelled set in memory, and one made of images."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled set.

    Attributes
    ----------
    name : str
        The name that `load_set` takes.
    inputs : object
        `(n, d)` array, or a SciPy sparse matrix of that shape.
    labels : ndarray of integer
        `(n,)` integers from 0.
    image_shape : (int, int) or None
        `(height, width)` if a row is an image, else `None`.
    licence : str
        Licence of the data.
    source : str
        Where the data come from, and what was done to them.
    """

    name: str
    inputs: Any
    labels: NDArray[np.integer]
    image_shape: tuple[int, int] | None
    licence: str
    source: str

    @property
    def x(self) -> Any:
        """The inputs, by the name that the evaluation uses."""
        return self.inputs

    @property
    def y(self) -> NDArray[np.integer]:
        """The labels, by the name that the evaluation uses."""
        return self.labels


def image_set(
    name: str, images: NDArray, labels: NDArray, peak: float, licence: str, source: str
) -> Dataset:
    """Images `(n, height, width)` from 0 to `peak`, in [0, 1]; halved if the name ends in 14."""
    scaled = images.astype(np.float32) / np.float32(peak)
    if name.endswith("14"):
        scaled = pool2x2(scaled)
        source += "; 2x2 pixels averaged"
    n, height, width = scaled.shape
    flat = scaled.reshape(n, height * width)
    return Dataset(name, flat, labels.astype(np.int64), (height, width), licence, source)


def pool2x2(images: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means of 2x2 pixels: `(n, 2h, 2w)` to `(n, h, w)`.

    Raises
    ------
    InputError
        If a side is odd.
    """
    n, height, width = images.shape
    if height % 2 or width % 2:
        raise InputError(f"only images with even sides can be halved, got {height}x{width}")
    return images.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4))
