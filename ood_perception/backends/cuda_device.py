"""The GPU and its memory through NVIDIA's cuda-python: no PyTorch, nothing at import."""

from __future__ import annotations

import importlib
import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import BackendError

# cuda-python 12.x and newer, then the name that it had before.
_RUNTIME_MODULES = ("cuda.bindings.runtime", "cuda.cudart")


class Gpu(NamedTuple):
    """The first visible GPU. target: its compute capability, such as ``sm_86``."""

    name: str
    target: str


def cuda_runtime() -> Any:
    """cuda-python's module of the CUDA runtime.

    Raises:
        BackendError: it is not installed.
    """
    for name in _RUNTIME_MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise BackendError(
        "the package cuda-bindings (cuda-python) is missing: pip install 'cuda-bindings==VERSION.*'"
        " with the version of this machine's CUDA, such as 12.6 or 13.0"
    )


def find_gpu(runtime: Any) -> Gpu:
    """The GPU that engines are built for and run on.

    Raises:
        BackendError: CUDA finds none.
    """
    status, count = runtime.cudaGetDeviceCount()
    if int(status) != 0 or not count:
        raise BackendError(f"no GPU that CUDA can use here ({_words(runtime, status)})")
    properties = check(runtime, runtime.cudaGetDeviceProperties(0))
    name = properties.name
    text = name.decode() if isinstance(name, bytes) else str(name)
    return Gpu(text.rstrip("\0"), f"sm_{properties.major}{properties.minor}")


def check(runtime: Any, answer: tuple[Any, ...]) -> Any:
    """The value of a CUDA call's (status, value...) answer; BackendError when it failed."""
    if int(answer[0]) != 0:
        raise BackendError(f"CUDA failed: {_words(runtime, answer[0])}")
    return answer[1] if len(answer) > 1 else None


def _words(runtime: Any, status: Any) -> str:
    if int(status) == 0:
        return "the driver counts 0"
    text = runtime.cudaGetErrorString(status)[1]
    return text.decode() if isinstance(text, bytes) else str(text)


class Stream:
    """A queue of work on the GPU."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self.handle = check(runtime, runtime.cudaStreamCreate())
        weakref.finalize(self, runtime.cudaStreamDestroy, self.handle)

    def wait(self) -> None:
        """Until everything queued is done."""
        check(self._runtime, self._runtime.cudaStreamSynchronize(self.handle))


class DeviceBuffer:
    """Memory on the GPU, freed with this object."""

    def __init__(self, runtime: Any, size_bytes: int) -> None:
        self._runtime = runtime
        self.size_bytes = size_bytes
        self.address = int(check(runtime, runtime.cudaMalloc(max(size_bytes, 1))))
        weakref.finalize(self, runtime.cudaFree, self.address)

    def upload(self, array: NDArray[Any], stream: Stream) -> None:
        """Queue a copy of a C-contiguous array, which must live until the stream was waited for."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(self.address, array.ctypes.data, array.nbytes, kind, stream)

    def download(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], stream: Stream
    ) -> NDArray[Any]:
        """A new array of that shape; it holds its values once the stream was waited for."""
        array = np.empty(shape, dtype)
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(array.ctypes.data, self.address, array.nbytes, kind, stream)
        return array

    def _copy(self, to: int, source: int, size_bytes: int, kind: Any, stream: Stream) -> None:
        if size_bytes > self.size_bytes:
            raise BackendError(f"{size_bytes} bytes do not fit a buffer of {self.size_bytes}")
        copied = self._runtime.cudaMemcpyAsync(to, source, size_bytes, kind, stream.handle)
        check(self._runtime, copied)
