"""A network's graph in 8-bit integers: QuantizeLinear and DequantizeLinear around its convolutions.

What stays float32: the image's way in (colour order, normalisation) with the first convolution, the
convolution that gives the logits, and everything after it. The first has three input planes, on
which integers save no time; the last decides how finely the score can tell.

Each runtime has its own kind of integers. ONNX Runtime on a CPU wants uint8 activations, whose
rounding takes ReLU in, and as few conversions as can be. TensorRT takes symmetric int8 only, biases
in floating point, and Q/DQ where convolutions read, not where they write (NVIDIA's rules of Q/DQ
placement). Depthwise convolutions stay float for it: in int8 it spreads them to four times the
channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ood_perception.backends.int8_graph import is_quantized, refuse_unless_symmetric
from ood_perception.errors import OodError
from ood_training.quantization_runtime import Runtime

LOGITS = "logits"
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_CPU_TYPES = (
    *_CONVOLUTIONS,
    *("Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "MaxPool", "Relu", "Resize"),
)
_TENSORRT_OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": list(_CONVOLUTIONS),
}


def is_quantized_graph(graph: bytes) -> bool:
    """Does the ONNX graph hold quantised tensors?"""
    return is_quantized(onnx.load_model_from_string(graph))


def quantize_graph(
    graph: bytes,
    images: Iterable[NDArray[np.uint8]],
    workspace: Path,
    runtime: Runtime = Runtime.CPU,
    *,
    on_image: Callable[[], None] = lambda: None,
) -> bytes:
    """The graph with int8 weights, a scale a channel, and activations of 8 bits.

    Activations are uint8 for a CPU, int8 with zero points of 0 for TensorRT. Each one's range is
    from its smallest to its largest value on the images (static quantisation in Q/DQ format, as
    ONNX Runtime's `quantize_static` defines it).

    Args:
        graph: float32, with an input of uint8 images and an output ``logits``.
        images: at least one of (1, H, W, 3) uint8 BGR, of the graph's size.
        workspace: a folder for files that are needed meanwhile.
        runtime: what shall run it.
        on_image: called after each image.

    Raises OodError for a graph without a convolution to quantise; what ``images`` raises.
    """
    source, prepared, quantized = (
        workspace / f"{name}.onnx" for name in ("source", "prepared", "quantized")
    )
    source.write_bytes(graph)
    # sizes are fixed, so plain shape inference knows every tensor
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    model = onnx.load(prepared)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{number}"
    onnx.save(model, prepared)
    for_tensorrt = runtime is Runtime.TENSORRT
    names = [node.name for node in _inner_nodes(model.graph, for_tensorrt)]
    quantize_static(
        str(prepared),
        str(quantized),
        _Images(model.graph.input[0].name, images, on_image),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8 if for_tensorrt else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=names,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options=_TENSORRT_OPTIONS if for_tensorrt else {},
    )
    result = onnx.load(quantized)
    if for_tensorrt:
        refuse_unless_symmetric(result)
    _drop_unused_opsets(result)
    onnx.checker.check_model(result, full_check=True)
    return bytes(result.SerializeToString())


class _Images(CalibrationDataReader):
    """Images as ONNX Runtime's calibration asks for them."""

    def __init__(
        self, name: str, images: Iterable[NDArray[np.uint8]], on_image: Callable[[], None]
    ) -> None:
        self._feeds = self._each(name, images, on_image)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)

    @staticmethod
    def _each(
        name: str, images: Iterable[NDArray[np.uint8]], on_image: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        for image in images:
            yield {name: image}
            on_image()


def _inner_nodes(graph: onnx.GraphProto, for_tensorrt: bool) -> list[onnx.NodeProto]:
    """The nodes to quantise: after the first convolution and before the one of the logits."""
    before_logits = _ancestors(graph, LOGITS)
    after_first: set[str] = set()
    inner = []
    for node in graph.node:
        follows = any(name in after_first for name in node.input)
        if follows or node.op_type in _CONVOLUTIONS:
            after_first.update(node.output)
        kinds = _CONVOLUTIONS if for_tensorrt else _CPU_TYPES
        wanted = node.op_type in kinds and LOGITS not in node.output
        if for_tensorrt and _is_grouped(node):
            continue
        if follows and wanted and before_logits.issuperset(node.output):
            inner.append(node)
    if not any(node.op_type in _CONVOLUTIONS for node in inner):
        raise OodError("the network has no convolution to quantise between its first and its last")
    return inner


def _is_grouped(node: onnx.NodeProto) -> bool:
    return any(one.name == "group" and one.i > 1 for one in node.attribute)


def _ancestors(graph: onnx.GraphProto, output: str) -> set[str]:
    """Names of all tensors that the output is computed from, itself included."""
    wanted = {output}
    for node in reversed(graph.node):  # in the order of computation, as ONNX demands
        if wanted.intersection(node.output):
            wanted.update(node.input)
    return wanted


def _drop_unused_opsets(model: onnx.ModelProto) -> None:
    """Forget the domains that the optimiser names without need: other runtimes refuse them."""
    used = {"" if node.domain == "ai.onnx" else node.domain for node in model.graph.node}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
