"""Small ONNX graphs in float64, node after node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR_VERSION = 17, 8
_DOUBLE = TensorProto.DOUBLE


class GraphBuilder:
    """A graph with the input ``metrics``, (n, M) float64, that grows by calls."""

    def __init__(self, name: str, metric_count: int) -> None:
        self._name = name
        self._input = helper.make_tensor_value_info("metrics", _DOUBLE, ["n", metric_count])
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any] | float) -> str:
        """Name of a tensor of the graph; a float becomes a float64 scalar."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        output = name or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def finish(self, outputs: dict[str, list[str | int]]) -> bytes:
        """The checked graph as bytes. outputs: name -> shape, all float64."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [self._input],
            [helper.make_tensor_value_info(name, _DOUBLE, s) for name, s in outputs.items()],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def finish_classifier(graph: GraphBuilder, metric_count: int) -> bytes:
    """The graph with the two outputs that the vehicle reads (``MetaModel.to_onnx``)."""
    return graph.finish({"false_positive_probability": ["n"], "contributions": ["n", metric_count]})
