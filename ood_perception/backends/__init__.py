"""Runs a named ONNX graph; each backend stands in a file of its own behind one protocol."""

from __future__ import annotations

from collections.abc import Callable

from ood_perception.backends.backend import Backend
from ood_perception.backends.engine_graph import PRECISIONS
from ood_perception.backends.fallback import FallbackBackend
from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.backends.tensorrt import load_tensorrt
from ood_perception.errors import BackendError

Load = Callable[[bytes, str], Backend]


def _tensorrt(precision: str | None, flavour: str | None) -> Load:
    return lambda graph, graph_name: load_tensorrt(graph, graph_name, precision, flavour)


def _not_registered(graph: bytes, graph_name: str) -> Backend:
    raise BackendError(
        "the backend pytorch belongs to the training side, for the command `ood`: "
        "pip install 'ood-detection[training]'"
    )


BACKENDS: dict[str, Load] = {
    "onnxruntime": OnnxRuntimeBackend,
    "pytorch": _not_registered,
    "tensorrt": _tensorrt(None, None),
    "tensorrt_rtx": _tensorrt(None, "tensorrt_rtx"),
    **{f"tensorrt:{precision}": _tensorrt(precision, None) for precision in PRECISIONS},
    **{
        f"tensorrt_rtx:{precision}": _tensorrt(precision, "tensorrt_rtx")
        for precision in PRECISIONS
    },
}


def register_backend(name: str, load: Load) -> None:
    """Make a backend known that lives outside the core, or replace the one of that name."""
    BACKENDS[name] = load


def create_backend(
    names: str, graph: bytes, graph_name: str, *, full_precision: bool = False
) -> Backend:
    """Load an ONNX graph with the backend of that name.

    names: such as ``onnxruntime`` or ``tensorrt:fp16``; after a comma, backends to fall back to
    when those before it cannot load the graph, such as ``tensorrt:fp16,onnxruntime``. A fallback
    that was used is told in the backend's `device`.
    graph_name: what messages call the graph; best its path, which says where its bundle lies.
    full_precision: the graph's own whatever the name says, for small graphs that gain nothing
    from less.

    Raises:
        BackendError: a name is unknown, or none of them can load the graph.
    """
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in BACKENDS:
            known = ", ".join(sorted(BACKENDS))
            raise BackendError(f"unknown backend {name!r}: choose one of {known}")
    if full_precision:
        chosen = [name.partition(":")[0] for name in chosen]
    failures: list[str] = []
    for name in chosen:
        try:
            backend = BACKENDS[name](graph, graph_name)
        except BackendError as error:
            if len(chosen) == 1:
                raise
            failures.append(f"{name}: {error}")
            continue
        return FallbackBackend(backend, failures) if failures else backend
    raise BackendError(f"no backend can load {graph_name}: {'; '.join(failures)}")


__all__ = ["BACKENDS", "Backend", "create_backend", "register_backend"]
