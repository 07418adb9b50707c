"""Every backend keeps one contract; a fallback is asked for and told; loading builds nothing."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import onnx
import pytest
from color_bundle import color_image, write_color_bundle
from onnx import TensorProto, helper, numpy_helper
from tensorrt_stand_in import GPU_NAME, LARGEST_BATCH, TARGET, make_modules, stand_in_build

from ood_perception.backends import create_backend
from ood_perception.backends.engine_cache import EngineCache
from ood_perception.backends.engine_request import EngineRequest, onnx_sha256
from ood_perception.detector import Detector
from ood_perception.engine_compile import Target, compile_bundle
from ood_perception.errors import BackendError, first_line


def batched_graph() -> bytes:
    """image (n,2,3) uint8 -> twice (n,2,3) float32, its sum a row (n,) float32."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "two"], ["twice"]),
        helper.make_node("ReduceSum", ["twice", "axes"], ["sum"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "batched",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 2, 3])],
        [
            helper.make_tensor_value_info("twice", TensorProto.FLOAT, ["n", 2, 3]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n"]),
        ],
        [
            numpy_helper.from_array(np.array(2, np.float32), "two"),
            numpy_helper.from_array(np.array([1, 2]), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """TensorRT and CUDA by stand-ins, with an empty engine cache."""
    library, cuda = make_modules()
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    monkeypatch.setenv("OOD_ENGINE_CACHE", str(tmp_path / "engines"))
    return library, cuda


@pytest.fixture(params=["onnxruntime", "pytorch", "tensorrt stand-in", "tensorrt"])
def backend(request, tmp_path):
    """A backend that holds the batched graph."""
    graph = batched_graph()
    if request.param == "pytorch":
        pytest.importorskip("onnx2pytorch", reason="the training extra is not installed")
        importlib.import_module("ood_training")  # makes the name known
    if request.param in ("onnxruntime", "pytorch"):
        return create_backend(request.param, graph, "batched.onnx")
    if request.param == "tensorrt":
        return real_tensorrt(graph, request.getfixturevalue("monkeypatch"), tmp_path)
    library, _ = request.getfixturevalue("stand_in")
    put_into_cache(graph, library)
    return create_backend("tensorrt", graph, "batched.onnx")


def put_into_cache(graph: bytes, library, engine: bytes | None = None) -> None:
    key = EngineRequest(onnx_sha256(graph), "tensorrt", "10.99", TARGET, GPU_NAME, "fp32")
    made = stand_in_build(engine or graph, "batched", key, library, lambda *_: None)
    EngineCache().get_or_build(key, lambda: made, print)


def real_tensorrt(graph: bytes, monkeypatch, tmp_path):
    from ood_perception.backends.engine_graph import engine_graph
    from ood_perception.backends.tensorrt_builder import build_engine
    from ood_perception.engine_compile import this_gpu

    try:
        target = this_gpu()
    except BackendError as error:
        pytest.skip(f"TensorRT runs on a GPU only: {error}")
    monkeypatch.setenv("OOD_ENGINE_CACHE", str(tmp_path / "engines"))
    version = target.library.__version__
    key = EngineRequest(
        onnx_sha256(graph),
        target.library.__name__,
        version,
        target.capability,
        target.gpu,
        "fp32",
    )
    adapted = engine_graph(graph, "batched.onnx", "fp32")
    EngineCache().get_or_build(
        key,
        lambda: build_engine(adapted, "batched.onnx", key, target.library, lambda *_: None),
        print,
    )
    return create_backend("tensorrt", graph, "batched.onnx")


def test_names_shapes_and_types_come_from_the_graph(backend):
    assert [(s.name, s.shape, s.dtype) for s in backend.inputs] == [("image", (-1, 2, 3), np.uint8)]
    outputs = {(spec.name, spec.shape, spec.dtype) for spec in backend.outputs}
    assert outputs == {("twice", (-1, 2, 3), np.dtype("f4")), ("sum", (-1,), np.dtype("f4"))}


@pytest.mark.parametrize("batch", [1, 3, 2 * LARGEST_BATCH + 1])
def test_any_batch_runs_and_every_result_is_its_own(backend, batch):
    images = np.random.default_rng(batch).integers(0, 256, (batch, 3, 2), np.uint8)
    images = images.transpose(0, 2, 1)  # not contiguous
    first = backend.run({"image": images})
    kept = first["twice"].copy()
    backend.run({"image": np.zeros((1, 2, 3), np.uint8)})
    assert np.array_equal(first["twice"], kept), "a later run wrote into an earlier result"
    assert np.array_equal(first["twice"], images * np.float32(2))
    assert np.allclose(first["sum"], images.sum(axis=(1, 2)) * 2.0)


@pytest.mark.parametrize(
    "tensors",
    [
        {"picture": np.zeros((1, 2, 3), np.uint8)},
        {"image": np.zeros((1, 2, 4), np.uint8)},
        {"image": np.zeros((2, 3), np.uint8)},
        {"image": np.zeros((1, 2, 3), np.float32)},
    ],
)
def test_tensors_that_do_not_fit_are_refused_in_one_line(backend, tensors):
    with pytest.raises(BackendError) as caught:
        backend.run(tensors)
    assert len(str(caught.value).splitlines()) == 1


def test_memory_on_the_gpu_is_freed_with_the_backend(stand_in):
    library, cuda = stand_in
    put_into_cache(batched_graph(), library)
    backend = create_backend("tensorrt", batched_graph(), "batched.onnx")
    assert len(cuda.memory) == 3
    del backend
    assert not cuda.memory


def test_a_detector_on_tensorrt_finds_what_onnxruntime_finds(stand_in, tmp_path):
    library, _ = stand_in
    bundle = write_color_bundle(tmp_path / "color")
    with pytest.raises(BackendError, match=f"`ood compile {bundle.folder}`"):
        Detector(bundle, "tensorrt")
    target = Target(library, TARGET, GPU_NAME)
    compile_bundle(bundle, [target], "fp32", EngineCache(), build=stand_in_build)
    detector = Detector(bundle, "tensorrt")
    assert f"tensorrt 10.99 fp32, {GPU_NAME} {TARGET}" in detector.device
    found, expected = (d.detect(color_image()) for d in (detector, Detector(bundle)))
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.score, expected.score)
    assert [c.kept for c in found.components] == [c.kept for c in expected.components]
    assert len(found.components) == 2
    with pytest.raises(BackendError, match="--precision fp16"):
        Detector(bundle, "tensorrt:fp16")  # never another precision than the one asked for


def test_a_changed_engine_is_not_loaded(stand_in):
    library, _ = stand_in
    graph = batched_graph()
    put_into_cache(graph, library)
    (engine,) = EngineCache().folder.glob("*.engine")
    engine.write_bytes(engine.read_bytes()[:-1])
    with pytest.raises(BackendError, match="was changed or cut"):
        create_backend("tensorrt", graph, "batched.onnx")


def test_a_fallback_is_explicit_and_told(stand_in):
    graph = batched_graph()
    with pytest.raises(BackendError, match="ood compile"):
        create_backend("tensorrt", graph, "batched.onnx")
    backend = create_backend("tensorrt:fp16, onnxruntime", graph, "batched.onnx")
    assert "onnxruntime" in backend.device
    assert "FALLBACK" in backend.device
    assert "ood compile" in backend.device
    put_into_cache(graph, stand_in[0])
    assert "FALLBACK" not in create_backend("tensorrt,onnxruntime", graph, "b.onnx").device


@pytest.mark.parametrize("names", ["abacus", "tensorrt,abacus", "onnxruntime:fp16", ""])
def test_unknown_backends_are_named(names):
    with pytest.raises(BackendError, match="choose one of onnxruntime, pytorch, tensorrt"):
        create_backend(names, batched_graph(), "batched.onnx")


def test_what_is_missing_is_said_in_one_line(stand_in, monkeypatch):
    _, cuda = stand_in
    cuda.gpus = 0
    with pytest.raises(BackendError, match="no GPU"):
        create_backend("tensorrt", batched_graph(), "batched.onnx")
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", None)
    with pytest.raises(BackendError, match="pip install 'cuda-bindings"):
        create_backend("tensorrt", batched_graph(), "batched.onnx")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match="pip install tensorrt-rtx-cu13"):
        create_backend("tensorrt", batched_graph(), "batched.onnx")


def test_onnxruntime_keeps_an_epsilon_that_float32_does_not_know():
    """Its optimiser takes 1e-300 for zero and removes the sum: the result would be 0/0."""
    nodes = [
        helper.make_node("Add", ["x", "epsilon"], ["sum"]),
        helper.make_node("Div", ["x", "sum"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "division",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n"])],
        [numpy_helper.from_array(np.array(1e-300), "epsilon")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    backend = create_backend("onnxruntime", model.SerializeToString(), "division.onnx")
    assert backend.run({"x": np.array([0.0, 2.0])})["y"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\n  no such node\nat 0x7f"), "no such node"),
        (ValueError("one"), "one"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_an_error_of_a_library_becomes_one_line(error, line):
    assert first_line(error) == line
