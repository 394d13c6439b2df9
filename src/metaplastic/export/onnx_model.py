"""An encoder as an ONNX model. Building one needs the package onnx (extra `onnx`)."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metaplastic import __version__
from metaplastic.errors import InputError
from metaplastic.export.arrays import layer_activations
from metaplastic.export.graph import Graph, add_preparation
from metaplastic.extras import require
from metaplastic.files import write_atomically
from metaplastic.models import SEVERAL, FrozenMLP

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 9
"""Version of the operators (ONNX 1.4, January 2019): the oldest that has them all."""


def require_onnx() -> None:
    """Check that ONNX models can be built.

    Raises
    ------
    MissingDataError
        If onnx is not installed; it names the extra that brings it.
    """
    require("onnx", "building an ONNX model", "onnx")


def export_onnx(path: str | Path, encoder: FrozenMLP, metadata: Mapping[str, Any]) -> None:
    """Write an encoder as an ONNX model, atomically; an existing file is replaced.

    Parameters
    ----------
    path : str or Path
        The file, usually `NAME.onnx`.
    encoder : FrozenMLP
        A trained and frozen base model.
    metadata : mapping of str to object
        Provenance, plain JSON values.

    Raises
    ------
    MissingDataError
        If onnx is not installed.
    InputError
        For metadata that JSON cannot hold, or a place that cannot be written.
    """
    write_atomically(path, onnx_model(encoder, metadata).SerializeToString())


def onnx_model(encoder: FrozenMLP, metadata: Mapping[str, Any]) -> "ModelProto":
    """The checked ONNX model of an encoder with `d` input columns and `k` features.

    Its input is `x`, float32 `(N, d)`, its output `features`, float32 `(N, k)`, for any `N`. A row
    that holds NaN or an infinity has features of NaN, also where a runtime's own clip or ReLU makes
    a number of NaN. The model's properties are `activation`, `readout` and `provenance` (`metadata`
    as JSON).

    Parameters
    ----------
    encoder : FrozenMLP
        The encoder to convert.
    metadata : mapping of str to object
        Provenance, plain JSON values.

    Returns
    -------
    ModelProto
        The model.

    Raises
    ------
    MissingDataError
        If onnx is not installed.
    InputError
        For metadata that JSON cannot hold.
    """
    require_onnx()
    from onnx import checker, helper

    try:
        provenance = json.dumps(dict(metadata), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata must be plain JSON values: {error}") from error
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        _encoder_graph(encoder),
        opset_imports=opsets,
        # The oldest version of the file format that goes with these operators.
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="metaplastic",
        producer_version=__version__,
    )
    about = {"activation": encoder.activation, "readout": encoder.readout, "provenance": provenance}
    helper.set_model_props(model, about)
    checker.check_model(model, full_check=True)
    return model


def _encoder_graph(encoder: FrozenMLP) -> Any:
    from onnx import TensorProto, helper

    graph = Graph()
    clip = float(encoder.clip * encoder.gain)
    signal = "x" if encoder.preparation is None else add_preparation(graph, encoder.preparation)
    signal = graph.node("Sub", signal, graph.constant("shift", encoder.shift))
    signal = graph.node("Mul", signal, graph.constant("scale", encoder.scale * encoder.gain))
    signal = presented = graph.node("Clip", signal, min=-clip, max=clip)
    layers = zip(encoder.weights, encoder.biases, layer_activations(encoder), strict=True)
    for index, layer in enumerate(layers):
        signal = _layer(graph, str(index), signal, *layer)
    if encoder.direct is not None:
        beside = graph.node("MatMul", presented, graph.constant("direct", encoder.direct))
        signal = graph.node("Concat", beside, signal, axis=1)
    # Zero, but NaN for rows that hold NaN, which some runtimes clip to a number.
    zeros = graph.constant("zeros", np.zeros((encoder.n_features_in, 1)))
    graph.node("Add", signal, graph.node("MatMul", "x", zeros), output="features")

    def rows(name: str, columns: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])

    inputs, outputs = [rows("x", encoder.n_features_in)], [rows("features", encoder.n_features_out)]
    return helper.make_graph(graph.nodes, "encoder", inputs, outputs, graph.constants)


def _layer(
    graph: Graph,
    name: str,
    signal: str,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    activations: str,
) -> str:
    """A layer `(pre, post)`; of several nonlinearities, each has units of its own."""
    parts = activations.split(SEVERAL)
    done = []
    for i, (part, w, b) in enumerate(
        zip(parts, np.split(weight, len(parts), axis=1), np.split(bias, len(parts)), strict=True)
    ):
        own = f"{name}_{i}" if len(parts) > 1 else name
        drive = graph.node("MatMul", signal, graph.constant(f"weight_{own}", w))
        drive = graph.node("Add", drive, graph.constant(f"bias_{own}", b))
        done.append(_ACTIVATIONS[part](graph, drive))
    return graph.node("Concat", *done, axis=1) if len(parts) > 1 else done[0]


def _gelu(graph: Graph, x: str) -> str:
    # 0.5 (1 + tanh(u)) is sigmoid(2 u), which also those runtimes saturate whose tanh overflows.
    cube = graph.node("Mul", graph.node("Mul", x, x), x)
    inner = graph.node("Add", x, graph.number("Mul", cube, 0.044715))
    share = graph.node("Sigmoid", graph.number("Mul", inner, 2 * 0.7978845608))
    return graph.node("Mul", x, share)


# As in `models.activations`, where their formulas are.
_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "relu": lambda graph, x: graph.node("Relu", x),
    "leaky_relu": lambda graph, x: graph.node("LeakyRelu", x, alpha=0.1),
    "elu": lambda graph, x: graph.node("Elu", x),
    "gelu": _gelu,
    "swish": lambda graph, x: graph.node("Mul", x, graph.node("Sigmoid", x)),
    "softplus": lambda graph, x: graph.node("Softplus", x),
    "tanh": lambda graph, x: graph.node("Tanh", x),
    "sigmoid": lambda graph, x: graph.node("Sigmoid", x),
    "sine": lambda graph, x: graph.node("Sin", x),
    "step": lambda graph, x: graph.node("Relu", graph.node("Sign", x)),
    "linear": lambda graph, x: x,
}
