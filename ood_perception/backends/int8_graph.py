"""Graphs in 8-bit integers as TensorRT takes them: symmetric Q/DQ, biases in floating point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ood_perception.errors import BackendError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
_REMEDY = "make the bundle with `ood quantize --for tensorrt`"


def is_quantized(model: ModelProto) -> bool:
    """Does the graph turn tensors into small integers, by QuantizeLinear or one of its kin?"""
    return any("QuantizeLinear" in node.op_type for node in model.graph.node)


def refuse_unless_symmetric(model: ModelProto) -> None:
    """TensorRT's parser takes int8 with zero points of 0 only, and no int32 biases.

    Raises:
        BackendError: the graph holds other integers; the line names the first such node.
    """
    import onnx

    constants = _constants(model.graph)
    for node in model.graph.node:
        if node.op_type not in _CONVERSIONS:
            if "QuantizeLinear" in node.op_type:
                raise BackendError(f"{_named(node)} is no operator of TensorRT: {_REMEDY}")
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero is None:
            raise BackendError(f"{_named(node)} has no constant zero point: {_REMEDY}")
        kind = onnx.TensorProto.DataType.Name(zero.data_type).lower()
        if kind != "int8":
            raise BackendError(f"{_named(node)} is {kind}, TensorRT wants int8: {_REMEDY}")
        if onnx.numpy_helper.to_array(zero).any():
            raise BackendError(f"{_named(node)} has a zero point, TensorRT wants 0: {_REMEDY}")


def _named(node: NodeProto) -> str:
    return f"{node.op_type} {node.name or node.output[0]!r}"


def _constants(graph: GraphProto) -> dict[str, TensorProto]:
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and [a.name for a in node.attribute] == ["value"]:
            found[node.output[0]] = node.attribute[0].t
    return found
