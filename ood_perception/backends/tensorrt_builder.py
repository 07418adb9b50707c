"""From an ONNX graph to a TensorRT engine; what fails is told with the layer and the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ood_perception.backends import tensorrt_library
from ood_perception.backends.engine_cache import BuiltEngine
from ood_perception.backends.engine_request import AHEAD_OF_TIME_TARGETS, EngineRequest
from ood_perception.errors import BackendError

OnPhase = Callable[[str, int, int], None]
"""(phase in words, steps done, steps in all) of a build that goes on."""


def build_engine(
    graph: bytes, graph_name: str, request: EngineRequest, library: Any, on_phase: OnPhase
) -> BuiltEngine:
    """Build an engine from a graph of `engine_graph.engine_graph`.

    Where the request names a GPU it is built on and for that one, otherwise ahead of time.

    Raises:
        BackendError: TensorRT refuses the graph or the target; the line names the layer.
    """
    errors: list[str] = []
    logger = tensorrt_library.error_logger(library, errors)
    with _library_errors(graph_name, errors):
        builder = library.Builder(logger)
        network = builder.create_network(_network_flags(library))
        _parse(graph, graph_name, network, library.OnnxParser(network, logger), errors)
        config = builder.create_builder_config()
        config.clear_flag(library.BuilderFlag.TF32)
        if not request.gpu:
            _aim(config, library, request.target)
        _add_profile(builder, network, config, request, graph_name)
        monitor = _monitor(library, on_phase)
        config.progress_monitor = monitor
        engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BackendError(
            f"{graph_name} cannot be built for {request.words}: {tensorrt_library.reason(errors)}"
        )
    facts = {
        "graph": graph_name,
        "inputs": _tensors(network, "input"),
        "outputs": _tensors(network, "output"),
        "layer_types": _layer_types(network),
        "int8_convolutions": _int8_convolutions(network, library),
    }
    return BuiltEngine(bytes(engine), facts)


def _network_flags(library: Any) -> int:
    # TensorRT 11 has strongly typed networks only and may drop the flag that asks for them
    flag = getattr(library.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


@contextmanager
def _library_errors(graph_name: str, errors: list[str]) -> Iterator[None]:
    """TensorRT's Python layer raises TypeError where the C++ side returned nothing."""
    try:
        yield
    except (TypeError, RuntimeError, ValueError) as error:
        told = tensorrt_library.reason(errors) if errors else str(error)
        raise BackendError(f"{graph_name}: TensorRT failed: {told}") from error


def _parse(graph: bytes, graph_name: str, network: Any, parser: Any, errors: list[str]) -> None:
    if parser.parse(graph):
        return
    if not parser.num_errors:
        raise BackendError(f"{graph_name}: {tensorrt_library.reason(errors)}")
    error = parser.get_error(0)
    layer = f"layer {error.node_name()!r} ({error.node_operator()})"
    raise BackendError(f"{graph_name}: TensorRT refuses {layer}: {' '.join(error.desc().split())}")


def _aim(config: Any, library: Any, target: str) -> None:
    if target not in AHEAD_OF_TIME_TARGETS or not hasattr(library, "ComputeCapability"):
        raise BackendError(f"{library.__name__} cannot build for {target} ahead of time")
    config.num_compute_capabilities = 1
    capability = getattr(library.ComputeCapability, target.replace("_", "").upper(), None)
    if capability is None or not config.set_compute_capability(capability, 0):
        raise BackendError(f"{library.__name__} {library.__version__} refuses the target {target}")


def _add_profile(
    builder: Any, network: Any, config: Any, request: EngineRequest, graph_name: str
) -> None:
    """A range for the batch where the graph leaves it open."""
    profile, is_open = builder.create_optimization_profile(), False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = tuple(tensor.shape)
        if -1 not in shape:
            continue
        if shape[0] != -1 or -1 in shape[1:]:
            raise BackendError(
                f"{graph_name}: input {tensor.name} has the shape {shape}: only the first "
                "dimension, the batch, may be open"
            )
        largest = request.largest_batch_rows if len(shape) <= 2 else request.largest_batch_images
        common = min(64, largest) if len(shape) <= 2 else 1
        profile.set_shape(tensor.name, *((batch, *shape[1:]) for batch in (1, common, largest)))
        is_open = True
    if is_open:
        config.add_optimization_profile(profile)


def _monitor(library: Any, on_phase: OnPhase) -> Any:
    class Monitor(library.IProgressMonitor):
        def __init__(self) -> None:
            library.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._steps[name] = steps
            on_phase(name, 0, steps)

        def step_complete(self, name: str, step: int) -> bool:
            on_phase(name, step + 1, self._steps.get(name, step + 1))
            return True

        def phase_finish(self, name: str) -> None:
            steps = self._steps.pop(name, 1)
            on_phase(name, steps, steps)

    return Monitor()


def _tensors(network: Any, kind: str) -> dict[str, dict[str, Any]]:
    count, get = getattr(network, f"num_{kind}s"), getattr(network, f"get_{kind}")
    tensors = [get(index) for index in range(count)]
    return {
        tensor.name: {"shape": [int(n) for n in tensor.shape], "dtype": tensor.dtype.name.lower()}
        for tensor in tensors
    }


def _layer_types(network: Any) -> dict[str, int]:
    """How many layers give which type: what the precision really is, network strongly typed."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return dict(Counter(layer.get_output_type(0).name.lower() for layer in layers))


def _int8_convolutions(network: Any, library: Any) -> list[int]:
    """[convolutions that read dequantised images and weights, convolutions in all]."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    kinds = (library.LayerType.CONVOLUTION, library.LayerType.DECONVOLUTION)
    convolutions = [layer for layer in layers if layer.type in kinds]
    dequantized = {
        layer.get_output(0).name for layer in layers if layer.type == library.LayerType.DEQUANTIZE
    }
    # weights in floating point are the layer's own, and no input
    read = [[layer.get_input(place) for place in (0, 1)] for layer in convolutions]
    of_integers = [all(tensor and tensor.name in dequantized for tensor in both) for both in read]
    return [sum(of_integers), len(convolutions)]
