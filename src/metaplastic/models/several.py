"""Several networks as one encoder."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.activations import SEVERAL
from metaplastic.models.frozen import FrozenMLP


def side_by_side(encoders: Sequence[FrozenMLP]) -> FrozenMLP:
    """One encoder whose features are those of several encoders, in order.

    Hidden layers become blocks on the diagonal of wider ones.

    Parameters
    ----------
    encoders : sequence of FrozenMLP
        Encoders of one presentation, one readout and the same sizes. Equally many in a row must
        share each activation.

    Returns
    -------
    FrozenMLP
        The encoder.

    Raises
    ------
    InputError
        For activations in another order.
    """
    first = encoders[0]
    if len(encoders) == 1:
        return first
    depth = range(len(first.weights))
    joined = [np.concatenate([e.weights[0] for e in encoders], axis=1)]
    joined += [_on_the_diagonal([e.weights[index] for e in encoders]) for index in depth[1:]]
    biases = tuple(np.concatenate([e.biases[index] for e in encoders]) for index in depth)
    names = [e.activation for e in encoders]
    distinct = list(dict.fromkeys(names))
    if names != [name for name in distinct for _ in range(len(names) // len(distinct))]:
        raise InputError(f"equally many networks in a row must share an activation, got {names}")
    activation = SEVERAL.join(distinct)
    return dataclasses.replace(
        first,
        weights=tuple(joined),
        biases=biases,
        activation=activation,
        n_networks=len(encoders),
    )


def _on_the_diagonal(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    rows, columns = (sum(b.shape[axis] for b in blocks) for axis in (0, 1))
    whole = np.zeros((rows, columns), np.float32)
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole


def first_features(encoder: FrozenMLP, count: int) -> FrozenMLP:
    """The encoder without the units of its top layer beyond the first `count`.

    Parameters
    ----------
    encoder : FrozenMLP
        The encoder to shorten.
    count : int
        Number of units of the top layer to keep.

    Returns
    -------
    FrozenMLP
        The shorter encoder.
    """
    weights = (*encoder.weights[:-1], encoder.weights[-1][:, :count])
    biases = (*encoder.biases[:-1], encoder.biases[-1][:count])
    return dataclasses.replace(encoder, weights=weights, biases=biases)
