"""PyTorch as a backend, for comparison: the same ONNX graphs, computed by other code.

The library onnx2pytorch (Apache-2.0) turns the graph into a torch module, operator by operator.
Where it only warns that a result might differ, the graph is refused here.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx2pytorch import ConvertModel

from ood_perception.backends.backend import TensorSpec
from ood_perception.backends.tensor_check import check_tensors
from ood_perception.errors import BackendError, first_line

# What torch.nn.functional.interpolate computes as ONNX defines it; onnx2pytorch warns of each.
_EXACT_RESIZES = {("linear", "half_pixel"), ("linear", "align_corners")}
# It indexes by lists, as PyTorch no longer likes; that the results are right is tested.
warnings.filterwarnings("ignore", "Using a non-tuple sequence", module="onnx2pytorch")
_WITH_WEIGHTS = ("Conv", "ConvTranspose")


class PyTorchBackend:
    """A graph as a torch module on the CPU; safe to call from one thread at a time."""

    def __init__(self, graph: bytes, graph_name: str) -> None:
        """Load the graph. ``graph_name`` is what error messages call it.

        Raises:
            BackendError: it is no ONNX graph, or holds an operator that PyTorch does not compute
                as ONNX defines it; the line names the operator.
        """
        self._name = graph_name
        try:
            model = onnx.load_model_from_string(graph)
            onnx.checker.check_model(model)
        except (DecodeError, onnx.checker.ValidationError) as error:
            raise BackendError(f"PyTorch cannot load {graph_name}: {first_line(error)}") from error
        _refuse_inexact_resizes(model, graph_name)
        _refuse_computed_weights(model, graph_name)
        self.device = f"pytorch {torch.__version__} CPU"
        self.inputs = tuple(_spec(value) for value in model.graph.input)
        self.outputs = tuple(_spec(value) for value in model.graph.output)
        try:
            with warnings.catch_warnings():
                # it guesses operators and domains that it does not know, and warns of that
                warnings.filterwarnings("error", module="onnx2pytorch")
                warnings.filterwarnings("ignore", "Pytorch's interpolate uses no")
                self._module = ConvertModel(model).eval()
        except (NotImplementedError, RuntimeError, ValueError, Warning) as error:
            raise BackendError(
                f"onnx2pytorch cannot convert {graph_name}: {first_line(error)}"
            ) from error

    def run(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once: every input by name to every output by name.

        Raises:
            BackendError: these are not the graph's tensors, or PyTorch failed on them.
        """
        check_tensors(self._name, self.inputs, tensors)
        # copies, so that no output can be a view of what the caller goes on to write into
        given = [torch.from_numpy(np.array(tensors[spec.name])) for spec in self.inputs]
        try:
            with torch.inference_mode():
                results = self._module(*given)
        except (RuntimeError, ValueError, IndexError) as error:
            raise BackendError(f"{self._name} failed: {first_line(error)}") from error
        if len(self.outputs) == 1:
            results = [results]
        pairs = zip(self.outputs, results, strict=True)
        return {spec.name: result.contiguous().numpy() for spec, result in pairs}


def _refuse_inexact_resizes(model: onnx.ModelProto, graph_name: str) -> None:
    for node in model.graph.node:
        if node.op_type != "Resize":
            continue
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        mode = given.get("mode", b"nearest").decode()
        places = given.get("coordinate_transformation_mode", b"half_pixel").decode()
        others = given.get("antialias", 0) or given.get("exclude_outside", 0) or given.get("axes")
        if (mode, places) not in _EXACT_RESIZES or others:
            raise BackendError(
                f"PyTorch does not compute the Resize {node.name!r} of {graph_name} ({mode}, "
                f"{places}) as ONNX defines it: use the backend onnxruntime"
            )


def _refuse_computed_weights(model: onnx.ModelProto, graph_name: str) -> None:
    """onnx2pytorch makes torch layers, which own their weights: it cannot take int8 ones."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        maker = makers.get(node.input[1]) if node.op_type in _WITH_WEIGHTS else None
        if maker is not None and maker.op_type != "Constant":
            raise BackendError(
                f"PyTorch cannot run {graph_name}: the weights of {node.op_type} {node.name!r} "
                f"come from {maker.op_type}; of an int8 bundle take the float32 one"
            )


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
    return TensorSpec(
        value.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    )
