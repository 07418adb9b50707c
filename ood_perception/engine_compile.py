"""From a bundle to TensorRT engines in the cache: network and meta classifier, target by target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.backends import tensorrt_library
from ood_perception.backends.cuda_device import cuda_runtime, find_gpu
from ood_perception.backends.engine_cache import BuiltEngine, CacheEntry, EngineCache, Say
from ood_perception.backends.engine_graph import engine_graph
from ood_perception.backends.engine_request import (
    AHEAD_OF_TIME_TARGETS,
    EngineRequest,
    onnx_sha256,
)
from ood_perception.backends.tensorrt_builder import OnPhase, build_engine
from ood_perception.bundle import Bundle
from ood_perception.engine_check import made_up_image, meta_deviation, network_deviation
from ood_perception.errors import BackendError

Build = Callable[[bytes, str, EngineRequest, Any, OnPhase], BuiltEngine]
Images = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class Target:
    """What engines are built for, with which module. gpu: empty ahead of time."""

    library: Any
    capability: str
    gpu: str = ""


@dataclass(frozen=True)
class CompiledEngine:
    """One engine of a bundle as it lies in the cache. graph: the ONNX file's name."""

    graph: str
    request: EngineRequest
    entry: CacheEntry


class GraphToCompile:
    """One ONNX file of a bundle; its copy and that copy's deviation are made when asked for."""

    def __init__(self, bundle: Bundle, file: str, precision: str, images: Images) -> None:
        self.file, self.precision = file, precision
        self.name = str(bundle.folder / file)
        self._bundle, self._images = bundle, images
        self._is_network = file == bundle.manifest.network.file
        graph = bundle.network_onnx if self._is_network else bundle.meta_classifier_onnx
        assert graph is not None
        self.graph = graph

    @cached_property
    def adapted(self) -> bytes:
        """What the engine is built from."""
        return engine_graph(self.graph, self.name, self.precision)

    @cached_property
    def deviation(self) -> dict[str, Any]:
        """How far that lies from the bundle's file, computed by ONNX Runtime on the CPU."""
        size = self._bundle.manifest.network
        images = self._images or [made_up_image(size.input_height, size.input_width)]
        compare = network_deviation if self._is_network else meta_deviation
        on = "the given images" if self._images else "a made-up image"
        return {"on": on, **compare(self._bundle, self.adapted, images)}


def ahead_of_time(capabilities: Sequence[str]) -> list[Target]:
    """Targets for GPUs that need not be there.

    Raises:
        BackendError: TensorRT for RTX is missing, or does not build for one of them.
    """
    for capability in capabilities:
        if capability not in AHEAD_OF_TIME_TARGETS:
            raise BackendError(
                f"{capability} cannot be compiled for ahead of time (that goes for "
                f"{', '.join(AHEAD_OF_TIME_TARGETS)}): run `ood compile` on the device itself, "
                "without --target"
            )
    library = tensorrt_library.load_flavour("tensorrt_rtx")
    return [Target(library, capability) for capability in dict.fromkeys(capabilities)]


def this_gpu() -> Target:
    """The GPU of this machine, with the first TensorRT that is installed.

    Raises:
        BackendError: TensorRT, cuda-python or the GPU is missing.
    """
    library = tensorrt_library.installed_flavours()[0]
    try:
        gpu = find_gpu(cuda_runtime())
    except BackendError as error:
        raise BackendError(
            f"{error}: compile on the device, or ahead of time with --target, "
            f"one of {', '.join(AHEAD_OF_TIME_TARGETS)}"
        ) from error
    return Target(library, gpu.target, gpu.name)


def compile_bundle(
    bundle: Bundle,
    targets: Sequence[Target],
    precision: str,
    cache: EngineCache,
    *,
    images: Images = (),
    say: Say = print,
    on_phase: Callable[[str, str, int, int], None] = lambda graph, phase, done, steps: None,
    build: Build = build_engine,
) -> list[CompiledEngine]:
    """Build what the cache lacks; the meta classifier always in fp32.

    images: (H,W,3) uint8 BGR, on which deviations are measured; without any, a made-up one.
    on_phase: (graph and target, phase, steps done, steps in all) while an engine is built.

    Raises:
        BackendError: a graph cannot be built; engines built before it stay in the cache.
    """
    graphs = [GraphToCompile(bundle, bundle.manifest.network.file, precision, images)]
    meta = bundle.manifest.meta_classifier
    if meta is not None:
        graphs.append(GraphToCompile(bundle, meta.file, "fp32", images))
    return [
        _compile(graph, target, cache, say, on_phase, build)
        for target in targets
        for graph in graphs
    ]


def _compile(
    graph: GraphToCompile,
    target: Target,
    cache: EngineCache,
    say: Say,
    on_phase: Callable[[str, str, int, int], None],
    build: Build,
) -> CompiledEngine:
    request = EngineRequest(
        onnx_sha256(graph.graph),
        target.library.__name__,
        tensorrt_library.version(target.library),
        target.capability,
        target.gpu,
        graph.precision,
    )
    label = f"{graph.file} for {target.capability}"

    def make() -> BuiltEngine:
        say(f"{label}: building with {request.words}")
        deviation, start = graph.deviation, perf_counter()
        built = build(
            graph.adapted,
            graph.name,
            request,
            target.library,
            lambda phase, done, steps: on_phase(label, phase, done, steps),
        )
        seconds = round(perf_counter() - start, 3)
        return built._replace(
            facts={**built.facts, "build_seconds": seconds, "deviation": deviation}
        )

    entry = cache.get_or_build(request, make, lambda line: say(f"{label}: {line}"))
    return CompiledEngine(graph.file, request, entry)
