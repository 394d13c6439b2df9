"""The local rule's inner step by NumPy: nothing is compiled, whatever the sizes of a network.

It computes what `LocalRule.update` does, from the same arrays, for whoever trains a network and
needs no gradient of it. All that the rule's network reads of a (sample, unit) stands in one array
of rows, so that the network is two matrix products a block, which stays in the processor's cache.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from metaplastic.models import Layer, activate
from metaplastic.models.mlp import EPSILON
from metaplastic.rules.hearing import label_message
from metaplastic.rules.local.folded import Theta
from metaplastic.rules.local.start import (
    N_SAMPLE,
    N_UNIT,
    TIME_SCALE,
)

if TYPE_CHECKING:
    from metaplastic.rules.local.rule import LocalRule

Array = NDArray[np.float32]

BLOCK = 512
"""Columns of a block, each a (sample, unit): its hidden units take some 100 kB."""


class Weights(NamedTuple):
    """Parameters of one layer, as `models.Layer` has them."""

    weight: Float[Array, "pre post"]
    bias: Float[Array, " post"]
    feedback: Float[Array, "pre post"]


class Emitted(NamedTuple):
    """`signals.Signals` of a layer; `push` is what hidden units say of the biases."""

    post: Float[Array, "factor batch unit"]
    pre: Float[Array, "factor batch unit"]
    messages: Float[Array, "message batch unit"]
    push: Float[Array, " unit"]
    correlation: Float[Array, "unit unit"] | None = None


class LocalSteps:
    """Steps of a `LocalRule`; see `rules.base.EagerSteps`.

    Parameters
    ----------
    rule : LocalRule
        The rule.
    activation : str
        The network's nonlinearity, a name of `models.ACTIVATIONS`.
    """

    def __init__(self, rule: "LocalRule", activation: str) -> None:
        with np.errstate(all="ignore"):
            self._theta = Theta(rule)
        self._activation = activation
        self._lateral = rule.lateral
        self._outputs, self._labels = rule.with_outputs, rule.with_labels
        self._buffers: dict[Any, Array] = {}

    def init(self) -> np.float32:
        """The number of steps done."""
        return np.float32(0)

    def run(
        self,
        layers: Sequence[Layer],
        state: Any,
        batches: Float[Array, "steps batch pre"],
        targets: Float[Array, "steps batch class"] | None = None,
    ) -> tuple[tuple[Layer, ...], Any]:
        """Layers and state after one step for every batch; the state is the number of steps."""
        weights = [Weights(*map(np.asarray, (o.weight, o.bias, o.feedback))) for o in layers]
        with np.errstate(all="ignore"):  # The caller looks whether all is finite.
            for index, batch in enumerate(batches):
                told = None if targets is None else targets[index]
                weights = self._step(weights, batch, float(state) + index, told)
        return tuple(Layer(*own) for own in weights), np.float32(state + len(batches))

    def _step(
        self, layers: list[Weights], x: Array, time: float, told: Array | None
    ) -> list[Weights]:
        inputs, rows = self._upwards(layers, x)
        n_batch, top, n_messages = len(x), len(layers) - 1, self._theta.n_messages
        emitted: list[Emitted] = []
        down: Any = 0.0
        for index in range(top, -1, -1):
            rows[index][2 : 2 + n_messages] = down
            above = None if index == top else layers[index + 1].weight
            role = [1.0, float(index == top), float(index == 0), time / (time + TIME_SCALE)]
            correlation = self._fill(layers[index], rows[index], inputs[index + 1], above)
            heard = told if index == top else None
            if self._labels:
                label = rows[index][self._theta.unit - 1]
                label[:] = 0.0 if heard is None else label_message(rows[index][0], heard, np)
            own = self._emit(index, rows[index], role, index == top)
            emitted.insert(0, own._replace(correlation=correlation))
            sent = emitted[0].messages.reshape(n_messages * n_batch, -1)
            down = (sent @ layers[index].feedback.T).reshape(n_messages, n_batch, -1)
            self._scale(down, 1e-6)
        active = [_activity(each) for each in inputs[:-1]]
        first = np.concatenate([x[None], down * active[0]])
        first -= first.mean(axis=1, keepdims=True)
        flat = self._theta.input_out @ first.reshape(len(first), -1)
        pres = [flat.reshape(self._theta.n_all, n_batch, -1), *(own.pre for own in emitted[:-1])]
        rates = self._theta.rates_at(time)
        return [
            self._changed(*own, rates) for own in zip(layers, active, pres, emitted, strict=True)
        ]

    def _upwards(self, layers: list[Weights], x: Array) -> tuple[list[Array], list[Array]]:
        """Inputs of all layers and what the top one sends; rows with the drive as the first."""
        inputs, rows = [x], []
        for index, layer in enumerate(layers):
            own = self._buffer(("rows", index), (self._theta.one + 1, len(x), len(layer.bias)))
            drive = own[0]
            np.matmul(inputs[-1], layer.weight, out=drive)
            drive -= drive.mean(axis=0)
            drive *= 1.0 / np.sqrt(_column_power(drive) + EPSILON)
            drive += layer.bias
            rows.append(own)
            inputs.append(activate(self._activation, drive, np))
        return inputs, rows

    def _fill(self, layer: Weights, rows: Array, post: Array, above: Array | None) -> Array | None:
        """All rows of a layer but drive, top-down signals and labels; returns correlations."""
        theta, n_units = self._theta, rows.shape[2]
        z, x = rows[0], rows[1]
        np.maximum(z, 0.0, out=x)
        per_unit = np.zeros((N_UNIT, n_units), np.float32)
        per_sample = np.zeros((N_SAMPLE, len(z)), np.float32)
        after, correlation = 2 + theta.n_messages, None
        if self._lateral:
            correlation = self._laterals(layer, rows, after)
            per_unit[4] = np.sqrt(_column_power(correlation) + 1e-8)
            per_sample[0] = x.mean(axis=1)
            per_sample[1] = _row_power(x) - 1.0
            after += 3
        if self._outputs:
            rows[after] = post - post.mean(axis=0)
            self._scale(rows[after : after + 1], 1e-6)
        per_unit[0] = layer.bias
        per_unit[1] = x.mean(axis=0)
        per_unit[2] = np.tanh((z * z * z).mean(axis=0) / 2.0)
        if above is not None:
            per_unit[3] = np.sqrt(_row_power(above) * len(above)) - 1.0
        rows[theta.unit : theta.sample] = per_unit[:, None]
        rows[theta.sample : theta.one] = per_sample[:, :, None]
        rows[theta.one] = 1.0
        return correlation

    def _laterals(self, layer: Weights, rows: Array, first: int) -> Array:
        """Competition, decorrelation and similar samples into three rows; returns correlations."""
        z, x = rows[0], rows[1]
        n_batch, n_units = z.shape
        normal = z - layer.bias
        correlation = normal.T @ normal / n_batch
        np.fill_diagonal(correlation, 0.0)
        share = _softmax(self._theta.competition * z)
        share *= n_units
        share -= 1.0
        np.divide(share, 1.0 + np.abs(share) / 4.0, out=rows[first])
        np.matmul(z, correlation, out=rows[first + 1])
        self._scale(rows[first + 1 : first + 2], 1e-6)
        direction = x / np.sqrt(n_units * _row_power(x) + 1e-6)[:, None]
        cosine = self._theta.similarity * (direction @ direction.T)
        cosine[np.diag_indices(n_batch)] -= 1e6
        np.matmul(_softmax(cosine), z, out=rows[first + 2])
        return correlation

    def _emit(self, index: int, rows: Array, role: list[float], is_top: bool) -> Emitted:
        """The rule's network on all rows, block by block."""
        theta = self._theta
        readout = theta.top if is_top else theta.below
        out = self._buffer(("out", index), (len(readout), *rows.shape[1:]))
        offset = theta.role @ np.asarray(role, np.float32)
        reads = np.concatenate([theta.reads, offset[:, None]], axis=1)
        flat, flat_out, n_rows = rows.reshape(len(rows), -1), out.reshape(len(out), -1), len(rows)
        for start in range(0, flat.shape[1], BLOCK):
            block = flat[:, start : start + BLOCK]
            width = block.shape[1]
            seen = self._buffer("seen", (n_rows + len(reads), width))
            told = self._buffer("told", (len(readout), width))
            seen[:n_rows] = block
            np.matmul(reads, seen[:n_rows], out=seen[n_rows:])
            np.tanh(seen[n_rows:], out=seen[n_rows:])
            np.matmul(readout, seen, out=told)
            flat_out[:, start : start + BLOCK] = told
        factors, both = theta.n_all, theta.n_all + theta.n_messages
        pre = out[both:-1]
        if not is_top:
            pre -= pre.mean(axis=1, keepdims=True)
        messages = out[factors:both]
        return Emitted(out[:factors], pre, messages, out[-1].mean(axis=0))

    def _changed(
        self, layer: Weights, active: Array, pre: Array, own: Emitted, rates: list[float]
    ) -> Weights:
        """Parameters after the step: see `change.turned`, `change.turned_feedback`."""
        weight, bias, feedback = layer
        n_pre, n_post = weight.shape
        hebb = self._theta.n_factors
        seen = active[:, None] * weight
        wide = seen * float(np.sqrt(n_pre))
        gate = _outer(pre[hebb:], own.post[hebb:])
        self._scale(gate[None], 1e-8)
        terms = [_outer(pre[:hebb], own.post[:hebb]), wide * gate]
        if own.correlation is not None:
            terms.append(-wide @ own.correlation)
        for term in terms:
            self._scale(term[None], 1e-8)

        change = _weighted(self._theta.weight_terms, terms)
        growth = np.einsum("ij,ij->j", weight, change)
        refund = seen / np.einsum("ij,ij->j", weight, seen)
        change -= growth * np.where(growth > 0, weight, refund)
        change *= (rates[0] / float(np.sqrt(n_pre))) / np.sqrt(1.0 + _column_power(change))
        change += weight
        change /= np.sqrt(n_pre * _column_power(change) + 1e-12)

        other = _weighted(self._theta.feedback_terms, terms)
        other *= ((rates[1] / float(np.sqrt(n_post))) / np.sqrt(1.0 + _row_power(other)))[:, None]
        other += feedback
        other /= np.sqrt(n_post * _row_power(other) + 1e-12)[:, None]

        moved = 2.0 * np.tanh((bias + rates[2] * np.tanh(own.push)) / 2.0)
        return Weights(change, moved.astype(np.float32, copy=False), other)

    def _scale(self, signal: Array, epsilon: float) -> None:
        """Make the mean square 1 in place: of every channel, or of each of its columns."""
        for channel in signal:
            power = _power(channel) if self._lateral else _column_power(channel)
            channel *= (1.0 / np.sqrt(power + epsilon)).astype(np.float32)

    def _buffer(self, name: Any, shape: tuple[int, ...]) -> Array:
        """An array of one step, made once."""
        array = self._buffers.get((name, shape))
        if array is None:
            array = self._buffers[name, shape] = np.empty(shape, np.float32)
        return array


def _power(x: Array) -> float:
    flat = x.ravel()
    return float(flat @ flat) / flat.size


def _column_power(x: Array) -> Array:
    return np.einsum("ij,ij->j", x, x) / len(x)


def _row_power(x: Array) -> Array:
    return np.einsum("ij,ij->i", x, x) / x.shape[1]


def _activity(x: Array) -> Array:
    return np.sqrt(_column_power(x - x.mean(axis=0)) + 1e-8)


def _outer(pre: Array, post: Array) -> Array:
    return pre.reshape(-1, pre.shape[2]).T @ post.reshape(-1, post.shape[2])


def _weighted(weights: Sequence[float], terms: Sequence[Array]) -> Array:
    total = weights[0] * terms[0]
    for weight, term in zip(weights[1:], terms[1:], strict=False):
        total += weight * term
    return total


def _softmax(x: Array) -> Array:
    """Over the last axis; the array is changed."""
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x
