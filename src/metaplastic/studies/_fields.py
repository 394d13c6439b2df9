"""Receptive fields of a first layer as images."""

import math

import numpy as np
from numpy.typing import NDArray

from metaplastic.models import FrozenMLP


def receptive_fields(
    encoder: FrozenMLP, x: NDArray, columns: NDArray, count: int
) -> NDArray[np.float32]:
    """First-layer weights as images `(count, side, side)`, pixels back in their places.

    A weight is multiplied by the standard deviation of its (scaled) input, so that pixels which
    never vary, and whose weights are therefore arbitrary, show nothing.

    Parameters
    ----------
    encoder : FrozenMLP
        An encoder of permuted square images.
    x : ndarray
        The pool `(n, d)` as the encoder saw it.
    columns : ndarray
        `(d,)`; column j of `x` is pixel `columns[j]`.
    count : int
        Units shown, the first ones.
    """
    deviation = encoder.layer_outputs(x, 0).std(axis=0)
    contribution = (encoder.weights[0] * deviation[:, None]).T[:count]
    images = np.zeros_like(contribution)
    images[:, columns] = contribution
    side = math.isqrt(images.shape[1])
    return images.reshape(-1, side, side)
