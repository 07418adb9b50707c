"""A float32 ONNX graph computed in float16 where the work is, in float32 where exactness is.

TensorRT's networks are strongly typed (11.x and TensorRT for RTX know no others): the engine has
the types of the ONNX file, so that the precision has to be written into the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ood_perception.errors import BackendError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

# The work of a network; what stands before the first and after the last of these stays float32.
HEAVY_OPERATORS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# Inputs that the ONNX standard wants as float32 whatever the data's type is.
_FLOAT32_INPUTS = {"Resize": (1, 2)}
_LARGEST_HALF = float(np.finfo(np.float16).max)


def to_half(model: ModelProto) -> ModelProto:
    """A copy of a float32 model whose nodes between its first and last layer run in float16.

    The rule: a node is computed in float16 when it is, or stands between, heavy operators
    (convolutions and matrix products). Normalisation before them and everything after the last
    one (upsampling, argmax, softmax, entropy) stay float32; graph inputs and outputs keep their
    names and types.

    Raises:
        BackendError: no node can be computed in float16, or a weight is too large for it.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(_constants_as_initializers(model), strict_mode=True)
    half = _half_nodes(model.graph)
    if not any(half):
        raise BackendError("fp16 is asked for, but the graph has no convolution or matrix product")
    _Rewrite(model.graph, half).apply()
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def _constants_as_initializers(model: ModelProto) -> ModelProto:
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph, kept = copy.graph, []
    for node in graph.node:
        if node.op_type == "Constant" and [a.name for a in node.attribute] == ["value"]:
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return copy


def _half_nodes(graph: GraphProto) -> list[bool]:
    """For every node: has it heavy operators (itself counted) both before and after it?"""
    heavy = [node.op_type in HEAVY_OPERATORS for node in graph.node]
    behind: set[str] = set()
    after_heavy = []
    for node, is_heavy in zip(graph.node, heavy, strict=True):
        after_heavy.append(is_heavy or not behind.isdisjoint(node.input))
        if after_heavy[-1]:
            behind.update(node.output)
    ahead: set[str] = set()
    before_heavy = []
    for node, is_heavy in zip(reversed(graph.node), reversed(heavy), strict=True):
        before_heavy.append(is_heavy or not ahead.isdisjoint(node.output))
        if before_heavy[-1]:
            ahead.update(name for name in node.input if name)
    before_heavy.reverse()
    return [a and b for a, b in zip(after_heavy, before_heavy, strict=True)]


class _Rewrite:
    """Gives the chosen nodes float16 inputs and outputs, with a Cast wherever types meet."""

    def __init__(self, graph: GraphProto, half: list[bool]) -> None:
        import onnx

        self._graph = graph
        self._half = half
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        values = (*graph.input, *graph.output, *graph.value_info)
        self._is_float = {
            value.name: value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
            for value in values
        }
        self._is_float |= {
            tensor.name: tensor.data_type == onnx.TensorProto.FLOAT for tensor in graph.initializer
        }
        self._has_half: set[str] = set()

    def apply(self) -> None:
        nodes = list(self._graph.node)
        chosen = [node for node, half in zip(nodes, self._half, strict=True) if half]
        rest = [node for node, half in zip(nodes, self._half, strict=True) if not half]
        # a tensor is needed in float32 where a float32 node or the graph's output reads it
        wanted = {name for node in rest for name in node.input}
        wanted |= {value.name for value in self._graph.output}
        wanted |= {name for node in chosen for name in _float32_inputs(node)}
        rewritten: list[NodeProto] = []
        for node, half in zip(nodes, self._half, strict=True):
            if half:
                rewritten += [*self._casts_before(node), node, *self._halve_outputs(node, wanted)]
            else:
                rewritten.append(node)
        del self._graph.node[:]
        self._graph.node.extend(rewritten)
        self._drop_unused_weights()

    def _casts_before(self, node: NodeProto) -> Iterator[NodeProto]:
        """Points the node to float16 twins of its inputs; yields the Casts that make them."""
        import onnx

        kept = _FLOAT32_INPUTS.get(node.op_type, ())
        for place, name in enumerate(node.input):
            if place in kept or not self._is_float.get(name, False):
                continue
            node.input[place] = _twin(name)
            if name in self._has_half:
                continue
            self._has_half.add(name)
            if name in self._weights:
                self._graph.initializer.append(_half_weight(self._weights[name]))
            else:
                yield onnx.helper.make_node(
                    "Cast", [name], [_twin(name)], _twin(name), to=onnx.TensorProto.FLOAT16
                )
        _retarget_cast(node)

    def _halve_outputs(self, node: NodeProto, wanted: set[str]) -> Iterator[NodeProto]:
        import onnx

        for place, name in enumerate(node.output):
            if not self._is_float.get(name, False):
                continue
            node.output[place] = _twin(name)
            self._has_half.add(name)
            if name in wanted:
                yield onnx.helper.make_node(
                    "Cast", [_twin(name)], [name], f"{name}_float", to=onnx.TensorProto.FLOAT
                )

    def _drop_unused_weights(self) -> None:
        read = {name for node in self._graph.node for name in node.input}
        read |= {value.name for value in self._graph.output}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in read]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)


def _twin(name: str) -> str:
    return f"{name}_half"


def _float32_inputs(node: NodeProto) -> Iterator[str]:
    for place in _FLOAT32_INPUTS.get(node.op_type, ()):
        if place < len(node.input):
            yield node.input[place]


def _retarget_cast(node: NodeProto) -> None:
    """A Cast to float32 among float16 nodes becomes one to float16."""
    import onnx

    for attribute in node.attribute if node.op_type == "Cast" else ():
        if attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
            attribute.i = onnx.TensorProto.FLOAT16


def _half_weight(tensor: TensorProto) -> TensorProto:
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if largest > _LARGEST_HALF:
        raise BackendError(
            f"fp16 cannot hold the weight {tensor.name}: it reaches {largest:.3g}, fp16 ends at "
            f"{_LARGEST_HALF:.0f}; use --precision fp32"
        )
    return numpy_helper.from_array(values.astype(np.float16), _twin(tensor.name))
