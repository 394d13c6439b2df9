"""The graph of an ONNX model under construction, and what prepares its inputs."""

from typing import Any

import numpy as np

from metaplastic.models import AbstractPreparation
from metaplastic.models.preparation import ColumnCurves, CountWeights, Directions


class Graph:
    """Nodes and constants as they are added; a value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        """Add a float32 constant of the shape of `value`; returns its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def integers(self, name: str, value: Any) -> str:
        """Add a constant of int64 numbers; returns its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value, np.int64), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Apply an operator to named values; returns the name of the result."""
        from onnx import helper

        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def number(self, operator: str, value: str, number: float) -> str:
        """Apply an operator to a named value and a number."""
        return self.node(operator, value, self.constant(f"number_{len(self.nodes)}", [number]))


def add_preparation(graph: Graph, preparation: AbstractPreparation) -> str:
    """Nodes from the input `x` to prepared rows; returns their name."""
    if isinstance(preparation, CountWeights):
        return _counts(graph, preparation)
    if isinstance(preparation, Directions):
        signal = graph.node("MatMul", "x", graph.constant("direction_axes", preparation.axes))
        centre = graph.constant("direction_centre", preparation.centre)
        return _unit(graph, graph.node("Sub", signal, centre))[0]
    assert isinstance(preparation, ColumnCurves)
    return _curves(graph, preparation)


def _counts(graph: Graph, own: CountWeights) -> str:
    signal = graph.node("Log", graph.number("Add", "x", 1.0))
    signal = graph.node("Mul", signal, graph.constant("count_weights", own.weights))
    signal, length = _unit(graph, signal)
    signal = graph.node("MatMul", signal, graph.constant("count_axes", own.axes))
    signal = graph.node("Sub", signal, graph.constant("count_centre", own.centre))
    # A row without known words has no length, and stays a row of zeros.
    return _unit(graph, graph.node("Mul", signal, graph.node("Sign", length)))[0]


def _unit(graph: Graph, signal: str) -> tuple[str, str]:
    length = graph.node("ReduceL2", signal, axes=[1], keepdims=1)
    return graph.node("Div", signal, graph.number("Max", length, 1e-30)), length


def _curves(graph: Graph, own: ColumnCurves) -> str:
    """A sum over the stretches between knots, of which each rises from 0 to its height."""
    width = np.diff(own.knots, axis=1)
    steep = np.divide(1, width, out=np.zeros_like(width), where=width > 0)
    apart = graph.node("Gather", "x", graph.integers("mapped", own.numbers), axis=1)
    signal = graph.node("Unsqueeze", apart, axes=[2])
    signal = graph.node("Sub", signal, graph.constant("knots", own.knots[:, :-1]))
    signal = graph.node("Mul", signal, graph.constant("steep", steep))
    signal = graph.node("Clip", signal, min=0.0, max=1.0)
    rise = np.diff(own.heights, axis=1)
    signal = graph.node("Mul", signal, graph.constant("rise", rise))
    signal = graph.node("ReduceSum", signal, axes=[2], keepdims=0)
    signal = graph.node("Add", signal, graph.constant("lowest", own.heights[:, 0]))
    # The mapped columns stand after all others, whose order `place` restores.
    place = np.arange(own.n_features_in)
    place[own.numbers] = own.n_features_in + np.arange(len(own.numbers))
    both = graph.node("Concat", "x", signal, axis=1)
    return graph.node("Gather", both, graph.integers("place", place), axis=1)
