"""int8 for TensorRT: integers of its kind, an engine that computes in them, and its name."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from quantization_examples import float_bundle, picture, write_pictures
from tensorrt_stand_in import GPU_NAME, TARGET, make_modules, stand_in_build
from typer.testing import CliRunner

from ood_perception.backends.engine_cache import EngineCache
from ood_perception.backends.engine_graph import engine_graph
from ood_perception.backends.engine_request import EngineRequest
from ood_perception.backends.int8_graph import refuse_unless_symmetric
from ood_perception.backends.tensorrt_builder import build_engine
from ood_perception.bundle import Bundle, load_bundle
from ood_perception.cli import app
from ood_perception.detector import Detector
from ood_perception.engine_compile import Target, compile_bundle
from ood_perception.errors import BackendError
from ood_training.quantization import quantize_bundle
from ood_training.quantization_graph import quantize_graph
from ood_training.quantization_runtime import Runtime

needs_tensorrt_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt_rtx is not installed: run `make test`, or `pip install tensorrt-rtx-cu13`",
)


@dataclass(frozen=True)
class Bundles:
    source: Bundle
    for_cpu: Bundle
    for_tensorrt: Bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    place = tmp_path_factory.mktemp("int8")
    pictures = write_pictures(place / "pictures", 4)
    source = float_bundle(place / "float")
    made = [
        quantize_bundle(place / "float", pictures, place / runtime, runtime=runtime)[0]
        for runtime in (Runtime.CPU, Runtime.TENSORRT)
    ]
    return Bundles(source, *made)


def model_of(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load_model_from_string(bundle.network_onnx)


def test_integers_stand_where_convolutions_read_and_nowhere_else(bundles: Bundles) -> None:
    model = model_of(bundles.for_tensorrt)
    refuse_unless_symmetric(model)
    nodes = model.graph.node
    makers = {name: node for node in nodes for name in node.output}
    readers = {
        node.op_type for node in nodes for name in node.input if _is_dequantized(name, makers)
    }
    assert "Conv" in readers
    assert "Relu" not in readers, "rounded before its layer is finished"
    for node in nodes:
        if node.op_type == "Conv" and len(node.input) == 3:
            assert node.input[2] not in makers, "a bias in integers: TensorRT refuses it"


def _is_dequantized(name: str, makers: dict[str, onnx.NodeProto]) -> bool:
    return name in makers and makers[name].op_type == "DequantizeLinear"


def depthwise_beside_plain(workspace: Path) -> bytes:
    """Quantised: after the first convolution a depthwise and a plain one, added, and a last."""
    rng = np.random.default_rng(0)
    shapes = {"first": (4, 3), "depthwise": (4, 1), "plain": (4, 4), "last": (2, 4)}
    convolution = partial(onnx.helper.make_node, "Conv")
    nodes = [
        onnx.helper.make_node("Cast", ["image"], ["x"], to=1),
        onnx.helper.make_node("Transpose", ["x"], ["planes"], perm=[0, 3, 1, 2]),
        convolution(["planes", "first"], ["a"], "first"),
        convolution(["a", "depthwise"], ["b"], "depthwise", group=4),
        convolution(["a", "plain"], ["c"], "plain"),
        onnx.helper.make_node("Add", ["b", "c"], ["d"]),
        convolution(["d", "last"], ["logits"], "last"),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "depthwise",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, 8, 8, 3])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, 2, 8, 8])],
        [
            onnx.numpy_helper.from_array(rng.normal(size=(*shape, 1, 1)).astype(np.float32), name)
            for name, shape in shapes.items()
        ],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    images = [rng.integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)]
    return quantize_graph(model.SerializeToString(), images, workspace, Runtime.TENSORRT)


def test_depthwise_convolutions_keep_their_weights(tmp_path: Path) -> None:
    """TensorRT for RTX spreads them to four times the channels in int8."""
    nodes = onnx.load_model_from_string(depthwise_beside_plain(tmp_path)).graph.node
    makers = {name: node for node in nodes for name in node.output}
    of_integers = {
        node.name: _is_dequantized(node.input[1], makers)
        for node in nodes
        if node.op_type == "Conv"
    }
    assert of_integers == {"first": False, "depthwise": False, "plain": True, "last": False}


@needs_tensorrt_rtx
def test_an_engine_counts_as_int8_what_is(tmp_path: Path) -> None:
    """The depthwise convolution reads what was rounded for the plain one: that is not enough."""
    import tensorrt_rtx

    adapted = engine_graph(depthwise_beside_plain(tmp_path), "small.onnx", "int8")
    version = tensorrt_rtx.__version__
    request = EngineRequest("0" * 64, "tensorrt_rtx", version, "sm_86", "", "int8")
    built = build_engine(adapted, "small.onnx", request, tensorrt_rtx, lambda *_: None)
    assert built.facts["int8_convolutions"] == [1, 4]


def test_it_is_near_the_float_network_and_says_what_it_is(bundles: Bundles) -> None:
    exact, rounded = Detector(bundles.source), Detector(bundles.for_tensorrt)
    image = picture(np.random.default_rng(9))
    one, other = exact.detect(image), rounded.detect(image)
    assert (one.labels == other.labels).mean() > 0.95
    assert 0 < np.abs(one.score - other.score).mean() < 0.03
    manifest = bundles.for_tensorrt.manifest
    assert manifest.network.precision == "int8"
    assert "int8 for TensorRT, calibrated on 4 of 4" in manifest.provenance.recipe
    assert "symmetric int8" in (bundles.for_tensorrt.folder / "README.md").read_text()


def test_a_precision_that_is_not_the_graphs_is_refused(bundles: Bundles) -> None:
    graphs = {name: getattr(bundles, name).network_onnx for name in ("source", "for_tensorrt")}
    for precision in ("fp32", "fp16"):
        with pytest.raises(BackendError, match=f"in int8 and cannot be built as {precision}"):
            engine_graph(graphs["for_tensorrt"], "network.onnx", precision)
    with pytest.raises(BackendError, match=r"network\.onnx is in floating point.*--for tensorrt"):
        engine_graph(graphs["source"], "network.onnx", "int8")
    with pytest.raises(BackendError, match=r"network\.onnx: .*TensorRT wants.*--for tensorrt"):
        engine_graph(bundles.for_cpu.network_onnx, "network.onnx", "int8")


def test_the_backend_takes_the_bundles_own_precision(bundles, monkeypatch, tmp_path) -> None:
    library, cuda = make_modules()
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    monkeypatch.setenv("OOD_ENGINE_CACHE", str(tmp_path / "engines"))
    targets, bundle = [Target(library, TARGET, GPU_NAME)], bundles.for_tensorrt
    compile_bundle(bundle, targets, "int8", EngineCache(), build=stand_in_build)
    for name in ("tensorrt", "tensorrt:int8"):
        assert f"tensorrt 10.99 int8, {GPU_NAME}" in Detector(bundle, name).device
    for name in ("tensorrt:fp32", "tensorrt:fp16"):
        with pytest.raises(BackendError, match=f"--precision {name[-4:]}"):
            Detector(bundle, name)


@needs_tensorrt_rtx
def test_the_command_builds_what_the_bundle_is(bundles: Bundles, tmp_path: Path) -> None:
    def compiled(bundle: Bundle, *more: str) -> tuple[str, list[dict]]:
        arguments = ["compile", bundle.folder, "--target", "sm_86", "--cache", tmp_path / "engines"]
        arguments += ["--json", tmp_path / "r.json", *more]
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 0, done.output
        return done.stdout, json.loads((tmp_path / "r.json").read_text())["engines"]

    told, (network, meta) = compiled(bundles.for_tensorrt)
    assert (network["precision"], meta["precision"]) == ("int8", "fp32")
    in_int8, convolutions = network["side_file"]["int8_convolutions"]
    nodes = model_of(bundles.for_tensorrt).graph.node
    makers = {name: node for node in nodes for name in node.output}
    kernels = [node.input[1] for node in nodes if node.op_type == "Conv"]
    assert convolutions == len(kernels)
    assert in_int8 == sum(_is_dequantized(name, makers) for name in kernels) > 3
    assert f"network.onnx sm_86 int8 ({in_int8} of {convolutions} convolutions)" in told
    assert network["side_file"]["layer_types"]["int8"] >= 2 * in_int8
    assert network["side_file"]["request"]["precision"] == "int8"
    again, _ = compiled(bundles.for_tensorrt, "--precision", "int8")
    assert "0 built, 2 found" in again
    _, (plain, _) = compiled(bundles.source)
    assert plain["precision"] == "fp32"
    assert plain["side_file"]["int8_convolutions"] == [0, convolutions]


def test_the_verb_makes_either_kind(bundles: Bundles, tmp_path: Path) -> None:
    folder = bundles.source.folder
    arguments = ["quantize", "-b", folder, "--images", folder.parent / "pictures", "--count", 1]
    arguments += ["--for", "tensorrt", "--out", tmp_path / "out", "--json", tmp_path / "r.json"]
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "r.json").read_text())["runtime"] == "tensorrt"
    refuse_unless_symmetric(model_of(load_bundle(tmp_path / "out")))
