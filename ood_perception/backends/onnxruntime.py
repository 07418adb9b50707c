"""ONNX Runtime: the default backend, on the CPU or on CUDA where its provider is present."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from ood_perception.backends.backend import TensorSpec
from ood_perception.errors import BackendError, first_line

_PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
# ONNX Runtime's exceptions have no common base of their own.
_RUNTIME_ERRORS = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
    ValueError,
)


class OnnxRuntimeBackend:
    """A graph in an ONNX Runtime session; safe to call from one thread at a time.

    device: the provider that ONNX Runtime put the session on.
    """

    def __init__(self, graph: bytes, graph_name: str) -> None:
        """Load the graph. ``graph_name`` is what error messages call it.

        Raises:
            BackendError: ONNX Runtime refuses the graph.
        """
        self._name = graph_name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # An idle pool that spins takes the cores from the work before and after the network.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        present = onnxruntime.get_available_providers()
        providers = [name for name in _PREFERRED_PROVIDERS if name in present]
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=providers)
        except _RUNTIME_ERRORS as error:
            raise BackendError(
                f"ONNX Runtime cannot load {graph_name}: {first_line(error)}"
            ) from error
        self.device = f"onnxruntime {onnxruntime.__version__} {self._session.get_providers()[0]}"
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())

    def run(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once: every input by name to every output by name.

        Raises:
            BackendError: ONNX Runtime could not run the graph on these tensors.
        """
        names = [spec.name for spec in self.outputs]
        try:
            return dict(zip(names, self._session.run(names, tensors), strict=True))
        except _RUNTIME_ERRORS as error:
            raise BackendError(f"{self._name} failed: {first_line(error)}") from error


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    if node.type not in _DTYPES:
        raise BackendError(f"tensor {node.name} has the type {node.type}, which is not used here")
    return TensorSpec(node.name, shape, np.dtype(_DTYPES[node.type]))
