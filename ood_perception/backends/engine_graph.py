"""An ONNX graph as TensorRT takes it: the same names and results, other types inside.

TensorRT converts uint8 only at the network's edge, from and to floating point, and has no float64
(its Python documentation of ``DataType``). The bundle's graph stays as it is; the copy made here
is what an engine is built from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ood_perception.backends.half_precision import to_half
from ood_perception.backends.int8_graph import is_quantized, refuse_unless_symmetric
from ood_perception.errors import BackendError, first_line

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

PRECISIONS = ("fp32", "fp16", "int8")
ADAPTATION = 1
"""Part of every engine's key: raise it when the graphs made here change."""


def engine_graph(graph: bytes, graph_name: str, precision: str) -> bytes:
    """The copy of an ONNX graph that an engine of that precision is built from.

    float64 becomes float32, inputs and outputs included; a uint8 input becomes float32 at once;
    a uint8 output is converted from float32. ``fp16``: see `half_precision.to_half`. ``int8``:
    stands in the graph already, and is only looked at (`int8_graph.refuse_unless_symmetric`).

    Raises:
        BackendError: the package onnx is missing, the graph is none, cannot be converted, or is
            of another precision.
    """
    if precision not in PRECISIONS:
        raise BackendError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise BackendError(
            f"compiling needs the package onnx ({error}): pip install onnx"
        ) from None
    try:
        model = onnx.load_model_from_string(graph)
        _check_precision(model, graph_name, precision)
        _float64_to_float32(model)
        _cast_at_the_edge(model.graph)
        del model.graph.value_info[:]
        onnx.checker.check_model(model, full_check=True)
        if precision == "fp16":
            model = to_half(model)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise BackendError(
            f"{graph_name} cannot be made ready for TensorRT: {first_line(error)}"
        ) from error
    return bytes(model.SerializeToString())


def _check_precision(model: ModelProto, graph_name: str, precision: str) -> None:
    """An engine's precision is what it is called: int8 goes with integers in the graph only."""
    if not is_quantized(model):
        if precision == "int8":
            raise BackendError(
                f"{graph_name} is in floating point: make an int8 bundle of it with "
                "`ood quantize --for tensorrt`"
            )
        return
    if precision != "int8":
        raise BackendError(
            f"{graph_name} is in int8 and cannot be built as {precision}: take the float32 bundle "
            "that it was made from, or --precision int8"
        )
    try:
        refuse_unless_symmetric(model)
    except BackendError as error:
        raise BackendError(f"{graph_name}: {error}") from error


def _float64_to_float32(model: ModelProto) -> None:
    from onnx import AttributeProto, TensorProto

    graph = model.graph
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in graph.initializer:
        _narrow(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                _narrow(attribute.t)
            if (
                node.op_type == "Cast"
                and attribute.name == "to"
                and attribute.i == TensorProto.DOUBLE
            ):
                attribute.i = TensorProto.FLOAT


def _narrow(tensor: TensorProto) -> None:
    """float64 to float32. What is too small for it becomes its smallest normal number, not 0:
    an epsilon that keeps a division from 0/0 must stay one.
    """
    from onnx import TensorProto, numpy_helper

    if tensor.data_type != TensorProto.DOUBLE:
        return
    values = numpy_helper.to_array(tensor)
    smallest = float(np.finfo(np.float32).smallest_normal)
    tiny = (values != 0) & (np.abs(values) < smallest)
    values = np.where(tiny, np.copysign(smallest, values), values).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _cast_at_the_edge(graph: GraphProto) -> None:
    from onnx import TensorProto, helper

    first, last = [], []
    for value in graph.input:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            inner = f"{value.name}_as_float"
            _rename_inputs(graph, value.name, inner)
            first.append(
                helper.make_node("Cast", [value.name], [inner], inner, to=TensorProto.FLOAT)
            )
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            wide, floating = _without_its_cast(graph, value.name), f"{value.name}_as_float"
            last.append(
                helper.make_node("Cast", [wide], [floating], floating, to=TensorProto.FLOAT)
            )
            last.append(
                helper.make_node("Cast", [floating], [value.name], value.name, to=TensorProto.UINT8)
            )
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)


def _without_its_cast(graph: GraphProto, name: str) -> str:
    """Takes away the Cast that makes the uint8 output `name`; returns what that Cast reads."""
    maker = next((node for node in graph.node if name in node.output), None)
    if maker is None or maker.op_type != "Cast":
        kind = "nothing" if maker is None else maker.op_type
        raise BackendError(
            f"output {name} is uint8 made by {kind}: TensorRT wants a Cast there; export it again"
        )
    source = str(maker.input[0])
    graph.node.remove(maker)
    _rename_inputs(graph, name, source)
    return source


def _rename_inputs(graph: GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
