"""Modules that stand in for TensorRT and CUDA where there is no GPU: ONNX Runtime does the work.

As on a GPU, nothing that is queued on a stream happens before the stream is waited for, and
memory is reached by addresses only: what forgets to wait or writes past a buffer fails here too.
"""

from __future__ import annotations

import ctypes
import enum
from types import SimpleNamespace

import numpy as np
import onnxruntime

from ood_perception.backends.engine_cache import BuiltEngine

GPU_NAME, TARGET, LARGEST_BATCH = "Stand-in GPU", "sm_86", 4
_KINDS = {"tensor(uint8)": "UINT8", "tensor(float)": "FLOAT", "tensor(int64)": "INT64"}
_DTYPES = {"UINT8": np.uint8, "FLOAT": np.float32, "INT64": np.int64}


class Mode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


class Logger:
    ERROR = 1


class Cuda:
    """The functions of cuda.bindings.runtime that are used, over the host's memory."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815

    def __init__(self, gpus: int = 1) -> None:
        self.gpus = gpus
        self.memory: dict[int, ctypes.Array] = {}
        self.queue: list = []

    def cudaGetDeviceCount(self):  # noqa: N802
        return 0, self.gpus

    def cudaGetDeviceProperties(self, _device):  # noqa: N802
        return 0, SimpleNamespace(name=GPU_NAME.encode() + b"\0\0", major=8, minor=6)

    def cudaStreamCreate(self):  # noqa: N802
        return 0, 7

    def cudaStreamDestroy(self, _stream):  # noqa: N802
        return (0,)

    def cudaMalloc(self, size):  # noqa: N802
        block = (ctypes.c_char * size)()
        self.memory[ctypes.addressof(block)] = block
        return 0, ctypes.addressof(block)

    def cudaFree(self, address):  # noqa: N802
        del self.memory[address]
        return (0,)

    def cudaMemcpyAsync(self, to, source, size, kind, _stream):  # noqa: N802
        on_device = to if kind == 1 else source
        assert size <= len(self.memory[on_device])
        self.queue.append(lambda: ctypes.memmove(to, source, size))
        return (0,)

    def cudaStreamSynchronize(self, _stream):  # noqa: N802
        for work in self.queue:
            work()
        self.queue.clear()
        return (0,)


class Engine:
    """An 'engine' whose bytes are the ONNX graph."""

    def __init__(self, data: bytes, cuda: Cuda) -> None:
        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        self.cuda = cuda
        self.nodes = {n.name: n for n in (*self.session.get_inputs(), *self.session.get_outputs())}
        self.input_names = [node.name for node in self.session.get_inputs()]
        self.num_io_tensors = len(self.nodes)

    def get_tensor_name(self, index):
        return list(self.nodes)[index]

    def get_tensor_mode(self, name):
        return Mode.INPUT if name in self.input_names else Mode.OUTPUT

    def get_tensor_shape(self, name):
        return tuple(n if isinstance(n, int) else -1 for n in self.nodes[name].shape)

    def get_tensor_dtype(self, name):
        return SimpleNamespace(name=_KINDS[self.nodes[name].type])

    def get_tensor_profile_shape(self, name, _profile):
        rest = self.get_tensor_shape(name)[1:]
        return (1, *rest), (1, *rest), (LARGEST_BATCH, *rest)

    def create_execution_context(self):
        return Context(self)


class Context:
    """Shapes and addresses of one run."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.batch = engine, 1
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name, shape):
        wanted = self.engine.get_tensor_shape(name)
        if wanted[0] == -1:
            self.batch = shape[0]
        fits = all(want in (-1, got) for want, got in zip(wanted, shape, strict=True))
        return fits and (wanted[0] != -1 or 1 <= self.batch <= LARGEST_BATCH)

    def get_tensor_shape(self, name):
        return tuple(self.batch if n == -1 else n for n in self.engine.get_tensor_shape(name))

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def view(self, name):
        dtype = _DTYPES[self.engine.get_tensor_dtype(name).name]
        shape = self.get_tensor_shape(name)
        block = self.engine.cuda.memory[self.addresses[name]]
        return np.frombuffer(block, dtype, int(np.prod(shape))).reshape(shape)

    def execute_async_v3(self, _stream):
        names = [name for name in self.engine.nodes if name not in self.engine.input_names]
        inputs = {name: self.view(name) for name in self.engine.input_names}
        outputs = {name: self.view(name) for name in names}

        def work():
            for name, value in zip(names, self.engine.session.run(names, inputs), strict=True):
                outputs[name][...] = value

        self.engine.cuda.queue.append(work)
        return True


def make_modules(name: str = "tensorrt") -> tuple[SimpleNamespace, Cuda]:
    """(stand-in for the module `name`, stand-in for cuda.bindings.runtime)."""
    cuda = Cuda()

    class Runtime:
        def __init__(self, _logger) -> None:
            pass

        def deserialize_cuda_engine(self, data):
            return Engine(data, cuda)

    library = SimpleNamespace(
        __name__=name, __version__="10.99", ILogger=Logger, TensorIOMode=Mode, Runtime=Runtime
    )
    return library, cuda


def stand_in_build(graph, graph_name, request, library, on_phase) -> BuiltEngine:
    """A build that takes no time: the engine is the adapted graph."""
    on_phase("building", 1, 1)
    return BuiltEngine(graph, {"graph": graph_name})
