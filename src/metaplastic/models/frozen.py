"""A trained base model frozen for use: an affine map and a nonlinearity per layer, NumPy only.

Batch statistics are those of the whole unlabelled pool, folded into the weights, so that
row i of the features depends on row i of the input alone.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.activations import SEVERAL, activate
from metaplastic.models.mlp import EPSILON, MLP, Readout
from metaplastic.models.scaling import CLIP, apply_scaling
from metaplastic.types import Rows

BLOCK_ROWS = 4096
BLOCK_NUMBERS = 2**24
"""Rows that are dense in memory at a time: at most so many, and fewer where they are so wide that
they would hold more numbers than this (64 MiB)."""

PRINCIPAL_ROWS = 2048
"""Most rows of which principal components are taken."""

N_PRINCIPAL = 64
"""Most principal components among direct features (docs/experiments.md)."""

ROUNDING = 1e-8
"""Least mean variance of presented columns, whose mean squares are about 1, that is no rounding."""


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenMLP:
    """Encoder of a trained base model. Call it with `(n, n_features_in)`; `(n, n_features_out)`.

    `weights[l]` `(pre, post)` and `biases[l]` `(post,)` already contain the normalisation:
    `drive = signal @ weights[l] + biases[l]`. The first signal is the presentation of the inputs,
    `clip((x - shift) * scale, -clip, clip) * gain`. If `activation` names several nonlinearities
    (`relu+tanh`), each has an equal share of the units of a layer. With direct connections `direct`
    `(n_0, m)`, the first m features are `first signal @ direct`.
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

    @property
    def n_features_in(self) -> int:
        """Columns of the input."""
        return self.weights[0].shape[0]

    @property
    def n_features_out(self) -> int:
        """Columns of the features."""
        beside = 0 if self.direct is None else self.direct.shape[1]
        return beside + self.weights[-1].shape[1]

    def __call__(self, x: Rows) -> NDArray[np.float32]:
        def features(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            signal = self._present(rows)
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
        return in_blocks(lambda rows: self._upwards(self._present(rows), depth, post=True), x)

    @functools.cached_property
    def _blocks(self) -> tuple[NDArray[np.float32], ...]:
        return tuple(diagonal_blocks(weight) for weight in self.weights)

    def _present(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
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
    return dataclasses.replace(first, weights=tuple(joined), biases=biases, activation=activation)


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


def with_direct(encoder: FrozenMLP, n_direct: int, x: Rows, *, seed: int) -> FrozenMLP:
    """The encoder with `n_direct` more features straight from the presented inputs.

    They are copies of the columns if `n_direct` is a multiple of their number. Else (below it) they
    are the leading principal components of the presented rows of `x` `(n, pre)`, turned by a random
    rotation: so none has more variance than another, and a readout that standardises its
    features does not blow up the faint ones. Together they have as much variance as the others, or
    none if all of these rows are equal.
    """
    n_in = encoder.n_features_in
    if n_direct % n_in == 0:
        copies = np.tile(np.eye(n_in), n_direct // n_in)
        direct = np.sqrt(encoder.n_features_out / n_direct) * copies
    else:
        rows = dense(x[: min(PRINCIPAL_ROWS, block_rows(n_in))])
        axes, variances = principal_axes(encoder._present(rows), min(n_direct, N_PRINCIPAL))
        random = np.random.default_rng([seed, 12]).normal(size=(n_direct, axes.shape[1]))
        total = float(np.sum(variances))
        # Rows that are all equal, but for rounding of presented inputs near 1, have no directions.
        factor = np.sqrt(encoder.n_features_out / total) if total > ROUNDING * n_in else 0.0
        direct = factor * axes @ np.linalg.qr(random)[0].T
    return dataclasses.replace(encoder, direct=direct.astype(np.float32))


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


def block_rows(n_columns: int) -> int:
    """How many rows of so many columns are made dense at a time."""
    return min(BLOCK_ROWS, max(1, BLOCK_NUMBERS // max(1, n_columns)))


def in_blocks(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]], x: Rows
) -> NDArray[np.float32]:
    """Apply a row-wise function to blocks of `block_rows` rows.

    `x` is an array `(n, pre)` of any real dtype or a SciPy sparse matrix, which is made dense one
    block at a time.
    """
    parts = []
    size = block_rows(x.shape[1])
    for start in range(0, x.shape[0], size):
        rows = dense(x[start : start + size])
        parts.append(np.asarray(function(rows), np.float32))
    return np.concatenate(parts)


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


def diagonal_blocks(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The most equal blocks `(k, pre / k, width)` on whose diagonal all of `weight` is.

    The last columns are zeros where `k` blocks are wider than `weight`. The weight itself, if there
    is no more than one block.
    """
    pre, post = weight.shape
    filled = np.count_nonzero(weight)
    for k in range(min(pre, post, weight.size // max(1, filled)), 1, -1):
        if pre % k == 0:
            width = -(-post // k)
            padded = np.pad(weight, ((0, 0), (0, k * width - post)))
            blocks = padded.reshape(k, pre // k, k, width)
            diagonal = np.stack([blocks[i, :, i] for i in range(k)])
            if np.count_nonzero(diagonal) == filled:
                return diagonal
    return weight


def dense(rows: Rows) -> NDArray[np.float32]:
    """A block of rows as a dense float32 array."""
    # In row order: a product with strided rows would take another path.
    return np.ascontiguousarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float32)


def freeze(model: MLP, x: Rows) -> FrozenMLP:
    """Fold the exact statistics of the pool `x` `(n, pre)` into the weights of `model`.

    One pass over the pool per layer; sums are kept in float64.
    """
    scaling = model.scaling
    first = model.layers[0].weight
    if scaling.whitening is not None:
        first = scaling.whitening.fold(np.asarray(first, np.float64))
    frozen = FrozenMLP(
        np.asarray(scaling.shift, np.float32),
        np.asarray(scaling.scale, np.float32),
        np.float32(CLIP),
        np.float32(scaling.gain),
        (),
        (),
        model.activation,
        model.readout,
    )
    # The presented inputs are made anew for each use: all at once they may be too wide for memory.
    signal, present = x, frozen._present
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
