"""PyTorch computes what ONNX Runtime computes, or refuses; without it the line says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from color_bundle import color_image, write_color_bundle
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from ood_perception.backends import create_backend
from ood_perception.benchmark_pictures import generated_pictures
from ood_perception.bundle import load_bundle
from ood_perception.cli import app
from ood_perception.detector import Detector
from ood_perception.errors import BackendError
from ood_perception.image_decoding import decode_compressed

pytest.importorskip("onnx2pytorch", reason="the training extra is not installed")
ROOT = Path(__file__).resolve().parent.parent


def one_node(node: onnx.NodeProto, constants: dict[str, np.ndarray], size: int) -> bytes:
    """x (1,1,2,2) float32 -> y (1,1,size,size) float32."""
    graph = helper.make_graph(
        [node],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, size, size])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("name", ["generated", "street"])
def test_both_graphs_of_a_bundle_give_what_onnxruntime_gives(name):
    bundle = load_bundle(ROOT / "models" / name)
    backends = ("onnxruntime", "pytorch")
    (picture,) = generated_pictures(1, (1280, 720), lambda: None)
    image = decode_compressed(picture)
    exact, other = (Detector(bundle, backend) for backend in backends)
    assert "pytorch" in other.device
    one, two = exact.run_network(image), other.run_network(image)
    assert (one.labels == two.labels).mean() >= 0.999
    assert np.abs(one.score - two.score).max() <= 1e-3
    found, expected = other.detect(image), exact.detect(image)
    assert len(found.components) == len(expected.components) > 3
    meta = [create_backend(b, bundle.meta_classifier_onnx, "meta.onnx") for b in backends]
    (spec,) = meta[0].inputs
    assert meta[1].inputs == meta[0].inputs
    for rows in (1, 5):
        metrics = np.random.default_rng(rows).normal(size=(rows, spec.shape[1]))
        answers = [backend.run({spec.name: metrics}) for backend in meta]
        for key, value in answers[0].items():
            assert answers[1][key].dtype == value.dtype
            # reasons are computed in float32
            largest = max(np.abs(value).max(), 1.0)
            np.testing.assert_allclose(answers[1][key], value, rtol=0, atol=1e-6 * largest)


def test_cameras_in_one_call_are_each_their_own():
    bundle = load_bundle(ROOT / "models" / "generated")
    size = bundle.manifest.network
    shape = (3, size.input_height, size.input_width, 3)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    backend = create_backend("pytorch", bundle.network_onnx, "network.onnx")
    together = backend.run({"image": images})
    alone = backend.run({"image": images[1:2]})
    assert np.abs(together["score"][1] - alone["score"][0]).max() < 1e-4


@pytest.mark.parametrize("places", ["asymmetric", "pytorch_half_pixel"])
def test_what_pytorch_would_compute_otherwise_is_refused_by_name(places):
    resize = helper.make_node(
        "Resize", ["x", "", "scales"], ["y"], "the_odd_resize", mode="linear",
        coordinate_transformation_mode=places,
    )  # fmt: skip
    graph = one_node(resize, {"scales": np.array([1, 1, 2, 2], np.float32)}, 4)
    with pytest.raises(BackendError, match=f"the_odd_resize.*{places}") as caught:
        create_backend("pytorch", graph, "small.onnx")
    assert len(str(caught.value).splitlines()) == 1


def test_weights_in_integers_are_refused_by_the_operator_that_makes_them():
    rounded = helper.make_node("DequantizeLinear", ["weights", "scale"], ["w"])
    model = onnx.load_model_from_string(
        one_node(helper.make_node("Conv", ["x", "w"], ["y"], "the_conv"), {}, 2)
    )
    model.graph.node.insert(0, rounded)
    for name, value in (("weights", np.ones((1, 1, 1, 1), np.int8)), ("scale", np.float32(0.1))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    with pytest.raises(BackendError, match=r"'the_conv' come from DequantizeLinear.*float32"):
        create_backend("pytorch", model.SerializeToString(), "small.onnx")


def test_an_operator_of_another_domain_is_refused_and_not_guessed():
    """onnx2pytorch would take torch.frac for it."""
    graph = one_node(helper.make_node("Frac", ["x"], ["y"], domain="own"), {}, 2)
    model = onnx.load_model_from_string(graph)
    model.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(BackendError, match=r"onnx2pytorch cannot convert small.onnx.* own\."):
        create_backend("pytorch", model.SerializeToString(), "small.onnx")


def test_what_is_no_graph_is_one_line():
    with pytest.raises(BackendError, match=r"cannot load small.onnx") as caught:
        create_backend("pytorch", b"no graph", "small.onnx")
    assert len(str(caught.value).splitlines()) == 1


def test_a_result_is_no_view_of_what_was_given():
    graph = one_node(helper.make_node("Identity", ["x"], ["y"]), {}, 2)
    backend = create_backend("pytorch", graph, "small.onnx")
    given = np.ones((1, 1, 2, 2), np.float32)
    result = backend.run({"x": given})["y"]
    given[:] = 7
    assert (result == 1).all()


def test_the_verbs_reach_it_by_its_name(tmp_path):
    bundle = write_color_bundle(tmp_path / "color")
    cv2.imwrite(str(tmp_path / "a.png"), color_image(120, 200))
    for verb in (["detect"], ["benchmark", "--runs", "1", "--warmup", "0"]):
        arguments = [*verb, tmp_path / "a.png", "--bundle", bundle.folder, "--backend", "pytorch"]
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 0, done.output


def test_without_the_converter_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx2pytorch", None)
    monkeypatch.delitem(sys.modules, "ood_training.pytorch_backend", raising=False)
    with pytest.raises(BackendError, match=r"needs .*onnx2pytorch.*pip install 'ood-detection\[tr"):
        create_backend("pytorch", b"", "small.onnx")


def test_without_the_training_extra_the_command_says_what_to_install(tmp_path):
    bundle = write_color_bundle(tmp_path / "color")
    cv2.imwrite(str(tmp_path / "a.png"), color_image(120, 200))
    arguments = ["ood", "detect", "a.png", "-b", str(bundle.folder), "--backend", "pytorch"]
    code = f"""
import sys

class WithoutTorch:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == "torch" else self.finder.find_spec(name, path)

sys.meta_path[:] = map(WithoutTorch, sys.meta_path)
sys.path.insert(0, {str(ROOT)!r})
from ood_perception.cli import main
sys.argv = {arguments!r}
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "training side" in done.stderr
    assert "pip install 'ood-detection[training]'" in done.stderr
