"""TensorRT and TensorRT for RTX: runs an engine from the cache; never builds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import tensorrt_library
from ood_perception.backends.backend import TensorSpec
from ood_perception.backends.cuda_device import DeviceBuffer, Gpu, Stream, cuda_runtime, find_gpu
from ood_perception.backends.engine_cache import NOT_THERE, EngineCache
from ood_perception.backends.engine_request import EngineRequest, onnx_sha256
from ood_perception.backends.tensor_check import check_tensors
from ood_perception.errors import BackendError

_DTYPES = {
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "HALF": np.float16,
    "FLOAT": np.float32,
}
# A graph in floating point is built as fp32 or fp16, one in integers as int8 alone.
_OWN_PRECISIONS = ("fp32", "int8")


class TensorRTBackend:
    """An engine with its buffers on the GPU; safe to call from one thread at a time.

    Names, shapes and types come from the engine. Where its batch is open, a batch larger than
    the engine's largest is run in pieces.
    """

    def __init__(
        self, engine: bytes, graph_name: str, words: str, library: Any, runtime: Any
    ) -> None:
        """Load an engine that the cache has verified. words: what it is, for a person.

        Raises:
            BackendError: TensorRT or CUDA refuses it.
        """
        self._name, self.device, self._runtime = graph_name, words, runtime
        self._errors: list[str] = []
        self._logger = tensorrt_library.error_logger(library, self._errors)
        self._loader = library.Runtime(self._logger)
        self._engine = self._loader.deserialize_cuda_engine(engine)
        self._context = self._engine and self._engine.create_execution_context()
        if not self._context:
            raise BackendError(
                f"{words} refuses the engine of {graph_name}: "
                f"{tensorrt_library.reason(self._errors)}"
            )
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        is_input = {
            name: self._engine.get_tensor_mode(name) == library.TensorIOMode.INPUT for name in names
        }
        self.inputs = tuple(self._spec(name) for name in names if is_input[name])
        self.outputs = tuple(self._spec(name) for name in names if not is_input[name])
        self._largest_batch = self._read_largest_batch()
        self._stream = Stream(runtime)
        self._buffers = self._allocate()

    def run(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the engine once: every input by name to every output by name.

        Raises:
            BackendError: these are not the engine's tensors, or the GPU failed on them.
        """
        batch = check_tensors(self._name, self.inputs, tensors)
        if self._largest_batch is None or batch <= self._largest_batch:
            return self._run_piece(tensors)
        starts = range(0, batch, self._largest_batch)
        pieces = [
            self._run_piece({n: t[k : k + self._largest_batch] for n, t in tensors.items()})
            for k in starts
        ]
        return {
            spec.name: np.concatenate([piece[spec.name] for piece in pieces])
            for spec in self.outputs
        }

    def _run_piece(self, tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        # kept until the stream was waited for: the copies are asynchronous
        uploads = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        for name, tensor in uploads.items():
            if not self._context.set_input_shape(name, tensor.shape):
                self._fail(f"the shape {tensor.shape} of {name}")
            self._buffers[name].upload(tensor, self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            self._fail("this call")
        outputs = {
            spec.name: self._buffers[spec.name].download(
                tuple(self._context.get_tensor_shape(spec.name)), spec.dtype, self._stream
            )
            for spec in self.outputs
        }
        self._stream.wait()
        return outputs

    def _spec(self, name: str) -> TensorSpec:
        kind = self._engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise BackendError(f"{self._name}: tensor {name} has the type {kind}, not used here")
        shape = tuple(int(size) for size in self._engine.get_tensor_shape(name))
        return TensorSpec(name, shape, np.dtype(_DTYPES[kind]))

    def _read_largest_batch(self) -> int | None:
        """The smallest of the inputs' largest batches, None where every batch is fixed."""
        open_inputs = [spec.name for spec in self.inputs if -1 in spec.shape]
        largest = [int(self._engine.get_tensor_profile_shape(n, 0)[2][0]) for n in open_inputs]
        return min(largest, default=None)

    def _allocate(self) -> dict[str, DeviceBuffer]:
        """Buffers for the largest batch, made once; every tensor gets its address here."""
        for spec in self.inputs:
            largest = tuple(self._largest_batch if n == -1 else n for n in spec.shape)
            if not self._context.set_input_shape(spec.name, largest):
                self._fail(f"the shape {largest} of {spec.name}")
        buffers = {}
        for spec in (*self.inputs, *self.outputs):
            shape = tuple(self._context.get_tensor_shape(spec.name))
            buffers[spec.name] = DeviceBuffer(
                self._runtime, int(np.prod(shape, dtype=np.int64)) * spec.dtype.itemsize
            )
            if not self._context.set_tensor_address(spec.name, buffers[spec.name].address):
                self._fail(f"an address for {spec.name}")
        return buffers

    def _fail(self, what: str) -> None:
        told = tensorrt_library.reason(self._errors)
        self._errors.clear()
        raise BackendError(f"{self._name}: {self.device} refuses {what}: {told}")


def load_tensorrt(
    graph: bytes, graph_name: str, precision: str | None = None, flavour: str | None = None
) -> TensorRTBackend:
    """The cached engine of an ONNX graph for this machine's GPU, built here or ahead of time.

    precision: None is the graph's own, fp32 or int8; never another than the one asked for.
    flavour: ``tensorrt`` or ``tensorrt_rtx``; None takes the first installed one with an engine.

    Raises:
        BackendError: TensorRT, cuda-python or the GPU is missing, or no engine is in the cache:
            the line says which command builds it.
    """
    libraries = (
        [tensorrt_library.load_flavour(flavour)]
        if flavour
        else tensorrt_library.installed_flavours()
    )
    runtime = cuda_runtime()
    try:
        gpu, cache = find_gpu(runtime), EngineCache()
    except BackendError as error:
        raise BackendError(
            f"{error}: choose the backend onnxruntime, or fall back to it: tensorrt,onnxruntime"
        ) from error
    reasons = []
    for library in libraries:
        for request in engine_requests(graph, precision, library, gpu):
            found = cache.look_up(request)
            if found.engine is not None:
                built = f"{request.flavour} {request.version} {request.precision}"
                words = f"{built}, {gpu.name} {gpu.target}"
                return TensorRTBackend(found.engine, graph_name, words, library, runtime)
            if found.reason != NOT_THERE:
                reasons.append(f"{request.words}: {found.reason}")
    # a bundle's graph is named by its path
    folder = str(Path(graph_name).parent) if Path(graph_name).parent.name else "BUNDLE"
    wanted = f"{' or '.join(module.__name__ for module in libraries)}, {gpu.target}"
    told = "; ".join(reasons) or f"{NOT_THERE} for {wanted}, {precision or 'its own precision'}"
    command = f"ood compile {folder}" + (f" --precision {precision}" if precision else "")
    raise BackendError(
        f"no engine of {graph_name} can be used from {cache.folder} ({told}): "
        f"build it with `{command}`"
    )


def engine_requests(
    graph: bytes, precision: str | None, library: Any, gpu: Gpu
) -> list[EngineRequest]:
    """The engines that would do: built on this very GPU, or ahead of time for its kind.

    precision: None for fp32 or int8, of which a graph can be built as one only.
    """
    flavour, version = library.__name__, tensorrt_library.version(library)
    digest = onnx_sha256(graph)
    return [
        EngineRequest(digest, flavour, version, gpu.target, name, one)
        for one in ([precision] if precision else _OWN_PRECISIONS)
        for name in (gpu.name, "")
    ]
