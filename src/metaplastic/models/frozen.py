"""A trained base model frozen for use: an affine map and a nonlinearity per layer, NumPy only.

Batch statistics are those of the whole unlabelled pool, folded into the weights, so that
row i of the features depends on row i of the input alone.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.activations import SEVERAL, activate
from metaplastic.models.mlp import EPSILON, MLP, Readout
from metaplastic.models.preparation import AbstractPreparation
from metaplastic.models.presentation import apply_scaling
from metaplastic.models.rows import in_blocks
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenMLP:
    """Encoder of a trained base model. Call it with `(n, n_features_in)`; `(n, n_features_out)`.

    `weights[l]` `(pre, post)` and `biases[l]` `(post,)` already contain the normalisation:
    `drive = signal @ weights[l] + biases[l]`. The first signal is the presentation of the inputs,
    `clip((x - shift) * scale, -clip, clip) * gain`. If `activation` names several nonlinearities
    (`relu+tanh`), each has an equal share of the units of a layer. The first m features are the
    direct ones, `first signal @ direct`, if `direct` `(n_0, m)` is there. Above the first layer the
    weights of `n_networks` networks are equal blocks on the diagonal. If there is a `preparation`,
    `x` is what it makes of the inputs.
    """

    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    clip: np.float32
    gain: np.float32
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    activation: str
    readout: Readout
    direct: NDArray[np.float32] | None = None
    n_networks: int = 1
    preparation: AbstractPreparation | None = None

    @property
    def n_features_in(self) -> int:
        """Columns of the input."""
        if self.preparation is not None:
            return self.preparation.n_features_in
        return self.weights[0].shape[0]

    @property
    def n_features_out(self) -> int:
        """Columns of the features."""
        beside = 0 if self.direct is None else self.direct.shape[1]
        return beside + self.weights[-1].shape[1]

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        def features(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            signal = self.present(rows)
            top = self._upwards(signal, len(self.weights), post=self.readout == "post")
            if self.direct is None:
                return top
            return np.concatenate([row_product(signal, self.direct), top], axis=1)

        return in_blocks(features, x)

    def layer_outputs(self, x: Rows, depth: int) -> NDArray[np.float32]:
        """Output (`post`) of layer `depth`, counted from 1; `depth` 0 gives the scaled inputs.

        Raises:
            InputError: for the top layer, if its features are drives and there are several
                nonlinearities: some units may be left out there, so that nothing tells which has
                which.
        """
        if depth == len(self.weights) and SEVERAL in self.activation and self.readout == "drive":
            raise InputError(
                f"the top layer has no nonlinearity here ({self.activation} are those of hidden "
                "layers); call the encoder for its features"
            )
        return in_blocks(lambda rows: self._upwards(self.present(rows), depth, post=True), x)

    @functools.cached_property
    def _blocks(self) -> tuple[NDArray[np.float32], ...]:
        if self.n_networks == 1:
            return self.weights
        above = (_diagonal_blocks(weight, self.n_networks) for weight in self.weights[1:])
        return (self.weights[0], *above)

    def present(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first signal: rows `(n, n_features_in)`, prepared and scaled."""
        if self.preparation is not None:
            rows = self.preparation(rows)
        return apply_scaling(rows, self.shift, self.scale, self.clip, self.gain, np)

    def _upwards(
        self, signal: NDArray[np.float32], depth: int, *, post: bool
    ) -> NDArray[np.float32]:
        """Output of layer `depth`, before its nonlinearity unless `post`."""
        for index in range(depth):
            bias = self.biases[index]
            signal = row_product(signal, self._blocks[index])[:, : len(bias)] + bias
            if index < depth - 1 or post:
                signal = activate(self.activation, signal, np)
        return signal


def side_by_side(encoders: Sequence[FrozenMLP]) -> FrozenMLP:
    """One encoder whose features are those of all `encoders`, in order.

    They must share presentation of inputs, sizes and readout, and equally many in a row must share
    each activation. Their hidden layers become blocks on the diagonal of wider ones.

    Raises:
        InputError: for activations in another order.
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
    """The encoder without the units of its top layer beyond the first `count`."""
    weights = (*encoder.weights[:-1], encoder.weights[-1][:, :count])
    biases = (*encoder.biases[:-1], encoder.biases[-1][:count])
    return dataclasses.replace(encoder, weights=weights, biases=biases)


def principal_axes(
    x: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leading principal axes of `x` `(n, d)` as columns `(d, m)`, and the variances along them.

    `m` is `count`, or less if there are fewer: at most `d`, and `n - 1` (but at least 1).
    """
    n, d = x.shape
    centred = np.asarray(x - x.mean(0), np.float64)
    count = max(1, min(count, d, n - 1))
    small = d <= n
    products = centred.T @ centred if small else centred @ centred.T
    first = len(products) - count
    values, vectors = scipy.linalg.eigh(products, subset_by_index=(first, len(products) - 1))
    values = np.maximum(values[::-1], 0.0)
    axes = vectors[:, ::-1] if small else centred.T @ vectors[:, ::-1]
    lengths = np.linalg.norm(axes, axis=0)
    return axes / np.where(lengths > 0, lengths, 1.0), values / n


def row_product(rows: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows @ weight`, every row by a vector-matrix product of its own.

    A product of all rows at once works on tiles of rows and adds up a partial tile in another
    order, so that the last bits of a row would depend on its place. Some 3 times slower.

    Args:
        rows: `(n, pre)`.
        weight: `(pre, post)`, or blocks `(k, pre / k, post / k)` on the diagonal of such a matrix.
    """
    if weight.ndim == 2:
        return (rows[:, None, :] @ weight)[:, 0]
    apart = rows.reshape(len(rows), len(weight), 1, -1)
    return (apart @ weight).reshape(len(rows), -1)


def _diagonal_blocks(weight: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The `count` equal blocks `(count, pre / count, width)` on the diagonal of `weight`.

    Columns that the last block lacks, because features were cut off, are zeros.
    """
    pre, post = weight.shape
    width = -(-post // count)
    padded = np.pad(weight, ((0, 0), (0, count * width - post)))
    blocks = padded.reshape(count, pre // count, count, width)
    return np.stack([blocks[i, :, i] for i in range(count)])


def freeze(model: MLP, x: Rows) -> FrozenMLP:
    """Fold the exact statistics of the pool `x` `(n, pre)` into the weights of `model`.

    One pass over the pool per layer; sums are kept in float64.
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
        mean = drive.mean(0, dtype=np.float64)
        deviation = np.sqrt(drive.var(0, dtype=np.float64) + EPSILON)
        weight = (raw / deviation).astype(np.float32)
        bias = (np.asarray(layer.bias, np.float64) - mean / deviation).astype(np.float32)
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
