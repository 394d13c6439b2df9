"""A trained base model frozen for use: an affine map and a nonlinearity per layer, NumPy only.

Batch statistics are those of the whole unlabelled pool, folded into the weights, so that
row i of the features depends on row i of the input alone.
"""

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models.activations import SEVERAL, Readout, activate
from metaplastic.models.preparation import AbstractPreparation
from metaplastic.models.rows import in_blocks, row_product
from metaplastic.models.scaling import apply_scaling
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenMLP:
    """Encoder of a trained base model: a map from `(n, n_features_in)` to `(n, n_features_out)`.

    The first signal is the presentation of the inputs, `clip((x - shift) * scale, -clip, clip) *
    gain`. The drive of a layer is `signal @ weights[l] + biases[l]`, and its nonlinearity gives the
    next signal. If there is a `preparation`, `x` are the prepared inputs.

    Attributes
    ----------
    shift, scale : ndarray of float32
        Shift and scale of each column `(d,)`.
    clip, gain : float32
        Largest presented magnitude, and the factor of all columns.
    weights : tuple of ndarray of float32
        Weights `(pre, post)` of each layer. They contain the normalisation.
    biases : tuple of ndarray of float32
        Biases `(post,)` of each layer. They contain the normalisation.
    activation : str
        Name of the nonlinearity. Of several (`relu+tanh`), each has an equal share of the units of
        a layer.
    readout : Readout
        Whether features are the top layer's drive or its output.
    direct : ndarray of float32, optional
        `(d, m)`; the first m features are `first signal @ direct`, if it is there.
    n_networks : int, default=1
        Number of networks. Above the first layer their weights are equal blocks on the diagonal.
    preparation : AbstractPreparation, optional
        What happens to raw inputs before the presentation, if anything.
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

        Raises
        ------
        InputError
            For the top layer, if its features are drives and there are several nonlinearities: some
            units may be left out there, so that nothing tells which has which.
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


def _diagonal_blocks(weight: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The `count` equal blocks `(count, pre / count, width)` on the diagonal of `weight`.

    Columns that the last block lacks, because features were cut off, are zeros.
    """
    pre, post = weight.shape
    width = -(-post // count)
    padded = np.pad(weight, ((0, 0), (0, count * width - post)))
    blocks = padded.reshape(count, pre // count, count, width)
    return np.stack([blocks[i, :, i] for i in range(count)])
