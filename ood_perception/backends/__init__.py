"""Runs a named ONNX graph; each backend stands in a file of its own behind one protocol."""

from __future__ import annotations

from collections.abc import Callable

from ood_perception.backends.backend import Backend
from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.errors import BackendError

BACKENDS: dict[str, Callable[[bytes, str], Backend]] = {"onnxruntime": OnnxRuntimeBackend}


def create_backend(name: str, graph: bytes, graph_name: str) -> Backend:
    """Load an ONNX graph with the backend of that name.

    Raises:
        BackendError: the name is unknown, or the graph cannot be loaded.
    """
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(sorted(BACKENDS))}")
    return BACKENDS[name](graph, graph_name)


__all__ = ["BACKENDS", "Backend", "create_backend"]
