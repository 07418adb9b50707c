"""A bundle's network graph, brought to another size, or cut to the bare network.

Both change the ONNX file alone, so that no checkpoint and no training side is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import onnx
from onnx import numpy_helper, shape_inference
from onnx.utils import Extractor

_PREPARATION = ("Transpose", "Cast", "Gather", "Mul", "Add", "Sub", "Div")
"""What stands between the image and the network: layout, type, colour order, normalisation."""


class BareNetwork(NamedTuple):
    """The network without preparation and after-work, and the preparation alone.

    graph: from the tensor ``input_name``, (1, 3, H, W) float32 normalised RGB, to ``logits``.
    preparation: from the whole graph's input to that tensor.
    """

    graph: bytes
    preparation: bytes
    input_name: str


def bare_network(graph: bytes) -> BareNetwork:
    """Cut the graph from the normalised tensor to `logits`.

    ONNX Runtime computes every node of a graph whichever outputs are asked for, so asking for the
    logits alone would not do. Raises ValueError where the cut is not found.
    """
    model = shape_inference.infer_shapes(onnx.load_from_string(graph))
    name, before = model.graph.input[0].name, ""
    while True:
        users = [node for node in model.graph.node if name in node.input]
        if len(users) != 1 or users[0].op_type not in _PREPARATION:
            break
        before, name = name, users[0].output[0]
    shapes = {info.name: info.type.tensor_type for info in model.graph.value_info}
    tensor = shapes.get(name)
    if not before or tensor is None or tensor.elem_type != onnx.TensorProto.FLOAT:
        raise ValueError(f"no float32 tensor between the image and the network, but {name!r}")
    shape = tuple(dim.dim_value for dim in tensor.shape.dim)
    if len(shape) != 4 or shape[1] != 3:
        raise ValueError(f"the tensor {name!r} before the network has the shape {shape}")
    extractor = Extractor(model)
    network = extractor.extract_model([name], ["logits"])
    preparation = extractor.extract_model([model.graph.input[0].name], [name])
    return BareNetwork(network.SerializeToString(), preparation.SerializeToString(), name)


def resized(graph: bytes, height: int, width: int) -> bytes:
    """The same network for images of (height, width); every output grows or shrinks with it.

    Raises ValueError where a size in the graph is no whole number after that, or where the
    outputs' shapes do not follow.
    """
    model = onnx.load_from_string(graph)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    old_height, old_width = dims[1].dim_value, dims[2].dim_value
    dims[1].dim_value, dims[2].dim_value = height, width
    for tensor in _resize_targets(model):
        sizes = numpy_helper.to_array(tensor).copy()
        sizes[-2:] = _scaled(sizes[-2:], (old_height, old_width), (height, width))
        tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))
    model.graph.ClearField("value_info")
    wanted = []
    for output in model.graph.output:
        last = output.type.tensor_type.shape.dim[-2:]
        sides = [dim.dim_value for dim in last]
        for dim, side in zip(
            last, _scaled(sides, (old_height, old_width), (height, width)), strict=True
        ):
            dim.dim_value = side
        wanted.append(output.name)
    # strict: an output whose computed shape contradicts the one just written is refused
    inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    return bytes(inferred.SerializeToString())


def _scaled(sides, old: tuple[int, int], new: tuple[int, int]) -> list[int]:
    scaled = []
    for side, before, after in zip(map(int, sides), old, new, strict=True):
        if side * after % before:
            raise ValueError(f"a side of {side} cells becomes no whole number at {new[0]}x{new[1]}")
        scaled.append(side * after // before)
    return scaled


def _resize_targets(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The constant (h, w) that go into the `sizes` of Resize nodes, through Concat."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    producers = {node.output[0]: node for node in model.graph.node if node.output}
    for name, node in producers.items():
        if node.op_type == "Constant":
            constants[name] = node.attribute[0].t
    targets: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        if node.op_type != "Resize" or len(node.input) < 4 or not node.input[3]:
            continue
        producer = producers.get(node.input[3])
        # the exporter takes N and C from the tensor and appends the two sides
        name = (
            producer.input[-1]
            if producer is not None and producer.op_type == "Concat"
            else node.input[3]
        )
        # sizes that are computed from a tensor's shape follow by themselves
        if name in constants:
            targets[name] = constants[name]
    return list(targets.values())
