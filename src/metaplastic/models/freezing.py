"""A trained base model made an encoder: statistics of the whole pool, folded into the weights."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from metaplastic.models.activations import activate
from metaplastic.models.frozen import FrozenMLP
from metaplastic.models.mlp import EPSILON, MLP
from metaplastic.models.rows import in_blocks, row_product
from metaplastic.types import Rows


def freeze(model: MLP, x: Rows) -> FrozenMLP:
    """Fold the exact statistics of the pool into the weights of a model.

    It makes one pass over the pool per layer and keeps sums in float64.

    Parameters
    ----------
    model : MLP
        A trained model.
    x : Rows
        The pool `(n, pre)`.

    Returns
    -------
    FrozenMLP
        The encoder.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> from metaplastic.models import freeze, init_mlp
    >>> x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    >>> freeze(init_mlp((8, 6, 4), key=jax.random.key(0)), x)(x).shape
    (20, 4)
    """
    presentation = model.presentation
    first = model.layers[0].weight
    if presentation.whitening is not None:
        first = presentation.whitening.fold(np.asarray(first, np.float64))
    frozen = FrozenMLP(
        np.asarray(presentation.shift, np.float32),
        np.asarray(presentation.scale, np.float32),
        np.float32(presentation.clip),
        np.float32(presentation.gain),
        (),
        (),
        model.activation,
        model.readout,
    )
    # The presented inputs are made anew for each use: all at once they may be too wide for memory.
    signal, present = x, frozen.present
    for index, layer in enumerate(model.layers):
        raw = np.asarray(layer.weight if index else first, np.float32)
        drive = in_blocks(lambda rows, w=raw, p=present: row_product(p(rows), w), signal)
        weight, bias = _normalised(raw, np.asarray(layer.bias, np.float64), drive)
        frozen = dataclasses.replace(
            frozen,
            weights=(*frozen.weights, weight),
            biases=(*frozen.biases, bias),
        )
        signal = in_blocks(
            lambda rows, w=weight, b=bias, p=present: activate(
                model.activation, row_product(p(rows), w) + b, np
            ),
            signal,
        )
        present = np.asarray
    return frozen


def _normalised(
    weight: NDArray[np.float32], bias: NDArray[np.float64], drive: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and biases that bring each unit's drive to mean 0 and variance 1 by themselves."""
    mean = drive.mean(0, dtype=np.float64)
    deviation = np.sqrt(drive.var(0, dtype=np.float64) + EPSILON)
    return (weight / deviation).astype(np.float32), (bias - mean / deviation).astype(np.float32)
